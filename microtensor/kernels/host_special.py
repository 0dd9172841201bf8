"""Special functions, and those whose plain formula cancels: in float64, rounded on the way out.

Each states its largest error, measured against 50-digit arithmetic, in units in the last place of
float64 (ulp). Near a zero of a function that it does not meet exactly, the error is absolute: so
many ulp of 1. Chebyshev coefficients are our own, from 60-digit values at 64 points.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor.kernels.twin_activations import _TAIL

Array = np.ndarray[Any, Any]


def _unary(formula: Callable[..., Array]) -> Callable[..., None]:
    """Make kernel(x, out, ...) of y = formula(x, ...)."""

    @functools.wraps(formula)
    def kernel(x: Array, out: Array, *parameters: Any) -> None:
        with np.errstate(all="ignore"):
            np.copyto(out, formula(x.astype(np.float64, copy=False), *parameters), casting="unsafe")

    return kernel


def _chebyshev(t: Array, coefficients: tuple[float, ...]) -> Array:
    """The series Σ cᵢ Tᵢ(t) for t in [-1, 1], by Clenshaw's recurrence."""
    later, earlier = np.zeros_like(t), np.zeros_like(t)
    for coefficient in reversed(coefficients[1:]):
        later, earlier = coefficient + 2.0 * t * later - earlier, later
    return coefficients[0] + t * later - earlier


# ---- logit ---------------------------------------------------------------------------------------


@_unary
def logit(x: Array) -> Array:
    """Out = log(x / (1 - x)): ±inf at 1 and 0, NaN outside. Error: 3 ulp."""
    # Around 1/2, where the logarithm's argument is around 1, 1 - 2x and 2x - 1 are exact.
    lower = np.where(x < 0.1, np.log(x) - np.log1p(-x), -np.log1p((1.0 - 2.0 * x) / x))
    return np.where(x < 0.5, lower, np.log1p((2.0 * x - 1.0) / (1.0 - x)))


# ---- sinc ---------------------------------------------------------------------------------------


def _sine_of_half_turns(x: Array, quarters: int) -> Array:
    """sin(πx + quarters·π/2), reduced exactly; NaN of infinities."""
    whole = np.rint(2.0 * x)
    rest = math.pi * (x - 0.5 * whole)  # in [-π/4, π/4]
    place = np.fmod(whole, 4.0) + quarters % 4
    odd = np.fmod(place, 2.0) != 0
    turned = np.where(odd, np.cos(rest), np.sin(rest))
    place = np.mod(place, 4.0)
    return np.where(place >= 2.0, -turned, turned)


@_unary
def sinc_derivative(x: Array, n: int) -> Array:
    """Out = the n-th derivative of sin(πx) / (πx). Error for n = 0: 3 ulp.

    With u = πx and Sₙ the n-th derivative of S₀ = sin u / u: u Sₙ = sin(u + nπ/2) - n Sₙ₋₁, which
    cancels for small u, where the power series of sin u / u, derived term by term, is exact.
    """
    u = math.pi * x
    near = np.abs(u) < 1.5 + n
    small = np.where(near, u, 0.0)
    series, first = np.zeros_like(u), n + n % 2
    for power in range(first, first + 2 * (20 + n), 2):
        factor = math.factorial(power - n) * (power + 1)
        series += (-1) ** (power // 2) / factor * small ** (power - n)
    large = np.where(near, 1.0, u)
    s = np.zeros_like(u)
    for order in range(n + 1):
        s = (_sine_of_half_turns(x, order) - order * s) / large
    return math.pi**n * np.where(near, series, s)


# ---- the error function -------------------------------------------------------------------------

# erf(x) / x in 2x² - 1, for |x| <= 1.
_ERF = (
    0.97547693938265409598, -0.14226120510371364238, 0.010035582187599795576,
    -0.00057687646997674847651, 0.000027419931252196061034, -1.1043175507344507604e-6,
    3.848875542034503695e-8, -1.180858253387546697e-9, 3.2334215826050909646e-11,
    -7.9910159470045487582e-13, 1.7990725113961455612e-14, -3.7186354878186926382e-16,
    7.1035990037142529712e-18,
)  # fmt: skip
_ERF_INSIDE = 0.4


def _erf_inside(x: Array) -> Array:
    limited = np.clip(x, -1.0, 1.0)
    return limited * _chebyshev(2.0 * limited * limited - 1.0, _ERF)


def _erfc_outside(x: Array) -> Array:
    """Give erfc of x >= 0, from the tail of the normal distribution, erfc x = 2 Q(√2 x)."""
    x = np.minimum(x, 30.0)
    z = math.sqrt(2.0) * x
    tail = _chebyshev((z - 5.0) / (z + 5.0), _TAIL) / (z + 5.0)
    # x² in two parts: rounded in one, the error of its exponential would grow with it.
    head = x.astype(np.float32).astype(np.float64)
    return np.exp(-head * head) * (2.0 * tail) * np.exp(-(x - head) * (x + head))


def _erf(x: Array) -> Array:
    far = np.copysign(1.0 - _erfc_outside(np.abs(x)), x)
    return np.where(np.abs(x) < 1.0, _erf_inside(x), far)


def _erfc(x: Array) -> Array:
    far = _erfc_outside(np.abs(x))
    return np.where(x < -1.0, 2.0 - far, np.where(x < _ERF_INSIDE, 1.0 - _erf_inside(x), far))


@_unary
def erf(x: Array) -> Array:
    """Out = 2/√π ∫₀ˣ exp(-t²) dt. Error: 2 ulp."""
    return _erf(x)


@_unary
def erfc(x: Array) -> Array:
    """Out = 1 - erf x, accurate in its tail. Error: 8 ulp."""
    return _erfc(x)


@_unary
def erfinv(y: Array) -> Array:
    """Out = the x of erf x = y: ±inf at ±1, NaN beyond. Error: 6 ulp.

    Winitzki's formula, right to 2e-3, and three steps of Halley's method, each of which triples the
    digits; from erf for small y, from erfc = 1 - |y|, which is exact, for large.
    """
    size = np.abs(y)
    a = 0.147
    log = np.log1p(-size * size)
    half = 2.0 / (math.pi * a) + 0.5 * log
    x = np.sqrt(np.sqrt(half * half - log / a) - half)
    for _ in range(3):
        excess = np.where(size < 0.8, _erf(x) - size, (1.0 - size) - _erfc(x))
        newton = excess * (0.5 * math.sqrt(math.pi)) * np.exp(x * x)
        x = x - newton / (1.0 + x * newton)
    x = np.where(size == 1.0, math.inf, x)
    return np.copysign(x, y)


# ---- the gamma function -------------------------------------------------------------------------

_HALF_LOG_TWO_PI = 0.91893853320467274178
# lgamma(2 + z) / z in 2z, for |z| <= 1/2.
_LGAMMA = (
    0.41418612492156673467, 0.16322170068760064948, -0.0086589723941262839808,
    0.00067275157260014851694, -0.000061395569636282336408, 6.1100657970035761227e-6,
    -6.4100030338262223925e-7, 6.9622426927689506493e-8, -7.7472487337882172579e-9,
    8.774075140687239219e-10, -1.0070266869830198722e-10, 1.1678602130652373631e-11,
    -1.3656871334744932056e-12, 1.6079351149711551373e-13, -1.9039501088488732318e-14,
    2.2653768767833063734e-15, -2.7066568148318962687e-16, 3.2456607316261908203e-17,
    -3.904483378457446756e-18,
)  # fmt: skip
# Stirling's series: B₂ₖ / (2k (2k - 1)).
_STIRLING = (
    1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400,
)  # fmt: skip
# digamma(x) / (x - x₀) in 2x - 3 for 1 <= x <= 2, where x₀ is its zero, in two parts.
_DIGAMMA_ZERO = (1.4616321449683622, 9.549995429965697e-17)
_DIGAMMA = (
    0.98357026044156698801, -0.22706408633464439669, 0.033368899023930108972,
    -0.0053200772715965474438, 0.00087886569378205053326, -0.00014773492650606043282,
    0.00002506054346835914444, -4.272103402999332207e-6, 7.3027692724659230493e-7,
    -1.2502886813559595515e-7, 2.1425009322359473734e-8, -3.6732959185651790393e-9,
    6.2997172361089309069e-10, -1.0805930288832660114e-10, 1.8537351920536378898e-11,
    -3.1802353658255300096e-12, 5.4561475703227941847e-13, -9.3609931310364381561e-14,
    1.6060646362950750099e-14, -2.7555431377438813107e-15, 4.7277361786019113911e-16,
    -8.1114842034650900328e-17, 1.3917077694741540651e-17, -2.3877901082188627e-18,
)  # fmt: skip
# B₂ₖ / 2k.
_DIGAMMA_TAIL = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)
# B₂ₖ / (2k)!: Euler and Maclaurin's corrections of a sum by an integral.
_EULER_MACLAURIN = (
    0.083333333333333333333, -0.0013888888888888888889, 0.000033068783068783068783,
    -8.2671957671957671958e-7, 2.0876756987868098979e-8, -5.2841901386874931848e-10,
    1.3382536530684678833e-11, -3.3896802963225828668e-13, 8.5860620562778445641e-15,
    -2.174868698558061873e-16, 5.5090028283602295152e-18, -1.3954464685812523341e-19,
)  # fmt: skip
_LARGE = 10.0


def _powers_of_inverse_square(x: Array, coefficients: tuple[float, ...]) -> Array:
    """Σ cₖ x⁻²ᵏ, k from 0."""
    inverse = 1.0 / (x * x)
    total = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * inverse + coefficient
    return total


def _lgamma_positive(x: Array) -> Array:
    large = np.maximum(x, _LARGE)
    stirling = (large - 0.5) * (np.log(large) - 1.0) + (_HALF_LOG_TWO_PI - 0.5)
    stirling += _powers_of_inverse_square(large, _STIRLING) / large
    # Between 1.5 and 2.5 the series; from above reached by lgamma(x) = lgamma(x-1) + log(x-1), the
    # logarithms of all steps taken as one of the product, from below by lgamma(x+1) - log x.
    y = np.minimum(x, _LARGE)
    product = np.ones_like(y)
    for _ in range(8):
        above = y > 2.5
        y = np.where(above, y - 1.0, y)
        product = np.where(above, product * y, product)
    below = y < 1.5
    # lgamma is 0 at 1, where log x is to be log1p of the exact x - 1.
    lowest = y < 0.5
    log = np.where(lowest, np.log(y), np.log1p(y - 1.0))
    y = np.where(below, y - 1.0, y - 2.0)
    # Below 1/2, lgamma(x) = lgamma(x+2) - log(x (x+1)).
    shift = np.where(lowest, np.log1p(y + 1.0), 0.0)
    z = np.clip(np.where(lowest, y + 1.0, y), -0.5, 0.5)
    middle = z * _chebyshev(2.0 * z, _LGAMMA) + np.log(product)
    middle = np.where(below, middle - log, middle) - shift
    return np.where(x < _LARGE, middle, stirling)


@_unary
def lgamma(x: Array) -> Array:
    """Out = log|Γ(x)|: inf at 0, -1, -2 ... Error: 6 ulp; below 0 of 1, where it is small.

    Below 0 by reflection, Γ(x) Γ(1 - x) = π / sin πx.
    """
    size = np.abs(x)
    sine = np.abs(_sine_of_half_turns(x, 0))
    reflected = -np.log(sine / math.pi) - _lgamma_positive(1.0 + size)
    # sin πx / π of a tiny x is x, to the last bit.
    reflected = np.where(size < 1e-17, -np.log(size), reflected)
    result = np.where(x > 0, _lgamma_positive(size), reflected)
    return np.where(np.isinf(x), math.inf, result)


def _digamma_positive(x: Array) -> Array:
    large = np.maximum(x, _LARGE)
    tail = _powers_of_inverse_square(large, _DIGAMMA_TAIL) / (large * large)
    asymptotic = np.log(large) - 0.5 / large - tail
    y = np.minimum(x, _LARGE)
    total = np.zeros_like(y)
    for _ in range(8):
        above = y > 2.0
        y = np.where(above, y - 1.0, y)
        total = np.where(above, total + 1.0 / y, total)
    below = y < 1.0
    total = np.where(below, total - 1.0 / y, total)
    y = np.where(below, y + 1.0, y)
    high, low = _DIGAMMA_ZERO
    middle = ((y - high) - low) * _chebyshev(np.clip(2.0 * y - 3.0, -1.0, 1.0), _DIGAMMA)
    return np.where(x < _LARGE, middle + total, asymptotic)


def _digamma(x: Array) -> Array:
    rest = x - np.rint(x)
    reflected = _digamma_positive(1.0 - np.minimum(x, 0.0)) - math.pi / np.tan(math.pi * rest)
    result = np.where(x > 0, _digamma_positive(x), reflected)
    result = np.where((x < 0) & (rest == 0), math.nan, result)
    return np.where(x == 0, np.copysign(math.inf, -x), result)


@_unary
def digamma(x: Array) -> Array:
    """Out = Γ'(x) / Γ(x): ∓inf at ±0, NaN at -1, -2 ... Error: 4 ulp, 6 below 0.

    Below 0 the error is of 1, where the result is small.
    """
    return _digamma(x)


def _zeta(s: int, x: Array) -> Array:
    """Hurwitz' zeta function Σ (x + k)⁻ˢ for an integer s > 1 and x > 0: Euler and Maclaurin."""
    total, y = np.zeros_like(x), x
    for _ in range(int(_LARGE) + s):
        small = y < _LARGE + s
        total = total + np.where(small, y ** float(-s), 0.0)
        y = np.where(small, y + 1.0, y)
    power = y ** float(-s)
    tail = power * (y / (s - 1) + 0.5)
    term = power / y * s
    for k, coefficient in enumerate(_EULER_MACLAURIN):
        tail = tail + coefficient * term
        term = term * ((s + 2 * k + 1) * (s + 2 * k + 2)) / (y * y)
    return total + np.where(np.isinf(y), 0.0, tail)


def _cotangent_derivative(x: Array, n: int) -> Array:
    """The n-th derivative of π cot πx: a polynomial in cot πx, whose slope is -π (1 + cot²)."""
    coefficients = [0.0, 1.0]
    for _ in range(n):
        slope = [i * c for i, c in enumerate(coefficients)][1:]
        coefficients = [0.0] * (len(slope) + 2)
        for i, c in enumerate(slope):
            coefficients[i] -= c
            coefficients[i + 2] -= c
    cotangent = 1.0 / np.tan(math.pi * (x - np.rint(x)))
    total: Array = np.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * cotangent + coefficient
    return math.pi ** (n + 1) * total


@_unary
def polygamma(x: Array, n: int) -> Array:
    """Out = the n-th derivative of digamma. Error for 1 <= n <= 20: 8 ulp for x > 0.

    (-1)ⁿ⁺¹ n! ζ(n + 1, x) for x > 0; below by reflection,
    ψₙ(x) = (-1)ⁿ ψₙ(1 - x) - dⁿ/dxⁿ π cot πx; ∞ with the sign (-1)ⁿ⁺¹ at 0, -1, -2 ...
    """
    if n == 0:
        return _digamma(x)
    sign = -1.0 if n % 2 == 0 else 1.0
    factor = sign * math.exp(math.lgamma(n + 1)) if n > 20 else sign * math.factorial(n)
    above = factor * _zeta(n + 1, np.where(x > 0, x, 1.0))
    mirror = -sign * factor * _zeta(n + 1, 1.0 - np.minimum(x, 0.0))
    result = np.where(x > 0, above, mirror - _cotangent_derivative(x, n))
    result = np.where((x <= 0) & (x == np.rint(x)), sign * math.inf, result)
    return np.where(np.isnan(x) | (x == -math.inf), math.nan, result)
