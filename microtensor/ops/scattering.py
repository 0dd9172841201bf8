"""Writing at places along a dimension: scatter with its reductions, and index_add and its kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import add, div, mul
from microtensor.ops.arrays import Array
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq, logical_and
from microtensor.ops.declare import publish
from microtensor.ops.gathering import (
    LONG,
    PLACES,
    as_vector,
    check_fits,
    check_index_dtype,
    check_range,
    check_tensors,
    gather,
    rank,
    scatter_zeros,
)
from microtensor.ops.indexing import index_view
from microtensor.ops.masking import _masked_fill
from microtensor.ops.writing import declare_write, number_to_write, publish_write
from microtensor.tensor import Tensor, checked_dim, wrap

_ALONG = "input: Tensor, dim: int, index: Tensor, src: Tensor"
_CASES: tuple[Any, ...] = (
    (((3, 4), np.array([[0, 2, 1], [1, 0, 2]]), (2, 3)), {"dim": 0}),
    (((3, 4), np.array([[3, 0], [1, 2]]), (2, 2)), {"dim": -1}),
    (((3,), np.zeros(0, LONG), (0,)), {"dim": 0}),
    (((), np.array(0), ()), {"dim": 0}),
)
_TWICE: tuple[Any, ...] = (*_CASES, (((3, 4), PLACES, (2, 3)), {"dim": 0}))


# ---- scatter ------------------------------------------------------------------------------------


def _along(src: Any) -> Any:
    return as_vector(src) if isinstance(src, np.ndarray) else src


def _scatter_into(out: Array, dim: int, index: Array, src: Any) -> None:
    if index.size:
        dim = checked_dim(dim, out.ndim)
        kernels.scatter_along(_along(src), as_vector(index), dim, as_vector(out))


def _combining(reduce: str) -> Any:
    def into(out: Array, dim: int, index: Array, src: Any) -> None:
        if index.size:
            dim = checked_dim(dim, out.ndim)
            src = np.asarray(src, out.dtype)
            kernels.scatter_reduce_along(_along(src), as_vector(index), dim, reduce, as_vector(out))

    return into


_scatter: Any = declare_write(
    "scatter",
    f"{_ALONG} | float",
    _scatter_into,
    rules={
        "input": lambda g, dim, index: _scatter(g, dim, index, 0.0),
        "src": lambda g, dim, index: gather(g, dim, index),
    },
    summary="Write elements at the places of an index tensor along a dimension.",
    samples=samples.given(*_CASES),
)

_scatter_add: Any = declare_write(
    "scatter_add",
    f"{_ALONG} | float",
    _combining("sum"),
    rules={"input": lambda g: g, "src": lambda g, dim, index: gather(g, dim, index)},
    summary="Add elements at the places of an index tensor along a dimension.",
    samples=samples.given(*_TWICE),
)


def _scatter_prod_input_rule(g: Any, x: Any, dim: int, index: Any, src: Any) -> Any:
    # What a place is multiplied by: its product without itself, where it may be zero.
    nonzero = _masked_fill(x, eq(x, 0), 1.0)
    return div(mul(g, _scatter_prod(nonzero, dim, index, src)), nonzero)


def _scatter_prod_src_rule(g: Any, x: Any, dim: int, index: Any, src: Any, y: Any) -> Any:
    zero = eq(src, 0)
    zeros = gather(scatter_zeros(where(zero, 1.0, 0.0), dim, index, x.shape), dim, index)
    only = logical_and(zero, eq(zeros, 1))
    # The one zero of a product is multiplied by the product of all others.
    others = _scatter_prod(x, dim, index, _masked_fill(src, only, 1.0))
    divided = div(gather(mul(g, y), dim, index), _masked_fill(src, zero, 1.0))
    return where(only, gather(mul(g, others), dim, index), divided)


_scatter_prod: Any = declare_write(
    "scatter_prod",
    _ALONG,
    _combining("prod"),
    keeps_input=True,
    rules={"input": _scatter_prod_input_rule, "src": _scatter_prod_src_rule},
    summary="Multiply by elements at the places of an index tensor along a dimension.",
    samples=samples.given(*_TWICE),
)


def _extreme(name: str, reduce: str, word: str) -> Any:
    def winners(x: Any, dim: int, index: Any, src: Any, y: Any) -> Any:
        mine = where(eq(x, y), 1.0, 0.0)
        theirs = where(eq(src, gather(y, dim, index)), 1.0, 0.0)
        return mine, theirs, add(mine, scatter_zeros(theirs, dim, index, x.shape))

    def input_rule(g: Any, x: Any, dim: int, index: Any, src: Any, y: Any) -> Any:
        mine, _, count = winners(x, dim, index, src, y)
        return mul(div(g, count), mine)

    def src_rule(g: Any, x: Any, dim: int, index: Any, src: Any, y: Any) -> Any:
        _, theirs, count = winners(x, dim, index, src, y)
        return mul(gather(div(g, count), dim, index), theirs)

    return declare_write(
        name,
        _ALONG,
        _combining(reduce),
        keeps_input=True,
        rules={"input": input_rule, "src": src_rule},
        summary=f"Keep the {word} of all that meets at a place along a dimension; equal ones "
        "share the gradient.",
        samples=samples.given(*_TWICE),
    )


_EXTREMES = {
    "amax": _extreme("scatter_amax", "amax", "largest"),
    "amin": _extreme("scatter_amin", "amin", "smallest"),
}


def _checked(op: str, input: Any, dim: Any, index: Any, src: Any) -> tuple[int, Any]:
    """Check what every scatter is given; the dimension from the front, and src cut to the index."""
    check_tensors(op, input=input, index=index)
    shape, wanted = input._array.shape, index._array.shape
    dim = checked_dim(dim, len(shape))
    check_index_dtype(op, index._array)
    if isinstance(src, Tensor):
        given = src._array.shape
        if src._array.dtype != input._array.dtype:
            raise RuntimeError(
                f"{op}(): Expected self.dtype to be equal to src.dtype; got "
                f"{input._array.dtype.name} and {src._array.dtype.name}"
            )
        if rank(given) != rank(wanted) and 0 not in wanted:
            raise RuntimeError(
                f"{op}(): Index tensor must have the same number of dimensions as src tensor; got "
                f"{list(wanted)} for {list(given)}"
            )
    check_fits(op, wanted, shape, dim)
    if index._array.size:
        check_range(op, index._array, dim, shape[dim] if shape else 1)
    if isinstance(src, Tensor) and src._array.shape != wanted:
        src = _cut(op, src, wanted)
    return dim, src


def _cut(op: str, src: Tensor, wanted: tuple[int, ...]) -> Tensor:
    given = src._array.shape
    if 0 in wanted:
        return wrap(np.empty(wanted, src._array.dtype))
    if rank(given) == 1 and (not given or not wanted):
        return src.reshape(wanted) if src._array.size == 1 else src[: rank(wanted)].reshape(wanted)
    if any(n > most for n, most in zip(wanted, given, strict=True)):
        raise RuntimeError(
            f"{op}(): Expected index {list(wanted)} to be no larger size than src {list(given)}"
        )
    return index_view.op.public(src, tuple(slice(0, n) for n in wanted))


@publish_write(
    "input: Tensor, dim: int, index: Tensor, src: Tensor | float | None = None, *, "
    "value: float | None = None, reduce: str | None = None"
)
def scatter(
    input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: Any = None
) -> Any:
    """Write elements, or a number, at the places of an index tensor along a dimension.

    Args:
        input: any tensor, of which a copy is written to.
        dim: the dimension that the index counts in.
        index: int64 or int32 places in [0, size); in no other dimension longer than the input.
        src: a tensor of the input's dtype, at least as large as the index; or a number.
        value: the number by name.
        reduce: None to overwrite (of equal places the last counts), "add" or "multiply".

    Raises:
        RuntimeError: a place out of range, shapes or dtypes that do not fit, another ``reduce``.

    Example:
        >>> import microtensor as mt
        >>> mt.zeros(2, 3).scatter(1, mt.tensor([[2], [0]]), 1.0)
        tensor([[0., 0., 1.],
                [1., 0., 0.]])
    """
    if (src is None) == (value is None):
        raise TypeError("scatter(): give either src or value")
    src = value if src is None else src
    dim, src = _checked("scatter", input, dim, index, src)
    if not isinstance(src, Tensor):
        src = number_to_write("scatter", src, input._array.dtype)
        if reduce == "multiply":
            src = src.expand(index._array.shape)
    if reduce is None:
        return _scatter, (dim, index, src)
    if reduce == "add":
        return _scatter_add, (dim, index, src)
    if reduce != "multiply":
        raise RuntimeError(
            f"scatter(): reduce argument must be either add or multiply, not {reduce!r}"
        )
    return _scatter_prod, (dim, index, src)


@publish_write(_ALONG)
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """Add elements at the places of an index tensor along a dimension.

    Args:
        input: any tensor, to a copy of which is added.
        dim: the dimension that the index counts in.
        index: int64 or int32 places in [0, size); in no other dimension longer than the input.
        src: a tensor of the input's dtype, at least as large as the index.

    Raises:
        RuntimeError: a place out of range, shapes or dtypes that do not fit.
    """
    check_tensors("scatter_add", src=src)
    dim, src = _checked("scatter_add", input, dim, index, src)
    return _scatter_add, (dim, index, src)


# ---- scatter_reduce -----------------------------------------------------------------------------


@publish(
    f"{_ALONG}, reduce: str, *, include_self: bool = True", method="scatter_reduce", inplace=True
)
def scatter_reduce(
    input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """Reduce all elements that an index tensor sends to the same place along a dimension.

    Args:
        input: any tensor; places that the index does not name keep its values.
        dim: the dimension that the index counts in.
        index: int64 or int32 places in [0, size); in no other dimension longer than the input.
        src: a tensor of the input's dtype, at least as large as the index.
        reduce: "sum", "prod", "mean" (of integers rounded down), "amax" or "amin" (equal elements
            share the gradient).
        include_self: whether what the input holds at a place takes part.

    Raises:
        RuntimeError: a place out of range, shapes or dtypes that do not fit, another reduction.

    Example:
        >>> import microtensor as mt
        >>> index, src = mt.tensor([0, 1, 0]), mt.tensor([1.0, 2.0, 3.0])
        >>> mt.zeros(2).scatter_reduce(0, index, src, "mean", include_self=False)
        tensor([2., 2.])
    """
    if reduce not in _NEUTRAL:
        raise RuntimeError(
            f"scatter_reduce(): reduce argument must be either sum, prod, mean, amax or amin, got "
            f"{reduce!r}"
        )
    check_tensors("scatter_reduce", src=src)
    dim, src = _checked("scatter_reduce", input, dim, index, src)
    return _reduced(input, dim, index, src, reduce, include_self)


_NEUTRAL = {"sum": 0, "mean": 0, "prod": 1, "amax": None, "amin": None}


def _reduced(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, include_self: bool
) -> Tensor:
    dtype = input._array.dtype
    if reduce == "mean" and dtype.kind == "b":
        raise RuntimeError("scatter_reduce(): 'mean' is not defined for bool tensors")
    if not include_self:
        neutral = _NEUTRAL[reduce]
        if neutral is None:
            neutral = _least(dtype) if reduce == "amax" else _most(dtype)
        input = _scatter.op.public(input, dim, index, neutral)
    if reduce in _EXTREMES:
        return _EXTREMES[reduce].op.public(input, dim, index, src)
    if reduce == "prod":
        return _scatter_prod.op.public(input, dim, index, src)
    total = _scatter_add.op.public(input, dim, index, src)
    if reduce == "sum":
        return total
    count = np.full(input._array.shape, int(include_self), dtype)
    _combining("sum")(count, dim, index._array, 1)
    count[count == 0] = 1
    return total / wrap(count) if dtype.kind == "f" else total // wrap(count)


def _least(dtype: Any) -> Any:
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min


def _most(dtype: Any) -> Any:
    return np.inf if dtype.kind == "f" else True if dtype.kind == "b" else np.iinfo(dtype).max
