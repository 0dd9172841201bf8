"""Adadelta: steps in the units of the parameters, from two running averages."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_common, number, require, require_at_least_zero


class Adadelta(Optimizer):
    """Adadelta: the ratio of the running sizes of steps and gradients takes the rate's place.

    The algorithm, with gradient g::

        g ← g + λ·w                    (g ← -g first with maximize)
        s ← ρ·s + (1 - ρ)·g²
        d ← √(u + ε) / √(s + ε) · g
        u ← ρ·u + (1 - ρ)·d²
        w ← w - lr·d

    Args:
        params: tensors, or dicts of "params" and options.
        lr: a factor on the step, at least 0; the paper's rule has 1.
        rho: ρ, the decay of the averages, in [0, 1].
        eps: ε, at least 0.
        weight_decay: λ, at least 0.
        maximize: climb instead.
        foreach, capturable, differentiable: PyTorch's; every step here is fused.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.Adadelta([w])
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.9968], requires_grad=True)

    References:
        Zeiler 2012, ADADELTA: an adaptive learning rate method, arXiv:1212.5701.
    """

    _rule = "adadelta"
    _formula = "w ← w - lr·√(u + ε) / √(s + ε)·g; s, u: averages of g² and of the squared steps"
    _state_names = ("square_avg", "acc_delta")

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "rho": rho,
                "eps": eps,
                "weight_decay": weight_decay,
                "maximize": maximize,
                "capturable": capturable,
                "foreach": foreach,
                "differentiable": differentiable,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "eps")
        require("rho value", group["rho"], "0 <= rho <= 1", 0.0 <= number(group, "rho") <= 1.0)

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            group["rho"],
            group["eps"],
            group["weight_decay"],
            1.0 if group["maximize"] else 0.0,
        )
