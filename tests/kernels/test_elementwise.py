"""The values of the elementwise kernels, in both implementations."""

from __future__ import annotations

import inspect

import mpmath
import numpy as np
import pytest
from kernel_cases import (
    ARITHMETIC,
    DTYPES,
    GRADIENTS,
    IMPLEMENTATIONS,
    UNARY,
    call,
    each_dtype,
    each_implementation,
    needs_native,
    numbers,
    parameters,
    tolerance,
)

from microtensor.kernels import twin

SLOPE, ALPHA, BETA, THRESHOLD = 0.25, 1.5, 2.0, 15.1  # as in kernel_cases.PARAMETERS
SELU_SCALE = mpmath.mpf("1.0507009873554804934193349852946")
SELU_ALPHA = mpmath.mpf("1.6732632423543772848170429916717")


def _gelu_tanh(x):
    inner = mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)
    return x * (1 + mpmath.tanh(inner)) / 2


FORMULAS = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "leaky_relu": lambda x: x if x > 0 else SLOPE * x,
    "elu": lambda x: x if x > 0 else ALPHA * mpmath.expm1(x),
    "selu": lambda x: SELU_SCALE * (x if x > 0 else SELU_ALPHA * mpmath.expm1(x)),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "softplus": lambda x: x if BETA * x > THRESHOLD else mpmath.log1p(mpmath.exp(BETA * x)) / BETA,
    "softsign": lambda x: x / (1 + abs(x)),
    "gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "gelu_tanh": _gelu_tanh,
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "neg": lambda x: -x,
    "abs": abs,
    "square": lambda x: x * x,
    "sqrt": mpmath.sqrt,
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "reciprocal": lambda x: 1 / x,
}
POSITIVE = {"log", "sqrt", "rsqrt"}
# These gradients save the output; the others the input.
SAVE_OUTPUT = {"relu", "sigmoid", "tanh"}

POINTS = np.concatenate(
    [
        np.linspace(-12, 12, 97)[np.abs(np.linspace(-12, 12, 97)) > 1e-9],
        [-80.0, -30.0, -1e-3, -1e-12, 1e-12, 1e-3, 30.0, 80.0],
    ]
)


def _exact(formula, x):
    with mpmath.workdps(60):
        return np.array([float(formula(mpmath.mpf(float(value)))) for value in x])


def _slope(formula, x):
    with mpmath.workdps(60):
        return np.array([float(mpmath.diff(formula, mpmath.mpf(float(value)))) for value in x])


def test_every_row_of_the_table_has_a_formula_here():
    assert set(UNARY) == set(FORMULAS)
    assert {name.removesuffix("_backward") for name in GRADIENTS} <= set(FORMULAS)


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", UNARY)
def test_values_against_mpmath(implementation, dtype, name):
    x = (np.abs(POINTS) if name in POSITIVE else POINTS).astype(dtype)
    with np.errstate(over="ignore"):
        expected = _exact(FORMULAS[name], x).astype(dtype)
    # Relative, so that tails count; in float64 NumPy's twin of gelu_tanh loses digits there.
    rtol = 5 * np.finfo(dtype).eps if dtype == np.float32 else 3e-13
    np.testing.assert_allclose(call(implementation, name, x), expected, rtol=rtol, atol=1e-44)


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_against_mpmath(implementation, dtype, name):
    forward = name.removesuffix("_backward")
    x = POINTS.astype(dtype)
    g = numbers(x.shape, dtype, seed=1)
    saved = _exact(FORMULAS[forward], x).astype(dtype) if forward in SAVE_OUTPUT else x
    expected = g.astype(np.float64) * _slope(FORMULAS[forward], x)
    # From a rounded output y, 1 - y is right to an ulp of 1.
    atol = np.abs(g).max() * 8 * np.finfo(dtype).eps
    rtol = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(call(implementation, name, g, saved), expected, rtol, atol)


INF = np.inf
# name: (value at -inf, at -0, at 0, at +inf)
SPECIAL = {
    "exp": (0, 1, 1, INF),
    "expm1": (-1, 0, 0, INF),
    "log": (np.nan, -INF, -INF, INF),
    "relu": (0, 0, 0, INF),
    "leaky_relu": (-INF, 0, 0, INF),
    "elu": (-ALPHA, 0, 0, INF),
    "selu": (-float(SELU_SCALE * SELU_ALPHA), 0, 0, INF),
    "sigmoid": (0, 0.5, 0.5, 1),
    "tanh": (-1, 0, 0, 1),
    "softplus": (0, np.log(2) / BETA, np.log(2) / BETA, INF),
    "softsign": (-1, 0, 0, 1),
    "gelu": (0, 0, 0, INF),
    "gelu_tanh": (0, 0, 0, INF),
    "silu": (0, 0, 0, INF),
    "neg": (INF, 0, 0, -INF),
    "abs": (INF, 0, 0, INF),
    "square": (INF, 0, 0, INF),
    "sqrt": (np.nan, 0, 0, INF),
    "rsqrt": (np.nan, -INF, INF, 0),
    "reciprocal": (0, -INF, INF, 0),
}


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", UNARY)
def test_values_at_zeros_infinities_and_nan(implementation, dtype, name):
    # Twice: in a vector, and one at a time.
    x = np.array([-INF, -0.0, 0.0, INF, np.nan] * 8, dtype)
    expected = np.array([*SPECIAL[name], np.nan] * 8, dtype)
    np.testing.assert_allclose(call(implementation, name, x), expected, rtol=1e-6)
    for value, wanted in zip(x[:5], expected[:5], strict=True):
        single = call(implementation, name, np.array([value], dtype))
        np.testing.assert_allclose(single, [wanted], rtol=1e-6)


# name: gradient for g = 1 where the saved input or output is the forward's at -inf, 0, +inf
SPECIAL_GRADIENTS = {
    "relu": (0, 0, 1),
    "leaky_relu": (SLOPE, SLOPE, 1),
    "elu": (0, ALPHA, 1),
    "selu": (0, float(SELU_SCALE * SELU_ALPHA), float(SELU_SCALE)),
    "sigmoid": (0, 0.25, 0),
    "tanh": (0, 1, 0),
    "softplus": (0, 0.5, 1),
    "softsign": (0, 1, 0),
    "gelu": (0, 0.5, 1),
    "gelu_tanh": (0, 0.5, 1),
    "silu": (0, 0.5, 1),
}


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_at_kinks_and_infinities(implementation, dtype, name):
    forward = name.removesuffix("_backward")
    x = np.array([-INF, 0.0, INF] * 12, dtype)
    saved = call(implementation, forward, x) if forward in SAVE_OUTPUT else x
    got = call(implementation, name, np.ones_like(x), saved)
    np.testing.assert_allclose(got, SPECIAL_GRADIENTS[forward] * 12, rtol=1e-6)


@each_implementation
@pytest.mark.parametrize("name", [name for name in UNARY if name not in {"exp", "expm1", "square"}])
def test_huge_finite_arguments_do_not_become_nan(implementation, name):
    for dtype in DTYPES:
        limits = np.finfo(dtype)
        x = np.array([limits.max / 2, limits.tiny, limits.eps], dtype)
        assert np.isfinite(call(implementation, name, x)).all()
        if name not in POSITIVE:
            assert np.isfinite(call(implementation, name, -x)).all()


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_is_correctly_rounded(implementation, dtype, name):
    a, b = numbers((5, 7), dtype, seed=1), numbers((5, 7), dtype, seed=2)
    b[0, :3] = 0.0, -0.0, INF
    ufunc = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}[name]
    with np.errstate(all="ignore"):
        for left, right in ((a, b), (a, b[0, 3]), (b[0, 3], a), (a, b[0]), (a[:, :1], b)):
            left, right = np.asarray(left), np.asarray(right)
            expected = ufunc(left, right)
            out = np.full(expected.shape, 7, dtype)
            IMPLEMENTATIONS[implementation][name](left, right, out)
            np.testing.assert_array_equal(out, expected)


@needs_native
@each_dtype
@pytest.mark.parametrize("name", [*UNARY, *GRADIENTS])
def test_native_agrees_with_its_twin(dtype, name):
    x = numbers((23, 41), dtype, scale=5.0)
    arrays = (numbers(x.shape, dtype, seed=3), x) if name in GRADIENTS else (x,)
    if name in {"sigmoid_backward", "tanh_backward"}:
        arrays = (arrays[0], np.tanh(x) ** 2)
    native, numpy = call("native", name, *arrays), call("numpy", name, *arrays)
    np.testing.assert_allclose(native, numpy, **tolerance(dtype))


@needs_native
@pytest.mark.parametrize("name", [*UNARY, *GRADIENTS, *ARITHMETIC])
def test_native_takes_the_arguments_of_its_twin(name):
    native = inspect.signature(IMPLEMENTATIONS["native"][name])
    extra = list(native.parameters)[3 if name in GRADIENTS or name in ARITHMETIC else 2 :]
    assert len(extra) == len(parameters(name))
    assert IMPLEMENTATIONS["native"][name].__doc__ == getattr(twin, name).__doc__


@needs_native
@each_dtype
@pytest.mark.parametrize("name", UNARY)
def test_an_element_does_not_depend_on_its_place(dtype, name):
    """Vectors, their remainders and the peeled start round alike."""
    x = np.abs(numbers(4200, dtype, scale=4.0))
    x = x if name in POSITIVE else x * np.where(np.arange(x.size) % 3, 1, -1).astype(dtype)
    whole = call("native", name, x)
    for start, stop in ((1, 4200), (3, 4110), (5, 37), (4193, 4200), (17, 18)):
        np.testing.assert_array_equal(call("native", name, x[start:stop]), whole[start:stop])
