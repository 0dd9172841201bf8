"""LARS: momentum, each layer's rate in proportion to its weights."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_common, number, require, require_at_least_zero, switch


class LARS(Optimizer):
    """LARS: SGD with momentum, for every parameter tensor at a rate of its own.

    The algorithm, with gradient g, for each tensor::

        η = κ·‖w‖ / (‖g‖ + λ·‖w‖ + ε)     (1 where ‖w‖ or ‖g‖ is 0)
        d = η·(g + λ·w)                   (g ← -g first with maximize)
        v ← μ·v + (1 - τ)·lr·d            (at the first step v ← lr·d)
        w ← w - v                         (w - lr·d - μ·v with nesterov)

    How large a gradient is beside its weights differs by orders of magnitude between layers; a rate
    that suits one makes another diverge. κ says what share of its length a tensor may move. As in
    the paper the rate stands inside the velocity; ``rate_inside=False`` puts it outside, as in
    PyTorch's SGD (see :class:`SGD`). PyTorch has no LARS.

    Args:
        params: tensors, or dicts of "params" and options; biases are often left to SGD.
        lr: the learning rate, at least 0, usually large, with a warm-up.
        momentum: μ, at least 0.
        dampening: τ.
        weight_decay: λ, at least 0.
        trust_coefficient: κ, at least 0.
        eps: ε, at least 0.
        nesterov: look ahead.
        maximize: climb instead.
        rate_inside: multiply with the rate before the velocity.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = mt.optim.LARS([w], lr=100.0)
        >>> (w * 7).sum().backward(); optimizer.step(); w  # a tenth of its length 5
        tensor([2.6464, 3.6464], requires_grad=True)

    References:
        You, Gitman & Ginsburg 2017, Large batch training of convolutional networks,
        arXiv:1708.03888, algorithm 1.
    """

    _rule = "lars"
    _formula = "v ← μ·v + lr·κ·‖w‖ / (‖g‖ + λ·‖w‖)·(g + λ·w); w ← w - v"
    _state_names = ("momentum_buffer",)
    _counts_steps = False

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.9,
        dampening: float = 0,
        weight_decay: float = 0,
        trust_coefficient: float = 1e-3,
        eps: float = 1e-8,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        rate_inside: bool = True,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "trust_coefficient": trust_coefficient,
                "eps": eps,
                "nesterov": nesterov,
                "maximize": maximize,
                "rate_inside": rate_inside,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "momentum", "trust_coefficient", "eps")
        dampening = number(group, "dampening")
        require("dampening value", dampening, "a number", dampening == dampening)

    def _used_states(self, group: dict[str, Any]) -> tuple[bool, ...]:
        return (group["momentum"] != 0,)

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            group["momentum"],
            group["dampening"],
            float(group["weight_decay"]),
            group["trust_coefficient"],
            group["eps"],
            switch(group, "nesterov"),
            switch(group, "maximize"),
            switch(group, "rate_inside"),
        )
