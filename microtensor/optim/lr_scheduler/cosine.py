"""Schedules along a cosine: slow, fast, slow."""

from __future__ import annotations

import math
from typing import Any

from microtensor.optim.lr_scheduler.scheduler import LRScheduler
from microtensor.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """Half a cosine down: lr(t) = η_min + (lr₀ - η_min)·(1 + cos(π·t/T_max))/2.

    Beyond T_max the rate rises again, as the cosine does. Steps multiply the present rate, so that
    other schedules may act on it too.

    Args:
        optimizer: whose rates to set.
        T_max: after how many steps the rate is η_min.
        eta_min: η_min.
        last_epoch: the step to go on from; -1 to begin.

    Example:
        >>> import microtensor as mt
        >>> optimizer = mt.optim.SGD([mt.ones(1)], lr=1.0)
        >>> scheduler = mt.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
        >>> for _ in range(2):
        ...     optimizer.step(); scheduler.step()
        >>> round(scheduler.get_last_lr()[0], 12)
        0.5

    References:
        Loshchilov & Hutter 2017, SGDR, arXiv:1608.03983, without its restarts.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        t, turn = self.last_epoch, math.pi / self.T_max
        if self._is_initial:
            return self._scaled(1)
        if self._step_count == 1 and t > 0:
            return self._closed_form_lr()
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:
            # The step before was at the bottom, from where no factor leads up.
            rise = (1 - math.cos(turn)) / 2
            return [
                group["lr"] + (base - self.eta_min) * rise
                for base, group in zip(self.base_lrs, self.optimizer.param_groups, strict=True)
            ]
        ratio = (1 + math.cos(turn * t)) / (1 + math.cos(turn * (t - 1)))
        return [
            ratio * (group["lr"] - self.eta_min) + self.eta_min
            for group in self.optimizer.param_groups
        ]

    def _closed_form_lr(self) -> list[Any]:
        height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half cosines down, one after another: lr = η_min + (lr₀ - η_min)·(1 + cos(π·T_cur/T_i))/2.

    T_cur counts the steps since the last restart; each period is T_mult times as long as the one
    before. ``step`` also takes fractions of an epoch.

    Args:
        optimizer: whose rates to set.
        T_0: the first period, a positive integer.
        T_mult: how much longer each is than the last, an integer of at least 1.
        eta_min: η_min.
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        ValueError: an argument outside its range.

    References:
        Loshchilov & Hutter 2017, SGDR: stochastic gradient descent with warm restarts,
        arXiv:1608.03983.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, int | float):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min!r}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the rates of the next step, or of the one given, which may be a fraction.

        Raises:
            ValueError: epoch is negative.
        """
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        elif epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            periods = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            passed = self.T_0 * (self.T_mult**periods - 1) / (self.T_mult - 1)
            self.T_i, self.T_cur = self.T_0 * self.T_mult**periods, epoch - passed
        self._step_count += 1
        super()._update_lr(math.floor(epoch))

    def _update_lr(self, epoch: int | None = None) -> None:
        # A sequence begins its next schedule at step 0.
        self.step(epoch)


class WarmupCosineLR(LRScheduler):
    """A line up, then half a cosine down.

    lr(t) = lr₀·(t+1)/W for t < W, then η_min + (lr₀ - η_min)·(1 + cos(π·(t-W)/(T-W)))/2, and η_min
    from T on. What most networks are trained with today. PyTorch has it as a SequentialLR of
    LinearLR and CosineAnnealingLR.

    Args:
        optimizer: whose rates to set.
        warmup_steps: W, at least 0.
        total_steps: T, more than W.
        eta_min: η_min.
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        ValueError: an argument outside its range.

    Example:
        >>> import microtensor as mt
        >>> optimizer = mt.optim.SGD([mt.ones(1)], lr=1.0)
        >>> scheduler = mt.optim.lr_scheduler.WarmupCosineLR(optimizer, 2, 6)
        >>> seen = []
        >>> for _ in range(7):
        ...     seen.append(round(scheduler.get_last_lr()[0], 2))
        ...     optimizer.step(); scheduler.step()
        >>> seen
        [0.5, 1.0, 1.0, 0.85, 0.5, 0.15, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int,
        total_steps: int,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if not 0 <= warmup_steps < total_steps:
            raise ValueError(
                "warmup_steps must be at least 0 and less than total_steps, not "
                f"{warmup_steps} of {total_steps}"
            )
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        t = self.last_epoch
        if t < self.warmup_steps:
            return [base * (t + 1) / self.warmup_steps for base in self.base_lrs]
        share = min(1.0, (t - self.warmup_steps) / (self.total_steps - self.warmup_steps))
        height = (1 + math.cos(math.pi * share)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]
