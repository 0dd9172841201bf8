"""Orders, scans, searches and counts against NumPy and plain Python."""

import numpy as np
import pytest

import microtensor as mt

nan, inf = float("nan"), float("inf")


# ---- orders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i8", "?"])
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_keeps_equals_in_their_order(dtype, descending, rng):
    x = rng.integers(0, 4, (5, 40)).astype(dtype)
    values, indices = mt.from_numpy(x).sort(1, descending)
    for row, found, order in zip(x, values.numpy(), indices.numpy(), strict=True):
        expected = sorted(range(40), key=lambda i: -float(row[i]) if descending else float(row[i]))
        assert order.tolist() == expected
        np.testing.assert_array_equal(found, row[expected])
    np.testing.assert_array_equal(mt.from_numpy(x).argsort(1, descending).numpy(), indices.numpy())


def test_nan_is_the_greatest():
    x = mt.tensor([1.0, nan, inf, -inf, nan])
    assert x.argsort().tolist() == [3, 0, 2, 1, 4]
    assert x.argsort(descending=True).tolist() == [1, 4, 2, 0, 3]
    assert x.topk(3).indices.tolist() == [1, 4, 2]
    assert x.topk(2, largest=False).values.tolist() == [-inf, 1]
    assert x.kthvalue(3).values.item() == inf and np.isnan(x.kthvalue(4).values.item())


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_topk_is_the_head_of_the_sorted(largest, k, rng):
    x = rng.normal(size=(3, 40, 2))
    x[0, :3, 0] = nan
    ours = mt.from_numpy(x)
    values, indices = ours.topk(k, 1, largest)
    expected = ours.sort(1, largest).values.numpy()[:, :k]
    np.testing.assert_array_equal(values.numpy(), expected)
    np.testing.assert_array_equal(np.take_along_axis(x, indices.numpy(), 1), expected)
    np.testing.assert_array_equal(
        ours.kthvalue(k, 1).values.numpy(), ours.sort(1).values.numpy()[:, k - 1]
    )


def test_topk_takes_the_first_of_equals():
    assert mt.tensor([2, 2, 2]).topk(3).indices.tolist() == [0, 1, 2]


@pytest.mark.parametrize("length", [1, 2, 5, 6])
def test_median_is_the_lower_of_two(length, rng):
    x = rng.normal(size=(4, length))
    expected = np.sort(x, 1)[:, (length - 1) // 2]
    values, indices = mt.from_numpy(x).median(1)
    np.testing.assert_array_equal(values.numpy(), expected)
    np.testing.assert_array_equal(x[np.arange(4), indices.numpy()], expected)
    assert mt.from_numpy(x).median().item() == np.sort(x.ravel())[(x.size - 1) // 2]


def test_medians_and_nan():
    x = mt.tensor([[1.0, nan, 2.0, nan], [4.0, 3.0, 2.0, 1.0], [nan, nan, nan, nan]])
    values, indices = x.median(1)
    np.testing.assert_array_equal(values.numpy(), [nan, 2, nan])
    assert indices.tolist() == [1, 2, 0]
    values, indices = x.nanmedian(1)
    np.testing.assert_array_equal(values.numpy(), [1, 2, nan])
    assert indices.tolist() == [0, 2, 0]
    assert np.isnan(x.median().item()) and x.nanmedian().item() == 2


def test_mode_is_the_smallest_of_the_most_frequent_at_its_last_place(rng):
    x = rng.integers(0, 4, (20, 9))
    values, indices = mt.from_numpy(x).mode(1)
    for row, value, index in zip(x.tolist(), values.tolist(), indices.tolist(), strict=True):
        best = max(row.count(v) for v in row)
        assert value == min(v for v in row if row.count(v) == best)
        assert index == max(i for i, v in enumerate(row) if v == value)
    assert mt.from_numpy(x).mode(0, True).values.shape == (1, 9)


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "midpoint", "nearest"])
def test_quantiles(interpolation, rng):
    x = rng.normal(size=(3, 6, 2))
    q = np.array([0.0, 0.13, 0.5, 0.77, 1.0])
    ours = mt.from_numpy(x)
    for dim in (None, 0, 1, -1):
        for keepdim in (False, True):
            found = ours.quantile(mt.from_numpy(q), dim, keepdim, interpolation=interpolation)
            expected = np.quantile(x, q, dim, keepdims=keepdim, method=interpolation)
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13)
    x[0, :2] = nan
    found = mt.from_numpy(x).nanquantile(0.4, 1, interpolation=interpolation)
    np.testing.assert_allclose(
        found.numpy(), np.nanquantile(x, 0.4, 1, method=interpolation), rtol=1e-13
    )
    assert np.isnan(mt.from_numpy(x).quantile(0.4, 1).numpy()[0]).all()


def test_quantile_that_is_an_infinite_element():
    x = mt.tensor([1.0, inf, 3.0, -inf])
    assert x.quantile(1.0).item() == inf and x.quantile(0.0).item() == -inf
    assert x.quantile(0.5).item() == 2 and x.quantile(0.9).item() == inf


# ---- scans --------------------------------------------------------------------------------------


def test_scans_run_along_their_dimension(rng):
    x = rng.normal(size=(3, 5, 2))
    ours = mt.from_numpy(x)
    for dim in (0, 1, 2, -1):
        for found, expected in [
            (ours.cumsum(dim), np.cumsum(x, dim)),
            (ours.cumprod(dim), np.cumprod(x, dim)),
            (ours.logcumsumexp(dim), np.log(np.cumsum(np.exp(x), dim))),
            (ours.cummax(dim).values, np.maximum.accumulate(x, dim)),
            (ours.cummin(dim).values, np.minimum.accumulate(x, dim)),
            (ours.diff(2, dim), np.diff(x, 2, dim)),
        ]:
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13, atol=1e-15)


def test_cumulative_extremes_point_at_the_last_of_equals():
    assert mt.tensor([1, 1, 2, 2, 1, 2]).cummax(0).indices.tolist() == [0, 1, 2, 3, 3, 5]
    values, indices = mt.tensor([1.0, nan, 2.0, nan, 9.0]).cummin(0)
    np.testing.assert_array_equal(values.numpy(), [1, nan, nan, nan, nan])
    assert indices.tolist() == [0, 1, 1, 3, 3]


def test_logcumsumexp_does_not_overflow():
    x = mt.tensor([-inf, 1000.0, 1000.0, inf], dtype=mt.float64)
    np.testing.assert_allclose(x.logcumsumexp(0).numpy(), [-inf, 1000, 1000 + np.log(2), inf])
    y = mt.tensor([1000.0, -1000.0, 1000.0], dtype=mt.float64, requires_grad=True)
    y.logcumsumexp(0).sum().backward()
    np.testing.assert_allclose(y.grad.numpy(), [2.5, 0, 0.5])


def test_sums_in_place_are_recorded():
    x = mt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 2
    assert y.cumsum_(0) is y and y.tolist() == [2, 6, 12]
    y.sum().backward()
    assert x.grad.tolist() == [6, 4, 2]


def test_difference_of_bools_is_where_they_change():
    assert mt.tensor([True, True, False]).diff().tolist() == [False, True]
    assert mt.tensor([1, 4, 9]).diff(5).tolist() == []


# ---- searching and counting ---------------------------------------------------------------------


@pytest.mark.parametrize("right", [False, True])
def test_searches_in_rows(right, rng):
    rows = np.sort(rng.integers(0, 9, (2, 3, 7)), -1)
    values = rng.integers(-1, 10, (2, 3, 4))
    found = mt.searchsorted(mt.from_numpy(rows), mt.from_numpy(values), right=right)
    for i in np.ndindex(2, 3):
        expected = np.searchsorted(rows[i], values[i], "right" if right else "left")
        np.testing.assert_array_equal(found.numpy()[i], expected)
    one = mt.from_numpy(rows[0, 0])
    everywhere = mt.bucketize(mt.from_numpy(values), one, right=right, out_int32=True)
    assert everywhere.dtype is mt.int32
    np.testing.assert_array_equal(
        everywhere.numpy(), np.searchsorted(rows[0, 0], values, "right" if right else "left")
    )


@pytest.mark.parametrize("dtype", ["f4", "i4", "?", "u1"])
def test_different_elements(dtype, rng):
    x = rng.integers(0, 5, (4, 6)).astype(dtype)
    values, inverse, counts = mt.from_numpy(x).unique(return_inverse=True, return_counts=True)
    expected, numpys_inverse, numpys_counts = np.unique(x, False, True, True)
    assert values.numpy().dtype == x.dtype
    np.testing.assert_array_equal(values.numpy(), expected)
    np.testing.assert_array_equal(inverse.numpy(), numpys_inverse.reshape(x.shape))
    np.testing.assert_array_equal(counts.numpy(), numpys_counts)


def test_different_slices(rng):
    x = rng.integers(0, 2, (9, 2, 3))
    for dim in (0, 1, 2):
        values, inverse, counts = mt.from_numpy(x).unique(True, True, True, dim)
        expected, numpys_inverse, numpys_counts = np.unique(x, False, True, True, axis=dim)
        np.testing.assert_array_equal(values.numpy(), expected)
        np.testing.assert_array_equal(inverse.numpy(), numpys_inverse.ravel())
        np.testing.assert_array_equal(counts.numpy(), numpys_counts)


def test_each_nan_differs_from_all_others():
    x = mt.tensor([nan, 1.0, nan])
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    np.testing.assert_array_equal(values.numpy(), [1, nan, nan])
    assert inverse.tolist() == [1, 0, 2] and counts.tolist() == [1, 1, 1]
    assert not mt.isin(x, x)[0].item()


def test_runs():
    values, inverse, counts = mt.tensor([1, 1, 2, 1]).unique_consecutive(True, True)
    assert values.tolist() == [1, 2, 1]
    assert inverse.tolist() == [0, 0, 1, 2] and counts.tolist() == [2, 1, 1]


def test_counts_and_weights(rng):
    x, w = rng.integers(0, 7, 50), rng.uniform(size=50)
    ours = mt.from_numpy(x)
    np.testing.assert_array_equal(ours.bincount(minlength=9).numpy(), np.bincount(x, None, 9))
    np.testing.assert_array_equal(ours.bincount(mt.from_numpy(w)).numpy(), np.bincount(x, w))
    assert ours.bincount(mt.from_numpy(w.astype("f4"))).dtype is mt.float32


def test_histograms(rng):
    x, w = rng.normal(size=200), rng.uniform(size=200)
    for bins, bounds in ((7, (-1.0, 1.5)), (10, None)):
        expected, edges = np.histogram(x, bins, bounds, weights=w, density=True)
        found = mt.from_numpy(x).histogram(
            bins, range=bounds, weight=mt.from_numpy(w), density=True
        )
        np.testing.assert_allclose(found.hist.numpy(), expected, rtol=1e-12)
        np.testing.assert_allclose(found.bin_edges.numpy(), edges, rtol=1e-12)
        counts = mt.from_numpy(x).histc(bins, *(bounds or (0, 0)))
        np.testing.assert_array_equal(counts.numpy(), np.histogram(x, bins, bounds)[0])
    assert mt.tensor([1.0, nan, 5.0, 3.0]).histc(3, 0, 3).tolist() == [0, 1, 1]


def test_membership(rng):
    a, b = rng.integers(0, 20, (3, 4)), rng.integers(0, 20, 6)
    found = mt.isin(mt.from_numpy(a), mt.from_numpy(b))
    np.testing.assert_array_equal(found.numpy(), [[v in b for v in row] for row in a])
    assert mt.isin(3, mt.tensor([1, 3])).item() is True


# ---- zero-dimensional and empty -----------------------------------------------------------------


def test_a_number_is_a_line_of_one():
    x = mt.tensor(3.0, requires_grad=True)
    for found in (x.sort(), x.topk(1), x.kthvalue(1), x.median(0), x.mode(), x.cummax(0), x.max(0)):
        assert found.values.shape == () and found.indices.item() == 0
        assert found.values.requires_grad
    for found in (x.cumsum(0), x.cumprod(0), x.logcumsumexp(0), x.msort(), x.prod(0)):
        (slope,) = mt.autograd.grad(found, x)
        assert found.item() == 3 and slope.item() == 1
    with pytest.raises(IndexError):
        x.sort(1)


def test_lines_of_nothing():
    x = mt.zeros(0, 2, requires_grad=True)
    for found in (x.sort(0).values, x.cumsum(0), x.cumprod(0), x.logcumsumexp(0), x.cummax(0)[0]):
        assert found.shape == (0, 2)
        found.sum().backward()
    for found in (x.median(1), x.mode(1), x.kthvalue(1, 1), x.max(1), x.topk(1, 1)):
        assert found.values.shape[0] == 0
