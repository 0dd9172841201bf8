"""Reading ``x[index]``: basic indices give views, advanced ones copies, as in PyTorch."""

from __future__ import annotations

from operator import index as to_index
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, copied, empty
from microtensor.ops.declare import declare, publish
from microtensor.tensor import Tensor


def is_basic(index: Any) -> bool:
    """Say whether an index consists of integers, slices, None and Ellipsis alone: a view."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None
        or part is Ellipsis
        or isinstance(part, slice)
        or (isinstance(part, int | np.integer) and not isinstance(part, bool))
        for part in parts
    )


def plain_index(index: Any) -> Any:
    """Give an index with arrays for tensors, ready for NumPy.

    Raises:
        IndexError: something in it that no tensor can be indexed with.
    """
    if isinstance(index, tuple):
        return tuple(_plain_part(part) for part in index)
    return _plain_part(index)


def integers_first(input: Tensor, index: Any) -> tuple[Tensor, Any]:
    """Apply the integers among advanced indices, which NumPy would broadcast with the arrays.

    ``x[0, :, [1, 2]]`` is ``x[0][:, [1, 2]]`` in PyTorch.

    Returns:
        A view, and what remains to be indexed; both as given if there is nothing to do.
    """
    parts = index if isinstance(index, tuple) else (index,)
    if not any(_is_integer(part) for part in parts):
        return input, index
    used = sum(_dims_used(part) for part in parts)
    rest_of_dims = (slice(None),) * (input._array.ndim - used)
    basic: list[Any] = []
    rest: list[Any] = []
    for part in parts:
        if part is Ellipsis:
            basic += rest_of_dims
            rest += rest_of_dims
        elif isinstance(part, np.ndarray | bool):
            basic += [slice(None)] * _dims_used(part)
            rest.append(part)
        else:
            basic.append(part)
            rest += [] if _is_integer(part) else [slice(None)]
    return index_view(input, tuple(basic)), tuple(rest)


def _is_integer(part: Any) -> bool:
    return isinstance(part, int | np.integer) and not isinstance(part, bool)


def _dims_used(part: Any) -> int:
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype.kind == "b" else 1


def _plain_part(part: Any) -> Any:
    if isinstance(part, Tensor | np.ndarray):
        # A copy, since the rule will read it again: what was given may be changed by then.
        part = copied(part._array if isinstance(part, Tensor) else part)
    elif isinstance(part, list | tuple | range):
        part = np.asarray([p.tolist() if isinstance(p, Tensor) else p for p in part])
        if part.size == 0:
            part = part.astype(np.int64)
    elif isinstance(part, slice):
        if part.step is not None and part.step <= 0:
            raise ValueError("step must be greater than zero")
        bounds = (part.start, part.stop, part.step)
        return slice(*(None if bound is None else to_index(bound) for bound in bounds))
    if isinstance(part, np.ndarray):
        if part.dtype == np.uint8:
            raise IndexError(
                "uint8 tensors are no indices: PyTorch takes them for masks, NumPy for numbers. "
                "Convert with .bool() or .long()"
            )
        if part.dtype.kind not in "iub":
            raise IndexError(
                f"tensors used as indices must be integer or bool tensors, not {part.dtype.name}"
            )
        return int(part) if part.ndim == 0 and part.dtype.kind != "b" else part
    if part is None or part is Ellipsis or isinstance(part, int | np.integer | bool):
        return part
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and integer or bool tensors are valid "
        f"indices (got {type(part).__name__})"
    )


def _index_forward(x: Array, index: Any) -> Array:
    try:
        result = x[index]
    except IndexError as error:
        raise IndexError(f"index: {in_our_words(error)}; the shape is {list(x.shape)}") from None
    return result if isinstance(result, np.ndarray) else np.asarray(result)


def in_our_words(error: IndexError) -> str:
    """Give what NumPy says about an index in the words of tensors."""
    return str(error).replace("axis", "dimension").replace("array", "tensor")


def view_forward(x: Array, index: Any) -> Array:
    """Give the part of an array that a basic index names, as a view."""
    parts = index if isinstance(index, tuple) else (index,)
    # With an Ellipsis NumPy gives a view even where all dimensions are used up.
    return _index_forward(x, parts if any(p is Ellipsis for p in parts) else (*parts, ...))


def _index_take_forward(x: Array, index: Any) -> Array:
    index = _arrays(index)
    axis = _only_array(index)
    if axis is None or x.ndim <= axis:
        return _index_forward(x, index)
    places = index[axis] if isinstance(index, tuple) else index
    length = x.shape[axis]
    _check_places(places, axis, length, x)
    out = empty(x.shape[:axis] + places.shape + x.shape[axis + 1 :], x.dtype)
    if out.size:
        kernels.take(x, places, axis, out)
    return out


def _arrays(index: Any) -> Any:
    """Give an index with arrays for the tensors that rules of recorded gradients put into it."""
    if isinstance(index, tuple):
        return tuple(part._array if isinstance(part, Tensor) else part for part in index)
    return index


def _only_array(index: Any) -> int | None:
    """Give the place of the array, if an index is one array of integers after whole slices."""
    if not isinstance(index, tuple):
        index = (index,)
    last = index[-1] if index else None
    if not isinstance(last, np.ndarray) or last.dtype.kind == "b":
        return None
    return len(index) - 1 if all(_is_whole(p) for p in index[:-1]) else None


def _is_whole(part: Any) -> bool:
    return isinstance(part, slice) and part == slice(None)


def _check_places(places: Array, axis: int, length: int, x: Array) -> None:
    # Both ends, since negative places count from the end.
    if places.size and not inside(places, -length, length):
        wrong = places[(places < -length) | (places >= length)].flat[0]
        raise IndexError(
            f"index: index {wrong} is out of bounds for dimension {axis} with size {length}; the "
            f"shape is {list(x.shape)}"
        )


def inside(places: Array, low: int, high: int) -> bool:
    """Say whether all places lie in [low, high)."""
    least = np.minimum.reduce(places, axis=None)  # a third of what places.min() takes
    return bool(low <= least and np.maximum.reduce(places, axis=None) < high)


def _add_at_forward(x: Array, index: Any, shape: tuple[int, ...]) -> Array:
    out = empty(shape, x.dtype)
    index = _arrays(index)
    if is_basic(index):
        kernels.put(x, index, out)
    else:
        kernels.scatter_add(x, index, out)
    return out


def _add_part(total: Array, g: Array, index: Any, input_shape: tuple[int, ...]) -> None:
    kernels.add_part(g, index, total)


index_view: Any = declare(
    "index_view",
    "input: Tensor, index: Any",
    view_forward,
    rules={"input": lambda g, input_shape, index: add_at(g, index, input_shape)},
    summary="Take a part by a basic index: a view.",
    add_into=_add_part,
    view=True,
    integral=True,
    namespaces=(),
    samples=samples.given(
        (((3, 4),), {"index": 1}),
        (((3, 4),), {"index": (slice(None), slice(0, 4, 2))}),
        (((3,),), {"index": (None, Ellipsis)}),
    ),
)

index_take: Any = declare(
    "index_take",
    "input: Tensor, index: Any",
    _index_take_forward,
    rules={"input": lambda g, input_shape, index: add_at(g, index, input_shape)},
    summary="Take a part by an advanced index: a copy.",
    integral=True,
    namespaces=(),
    samples=samples.given(
        (((3, 4),), {"index": np.array([2, 0, 2])}),
        (((3, 4),), {"index": (np.array([0, 1, 1]), np.array([3, 0, 0]))}),
        (((3, 4),), {"index": (slice(None), np.array([[-1, 0], [0, 2]]))}),
        (((3, 4),), {"index": np.array([True, False, True])}),
    ),
)


def take_at(x: Any, index: Any) -> Any:
    """Read at any index, within rules."""
    return index_view(x, index) if is_basic(index) else index_take(x, index)


add_at: Any = declare(
    "add_at",
    "input: Tensor, index: Any, shape: Sequence[int]",
    _add_at_forward,
    rules={"input": lambda g, index: take_at(g, index)},
    summary="Add a tensor into zeros at an index: the adjoint of indexing.",
    namespaces=(),
    samples=samples.given(
        (((4,),), {"index": 1, "shape": (3, 4)}),
        (((3, 4),), {"index": np.array([2, 0, 2]), "shape": (3, 4)}),
        (((3, 2),), {"index": (slice(None), np.array([2, 2])), "shape": (3, 4)}),
    ),
)


@publish("input: Tensor, index: Any", namespaces=(), method="__getitem__")
def _getitem(input: Tensor, index: Any) -> Tensor:
    """Take a part: a view for integers, slices, None and Ellipsis, a copy for tensors and lists.

    Raises:
        IndexError: an index out of range, or something that is no index.
    """
    if isinstance(index, int) and not isinstance(index, bool):
        return index_view(input, index)
    index = plain_index(index)
    if is_basic(index):
        return index_view(input, index)
    return index_take(*integers_first(input, index))
