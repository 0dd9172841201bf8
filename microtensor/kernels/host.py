"""Kernels that NumPy runs on either backend: arrays in, an explicit ``out``.

They have no C body (yet), so there is one of each, not two twins. NumPy's floating-point warnings
are silenced as in every kernel: a division by zero gives inf, as the hardware says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def cast(x: Array, out: Array) -> None:
    """Out = x in out's dtype, shapes broadcast."""
    with np.errstate(all="ignore"):
        np.copyto(out, x, casting="unsafe")


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


def concatenate(arrays: Sequence[Array], axis: int, out: Array) -> None:
    """Out = the arrays one after the other along an axis."""
    np.concatenate(arrays, axis=axis, out=out, casting="unsafe")


def fill(value: Any, out: Array) -> None:
    """Out = one number everywhere."""
    out[...] = value
