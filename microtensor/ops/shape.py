"""Shapes: views where NumPy can give one, copies where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, dims_of, empty, kept_shape
from microtensor.ops.declare import declare, publish, refuse
from microtensor.tensor import Tensor, checked_dim


def _sizes(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Take sizes given one by one or as one sequence."""
    if len(sizes) == 1 and not isinstance(sizes[0], int | np.integer):
        if not isinstance(sizes[0], Sequence):
            raise TypeError(f"sizes must be integers or one sequence of them, not {sizes[0]!r}")
        sizes = tuple(sizes[0])
    for size in sizes:
        if not isinstance(size, int | np.integer) or isinstance(size, bool):
            raise TypeError(f"sizes must be integers, not {type(size).__name__}")
    return tuple(int(size) for size in sizes)


def _reshape_forward(x: Array, shape: tuple[int, ...]) -> Array:
    try:
        return x.reshape(shape)
    except ValueError:
        raise RuntimeError(
            f"reshape: shape {list(shape)} is invalid for input of size {x.size} (shape "
            f"{list(x.shape)})"
        ) from None


reshape: Any = declare(
    "reshape",
    "input: Tensor, shape: Sequence[int]",
    _reshape_forward,
    rules={"input": lambda g, input_shape: reshape(g, input_shape)},
    summary="Give the elements another shape; one length may be -1.",
    view=True,
    integral=True,
    samples=samples.given((((3, 4),), {"shape": (2, 6)}), (((),), {"shape": (1, 1)})),
)

permute: Any = declare(
    "permute",
    "input: Tensor, dims: Sequence[int]",
    lambda x, dims: x.transpose(_permutation(dims, x.ndim)),
    rules={"input": lambda g, dims: permute(g, _inverse(dims, len(dims)))},
    summary="Reorder the dimensions.",
    view=True,
    integral=True,
    samples=samples.given((((2, 3, 4),), {"dims": (2, 0, 1)})),
)


def _permutation(dims: Sequence[int], ndim: int) -> tuple[int, ...]:
    chosen = tuple(checked_dim(d, ndim) for d in dims) if ndim else ()
    if sorted(chosen) != list(range(ndim)):
        raise RuntimeError(f"permute: dims {tuple(dims)} is no order of {ndim} dimensions")
    return chosen


def _inverse(dims: Sequence[int], ndim: int) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argsort(_permutation(dims, ndim)))


transpose: Any = declare(
    "transpose",
    "input: Tensor, dim0: int, dim1: int",
    lambda x, dim0, dim1: (
        x.swapaxes(checked_dim(dim0, x.ndim), checked_dim(dim1, x.ndim)) if x.ndim else x
    ),
    rules={"input": lambda g, dim0, dim1: transpose(g, dim0, dim1)},
    summary="Swap two dimensions.",
    view=True,
    integral=True,
    method="transpose",
    samples=samples.given((((2, 3, 4),), {"dim0": 0, "dim1": -1})),
)


def _expand_forward(x: Array, size: tuple[int, ...]) -> Array:
    lead = len(size) - x.ndim
    if lead < 0:
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(size)}) must be greater or equal to the "
            f"number of dimensions in the tensor ({x.ndim})"
        )
    wanted = []
    for i, n in enumerate(size):
        have = x.shape[i - lead] if i >= lead else None
        if n == -1:
            if have is None:
                raise RuntimeError("expand: -1 is not allowed in a leading, new dimension")
            n = have
        elif have is not None and have != n and have != 1:
            raise RuntimeError(
                f"expand: the expanded size ({n}) must match the existing size ({have}) at "
                f"non-singleton dimension {i}. Target sizes: {list(size)}. Tensor sizes: "
                f"{list(x.shape)}"
            )
        wanted.append(n)
    return np.broadcast_to(x, wanted)


expand: Any = declare(
    "expand",
    "input: Tensor, size: Sequence[int]",
    _expand_forward,
    # The walk itself sums a gradient down to its node's shape: nothing to add here.
    rules={"input": lambda g, input_shape: sum_to(g, input_shape)},
    summary="Repeat dimensions of length 1 without copying; -1 keeps a length.",
    view=True,
    integral=True,
    namespaces=(),
    samples=samples.given((((3, 1),), {"size": (2, 3, 4)}), (((),), {"size": (2,)})),
)


def _sum_to_forward(x: Array, shape: tuple[int, ...]) -> Array:
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(
        i + lead for i, n in enumerate(shape) if n == 1 and x.shape[i + lead] != 1
    )
    out = empty(kept_shape(x.shape, axes), x.dtype)
    kernels.sum(x, axes, out)
    return out.reshape(shape)


sum_to: Any = declare(
    "sum_to",
    "input: Tensor, shape: Sequence[int]",
    _sum_to_forward,
    rules={"input": lambda g, input_shape: expand(g, input_shape)},
    summary="Undo broadcasting: sum to a shape that broadcasts to the input's.",
    namespaces=(),
    samples=samples.given((((2, 3, 4),), {"shape": (3, 1)}), (((2, 3),), {"shape": ()})),
)


def _squeeze_forward(x: Array, dim: Any) -> Array:
    if dim is None:
        return x.squeeze()
    dims = dims_of(dim, x.ndim, "squeeze")
    return x.squeeze(tuple(d for d in dims if x.shape[d] == 1))


squeeze: Any = declare(
    "squeeze",
    "input: Tensor, dim: int | tuple[int, ...] | None = None",
    _squeeze_forward,
    rules={"input": lambda g, input_shape: reshape(g, input_shape)},
    summary="Take away dimensions of length 1: all, or those named.",
    view=True,
    integral=True,
    method="squeeze",
    samples=samples.given((((1, 3, 1),), {}), (((1, 3, 1),), {"dim": 0})),
)

unsqueeze: Any = declare(
    "unsqueeze",
    "input: Tensor, dim: int",
    lambda x, dim: np.expand_dims(x, checked_dim(dim, x.ndim + 1)),
    rules={"input": lambda g, input_shape: reshape(g, input_shape)},
    summary="Insert a dimension of length 1.",
    view=True,
    integral=True,
    method="unsqueeze",
    samples=samples.given((((3, 2),), {"dim": 1}), (((),), {"dim": -1})),
)


def _copy(x: Array) -> Array:
    out = empty(x.shape, x.dtype)
    kernels.cast(x, out)
    return out


clone: Any = declare(
    "clone",
    "input: Tensor",
    _copy,
    rules={"input": lambda g: g},
    summary="Copy; the gradient passes through.",
    integral=True,
    method="clone",
    samples=samples.one(),
)


def _cast_forward(x: Array, dtype: Any) -> Array:
    out = empty(x.shape, dtype)
    kernels.cast(x, out)
    return out


cast: Any = declare(
    "cast",
    "input: Tensor, dtype: Any",
    _cast_forward,
    # The walk casts a gradient to its node's dtype.
    rules={"input": lambda g: g},
    summary="Convert to a dtype; the gradient comes back in the input's.",
    integral=True,
    namespaces=(),
    samples=samples.given((((3,),), {"dtype": np.dtype(np.float64)})),
)


# ---- as users write them ------------------------------------------------------------------------


@publish("input: Tensor, shape: Sequence[int]", name="reshape")
def _reshape(input: Any, shape: Any) -> Tensor:
    """Give the elements another shape; one length may be -1. A view where possible.

    Args:
        input: any tensor.
        shape: the new lengths, whose product is the number of elements.

    Raises:
        RuntimeError: the elements do not fit the shape.
    """
    if not isinstance(input, Tensor):
        refuse("reshape", "input", input)
    return reshape(input, _sizes((shape,)))


@publish("input: Tensor, *shape: Any", namespaces=(), method="reshape")
def _reshape_method(input: Tensor, *shape: Any) -> Tensor:
    """Give the elements another shape; one length may be -1. A view where possible."""
    return reshape(input, _sizes(shape))


@publish("input: Tensor, *shape: Any", namespaces=(), method="view")
def _view(input: Tensor, *shape: Any) -> Tensor:
    """Give another shape on the same memory; a dtype reinterprets nothing, it is refused.

    Raises:
        RuntimeError: the strides do not allow a view (use reshape).
    """
    result = reshape(input, _sizes(shape))
    if result._base is None and result._array.size:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return result


@publish("input: Tensor, dims: Sequence[int]", name="permute")
def _permute(input: Any, dims: Any) -> Tensor:
    """Reorder the dimensions.

    Args:
        input: any tensor.
        dims: all dimensions in their new order.
    """
    if not isinstance(input, Tensor):
        refuse("permute", "input", input)
    return permute(input, _sizes((dims,)))


@publish("input: Tensor, *dims: Any", namespaces=(), method="permute")
def _permute_method(input: Tensor, *dims: Any) -> Tensor:
    """Reorder the dimensions."""
    return permute(input, _sizes(dims))


@publish("input: Tensor, *sizes: Any", namespaces=(), method="expand")
def _expand_method(input: Tensor, *sizes: Any) -> Tensor:
    """Repeat dimensions of length 1 without copying; -1 keeps a length."""
    return expand(input, _sizes(sizes))


@publish("input: Tensor, other: Tensor", namespaces=(), method="expand_as")
def _expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Expand to the shape of another tensor."""
    return expand(input, other._array.shape)


@publish("input: Tensor, size: Sequence[int]", method="broadcast_to")
def broadcast_to(input: Any, size: Any) -> Tensor:
    """Expand to a shape that the tensor broadcasts to.

    Args:
        input: any tensor.
        size: the shape wanted.
    """
    if not isinstance(input, Tensor):
        refuse("broadcast_to", "input", input)
    return expand(input, _sizes((size,)))


@publish("input: Tensor", method="t")
def t(input: Any) -> Tensor:
    """Transpose a matrix; vectors and 0-d tensors stay as they are."""
    if not isinstance(input, Tensor):
        refuse("t", "input", input)
    if input._array.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return transpose(input, 0, 1) if input._array.ndim == 2 else input


@publish("input: Tensor, start_dim: int = 0, end_dim: int = -1", method="flatten")
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Make one dimension of several neighbouring ones.

    Args:
        input: any tensor.
        start_dim: the first dimension to join.
        end_dim: the last one.

    Raises:
        RuntimeError: ``start_dim`` comes after ``end_dim``.
    """
    if not isinstance(input, Tensor):
        refuse("flatten", "input", input)
    shape = input._array.shape
    if not shape:
        return reshape(input, (1,))
    start, end = checked_dim(start_dim, len(shape)), checked_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    joined = int(np.prod(shape[start : end + 1], dtype=np.int64))
    return reshape(input, (*shape[:start], joined, *shape[end + 1 :]))


@publish("input: Tensor", method="ravel")
def ravel(input: Any) -> Tensor:
    """Make all dimensions one."""
    return flatten(input)


@publish(
    "input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]", method="movedim"
)
def movedim(input: Any, source: Any, destination: Any) -> Tensor:
    """Move dimensions to new places; the others keep their order.

    Args:
        input: any tensor.
        source: the dimensions to move.
        destination: where to.
    """
    if not isinstance(input, Tensor):
        refuse("movedim", "input", input)
    ndim = input._array.ndim
    places = np.moveaxis(np.empty((0,) * ndim), source, destination).ndim  # checks both
    sources = [
        checked_dim(s, ndim) for s in (source if isinstance(source, tuple | list) else [source])
    ]
    targets = [
        checked_dim(d, ndim)
        for d in (destination if isinstance(destination, tuple | list) else [destination])
    ]
    order = [d for d in range(places) if d not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        order.insert(target, origin)
    return permute(input, order)


@publish("input: Tensor", namespaces=(), method="contiguous")
def _contiguous(input: Tensor) -> Tensor:
    """Give the tensor itself if it is contiguous, else a contiguous copy."""
    return input if input._array.flags.c_contiguous else clone(input)
