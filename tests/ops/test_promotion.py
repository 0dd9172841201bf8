"""Which dtype comes out: PyTorch's rules, written down here as a table of their own."""

import itertools

import numpy as np
import pytest

import microtensor as mt

BOOL, U8, I8, I16, I32, I64 = mt.bool, mt.uint8, mt.int8, mt.int16, mt.int32, mt.int64
F16, F32, F64 = mt.float16, mt.float32, mt.float64
ORDER = [BOOL, U8, I8, I16, I32, I64, F16, F32, F64]
INTEGERS, FLOATS = ORDER[1:6], ORDER[6:]


def category(dtype):
    return 0 if dtype is BOOL else 1 if dtype in INTEGERS else 2


def expected(a, b):
    """The dtype of two tensors that both have dimensions."""
    if {a, b} == {U8, I8}:
        return I16
    return max(a, b, key=lambda d: (category(d), ORDER.index(d)))


@pytest.mark.parametrize(("a", "b"), list(itertools.product(ORDER, ORDER)))
def test_two_tensors(a, b):
    x, y = mt.ones(2, dtype=a), mt.ones(2, dtype=b)
    result = x * y
    assert result.dtype is expected(a, b)
    assert result.tolist() == [1, 1]
    assert (mt.tensor(1, dtype=a) * mt.tensor(1, dtype=b)).dtype is expected(a, b)
    assert (x == y).dtype is BOOL
    assert mt.where(mt.tensor([True, False]), x, y).dtype is expected(a, b)
    assert mt.cat([x, y]).dtype is expected(a, b)


@pytest.mark.parametrize(("a", "b"), list(itertools.product(ORDER, ORDER)))
def test_a_tensor_without_dimensions_yields_within_its_category(a, b):
    result = mt.ones(2, dtype=a) * mt.tensor(1, dtype=b)
    want = expected(a, b) if category(b) > category(a) else a
    assert result.dtype is want
    assert (mt.tensor(1, dtype=b) * mt.ones(2, dtype=a)).dtype is want


@pytest.mark.parametrize("dtype", ORDER)
def test_python_numbers_yield_within_their_category(dtype):
    x = mt.ones(2, dtype=dtype)
    for tensor in (x, mt.tensor(1, dtype=dtype)):
        assert (tensor * True).dtype is dtype
        assert (tensor * 2).dtype is (I64 if dtype is BOOL else dtype)
        assert (2 * tensor).dtype is (I64 if dtype is BOOL else dtype)
        assert (tensor * 2.0).dtype is (dtype if dtype in FLOATS else F32)
        assert (2.0 * tensor).dtype is (dtype if dtype in FLOATS else F32)
        assert (tensor * np.float64(2)).dtype is (dtype if dtype in FLOATS else F32)
        assert (np.float64(2) * tensor).dtype is (dtype if dtype in FLOATS else F32)
        assert (tensor * np.int8(2)).dtype is (I64 if dtype is BOOL else dtype)


@pytest.mark.parametrize("dtype", ORDER)
def test_division_gives_floats(dtype):
    x = mt.ones(2, dtype=dtype)
    assert (x / x).dtype is (dtype if dtype in FLOATS else F32)
    assert (x / 2).dtype is (dtype if dtype in FLOATS else F32)
    assert (1 / x).dtype is (dtype if dtype in FLOATS else F32)


@pytest.mark.parametrize("dtype", [d for d in ORDER if d is not BOOL])
def test_floor_division_and_remainder_keep_the_dtype(dtype):
    x = mt.ones(2, dtype=dtype)
    assert (x // x).dtype is dtype and (x % 2).dtype is dtype


@pytest.mark.parametrize(
    "name", ["exp", "log", "sqrt", "reciprocal", "sin", "cos", "sigmoid", "tanh"]
)
def test_functions_of_integers_give_the_default_dtype(name):
    function = getattr(mt, name)
    assert function(mt.tensor([1, 2])).dtype is F32
    assert function(mt.tensor([True])).dtype is F32
    assert function(mt.ones(2, dtype=F16)).dtype is F16
    try:
        mt.set_default_dtype(F64)
        assert function(mt.tensor([1, 2])).dtype is F64
        assert (mt.tensor([1]) * 2.0).dtype is F64
        assert (mt.tensor([1]) / 2).dtype is F64
        assert mt.tensor(1.0).dtype is F64 and mt.zeros(2).dtype is F64
    finally:
        mt.set_default_dtype(F32)


def test_default_dtype_must_be_floating_point():
    with pytest.raises(TypeError, match="floating-point"):
        mt.set_default_dtype(mt.int64)
    assert mt.get_default_dtype() is F32


def test_integers_wrap_around_beside_numbers_they_cannot_hold():
    assert (mt.ones(2, dtype=U8) * 300).tolist() == [44, 44]
    assert (mt.ones(1, dtype=I8) - 200).tolist() == [57]
    assert (mt.ones(1, dtype=I64) + (2**63 - 1)).tolist() == [-(2**63)]
    with pytest.raises(OverflowError, match="64-bit"):
        mt.ones(2, dtype=I64) + 2**64


def test_where_a_number_is_stored_it_must_fit():
    narrow = mt.ones(1, dtype=U8)
    for store in (
        lambda: narrow.masked_fill(narrow > 0, 300),
        lambda: mt.where(narrow > 0, narrow, 300),
        lambda: narrow.clamp(max=300),
        lambda: narrow**300,
    ):
        with pytest.raises(RuntimeError, match="uint8 without overflow"):
            store()


def test_a_wide_number_beside_a_narrow_float_is_silently_infinite():
    assert (mt.ones(1) * 1e300).item() == float("inf")
    assert (mt.ones(1, dtype=F16) + 1e6).item() == float("inf")
    assert (mt.ones(1) * mt.tensor(1e300, dtype=F64)).item() == float("inf")


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_come_back_in_the_dtype_of_their_tensor(dtype):
    x = mt.ones(2, dtype=dtype, requires_grad=True)
    y = mt.ones(2, dtype=F64, requires_grad=True)
    (x * y + x.double() * 2 + x / 3).sum().backward()
    assert x.grad.dtype is dtype and y.grad.dtype is F64
    assert x.grad.tolist() == pytest.approx([3 + 1 / 3] * 2, rel=1e-3)


def test_gradient_of_equal_extremes_is_exact_in_float64():
    x = mt.ones(3, dtype=F64, requires_grad=True)
    x.max().backward()
    assert x.grad.tolist() == [1 / 3] * 3
