"""Joining several tensors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.engine import Node, recording
from microtensor.ops.arrays import empty, known
from microtensor.ops.declare import Op, publish, refuse, registry
from microtensor.ops.expanding import at_least, unpacked
from microtensor.ops.promotion import promote_types
from microtensor.ops.shape import reshape, unsqueeze
from microtensor.ops.views import part
from microtensor.tensor import Tensor, checked_dim, node_of, wrap


def _cat_backward(g: Any, parents: tuple[Any, ...], saved: tuple[Any, ...]) -> tuple[Any, ...]:
    dim, bounds = saved
    return tuple(
        None if parent is None else part(g, dim, start, stop)
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
    bounds = list(accumulate(lengths, initial=0))
    out = empty((*first.shape[:dim], bounds[-1], *first.shape[dim + 1 :]), dtype)
    kernels.concatenate([a for a in arrays if a.ndim == first.ndim], dim, out)
    result = wrap(out)
    if recording.enabled and dtype.kind == "f":
        parents = tuple(node_of(each) for each in tensors)
        if any(parents):
            result._node = Node(_cat, parents, (dim, bounds), (), 0, out.shape, dtype)
    return result


@publish("tensors: Sequence[Tensor], dim: int = 0")
def concat(tensors: Any, dim: int = 0) -> Tensor:
    """Join tensors along a dimension: :func:`cat` under another name."""
    return cat(tensors, dim)


@publish("tensors: Sequence[Tensor], axis: int = 0")
def concatenate(tensors: Any, axis: int = 0) -> Tensor:
    """Join tensors along a dimension: :func:`cat` under NumPy's name."""
    return cat(tensors, axis)


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
    return cat([unsqueeze(each, dim) for each in tensors], dim)


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


def _joined(name: str, ndim: int, dim: int, summary: str) -> None:
    def function(tensors: Any) -> Tensor:
        raised = [at_least(ndim, each) for each in _checked(tensors, name)]
        # Vectors side by side are one vector: hstack alone joins along the second dimension.
        return cat(raised, 0 if dim == 1 and raised[0]._array.ndim == 1 else dim)

    function.__name__ = name
    function.__doc__ = summary
    publish("tensors: Sequence[Tensor]")(function)


_joined("hstack", 1, 1, "Join tensors along the second dimension (vectors along their only one).")
_joined("vstack", 2, 0, "Join tensors along the first dimension; vectors are rows.")
_joined("row_stack", 2, 0, "Join tensors along the first dimension: vstack under another name.")
_joined("dstack", 3, 2, "Join tensors along the third dimension.")


@publish("tensors: Sequence[Tensor]")
def column_stack(tensors: Any) -> Tensor:
    """Join tensors along the second dimension; vectors and numbers are columns."""
    given = _checked(tensors, "column_stack")
    columns = [
        reshape(each, (each._array.size, 1)) if each._array.ndim < 2 else each for each in given
    ]
    return cat(columns, 1)


@publish("*tensors: Any")
def block_diag(*tensors: Any) -> Tensor:
    """Put matrices along the diagonal of one; vectors are rows, numbers 1×1 matrices.

    Returns:
        A matrix of the common (promoted) dtype, zero outside of the blocks.

    Raises:
        RuntimeError: a tensor of more than two dimensions.

    Example:
        >>> import microtensor as mt
        >>> mt.block_diag(mt.tensor([[1, 2]]), mt.tensor(3))
        tensor([[1, 2, 0],
                [0, 0, 3]])
    """
    blocks = unpacked(tensors, "block_diag") if tensors else [wrap(np.empty((1, 0), np.float32))]
    for place, each in enumerate(blocks):
        if each._array.ndim > 2:
            raise RuntimeError(
                f"block_diag: input tensors must have 2 or fewer dimensions. Input {place} has "
                f"{each._array.ndim} dimensions"
            )
    blocks = [at_least(2, each) for each in blocks]
    width = sum(each._array.shape[1] for each in blocks)
    rows, before = [], 0
    for each in blocks:
        height, own = each._array.shape
        left = wrap(known(np.zeros((height, before), each._array.dtype)))
        right = wrap(known(np.zeros((height, width - before - own), each._array.dtype)))
        rows.append(cat([left, each, right], 1))
        before += own
    return cat(rows, 0)
