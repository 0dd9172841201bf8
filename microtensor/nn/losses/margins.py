"""Margin losses: the right answer is to lead by a margin; distances and angles."""

from __future__ import annotations

from collections.abc import Callable

from microtensor.nn import functional as F
from microtensor.nn.distance import PairwiseDistance
from microtensor.nn.losses.base import _Loss, _WeightedLoss
from microtensor.tensor import Tensor


class _MarginLoss(_Loss):
    """A loss whose first argument is a margin, 0 unless given."""

    margin: float

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin


class HingeEmbeddingLoss(_Loss):
    r"""Compute the distance of what belongs together, and the lack of it of what does not.

    Args:
        margin: how far apart is far enough.
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.
    """

    margin: float

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of distances against signs, 1 for what belongs together, else -1."""
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class MultiLabelMarginLoss(_Loss):
    r"""Compute the lack of lead of each right class over each wrong one.

    Args:
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of scores (N, C) against labels (N, C), ended by a -1."""
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiMarginLoss(_WeightedLoss):
    r"""Compute the lack of lead of the right class over each other one.

    Args:
        p: 1 or 2, the power of each lack.
        margin: the lead wanted.
        weight: a factor per class, of shape (C,).
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction, or another p.
    """

    p: int
    margin: float

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: only p == 1 and p == 2 supported, got {p}")
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of scores (N, C) against classes (N,) of dtype int64."""
        return F.multi_margin_loss(
            input,
            target,
            p=self.p,
            margin=self.margin,
            weight=self.weight,
            reduction=self.reduction,
        )


class MarginRankingLoss(_MarginLoss):
    r"""Compute the lack of lead of one score over another.

    .. math:: \max(0, m - y (x_1 - x_2))

    Args:
        margin: the lead wanted.
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the loss; `target` is 1 where the first is to be higher, else -1."""
        return F.margin_ranking_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class CosineEmbeddingLoss(_MarginLoss):
    r"""Compute the angle of what belongs together, and the lack of it of what does not.

    Args:
        margin: the cosine that is small enough, from -1 to 1.
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        """Return the loss of vectors (N, D); `target` is 1 or -1, of shape (N,)."""
        return F.cosine_embedding_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class TripletMarginLoss(_Loss):
    r"""Compute the lack of lead of one distance over another.

    .. math:: \max(0, \|a - p\| - \|a - n\| + m)

    Args:
        margin: the lead wanted; positive.
        p: the order of the norm.
        eps: added to each difference; keeps the gradient of equal vectors finite.
        swap: take the distance of negative and positive where it is smaller.
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction, or a margin that is not positive.
    """

    margin: float
    p: float
    eps: float
    swap: bool

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        if not margin > 0:
            raise ValueError(f"{type(self).__name__}: margin must be greater than 0, got {margin}")
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss of vectors (N, D): the positive is to be closer than the negative."""
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(_Loss):
    r"""Compute the lack of lead of one distance over another, whatever the distance.

    Args:
        distance_function: of two tensors; the Euclidean distance unless given.
        margin: the lead wanted; positive.
        swap: take the distance of negative and positive where it is smaller.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction, or a margin that is not positive.
    """

    distance_function: Callable[[Tensor, Tensor], Tensor]
    margin: float
    swap: bool

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(None, None, reduction)
        self.distance_function = distance_function or PairwiseDistance()
        if not margin > 0:
            raise ValueError(f"{type(self).__name__}: margin must be greater than 0, got {margin}")
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the loss of vectors (N, D): the positive is to be closer than the negative."""
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
