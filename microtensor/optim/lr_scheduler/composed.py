"""Schedules made of schedules."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from microtensor.optim.lr_scheduler.plateau import ReduceLROnPlateau
from microtensor.optim.lr_scheduler.scheduler import LRScheduler, rates, set_rate
from microtensor.optim.optimizer import Optimizer


class _Composed(LRScheduler):
    """Several schedules of one optimizer, saved together."""

    _schedulers: list[LRScheduler]

    def _check(self, optimizer: Any, schedulers: Sequence[Any]) -> None:
        own = type(self).__name__
        for place, each in enumerate(schedulers):
            if not hasattr(each, "optimizer"):
                raise TypeError(
                    f"{own}: the scheduler at index {place} is {type(each).__name__}, which has no "
                    "`optimizer`"
                )
            if isinstance(each, ReduceLROnPlateau):
                raise ValueError(
                    f"{own} does not support `ReduceLROnPlateau`, whose step takes a measure, but "
                    f"got one at index {place}"
                )
            if each.optimizer is not optimizer:
                raise ValueError(
                    f"{own} expects all schedulers to belong to the same optimizer, but that of "
                    f"{type(each).__name__} at index {place} is another"
                )

    def _initial_step(self) -> None:
        # The parts have made their first step already, no optimizer has: nothing to warn of.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            super()._initial_step()

    def state_dict(self) -> dict[str, Any]:
        """Give all but the optimizer, with the schedules' own."""
        state = super().state_dict()
        state["_schedulers"] = [each.state_dict() for each in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for each, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            each.load_state_dict(state)


class SequentialLR(_Composed):
    """One schedule after another, each beginning at its step 0 when its turn comes.

    Args:
        optimizer: whose rates to set.
        schedulers: what follows what.
        milestones: the steps at which the second, the third, ... begins.
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        ValueError: no schedules, another number of milestones than one less than of schedules,
            one of another optimizer, a ReduceLROnPlateau.
        TypeError: something that is no schedule.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
        >>> optimizer = mt.optim.SGD([mt.ones(1)], lr=1.0)
        >>> parts = [ConstantLR(optimizer, factor=0.5), ExponentialLR(optimizer, gamma=0.5)]
        >>> scheduler = SequentialLR(optimizer, parts, milestones=[2])
        >>> seen = []
        >>> for _ in range(4):
        ...     seen.append(scheduler.get_last_lr()[0])
        ...     optimizer.step(); scheduler.step()
        >>> seen
        [0.5, 0.5, 1.0, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        if len(schedulers) < 1:
            raise ValueError("SequentialLR expects at least one scheduler, but got none")
        self._check(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedulers need one milestone less, but got "
                f"{len(milestones)}"
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # Making the schedules has set the rates once each: back to where they began.
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        for each in schedulers:
            _take_back(each)
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:  # type: ignore[override]
        """Set the rates of the next step."""
        self.last_epoch += 1
        place = bisect_right(self._milestones, self.last_epoch)
        now = self._schedulers[place]
        if place > 0 and self._milestones[place - 1] == self.last_epoch:
            now._update_lr(0)
        else:
            now.step()
        self._last_lr = now.get_last_lr()


def _take_back(scheduler: LRScheduler) -> None:
    """Undo the step that making a schedule made."""
    if isinstance(scheduler, _Composed):
        for each in scheduler._schedulers:
            _take_back(each)
    else:
        scheduler.last_epoch -= 1


class ChainedScheduler(_Composed):
    """Several schedules at once: each multiplies the rate that the ones before it left.

    Args:
        schedulers: which.
        optimizer: whose rates to set; that of the first unless given.

    Raises:
        ValueError: no schedules, one of another optimizer, a ReduceLROnPlateau.
        TypeError: something that is no schedule.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
        >>> optimizer = mt.optim.SGD([mt.ones(1)], lr=1.0)
        >>> parts = [ConstantLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)]
        >>> scheduler = ChainedScheduler(parts)
        >>> seen = []
        >>> for _ in range(4):
        ...     seen.append(scheduler.get_last_lr()[0])
        ...     optimizer.step(); scheduler.step()
        >>> seen
        [0.5, 0.25, 0.25, 0.125]
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        if len(schedulers) < 1:
            raise ValueError("ChainedScheduler expects at least one scheduler, but got none")
        optimizer = optimizer or getattr(schedulers[0], "optimizer", None)
        self._check(optimizer, schedulers)
        assert optimizer is not None
        self._schedulers = list(schedulers)
        self.optimizer = optimizer
        self._last_lr = rates(optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Step every schedule."""
        for each in self._schedulers:
            each.step()
        self._last_lr = rates(self.optimizer)
