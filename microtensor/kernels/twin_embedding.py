"""The NumPy twins of embedding: rows of a table by their numbers, and the sum of rows into one."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _row_error(index: Array, place: int, rows: int) -> IndexError:
    """Say which number names no row of a table."""
    where = tuple(int(i) for i in np.unravel_index(place, index.shape))
    return IndexError(
        f"embedding: index out of range in self: input has {index.flat[place]} at {list(where)}, "
        f"legal are 0 to {rows - 1} for a weight of {rows} rows"
    )


def _check(index: Array, rows: int) -> None:
    bad = np.flatnonzero((index < 0) | (index >= rows))
    if bad.size:
        raise _row_error(index, int(bad[0]), rows)


def embedding(weight: Array, index: Array, out: Array) -> None:
    """Out = the rows of weight that index names; IndexError where it names none."""
    _check(index, len(weight))
    if out.size:
        np.take(weight, index, 0, out=out, mode="clip")


def embedding_backward(g: Array, index: Array, padding: int, out: Array) -> None:
    """Out = zeros with the rows of g added at index, in its order, but where it is ``padding``."""
    _check(index, len(out))
    flat = index.reshape(-1)
    rows = g.reshape(flat.size, out.shape[1])
    counted = flat != padding
    out[...] = 0
    with np.errstate(all="ignore"):
        np.add.at(out, flat[counted], rows[counted])
