"""Parts of a tensor on its own memory: narrow, select, diagonals, windows, strides."""

from __future__ import annotations

from operator import index as to_index
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.description import whole_number
from microtensor.ops import samples
from microtensor.ops.arithmetic import mul
from microtensor.ops.arrays import Array, empty, with_strides
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.indexing import add_at, index_take, index_view
from microtensor.ops.reshaping import sizes_of
from microtensor.tensor import Tensor, checked_dim


def part(g: Any, dim: int, start: int, stop: int) -> Any:
    """Take what lies between two places of a dimension."""
    return index_view(g, (*(slice(None),) * dim, slice(start, stop)))


@publish("input: Tensor, dim: int, start: int, length: int", method="narrow")
def narrow(input: Any, dim: int, start: Any, length: int) -> Tensor:
    """Take a stretch of a dimension: a view.

    Args:
        input: a tensor of at least one dimension.
        dim: the dimension to narrow.
        start: where the stretch begins; a negative number counts from the end.
        length: how long it is.

    Raises:
        IndexError: a start out of range.
        RuntimeError: a stretch that goes beyond the end.

    Example:
        >>> import microtensor as mt
        >>> mt.narrow(mt.arange(5), 0, 1, 3)
        tensor([1, 2, 3])
    """
    if not isinstance(input, Tensor):
        refuse("narrow", "input", input)
    if input._array.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    dim = checked_dim(dim, input._array.ndim)
    extent, start, length = input._array.shape[dim], to_index(start), to_index(length)
    if length < 0:
        raise RuntimeError(f"narrow(): length must be non-negative, got {length}")
    if not -extent <= start <= extent:
        raise IndexError(
            f"narrow(): start out of range (expected to be in range of [{-extent}, {extent}], but "
            f"got {start})"
        )
    start += extent if start < 0 else 0
    if start + length > extent:
        raise RuntimeError(
            f"narrow(): start ({start}) + length ({length}) exceeds dimension size ({extent})."
        )
    return part(input, dim, start, start + length)


@publish("input: Tensor, dim: int, index: int", method="select")
def select(input: Any, dim: int, index: int) -> Tensor:
    """Take one slice along a dimension, which goes: a view.

    Raises:
        IndexError: an index out of range, or a 0-d tensor.
    """
    if not isinstance(input, Tensor):
        refuse("select", "input", input)
    if input._array.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = checked_dim(dim, input._array.ndim)
    return index_view(input, (*(slice(None),) * dim, to_index(index)))


# ---- diagonals ----------------------------------------------------------------------------------


def two_dims(op: str, dim1: int, dim2: int, ndim: int) -> tuple[int, int]:
    """Give two different dimensions counted from the front."""
    first, second = checked_dim(dim1, ndim), checked_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"{op}: diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


def _diagonal_forward(x: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    first, second = two_dims("diagonal", dim1, dim2, x.ndim)
    result = x.diagonal(whole_number("offset", offset, "diagonal"), first, second)
    # NumPy gives a read-only view; an array that may be written to may be so through it.
    if x.flags.writeable:
        result.flags.writeable = True
    return result


diagonal: Any = declare(
    "diagonal",
    "input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1",
    _diagonal_forward,
    rules={
        "input": lambda g, input_shape, offset, dim1, dim2: place_diagonal(
            g, input_shape, offset, dim1, dim2
        )
    },
    summary="Take a diagonal of two dimensions, as a last dimension.",
    view=True,
    integral=True,
    method="diagonal",
    samples=samples.given(
        (((3, 4),), {}), (((2, 3, 4),), {"offset": -1, "dim1": 2, "dim2": 0}), (((2, 0),), {})
    ),
)


def _place_diagonal_forward(
    x: Array, shape: tuple[int, ...], offset: int, dim1: int, dim2: int
) -> Array:
    out = empty(shape, x.dtype)
    kernels.put_diagonal(x, offset, dim1, dim2, out)
    return out


place_diagonal: Any = declare(
    "place_diagonal",
    "input: Tensor, shape: Sequence[int], offset: int, dim1: int, dim2: int",
    _place_diagonal_forward,
    rules={"input": lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2)},
    summary="Put a last dimension on a diagonal of zeros: the adjoint of diagonal.",
    integral=True,
    namespaces=(),
    samples=samples.given((((2, 3),), {"shape": (3, 2, 4), "offset": 1, "dim1": 0, "dim2": 2})),
)


# ---- windows ------------------------------------------------------------------------------------


def _unfold_forward(x: Array, dimension: int, size: int, step: int) -> Array:
    dim = checked_dim(dimension, x.ndim)
    extent = x.shape[dim] if x.ndim else 1
    if not 0 <= size <= extent:
        raise RuntimeError(
            f"unfold: size must be between 0 and the length of dimension {dimension}, {extent}, "
            f"got {size}"
        )
    if step <= 0:
        raise RuntimeError(f"unfold: step must be > 0, got {step}")
    if x.ndim == 0:
        return x[None][:size]
    windows = (extent - size) // step + 1
    shape = (*x.shape[:dim], windows, *x.shape[dim + 1 :], size)
    strides = (*x.strides[:dim], x.strides[dim] * step, *x.strides[dim + 1 :], x.strides[dim])
    # Windows that overlap share memory among themselves: such a view is not written to.
    return with_strides(x, shape, strides, writeable=step >= size)


unfold: Any = declare(
    "unfold",
    "input: Tensor, dimension: int, size: int, step: int",
    _unfold_forward,
    rules={
        "input": lambda g, input_shape, dimension, size, step: fold_windows(
            g, input_shape, dimension, size, step
        )
    },
    summary="Give the windows of a size along a dimension, a step apart, as a last dimension.",
    view=True,
    integral=True,
    namespaces=(),
    method="unfold",
    samples=samples.given(
        (((7,),), {"dimension": 0, "size": 3, "step": 1}),
        (((2, 5, 2),), {"dimension": 1, "size": 2, "step": 2}),
        (((2, 5),), {"dimension": -1, "size": 2, "step": 3}),
        (((),), {"dimension": 0, "size": 1, "step": 1}),
    ),
)


def _fold_windows_forward(
    x: Array, shape: tuple[int, ...], dimension: int, size: int, step: int
) -> Array:
    out = empty(shape or (1,), x.dtype)
    windows = x if shape else x[None]
    kernels.fold(windows, checked_dim(dimension, len(shape)), step, out)
    return out.reshape(shape)


fold_windows: Any = declare(
    "fold_windows",
    "input: Tensor, shape: Sequence[int], dimension: int, size: int, step: int",
    _fold_windows_forward,
    rules={"input": lambda g, dimension, size, step: unfold(g, dimension, size, step)},
    summary="Add up windows where they came from: the adjoint of unfold.",
    namespaces=(),
    samples=samples.given((((4, 3),), {"shape": (6,), "dimension": 0, "size": 3, "step": 1})),
)


# ---- strides ------------------------------------------------------------------------------------


def owner(x: Array) -> Array:
    """Give the array whose memory another one is a view of."""
    while True:
        base = x.base
        if not isinstance(base, np.ndarray):
            base = getattr(base, "base", None)  # as_strided puts a go-between there
        if not isinstance(base, np.ndarray):
            return x
        x = base


def storage_offset_of(x: Array) -> int:
    """Give how many elements lie between the beginning of the memory and the first element."""
    memory = owner(x)
    return 0 if memory is x else (x.ctypes.data - memory.ctypes.data) // x.itemsize


def _positions(size: Any, steps: Any, offset: int) -> Any:
    """Give where in memory each element of a strided view lies."""
    found = np.full(size, offset, np.int64)
    for dim, (length, step) in enumerate(zip(size, steps, strict=True)):
        found += (np.arange(length) * step).reshape((length,) + (1,) * (len(size) - dim - 1))
    return found


def _overlaps(size: Any, steps: Any) -> bool:
    reach = 0
    for step, length in sorted(zip(steps, size, strict=True)):
        if length > 1:
            if step <= reach:
                places = _positions(size, steps, 0)
                return bool(np.unique(places).size < places.size)
            reach += step * (length - 1)
    return False


def layout_of(x: Array) -> tuple[tuple[int, ...], int]:
    """Give how an array lies in its memory: steps and offset, in elements."""
    return tuple(step // x.itemsize for step in x.strides), storage_offset_of(x)


def _strided_forward(x: Array, size: Any, stride: Any, offset: int, source: Any) -> Array:
    memory = owner(x)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if layout_of(x) == source and memory.flags.forc and (last + 1) * x.itemsize <= memory.nbytes:
        flat = memory.reshape(-1, order="A").view(x.dtype)
        steps = [step * x.itemsize for step in stride]
        writeable = x.flags.writeable and not _overlaps(size, stride)
        return with_strides(flat[offset:], size, steps, writeable)
    # A gradient, say, which lies in memory of its own: what the view would show of it.
    places, targets = _positions(x.shape, *source), _positions(size, stride, offset)
    values = empty(1 + max([a.max() for a in (places, targets) if a.size], default=0), x.dtype)
    values[...] = 0
    values[places] = x
    return np.asarray(values[targets])


def _unstrided(g: Any, input_shape: Any, size: Any, stride: Any, offset: int, source: Any) -> Any:
    """Carry the gradient of a strided view back: through the memory both are views of."""
    targets = _positions(size, stride, offset)
    places = _positions(input_shape, *source)
    least = min([a.min() for a in (targets, places) if a.size], default=0)
    length = max([a.max() + 1 for a in (targets, places) if a.size], default=0) - least
    memory = add_at(g, targets - least, (int(length),))
    counts = np.bincount((places - least).ravel(), minlength=1)
    gradient = index_take(memory, places - least)
    if counts.max() > 1:
        # Elements that share a place share its gradient.
        gradient = mul(gradient, 1 / counts[places - least])
    return gradient


strided: Any = declare(
    "strided",
    "input: Tensor, size: Sequence[int], stride: Sequence[int], offset: int, source: Any",
    _strided_forward,
    rules={"input": _unstrided},
    summary="Look at a tensor's memory with other strides; source is (strides, offset) of its own.",
    view=True,
    integral=True,
    namespaces=(),
    samples=samples.given(
        (((6,),), {"size": (2, 2), "stride": (2, 1), "offset": 1, "source": ((1,), 0)}),
        (((2, 3),), {"size": (4, 2), "stride": (1, 1), "offset": 0, "source": ((3, 1), 0)}),
    ),
)


@publish(
    "input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None",
    method="as_strided",
)
def as_strided(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """Look at a tensor's memory with another shape, strides and offset: a view.

    The gradient reaches the tensor itself: as in PyTorch, what the view shows of the memory beyond
    it counts as a constant.

    Args:
        input: any tensor.
        size: the shape.
        stride: for each dimension, how many elements lie between neighbours.
        storage_offset: where in the memory the first element lies; the tensor's own unless given.

    Raises:
        RuntimeError: negative numbers, or elements that would lie outside of the memory.

    Example:
        >>> import microtensor as mt
        >>> mt.as_strided(mt.arange(5), (2, 3), (2, 1))
        tensor([[0, 1, 2],
                [2, 3, 4]])
    """
    if not isinstance(input, Tensor):
        refuse("as_strided", "input", input)
    size, stride = sizes_of((size,), "as_strided"), sizes_of((stride,), "as_strided")
    if len(size) != len(stride):
        raise RuntimeError(
            f"as_strided: size and stride must be as many: {list(size)} and {list(stride)}"
        )
    source = layout_of(input._array)
    offset = source[1] if storage_offset is None else to_index(storage_offset)
    if min((*size, *stride, offset)) < 0:
        raise RuntimeError(
            f"as_strided: size {list(size)}, stride {list(stride)} and storage_offset {offset} "
            "must not be negative"
        )
    memory = owner(input._array)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and (last + 1) * input._array.itemsize > memory.nbytes:
        raise RuntimeError(
            f"as_strided: size {list(size)}, stride {list(stride)} and storage_offset {offset} "
            f"need {last + 1} elements, out of bounds for a storage of "
            f"{memory.nbytes // input._array.itemsize}"
        )
    if not memory.flags.forc:
        raise RuntimeError("as_strided: the tensor's memory has gaps; call contiguous() first")
    result: Tensor = strided(input, size, stride, offset, source)
    base = result._base
    if base is not None:
        # What is written to the view may lie outside of the input, if not outside of its base.
        result._path = ((strided, (size, stride, offset, layout_of(base._array))),)
        if not base._array.flags.c_contiguous or storage_offset_of(base._array):
            result._array.flags.writeable = False  # whose record could not be followed back
    return result


@publish("input: Tensor", namespaces=(), method="storage_offset")
def storage_offset(input: Tensor) -> int:
    """Give how many elements lie between the beginning of the memory and the first element."""
    return storage_offset_of(input._array)
