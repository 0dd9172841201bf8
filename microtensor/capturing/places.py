"""What is exchanged while a step is captured, so that nothing has to ask whether one is.

Each place gets a function that asks who records: nobody, another thread, or this one. They are made
once, put in place when a capture begins, and taken away when it ends.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from operator import setitem
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from microtensor import kernels
from microtensor.capturing.calls import ENTRIES
from microtensor.ops import registry
from microtensor.tensor import Tensor

if TYPE_CHECKING:
    from microtensor.capturing.record import Recorder


class _Active:
    """Who records at the moment."""

    recorder: Recorder | None = None


active = _Active()


def recorder_here() -> Recorder | None:
    """Give the recorder of this thread, if it records and is not told to look away."""
    recorder = active.recorder
    return recorder if recorder is not None and recorder.looks() else None


def through(original: Callable[..., Any], method: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that calls ``method(recorder, original, ...)`` while this thread records."""

    def recorded(*given: Any, **named: Any) -> Any:
        recorder = recorder_here()
        if recorder is None:
            return original(*given, **named)
        return method(recorder, original, *given, **named)

    return recorded


def through_named(original: Callable[..., Any], method: Any, what: Any) -> Callable[..., Any]:
    """Do the same for an op, kernel or entry, which the method is told: ``what``."""

    def recorded(*given: Any, **named: Any) -> Any:
        recorder = recorder_here()
        if recorder is None:
            return original(*given, **named)
        return method(recorder, what, original, given, named)

    return recorded


class Places:
    """Places, each with what belongs there and what stands in for it.

    Args:
        functions: pairs of a function and the recorder's method that stands in for it.
        op: the method that stands in for forward functions; is also given the op's name.
        kernel: the same for kernels.
        entry: the same for functions in C; is given the entry.
        gradient: from the property ``Tensor.grad`` makes the one that stands in for it.
    """

    def __init__(
        self,
        functions: list[tuple[Any, Callable[..., Any]]],
        op: Callable[..., Any],
        kernel: Callable[..., Any],
        entry: Callable[..., Any],
        gradient: Callable[[property], property],
    ) -> None:
        self._items: list[tuple[dict[str, Any], str, Any, Any]] = []
        self._codes: list[tuple[Any, CodeType, CodeType]] = []
        self._grad: tuple[Any, Any] = (Tensor.__dict__["grad"], gradient(Tensor.__dict__["grad"]))
        self.ops = len(registry)
        for name, declared in registry.items():
            for function in (getattr(declared, "public", None), getattr(declared, "either", None)):
                names = getattr(function, "__globals__", {})
                if "_forward" in names:
                    self._item(names, "_forward", op, name)
        for name in kernels.twin.KERNELS:
            if callable(vars(kernels)[name]) and name not in _NO_KERNELS:
                self._item(vars(kernels), name, kernel, name)
        self._entries(entry)
        for function, method in functions:
            self._code(function, method)
        of_kernels = [item for item in self._items if item[0] is vars(kernels)]
        self._kernels = [{item[1]: item[which] for item in of_kernels} for which in (2, 3)]
        others = [item for item in self._items if item[0] is not vars(kernels)]
        self._names, self._keys, *self._values = zip(*others, strict=True)

    def install(self) -> None:
        """Put everything in place."""
        self._put(1)
        for function, _, instead in self._codes:
            function.__code__ = instead
        Tensor.grad = self._grad[1]  # type: ignore[method-assign]

    def remove(self) -> None:
        """Put back what belongs there."""
        self._put(0)
        for function, original, _ in self._codes:
            function.__code__ = original
        Tensor.grad = self._grad[0]  # type: ignore[method-assign]

    def _put(self, which: int) -> None:
        """Set a thousand names, in each capture twice: to originals (0), to what stands in (1)."""
        vars(kernels).update(self._kernels[which])
        deque(map(setitem, self._names, self._keys, self._values[which]), maxlen=0)

    def current(self) -> bool:
        """Say whether no op was declared since this was made."""
        return self.ops == len(registry)

    def _item(self, names: dict[str, Any], name: str, method: Any, what: str) -> None:
        self._items.append((names, name, names[name], through_named(names[name], method, what)))

    def _entries(self, entry: Callable[..., Any]) -> None:
        """Find where native kernels keep the functions of C they call, or the whole library."""
        if not ENTRIES:
            return
        library = kernels._native.lib
        recorded = {
            name: through_named(each.function, entry, each) for name, each in ENTRIES.items()
        }
        proxy = RecordingLibrary(library, recorded)
        every = [getattr(kernel, "__globals__", {}) for kernel in vars(kernels).values()]
        for names in {id(names): names for names in every}.values():
            for name, value in list(names.items()):
                if value is library:
                    self._items.append((names, name, value, proxy))
                    continue
                found = ENTRIES.get(getattr(value, "__name__", None) or "")
                if found is not None and value == found.function:
                    self._items.append((names, name, value, recorded[found.name]))

    def _code(self, function: Any, method: Callable[..., Any]) -> None:
        """Have a function do something else, for whoever has it by whatever name."""
        own, names = function.__code__, function.__globals__
        original = FunctionType(
            own, names, function.__name__, function.__defaults__, function.__closure__
        )
        original.__kwdefaults__ = function.__kwdefaults__
        place = f"_captured_{function.__qualname__.replace('.', '_')}"
        names[place] = through(original, method)
        instead = _instead(own.co_freevars)
        names_used = tuple(place if n == "_place" else n for n in instead.co_names)
        self._codes.append((function, own, instead.replace(co_names=names_used)))


@functools.cache
def _instead(free: tuple[str, ...]) -> CodeType:
    """Give code that calls ``_place``, for a function with these free variables."""
    listed = ", ".join(free)
    source = (
        f"def make({listed}):\n"
        f"    def instead(*given, **named): {listed + '; ' if free else ''}"
        "return _place(*given, **named)\n"
        "    return instead"
    )
    scope: dict[str, Any] = {}
    exec(compile(source, "<microtensor capture>", "exec"), scope)
    code: CodeType = scope["make"](*free).__code__
    return code


_NO_KERNELS = ("ArrayTable", "step", "check_step")


class RecordingLibrary:
    """The library of C, but for the entries that are recorded."""

    def __init__(self, library: Any, entries: dict[str, Callable[..., Any]]) -> None:
        self._library = library
        self.__dict__.update(entries)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)
