"""What ops of single elements share: signatures, and how their forward functions are made.

A forward function promotes its operands, shapes the output and calls one kernel. Which dtypes it
takes, and what it does with others, is all in which these makers differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor.ops.arrays import Array, broadcast_shape, empty, operands
from microtensor.ops.promotion import to_float

BOOL = np.dtype(bool)

ONE = "input: Tensor"
TWO = "input: Tensor, other: Tensor"
SECOND_MAY_BE_NUMBER = "input: Tensor, other: Tensor | float"
EITHER_MAY_BE_NUMBER = "input: Tensor | float, other: Tensor | float"

Kernel = Callable[..., None]


def unsupported(name: str, dtype: np.dtype[Any], cure: str = "") -> RuntimeError:
    """Make the error for a dtype that an op is not defined for."""
    return RuntimeError(f"{name}: not defined for {dtype.name} tensors{cure}")


def refuse_bool(name: str, dtype: np.dtype[Any]) -> None:
    """Raise for bools."""
    if dtype == BOOL:
        raise unsupported(name, dtype, "; convert with .long()")


def binary(
    name: str,
    kernel: Kernel,
    floating: bool = False,
    check: Callable[[str, np.dtype[Any]], None] | None = None,
) -> Callable[..., Array]:
    """Make a forward of two operands in their common dtype.

    Args:
        name: for errors.
        kernel: of (a, b, out).
        floating: whether integers become floating-point numbers.
        check: raises for dtypes that are not legal; gets the common one.
    """

    def forward(a: Any, b: Any) -> Array:
        try:
            same = a.dtype is b.dtype
        except AttributeError:
            same = False
        if not same:
            a, b = operands(a, b)
        if floating and a.dtype.kind != "f":
            a, b = to_float(a), to_float(b)
        if check is not None:
            check(name, a.dtype)
        shape = a.shape
        if shape != b.shape:
            shape = broadcast_shape(shape, b.shape, name)
        out = empty(shape, a.dtype)
        kernel(a, b, out)
        return out

    return forward


def same_dtype(name: str, kernel: Kernel) -> Callable[[Array], Array]:
    """Make a forward of one operand that keeps the dtype and refuses bools."""

    def forward(x: Array) -> Array:
        if x.dtype == BOOL:
            refuse_bool(name, x.dtype)
        out = empty(x.shape, x.dtype)
        kernel(x, out)
        return out

    return forward


def floating(kernel: Kernel) -> Callable[..., Array]:
    """Make a forward of one operand, and parameters, that turns integers into floats."""

    def forward(x: Array, *parameters: Any) -> Array:
        if x.dtype.kind != "f":
            x = to_float(x)
        out = empty(x.shape, x.dtype)
        kernel(x, out, *parameters)
        return out

    return forward


def truth_of_one(kernel: Kernel) -> Callable[[Array], Array]:
    """Make a forward of one operand that gives bools."""

    def forward(x: Array) -> Array:
        out = empty(x.shape, BOOL)
        kernel(x, out)
        return out

    return forward


def truth_of_two(name: str, kernel: Kernel) -> Callable[..., Array]:
    """Make a forward of two operands that gives bools."""

    def forward(a: Any, b: Any) -> Array:
        a, b = operands(a, b)
        out = empty(broadcast_shape(a.shape, b.shape, name), BOOL)
        kernel(a, b, out)
        return out

    return forward
