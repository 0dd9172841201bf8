"""The NumPy twins of pooling.

Planes have three dimensions, x (planes, in...). ``windows`` has three rows of int64: the first
input of every output, one past its last, and what an average divides by (the product of the three
dimensions' numbers), for the outputs of the first dimension, then of the second and third.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _per_dimension(windows: Array, outputs: Any) -> list[Array]:
    """Divide the table into one of each dimension."""
    ends = np.cumsum(outputs)
    return [windows[:, end - n : end] for n, end in zip(outputs, ends, strict=True)]


def _places(tables: list[Array], dilation: Any) -> Iterator[tuple[tuple[Array, ...], Array]]:
    """Give for each place in a window, in order, the inputs there, and which windows have it."""
    longest = [
        -(-int((t[1] - t[0]).max(initial=0)) // d) for t, d in zip(tables, dilation, strict=True)
    ]
    for place in product(*map(range, longest)):
        at, inside = [], []
        for t, k, d in zip(tables, place, dilation, strict=True):
            index = t[0] + k * d
            inside.append(index < t[1])
            at.append(np.where(inside[-1], index, t[0]))
        a, b, c = inside
        yield np.ix_(*at), a[:, None, None] & b[:, None] & c


def max_windows(x: Array, windows: Array, dilation: Any, values: Array, indices: Array) -> None:
    """Values = the largest of each window, indices = its place in the plane, the first of equals.

    NaN is larger than all, and the last one counts; a window of nothing but -inf has its first
    place.
    """
    _, height, width = x.shape[1:]
    tables = _per_dimension(windows, values.shape[1:])
    values[...] = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    for step, ((i, j, k), inside) in enumerate(_places(tables, dilation)):
        flat = (i * height + j) * width + k
        if not step:
            indices[...] = flat
        found = x[:, i, j, k]
        taken = ((found > values) | (found != found)) & inside
        np.copyto(values, found, where=taken)
        np.copyto(indices, np.broadcast_to(flat, indices.shape), where=taken)


def _divisors(tables: list[Array]) -> Array:
    a, b, c = (t[2] for t in tables)
    return a[:, None, None] * b[:, None] * c


def average_windows(x: Array, windows: Array, out: Array) -> None:
    """Out = the sum of each window over its divisor."""
    tables = _per_dimension(windows, out.shape[1:])
    total = np.zeros(out.shape, out.dtype)
    with np.errstate(all="ignore"):
        for (i, j, k), inside in _places(tables, (1, 1, 1)):
            total += np.where(inside, x[:, i, j, k], 0)
        np.divide(total, _divisors(tables), out, casting="same_kind")


def spread_windows(g: Array, windows: Array, out: Array) -> None:
    """Out = the transpose of ``average_windows``: g / divisor, added to all a window sees."""
    tables = _per_dimension(windows, g.shape[1:])
    out[...] = 0
    with np.errstate(all="ignore"):
        part = (g / _divisors(tables)).astype(out.dtype, copy=False)
        for (i, j, k), inside in _places(tables, (1, 1, 1)):
            place: Any = (slice(None), i, j, k)
            np.add.at(out, place, np.where(inside, part, 0))


def _check_places(indices: Array, size: int) -> None:
    bad = (indices < 0) | (indices >= size)
    if bad.any():
        raise RuntimeError(
            f"found an invalid max index: {int(indices[bad][0])} (output planes have {size} "
            "elements)"
        )


def put_places(x: Array, indices: Array, adds: bool, out: Array) -> None:
    """Out (planes, size) = x (planes, n) at places indices, added or the last one; 0 elsewhere."""
    _check_places(indices, out.shape[1])
    out[...] = 0
    rows = np.arange(len(x))[:, None]
    with np.errstate(all="ignore"):
        if adds:
            np.add.at(out, (rows, indices), x)
        else:
            out[rows, indices] = x


def pick_places(x: Array, indices: Array, out: Array) -> None:
    """Out (planes, n) = x (planes, size) at places indices."""
    _check_places(indices, x.shape[1])
    out[...] = np.take_along_axis(x, indices, axis=1)
