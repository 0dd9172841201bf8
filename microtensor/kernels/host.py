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


def concatenate(arrays: Sequence[Array], axis: int, out: Array) -> None:
    """Out = the arrays one after the other along an axis."""
    np.concatenate(arrays, axis=axis, out=out, casting="unsafe")


def fill(value: Any, out: Array) -> None:
    """Out = one number everywhere."""
    out[...] = value
