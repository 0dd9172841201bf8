"""Copies of arrays that keep what was shared: for deepcopy and pickle.

``copy.deepcopy`` copies the whole memory that a tensor looks at, once, so tensors that shared it
share the copy too, as in PyTorch. A pickle keeps shared what covers a memory wholly (a tensor, its
``detach()``, its transpose); a part of a memory travels alone, without the rest.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def memory_of(array: Array) -> Array:
    """Give the array that owns the memory an array looks at, as far as NumPy knows."""
    while True:
        base = array.base
        if not isinstance(base, np.ndarray):
            base = getattr(base, "base", None)  # what NumPy's as_strided puts between
        if type(base) is not np.ndarray:
            return array
        array = base


def copy_array(array: Array, memo: dict[int, Any]) -> Array:
    """Copy an array; what shared memory within one deepcopy shares the copy."""
    owner = memory_of(array)
    if array.size == 0 or type(owner) is not np.ndarray:
        return np.array(array)
    copied = copy.deepcopy(owner, memo)
    if array is owner:
        return copied
    if copied.strides != owner.strides or flat_bytes(copied) is None:
        return array.copy()  # an owner with gaps cannot be copied as it lies
    return look_at(copied, *layout_of(array, owner))


def parts_of(array: Array) -> tuple[Any, ...]:
    """Give what :func:`whole_of` makes an array of, as pickle takes it: an array, a layout."""
    owner = memory_of(array)
    whole = owner.nbytes == array.nbytes and type(owner) is np.ndarray
    if array is owner or not whole or array.size == 0 or flat_bytes(owner) is None:
        return array, None
    if any(step == 0 for step in array.strides):
        return array, None
    return owner, layout_of(array, owner)


def whole_of(array: Array, layout: tuple[Any, ...] | None) -> Array:
    """Make an array of what :func:`parts_of` gave."""
    return array if layout is None else look_at(array, *layout)


def layout_of(array: Array, owner: Array) -> tuple[int, tuple[int, ...], tuple[int, ...], str]:
    """Say how an array looks at its owner's memory: offset, shape, strides in bytes, dtype."""
    return address(array) - _lowest(owner), array.shape, array.strides, array.dtype.name


def look_at(
    owner: Array, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: str
) -> Array:
    """Look at an array's memory in another way; ValueError where that leaves the memory."""
    flat = flat_bytes(owner)
    if flat is None:
        raise ValueError("the memory has gaps")
    result: Array = np.ndarray(shape, np.dtype(dtype), flat, offset, strides)
    if any(step == 0 and length > 1 for step, length in zip(strides, shape, strict=True)):
        result.flags.writeable = False  # as everywhere: several elements in one place
    return result


def flat_bytes(array: Array) -> Array | None:
    """Give an array's memory as it lies, one byte after the other; None if it has gaps."""
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    ordered = array.transpose(order)
    return ordered.reshape(-1).view(np.uint8) if ordered.flags.c_contiguous else None


def address(array: Array) -> int:
    """Give the address of the first element."""
    return int(array.__array_interface__["data"][0])


def span(array: Array) -> tuple[int, int]:
    """Give the addresses between which the elements lie, the second exclusive."""
    low = high = address(array)
    if array.size == 0:
        return low, low
    for length, step in zip(array.shape, array.strides, strict=True):
        low += min(0, (length - 1) * step)
        high += max(0, (length - 1) * step)
    return low, high + array.itemsize


def _lowest(array: Array) -> int:
    return span(array)[0]
