"""Prodigy: Adam that finds its learning rate."""

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


class Prodigy(Optimizer):
    """Prodigy: Adam with an estimate d of how far the optimum is in place of a tuned rate.

    The algorithm, with gradient g, over all tensors of a group at once; w₀ is where they started::

        r ← β₃·r + (d/d₀)·d·lr · <g, w₀ - w>
        s ← β₃·s + (d/d₀)·d·lr · g
        m ← β₁·m + (1 - β₁)·d·g
        v ← β₂·v + (1 - β₂)·d²·g²
        d̂ = c·r / ‖s‖₁,  d ← max over the steps so far of d̂, and d₀, grown by at most a factor
        w ← w - lr·dₒ·λ·w - lr·dₒ · m / (√v + d·ε)      (dₒ: the d this step began with)

    If the function is convex, d̂ is never more than the distance from w₀ to the optimum, which is
    the rate that a method of Adagrad's kind should have. Leave lr at 1; a schedule may multiply it.
    β₃ is √β₂ unless given. With ``use_bias_correction`` lr·dₒ is corrected for the start as Adam's
    rate is. PyTorch has no Prodigy. Each group has an estimate of its own (its authors' code has
    one for all groups), and its tensors must be of one dtype.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: a factor on the rate found, at least 0.
        betas: (β₁, β₂), each in [0, 1).
        beta3: β₃, in [0, 1), or None.
        eps: ε, at least 0.
        weight_decay: λ, at least 0.
        decouple: decay beside the step; False puts λ·w into the gradient.
        use_bias_correction: correct for the start.
        safeguard_warmup: leave lr out of s, so that a warm-up from 0 does not inflate d.
        d0: d₀, the first estimate, above 0: small; it is not a rate to be tuned.
        d_coef: c, above 0: the way to make all steps larger or smaller.
        growth_rate: the largest factor of d in a step, at least 1.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.Prodigy([w])
        >>> for _ in range(300):
        ...     optimizer.zero_grad(); ((w - 4) ** 2).sum().backward(); optimizer.step()
        >>> abs(w.item() - 4) < 0.1, 0.1 < optimizer.param_groups[0]["d"] < 3
        (True, True)

    References:
        Mishchenko & Defazio 2023, Prodigy: an expeditiously adaptive parameter-free learner,
        arXiv:2306.06101, algorithm 4.
    """

    _rule = "prodigy"
    _formula = "w ← w - lr·d·m / (√v + d·ε); d: the largest c·r / ‖s‖₁ so far"
    _state_names = ("exp_avg", "exp_avg_sq", "s", "p0")
    _memory = ("k", "d", "d_max", "d_numerator", "dlr")

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        beta3: float | None = None,
        eps: float = 1e-8,
        weight_decay: float = 0,
        decouple: bool = True,
        use_bias_correction: bool = False,
        safeguard_warmup: bool = False,
        d0: float = 1e-6,
        d_coef: float = 1.0,
        growth_rate: float = float("inf"),
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "beta3": beta3,
                "eps": eps,
                "weight_decay": weight_decay,
                "decouple": decouple,
                "use_bias_correction": use_bias_correction,
                "safeguard_warmup": safeguard_warmup,
                "d0": d0,
                "d_coef": d_coef,
                "growth_rate": growth_rate,
                "maximize": maximize,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "eps")
        check_betas(group)
        if group["beta3"] is not None:
            beta3 = number(group, "beta3")
            require("beta3 value", group["beta3"], "beta3 in [0, 1)", 0.0 <= beta3 < 1.0)
        for name in ("d0", "d_coef"):
            require(f"{name} value", group[name], f"{name} > 0", number(group, name) > 0)
        growth = number(group, "growth_rate")
        require("growth_rate value", group["growth_rate"], "growth_rate >= 1", growth >= 1)
        group.setdefault("k", 0.0)
        group.setdefault("d", float(group["d0"]))
        group.setdefault("d_max", float(group["d0"]))
        group.setdefault("d_numerator", 0.0)
        group.setdefault("dlr", 0.0)

    def _initial_state(self, name: str, parameter: Any, group: dict[str, Any]) -> Any:
        if name == "p0":
            return np.array(parameter, order="C")
        return super()._initial_state(name, parameter, group)

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        beta1, beta2 = map(float, group["betas"])
        return (
            float(group["lr"]),
            beta1,
            beta2,
            beta2**0.5 if group["beta3"] is None else float(group["beta3"]),
            group["eps"],
            group["weight_decay"],
            switch(group, "decouple"),
            float(group["d_coef"]),
            float(group["growth_rate"]),
            switch(group, "use_bias_correction"),
            switch(group, "safeguard_warmup"),
            float(group["d0"]),
            switch(group, "maximize"),
            *(float(group[name]) for name in self._memory),
        )
