"""Adafactor: a matrix's squared gradients remembered by rows and columns alone."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_common, number, require, require_at_least_zero, switch


class Adafactor(Optimizer):
    """Adafactor: RMSprop with n + m numbers of memory for an n×m matrix, and a bounded step.

    The algorithm, with gradient g and the step t counted from 1::

        g ← -g                                              (with maximize)
        δ = t^τ,  ρ = min(lr, 1/√t),  α = max(ε₂, RMS(w))·ρ
        w ← w - lr·λ·w
        R ← R + δ·(mean of g² over columns - R)
        C ← C + δ·(mean of g² over rows - C)
        V = R·C / max(mean(R), ε₁)        (vectors keep V ← V + δ·(g² - V) itself)
        u = g / √max(V, ε₁²)
        w ← w - α / max(1, RMS(u)/d) · u

    V is the matrix of rank one that is nearest to the averages of g² (in the generalised
    Kullback-Leibler divergence) given its row and column means. There is no first moment. Where a
    gradient is much larger than its past, u is scaled down to root mean square d; and a step is a
    share of the weights' own size.

    Args:
        params: tensors, or dicts of "params" and options; more than two dimensions are a batch of
            matrices.
        lr: the largest ρ, at least 0.
        beta2_decay: τ, at most 0.
        eps: (ε₁, ε₂), each at least 0; ε₁ of None is the dtype's machine epsilon.
        d: the largest root mean square of u, at least 1.
        weight_decay: λ, at least 0.
        foreach: PyTorch's; every step here is fused.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.ones(2, 2).requires_grad_()
        >>> optimizer = mt.optim.Adafactor([w], lr=0.1)
        >>> (w * w).sum().backward(); optimizer.step(); w
        tensor([[0.9000, 0.9000],
                [0.9000, 0.9000]], requires_grad=True)

    References:
        Shazeer & Stern 2018, Adafactor, arXiv:1804.04235, algorithm 4, with the rate given, as in
        PyTorch, where the paper has 10⁻² for lr.
    """

    _rule = "adafactor"
    _formula = "u = g / √(R·C / mean(R)); w ← w - α / max(1, RMS(u)/d)·u"
    _state_names = ("row_var", "col_var", "variance")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "beta2_decay": beta2_decay,
                "eps": eps,
                "d": d,
                "weight_decay": weight_decay,
                "foreach": foreach,
                "maximize": maximize,
            },
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        check_common(group)
        decay, d = number(group, "beta2_decay"), number(group, "d")
        require("beta2_decay value", group["beta2_decay"], "beta2_decay <= 0", decay <= 0.0)
        require("clipping threshold d", group["d"], "d >= 1", d >= 1.0)
        eps = group["eps"]
        if not isinstance(eps, tuple | list) or len(eps) != 2:
            raise TypeError(f"eps must be a pair (number or None, number), not {eps!r}")
        for value in eps if eps[0] is not None else eps[1:]:
            require_at_least_zero({"eps": value}, "eps")

    def _state_shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        if (name == "variance") != (len(shape) < 2):
            return None
        if name == "row_var":
            return (*shape[:-1], 1)
        if name == "col_var":
            return (*shape[:-2], 1, shape[-1])
        return shape

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        eps1, eps2 = group["eps"]
        return (
            float(group["lr"]),
            group["beta2_decay"],
            -1.0 if eps1 is None else float(eps1),
            float(eps2),
            group["d"],
            group["weight_decay"],
            switch(group, "maximize"),
        )
