"""Yogi: Adam whose rates cannot rise suddenly."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_betas, check_common, require_at_least_zero, switch


class Yogi(Optimizer):
    """Yogi: Adam whose second average moves towards g² by an amount that g² alone decides.

    The algorithm, with gradient g and the step t counted from 1::

        g ← g + λ·w                             (g ← -g first with maximize)
        m ← β₁·m + (1 - β₁)·g
        s ← s - (1 - β₂)·sign(s - g²)·g²
        w ← w - lr · m/(1 - β₁ᵗ) / (√(s/(1 - β₂ᵗ)) + ε)

    Adam's s falls by (1 - β₂)·(s - g²): fast when gradients become small, and its rates then jump,
    which is how it can diverge. Yogi's falls no faster than g² lets it. The paper's algorithm does
    not correct the averages for their start, its authors' code does; ``bias_correction`` chooses.
    PyTorch has no Yogi.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε, at least 0; the paper recommends 1e-3.
        initial_accumulator_value: what s starts from, at least 0.
        weight_decay: λ, at least 0, within the gradient.
        bias_correction: divide by 1 - β₁ᵗ and 1 - β₂ᵗ.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.Yogi([w], lr=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.9001], requires_grad=True)

    References:
        Zaheer, Reddi, Sachan, Kale & Kumar 2018, Adaptive methods for nonconvex optimization,
        NeurIPS, algorithm 2.
    """

    _rule = "yogi"
    _formula = "s ← s - (1 - β₂)·sign(s - g²)·g²; w ← w - lr·m̂ / (√ŝ + ε)"
    _state_names = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-3,
        initial_accumulator_value: float = 1e-6,
        weight_decay: float = 0,
        *,
        bias_correction: bool = True,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "initial_accumulator_value": initial_accumulator_value,
                "weight_decay": weight_decay,
                "bias_correction": bias_correction,
                "maximize": maximize,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "eps", "initial_accumulator_value")
        check_betas(group)

    def _initial_state(self, name: str, parameter: Any, group: dict[str, Any]) -> Any:
        start = group["initial_accumulator_value"] if name == "exp_avg_sq" else 0
        return np.full(parameter.shape, start, parameter.dtype)

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            *map(float, group["betas"]),
            group["eps"],
            group["weight_decay"],
            switch(group, "bias_correction"),
            switch(group, "maximize"),
        )
