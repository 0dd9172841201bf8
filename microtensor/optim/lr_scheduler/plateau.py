"""A schedule that watches a measure."""

from __future__ import annotations

import math
from typing import Any

from microtensor.optim.lr_scheduler.scheduler import LRScheduler, rates, require_optimizer, set_rate
from microtensor.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """Times a factor when a measure has not become better for some epochs.

    Better than the best so far means, for mode "min", less than best·(1 - threshold) ("rel") or
    than best - threshold ("abs"); for "max" more than best·(1 + threshold) or best + threshold.
    After more than ``patience`` epochs that were not, the rate is reduced, and for ``cooldown``
    epochs none are counted. NaN is never better.

    Args:
        optimizer: whose rates to set.
        mode: "min" or "max".
        factor: what to multiply with, less than 1.
        patience: how many epochs without progress to bear.
        threshold: how much better counts.
        threshold_mode: "rel" or "abs".
        cooldown: see above.
        min_lr: the lowest rate, or one for each group.
        eps: changes that are no larger are not made.

    Raises:
        ValueError: an argument outside its range.

    Example:
        >>> import microtensor as mt
        >>> optimizer = mt.optim.SGD([mt.ones(1)], lr=1.0)
        >>> scheduler = mt.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        >>> for loss in (1.0, 0.5, 0.5, 0.5):
        ...     scheduler.step(loss)
        >>> scheduler.get_last_lr()
        [0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: list[float] | float = 0,
        eps: float = 1e-8,
    ) -> None:
        if not factor < 1.0:
            raise ValueError(f"Factor should be < 1.0, not {factor}")
        require_optimizer(optimizer)
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode!r} is unknown; legal: 'min', 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode!r} is unknown; legal: 'rel', 'abs'")
        count = len(optimizer.param_groups)
        self.default_min_lr: float | None = None
        if isinstance(min_lr, list | tuple):
            if len(min_lr) != count:
                raise ValueError(f"expected {count} min_lrs, got {len(min_lr)}")
            self.min_lrs = list(min_lr)
        else:
            self.default_min_lr = min_lr
            self.min_lrs = [min_lr] * count
        self.optimizer = optimizer
        self.factor = factor
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.last_epoch = 0
        self._last_lr = rates(optimizer)
        self._reset()

    def _reset(self) -> None:
        self.best = math.inf if self.mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        """Whether a reduction is so recent that epochs are not counted."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take in the measure of an epoch, and reduce the rates if it is time.

        Args:
            metrics: a number, or a tensor of one.
            epoch: its number; the next unless given.
        """
        value = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(value, self.best):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = rates(self.optimizer)

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"the optimizer has {len(groups)} groups, min_lrs {len(self.min_lrs)}: a group "
                    "was added; set the scheduler's `min_lrs` to as many"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                set_rate(group, new)

    def _is_better(self, value: float, best: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            limit = best * (1.0 + sign * self.threshold)
        else:
            limit = best + sign * self.threshold
        return value < limit if self.mode == "min" else value > limit
