"""The border between NumPy and C: what every native kernel needs.

Most kernels hand arrays over as objects, by their addresses: C reads their fields and checks dtype,
shape, gaps, alignment, overlap and writability (csrc/ndarray*.c; `select` has made sure that the
fields are where C looks for them). Optimizer steps pass tables of pointers instead, from
``ffi.from_buffer``. Whatever C cannot take goes to the NumPy twin, which copes or raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import _native

ffi, lib = _native.ffi, _native.lib
NULL = ffi.NULL
# With the writable flag given by position: by keyword it takes twice as long.
buffer = ffi.from_buffer

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT64 = np.dtype(np.int64)
UINT64 = np.dtype(np.uint64)
UINT32 = np.dtype(np.uint32)
_BUILTIN = (FLOAT32, FLOAT64, INT64, UINT64, UINT32)

# C types parsed once.
f32 = ffi.typeof("float[]")
f64 = ffi.typeof("double[]")


def canonical(array: Any) -> Any:
    """Give an array as one of no subclass, and whose dtype is the built-in object it equals.

    NumPy has several objects for one dtype (of unpickled arrays, or long against long long); the
    kernels compare by identity.
    """
    if not isinstance(array, np.ndarray):
        return array
    plain = array if type(array) is np.ndarray else array.view(np.ndarray)
    for dtype in _BUILTIN:
        if array.dtype is dtype:
            return plain
        if array.dtype == dtype:
            return plain.view(dtype)
    return plain


def otherwise(native: Callable[..., None], instead: Callable[..., None], *arguments: Any) -> None:
    """Call the kernel again, if the dtype's object was all that C refused, else its twin."""
    again = [canonical(argument) for argument in arguments]
    if any(new is not old for new, old in zip(again, arguments, strict=True)):
        native(*again)
    else:
        instead(*arguments)
