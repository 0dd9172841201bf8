"""Kernels over many arrays at once: their norm as of one vector, and bounds for their elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def total_norm(arrays: Sequence[Array], order: float, out: Array) -> None:
    """Out = the norm of all elements as of one vector: the norm of the arrays' norms."""
    with np.errstate(all="ignore"):
        out[...] = _norm(np.array([_norm(array, order) for array in arrays]), order)


def _norm(array: Array, order: float) -> Any:
    flat = array.reshape(-1)
    if not flat.size:
        return array.dtype.type(0)
    if array.dtype == np.float16:  # squares would leave its range long before their root does
        flat = flat.astype(np.float32)
    if order == 2:
        return np.sqrt(np.dot(flat, flat)).astype(array.dtype)
    return np.asarray(np.linalg.norm(flat, order)).astype(array.dtype)[()]


def shrink_to_norm(norm: Array, maximum: float, arrays: Sequence[Array]) -> None:
    """Arrays *= maximum / (norm + 1e-6), if that is less than 1."""
    with np.errstate(all="ignore"):
        factor = maximum / (float(norm) + 1e-6)
        if factor >= 1.0:
            return
        for array in arrays:
            array *= factor


def clamp_into(low: float, high: float, array: Array) -> None:
    """Array = its elements, each brought into [low, high]."""
    np.clip(array, low, high, out=array)
