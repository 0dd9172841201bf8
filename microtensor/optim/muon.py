"""Muon: momentum, made orthogonal."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_common, number, require, require_at_least_zero, switch


class Muon(Optimizer):
    """Muon: the momentum of a matrix is replaced by the nearest orthogonal one.

    The algorithm, with gradient g::

        b ← μ·b + (1 - μ)·g
        u = (1 - μ)·g + μ·b with nesterov, else b
        X = u / max(‖u‖, ε), and k times  X ← a·X + (b·A + c·A²)·X  with A = X·Xᵀ
        w ← w - lr·λ·w - lr·f·X

    f is √max(1, n/m) for n rows and m columns ("original"), or 0.2·√max(n, m), which gives the step
    the root mean square of AdamW's, so that its rates can be kept ("match_rms_adamw").

    A momentum of low rank moves a layer along few directions; with all singular values brought
    to about 1 it moves along all alike: it is steepest descent where the spectral norm measures the
    step. The iteration (Newton and Schulz's, of fifth degree) needs matrix products alone. With the
    default coefficients it does not converge but brings every singular value near to 1, between
    about 0.7 and 1.2, as fast as possible.

    For the matrices of hidden layers; give biases, embeddings and the last layer to AdamW. PyTorch
    iterates in bfloat16; this in the parameter's own dtype, which agrees with the same in full
    precision.

    Args:
        params: matrices, or dicts of "params" and options.
        lr: the learning rate, at least 0.
        weight_decay: λ, at least 0, decoupled.
        momentum: μ, at least 0.
        nesterov: look ahead.
        ns_coefficients: (a, b, c) of the iteration.
        eps: ε, at least 0.
        ns_steps: k, how often to iterate, from 0 to 99.
        adjust_lr_fn: "original" (as None) or "match_rms_adamw".

    Raises:
        ValueError: an option outside its range, or a parameter that is no matrix.

    Example:
        >>> import microtensor as mt
        >>> w = mt.zeros(2, 2).requires_grad_()
        >>> optimizer = mt.optim.Muon([w], lr=1.0, momentum=0, ns_steps=9,
        ...     ns_coefficients=(1.875, -1.25, 0.375))  # these do converge
        >>> w.grad = mt.tensor([[2.0, 0.0], [0.0, -0.5]]); optimizer.step()
        >>> [round(w[i, i].item(), 3) for i in (0, 1)]
        [-1.0, 1.0]

    References:
        Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks,
        kellerjordan.github.io/posts/muon; Liu et al. 2025, Muon is scalable for LLM training,
        arXiv:2502.16982.
    """

    _rule = "muon"
    _formula = "w ← w - lr·λ·w - lr·f·NewtonSchulz(momentum)"
    _state_names = ("momentum_buffer",)
    _counts_steps = False

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "nesterov": nesterov,
                "ns_coefficients": ns_coefficients,
                "eps": eps,
                "ns_steps": ns_steps,
                "adjust_lr_fn": adjust_lr_fn,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        require_at_least_zero(group, "momentum", "eps")
        steps, adjust = number(group, "ns_steps"), group["adjust_lr_fn"]
        require("ns_steps value", group["ns_steps"], "0 <= ns_steps < 100", 0 <= steps < 100)
        legal = "None, 'original' or 'match_rms_adamw'"
        require("adjust_lr_fn", adjust, legal, adjust in (None, "original", "match_rms_adamw"))
        coefficients = group["ns_coefficients"]
        if not isinstance(coefficients, tuple | list) or len(coefficients) != 3:
            raise ValueError(f"ns_coefficients must be three numbers, not {coefficients!r}")
        for p in group["params"]:
            if p._array.ndim != 2:
                raise ValueError(f"Muon only supports 2D parameters; got shape {list(p.shape)}")

    def _room(self, parameters: list[Any]) -> tuple[Any, ...]:
        shapes = [p._array.shape for p in parameters]
        size = max(rows * columns for rows, columns in shapes)
        side = max(min(shape) for shape in shapes) ** 2
        dtype = parameters[0]._array.dtype
        return tuple(np.empty(n, dtype) for n in (size, size, side, side))

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            group["weight_decay"],
            group["momentum"],
            switch(group, "nesterov"),
            *map(float, group["ns_coefficients"]),
            group["eps"],
            float(group["ns_steps"]),
            1.0 if group["adjust_lr_fn"] == "match_rms_adamw" else 0.0,
            0.0,  # maximize, which PyTorch's Muon does not have
        )
