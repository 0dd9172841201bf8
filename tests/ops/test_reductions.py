"""Reductions, moments, norms and distances against float64, and at the places where they break."""

import itertools
import pickle

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor.autograd import grad, gradcheck, gradgradcheck

nan, inf = float("nan"), float("inf")
DIMS = [None, 0, 1, -1, (0, 2), (-1, 0), (0, 1, 2)]


def leaf(values, dtype=mt.float64):
    return mt.tensor(values, dtype=dtype, requires_grad=True)


def gradient(function, values):
    x = leaf(values)
    (found,) = grad(function(x).sum(), x)
    return found.numpy()


# ---- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("keepdim", [False, True])
def test_reductions_over_dimensions(dim, keepdim, rng):
    x = rng.normal(size=(2, 3, 4))
    holes = np.where(rng.uniform(size=x.shape) < 0.3, nan, x)
    ours, with_holes = mt.from_numpy(x), mt.from_numpy(holes)
    for found, expected in [
        (ours.var(dim, True, keepdim), np.var(x, dim, ddof=1, keepdims=keepdim)),
        (ours.std(dim, False, keepdim), np.std(x, dim, keepdims=keepdim)),
        (with_holes.nansum(dim, keepdim), np.nansum(holes, dim, keepdims=keepdim)),
        (with_holes.nanmean(dim, keepdim), np.nanmean(holes, dim, keepdims=keepdim)),
        (
            ours.logsumexp(dim if dim is not None else (), keepdim),
            np.log(np.exp(x).sum(dim, keepdims=keepdim)),
        ),
    ]:
        assert found.shape == expected.shape
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13)
    np.testing.assert_array_equal(
        ours.count_nonzero(dim).numpy(), np.count_nonzero(x, dim, keepdims=False)
    )


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, 7, -1, inf, -inf])
@pytest.mark.parametrize("dim", DIMS)
def test_norms_over_dimensions(p, dim, rng):
    x = rng.normal(size=(2, 3, 4))
    found = mt.from_numpy(x).norm(p, dim)
    if p in (inf, -inf):
        expected = np.abs(x).max(dim) if p > 0 else np.abs(x).min(dim)
    else:
        expected = (np.abs(x) ** p).sum(dim) if p else np.full((), 1.0) * (x != 0).sum(dim)
        expected = expected ** (1 / p) if p else expected
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13)


@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 3, inf])
def test_distances_between_rows(p, rng):
    a, b = rng.normal(size=(2, 1, 5, 3)), rng.normal(size=(3, 4, 3))
    found = mt.cdist(mt.from_numpy(a), mt.from_numpy(b), p).numpy()
    assert found.shape == (2, 3, 5, 4)
    for i, j, k, m in itertools.product(range(2), range(3), range(5), range(4)):
        expected = np.linalg.norm(a[i, 0, k] - b[j, m], p)
        if 0 < p < 1:
            expected = (np.abs(a[i, 0, k] - b[j, m]) ** p).sum() ** (1 / p)
        np.testing.assert_allclose(found[i, j, k, m], expected, rtol=1e-13)


def test_products_over_a_dimension(rng):
    x = rng.normal(size=(2, 3, 4))
    for dim in (None, 0, 1, -1):
        np.testing.assert_allclose(mt.from_numpy(x).prod(dim).numpy(), x.prod(dim), rtol=1e-14)
    assert mt.tensor([2, 3], dtype=mt.int8).prod().dtype is mt.int64
    assert mt.zeros(0).prod().item() == 1


# ---- accuracy -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "dim"),
    [((1 << 20, 3), 0), ((3, 1 << 20), 1), ((1 << 20,), 0), ((64, 1024, 32), (0, 1))],
)
def test_sums_of_a_million_float32_keep_their_digits(shape, dim, rng):
    x = rng.uniform(0, 1, shape).astype("f4")
    for layout in (x, np.asfortranarray(x), x[..., ::-1]):
        exact = layout.astype("f8").sum(dim)
        ours = mt.from_numpy(layout)
        np.testing.assert_allclose(ours.sum(dim).numpy(), exact, rtol=1e-6)
        np.testing.assert_allclose(ours.nansum(dim).numpy(), exact, rtol=1e-6)
        mean = exact / (x.size // exact.size)
        np.testing.assert_allclose(ours.mean(dim).numpy(), mean, rtol=1e-6)


def test_cumulative_sums_of_a_million_float32_keep_their_digits(rng):
    x = rng.uniform(0, 1, 1 << 20).astype("f4")
    found = mt.from_numpy(x).cumsum(0).numpy()
    np.testing.assert_allclose(found, x.astype("f8").cumsum(), rtol=2e-7)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_variance_keeps_its_digits_beside_a_large_mean(dtype, rng):
    x = (rng.integers(-8, 8, (1000, 4)) * 8.0 + 1e8).astype(dtype)
    wide = x.astype("f8")
    exact = np.square(wide - wide.mean(0)).sum(0) / 999
    np.testing.assert_allclose(mt.from_numpy(x).var(0).numpy(), exact, rtol=1e-6)
    np.testing.assert_allclose(mt.from_numpy(x).std(0).numpy(), np.sqrt(exact), rtol=1e-6)
    t = mt.from_numpy(x).requires_grad_()
    (slope,) = grad(t.var(0).sum(), t)
    np.testing.assert_allclose(slope.numpy(), 2 * (wide - wide.mean(0)) / 999, rtol=1e-5)


def test_variance_of_float16_does_not_overflow():
    x = mt.tensor([300.0, -300.0], dtype=mt.float16)
    assert x.std(correction=0).item() == 300 and x.norm(inf).item() == 300
    assert x.norm().item() == pytest.approx(424.25, abs=0.25)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_norms_do_not_leave_the_range_of_numbers(dtype):
    for scale in (1e30, 1e-30) if dtype == "f4" else (1e200, 1e-200):
        x = (np.array([3.0, 4.0]) * scale).astype(dtype)
        assert mt.from_numpy(x).norm().item() == pytest.approx(5 * scale, rel=1e-6)
        for p in (3, 12, -2):
            expected = (3.0**p + 4.0**p) ** (1 / p) * scale
            assert mt.from_numpy(x).norm(p).item() == pytest.approx(expected, rel=1e-6)
        t = mt.from_numpy(x).requires_grad_()
        np.testing.assert_allclose(grad(t.norm(), t)[0].numpy(), [0.6, 0.8], rtol=1e-6)


def test_norm_of_a_row_does_not_depend_on_the_others(rng):
    x = rng.normal(size=(5, 7))
    with_zeros = np.concatenate([x, np.zeros((1, 7)), np.full((1, 7), 1e-200)])
    np.testing.assert_array_equal(
        mt.from_numpy(with_zeros).norm(2, 1).numpy()[:5], mt.from_numpy(x).norm(2, 1).numpy()
    )


def test_distances_of_close_points_are_exact():
    a = np.array([[1e4, 1e4]], "f4")
    b = a + np.array([[2**-9, 0]], "f4")
    assert mt.cdist(mt.from_numpy(a), mt.from_numpy(b)).item() == (b - a)[0, 0]


def test_logsumexp_at_infinities():
    x = mt.tensor([[-inf, -inf], [inf, 1.0], [inf, -inf], [nan, 0.0], [800.0, 800.0]])
    found = x.logsumexp(1).numpy()
    np.testing.assert_allclose(found, [-inf, inf, inf, nan, 800 + np.log(2)], rtol=1e-7)
    assert mt.zeros(0).logsumexp(0).item() == -inf


# ---- gradients ----------------------------------------------------------------------------------


def test_products_have_derivatives_where_elements_are_zero():
    assert gradient(lambda x: x.prod(), [0.0, 2.0, 3.0]).tolist() == [6, 0, 0]
    assert gradient(lambda x: x.prod(), [0.0, 0.0, 3.0]).tolist() == [0, 0, 0]
    assert gradient(lambda x: x.cumprod(0), [1.0, 0, 3, 0, 2]).tolist() == [1, 4, 0, 0, 0]
    for function in (lambda x: x.prod(1), lambda x: x.cumprod(1), lambda x: x.prod()):
        x = leaf([[0.0, 2.0, 0.0], [1.5, 0.0, -1.0]])
        assert gradcheck(function, [x]) and gradgradcheck(function, [x])


def test_equal_elements_share_the_gradient_or_the_first_takes_it():
    x = [1.0, 3.0, 3.0]
    for function in (lambda x: x.max(), lambda x: x.amax(0), lambda x: x.aminmax().max):
        assert gradient(function, x).tolist() == [0, 0.5, 0.5]
    assert gradient(lambda x: x.max(0).values, x).tolist() == [0, 1, 0]
    assert gradient(lambda x: x.median(), [1.0, 3.0, 3.0, 4.0]).tolist() == [0, 0.5, 0.5, 0]
    assert gradient(lambda x: x.cummax(0).values, [1.0, 3.0, 3.0, 2.0]).tolist() == [1, 1, 2, 0]
    assert gradient(lambda x: x.norm(inf), [0.0, 2.0, -2.0]).tolist() == [0, 0.5, -0.5]


def test_nans_share_the_gradient_of_a_nan():
    for function in (lambda x: x.max(), lambda x: x.min(), lambda x: x.median()):
        assert gradient(function, [1.0, nan, nan]).tolist() == [0, 0.5, 0.5]


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, inf, -inf])
def test_norm_of_zero_has_gradient_zero(p):
    if p:  # a count has none
        assert gradient(lambda x: x.norm(p), [0.0, 0.0]).tolist() == [0, 0]
    if p not in (-inf,):
        a = leaf([[1.0, 2.0]])
        (slope,) = grad(mt.cdist(a, a.detach(), p).sum(), a)
        assert slope.tolist() == [[0, 0]]


def test_second_derivative_of_a_norm_is_finite_at_zero():
    x = leaf([0.0, 0.0])
    (first,) = grad(x.norm(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    assert second.tolist() == [0, 0]


def test_standard_deviation_of_equal_elements_has_gradient_zero():
    assert gradient(lambda x: x.std(), [1.0, 1.0, 1.0]).tolist() == [0, 0, 0]
    x = leaf([[1.0, 1.0], [1.0, 2.0]])
    (first,) = grad(x.std(1).sum(), x, create_graph=True)
    assert np.isfinite(grad(first[0].sum(), x)[0].numpy()).all()


def test_variance_of_one_element_is_nan():
    assert np.isnan(mt.ones(1).var().item()) and np.isnan(mt.tensor(2.0).std().item())
    assert mt.ones(1).var(correction=0).item() == 0
    assert np.isnan(gradient(lambda x: x.var(), [1.0])).all()


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: F.cosine_similarity(x, y, 1),
        lambda x, y: F.pairwise_distance(x, y, 3),
        lambda x, y: mt.dist(x, y, 1.5),
        lambda x, y: mt.cdist(x, y, 2.5).square(),
        lambda x, y: x.quantile(0.3, 1) * y[:, 0],
        lambda x, y: x.nanmean(0) * y.median(0).values,
        lambda x, y: x.diff(2, append=y),
        lambda x, y: x.renorm(2, 0, 1.0) + y,
        lambda x, y: x.sort(1).values * y.topk(4, 1, False).values,
        lambda x, y: (x * 3).logcumsumexp(1) * y.cummin(0).values,
        lambda x, y: mt.var_mean(x, 1)[0] * mt.std_mean(y, 1)[0],
    ],
)
def test_composites_have_derivatives_of_two_orders(function, rng):
    x, y = leaf(rng.normal(size=(3, 4))), leaf(rng.normal(size=(3, 4)))
    assert gradcheck(function, [x, y]) and gradgradcheck(function, [x, y])


def test_cosine_similarity_does_not_underflow_and_bounds_lengths():
    tiny = mt.tensor([[1e-30, 0.0]])
    assert F.cosine_similarity(tiny * 1e5, tiny * 1e5, eps=0.0).item() == pytest.approx(1)
    assert F.cosine_similarity(mt.zeros(1, 2), mt.ones(1, 2)).item() == 0
    # The bound is no part of the gradient: as if the length were a constant that it replaced.
    x = leaf([1e-9, 0.0])
    (slope,) = grad(mt.cosine_similarity(x, mt.tensor([1.0, 0.0], dtype=mt.float64), 0), x)
    np.testing.assert_allclose(slope.numpy(), [9e7, 0])


# ---- what is returned ---------------------------------------------------------------------------


def test_named_tuples_have_pytorchs_names():
    x = mt.tensor([[1.0, 3.0], [2.0, 0.0]])
    for name in ("max", "min", "median", "nanmedian", "mode", "sort", "cummax", "cummin"):
        found = getattr(x, name)(1)
        assert type(found) is getattr(mt.return_types, name)
        assert found._fields == ("values", "indices") and type(found).__name__ == name
        assert repr(found).startswith(f"microtensor.return_types.{name}(\nvalues=tensor(")
    assert x.topk(1)._fields == x.kthvalue(1)._fields == ("values", "indices")
    assert x.aminmax()._fields == ("min", "max")
    assert x.histogram(2)._fields == ("hist", "bin_edges")
    again = pickle.loads(pickle.dumps(x.max(1)))
    assert type(again) is mt.return_types.max and again.values.tolist() == [3, 2]


def test_truth_of_uint8_is_uint8():
    x = mt.tensor([[0, 1], [2, 3]], dtype=mt.uint8)
    assert x.any(1).dtype is x.all().dtype is mt.uint8
    assert x.any(1).tolist() == [1, 1] and x.all(1).tolist() == [0, 1]
    assert mt.tensor([nan]).any().item() is True


def test_bool_is_no_dimension():
    for call in (lambda x: x.sum(True), lambda x: x.amax(False), lambda x: x.any(True)):
        with pytest.raises(TypeError, match="dim must be an int"):
            call(mt.ones(2))
