"""Schedules that fall, or rise, by a formula in the step t."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

from microtensor.optim.lr_scheduler.scheduler import LRScheduler
from microtensor.optim.optimizer import Optimizer


class StepLR(LRScheduler):
    """Times γ every so many steps: lr(t) = lr₀·γ^⌊t/step_size⌋.

    Args:
        optimizer: whose rates to set.
        step_size: every how many steps.
        gamma: γ.
        last_epoch: the step to go on from; -1 to begin.

    Example:
        >>> import microtensor as mt
        >>> optimizer = mt.optim.SGD([mt.ones(1)], lr=1.0)
        >>> scheduler = mt.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        >>> seen = []
        >>> for _ in range(5):
        ...     seen.append(optimizer.param_groups[0]["lr"])
        ...     optimizer.step(); scheduler.step()
        >>> seen
        [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        due = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return self._scaled(self.gamma if due else 1)

    def _closed_form_lr(self) -> list[Any]:
        factor = self.gamma ** (self.last_epoch // self.step_size)
        return [base * factor for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Times γ at given steps: lr(t) = lr₀·γ^(how many milestones are ≤ t).

    Args:
        optimizer: whose rates to set.
        milestones: the steps; one that appears twice counts twice.
        gamma: γ.
        last_epoch: the step to go on from; -1 to begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        times = self.milestones.get(self.last_epoch, 0)
        return self._scaled(self.gamma**times)

    def _closed_form_lr(self) -> list[Any]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]


class ConstantLR(LRScheduler):
    """A smaller rate for the first steps: lr(t) = lr₀·factor while t < total_iters, then lr₀.

    Args:
        optimizer: whose rates to set.
        factor: in [0, 1].
        total_iters: how many steps.
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        ValueError: factor is not in [0, 1].
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"factor must be in [0, 1], not {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        if self.last_epoch == 0:
            return self._scaled(self.factor)
        return self._scaled(1.0 / self.factor if self.last_epoch == self.total_iters else 1)

    def _closed_form_lr(self) -> list[Any]:
        factor = self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)
        return [base * factor for base in self.base_lrs]


class LinearLR(LRScheduler):
    """A straight line: lr(t) = lr₀·(start + (end - start)·min(t/total_iters, 1)).

    Args:
        optimizer: whose rates to set.
        start_factor: in (0, 1].
        end_factor: in [0, 1].
        total_iters: how many steps the line takes.
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        ValueError: a factor outside its range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(f"start_factor must be in (0, 1], not {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"end_factor must be in [0, 1], not {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        t, rise = self.last_epoch, self.end_factor - self.start_factor
        if t == 0:
            return self._scaled(self.start_factor)
        if self._is_initial or t > self.total_iters:
            return self._scaled(1)
        before = self.total_iters * self.start_factor + (t - 1) * rise
        return self._scaled(1.0 + rise / before)

    def _closed_form_lr(self) -> list[Any]:
        rise = self.end_factor - self.start_factor
        share = min(self.total_iters, self.last_epoch) / self.total_iters
        return [base * (self.start_factor + rise * share) for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Times γ at every step: lr(t) = lr₀·γᵗ.

    Args:
        optimizer: whose rates to set.
        gamma: γ.
        last_epoch: the step to go on from; -1 to begin.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        return self._scaled(1 if self._is_initial else self.gamma)

    def _closed_form_lr(self) -> list[Any]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]


class PolynomialLR(LRScheduler):
    """A power of the time left: lr(t) = lr₀·(1 - min(t/total_iters, 1))^power.

    Args:
        optimizer: whose rates to set.
        total_iters: after how many steps the rate is 0.
        power: 1 for a straight line.
        last_epoch: the step to go on from; -1 to begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        t, total = self.last_epoch, self.total_iters
        if self._is_initial or t > total:
            return self._scaled(1)
        return self._scaled(((1.0 - t / total) / (1.0 - (t - 1) / total)) ** self.power)

    def _closed_form_lr(self) -> list[Any]:
        left = 1.0 - min(self.total_iters, self.last_epoch) / self.total_iters
        return [base * left**self.power for base in self.base_lrs]


class InverseSquareRootLR(LRScheduler):
    """Warm-up, then the inverse square root of the step: lr(t) = lr₀·min((t+1)/W, √(W/(t+1))).

    The schedule of the first transformers: the rate rises along a line for W steps, up to lr₀, and
    falls as 1/√t from there; it needs no end. (The paper's factor, model_size^-½·W^-½, is lr₀
    here.) PyTorch has none.

    Args:
        optimizer: whose rates to set.
        warmup_steps: W, at least 1.
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        ValueError: warmup_steps is less than 1.

    Example:
        >>> import microtensor as mt
        >>> optimizer = mt.optim.SGD([mt.ones(1)], lr=1.0)
        >>> scheduler = mt.optim.lr_scheduler.InverseSquareRootLR(optimizer, warmup_steps=4)
        >>> for _ in range(16):
        ...     optimizer.step(); scheduler.step(); rate = scheduler.get_last_lr()[0]
        ...     if scheduler.last_epoch in (1, 3, 15): print(rate)
        0.5
        1.0
        0.5

    References:
        Vaswani et al. 2017, Attention is all you need, arXiv:1706.03762, section 5.3.
    """

    def __init__(self, optimizer: Optimizer, warmup_steps: int, last_epoch: int = -1) -> None:
        if not warmup_steps >= 1:
            raise ValueError(f"warmup_steps must be at least 1, not {warmup_steps}")
        self.warmup_steps = warmup_steps
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        step = self.last_epoch + 1
        factor = min(step / self.warmup_steps, (self.warmup_steps / step) ** 0.5)
        return [base * factor for base in self.base_lrs]
