"""Moving averages of weights in one kernel call, for the wrappers that keep them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.tensor import Tensor


class Averages:
    """Moves averages towards weights: a ← a + share·(w - a), in place.

    The tables that the kernel reads are kept while the arrays stay the same.
    """

    def __init__(self) -> None:
        self._held: tuple[list[Any], list[Any]] = ([], [])
        self._calls: list[tuple[Any, ...]] = []
        self._hyper = np.zeros(2)

    def move(
        self,
        averages: Sequence[Tensor],
        weights: Sequence[Tensor],
        share: float,
        back: bool = False,
    ) -> None:
        """Move them.

        Args:
            averages: a.
            weights: w, of the same shapes and dtypes, floating point.
            share: 1 copies.
            back: also w ← a.
        """
        own = [a._array for a in averages], [w._array for w in weights]
        if not (
            len(own[0]) == len(self._held[0]) == len(own[1])
            and all(map(is_, own[0], self._held[0]))
            and all(map(is_, own[1], self._held[1]))
        ):
            self._build(*own)
        self._hyper[:] = share, back
        for moved, kept, numbers in self._calls:
            kernels.step("average", moved, moved, kept, numbers, self._hyper)
        for changed in (averages, weights) if back else (averages,):
            for each in changed:
                each._cell[0] += 1

    def _build(self, averages: list[Any], weights: list[Any]) -> None:
        self._held = averages, weights
        pairs = list(zip(averages, weights, strict=True))
        self._calls = []
        for dtype in dict.fromkeys(w.dtype for w in weights):
            of_dtype = [(a, w) for a, w in pairs if w.dtype == dtype]
            self._calls.append(
                (
                    kernels.ArrayTable([w for _, w in of_dtype]),
                    kernels.ArrayTable([a for a, _ in of_dtype]),
                    np.zeros((len(of_dtype), 1)),
                )
            )

    def __deepcopy__(self, memo: Any) -> Averages:
        return Averages()

    def __reduce__(self) -> Any:
        return Averages, ()


def array_copy(p: Tensor) -> Any:
    """Give a contiguous copy of a tensor's array."""
    return np.array(p._array, order="C")
