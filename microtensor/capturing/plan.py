"""A record made into what can be replayed: words for C, and what Python does in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.capturing.calls import ENTRIES, Step, native
from microtensor.capturing.steps import OptimizerStep

_SUFFIX = {"float32": "f32", "float64": "f64"}


class Segment:
    """Calls into C, one after the other: words from ``first`` to ``last``."""

    def __init__(self, first: int) -> None:
        self.first = self.last = first
        self.calls = 0
        self.places: list[tuple[int, int, Any]] = []  # of each step: its words, and itself

    def recover(self, bad: int) -> int:
        """Do in Python what C refused; give the place to go on from.

        Called again, the kernel raises what it would have raised without a plan, or copes.
        """
        for first, last, step in self.places:
            if first <= bad < last:
                step.run()
                return last
        raise AssertionError("capture: a call that is in no segment")


def _calls_in(words: list[int]) -> int:
    count = place = 0
    while place < len(words):
        place += words[place + 1]
        count += 1
    return count


class Program:
    """The steps of a record, in order: segments of calls into C, and calls into Python."""

    def __init__(self, steps: list[Any]) -> None:
        self.parts: list[Segment | Any] = []
        self.steps = steps
        self._held: list[Any] = []
        words: list[int] = []
        segment: Segment | None = None
        for step in steps:
            written = self._words(step)
            if not written:
                self.parts.append(step)
                segment = None
                continue
            if segment is None:
                segment = Segment(len(words))
                self.parts.append(segment)
            segment.calls += _calls_in(written)
            words += written
            segment.places.append((segment.last, len(words), step))
            segment.last = len(words)
        self.words = np.array(words, np.int64)
        self.pointer = native and native.ffi.cast("int64_t *", self.words.ctypes.data)

    def _words(self, step: Any) -> list[int]:
        """Give a step as words; none if it has to be done in Python."""
        if isinstance(step, OptimizerStep):
            return self._optimizer_words(step)
        if not isinstance(step, Step) or not ENTRIES:
            return []
        return [word for call in step.calls for word in call.words()]

    def _optimizer_words(self, step: OptimizerStep) -> list[int]:
        words: list[int] = []
        if not ENTRIES:
            return words
        address: Callable[[Any], int] = lambda pointer: int(  # noqa: E731
            native.ffi.cast("uintptr_t", pointer)
        )
        from microtensor.kernels.native_steps import step_number

        for call in step.plan.calls:
            gradients = kernels.ArrayTable([step.gradients[i] for i in call.places])
            parameters, states = call.parameters, call.states
            dtype, tail = parameters.dtype, parameters._tail
            if (
                dtype is None
                or tail is None
                or gradients.dtype is not dtype
                or not states.agree(dtype)
                or parameters.odd
                or states.odd
                or gradients.odd
            ):
                return []
            self._held += [call, gradients, parameters, states, tail]
            given = [
                step_number(step.optimizer._rule),
                len(parameters.arrays),
                address(parameters._sizes),
                address(parameters._shapes),
                address(parameters._pointers),
                address(gradients._pointers),
                address(states._pointers),
                0,
                *map(address, tail),
            ]
            entry = ENTRIES[f"mt_step_{_SUFFIX[dtype.name]}"]
            words += [entry.number, len(given) + 3, 0, *given]
        return words

    def run(self) -> None:
        """Do everything once."""
        for part in self.parts:
            if not isinstance(part, Segment):
                part.run()
                continue
            bad = native.lib.mt_plan_run(self.pointer, part.first, part.last)
            if bad >= 0:
                self.resume(bad, part)

    def resume(self, bad: int, part: Any = None) -> None:
        """Go on where C has refused a call: with that one in Python."""
        part = self.parts[0] if part is None else part
        while bad >= 0:
            bad = native.lib.mt_plan_run(self.pointer, part.recover(bad), part.last)

    def host_calls(self) -> list[str]:
        """Name what is called in Python, in order."""
        return [part.name for part in self.parts if not isinstance(part, Segment)]
