"""The arrays of one group's step, gathered once and used for as long as they stay the same."""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor import kernels
from microtensor.kernels.twin_steps import RULES
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
        self.memory = optimizer._memory
        names = optimizer._state_names
        self.used_names = tuple(n for n, used in zip(names, self.used, strict=True) if used)
        # Rules without a step count still tell the first step, which finds no state yet, apart.
        begun = [optimizer._begin(p, self.used_names, group) for p in active]
        self.calls: list[_Call] = []
        dtypes = [p._array.dtype for p in active]
        kinds = list(dict.fromkeys(dtypes))
        if self.memory and len(kinds) > 1:
            raise ValueError(
                f"{type(optimizer).__name__} remembers one {self.memory[0]!r} for a group, whose "
                f"parameters must be of one dtype; got {', '.join(str(each) for each in kinds)}"
            )
        number_names = optimizer._number_names if optimizer._counts_steps else ()
        self._held_names = self.used_names + number_names
        for dtype in kinds:
            places = [i for i, d in enumerate(dtypes) if d == dtype]
            numbers = np.zeros((len(places), RULES[optimizer._rule].numbers), np.float64)
            for j, i in enumerate(places):
                numbers[j, 0] = begun[i]
                state = optimizer._state[active[i]] if number_names else {}
                for m, name in enumerate(number_names):
                    numbers[j, m] = float(state[name])
                    # The state's number is the place the kernel counts in.
                    state[name] = wrap(numbers[j, m : m + 1].reshape(()))
            parameters = [active[i] for i in places]
            states = self._arrays(optimizer._state, names, parameters)
            room = optimizer._room(parameters)
            if room:
                own = len(names)
                states = [
                    array
                    for j in range(len(parameters))
                    for array in (*states[j * own : (j + 1) * own], *room)
                ]
            self.calls.append(_Call(places, parameters, states, numbers))
        self._held = self._arrays(optimizer._state, self._held_names, self.active)

    def _arrays(self, state: Any, names: Any, parameters: Any) -> list[Any]:
        """Give the arrays of the state now, None for those that are missing or not used."""
        owned = [state.get(p, {}) for p in parameters]
        return [
            getattr(own.get(n), "_array", None) if n in self._held_names else None
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

    def run(self, rule: str, gradients: list[Any], group: dict[str, Any], touched: Any) -> None:
        """Make the step, and tell the group what it is to remember."""
        for call in self.calls:
            if len(self.calls) == 1:
                call.run(rule, gradients, self.hyper, touched)
                continue
            rows = touched and [touched[i] for i in call.places]
            call.run(rule, [gradients[i] for i in call.places], self.hyper, rows)
        if self.memory:
            tail = self.hyper[-len(self.memory) :].tolist()
            group.update(zip(self.memory, tail, strict=True))
            self.values = (*self.values[: -len(tail)], *tail)


class _Call:
    """One kernel call: the parameters of one dtype."""

    def __init__(
        self, places: list[int], parameters: list[Tensor], states: list[Any], numbers: Any
    ) -> None:
        self.places = places
        self.tensors = parameters
        self.numbers = numbers
        self.parameters = kernels.ArrayTable([p._array for p in parameters])
        self.gradients = kernels.ArrayTable([None] * len(parameters))
        self.states = kernels.ArrayTable(states)

    def run(self, rule: str, gradients: list[Any], hyper: Any, touched: Any) -> None:
        arrays = [p._array for p in self.tensors]
        if not all(map(is_, arrays, self.parameters.arrays)):
            # A new table, not an update: their shapes may be others.
            self.parameters = kernels.ArrayTable(arrays)
        if not all(map(is_, gradients, self.gradients.arrays)):
            self.gradients.update(gradients)
        tables = self.parameters, self.gradients, self.states
        if touched is None:
            kernels.step(rule, *tables, self.numbers, hyper)
        else:
            kernels.step(rule, *tables, self.numbers, hyper, touched)
