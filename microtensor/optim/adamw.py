"""AdamW: Adam with weight decay beside the adaptive step."""

from __future__ import annotations

from typing import Any

from microtensor.optim.adam import Adam


class AdamW(Adam):
    """Adam with decoupled weight decay: w ← w - lr·λ·w, then Adam's step, λ not in its gradient.

    In Adam the decay goes through the division by √s, which shrinks weights with large gradients
    less; here all shrink alike. As in PyTorch the decay is multiplied with the learning rate;
    the paper multiplies it with the schedule's factor alone.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε, at least 0.
        weight_decay: λ, at least 0.
        amsgrad: keep the maximum, for convergence.
        maximize: climb instead.
        foreach, capturable, differentiable, fused: PyTorch's; every step here is fused.
        eps_hat: add ε to the uncorrected root, see :class:`Adam`.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.AdamW([w], lr=0.1, weight_decay=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.8900], requires_grad=True)

    References:
        Loshchilov & Hutter 2019, Decoupled weight decay regularization, arXiv:1711.05101,
        algorithm 2.
    """

    _formula = "w ← w - lr·λ·w - lr·m̂ / (√ŝ + ε)"

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        eps_hat: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
            eps_hat=eps_hat,
        )
