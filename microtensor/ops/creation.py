"""Making tensors: of data, and of one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.layouts import check_device, check_memory_format
from microtensor.ops.creating import (
    Array,
    creates,
    default_dtype,
    filled,
    like,
    plain_number,
    size_of,
)
from microtensor.ops.declare import publish
from microtensor.tensor import Tensor, to_array, wrap

_SIZES = "*size: Any"
_LIKE = "input: Tensor, *, memory_format: Any = None"


# ---- of data ------------------------------------------------------------------------------------


@creates("data: Any")
def tensor(data: Any, *, dtype: Any = None) -> Array:
    """Make a tensor of numbers, nested sequences or an array; always a copy.

    Args:
        data: the numbers. Python floats become the default dtype (float32), integers int64,
            arrays keep their dtype.
        dtype: the data type wanted.
        device: None or ``"cpu"``.
        requires_grad: whether what is computed from it is recorded.

    Raises:
        TypeError: the data is not numeric, or complex.
        ValueError: nested sequences of unequal length.
        RuntimeError: an integer or bool tensor is to require a gradient.

    Example:
        >>> import microtensor as mt
        >>> mt.tensor([[1, 2], [3, 4]])
        tensor([[1, 2],
                [3, 4]])
    """
    return to_array(data, dtype, copy=True)


@publish("data: Any, dtype: Any = None, device: Any = None")
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Make a tensor, sharing memory with an array or giving a tensor itself where possible.

    Args:
        data: a tensor, an array, numbers or nested sequences.
        dtype: the data type wanted; another one than the data's makes a copy.
        device: None or ``"cpu"``.
    """
    if device is not None:
        check_device("as_tensor", device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return wrap(to_array(data, None if dtype is None else dtypes.as_numpy_dtype(dtype)))


@publish(
    "obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, "
    "requires_grad: bool = False"
)
def asarray(
    obj: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Make a tensor of anything, on the same memory where possible.

    Args:
        obj: a tensor, an array, a buffer, numbers or nested sequences.
        dtype: the data type wanted.
        device: None or ``"cpu"``.
        copy: True: always copy; False: never; None: where that is needed.
        requires_grad: whether what is computed from it is recorded; if not, the result is detached.

    Raises:
        ValueError: a copy is needed, and ruled out.
    """
    check_device("asarray", device)
    if isinstance(obj, bytes | bytearray | memoryview):
        buffer: Tensor = frombuffer(obj, dtype=default_dtype() if dtype is None else dtype)
        return buffer.clone() if copy else buffer
    source = obj._array if isinstance(obj, Tensor) else obj if isinstance(obj, np.ndarray) else None
    result = as_tensor(obj, dtype)
    shared = source is not None and np.may_share_memory(result._array, source)
    if copy is False and not shared and result._array.size:
        raise ValueError("asarray(): a copy is needed, but copy=False")
    if copy and shared:
        result = result.clone()
    if not requires_grad:
        return result.detach() if result.requires_grad else result
    if isinstance(obj, Tensor) and not copy:
        result = result.detach()
    return result.requires_grad_()


@publish("ndarray: Any")
def from_numpy(ndarray: Any) -> Tensor:
    """Make a tensor on the memory of an array: a change of one is a change of the other.

    Raises:
        TypeError: no array, or one of a dtype that tensors do not have.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if not ndarray.dtype.isnative:
        raise ValueError(
            f"given numpy array has byte order different from the native one ({ndarray.dtype}); "
            "convert it with .astype(array.dtype.newbyteorder('='))"
        )
    dtype = dtypes.from_numpy_dtype(ndarray.dtype).numpy
    # An equal dtype may be another object (unpickled arrays'), and kernels compare identity.
    return wrap(ndarray if ndarray.dtype is dtype else ndarray.view(dtype))


@publish(
    "buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False"
)
def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """Make a vector on the memory of a buffer, such as a bytearray.

    Args:
        buffer: the bytes.
        dtype: what they are numbers of.
        count: how many numbers; all unless given.
        offset: how many bytes to skip.
        requires_grad: whether what is computed from it is recorded.

    Raises:
        ValueError: too few bytes, or some left over.
    """
    result = wrap(np.frombuffer(buffer, dtypes.as_numpy_dtype(dtype), count, offset))
    if not result._array.size:
        raise ValueError("frombuffer(): there must be at least one number")
    return result.requires_grad_() if requires_grad else result


@creates("s: float")
def scalar_tensor(s: Any, *, dtype: Any = None) -> Array:
    """Make a 0-d tensor of a number, of the default dtype unless another is given."""
    return filled("scalar_tensor", (), s, dtype or default_dtype())


# ---- of one number ------------------------------------------------------------------------------


@creates(_SIZES)
def zeros(*sizes: Any, size: Any = None, dtype: Any = None) -> Array:
    """Make a tensor of zeros of a size, given as integers or one sequence."""
    return np.zeros(size_of(sizes if size is None else (size,), "zeros"), dtype or default_dtype())


@creates(_SIZES)
def ones(*sizes: Any, size: Any = None, dtype: Any = None) -> Array:
    """Make a tensor of ones of a size, given as integers or one sequence."""
    return np.ones(size_of(sizes if size is None else (size,), "ones"), dtype or default_dtype())


@creates(f"{_SIZES}, memory_format: Any = None")
def empty(*sizes: Any, size: Any = None, memory_format: Any = None, dtype: Any = None) -> Array:
    """Make a tensor whose memory is not initialised."""
    if memory_format is not None:
        check_memory_format("empty", memory_format)
    return np.empty(size_of(sizes if size is None else (size,), "empty"), dtype or default_dtype())


@creates("size: Sequence[int], fill_value: float")
def full(size: Any, fill_value: Any, *, dtype: Any = None) -> Array:
    """Make a tensor of one number; its dtype follows the number unless given.

    Raises:
        RuntimeError: a number that the dtype cannot hold.
    """
    fill_value = plain_number("full", "fill_value", fill_value)
    if dtype is None:
        kind = type(fill_value)
        dtype = default_dtype() if kind is float else dtypes.as_numpy_dtype(kind)
    return filled("full", size_of((size,), "full"), fill_value, dtype)


@creates(_LIKE)
def zeros_like(input: Any, *, memory_format: Any = None, dtype: Any = None) -> Array:
    """Make zeros of a tensor's shape and dtype."""
    return np.zeros(*like("zeros_like", input, dtype, memory_format))


@creates(_LIKE)
def ones_like(input: Any, *, memory_format: Any = None, dtype: Any = None) -> Array:
    """Make ones of a tensor's shape and dtype."""
    return np.ones(*like("ones_like", input, dtype, memory_format))


@creates(_LIKE)
def empty_like(input: Any, *, memory_format: Any = None, dtype: Any = None) -> Array:
    """Make a tensor of another's shape and dtype whose memory is not initialised."""
    return np.empty(*like("empty_like", input, dtype, memory_format))


@creates("input: Tensor, fill_value: float, *, memory_format: Any = None")
def full_like(
    input: Any, fill_value: Any, *, memory_format: Any = None, dtype: Any = None
) -> Array:
    """Make a tensor of one number, of another's shape and dtype."""
    shape, chosen = like("full_like", input, dtype, memory_format)
    return filled("full_like", shape, fill_value, chosen)


# ---- like this one, as methods ------------------------------------------------------------------


def _new(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return creates(f"input: Tensor, {_SIZES}", namespaces=(), method=name)


@_new("new_zeros")
def new_zeros(input: Tensor, *sizes: Any, size: Any = None, dtype: Any = None) -> Array:
    """Make zeros of a size, of this tensor's dtype unless another is given."""
    shape = size_of(sizes if size is None else (size,), "new_zeros")
    return np.zeros(shape, dtype or input._array.dtype)


@_new("new_ones")
def new_ones(input: Tensor, *sizes: Any, size: Any = None, dtype: Any = None) -> Array:
    """Make ones of a size, of this tensor's dtype unless another is given."""
    shape = size_of(sizes if size is None else (size,), "new_ones")
    return np.ones(shape, dtype or input._array.dtype)


@_new("new_empty")
def new_empty(input: Tensor, *sizes: Any, size: Any = None, dtype: Any = None) -> Array:
    """Make a tensor of a size that is not initialised, of this one's dtype unless given."""
    shape = size_of(sizes if size is None else (size,), "new_empty")
    return np.empty(shape, dtype or input._array.dtype)


@creates("input: Tensor, size: Sequence[int], fill_value: float", namespaces=(), method="new_full")
def new_full(input: Tensor, size: Any, fill_value: Any, *, dtype: Any = None) -> Array:
    """Make a tensor of one number, of this tensor's dtype unless another is given."""
    shape = size_of((size,), "new_full")
    return filled("new_full", shape, fill_value, dtype or input._array.dtype)


@creates("input: Tensor, data: Any", namespaces=(), method="new_tensor")
def new_tensor(input: Tensor, data: Any, *, dtype: Any = None) -> Array:
    """Make a tensor of data: a copy, of this tensor's dtype unless another is given."""
    return to_array(data, dtype or input._array.dtype, copy=True)
