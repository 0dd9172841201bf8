"""Writing ``x[index] = value``, ``index_put`` and ``put``, and into one slice or a diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.engine import recording
from microtensor.ops import samples
from microtensor.ops.arrays import Array, copied, known
from microtensor.ops.declare import publish
from microtensor.ops.gathering import check_tensors, flat_places
from microtensor.ops.indexing import (
    in_our_words,
    integers_first,
    is_basic,
    plain_index,
    take_at,
    view_forward,
)
from microtensor.ops.inplace import check_writable, unrecorded
from microtensor.ops.writing import (
    declare_write,
    number_to_write,
    publish_write,
    write_in_place,
)
from microtensor.tensor import Tensor, checked_dim, to_array, wrap

# ---- index_put ----------------------------------------------------------------------------------


def _put_into(out: Array, values: Any, index: Any, accumulate: bool = False) -> None:
    try:
        if accumulate:
            kernels.index_accumulate(np.asarray(values, out.dtype), index, out)
        else:
            kernels.index_assign(values, index, out)
    except IndexError as error:
        raise IndexError(
            f"index_put: {in_our_words(error)}; the shape is {list(out.shape)}"
        ) from None


_index_put: Any = declare_write(
    "index_put",
    "input: Tensor, values: Tensor | float, index: Any, accumulate: bool = False",
    _put_into,
    rules={
        "input": lambda g, index, accumulate: g if accumulate else _index_put(g, 0.0, index),
        "values": lambda g, index: take_at(g, index),
    },
    summary="Write, or add, values at an index.",
    samples=samples.given(
        (((3, 4), (2,)), {"index": (np.array([2, 0]), np.array([3, 3]))}),
        (((3, 4), (2, 1)), {"index": (slice(None, 2), slice(1, None))}),
        (((3, 4), (3, 4)), {"index": (np.array([2, 0, 2]),), "accumulate": True}),
        (((3, 4), ()), {"index": 1, "accumulate": True}),
    ),
)


@publish_write("input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False")
def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """Write values where a tuple of index tensors points, as ``x[indices] = values`` does.

    Args:
        input: any tensor, of which a copy is written to.
        indices: integer or bool tensors, as many as there are dimensions or fewer.
        values: a tensor of the input's dtype that broadcasts to ``input[indices]``.
        accumulate: add instead of overwriting; a place named twice gets both. Otherwise the last
            of equal places counts.

    Raises:
        IndexError: a place out of range.
        RuntimeError: values of another dtype, or that do not fit.
    """
    check_tensors("index_put", input=input)
    if not isinstance(indices, tuple | list):
        raise TypeError(
            f"index_put(): argument 'indices' (position 1) must be tuple of Tensors, not "
            f"{type(indices).__name__}"
        )
    check_tensors("index_put", **{f"indices[{i}]": each for i, each in enumerate(indices)})
    check_tensors("index_put", values=values)
    _check_dtype("index_put", values, input)
    # Single places too are indices of a tensor here: nothing becomes a view.
    index = tuple(
        each if isinstance(each, np.ndarray | bool) else np.asarray(each)
        for each in plain_index(tuple(indices))
    )
    return _index_put, (_fitted("index_put", input, index, values), index, accumulate)


def _check_dtype(op: str, values: Tensor, input: Tensor) -> None:
    if values._array.dtype != input._array.dtype:
        raise RuntimeError(
            f"{op}(): Index put requires the source and destination dtypes match, got "
            f"{input._array.dtype.name} for the destination and {values._array.dtype.name} for "
            f"the source; convert with .to({input.dtype!r})"
        )


def _fitted(op: str, input: Tensor, index: Any, values: Tensor) -> Tensor:
    """Give values without leading ones that the indexed part has not; refuse what does not fit."""
    if not values._array.ndim:
        return values
    try:
        wanted = _shape_of(input._array, index)
    except IndexError as error:
        raise IndexError(
            f"{op}: {in_our_words(error)}; the shape is {list(input._array.shape)}"
        ) from None
    shape = given = values._array.shape
    while len(shape) > len(wanted) and shape[0] == 1:
        shape = shape[1:]
    lead = len(wanted) - len(shape)
    if lead < 0 or any(n not in (1, most) for n, most in zip(shape, wanted[lead:], strict=True)):
        raise RuntimeError(
            f"{op}: shape mismatch: value tensor of shape {list(given)} cannot be broadcast to "
            f"indexing result of shape {list(wanted)}"
        )
    return values if shape == given else values.reshape(shape)


def _shape_of(x: Array, index: Any) -> tuple[int, ...]:
    """Give the shape of ``x[index]``; IndexError where there is none."""
    if is_basic(index):
        return x[index].shape
    # One number, seen in every place: indexing it reads nothing of x.
    return np.broadcast_to(np.int8(0), x.shape)[index].shape


# ---- x[index] = value ---------------------------------------------------------------------------


@publish("input: Tensor, index: Any, value: Any", namespaces=(), method="__setitem__")
def _setitem(input: Tensor, index: Any, value: Any) -> None:
    """Write into a part, in place; the gradient reaches the value and what was not overwritten.

    Numbers, arrays, sequences and, for views, tensors are cast to the tensor's dtype.

    Raises:
        IndexError: an index out of range, or something that is no index.
        RuntimeError: a value that does not fit, or a leaf that requires a gradient.
    """
    check_writable("index_put_", input)
    if type(index) is not int:
        index = plain_index(index)
    basic = is_basic(index)
    if not basic:
        first, rest = integers_first(input, index)
        if rest is not index:
            _setitem(first, rest, value)
            return
    if isinstance(value, Tensor):
        if not basic:
            _check_dtype("index_put_", value, input)
    else:
        value = _constant_value(value, input._array.dtype)
    if not recording.enabled or (unrecorded(input) and unrecorded(value)):
        source = value._array
        part = view_forward(input._array, index) if basic else None
        if part is not None and (source.ndim == 0 or source.shape == part.shape):
            if np.may_share_memory(source, part):
                source = copied(source)
            kernels.cast(source, part)
            input._cell[0] += 1
            return
        if part is None and source.ndim == 0:
            _put_into(input._array, copied(source), index)
            input._cell[0] += 1
            return
    value = _fitted("index_put_", input, index, value)
    write_in_place("index_put_", _index_put.op, input, (value, index))


def _constant_value(value: Any, dtype: Any) -> Tensor:
    if isinstance(value, list | tuple | np.ndarray):
        return wrap(to_array(value))
    if not isinstance(value, int | float | np.number | np.bool_):
        raise TypeError(f"can't assign a {type(value).__name__} to a tensor of {dtype.name}")
    return number_to_write("index_put_", value, dtype)


# ---- places in the flattened tensor -------------------------------------------------------------


@publish_write("input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False")
def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """Write elements at places of the flattened tensor; the result has the input's shape.

    Args:
        input: any tensor, of which a copy is written to.
        index: int64 places; negative ones count from the end.
        source: as many elements, of the input's dtype.
        accumulate: add instead of overwriting.

    Raises:
        IndexError: a place out of range, or another number of elements.
        RuntimeError: other dtypes.
    """
    check_tensors("put", input=input, index=index, source=source)
    places = flat_places("put", input, index)
    if source._array.size != places.size:
        raise IndexError(
            "put(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source._array.size}, index.numel() = {places.size}"
        )
    if source._array.dtype != input._array.dtype:
        raise RuntimeError(
            "put(): self and source expected to have the same dtype, but got self.dtype = "
            f"{input._array.dtype.name} and source.dtype = {source._array.dtype.name}"
        )
    shape = input._array.shape
    places = np.where(places < 0, places + input._array.size, places)
    if shape:
        return _index_put, (
            source.reshape(places.shape),
            np.unravel_index(places, shape),
            accumulate,
        )
    # A tensor without dimensions has one place only, and no index but a mask.
    if not accumulate:
        source = source.reshape(-1)[-1:]
    elif places.size:
        source = source.sum().reshape(1)
    return _index_put, (source, np.asarray(places.size > 0), accumulate)


# ---- one slice ----------------------------------------------------------------------------------


def _check_slice(op: str, src: Tensor, wanted: tuple[int, ...]) -> None:
    if src._array.shape != wanted:
        raise RuntimeError(
            f"{op}(): expected src to have a size equal to the slice of self. src size = "
            f"{list(src._array.shape)}, slice size = {list(wanted)}"
        )


def _scattered(op: str, input: Tensor, src: Tensor, index: tuple[Any, ...]) -> Any:
    _check_slice(op, src, input._array[index].shape)
    return _index_put.op.public(input, src, index)


@publish("input: Tensor, src: Tensor, dim: int, index: int", method="select_scatter")
def select_scatter(input: Any, src: Any, dim: int, index: int) -> Any:
    """Give a copy with one slice replaced: ``input.select(dim, index)`` becomes ``src``.

    Args:
        input: a tensor of at least one dimension.
        src: a tensor of the slice's shape.
        dim: the dimension.
        index: the place; a negative one counts from the end.

    Raises:
        IndexError: a place out of range.
        RuntimeError: a ``src`` of another shape.
    """
    check_tensors("select_scatter", input=input, src=src)
    shape = input._array.shape
    dim = checked_dim(dim, len(shape))
    length = shape[dim] if shape else 0
    if not -length <= index < length:
        raise IndexError(
            f"select_scatter(): index {index} out of range for tensor of size {list(shape)} at "
            f"dimension {dim}"
        )
    return _scattered("select_scatter", input, src, (*(slice(None),) * dim, index))


@publish(
    "input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, "
    "step: int = 1",
    method="slice_scatter",
)
def slice_scatter(
    input: Any, src: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Any:
    """Give a copy with ``input[start:end:step]`` along a dimension replaced by ``src``.

    Args:
        input: a tensor of at least one dimension.
        src: a tensor of the slice's shape.
        dim: the dimension.
        start: where the slice begins, as in Python.
        end: where it ends.
        step: a positive step.

    Raises:
        RuntimeError: a ``src`` of another shape, a step that is not positive.
    """
    check_tensors("slice_scatter", input=input, src=src)
    dim = checked_dim(dim, input._array.ndim)
    if step <= 0:
        raise RuntimeError(f"slice_scatter(): slice step must be positive, got {step}")
    index = (*(slice(None),) * dim, slice(start, end, step))
    return _scattered("slice_scatter", input, src, index)


def _diagonal_index(
    op: str, shape: tuple[int, ...], offset: int, dim1: int, dim2: int
) -> tuple[Array, Array, int, int]:
    first, second = checked_dim(dim1, len(shape)), checked_dim(dim2, len(shape))
    if first == second:
        raise RuntimeError(f"{op}(): diagonal dimensions cannot be identical {dim1}, {dim2}")
    below, right = max(-offset, 0), max(offset, 0)
    count = max(min(shape[first] - below, shape[second] - right), 0)
    steps = np.arange(count)
    return known(steps + below), known(steps + right), first, second


@publish(
    "input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1",
    method="diagonal_scatter",
)
def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """Give a copy with a diagonal replaced: ``input.diagonal(offset, dim1, dim2)`` becomes ``src``.

    Args:
        input: a tensor of at least two dimensions.
        src: a tensor of the diagonal's shape, whose last dimension runs along it.
        offset: which diagonal; above the main one where positive.
        dim1: the first of the dimensions it runs through.
        dim2: the second.

    Raises:
        RuntimeError: a ``src`` of another shape, or one dimension given twice.
    """
    check_tensors("diagonal_scatter", input=input, src=src)
    shape = input._array.shape
    rows, columns, first, second = _diagonal_index("diagonal_scatter", shape, offset, dim1, dim2)
    rest = tuple(n for d, n in enumerate(shape) if d not in (first, second))
    _check_slice("diagonal_scatter", src, (*rest, len(rows)))
    last = input.movedim((first, second), (-2, -1))
    filled = _index_put.op.public(last, src, (Ellipsis, rows, columns))
    return filled.movedim((-2, -1), (first, second))
