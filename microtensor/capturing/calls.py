"""The calls of a record: into C, word by word, and into Python."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.capturing.memory import Array, arrays_in, root_of

native = kernels._native
_NUMBER, _BITS = struct.Struct("d").pack, struct.Struct("q").unpack


class Entry:
    """A function in C that a plan may call: its number, and what its arguments are."""

    __slots__ = ("function", "name", "number", "reals", "success", "takes_array")

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.function = getattr(native.lib, name)
        kinds = [kind.cname for kind in native.ffi.typeof(self.function).args]
        self.takes_array = [kind == "uintptr_t" for kind in kinds]
        self.reals = [i for i, kind in enumerate(kinds) if kind == "double"]
        # Entries that may give the number of a bad row give -1 for success.
        self.success = -1 if native.ffi.typeof(self.function).result.cname == "int64_t" else 0


def _entries() -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    while native is not None and (name := native.lib.mt_plan_entry(len(found))) != native.ffi.NULL:
        text = native.ffi.string(name).decode()
        found[text] = Entry(len(found), text)
    return found


ENTRIES = _entries()


class NativeCall:
    """One call of an entry, with arrays as objects, and what it returned.

    Args:
        entry: what is called.
        arguments: what it is called with.
        expected: what it returned.
        before: by place among the arguments, what the states it advances were.

    Attributes:
        places: of the arrays among the arguments.
    """

    __slots__ = ("arguments", "before", "entry", "expected", "places")

    def __init__(
        self, entry: Entry, arguments: list[Any], expected: int, before: dict[int, Array]
    ) -> None:
        self.entry = entry
        self.arguments = arguments
        self.expected = expected
        self.before = before
        self.places = [i for i, each in enumerate(arguments) if isinstance(each, np.ndarray)]

    def arrays(self) -> list[Array]:
        """Give the arrays among the arguments."""
        return [self.arguments[i] for i in self.places]

    def replace(self, replacement: Callable[[Any], Any]) -> None:
        """Replace the arrays among the arguments."""
        for i in self.places:
            self.arguments[i] = replacement(self.arguments[i])

    def form(self) -> tuple[Any, ...]:
        """Give the call without the values in its arrays: it must not depend on these."""
        given = [*self.arguments]
        for i in self.places:
            given[i] = given[i].shape
        return self.entry.name, *given

    def _by_address(self) -> list[Any]:
        given = [*self.arguments]
        for i in self.places:
            given[i] = id(given[i])
        return given

    def again(self) -> bool:
        """Make the call once more, with the states as they were; say whether it went as before."""
        for place, state in self.before.items():
            self.arguments[place][...] = state
        return bool(self.entry.function(*self._by_address()) == self.expected)

    def words(self) -> list[int]:
        """Give the call as a plan holds it."""
        given = self._by_address()
        for i in self.entry.reals:
            given[i] = _BITS(_NUMBER(given[i]))[0]
        return [self.entry.number, len(given) + 3, self.expected, *map(int, given)]


class Step:
    """One thing that a captured step does: some calls into C, or a call into Python.

    Args:
        name: of the op or kernel, for reports and errors.
        function: what to call in Python, also where C refuses at a replay.
        arguments: its arguments and keyword arguments; arrays are the plan's.
        outputs: arrays that its results are copied into; None if it writes where it is told.
        calls: the calls into C that do the same; none if it has to be called in Python.
        out: of a kernel the array that it fills, whatever was in it before.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        named: dict[str, Any],
        outputs: list[Array] | None,
        calls: list[NativeCall],
        out: Array | None = None,
    ) -> None:
        self.out = out
        self.name = name
        self.function = function
        self.arguments = arguments
        self.named = named
        self.outputs = outputs
        self.calls = calls

    def arrays(self) -> list[Array]:
        """Give all arrays it touches."""
        found = arrays_in(self.arguments) + arrays_in(self.named) + (self.outputs or [])
        for call in self.calls:
            found += call.arrays()
        return found

    def given(self) -> list[Array]:
        """Give the arrays among its arguments."""
        return arrays_in(self.arguments) + arrays_in(self.named)

    def run(self) -> None:
        """Do it in Python."""
        result = self.function(*self.arguments, **self.named)
        if self.outputs is None:
            return
        results = arrays_in(result)
        if len(results) != len(self.outputs):
            raise RuntimeError(f"capture: {self.name} gives another number of results than before")
        for out, new in zip(self.outputs, results, strict=True):
            if new.shape != out.shape or new.dtype != out.dtype:
                raise RuntimeError(
                    f"capture: {self.name} changes shapes with the data: it gave {new.dtype.name} "
                    f"{list(out.shape)} when it was captured, and {new.dtype.name} "
                    f"{list(new.shape)} now. Such a function cannot be captured"
                )
            if new is not out:
                out[...] = new


def proven(calls: list[NativeCall], given: set[int], outputs: list[Array]) -> bool:
    """Say whether the calls alone give the outputs: by making them again, over rubbish.

    What an op computed with NumPy, between its kernels or instead of them, is not there the
    second time. All memory that was first seen in this op is overwritten before.

    Args:
        calls: what the op called.
        given: roots, by id, that are not to be touched: what came from outside.
        outputs: what it returned.
    """
    fresh: dict[int, Array] = {}
    for array in [*outputs, *(array for call in calls for array in call.arrays())]:
        root = root_of(array)
        if id(root) not in given:
            fresh[id(root)] = root
    states = [(c.arguments[i], c.arguments[i].copy()) for c in calls for i in c.before]
    kept = {key: root.copy() for key, root in fresh.items()}
    if any(not root.flags.writeable or root.dtype.hasobject for root in fresh.values()):
        return False
    try:
        for root in fresh.values():
            _spoil(root)
        same = all(call.again() for call in calls)
        return same and all(root.tobytes() == kept[key].tobytes() for key, root in fresh.items())
    finally:
        for key, root in fresh.items():
            root[...] = kept[key]
        for state, value in states:
            state[...] = value


# Kernels that fill their last argument without having read it: those the engine calls most, and
# one that would draw other numbers if it were tried.
_FILLING = frozenset(("cast", "fill", "draw", "add", "sub", "mul", "div"))


def filled(
    name: str, kernel: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]
) -> Array | None:
    """Give the array that a kernel has filled, whatever was in it; None if it went on from that.

    It is tried: called again, over rubbish, it has to give the same bits.
    """
    out = named.get("out", given[-1] if given else None)
    if name == "clamp_into":  # which of rubbish, too, may make the limit everywhere
        return None
    if not isinstance(out, np.ndarray) or not out.flags.writeable or out.dtype.hasobject:
        return None
    root = root_of(out)
    others = [each for each in arrays_in((given, named)) if each is not out]
    if out.size != root.size or any(root_of(each) is root for each in others):
        return None
    if name in _FILLING:
        return out
    # The others are kept, too: it may have written into several, and would do so twice.
    touched = [each for each in [out, *others] if each.flags.writeable and not each.dtype.hasobject]
    kept = [each.copy() for each in touched]
    try:
        _spoil(out)
        kernel(*given, **named)
        same = all(a.tobytes() == b.tobytes() for a, b in zip(touched, kept, strict=True))
        return out if same else None
    finally:
        for each, before in zip(touched, kept, strict=True):
            each[...] = before


def _spoil(array: Array) -> None:
    if array.dtype.kind == "f":
        array[...] = -1.2345e3
    elif array.dtype.kind == "b":
        np.logical_not(array, out=array)
    else:
        np.invert(array, out=array)
