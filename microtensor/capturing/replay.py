"""One plan in use: what a call of it does, from its inputs to its outputs."""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from microtensor import dtypes, kernels
from microtensor.capturing.calls import native
from microtensor.capturing.guards import Guards
from microtensor.capturing.memory import address_of, rebuilt, tensors_in
from microtensor.capturing.plan import Program, Segment
from microtensor.capturing.record import Recorder
from microtensor.capturing.settle import Settlement
from microtensor.capturing.stepping import Stepping, steppings
from microtensor.capturing.steps import HostCall, OptimizerCall, OptimizerStep
from microtensor.engine import epoch, recording
from microtensor.tensor import Tensor, wrap

_copy: Callable[[int, int], int] = (lambda x, y: -1) if native is None else native.lib.mt_array_copy
_EMPTY = np.empty(0)
_TAKEN_AT_ONCE = 4  # inputs that the call into C copies itself
UNFIT: Any = object()


class Replay:
    """A recorded function: called with tensors of the kind it was recorded for, it replays.

    Args:
        recorder: the record.
        inputs: the plan's own tensors, which the function was called with.
        results: a list of what it returned, which is taken out of it.
        copy_outputs: whether results are copies.
        plain: whether its arguments are tensors, one after the other, and nothing else.

    Attributes:
        quick: called with the arguments themselves, gives the result, or UNFIT with nothing done
            where it needs more than the usual looks.
    """

    def __init__(
        self,
        recorder: Recorder,
        inputs: list[Tensor],
        results: list[Any],
        copy_outputs: bool,
        plain: bool,
    ) -> None:
        # Tensors without their graphs, which hold what was saved on the way.
        structure = rebuilt(results.pop(), _output)
        self.outputs = tensors_in(structure)
        arrays = [tensor._array for tensor in self.outputs]
        for tensor in self.outputs:
            tensor._array = _EMPTY
        if not recorder.steps:
            raise RuntimeError(
                "capture: the function did nothing that could be captured: no operation on "
                "tensors ran in it"
            )
        if any(tensor._cell[0] for tensor in inputs):
            raise RuntimeError(
                "capture: the function writes into one of its inputs, which a replay only has a "
                "copy of; write into a clone(), or into a tensor that is no argument"
            )
        self.inputs = inputs
        self.arity = len(inputs)
        self.copy_outputs = copy_outputs
        self.settlement = Settlement(recorder.steps, recorder.constants, recorder.inputs, arrays)
        firsts = [(array.copy(), address_of(array)) for array in arrays]
        del arrays
        recorder.release()
        settled = self.settlement.settle()
        for tensor, array, (first, address) in zip(self.outputs, settled, firsts, strict=True):
            tensor._array = array
            if address_of(array) != address:
                array[...] = first
        self.structure = structure
        self.guards = Guards(recorder, inputs, self.settlement.external())
        self.stepping = steppings(recorder.steps)
        self.program = Program(_with_options_renewed(recorder.steps, self.stepping))
        cells = recorder.changed_cells() + [c for s in self.stepping for c in s.cells]
        self.cells = list({id(cell): cell for cell in cells}.values())
        self.written = frozenset(map(id, self.cells))  # a tensor of these may be no argument
        self.mode = recording.enabled
        self.lock = threading.Lock()
        self._own: Any = None  # what mt_plan_call asks for
        self._names: dict[str, Any] = {}
        # The gradients it leaves have one version: all are written by each replay.
        self._gradient_cell = [0]
        for gradient in self._own_gradients():
            gradient._cell = self._gradient_cell
        if self._own_gradients():
            self.cells.append(self._gradient_cell)
        self.quick: Callable[..., Any] = self._quick() if plain else _never

    # ---- the call -------------------------------------------------------------------------------

    def __call__(self, tensors: Sequence[Any]) -> Any:
        """Replay, if everything is as it was; UNFIT, with nothing done, if not."""
        with self.lock:
            if not self.ready() or not self.take(tensors):
                return UNFIT
            self.release_gradients()
            self.program.run()
            self.finish()
            for given, own in zip(tensors, self.inputs, strict=True):
                if own._grad is not None:
                    add_gradient(given, own._grad)
            return self.results()

    def ready(self) -> bool:
        """Say whether what the record took for granted still holds."""
        guards = self.guards
        return (
            recording.enabled is self.mode
            and guards.gradients_hold()
            and guards.hold()
            and all(stepping.ready() for stepping in self.stepping)
        )

    def take(self, tensors: Sequence[Any]) -> bool:
        """Copy the inputs into the plan's; say whether they are of the right kind."""
        for given, own in zip(tensors, self.inputs, strict=True):
            if not isinstance(given, Tensor):
                return False
            array, buffer = given._array, own._array
            if array.shape != buffer.shape or array.dtype != buffer.dtype:
                return False
            if (given._node is None) is not (own._node is None):
                return False
            if id(given._cell) in self.written or any(given is t for t, _ in self.guards.left):
                return False
        for given, own in zip(tensors, self.inputs, strict=True):
            if _copy(id(given._array), id(own._array)):
                own._array[...] = given._array
        return True

    def finish(self) -> None:
        """Leave behind what the function leaves behind besides its results."""
        for cell in self.cells:
            cell[0] += 1
        for tensor, gradient in self.guards.left:
            tensor._grad = gradient
        for stepping in self.stepping:
            stepping.finish()

    def results(self) -> Any:
        """Give what the function returns."""
        if not self.copy_outputs:
            return self.structure
        copies = {id(t): wrap(t._array.copy()) for t in self.outputs}
        return rebuilt(self.structure, lambda t: t if t is None else copies[id(t)])

    # ---- gradients that somebody holds ----------------------------------------------------------

    def seal(self) -> None:
        """Count who holds the gradients now: from here on, one more is somebody else."""
        addresses = [id(gradient) for gradient in self._own_gradients()]
        numbers = [id(tensor._array) for tensor in self.inputs[:_TAKEN_AT_ONCE]]
        numbers += [0] * (_TAKEN_AT_ONCE - len(numbers))
        numbers += [number for a in addresses for number in (a, _references(a))]
        self._own = np.array(numbers, np.int64)
        if native is not None:
            self._names["own"] = native.ffi.cast("int64_t *", self._own.ctypes.data)

    def _own_gradients(self) -> list[Tensor]:
        return [gradient for _, gradient in self.guards.left if gradient is not None]

    def release_gradients(self) -> None:
        """Give gradients of the last call that somebody holds memory of their own.

        The replay writes the new gradients where the old ones are.
        """
        before = self._own[_TAKEN_AT_ONCE:].reshape(-1, 2).tolist()
        if all(_references(address) <= count for address, count in before):
            return
        for place, (tensor, gradient) in enumerate(self.guards.left):
            if gradient is not None:
                self._release(place, tensor, gradient)
        del gradient
        self.seal()

    def _release(self, place: int, tensor: Tensor, old: Tensor) -> None:
        new = wrap(old._array)
        new._cell = self._gradient_cell
        old._array = old._array.copy()
        old._cell = [0]
        self.guards.left[place] = (tensor, new)
        self._names[f"g{place}"] = new
        if tensor._grad is old:
            tensor._grad = new
        for i, (owner, needed) in enumerate(self.guards.needed):
            if needed is old:
                self.guards.needed[i] = (owner, new)
                self._names[f"n{i}"] = new
        for step in self.program.steps:
            if isinstance(step, OptimizerCall):
                step.gradients = [(p, new if g is old else g) for p, g in step.gradients]

    # ---- the quick way --------------------------------------------------------------------------

    def _quick(self) -> Callable[..., Any]:
        """Write the usual call of this plan out, without loops."""
        if native is None or any(tensor._node is not None for tensor in self.inputs):
            return _never
        names, guards, program = self._names, self.guards, self.program
        names |= {
            "Tensor": Tensor, "UNFIT": UNFIT, "copy": _copy, "dtypes": dtypes, "epoch": epoch,
            "guards": guards, "lock": self.lock,
            "default": dtypes.get_default_dtype(), "mode": self.mode, "new": object.__new__,
            "program": program, "recording": recording, "release": self.release_gradients,
            "results": self.results, "call": native.lib.mt_plan_call, "words": program.pointer,
        }  # fmt: skip
        given = [f"a{i}" for i in range(len(self.inputs))]
        lines = [f"def quick({', '.join(given)}):"]
        unfit = [f"{a}.__class__ is not Tensor or {a}._node is not None" for a in given]
        if self.written:
            names["written"] = self.written
            unfit += [f"id({a}._cell) in written" for a in given]
        unfit += [
            "recording.enabled is not mode or epoch.count != guards.epoch",
            "dtypes._default is not default",
        ]
        lines += [f"    if {' or '.join(unfit)}:", "        return UNFIT", "    with lock:"]
        late = []
        for i, (tensor, gradient) in enumerate(guards.needed):
            names |= {f"t{i}": tensor, f"n{i}": gradient}
            late.append(f"t{i}._grad is not n{i}")
        for i, stepping in enumerate(self.stepping):
            names[f"ready{i}"] = stepping.ready
            late.append(f"not ready{i}()")
        for i, tensor in list(enumerate(self.inputs))[_TAKEN_AT_ONCE:]:
            names[f"b{i}"] = id(tensor._array)
            late.append(f"copy(id(a{i}._array), b{i})")
        if late:
            lines += [f"        if {' or '.join(late)}:", "            return UNFIT"]
        whole = len(program.parts) == 1 and isinstance(program.parts[0], Segment)
        names["resume"] = program.resume
        at_once = [f"id({a}._array)" for a in given[:_TAKEN_AT_ONCE]]
        at_once += ["0"] * (_TAKEN_AT_ONCE - len(at_once))
        last, held = program.parts[0].last if whole else 0, len(self._own_gradients())
        call = f"bad = call(words, {last}, own, {held}, {', '.join(at_once)})"
        lines += [
            f"        {call}",
            "        if bad != -1:",
            "            if bad == -3:",
            "                release()",
            f"                {call}",
            "            if bad == -2:",
            "                return UNFIT",
            "            if bad >= 0:",
            "                resume(bad)",
        ]
        if not whole:
            lines.append("        program.run()")
        for i, cell in enumerate(self.cells):
            names[f"c{i}"] = cell
            lines.append(f"        c{i}[0] += 1")
        for i, (tensor, gradient) in enumerate(guards.left):
            names |= {f"l{i}": tensor, f"g{i}": gradient}
            lines.append(f"        l{i}._grad = g{i}")
        for i, stepping in enumerate(self.stepping):
            if stepping.plan.memory:
                names[f"finish{i}"] = stepping.finish
                lines.append(f"        finish{i}()")
        if self.copy_outputs and isinstance(self.structure, Tensor) and self.mode is not None:
            names["out"] = self.structure._array
            lines += [
                "        t = new(Tensor)",
                "        t._array = out.copy()",
                "        t._node = None",
                "        t._cell = [0]",
                "        t._base = None",
                "        return t",
            ]
        else:
            lines.append("        return results()")
        exec(_compiled("\n".join(lines)), names)
        quick: Callable[..., Any] = names["quick"]
        return quick


@functools.lru_cache(64)
def _compiled(source: str) -> Any:
    return compile(source, "<microtensor captured step>", "exec")


def _never(*_: Any) -> Any:
    return UNFIT


def _references(address: int) -> int:
    """Give how many references there are to an object."""
    return ctypes.c_ssize_t.from_address(address).value


def _output(value: Any) -> Any:
    """Give a returned tensor without its graph; refuse what is none."""
    if value is None:
        return None
    if not isinstance(value, Tensor):
        raise RuntimeError(
            f"capture: the function returned {value!r}, a {type(value).__name__}, which a replay "
            "would give again and again; only tensors (in tuples, lists and dicts) and None can "
            "be returned"
        )
    return wrap(value._array)


def add_gradient(tensor: Tensor, gradient: Tensor) -> None:
    """Add to the gradient of a caller's tensor, as a walk would."""
    if tensor._grad is None:
        tensor._grad = wrap(gradient._array.copy())
    else:
        total = np.empty(gradient._array.shape, gradient._array.dtype)
        kernels.add(tensor._grad._array, gradient._array, total)
        tensor._grad = wrap(total)


def _with_options_renewed(steps: list[Any], stepping: list[Stepping]) -> list[Any]:
    """Have options taken over again where Python ran between the last time and a step."""
    of_plan = {id(each.plan): each for each in stepping}
    found: list[Any] = []
    stale: set[int] = set()
    for step in steps:
        if isinstance(step, HostCall):
            stale = set(of_plan)
        elif isinstance(step, OptimizerStep) and id(step.plan) in stale:
            stale.discard(id(step.plan))
            found.append(HostCall("options", of_plan[id(step.plan)].renew))
        found.append(step)
    return found
