"""The optimizers in a plan: their options are copied in, their counts go on."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor.capturing.steps import OptimizerStep
from microtensor.tensor import Tensor


class Stepping:
    """One group of an optimizer that a plan steps.

    The kernel reads the group's numbers from an array of the optimizer's own plan of it; whenever
    an option has changed, they are written there anew, as an eager step would.
    """

    __slots__ = ("_changeable", "_options", "_tables", "cells", "optimizer", "place", "plan")

    def __init__(self, step: OptimizerStep) -> None:
        self.optimizer = step.optimizer
        self.place = step.place
        self.plan = step.plan
        self.cells = [p._cell for p in self.plan.active]
        self._tables = [call.parameters for call in self.plan.calls]
        self._options: list[Any] = []
        group = self.optimizer.param_groups[self.place]
        # What can change and stay the same object has to be looked at each time.
        self._changeable = any(
            isinstance(value, Tensor | np.ndarray) for value in group.values()
        ) or bool(self.plan.memory)

    def ready(self) -> bool:
        """Take over the group's options; say whether the optimizer's plan is still the one."""
        optimizer, plan = self.optimizer, self.plan
        plans, groups = optimizer._plans, optimizer.param_groups
        if not self.place < len(plans) == len(groups) or plans[self.place] is not plan:
            return False
        group = groups[self.place]
        options = [*group.values()]
        if self._changeable or optimizer._state_seen or not _same(options, self._options):
            values = optimizer._hyper(group)
            if (values != plan.values or optimizer._state_seen) and not plan.fits(
                list(plan.active), values, optimizer, group
            ):
                return False
            optimizer._opt_called = True
            self._options = options
        return [call.parameters for call in plan.calls] == self._tables

    def renew(self) -> None:
        """Take over options that have changed in the middle of a replay.

        Raises:
            RuntimeError: what has changed calls for another plan.
        """
        self.finish()
        if not self.ready():
            raise RuntimeError(
                f"capture: the parameters or states of {type(self.optimizer).__name__} changed "
                "in the middle of a replay"
            )

    def finish(self) -> None:
        """Tell the group what the step has advanced, as the optimizer's own plan does."""
        plan = self.plan
        if plan.memory:
            group = self.optimizer.param_groups[self.place]
            tail = plan.hyper[-len(plan.memory) :].tolist()
            group.update(zip(plan.memory, tail, strict=True))
            plan.values = (*plan.values[: -len(tail)], *tail)


def _same(options: list[Any], before: list[Any]) -> bool:
    try:
        return bool(options == before)
    except (RuntimeError, ValueError):  # tensors or arrays that are others now
        return False


def steppings(steps: list[Any]) -> list[Stepping]:
    """Give the groups that the steps of a record step, each once."""
    found = {id(step.plan): step for step in steps if isinstance(step, OptimizerStep)}
    return [Stepping(step) for step in found.values()]
