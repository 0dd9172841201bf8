"""Writing down what a function does: every op and kernel that runs, on which arrays.

An op's forward function is one entry of the record. It becomes the calls into C that it made, if
these alone give its result (tried at once, over rubbish); otherwise it is called again in Python at
each replay: slower, never wrong. What the engine, in-place operations and optimizers call outside
of ops is written down kernel by kernel.
"""

from __future__ import annotations

import _ctypes
import functools
import linecache
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.autograd import walk
from microtensor.capturing.calls import ENTRIES, Entry, NativeCall, Step, proven
from microtensor.capturing.memory import Array, altered, arrays_in, rebuilt, root_of
from microtensor.capturing.patches import (
    Exchange,
    RecordingLibrary,
    forwards,
    native_globals,
    native_libraries,
)
from microtensor import random
from microtensor.conversion import to_array
from microtensor.interop import Elements
from microtensor.locks import make_lock
from microtensor.nn.module import Module
from microtensor.ops import arrays as ops_arrays
from microtensor.ops import creating, indexing, inplace, promotion, writing
from microtensor.optim.group_plan import GroupPlan
from microtensor.optim.lr_scheduler.scheduler import LRScheduler
from microtensor.optim.optimizer import Optimizer
from microtensor.tensor import Leaf, Tensor

capturing = make_lock()
"""Held while a step is captured: what is exchanged is exchanged for one thread at a time."""

ANY: Any = object()
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_READS = (
    "item", "tolist", "__bool__", "__float__", "__int__", "__complex__", "__index__", "numpy",
    "__array__", "__dlpack__",
)  # fmt: skip
_active: Recorder | None = None


class OptimizerStep:
    """One kernel call of an optimizer's step, over the parameters of one dtype.

    Args:
        optimizer: whose step it is.
        place: of the group among the optimizer's.
        plan: the optimizer's own plan of the group.
        gradients: the arrays it read.
    """

    def __init__(
        self, optimizer: Optimizer, place: int, plan: GroupPlan, gradients: list[Array]
    ) -> None:
        self.name = type(optimizer).__name__
        self.optimizer = optimizer
        self.place = place
        self.plan = plan
        self.gradients = gradients

    def arrays(self) -> list[Array]:
        """Give the arrays of the record it touches."""
        return list(self.gradients)

    def run(self) -> None:
        """Do it in Python."""
        group = self.optimizer.param_groups[self.place]
        self.plan.run(self.optimizer._rule, self.gradients, group, None)


class HostCall:
    """A call into Python that is no kernel's: a scheduler's step."""

    def __init__(self, name: str, function: Callable[..., Any], owner: Any = None) -> None:
        self.name = name
        self.run = function
        self.owner = owner  # the scheduler or optimizer that keeps the state of it

    def arrays(self) -> list[Array]:
        """Give none."""
        return []


class OptimizerCall(HostCall):
    """A step of an optimizer that does more than call its kernel."""

    def __init__(
        self,
        optimizer: Any,
        step: Callable[..., Any],
        gradients: list[tuple[Tensor, Tensor | None]],
    ) -> None:
        super().__init__(f"{type(optimizer).__name__}.step", self._again, optimizer)
        self.gradients = gradients
        self._optimizer = optimizer
        self._step = step

    def _again(self) -> None:
        for p, gradient in self.gradients:
            p._grad = gradient
        self._step(self._optimizer)


def recording_here() -> bool:
    """Say whether this thread captures a step at the moment."""
    return _active is not None and _active.thread == threading.get_ident()


class Recorder:
    """The record of one run of a function.

    Attributes:
        steps: what it did, in order.
        leaves: by id, tensors whose ``.grad`` it looked at or changed, each with what that was at
            first (ANY if it was overwritten unseen).
        modules: by id, the modules it called, each with what they were before.
    """

    def __init__(self, inputs: list[Array]) -> None:
        self.thread = threading.get_ident()
        self.steps: list[Any] = []
        self.leaves: dict[int, tuple[Tensor, Any]] = {}
        self.modules: dict[int, tuple[Module, Any]] = {}
        self.inputs = {id(root_of(array)) for array in inputs}
        self._roots: dict[int, Array] = {id(root_of(a)): root_of(a) for a in inputs}
        self._arrays: dict[int, Array] = {}
        self._constants: dict[int, Array] = {}
        self._calls: list[NativeCall] | None = None
        self._cells: dict[int, tuple[list[int], int]] = {}
        self._options: dict[int, tuple[Any, list[Any]]] = {}
        self._quiet = 0
        self._optimizer: Optimizer | None = None
        self._exchange = Exchange()

    # ---- beginning and end ----------------------------------------------------------------------

    def __enter__(self) -> Recorder:
        global _active
        if recording_here():
            raise RuntimeError(
                "capture: a captured function was called while another one is being captured; "
                "call the plain function inside"
            )
        capturing.acquire()
        _active = self
        try:
            self._install()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        global _active
        self._exchange.undo()
        _active = None
        capturing.release()

    def _install(self) -> None:
        exchange = self._exchange
        for name, names in forwards():
            exchange.item(names, "_forward", self._op(name, names["_forward"]))
        entries = {name: self._entry(entry) for name, entry in ENTRIES.items()}
        for names, place, entry in native_globals():
            exchange.item(names, place, entries[entry.name])
        library = RecordingLibrary(kernels._native.lib, entries) if ENTRIES else None
        for names in native_libraries():
            exchange.item(names, "lib", library)
        own = vars(kernels)
        for name in kernels.twin.KERNELS:
            if name not in ("ArrayTable", "step", "check_step", "RULES"):
                exchange.item(own, name, self._kernel(name, own[name]))
        for function in (promotion.number_array, promotion.operand_array):
            exchange.code(function, self._number)
        exchange.code(inplace.write, self._write)
        exchange.code(ops_arrays.known, self._known)
        exchange.code(writing.number_to_write, self._number_to_write)
        exchange.code(to_array, self._created)
        for function in (random.normal, random.uniform, random.bits, random.integers):
            exchange.code(function, self._created)
        exchange.code(random.permutation, self._created)
        exchange.item(vars(creating), "created", self._created(creating.created))
        plain = "_plain_part"
        exchange.item(vars(indexing), plain, self._part_of_index(vars(indexing)[plain]))
        for name in _READS:
            exchange.code(Elements.__dict__[name], functools.partial(self._read, name))
        exchange.code(GroupPlan.run, self._group)
        exchange.code(Optimizer.zero_grad, self._zero_grad)
        for kind in _with_own(Optimizer, "step"):
            wrap = functools.partial(self._step, plain=kind is Optimizer)
            exchange.code(kind.__dict__["step"], wrap)
        for kind in _with_own(LRScheduler, "step"):
            exchange.code(kind.__dict__["step"], self._schedule)
        exchange.code(Leaf._add_to_grad, self._accumulate)
        exchange.attribute(Tensor, "grad", self._grad(Tensor.__dict__["grad"]))
        exchange.code(Module.__call__, self._module)
        exchange.item(vars(walk), "_walk", self._walk(walk._walk))

    def _mine(self) -> bool:
        return threading.get_ident() == self.thread and not self._quiet

    # ---- ops and kernels ------------------------------------------------------------------------

    def _op(self, name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*given: Any, **named: Any) -> Any:
            if self._calls is not None or not self._mine():
                return forward(*given, **named)
            calls: list[NativeCall] = []
            self._calls = calls
            try:
                result = forward(*given, **named)
            finally:
                self._calls = None
            self._close(name, forward, given, named, result, calls)
            return result

        return recorded

    def _close(
        self,
        name: str,
        forward: Callable[..., Any],
        given: tuple[Any, ...],
        named: dict[str, Any],
        result: Any,
        calls: list[NativeCall],
    ) -> None:
        outputs = arrays_in(result)
        self._keep(arrays_in(given) + arrays_in(named))
        if not calls and all(id(root_of(out)) in self._roots for out in outputs):
            self._keep(outputs)  # views of what is there already
            return
        known = self._roots.keys() | self._constants.keys()
        native = (
            bool(calls)
            and proven(calls, known, outputs)
            and self._steady(forward, given, named, calls)
        )
        step = Step(name, forward, given, named, outputs, calls if native else [])
        self._keep(step.arrays())
        self.steps.append(step)

    def _steady(
        self,
        forward: Callable[..., Any],
        given: tuple[Any, ...],
        named: dict[str, Any],
        calls: list[NativeCall],
    ) -> bool:
        """Say whether an op makes the same calls for other values: it may read some itself."""

        def alter(value: Any) -> Any:
            return altered(value) if isinstance(value, np.ndarray) else value

        arguments, others = rebuilt((given, named), alter)
        states = [random.default_generator._state]
        states += [call.arguments[i] for call in calls for i in call.before]
        kept = [state.copy() for state in states]
        again: list[NativeCall] = []
        self._calls = again
        try:
            forward(*arguments, **others)
        except Exception:
            return False  # what values it refuses, it has looked at
        finally:
            self._calls = None
            for state, value in zip(states, kept, strict=True):
                state[...] = value
        return [call.form() for call in again] == [call.form() for call in calls]

    def _kernel(self, name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*given: Any, **named: Any) -> Any:
            if self._calls is not None or not self._mine():
                return kernel(*given, **named)
            calls: list[NativeCall] = []
            self._calls = calls
            try:
                result = kernel(*given, **named)
            finally:
                self._calls = None
            if not kernel.__module__.startswith("microtensor.kernels.native"):
                calls = self._plain_call(name, *given)
            step = Step(name, kernel, given, named, None, calls)
            self._keep(step.arrays())
            self.steps.append(step)
            return result

        return recorded

    def _plain_call(self, name: str, *given: Any) -> list[NativeCall]:
        """Give the call into C that a cast is where nothing is cast, and that a filling is."""
        if not ENTRIES or len(given) != 2:
            return []
        x, out = given
        if name == "fill" and isinstance(x, np.ndarray):
            if id(x) not in self._constants:
                return []
            x = x.item()
        if name == "cast":
            entry, arguments = ENTRIES["mt_array_copy"], [x, out]
            refused = entry.function(id(x), id(out))
        elif name == "fill":
            entry, arguments = ENTRIES["mt_array_fill"], [float(x), out]
            refused = entry.function(float(x), id(out))
        else:
            return []
        return [] if refused else [NativeCall(entry, arguments, 0, {})]

    def _created(self, create: Callable[..., Any]) -> Callable[..., Any]:
        """Record a function that makes an array as if it were an op: it is called again."""

        def recorded(*given: Any, **named: Any) -> Any:
            return self._op(_name_of(given, create), create)(*given, **named)

        return recorded

    def _part_of_index(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(part: Any) -> Any:
            result = plain(part)
            if isinstance(part, list | tuple | range) and isinstance(result, np.ndarray):
                self._constants[id(result)] = result
            return result

        return recorded

    def constants(self) -> dict[int, Array]:
        """Give the arrays made of Python's numbers."""
        return self._constants

    def changed_cells(self) -> list[list[int]]:
        """Give the version cells of tensors, not its own, that the function wrote into."""
        return [cell for cell, before in self._cells.values() if cell[0] != before]

    def release(self) -> None:
        """Let go of everything but the record itself."""
        self._roots, self._arrays = {}, {}

    def _entry(self, entry: Entry) -> Callable[..., int]:
        function = entry.function

        def recorded(*given: Any) -> int:
            calls = self._calls
            if calls is None or not self._mine():
                return int(function(*given))
            arguments = [
                _ctypes.PyObj_FromPtr(value) if kind == 2 and value else value
                for kind, value in zip(entry.kinds, given, strict=True)
            ]
            before = {
                i: value.copy()
                for i, value in enumerate(arguments)
                if isinstance(value, np.ndarray) and value.dtype == np.uint64 and value.size == 2
            }
            result = int(function(*given))
            refused = result < 0 and entry.name != "mt_array_cross_entropy"
            if not refused and result != -2:
                calls.append(NativeCall(entry, arguments, result, before))
            return result

        return recorded

    def _number(self, make: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(value: Any, *rest: Any) -> Any:
            array = make(value, *rest)
            if self._mine() and not isinstance(value, np.generic | np.ndarray):
                self._constants[id(array)] = array
            return array

        return recorded

    def _number_to_write(self, make: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*given: Any, **named: Any) -> Any:
            tensor = make(*given, **named)
            if self._mine():
                self._constants[id(tensor._array)] = tensor._array
            return tensor

        return recorded

    def _known(self, known: Callable[[Array], Array]) -> Callable[[Array], Array]:
        def recorded(array: Array) -> Array:
            if self._mine():
                self._constants[id(array)] = array
            return known(array)

        return recorded

    def _keep(self, arrays: list[Array]) -> None:
        for array in arrays:
            self._arrays[id(array)] = array
            root = root_of(array)
            self._roots[id(root)] = root

    # ---- what is no kernel ----------------------------------------------------------------------

    def _read(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(tensor: Any, *given: Any, **named: Any) -> Any:
            # An optimizer may look at its own options: they are taken over at each replay.
            if self._calls is None and self._optimizer is None and self._mine():
                raise RuntimeError(
                    f"capture: {_called(name)} reads a value inside the captured function, at "
                    f"{_user_line()}. A replay does not run this line again: what it read would "
                    "stay as it was. Return the tensor, and read it outside"
                )
            return method(tensor, *given, **named)

        return recorded

    def _group(self, run: Callable[..., None]) -> Callable[..., None]:
        def recorded(
            plan: GroupPlan, rule: str, gradients: list[Any], group: dict[str, Any], touched: Any
        ) -> None:
            if not self._mine():
                run(plan, rule, gradients, group, touched)
                return
            if self._optimizer is None:
                raise RuntimeError("capture: an optimizer was stepped without its step()")
            if touched and any(rows is not None for rows in touched):
                raise RuntimeError(
                    "capture: gradients that name their rows (SparseAdam) change shapes with the "
                    "data, and cannot be captured"
                )
            optimizer = self._optimizer
            place = next(i for i, each in enumerate(optimizer.param_groups) if each is group)
            self._quiet += 1
            try:
                run(plan, rule, gradients, group, touched)
            finally:
                self._quiet -= 1
            self._keep(gradients)
            self.steps.append(OptimizerStep(optimizer, place, plan, list(gradients)))

        return recorded

    def _step(self, step: Callable[..., Any], plain: bool) -> Callable[..., Any]:
        def recorded(optimizer: Optimizer, closure: Any = None) -> Any:
            if not self._mine():
                return step(optimizer, closure)
            if type(optimizer).__name__ == "LBFGS":
                raise RuntimeError(
                    "capture: LBFGS decides from values how often it calls its closure, which "
                    "cannot be captured"
                )
            if closure is not None:
                raise RuntimeError(
                    "capture: call backward() and then step(): a closure cannot be captured"
                )
            self._check_options(optimizer)
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            for p in parameters:
                self.touch(p)
            if not plain:
                self._host_step(optimizer, parameters, step)
                return None
            self._optimizer = optimizer
            try:
                return step(optimizer)
            finally:
                self._optimizer = None
                self._note_options()

        return recorded

    def _host_step(
        self, optimizer: Any, parameters: list[Tensor], step: Callable[..., Any]
    ) -> None:
        """Record a step that does more than its kernel: it is called in Python at each replay."""
        call = OptimizerCall(optimizer, step, [(p, p._grad) for p in parameters])
        self._quiet += 1
        try:
            call.run()
        finally:
            self._quiet -= 1
        self._note_options()
        self.steps.append(call)

    def _schedule(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(scheduler: Any, *given: Any, **named: Any) -> Any:
            if not self._mine():
                return step(scheduler, *given, **named)
            self.check_options()

            def again() -> None:
                step(scheduler, *given, **named)

            self._quiet += 1
            try:
                again()
            finally:
                self._quiet -= 1
            self._note_options()
            self.steps.append(HostCall(f"{type(scheduler).__name__}.step", again, scheduler))
            return None

        return recorded

    def _note_options(self) -> None:
        for optimizer, _ in list(self._options.values()):
            self._options[id(optimizer)] = (optimizer, _options_of(optimizer))

    def _check_options(self, optimizer: Any) -> None:
        self._options.setdefault(id(optimizer), (optimizer, _options_of(optimizer)))
        self.check_options()

    def check_options(self) -> None:
        """Refuse options that were changed in a way that is not in the record."""
        for optimizer, before in self._options.values():
            if _options_of(optimizer) != before:
                raise RuntimeError(
                    f"capture: an option of {type(optimizer).__name__} was changed inside the "
                    "captured function, which a replay would not repeat; change it outside, or "
                    "with a schedule of lr_scheduler"
                )

    # ---- gradients, modules ---------------------------------------------------------------------

    def touch(self, tensor: Tensor) -> None:
        """Note what a tensor's gradient was when the function first depended on it."""
        self.leaves.setdefault(id(tensor), (tensor, tensor._grad))
        self._cell(tensor)

    def _cell(self, tensor: Tensor) -> None:
        self._cells.setdefault(id(tensor._cell), (tensor._cell, tensor._cell[0]))

    def _write(self, write: Callable[..., None]) -> Callable[..., None]:
        def recorded(tensor: Tensor, *given: Any) -> None:
            if self._mine():
                self._cell(tensor)
            write(tensor, *given)

        return recorded

    def _cleared(self, tensor: Tensor) -> None:
        self.leaves.setdefault(id(tensor), (tensor, ANY))

    def _zero_grad(self, zero: Callable[..., None]) -> Callable[..., None]:
        def recorded(optimizer: Optimizer, set_to_none: bool = True) -> None:
            if self._mine():
                self._check_options(optimizer)
                for group in optimizer.param_groups:
                    for p in group["params"]:
                        (self._cleared if set_to_none else self.touch)(p)
            zero(optimizer, set_to_none)

        return recorded

    def _accumulate(self, add: Callable[..., None]) -> Callable[..., None]:
        def recorded(leaf: Leaf, tensor: Tensor, *given: Any) -> None:
            if self._mine():
                self.touch(tensor)
            add(leaf, tensor, *given)

        return recorded

    def _grad(self, grad: Any) -> Any:
        def get(tensor: Tensor) -> Any:
            if self._mine():
                self.touch(tensor)
            return grad.fget(tensor)

        def put(tensor: Tensor, value: Any) -> None:
            if self._mine():
                self._cleared(tensor)
            grad.fset(tensor, value)

        def delete(tensor: Tensor) -> None:
            put(tensor, None)

        return property(get, put, delete, grad.__doc__)

    def _module(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(module: Module, /, *given: Any, **named: Any) -> Any:
            if self._mine() and id(module) not in self.modules:
                for each in module.modules():
                    if id(each) not in self.modules:
                        self.modules[id(each)] = (each, module_state(each))
                        for tensor in (*each._parameters.values(), *each._buffers.values()):
                            if tensor is not None:
                                self._cell(tensor)
            return call(module, *given, **named)

        return recorded

    def _walk(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(roots: Any, algebra: Any, *rest: Any) -> Any:
            if self._mine() and algebra.create_graph:
                raise RuntimeError(
                    f"capture: create_graph=True, at {_user_line()}, cannot be captured"
                )
            return run(roots, algebra, *rest)

        return recorded


def _with_own(kind: type, name: str) -> list[type]:
    """Give the class and its subclasses, those that define a method themselves."""
    found = [kind] if name in kind.__dict__ else []
    for below in kind.__subclasses__():
        found += _with_own(below, name)
    return found


def _options_of(optimizer: Any) -> list[Any]:
    """Give the options of all groups; by identity where they have no ordinary equality."""
    return [
        [value if isinstance(value, int | float | tuple | str) else id(value) for value in g.values()]
        for g in optimizer.param_groups
    ]


def module_state(module: Module) -> tuple[Any, ...]:
    """Give what a captured step takes for granted of one module: mode, tensors, flags."""
    values = module.__dict__
    own = [values.get(n) for n in (*module._parameter_names, *module._buffer_names)]
    hooks = module._hooks
    return (
        module.training,
        *(id(values.get(name)) for name in module._module_names),
        *(id(key) for kind in (hooks.kinds() if hooks else ()) for key in kind),
        *(
            None if each is None else (id(each), id(each._array), each._node is None)
            for each in own
        ),
    )


def _name_of(given: tuple[Any, ...], create: Callable[..., Any]) -> str:
    first = given[0] if given else None
    return str(getattr(first if callable(first) else create, "__name__", "created"))


def _called(name: str) -> str:
    words = {"__bool__": "bool()", "__float__": "float()", "__int__": "int()"}
    return words.get(name, f"{name.strip('_')}()")


def _user_line() -> str:
    """Give file, line and text of the innermost line that is not of this package."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_PACKAGE, "<microtensor")):
        frame = frame.f_back
    if frame is None:
        return "an unknown line"
    code = frame.f_code
    text = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return f"{code.co_filename}:{frame.f_lineno}" + (f": {text}" if text else "")
