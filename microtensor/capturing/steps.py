"""What a record holds besides ops and kernels: optimizers' steps, and other calls into Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microtensor.capturing.memory import Array
from microtensor.optim.group_plan import GroupPlan
from microtensor.optim.optimizer import Optimizer
from microtensor.tensor import Tensor


class OptimizerStep:
    """The kernel calls of an optimizer's step over one group.

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

    def run(self) -> None:
        """Do it in Python."""
        group = self.optimizer.param_groups[self.place]
        self.plan.run(self.optimizer._rule, self.gradients, group, None)


class HostCall:
    """A call into Python that is no kernel's: a schedule's step, say.

    Args:
        name: for reports.
        function: what to call.
        owner: what keeps its state, a schedule or an optimizer.
    """

    def __init__(self, name: str, function: Callable[[], Any], owner: Any = None) -> None:
        self.name = name
        self.run = function
        self.owner = owner


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
        self._step = step

    def _again(self) -> None:
        for p, gradient in self.gradients:
            p._grad = gradient
        self._step(self.owner)
