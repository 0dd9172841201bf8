"""Kernels that read and write at places given by an index.

Adding goes through flat positions where it can: ``np.add.at`` has a fast path for one array of
positions, some six times as fast as the same sum by rows, and adds in the order of the index, so
that results are the same from run to run.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_FEW = 1000
_AT = {"sum": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def take(x: Array, index: Array, axis: int, out: Array) -> None:
    """Out = the slices of x at indices along an axis; negative ones count from the end."""
    np.take(x, index, axis, out=out, mode="wrap")


def index_assign(value: Any, index: Any, out: Array) -> None:
    """Write a value, broadcast and cast, into out[index]; of places named twice the last counts."""
    with np.errstate(all="ignore"):
        out[index] = value


def index_accumulate(value: Array, index: Any, out: Array) -> None:
    """Add a value to out[index], in the order of the index; a place named twice gets both."""
    with np.errstate(all="ignore"):
        # Working out flat positions takes as long as adding a few hundred numbers.
        flat = _flat_positions(index, out) if value.size > _FEW else None
        if flat is None:
            np.add.at(out, index, value)
            return
        if value.shape != flat.shape:
            value = np.broadcast_to(value, flat.shape)
        np.add.at(out.reshape(-1), flat.reshape(-1), value.reshape(-1))


def put(x: Array, index: Any, out: Array) -> None:
    """Out = zeros with x at [index], a basic index."""
    out[...] = 0
    out[index] = x


def add_part(x: Array, index: Any, out: Array) -> None:
    """Out[index] += x, for a basic index."""
    part = out[index if isinstance(index, tuple) else (index,)]
    with np.errstate(all="ignore"):
        if isinstance(part, np.ndarray):
            np.add(part, x, part)
        else:  # one element, which NumPy gives as a number
            out[index] += x


def scatter_add(x: Array, index: Any, out: Array) -> None:
    """Out = zeros with x added at [index]; a place named twice gets both."""
    out[...] = 0
    index_accumulate(x, index, out)


def gather_along(x: Array, index: Array, axis: int, out: Array) -> None:
    """Out = the elements of x at the indices along an axis, in the other dimensions their own."""
    if x.flags.c_contiguous:
        positions = _positions(index, index.shape, axis, x.shape)
        np.take(x.reshape(-1), positions, out=out, mode="wrap")
    else:
        out[...] = x[_mesh(index, index.shape, axis)]


def scatter_along(src: Any, index: Array, axis: int, out: Array) -> None:
    """Write src into out at the indices along an axis; the last of equal indices counts."""
    shape = np.broadcast_shapes(index.shape, np.shape(src))
    with np.errstate(all="ignore"):
        if out.flags.c_contiguous:
            out.reshape(-1)[_positions(index, shape, axis, out.shape)] = src
        else:
            out[_mesh(index, shape, axis)] = src


def scatter_reduce_along(src: Any, index: Array, axis: int, reduce: str, out: Array) -> None:
    """Combine out with src at the indices along an axis: sum, prod, amax or amin."""
    shape = np.broadcast_shapes(index.shape, np.shape(src))
    src = np.broadcast_to(src, shape)
    with np.errstate(all="ignore"):
        if out.flags.c_contiguous:
            positions = _positions(index, shape, axis, out.shape)
            _AT[reduce].at(out.reshape(-1), positions.reshape(-1), src.reshape(-1))
        else:
            _AT[reduce].at(out, _mesh(index, shape, axis), src)


def masked_fill(value: Any, mask: Array, out: Array) -> None:
    """Write a number into out where a mask, broadcast, is true."""
    with np.errstate(all="ignore"):
        np.copyto(out, value, casting="unsafe", where=mask)


def _positions(index: Array, shape: tuple[int, ...], axis: int, into: tuple[int, ...]) -> Array:
    """Give the flat positions, in a contiguous array, that indices along an axis stand for.

    Args:
        index: broadcasts with ``shape``.
        shape: of the result.
        axis: the one whose place the index names.
        into: the shape of the array.
    """
    positions: Any = index.astype(np.int64, copy=False)
    stride = prod(into[axis + 1 :])
    if stride != 1:
        positions = positions * stride
    for dim, length in enumerate(shape):
        if dim == axis or length == 1:
            continue
        steps = np.arange(length) * prod(into[dim + 1 :])
        positions = positions + steps.reshape((length,) + (1,) * (len(shape) - dim - 1))
    return positions if positions.shape == shape else np.broadcast_to(positions, shape)


def _mesh(index: Array, shape: tuple[int, ...], axis: int) -> tuple[Array, ...]:
    """Give the same places as one array of indices per dimension."""
    rank = len(shape)
    return tuple(
        index if dim == axis else np.arange(n).reshape((n,) + (1,) * (rank - dim - 1))
        for dim, n in enumerate(shape)
    )


def _flat_positions(index: Any, out: Array) -> Array | None:
    """Give the flat positions of an index of one integer array among whole slices, if it is one."""
    parts = index if isinstance(index, tuple) else (index,)
    if not out.flags.c_contiguous:
        return None
    whole = slice(None)
    arrays = [at for at, part in enumerate(parts) if isinstance(part, np.ndarray)]
    if len(arrays) != 1 or any(isinstance(p, slice) and p != whole for p in parts):
        return None
    if any(not isinstance(p, np.ndarray | slice) for p in parts):
        return None
    axis = arrays[0]
    places = parts[axis]
    if places.dtype.kind == "b" or axis >= out.ndim:
        return None
    length = out.shape[axis]
    if places.size and places.dtype.kind == "i" and places.min() < 0:
        places = np.where(places < 0, places + length, places)
    # One dimension of the array per dimension of the index, in a result of this shape.
    lead, tail = out.shape[:axis], out.shape[axis + 1 :]
    stride = prod(tail)
    flat = places.astype(np.int64, copy=False).reshape(places.shape + (1,) * len(tail)) * stride
    flat = flat + np.arange(stride).reshape(tail)
    if lead:
        starts = np.arange(prod(lead)) * (length * stride)
        flat = flat + starts.reshape(lead + (1,) * (places.ndim + len(tail)))
    return np.asarray(flat)
