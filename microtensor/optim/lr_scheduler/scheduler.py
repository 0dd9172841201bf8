"""What all schedules share: counting steps, setting the groups' rates, saving."""

from __future__ import annotations

import warnings
from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.tensor import Tensor


class LRScheduler:
    """Base of the schedules.

    Making one sets the rates of step 0; each ``step()`` sets those of the next. A subclass defines
    :meth:`get_lr` from ``self.last_epoch``: most multiply the group's present rate, so that several
    schedules, and the user, can change the same rate. ``_closed_form_lr`` may give the same as a
    function of the step alone, which is what ``step(epoch)`` uses.

    Args:
        optimizer: whose groups' "lr" is set; they gain "initial_lr".
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        TypeError: not an optimizer.
        KeyError: last_epoch is not -1 and a group has no "initial_lr".
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        require_optimizer(optimizer)
        self.optimizer = optimizer
        for place, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{place}]: to go on from "
                    f"last_epoch={last_epoch}, load the optimizer's state_dict first"
                )
        self.base_lrs = rates(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._last_lr: list[Any] = []
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[Any]:
        """Give the rates of step ``self.last_epoch``; for those in use see :meth:`get_last_lr`."""
        raise NotImplementedError

    def _closed_form_lr(self) -> list[Any]:
        """Give the rates as a function of the step alone."""
        return self.get_lr()

    def get_last_lr(self) -> list[Any]:
        """Give the rates that the last step set, one a group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Set the rates of the next step.

        Args:
            epoch: the step to set the rates of instead (deprecated in PyTorch).
        """
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(
                "lr_scheduler.step() before optimizer.step(): the first value of the schedule is "
                "skipped; call optimizer.step() first",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None:
            self.last_epoch += 1
            values = self.get_lr()
        else:
            self.last_epoch = epoch
            values = self._closed_form_lr()
        for group, rate in zip(self.optimizer.param_groups, values, strict=True):
            set_rate(group, rate)
        self._last_lr = rates(self.optimizer)

    def _scaled(self, factor: float) -> list[Any]:
        """Give the present rates times a factor."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Give all but the optimizer."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave; the optimizer has a state_dict of its own."""
        vars(self).update(state_dict)


def require_optimizer(optimizer: Any) -> None:
    """Raise TypeError for anything else."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def copied(rate: Any) -> Any:
    """Give a rate of one's own: tensors may change in place."""
    return rate.clone() if isinstance(rate, Tensor) else rate


def rates(optimizer: Optimizer, name: str = "lr") -> list[Any]:
    """Give copies of an option of all groups."""
    return [copied(group[name]) for group in optimizer.param_groups]


def set_rate(group: dict[str, Any], rate: Any) -> None:
    """Set a group's rate; into the tensor, if it is one."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(float(rate))
    else:
        group["lr"] = rate


def per_group(optimizer: Optimizer, name: str, value: Any) -> list[Any]:
    """Give one value a group, from one for all or a list.

    Raises:
        ValueError: the list has another length.
    """
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [copied(value) for _ in range(count)]
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups: {len(value)} values for "
            f"{count} groups"
        )
    return [copied(each) for each in value]
