"""Lion: the sign of the momentum."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_betas, check_common, switch


class Lion(Optimizer):
    """Lion (evolved sign momentum): every weight moves by the same amount, up or down.

    The algorithm, with gradient g::

        c = β₁·m + (1 - β₁)·g            (g ← -g first with maximize)
        w ← w - lr·(sign(c) + λ·w)
        m ← β₂·m + (1 - β₂)·g

    Found by a search over programs. One state instead of Adam's two. As a sign has length 1 in each
    weight, its rate should be 3 to 10 times smaller than AdamW's and λ as much larger (the
    product decays). m remembers longer (β₂) than what is stepped along (β₁). PyTorch has no Lion.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        betas: (β₁, β₂), each in [0, 1).
        weight_decay: λ, at least 0, decoupled.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.Lion([w], lr=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.9000], requires_grad=True)

    References:
        Chen et al. 2023, Symbolic discovery of optimization algorithms, arXiv:2302.06675,
        algorithm 2.
    """

    _rule = "lion"
    _formula = "w ← w - lr·(sign(β₁·m + (1 - β₁)·g) + λ·w)"
    _state_names = ("exp_avg",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize},
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        check_betas(group)

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            *map(float, group["betas"]),
            group["weight_decay"],
            switch(group, "maximize"),
        )
