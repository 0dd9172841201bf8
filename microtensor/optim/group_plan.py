"""The arrays of one group's step, gathered once and used for as long as they stay the same."""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor import kernels
from microtensor.tensor import Tensor, wrap

if TYPE_CHECKING:
    from microtensor.optim.optimizer import Optimizer


class GroupPlan:
    """What a step over a group's parameters with gradients needs: one kernel call per dtype.

    Args:
        optimizer: whose state it is; what is missing of it is made.
        group: its options.
        active: the parameters that have a gradient.
        values: the numbers the kernel reads.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        group: dict[str, Any],
        active: list[Tensor],
        values: tuple[float, ...],
    ) -> None:
        self.active = tuple(active)
        self.values = values
        self.hyper = np.array(values, np.float64)
        self.used = optimizer._used_states(group)
        names = optimizer._state_names
        self.used_names = tuple(n for n, used in zip(names, self.used, strict=True) if used)
        # Rules without a step count still tell the first step, which finds no state yet, apart.
        begun = [optimizer._begin(p, self.used_names, group) for p in active]
        self.calls: list[_Call] = []
        dtypes = [p._array.dtype for p in active]
        for dtype in dict.fromkeys(dtypes):
            places = [i for i, d in enumerate(dtypes) if d == dtype]
            steps = np.array([begun[i] for i in places], np.float64)
            if optimizer._counts_steps:
                for j, i in enumerate(places):
                    state = optimizer._state[active[i]]
                    steps[j] = float(state["step"])
                    # The state's step is the place the kernel counts in.
                    state["step"] = wrap(steps[j : j + 1].reshape(()))
            parameters = [active[i] for i in places]
            states = self._arrays(optimizer._state, names, parameters)
            self.calls.append(_Call(places, parameters, states, steps))
        self._held_names = self.used_names + (("step",) if optimizer._counts_steps else ())
        self._held = self._arrays(optimizer._state, self._held_names, self.active)

    def _arrays(self, state: Any, names: Any, parameters: Any) -> list[Any]:
        """Give the arrays of the state now, None for those that are missing or not used."""
        wanted = {*self.used_names, "step"}
        owned = [state.get(p, {}) for p in parameters]
        return [
            getattr(own.get(n), "_array", None) if n in wanted else None
            for own in owned
            for n in names
        ]

    def fits(
        self,
        active: list[Tensor],
        values: tuple[float, ...],
        optimizer: Optimizer,
        group: dict[str, Any],
    ) -> bool:
        """Say whether it is still right; take over numbers that have changed.

        Raises:
            ValueError: a number that has changed is out of its range.
        """
        if len(active) != len(self.active) or not all(map(is_, active, self.active)):
            return False
        if values != self.values:
            # A schedule changes the rate, which comes first, at each step: that is to be cheap.
            if values[1:] == self.values[1:] and values[0] >= 0.0:
                self.hyper[0] = values[0]
            else:
                optimizer._check_group(group)
                if optimizer._used_states(group) != self.used:
                    return False
                self.hyper[:] = values
            self.values = values
        if not optimizer._state_seen:
            return True
        now = self._arrays(optimizer._state, self._held_names, active)
        return all(map(is_, now, self._held))

    def run(self, rule: str, gradients: list[Any]) -> None:
        """Make the step."""
        if len(self.calls) == 1:
            self.calls[0].run(rule, gradients, self.hyper)
            return
        for call in self.calls:
            call.run(rule, [gradients[i] for i in call.places], self.hyper)


class _Call:
    """One kernel call: the parameters of one dtype."""

    def __init__(
        self, places: list[int], parameters: list[Tensor], states: list[Any], steps: Any
    ) -> None:
        self.places = places
        self.tensors = parameters
        self.steps = steps
        self.parameters = kernels.ArrayTable([p._array for p in parameters])
        self.gradients = kernels.ArrayTable([None] * len(parameters))
        self.states = kernels.ArrayTable(states)

    def run(self, rule: str, gradients: list[Any], hyper: Any) -> None:
        arrays = [p._array for p in self.tensors]
        if not all(map(is_, arrays, self.parameters.arrays)):
            self.parameters.update(arrays)
        self.gradients.update(gradients)
        kernels.step(rule, self.parameters, self.gradients, self.states, self.steps, hyper)
