"""Adam: momentum and a rate per parameter, both corrected for their start."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import (
    check_betas,
    check_common,
    dialects,
    require_at_least_zero,
    switch,
)


class Adam(Optimizer):
    """Adam: the running mean of the gradients over the root of that of their squares.

    The algorithm, with gradient g and the step t counted from 1::

        g ← g + λ·w                             (g ← -g first with maximize)
        m ← β₁·m + (1 - β₁)·g
        s ← β₂·s + (1 - β₂)·g²
        w ← w - lr · m/(1 - β₁ᵗ) / (√(s/(1 - β₂ᵗ)) + ε)

    With ``amsgrad`` the largest s so far takes the place of s in the last line (PyTorch corrects it
    for its start, the paper does not); with ``decoupled_weight_decay`` it is AdamW. The first step
    is lr·sign(g), up to ε.

    The paper's text also gives a cheaper order, w ← w - lr·√(1 - β₂ᵗ)/(1 - β₁ᵗ) · m/(√s + ε̂), whose
    ε̂ is not divided by the correction and so weighs more in the first steps: ``eps_hat=True``
    (TensorFlow's).

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε, at least 0.
        weight_decay: λ, at least 0.
        amsgrad: keep the maximum, for convergence.
        foreach, capturable, differentiable, fused: PyTorch's; every step here is fused.
        maximize: climb instead.
        decoupled_weight_decay: shrink the weights beside the step, as AdamW does.
        eps_hat: add ε to the uncorrected root.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.Adam([w], lr=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.9000], requires_grad=True)

    References:
        Kingma & Ba 2015, arXiv:1412.6980, algorithm 1; Reddi, Kale & Kumar 2018, On the convergence
        of Adam and beyond (amsgrad).
    """

    _rule = "adam"
    _formula = "w ← w - lr·m̂ / (√ŝ + ε)"
    _state_names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
        eps_hat: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "foreach": foreach,
                "capturable": capturable,
                "differentiable": differentiable,
                "fused": fused,
                "decoupled_weight_decay": decoupled_weight_decay,
                **dialects(eps_hat=eps_hat),
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "eps")
        check_betas(group)

    def _used_states(self, group: dict[str, Any]) -> tuple[bool, ...]:
        return (True, True, bool(group["amsgrad"]))

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return (
            float(group["lr"]),
            float(beta1),
            float(beta2),
            group["eps"],
            group["weight_decay"],
            1.0 if group["decoupled_weight_decay"] else 0.0,
            1.0 if group["amsgrad"] else 0.0,
            1.0 if group["maximize"] else 0.0,
            switch(group, "eps_hat"),
        )
