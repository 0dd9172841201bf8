"""Kernels that NumPy runs on either backend: arrays in, an explicit ``out``.

They have no C body (yet), so there is one of each, not two twins. NumPy's floating-point warnings
are silenced as in every kernel: a division by zero gives inf, as the hardware says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_MANY = 4096  # elements, from which on a few more calls of NumPy cost less than one slow loop
_FEW = 16


def cast(x: Array, out: Array) -> None:
    """Out = x in out's dtype, shapes broadcast."""
    with np.errstate(all="ignore"):
        few = out.size >= _MANY and x.shape[-1:] == (1,) and 1 < out.shape[-1] <= _FEW
        if few and not np.may_share_memory(x, out):
            # NumPy would go along the last dimension, a few elements at a time.
            for i in range(out.shape[-1]):
                np.copyto(out[..., i], x[..., 0], casting="unsafe")
            return
        np.copyto(out, x, casting="unsafe")


def concatenate(arrays: Sequence[Array], axis: int, out: Array) -> None:
    """Out = the arrays one after the other along an axis."""
    np.concatenate(arrays, axis=axis, out=out, casting="unsafe")


def draw(function: Callable[[tuple[int, ...]], Any], out: Array) -> None:
    """Out = what a function draws for its shape, in out's dtype."""
    cast(np.asarray(function(out.shape)), out)


def fill(value: Any, out: Array) -> None:
    """Out = one number everywhere."""
    out[...] = value
