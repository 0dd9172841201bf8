"""Lines bent by an exponential or a root, and the bell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtensor.ops import samples
from microtensor.ops.activation_record import INFINITY, activation
from microtensor.ops.activations_sigmoids import sigmoid, tanh
from microtensor.ops.arithmetic import add, div, mul, neg, square, sub
from microtensor.ops.bounds import clamp
from microtensor.ops.choosing import where
from microtensor.ops.comparison import gt, le, lt
from microtensor.ops.powers import exp, expm1, log1p, rsqrt
from microtensor.ops.rounding import abs

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717

# ---- bells and bends ----------------------------------------------------------------------------

gaussian: Any = activation(
    "gaussian",
    lambda x: mul(sub(mul(square(x), 4.0), 2.0), exp(neg(square(x)))),
    module="Gaussian",
    summary="A bell around zero.",
    formula="e^(-x²)",
    derivative="-2·x·e^(-x²)",
    range="(0, 1]",
    limits=(0.0, 0.0),
    slopes=(0.0, 0.0),
    ulp=2,
    ulp_derivative=3,
)


def _bent_slope(x: Any) -> Any:
    root = rsqrt(add(square(x), 1.0))
    return mul(mul(root, square(root)), 0.5)


bent_identity: Any = activation(
    "bent_identity",
    _bent_slope,
    module="BentIdentity",
    summary="A line of slope 1/2 that bends smoothly to one of slope 3/2.",
    formula="(√(x² + 1) - 1)/2 + x",
    derivative="x/(2·√(x² + 1)) + 1",
    range="(-∞, ∞)",
    limits=(-INFINITY, INFINITY),
    slopes=(0.5, 1.5),
    ulp=4,
    ulp_derivative=2,
)


def _exponential_side(x: Any, factor: Any) -> Any:
    """factor·eˣ where x is not positive, zero elsewhere: the curvature of the ELU family."""
    return where(le(x, 0.0), mul(exp(clamp(x, max=0.0)), factor), 0.0)


elu: Any = activation(
    "elu",
    lambda x, alpha: _exponential_side(x, alpha),
    "alpha: float = 1.0",
    module="ELU",
    inplace_argument=True,
    inplace_function=True,
    kinks=(0.0,),
    summary="Exponential linear unit.",
    formula="x if x > 0 else alpha·(eˣ - 1)",
    derivative="1 if x > 0 else alpha·eˣ",
    range="(-alpha, ∞)",
    limits=(-1.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=2,
    ulp_derivative=1.5,
    reference="Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289",
)

selu: Any = activation(
    "selu",
    lambda x: _exponential_side(x, SELU_SCALE * SELU_ALPHA),
    module="SELU",
    inplace_argument=True,
    inplace_function=True,
    namespaces=("mt", "nn.functional"),
    kinks=(0.0,),
    summary="Scaled exponential linear unit, whose constants keep mean 0 and variance 1.",
    formula="λ·(x if x > 0 else α·(eˣ - 1)), λ = 1.0507009873554804934, α = 1.6732632423543772848",
    derivative="λ if x > 0 else λ·α·eˣ, λ = 1.0507009873554804934, α = 1.6732632423543772848",
    range="(-λα, ∞), λα = 1.7581",
    limits=(-SELU_SCALE * SELU_ALPHA, INFINITY),
    slopes=(0.0, SELU_SCALE),
    ulp=2,
    ulp_derivative=1.5,
    reference="Klambauer et al. 2017, arXiv:1706.02515",
)

celu: Any = activation(
    "celu",
    lambda x, alpha: _exponential_side(div(x, alpha), 1.0 / alpha),
    "alpha: float = 1.0",
    module="CELU",
    legal=("alpha > 0",),
    illegal=RuntimeError,
    inplace_argument=True,
    inplace_function=True,
    namespaces=("mt", "nn.functional"),
    samples=samples.one(avoid=(0.0,)),  # where the second derivative jumps
    summary="Exponential linear unit whose derivative is continuous for every alpha.",
    formula="x if x > 0 else alpha·(e^(x/alpha) - 1)",
    derivative="1 if x > 0 else e^(x/alpha)",
    range="(-alpha, ∞)",
    limits=(-1.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=4,
    ulp_derivative=4,
    reference="Barron 2017, Continuously differentiable exponential linear units, arXiv:1704.07483",
)


def _softplus_slope(x: Any, beta: float, threshold: float) -> Any:
    scaled = mul(x, beta)
    s = sigmoid(scaled)
    return where(gt(scaled, threshold), 0.0, mul(mul(s, sub(1.0, s)), beta))


softplus: Any = activation(
    "softplus",
    _softplus_slope,
    "beta: float = 1.0, threshold: float = 20.0",
    module="Softplus",
    legal=("beta != 0",),
    summary="A smooth rectifier; the identity where beta·x exceeds the threshold.",
    formula="x if beta·x > threshold else ln(1 + e^(beta·x))/beta",
    derivative="1 if beta·x > threshold else σ(beta·x)",
    range="(0, ∞)",
    limits=(0.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=4,
    ulp_derivative=3,
    reference="Dugas et al. 2001, Incorporating second-order functional knowledge for better "
    "option pricing",
)

logsigmoid: Any = activation(
    "logsigmoid",
    lambda x: neg(mul(sigmoid(x), sigmoid(neg(x)))),
    module="LogSigmoid",
    summary="The logarithm of the logistic function, without overflow.",
    formula="-ln(1 + e⁻ˣ)",
    derivative="σ(-x)",
    range="(-∞, 0)",
    limits=(-INFINITY, 0.0),
    slopes=(1.0, 0.0),
    ulp=3,
    ulp_derivative=3,
)

tanhshrink: Any = activation(
    "tanhshrink",
    lambda x: mul(mul(tanh(x), sub(1.0, square(tanh(x)))), 2.0),
    module="Tanhshrink",
    summary="What the hyperbolic tangent takes away.",
    formula="x - tanh(x)",
    derivative="tanh(x)²",
    range="(-∞, ∞)",
    limits=(-INFINITY, INFINITY),
    slopes=(1.0, 1.0),
    ulp=4,
    ulp_derivative=7,
)


def _bent_below(x: Any, alpha: Any) -> Any:
    """1 - alpha·(x + alpha), of which the soft exponential of a negative alpha is the logarithm."""
    return sub(1.0, mul(alpha, add(x, alpha)))


# Where their formulas cancel, close to zero, the two functions below are these power series.
_POWER_CURVE = tuple(1.0 / (math.factorial(k) * (k + 2)) for k in range(11))
_LOG_CURVE = tuple((-1.0) ** k * (k + 1) / (k + 2) for k in range(13))


def _near_zero(x: Any, reach: float, series: tuple[float, ...], beyond: Any) -> Any:
    """Give a power series of x where |x| < reach, and beyond that what is given."""
    near: Any = clamp(x, min=-reach, max=reach)
    total: Any = mul(near, series[-1])
    for factor in series[-2:0:-1]:
        total = mul(add(total, factor), near)
    return where(lt(abs(x), reach), add(total, series[0]), beyond(where(lt(abs(x), reach), 1.0, x)))


def _power_curve(u: Any) -> Any:
    """(eᵘ·(u - 1) + 1)/u², 1/2 at 0: how much of x² the slope of (e^(αx) - 1)/α by α is."""
    return _near_zero(
        u, 0.1, _POWER_CURVE, lambda u: div(add(mul(expm1(u), sub(u, 1.0)), u), square(u))
    )


def _log_curve(w: Any) -> Any:
    """(ln(1 + w) - w/(1 + w))/w², 1/2 at 0: the same for the logarithm."""
    return _near_zero(
        w, 0.05, _LOG_CURVE, lambda w: div(sub(log1p(w), div(w, add(w, 1.0))), square(w))
    )


def _soft_exponential_by_alpha(x: Any, alpha: Any) -> Any:
    """The slope by alpha, which has no jump at 0: alpha starts there, and its steps are small."""
    bent, moved = lt(alpha, 0.0), add(x, alpha)
    above = add(mul(square(x), _power_curve(where(bent, 0.0, mul(alpha, x)))), 1.0)
    w = where(bent, neg(mul(alpha, moved)), 0.0)
    below = add(mul(square(moved), _log_curve(w)), div(1.0, add(w, 1.0)))
    return where(bent, below, above)


soft_exponential: Any = activation(
    "soft_exponential",
    lambda x, alpha: where(
        lt(alpha, 0.0),
        div(alpha, square(_bent_below(x, alpha))),
        mul(alpha, exp(mul(alpha, x))),
    ),
    "alpha: Tensor",
    module="SoftExponential",
    learned={
        "alpha": (
            _soft_exponential_by_alpha,
            lambda x, alpha: where(
                lt(alpha, 0.0),
                div(add(x, mul(alpha, 2.0)), square(_bent_below(x, alpha))),
                mul(x, exp(mul(alpha, x))),
            ),
        )
    },
    samples=samples.given(
        *((((3, 4), np.array([a])), {}) for a in (0.7, -0.2, 0.02, -0.02)),
        (((2, 3), np.array([0.3, 0.5, 0.9])), {}),
    ),
    summary="Between logarithm, line and exponential, as alpha goes from negative to positive.",
    formula="(e^(alpha·x) - 1)/alpha + alpha if alpha > 0 else x if alpha == 0 else "
    "-ln(1 - alpha·(x + alpha))/alpha",
    derivative="e^(alpha·x) if alpha >= 0 else 1/(1 - alpha·(x + alpha))",
    range="(-∞, ∞)",
    ulp=4,
    ulp_derivative=4,
    sums=True,
    reference="Godfrey & Gashler 2015, A continuum among logarithmic, linear, and exponential "
    "functions, arXiv:1602.01321",
)
