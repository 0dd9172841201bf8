"""Adamax: Adam with the largest recent gradient in place of the root mean square."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_betas, check_common, require_at_least_zero, switch


class Adamax(Optimizer):
    """Adamax: Adam where the running maximum of |g| divides, instead of the root of a mean.

    The algorithm, with gradient g and the step t counted from 1::

        g ← g + λ·w                      (g ← -g first with maximize)
        m ← β₁·m + (1 - β₁)·g
        u ← max(β₂·u, |g| + ε)
        w ← w - lr/(1 - β₁ᵗ) · m/u

    It is Adam's rule with the p-norm of the past gradients in place of the 2-norm as p → ∞. A
    maximum needs no correction for its start, and a step is never larger than lr. The paper has no
    ε; PyTorch puts it beside |g|, where it keeps u from 0.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε, at least 0.
        weight_decay: λ, at least 0.
        foreach, differentiable, capturable: PyTorch's; every step here is fused.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.Adamax([w], lr=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.9000], requires_grad=True)

    References:
        Kingma & Ba 2015, Adam, arXiv:1412.6980, algorithm 2.
    """

    _rule = "adamax"
    _formula = "u ← max(β₂·u, |g| + ε); w ← w - lr·m̂ / u"
    _state_names = ("exp_avg", "exp_inf")

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "capturable": capturable,
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
            switch(group, "maximize"),
        )
