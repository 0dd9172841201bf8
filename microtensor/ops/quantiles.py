"""Quantiles: elements at fractions of the way through the sorted ones, or between two of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.arithmetic import add, mul, sub
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq, isinf, logical_and
from microtensor.ops.declare import publish, refuse
from microtensor.ops.picking import pick_several
from microtensor.tensor import Tensor, checked_dim, wrap

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")
_SIGNATURE = (
    "input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *, "
    "interpolation: str = 'linear'"
)


def _fractions(name: str, input: Tensor, q: Any) -> Any:
    """Check q and give it as an array of the input's dtype, 0-d or 1-d."""
    dtype = input._array.dtype
    if isinstance(q, Tensor):
        if q._array.ndim > 1:
            raise RuntimeError(f"{name}() q must be a scalar or 1D tensor, not {q._array.ndim}D")
        if q._array.dtype != dtype:
            raise RuntimeError(
                f"{name}() q tensor must be same dtype as the input tensor: {q.dtype.name} against "
                f"{dtype.name}"
            )
        fractions = q._array
    elif isinstance(q, int | float) and not isinstance(q, bool):
        fractions = np.array(q, dtype)
    else:
        raise TypeError(f"{name}(): q must be a number or a Tensor, not {type(q).__name__}")
    if not ((fractions >= 0) & (fractions <= 1)).all():  # so written that NaN is refused
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]; got {q}")
    return fractions


def _ranks(line: Any, fractions: Any, ignore_nan: bool) -> Any:
    """Give how far through its sorted elements each row of ``line`` is to be read: (.., q)."""
    dtype = line.dtype
    last = np.array(line.shape[-1] - 1, dtype)
    missing = np.isnan(line).sum(-1, keepdims=True)
    if ignore_nan:
        return fractions * np.maximum(last - missing, 0).astype(dtype)
    # NaN sorts last: a row that has one is read at its end.
    return np.where(missing > 0, last, fractions * last)


def _quantile(
    name: str, ignore_nan: bool, input: Any, q: Any, dim: Any, keepdim: bool, interpolation: str
) -> Tensor:
    if not isinstance(input, Tensor):
        refuse(name, "input", input)
    array = input._array
    if not array.size:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if array.dtype not in (np.float32, np.float64):
        raise RuntimeError(
            f"{name}() input tensor must be either float or double dtype, not {array.dtype.name}"
        )
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of {', '.join(_INTERPOLATIONS)}, but got "
            f"{interpolation}"
        )
    fractions = _fractions(name, input, q)
    ndim = array.ndim
    if dim is None or not ndim:
        if dim is not None:
            checked_dim(dim, ndim)
        line = input.reshape(-1)
        shape = (1,) * ndim if keepdim else ()
    else:
        along = checked_dim(dim, ndim)
        line = input.movedim(along, -1)
        lengths = array.shape
        shape = lengths[:along] + ((1,) if keepdim else ()) + lengths[along + 1 :]
    result = _read(line, _ranks(line._array, fractions.reshape(-1), ignore_nan), interpolation)
    if not fractions.ndim:
        return result.reshape(shape)
    return result.movedim(-1, 0).reshape((len(fractions), *shape))


def _read(line: Tensor, ranks: Any, interpolation: str) -> Tensor:
    """Give the elements at ranks along the last dimension of ``line``, or between two."""
    array = line._array
    order = np.empty(array.shape, np.int64)
    last = array.ndim - 1
    kernels.argsort(array, last, False, order)

    def at(places: Any) -> Tensor:
        index = np.take_along_axis(order, places.astype(np.int64), last)
        result: Tensor = pick_several(line, wrap(index), last)
        return result

    if interpolation == "nearest":
        return at(np.rint(ranks))  # the even one of two that are equally near
    if interpolation == "lower":
        return at(np.floor(ranks))
    if interpolation == "higher":
        return at(np.ceil(ranks))
    low, high = at(np.floor(ranks)), at(np.ceil(ranks))
    part = ranks - np.floor(ranks)
    if interpolation == "midpoint":
        part = np.where(part > 0, 0.5, 0).astype(array.dtype)
    # From the nearer one, as PyTorch, but from a finite one towards an infinite one.
    same = logical_and(eq(low, high), isinf(low))
    step = sub(where(same, 0.0, high), where(same, 0.0, low))
    near = np.isinf(high._array) | ((part < 0.5) & ~np.isinf(low._array))
    rising = add(low, mul(step, wrap(part)))
    falling = sub(high, mul(step, wrap(1 - part)))
    result: Tensor = where(wrap(near), rising, falling)
    return result


@publish(_SIGNATURE, method="quantile")
def quantile(
    input: Any, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """Give quantiles, of all elements or along a dimension; NaN where there is one.

    Args:
        input: a float32 or float64 tensor.
        q: a fraction between 0 and 1, or a 1-d tensor of them, of the input's dtype.
        dim: the dimension to reduce; all if None.
        keepdim: keep the reduced dimensions with length 1.
        interpolation: what to give between two elements: "linear", "lower", "higher",
            "midpoint", "nearest".

    Returns:
        The reduced shape, with a dimension for several ``q`` before it.

    Raises:
        RuntimeError: nothing to choose from, another dtype or interpolation, q out of range.

    Example:
        >>> import microtensor as mt
        >>> mt.quantile(mt.tensor([1.0, 2.0, 4.0]), 0.75)
        tensor(3.)
    """
    return _quantile("quantile", False, input, q, dim, keepdim, interpolation)


@publish(_SIGNATURE, method="nanquantile")
def nanquantile(
    input: Any, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """Give quantiles of what is not NaN, of all elements or along a dimension.

    Args:
        input: a float32 or float64 tensor.
        q: a fraction between 0 and 1, or a 1-d tensor of them, of the input's dtype.
        dim: the dimension to reduce; all if None.
        keepdim: keep the reduced dimensions with length 1.
        interpolation: what to give between two elements: "linear", "lower", "higher",
            "midpoint", "nearest".

    Returns:
        The reduced shape, with a dimension for several ``q`` before it.

    Raises:
        RuntimeError: nothing to choose from, another dtype or interpolation, q out of range.
    """
    return _quantile("nanquantile", True, input, q, dim, keepdim, interpolation)
