"""RAdam: Adam that waits until it can tell how much the gradients vary."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_betas, check_common, require_at_least_zero, switch


class RAdam(Optimizer):
    """Rectified Adam: plain momentum for the first steps, then Adam at a rate that grows into it.

    The algorithm, with gradient g and the step t counted from 1::

        g ← g + λ·w                             (g ← -g first with maximize)
        m ← β₁·m + (1 - β₁)·g,  m̂ = m/(1 - β₁ᵗ)
        s ← β₂·s + (1 - β₂)·g²
        ρ∞ = 2/(1 - β₂) - 1,  ρ = ρ∞ - 2·t·β₂ᵗ/(1 - β₂ᵗ)
        ρ > 5:  r = √((ρ - 4)·(ρ - 2)·ρ∞ / ((ρ∞ - 4)·(ρ∞ - 2)·ρ))
                w ← w - lr·r · m̂·√(1 - β₂ᵗ) / (√s + ε)
        else:   w ← w - lr·m̂

    After few steps the root of s is a poor estimate, whose variance Adam's first steps have in
    full; that is what a warm-up of the rate is for. r is that warm-up, derived instead of guessed:
    with β₂ = 0.999 it begins at step 6. (The paper has the threshold at 4, its authors' code and
    PyTorch at 5.)

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε, at least 0.
        weight_decay: λ, at least 0.
        decoupled_weight_decay: shrink the weights by 1 - lr·λ beside the step, as AdamW does.
        foreach, capturable, differentiable: PyTorch's; every step here is fused.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.RAdam([w], lr=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.8000], requires_grad=True)

    References:
        Liu, Jiang, He, Chen, Liu, Gao & Han 2020, On the variance of the adaptive learning rate and
        beyond, arXiv:1908.03265, algorithm 2.
    """

    _rule = "radam"
    _formula = "w ← w - lr·r·m̂ / (√ŝ + ε), or w - lr·m̂ while ρ ≤ 5"
    _state_names = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
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
                "maximize": maximize,
                "foreach": foreach,
                "capturable": capturable,
                "decoupled_weight_decay": decoupled_weight_decay,
                "differentiable": differentiable,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "eps")
        check_betas(group)

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            *map(float, group["betas"]),
            group["eps"],
            group["weight_decay"],
            switch(group, "decoupled_weight_decay"),
            switch(group, "maximize"),
        )
