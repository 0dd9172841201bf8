"""The data types, under PyTorch's names; each stands for one NumPy dtype."""

from __future__ import annotations

from typing import Any

import numpy as np


class dtype:
    """A data type of tensors.

    Attributes:
        name: such as ``float32``.
        numpy: the NumPy dtype.
        itemsize: bytes per element.
        is_floating_point: whether tensors of it may require a gradient.

    Example:
        >>> import microtensor as mt
        >>> mt.float32, mt.float32.itemsize, mt.int64.is_floating_point
        (microtensor.float32, 4, False)
    """

    __slots__ = ("is_floating_point", "itemsize", "name", "numpy")
    is_complex = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.numpy = np.dtype(name)
        self.itemsize = self.numpy.itemsize
        self.is_floating_point = self.numpy.kind == "f"

    def __repr__(self) -> str:
        return f"microtensor.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (from_numpy_dtype, (self.numpy,))


float16 = half = dtype("float16")
float32 = dtype("float32")
float64 = double = dtype("float64")
int8 = dtype("int8")
int16 = short = dtype("int16")
int32 = dtype("int32")
int64 = long = dtype("int64")
uint8 = dtype("uint8")
bool_ = dtype("bool")

ALL = (float16, float32, float64, int8, int16, int32, int64, uint8, bool_)
_by_numpy = {each.numpy: each for each in ALL}
_names = ", ".join(each.name for each in ALL)
_python = {float: None, int: int64, bool: bool_}

_default = float32


def from_numpy_dtype(numpy_dtype: np.dtype[Any]) -> dtype:
    """Give the dtype that stands for a NumPy one; TypeError if there is none."""
    found = _by_numpy.get(numpy_dtype)
    if found is None:
        raise TypeError(f"arrays of dtype {numpy_dtype} are not supported; supported: {_names}")
    return found


def is_supported(numpy_dtype: np.dtype[Any]) -> bool:
    """Say whether tensors hold elements of a NumPy dtype, in whatever byte order."""
    return numpy_dtype.kind in "fiub" and numpy_dtype.newbyteorder("=") in _by_numpy


def as_dtype(value: Any) -> dtype:
    """Take a dtype, a NumPy dtype, its name or a Python type; TypeError names the legal ones."""
    if isinstance(value, dtype):
        return value
    if value is float:
        return _default
    if value in (int, bool):
        return _python[value] or _default
    try:
        return from_numpy_dtype(np.dtype(value))
    except TypeError:
        raise TypeError(f"dtype must be one of {_names}; got {value!r}") from None


def as_numpy_dtype(value: Any) -> np.dtype[Any]:
    """The NumPy dtype of whatever :func:`as_dtype` takes."""
    return as_dtype(value).numpy


def get_default_dtype() -> dtype:
    """Give the dtype that Python floats become; float32 unless changed."""
    return _default


def set_default_dtype(d: Any) -> None:
    """Choose the dtype that Python floats become: a floating-point dtype.

    Raises:
        TypeError: ``d`` is not a floating-point dtype.
    """
    global _default
    chosen = as_dtype(d)
    if not chosen.is_floating_point:
        raise TypeError(
            f"set_default_dtype: only floating-point types are supported as the default type "
            f"(float16, float32, float64); got {chosen!r}"
        )
    _default = chosen
