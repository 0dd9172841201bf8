"""Comparing replays with what the function does in eager mode: results, parameters, buffers."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

from microtensor import random
from microtensor.capturing.memory import Array, tensors_in
from microtensor.capturing.replay import UNFIT, Replay
from microtensor.capturing.steps import HostCall
from microtensor.tensor import Tensor


class State:
    """Everything outside of its buffers that a plan may change, as it was at some moment."""

    def __init__(self, plan: Replay) -> None:
        self._plan = plan
        arrays = plan.settlement.external()
        lasting = plan.settlement.external(lasting=True)
        for stepping in plan.stepping:
            own = stepping.plan
            lasting += [own.hyper, *(call.numbers for call in own.calls)]
            lasting += [a for call in own.calls for a in call.states.arrays if a is not None]
            lasting += [a for call in own.calls for a in call.parameters.arrays if a is not None]
        lasting.append(random.default_generator._state)
        gradients = {id(g._array) for _, g in plan.guards.left if g is not None}
        self._lasting = [a for a in lasting if a.flags.writeable and id(a) not in gradients]
        arrays += lasting
        distinct = {id(a): a for a in arrays if a.flags.writeable}
        self._arrays = [(array, array.copy()) for array in distinct.values()]
        self._held: list[Any] = [
            (registry, name, f"{name} of {type(module).__name__}", tensor, tensor._array.copy())
            for module, _ in plan.guards.modules
            for registry in (module._parameters, module._buffers)
            for name, tensor in registry.items()
            if tensor is not None
        ]
        self._gradients = [(t, t._grad) for t, _ in plan.guards.left]
        self._options = [
            (group, dict(group)) for o in self._optimizers() for group in o.param_groups
        ]
        self._values = [(s.plan, s.plan.values) for s in plan.stepping]
        owners = [s.owner for s in plan.program.steps if isinstance(s, HostCall) and s.owner]
        self._owners = [
            (owner, deepcopy(owner.state_dict())) for owner in {id(o): o for o in owners}.values()
        ]

    def _optimizers(self) -> list[Any]:
        return list({id(s.optimizer): s.optimizer for s in self._plan.stepping}.values())

    def restore(self) -> None:
        """Bring it back."""
        for array, values in self._arrays:
            array[...] = values
        for registry, name, _, tensor, values in self._held:
            if registry[name] is not tensor:
                registry[name] = tensor
            if tensor._array.tobytes() != values.tobytes():
                tensor._array[...] = values
        for tensor, gradient in self._gradients:
            tensor._grad = gradient
        for group, options in self._options:
            group.update(options)
        for plan, numbers in self._values:
            plan.values = numbers
        for owner, values in self._owners:
            owner.load_state_dict(deepcopy(values))

    def arrays(self) -> list[Array]:
        """Give the arrays whose values go from one call to the next, as they are now, copied."""
        return [array.copy() for array in self._lasting]

    def held(self) -> dict[str, list[Any]]:
        """Give the parameters and buffers of modules as they are now, copied, by name."""
        found: dict[str, list[Any]] = {}
        for registry, name, label, *_ in self._held:
            now = registry.get(name)
            found.setdefault(label, []).append(None if now is None else now._array.copy())
        return found


def checked(
    plan: Replay, function: Callable[..., Any], args: Any, kwargs: Any, tensors: list[Tensor]
) -> Any:
    """Run a function in eager mode and replay its plan from the same state; compare.

    Returns:
        What the replay gives, whose effects stay; UNFIT, with nothing done, if it does not fit.

    Raises:
        RuntimeError: they differ.
    """
    if not plan.ready():
        return UNFIT
    state = State(plan)
    given = [tensor._grad for tensor in tensors]
    try:
        eager = function(*args, **kwargs)
        outputs = [t._array.copy() for t in tensors_in(eager)]
        after, held = state.arrays(), state.held()
        left = [None if t._grad is None else t._grad._array.copy() for t, _ in plan.guards.left]
    finally:
        state.restore()
        for tensor, gradient in zip(tensors, given, strict=True):
            tensor._grad = gradient
    result = plan(tensors)
    if result is UNFIT:
        return UNFIT
    _compare("output", outputs, [t._array for t in tensors_in(result)])
    _compare("parameter, state or other tensor", after, state.arrays())
    found = state.held()
    for name, arrays in held.items():
        _compare(name, arrays, found[name])
    now = [None if t._grad is None else t._grad._array for t, _ in plan.guards.left]
    _compare("gradient", left, now)
    return result


def _compare(what: str, eager: list[Any], replayed: list[Any]) -> None:
    if len(eager) != len(replayed):
        raise RuntimeError(
            f"capture: in eager mode there are {len(eager)} tensors returned, replayed "
            f"{len(replayed)}"
        )
    for place, (a, b) in enumerate(zip(eager, replayed, strict=True)):
        if a is None and b is None:
            continue
        if a is None or b is None or a.shape != b.shape or not _close(a, b):
            shape = [] if a is None else list(a.shape)
            apart = "one is missing" if a is None or b is None else _distance(a, b)
            raise RuntimeError(
                f"capture: {what} {place}, of shape {shape}, is not what it is in eager mode "
                f"({apart}): the function does something that a replay does not repeat, such as "
                "keeping a tensor in a variable from one call to the next"
            )


def _close(a: Array, b: Array) -> bool:
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    tolerance = 64 * np.finfo(a.dtype).eps
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))


def _distance(a: Array, b: Array) -> str:
    if a.shape != b.shape:
        return f"it has shape {list(b.shape)}"
    with np.errstate(all="ignore"):
        return f"they differ by up to {np.nanmax(np.abs(a.astype(float) - b.astype(float))):g}"
