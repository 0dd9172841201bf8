"""SparseAdam: Adam on the rows that have a gradient."""

from __future__ import annotations

from typing import Any

from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import check_betas, require, require_at_least_zero, switch


class SparseAdam(Optimizer):
    """Adam on the touched rows of each parameter; the other rows and their state stay untouched.

    The algorithm, for each row with gradient g, the step t counted from 1 for the whole parameter::

        g ← -g                                  (with maximize)
        m ← β₁·m + (1 - β₁)·g
        s ← β₂·s + (1 - β₂)·g²
        w ← w - lr·√(1 - β₂ᵗ)/(1 - β₁ᵗ) · m/(√s + ε)

    Made for embeddings, of which a batch uses a few rows. Adam would go on moving the others by
    their old momentum, and its work grows with the table, not with the batch. It is "lazy": a row's
    averages do not fade while it is away. ε stands beside the uncorrected root (Adam's ε̂).

    **Which rows are touched** a gradient may say itself: ``p.grad.rows``, integers along the first
    dimension (a tensor or an array; in any order, repetitions count once). Whoever computes the
    gradient sets it, and adds to it when another walk adds to the same gradient. Without it the
    touched rows are those whose gradient is not all zeros; NaN counts. PyTorch has sparse tensors
    instead, and refuses dense gradients.

    Args:
        params: tensors, or dicts of "params" and options.
        lr: the learning rate, above 0.
        betas: (β₁, β₂), each in [0, 1).
        eps: ε, above 0.
        maximize: climb instead.

    Raises:
        ValueError: an option outside its range.
        IndexError: a touched row that the parameter does not have.

    Example:
        >>> import microtensor as mt
        >>> table = mt.ones(3, 2).requires_grad_()
        >>> optimizer = mt.optim.SparseAdam([table], lr=0.1)
        >>> table[1].sum().backward(); optimizer.step(); table.tolist()[2]
        [1.0, 1.0]
        >>> table.grad.rows = mt.tensor([1, 2]); optimizer.step()  # both, though 2 has zeros

    References:
        Kingma & Ba 2015, Adam, arXiv:1412.6980, end of section 2.
    """

    _rule = "sparse_adam"
    _formula = "w ← w - lr·√(1 - β₂ᵗ)/(1 - β₁ᵗ)·m / (√s + ε), touched rows only"
    _state_names = ("exp_avg", "exp_avg_sq")
    _by_rows = True

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def _check_group(self, group: dict[str, Any]) -> None:
        require_at_least_zero(group, "lr", "eps")
        require("learning rate", group["lr"], "lr > 0", float(group["lr"]) > 0)
        require("epsilon value", group["eps"], "eps > 0", float(group["eps"]) > 0)
        check_betas(group)

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        return (
            float(group["lr"]),
            *map(float, group["betas"]),
            float(group["eps"]),
            switch(group, "maximize"),
        )
