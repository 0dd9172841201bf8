"""The border between NumPy and C: what every native kernel needs.

The checks that keep memory safe are divided three ways: dtypes in native byte order and sizes by
the Python function of each kernel, contiguity and writability by ``ffi.from_buffer``, alignment
and overlap in C, which answers with a status. Whatever C cannot take goes to the NumPy twin, which
copes or raises.
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
i64 = ffi.typeof("int64_t[]")
u64 = ffi.typeof("uint64_t[]")
u32 = ffi.typeof("uint32_t[]")


def canonical(array: Any) -> Any:
    """Give an array whose dtype equals a built-in one as a view that has that very object.

    NumPy has several objects for one dtype (of unpickled arrays, or long against long long); the
    kernels compare by identity, which is twice as fast.
    """
    if isinstance(array, np.ndarray):
        for dtype in _BUILTIN:
            if array.dtype is dtype:
                return array
            if array.dtype == dtype:
                return array.view(dtype)
    return array


def otherwise(native: Callable[..., None], instead: Callable[..., None], *arguments: Any) -> None:
    """Call the kernel again, if the dtype's object was all that C refused, else its twin."""
    again = [canonical(argument) for argument in arguments]
    if any(new is not old for new, old in zip(again, arguments, strict=True)):
        native(*again)
    else:
        instead(*arguments)
