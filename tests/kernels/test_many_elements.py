"""Kernels that go another way where there are many elements give what they give for a few."""

import numpy as np
import pytest

from microtensor import kernels

DTYPES = (np.float32, np.float64, np.int32, np.int64, np.float16, np.uint8)
UGLY = (0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, 1.5)


def _numbers(rng, shape, dtype):
    x = rng.standard_normal(shape) * 100
    if np.dtype(dtype).kind == "f":
        x.reshape(-1)[: 3 * len(UGLY)] = rng.permutation(UGLY * 3)
        return x.astype(dtype)
    return np.abs(x).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(7, 8), (90, 80)])
def test_where_takes_the_bits_of_what_it_chooses(dtype, size):
    rng = np.random.default_rng(0)
    a, b = _numbers(rng, size, dtype), _numbers(rng, size, dtype)
    condition = rng.random(size) < 0.5
    for left, right, chosen in (
        (a, b, condition),
        (a, b[:1], condition),
        (a[:, :1], b[3, 3], condition),
        (np.array(1, dtype), np.array(0, dtype), condition),
        (a[::-1].T[::2], b.T[1::2], condition[:1].T[::2]),
        (a, b[0], condition[:1, :1]),
        (a[:1], b, np.array(not condition[0, 0])),
    ):
        shape = np.broadcast_shapes(left.shape, right.shape, chosen.shape)
        out = np.full(shape, 3, dtype)
        kernels.where(chosen, left, right, out)
        expected = np.where(chosen, left, right).astype(dtype)
        assert out.tobytes() == np.ascontiguousarray(expected).tobytes()


def test_where_converts_to_the_dtype_of_out():
    rng = np.random.default_rng(1)
    a, condition = rng.standard_normal((90, 80)), rng.random((90, 80)) < 0.5
    out = np.empty((90, 80), np.float32)
    kernels.where(condition, a, np.array(2, np.int64), out)
    np.testing.assert_array_equal(out, np.where(condition, a.astype(np.float32), 2))


@pytest.mark.parametrize("columns", [2, 3, 16, 17])
@pytest.mark.parametrize("rows", [5, 4000])
def test_cast_repeats_along_a_short_last_dimension(rows, columns):
    x = np.random.default_rng(2).standard_normal((rows, 1))
    out = np.empty((2, rows, columns), np.float32)
    kernels.cast(x, out)
    expected = np.broadcast_to(x.astype(np.float32), out.shape)
    np.testing.assert_array_equal(out, expected)


def test_cast_of_a_column_over_its_own_matrix_reads_it_first():
    x = np.random.default_rng(3).standard_normal((4000, 3))
    expected = np.repeat(x[:, 2:], 3, axis=1)
    kernels.cast(x[:, 2:], x)
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [*range(1, 12), 31, 32, 33, 63, 64, 65])
@pytest.mark.parametrize("rows", [1, 63, 64, 65, 200])
def test_short_rows_reduce_alike_wherever_they_stand(dtype, columns, rows):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((rows, columns)).astype(dtype)
    x[rng.random(x.shape) < 0.05] = np.nan
    x[rng.random(x.shape) < 0.05] = -np.inf
    for kernel, reference in ((kernels.amax, np.max), (kernels.amin, np.min)):
        out = np.empty(rows, dtype)
        kernel(x, (1,), out)
        np.testing.assert_array_equal(out, reference(x, axis=1))
    x[~np.isfinite(x)] = -0.0
    out = np.empty(rows, dtype)
    kernels.sum(x, (1,), out)
    for row, total in zip(x, out, strict=True):
        alone = np.empty(1, dtype)
        kernels.sum(row[None], (1,), alone)
        assert alone[0] == total
        assert abs(float(total) - float(row.sum(dtype=np.float64))) <= (
            columns * np.finfo(dtype).eps * float(np.abs(row).sum(dtype=np.float64))
        )
