"""Powers, roots, exponentials and logarithms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtensor import dtypes, kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import add, div, mul, neg, sub, zero
from microtensor.ops.arrays import Array, broadcast_shape, empty, operands
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq, ge, le, logical_and
from microtensor.ops.declare import declare, number, publish, refuse
from microtensor.ops.pointwise import (
    BOOL,
    EITHER_MAY_BE_NUMBER,
    ONE,
    TWO,
    binary,
    floating,
    unsupported,
)
from microtensor.ops.promotion import number_array, operand_array
from microtensor.tensor import Tensor

# ---- powers and roots ---------------------------------------------------------------------------


def _pow_forward(a: Any, b: Any) -> Array:
    a, b = operands(a, b)
    if a.dtype == BOOL:
        raise RuntimeError("pow: not defined for two bool tensors; convert with .int()")
    out = empty(broadcast_shape(a.shape, b.shape, "pow"), a.dtype)
    kernels.pow(a, b, out)
    return out


def _pow_base_rule(g: Any, input: Any, exponent: Any) -> Any:
    # At exponent 0 the derivative is 0 whatever the base, where x**(0-1) would be inf or NaN: the
    # exponent is replaced before, since a NaN behind a mask comes back in higher derivatives.
    constant = eq(exponent, 0)
    slope = mul(g, mul(exponent, pow(input, sub(where(constant, 1, exponent), 1))))
    return where(constant, 0.0, slope)


def _pow_exponent_rule(g: Any, input: Any, exponent: Any, y: Any) -> Any:
    # 0**b is 0 for all b > 0 (and the limit of y·log x at 0 is 0), where 0·log 0 would be NaN.
    flat = logical_and(eq(input, 0), ge(exponent, 0))
    return where(flat, 0.0, mul(g, mul(y, log(where(flat, 1.0, input)))))


_NUMBERS = (int, float, np.number, np.bool_)
_BASE_AND_EXPONENT = "input: Tensor | float, exponent: Tensor | float"

pow: Any = declare(
    "pow",
    _BASE_AND_EXPONENT,
    _pow_forward,
    rules={"input": _pow_base_rule, "exponent": _pow_exponent_rule},
    summary="Raise to a power, element by element.",
    formula="input ** exponent",
    integral=True,
    method="pow",
    inplace=True,
    samples=samples.pairs(positive_first=True),
)


def _pow_number_forward(x: Array, exponent: float) -> Array:
    out = empty(x.shape, x.dtype)
    if exponent == 2:
        kernels.square(x, out)
    else:
        kernels.pow(x, operand_array(exponent, x.dtype), out)
    return out


def _pow_number_rule(g: Any, x: Any, exponent: float) -> Any:
    # At exponent 0 the derivative is 0 whatever the base, where x**-1 would be inf.
    return mul(g, mul(pow_number(x, exponent - 1), exponent)) if exponent else zero(x)


pow_number: Any = declare(
    "pow_number",
    f"{ONE}, exponent: float",
    _pow_number_forward,
    rules={"input": _pow_number_rule},
    summary="Raise floating-point numbers to a power that is a number: pow()'s common case.",
    formula="x ** exponent",
    derivative="exponent·x ** (exponent - 1); 0 for exponent 0",
    namespaces=(),
    samples=samples.one(positive=True, exponent=-1.5),
)


@publish(_BASE_AND_EXPONENT, method="pow", name="pow", inplace=True)
def _pow(input: Any, exponent: Any) -> Any:
    """Raise to a power, element by element.

    Args:
        input: the base, a tensor or a number.
        exponent: a tensor or a number. Integers to negative powers in a tensor give what of the
            quotient is before the point.

    Raises:
        RuntimeError: an integer tensor to a negative integer number, two bool tensors.

    Example:
        >>> import microtensor as mt
        >>> mt.pow(mt.tensor([1.0, 2.0]), 3)
        tensor([1., 8.])
    """
    if isinstance(input, Tensor) and isinstance(exponent, _NUMBERS):
        if input._array.dtype.kind == "f":
            return pow_number.op.public(input, exponent)
        if isinstance(exponent, int):
            if exponent < 0:
                raise RuntimeError("pow: integers to negative integer powers are not allowed")
            number_array(exponent, input._array.dtype)
    return pow.op.public(input, exponent)


@publish(_BASE_AND_EXPONENT, method="float_power")
def float_power(input: Any, exponent: Any) -> Tensor:
    """Raise to a power in float64, whatever the dtypes."""
    if not isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        refuse("float_power", "input", input)
    wide = [
        value.to(dtypes.float64) if isinstance(value, Tensor) else value
        for value in (input, exponent)
    ]
    return pow.op.public(*wide)


@publish("input: Tensor, exponent: Tensor | float", namespaces=(), method="float_power_")
def float_power_(input: Tensor, exponent: Any) -> Tensor:
    """Raise to a power in place; only float64 can hold it.

    Raises:
        RuntimeError: a tensor of another dtype.
    """
    if input.dtype is not dtypes.float64:
        raise RuntimeError(
            f"float_power_: the base has dtype {input.dtype.name}, but the result float64"
        )
    return input.pow_(exponent)


sqrt: Any = declare(
    "sqrt",
    ONE,
    floating(kernels.sqrt),
    rules={"input": lambda g, y: div(g, mul(y, 2))},
    summary="Give the square root.",
    formula="√x",
    derivative="1/(2√x)",
    range="[0, ∞)",
    method="sqrt",
    inplace=True,
    samples=samples.one(positive=True),
)

rsqrt: Any = declare(
    "rsqrt",
    ONE,
    floating(kernels.rsqrt),
    rules={"input": lambda g, y: mul(mul(g, -0.5), mul(mul(y, y), y))},
    summary="Give one over the square root.",
    formula="1/√x",
    derivative="-1/(2 x√x)",
    range="(0, ∞)",
    method="rsqrt",
    inplace=True,
    samples=samples.one(positive=True),
)


def _floats_only(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind != "f":
        raise unsupported(name, dtype, "; convert with .float()")


hypot: Any = declare(
    "hypot",
    TWO,
    binary("hypot", kernels.hypot, check=_floats_only),
    rules={
        "input": lambda g, input, y: mul(g, div(input, y)),
        "other": lambda g, other, y: mul(g, div(other, y)),
    },
    summary="Give the length of the hypotenuse, without overflow on the way. The gradient at the "
    "origin is NaN.",
    formula="√(input² + other²)",
    range="[0, ∞)",
    method="hypot",
    inplace=True,
    samples=samples.pairs(),
)


# ---- exponentials -------------------------------------------------------------------------------


def _of_one(
    name: str, rule: Any, summary: str, formula: str, derivative: str, positive: bool = False
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
        samples=samples.one(positive=positive),
    )


exp: Any = _of_one("exp", lambda g, y: mul(g, y), "Raise e to the elements.", "eˣ", "eˣ")
exp2: Any = _of_one(
    "exp2", lambda g, y: mul(g, mul(y, math.log(2))), "Raise 2 to the elements.", "2ˣ", "2ˣ ln 2"
)
expm1: Any = _of_one(
    "expm1",
    lambda g, x: mul(g, exp(x)),
    "Give eˣ - 1, accurate where it is small.",
    "eˣ - 1",
    "eˣ",
)


# ---- logarithms ---------------------------------------------------------------------------------

log: Any = _of_one(
    "log", lambda g, x: div(g, x), "Give the natural logarithm.", "ln x", "1/x", positive=True
)
log2: Any = _of_one(
    "log2",
    lambda g, x: div(g, mul(x, math.log(2))),
    "Give the logarithm to base 2.",
    "ln x / ln 2",
    "1/(x ln 2)",
    positive=True,
)
log10: Any = _of_one(
    "log10",
    lambda g, x: div(g, mul(x, math.log(10))),
    "Give the logarithm to base 10.",
    "ln x / ln 10",
    "1/(x ln 10)",
    positive=True,
)
log1p: Any = _of_one(
    "log1p",
    lambda g, x: div(g, add(x, 1)),
    "Give the natural logarithm of 1 + x, accurate where x is small.",
    "ln(1 + x)",
    "1/(1 + x)",
    positive=True,
)


def _share(mine: Any, others: Any) -> Any:
    """Give 1 / (1 + e^(others - mine)), without overflow in its derivatives either."""
    return exp(neg(logaddexp(sub(others, mine), 0)))


def _share_of_two(mine: Any, others: Any) -> Any:
    """Give the same for powers of 2."""
    return exp2(neg(logaddexp2(sub(others, mine), 0)))


logaddexp: Any = declare(
    "logaddexp",
    TWO,
    binary("logaddexp", kernels.logaddexp, check=_floats_only),
    rules={
        "input": lambda g, input, other: mul(g, _share(input, other)),
        "other": lambda g, input, other: mul(g, _share(other, input)),
    },
    summary="Give the logarithm of a sum of exponentials, without overflow.",
    formula="ln(e^input + e^other)",
    method="logaddexp",
    samples=samples.pairs(),
)

logaddexp2: Any = declare(
    "logaddexp2",
    TWO,
    binary("logaddexp2", kernels.logaddexp2, check=_floats_only),
    rules={
        "input": lambda g, input, other: mul(g, _share_of_two(input, other)),
        "other": lambda g, input, other: mul(g, _share_of_two(other, input)),
    },
    summary="Give the logarithm to base 2 of a sum of powers of 2, without overflow.",
    formula="log₂(2^input + 2^other)",
    method="logaddexp2",
    samples=samples.pairs(),
)


def _xlogy_input_rule(g: Any, input: Any, other: Any) -> Any:
    # 0·log 0 is taken for 0, and so is its slope: there the logarithm never enters.
    nothing = logical_and(eq(input, 0), le(other, 0))
    return where(nothing, 0, mul(g, log(where(nothing, 1, other))))


xlogy: Any = declare(
    "xlogy",
    EITHER_MAY_BE_NUMBER,
    binary("xlogy", kernels.xlogy, floating=True),
    rules={
        "input": _xlogy_input_rule,
        "other": lambda g, input, other: div(mul(g, input), other),
    },
    summary="Multiply by a logarithm; 0 where the factor is 0, whatever the logarithm but NaN.",
    formula="input·ln other",
    method="xlogy",
    inplace=True,
    samples=samples.pairs(positive_second=True),
)


@publish(TWO, method="ldexp", inplace=True)
def ldexp(input: Any, other: Any) -> Tensor:
    """Multiply by a power of two: input·2^other.

    Args:
        input: a tensor.
        other: a tensor of exponents.
    """
    for name, value in (("input", input), ("other", other)):
        if not isinstance(value, Tensor):
            refuse("ldexp", name, value)
    two = number("ldexp", "base", 2.0, other)
    return mul.op.public(input, pow.op.public(two, other))
