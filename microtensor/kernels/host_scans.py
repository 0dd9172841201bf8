"""Kernels that run along one axis and keep every step: cumulative sums, products, extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the dtype in which a long chain of additions or products loses no digits."""
    return np.dtype(np.float64) if dtype.kind == "f" else dtype


def _turned(x: Array, axis: int, reverse: bool) -> Array:
    return np.flip(x, axis) if reverse else x


def _accumulate(ufunc: Any, x: Array, axis: int, reverse: bool, out: Array) -> None:
    dtype = _wide(out.dtype)
    target = _turned(out, axis, reverse)
    with np.errstate(all="ignore"):
        result = ufunc.accumulate(_turned(x, axis, reverse), axis=axis, dtype=dtype)
        np.copyto(target, result, casting="unsafe")


def running_sum(x: Array, axis: int, reverse: bool, out: Array) -> None:
    """Out = the sums of all up to each place along the axis, or from it to the end."""
    _accumulate(np.add, x, axis, reverse, out)


def running_prod(x: Array, axis: int, reverse: bool, out: Array) -> None:
    """Out = the products of all up to each place along the axis, or from it to the end."""
    _accumulate(np.multiply, x, axis, reverse, out)


def logcumsumexp(x: Array, axis: int, out: Array) -> None:
    """Out = log Σ eˣ of all up to each place along the axis, without overflow."""
    _accumulate(np.logaddexp, x, axis, False, out)


def recurrence(x: Array, factor: Array, axis: int, reverse: bool, out: Array) -> None:
    """Out = y with y[i] = x[i] + factor[i] y[i - 1] along the axis (y[i + 1] if reversed).

    What comes before the first is zero, whatever the factor there.
    """
    x, factor, y = (np.moveaxis(_turned(a, axis, reverse), axis, 0) for a in (x, factor, out))
    if not y.size:
        return
    with np.errstate(all="ignore"):
        if y[0].size == 1:  # in Python's floats, a tenth of the cost of NumPy's on single numbers
            total, found = 0.0, []
            first = True
            for number, times in zip(x.ravel().tolist(), factor.ravel().tolist(), strict=True):
                total = number if first else number + times * total
                first = False
                found.append(total)
            y[...] = np.array(found).reshape(y.shape)
            return
        state = x[0].astype(_wide(out.dtype))
        y[0] = state
        for i in range(1, len(y)):
            state *= factor[i]
            state += x[i]
            y[i] = state


def shift(x: Array, axis: int, by: int, fill: float, out: Array) -> None:
    """Out[i] = x[i - by] along the axis, by 1 or -1; what comes in is ``fill``."""
    here = np.moveaxis(out, axis, 0)
    there = np.moveaxis(x, axis, 0)
    if by > 0:
        here[1:], here[:1] = there[:-1], fill
    else:
        here[:-1], here[-1:] = there[1:], fill


def cummax_index(x: Array, axis: int, out: Array) -> None:
    """Out = where the largest up to each place lies: the last of equals, or of NaNs."""
    _cumulative_index(np.maximum, x, axis, out)


def cummin_index(x: Array, axis: int, out: Array) -> None:
    """Out = where the smallest up to each place lies: the last of equals, or of NaNs."""
    _cumulative_index(np.minimum, x, axis, out)


def _cumulative_index(ufunc: Any, x: Array, axis: int, out: Array) -> None:
    new = x == ufunc.accumulate(x, axis=axis)
    if x.dtype.kind == "f":
        new |= np.isnan(x)
    places = np.arange(x.shape[axis]).reshape([-1 if d == axis else 1 for d in range(x.ndim)])
    np.maximum.accumulate(np.where(new, places, 0), axis=axis, out=out)
