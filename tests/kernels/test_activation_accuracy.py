"""Errors of the activations and their gradients in ulp, over the whole range, against mpmath.

An error is counted in units in the last place of the exact value, below the smallest normal number
in units of the smallest subnormal one. The bounds are what was measured (in C for every float32
between 2⁻²⁷ and 256 in size), rounded up.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from kernel_cases import GRADIENTS, IMPLEMENTATIONS, UNARY, each_dtype, each_implementation
from mpmath import mpf

SELU_SCALE = mpf("1.0507009873554804934193349852946")
SELU_ALPHA = mpf("1.6732632423543772848170429916717")
ARITHMETIC = {"neg", "abs", "square", "sqrt", "rsqrt", "reciprocal"}


def _sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def _normal(x):
    return mpmath.ncdf(max(min(x, mpf(1000)), mpf(-1000)))


def _gelu_tanh_argument(x):
    return mpmath.sqrt(8 / mpmath.pi) * (x + mpf("0.044715") * x**3)


def _softplus(x, beta, threshold):
    z = beta * x
    return x if z > threshold else max(x, mpf(0)) + mpmath.log1p(mpmath.exp(-abs(z))) / beta


VALUES: dict[str, Callable[..., Any]] = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "relu": lambda x: max(x, mpf(0)),
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "elu": lambda x, alpha: x if x > 0 else alpha * mpmath.expm1(x),
    "selu": lambda x: SELU_SCALE * (x if x > 0 else SELU_ALPHA * mpmath.expm1(x)),
    "sigmoid": _sigmoid,
    "tanh": mpmath.tanh,
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "gelu": lambda x: x * _normal(x),
    "gelu_tanh": lambda x: x * _sigmoid(_gelu_tanh_argument(x)),
    "silu": lambda x: x * _sigmoid(x),
}


def _silu_terms(x):
    s = _sigmoid(x)
    return s, x * s * _sigmoid(-x)


def _gelu_terms(x):
    return _normal(x), x * mpmath.npdf(x)


def _gelu_tanh_terms(x):
    z = _gelu_tanh_argument(x)
    slope = mpmath.sqrt(8 / mpmath.pi) * (1 + 3 * mpf("0.044715") * x**2)
    return _sigmoid(z), x * _sigmoid(z) * _sigmoid(-z) * slope


# From the output y for relu, sigmoid and tanh, from the input x otherwise. Two terms are returned
# where the derivative crosses zero as their sum: there it cannot be known to a few ulp of itself.
DERIVATIVES: dict[str, Callable[..., Any]] = {
    "relu": lambda y: (mpf(y > 0),),
    "leaky_relu": lambda x, slope: (mpf(1) if x > 0 else mpf(slope),),
    "elu": lambda x, alpha: (mpf(1) if x > 0 else alpha * mpmath.exp(x),),
    "selu": lambda x: (SELU_SCALE * (1 if x > 0 else SELU_ALPHA * mpmath.exp(x)),),
    "sigmoid": lambda y: (y * (1 - y),),
    "tanh": lambda y: ((1 - y) * (1 + y),),
    "softplus": lambda x, beta, threshold: (
        mpf(1) if beta * x > threshold else _sigmoid(beta * x),
    ),
    "softsign": lambda x: (1 / (1 + abs(x)) ** 2,),
    "gelu": _gelu_terms,
    "gelu_tanh": _gelu_tanh_terms,
    "silu": _silu_terms,
}

# Parameters are rounded to the dtype. With threshold 1000 the branches meet where they are equal.
PARAMETERS: dict[str, tuple[tuple[float, ...], ...]] = {
    "leaky_relu": ((0.01,),),
    "elu": ((1.0,), (0.3,)),
    "softplus": ((1.0, 20.0), (1.3, 1000.0), (0.07, 1000.0), (11.0, 1000.0)),
}
CASES = [(name, p) for name in VALUES for p in PARAMETERS.get(name, ((),))]

# Largest errors of the C kernels: of values, of gradients (which add two terms: of the larger one).
NATIVE = {
    "exp": (1.1, None),
    "expm1": (2.0, None),
    "log": (1.0, None),
    "relu": (0.0, 0.0),
    "leaky_relu": (0.5, 0.0),
    "elu": (2.0, 1.5),
    "selu": (2.0, 1.5),
    "sigmoid": (2.5, 1.6),
    "tanh": (2.5, 1.6),
    "softplus": (3.5, 2.5),
    "softsign": (1.6, 3.0),
    "gelu": (4.0, 5.0),
    "gelu_tanh": (3.0, 6.0),
    "silu": (3.0, 5.0),
}
# NumPy's twins compute in float64, so that in float32 only the last rounding remains. In float64
# they are as good as NumPy's functions (4 ulp each at most), but where an argument of exp is a
# product (softplus, gelu_tanh) its rounding error is multiplied by it, here by up to 745.
TWIN_FLOAT32 = dict.fromkeys(NATIVE, (0.51, 0.51))
TWIN_FLOAT64 = {
    **dict.fromkeys(NATIVE, (8.0, 8.0)),
    "relu": (0.0, 0.0),
    "leaky_relu": (0.5, 0.0),
    "softsign": (1.6, 3.0),
    "softplus": (600.0, 600.0),
    "gelu_tanh": (1500.0, 1500.0),
}


def _bounds(implementation: str, dtype: Any, name: str) -> tuple[float, float | None]:
    if implementation == "native":
        return NATIVE[name]
    return (TWIN_FLOAT32 if dtype == np.float32 else TWIN_FLOAT64)[name]


def _parameters(values: tuple[float, ...], dtype: Any) -> tuple[float, ...]:
    return tuple(float(dtype(value)) for value in values)


# --- where ---


def _neighbours(values: Any, dtype: Any) -> Any:
    x = np.asarray(values, np.float64).astype(dtype)
    with np.errstate(over="ignore"):
        return np.concatenate([np.nextafter(x, -dtype(np.inf)), x, np.nextafter(x, dtype(np.inf))])


@functools.cache
def _points(dtype: Any) -> Any:
    """Numbers of every size, dense where the functions bend, and the places where the code does."""
    rng = np.random.default_rng(0)
    info = np.finfo(dtype)
    wide = 120.0 if dtype == np.float32 else 790.0
    sizes = np.exp2(rng.uniform(info.minexp - info.nmant, 11, 400))
    special = [
        *(0.0, 1.0, 2.0, 2 * float(info.eps), float(info.eps) / 2),
        *(np.sqrt(0.5) - 1, np.sqrt(2) - 1, np.sqrt(0.5), np.sqrt(2)),  # log's reduction
        *np.log(2) * np.array([0.5, 1.0, 1.5, 10.5, 100.5]),  # exp's
        *(9.0, 10.0, 12.0, 14.6, 16.1, 20.0, 22.0, 38.8, 40.0, 44.0, 100.0, 130.0, 1000.0, 1060.0),
        *(0.7517915, 0.7524614, 1.2784645),  # zeros of derivatives
        *(-np.log(float(info.smallest_subnormal)), np.log(float(info.max))),
        *(float(info.max), float(info.tiny), float(info.smallest_subnormal)),
    ]
    # Where gelu, gelu_tanh and what decays like e^x become subnormal.
    fading = ((12.5, 14.6), (9.5, 11.5), (85, 110))
    if dtype == np.float64:
        fading = ((37.2, 38.8), (20.8, 22), (700, 760))
    faded = [-rng.uniform(low, high, 80) for low, high in fading]
    near = [rng.uniform(-12, 12, 1200), rng.uniform(-wide, wide, 400)]
    x = np.concatenate([*near, *faded, sizes, -sizes])
    return np.concatenate(
        [x.astype(dtype), *(_neighbours(np.array(special) * s, dtype) for s in (1, -1))]
    )


def _inside(x: Any, name: str, gradient: bool) -> Any:
    """The points where there is a value, or where the saved output can be."""
    x = x[np.isfinite(x)]
    if name == "log":
        x = np.abs(x)
        return x[x > 0]
    if gradient and name in {"sigmoid", "tanh"}:
        y = np.concatenate([np.abs(x[np.abs(x) <= 1]), 1 - np.abs(x[np.abs(x) <= 1])])
        return y if name == "sigmoid" else np.concatenate([y, -y])
    return x


# --- how far off ---


class Exact(NamedTuple):
    """Values counted in units in their last place, as high + low, where one unit is 2^exponent."""

    x: Any
    high: Any
    low: Any
    exponent: Any
    overflows: Any  # the sign of what rounds to an infinity, else 0
    finer: Any  # what an error has to be multiplied by to be in units of the total, not of a term


def _exponent(value: Any, info: Any) -> int:
    return max(int(mpmath.frexp(value)[1]), int(info.minexp) + 1) - int(info.nmant) - 1


def _count(terms: Any, info: Any) -> tuple[float, float, int, int, float]:
    total = mpmath.fsum(terms)
    half_beyond = mpf(float(info.max)) + mpmath.ldexp(1, int(info.maxexp - info.nmant - 2))
    if abs(total) >= half_beyond:
        return 0.0, 0.0, 0, int(mpmath.sign(total)), 1.0
    size = max(abs(value) for value in (total, *terms))
    exponent = _exponent(size, info)
    units = mpmath.ldexp(total, -exponent)
    high = float(units)
    # Where more than a third cancels, there is no bound in units of the total.
    finer = 2.0 ** (exponent - _exponent(total, info)) if 3 * abs(total) >= 2 * size else 0.0
    return high, float(units - high), exponent, 0, finer


@functools.cache
def _exact(dtype: Any, name: str, parameters: tuple[float, ...], gradient: bool) -> Exact:
    info = np.finfo(dtype)
    x = _inside(_points(dtype), name, gradient)
    p = [mpf(value) for value in _parameters(parameters, dtype)]
    with mpmath.workdps(40):
        if gradient:
            counted = [_count(DERIVATIVES[name](mpf(float(v)), *p), info) for v in x]
        else:
            counted = [_count((VALUES[name](mpf(float(v)), *p),), info) for v in x]
    return Exact(x, *(np.array(column) for column in zip(*counted, strict=True)))


def _errors(y: Any, exact: Exact) -> Any:
    finite = exact.overflows == 0
    units = np.ldexp(np.where(finite, y, 0).astype(np.float64), -exact.exponent)
    wrong_infinity = np.where(np.isinf(y) & (np.sign(y) == exact.overflows), 0, np.inf)
    return np.where(finite, np.abs((units - exact.high) - exact.low), wrong_infinity)


def _assert_within(bound: float, errors: Any, exact: Exact, y: Any) -> None:
    worst = np.nanargmax(np.where(np.isnan(errors), np.inf, errors))
    assert errors[worst] <= bound, f"{errors[worst]:.3g} ulp at {exact.x[worst]!r}: {y[worst]!r}"


def test_every_activation_has_a_reference_and_a_bound():
    assert set(VALUES) == set(UNARY) - ARITHMETIC == set(NATIVE)
    assert {f"{name}_backward" for name in DERIVATIVES} == set(GRADIENTS)


@each_implementation
@each_dtype
@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_values_are_within_their_bound(implementation, dtype, name, parameters):
    exact = _exact(dtype, name, parameters, False)
    y = np.empty_like(exact.x)
    IMPLEMENTATIONS[implementation][name](exact.x, y, *_parameters(parameters, dtype))
    _assert_within(_bounds(implementation, dtype, name)[0], _errors(y, exact), exact, y)


@each_implementation
@each_dtype
@pytest.mark.parametrize(("name", "parameters"), [c for c in CASES if c[0] in DERIVATIVES])
def test_gradients_are_within_their_bound(implementation, dtype, name, parameters):
    exact = _exact(dtype, name, parameters, True)
    y, ones = np.empty_like(exact.x), np.ones_like(exact.x)
    kernel = IMPLEMENTATIONS[implementation][f"{name}_backward"]
    kernel(ones, exact.x, y, *_parameters(parameters, dtype))
    errors = _errors(y, exact)
    bound = _bounds(implementation, dtype, name)[1]
    assert bound is not None
    _assert_within(bound, errors, exact, y)
    if implementation == "native" or dtype == np.float32:
        _assert_within(8.0, errors * exact.finer, exact, y)


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", [name for name in VALUES if name not in {"exp", "log"}])
def test_zero_keeps_its_sign_where_the_function_is_zero(implementation, dtype, name):
    x = np.array([0.0, -0.0] * 20, dtype)
    y = np.empty_like(x)
    parameters = PARAMETERS.get(name, ((),))[0]
    IMPLEMENTATIONS[implementation][name](x, y, *parameters)
    if name in {"sigmoid", "softplus"}:
        np.testing.assert_array_equal(y, np.full_like(x, y[0]))
    else:
        np.testing.assert_array_equal(y, 0)
        np.testing.assert_array_equal(np.signbit(y), np.signbit(x))


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", [name for name in DERIVATIVES if "relu" not in name])
def test_a_gradient_at_nan_is_nan(implementation, dtype, name):
    x = np.array([np.nan, 1.0] * 20, dtype)
    y = np.empty_like(x)
    kernel = IMPLEMENTATIONS[implementation][f"{name}_backward"]
    kernel(np.ones_like(x), x, y, *PARAMETERS.get(name, ((),))[0])
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))


@each_implementation
@each_dtype
def test_softplus_overflows_at_no_threshold(implementation, dtype):
    x = np.array([1000.0, -1000.0, np.finfo(dtype).max, np.inf, -np.inf], dtype)
    for kernel, arrays, expected in (
        ("softplus", (x,), np.maximum(x, 0)),
        ("softplus_backward", (np.ones_like(x), x), (x > 0).astype(dtype)),
    ):
        y = np.empty_like(x)
        IMPLEMENTATIONS[implementation][kernel](*arrays, y, 1.0, np.inf)
        np.testing.assert_array_equal(y, expected)
