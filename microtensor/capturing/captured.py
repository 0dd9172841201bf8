"""A captured function: its signatures, its plans, and which of them a call is for."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from copy import deepcopy
from types import MethodType
from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.capturing.checking import checked
from microtensor.capturing.memory import rebuilt, tensors_in
from microtensor.capturing.record import Recorder, refuse_nested
from microtensor.capturing.replay import UNFIT, Replay, add_gradient
from microtensor.capturing.report import Report, make_report
from microtensor.capturing.stand_ins import places
from microtensor.engine import recording
from microtensor.tensor import Leaf, Tensor, wrap

_MOST_SIGNATURES, _MOST_STATES = 16, 4


class Captured:
    """A captured function; see :func:`capture`."""

    def __init__(self, function: Callable[..., Any], check: int, copy_outputs: bool) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self.copy_outputs = copy_outputs
        self.check = self._unchecked = check
        self._plans: dict[Any, list[Replay]] = {}
        self._latest: Replay | None = None
        self.results: list[Any] = []
        self._attribute = ""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Replay; or, where no plan fits, run the function and write it down."""
        latest = self._latest
        if latest is not None and len(args) == latest.arity and not kwargs and not self._unchecked:
            result = latest.quick(*args)
            if result is not UNFIT:
                return result
        return self._find(args, kwargs)

    def _find(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        refuse_nested()
        key = _signature(args, kwargs)
        tensors = tensors_in((args, kwargs))
        plans = self._plans.get(key, [])
        for place, plan in enumerate(plans):
            if self._unchecked:
                result = checked(plan, self.function, args, kwargs, tensors)
                self._unchecked -= result is not UNFIT
            else:
                result = plan(tensors)
            if result is not UNFIT:
                plans.insert(0, plans.pop(place))
                self._latest = plan
                return result
        plan, result = self._record(args, kwargs, tensors)
        self._plans[key] = plans
        plans.insert(0, plan)
        del plans[_MOST_STATES:]
        if len(self._plans) > _MOST_SIGNATURES:
            del self._plans[next(iter(self._plans))]
        self._latest = plan
        return result

    def _record(self, args: Any, kwargs: Any, tensors: list[Tensor]) -> tuple[Replay, Any]:
        plain = not kwargs and all(isinstance(value, Tensor) for value in args)
        plain = plain and len({id(value) for value in args}) == len(args)
        own = [_input(tensor) for tensor in tensors]
        given = {id(tensor): mine for tensor, mine in zip(tensors, own, strict=True)}
        args, kwargs = rebuilt((args, kwargs), _replacing(given))
        with Recorder([tensor._array for tensor in own], places) as recorder:
            result = [self.function(*args, **kwargs)]
            recorder.check_options()
        del args, kwargs, given  # what they hold would count as held by somebody
        _refuse_shared(recorder, tensors)
        plan = Replay(recorder, own, result, self.copy_outputs, plain)
        del recorder
        for tensor, mine in zip(tensors, own, strict=True):
            if mine._grad is not None:
                add_gradient(tensor, mine._grad)
        plan.seal()
        return plan, plan.results()

    def run(
        self,
        data: Any,
        batch_size: int | None = None,
        shuffle: bool | None = None,
        generator: Any = None,
        epochs: int = 1,
        drop_last: bool | None = None,
        progress: Callable[[int, int | None], Any] | None = None,
    ) -> list[Any]:
        """Call the function with every minibatch, in C as far as the plan needs no Python.

        Args:
            data: tensors or arrays of the same length, one for each argument; a
                :class:`TensorDataset`; a :class:`DataLoader`, or anything else that can be gone
                through and gives batches: a tensor, or a tuple or list of arguments.
            batch_size: rows in a batch; 1 unless given, as for a loader.
            shuffle: whether each epoch has a new random order, the one a loader would have.
            generator: the source of that order; the default generator unless given.
            epochs: how often to go through the data.
            drop_last: whether to leave out a last batch that is smaller.
            progress: called with the number of steps done and of all (None if that is not known
                before), about every 50 ms.

        Returns:
            What each call gives, in order. What there is by the time that Ctrl-C (between two
            steps) or an exception ends it is in the attribute ``results``.

        Raises:
            IndexError: a sampler names a row that is not there.
            TypeError: the data is none of these.
            ValueError: a number is out of range, there is no data, a loader comes with options,
                or an iterator with several epochs.
        """
        from microtensor.capturing.epochs import run_epochs

        return run_epochs(
            self, data, epochs, progress, batch_size=batch_size, shuffle=shuffle,
            generator=generator, drop_last=drop_last,
        )  # fmt: skip

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Give the captured method of an instance: plans are kept there."""
        if instance is None:
            return self
        method = self.function.__get__(instance, owner)
        bound = Captured(method, self.check, self.copy_outputs)
        bound._attribute = self._attribute
        instance.__dict__[self._attribute] = bound
        return bound

    def __deepcopy__(self, memo: dict[int, Any]) -> Captured:
        """Give one without plans; of a method, that of the instance's copy."""
        return Captured(deepcopy(self.function, memo), self.check, self.copy_outputs)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle without plans: what decorates a function or a method goes by its name."""
        function = self.function
        named: Any = sys.modules.get(getattr(function, "__module__", None) or "")
        for part in getattr(function, "__qualname__", "").split("."):
            named = getattr(named, part, None)
        if named is self:
            return str(function.__qualname__)
        if self._attribute and isinstance(function, MethodType):
            return getattr, (function.__self__, self._attribute)
        return Captured, (function, self.check, self.copy_outputs)

    def report(self) -> Report:
        """Give what the plan used last consists of.

        Raises:
            RuntimeError: it was not called yet.
        """
        if self._latest is None:
            raise RuntimeError("capture: there is no plan yet: call the function first")
        plans = sum(map(len, self._plans.values()))
        return make_report(self._latest.program, self._latest.settlement, plans)


def _replacing(own: dict[int, Tensor]) -> Callable[[Any], Any]:
    return lambda value: own.get(id(value), value)


def _refuse_shared(recorder: Recorder, tensors: list[Tensor]) -> None:
    """Refuse arguments that the function also has in other ways: it was given copies of them."""
    if recorder.shares(tensors):
        raise RuntimeError(
            "capture: an argument is, or shares memory with, a tensor that the function writes to "
            "or asks for the gradient of: it would be given a copy, apart from that tensor; pass "
            "a clone(), or use the tensor without passing it"
        )


def _input(tensor: Tensor) -> Tensor:
    """Make the plan's own tensor of an input."""
    node = tensor._node
    if node is not None and not isinstance(node, Leaf):
        raise RuntimeError(
            "capture: an input that was computed from something that requires a gradient: a "
            "replay cannot carry gradients out of the function; detach() it"
        )
    own = wrap(np.array(tensor._array, order="C"))
    own._cell = [0]  # in inference mode, too: it tells whether it was written to
    if node is not None:
        own.requires_grad = True
    return own


def _signature(args: Any, kwargs: Any) -> Any:
    """Give what a plan is for: shapes, dtypes, and the values of all that is no tensor."""
    parts: list[Any] = [recording.wanted, recording.off, dtypes.get_default_dtype()]
    places: dict[int, int] = {}  # one tensor given twice is one input of the plan

    def note(value: Any) -> Any:
        if isinstance(value, Tensor):
            place = places.setdefault(id(value), len(places))
            parts.append((value._array.shape, value._array.dtype, value._node is not None, place))
        elif isinstance(value, float):
            parts.append((type(value), repr(value)))  # -0.0 is not 0.0, and NaN is NaN
        elif isinstance(value, np.ndarray):
            raise TypeError(
                "capture: an argument is a NumPy array, whose values a replay would not see; "
                "pass a tensor: microtensor.from_numpy(array)"
            )
        else:
            try:
                hash(value)
            except TypeError:
                raise TypeError(
                    f"capture: an argument of type {type(value).__name__} is neither a tensor nor "
                    "something whose value can be remembered (it has no hash)"
                ) from None
            parts.append((type(value), value))
        return None

    shape = rebuilt((args, kwargs), note)
    return repr(shape), tuple(parts)
