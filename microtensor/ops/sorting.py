"""Orders: sorted tensors, the k largest, the k-th smallest, medians and modes."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.arrays import Array
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.extremes import refuse_keepdim, whole
from microtensor.ops.picking import arrangement, choice, one_dim
from microtensor.tensor import Tensor, checked_dim

_INT64, _BOOL = np.dtype(np.int64), np.dtype(bool)


def _argsort_forward(
    x: Array, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> Array:
    one_dim("argsort", dim)
    dim = checked_dim(int(dim), x.ndim)
    out = np.zeros(x.shape, _INT64)
    if x.ndim:
        kernels.argsort(x, dim, bool(descending), out)
    return out


argsort: Any = declare(
    "argsort",
    "input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False",
    _argsort_forward,
    summary="Give the indices that sort along a dimension; equals always stay in their order.",
    integral=True,
    method="argsort",
)

_sort = arrangement(
    "sort",
    "dim: int, descending: bool",
    _argsort_forward,
    "Sort along a dimension; NaN is greater than all.",
    descending=True,
)

_SORT = "input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False"


@publish(_SORT, method="sort")
def sort(input: Any, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Any:
    """Sort along a dimension; NaN is greater than all.

    Args:
        input: any tensor.
        dim: the dimension to sort along.
        descending: the greatest first.
        stable: PyTorch's wish that equals stay in their order; here they always do.

    Returns:
        A named tuple (values, indices); the values carry the gradient.

    Example:
        >>> import microtensor as mt
        >>> mt.tensor([3, 1, 2]).sort().values
        tensor([1, 2, 3])
    """
    return _sort.op.public(input, dim, descending)


@publish("input: Tensor", method="msort")
def msort(input: Any) -> Tensor:
    """Sort along the first dimension; the values alone.

    Args:
        input: any tensor.
    """
    result: Tensor = sort(input, 0).values
    return result


def _topk_places(x: Array, k: int, dim: int, largest: bool) -> Array:
    one_dim("topk", dim)
    dim = checked_dim(int(dim), x.ndim)
    length = x.shape[dim] if x.ndim else 1
    if not 0 <= k <= length:
        raise RuntimeError(f"topk(): selected index k out of range: {k} of {length} elements")
    if not x.ndim:
        return np.zeros((), _INT64)
    index = np.zeros((*x.shape[:dim], k, *x.shape[dim + 1 :]), _INT64)
    if index.size:
        kernels.topk(x, int(k), dim, bool(largest), index)
    return index


_topk = arrangement(
    "topk",
    "k: int, dim: int, largest: bool",
    _topk_places,
    "Give the k largest (or smallest) elements along a dimension, best first.",
    k=2,
    largest=True,
)


@publish(
    "input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True",
    method="topk",
)
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """Give the k largest (or smallest) elements along a dimension, best first.

    Which of equals are chosen is not defined.

    Args:
        input: any tensor; NaN is greater than all.
        k: how many, at most the length of the dimension.
        dim: the dimension.
        largest: the largest, or the smallest.
        sorted: PyTorch's wish for order; here they always are.

    Returns:
        A named tuple (values, indices).

    Raises:
        RuntimeError: k is out of range.
    """
    return _topk.op.public(input, k, dim, largest)


def _kth(x: Array, k: int, axis: int, out: Array) -> None:
    if not 1 <= k <= x.shape[axis]:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {axis}: {k}")
    kernels.kth_index(x, int(k), axis, out)


_kthvalue = choice(
    "kthvalue", _kth, "Give the k-th smallest element along a dimension.", "k: int, "
)


@publish("input: Tensor, k: int, dim: int = -1, keepdim: bool = False", method="kthvalue")
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """Give the k-th smallest element along a dimension.

    Args:
        input: any tensor; NaN is greater than all.
        k: from 1 for the smallest to the length of the dimension.
        dim: the dimension.
        keepdim: keep the dimension with length 1.

    Returns:
        A named tuple (values, indices).

    Raises:
        RuntimeError: k is out of range.
        IndexError: the dimension is empty.
    """
    return _kthvalue.op.public(input, k, dim, keepdim)


# ---- medians ------------------------------------------------------------------------------------


def _median_of(ignore_nan: bool) -> Any:
    return lambda x, out: kernels.median(x, ignore_nan, out)


def _along(ignore_nan: bool) -> Any:
    return lambda x, axis, out: kernels.median_index(x, axis, ignore_nan, out)


_median_along = choice("median", _along(False), "Give the lower median along a dimension.")
_nanmedian_along = choice(
    "nanmedian", _along(True), "Give the lower median of what is not NaN along a dimension."
)
_mode = choice("mode", kernels.mode_index, "Give the most frequent element along a dimension.")

_median_of_all = whole(
    "median_of_all",
    _median_of(False),
    "Give the lower median of all elements; equal ones share the gradient.",
)
_nanmedian_of_all = whole(
    "nanmedian_of_all",
    _median_of(True),
    "Give the lower median of all that is not NaN; equal ones share the gradient.",
)


def _median(name: str, input: Any, dim: Any, keepdim: bool, of_all: Any, along: Any) -> Any:
    if not isinstance(input, Tensor):
        refuse(name, "input", input)
    if input._array.dtype == _BOOL:
        raise RuntimeError(f"{name}: not defined for bool tensors; convert with .int()")
    if dim is not None:
        return along(input, dim, keepdim)
    refuse_keepdim(name, keepdim)
    return of_all(input)


_MEDIAN = "input: Tensor, dim: int | None = None, keepdim: bool = False"


@publish(_MEDIAN, method="median")
def median(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Give the median, of all elements or along a dimension: the lower one of two.

    NaN if there is one.

    Args:
        input: a tensor of numbers.
        dim: None for all elements, where equals share the gradient; or a dimension, for (values,
            indices) along it.
        keepdim: keep the dimension with length 1.

    Returns:
        A 0-d tensor, or a named tuple (values, indices).

    Raises:
        IndexError: the dimension is empty.

    Example:
        >>> import microtensor as mt
        >>> mt.tensor([4.0, 1.0, 3.0, 2.0]).median()
        tensor(2.)
    """
    return _median("median", input, dim, keepdim, _median_of_all, _median_along)


@publish(_MEDIAN, method="nanmedian")
def nanmedian(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Give the median of what is not NaN, of all or along a dimension: the lower one of two.

    NaN if there is nothing else.

    Args:
        input: a tensor of numbers.
        dim: None for all elements, where equals share the gradient; or a dimension, for (values,
            indices) along it.
        keepdim: keep the dimension with length 1.

    Returns:
        A 0-d tensor, or a named tuple (values, indices).

    Raises:
        IndexError: the dimension is empty.
    """
    return _median("nanmedian", input, dim, keepdim, _nanmedian_of_all, _nanmedian_along)


@publish("input: Tensor, dim: int = -1, keepdim: bool = False", method="mode")
def mode(input: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """Give the most frequent element along a dimension: the smallest of several, its last place.

    Args:
        input: any tensor; each NaN is another value.
        dim: the dimension.
        keepdim: keep the dimension with length 1.

    Returns:
        A named tuple (values, indices).

    Raises:
        IndexError: the dimension is empty.

    Example:
        >>> import microtensor as mt
        >>> mt.tensor([3, 1, 3, 1, 5]).mode().values
        tensor(1)
    """
    return _mode.op.public(input, dim, keepdim)
