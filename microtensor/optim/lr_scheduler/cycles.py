"""Schedules that go up and down, the momentum the other way."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

from microtensor.optim.lr_scheduler.scheduler import (
    LRScheduler,
    per_group,
    require_optimizer,
    set_rate,
)
from microtensor.optim.optimizer import Optimizer


class _WithMomentum(LRScheduler):
    """A schedule that also sets the momentum, or the first of the betas."""

    cycle_momentum: bool
    use_beta1: bool

    def _prepare_momentum(self, base: Any, largest: Any, last_epoch: int) -> None:
        optimizer = self.optimizer
        if not {"momentum", "betas"} & set(optimizer.defaults):
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled; "
                f"{type(optimizer).__name__} has neither: pass cycle_momentum=False"
            )
        self.use_beta1 = "betas" in optimizer.defaults
        self.base_momentums = per_group(optimizer, "base_momentum", base)
        self.max_momentums = per_group(optimizer, "max_momentum", largest)
        if last_epoch == -1:
            for group, low, high in zip(
                optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
            ):
                self._set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """Up and down between two rates, along lines, again and again.

    lr(t) = base + (max - base)·h(t)·scale: h rises from 0 to 1 over step_size_up steps and falls
    back over step_size_down. scale is 1 ("triangular"), 1/2 to the power of cycles done
    ("triangular2"), γᵗ ("exp_range"), or the user's function. The momentum mirrors it: max - (max -
    base)·h·scale.

    Args:
        optimizer: whose rates to set.
        base_lr: the lowest rate, or one for each group.
        max_lr: the highest, or one for each group.
        step_size_up, step_size_down: steps up and down; as many down as up unless given.
        mode: "triangular", "triangular2" or "exp_range".
        gamma: γ of "exp_range".
        scale_fn: the user's scale; mode is then ignored.
        scale_mode: whether scale_fn is of the "cycle" (from 1) or of "iterations" (from 0).
        cycle_momentum: whether to set the momentum too.
        base_momentum, max_momentum: its lowest and highest, or one for each group.
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        ValueError: an unknown mode, lists of another length than there are groups, or
            cycle_momentum with an optimizer that has none.

    References:
        Smith 2017, Cyclical learning rates for training neural networks, arXiv:1506.01186.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float = 0.8,
        max_momentum: float = 0.9,
        last_epoch: int = -1,
    ) -> None:
        require_optimizer(optimizer)
        self.optimizer = optimizer
        lowest = per_group(optimizer, "base_lr", base_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, lowest, strict=True):
                set_rate(group, rate)
        self.max_lrs = per_group(optimizer, "max_lr", max_lr)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(
                f"mode {mode!r} is invalid and scale_fn is None; legal: 'triangular', "
                "'triangular2', 'exp_range'"
            )
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._prepare_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lowest

    def scale_fn(self, x: float) -> float:
        """Give the scale of a cycle, or of a step."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 0.5 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self) -> list[Any]:
        """Give the rates of this step; sets the momenta."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(
                self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
            ):
                self._set_momentum(group, high - (high - low) * height * scale)
        return [
            low + (high - low) * height * scale
            for low, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """Give all but the optimizer and a scale function; of a callable object its attributes."""
        state = super().state_dict()
        custom = self._scale_fn_custom
        plain = custom is None or isinstance(custom, FunctionType)
        state["_scale_fn_custom"] = None if plain else vars(custom).copy()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave; the scale function stays."""
        rest = {k: v for k, v in state_dict.items() if k != "_scale_fn_custom"}
        super().load_state_dict(rest)
        memory = state_dict.get("_scale_fn_custom")
        if memory is not None:
            vars(self._scale_fn_custom).update(memory)


class OneCycleLR(_WithMomentum):
    """Once up and once down, to far below the start: for a run of known length.

    From max/div_factor up to max over pct_start of the steps, then down to a final_div_factor-th of
    the start; with three_phase down to the start first, as steeply as it rose, then further. Along
    half cosines or lines. The momentum goes the other way.

    Args:
        optimizer: whose rates to set.
        max_lr: the highest rate, or one for each group.
        total_steps: the length of the run; or
        epochs, steps_per_epoch: whose product it is.
        pct_start: the share of it that goes up, in [0, 1].
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether to set the momentum too.
        base_momentum, max_momentum: its lowest and highest, or one for each group.
        div_factor: the highest rate over the first.
        final_div_factor: the first rate over the last.
        three_phase: see above.
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        ValueError: an argument outside its range; or, from ``step``, the run is over.

    Example:
        >>> import microtensor as mt
        >>> optimizer = mt.optim.SGD([mt.ones(1)], lr=1.0, momentum=0.9)
        >>> schedule = mt.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
        >>> for _ in range(2):
        ...     optimizer.step(); schedule.step()
        >>> schedule.get_last_lr(), optimizer.param_groups[0]["momentum"]
        ([1.0], 0.85)

    References:
        Smith & Topin 2018, Super-convergence, arXiv:1708.07120; the two phases are fastai's.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        require_optimizer(optimizer)
        self.optimizer = optimizer
        lengths = {"total_steps": total_steps}
        if total_steps is None:
            lengths = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        if None in lengths.values():
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        self.total_steps = 1
        for name, length in lengths.items():
            if not isinstance(length, int) or length <= 0:
                raise ValueError(f"Expected positive integer {name}, but got {length}")
            self.total_steps *= length
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be 'cos' or 'linear', not {anneal_strategy!r}")
        self._anneal_func_type = anneal_strategy
        # Where each phase ends, and between which rates and momenta it goes.
        top = float(pct_start * self.total_steps) - 1
        end = self.total_steps - 1
        up = (top, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        if three_phase:
            down = (2 * top, "max_lr", "initial_lr", "base_momentum", "max_momentum")
            out = (end, "initial_lr", "min_lr", "max_momentum", "max_momentum")
            self._schedule_phases = [up, down, out]
        else:
            self._schedule_phases = [up, (end, "max_lr", "min_lr", *up[:2:-1])]
        highest = per_group(optimizer, "max_lr", max_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, highest, strict=True):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._prepare_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _between(self, start: float, end: float, share: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_lr(self) -> list[Any]:
        """Give the rates of this step; sets the momenta."""
        t = self.last_epoch
        if t > self.total_steps:
            raise ValueError(
                f"Tried to step {t} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        phases = self._schedule_phases
        place = next((i for i, phase in enumerate(phases) if t <= phase[0]), len(phases) - 1)
        begin = phases[place - 1][0] if place else 0.0
        end, first, last, first_momentum, last_momentum = phases[place]
        share = (t - begin) / (end - begin)
        found = []
        for group in self.optimizer.param_groups:
            found.append(self._between(group[first], group[last], share))
            if self.cycle_momentum:
                momentum = self._between(group[first_momentum], group[last_momentum], share)
                self._set_momentum(group, momentum)
        return found
