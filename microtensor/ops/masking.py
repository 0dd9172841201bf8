"""Reading and writing where a mask is true."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, broadcast_shape, computed, copied, empty
from microtensor.ops.choosing import where
from microtensor.ops.declare import publish
from microtensor.ops.gathering import check_tensors
from microtensor.ops.indexing import add_at, index_take
from microtensor.ops.shape import reshape
from microtensor.ops.writing import declare_write, number_to_write, write_in_place
from microtensor.tensor import Tensor, wrap

_MASK = np.array([[True, False, True, False], [False, False, True, False], [False] * 4])


def _check_mask(op: str, mask: Array) -> None:
    if mask.dtype.kind != "b":
        raise RuntimeError(
            f"{op}(): expected a bool mask, but got mask with dtype {mask.dtype.name}; convert "
            "with .bool()"
        )


def _check_covers(op: str, mask: Array, shape: tuple[int, ...]) -> None:
    if broadcast_shape(shape, mask.shape, op) != shape:
        raise RuntimeError(
            f"{op}: output with shape {list(shape)} doesn't match the broadcast shape "
            f"{list(broadcast_shape(shape, mask.shape, op))}"
        )


# ---- filling ------------------------------------------------------------------------------------


def _fill_where(out: Array, mask: Array, value: Any) -> None:
    kernels.masked_fill(value, mask, out)


def _masked_fill_forward(x: Array, mask: Array, value: Any) -> Array:
    out = empty(broadcast_shape(x.shape, mask.shape, "masked_fill"), x.dtype)
    kernels.cast(x, out)
    kernels.masked_fill(value, mask, out)
    return out


_masked_fill: Any = declare_write(
    "masked_fill",
    "input: Tensor, mask: Tensor, value: Tensor | float",
    _fill_where,
    _masked_fill_forward,
    rules={
        "input": lambda g, mask: _masked_fill(g, mask, 0.0),
        "value": lambda g, mask: where(mask, g, 0.0),
    },
    summary="Set elements to a number where a mask is true; the gradient passes elsewhere.",
    samples=samples.given(
        (((3, 4), _MASK, ()), {}), (((4,), _MASK, ()), {}), (((), np.array(True), ()), {})
    ),
)


def _checked_fill(op: str, input: Any, mask: Any, value: Any) -> Tensor:
    check_tensors(op, input=input, mask=mask)
    _check_mask(op, mask._array)
    if not isinstance(value, Tensor):
        return number_to_write(op, value, input._array.dtype)
    if value._array.ndim:
        raise RuntimeError(
            f"{op}(): only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._array.ndim} dimension(s)."
        )
    return value


@publish("input: Tensor, mask: Tensor, value: Tensor | float", method="masked_fill")
def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """Set elements to a number where a mask is true; the gradient passes elsewhere.

    Args:
        input: any tensor; the result has its dtype.
        mask: a bool tensor that broadcasts with it.
        value: a number or a 0-d tensor, which gets the sum of the masked gradient.

    Raises:
        RuntimeError: a mask of another dtype, shapes that do not broadcast.
    """
    value = _checked_fill("masked_fill", input, mask, value)
    return _masked_fill.op.public(input, mask, value)


@publish("input: Tensor, mask: Tensor, value: Tensor | float", namespaces=(), method="masked_fill_")
def masked_fill_(input: Any, mask: Any, value: Any) -> Any:
    """Set elements to a number where a mask is true, in place."""
    value = _checked_fill("masked_fill_", input, mask, value)
    _check_covers("masked_fill_", mask._array, input._array.shape)
    return write_in_place("masked_fill_", _masked_fill.op, input, (mask, value))


# ---- selecting ----------------------------------------------------------------------------------


@publish("input: Tensor, mask: Tensor", method="masked_select")
def masked_select(input: Any, mask: Any) -> Any:
    """Take the elements where a mask is true, as a vector; input and mask broadcast.

    Args:
        input: any tensor.
        mask: a bool tensor.

    Raises:
        RuntimeError: a mask of another dtype, shapes that do not broadcast.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor([1.0, -2.0, 3.0])
        >>> mt.masked_select(x, x > 0)
        tensor([1., 3.])
    """
    check_tensors("masked_select", input=input, mask=mask)
    _check_mask("masked_select", mask._array)
    shape = broadcast_shape(input._array.shape, mask._array.shape, "masked_select")
    chosen = copied(np.broadcast_to(mask._array, shape))
    if input._array.shape != shape:
        input = input.expand(shape)
    if not shape:
        return index_take.op.public(input.reshape(1), (chosen.reshape(1),))
    return index_take.op.public(input, (chosen,))


# ---- scattering ---------------------------------------------------------------------------------


def _scatter_where(out: Array, mask: Array, source: Array) -> None:
    computed(_scatter_in_order, out, mask, source)


def _scatter_in_order(out: Array, mask: Array, source: Array) -> None:
    mask = np.broadcast_to(mask, out.shape)
    count = int(np.count_nonzero(mask))
    if count > source.size:
        raise RuntimeError(
            f"masked_scatter(): Number of elements of source ({source.size}) < number of ones in "
            f"mask ({count})"
        )
    kernels.index_assign(source.reshape(-1)[:count], mask, out)


def _source_rule(g: Any, mask: Any, source_shape: tuple[int, ...]) -> Any:
    # The elements that were used lie in order at the beginning of the source.
    shape = g.shape
    used = index_take(reshape(g, (1, *shape)), (slice(None), mask))
    count = 1
    for length in source_shape:
        count *= length
    placed = add_at(reshape(used, (-1,)), (slice(0, used.shape[1]),), (count,))
    return reshape(placed, source_shape)


_masked_scatter: Any = declare_write(
    "masked_scatter",
    "input: Tensor, mask: Tensor, source: Tensor",
    _scatter_where,
    rules={"input": lambda g, mask: _masked_fill(g, mask, 0.0), "source": _source_rule},
    summary="Put the elements of a source, one after the other, where a mask is true.",
    samples=samples.given((((3, 4), _MASK, (5,)), {}), (((3, 4), _MASK, (3, 1)), {})),
)


def _checked_scatter(op: str, input: Any, mask: Any, source: Any) -> None:
    check_tensors(op, input=input, mask=mask, source=source)
    _check_mask(op, mask._array)
    if source._array.dtype != input._array.dtype:
        raise RuntimeError(
            f"{op}(): expected self and source to have same dtypes but got "
            f"{input._array.dtype.name} and {source._array.dtype.name}"
        )


@publish("input: Tensor, mask: Tensor, source: Tensor", method="masked_scatter")
def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """Put the elements of a source, one after the other, where a mask is true.

    Args:
        input: any tensor.
        mask: a bool tensor that broadcasts with it.
        source: a tensor of its dtype with at least as many elements as the mask has ones.

    Raises:
        RuntimeError: other dtypes, too few elements, shapes that do not broadcast.
    """
    _checked_scatter("masked_scatter", input, mask, source)
    shape = broadcast_shape(input._array.shape, mask._array.shape, "masked_scatter")
    if shape != input._array.shape:
        input = input.expand(shape)
    if shape != mask._array.shape:
        mask = wrap(np.broadcast_to(mask._array, shape))
    return _masked_scatter.op.public(input, mask, source)


@publish("input: Tensor, mask: Tensor, source: Tensor", namespaces=(), method="masked_scatter_")
def masked_scatter_(input: Any, mask: Any, source: Any) -> Any:
    """Put the elements of a source, one after the other, where a mask is true, in place."""
    _checked_scatter("masked_scatter_", input, mask, source)
    _check_covers("masked_scatter_", mask._array, input._array.shape)
    if mask._array.shape != input._array.shape:
        mask = wrap(np.broadcast_to(mask._array, input._array.shape))
    return write_in_place("masked_scatter_", _masked_scatter.op, input, (mask, source))
