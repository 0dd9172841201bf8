"""The elements in another order, or several times."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.indexing import index_take
from microtensor.ops.reshaping import flatten, sizes_of
from microtensor.ops.shape import clone, expand, reshape, sum_to, transpose, unsqueeze
from microtensor.tensor import Tensor, checked_dim, wrap

# ---- flipping and rolling -----------------------------------------------------------------------


def _flip_forward(x: Array, dims: tuple[int, ...]) -> Array:
    chosen = [checked_dim(d, x.ndim) for d in dims]
    if len(set(chosen)) != len(chosen):
        raise RuntimeError(f"flip: a dim appears multiple times in the list of dims {list(dims)}")
    out = empty(x.shape, x.dtype)
    kernels.flip(x, tuple(chosen) if x.ndim else (), out)
    return out


flip_dims: Any = declare(
    "flip",
    "input: Tensor, dims: Sequence[int]",
    _flip_forward,
    rules={"input": lambda g, dims: flip_dims(g, dims)},
    summary="Reverse the order along dimensions: a copy.",
    integral=True,
    samples=samples.given((((2, 3),), {"dims": (0, -1)}), (((2, 3),), {"dims": (1,)})),
)


@publish("input: Tensor, dims: Sequence[int]", name="flip")
def flip(input: Any, dims: Any) -> Tensor:
    """Reverse the order along dimensions: a copy.

    Args:
        input: any tensor.
        dims: the dimensions, each named once.

    Example:
        >>> import microtensor as mt
        >>> mt.flip(mt.arange(3), (0,))
        tensor([2, 1, 0])
    """
    if not isinstance(input, Tensor):
        refuse("flip", "input", input)
    return flip_dims(input, sizes_of((dims,), "flip"))


@publish("input: Tensor, *args: Any, dims: Any = None", namespaces=(), method="flip")
def _flip_method(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """Reverse the order along dimensions: a copy."""
    return flip_dims(input, sizes_of(args if dims is None else (dims,), "flip"))


def _flipped(name: str, dim: int, least: int, which: str) -> None:
    def function(input: Any) -> Tensor:
        if not isinstance(input, Tensor):
            refuse(name, "input", input)
        if input._array.ndim < least:
            raise RuntimeError(f"{name}: input must be >= {least}-d.")
        return flip_dims(input, (dim,))

    function.__name__ = name
    function.__doc__ = f"Reverse the order along the {which} dimension: a copy."
    publish("input: Tensor", method=name)(function)


_flipped("fliplr", 1, 2, "second")
_flipped("flipud", 0, 1, "first")


def _roll_forward(x: Array, shifts: tuple[int, ...]) -> Array:
    out = empty(x.shape, x.dtype)
    kernels.roll(x, shifts, out)
    return out


roll_all: Any = declare(
    "roll_all",
    "input: Tensor, shifts: Sequence[int]",
    _roll_forward,
    rules={"input": lambda g, shifts: roll_all(g, tuple(-shift for shift in shifts))},
    summary="Shift along each dimension; what leaves at one end comes in at the other.",
    integral=True,
    namespaces=(),
    samples=samples.given((((2, 3),), {"shifts": (1, -5)}), (((4,),), {"shifts": (0,)})),
)


@publish(
    "input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None",
    method="roll",
)
def roll(input: Any, shifts: Any, dims: Any = None) -> Tensor:
    """Shift along dimensions; what leaves at one end comes in at the other. A copy.

    Args:
        input: any tensor.
        shifts: by how many places, for each dimension.
        dims: the dimensions; without them, the tensor is rolled as if it were flat.

    Raises:
        RuntimeError: not as many shifts as dimensions.

    Example:
        >>> import microtensor as mt
        >>> mt.roll(mt.arange(4), 1)
        tensor([3, 0, 1, 2])
    """
    if not isinstance(input, Tensor):
        refuse("roll", "input", input)
    shifts = sizes_of((shifts,), "roll")
    dims = () if dims is None else sizes_of((dims,), "roll")
    if not dims and len(shifts) == 1:
        return reshape(roll_all(reshape(input, (input._array.size,)), shifts), input._array.shape)
    if len(dims) != len(shifts) or not shifts:
        raise RuntimeError(
            f"roll: shifts and dimensions must align. shifts: {len(shifts)}, dims: {len(dims)}"
        )
    ndim = input._array.ndim
    moves = [0] * max(ndim, 1)
    for dim, shift in zip(dims, shifts, strict=True):
        moves[checked_dim(dim, ndim)] += shift
    return roll_all(input, tuple(moves[:ndim]))


@publish("input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)", method="rot90")
def rot90(input: Any, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Turn by quarters of a circle in the plane of two dimensions. A copy.

    Args:
        input: a tensor of at least two dimensions.
        k: how often; from the first dimension towards the second.
        dims: the two dimensions.

    Raises:
        RuntimeError: not two different dimensions.
    """
    if not isinstance(input, Tensor):
        refuse("rot90", "input", input)
    dims = sizes_of((dims,), "rot90")
    ndim = input._array.ndim
    if len(dims) != 2:
        raise RuntimeError(f"rot90: expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        raise RuntimeError(f"rot90: expected total dims >= 2, but got total dims = {ndim}")
    first, second = (checked_dim(d, ndim) for d in dims)
    if first == second:
        raise RuntimeError(f"rot90: expected rotation dims to be different, but got {list(dims)}")
    turns = k % 4
    if turns == 0:
        return clone(input)
    if turns == 2:
        return flip_dims(input, (first, second))
    return transpose(flip_dims(input, (second if turns == 1 else first,)), first, second)


# ---- repeating ----------------------------------------------------------------------------------


def _repeat_forward(x: Array, repeats: tuple[int, ...]) -> Array:
    lead = len(repeats) - x.ndim
    if lead < 0:
        raise RuntimeError(
            f"repeat: the number of dimensions of repeats, {list(repeats)}, can not be smaller "
            f"than the number of dimensions of the tensor, {x.ndim}"
        )
    if min(repeats, default=0) < 0:
        raise RuntimeError(f"repeat: repeats must not be negative, got {list(repeats)}")
    lengths = (1,) * lead + x.shape
    out = empty(tuple(r * n for r, n in zip(repeats, lengths, strict=True)), x.dtype)
    kernels.repeat(x, repeats, out)
    return out


def _unrepeat(g: Any, input_shape: tuple[int, ...], repeats: tuple[int, ...]) -> Any:
    """Add up the copies."""
    lengths = (1,) * (len(repeats) - len(input_shape)) + tuple(input_shape)
    apart = [n for pair in zip(repeats, lengths, strict=True) for n in pair]
    once = [n for length in lengths for n in (1, length)]
    return reshape(sum_to(reshape(g, apart), tuple(once)), input_shape)


repeat: Any = declare(
    "repeat",
    "input: Tensor, repeats: Sequence[int]",
    _repeat_forward,
    rules={"input": _unrepeat},
    summary="Put copies side by side.",
    integral=True,
    namespaces=(),
    samples=samples.given(
        (((2, 3),), {"repeats": (2, 1, 3)}),
        (((3,),), {"repeats": (2,)}),
        (((),), {"repeats": (2,)}),
        (((2,),), {"repeats": (0,)}),
    ),
)


@publish("input: Tensor, *args: Any, repeats: Any = None", namespaces=(), method="repeat")
def _repeat_method(input: Tensor, *args: Any, repeats: Any = None) -> Tensor:
    """Put copies side by side: so many along each dimension, leading ones being new.

    Raises:
        RuntimeError: fewer numbers than dimensions, or negative ones.
    """
    return repeat(input, sizes_of(args if repeats is None else (repeats,), "repeat"))


@publish("input: Tensor, dims: Sequence[int]")
def tile(input: Any, dims: Any) -> Tensor:
    """Put copies side by side; dimensions that are not named, leading ones, once.

    Args:
        input: any tensor.
        dims: how many copies along each dimension.
    """
    if not isinstance(input, Tensor):
        refuse("tile", "input", input)
    repeats = sizes_of((dims,), "tile")
    return repeat(input, (1,) * (input._array.ndim - len(repeats)) + repeats)


@publish("input: Tensor, *args: Any, dims: Any = None", namespaces=(), method="tile")
def _tile_method(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """Put copies side by side; dimensions that are not named, leading ones, once."""
    return tile(input, sizes_of(args if dims is None else (dims,), "tile"))


@publish(
    "input: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *, "
    "output_size: int | None = None",
    method="repeat_interleave",
)
def repeat_interleave(
    input: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Repeat each element, or each slice along a dimension, so many times in place.

    Args:
        input: any tensor; alone, the numbers of repetitions, whose indices are then given.
        repeats: how often: a number, or a tensor of one for each slice.
        dim: the dimension; the tensor is taken as flat unless given.
        output_size: the length that is to come out, checked.

    Raises:
        RuntimeError: negative numbers, or not as many as slices.

    Example:
        >>> import microtensor as mt
        >>> mt.repeat_interleave(mt.tensor([7, 8]), mt.tensor([1, 2]))
        tensor([7, 8, 8])
    """
    if not isinstance(input, Tensor):
        refuse("repeat_interleave", "input", input)
    if repeats is None:
        counts = _counts(input, input._array.size, output_size)
        return wrap(np.repeat(np.arange(counts.size), counts))
    if dim is None:
        input, dim = flatten(input), 0
    ndim = input._array.ndim
    dim = checked_dim(dim, ndim)
    if ndim == 0:
        raise IndexError("repeat_interleave: a 0-d tensor has no dimension to repeat along")
    length = input._array.shape[dim]
    if isinstance(repeats, Tensor):
        counts = _counts(repeats, length, output_size)
        index = np.repeat(np.arange(length), counts)
        return index_take(input, (*(slice(None),) * dim, index))
    (often,) = sizes_of((repeats,), "repeat_interleave")
    if often < 0:
        raise RuntimeError(f"repeat_interleave: repeats must be non-negative, got {often}")
    _check_output_size(length * often, output_size)
    shape = input._array.shape
    copies = expand(unsqueeze(input, dim + 1), (*shape[: dim + 1], often, *shape[dim + 1 :]))
    return reshape(clone(copies), (*shape[:dim], length * often, *shape[dim + 1 :]))


def _check_output_size(found: int, output_size: int | None) -> None:
    if output_size is not None and output_size != found:
        raise RuntimeError(
            f"repeat_interleave: invalid output_size, expected {found} but got {output_size}"
        )


def _counts(repeats: Tensor, length: int, output_size: int | None) -> Any:
    """Give one number of repetitions for each of so many slices."""
    counts = repeats._array
    if counts.dtype not in (np.int64, np.int32):
        raise RuntimeError(
            f"repeat_interleave: repeats must be int64 or int32, got {counts.dtype.name}"
        )
    if counts.ndim > 1:
        raise RuntimeError("repeat_interleave: repeats must be 0-dim or 1-dim tensor")
    if counts.size == 1:
        counts = np.broadcast_to(counts.reshape(()), (length,))
    if counts.size != length:
        raise RuntimeError(
            "repeat_interleave: repeats must have the same size as input along dim, but got "
            f"{counts.size} and {length}"
        )
    if counts.size and counts.min() < 0:
        raise RuntimeError("repeat_interleave: repeats can not be negative")
    _check_output_size(int(counts.sum()), output_size)
    return counts
