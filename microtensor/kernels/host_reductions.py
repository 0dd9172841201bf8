"""Kernels that reduce over axes: sums, products, moments, extremes, in NumPy on either backend.

``axis`` is a tuple of axes counted from the front, and ``out`` keeps them with length 1; those of
sums, means, moments and extremes may be without them. Float16 adds up in float32; float32 in
float64 where NumPy would add one row after the other, which loses a digit for every hundred-fold of
rows (along contiguous memory it adds in pairs, which loses none).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Axes = tuple[int, ...]

_MANY = 512  # summands that may follow each other in float32 for errors of a few ulp
_F16, _F32, _F64 = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)


def _quiet(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def wrapper(*arguments: Any) -> None:
        with np.errstate(all="ignore"):
            function(*arguments)

    return wrapper


def _count(x: Array, axis: Axes) -> int:
    """Give how many elements are reduced to one."""
    count = 1
    for each in axis:
        count *= x.shape[each]
    return count


def _wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the dtype in which moments are computed, in native byte order."""
    dtype = dtype.newbyteorder("=")
    return _F32 if dtype == _F16 else _F64 if dtype == _F32 else dtype


def _sum_dtype(x: Array, axis: Axes, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the dtype in which elements to be given in ``dtype`` are added up."""
    if dtype == _F16:
        return _F32
    if x.size <= _MANY or dtype != _F32 or _count(x, axis) <= _MANY:
        return dtype
    trailing = axis == tuple(range(x.ndim - len(axis), x.ndim))
    return dtype if trailing and x.flags.c_contiguous and x.dtype == _F32 else _F64


def _keeps(x: Array, out: Array) -> Any:  # a bool; NumPy's stubs have no overload for one
    return out.ndim == x.ndim


def sum(x: Array, axis: Axes, out: Array) -> None:
    """Out = the sum over the axes."""
    given = out.dtype
    dtype = _sum_dtype(x, axis, given)
    with np.errstate(all="ignore"):
        if dtype is given:
            np.add.reduce(x, axis, dtype, out, keepdims=_keeps(x, out))
        else:
            total = np.add.reduce(x, axis, dtype, keepdims=_keeps(x, out))
            np.copyto(out, total, casting="unsafe")


@_quiet
def nansum(x: Array, axis: Axes, out: Array) -> None:
    """Out = the sum over the axes of what is not NaN."""
    dtype = _sum_dtype(x, axis, out.dtype)
    result = np.add.reduce(x, axis=axis, dtype=dtype, keepdims=True, where=~np.isnan(x))
    np.copyto(out, result, casting="unsafe")


def mean(x: Array, axis: Axes, out: Array) -> None:
    """Write the mean over the axes; NaN where nothing is averaged."""
    given = out.dtype
    dtype = _sum_dtype(x, axis, given)
    count = dtype.type(_count(x, axis))
    with np.errstate(all="ignore"):
        if dtype is given:
            np.add.reduce(x, axis, dtype, out, keepdims=_keeps(x, out))
            np.true_divide(out, count, out)
        else:
            total = np.add.reduce(x, axis, dtype, keepdims=_keeps(x, out))
            np.copyto(out, total / count, casting="unsafe")


@_quiet
def prod(x: Array, axis: Axes, out: Array) -> None:
    """Out = the product over the axes."""
    dtype = _wide(out.dtype) if out.dtype.kind == "f" else out.dtype
    result = np.multiply.reduce(x, axis=axis, dtype=dtype, keepdims=True)
    np.copyto(out, result, casting="unsafe")


def _centred(x: Array, axis: Axes) -> Array:
    """Give x less its mean over the axes, in the dtype for moments."""
    dtype = _wide(x.dtype)
    average = np.add.reduce(x, axis=axis, dtype=dtype, keepdims=True) / dtype.type(_count(x, axis))
    return np.asarray(np.subtract(x, average, dtype=dtype))  # 0-d: NumPy gives a number


@_quiet
def centre(x: Array, axis: Axes, out: Array) -> None:
    """Out = x less its mean over the axes (out has x's shape)."""
    np.copyto(out, _centred(x, axis), casting="unsafe")


def _variance(x: Array, axis: Axes, correction: float, keepdims: Any) -> Array:
    # Twice through the data: the mean first, so that a large one takes no digits away. What
    # rounding left in the mean, the deviations' own sum takes out again.
    deviation = _centred(x, axis)
    count = _count(x, axis)
    dtype = deviation.dtype.type
    rest = np.add.reduce(deviation, axis=axis, keepdims=keepdims)
    squares = np.add.reduce(np.square(deviation, out=deviation), axis=axis, keepdims=keepdims)
    corrected = squares - rest * rest / dtype(count)
    squares = np.where(corrected >= 0, corrected, squares)  # infinite or NaN: as it was
    freedom = count - correction
    result: Array = squares / dtype(freedom if freedom > 0 else 0)
    return result


@_quiet
def var(x: Array, axis: Axes, correction: float, out: Array) -> None:
    """Out = Σ (x - mean)² / (count - correction) over the axes."""
    np.copyto(out, _variance(x, axis, correction, _keeps(x, out)), casting="unsafe")


@_quiet
def std(x: Array, axis: Axes, correction: float, out: Array) -> None:
    """Out = the square root of var."""
    np.copyto(out, np.sqrt(_variance(x, axis, correction, _keeps(x, out))), casting="unsafe")


def var_mean(x: Array, axis: Axes, correction: float, variance: Array, mean_: Array) -> None:
    """Write both the variance and the mean over the axes."""
    var(x, axis, correction, variance)
    mean(x, axis, mean_)


@_quiet
def logsumexp(x: Array, axis: Axes, out: Array) -> None:
    """Out = log Σ eˣ over the axes, without overflow; -inf where there is nothing."""
    dtype = _wide(x.dtype)
    largest = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)
    # An infinite maximum is the result itself; less it, everything would be NaN.
    shift = np.where(np.isinf(largest), 0, largest).astype(x.dtype)
    total = np.add.reduce(np.exp(x - shift), axis=axis, dtype=dtype, keepdims=True)
    np.copyto(out, np.log(total) + shift, casting="unsafe")


def amax(x: Array, axis: Axes, out: Array) -> None:
    """Out = the largest over the axes; NaN if there is one."""
    np.maximum.reduce(x, axis=axis, out=out, keepdims=_keeps(x, out))


def amin(x: Array, axis: Axes, out: Array) -> None:
    """Out = the smallest over the axes; NaN if there is one."""
    np.minimum.reduce(x, axis=axis, out=out, keepdims=_keeps(x, out))


def argmax(x: Array, axis: int | None, out: Array) -> None:
    """Out = the first index of the largest along one axis (or in all); NaN counts as that."""
    out[...] = np.argmax(x, axis=axis, keepdims=True)


def argmin(x: Array, axis: int | None, out: Array) -> None:
    """Out = the first index of the smallest along one axis (or in all); NaN counts as that."""
    out[...] = np.argmin(x, axis=axis, keepdims=True)


def any(x: Array, axis: Axes, out: Array) -> None:
    """Out = whether an element is not zero."""
    out[...] = np.any(x, axis=axis, keepdims=True)


def all(x: Array, axis: Axes, out: Array) -> None:
    """Out = whether no element is zero."""
    out[...] = np.all(x, axis=axis, keepdims=True)


def count_nonzero(x: Array, axis: Axes, out: Array) -> None:
    """Out = how many elements are not zero."""
    out[...] = np.count_nonzero(x, axis=axis, keepdims=True)
