"""Helpers shared by the forward functions: output shapes, operands, dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.description import whole_number
from microtensor.ops.promotion import common_dtype, operand_array, result_dtype
from microtensor.tensor import checked_dim

Array = np.ndarray[Any, Any]
empty = np.empty
_BOOL = np.dtype(bool)


def copied(x: Array) -> Array:
    """Give a contiguous copy, by a kernel."""
    out = empty(x.shape, x.dtype)
    kernels.cast(x, out)
    return out


def contiguous(x: Array) -> Array:
    """Give an array as it is if it has no gaps, else a copy, by a kernel."""
    return x if x.flags.c_contiguous else copied(x)


def known(x: Array) -> Array:
    """Say of an array that it was made of sizes and numbers, not of any tensor's values.

    A captured step may then keep it; of others that no op has made it cannot know that.
    """
    return x


def computed(function: Callable[..., Any], *given: Any) -> Any:
    """Call a function that computes with NumPy what goes into operations: weights, say, or places.

    A captured step calls it again, so it must depend on what it is given alone. It gives an array,
    several, or none, if it only looks at values and refuses some, or writes into an array.
    """
    return function(*given)


def constant(value: float, shape: Any, dtype: Any) -> Array:
    """Give an array of one number, by a kernel."""
    out = empty(shape, dtype)
    kernels.fill(value, out)
    return out


def with_strides(x: Array, shape: Any, strides: Any, writeable: bool = True) -> Array:
    """Look at an array's memory from its first element on with another shape and strides."""
    if x.flags.c_contiguous:
        # A tenth of the time that NumPy's own function takes.
        view = np.ndarray(shape, x.dtype, x, 0, strides)
        if not writeable:
            view.flags.writeable = False
        return view
    return np.lib.stride_tricks.as_strided(
        x, shape, strides, writeable=writeable and x.flags.writeable
    )


def broadcast_shape(a: tuple[int, ...], b: tuple[int, ...], op: str) -> tuple[int, ...]:
    """Give the shape two shapes broadcast to; RuntimeError names the op and both shapes."""
    if a == b:
        return a
    size = max(len(a), len(b))
    longer_a = (1,) * (size - len(a)) + a
    longer_b = (1,) * (size - len(b)) + b
    result = []
    for dim, (i, j) in enumerate(zip(longer_a, longer_b, strict=True)):
        if i != j and i != 1 and j != 1:
            raise RuntimeError(
                f"{op}: the shapes {list(a)} and {list(b)} do not broadcast: the size of tensor a "
                f"({i}) must match the size of tensor b ({j}) at non-singleton dimension {dim}"
            )
        result.append(j if i == 1 else i)
    return tuple(result)


def in_common_dtype(*arrays: Array) -> tuple[Array, ...]:
    """Give any number of arrays in one dtype."""
    dtype = common_dtype(*arrays)
    with np.errstate(all="ignore"):
        return tuple(a.astype(dtype, copy=False) for a in arrays)


def operands(a: Any, b: Any) -> tuple[Array, Array]:
    """Give two arrays of one dtype; one of them may be a Python number, or both."""
    if not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray):
        a = operand_array(a, _BOOL)
    if not isinstance(a, np.ndarray):
        a = operand_array(a, b.dtype)
    elif not isinstance(b, np.ndarray):
        b = operand_array(b, a.dtype)
    if a.dtype is not b.dtype:
        dtype = result_dtype(a, b)
        with np.errstate(all="ignore"):  # what a dtype cannot hold becomes infinite
            a = a.astype(dtype, copy=False)
            b = b.astype(dtype, copy=False)
    return a, b


_ALL = tuple(tuple(range(ndim)) for ndim in range(65))  # as many as NumPy has


def dims_of(dim: Any, ndim: int, op: str) -> tuple[int, ...]:
    """Give the dimensions meant, counted from the front and in order; all for None or ()."""
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return _ALL[ndim]
    if not isinstance(dim, tuple | list):
        if dim is True or dim is False:
            raise TypeError(f"{op}(): dim must be an int, a tuple of ints or None, not {dim}")
        only = checked_dim(dim if dim.__class__ is int else whole_number("dim", dim, op), ndim)
        return (only,) if ndim else ()
    chosen = [checked_dim(whole_number("dim", d, op), ndim) for d in dim]
    if len(set(chosen)) != len(chosen):
        raise RuntimeError(f"{op}: a dimension appears twice in {tuple(dim)}")
    return tuple(sorted(chosen)) if ndim else ()


def kept_shape(shape: tuple[int, ...], dims: tuple[int, ...]) -> tuple[int, ...]:
    """Give a shape with the dimensions reduced to length 1."""
    return tuple(1 if i in dims else n for i, n in enumerate(shape))


def reduced_shape(shape: tuple[int, ...], dims: tuple[int, ...], keepdim: bool) -> tuple[int, ...]:
    """Give a shape without the dimensions reduced, or with length 1 for them."""
    if keepdim:
        return kept_shape(shape, dims)
    if len(dims) == len(shape):
        return ()
    return tuple(n for i, n in enumerate(shape) if i not in dims)


def dropped(out: Array, dims: tuple[int, ...], keepdim: bool) -> Array:
    """Take reduced dimensions of length 1 away, unless they are to be kept."""
    if keepdim or not dims:
        return out
    return out.reshape(tuple(n for i, n in enumerate(out.shape) if i not in dims))
