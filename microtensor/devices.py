"""Devices under PyTorch's names, of which there is one: the CPU."""

from __future__ import annotations

from typing import Any

# What PyTorch has and microtensor does not: named to be refused in words that say so.
_ELSEWHERE = ("cuda", "mps", "xpu", "meta", "xla", "hip", "ipu", "hpu", "mtia", "vulkan", "ve")
TYPES = ("cpu", *_ELSEWHERE)


class device:
    """Where tensors live: the CPU, the only device there is.

    Args:
        type: ``"cpu"``, also with an index (``"cpu:0"``), or a device.
        index: a number, if the type comes without one.

    Raises:
        RuntimeError: another device, or a string that names none.
        TypeError: no string.

    Example:
        >>> import microtensor as mt
        >>> mt.device("cuda" if mt.cuda.is_available() else "cpu")
        device(type='cpu')
        >>> mt.ones(2).device == mt.device("cpu")
        True
    """

    __slots__ = ("_index", "_type")

    _type: str
    _index: int | None

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type._type, type._index
        if not isinstance(type, str):
            raise TypeError(f"device(): type must be a string such as 'cpu', not {type!r}")
        if index is not None and (not isinstance(index, int) or isinstance(index, bool)):
            raise TypeError(
                f"device(): argument 'index' must be int, not {index.__class__.__name__}"
            )
        name, colon, number = type.partition(":")
        if name not in TYPES:
            raise RuntimeError(
                f"Expected 'cpu' at the start of a device string, the only device there is: {type}"
            )
        if colon and (index is not None or not number.isdecimal()):
            raise RuntimeError(f"Invalid device string: {type!r}")
        if name != "cpu":
            raise RuntimeError(f"there is no device {type!r}: microtensor runs on 'cpu'")
        self._type = name
        self._index = int(number) if colon else index

    @property
    def type(self) -> str:
        """The kind of device: ``"cpu"``."""
        return self._type

    @property
    def index(self) -> int | None:
        """The number that was given, or None."""
        return self._index

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, device):
            return NotImplemented
        return (self._type, self._index) == (other._type, other._index)

    def __hash__(self) -> int:
        return hash((self._type, self._index))

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self._type, self._index)

    def __enter__(self) -> device:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __str__(self) -> str:
        return self._type if self._index is None else f"{self._type}:{self._index}"

    def __repr__(self) -> str:
        index = "" if self._index is None else f", index={self._index}"
        return f"device(type='{self._type}'{index})"


CPU = device("cpu")


def is_device(value: Any) -> bool:
    """Say whether a value names a device, there or not: a device, or a string such as "cuda:0"."""
    return isinstance(value, device) or (
        isinstance(value, str) and value.partition(":")[0] in TYPES
    )
