"""Schedule-free SGD and AdamW: averaging takes the place of a falling rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import (
    check_betas,
    check_common,
    number,
    require,
    require_at_least_zero,
    switch,
)

_MEMORY = ("k", "lr_max", "weight_sum", "scheduled_lr", "share")


class _ScheduleFree(Optimizer):
    """What both have in common: the averaged weights x, and going to them and back."""

    _memory = _MEMORY

    def _interpolation(self, group: dict[str, Any]) -> float:
        """How far towards the average gradients are taken."""
        raise NotImplementedError

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "warmup_steps")
        for name in ("r", "weight_lr_power"):
            value = number(group, name)
            require(f"{name} value", value, f"{name} a number", value == value)
        group.setdefault("train_mode", True)
        for name in _MEMORY:
            group.setdefault(name, 0.0)

    def _initial_state(self, name: str, parameter: Any, group: dict[str, Any]) -> Any:
        if name == "z":
            return np.array(parameter, order="C")
        return super()._initial_state(name, parameter, group)

    def _switch(self, training: bool) -> None:
        for group in self.param_groups:
            if group["train_mode"] == training:
                continue
            beta = self._interpolation(group)
            # y = (1 - β)·z + β·x, and back.
            weight = 1 - beta if training else 1 - 1 / beta
            for p in group["params"]:
                z = self._state.get(p, {}).get("z")
                if z is not None:
                    p._array += weight * (z._array - p._array)
                    p._cell[0] += 1
            group["train_mode"] = training

    def train(self) -> None:
        """Put the weights y, at which gradients are to be taken, into the parameters."""
        self._switch(True)

    def eval(self) -> None:
        """Put the averaged weights x into the parameters: to validate, save or use them."""
        self._switch(False)

    def step(self, closure: Any = None) -> Any:
        """Update all parameters that have a gradient, as :meth:`Optimizer.step`.

        Raises:
            RuntimeError: the parameters hold the averaged weights: :meth:`train` was not called.
        """
        if not all(group["train_mode"] for group in self.param_groups):
            raise RuntimeError(
                "the parameters hold the averaged weights: call optimizer.train() before training "
                "goes on, as optimizer.eval() before validating"
            )
        return super().step(closure)


class ScheduleFreeSGD(_ScheduleFree):
    """Schedule-free SGD: the average of the way, and gradients taken between it and its end.

    The algorithm, with the step t counted from 1; x, y and z start alike::

        y = (1 - μ)·z + μ·x
        g = gradient at y, + λ·y               (g ← -g first with maximize)
        z ← z - η·g,  with η = lr·min(1, t/warmup_steps)
        x ← (1 - c)·x + c·z,  with c = t^r·η_max^p / Σ of these so far

    With a constant rate it is as good as SGD under the best falling schedule, without knowing when
    training will end. z is plain gradient descent; x, its average, is what to use. The parameters
    hold y while training and x after ``optimizer.eval()``; ``optimizer.train()`` goes back. Only
    z is stored: x follows from y and z. PyTorch has no schedule-free optimizers.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0; larger than a schedule's highest is common.
        momentum: μ, in (0, 1).
        weight_decay: λ, at least 0, at y.
        warmup_steps: over how many steps the rate rises.
        r: the power of t in the weight of a step in x.
        weight_lr_power: p, the power of the largest rate so far.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.ScheduleFreeSGD([w], lr=0.1)
        >>> for _ in range(100):
        ...     optimizer.zero_grad(); (w * w).sum().backward(); optimizer.step()
        >>> optimizer.eval(); abs(w.item()) < 0.05
        True

    References:
        Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky 2024, The road less scheduled,
        arXiv:2405.15682.
    """

    _rule = "schedule_free_sgd"
    _formula = "z ← z - lr·g(y); x ← (1 - c)·x + c·z; y = (1 - μ)·z + μ·x"
    _state_names = ("z",)

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "weight_decay": weight_decay,
                "warmup_steps": warmup_steps,
                "r": r,
                "weight_lr_power": weight_lr_power,
                "maximize": maximize,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        momentum = number(group, "momentum")
        require("momentum value", group["momentum"], "0 < momentum < 1", 0 < momentum < 1)
        super()._check_group(group)

    def _interpolation(self, group: dict[str, Any]) -> float:
        return float(group["momentum"])

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            group["momentum"],
            group["weight_decay"],
            float(group["warmup_steps"]),
            float(group["r"]),
            float(group["weight_lr_power"]),
            switch(group, "maximize"),
            *(float(group[name]) for name in _MEMORY),
        )


class ScheduleFreeAdamW(_ScheduleFree):
    """Schedule-free AdamW: schedule-free SGD with gradients normalised as RMSprop does.

    The algorithm, with the step t counted from 1; x, y and z start alike::

        y = (1 - β₁)·z + β₁·x
        g = gradient at y                       (g ← -g first with maximize)
        s ← β₂·s + (1 - β₂)·g²
        z ← z - η·(g / (√(s/(1 - β₂ᵗ)) + ε) + λ·y),  with η = lr·min(1, t/warmup_steps)
        x ← (1 - c)·x + c·z,  with c = t^r·η_max^p / Σ of these so far

    There is no first moment: the interpolation β₁ does its work. For x, y, z, ``train()`` and
    ``eval()`` see :class:`ScheduleFreeSGD`. It won the self-tuning track of the AlgoPerf contest in
    2024. PyTorch has no schedule-free optimizers.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        betas: (β₁ in (0, 1), β₂ in [0, 1)).
        eps: ε, at least 0.
        weight_decay: λ, at least 0, at y.
        warmup_steps: over how many steps the rate rises.
        r: the power of t in the weight of a step in x.
        weight_lr_power: p, the power of the largest rate so far.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.ScheduleFreeAdamW([w], lr=0.1)
        >>> for _ in range(200):
        ...     optimizer.zero_grad(); (w * w).sum().backward(); optimizer.step()
        >>> optimizer.eval(); abs(w.item()) < 0.05
        True

    References:
        Defazio et al. 2024, The road less scheduled, arXiv:2405.15682, algorithm 1.
    """

    _rule = "schedule_free_adamw"
    _formula = "z ← z - lr·(g(y) / (√ŝ + ε) + λ·y); x ← (1 - c)·x + c·z; y = (1 - β₁)·z + β₁·x"
    _state_names = ("z", "exp_avg_sq")

    def __init__(
        self,
        params: Any,
        lr: float = 0.0025,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "warmup_steps": warmup_steps,
                "r": r,
                "weight_lr_power": weight_lr_power,
                "maximize": maximize,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_betas(group)
        beta1 = group["betas"][0]
        require("beta parameter at index 0", beta1, "betas[0] in (0, 1)", beta1 > 0)
        require_at_least_zero(group, "eps")
        super()._check_group(group)

    def _interpolation(self, group: dict[str, Any]) -> float:
        return float(group["betas"][0])

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            *map(float, group["betas"]),
            group["eps"],
            group["weight_decay"],
            float(group["warmup_steps"]),
            float(group["r"]),
            float(group["weight_lr_power"]),
            switch(group, "maximize"),
            *(float(group[name]) for name in _MEMORY),
        )
