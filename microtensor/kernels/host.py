"""Kernels that NumPy runs on either backend: arrays in, an explicit ``out``.

They have no C body (yet), so there is one of each, not two twins. NumPy's floating-point warnings
are silenced as in every kernel: a division by zero gives inf, as the hardware says.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _quiet(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> None:
        with np.errstate(all="ignore"):
            function(*arguments)

    return wrapper


def _binary(ufunc: Any) -> Callable[[Array, Array, Array], None]:
    def kernel(a: Array, b: Array, out: Array) -> None:
        with np.errstate(all="ignore"):
            ufunc(a, b, out=out)

    kernel.__name__ = ufunc.__name__
    return kernel


def _unary(ufunc: Any) -> Callable[[Array, Array], None]:
    def kernel(x: Array, out: Array) -> None:
        with np.errstate(all="ignore"):
            ufunc(x, out)

    kernel.__name__ = ufunc.__name__
    return kernel


add = _binary(np.add)
sub = _binary(np.subtract)
mul = _binary(np.multiply)
div = _binary(np.true_divide)
floor_divide = _binary(np.floor_divide)
remainder = _binary(np.remainder)
pow = _binary(np.power)
maximum = _binary(np.maximum)
minimum = _binary(np.minimum)
eq = _binary(np.equal)
ne = _binary(np.not_equal)
lt = _binary(np.less)
le = _binary(np.less_equal)
gt = _binary(np.greater)
ge = _binary(np.greater_equal)
logical_and = _binary(np.logical_and)
logical_or = _binary(np.logical_or)
logical_xor = _binary(np.logical_xor)
bitwise_and = _binary(np.bitwise_and)
bitwise_or = _binary(np.bitwise_or)
bitwise_xor = _binary(np.bitwise_xor)

neg = _unary(np.negative)
abs = _unary(np.absolute)
sign = _unary(np.sign)
sqrt = _unary(np.sqrt)
square = _unary(np.square)
reciprocal = _unary(np.reciprocal)
sin = _unary(np.sin)
cos = _unary(np.cos)
isnan = _unary(np.isnan)
isinf = _unary(np.isinf)
isfinite = _unary(np.isfinite)
logical_not = _unary(np.logical_not)
bitwise_not = _unary(np.bitwise_not)


def cast(x: Array, out: Array) -> None:
    """Out = x in out's dtype, shapes broadcast."""
    with np.errstate(all="ignore"):
        np.copyto(out, x, casting="unsafe")


def where(condition: Array, a: Array, b: Array, out: Array) -> None:
    """Out = a where the condition holds, else b; all broadcast."""
    np.copyto(out, b, casting="unsafe")
    np.copyto(out, a, casting="unsafe", where=condition)


def clamp(x: Array, low: Any, high: Any, out: Array) -> None:
    """Out = x held between low and high, either of which may be None; NaN stays NaN."""
    if low is not None:
        np.maximum(x, low, out=out)
        x = out
    if high is not None:
        np.minimum(x, high, out=out)


@_quiet
def sum(x: Array, axis: tuple[int, ...], out: Array) -> None:
    """Out = the sum over the axes, which out keeps as length 1; float16 adds up in float32."""
    wide = np.float32 if x.dtype == np.float16 else None
    result = np.add.reduce(x, axis=axis, dtype=wide or out.dtype, keepdims=True)
    np.copyto(out, result, casting="unsafe")


@_quiet
def mean(x: Array, axis: tuple[int, ...], out: Array) -> None:
    """Write the mean over the axes, which out keeps as length 1; NaN where nothing is averaged."""
    wide = np.dtype(np.float32) if x.dtype == np.float16 else x.dtype
    result = np.add.reduce(x, axis=axis, dtype=wide, keepdims=True)
    count = x.size // out.size if out.size else 0
    np.copyto(out, result / wide.type(count), casting="unsafe")


def amax(x: Array, axis: tuple[int, ...], out: Array) -> None:
    """Out = the largest over the axes, kept as length 1; NaN if there is one."""
    np.maximum.reduce(x, axis=axis, out=out, keepdims=True)


def amin(x: Array, axis: tuple[int, ...], out: Array) -> None:
    """Out = the smallest over the axes, kept as length 1; NaN if there is one."""
    np.minimum.reduce(x, axis=axis, out=out, keepdims=True)


def argmax(x: Array, axis: int | None, out: Array) -> None:
    """Out = the index of the largest along an axis (or in all), kept as length 1."""
    out[...] = np.argmax(x, axis=axis, keepdims=True)


def argmin(x: Array, axis: int | None, out: Array) -> None:
    """Out = the index of the smallest along an axis (or in all), kept as length 1."""
    out[...] = np.argmin(x, axis=axis, keepdims=True)


def take_along(x: Array, index: Array, axis: int, out: Array) -> None:
    """Out = the elements of x at the indices along an axis."""
    out[...] = np.take_along_axis(x, index, axis)


def put_along(x: Array, index: Array, axis: int, out: Array) -> None:
    """Out = zeros with x at the indices along an axis (each place named once)."""
    out[...] = 0
    np.put_along_axis(out, index, x, axis)


def concatenate(arrays: Sequence[Array], axis: int, out: Array) -> None:
    """Out = the arrays one after the other along an axis."""
    np.concatenate(arrays, axis=axis, out=out, casting="unsafe")


def fill(value: Any, out: Array) -> None:
    """Out = one number everywhere."""
    out[...] = value
