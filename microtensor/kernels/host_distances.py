"""The kernel of pairwise distances."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def cdist(a: Array, b: Array, p: float, out: Array) -> None:
    """Out[.., i, j] = the p-norm of a[.., i, :] - b[.., j, :].

    By differences, one feature after the other: the product of matrices that Euclidean distances
    can be had from would lose the digits of small ones.
    """
    wide = np.float32 if out.dtype == np.float16 else np.float64
    total: Array = np.zeros(out.shape, wide)
    with np.errstate(all="ignore"):
        for k in range(a.shape[-1]):
            size = np.subtract(a[..., :, None, k], b[..., None, :, k], dtype=wide)
            if p == 2:
                total += np.square(size, out=size)
                continue
            np.abs(size, out=size)
            if p == np.inf:
                np.maximum(total, size, out=total)
            elif p == 0:
                total += size != 0
            elif p == 1:
                total += size
            else:
                total += np.power(size, p, out=size)
        if p == 2:
            np.sqrt(total, out=total)
        elif p not in (0, 1, np.inf):
            np.power(total, 1.0 / p, out=total)
        np.copyto(out, total, casting="unsafe")
