"""Searching, and telling apart what is different. None of it has a gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.arrays import Array, computed, empty
from microtensor.ops.declare import publish, refuse
from microtensor.ops.promotion import number_array, result_dtype
from microtensor.tensor import Tensor, checked_dim, wrap

_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)
_NUMBERS = int | float | np.number | np.bool_


def _in_one_dtype(a: Array, b: Array) -> tuple[Array, Array]:
    dtype = result_dtype(a, b)
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)


# ---- searching ----------------------------------------------------------------------------------


@publish(
    "sorted_sequence: Tensor, input: Tensor | float, *, out_int32: bool = False, "
    "right: bool = False, side: str | None = None, sorter: Tensor | None = None"
)
def searchsorted(
    sorted_sequence: Any,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Tensor:
    """Find where values belong in sorted sequences so that they stay sorted.

    Args:
        sorted_sequence: rising along the last dimension: one sequence, or one for each row of
            ``input``.
        input: the values, a tensor or (for one sequence) a number.
        out_int32: give int32 indices, not int64.
        right: the last such place, not the first.
        side: "left" or "right", another way to say it.
        sorter: int64 indices that sort ``sorted_sequence``, of its shape.

    Returns:
        Indices of the shape of ``input``, from 0 to the sequence's length.

    Raises:
        RuntimeError: shapes that do not fit, sides that contradict, a sorter out of range.

    Example:
        >>> import microtensor as mt
        >>> mt.searchsorted(mt.tensor([1, 3, 5]), mt.tensor([3, 6]))
        tensor([1, 3])
    """
    name = "searchsorted()"
    if not isinstance(sorted_sequence, Tensor):
        refuse("searchsorted", "sorted_sequence", sorted_sequence)
    boundaries = sorted_sequence._array
    if isinstance(input, _NUMBERS):
        values = number_array(input, boundaries.dtype)
    elif isinstance(input, Tensor):
        values = input._array
    else:
        refuse("searchsorted", "input", input)
    if side not in (None, "left", "right"):
        raise RuntimeError(f"{name}: side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(
            f"{name}: side and right can't be set to opposites, got side of left while right was "
            "True"
        )
    if not boundaries.ndim:
        raise RuntimeError(
            f"{name}: boundaries tensor should have positive dimension, but got 0 dimension"
        )
    if boundaries.ndim > 1 and boundaries.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(
            f"{name}: boundaries tensor should be 1 dimension or the first N-1 dimensions of "
            "boundaries tensor and input value tensor must match, but got boundaries "
            f"{list(boundaries.shape)} and input {list(values.shape)}"
        )
    if boundaries.ndim > 1 and not values.ndim:
        raise RuntimeError(f"{name}: input can be a scalar only when boundaries are 1-dimensional")
    if sorter is not None:
        boundaries = _sorted_by(boundaries, sorter, name)
    boundaries, values = _in_one_dtype(boundaries, values)
    out = empty(values.shape, _INT32 if out_int32 else _INT64)
    if out.size:
        kernels.searchsorted(boundaries, values, right or side == "right", out)
    return wrap(out)


def _sorted_by(boundaries: Array, sorter: Any, name: str) -> Array:
    if not isinstance(sorter, Tensor):
        refuse("searchsorted", "sorter", sorter)
    order = sorter._array
    if order.shape != boundaries.shape:
        raise RuntimeError(
            f"{name}: boundary and sorter must have the same size, but got boundary tensor "
            f"{list(boundaries.shape)} and got sorter tensor {list(order.shape)}"
        )
    if order.dtype != _INT64:
        raise RuntimeError(
            f"{name}: sorter must be a tensor of long dtype but got dtype {sorter.dtype.name}"
        )
    if order.size and not (order.min() >= 0 and order.max() < order.shape[-1]):
        raise RuntimeError(f"{name}: sorter index out of range")
    return np.take_along_axis(boundaries, order, -1)


@publish(
    "input: Tensor | float, boundaries: Tensor, *, out_int32: bool = False, right: bool = False"
)
def bucketize(
    input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """Find in which of the buckets between rising boundaries each value lies.

        boundaries[i - 1] < x ≤ boundaries[i], or with ``right``: boundaries[i - 1] ≤ x < ...

    Args:
        input: the values, a tensor or a number.
        boundaries: a 1-d tensor, rising.
        out_int32: give int32 indices, not int64.
        right: whether a value on a boundary belongs to the bucket above it.

    Raises:
        RuntimeError: the boundaries are not 1-dimensional.
    """
    if not isinstance(boundaries, Tensor):
        refuse("bucketize", "boundaries", boundaries)
    if boundaries._array.ndim != 1:
        raise RuntimeError(
            f"bucketize(): boundaries tensor must be 1 dimension, but got dim("
            f"{boundaries._array.ndim})"
        )
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@publish(
    "elements: Tensor | float, test_elements: Tensor | float, *, assume_unique: bool = False, "
    "invert: bool = False"
)
def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Say which elements are among others; NaN equals nothing.

    Args:
        elements: a tensor, or a number beside a tensor.
        test_elements: those to look among, a tensor, or a number beside a tensor.
        assume_unique: PyTorch's hint that neither has equal elements; nothing depends on it.
        invert: say which are not.

    Raises:
        TypeError: neither is a tensor.
    """
    del assume_unique
    pair = [elements, test_elements]
    if not any(isinstance(each, Tensor) for each in pair):
        refuse("isin", "elements", elements)
    arrays = []
    for name, each, other in zip(("elements", "test_elements"), pair, pair[::-1], strict=True):
        if isinstance(each, Tensor):
            arrays.append(each._array)
        elif isinstance(each, _NUMBERS):
            arrays.append(number_array(each, other._array.dtype))
        else:
            refuse("isin", name, each)
    return wrap(np.asarray(np.isin(*_in_one_dtype(*arrays), invert=invert)))


# ---- telling apart ------------------------------------------------------------------------------


def _results(values: Any, inverse: Any, counts: Any) -> Any:
    found = tuple(wrap(each) for each in (values, inverse, counts) if each is not None)
    return found[0] if len(found) == 1 else found


def _lines(name: str, input: Any, dim: Any) -> tuple[Array, Any]:
    """Give what is told apart as rows, and how to make the result of those that are kept."""
    if not isinstance(input, Tensor):
        refuse(name, "input", input)
    array = input._array
    if dim is None:
        return array.reshape(-1, 1), lambda rows: rows.reshape(-1)
    if not array.ndim:
        return array.reshape(1, 1), lambda rows: rows.reshape(-1)
    along = checked_dim(dim, array.ndim)
    rest = array.shape[:along] + array.shape[along + 1 :]
    if 0 in rest:
        raise RuntimeError(
            f"{name}(): there are 0 sized dimensions, and they aren't selected, so unique cannot "
            "be applied"
        )
    moved = np.moveaxis(array, along, 0)

    def result(rows: Array) -> Array:
        shaped = rows.reshape((len(rows), *moved.shape[1:]))
        return np.ascontiguousarray(np.moveaxis(shaped, 0, along))

    return moved.reshape(array.shape[along], math.prod(rest)), result


def _runs(rows: Array) -> tuple[Array, Array]:
    """Give where rows differ from the one before, and the number of the run each is in."""
    new = np.ones(len(rows), bool)
    new[1:] = (rows[1:] != rows[:-1]).any(1)
    return np.flatnonzero(new), np.cumsum(new) - 1


@publish(
    "input: Tensor, sorted: bool = True, return_inverse: bool = False, "
    "return_counts: bool = False, dim: int | None = None",
    method="unique",
)
def unique(
    input: Any,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Give the different elements, or the different slices along a dimension, in order.

    Each NaN differs from all others.

    Args:
        input: any tensor.
        sorted: PyTorch's wish for order; here they always are.
        return_inverse: give also where each element (or slice) is found in the result.
        return_counts: give also how often each occurs.
        dim: compare slices along it, in lexicographic order; None compares elements.

    Returns:
        The different ones, or a tuple of them and what else was asked for.

    Raises:
        RuntimeError: slices of no elements.

    Example:
        >>> import microtensor as mt
        >>> mt.unique(mt.tensor([3, 1, 3]), return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
    """
    del sorted
    rows, result = _lines("unique", input, dim)
    order = np.lexsort(rows.T[::-1]) if rows.size else np.arange(len(rows))
    starts, run = computed(_runs, rows[order])
    inverse = counts = None
    if return_inverse:
        inverse = np.empty(len(rows), np.int64)
        inverse[order] = run
        inverse = inverse.reshape(input._array.shape) if dim is None else inverse
    if return_counts:
        counts = np.diff(np.append(starts, len(rows)))
    return _results(result(rows[order[starts]]), inverse, counts)


@publish(
    "input: Tensor, return_inverse: bool = False, return_counts: bool = False, "
    "dim: int | None = None",
    method="unique_consecutive",
)
def unique_consecutive(
    input: Any,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Give the first of each run of equal elements, or of equal slices along a dimension.

    Args:
        input: any tensor.
        return_inverse: give also in which run each element (or slice) is.
        return_counts: give also the lengths of the runs.
        dim: compare slices along it; None compares elements in their order.

    Returns:
        The first of each run, or a tuple of them and what else was asked for.

    Example:
        >>> import microtensor as mt
        >>> mt.unique_consecutive(mt.tensor([1, 1, 2, 1]))
        tensor([1, 2, 1])
    """
    rows, result = _lines("unique_consecutive", input, dim)
    starts, run = computed(_runs, rows)
    inverse = counts = None
    if return_inverse:
        inverse = run.reshape(input._array.shape) if dim is None else run
    if return_counts:
        counts = np.diff(np.append(starts, len(rows)))
    return _results(result(rows[starts]), inverse, counts)
