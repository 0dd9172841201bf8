"""In-place arithmetic that is not recorded writes directly: the same bits in all layouts."""

import numpy as np
import pytest

import microtensor as mt
from microtensor.ops.inplace import _BINARY, _UNARY

EXTREME = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, 700.0, -700.0]
DTYPES = [mt.float16, mt.float32, mt.float64]


def values(dtype):
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        return np.concatenate([rng.normal(size=300) * 10, EXTREME]).astype(dtype.numpy)


def layouts(array):
    yield array.copy()
    yield np.repeat(array, 2)[::2]
    yield array[::-1].copy()[::-1]
    yield array.copy().reshape(2, -1).T


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", _UNARY)
def test_one_tensor(name, dtype):
    for array in layouts(values(dtype)):
        x = mt.from_numpy(array)
        expected = getattr(mt, name)(x).numpy()
        assert getattr(x, f"{name}_")() is x
        assert x._array is array and x._version == 1
        np.testing.assert_array_equal(array, expected)


OTHERS = {
    "tensor": lambda x: mt.from_numpy(np.ascontiguousarray(x.numpy()[::-1])),
    "of another layout": lambda x: mt.from_numpy(np.repeat(x.numpy(), 2, -1)[..., ::2]),
    "itself": lambda x: x,
    "zero-dimensional": lambda x: mt.tensor(1.5).to(x.dtype),
    "row": lambda x: x[-1].clone(),
    "column": lambda x: x[:, :1].clone() if x.ndim == 2 else x[:1].clone(),
    "float": lambda x: 2.5,
    "integer": lambda x: 3,
    "bool": lambda x: True,
    "of integers": lambda x: mt.full(tuple(x.shape), 2),
    "of another float dtype": lambda x: x.double() if x.dtype is mt.float32 else x.float(),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", _BINARY)
@pytest.mark.parametrize("other", OTHERS)
def test_two_tensors(name, other, dtype):
    for array in layouts(values(dtype)):
        x = mt.from_numpy(array)
        second = OTHERS[other](x)
        if (name, other) == ("sub", "bool"):
            with pytest.raises(RuntimeError, match="bools cannot be subtracted"):
                x.sub_(second)
            continue
        expected = getattr(mt, name)(x, second).to(dtype).numpy().copy()
        assert getattr(x, f"{name}_")(second) is x
        assert x._array is array and x._version == 1
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("name", _BINARY)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_overlapping_memory_is_read_before_it_is_written(name, dtype):
    for first, second in [(slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))]:
        array = np.abs(values(mt.float64)[:300]).astype(dtype.numpy) + dtype.numpy.type(1)
        x, y = mt.from_numpy(array)[first], mt.from_numpy(array)[second]
        expected = getattr(mt, name)(x, y).numpy().copy()
        getattr(x, f"{name}_")(y)
        np.testing.assert_array_equal(x.numpy(), expected)


def test_what_is_recorded_still_is():
    w = mt.tensor([2.0, 3.0], requires_grad=True)
    x = mt.ones(2)
    x.mul_(w)
    view = mt.ones(2, 2)[0]
    view.add_(w)
    (x.sum() + view.sum()).backward()
    assert w.grad.tolist() == [2, 2]
    for write in (lambda: w.mul_(2), lambda: w[:1].exp_(), lambda: w.neg_()):
        with pytest.raises(RuntimeError, match="leaf Variable"):
            write()


def test_a_write_is_noticed_by_what_saved_the_tensor():
    w = mt.tensor([2.0, 3.0], requires_grad=True)
    for write in (lambda t: t.add_(1), lambda t: t.exp_(), lambda t: t[:1].mul_(2)):
        constant = mt.ones(2)
        y = w * constant
        write(constant)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
    constant[0] = 3.0
    assert constant._version == 2


def test_a_part_of_an_expanded_tensor_with_places_of_its_own_can_be_written_to():
    x = mt.zeros(1, 3, requires_grad=True)
    y = x * 1
    part = y.expand(2, 3)[1]
    part.add_(mt.tensor([1.0, 2.0, 3.0]))
    part[0] = 7.0
    assert y.tolist() == [[7, 2, 3]]
    y.sum().backward()
    assert x.grad.tolist() == [[0, 1, 1]]
    with pytest.raises(RuntimeError, match="several elements share"):
        y.detach().expand(2, 3).add_(1)


def test_all_elements_of_an_expanded_tensor_can_be_filled():
    x = mt.zeros(1)
    x.expand(3).fill_(2)
    assert x.tolist() == [2]
    x.expand(3).zero_()
    assert x.tolist() == [0]


@pytest.mark.parametrize("write", ["fill_", "copy_"])
def test_the_gradient_of_what_was_overwritten_is_zero_and_the_value_gets_its_own(write):
    x = mt.tensor([1.0, 2.0], requires_grad=True)
    value = mt.tensor(3.0, requires_grad=True)
    y = x * 1
    getattr(y, write)(value)
    (y * mt.tensor([10.0, 1.0])).sum().backward()
    assert x.grad.tolist() == [0, 0] and value.grad.item() == 11


def test_infinities_behind_an_overwritten_part_give_no_nan():
    x = mt.tensor([1.0, 2.0], dtype=mt.float64, requires_grad=True)
    y = x * 1
    y[:1] = 0.0
    (slope,) = mt.autograd.grad(y.sqrt().sum(), x, create_graph=True)
    assert slope[0].item() == 0 and slope[1].item() == pytest.approx(0.5 / 2**0.5)
