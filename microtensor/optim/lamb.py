"""LAMB: Adam's direction, each layer's step in proportion to its weights."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import (
    check_betas,
    check_common,
    number,
    require,
    require_at_least_zero,
    switch,
)


class LAMB(Optimizer):
    """LAMB: for every parameter tensor a step of Adam's direction and of the tensor's own length.

    The algorithm, with gradient g and the step t counted from 1, for each tensor::

        m ← β₁·m + (1 - β₁)·g,  m̂ = m/(1 - β₁ᵗ)       (g ← -g first with maximize)
        s ← β₂·s + (1 - β₂)·g²,  ŝ = s/(1 - β₂ᵗ)
        u = m̂ / (√ŝ + ε) + λ·w
        w ← w - lr·‖w‖/‖u‖ · u        (the ratio is 1 where a norm is 0)

    So lr is the share of its length by which a tensor moves in a step, whatever its gradients: what
    very large batches, with their large rates, need. (It was made for batches of 32,768.) Norms
    are of whole tensors, so how a network is cut into tensors matters. PyTorch has no LAMB.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε, at least 0.
        weight_decay: λ, at least 0.
        bias_correction: False leaves out the hats, as the first version of the paper did.
        max_trust: the largest ratio allowed; None for no limit, as in the paper.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = mt.optim.LAMB([w], lr=0.1)
        >>> w.sum().backward(); optimizer.step(); w  # a tenth of its length 5, along (1, 1)
        tensor([2.6464, 3.6464], requires_grad=True)

    References:
        You et al. 2020, Large batch optimization for deep learning: training BERT in 76 minutes,
        arXiv:1904.00962, algorithm 2.
    """

    _rule = "lamb"
    _formula = "u = m̂ / (√ŝ + ε) + λ·w; w ← w - lr·‖w‖/‖u‖·u"
    _state_names = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        bias_correction: bool = True,
        max_trust: float | None = None,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "bias_correction": bias_correction,
                "max_trust": max_trust,
                "maximize": maximize,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "eps")
        check_betas(group)
        if group["max_trust"] is not None:
            limit = number(group, "max_trust")
            require("max_trust value", group["max_trust"], "max_trust > 0, or None", limit > 0)

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            *map(float, group["betas"]),
            group["eps"],
            group["weight_decay"],
            switch(group, "bias_correction"),
            float("inf") if group["max_trust"] is None else float(group["max_trust"]),
            switch(group, "maximize"),
        )
