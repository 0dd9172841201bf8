"""Broadcasting by hand: expanding, and adding dimensions."""

from __future__ import annotations

from typing import Any

from microtensor.ops.arrays import broadcast_shape
from microtensor.ops.declare import publish, refuse
from microtensor.ops.reshaping import sizes_of
from microtensor.ops.shape import expand, reshape
from microtensor.tensor import Size, Tensor


@publish("input: Tensor, *args: Any, size: Any = None", namespaces=(), method="expand")
def _expand_method(input: Tensor, *args: Any, size: Any = None) -> Tensor:
    """Repeat dimensions of length 1 without copying; -1 keeps a length."""
    return expand(input, sizes_of(args if size is None else (size,), "expand"))


@publish("input: Tensor, other: Tensor", namespaces=(), method="expand_as")
def _expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Expand to the shape of another tensor."""
    if not isinstance(other, Tensor):
        refuse("expand_as", "other", other)
    return expand(input, other._array.shape)


@publish("input: Tensor, size: Sequence[int]", name="broadcast_to")
def broadcast_to(input: Any, size: Any) -> Tensor:
    """Expand to a shape that the tensor broadcasts to.

    Args:
        input: any tensor.
        size: the shape wanted.
    """
    if not isinstance(input, Tensor):
        refuse("broadcast_to", "input", input)
    return expand(input, sizes_of((size,), "broadcast_to"))


@publish("input: Tensor, *args: Any, size: Any = None", namespaces=(), method="broadcast_to")
def _broadcast_to_method(input: Tensor, *args: Any, size: Any = None) -> Tensor:
    """Expand to a shape that the tensor broadcasts to."""
    return expand(input, sizes_of(args if size is None else (size,), "broadcast_to"))


@publish("*shapes: Any")
def broadcast_shapes(*shapes: Any) -> Any:
    """Give the shape that several shapes broadcast to.

    Raises:
        RuntimeError: shapes that do not broadcast.

    Example:
        >>> import microtensor as mt
        >>> mt.broadcast_shapes((2, 1), (3,), 1)
        microtensor.Size([2, 3])
    """
    result: tuple[int, ...] = ()
    for shape in shapes:
        result = broadcast_shape(result, sizes_of((shape,), "broadcast_shapes"), "broadcast_shapes")
    return Size(result)


def unpacked(tensors: tuple[Any, ...], op: str) -> list[Tensor]:
    """Take tensors given one by one or as one sequence."""
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        tensors = tuple(tensors[0])
    for each in tensors:
        if not isinstance(each, Tensor):
            refuse(op, "tensors", each)
    return list(tensors)


@publish("*tensors: Any")
def broadcast_tensors(*tensors: Any) -> Any:
    """Expand tensors to the shape they broadcast to; a tuple of views."""
    given = unpacked(tensors, "broadcast_tensors")
    shape: tuple[int, ...] = ()
    for each in given:
        shape = broadcast_shape(shape, each._array.shape, "broadcast_tensors")
    return tuple(expand(each, shape) for each in given)


# ---- at least so many dimensions ----------------------------------------------------------------


def at_least(ndim: int, tensor: Tensor) -> Tensor:
    """Give a tensor at least so many dimensions, where PyTorch puts them."""
    shape = tensor._array.shape
    if len(shape) >= ndim:
        return tensor
    if ndim == 3:
        return reshape(tensor, (*shape, 1) if len(shape) == 2 else (1, *(shape or (1,)), 1))
    return reshape(tensor, (1,) * (ndim - len(shape)) + shape)


def _publish_at_least(ndim: int) -> None:
    name = f"atleast_{ndim}d"

    def function(*tensors: Any) -> Any:
        found = tuple(at_least(ndim, each) for each in unpacked(tensors, name))
        return found[0] if len(tensors) == 1 and isinstance(tensors[0], Tensor) else found

    function.__name__ = name
    function.__doc__ = (
        f"Give tensors {ndim} dimensions if they have fewer; a tuple of them unless it is one."
    )
    publish("*tensors: Any")(function)


for _ndim in (1, 2, 3):
    _publish_at_least(_ndim)
