"""Arguments at the ends of what is legal, and beyond: right values, or errors that name them."""

import numpy as np
import pytest

import microtensor as mt


@pytest.mark.parametrize("reduce", [mt.sum, mt.mean, mt.amax, mt.amin])
@pytest.mark.parametrize("dims", [63, -1, (0, 63), tuple(range(64))])
def test_the_last_of_64_dimensions_can_be_reduced(reduce, dims):
    x = mt.tensor([1.0, 2.0, 3.0]).reshape([1] * 63 + [3])
    expected = {"sum": 6.0, "mean": 2.0, "amax": 3.0, "amin": 1.0}[reduce.__name__]
    result = reduce(x, dims)
    assert result.ndim == 64 - (len(dims) if isinstance(dims, tuple) else 1)
    assert result.item() == expected


@pytest.mark.parametrize("whole", [2**53 + 1, 2**63 - 1, -(2**63)])
def test_rounding_integers_changes_no_digit(whole):
    x = mt.tensor([whole])
    assert mt.round(x).item() == whole
    assert x.round_().item() == whole


def test_rounding_to_more_decimals_than_a_dtype_has_changes_nothing():
    x = mt.tensor([1.25, -1e30, float("inf")], dtype=mt.float64)
    assert mt.round(x, decimals=400).tolist() == x.tolist()
    assert mt.round(x[:2], decimals=-400).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("op", "argument", "call"),
    [
        ("sum", "dim", lambda x: x.sum(1.0)),
        ("amax", "dim", lambda x: x.amax("abc")),
        ("mean", "dim", lambda x: x.mean((0, None))),
        ("round", "decimals", lambda x: x.round(decimals=1.5)),
        ("tril", "diagonal", lambda x: x.tril(None)),
        ("triu", "diagonal", lambda x: x.triu((0, 0))),
        ("diagonal", "offset", lambda x: x.diagonal([1])),
        ("diag_embed", "offset", lambda x: mt.diag_embed(x, 1.5)),
        ("linalg.cross", "other", lambda x: mt.linalg.cross(x, "abc")),
        ("uniform_", "from", lambda x: x.uniform_("abc", 2.0)),
        ("normal_", "mean", lambda x: x.normal_("abc")),
        ("exponential_", "lambd", lambda x: x.exponential_(mt.ones(2))),
        ("log_normal_", "mean", lambda x: x.log_normal_(None)),
        ("geometric_", "p", lambda x: x.geometric_([0.5])),
        ("cauchy_", "median", lambda x: x.cauchy_("")),
    ],
)
def test_an_argument_of_a_wrong_type_is_named_and_nothing_is_written(op, argument, call):
    x = mt.ones(2, 3)
    with pytest.raises(TypeError, match=rf"{op}\(\): argument '{argument}' must be"):
        call(x)
    assert x.tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize(
    "call", [lambda x: x.unbind(0.0), lambda x: x.transpose(0, 1.0), lambda x: x.chunk(1, np.pi)]
)
def test_a_dimension_must_be_an_integer(call):
    with pytest.raises(TypeError, match="'dim' must be an int, not float"):
        call(mt.ones(2, 2))


def test_svd_without_vectors_refuses_what_is_no_matrix():
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        mt.svd(mt.tensor(1.0), compute_uv=False)


@pytest.mark.parametrize("name", ["exp", "add", "atan2", "det", "clamp", "fliplr", "hstack"])
def test_missing_arguments_are_reported_under_the_public_name(name):
    with pytest.raises(TypeError, match=rf"^{name}\(\) missing"):
        getattr(mt, name)()


def test_operators_called_by_name_are_reported_by_name():
    with pytest.raises(TypeError, match=r"^mul\(\) missing"):
        mt.ones(1).__mul__()


def test_a_number_in_an_unaligned_array_is_read():
    memory = np.zeros(17, np.uint8)
    number = np.frombuffer(memory.data, np.float64, count=1, offset=3)
    number[...] = 2.5
    one = mt.from_numpy(number)
    assert (mt.ones(4, dtype=mt.float64) * one).tolist() == [2.5] * 4
