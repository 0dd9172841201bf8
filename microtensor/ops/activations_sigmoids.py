"""Sigmoids, and the waves: smooth activations that are bounded."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtensor.ops import samples
from microtensor.ops.activation_record import INFINITY, activation
from microtensor.ops.arithmetic import add, div, mul, neg, square, sub
from microtensor.ops.bounds import clamp
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq
from microtensor.ops.declare import publish
from microtensor.ops.powers import exp
from microtensor.ops.rounding import abs, sign
from microtensor.ops.special import _sinc_derivative
from microtensor.ops.special import sinc as normalized_sinc
from microtensor.ops.trigonometry import cos, sin
from microtensor.tensor import Tensor

# ---- sigmoids -----------------------------------------------------------------------------------

sigmoid: Any = activation(
    "sigmoid",
    lambda y: sub(1.0, mul(y, 2.0)),
    saves="y",
    module="Sigmoid",
    method="sigmoid",
    namespaces=("mt", "nn.functional"),
    inplace=True,
    summary="The logistic function.",
    formula="1/(1 + e⁻ˣ)",
    derivative="y·(1 - y)",
    range="(0, 1)",
    limits=(0.0, 1.0),
    slopes=(0.0, 0.0),
    ulp=4,
    ulp_derivative=2,
)

tanh: Any = activation(
    "tanh",
    lambda y: mul(y, -2.0),
    saves="y",
    module="Tanh",
    method="tanh",
    namespaces=("mt", "nn.functional"),
    inplace=True,
    summary="The hyperbolic tangent.",
    formula="tanh(x)",
    derivative="(1 - y)·(1 + y)",
    range="(-1, 1)",
    limits=(-1.0, 1.0),
    slopes=(0.0, 0.0),
    ulp=4,
    ulp_derivative=2,
)


def _tanh_slope(x: Any, height: float, rate: float) -> Any:
    """The second derivative of height·tanh(rate·x)."""
    t = tanh(mul(x, rate))
    return mul(mul(t, sub(1.0, square(t))), -2.0 * height * rate * rate)


lecun_tanh: Any = activation(
    "lecun_tanh",
    lambda x: _tanh_slope(x, 1.7159, 2.0 / 3.0),
    module="LeCunTanh",
    summary="A hyperbolic tangent with f(±1) = ±1, where its second derivative is largest.",
    formula="1.7159·tanh(2·x/3)",
    derivative="1.7159·2/3·(1 - tanh(2·x/3)²)",
    range="(-1.7159, 1.7159)",
    limits=(-1.7159, 1.7159),
    slopes=(0.0, 0.0),
    ulp=4,
    ulp_derivative=5,
    reference="LeCun, Bottou, Orr & Müller 1998, Efficient backprop",
)

symmetrical_sigmoid: Any = activation(
    "symmetrical_sigmoid",
    lambda x: _tanh_slope(x, 1.0, 0.5),
    module="SymmetricalSigmoid",
    summary="The logistic function, stretched to (-1, 1).",
    formula="tanh(x/2)",
    derivative="(1 - tanh(x/2)²)/2",
    range="(-1, 1)",
    limits=(-1.0, 1.0),
    slopes=(0.0, 0.0),
    ulp=4,
    ulp_derivative=5,
)

softsign: Any = activation(
    "softsign",
    lambda x: div(mul(sign(x), -2.0), mul(add(abs(x), 1.0), square(add(abs(x), 1.0)))),
    module="Softsign",
    summary="A sigmoid with slow, polynomial tails.",
    formula="x/(1 + abs(x))",
    derivative="1/(1 + abs(x))²",
    range="(-1, 1)",
    limits=(-1.0, 1.0),
    slopes=(0.0, 0.0),
    ulp=2,
    ulp_derivative=4,
    reference="Turian, Bergstra & Bengio 2009, Quadratic features and deep architectures",
)

arctan: Any = activation(
    "arctan",
    lambda x: div(mul(x, -2.0), square(add(square(x), 1.0))),
    module="ArcTan",
    summary="The angle whose tangent is x.",
    formula="arctan(x)",
    derivative="1/(1 + x²)",
    range="(-π/2, π/2)",
    limits=(-math.pi / 2, math.pi / 2),
    slopes=(0.0, 0.0),
    ulp=2,
    ulp_derivative=4,
)


def _log_log_slope(x: Any) -> Any:
    u = exp(clamp(x, max=8.0))
    return mul(mul(u, exp(neg(u))), sub(1.0, u))


log_log: Any = activation(
    "log_log",
    _log_log_slope,
    module="LogLog",
    summary="The complementary log-log: a sigmoid that saturates sooner on the right.",
    formula="1 - e^(-eˣ)",
    derivative="e^(x - eˣ)",
    range="(0, 1)",
    limits=(0.0, 1.0),
    slopes=(0.0, 0.0),
    ulp=4,
    ulp_derivative=8,
    reference="Gomes, Ludermir & Lima 2011, Comparison of new activation functions",
)

# ---- waves --------------------------------------------------------------------------------------

sinusoid: Any = activation(
    "sinusoid",
    lambda x: neg(sin(x)),
    module="Sinusoid",
    summary="A wave.",
    formula="sin(x)",
    derivative="cos(x)",
    range="[-1, 1]",
    limits=(math.nan, math.nan),
    ulp=2,
    ulp_derivative=2,
)

cosine: Any = activation(
    "cosine",
    lambda x: neg(cos(x)),
    module="Cosine",
    summary="A wave, even about zero.",
    formula="cos(x)",
    derivative="-sin(x)",
    range="[-1, 1]",
    limits=(math.nan, math.nan),
    ulp=2,
    ulp_derivative=2,
)

unnormalized_sinc: Any = activation(
    "unnormalized_sinc",
    lambda x: mul(_sinc_derivative(mul(x, 1.0 / math.pi), 2), 1.0 / math.pi**2),
    key="sinc",
    module="Sinc",
    namespaces=(),
    summary="The cardinal sine, not normalised.",
    formula="1 if x == 0 else sin(x)/x",
    derivative="0 if x == 0 else cos(x)/x - sin(x)/x²",
    range="[-0.21723, 1]",
    limits=(0.0, 0.0),
    slopes=(0.0, 0.0),
    ulp=2.5,
    ulp_derivative=4,
    sums=True,
)


@publish("input: Tensor, normalized: bool = False", namespaces=("nn.functional",))
def sinc(input: Tensor, normalized: bool = False) -> Tensor:
    """The cardinal sine: sin x / x, 1 at 0.

    Args:
        input: a floating-point tensor.
        normalized: sin(πx) / (πx) instead, which is what ``mt.sinc`` gives.
    """
    return normalized_sinc.op.public(input) if normalized else unnormalized_sinc.op.public(input)


def never_zero(value: Any) -> Any:
    """Give 1 for 0, to divide by what a choice afterwards leaves out."""
    return where(eq(value, 0.0), 1.0, value)


snake: Any = activation(
    "snake",
    lambda x, a: mul(mul(cos(mul(mul(a, x), 2.0)), a), 2.0),
    "a: Tensor",
    module="Snake",
    learned={
        "a": (
            lambda x, a: where(
                eq(a, 0.0),
                square(x),
                sub(
                    div(mul(x, sin(mul(mul(a, x), 2.0))), never_zero(a)),
                    square(div(sin(mul(a, x)), never_zero(a))),
                ),
            ),
            lambda x, a: mul(mul(x, cos(mul(mul(a, x), 2.0))), 2.0),
        )
    },
    samples=samples.given(
        (((3, 4), np.array([0.8])), {}), (((2, 3), np.array([0.5, 1.0, 2.0])), {})
    ),
    summary="A line with waves of a learned frequency, for what is periodic.",
    formula="x if a == 0 else x + sin(a·x)²/a",
    derivative="1 + sin(2·a·x)",
    range="(-∞, ∞)",
    limits=(-INFINITY, INFINITY),
    ulp=4,
    ulp_derivative=4,
    sums=True,
    reference="Liu, Hartwig & Ueda 2020, Neural networks fail to learn periodic functions and how "
    "to fix it, arXiv:2006.08195",
)
