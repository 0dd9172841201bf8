"""What is exchanged while a step is captured, so that nothing has to ask whether one is.

Every place is put back when the capture ends. The exchanged functions look at the thread: those
that do not capture go on as if nothing had happened.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from microtensor import kernels
from microtensor.capturing.calls import ENTRIES, Entry
from microtensor.ops.declare import registry

Wrapper = Callable[..., Any]


class Exchange:
    """Places, each with what was there before."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def item(self, names: dict[str, Any], name: str, value: Any) -> None:
        """Exchange a value in a dict, such as a module's or a function's globals."""
        before = names[name]
        names[name] = value
        self._undo.append(lambda: names.__setitem__(name, before))

    def attribute(self, owner: type, name: str, value: Any) -> None:
        """Exchange a method of a class."""
        before = owner.__dict__[name]
        setattr(owner, name, value)
        self._undo.append(lambda: setattr(owner, name, before))

    def code(self, function: FunctionType, wrap: Callable[[Wrapper], Wrapper]) -> None:
        """Exchange what a function does, for whoever has it by whatever name."""
        before, names = function.__code__, function.__globals__
        original = FunctionType(
            before, names, function.__name__, function.__defaults__, function.__closure__
        )
        original.__kwdefaults__ = function.__kwdefaults__
        place = f"_captured_{function.__qualname__.replace('.', '_')}"
        names[place] = wrap(original)
        function.__code__ = _instead(place, before.co_freevars)

        def undo() -> None:
            function.__code__ = before
            del names[place]

        self._undo.append(undo)

    def undo(self) -> None:
        """Put everything back."""
        while self._undo:
            self._undo.pop()()


@functools.cache
def _instead(place: str, free: tuple[str, ...]) -> CodeType:
    """Give code that calls what is at a place, of a function that has these free variables."""
    scope: dict[str, Any] = {}
    uses = f"{', '.join(free)}; " if free else ""
    source = (
        f"def make({', '.join(free)}):\n"
        f"    def instead(*given, **named): {uses}return {place}(*given, **named)\n"
        "    return instead"
    )
    exec(compile(source, "<microtensor capture>", "exec"), scope)
    made: FunctionType = scope["make"](*free)
    return made.__code__


def forwards() -> list[tuple[str, dict[str, Any]]]:
    """Give the name of each op with the globals in which its generated functions find forward."""
    found = []
    for name, op in registry.items():
        for function in (getattr(op, "public", None), getattr(op, "either", None)):
            names = getattr(function, "__globals__", None)
            if names is not None and "_forward" in names:
                found.append((name, names))
    return found


def native_globals() -> list[tuple[dict[str, Any], str, Entry]]:
    """Give the places where native kernels keep the functions of C they call."""
    found = []
    seen: set[int] = set()
    for kernel in vars(kernels).values():
        names = getattr(kernel, "__globals__", None)
        if names is None or id(names) in seen:
            continue
        seen.add(id(names))
        for name, value in names.items():
            entry = ENTRIES.get(getattr(value, "__name__", None) or "")
            if entry is not None and value == entry.function:
                found.append((names, name, entry))
    return found


def native_libraries() -> list[dict[str, Any]]:
    """Give the globals of native kernels that look functions of C up when they call them."""
    if not ENTRIES:
        return []
    found: dict[int, dict[str, Any]] = {}
    for kernel in vars(kernels).values():
        names = getattr(kernel, "__globals__", None)
        if names is not None and names.get("lib") is kernels._native.lib:
            found[id(names)] = names
    return list(found.values())


class RecordingLibrary:
    """The library of C, but for the entries that are recorded."""

    def __init__(self, library: Any, entries: dict[str, Wrapper]) -> None:
        self._library = library
        self.__dict__.update(entries)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)
