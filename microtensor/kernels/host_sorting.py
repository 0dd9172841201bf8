"""Kernels that order, search and count. Orders are given as indices; NaN is the greatest."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def argsort(x: Array, axis: int, descending: bool, out: Array) -> None:
    """Out = the indices that order x along the axis; equals stay in their order."""
    if descending:
        # From the back, so that equals come out in their order once more.
        order = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
        np.subtract(x.shape[axis] - 1, np.flip(order, axis), out=out)
    else:
        out[...] = np.argsort(x, axis=axis, kind="stable")


def topk(x: Array, k: int, axis: int, largest: bool, out: Array) -> None:
    """Out = the indices of the k largest (or smallest) along the axis, best first."""
    n = x.shape[axis]
    if k == n or not k:
        if k:
            argsort(x, axis, largest, out)
        return
    edge = n - k if largest else k - 1
    parted = np.argpartition(x, edge, axis=axis)
    part = (slice(None),) * axis + (slice(n - k, n) if largest else slice(k),)
    chosen = np.sort(parted[part], axis=axis)  # in their order, for equals
    order = np.empty(chosen.shape, np.int64)
    argsort(np.take_along_axis(x, chosen, axis), axis, largest, order)
    out[...] = np.take_along_axis(chosen, order, axis)


def kth_index(x: Array, k: int, axis: int, out: Array) -> None:
    """Out = the index of the k-th smallest along the axis (k from 1), kept as length 1."""
    out[...] = np.take(np.argpartition(x, k - 1, axis=axis), [k - 1], axis)


def median(x: Array, ignore_nan: bool, out: Array) -> None:
    """Out = the lower median of all of x; NaN if there is one, unless they are ignored."""
    line = x.reshape(-1)
    if x.dtype.kind == "f":
        missing = np.isnan(line)
        if missing.any():
            line = line[~missing] if ignore_nan else line[:0]
    if line.size:
        place = (line.size - 1) // 2
        out[...] = np.partition(line, place)[place]
    else:  # of nothing, as PyTorch: NaN, or the least integer
        out[...] = np.nan if x.dtype.kind == "f" else np.iinfo(x.dtype).min


def median_index(x: Array, axis: int, ignore_nan: bool, out: Array) -> None:
    """Out = the index of the lower median along the axis, kept as length 1.

    The first NaN is the median of what has one, unless they are ignored.
    """
    n = x.shape[axis]
    missing = np.isnan(x).sum(axis=axis, keepdims=True) if x.dtype.kind == "f" else np.zeros(1)
    if not missing.any():
        kth_index(x, (n - 1) // 2 + 1, axis, out)
        return
    order = np.argsort(x, axis=axis, kind="stable")
    if ignore_nan:
        place = np.maximum(n - missing - 1, 0) // 2
    else:
        place = np.where(missing > 0, n - missing, (n - 1) // 2)
    out[...] = np.take_along_axis(order, place, axis)


def mode_index(x: Array, axis: int, out: Array) -> None:
    """Out = the last index of the most frequent value along the axis, the smallest such value."""
    order = np.argsort(x, axis=axis, kind="stable")
    ordered = np.moveaxis(np.take_along_axis(x, order, axis), axis, 0)
    places = np.arange(len(ordered)).reshape(-1, *(1,) * (x.ndim - 1))
    starts = np.zeros(ordered.shape, np.int64)
    starts[1:] = np.where(ordered[1:] != ordered[:-1], places[1:], 0)
    # How many equals there are so far is largest, for the first time, at the end of the longest.
    longest = np.argmax(places - np.maximum.accumulate(starts, axis=0), axis=0)
    out[...] = np.take_along_axis(order, np.expand_dims(longest, axis), axis)


def searchsorted(boundaries: Array, values: Array, right: bool, out: Array) -> None:
    """Out = where the values belong among boundaries that rise along the last axis.

    Boundaries of more than one dimension have a row for each row of the values.
    """
    side: Any = "right" if right else "left"
    if boundaries.ndim == 1:
        out[...] = np.searchsorted(boundaries, values, side)
        return
    rows = boundaries.reshape(-1, boundaries.shape[-1])
    wanted = values.reshape(len(rows), -1) if len(rows) else values
    found = np.empty(wanted.shape, np.int64)
    for place, row in enumerate(rows):
        found[place] = np.searchsorted(row, wanted[place], side)
    out[...] = found.reshape(out.shape)


def bincount(x: Array, weights: Array | None, out: Array) -> None:
    """Out = how often each number below its length occurs in x, or its weights' sum."""
    out[...] = np.bincount(x, weights, len(out))


def histogram(x: Array, edges: Array, weight: Array | None, out: Array) -> None:
    """Out = how many elements (or what weight) lie between neighbours of rising edges.

    An element on an edge belongs to the bin above it, but for the last edge.
    """
    bins = len(edges) - 1
    place = np.searchsorted(edges, x, "right") - 1
    place[x == edges[-1]] = bins - 1
    inside = (place >= 0) & (place < bins) & ~np.isnan(x)
    chosen = None if weight is None else weight[inside]
    out[...] = np.bincount(place[inside], chosen, bins)
