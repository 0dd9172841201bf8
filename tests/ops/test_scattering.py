"""Gather, scatter and their kin against plain loops, on every layout; and what only we allow."""

import numpy as np
import pytest

import microtensor as mt
from microtensor.ops import registry

SHAPES = [
    ((3, 4), (2, 4)),
    ((2, 3, 4), (2, 2, 3)),
    ((5,), (7,)),
    ((3, 1), (3, 1)),
    ((4, 3), (0, 3)),
]
DTYPES = [mt.float64, mt.float32, mt.float16, mt.int64, mt.int8]


def cases(dtype):
    """Give (x, dim, index, src), indices with places named several times."""
    rng = np.random.default_rng(0)
    for shape, wanted in SHAPES:
        for dim in range(len(shape)):
            lengths = tuple(n if d == dim else min(n, shape[d]) for d, n in enumerate(wanted))
            index = rng.integers(0, shape[dim], lengths)
            x, src = (rng.integers(-3, 4, s).astype(dtype.numpy) for s in (shape, lengths))
            yield x, dim, index, src


def places(index, dim):
    for at in np.ndindex(index.shape):
        yield at, (*at[:dim], int(index[at]), *at[dim + 1 :])


def layouts(array):
    yield array.copy()
    yield array.copy(order="F")
    yield np.repeat(array, 2, -1)[..., ::2]
    yield array[::-1].copy()[::-1]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gather(dtype):
    for x, dim, index, _ in cases(dtype):
        expected = np.zeros(index.shape, x.dtype)
        for at, place in places(index, dim):
            expected[at] = x[place]
        for array in layouts(x):
            for indices in layouts(index):
                y = mt.from_numpy(array).gather(dim, mt.from_numpy(indices))
                np.testing.assert_array_equal(y.numpy(), expected)


COMBINE = {
    None: lambda old, new: new,
    "sum": lambda old, new: old + new,
    "prod": lambda old, new: old * new,
    "amax": max,
    "amin": min,
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reduce", COMBINE)
@pytest.mark.parametrize("include_self", [True, False])
def test_scatter_in_every_form(reduce, include_self, dtype):
    for x, dim, index, src in cases(dtype):
        expected, seen = x.copy(), set()
        for at, place in places(index, dim):
            fresh = not include_self and place not in seen
            with np.errstate(over="ignore"):
                old = src.dtype.type({"sum": 0, "prod": 1}.get(reduce, 0))
                old = old if fresh and reduce in ("sum", "prod") else expected[place]
                overwrite = fresh and reduce in ("amax", "amin")
                expected[place] = src[at] if overwrite else COMBINE[reduce](old, src[at])
            seen.add(place)
        for array in layouts(x):
            target = mt.from_numpy(array)
            arguments = (dim, mt.from_numpy(index), mt.from_numpy(src))
            if reduce is None:
                results = target.scatter(*arguments), target.scatter_(*arguments)
            else:
                named = {"include_self": include_self}
                results = (
                    target.scatter_reduce(*arguments, reduce, **named),
                    target.scatter_reduce_(*arguments, reduce, **named),
                )
            for result in results:
                np.testing.assert_array_equal(result.numpy(), expected)
            assert results[1] is target and target._version == 1


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_whole_slices(dtype):
    rng = np.random.default_rng(1)
    for shape in [(4, 3), (3, 4, 2), (5,), (3, 0)]:
        for dim in range(len(shape)):
            if not shape[dim]:
                continue
            index = rng.permutation(np.repeat(np.arange(shape[dim]), 2))[:3]
            x = rng.integers(-3, 4, shape).astype(dtype.numpy)
            source = rng.integers(-3, 4, (*shape[:dim], 3, *shape[dim + 1 :])).astype(x.dtype)
            added, copied, filled = x.copy(), x.copy(), x.copy()
            for at, place in enumerate(index):
                part = (slice(None),) * dim
                added[(*part, place)] += source[(*part, at)] * 2
                copied[(*part, place)] = source[(*part, at)]
                filled[(*part, place)] = 5
            for array in layouts(x):
                t, i, s = mt.from_numpy(array), mt.from_numpy(index), mt.from_numpy(source)
                np.testing.assert_array_equal(t.index_add(dim, i, s, alpha=2).numpy(), added)
                np.testing.assert_array_equal(t.index_copy(dim, i, s).numpy(), copied)
                np.testing.assert_array_equal(t.index_fill(dim, i, 5).numpy(), filled)
                np.testing.assert_array_equal(
                    t.index_select(dim, i).numpy(), np.stack([x.take(p, dim) for p in index], dim)
                )
                np.testing.assert_array_equal(t.index_add_(dim, i, s, alpha=2).numpy(), added)


def test_sums_are_the_same_from_run_to_run_and_in_the_order_of_the_index():
    rng = np.random.default_rng(2)
    index, values = rng.integers(0, 5, 1000), rng.normal(size=(1000, 3)).astype("f4")
    expected = np.zeros((5, 3), "f4")
    for place, row in zip(index, values, strict=True):
        expected[place] += row
    x = mt.zeros(5, 3).index_add_(0, mt.from_numpy(index), mt.from_numpy(values))
    np.testing.assert_array_equal(x.numpy(), expected)


def test_the_gradient_of_an_embedding_adds_up_in_rows_of_the_table():
    table = mt.zeros(6, 2, dtype=mt.float64).requires_grad_()
    index = np.array([[4, 1, 4], [0, 4, 1]])
    weights = np.arange(12.0).reshape(2, 3, 2)
    (table[mt.from_numpy(index)] * mt.from_numpy(weights)).sum().backward()
    expected = np.zeros((6, 2))
    np.add.at(expected, index, weights)
    np.testing.assert_array_equal(table.grad.numpy(), expected)


@pytest.mark.parametrize("name", ["scatter_", "scatter_add_", "index_copy_", "index_put_", "put_"])
def test_what_is_read_may_be_what_is_written_to(name):
    """PyTorch refuses some of these and garbles others."""
    x = mt.arange(5.0)
    index = mt.tensor([1, 2, 3])
    part = x[:3]
    arguments = {"index_put_": ((index,), part), "put_": (index, part)}.get(name, (0, index, part))
    getattr(x, name)(*arguments)
    added = [0, 1, 3, 5, 4] if name == "scatter_add_" else [0, 0, 1, 2, 4]
    assert x.tolist() == added


def test_a_mean_of_infinities_leaves_out_what_it_does_not_include():
    x = mt.tensor([np.inf, 1.0])
    y = x.scatter_reduce(0, mt.tensor([0, 0]), mt.tensor([2.0, 4.0]), "mean", include_self=False)
    assert y.tolist() == [3, 1]


def test_an_excluded_element_does_not_share_the_gradient_of_the_largest():
    x = mt.tensor([5.0], requires_grad=True)
    src = mt.tensor([5.0, 1.0], requires_grad=True)
    x.scatter_reduce(0, mt.tensor([0, 0]), src, "amax", include_self=False).backward()
    assert x.grad.tolist() == [0] and src.grad.tolist() == [1, 0]  # PyTorch: 0.5


def test_a_source_longer_than_its_index_has_a_gradient():
    src = mt.ones(4, requires_grad=True)
    mt.zeros(3).scatter(0, mt.tensor([2, 0]), src).sum().backward()
    assert src.grad.tolist() == [1, 1, 0, 0]


def test_scatter_with_a_reduction_has_a_gradient():
    x = mt.tensor([2.0, 3.0], requires_grad=True)
    src = mt.tensor([5.0, 7.0], requires_grad=True)
    index = mt.tensor([1, 1])
    x.scatter(0, index, src, reduce="multiply").sum().backward()
    assert x.grad.tolist() == [1, 35] and src.grad.tolist() == [21, 15]
    x.grad = None
    x.scatter(0, index, 4.0, reduce="add").sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_writing_in_place_keeps_no_array_but_the_index():
    x = mt.zeros(3, 2, requires_grad=True)
    y = x * 1
    index, source = mt.tensor([0, 2]), mt.ones(2, 2, requires_grad=True)
    y.index_add_(0, index, source)
    saved = [v for v in y.grad_fn.saved if isinstance(v, np.ndarray)]
    assert len(saved) == 1 and saved[0] is index._array
    assert y.grad_fn.op is registry["index_add"]


def test_an_index_that_is_changed_before_the_walk_is_noticed():
    x = mt.zeros(3, requires_grad=True)
    index = mt.tensor([0, 2])
    for y in (x.gather(0, index), (x * 1).scatter_(0, index, 1.0)):
        index.add_(0)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


@pytest.mark.parametrize("limit", [-1, 3, 2**40, -(2**62)])
@pytest.mark.parametrize("name", ["gather", "scatter", "scatter_add", "index_select", "index_add"])
def test_places_out_of_range_are_named_with_the_dimension_and_its_size(name, limit):
    x, index = mt.zeros(2, 3), mt.tensor([[0, limit, 1]])
    arguments = [1, index if name in ("gather", "scatter", "scatter_add") else index[0]]
    arguments += [] if name in ("gather", "index_select") else [mt.ones(2, 3)]
    words = rf"{name}\(\): index {limit} is out of bounds for dimension 1 with size 3"
    with pytest.raises((IndexError, RuntimeError), match=words):
        getattr(x, name)(*arguments)
    if hasattr(x, f"{name}_"):
        with pytest.raises((IndexError, RuntimeError), match=words):
            getattr(x, f"{name}_")(*arguments)
    assert (x == 0).all() and x._version == 0
