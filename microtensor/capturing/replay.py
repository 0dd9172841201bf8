"""One plan in use: its guards, its inputs and outputs, and what a call of it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from microtensor.capturing.calls import native
from microtensor.capturing.memory import rebuilt, root_of, tensors_in
from microtensor.capturing.plan import Program
from microtensor.capturing.settle import Settlement
from microtensor.capturing.record import ANY, OptimizerStep, Recorder, module_state
from microtensor.engine.epoch import epoch
from microtensor.tensor import Tensor, wrap

_copy: Callable[[int, int], int] = (
    (lambda x, y: -1) if native is None else native.lib.mt_array_copy
)
_FAILED = (False, None)


class Replay:
    """A recorded function: called with tensors of the shapes it was recorded for, it replays.

    A call gives (True, result), or (False, None) with nothing done where something has changed
    that the record took for granted.
    """

    def __init__(
        self,
        recorder: Recorder,
        inputs: list[Tensor],
        results: list[Any],
        copy_outputs: bool,
        plain: bool,
    ) -> None:
        self.inputs = inputs
        self.copy_outputs = copy_outputs
        self._plain = plain
        self._lock = threading.Lock()
        # Without their graphs, which hold what was saved on the way.
        self._structure = rebuilt(results.pop(), _output)
        self._outputs = tensors_in(self._structure)
        if not recorder.steps:
            raise RuntimeError(
                "capture: the function did nothing that could be captured: no operation on "
                "tensors ran in it"
            )
        for tensor in inputs:
            if tensor._cell[0]:
                raise RuntimeError(
                    "capture: the function writes into one of its inputs, which a replay only has "
                    "a copy of; write into a clone(), or into a tensor that is no argument"
                )
        for module, before in recorder.modules.values():
            if module_state(module)[1:] != before[1:]:
                raise RuntimeError(
                    f"capture: the function assigns new tensors to attributes of a "
                    f"{type(module).__name__}, where a replay would not find them; write into the "
                    "old ones: tensor.copy_(...)"
                )
        constants, own_roots = recorder.constants(), recorder.inputs
        settlement = Settlement(recorder.steps, constants, own_roots)
        recorder.release()
        constants.clear()
        settlement.settle()
        self.settlement = settlement
        self.program = Program(recorder.steps)
        self._modules = [(m, module_state(m)) for m, _ in recorder.modules.values()]
        own = {id(tensor) for tensor in inputs}
        leaves = [(t, g) for t, g in recorder.leaves.values() if id(t) not in own]
        self._needed = [(t, g) for t, g in leaves if g is not ANY]
        self._left = [(t, t._grad) for t, _ in leaves]
        self._arrays = [(t, t._array, t._node is None) for t, _ in leaves]
        self._optimizers = _optimizer_parts(recorder.steps)
        self._late = self.program.changes_options()
        self._cells = [
            p._cell for _, _, plan, _ in self._optimizers for p in plan.active
        ]
        self._epoch = epoch.count
        if self._late:
            self._insert_synchronisation()

    # ---- the call -------------------------------------------------------------------------------

    def takes(self, args: tuple[Any, ...]) -> bool:
        """Say whether arguments may be of the kind it was recorded for: tensors alone."""
        return self._plain and len(args) == len(self.inputs)

    def __call__(self, tensors: Sequence[Any]) -> tuple[bool, Any]:
        """Replay, if everything is as it was."""
        with self._lock:
            if not self._fits():
                return _FAILED
            for given, own in zip(tensors, self.inputs, strict=True):
                if given.__class__ is not Tensor and not isinstance(given, Tensor):
                    return _FAILED
                array, buffer = given._array, own._array
                if _copy(id(array), id(buffer)):
                    if array.shape != buffer.shape or array.dtype != buffer.dtype:
                        return _FAILED
                    buffer[...] = array
                if (given._node is None) is not (own._node is None):
                    return _FAILED
            self._release_gradients()
            self.program.run()
            self._finish()
            return True, self._results()

    def _fits(self) -> bool:
        for tensor, gradient in self._needed:
            if tensor._grad is not gradient:
                return False
        if epoch.count != self._epoch:
            if not self._unchanged():
                return False
            self._epoch = epoch.count
        return self._synchronise()

    def _unchanged(self) -> bool:
        return all(module_state(m) == state for m, state in self._modules) and all(
            t._array is array and (t._node is None) is free for t, array, free in self._arrays
        )

    def _synchronise(self) -> bool:
        """Take over the optimizers' options; say whether their plans are still those recorded."""
        for optimizer, place, plan, calls in self._optimizers:
            groups, plans = optimizer.param_groups, optimizer._plans
            if len(groups) != len(plans) or place >= len(plans) or plans[place] is not plan:
                return False
            group = groups[place]
            values = optimizer._hyper(group)
            if (values != plan.values or optimizer._state_seen) and not plan.fits(
                plan.active, values, optimizer, group
            ):
                return False
            for call, table in calls:
                if call.parameters is not table:
                    return False
            optimizer._opt_called = True
        return True

    def _finish(self) -> None:
        for cell in self._cells:
            cell[0] += 1
        for tensor, gradient in self._left:
            tensor._grad = gradient
        for optimizer, place, plan, _ in self._optimizers:
            if plan.memory:
                _remember(plan, optimizer.param_groups[place])

    def _results(self) -> Any:
        if self.copy_outputs:
            copies = {id(t): wrap(t._array.copy()) for t in self._outputs}
            return rebuilt(self._structure, lambda t: t if t is None else copies[id(t)])
        return self._structure

    def _release_gradients(self) -> None:
        """Give gradients of the last replay that somebody holds memory of their own."""

    def _insert_synchronisation(self) -> None:
        """Take options over right before each step, too: a schedule may have changed them."""
        for part in self.program.parts:
            del part

    # ---- the first call -------------------------------------------------------------------------

    def first_result(self) -> Any:
        """Give the result of the call that was recorded."""
        return self._results()

    def give_gradients(self, tensors: list[Tensor]) -> None:
        """Hand the gradients of inputs to the caller's tensors."""
        for given, own in zip(tensors, self.inputs, strict=True):
            if own._grad is not None:
                given._grad = own._grad

    def may_return(self) -> bool:
        """Say whether the state it was recorded in may come back."""
        return True


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


def _optimizer_parts(steps: list[Any]) -> list[Any]:
    found = {}
    for step in steps:
        if isinstance(step, OptimizerStep):
            calls = [(call, call.parameters) for call in step.plan.calls]
            found[id(step.plan)] = (step.optimizer, step.place, step.plan, calls)
    return list(found.values())


def _remember(plan: Any, group: dict[str, Any]) -> None:
    """Tell the group what a step has advanced, as the optimizer's own plan does."""
    tail = plan.hyper[-len(plan.memory) :].tolist()
    group.update(zip(plan.memory, tail, strict=True))
    plan.values = (*plan.values[: -len(tail)], *tail)
