"""Special functions: the error function, the gamma function, logit and sinc.

Their kernels are our own, in float64 to a few ulp (kernels/host_special.py); float32 and float16
are rounded from it.
"""

from __future__ import annotations

import math
from typing import Any

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import div, mul, neg, square, sub
from microtensor.ops.arrays import Array
from microtensor.ops.bounds import clamp
from microtensor.ops.choosing import where
from microtensor.ops.comparison import gt, logical_or, lt
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.pointwise import ONE, floating
from microtensor.ops.powers import exp
from microtensor.ops.rounding import abs
from microtensor.tensor import Tensor

_DENSITY = 2.0 / math.sqrt(math.pi)


def _declare(
    name: str, rule: Any, summary: str, formula: str, derivative: str, **fields: Any
) -> Any:
    return declare(
        name,
        ONE,
        floating(getattr(kernels, name)),
        rules={"input": rule},
        summary=summary,
        formula=formula,
        derivative=derivative,
        method=name,
        inplace=True,
        **{"samples": samples.one(), **fields},
    )


erf = _declare(
    "erf",
    lambda g, x: mul(mul(g, _DENSITY), exp(neg(square(x)))),
    "Give the error function.",
    "2/√π ∫₀ˣ exp(-t²) dt",
    "2/√π·exp(-x²)",
    range="(-1, 1)",
)
erfc = _declare(
    "erfc",
    lambda g, x: mul(mul(g, -_DENSITY), exp(neg(square(x)))),
    "Give what the error function lacks to 1, accurate where that is small.",
    "1 - erf x",
    "-2/√π·exp(-x²)",
    range="(0, 2)",
)
erfinv = _declare(
    "erfinv",
    lambda g, y: mul(mul(g, 1.0 / _DENSITY), exp(square(y))),
    "Give the inverse of the error function; ±inf at ±1, NaN outside.",
    "erf⁻¹ x",
    "√π/2·exp(y²)",
    samples=samples.within(-0.9, 0.9),
)


# ---- the gamma function -------------------------------------------------------------------------

_polygamma: Any = declare(
    "polygamma_of",
    f"{ONE}, order: int",
    floating(kernels.polygamma),
    rules={"input": lambda g, x, order: mul(g, _polygamma(x, order + 1))},
    summary="Give the n-th derivative of digamma.",
    formula="dⁿ/dxⁿ digamma(x)",
    namespaces=(),
    samples=samples.one(positive=True, order=1),
)
digamma = _declare(
    "digamma",
    lambda g, x: mul(g, _polygamma(x, 1)),
    "Give the derivative of the logarithm of the gamma function.",
    "Γ'(x) / Γ(x)",
    "trigamma(x)",
    samples=samples.one(positive=True),
)
lgamma = _declare(
    "lgamma",
    lambda g, x: mul(g, digamma(x)),
    "Give the logarithm of the absolute value of the gamma function.",
    "ln|Γ(x)|",
    "digamma(x)",
    samples=samples.one(positive=True),
)


@publish("n: int, input: Tensor")
def polygamma(n: int, input: Any) -> Tensor:
    """Give the n-th derivative of digamma, the (n+1)-th of the logarithm of the gamma function.

    Args:
        n: the order, 0 for digamma itself.
        input: a tensor; integers become floating-point numbers.

    Raises:
        RuntimeError: a negative order.
        TypeError: an order that is no integer.
    """
    if not isinstance(n, int):
        raise TypeError(f"polygamma(): argument 'n' must be int, not {type(n).__name__}")
    if n < 0:
        raise RuntimeError(f"polygamma: the order n must not be negative, but is {n}")
    if not isinstance(input, Tensor):
        refuse("polygamma", "input", input)
    return _polygamma.op.public(input, n)


@publish("input: Tensor, n: int", namespaces=(), method="polygamma", name="polygamma", inplace=True)
def _polygamma_method(input: Tensor, n: int) -> Tensor:
    """Give the n-th derivative of digamma."""
    return polygamma(n, input)


# ---- sinc and logit -----------------------------------------------------------------------------


def _sinc_forward(x: Array) -> Array:
    return _sinc_derivative_forward(x, 0)


_sinc_derivative_forward = floating(kernels.sinc_derivative)
_sinc_derivative: Any = declare(
    "sinc_derivative",
    f"{ONE}, order: int",
    _sinc_derivative_forward,
    rules={"input": lambda g, x, order: mul(g, _sinc_derivative(x, order + 1))},
    summary="Give the n-th derivative of sinc.",
    formula="dⁿ/dxⁿ sinc x",
    namespaces=(),
    samples=samples.one(order=1),
)
sinc: Any = declare(
    "sinc",
    ONE,
    _sinc_forward,
    rules={"input": lambda g, x: mul(g, _sinc_derivative(x, 1))},
    summary="Give the sine of πx over πx; 1 at 0.",
    formula="sin(πx) / (πx)",
    derivative="(cos(πx) - sinc x) / x; 0 at 0",
    method="sinc",
    inplace=True,
    samples=samples.one(),
)


def _logit_forward(x: Array, eps: float | None = None) -> Array:
    if eps is not None:
        x = clamp(x, float(eps), 1.0 - eps)
    return _plain_logit(x)


_plain_logit = floating(kernels.logit)


def _logit_rule(g: Any, x: Any, eps: Any) -> Any:
    low, outside = (0.0, math.nan) if eps is None else (eps, 0.0)
    beyond = logical_or(lt(x, low), gt(x, 1.0 - low))
    # Inside, x (1 - x) has no sign but that of -0.0.
    return where(beyond, outside, div(g, abs(mul(x, sub(1, x)))))


logit: Any = declare(
    "logit",
    f"{ONE}, eps: float | None = None",
    _logit_forward,
    rules={"input": _logit_rule},
    summary="Give the inverse of the sigmoid, of an input held between eps and 1 - eps if eps is "
    "given, else NaN outside [0, 1]. The gradient outside is zero, and NaN.",
    formula="ln(x / (1 - x))",
    derivative="1/(x (1 - x))",
    method="logit",
    inplace=True,
    samples=samples.within(0.1, 0.9),
)
