"""Layers that put a border around their input."""

from __future__ import annotations

from microtensor.nn import functional as F
from microtensor.nn.module import Module
from microtensor.tensor import Tensor

_SIDES = ("left, right", "top, bottom", "front, back")


class _Padding(Module):
    """What the layers of all modes share: two widths for each of the last dimensions."""

    mode: str
    count: int  # of dimensions
    padding: tuple[int, ...]

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


class ConstantPad1d(_ConstantPadding):
    """Give the last dimension a border of one number.

    Args:
        padding: one width, or two: (left, right);
            negative ones cut off.
        value: what the border consists of.

    Raises:
        ValueError: another number of widths.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.ConstantPad1d((2, 1), 1.5)(mt.arange(3.0).reshape(1, 3)).tolist()
        [[1.5, 1.5, 0.0, 1.0, 2.0, 1.5]]
    """

    count = 1


class ConstantPad2d(_ConstantPadding):
    """Give the last two dimensions a border of one number.

    Args:
        padding: one width, or four: (left, right, top, bottom);
            negative ones cut off.
        value: what the border consists of.

    Raises:
        ValueError: another number of widths.
    """

    count = 2


class ConstantPad3d(_ConstantPadding):
    """Give the last three dimensions a border of one number.

    Args:
        padding: one width, or six: (left, right, top, bottom, front, back);
            negative ones cut off.
        value: what the border consists of.

    Raises:
        ValueError: another number of widths.
    """

    count = 3


class ZeroPad1d(_ZeroPadding):
    """Give the last dimension a border of zeros.

    Args:
        padding: one width, or two: (left, right);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.ZeroPad1d((2, 1))(mt.arange(3.0).reshape(1, 3)).tolist()
        [[0.0, 0.0, 0.0, 1.0, 2.0, 0.0]]
    """

    count = 1


class ZeroPad2d(_ZeroPadding):
    """Give the last two dimensions a border of zeros.

    Args:
        padding: one width, or four: (left, right, top, bottom);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.
    """

    count = 2


class ZeroPad3d(_ZeroPadding):
    """Give the last three dimensions a border of zeros.

    Args:
        padding: one width, or six: (left, right, top, bottom, front, back);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.
    """

    count = 3


class ReflectionPad1d(_ReflectionPadding):
    """Give the last dimension a border that mirrors it.

    Args:
        padding: one width, or two: (left, right);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.ReflectionPad1d((2, 1))(mt.arange(3.0).reshape(1, 3)).tolist()
        [[2.0, 1.0, 0.0, 1.0, 2.0, 1.0]]
    """

    count = 1


class ReflectionPad2d(_ReflectionPadding):
    """Give the last two dimensions a border that mirrors them.

    Args:
        padding: one width, or four: (left, right, top, bottom);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.
    """

    count = 2


class ReflectionPad3d(_ReflectionPadding):
    """Give the last three dimensions a border that mirrors them.

    Args:
        padding: one width, or six: (left, right, top, bottom, front, back);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.
    """

    count = 3


class ReplicationPad1d(_ReplicationPadding):
    """Give the last dimension a border of its outermost elements.

    Args:
        padding: one width, or two: (left, right);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.ReplicationPad1d((2, 1))(mt.arange(3.0).reshape(1, 3)).tolist()
        [[0.0, 0.0, 0.0, 1.0, 2.0, 2.0]]
    """

    count = 1


class ReplicationPad2d(_ReplicationPadding):
    """Give the last two dimensions a border of their outermost elements.

    Args:
        padding: one width, or four: (left, right, top, bottom);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.
    """

    count = 2


class ReplicationPad3d(_ReplicationPadding):
    """Give the last three dimensions a border of their outermost elements.

    Args:
        padding: one width, or six: (left, right, top, bottom, front, back);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.
    """

    count = 3


class CircularPad1d(_CircularPadding):
    """Give the last dimension a border of the elements at its other end.

    Args:
        padding: one width, or two: (left, right);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.CircularPad1d((2, 1))(mt.arange(3.0).reshape(1, 3)).tolist()
        [[1.0, 2.0, 0.0, 1.0, 2.0, 0.0]]
    """

    count = 1


class CircularPad2d(_CircularPadding):
    """Give the last two dimensions a border of the elements at their other end.

    Args:
        padding: one width, or four: (left, right, top, bottom);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.
    """

    count = 2


class CircularPad3d(_CircularPadding):
    """Give the last three dimensions a border of the elements at their other end.

    Args:
        padding: one width, or six: (left, right, top, bottom, front, back);
            negative ones cut off.

    Raises:
        ValueError: another number of widths.
    """

    count = 3
