"""Mapping views over what a module has registered."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any, Generic, TypeVar

from microtensor.engine import epoch

T = TypeVar("T")


class Registry(MutableMapping[str, T], Generic[T]):
    """Present the registered attributes of one kind as a mapping that writes through.

    A module keeps each parameter, buffer and child in its instance ``__dict__``, so that reading
    ``self.weight`` is an ordinary attribute access, and beside them one ordered dictionary of
    names per kind. A view joins the two on demand. It refers to the instance's dictionary rather
    than to the instance, and no instance keeps a view, so views never make a reference cycle.
    """

    __slots__ = ("_default", "_names", "_values")

    def __init__(self, values: dict[str, Any], names: dict[str, Any], default: Any = None) -> None:
        self._values = values
        self._names = names
        self._default = default

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(name)
        value: T = self._values[name]
        return value

    def __setitem__(self, name: str, value: T) -> None:
        self._names.setdefault(name, self._default)
        self._values[name] = value
        epoch.count += 1

    def __delitem__(self, name: str) -> None:
        del self._names[name]
        del self._values[name]
        epoch.count += 1

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr(dict(self))
