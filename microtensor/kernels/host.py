"""Kernels that NumPy runs on either backend: arrays in, an explicit ``out``.

They have no C body (yet), so there is one of each, not two twins. NumPy's floating-point warnings
are silenced as in every kernel: a division by zero gives inf, as the hardware says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


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


def take_along(x: Array, index: Array, axis: int, out: Array) -> None:
    """Out = the elements of x at the indices along an axis."""
    out[...] = np.take_along_axis(x, index, axis)


def put_along(x: Array, index: Array, axis: int, out: Array) -> None:
    """Out = zeros with x at the indices along an axis (each place named once)."""
    out[...] = 0
    np.put_along_axis(out, index, x, axis)


def add_along(x: Array, index: Array, axis: int, out: Array) -> None:
    """Out = zeros with x added at the indices along an axis; a place named twice gets both."""
    out[...] = 0
    places: list[Any] = list(np.indices(index.shape, sparse=True))
    places[axis] = index
    np.add.at(out, tuple(places), x)


def gather(x: Array, index: Any, out: Array) -> None:
    """Out = x[index]."""
    out[...] = x[index]


def scatter_add(x: Array, index: Any, out: Array) -> None:
    """Out = zeros with x added at [index]; a place named twice gets both."""
    out[...] = 0
    np.add.at(out, index, x)


def put(x: Array, index: Any, out: Array) -> None:
    """Out = zeros with x at [index], a basic index."""
    out[...] = 0
    out[index] = x


def concatenate(arrays: Sequence[Array], axis: int, out: Array) -> None:
    """Out = the arrays one after the other along an axis."""
    np.concatenate(arrays, axis=axis, out=out, casting="unsafe")


def fill(value: Any, out: Array) -> None:
    """Out = one number everywhere."""
    out[...] = value
