"""Layers that put a border around their input."""

from __future__ import annotations

import inspect
from typing import Any

from microtensor.nn import functional as F
from microtensor.nn.module import Module
from microtensor.tensor import Tensor

_SIDES = ("left, right", "top, bottom", "front, back")
_NUMBERS = ("two", "four", "six")

# What the docstrings of all layers go on with, each after its first line.
_ARGUMENTS = """
Args:
    padding: one width, or {number}: ({sides});
        negative ones cut off.{value}

Raises:
    ValueError: another number of widths.
"""


class _Padding(Module):
    """What the layers of all modes share: two widths for each of the last dimensions."""

    mode: str
    count: int  # of dimensions
    padding: tuple[int, ...]
    _value = ""  # the line about it in docstrings

    def __init_subclass__(cls, count: int | None = None, **options: Any) -> None:
        """Complete the docstring of a layer of `count` dimensions: what it takes and raises."""
        super().__init_subclass__(**options)
        if count is None:
            return
        cls.count = count
        if cls.__doc__:  # python -OO leaves none
            first, *example = inspect.cleandoc(cls.__doc__).split("\n", 1)
            sides = ", ".join(_SIDES[:count])
            text = _ARGUMENTS.format(number=_NUMBERS[count - 1], sides=sides, value=cls._value)
            cls.__doc__ = "\n".join([first, text.rstrip("\n"), *example])

    def __init__(self, padding: int | tuple[int, ...]) -> None:
        super().__init__()
        widths = (padding,) * (2 * self.count) if isinstance(padding, int) else tuple(padding)
        if len(widths) != 2 * self.count:
            raise ValueError(
                f"{type(self).__name__}: padding must be an int or {2 * self.count} of them "
                f"({', '.join(_SIDES[: self.count])}), got {padding!r}"
            )
        self.padding = widths

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` within its border."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"{self.padding}"


class _ConstantPadding(_Padding):
    mode = "constant"
    value: float
    _value = "\n    value: what the border consists of."

    def __init__(self, padding: int | tuple[int, ...], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` within its border."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPadding(_ConstantPadding):
    _value = ""

    def __init__(self, padding: int | tuple[int, ...]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"{self.padding}"


class _ReflectionPadding(_Padding):
    mode = "reflect"


class _ReplicationPadding(_Padding):
    mode = "replicate"


class _CircularPadding(_Padding):
    mode = "circular"


class ConstantPad1d(_ConstantPadding, count=1):
    """Give the last dimension a border of one number.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.ConstantPad1d((2, 1), 1.5)(mt.arange(3.0).reshape(1, 3)).tolist()
        [[1.5, 1.5, 0.0, 1.0, 2.0, 1.5]]
    """


class ConstantPad2d(_ConstantPadding, count=2):
    """Give the last two dimensions a border of one number."""


class ConstantPad3d(_ConstantPadding, count=3):
    """Give the last three dimensions a border of one number."""


class ZeroPad1d(_ZeroPadding, count=1):
    """Give the last dimension a border of zeros.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.ZeroPad1d((2, 1))(mt.arange(3.0).reshape(1, 3)).tolist()
        [[0.0, 0.0, 0.0, 1.0, 2.0, 0.0]]
    """


class ZeroPad2d(_ZeroPadding, count=2):
    """Give the last two dimensions a border of zeros."""


class ZeroPad3d(_ZeroPadding, count=3):
    """Give the last three dimensions a border of zeros."""


class ReflectionPad1d(_ReflectionPadding, count=1):
    """Give the last dimension a border that mirrors it.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.ReflectionPad1d((2, 1))(mt.arange(3.0).reshape(1, 3)).tolist()
        [[2.0, 1.0, 0.0, 1.0, 2.0, 1.0]]
    """


class ReflectionPad2d(_ReflectionPadding, count=2):
    """Give the last two dimensions a border that mirrors them."""


class ReflectionPad3d(_ReflectionPadding, count=3):
    """Give the last three dimensions a border that mirrors them."""


class ReplicationPad1d(_ReplicationPadding, count=1):
    """Give the last dimension a border of its outermost elements.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.ReplicationPad1d((2, 1))(mt.arange(3.0).reshape(1, 3)).tolist()
        [[0.0, 0.0, 0.0, 1.0, 2.0, 2.0]]
    """


class ReplicationPad2d(_ReplicationPadding, count=2):
    """Give the last two dimensions a border of their outermost elements."""


class ReplicationPad3d(_ReplicationPadding, count=3):
    """Give the last three dimensions a border of their outermost elements."""


class CircularPad1d(_CircularPadding, count=1):
    """Give the last dimension a border of the elements at its other end.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.CircularPad1d((2, 1))(mt.arange(3.0).reshape(1, 3)).tolist()
        [[1.0, 2.0, 0.0, 1.0, 2.0, 0.0]]
    """


class CircularPad2d(_CircularPadding, count=2):
    """Give the last two dimensions a border of the elements at their other end."""


class CircularPad3d(_CircularPadding, count=3):
    """Give the last three dimensions a border of the elements at their other end."""
