"""Which memory an array is of: what a record needs to know of the arrays in it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from microtensor.tensor import Tensor

Array = np.ndarray[Any, Any]
# What arguments mostly are, asked first: a capture looks at each argument several times.
_PLAIN = frozenset((ndarray, Tensor, int, float, bool, str, type(None)))


def root_of(array: Array) -> Array:
    """Give the array that owns the memory, or the last one NumPy knows of."""
    base = array.base
    while isinstance(base, ndarray):
        array, base = base, base.base
    return array


def arrays_in(value: Any) -> list[Array]:
    """Give the arrays in nested arguments or results."""
    found: list[Array] = []
    _gather(value, found)
    return found


def _gather(value: Any, found: list[Array]) -> None:
    if isinstance(value, ndarray):
        found.append(value)
    elif isinstance(value, tuple | list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, ndarray):
                found.append(each)
            elif each.__class__ not in _PLAIN:
                _gather(each, found)


def altered(array: Array) -> Array:
    """Give a copy that lies in memory as the array does, its floating-point numbers others."""
    root = root_of(array)
    if not (root.flags.c_contiguous or root.flags.f_contiguous) or not root.size:
        return array.copy(order="K")
    twin = root.copy(order="K")
    if twin.dtype.kind == "f":
        with np.errstate(all="ignore"):
            twin *= twin.dtype.type(0.77)
            twin += twin.dtype.type(0.03125)
    offset = address_of(array) - address_of(root)
    copy: Array = np.ndarray(array.shape, array.dtype, bytes_of(twin), offset, array.strides)
    copy.flags.writeable = array.flags.writeable
    return copy


def _asked(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _read(array: Array) -> int:
    return ctypes.c_size_t.from_address(id(array) + _DATA).value


# Where an array's first element lies: read behind reference count and type, as the kernels do,
# which costs a twentieth of asking; where an array of known place proves that it is there.
_DATA = 2 * ctypes.sizeof(ctypes.c_void_p)
_probe = np.empty(3)[1:]
_readable = sys.implementation.name == "cpython" and _read(_probe) == _asked(_probe)
address_of: Callable[[Array], int] = _read if _readable else _asked


def bytes_of(root: Array) -> Array:
    """Give the memory of an array without gaps."""
    return root.reshape(-1, order="A").view(np.uint8) if root.size else root


def tensors_in(value: Any) -> list[Tensor]:
    """Give the tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, tuple | list):
        return [tensor for each in value for tensor in tensors_in(each)]
    if isinstance(value, dict):
        return [tensor for each in value.values() for tensor in tensors_in(each)]
    return []


_NUMBERS = frozenset((int, float, bool, str, type(None)))


def form_of(value: Any) -> Any:
    """Give nested arguments but for the values in arrays; None if something else is among them."""
    kind = value.__class__
    if kind is ndarray:
        return value.shape, value.strides, value.dtype
    if kind in _NUMBERS or isinstance(value, np.dtype):
        return kind, value
    if kind is tuple or kind is list:
        parts = [form_of(each) for each in value]
        return None if None in parts else (kind, *parts)
    if kind is dict:
        parts = [form_of(each) for each in value.values()]
        return None if None in parts else (kind, *value, *parts)
    return None


def rebuilt(value: Any, replace: Any) -> Any:
    """Give nested tuples, lists and dicts with each leaf replaced."""
    if value.__class__ in _PLAIN:
        return replace(value)
    if isinstance(value, tuple | list):
        parts = [
            replace(each) if each.__class__ in _PLAIN else rebuilt(each, replace) for each in value
        ]
        if isinstance(value, list):
            return parts
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, dict):
        return {key: rebuilt(each, replace) for key, each in value.items()} if value else {}
    return replace(value)
