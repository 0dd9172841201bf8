"""One kernel call that moves averages of weights, for the wrappers that keep them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.tensor import Tensor


def move_averages(
    averages: Sequence[Tensor], weights: Sequence[Tensor], share: float, back: bool = False
) -> None:
    """Move averages towards weights: a ← a + share·(w - a), in place.

    Args:
        averages: a.
        weights: w, of the same shapes and dtypes, floating point.
        share: 1 copies.
        back: also w ← a.
    """
    pairs = list(zip(averages, weights, strict=True))
    for dtype in dict.fromkeys(w._array.dtype for w in weights):
        own = [(a._array, w._array) for a, w in pairs if w._array.dtype == dtype]
        moved = kernels.ArrayTable([w for _, w in own])
        kernels.step(
            "average",
            moved,
            moved,
            kernels.ArrayTable([a for a, _ in own]),
            np.zeros((len(own), 1)),
            np.array([share, float(back)], np.float64),
        )
    for changed in (averages, weights) if back else (averages,):
        for each in changed:
            each._cell[0] += 1


def array_copy(p: Tensor) -> Any:
    """Give a contiguous copy of a tensor's array."""
    return np.array(p._array, order="C")
