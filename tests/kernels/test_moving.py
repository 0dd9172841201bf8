"""Copies and additions between arrays of any strides, norms and clipping, against NumPy."""

import numpy as np
import pytest

from microtensor import kernels
from microtensor.kernels import twin

DTYPES = [np.float32, np.float64, np.int64]


def numbers(shape, dtype):
    return np.random.default_rng(0).normal(size=shape).__mul__(9).astype(dtype)


# What is read, as a part of an array of some shape, and what it is written into.
LAYOUTS = {
    "plain": ((3, 5), lambda x: x, (3, 5), lambda y: y),
    "transposed": ((70, 35), lambda x: x.T, (35, 70), lambda y: y),
    "channels last": ((2, 5, 7, 19), lambda x: x.transpose(0, 3, 1, 2), (2, 19, 5, 7), None),
    "first behind": ((4, 3, 20), lambda x: x.transpose(2, 1, 0), (20, 3, 4), None),
    "into a part": ((3, 4), None, (5, 9), lambda y: y[1:4, 2:6]),
    "steps": ((8, 9), lambda x: x[::2, ::-3], (4, 3), None),
    "into steps": ((4, 3), None, (8, 9), lambda y: y[::2, ::3]),
    "backwards": ((4, 3), None, (4, 3), lambda y: y[::-1, ::-1]),
    "broadcast row": ((5,), None, (2, 3, 5), None),
    "broadcast column": ((3, 1), None, (2, 3, 5), None),
    "one": ((), None, (), None),
    "nothing": ((0, 4), None, (0, 4), None),
    "five": ((2, 3, 2, 3, 4), lambda x: x.transpose(4, 1, 3, 0, 2), (4, 3, 3, 2, 2), None),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("adds", [False, True])
def test_any_strides(layout, dtype, adds):
    shape, read, into, write = LAYOUTS[layout]
    x = numbers(shape, dtype)
    x = x if read is None else read(x)
    found, wanted = (np.ones(into, dtype) for _ in range(2))
    for out, module in ((found, kernels), (wanted, twin)):
        part = out if write is None else write(out)
        if adds:
            module.add_part(x, ..., part)
        else:
            module.cast(x, part)
    np.testing.assert_array_equal(found, wanted)


def test_overlapping_memory_is_read_before_it_is_written():
    x = np.arange(9.0).reshape(3, 3)
    wanted = x.T.copy()
    kernels.cast(x.T, x)
    np.testing.assert_array_equal(x, wanted)


def test_other_dtypes_and_shapes_go_to_numpy():
    out = np.zeros(3, np.float32)
    kernels.cast(np.array([1, 2, 3]), out)
    assert out.tolist() == [1, 2, 3]
    kernels.fill(np.float32(2), out)
    assert out.tolist() == [2, 2, 2]
    whole = np.zeros(2, np.int64)
    kernels.fill(7, whole)
    assert whole.tolist() == [7, 7]
    with pytest.raises(ValueError, match="broadcast"):
        kernels.cast(np.zeros(4, np.float32), out)
    frozen = np.zeros(3, np.float32)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        kernels.cast(out, frozen)


def test_integers_wrap_around():
    a, b = np.array([2**62, -5, 3]), np.array([2**62, 7, -2])
    for kernel, wanted in ((kernels.add, a + b), (kernels.sub, a - b), (kernels.mul, a * b)):
        out = np.empty(3, np.int64)
        kernel(a, b, out)
        np.testing.assert_array_equal(out, wanted)
    one = np.empty((), np.int64)
    kernels.add(np.array(2**60 + 1), np.array(1), one)
    assert one.item() == 2**60 + 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", [0.0, 1.0, 2.0, 2.5, np.inf])
def test_norms(order, dtype):
    arrays = [numbers(shape, dtype) for shape in ((3, 50), (), (0,), (17,))]
    out, wanted = np.empty((), dtype), np.empty((), dtype)
    kernels.total_norm(arrays, order, out)
    twin.total_norm(arrays, order, wanted)
    np.testing.assert_allclose(out, wanted, rtol=8 * np.finfo(dtype).eps)
    arrays[0][2, 7] = np.nan
    if order:
        kernels.total_norm(arrays, order, out)
        assert np.isnan(out)


@pytest.mark.skipif(kernels.backend != "native", reason="NumPy squares in the dtype it is given")
@pytest.mark.parametrize("unit", [1e-200, 1e200])
@pytest.mark.parametrize("order", [2.0, 3.0])
def test_norms_beyond_the_range_of_powers(unit, order):
    x = numbers((40,), np.float64)
    out, wanted = np.empty(()), np.empty(())
    kernels.total_norm([x * unit, x * unit], order, out)
    twin.total_norm([x, x], order, wanted)
    np.testing.assert_allclose(out, wanted * unit, rtol=1e-14)
    single = np.empty((), np.float32)
    kernels.total_norm([np.full(4, 1e25, np.float32)], 2.0, single)
    assert single == np.float32(2e25)


@pytest.mark.parametrize("norm", [np.nan, np.inf, 0.5, 4.0])
def test_shrinking_and_clamping(norm):
    x = np.array([1.0, -2.0, np.nan, np.inf], np.float32)
    for name, given in (("shrink", norm), ("clamp", norm)):
        found, wanted = x.copy(), x.copy()
        for array, module in ((found, kernels), (wanted, twin)):
            if name == "shrink":
                module.shrink_to_norm(np.array(given, np.float32), 1.0, [array])
            else:
                module.clamp_into(-1.5, 1.5, array)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_running_statistics(momentum, dtype):
    given = [numbers((6,), dtype) ** 2 for _ in range(2)]
    found, wanted = ([np.ones(6, dtype), np.full(6, 2, dtype)] for _ in range(2))
    for running, module in ((found, kernels), (wanted, twin)):
        module.running_update(*given, 1.25, momentum, np.array(3), *running)
    np.testing.assert_allclose(found, wanted, rtol=4 * np.finfo(dtype).eps)
    roots = np.empty((2, 6), dtype)
    kernels.inverse_root(given[0], 1e-5, roots[0])
    twin.inverse_root(given[0], 1e-5, roots[1])
    np.testing.assert_array_equal(*roots)
