"""Writing down what a function does: every op and kernel that runs, on which arrays.

An op's forward function is one entry of the record. It becomes the calls into C that it made, if
these alone give its result (tried at once, over rubbish) and are the same for other values;
otherwise it is called again in Python at each replay: slower, never wrong. What the engine,
in-place operations and optimizers call outside of ops is written down kernel by kernel.
"""

from __future__ import annotations

import _ctypes
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import random
from microtensor.capturing.calls import ENTRIES, Entry, NativeCall, Step, filled, proven
from microtensor.capturing.lines import called, of_user, user_line
from microtensor.capturing.memory import Array, altered, arrays_in, form_of, rebuilt, root_of
from microtensor.capturing.places import Places, active
from microtensor.capturing.state import module_state, options_of
from microtensor.capturing.steps import HostCall, OptimizerCall, OptimizerStep
from microtensor.engine import INFERENCE_CELL
from microtensor.locks import make_lock
from microtensor.nn.module import Module
from microtensor.optim.group_plan import GroupPlan
from microtensor.optim.optimizer import Optimizer
from microtensor.tensor import Tensor

capturing = make_lock()
"""Held while a step is captured: what is exchanged is exchanged for one thread at a time."""

ANY: Any = object()

# Functions that make the same array each time, of whatever tensor they are given first.
_PLAIN = frozenset(
    f"{prefix}{name}{suffix}"
    for name in ("zeros", "ones", "full", "empty")
    for prefix, suffix in (("", ""), ("new_", ""), ("", "_like"))
) | {"arange", "linspace", "logspace", "eye"}

# What an entry goes on from and changes, by place; states of random generators are known by sight.
_MOVED = {"mt_array_running_update": (5, 6)}

# Ops with the calls into C that they make, whatever the values: tried once, not in every capture.
_steady: set[tuple[Any, ...]] = set()
# The same with the op's own arguments: its calls were proven to be all that it does, too.
_proofs: set[tuple[Any, ...]] = set()
_MOST_KNOWN = 4096


def _remember(form: tuple[Any, ...], forms: set[tuple[Any, ...]]) -> None:
    if len(forms) >= _MOST_KNOWN:
        forms.clear()
    forms.add(form)


def _object_at(address: int) -> Any:
    """Give the array at an address; 0 if there is none, which an address of None says, too."""
    found = _ctypes.PyObj_FromPtr(address) if address else None
    return 0 if found is None else found


class Recorder:
    """The record of one run of a function.

    Its other methods stand in for functions of the package while this thread records: they are
    given the function they stand in for, and what it was called with.

    Args:
        inputs: the arrays of the tensors the function is called with.
        places: makes the places that are exchanged.

    Attributes:
        steps: what the function did, in order.
        leaves: by id, tensors whose ``.grad`` it looked at or changed, each with what that was at
            first (ANY if it was overwritten unseen).
        modules: by id, the modules it called, each with what they were before.
        constants: by id, arrays that do not depend on any tensor's values.
        inputs: by id, the roots of the inputs.
    """

    def __init__(self, inputs: list[Array], places: Callable[[], Places]) -> None:
        self.thread = threading.get_ident()
        self.steps: list[Any] = []
        self.leaves: dict[int, tuple[Tensor, Any]] = {}
        self.modules: dict[int, tuple[Module, Any]] = {}
        self.constants: dict[int, Array] = {}
        self.inputs = {id(root_of(array)) for array in inputs}
        self._roots: dict[int, Array] = {id(root_of(a)): root_of(a) for a in inputs}
        self._arrays: dict[int, Array] = {}
        self._calls: list[NativeCall] | None = None  # of the op or kernel that runs
        self._cells: dict[int, tuple[list[int], int]] = {}
        self._options: dict[int, tuple[Any, list[Any]]] = {}
        self._away = 0
        self._optimizer: Optimizer | None = None
        self._make_places = places
        self._places: Places | None = None

    # ---- beginning and end ----------------------------------------------------------------------

    def __enter__(self) -> Recorder:
        refuse_nested()
        capturing.acquire()
        try:
            self._places = self._make_places()
            active.recorder = self
            self._places.install()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._places is not None:
            self._places.remove()
        active.recorder = None
        capturing.release()

    def looks(self) -> bool:
        """Say whether what runs now is to be recorded."""
        return not self._away and threading.get_ident() == self.thread

    def release(self) -> None:
        """Let go of everything but the record itself."""
        self._roots, self._arrays, self.constants = {}, {}, {}

    def changed_cells(self) -> list[list[int]]:
        """Give the version cells of tensors, not its own, that the function wrote into."""
        return [cell for cell, before in self._cells.values() if cell[0] != before]

    def shares(self, tensors: list[Tensor]) -> bool:
        """Say whether the function had one of these tensors, or its memory, in other ways, too."""
        cells = set(map(id, self.changed_cells()))
        for step in self.steps:
            if isinstance(step, OptimizerStep):
                cells.update(id(p._cell) for p in step.plan.active)
        return any(id(t._cell) in cells or id(t) in self.leaves for t in tensors)

    def _quietly(self, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        self._away += 1
        try:
            return function(*given, **named)
        finally:
            self._away -= 1

    def _keep(self, arrays: list[Array]) -> None:
        kept, roots = self._arrays, self._roots
        for array in arrays:
            if id(array) not in kept:
                kept[id(array)] = array
                root = root_of(array)
                roots[id(root)] = root

    # ---- ops and kernels ------------------------------------------------------------------------

    def op(self, name: str, forward: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Record an op."""
        if self._calls is not None:
            return forward(*given, **named)
        result, calls = self._watched(forward, given, named)
        outputs = arrays_in(result)
        self._keep(arrays_in(given) + arrays_in(named))
        if not calls and outputs and all(id(root_of(out)) in self._roots for out in outputs):
            self._keep(outputs)  # views of what is there already
            return result
        native = bool(calls) and self._native(name, forward, given, named, calls, outputs)
        step = Step(name, forward, given, named, outputs, calls if native else [])
        self._keep([*outputs, *[array for call in step.calls for array in call.arrays()]])
        self.steps.append(step)
        return result

    def _watched(
        self, function: Any, given: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[Any, list[NativeCall]]:
        """Call a function; give its result, and the calls into C that it made."""
        calls: list[NativeCall] = []
        self._calls = calls
        try:
            return function(*given, **named), calls
        finally:
            self._calls = None

    def _native(
        self,
        name: str,
        forward: Any,
        given: tuple[Any, ...],
        named: dict[str, Any],
        calls: list[NativeCall],
        outputs: list[Array],
    ) -> bool:
        """Say whether an op's calls are all that it did, and are the same for other values.

        It is tried, once for all captures with the same arguments but for the values in arrays.
        """
        roots, constants = self._roots, self.constants
        arguments = form_of((given, named))
        form: Any = None
        if arguments is not None:
            made = [
                id(root_of(array)) in roots or id(root_of(array)) in constants
                for call in calls
                for array in call.arrays()
            ]
            form = name, arguments, tuple(made), *[call.form() for call in calls]
            if form in _proofs:
                return True
        known = roots.keys() | constants.keys()
        if not proven(calls, known, outputs) or not self._steady(
            name, forward, given, named, calls
        ):
            return False
        if form is not None:
            _remember(form, _proofs)
        return True

    def _steady(
        self,
        name: str,
        forward: Any,
        given: tuple[Any, ...],
        named: dict[str, Any],
        calls: list[NativeCall],
    ) -> bool:
        """Say whether an op makes the same calls for other values: it may read some itself."""
        form = name, *(call.form() for call in calls)
        if form in _steady:
            return True

        def alter(value: Any) -> Any:
            return altered(value) if isinstance(value, np.ndarray) else value

        arguments, others = rebuilt((given, named), alter)
        states = [random.default_generator._state]
        states += [call.arguments[i] for call in calls for i in call.before]
        kept = [state.copy() for state in states]
        try:
            _, again = self._watched(forward, arguments, others)
        except Exception:
            return False  # what values it refuses, it has looked at
        finally:
            for state, value in zip(states, kept, strict=True):
                state[...] = value
        if form != (name, *(call.form() for call in again)):
            return False
        _remember(form, _steady)
        return True

    def kernel(self, name: str, kernel: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Record a kernel that is called outside of ops."""
        if self._calls is not None:
            kernel(*given, **named)
            return
        _, calls = self._watched(kernel, given, named)
        if not kernel.__module__.startswith("microtensor.kernels.native"):
            calls = []
        calls = calls or self._plain_call(name, given)
        out = self._quietly(filled, name, kernel, given, named)
        step = Step(name, kernel, given, named, None, calls, out)
        self._keep(step.arrays())
        self.steps.append(step)

    def _plain_call(self, name: str, given: tuple[Any, ...]) -> list[NativeCall]:
        """Give the calls into C that a filling with a constant is, and joining arrays."""
        if not ENTRIES:
            return []
        if name == "concatenate" and len(given) == 3:
            return _joining(*given)
        if name != "fill" or len(given) != 2:
            return []
        x, out = given
        if isinstance(x, np.ndarray):
            if id(x) not in self.constants:
                return []
            x = x.item()
        entry, value = ENTRIES["mt_array_fill"], float(x)
        refused = entry.function(value, id(out))
        return [] if refused else [NativeCall(entry, [value, out], 0, {})]

    def entry(self, entry: Entry, function: Any, given: tuple[Any, ...], _: Any) -> int:
        """Record a call into C."""
        calls = self._calls
        if calls is None:
            return int(function(*given))
        arguments = [
            _object_at(value) if takes_array else value
            for takes_array, value in zip(entry.takes_array, given, strict=True)
        ]
        before = {
            i: value.copy()
            for i, value in enumerate(arguments)
            if isinstance(value, np.ndarray)
            and (_is_state(value) or i in _MOVED.get(entry.name, ()))
        }
        result = int(function(*given))
        if result == entry.success:
            calls.append(NativeCall(entry, arguments, result, before))
        return result

    # ---- arrays that no op has made -------------------------------------------------------------

    def made(self, create: Any, function: Any, *given: Any, **named: Any) -> Any:
        """Record a function that makes an array of sizes and numbers: a replay copies it anew."""
        name = function.__name__
        # Of the first one only shape and dtype count; any other has values that may change.
        others = given[name.startswith("new_") or name.endswith("_like") :]
        values = [v for v in (*others, *named.values()) if isinstance(v, Tensor | np.ndarray)]
        if self._calls is not None or not ENTRIES or name not in _PLAIN or values:
            return self.created(create, function, *given, **named)
        result = create(function, *given, **named)
        first = result.copy()
        entry = ENTRIES["mt_array_copy"]
        if result.base is not None or entry.function(id(first), id(result)):
            return self.created(create, function, *given, **named)
        self.constants[id(first)] = first
        calls = [NativeCall(entry, [first, result], 0, {})]
        step = Step(name, create, (function, *given), named, [result], calls)
        self._keep(step.arrays())
        self.steps.append(step)
        return result

    def created(self, create: Any, *given: Any, **named: Any) -> Any:
        """Record a function of arrays as if it were an op: it is called again."""
        first = given[0] if given else None
        name = getattr(first if callable(first) else create, "__name__", "created").lstrip("_")
        return self.op(str(name), create, given, named)

    def number(self, make: Any, value: Any, *rest: Any) -> Any:
        """Note that an array was made of one of Python's numbers."""
        array = make(value, *rest)
        # A number of NumPy's may be computed from arrays; a user's is not, who cannot see any.
        if not isinstance(value, np.generic | np.ndarray) or of_user():
            self.constants[id(array)] = array
        return array

    def number_to_write(self, make: Any, *given: Any, **named: Any) -> Any:
        """Note that a tensor was made of one of Python's numbers."""
        tensor = make(*given, **named)
        self.constants[id(tensor._array)] = tensor._array
        return tensor

    def known(self, known: Any, array: Array) -> Array:
        """Note what its maker says of an array."""
        self.constants[id(array)] = array
        result: Array = known(array)
        return result

    def part_of_index(self, plain: Any, part: Any) -> Any:
        """Note that an array was made of a list of Python's numbers; refuse a tensor's number."""
        if isinstance(part, Tensor) and not part._array.ndim and part._array.dtype.kind in "iu":
            self.read("__index__", Tensor.__index__, part)
        result = plain(part)
        if isinstance(part, list | tuple | range) and isinstance(result, np.ndarray):
            self.constants[id(result)] = result
        return result

    # ---- optimizers and schedules ---------------------------------------------------------------

    def group_step(
        self, run: Any, plan: GroupPlan, rule: str, gradients: list[Any], group: Any, touched: Any
    ) -> None:
        """Record the step of a group of parameters."""
        if self._optimizer is None:
            raise RuntimeError("capture: an optimizer was stepped without its step()")
        if touched and any(rows is not None for rows in touched):
            raise RuntimeError(
                "capture: gradients that name their rows (SparseAdam) change shapes with the data, "
                "and cannot be captured"
            )
        optimizer = self._optimizer
        place = next(i for i, each in enumerate(optimizer.param_groups) if each is group)
        self._quietly(run, plan, rule, gradients, group, touched)
        self._keep(gradients)
        self.steps.append(OptimizerStep(optimizer, place, plan, list(gradients)))

    def optimizer_step(self, step: Any, optimizer: Any, closure: Any = None) -> Any:
        """Record the step of an optimizer that does nothing but call its kernels."""
        self._before_step(optimizer, closure)
        self._optimizer = optimizer
        try:
            return step(optimizer)
        finally:
            self._optimizer = None
            self._note_options()

    def other_step(self, step: Any, optimizer: Any, closure: Any = None) -> None:
        """Record the step of any other optimizer: it is called again in Python."""
        if self._optimizer is not None:
            step(optimizer, closure)
            return
        parameters = self._before_step(optimizer, closure)
        call = OptimizerCall(optimizer, step, [(p, p._grad) for p in parameters])
        self._quietly(call.run)
        self._note_options()
        self.steps.append(call)

    def _before_step(self, optimizer: Any, closure: Any) -> list[Tensor]:
        if type(optimizer).__name__ == "LBFGS":
            raise RuntimeError(
                "capture: LBFGS decides from values how often it calls its closure, which cannot "
                "be captured"
            )
        if closure is not None:
            raise RuntimeError(
                "capture: call backward() and then step(): a closure cannot be captured"
            )
        self._watch_options(optimizer)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for p in parameters:
            self.touch(p)
        return parameters

    def schedule_step(self, step: Any, schedule: Any, *given: Any, **named: Any) -> None:
        """Record the step of a schedule: it is called again in Python."""
        self.check_options()

        def again() -> None:
            step(schedule, *given, **named)

        self._quietly(again)
        self._note_options()
        self.steps.append(HostCall(f"{type(schedule).__name__}.step", again, schedule))

    def _note_options(self) -> None:
        for optimizer, _ in list(self._options.values()):
            self._options[id(optimizer)] = (optimizer, options_of(optimizer))

    def _watch_options(self, optimizer: Any) -> None:
        self._options.setdefault(id(optimizer), (optimizer, options_of(optimizer)))
        self.check_options()

    def check_options(self) -> None:
        """Refuse options that were changed in a way that is not in the record."""
        for optimizer, before in self._options.values():
            if options_of(optimizer) != before:
                raise RuntimeError(
                    f"capture: an option of {type(optimizer).__name__} was changed inside the "
                    "captured function, which a replay would not repeat; change it outside, or "
                    "with a schedule of lr_scheduler"
                )

    # ---- gradients, versions, modules -----------------------------------------------------------

    def touch(self, tensor: Tensor) -> None:
        """Note what a tensor's gradient was when the function first depended on it."""
        self.leaves.setdefault(id(tensor), (tensor, tensor._grad))
        self._cell(tensor)

    def clear(self, tensor: Tensor) -> None:
        """Note that a tensor's gradient was overwritten, whatever it was."""
        self.leaves.setdefault(id(tensor), (tensor, ANY))
        self._cell(tensor)

    def _cell(self, tensor: Tensor) -> None:
        if tensor._cell is not INFERENCE_CELL:
            self._cells.setdefault(id(tensor._cell), (tensor._cell, tensor._cell[0]))

    def zero_grad(self, zero: Any, optimizer: Any, set_to_none: bool = True) -> None:
        """Note which gradients an optimizer clears."""
        self._watch_options(optimizer)
        for group in optimizer.param_groups:
            for p in group["params"]:
                (self.clear if set_to_none else self.touch)(p)
        zero(optimizer, set_to_none)

    def accumulate(self, add: Any, leaf: Any, tensor: Tensor, *given: Any) -> None:
        """Note that a gradient was added to a tensor's."""
        self.touch(tensor)
        add(leaf, tensor, *given)

    def write(self, write: Any, *given: Any, **named: Any) -> Any:
        """Note the versions of tensors before a function that may write to them."""
        for each in (*given, *named.values()):
            if isinstance(each, Tensor):
                self._cell(each)
        return write(*given, **named)

    def module(self, call: Any, module: Module, /, *given: Any, **named: Any) -> Any:
        """Note which modules are called, and what they are."""
        if id(module) not in self.modules:
            for each in module.modules():
                if id(each) not in self.modules:
                    self.modules[id(each)] = (each, module_state(each))
                    for tensor in (*each._parameters.values(), *each._buffers.values()):
                        if tensor is not None:
                            self._cell(tensor)
        return call(module, *given, **named)

    # ---- what cannot be captured ----------------------------------------------------------------

    def read(self, name: str, method: Any, tensor: Any, *given: Any, **named: Any) -> Any:
        """Refuse to have a value read."""
        # An op is called again with what it read; an optimizer reads its own options.
        if self._calls is None and self._optimizer is None:
            raise RuntimeError(
                f"capture: {called(name)} reads a value inside the captured function, at "
                f"{user_line()}. A replay does not run this line again: what it read would stay as "
                "it was. Return the tensor, and read it outside"
            )
        return method(tensor, *given, **named)

    def walk(self, run: Any, roots: Any, algebra: Any, *rest: Any) -> Any:
        """Refuse to record a walk backward for another one."""
        if algebra.create_graph:
            raise RuntimeError(f"capture: create_graph=True, at {user_line()}, cannot be captured")
        return run(roots, algebra, *rest)

    def initialise(self, write: Any, *given: Any, **named: Any) -> Any:
        """Refuse to have a tensor initialised."""
        raise RuntimeError(
            f"capture: nn.init, at {user_line()}, cannot be captured; tensors have methods that "
            "fill them with random numbers, which can"
        )


def _is_state(array: Array) -> bool:
    return array.dtype == np.uint64 and array.size == 2


def _joining(arrays: list[Array], axis: int, out: Array) -> list[NativeCall]:
    """Give the copies that joining arrays is; none if C cannot make all of them."""
    calls, start = [], 0
    for array in arrays:
        stop = start + array.shape[axis]
        part = np.moveaxis(np.moveaxis(out, axis, 0)[start:stop], 0, axis)
        if ENTRIES["mt_array_move"].function(0, id(array), id(part)):
            return []
        calls.append(NativeCall(ENTRIES["mt_array_move"], [0, array, part], 0, {}))
        start = stop
    return calls


def refuse_nested() -> None:
    """Raise where this thread captures already."""
    recorder = active.recorder
    if recorder is not None and recorder.thread == threading.get_ident():
        raise RuntimeError(
            "capture: a captured function was called while another one is being captured; call "
            "the plain function inside"
        )
