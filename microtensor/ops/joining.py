"""Joining several tensors and taking one apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.engine import Node, recording
from microtensor.ops.arrays import empty
from microtensor.ops.declare import Op, publish, refuse, registry
from microtensor.ops.indexing import index_view
from microtensor.ops.promotion import promote_types
from microtensor.tensor import Tensor, checked_dim, node_of, wrap


def _part(g: Any, dim: int, start: int, stop: int) -> Any:
    return index_view(g, (*(slice(None),) * dim, slice(start, stop)))


def _cat_backward(g: Any, parents: tuple[Any, ...], saved: tuple[Any, ...]) -> tuple[Any, ...]:
    dim, bounds = saved
    return tuple(
        None if parent is None else _part(g, dim, start, stop)
        for parent, start, stop in zip(parents, bounds[:-1], bounds[1:], strict=True)
    )


# An op of any number of inputs: its record is written out, since signatures name theirs.
_cat = Op(
    name="cat",
    signature="tensors: Sequence[Tensor], dim: int = 0",
    forward=lambda arrays, dim: np.concatenate(arrays, dim),
    summary="Join tensors along a dimension.",
    saved_names=("dim", "bounds"),
    saved_roles=(None, None),
    backward=_cat_backward,
)
registry["cat"] = _cat


@publish("tensors: Sequence[Tensor], dim: int = 0")
def cat(tensors: Any, dim: int = 0) -> Tensor:
    """Join tensors along a dimension.

    Args:
        tensors: at least one; equal shapes but for ``dim``.
        dim: the dimension to join along.

    Returns:
        A tensor of the common (promoted) dtype.

    Raises:
        RuntimeError: no tensors, or shapes that differ elsewhere.

    Example:
        >>> import microtensor as mt
        >>> mt.cat([mt.ones(1, 2), mt.zeros(1, 2)]).tolist()
        [[1.0, 1.0], [0.0, 0.0]]
    """
    tensors = _checked(tensors, "cat")
    arrays = [each._array for each in tensors]
    # PyTorch lets empty vectors pass whatever the others' shape.
    first = next((a for a in arrays if a.shape != (0,)), arrays[0])
    if first.ndim == 0:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    dim = checked_dim(dim, first.ndim)
    lengths = []
    dtype = arrays[0].dtype
    for place, array in enumerate(arrays):
        dtype = promote_types(dtype, array.dtype)
        if array.shape == (0,) and first.ndim != 1:
            lengths.append(0)
            continue
        rest = array.shape[:dim] + array.shape[dim + 1 :]
        if array.ndim != first.ndim or rest != first.shape[:dim] + first.shape[dim + 1 :]:
            raise RuntimeError(
                f"cat: sizes of tensors must match except in dimension {dim}. Expected a shape "
                f"like {list(first.shape)} but got {list(array.shape)} for tensor number {place} "
                "in the list."
            )
        lengths.append(array.shape[dim])
    bounds = [0, *np.cumsum(lengths).tolist()]
    out = empty((*first.shape[:dim], bounds[-1], *first.shape[dim + 1 :]), dtype)
    kernels.concatenate([a for a in arrays if a.ndim == first.ndim], dim, out)
    result = wrap(out)
    if recording.enabled and dtype.kind == "f":
        parents = tuple(node_of(each) for each in tensors)
        if any(parents):
            result._node = Node(_cat, parents, (dim, bounds), (), 0, out.shape, dtype)
    return result


@publish("tensors: Sequence[Tensor], dim: int = 0")
def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new dimension.

    Args:
        tensors: at least one, of equal shapes.
        dim: where the new dimension goes.

    Raises:
        RuntimeError: no tensors, or unequal shapes.

    Example:
        >>> import microtensor as mt
        >>> mt.stack([mt.ones(2), mt.zeros(2)]).shape
        microtensor.Size([2, 2])
    """
    tensors = _checked(tensors, "stack")
    for place, each in enumerate(tensors):
        if each._array.shape != tensors[0]._array.shape:
            raise RuntimeError(
                "stack expects each tensor to be equal size, but got "
                f"{list(tensors[0]._array.shape)} at entry 0 and {list(each._array.shape)} at "
                f"entry {place}"
            )
    return cat([each.unsqueeze(dim) for each in tensors], dim)


def _checked(tensors: Any, op: str) -> list[Tensor]:
    if isinstance(tensors, Tensor) or not isinstance(tensors, Sequence):
        raise TypeError(
            f"{op}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            f"{type(tensors).__name__}"
        )
    for each in tensors:
        if not isinstance(each, Tensor):
            refuse(op, "tensors", each)
    if not tensors:
        kind = ValueError if op == "cat" else RuntimeError  # as PyTorch
        raise kind(f"{op}(): expected a non-empty list of Tensors")
    return list(tensors)


@publish("input: Tensor, dim: int = 0", method="unbind")
def unbind(input: Any, dim: int = 0) -> Any:
    """Give the slices along a dimension, as a tuple of views.

    Args:
        input: a tensor of at least one dimension.
        dim: the dimension that goes.
    """
    if not isinstance(input, Tensor):
        refuse("unbind", "input", input)
    dim = checked_dim(dim, input._array.ndim)
    lead = (slice(None),) * dim
    return tuple(index_view(input, (*lead, i)) for i in range(input._array.shape[dim]))


@publish(
    "tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0", method="split"
)
def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> Any:
    """Cut along a dimension into pieces of a size, or of several sizes; a tuple of views.

    Args:
        tensor: a tensor of at least one dimension.
        split_size_or_sections: the size of each piece (the last may be smaller), or all sizes.
        dim: the dimension to cut.

    Raises:
        RuntimeError: sizes that do not add up to the length.
    """
    if not isinstance(tensor, Tensor):
        refuse("split", "tensor", tensor)
    dim = checked_dim(dim, tensor._array.ndim)
    length = tensor._array.shape[dim]
    sizes = split_size_or_sections
    if isinstance(sizes, int | np.integer):
        if sizes <= 0:
            raise RuntimeError(f"split expects split_size to be positive, got {sizes}")
        sizes = [min(sizes, length - at) for at in range(0, max(length, 1), int(sizes))]
    elif sum(sizes) != length:
        raise RuntimeError(
            f"split expects split_sizes to sum exactly to {length} (input tensor's size at "
            f"dimension {dim}), but got {list(sizes)}"
        )
    bounds = [0, *np.cumsum(sizes).tolist()]
    return tuple(_part(tensor, dim, a, b) for a, b in pairwise(bounds))


@publish("input: Tensor, chunks: int, dim: int = 0", method="chunk")
def chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """Cut along a dimension into at most so many pieces of equal size (the last may be smaller).

    Args:
        input: a tensor of at least one dimension.
        chunks: how many pieces.
        dim: the dimension to cut.
    """
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    if not isinstance(input, Tensor):
        refuse("chunk", "input", input)
    length = input._array.shape[checked_dim(dim, input._array.ndim)]
    return split(input, max(1, -(-length // chunks)), dim)
