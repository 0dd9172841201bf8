"""Softmax, log-softmax and their gradients."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_cases import (
    IMPLEMENTATIONS,
    each_dtype,
    each_implementation,
    needs_native,
    numbers,
    tolerance,
)

SHAPES = [(0, 3), (3, 0), (1, 1), (4, 1), (7, 2), (129, 10), (5, 31), (5, 32), (5, 33), (3, 1024)]
SHAPES += [(3, 1025), (2, 3000), (1500, 50)]


def _run(implementation, name, *arrays):
    out = np.full(arrays[0].shape, 7, arrays[0].dtype)
    IMPLEMENTATIONS[implementation][name](*arrays, out)
    return out


def _exact_log_softmax(x):
    x = x.astype(np.longdouble)
    if x.size == 0:
        return x
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@each_implementation
@each_dtype
@pytest.mark.parametrize("shape", SHAPES)
def test_values(implementation, dtype, shape):
    x = numbers(shape, dtype, scale=6.0)
    expected = _exact_log_softmax(x)
    got = _run(implementation, "log_softmax", x)
    np.testing.assert_allclose(got, expected.astype(dtype), **tolerance(dtype))
    got = _run(implementation, "softmax", x)
    rtol = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(got, np.exp(expected).astype(dtype), rtol=rtol, atol=0)


@each_implementation
@each_dtype
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients(implementation, dtype, shape):
    x, g = numbers(shape, dtype), numbers(shape, dtype, seed=1)
    log_p = _exact_log_softmax(x)
    p, wide = np.exp(log_p), g.astype(np.longdouble)
    expected = p * (wide - (wide * p).sum(axis=1, keepdims=True))
    got = _run(implementation, "softmax_backward", g, p.astype(dtype))
    np.testing.assert_allclose(got, expected.astype(dtype), **tolerance(dtype))
    expected = wide - p * wide.sum(axis=1, keepdims=True)
    got = _run(implementation, "log_softmax_backward", g, log_p.astype(dtype))
    scale = max(1, shape[1]) ** 0.5
    limits = {key: value * scale for key, value in tolerance(dtype).items()}
    np.testing.assert_allclose(got, expected.astype(dtype), **limits)


@each_implementation
@each_dtype
@pytest.mark.parametrize("columns", [2, 10, 40, 1100])
def test_huge_logits_neither_overflow_nor_lose_the_small_part(implementation, dtype, columns):
    x = np.zeros((2, columns), dtype)
    x[0] += dtype(1e4)
    x[1] -= dtype(1e30)
    np.testing.assert_allclose(_run(implementation, "softmax", x), 1 / columns, rtol=1e-6)
    np.testing.assert_allclose(_run(implementation, "log_softmax", x), -np.log(columns), rtol=1e-6)


@each_implementation
@each_dtype
@pytest.mark.parametrize("columns", [1, 7, 8, 9, 31, 32, 33, 40, 41, 100])
def test_the_largest_element_is_found_wherever_it_stands(implementation, dtype, columns):
    places = np.eye(columns, dtype=dtype)
    x = dtype(2000) * places - dtype(3000)
    np.testing.assert_array_equal(_run(implementation, "softmax", x), places)
    np.testing.assert_array_equal(_run(implementation, "softmin", -x), places)
    expected = np.where(places == 1, dtype(0), dtype(-2000))
    np.testing.assert_array_equal(_run(implementation, "log_softmax", x), expected)


@each_implementation
@each_dtype
@pytest.mark.parametrize("columns", [3, 40, 1100])
def test_rows_with_nan_or_infinities(implementation, dtype, columns):
    x = numbers((6, columns), dtype)
    x[0, 1] = np.nan
    x[1, 1] = np.inf
    x[2] = -np.inf
    x[3, 1] = -np.inf
    x[4, columns - 1] = np.nan
    for name in ("softmax", "log_softmax"):
        out = _run(implementation, name, x)
        assert np.isnan(out[[0, 1, 2, 4]]).all()
        assert out[3, 1] == (0 if name == "softmax" else -np.inf)
        assert np.isfinite(np.delete(out[3], 1)).all()
        assert np.isfinite(out[5]).all()  # rows do not touch each other


@each_implementation
@each_dtype
@pytest.mark.parametrize("shape", [(40, 7), (3, 1500)])
def test_the_output_may_be_an_input(implementation, dtype, shape):
    x, g = numbers(shape, dtype), numbers(shape, dtype, seed=1)
    for name in ("softmax", "softmin", "log_softmax"):
        expected, own = _run(implementation, name, x), x.copy()
        IMPLEMENTATIONS[implementation][name](own, own)
        np.testing.assert_array_equal(own, expected)
    for name in ("softmax_backward", "log_softmax_backward"):
        expected, own_g, own_y = _run(implementation, name, g, x), g.copy(), x.copy()
        IMPLEMENTATIONS[implementation][name](own_g, x, own_g)
        IMPLEMENTATIONS[implementation][name](g, own_y, own_y)
        np.testing.assert_array_equal(own_g, expected)
        np.testing.assert_array_equal(own_y, expected)


@each_implementation
@each_dtype
@pytest.mark.parametrize(
    "shape",
    [(2, 3, 4), (5, 1, 3), (1, 700, 3), (300, 300), (3, 40, 515), (9, 1), (0, 4), (2, 0, 3)],
)
@pytest.mark.parametrize(
    "name", ["softmax", "log_softmax", "softmax_backward", "log_softmax_backward"]
)
def test_any_axis_is_that_axis_as_the_last(implementation, dtype, shape, name):
    kernel = IMPLEMENTATIONS[implementation][name]
    count = 2 if name.endswith("backward") else 1
    arrays = [numbers(shape, dtype, seed) / 3 for seed in range(count)]
    for axis in range(len(shape)):
        out = np.full(shape, 7, dtype)
        kernel(*arrays, out, axis)
        moved = [np.ascontiguousarray(np.moveaxis(a, axis, -1)) for a in arrays]
        expected = _run("numpy", name, *(a.astype(np.float64) for a in moved))
        scale = np.abs(expected).max(initial=1)
        limits = {key: scale * value for key, value in tolerance(dtype).items()}
        np.testing.assert_allclose(np.moveaxis(out, axis, -1), expected, **limits)
        kernel(*arrays, arrays[-1], axis)  # the output may be an input
        np.testing.assert_array_equal(arrays[-1], out)
        arrays = [numbers(shape, dtype, seed) / 3 for seed in range(count)]


@each_implementation
def test_one_bad_column_leaves_the_others(implementation):
    x = numbers((30, 20), np.float32)
    x[4, 3], x[5, 6], x[:, 9] = np.nan, np.inf, -np.inf
    for name in ("softmax", "log_softmax"):
        out = np.empty_like(x)
        IMPLEMENTATIONS[implementation][name](x, out, 0)
        bad = np.isnan(out).all(0)
        assert set(np.flatnonzero(bad)) == {3, 6, 9} and np.isfinite(out[:, ~bad]).all()


@needs_native
@each_dtype
@pytest.mark.parametrize("shape", [(33, 10), (5, 1100)])
def test_native_agrees_with_its_twin(dtype, shape):
    x, g = numbers(shape, dtype), numbers(shape, dtype, seed=1)
    for name, arrays in (
        ("softmax", (x,)),
        ("log_softmax", (x,)),
        ("softmax_backward", (g, x)),
        ("log_softmax_backward", (g, -np.abs(x))),
    ):
        native, numpy = _run("native", name, *arrays), _run("numpy", name, *arrays)
        scale = np.abs(numpy).max()
        limits = {key: value * scale for key, value in tolerance(dtype).items()}
        np.testing.assert_allclose(native, numpy, **limits)
