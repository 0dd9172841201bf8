"""Arithmetic, comparisons and logic, with broadcasting and PyTorch's dtype promotion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, broadcast_shape, empty, operands
from microtensor.ops.declare import declare, publish
from microtensor.ops.promotion import to_float

_BOOL = np.dtype(bool)


def _binary_forward(name: str, kernel: Callable[..., None], floating: bool = False) -> Any:
    def forward(a: Any, b: Any) -> Array:
        try:
            same = a.dtype is b.dtype
        except AttributeError:
            same = False
        if not same:
            a, b = operands(a, b)
        if floating and a.dtype.kind != "f":
            a, b = to_float(a), to_float(b)
        shape = a.shape
        if shape != b.shape:
            shape = broadcast_shape(shape, b.shape, name)
        out = empty(shape, a.dtype)
        kernel(a, b, out)
        return out

    return forward


def _integral(forward: Any, name: str) -> Any:
    """Refuse bools, as PyTorch does where subtraction and negation of them mean nothing."""

    def checked(a: Any, b: Any) -> Array:
        if getattr(a, "dtype", None) == _BOOL and getattr(b, "dtype", None) == _BOOL:
            raise RuntimeError(f"{name}: bool tensors cannot be subtracted; use logical_xor, or ^")
        result: Array = forward(a, b)
        return result

    return checked


def _integer_division(name: str, kernel: Callable[..., None]) -> Any:
    """Refuse what has no answer among integers, where NumPy would give 0, and bools."""
    forward = _binary_forward(name, kernel)

    def checked(a: Any, b: Any) -> Array:
        if all(getattr(v, "dtype", _BOOL).kind != "f" and not isinstance(v, float) for v in (a, b)):
            if all(getattr(v, "dtype", None) == _BOOL for v in (a, b)):
                raise RuntimeError(f"{name}: not defined for bool tensors; convert with .long()")
            if not np.all(b):
                raise RuntimeError(f"{name}: ZeroDivisionError: an integer divided by zero")
        result: Array = forward(a, b)
        return result

    return checked


_PAIR = "input: Tensor, other: Tensor | float"

add: Any = declare(
    "add",
    _PAIR,
    _binary_forward("add", kernels.add),
    rules={"input": lambda g: g, "other": lambda g: g},
    summary="Add two tensors, or a number to a tensor.",
    formula="input + other",
    integral=True,
    method="add",
    inplace=True,
    samples=samples.pairs(),
)

sub: Any = declare(
    "sub",
    _PAIR,
    _integral(_binary_forward("sub", kernels.sub), "sub"),
    rules={"input": lambda g: g, "other": lambda g: neg(g)},
    summary="Subtract a tensor or a number from a tensor.",
    formula="input - other",
    integral=True,
    method="sub",
    inplace=True,
    samples=samples.pairs(),
)

mul: Any = declare(
    "mul",
    _PAIR,
    _binary_forward("mul", kernels.mul),
    rules={"input": lambda g, other: mul(g, other), "other": lambda g, input: mul(g, input)},
    summary="Multiply two tensors element by element, or a tensor by a number.",
    formula="input * other",
    integral=True,
    method="mul",
    inplace=True,
    samples=samples.pairs(),
)

div: Any = declare(
    "div",
    _PAIR,
    _binary_forward("div", kernels.div, floating=True),
    rules={
        "input": lambda g, other: div(g, other),
        "other": lambda g, input, other: neg(div(mul(g, div(input, other)), other)),
    },
    summary="Divide element by element; integers give floating-point quotients.",
    formula="input / other",
    method="div",
    inplace=True,
    samples=samples.pairs(positive_second=True),
)


def _pow_forward(a: Any, b: Any) -> Array:
    a, b = operands(a, b)
    if a.dtype == _BOOL:
        raise RuntimeError("pow: not defined for two bool tensors; convert with .int()")
    if a.dtype.kind in "iu" and b.size and b.min() < 0:
        raise RuntimeError("pow: integers to negative integer powers are not allowed")
    out = empty(broadcast_shape(a.shape, b.shape, "pow"), a.dtype)
    kernels.pow(a, b, out)
    return out


def _pow_base_rule(g: Any, input: Any, other: Any) -> Any:
    # At exponent 0 the derivative is 0 whatever the base, where x**(0-1) would be inf or NaN: the
    # exponent is replaced before, since a NaN behind a mask comes back in higher derivatives.
    constant = eq(other, 0)
    slope = mul(g, mul(other, pow(input, sub(where(constant, 1, other), 1))))
    return where(constant, 0.0, slope)


def _pow_exponent_rule(g: Any, input: Any, other: Any, y: Any) -> Any:
    # 0**b is 0 for all b > 0 (and the limit of y·log x at 0 is 0), where 0·log 0 would be NaN.
    flat = logical_and(eq(input, 0), ge(other, 0))
    return where(flat, 0.0, mul(g, mul(y, log(where(flat, 1.0, input)))))


pow: Any = declare(
    "pow",
    _PAIR,
    _pow_forward,
    rules={"input": _pow_base_rule, "other": _pow_exponent_rule},
    summary="Raise to a power, element by element.",
    formula="input ** other",
    integral=True,
    method="pow",
    inplace=True,
    samples=samples.pairs(positive_first=True),
)

floor_divide: Any = declare(
    "floor_divide",
    _PAIR,
    _integer_division("floor_divide", kernels.floor_divide),
    summary="Divide and round down.",
    formula="floor(input / other)",
    integral=True,
    method="floor_divide",
    inplace=True,
    samples=samples.pairs(positive_second=True),
)

remainder: Any = declare(
    "remainder",
    _PAIR,
    _integer_division("remainder", kernels.remainder),
    rules={
        "input": lambda g: g,
        "other": lambda g, input, other: neg(mul(g, floor_divide(input, other))),
    },
    summary="Give the remainder with the divisor's sign, as Python's %.",
    formula="input - floor(input / other) * other",
    integral=True,
    method="remainder",
    inplace=True,
    samples=samples.pairs(positive_second=True, apart=True),
)


# ---- comparisons and logic ----------------------------------------------------------------------


def _compare(name: str, kernel: Callable[..., None], summary: str) -> Any:
    def forward(a: Any, b: Any) -> Array:
        a, b = operands(a, b)
        out = empty(broadcast_shape(a.shape, b.shape, name), _BOOL)
        kernel(a, b, out)
        return out

    return declare(name, _PAIR, forward, summary=summary, integral=True, method=name)


eq = _compare("eq", kernels.eq, "Compare: equal. Gives bools; NaN equals nothing.")
ne = _compare("ne", kernels.ne, "Compare: not equal. Gives bools.")
lt = _compare("lt", kernels.lt, "Compare: less than. Gives bools.")
le = _compare("le", kernels.le, "Compare: less than or equal. Gives bools.")
gt = _compare("gt", kernels.gt, "Compare: greater than. Gives bools.")
ge = _compare("ge", kernels.ge, "Compare: greater than or equal. Gives bools.")
logical_and = _compare("logical_and", kernels.logical_and, "Say where both are true (nonzero).")
logical_or = _compare("logical_or", kernels.logical_or, "Say where either is true (nonzero).")
logical_xor = _compare("logical_xor", kernels.logical_xor, "Say where just one is true (nonzero).")


def _unary_test(name: str, kernel: Callable[..., None], summary: str) -> Any:
    def forward(x: Array) -> Array:
        out = empty(x.shape, _BOOL)
        kernel(x, out)
        return out

    return declare(name, "input: Tensor", forward, summary=summary, method=name)


isnan = _unary_test("isnan", kernels.isnan, "Say which elements are NaN.")
isinf = _unary_test("isinf", kernels.isinf, "Say which elements are infinite.")
isfinite = _unary_test("isfinite", kernels.isfinite, "Say which elements are neither NaN nor inf.")
logical_not = _unary_test("logical_not", kernels.logical_not, "Say which elements are zero.")


def _bitwise(name: str, kernel: Callable[..., None], summary: str) -> Any:
    forward = _binary_forward(name, kernel)

    def checked(a: Any, b: Any) -> Array:
        for value in (a, b):
            if getattr(value, "dtype", np.dtype(int)).kind == "f" or isinstance(value, float):
                raise RuntimeError(f"{name}: not defined for floating-point tensors")
        result: Array = forward(a, b)
        return result

    return declare(name, _PAIR, checked, summary=summary, integral=True, method=name, inplace=True)


bitwise_and = _bitwise("bitwise_and", kernels.bitwise_and, "Combine bits: and.")
bitwise_or = _bitwise("bitwise_or", kernels.bitwise_or, "Combine bits: or.")
bitwise_xor = _bitwise("bitwise_xor", kernels.bitwise_xor, "Combine bits: exclusive or.")


def _bitwise_not_forward(x: Array) -> Array:
    if x.dtype.kind == "f":
        raise TypeError("bitwise_not: not defined for floating-point tensors")
    out = empty(x.shape, x.dtype)
    kernels.bitwise_not(x, out)
    return out


bitwise_not: Any = declare(
    "bitwise_not",
    "input: Tensor",
    _bitwise_not_forward,
    summary="Invert the bits; bools turn into their opposites.",
    integral=True,
    method="bitwise_not",
)


# ---- one input ----------------------------------------------------------------------------------


def _same_dtype(name: str, kernel: Callable[..., None]) -> Any:
    def forward(x: Array) -> Array:
        if x.dtype == _BOOL:
            raise RuntimeError(f"{name}: not defined for bool tensors; convert with .long()")
        out = empty(x.shape, x.dtype)
        kernel(x, out)
        return out

    return forward


def _floating(kernel: Callable[..., None]) -> Any:
    def forward(x: Array) -> Array:
        if x.dtype.kind != "f":
            x = to_float(x)
        out = empty(x.shape, x.dtype)
        kernel(x, out)
        return out

    return forward


_ONE = "input: Tensor"


def _neg_forward(x: Array) -> Array:
    if x.dtype == _BOOL:
        raise RuntimeError("neg: bool tensors cannot be negated; use logical_not, or ~")
    out = empty(x.shape, x.dtype)
    kernels.neg(x, out)
    return out


neg: Any = declare(
    "neg",
    _ONE,
    _neg_forward,
    rules={"input": lambda g: neg(g)},
    summary="Change the sign.",
    formula="-x",
    derivative="-1",
    integral=True,
    method="neg",
    inplace=True,
    samples=samples.one(),
)

sign: Any = declare(
    "sign",
    _ONE,
    _same_dtype("sign", kernels.sign),
    rules={"input": lambda g: mul(g, 0.0)},
    summary="Give the sign: -1, 0 or 1. The gradient is zero.",
    formula="sign x",
    derivative="0",
    integral=True,
    method="sign",
    kinks=(0.0,),
    samples=samples.one(avoid=(0.0,)),
)

abs: Any = declare(
    "abs",
    _ONE,
    _same_dtype("abs", kernels.abs),
    rules={"input": lambda g, x: mul(g, sign(x))},
    summary="Give the absolute value.",
    formula="|x|",
    derivative="sign x; 0 at 0",
    integral=True,
    method="abs",
    inplace=True,
    kinks=(0.0,),
    samples=samples.one(avoid=(0.0,)),
)

square: Any = declare(
    "square",
    _ONE,
    _same_dtype("square", kernels.square),
    rules={"input": lambda g, x: mul(g, mul(x, 2))},
    summary="Square.",
    formula="x²",
    derivative="2x",
    integral=True,
    method="square",
    inplace=True,
    samples=samples.one(),
)

exp: Any = declare(
    "exp",
    _ONE,
    _floating(kernels.exp),
    rules={"input": lambda g, y: mul(g, y)},
    summary="Raise e to the elements.",
    formula="eˣ",
    derivative="eˣ",
    range="(0, ∞)",
    method="exp",
    inplace=True,
    samples=samples.one(),
)

log: Any = declare(
    "log",
    _ONE,
    _floating(kernels.log),
    rules={"input": lambda g, x: div(g, x)},
    summary="Give the natural logarithm.",
    formula="ln x",
    derivative="1/x",
    method="log",
    inplace=True,
    samples=samples.one(positive=True),
)

sqrt: Any = declare(
    "sqrt",
    _ONE,
    _floating(kernels.sqrt),
    rules={"input": lambda g, y: div(g, mul(y, 2))},
    summary="Give the square root.",
    formula="√x",
    derivative="1/(2√x)",
    range="[0, ∞)",
    method="sqrt",
    inplace=True,
    samples=samples.one(positive=True),
)

reciprocal: Any = declare(
    "reciprocal",
    _ONE,
    _floating(kernels.reciprocal),
    rules={"input": lambda g, y: neg(mul(g, square(y)))},
    summary="Give one over the elements.",
    formula="1/x",
    derivative="-1/x²",
    method="reciprocal",
    inplace=True,
    samples=samples.one(positive=True),
)

sin: Any = declare(
    "sin",
    _ONE,
    _floating(kernels.sin),
    rules={"input": lambda g, x: mul(g, cos(x))},
    summary="Give the sine of an angle in radians.",
    formula="sin x",
    derivative="cos x",
    method="sin",
    inplace=True,
    samples=samples.one(),
)

cos: Any = declare(
    "cos",
    _ONE,
    _floating(kernels.cos),
    rules={"input": lambda g, x: neg(mul(g, sin(x)))},
    summary="Give the cosine of an angle in radians.",
    formula="cos x",
    derivative="-sin x",
    method="cos",
    inplace=True,
    samples=samples.one(),
)


# ---- choosing -----------------------------------------------------------------------------------


def _extremum(name: str, kernel: Callable[..., None], wins: Any, word: str) -> Any:
    def share(g: Any, mine: Any, others: Any) -> Any:
        # Equal elements share the gradient, as PyTorch has it.
        return mul(g, where(eq(mine, others), 0.5, where(wins(mine, others), 1.0, 0.0)))

    return declare(
        name,
        "input: Tensor, other: Tensor",
        _binary_forward(name, kernel),
        rules={
            "input": lambda g, input, other: share(g, input, other),
            "other": lambda g, input, other: share(g, other, input),
        },
        summary=f"Give the {word} of two, element by element; NaN if either is. Equal elements "
        "share the gradient.",
        integral=True,
        method=name,
        samples=samples.pairs(),
    )


maximum = _extremum("maximum", kernels.maximum, lambda a, b: gt(a, b), "larger")
minimum = _extremum("minimum", kernels.minimum, lambda a, b: lt(a, b), "smaller")


def _where_forward(condition: Array, a: Any, b: Any) -> Array:
    if condition.dtype != _BOOL:
        raise RuntimeError(
            f"where: the condition must be a bool tensor, not {condition.dtype.name}"
        )
    if not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray):
        a = np.array(a, np.float32)
    a, b = operands(a, b)
    shape = broadcast_shape(a.shape, b.shape, "where")
    out = empty(broadcast_shape(condition.shape, shape, "where"), a.dtype)
    kernels.where(condition, a, b, out)
    return out


# Rules meet where() with numbers for a branch; in the dtype of what they are multiplied with.
def where(condition: Any, input: Any, other: Any) -> Any:
    """Choose within rules: either branch may be a number beside the other's dtype."""
    return _where(condition, input, other)


_where: Any = declare(
    "where",
    "condition: Tensor, input: Tensor | float, other: Tensor | float",
    _where_forward,
    rules={
        "input": lambda g, condition: where(condition, g, 0),
        "other": lambda g, condition: where(condition, 0, g),
    },
    summary="Choose from input where the condition is true, from other elsewhere.",
    integral=True,
    samples=samples.choices(),
)


def _clamp_forward(x: Array, min: Any, max: Any) -> Array:
    if min is None and max is None:
        raise RuntimeError("clamp: at least one of 'min' or 'max' must not be None")
    for bound in (min, max):
        if bound is not None and not isinstance(bound, int | float | np.number):
            raise TypeError(f"clamp(): bounds must be numbers, not {type(bound).__name__}")
    dtype = x.dtype
    if dtype.kind != "f" and any(isinstance(v, float) for v in (min, max)):
        x = to_float(x)
        dtype = x.dtype
    out = empty(x.shape, dtype)
    kernels.clamp(x, min, max, out)
    return out


def _clamp_rule(g: Any, x: Any, min: Any, max: Any) -> Any:
    inside = ge(x, min) if min is not None else le(x, max)
    if min is not None and max is not None:
        inside = logical_and(inside, le(x, max))
    return where(inside, g, 0)


clamp: Any = declare(
    "clamp",
    "input: Tensor, min: float | None = None, max: float | None = None",
    _clamp_forward,
    rules={"input": _clamp_rule},
    summary="Hold the elements between two bounds; the gradient passes inside and at the bounds.",
    formula="min(max(x, min), max)",
    integral=True,
    method="clamp",
    inplace=True,
    samples=samples.one(min=-0.7, max=0.8, avoid=(-0.7, 0.8)),
)


# ---- what users call differently from rules -----------------------------------------------------


def _scaled(op: Any) -> Any:
    def function(input: Any, other: Any, *, alpha: float = 1) -> Any:
        return op(input, other if alpha == 1 else other * alpha)

    function.__name__ = op.__name__
    function.__doc__ = op.__doc__
    return function


for _op in (add, sub):
    publish(
        f"{_PAIR}, *, alpha: float = 1",
        method=_op.op.name,
        name=_op.op.name,
        inplace=True,
    )(_scaled(_op.op.public))


@publish(
    "input: Tensor, other: Tensor | float, *, rounding_mode: str | None = None",
    method="div",
    name="div",
)
def _div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Divide element by element.

    Args:
        input: the dividend.
        other: the divisor, a tensor or a number.
        rounding_mode: None for true division (integers give floating-point quotients), "floor"
            to round down; "trunc" to round towards zero.

    Raises:
        RuntimeError: another rounding mode.
    """
    if rounding_mode is None:
        return div.op.public(input, other)
    if rounding_mode == "floor":
        return floor_divide.op.public(input, other)
    if rounding_mode == "trunc":
        quotient = floor_divide.op.public(abs.op.public(input), _size(other))
        return quotient * (sign.op.public(input) * _sign(other))
    raise RuntimeError(
        f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
        f"'{rounding_mode}'"
    )


def _size(other: Any) -> Any:
    return abs.op.public(other) if hasattr(other, "_array") else np.abs(other).item()


def _sign(other: Any) -> Any:
    return sign.op.public(other) if hasattr(other, "_array") else np.sign(other).item()
