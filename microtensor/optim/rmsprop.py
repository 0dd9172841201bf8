"""RMSprop: gradients divided by the running root mean square."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_common, dialects, require_at_least_zero, switch


class RMSprop(Optimizer):
    """RMSprop: each gradient is divided by the running root mean square of its past.

    The algorithm, with gradient g::

        g ← g + λ·w                       (g ← -g first with maximize)
        s ← α·s + (1 - α)·g²
        m ← α·m + (1 - α)·g               (centered)
        r ← √s + ε, or √max(s - m², 0) + ε  (centered)
        v ← μ·v + g/r;  w ← w - lr·v      (with momentum; else w ← w - lr·g/r)

    ε stands outside the root, as in PyTorch; Hinton's lecture has none, TensorFlow puts it inside,
    √(s + ε): ``eps_inside_root=True``.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        alpha: α, the decay of the average, at least 0.
        eps: ε, at least 0.
        weight_decay: λ, at least 0.
        momentum: μ, at least 0.
        centered: divide by the estimated standard deviation instead.
        capturable, foreach, differentiable: PyTorch's; every step here is fused.
        maximize: climb instead.
        eps_inside_root: √(s + ε) for √s + ε.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.RMSprop([w], lr=0.01)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.9000], requires_grad=True)

    References:
        Tieleman & Hinton 2012, Lecture 6.5, Neural networks for machine learning; Graves 2013,
        arXiv:1308.0850 (centered).
    """

    _rule = "rmsprop"
    _formula = "s ← α·s + (1 - α)·g²; w ← w - lr·g / (√s + ε)"
    _state_names = ("square_avg", "momentum_buffer", "grad_avg")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        *,
        eps_inside_root: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "alpha": alpha,
                "eps": eps,
                "centered": centered,
                "weight_decay": weight_decay,
                "capturable": capturable,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                **dialects(eps_inside_root=eps_inside_root),
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "eps", "momentum", "alpha")

    def _used_states(self, group: dict[str, Any]) -> tuple[bool, ...]:
        return (True, group["momentum"] > 0, bool(group["centered"]))

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            group["alpha"],
            group["weight_decay"],
            group["eps"],
            group["momentum"],
            1.0 if group["centered"] else 0.0,
            1.0 if group["maximize"] else 0.0,
            switch(group, "eps_inside_root"),
        )
