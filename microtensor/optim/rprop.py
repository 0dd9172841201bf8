"""Rprop: only the signs of the gradients, and a step size for each weight."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_common, number, require, switch


class Rprop(Optimizer):
    """Resilient propagation: each weight's step grows while its gradient keeps its sign.

    The algorithm, with gradient g, the one before g₋ (0 at first) and steps Δ that start at lr::

        g ← -g                                  (with maximize)
        Δ ← min(η₊·Δ, Δ_max)   where g·g₋ > 0
        Δ ← max(η₋·Δ, Δ_min)   where g·g₋ < 0;  there g ← 0
        w ← w - Δ·sign(g);  g₋ ← g

    A changed sign means that the minimum was stepped over: the step shrinks, and this weight rests
    once (the paper's first form goes back; PyTorch and this class only wait). How large a gradient
    is does not matter, so that signs must be right: use it on the full batch, never on small ones.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the first step size, at least 0; later changes of it do nothing.
        etas: (η₋, η₊), with 0 < η₋ < 1 < η₊.
        step_sizes: (Δ_min, Δ_max).
        capturable, foreach, differentiable: PyTorch's; every step here is fused.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.Rprop([w], lr=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.9000], requires_grad=True)

    References:
        Riedmiller & Braun 1993, A direct adaptive method for faster backpropagation learning;
        Igel & Hüsken 2000, Improving the Rprop learning algorithm (this is their iRprop⁻).
    """

    _rule = "rprop"
    _formula = "Δ ← η±·Δ by the sign of g·g₋; w ← w - Δ·sign(g)"
    _state_names = ("prev", "step_size")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "etas": etas,
                "step_sizes": step_sizes,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "capturable": capturable,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        for name in ("etas", "step_sizes"):
            if not isinstance(group[name], tuple | list) or len(group[name]) != 2:
                raise TypeError(f"{name} must be a pair of numbers, not {group[name]!r}")
        minus, plus = (number({"etas": eta}, "etas") for eta in group["etas"])
        legal = "0 < etas[0] < 1 < etas[1]"
        require("eta values", group["etas"], legal, 0.0 < minus < 1.0 < plus)
        least, most = (number({"step_sizes": s}, "step_sizes") for s in group["step_sizes"])
        require("step sizes", group["step_sizes"], "step_sizes[0] <= step_sizes[1]", least <= most)

    def _initial_state(self, name: str, parameter: Any, group: dict[str, Any]) -> Any:
        return np.full(
            parameter.shape, float(group["lr"]) if name == "step_size" else 0, parameter.dtype
        )

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            *map(float, group["etas"]),
            *map(float, group["step_sizes"]),
            switch(group, "maximize"),
        )
