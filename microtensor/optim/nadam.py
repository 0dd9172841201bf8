"""NAdam: Adam that looks ahead, as Nesterov's momentum does."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_betas, check_common, require_at_least_zero, switch


class NAdam(Optimizer):
    """NAdam: Adam with Nesterov's look-ahead and a momentum that grows with the steps.

    The algorithm, with gradient g and the step t counted from 1::

        g ← g + λ·w                             (g ← -g first with maximize)
        μₜ = β₁·(1 - ½·0.96^(t·ψ)),  Π ← Π·μₜ    (Π starts at 1)
        m ← β₁·m + (1 - β₁)·g
        s ← β₂·s + (1 - β₂)·g²
        m̂ = μₜ₊₁·m/(1 - Π·μₜ₊₁) + (1 - μₜ)·g/(1 - Π)
        w ← w - lr · m̂ / (√(s/(1 - β₂ᵗ)) + ε)

    Where Adam steps along the old average, this steps along what the average will be after the next
    decay, with this gradient already in it. With ``decoupled_weight_decay`` the weights are shrunk
    by 1 - lr·λ beside the step, as in AdamW.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε, at least 0.
        weight_decay: λ, at least 0.
        momentum_decay: ψ, at least 0: how soon the momentum is at its full size.
        decoupled_weight_decay: shrink the weights beside the step.
        foreach, capturable, differentiable: PyTorch's; every step here is fused.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.NAdam([w], lr=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.8944], requires_grad=True)

    References:
        Dozat 2016, Incorporating Nesterov momentum into Adam.
    """

    _rule = "nadam"
    _formula = "w ← w - lr·(μₜ₊₁·m/(1 - Π·μₜ₊₁) + (1 - μₜ)·g/(1 - Π)) / (√ŝ + ε)"
    _state_names = ("exp_avg", "exp_avg_sq")
    _number_names = ("step", "mu_product")

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
                "foreach": foreach,
                "capturable": capturable,
                "differentiable": differentiable,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "eps", "momentum_decay")
        check_betas(group)

    def _initial_number(self, name: str, group: dict[str, Any]) -> float:
        return 1.0 if name == "mu_product" else 0.0

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            *map(float, group["betas"]),
            group["eps"],
            group["weight_decay"],
            group["momentum_decay"],
            switch(group, "decoupled_weight_decay"),
            switch(group, "maximize"),
        )
