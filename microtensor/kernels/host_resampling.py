"""Kernels that make a dimension longer or shorter: new elements are mixtures of a few old ones."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _along(vector: Array, axis: int, ndim: int) -> Array:
    return vector.reshape((-1,) + (1,) * (ndim - axis - 1))


def resample(x: Array, axis: int, index: Array, weights: Array | None, out: Array) -> None:
    """Out[i] = Σ over t of weights[t, i] x[index[t, i]] along an axis.

    Without weights there is one element each, and any dtype.
    """
    if weights is None:
        np.take(x, index[0], axis, out=out, mode="wrap")
        return
    term = np.empty_like(out)
    with np.errstate(all="ignore"):
        for t in range(len(index)):
            into = term if t else out
            np.take(x, index[t], axis, out=into, mode="wrap")
            np.multiply(into, _along(weights[t], axis, out.ndim), into)
            if t:
                np.add(out, term, out)


def resample_adjoint(g: Array, axis: int, index: Array, weights: Array | None, out: Array) -> None:
    """Out[index[t, i]] += weights[t, i] g[i] for all t and i, from zeros; index rises along i."""
    out[...] = 0
    if not g.shape[axis]:
        return
    into = np.moveaxis(out, axis, 0)
    with np.errstate(all="ignore"):
        for t in range(len(index)):
            term = g if weights is None else g * _along(weights[t], axis, g.ndim)
            starts = np.flatnonzero(np.diff(index[t], prepend=-1))
            into[index[t][starts]] += np.moveaxis(np.add.reduceat(term, starts, axis), axis, 0)
