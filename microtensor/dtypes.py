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
        is_signed: whether it has negative numbers.

    Example:
        >>> import microtensor as mt
        >>> mt.float32, mt.float32.itemsize, mt.int64.is_floating_point
        (microtensor.float32, 4, False)
    """

    __slots__ = ("is_floating_point", "is_signed", "itemsize", "name", "numpy")
    is_complex = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.numpy = np.dtype(name)
        self.itemsize = self.numpy.itemsize
        self.is_floating_point = self.numpy.kind == "f"
        self.is_signed = self.numpy.kind in "fi"

    def to_real(self) -> dtype:
        """Give the dtype itself: all are real."""
        return self

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
_python = {float: float64, int: int64, bool: bool_}

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
    if isinstance(value, type) and value in _python:  # NumPy's dtypes equal Python's types
        return _python[value]
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


# ---- limits -------------------------------------------------------------------------------------


class finfo:
    """The limits of a floating-point dtype.

    Args:
        type: the dtype; the default one unless given.

    Attributes:
        bits: its width.
        eps: the step from 1 to the next number.
        max, min: the largest and the lowest number.
        smallest_normal, tiny: the smallest positive number of full precision.
        resolution: the power of ten that its decimal digits reach.
        dtype: its name.

    Raises:
        TypeError: something else than a floating-point dtype.

    Example:
        >>> import microtensor as mt
        >>> mt.finfo(mt.float32).eps
        1.1920928955078125e-07
    """

    def __init__(self, type: dtype | None = None) -> None:
        chosen = _default if type is None else _checked_dtype("finfo", type)
        if not chosen.is_floating_point:
            raise TypeError(f"finfo() requires a floating-point dtype, not {chosen!r}; see iinfo()")
        limits = np.finfo(chosen.numpy)
        self.bits = limits.bits
        self.eps, self.max, self.min = float(limits.eps), float(limits.max), float(limits.min)
        self.smallest_normal = self.tiny = float(limits.smallest_normal)
        self.resolution = 10.0**-limits.precision
        self.dtype = chosen.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and other.dtype == self.dtype

    def __hash__(self) -> int:
        return hash((finfo, self.dtype))

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        listed = ", ".join(f"{name}={getattr(self, name):.6g}" for name in names)
        return f"finfo({listed}, dtype={self.dtype})"


class iinfo:
    """The limits of an integer dtype: ``bits``, ``max``, ``min``, and its name as ``dtype``.

    Args:
        type: the dtype.

    Raises:
        TypeError: something else than an integer dtype.

    Example:
        >>> import microtensor as mt
        >>> mt.iinfo(mt.int8).max
        127
    """

    def __init__(self, type: dtype) -> None:
        chosen = _checked_dtype("iinfo", type)
        if chosen.numpy.kind not in "iu":
            raise TypeError(f"iinfo() requires an integer dtype, not {chosen!r}")
        limits = np.iinfo(chosen.numpy)
        self.bits, self.max, self.min = limits.bits, limits.max, limits.min
        self.dtype = chosen.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and other.dtype == self.dtype

    def __hash__(self) -> int:
        return hash((iinfo, self.dtype))

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def _checked_dtype(name: str, value: Any) -> dtype:
    if not isinstance(value, dtype):
        raise TypeError(f"{name}(): argument 'type' must be a dtype, not {type(value).__name__}")
    return value
