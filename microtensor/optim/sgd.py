"""Gradient descent, with momentum and Nesterov's look-ahead."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import (
    check_common,
    dialects,
    number,
    require,
    require_at_least_zero,
    switch,
)


class SGD(Optimizer):
    """Gradient descent: w ← w - lr·v.

    The algorithm, with gradient g, weight decay λ, momentum μ and dampening τ::

        g ← g + λ·w                         (g ← -g first with maximize)
        v ← g at the first step, then μ·v + (1 - τ)·g
        d ← g + μ·v with nesterov, else v   (g itself without momentum)
        w ← w - lr·d

    The batch decides what it is called; the rule is the same. Of a data set of n rows::

        DataLoader(data, batch_size=n)                  # BGD: all rows, the exact gradient
        DataLoader(data, batch_size=1, shuffle=True)    # SGD: one row, noisy, n steps an epoch
        DataLoader(data, batch_size=32, shuffle=True)   # MBGD: a few, most of both

    In PyTorch the rate stands outside the velocity. Polyak and Sutskever et al. have it inside,
    v ← μ·v + (1 - τ)·lr·g, w ← w - v: the same way while the rate is constant; when it falls, the
    velocity keeps what it gained at the higher rate. ``rate_inside=True`` is theirs.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        momentum: μ, at least 0.
        dampening: τ.
        weight_decay: λ, at least 0.
        nesterov: look ahead; needs momentum and no dampening.
        maximize: climb instead.
        foreach, differentiable, fused: PyTorch's; every step here is fused.
        rate_inside: multiply with the rate before the velocity, not after it.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.SGD([w], lr=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([0.8000], requires_grad=True)

    References:
        Polyak 1964, Some methods of speeding up the convergence of iteration methods;
        Sutskever, Martens, Dahl & Hinton 2013, On the importance of initialization and momentum.
    """

    _rule = "sgd"
    _formula = "v ← μ·v + (1 - τ)·g; w ← w - lr·v"
    _state_names = ("momentum_buffer",)
    _counts_steps = False

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
        rate_inside: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
                "foreach": foreach,
                "differentiable": differentiable,
                "fused": fused,
                **dialects(rate_inside=rate_inside),
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "momentum")
        momentum, dampening = number(group, "momentum"), number(group, "dampening")
        require("dampening value", dampening, "a number", dampening == dampening)
        if group["nesterov"] and (momentum <= 0 or dampening != 0):
            raise ValueError(
                "Nesterov momentum requires a momentum and zero dampening; got nesterov=True with "
                f"momentum={group['momentum']} and dampening={group['dampening']}"
            )

    def _used_states(self, group: dict[str, Any]) -> tuple[bool, ...]:
        return (group["momentum"] != 0,)

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            group["momentum"],
            group["dampening"],
            float(group["weight_decay"]),
            1.0 if group["nesterov"] else 0.0,
            1.0 if group["maximize"] else 0.0,
            switch(group, "rate_inside"),
        )
