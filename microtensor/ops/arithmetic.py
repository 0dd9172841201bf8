"""Arithmetic, with broadcasting and PyTorch's dtype promotion.

Comparisons are in comparison.py, powers and logarithms in powers.py, rounding and signs in
rounding.py, and so on: each file of this floor has one subject.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare, number, publish, refuse
from microtensor.ops.pointwise import (
    BOOL,
    EITHER_MAY_BE_NUMBER,
    ONE,
    SECOND_MAY_BE_NUMBER,
    Kernel,
    binary,
    floating,
    refuse_bool,
)
from microtensor.tensor import Tensor

_NO_BOOLS = "bools cannot be subtracted; use logical_xor, or ^"


def _without_bools(name: str, kernel: Kernel) -> Any:
    """Refuse bools on either side, where subtracting them means nothing."""
    forward = binary(name, kernel)

    def checked(a: Any, b: Any) -> Array:
        if getattr(a, "dtype", None) == BOOL or getattr(b, "dtype", None) == BOOL:
            raise RuntimeError(f"{name}: {_NO_BOOLS}")
        return forward(a, b)

    return checked


def _integer_division(name: str, kernel: Kernel) -> Any:
    """Refuse what has no answer among integers, where NumPy would give 0, and bools."""
    forward = binary(name, kernel, check=refuse_bool)

    def checked(a: Any, b: Any) -> Array:
        if all(getattr(v, "dtype", BOOL).kind != "f" and not isinstance(v, float) for v in (a, b)):
            if all(getattr(v, "dtype", None) == BOOL for v in (a, b)):
                refuse_bool(name, BOOL)
            if not np.all(b):
                raise RuntimeError(f"{name}: ZeroDivisionError: an integer divided by zero")
        return forward(a, b)

    return checked


def _zeros(x: Array) -> Array:
    return np.zeros(x.shape, x.dtype)


zero: Any = declare(
    "zero",
    ONE,
    _zeros,
    rules={"input": lambda g: zero(g)},
    summary="Give zeros of the same shape: the gradient of what is constant between steps.",
    namespaces=(),
    samples=samples.one(),
)

add: Any = declare(
    "add",
    EITHER_MAY_BE_NUMBER,
    binary("add", kernels.add),
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
    EITHER_MAY_BE_NUMBER,
    _without_bools("sub", kernels.sub),
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
    EITHER_MAY_BE_NUMBER,
    binary("mul", kernels.mul),
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
    EITHER_MAY_BE_NUMBER,
    binary("div", kernels.div, floating=True),
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

_STEPS = {"input": lambda g: zero(g), "other": lambda g: zero(g)}

floor_divide: Any = declare(
    "floor_divide",
    EITHER_MAY_BE_NUMBER,
    _integer_division("floor_divide", kernels.floor_divide),
    rules=_STEPS,
    summary="Divide and round down. The gradient is zero.",
    formula="floor(input / other)",
    integral=True,
    method="floor_divide",
    inplace=True,
    samples=samples.pairs(positive_second=True, apart=True),
)

div_trunc: Any = declare(
    "div_trunc",
    EITHER_MAY_BE_NUMBER,
    _integer_division("div", kernels.div_trunc),
    rules=_STEPS,
    summary="Divide and round towards zero. The gradient is zero.",
    formula="trunc(input / other)",
    integral=True,
    namespaces=(),
    samples=samples.pairs(positive_second=True, apart=True),
)

remainder: Any = declare(
    "remainder",
    EITHER_MAY_BE_NUMBER,
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

fmod: Any = declare(
    "fmod",
    SECOND_MAY_BE_NUMBER,
    _integer_division("fmod", kernels.fmod),
    rules={
        "input": lambda g: g,
        "other": lambda g, input, other: neg(mul(g, div_trunc(input, other))),
    },
    summary="Give the remainder with the dividend's sign, as C's fmod.",
    formula="input - trunc(input / other) * other",
    integral=True,
    method="fmod",
    inplace=True,
    samples=samples.pairs(positive_second=True, apart=True),
)


# ---- one input ----------------------------------------------------------------------------------


def _neg_forward(x: Array) -> Array:
    if x.dtype == BOOL:
        raise RuntimeError("neg: bool tensors cannot be negated; use logical_not, or ~")
    out = empty(x.shape, x.dtype)
    kernels.neg(x, out)
    return out


neg: Any = declare(
    "neg",
    ONE,
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


def _square_forward(x: Array) -> Array:
    if x.dtype == BOOL:  # as every power of an integer kind
        x = x.astype(np.int64)
    out = empty(x.shape, x.dtype)
    kernels.square(x, out)
    return out


square: Any = declare(
    "square",
    ONE,
    _square_forward,
    rules={"input": lambda g, x: mul(g, mul(x, 2))},
    summary="Square.",
    formula="x²",
    derivative="2x",
    integral=True,
    method="square",
    inplace=True,
    samples=samples.one(),
)

reciprocal: Any = declare(
    "reciprocal",
    ONE,
    floating(kernels.reciprocal),
    rules={"input": lambda g, y: neg(mul(g, square(y)))},
    summary="Give one over the elements.",
    formula="1/x",
    derivative="-1/x²",
    method="reciprocal",
    inplace=True,
    samples=samples.one(positive=True),
)


# ---- what users call differently from rules -----------------------------------------------------


def _check_alpha(name: str, input: Any, other: Any, alpha: Any) -> None:
    if not isinstance(alpha, int | float | np.number | np.bool_):
        raise TypeError(f"{name}(): argument 'alpha' must be a number, not {type(alpha).__name__}")
    kinds = {t._array.dtype.kind for t in (input, other) if isinstance(t, Tensor)}
    kinds |= {"f" for v in (input, other) if isinstance(v, float)}
    if isinstance(alpha, bool | np.bool_) and kinds != {"b"}:
        raise RuntimeError(f"{name}: a bool alpha is only for bool tensors")
    if isinstance(alpha, float | np.floating) and "f" not in kinds:
        raise RuntimeError(f"{name}: among integers alpha must not be a floating-point number")


def _scaled(name: str, op: Any) -> Any:
    def function(input: Any, other: Any, *, alpha: float = 1) -> Any:
        if alpha != 1 or alpha is True:
            _check_alpha(name, input, other, alpha)
            if not isinstance(other, Tensor):
                other = other * alpha
            elif other._array.dtype != BOOL:
                other = mul.op.public(other, alpha)
            elif not alpha or getattr(getattr(input, "_array", None), "dtype", BOOL) != BOOL:
                other = mul.op.public(other.to(input.dtype), alpha)
        if other.__class__ is bool and name == "sub":
            raise RuntimeError(f"sub: {_NO_BOOLS}")
        return op(input, other)

    function.__name__ = op.__name__
    function.__doc__ = op.__doc__
    return function


for _op in (add, sub):
    publish(
        f"{EITHER_MAY_BE_NUMBER}, *, alpha: float = 1",
        method=_op.op.name,
        name=_op.op.name,
        inplace=True,
    )(_scaled(_op.op.name, _op.op.public))


@publish(f"{SECOND_MAY_BE_NUMBER}, *, alpha: float = 1")
def rsub(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """Subtract a multiple of a tensor from another or from a number: other - alpha·input."""
    if not isinstance(input, Tensor):
        refuse("rsub", "input", input)
    if not isinstance(other, Tensor):
        other = number("rsub", "other", other, input)
    return other.sub(input, alpha=alpha)


@publish(
    f"{EITHER_MAY_BE_NUMBER}, *, rounding_mode: str | None = None",
    method="div",
    name="div",
    inplace=True,
)
def _div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Divide element by element.

    Args:
        input: the dividend, a tensor or a number.
        other: the divisor, a tensor or a number.
        rounding_mode: None for true division (integers give floating-point quotients), "floor"
            to round down; "trunc" to round towards zero.

    Raises:
        RuntimeError: another rounding mode, or a rounded division of an integer by zero.
    """
    if rounding_mode is None:
        return div.op.public(input, other)
    if rounding_mode == "floor":
        return floor_divide.op.public(input, other)
    if rounding_mode == "trunc":
        return div_trunc.op.public(input, other)
    if not isinstance(rounding_mode, str):
        raise TypeError(
            f"div(): argument 'rounding_mode' must be str or None, not "
            f"{type(rounding_mode).__name__}"
        )
    raise RuntimeError(
        f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
        f"'{rounding_mode}'"
    )


@publish(ONE, method="positive")
def positive(input: Any) -> Tensor:
    """Give the tensor itself.

    Raises:
        RuntimeError: a bool tensor.
    """
    if not isinstance(input, Tensor):
        refuse("positive", "input", input)
    refuse_bool("positive", input._array.dtype)
    return input
