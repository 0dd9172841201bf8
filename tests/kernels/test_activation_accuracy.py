"""Errors of the activations and their gradients in ulp, over the whole range, against mpmath.

Everything is read from the activations' records: formulas, bounds, kinks, limits. An error is
counted in units in the last place of the exact value, below the smallest normal number in units of
the smallest subnormal one.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest
from formulas import ELEMENTWISE, parameter_values, terms
from kernel_cases import IMPLEMENTATIONS, each_dtype, each_implementation
from mpmath import mpf

from microtensor.ops.activations import ACTIVATIONS

# More parameters to try. With threshold 1000 softplus' branches meet where they are equal.
MORE = {
    "elu": [(0.3,)],
    "celu": [(0.3,), (1.7,)],
    "softplus": [(1.3, 1000.0), (0.07, 1000.0), (11.0, 1000.0)],
    "hardsigmoid": [(5.0,)],
    "snake": [(0.5,), (0.0,)],
    "soft_exponential": [(0.0,), (-0.2,)],
    "srelu": [(-0.3, 0.7, 1.7, -0.4)],
}
CASES = [(n, p) for n in ELEMENTWISE for p in [parameter_values(n), *MORE.get(n, [])]]
SLOPED = [case for case in CASES if ACTIVATIONS[case[0]].derivative != "0"]

# NumPy's twins compute in float64, so that in float32 only the last rounding remains. In float64
# they are as good as NumPy's functions (4 ulp each at most), but where an argument of exp is a
# product or a quotient its rounding error is multiplied by it, here by up to 745.
TWIN_FLOAT32 = 0.51
TWIN_FLOAT64 = {
    **{"softplus": 600.0, "gelu_tanh": 1500.0, "celu": 600.0, "soft_exponential": 700.0},
    **{"lecun_tanh": 800.0, "log_log": 900.0, "snake": 1e6},
}


def _bound(implementation: str, dtype: Any, name: str, gradient: bool) -> float:
    if implementation == "numpy":
        return TWIN_FLOAT32 if dtype == np.float32 else TWIN_FLOAT64.get(name, 8.0)
    record = ACTIVATIONS[name]
    bound = record.ulp_derivative if gradient else record.ulp
    assert bound is not None
    return bound


def _named(name: str, values: tuple[float, ...], dtype: Any) -> tuple[dict[str, Any], list[float]]:
    """Give the parameters, rounded to the dtype, by name for the formula and as the kernel's."""
    record = ACTIVATIONS[name]
    rounded = [float(dtype(value)) for value in values]
    names = [p.name for p in record.parameters]
    return {n: mpf(v) for n, v in zip(names, rounded, strict=True)}, [*rounded, *record.constants]


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
    sizes = np.exp2(rng.uniform(info.minexp - info.nmant, 11, 60))
    special = [
        *(0.0, 1.0, 2.0, 2 * float(info.eps), float(info.eps) / 2),
        *(np.sqrt(0.5) - 1, np.sqrt(2) - 1, np.sqrt(0.5), np.sqrt(2)),  # log's reduction
        *np.log(2) * np.array([0.5, 1.0, 10.5, 100.5]),  # exp's
        *np.pi * np.array([0.25, 0.5, 1.0, 100.0]),  # those of sines
        *(1.5, 2.414213562, 9.0, 10.0, 12.0, 14.6, 19.0, 20.0, 22.0, 33.0, 38.8, 40.0, 44.0, 100.0),
        *(130.0, 1000.0, 1060.0, 16384.0, 2.0**20, 2.0**28, 1e10),
        *(-np.log(float(info.smallest_subnormal)), np.log(float(info.max))),
        *(float(info.max), float(info.tiny), float(info.smallest_subnormal)),
    ]
    # Where gelu, gelu_tanh and what decays like e^x become subnormal.
    fading = ((12.5, 14.6), (9.5, 11.5), (85, 110))
    if dtype == np.float64:
        fading = ((37.2, 38.8), (20.8, 22), (700, 760))
    faded = [-rng.uniform(low, high, 25) for low, high in fading]
    near = [rng.uniform(-8, 8, 420), rng.uniform(-wide, wide, 60)]
    x = np.concatenate([*near, *faded, sizes, -sizes])
    return np.concatenate(
        [x.astype(dtype), *(_neighbours(np.array(special) * s, dtype) for s in (1, -1))]
    )


def _inside(name: str, values: tuple[float, ...], gradient: bool, dtype: Any) -> Any:
    """The points where there is a value, or where the saved output can be; kinks among them."""
    x = np.concatenate([_points(dtype), _neighbours(ACTIVATIONS[name].kinks, dtype)])
    x = x[np.isfinite(x)]
    if gradient and ACTIVATIONS[name].saves == "y" and name != "relu":
        y = np.concatenate([np.abs(x[np.abs(x) <= 1]), 1 - np.abs(x[np.abs(x) <= 1])])
        return y if name == "sigmoid" else np.concatenate([y, -y])
    if name == "soft_exponential" and values[0] < 0:
        # Right of its pole, next to which the logarithm's argument is what is left of 1.
        return x[x > 0.5 / values[0]]
    if name == "snake" and values[0]:
        return x[np.abs(x) < 1e15]  # an argument a·x that overflows has no sine
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


def _count(found: list[Any], info: Any, sums: bool) -> tuple[float, float, int, int, float]:
    total = mpmath.fsum(found)
    half_beyond = mpf(float(info.max)) + mpmath.ldexp(1, int(info.maxexp - info.nmant - 2))
    if abs(total) >= half_beyond:
        return 0.0, 0.0, 0, int(mpmath.sign(total)), 1.0
    size = max(abs(value) for value in (total, *(found if sums else ())))
    exponent = _exponent(size, info)
    units = mpmath.ldexp(total, -exponent)
    high = float(units)
    # Where more than a third cancels, there is no bound in units of the total.
    finer = 2.0 ** (exponent - _exponent(total, info)) if 3 * abs(total) >= 2 * size else 0.0
    return high, float(units - high), exponent, 0, finer


@functools.cache
def _exact(dtype: Any, name: str, values: tuple[float, ...], gradient: bool) -> Exact:
    info, record = np.finfo(dtype), ACTIVATIONS[name]
    x = _inside(name, values, gradient, dtype)
    names, _ = _named(name, values, dtype)
    formula = record.derivative if gradient else record.formula
    variable = record.saves if gradient else "x"
    with mpmath.workprec(200):
        counted = [
            _count(terms(formula, **{variable: mpf(float(v))}, **names), info, record.sums)
            for v in x
        ]
    return Exact(x, *(np.array(column) for column in zip(*counted, strict=True)))


def _errors(y: Any, exact: Exact) -> Any:
    finite = exact.overflows == 0
    units = np.ldexp(np.where(finite, y, 0).astype(np.float64), -exact.exponent)
    wrong_infinity = np.where(np.isinf(y) & (np.sign(y) == exact.overflows), 0, np.inf)
    return np.where(finite, np.abs((units - exact.high) - exact.low), wrong_infinity)


def _assert_within(bound: float, errors: Any, exact: Exact, y: Any) -> None:
    worst = np.nanargmax(np.where(np.isnan(errors), np.inf, errors))
    assert errors[worst] <= bound, f"{errors[worst]:.3g} ulp at {exact.x[worst]!r}: {y[worst]!r}"


def _run(implementation: str, name: str, values: Any, *arrays: Any, gradient: bool = False) -> Any:
    record = ACTIVATIONS[name]
    out = np.full_like(arrays[-1], 7)
    kernel = f"{record.kernel}_backward" if gradient else record.kernel
    _, numbers = _named(name, values, arrays[-1].dtype.type)
    given: list[Any] = list(numbers)
    if record.learned:
        given = [np.array([value], out.dtype) for value in numbers]
        given += [None] * len(given) if gradient else []
    IMPLEMENTATIONS[implementation][kernel](*arrays, out, *given)
    return out


# --- what is pinned ---


def test_no_bound_is_wider_than_four_and_eight_ulp():
    for name in ELEMENTWISE:
        record = ACTIVATIONS[name]
        assert record.ulp is not None and record.ulp <= 4, name
        assert record.ulp_derivative is not None and record.ulp_derivative <= 8, name


@each_implementation
@each_dtype
@pytest.mark.parametrize(("name", "values"), CASES)
def test_values_are_within_their_bound(implementation, dtype, name, values):
    exact = _exact(dtype, name, values, False)
    y = _run(implementation, name, values, exact.x)
    _assert_within(_bound(implementation, dtype, name, False), _errors(y, exact), exact, y)


@each_implementation
@each_dtype
@pytest.mark.parametrize(("name", "values"), SLOPED)
def test_gradients_are_within_their_bound(implementation, dtype, name, values):
    exact = _exact(dtype, name, values, True)
    y = _run(implementation, name, values, np.ones_like(exact.x), exact.x, gradient=True)
    errors = _errors(y, exact)
    _assert_within(_bound(implementation, dtype, name, True), errors, exact, y)
    if implementation == "native" or dtype == np.float32:
        _assert_within(8.0, errors * exact.finer, exact, y)


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_values_at_zeros_infinities_and_nan(implementation, dtype, name):
    record, values = ACTIVATIONS[name], parameter_values(name)
    if record.limits is None:
        pytest.skip("they depend on a learned parameter")
    low, high = record.limits
    names, _ = _named(name, values, dtype)
    at_zero = float(mpmath.fsum(terms(record.formula, x=mpf(0), **names)))
    # Twice: in a vector, and one at a time.
    x = np.array([-np.inf, -0.0, 0.0, np.inf, np.nan] * 8, dtype)
    expected = np.array([low, at_zero, at_zero, high, np.nan] * 8, dtype)
    found = _run(implementation, name, values, x)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    for place in range(5):
        one = _run(implementation, name, values, x[place : place + 1])
        np.testing.assert_array_equal(one, found[place : place + 1])


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if ACTIVATIONS[n].slopes])
def test_gradients_at_infinities_and_nan(implementation, dtype, name):
    record, values = ACTIVATIONS[name], parameter_values(name)
    if record.derivative == "0":
        pytest.skip("it has no kernel")
    x = np.array([-np.inf, np.inf, np.nan] * 12, dtype)
    saved = _run(implementation, name, values, x) if record.saves == "y" else x
    found = _run(implementation, name, values, np.ones_like(x), saved, gradient=True)
    expected = np.array([*record.slopes, np.nan] * 12)
    if record.kinks and name not in ("elu", "selu"):
        found[2::3] = np.nan  # pieces without a number in them: any will do
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_zero_keeps_its_sign_where_the_function_is_odd_there(implementation, dtype, name):
    record, values = ACTIVATIONS[name], parameter_values(name)
    y = _run(implementation, name, values, np.array([0.0, -0.0] * 20, dtype))
    if not y[0]:
        assert not np.signbit(y[0])
        no_odd_ones = ("bent_identity", "snake", "squared_relu")
        if name not in no_odd_ones and not record.kinks:
            assert np.signbit(y[1])


@each_implementation
@each_dtype
def test_extremes_where_naive_formulas_overflow(implementation, dtype):
    for name, x, expected in (
        ("softplus", [1000.0, -1000.0, np.finfo(dtype).max], [1000.0, 0.0, np.finfo(dtype).max]),
        ("sigmoid", [-1000.0, 1000.0], [0.0, 1.0]),
        ("mish", [-1e30, 1e30], [0.0, 1e30]),
        ("log_log", [100.0, -100.0], [1.0, float(mpmath.exp(-100))]),
        ("silu", [-1e30, 1e30], [0.0, 1e30]),
        ("gaussian", [1e30, -1e30], [0.0, 0.0]),
        ("softsign", [1e30, -1e30], [1.0, -1.0]),
        ("bent_identity", [1e30, -1e30], [1.5e30, -0.5e30]),
        ("logsigmoid", [1e30, -1e30], [0.0, -1e30]),
    ):
        found = _run(implementation, name, parameter_values(name), np.array(x, dtype))
        np.testing.assert_allclose(found, np.array(expected, dtype), rtol=1e-6, atol=0)


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
