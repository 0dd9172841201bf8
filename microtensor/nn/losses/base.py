"""What the modules of losses share: the reduction, and weights that are buffers."""

from __future__ import annotations

from typing import ClassVar

from microtensor.nn.module import Module
from microtensor.ops.loss_arguments import chosen_reduction
from microtensor.tensor import Tensor


class _Loss(Module):
    """A loss: a function of prediction and target, reduced over the batch."""

    _reductions: ClassVar[tuple[str, ...]] = ("none", "mean", "sum")

    reduction: str

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        name = type(self).__name__
        reduction = chosen_reduction(name, size_average, reduce, reduction)
        if reduction not in self._reductions:
            *others, last = map(repr, self._reductions)
            raise ValueError(
                f"{name}: reduction must be {', '.join(others)} or {last}, got {reduction!r}"
            )
        self.reduction = reduction


class _WeightedLoss(_Loss):
    """A loss with a buffer of weights."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
