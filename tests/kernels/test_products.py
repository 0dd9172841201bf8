"""Small matrix products by our own kernel: every instruction set, every way its operands lie."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from kernel_cases import each_dtype, needs_native, numbers

from microtensor import kernels

pytestmark = needs_native

# Products that the kernel of each instruction set takes, b plain and b transposed: (m, n, k).
EVERYWHERE = [(16, 16, 2), (16, 17, 16), (23, 18, 19), (17, 31, 9)]
SIZES = {
    "baseline": [EVERYWHERE, EVERYWHERE],
    "x86-64-v3": [[*EVERYWHERE, (64, 64, 64), (61, 37, 50), (16, 64, 256)]] * 2,
    "x86-64-v4": [
        [(101, 100, 100), (256, 16, 256), (128, 128, 64), (100, 200, 51)],
        [*EVERYWHERE, (64, 128, 128), (61, 37, 50), (16, 40, 300), (16, 256, 256)],
    ],
}
CASES = [
    pytest.param(isa, transposed, size, id=f"{isa}-{'nt'[transposed]}-{'x'.join(map(str, size))}")
    for isa, both in SIZES.items()
    for transposed in (0, 1)
    for size in both[transposed]
]


@pytest.fixture
def alone(request):
    """Run one instruction set, without a BLAS: what gives a result is our own kernel."""
    from microtensor import _native

    lib, ffi = _native.lib, _native.ffi
    isa = request.getfixturevalue("isa")
    active = lib.mt_isa_active()
    if lib.mt_isa_select(isa.encode()):
        pytest.skip(f"this machine has no {isa}")
    blas = kernels._blas
    lib.mt_blas_set(0, 0, 0)
    yield _native
    lib.mt_blas_set(*blas.addresses, blas.ilp64)
    lib.mt_isa_select(ffi.string(active))


def _stored(x, transposed, gap):
    """Give x stored by rows or by columns, with a gap behind each."""
    x = x.T if transposed else x
    room = np.full((x.shape[0], x.shape[1] + gap), np.nan, x.dtype)
    room[:, : x.shape[1]] = x
    view = room[:, : x.shape[1]]
    return view.T if transposed else view


@each_dtype
@pytest.mark.parametrize(("isa", "transposed", "size"), CASES)
def test_small_products(alone, isa, transposed, size, dtype):
    m, n, k = size
    a, b = numbers((m, k), dtype, 1, 1.0), numbers((k, n), dtype, 2, 1.0)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    limit = {"rtol": 0, "atol": (k + 1) * 4 * float(np.finfo(dtype).eps)}
    found = []
    for turned, gap in itertools.product((False, True), (0, 3)):
        out = np.full((m, n), np.nan, dtype)
        given = _stored(a, turned, gap), _stored(b, bool(transposed), gap)
        assert alone.lib.mt_array_matmul(id(given[0]), id(given[1]), id(out)) == 0
        np.testing.assert_allclose(out, expected, **limit)
        found.append(out)
    for other in found[1:]:  # however a lies
        np.testing.assert_array_equal(other, found[0])


@each_dtype
@pytest.mark.parametrize("isa", SIZES)
def test_a_small_affine_map(alone, isa, dtype):
    x, weight = numbers((19, 17), dtype, 1, 1.0), numbers((18, 17), dtype, 2, 1.0)
    bias = numbers(18, dtype, 3, 1.0)
    out = np.empty((19, 18), dtype)
    assert alone.lib.mt_array_linear(id(x), id(weight), id(bias), id(out)) == 0
    expected = x.astype(np.float64) @ weight.T.astype(np.float64) + bias
    np.testing.assert_allclose(out, expected, rtol=0, atol=80 * float(np.finfo(dtype).eps))


@each_dtype
@pytest.mark.parametrize("isa", SIZES)
def test_what_is_not_finite_stays_in_its_row_and_column(alone, isa, dtype):
    x, weight = np.ones((20, 5), dtype), np.ones((21, 5), dtype)
    x[3, 2], x[4, 1], weight[20, 4] = np.nan, np.inf, -np.inf
    out = np.empty((20, 21), dtype)
    assert alone.lib.mt_array_linear(id(x), id(weight), 0, id(out)) == 0
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(out, x @ weight.T)


@each_dtype
@pytest.mark.parametrize("isa", SIZES)
def test_an_element_does_not_depend_on_its_tile(alone, isa, dtype):
    """All rows and columns are the same, so all elements are: to the last bit."""
    row = numbers(19, dtype, 1, 1.0)
    x, weight = np.tile(row, (23, 1)), np.tile(row, (18, 1))
    out = np.empty((23, 18), dtype)
    assert alone.lib.mt_array_linear(id(x), id(weight), 0, id(out)) == 0
    assert (out == out[0, 0]).all()


@each_dtype
@pytest.mark.parametrize("isa", ["x86-64-v4"])
def test_threads_give_the_same_bits(alone, isa, dtype):
    a, b = numbers((200, 110), dtype, 1, 1.0), numbers((150, 110), dtype, 2, 1.0)
    found = []
    threads = alone.lib.mt_threads_get()
    for count in (1, 2, 3):
        assert alone.lib.mt_threads_set(count) == 0
        out = np.empty((200, 150), dtype)
        assert alone.lib.mt_array_matmul(id(a), id(np.asarray(b).T), id(out)) == 0
        found.append(out)
    alone.lib.mt_threads_set(threads)
    assert all(out.tobytes() == found[0].tobytes() for out in found)
