"""Writing whole slices along a dimension: index_add, index_copy, index_fill, index_reduce."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import mul
from microtensor.ops.arrays import Array
from microtensor.ops.declare import publish
from microtensor.ops.gathering import (
    LONG,
    as_vector,
    at_dim,
    check_index_dtype,
    check_range,
    check_tensors,
    vector_index,
)
from microtensor.ops.indexing import index_take
from microtensor.ops.scattering import _reduced
from microtensor.ops.shape import reshape
from microtensor.ops.writing import declare_write, number_to_write, publish_write
from microtensor.tensor import Tensor, checked_dim, wrap

_SLICES = "input: Tensor, dim: int, index: Tensor, source: Tensor"


def _taken(g: Any, dim: int, index: Any) -> Any:
    """Take the slices of a gradient, in rules."""
    if not g.shape:
        return reshape(index_take(reshape(g, (1,)), (index,)), ())
    return index_take(g, at_dim(dim, index))


def _add_into(out: Array, dim: int, index: Array, source: Array, *, alpha: Any = 1) -> None:
    if alpha != 1:
        source = source * out.dtype.type(alpha)
    out = as_vector(out)
    kernels.index_accumulate(as_vector(source), at_dim(dim, as_vector(index)), out)


def _copy_into(out: Array, dim: int, index: Array, source: Array) -> None:
    out = as_vector(out)
    kernels.index_assign(as_vector(source), at_dim(dim, as_vector(index)), out)


def _fill_into(out: Array, dim: int, index: Array, value: Any) -> None:
    kernels.index_assign(value, at_dim(dim, as_vector(index)), as_vector(out))


_index_add: Any = declare_write(
    "index_add",
    f"{_SLICES}, alpha: float = 1",
    lambda out, dim, index, source, alpha=1: _add_into(out, dim, index, source, alpha=alpha),
    rules={
        "input": lambda g: g,
        "source": lambda g, dim, index, alpha: (
            _taken(g, dim, index) if alpha == 1 else mul(_taken(g, dim, index), alpha)
        ),
    },
    summary="Add slices at the places of an index along a dimension.",
    samples=samples.given(
        (((3, 4), np.array([2, 0, 2, 2]), (4, 4)), {"dim": 0}),
        (((3, 4), np.array([1, 1]), (3, 2)), {"dim": 1, "alpha": -2.5}),
        (((), np.array([0]), ()), {"dim": 0}),
    ),
)

_index_copy: Any = declare_write(
    "index_copy",
    _SLICES,
    _copy_into,
    rules={
        "input": lambda g, dim, index: _index_fill(g, dim, index, 0.0),
        "source": lambda g, dim, index: _taken(g, dim, index),
    },
    summary="Write slices at the places of an index along a dimension.",
    samples=samples.given(
        (((3, 4), np.array([2, 0]), (2, 4)), {"dim": 0}),
        (((3, 4), np.array([1]), (3, 1)), {"dim": 1}),
        (((), np.array([0]), ()), {"dim": 0}),
    ),
)

_index_fill: Any = declare_write(
    "index_fill",
    "input: Tensor, dim: int, index: Tensor, value: Tensor | float",
    _fill_into,
    rules={
        "input": lambda g, dim, index: _index_fill(g, dim, index, 0.0),
        "value": lambda g, dim, index: _taken(g, dim, index),
    },
    summary="Set whole slices, at the places of an index along a dimension, to a number.",
    samples=samples.given(
        (((3, 4), np.array([2, 0]), ()), {"dim": 0}),
        (((3, 4), np.array([1, 3]), ()), {"dim": 1}),
        (((), np.array([0]), ()), {"dim": 0}),
    ),
)


def _check_source(op: str, input: Any, dim: int, index: Any, source: Any) -> tuple[int, Tensor]:
    """Check dtypes, ranks and lengths; the dimension from the front, and the index as a vector."""
    check_tensors(op, input=input, index=index, source=source)
    dim = checked_dim(dim, input._array.ndim)
    if source._array.dtype != input._array.dtype:
        raise RuntimeError(
            f"{op}(): self ({input._array.dtype.name}) and source ({source._array.dtype.name}) "
            "must have the same dtype"
        )
    return dim, _vector(op, index)


def _vector(op: str, index: Tensor) -> Tensor:
    places = vector_index(op, index._array)
    return index if places is index._array else index.reshape(1)


def _check_shapes(op: str, shape: tuple[int, ...], given: Any, dim: int, count: int) -> None:
    if len(given) != len(shape) or given[:dim] + given[dim + 1 :] != shape[:dim] + shape[dim + 1 :]:
        raise RuntimeError(
            f"{op}(): source tensor shape must match self tensor shape, excluding the specified "
            f"dimension. Got self.shape = {list(shape)} source.shape = {list(given)}"
        )
    if (given[dim] if given else 1) != count:
        raise RuntimeError(
            f"{op}(): Number of indices ({count}) should be equal to source.size(dim): "
            f"({given[dim] if given else 1}), for dim: {dim}"
        )


@publish_write(f"{_SLICES}, *, alpha: float = 1")
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    """Add slices of a source, times ``alpha``, at the places of an index along a dimension.

    Args:
        input: any tensor, to a copy of which is added.
        dim: the dimension.
        index: int64 or int32 places in [0, size), a vector or a single one.
        source: of the input's dtype and shape, but as long as the index in ``dim``.
        alpha: what the source is multiplied by.

    Raises:
        RuntimeError: a place out of range, shapes or dtypes that do not fit.
        IndexError: an index of several dimensions.
    """
    dim, index = _check_source("index_add", input, dim, index, source)
    check_index_dtype("index_add", index._array)
    shape = input._array.shape
    _check_shapes("index_add", shape, source._array.shape, dim, index._array.size)
    check_range("index_add", index._array, dim, shape[dim] if shape else 1)
    return _index_add, (dim, index, source, alpha)


@publish_write(_SLICES)
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """Write slices of a source at the places of an index along a dimension.

    Args:
        input: any tensor, of which a copy is written to.
        dim: the dimension.
        index: int64 places in [0, size), a vector or a single one; of equal ones the last counts.
        source: of the input's dtype and shape, but as long as the index in ``dim``.

    Raises:
        IndexError: a place out of range, an index of several dimensions, or another length.
        RuntimeError: shapes or dtypes that do not fit.
    """
    dim, index = _check_source("index_copy", input, dim, index, source)
    check_index_dtype("index_copy", index._array, (LONG,))
    shape, given = input._array.shape, source._array.shape
    count = index._array.size
    if len(given) != len(shape) and given and shape:
        raise IndexError(
            f"index_copy(): When source and destination are not scalars, their dimensionality must "
            f"match. Source dimensionality ({len(given)}), destination dimensionality "
            f"({len(shape)})"
        )
    length = given[dim] if given else 1
    if length != count:
        raise IndexError(
            f"index_copy(): Number of indices ({count}) should be equal to source.size(dim) "
            f"({length})"
        )
    if (given[:dim] + given[dim + 1 :]) != (shape[:dim] + shape[dim + 1 :]):
        raise RuntimeError(
            f"index_copy(): Source/destination tensor must have same slice shapes; got "
            f"{list(given)} for {list(shape)} and dimension {dim}"
        )
    check_range("index_copy", index._array, dim, shape[dim] if shape else 1, IndexError)
    return _index_copy, (dim, index, source)


@publish_write("input: Tensor, dim: int, index: Tensor, value: Tensor | float")
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """Set whole slices, at the places of an index along a dimension, to a number.

    Args:
        input: any tensor, of which a copy is written to.
        dim: the dimension.
        index: int64 places, a vector or a single one; negative ones count from the end.
        value: a number or a 0-d tensor, which gets the sum of the gradient there.

    Raises:
        IndexError: a place out of range, or an index of another dtype.
        RuntimeError: an index of several dimensions, or a value of any.
    """
    check_tensors("index_fill", input=input, index=index)
    shape = input._array.shape
    dim = checked_dim(dim, len(shape))
    if index._array.dtype != LONG:
        raise IndexError(
            f"index_fill(): Expected dtype int64 for index, got {index._array.dtype.name}; convert "
            "with .long()"
        )
    vector_index("index_fill", index._array, RuntimeError)
    if isinstance(value, Tensor) and value._array.ndim:
        raise RuntimeError(
            f"index_fill(): only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._array.ndim} dimension(s)."
        )
    length = shape[dim] if shape else 1
    check_range("index_fill", index._array, dim, length, IndexError, negative=True)
    if not isinstance(value, Tensor):
        value = number_to_write("index_fill", value, input._array.dtype)
        return _index_fill, (dim, _vector("index_fill", index), value)
    # Named twice, a place is filled once: the value's gradient is to count it once.
    places = np.unique(np.where(index._array < 0, index._array + length, index._array))
    return _index_fill, (dim, wrap(places), value)


@publish(
    f"{_SLICES}, reduce: str, *, include_self: bool = True", method="index_reduce", inplace=True
)
def index_reduce(
    input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """Reduce all slices that an index sends to the same place along a dimension.

    Args:
        input: any tensor; slices that the index does not name keep its values.
        dim: the dimension.
        index: int64 or int32 places in [0, size), a vector or a single one.
        source: of the input's dtype and shape, but as long as the index in ``dim``.
        reduce: "prod", "mean", "amax" or "amin"; see :func:`scatter_reduce`.
        include_self: whether what the input holds at a place takes part.

    Raises:
        IndexError: a place out of range, or an index of several dimensions.
        RuntimeError: shapes or dtypes that do not fit, another reduction.
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce!r}"
        )
    dim, index = _check_source("index_reduce", input, dim, index, source)
    check_index_dtype("index_reduce", index._array)
    shape, given = input._array.shape, source._array.shape
    _check_shapes("index_reduce", shape, given, dim, index._array.size)
    check_range("index_reduce", index._array, dim, shape[dim] if shape else 1, IndexError)
    if given:
        column = index._array.reshape((-1,) + (1,) * (len(given) - dim - 1))
        index = wrap(np.ascontiguousarray(np.broadcast_to(column, given)))
    else:
        index = index.reshape(())
    return _reduced(input, dim, index, source, reduce, include_self)
