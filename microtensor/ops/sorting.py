"""Orders: sorted tensors, the k largest, medians, modes and quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels, return_types
from microtensor.ops.arrays import Array
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.extremes import chosen_along, one_dim, refuse_empty, whole
from microtensor.ops.picking import pick
from microtensor.tensor import Tensor, checked_dim, wrap

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
    if not isinstance(input, Tensor):
        refuse("sort", "input", input)
    index = wrap(_argsort_forward(input._array, dim, descending))
    return return_types.sort(pick(input, index, checked_dim(dim, input._array.ndim)), index)


@publish("input: Tensor", method="msort")
def msort(input: Any) -> Tensor:
    """Sort along the first dimension; the values alone.

    Args:
        input: any tensor.
    """
    result: Tensor = sort(input, 0).values
    return result


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
    if not isinstance(input, Tensor):
        refuse("topk", "input", input)
    one_dim("topk", dim)
    array = input._array
    dim = checked_dim(int(dim), array.ndim)
    length = array.shape[dim] if array.ndim else 1
    if not 0 <= k <= length:
        raise RuntimeError(f"topk(): selected index k out of range: {k} of {length} elements")
    if not array.ndim:
        return return_types.topk(input.clone(), wrap(np.zeros((), _INT64)))
    index = np.zeros((*array.shape[:dim], k, *array.shape[dim + 1 :]), _INT64)
    if index.size:
        kernels.topk(array, int(k), dim, bool(largest), index)
    return return_types.topk(pick(input, wrap(index), dim), wrap(index))


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
    if not isinstance(input, Tensor):
        refuse("kthvalue", "input", input)
    one_dim("kthvalue", dim)
    array = input._array
    along = checked_dim(int(dim), array.ndim)
    refuse_empty("kthvalue", array.shape, (along,) if array.ndim else ())
    if not 1 <= k <= (array.shape[along] if array.ndim else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}: {k}")

    def kernel(x: Array, axis: int, out: Array) -> None:
        kernels.kth_index(x, int(k), axis, out)

    return chosen_along(input, dim, keepdim, kernel, return_types.kthvalue)


# ---- medians ------------------------------------------------------------------------------------


def _median_of(ignore_nan: bool) -> Any:
    def choose(x: Array, out: Array) -> None:
        if not x.size:
            # As PyTorch: NaN, or the least integer.
            out[...] = np.nan if x.dtype.kind == "f" else np.iinfo(x.dtype).min
            return
        line = x.reshape(-1)
        place = np.empty(1, _INT64)
        kernels.median_index(line, 0, ignore_nan, place)
        out[...] = line[place[0]]

    return choose


def _along(ignore_nan: bool) -> Any:
    return lambda x, axis, out: kernels.median_index(x, axis, ignore_nan, out)


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


def _median(input: Any, dim: Any, keepdim: bool, of_all: Any, kernel: Any, kind: Any) -> Any:
    if not isinstance(input, Tensor):
        refuse(kind.__name__, "input", input)
    if input._array.dtype == _BOOL:
        raise RuntimeError(f"{kind.__name__}: not defined for bool tensors; convert with .int()")
    if dim is None:
        return of_all(input)
    return chosen_along(input, dim, keepdim, kernel, kind)


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
    return _median(input, dim, keepdim, _median_of_all, _along(False), return_types.median)


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
    return _median(input, dim, keepdim, _nanmedian_of_all, _along(True), return_types.nanmedian)


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
    if not isinstance(input, Tensor):
        refuse("mode", "input", input)
    return chosen_along(input, dim, keepdim, kernels.mode_index, return_types.mode)
