"""Matrix products, the affine map and column sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import (
    IMPLEMENTATIONS,
    INPUT_LAYOUTS,
    LAYOUTS,
    each_dtype,
    each_implementation,
    layout_pairs,
    needs_native,
    numbers,
)

from microtensor import kernels

SIZES = [
    (1, 1, 1),
    (3, 4, 5),
    (0, 4, 5),
    (3, 0, 5),
    (3, 4, 0),
    (32, 2, 16),
    (70, 130, 40),
    (1, 9, 1),
]
SIZES += [(9, 1, 1), (1, 1, 9)]


def _limits(dtype, inner):
    return {"rtol": 0, "atol": (inner + 1) * 20 * float(np.finfo(dtype).eps)}


def _matmul(implementation, a, b, out=None):
    out = np.full((a.shape[0], b.shape[1]), 7, a.dtype) if out is None else out
    IMPLEMENTATIONS[implementation]["matmul"](a, b, out)
    return out


@each_implementation
@each_dtype
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)])
def test_products_of_matrices_stored_either_way(implementation, dtype, size, transposed):
    m, k, n = size
    a, b = numbers((m, k), dtype, 1, 1.0), numbers((k, n), dtype, 2, 1.0)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    a = np.asfortranarray(a) if transposed[0] else a
    b = np.asfortranarray(b) if transposed[1] else b
    np.testing.assert_allclose(_matmul(implementation, a, b), expected, **_limits(dtype, k))


@each_implementation
@each_dtype
@layout_pairs
def test_any_layout(implementation, dtype, layout, out_layout):
    a, b = numbers((6, 4), dtype, 1, 1.0), numbers((4, 6), dtype, 2, 1.0)
    a, b = INPUT_LAYOUTS[layout](a), INPUT_LAYOUTS[layout](b)
    out = LAYOUTS[out_layout](np.full((6, 6), 7, dtype))
    expected = a.astype(np.float64) @ b.astype(np.float64)
    _matmul(implementation, a, b, out)
    np.testing.assert_allclose(out, expected, **_limits(dtype, 4))
    weight = INPUT_LAYOUTS[layout](b.T.astype(dtype))
    bias = INPUT_LAYOUTS[layout](numbers(6, dtype, 3, 1.0))
    IMPLEMENTATIONS[implementation]["linear"](a, weight, bias, out)
    expected = a.astype(np.float64) @ weight.T.astype(np.float64) + bias
    np.testing.assert_allclose(out, expected, **_limits(dtype, 4))


@each_implementation
@each_dtype
def test_batches_broadcast(implementation, dtype):
    a, b = numbers((2, 1, 3, 4), dtype, 1, 1.0), numbers((5, 4, 2), dtype, 2, 1.0)
    out = np.empty((2, 5, 3, 2), dtype)
    IMPLEMENTATIONS[implementation]["matmul"](a, b, out)
    np.testing.assert_allclose(out, a @ b, **_limits(dtype, 4))


@each_implementation
@each_dtype
def test_the_product_may_be_written_over_a_factor(implementation, dtype):
    a, b = numbers((4, 4), dtype, 1, 1.0), numbers((4, 4), dtype, 2, 1.0)
    expected = a @ b
    _matmul(implementation, a, b, a)
    np.testing.assert_allclose(a, expected, **_limits(dtype, 4))


@each_implementation
@each_dtype
def test_nan_and_infinity_pass_through_a_product(implementation, dtype):
    a = np.array([[np.nan, 1], [np.inf, 1], [1, 1]], dtype)
    out = _matmul(implementation, a, np.ones((2, 20), dtype))
    assert np.isnan(out[0]).all() and np.isposinf(out[1]).all() and (out[2] == 2).all()
    # What stood in the output before is nobody's concern.
    out[...] = np.nan
    _matmul(implementation, np.ones((3, 2), dtype), np.ones((2, 20), dtype), out)
    assert (out == 2).all()


@each_implementation
@pytest.mark.parametrize("shapes", [((3, 4), (5, 6)), ((3, 4), (4, 6)), ((3, 4), (4,))])
def test_shapes_that_do_not_match_are_refused(implementation, shapes):
    a, b = np.ones(shapes[0]), np.ones(shapes[1])
    with pytest.raises(ValueError):
        IMPLEMENTATIONS[implementation]["matmul"](a, b, np.empty((3, 5)))


@each_implementation
@each_dtype
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("with_bias", [False, True])
def test_affine_map(implementation, dtype, size, with_bias):
    rows, inputs, outputs = size
    x, weight = numbers((rows, inputs), dtype, 1, 1.0), numbers((outputs, inputs), dtype, 2, 1.0)
    bias = numbers(outputs, dtype, 3, 1.0) if with_bias else None
    out = np.full((rows, outputs), np.nan, dtype)
    IMPLEMENTATIONS[implementation]["linear"](x, weight, bias, out)
    expected = x.astype(np.float64) @ weight.T.astype(np.float64)
    expected = expected + (0 if bias is None else bias)
    np.testing.assert_allclose(out, expected, **_limits(dtype, inputs))


@each_implementation
@each_dtype
@given(rows=st.integers(0, 700), columns=st.integers(0, 300))
@settings(max_examples=40, deadline=None)
def test_column_sums(implementation, dtype, rows, columns):
    x = numbers((rows, columns), dtype, 1, 1.0)
    out = np.full(columns, 7, dtype)
    IMPLEMENTATIONS[implementation]["sum"](x, (0,), out[None])
    expected = x.sum(axis=0, dtype=np.float64)
    np.testing.assert_allclose(out, expected, **_limits(dtype, rows))


@each_implementation
@each_dtype
@pytest.mark.parametrize("shape", [(3, 600), (500, 513), (70000, 3), (5, 1)])
def test_column_sums_of_other_sizes(implementation, dtype, shape):
    x = numbers(shape, dtype, 1, 1.0)
    out = np.full(shape[1], 7, dtype)
    IMPLEMENTATIONS[implementation]["sum"](x, (0,), out[None])
    np.testing.assert_allclose(out, x.sum(axis=0, dtype=np.float64), **_limits(dtype, shape[0]))


@needs_native
@pytest.mark.parametrize("columns", [1, 2, 10, 32, 33, 600])
def test_long_column_sums_lose_little(columns):
    """In one accumulator 0.1 added up a million times is off by a percent in float32."""
    rows = 1_000_000 if columns < 40 else 50_000
    out = np.empty(columns, np.float32)
    kernels.sum(np.full((rows, columns), 0.1, np.float32), (0,), out)
    np.testing.assert_allclose(out, rows * np.float32(0.1).astype(np.float64), rtol=2e-4)


@needs_native
def test_products_go_to_the_blas_that_numpy_loaded():
    found = kernels.config()["blas"]
    assert found["name"]
    if found["name"] == "numpy.matmul":
        pytest.skip("NumPy's BLAS has none of the names we know")
    from microtensor import _native

    assert _native.lib.mt_blas_available()
    assert found["library"]


@needs_native
def test_without_a_blas_numpy_multiplies(monkeypatch):
    from microtensor import _native

    a, b = numbers((3, 4), np.float64), numbers((4, 5), np.float64)
    blas = kernels._blas
    _native.lib.mt_blas_set(0, 0, 0)
    try:
        np.testing.assert_allclose(_matmul("native", a, b), a @ b, rtol=1e-12)
        out = np.empty((3, 5))
        kernels.linear(a, np.ascontiguousarray(b.T), np.ones(5), out)
        np.testing.assert_allclose(out, a @ b + 1, rtol=1e-12)
    finally:
        _native.lib.mt_blas_set(*blas.addresses, blas.ilp64)


@needs_native
def test_a_blas_with_32_bit_integers():
    """SciPy's own is one, where its wheels bring it."""
    import ctypes
    from pathlib import Path

    scipy = pytest.importorskip("scipy")
    folder = Path(scipy.__file__).parent.parent / "scipy.libs"
    names = [str(path) for path in folder.glob("libscipy_openblas-*.so")]
    if not names:
        pytest.skip("this SciPy has no BLAS of its own")
    from microtensor import _native

    library = ctypes.CDLL(names[0])
    addresses = [
        ctypes.cast(getattr(library, f"scipy_cblas_{kind}gemm"), ctypes.c_void_p).value
        for kind in "sd"
    ]
    blas = kernels._blas
    _native.lib.mt_blas_set(*addresses, 0)
    try:
        for dtype in (np.float32, np.float64):
            a, b = numbers((30, 40), dtype, 1, 1.0), numbers((40, 50), dtype, 2, 1.0)
            expected = a.astype(np.float64) @ b.astype(np.float64)
            for left in (a, np.asfortranarray(a)):
                for right in (b, np.asfortranarray(b)):
                    got = _matmul("native", left, right)
                    np.testing.assert_allclose(got, expected, **_limits(dtype, 40))
    finally:
        _native.lib.mt_blas_set(*blas.addresses, blas.ilp64)
