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


def cast(x: Array, out: Array) -> None:
    """Out = x in out's dtype, shapes broadcast."""
    with np.errstate(all="ignore"):
        np.copyto(out, x, casting="unsafe")


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
