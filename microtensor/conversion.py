"""Arrays of whatever a tensor can be made of: numbers, nested lists, arrays, array-likes."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.interop import Elements

Array = np.ndarray[Any, Any]

_PYTHONS = {int, float, bool}
_NESTS = (list, tuple)
_PROTOCOLS = ("__array__", "__array_interface__", "__dlpack__", "dtype")


def to_array(data: Any, dtype: Any = None, copy: bool = False) -> Array:
    """Make an array of whatever a tensor can be made of.

    Python floats become the default dtype; tensors, arrays, NumPy's numbers and whatever
    speaks ``__array__`` or DLPack keep theirs, in native byte order. In a list the dtypes of
    all that it contains are promoted.

    Args:
        data: numbers, nested lists or tuples, a tensor, an array or an array-like.
        dtype: the NumPy dtype wanted.
        copy: copy even where the memory could be shared.

    Raises:
        TypeError: the data is not numeric, or complex, or of a dtype that tensors do not have.
        ValueError: nested sequences of unequal length, an integer beyond 64 bits.
        RuntimeError: a Python number that an integer dtype cannot hold.
    """
    own = None
    if isinstance(data, Elements):
        data = data._array
    if isinstance(data, _NESTS):
        types: set[type] = set()
        _collect_types(data, types)
        if not types <= _PYTHONS:
            own = _common_dtype(data)
            data = _without_tensors(data)
        array = np.array(data)
    elif isinstance(data, np.ndarray | np.generic):
        if is_masked(data):
            raise TypeError("tensors have no masks; give the masked array's .filled(value)")
        array, own = (np.array(data) if copy else np.asarray(data)), data.dtype
    else:
        array = _array_of(data, copy)
        if not isinstance(data, _NUMBERS_AND_TEXT) and _has_elements(data):
            own = array.dtype
    python = own is None  # Python's own numbers, whose dtype is for us to choose
    if python and (array.dtype.kind == "u" or _is_too_large(array)):
        raise ValueError("an integer is too large: tensors hold at most 64-bit signed ones")
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"tensors hold real numbers or bools; got data of type "
            f"{getattr(data, 'dtype', None) or type(data).__name__} (as an array: {array.dtype})"
        )
    if dtype is None:
        if python and (array.dtype.kind == "f" or array.size == 0):
            dtype = dtypes.get_default_dtype().numpy
        else:
            # The canonical object: newbyteorder makes an equal one, and kernels compare identity.
            found = array.dtype if own is None else own
            dtype = dtypes.from_numpy_dtype(found.newbyteorder("=")).numpy
    if array.dtype is dtype:
        return array
    if python and dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype)
        # Written so that NaN, which compares false, is refused too.
        if not (array.min() >= limits.min and array.max() <= limits.max):
            raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow")
    if array.dtype == dtype and array.dtype.isnative:
        return array.view(dtype)  # another object for the same dtype
    with np.errstate(all="ignore"):
        return array.astype(dtype)


_NUMBERS_AND_TEXT = (int, float, complex, str, bytes)


def _array_of(data: Any, copy: bool) -> Array:
    speaks_only_dlpack = hasattr(data, "__dlpack__") and not hasattr(data, "__array__")
    array: Array = np.from_dlpack(data) if speaks_only_dlpack else np.asarray(data)
    # Not left to the object's own __array__(copy=True): some give away their memory all the same.
    return array.copy() if copy else array


def _has_elements(data: Any) -> bool:
    """Say whether data comes with a dtype of its own: array-likes and buffers."""
    if any(hasattr(data, name) for name in _PROTOCOLS):
        return True
    try:
        memoryview(data)
    except TypeError:
        return False
    return True


def is_masked(array: Any) -> bool:
    """Say whether an array is NumPy's masked kind, without importing that part of NumPy."""
    return type(array) is not np.ndarray and hasattr(array, "mask")


def _is_too_large(array: Array) -> bool:
    if array.dtype != object or not array.size:
        return False
    return all(isinstance(each, int) for each in array.flat)


def _collect_types(data: Any, types: set[type]) -> None:
    """Add the types of what is nested in data; sets of types, since loops over numbers cost."""
    here = set(map(type, data))
    if not here <= _PYTHONS:
        for each in data:
            if isinstance(each, _NESTS):
                _collect_types(each, types)
        here = {kind for kind in here if not issubclass(kind, _NESTS)}
    types |= here


def _common_dtype(data: Any) -> np.dtype[Any] | None:
    """Promote the dtypes of what is nested in data; None if it is Python's numbers alone."""
    found: set[np.dtype[Any]] = set()
    python = _collect_dtypes(data, found)
    if not found:
        return None
    if float in python:
        found.add(dtypes.get_default_dtype().numpy)
    elif int in python:
        found.add(np.dtype(np.int64))
    # PyTorch's promotion: floats before integers before bools, then the widest.
    for kinds in ("f", "iu", "b"):
        chosen = [each for each in found if each.kind in kinds]
        if chosen:
            return reduce(np.promote_types, chosen)
    return None


def _collect_dtypes(data: Any, found: set[np.dtype[Any]]) -> set[type]:
    python: set[type] = set()
    for each in data:
        if isinstance(each, _NESTS):
            python |= _collect_dtypes(each, found)
        elif isinstance(each, Elements):
            found.add(each._array.dtype)
        elif isinstance(each, np.ndarray | np.generic):
            found.add(each.dtype)
        elif isinstance(each, int | float):
            python.add(next(kind for kind in (float, bool, int) if isinstance(each, kind)))
        elif not isinstance(each, _NUMBERS_AND_TEXT) and _has_elements(each):
            found.add(_array_of(each, copy=False).dtype)
    return python


def _without_tensors(data: Any) -> Any:
    if isinstance(data, Elements):
        return data._array
    if isinstance(data, _NESTS):
        return [_without_tensors(each) for each in data]
    return data
