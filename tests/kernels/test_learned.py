"""Kernels of activations that learn: what their parameters get, per channel, and in both twins."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from kernel_cases import (
    IMPLEMENTATIONS,
    LEARNED,
    each_dtype,
    each_implementation,
    needs_native,
    numbers,
    tolerance,
)

VALUES = {
    "prelu": (0.25,),
    "srelu": (-0.8, 0.3, 0.9, -0.2),
    "star_relu": (0.9, -0.4),
    "soft_exponential": (0.4,),
    "snake": (0.75,),
    "apl": (0.3, 0.5),
}
# Of an input the shape, and that of a parameter: one number, one per channel, along any dimension.
LAYOUTS = [
    ((3, 700), (1,)),
    ((5, 7), (7,)),
    ((3, 130), (130,)),
    ((2, 3, 4, 5), (3, 1, 1)),
    ((4, 2, 40), (1, 2, 1)),
    ((600, 3), (600, 1)),
    ((2, 3), ()),
    ((), ()),
    ((0, 3), (3,)),
]


def _given(name, shape, dtype, terms=3):
    """Give parameters of that shape around the values; apl's have some terms."""
    shape = (terms, *shape) if name == "apl" else shape
    rng = np.random.default_rng(4)
    return [(v * rng.uniform(0.9, 1.1, shape)).astype(dtype) for v in VALUES[name]]


def _run(implementation, name, x, parameters, g=None, asked=True):
    out = np.full(x.shape, 7, x.dtype)
    if g is None:
        IMPLEMENTATIONS[implementation][name](x, out, *parameters)
        return (out,)
    sums = [np.full(p.shape, 7, p.dtype) if asked else None for p in parameters]
    IMPLEMENTATIONS[implementation][f"{name}_backward"](g, x, out, *parameters, *sums)
    return (out, *sums)


def test_every_row_has_values_here():
    assert set(LEARNED) == set(VALUES)


@each_implementation
@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(("shape", "along"), LAYOUTS)
def test_gradients_are_those_of_finite_differences(implementation, name, shape, along):
    x, g = numbers(shape, np.float64, scale=1.5), numbers(shape, np.float64, seed=1)
    parameters = _given(name, along, np.float64)
    by_x, *sums = _run(implementation, name, x, parameters, g)
    np.testing.assert_array_equal(by_x, _run(implementation, name, x, parameters, g, False)[0])

    def loss(x, parameters):
        return (_run("numpy", name, x, parameters)[0] * g).sum()

    h, direction = 1e-6, numbers(shape, np.float64, seed=2, scale=1.0)
    found = (loss(x + h * direction, parameters) - loss(x - h * direction, parameters)) / (2 * h)
    np.testing.assert_allclose((by_x * direction).sum(), found, rtol=1e-5, atol=1e-6)
    for j, total in enumerate(sums):
        step = numbers(total.shape, np.float64, seed=3, scale=1.0)
        moved = [
            loss(x, [p + sign * h * step if i == j else p for i, p in enumerate(parameters)])
            for sign in (1, -1)
        ]
        slope = (moved[0] - moved[1]) / (2 * h)
        np.testing.assert_allclose((total * step).sum(), slope, rtol=1e-5, atol=1e-5)


@needs_native
@each_dtype
@pytest.mark.parametrize("name", VALUES)
def test_native_agrees_with_its_twin(dtype, name):
    for shape, along in (*LAYOUTS, ((70_003,), (1,)), ((40, 5, 401), (5, 1)), ((900, 70), (70,))):
        x, g = numbers(shape, dtype, scale=1.5), numbers(shape, dtype, seed=1)
        parameters = _given(name, along, dtype)
        close = tolerance(dtype)
        for given in (None, g):
            native = _run("native", name, x, parameters, given)
            numpy = _run("numpy", name, x, parameters, given)
            np.testing.assert_allclose(native[0], numpy[0], **close)
            for one, other in zip(native[1:], numpy[1:], strict=True):
                # The sum of n numbers of random signs is known to about √n roundings of one.
                scale = 20 * close["atol"] * max(1.0, (x.size / max(one.size, 1)) ** 0.5)
                np.testing.assert_allclose(one, other, rtol=20 * close["rtol"], atol=scale)


@each_implementation
@pytest.mark.parametrize("name", VALUES)
def test_parameters_of_several_shapes_broadcast_as_in_numpy(implementation, name):
    x, g = numbers((4, 3), np.float64), numbers((4, 3), np.float64, seed=1)
    parameters = _given(name, (1,), np.float64)
    wide = [np.broadcast_to(p, (*p.shape[:-1], 3)).copy() for p in parameters]
    mixed = wide if name == "apl" else [wide[0], *parameters[1:]]
    np.testing.assert_allclose(
        _run(implementation, name, x, mixed)[0], _run("numpy", name, x, parameters)[0], rtol=1e-14
    )
    whole = _run("numpy", name, x, parameters, g)
    for one, other in zip(_run(implementation, name, x, mixed, g), whole, strict=True):
        total = one if one.shape == other.shape else one.sum(-1, keepdims=True)
        np.testing.assert_allclose(total, other, rtol=1e-12)


@each_implementation
@each_dtype
@pytest.mark.parametrize("alpha", [0.7, 1e-3, 1e-6, 0.0, -1e-6, -1e-3, -0.2])
def test_soft_exponentials_share_of_alpha_is_within_eight_ulp(implementation, dtype, alpha):
    points = np.concatenate([np.linspace(-2.4, 6.0, 85), [1e-5, 3e-3, -1e-4, 20.0]]).astype(dtype)
    given = np.array([alpha], dtype)
    a, unit = mpmath.mpf(float(given[0])), np.finfo(dtype).eps
    for point in points:
        with mpmath.workdps(60):
            x = mpmath.mpf(float(point))
            if a == 0:
                exact, largest = x * x / 2 + 1, mpmath.mpf(1)
            elif a > 0:
                bent = (mpmath.exp(a * x) * (a * x - 1) + 1) / a**2
                exact, largest = bent + 1, max(bent, 1)
            else:
                rest = 1 - a * (x + a)
                exact = mpmath.log(rest) / a**2 + (x + 2 * a) / (a * rest)
                largest = max(abs(exact), 1 / rest)
        ones = np.ones(1, dtype)
        _, found = _run(implementation, "soft_exponential", np.array([point]), [given], ones)
        error = abs(mpmath.mpf(float(found[0])) - exact) / (unit * max(largest, abs(exact)))
        assert error <= 8, (point, float(error))


@each_implementation
@each_dtype
@pytest.mark.parametrize(("pieces", "columns"), [(1, 1), (2, 1), (3, 1), (4, 1), (2, 5), (3, 600)])
def test_maxout_shares_the_gradient_among_equal_ones(implementation, dtype, pieces, columns):
    x = np.round(numbers((37, pieces, columns), dtype, scale=1.0))
    out = np.full((37, columns), 7, dtype)
    IMPLEMENTATIONS[implementation]["maxout"](x, out)
    np.testing.assert_array_equal(out, x.max(axis=1))
    g, by_x = numbers(out.shape, dtype, seed=1), np.full_like(x, 7)
    IMPLEMENTATIONS[implementation]["maxout_backward"](g, x, by_x)
    largest = x == x.max(axis=1, keepdims=True)
    expected = np.where(largest, (g / largest.sum(axis=1))[:, None], 0)
    np.testing.assert_allclose(by_x, expected, rtol=1e-6)


@each_implementation
@each_dtype
@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("pieces", [2, 3])
def test_maxout_of_a_group_with_nan_is_nan(implementation, dtype, pieces, columns):
    x = np.zeros((4, pieces, columns), dtype)
    x[1, 0], x[2, 1] = np.nan, np.nan
    out, by_x = np.empty((4, columns), dtype), np.empty_like(x)
    IMPLEMENTATIONS[implementation]["maxout"](x, out)
    assert np.isnan(out[1:3]).all() and not np.isnan(out[[0, 3]]).any()
    IMPLEMENTATIONS[implementation]["maxout_backward"](np.ones_like(out), x, by_x)
    assert np.isnan(by_x[1:3]).all() and (by_x[[0, 3]] == dtype(1) / pieces).all()


@each_dtype
@pytest.mark.parametrize("shape", [(7,), (3, 41), (70_000,), (0,)])
def test_rrelu_draws_the_uniform_numbers_in_both_twins(dtype, shape):
    x = numbers(shape, dtype)
    for implementation in IMPLEMENTATIONS:
        state, again = np.array([5, 0], np.uint64), np.array([5, 0], np.uint64)
        slopes, out, u = np.empty_like(x), np.empty_like(x), np.empty_like(x)
        IMPLEMENTATIONS[implementation]["rrelu"](x, 0.1, 0.4, state, slopes, out)
        IMPLEMENTATIONS["numpy"]["random_uniform"](again, u)
        np.testing.assert_array_equal(state, again)
        expected = np.where(x > 0, 1, u * dtype(0.4 - 0.1) + dtype(0.1))
        np.testing.assert_allclose(slopes, expected, rtol=1e-6)
        np.testing.assert_array_equal(out, x * slopes)


@each_implementation
@each_dtype
@pytest.mark.parametrize(("shape", "axis"), [((5, 33), 1), ((40, 3), 0), ((2, 30, 3), 1)])
def test_softmin_is_softmax_of_what_is_less(implementation, dtype, shape, axis):
    own = IMPLEMENTATIONS[implementation]
    x, g = numbers(shape, dtype), numbers(shape, dtype, seed=1)
    y, other, by_x, by_negative = (np.empty_like(x) for _ in range(4))
    own["softmin"](x, y, axis)
    own["softmax"](-x, other, axis)
    np.testing.assert_allclose(y, other, rtol=1e-6)
    own["softmin_backward"](g, y, by_x, axis)
    own["softmax_backward"](g, y, by_negative, axis)
    np.testing.assert_allclose(by_x, -by_negative, **tolerance(dtype))
