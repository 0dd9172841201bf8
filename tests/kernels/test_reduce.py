"""The reductions in C and in NumPy against float64, over all shapes and dimensions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from kernel_cases import (
    IMPLEMENTATIONS,
    INPUT_LAYOUTS,
    each_dtype,
    each_implementation,
    needs_native,
    numbers,
)

SHAPES = [(), (1,), (7,), (64,), (129,), (5, 3), (3, 200), (200, 3), (2, 3, 70), (4, 1, 5, 2)]
SHAPES += [(0,), (3, 0), (0, 3), (70_000,), (2, 40_000), (40_000, 2), (300, 300), (3, 5, 7, 2, 4)]
REFERENCES = {
    "sum": np.sum,
    "mean": np.mean,
    "amax": np.max,
    "amin": np.min,
    "var": lambda x, axis, keepdims: np.var(x, axis=axis, keepdims=keepdims, ddof=1),
    "std": lambda x, axis, keepdims: np.std(x, axis=axis, keepdims=keepdims, ddof=1),
}


def axes_of(ndim):
    return [
        axes for count in range(ndim + 1) for axes in itertools.combinations(range(ndim), count)
    ]


def reduce(implementation, name, x, axis, keepdims):
    shape = tuple(1 if i in axis else n for i, n in enumerate(x.shape) if keepdims or i not in axis)
    out = np.full(shape, 7, x.dtype.newbyteorder("="))
    extra = (1.0,) if name in ("var", "std") else ()
    IMPLEMENTATIONS[implementation][name](x, axis, *extra, out)
    return out


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_values_over_all_dimensions(implementation, dtype, name, shape):
    x = numbers(shape, dtype) + dtype(1)
    x = np.asarray(x, dtype)
    for axis in axes_of(x.ndim):
        if name[0] == "a" and any(x.shape[i] == 0 for i in axis):
            continue
        for keepdims in (False, True):
            expected = REFERENCES[name](x.astype(np.float64), axis=axis, keepdims=keepdims)
            found = reduce(implementation, name, x, axis, keepdims)
            tolerance = 1e-5 if dtype == np.float32 else 1e-11
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@each_implementation
@each_dtype
@pytest.mark.parametrize("layout", INPUT_LAYOUTS)
@pytest.mark.parametrize("name", REFERENCES)
def test_any_layout(implementation, dtype, name, layout):
    x = numbers((6, 8), dtype)
    if layout == "broadcast":
        x = np.repeat(x[:1], 6, axis=0)
    for axis in axes_of(2):
        if name in ("var", "std") and not axis:
            continue
        np.testing.assert_allclose(
            reduce(implementation, name, INPUT_LAYOUTS[layout](x), axis, True),
            reduce("numpy", name, x, axis, True),
            rtol=2e-6,
            atol=1e-6,
        )


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", ["amax", "amin"])
@pytest.mark.parametrize("size", [1, 5, 64, 200, 100_000])
def test_one_nan_anywhere_is_the_extreme(implementation, dtype, name, size):
    for place in {0, size // 3, size - 1}:
        x = numbers((size,), dtype)
        x[place] = np.nan
        assert np.isnan(reduce(implementation, name, x, (0,), False))
        columns = np.tile(x[:, None], (1, 3)) if size < 1000 else np.stack([x, x, x], 1)
        assert np.isnan(reduce(implementation, name, columns, (0,), False)).all()


@each_implementation
@each_dtype
def test_extremes_of_infinities(implementation, dtype):
    x = np.array([[np.inf, -np.inf], [-np.inf, -np.inf], [1, np.inf]] * 50, dtype)
    np.testing.assert_array_equal(reduce(implementation, "amax", x, (1,), False), x.max(1))
    np.testing.assert_array_equal(reduce(implementation, "amin", x, (0,), False), x.min(0))


@each_implementation
@each_dtype
@pytest.mark.parametrize("shape", [(1000,), (100_000,), (500, 40), (3, 90_000)])
def test_a_variance_beside_a_large_mean_keeps_its_digits(implementation, dtype, shape):
    offset = dtype(2**20)
    x = np.asarray(np.round(numbers(shape, dtype) * 8) / 8 + offset, dtype)
    for axis in axes_of(len(shape))[1:]:
        expected = np.var(x.astype(np.longdouble), axis=axis, ddof=1).astype(np.float64)
        found = reduce(implementation, "var", x, axis, False)
        np.testing.assert_allclose(found, expected, rtol=2e-6 if dtype == np.float32 else 1e-9)


@each_implementation
@each_dtype
def test_variance_and_mean_together_are_those_alone(implementation, dtype):
    kernels = IMPLEMENTATIONS[implementation]
    x = numbers((300, 70), dtype)
    for axis in ((0,), (1,), (0, 1)):
        shape = tuple(n for i, n in enumerate(x.shape) if i not in axis)
        variance, mean = np.empty(shape, dtype), np.empty(shape, dtype)
        kernels["var_mean"](x, axis, 1.0, variance, mean)
        np.testing.assert_array_equal(variance, reduce(implementation, "var", x, axis, False))
        np.testing.assert_allclose(
            mean, reduce(implementation, "mean", x, axis, False), rtol=1e-5, atol=1e-6
        )


@each_implementation
@each_dtype
@pytest.mark.parametrize("count", [0, 1])
def test_variance_of_too_few_is_nan(implementation, dtype, count):
    x = np.ones((count, 3), dtype)
    assert np.isnan(reduce(implementation, "var", x, (0,), False)).all()
    assert np.isnan(reduce(implementation, "std", x, (0,), True)).all()


@each_implementation
def test_float32_sums_lose_little(implementation):
    """Added one after the other, 0.1 a million times is off by a percent."""
    for shape, axis in [((1 << 20,), (0,)), ((1 << 20, 3), (0,)), ((3, 1 << 20), (1,))]:
        x = np.full(shape, 0.1, np.float32)
        found = reduce(implementation, "sum", x, axis, False).astype(np.float64)
        np.testing.assert_allclose(found, np.float64(np.float32(0.1)) * (1 << 20), rtol=4e-6)


@needs_native
def test_as_many_dimensions_as_numpy_has():
    x = numbers((1,) * 63 + (5,), np.float32)
    np.testing.assert_allclose(
        reduce("native", "sum", x, (63,), False), x.sum(63), rtol=1e-6, atol=1e-6
    )
