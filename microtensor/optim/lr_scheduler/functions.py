"""Schedules that the user writes as functions."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from microtensor.optim.lr_scheduler.scheduler import LRScheduler
from microtensor.optim.optimizer import Optimizer

Function = Callable[[int], float]


class _OfFunctions(LRScheduler):
    """One function a group. Of these a state_dict holds what objects remember, not the code."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        count = len(getattr(optimizer, "param_groups", ()))
        if isinstance(lr_lambda, list | tuple):
            if len(lr_lambda) != count:
                raise ValueError(f"Expected {count} lr_lambdas, but got {len(lr_lambda)}")
            self.lr_lambdas: list[Function] = list(lr_lambda)
        else:
            self.lr_lambdas = [lr_lambda] * count
        for each in self.lr_lambdas:
            if not callable(each):
                raise TypeError(f"lr_lambda should be a function, but got {type(each).__name__}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Give all but the optimizer and the functions; of callable objects their attributes."""
        state = super().state_dict()
        state["lr_lambdas"] = [
            None if isinstance(each, FunctionType) else vars(each).copy()
            for each in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave; the functions stay."""
        rest = {name: value for name, value in state_dict.items() if name != "lr_lambdas"}
        super().load_state_dict(rest)
        for function, memory in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if memory is not None:
                vars(function).update(memory)


class LambdaLR(_OfFunctions):
    """The initial rate times a function of the step: lr(t) = lr₀·f(t).

    Args:
        optimizer: whose rates to set.
        lr_lambda: f, or one for each group.
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        ValueError: another number of functions than of groups.
        TypeError: something that cannot be called.

    Example:
        >>> import microtensor as mt
        >>> optimizer = mt.optim.SGD([mt.ones(1)], lr=0.8)
        >>> scheduler = mt.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.5**t)
        >>> optimizer.step(); scheduler.step(); scheduler.get_last_lr()
        [0.4]
    """

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        return [
            base * function(self.last_epoch)
            for function, base in zip(self.lr_lambdas, self.base_lrs, strict=True)
        ]


class MultiplicativeLR(_OfFunctions):
    """The present rate times a function of the step: lr(t) = lr(t-1)·f(t), from t = 1.

    Args:
        optimizer: whose rates to set.
        lr_lambda: f, or one for each group.
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        ValueError: another number of functions than of groups.
        TypeError: something that cannot be called.
    """

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        if self._is_initial:
            return self._scaled(1)
        return [
            group["lr"] * function(self.last_epoch)
            for function, group in zip(self.lr_lambdas, self.optimizer.param_groups, strict=True)
        ]
