"""Filling a whole tensor or its diagonal, and copying into it: in place, with gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.engine import Node, recording
from microtensor.ops.arrays import copied, known
from microtensor.ops.assignment import _index_put
from microtensor.ops.declare import Op, publish, registry
from microtensor.ops.gathering import check_tensors
from microtensor.ops.inplace import check_writable, overwrite_backward, write
from microtensor.ops.writing import number_to_write, write_in_place
from microtensor.tensor import Tensor, node_of, wrap


def _copied_backward(g: Any, parents: Any, saved: Any) -> tuple[Any, ...]:
    before, source = parents
    zeros = None if before is None else overwrite_backward(g, parents, saved)[0]
    return zeros, None if source is None else g


_copied = Op(
    name="copy",
    signature="input: Tensor, src: Tensor",
    forward=lambda input, src: src,
    summary="Record that a tensor was overwritten by another: the gradient goes to that one.",
    namespaces=(),
    backward=_copied_backward,
)
registry["copy"] = _copied


@publish("input: Tensor, value: Tensor | float", namespaces=(), method="fill_")
def fill_(input: Tensor, value: Any) -> Tensor:
    """Set all elements to a number or a 0-d tensor, in place; a tensor gets the gradient's sum.

    Raises:
        RuntimeError: a tensor of one or more dimensions, a number that the dtype cannot hold.
    """
    if not isinstance(value, Tensor):
        return _constant("fill_", input, value)
    if value._array.ndim:
        raise RuntimeError(
            f"fill_(): only supports 0-dimension value tensor but got tensor with "
            f"{value._array.ndim} dimensions."
        )
    return copy_(input, value)


@publish("input: Tensor", namespaces=(), method="zero_")
def zero_(input: Tensor) -> Tensor:
    """Set all elements to zero, in place."""
    return _constant("zero_", input, 0)


def _constant(name: str, tensor: Tensor, value: Any) -> Tensor:
    check_writable(name, tensor, overlapping=True)
    value = number_to_write(name, value, tensor._array.dtype)._array
    # A constant: what was recorded before no longer matters, and nothing new is.
    write(tensor, wrap(tensor._array), lambda out: kernels.fill(value, out))
    return tensor


@publish("input: Tensor, src: Tensor | float, non_blocking: bool = False", (), "copy_")
def copy_(input: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Copy another tensor's elements into this one, broadcasting and casting.

    Args:
        input: the tensor that is written to.
        src: a tensor, or a number.
        non_blocking: there for PyTorch's sake; a copy is always finished when this returns.

    Raises:
        RuntimeError: shapes that do not broadcast to this one's.
    """
    check_writable("copy_", input)
    if isinstance(src, int | float | np.number):
        return _constant("copy_", input, src)
    if not isinstance(src, Tensor):
        raise TypeError(f"copy_(): argument 'src' must be Tensor, not {type(src).__name__}")
    source, own = src._array, input._array
    if source.shape != own.shape:
        src = src.expand(own.shape)
    node, before = node_of(src), node_of(input)
    result = wrap(own)
    if node is not None and recording.enabled and own.dtype.kind == "f":
        # A node of its own: hooks on this tensor are not hooks on the source.
        result._node = Node(_copied, (before, node), (), (), 0, own.shape, own.dtype)
    given = copied(source) if np.may_share_memory(source, own) else source
    write(input, result, lambda out: kernels.cast(given, out))
    return input


@publish(
    "input: Tensor, fill_value: float, wrap: bool = False", namespaces=(), method="fill_diagonal_"
)
def fill_diagonal_(input: Any, fill_value: Any, wrap: bool = False) -> Any:
    """Set the main diagonal to a number, in place.

    Args:
        input: a matrix, or a tensor of more dimensions that all have the same length.
        fill_value: the number.
        wrap: let the diagonal of a tall matrix begin anew below, after an empty row.

    Raises:
        RuntimeError: fewer than two dimensions, or lengths that differ.
    """
    check_tensors("fill_diagonal_", input=input)
    shape = input._array.shape
    if len(shape) < 2:
        raise RuntimeError("fill_diagonal_(): dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError("fill_diagonal_(): all dimensions of input must be of equal length")
    if len(shape) > 2 or not wrap or shape[0] <= shape[1]:
        index: tuple[Any, ...] = (known(np.arange(min(shape))),) * len(shape)
    else:
        places = np.arange(0, shape[0] * shape[1], shape[1] + 1)
        index = tuple(map(known, np.unravel_index(places, shape)))
    fill_value = number_to_write("fill_diagonal_", fill_value, input._array.dtype)
    return write_in_place("fill_diagonal_", _index_put.op, input, (fill_value, index))
