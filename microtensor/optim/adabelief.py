"""AdaBelief: long steps where the gradient is as expected."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_betas, check_common, require_at_least_zero, switch


class AdaBelief(Optimizer):
    """AdaBelief: Adam divided by how far gradients are from their average, not by their size.

    The algorithm, with gradient g and the step t counted from 1::

        m ← β₁·m + (1 - β₁)·g                   (g ← -g first with maximize)
        s ← β₂·s + (1 - β₂)·(g - m)² + ε
        w ← w - lr·λ·w - lr · m/(1 - β₁ᵗ) / (√(s/(1 - β₂ᵗ)) + ε)

    The average is a belief about the next gradient. Along a steady slope s is small and the step
    long, where Adam's is lr; where gradients toss about both are short. ε stands at both places, as
    in the paper's algorithm; within s it adds up, to ε/(1 - β₂). Without ``decoupled_weight_decay``
    λ·w goes into the gradient instead. The authors' code has RAdam's rectification on by default,
    which is not in the paper nor here. PyTorch has no AdaBelief.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε, at least 0; the authors' code has 1e-16, their paper 1e-8.
        weight_decay: λ, at least 0.
        decoupled_weight_decay: shrink the weights beside the step.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.AdaBelief([w], lr=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w  # g - m is 0.9·g
        tensor([0.8889], requires_grad=True)

    References:
        Zhuang et al. 2020, AdaBelief optimizer, arXiv:2010.07468, algorithm 2.
    """

    _rule = "adabelief"
    _formula = "s ← β₂·s + (1 - β₂)·(g - m)² + ε; w ← w - lr·m̂ / (√ŝ + ε)"
    _state_names = ("exp_avg", "exp_avg_var")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-16,
        weight_decay: float = 0,
        *,
        decoupled_weight_decay: bool = True,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
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
