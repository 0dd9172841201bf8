"""Adagrad: a rate per parameter that shrinks with the gradients it has seen."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_common, dialects, require_at_least_zero, switch


class Adagrad(Optimizer):
    """Adagrad: each parameter's rate is divided by the root of its summed squared gradients.

    The algorithm, with gradient g and the step t counted from 1::

        g ← g + λ·w                    (g ← -g first with maximize)
        s ← s + g²
        w ← w - lr/(1 + (t-1)·lr_decay) · g / (√s + ε)

    Parameters that are updated rarely keep a large rate. ε stands outside the root, as in PyTorch;
    the paper has none, other texts put it inside, g / √(s + ε): ``eps_inside_root=True``.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        lr_decay: how fast the rate decays, at least 0.
        weight_decay: λ, at least 0.
        initial_accumulator_value: what s starts from, at least 0.
        eps: ε, at least 0.
        maximize: climb instead.
        foreach, differentiable, fused: PyTorch's; every step here is fused.
        eps_inside_root: √(s + ε) for √s + ε.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.Adagrad([w], lr=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.9000], requires_grad=True)

    References:
        Duchi, Hazan & Singer 2011, Adaptive subgradient methods for online learning and stochastic
        optimization.
    """

    _rule = "adagrad"
    _formula = "s ← s + g²; w ← w - lr·g / (√s + ε)"
    _state_names = ("sum",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        eps_inside_root: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "fused": fused,
                **dialects(eps_inside_root=eps_inside_root),
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "lr_decay", "initial_accumulator_value", "eps")

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; as in PyTorch its state is there before the first step."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for p in group["params"]:
            self._begin(p, self._state_names, group)

    def _initial_state(self, name: str, parameter: Any, group: dict[str, Any]) -> Any:
        return np.full_like(parameter, group["initial_accumulator_value"], order="C")

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            group["lr_decay"],
            group["weight_decay"],
            group["eps"],
            1.0 if group["maximize"] else 0.0,
            switch(group, "eps_inside_root"),
        )
