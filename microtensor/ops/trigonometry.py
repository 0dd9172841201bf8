"""Trigonometric and hyperbolic functions and their inverses; tanh is among the activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import add, div, mul, neg, square, sub
from microtensor.ops.arrays import Array, empty
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq
from microtensor.ops.declare import declare
from microtensor.ops.pointwise import ONE, TWO, binary, floating
from microtensor.ops.powers import hypot, rsqrt
from microtensor.ops.promotion import to_float


def _declare(
    name: str, rule: Any, summary: str, formula: str, derivative: str, draw: Any = None
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
        samples=draw or samples.one(),
    )


def _cosine_of(y: Any) -> Any:
    """√((1 - y)(1 + y)), the other leg; as a reciprocal, exact near ±1."""
    return rsqrt(mul(sub(1, y), add(y, 1)))


sin: Any = _declare(
    "sin", lambda g, x: mul(g, cos(x)), "Give the sine of an angle in radians.", "sin x", "cos x"
)
cos: Any = _declare(
    "cos",
    lambda g, x: neg(mul(g, sin(x))),
    "Give the cosine of an angle in radians.",
    "cos x",
    "-sin x",
)
tan: Any = _declare(
    "tan",
    lambda g, y: mul(g, add(square(y), 1)),
    "Give the tangent of an angle in radians.",
    "tan x",
    "1 + tan² x",
    samples.within(-1.2, 1.2),
)
asin: Any = _declare(
    "asin",
    lambda g, x: mul(g, _cosine_of(x)),
    "Give the angle of a sine; NaN outside [-1, 1].",
    "arcsin x",
    "1/√(1 - x²)",
    samples.within(-0.9, 0.9),
)
acos: Any = _declare(
    "acos",
    lambda g, x: neg(mul(g, _cosine_of(x))),
    "Give the angle of a cosine; NaN outside [-1, 1].",
    "arccos x",
    "-1/√(1 - x²)",
    samples.within(-0.9, 0.9),
)
atan: Any = _declare(
    "atan",
    lambda g, x: div(g, add(square(x), 1)),
    "Give the angle of a tangent.",
    "arctan x",
    "1/(1 + x²)",
)
sinh: Any = _declare(
    "sinh", lambda g, x: mul(g, cosh(x)), "Give the hyperbolic sine.", "sinh x", "cosh x"
)
cosh: Any = _declare(
    "cosh", lambda g, x: mul(g, sinh(x)), "Give the hyperbolic cosine.", "cosh x", "sinh x"
)
asinh: Any = _declare(
    "asinh",
    lambda g, x: div(g, hypot(x, 1)),
    "Give the inverse of the hyperbolic sine.",
    "arsinh x",
    "1/√(x² + 1)",
)
acosh: Any = _declare(
    "acosh",
    # Two roots: their product, unlike the root of a product, does not overflow.
    lambda g, x: mul(g, mul(rsqrt(sub(x, 1)), rsqrt(add(x, 1)))),
    "Give the inverse of the hyperbolic cosine; NaN below 1.",
    "arcosh x",
    "1/√(x² - 1)",
    samples.within(1.3, 3.0),
)
atanh: Any = _declare(
    "atanh",
    lambda g, x: div(g, mul(sub(1, x), add(x, 1))),
    "Give the inverse of the hyperbolic tangent; ±inf at ±1, NaN outside.",
    "artanh x",
    "1/(1 - x²)",
    samples.within(-0.9, 0.9),
)


def _atan2_slope(g: Any, along: Any, input: Any, other: Any) -> Any:
    """Give along / (input² + other²), 0 at the origin; without overflow on the way."""
    length = hypot(input, other)
    length = where(eq(length, 0), 1, length)
    return mul(g, div(div(along, length), length))


atan2: Any = declare(
    "atan2",
    TWO,
    binary("atan2", kernels.atan2, floating=True),
    rules={
        "input": lambda g, input, other: _atan2_slope(g, other, input, other),
        "other": lambda g, input, other: _atan2_slope(g, neg(input), input, other),
    },
    summary="Give the angle of the point (other, input) from the first axis. The gradient at the "
    "origin is zero.",
    formula="the angle of (other, input) in (-π, π]",
    range="[-π, π]",
    method="atan2",
    inplace=True,
    samples=samples.pairs(positive_first=True, positive_second=True),
)


def _factor(name: str, factor: float, summary: str, formula: str) -> Any:
    def forward(x: Array) -> Array:
        x = to_float(x)
        out = empty(x.shape, x.dtype)
        kernels.mul(x, np.array(factor, x.dtype), out)
        return out

    return declare(
        name,
        ONE,
        forward,
        rules={"input": lambda g: mul(g, factor)},
        summary=summary,
        formula=formula,
        method=name,
        inplace=True,
        samples=samples.one(),
    )


deg2rad = _factor("deg2rad", math.pi / 180, "Turn degrees into radians.", "x·π/180")
rad2deg = _factor("rad2deg", 180 / math.pi, "Turn radians into degrees.", "x·180/π")
