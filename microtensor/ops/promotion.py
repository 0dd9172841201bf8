"""Which dtype comes out when dtypes meet: PyTorch's rules, which are not NumPy's.

Dtypes have a category: bool < integer < floating point. Tensors with dimensions decide; a 0-d
tensor or a Python number only has a say if its category is higher. Integers meeting floats take the
float's dtype (NumPy would widen to float64), and among dtypes of one category the wider wins.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import Any

import numpy as np

from microtensor import dtypes

Array = np.ndarray[Any, Any]
_CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2}


@lru_cache(maxsize=256)
def promote_types(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """Give the dtype of two tensors of equal rank that meet."""
    if a == b:
        return a
    category_a, category_b = _CATEGORY[a.kind], _CATEGORY[b.kind]
    if category_a != category_b:
        return a if category_a > category_b else b
    return np.promote_types(a, b)


def common_dtype(*arrays: Array) -> np.dtype[Any]:
    """Give the dtype in which any number of arrays are combined."""
    with_dimensions = [a.dtype for a in arrays if a.ndim]
    without = [a.dtype for a in arrays if not a.ndim]
    if not with_dimensions:
        return reduce(promote_types, without)
    strong = reduce(promote_types, with_dimensions)
    higher = [d for d in without if _CATEGORY[d.kind] > _CATEGORY[strong.kind]]
    return reduce(promote_types, higher, strong)


def result_dtype(a: Array, b: Array) -> np.dtype[Any]:
    """Give the dtype in which two arrays are combined."""
    if a.dtype == b.dtype or (a.ndim == 0) == (b.ndim == 0):
        return promote_types(a.dtype, b.dtype)
    strong, weak = (b, a) if a.ndim == 0 else (a, b)
    if _CATEGORY[weak.dtype.kind] > _CATEGORY[strong.dtype.kind]:
        return promote_types(strong.dtype, weak.dtype)
    return strong.dtype


def number_dtype(value: Any, beside: np.dtype[Any]) -> np.dtype[Any]:
    """Give the dtype of a Python number beside a tensor: the tensor's, unless it cannot hold it."""
    if isinstance(value, bool | np.bool_):
        return beside
    if isinstance(value, int | np.integer):
        return dtypes.int64.numpy if beside.kind == "b" else beside
    return beside if beside.kind == "f" else dtypes.get_default_dtype().numpy


def number_array(value: Any, beside: np.dtype[Any]) -> Array:
    """Give a number as a 0-d array in :func:`number_dtype`.

    Raises:
        RuntimeError: an integer that the dtype cannot hold.
    """
    if beside.kind == "f" and _SAFELY_SMALL < value < _SAFELY_LARGE:
        return np.array(value, beside)  # the ordinary case, without a look at anything else
    dtype = number_dtype(value, beside)
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow")
    with np.errstate(over="ignore"):
        return np.array(value, dtype)


def operand_array(value: Any, beside: np.dtype[Any]) -> Array:
    """Give a number that an array is combined with as a 0-d array in :func:`number_dtype`.

    An integer wraps around in a narrower dtype, as the array's elements would in the operation.

    Raises:
        OverflowError: an integer beyond 64 bits.
    """
    if beside.kind == "f" and _SAFELY_SMALL < value < _SAFELY_LARGE:
        return np.array(value, beside)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        if not _INT64.min <= value <= _UINT64.max:
            raise OverflowError(f"the integer {value} is too large: tensors hold 64-bit ones")
        dtype = number_dtype(value, beside)
        if dtype.kind != "f":
            wide = np.array(value, np.int64 if value <= _INT64.max else np.uint64)
            return wide.astype(dtype)
    with np.errstate(over="ignore"):
        return np.array(value, number_dtype(value, beside))


_INT64, _UINT64 = np.iinfo(np.int64), np.iinfo(np.uint64)

# Within these bounds no conversion to a floating-point dtype overflows (float16 ends at 65504).
_SAFELY_SMALL, _SAFELY_LARGE = -6e4, 6e4


def to_float(x: Array) -> Array:
    """Give an integer or bool array in the default floating-point dtype; others as they are."""
    return x if x.dtype.kind == "f" else x.astype(dtypes.get_default_dtype().numpy)
