"""Where the arrays of a record live from now on.

While a function is recorded, all its arrays are kept. Afterwards those that nobody else holds are
its temporaries: they get places in one arena, shared by those that are not needed at the same time.
What somebody holds (parameters, states, gradients left set, outputs) stays where it is.

A temporary that was read before anything in the record wrote it was made in some way that the
record does not know. Unless it is known to be a constant, such a function is refused.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from microtensor.capturing.calls import Step
from microtensor.capturing.memory import Array, address_of, bytes_of, rebuilt, root_of
from microtensor.capturing.steps import OptimizerStep

_ALIGNMENT = 64
# Entries whose output may be an input: an element is read before it is written.
_IN_PLACE = frozenset(("mt_array_unary", "mt_array_binary", "mt_array_arithmetic"))


class _Place:
    """An array of a record, described: the memory it is of, and how it lies there."""

    __slots__ = ("dtype", "made", "memory", "offset", "shape", "strides", "whole", "writeable")

    def __init__(self, array: Array, memory: _Memory, root: Array) -> None:
        self.memory = memory
        self.whole = root is array
        self.made: Any = None
        if self.whole:
            return
        self.dtype = array.dtype
        self.shape = array.shape
        self.strides = array.strides
        self.offset = address_of(array) - address_of(root)
        self.writeable = array.flags.writeable

    def array(self) -> Array:
        """Give the array anew, in its memory's present place."""
        if self.made is None:
            self.made = self._make(self.memory.array)
        made: Array = self.made
        return made

    def _make(self, root: Array) -> Array:
        if self.whole:
            return root
        if not (root.flags.c_contiguous or root.flags.f_contiguous):
            return self._strided(root)
        view: Array = np.ndarray(self.shape, self.dtype, bytes_of(root), self.offset, self.strides)
        if not self.writeable:
            view.flags.writeable = False
        return view

    def _strided(self, root: Array) -> Array:
        view = np.lib.stride_tricks.as_strided(root, self.shape, self.strides)
        if self.offset or self.dtype is not root.dtype:
            raise RuntimeError("capture: a view of memory with gaps cannot be placed anew")
        return view


class _Memory:
    """What the arrays of one root have in common."""

    __slots__ = (
        "array", "bytes", "defined", "dtype", "first", "kept", "last", "leader", "reader", "root",
        "shape", "strides",
    )  # fmt: skip

    def __init__(self, root: Array) -> None:
        self.root: Any = weakref.ref(root)
        self.shape, self.strides, self.dtype = root.shape, root.strides, root.dtype
        self.bytes = root.nbytes
        self.first = self.last = -1  # the steps that use it
        self.defined = False
        self.reader = ""  # the step that read it undefined
        self.array: Any = None
        self.kept: Any = None  # a constant
        self.leader = self  # whose place in the arena it takes over


class Results:
    """What a function returns, as the last thing that reads arrays."""

    name = "the result"

    def __init__(self, arrays: list[Array]) -> None:
        self.arrays = arrays


def _settled(value: Any) -> Any:
    return value.array() if isinstance(value, _Place) else value


class Settlement:
    """The steps of a record with every array in its lasting place.

    Args:
        steps: of the record; they are changed.
        constants: by id, arrays known not to depend on any tensor's values.
        inputs: by id, the roots of the plan's inputs.
        outputs: what the function returned.

    Attributes:
        arena_bytes: of the memory that temporaries share.
        temporary_bytes: what they would take if they did not share.
        temporaries: how many there are.
        in_place: how many results are written over an operand.
    """

    def __init__(
        self,
        steps: list[Any],
        constants: dict[int, Array],
        inputs: set[int],
        outputs: list[Array],
    ) -> None:
        self.steps = steps
        self._memories: dict[int, _Memory] = {}
        self._inputs = inputs
        self._constants = {id(root_of(array)): array for array in constants.values()}
        self._held: list[Array] = []  # while ids are in use
        self._heirs: list[tuple[int, _Place, list[_Place]]] = []
        self._places: dict[int, _Place] = {}
        for number, step in enumerate(steps):
            self._describe(number, step)
        self._outputs = Results(outputs)
        self._describe(len(steps), self._outputs)
        self._constants.clear()
        self.arena_bytes = self.temporary_bytes = self.temporaries = self.in_place = 0

    # ---- arrays become descriptions -------------------------------------------------------------

    def _memory(self, root: Array) -> _Memory:
        memory = self._memories.get(id(root))
        if memory is None:
            self._held.append(root)
            memory = self._memories[id(root)] = _Memory(root)
            if id(root) in self._constants:
                memory.kept, memory.defined = root, True
            if id(root) in self._inputs:
                memory.defined = True
        return memory

    def _describe(self, number: int, step: Any) -> None:
        """Describe the arrays of a step, in the order in which it reads and writes them."""
        places = self._places
        writes = False
        filled = None  # what a kernel fills, whatever was in it
        if isinstance(step, Step) and step.out is not None:
            filled = self._memory(root_of(step.out))

        def describe(value: Any) -> Any:
            if not isinstance(value, np.ndarray):
                return value
            place = places.get(id(value))
            if place is None:
                root = root_of(value)
                place = places[id(value)] = _Place(value, self._memory(root), root)
                self._held.append(value)
            memory = place.memory
            if not memory.defined and not memory.reader and memory is not filled:
                if writes:
                    memory.defined = True
                else:
                    memory.reader = step.name
            if memory.first < 0:
                memory.first = number
            memory.last = number
            return place

        if isinstance(step, Step) and step.outputs is not None:
            _replace_given(step, describe)
            # Results, and what an op's own kernels write on the way (proven to be written).
            writes = True
        _replace_rest(step, describe)
        if filled is not None:
            filled.defined = filled.defined or not filled.reader
        if writes and len(step.calls) == 1 and step.calls[0].entry.name in _IN_PLACE:
            given: list[Any] = step.calls[0].arrays()  # places by now
            self._heirs.append((number, step.outputs[0], given))

    # ---- descriptions become arrays -------------------------------------------------------------

    def settle(self) -> list[Array]:
        """Give every array its place, and the outputs; nobody else may hold temporaries any more.

        Raises:
            RuntimeError: a temporary that the record did not write.
        """
        self._held.clear()
        self._places.clear()
        dead = []
        for memory in self._memories.values():
            memory.array = memory.kept if memory.kept is not None else memory.root()
            if memory.array is None:
                dead.append(memory)
        for memory in dead:
            if memory.reader and memory.bytes:
                raise RuntimeError(
                    f"capture: {memory.reader} was given values that were computed outside of "
                    "operations on tensors (with NumPy, say), or of a tensor that a variable no "
                    "longer holds after the call: a replay would not see them change. Make them "
                    "before the captured function, pass them as tensors, or write into the old "
                    "tensor: tensor.copy_(...)"
                )
        self._arrange(dead)
        for step in self.steps:
            _replace(step, _settled)
        _replace(self._outputs, _settled)
        return self._outputs.arrays

    def external(self, lasting: bool = False) -> list[Array]:
        """Give the roots that somebody else holds.

        Args:
            lasting: only those whose values go from one call to the next: read before written.
        """
        return [
            m.array
            for m in self._memories.values()
            if m.kept is None and m.root() is m.array and not (lasting and m.defined)
        ]

    def _inherit(self, dead: list[_Memory]) -> None:
        """Have results of elementwise calls written over an operand that nobody needs any more."""
        ids = set(map(id, dead))
        for number, out, given in self._heirs:
            new = out.memory
            if id(new) not in ids or new.first != number or not out.whole:
                continue
            for place in given:
                old = place.memory
                if (
                    id(old) in ids
                    and old is not new
                    and (old.last, old.bytes) == (number, new.bytes)
                    and place.whole
                ):
                    new.leader = old.leader
                    new.leader.last = new.last
                    break

    def _arrange(self, dead: list[_Memory]) -> None:
        """Put temporaries into one arena, each at the lowest place that is free all its life."""
        self._inherit(dead)
        placed: list[tuple[int, int, _Memory]] = []
        leaders = [memory for memory in dead if memory.leader is memory]
        for memory in sorted(leaders, key=lambda m: (-m.bytes, m.first)):
            size = -(-max(memory.bytes, 1) // _ALIGNMENT) * _ALIGNMENT
            busy = sorted(
                (start, stop)
                for start, stop, other in placed
                if other.first <= memory.last and memory.first <= other.last
            )
            offset = 0
            for start, stop in busy:
                if offset + size <= start:
                    break
                offset = max(offset, stop)
            placed.append((offset, offset + size, memory))
        self.temporaries = len(dead)
        self.in_place = len(dead) - len(leaders)
        self.temporary_bytes = sum(-(-max(m.bytes, 1) // _ALIGNMENT) * _ALIGNMENT for m in dead)
        self.arena_bytes = max((stop for _, stop, _ in placed), default=0)
        if not placed:
            return
        room = np.zeros(self.arena_bytes + _ALIGNMENT, np.uint8)
        lead = -address_of(room) % _ALIGNMENT
        starts = {id(memory): lead + start for start, _, memory in placed}
        for memory in dead:
            start = starts[id(memory.leader)]
            memory.array = np.ndarray(memory.shape, memory.dtype, room, start, memory.strides)


def _replace(step: Any, replace: Any) -> None:
    if isinstance(step, Step) and step.outputs is not None:
        _replace_given(step, replace)
    _replace_rest(step, replace)


def _replace_given(step: Step, replace: Any) -> None:
    step.arguments = rebuilt(step.arguments, replace)
    step.named = rebuilt(step.named, replace)


def _replace_rest(step: Any, replace: Any) -> None:
    """Replace the arrays of a step but for those that an op is given."""
    if isinstance(step, OptimizerStep):
        step.gradients = [replace(g) for g in step.gradients]
    elif isinstance(step, Results):
        step.arrays = [replace(a) for a in step.arrays]
    elif isinstance(step, Step):
        if step.outputs is None:
            _replace_given(step, replace)
        else:
            step.outputs = [replace(a) for a in step.outputs]
        step.out = None
        for call in step.calls:
            call.replace(replace)
            call.before = {}
