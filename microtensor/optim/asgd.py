"""ASGD: gradient descent whose path is averaged."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_common, number, require, switch


class ASGD(Optimizer):
    """Averaged stochastic gradient descent: a falling rate, and the mean of the way as the answer.

    The algorithm, with gradient g and the step t counted from 1; η starts at lr, μ at 1::

        g ← g + λ_w·w                          (g ← -g first with maximize)
        w ← (1 - λ·η)·w - η·g
        a ← a + μ·(w - a)
        η ← lr / (1 + λ·lr·t)^α,  μ ← 1 / max(1, t - t₀)

    Noise keeps the last w moving around the optimum; its mean a is as good as any method can be,
    asymptotically, with no tuning of the rate (Polyak & Juditsky). Training goes on with w; a is
    ``state[p]["ax"]``, which the user takes when done. Up to step t₀ it is w itself. As in PyTorch,
    λ shrinks the weights on top of λ_w.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        lambd: λ, how fast the rate falls.
        alpha: α, the power at which it does.
        t0: t₀, the step from which to average; the default is beyond most runs.
        weight_decay: λ_w, at least 0.
        foreach, differentiable, capturable: PyTorch's; every step here is fused.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.ASGD([w], lr=0.1, t0=0)
        >>> for _ in range(3):
        ...     optimizer.zero_grad(); (w * w).sum().backward(); optimizer.step()
        >>> w, optimizer.state[w]["ax"]
        (tensor([0.5120], requires_grad=True), tensor([0.5760]))

    References:
        Polyak & Juditsky 1992, Acceleration of stochastic approximation by averaging; the falling
        rate is Bottou's, Stochastic gradient descent tricks, 2012.
    """

    _rule = "asgd"
    _formula = "w ← (1 - λ·η)·w - η·g; a ← a + μ·(w - a)"
    _state_names = ("ax",)
    _number_names = ("step", "eta", "mu")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lambd": lambd,
                "alpha": alpha,
                "t0": t0,
                "weight_decay": weight_decay,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "capturable": capturable,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        for name in ("lambd", "alpha", "t0"):
            value = number(group, name)
            require(f"{name} value", value, f"{name} a number", value == value)

    def _initial_number(self, name: str, group: dict[str, Any]) -> float:
        return {"step": 0.0, "eta": float(group["lr"]), "mu": 1.0}[name]

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            group["lambd"],
            group["alpha"],
            group["t0"],
            group["weight_decay"],
            switch(group, "maximize"),
        )
