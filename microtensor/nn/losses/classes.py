"""Losses of classes: of several, or of yes and no."""

from __future__ import annotations

from microtensor.nn import functional as F
from microtensor.nn.losses.base import _Loss, _WeightedLoss
from microtensor.tensor import Tensor


class CrossEntropyLoss(_WeightedLoss):
    r"""Compute the cross-entropy between scores (logits) and classes.

    .. math:: \ell = -w_t \log \frac{e^{x_t}}{\sum_c e^{x_c}}

    Args:
        weight: one factor per class, of shape (C,); the mean is the weighted one.
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        ignore_index: targets of this value do not count.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        label_smoothing: the share of the target spread evenly over all classes, from 0 to 1.

    Raises:
        ValueError: an unknown reduction, or a smoothing outside [0, 1].

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.CrossEntropyLoss()(mt.zeros(3, 4), mt.tensor([0, 1, 2]))
        tensor(1.3863)
    """

    ignore_index: int
    label_smoothing: float

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(
                f"CrossEntropyLoss: label_smoothing must be between 0 and 1, got {label_smoothing}"
            )
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of scores (N, C, ...) against classes (N, ...) or probabilities."""
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            reduction=self.reduction,
        )


class NLLLoss(_WeightedLoss):
    r"""Compute the negative log-likelihood of classes from log-probabilities.

    Args:
        weight: one factor per class, of shape (C,); the mean is the weighted one.
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        ignore_index: targets of this value do not count.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.
    """

    ignore_index: int

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of log-probabilities (N, C, ...) against classes (N, ...) of int64."""
        return F.nll_loss(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class BCELoss(_WeightedLoss):
    r"""Compute the cross-entropy between probabilities of a yes.

    .. math:: \ell = -w \, (y \log x + (1 - y) \log(1 - x))

    A logarithm counts as -100 at least.

    Args:
        weight: factor w of the elements, broadcast to them.
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.BCELoss()(mt.tensor([0.5, 0.5]), mt.tensor([0.0, 1.0]))
        tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    r"""Compute the cross-entropy between scores (logits) and probabilities of a yes.

    .. math:: \ell = -w \, (p \, y \log \sigma(x) + (1 - y) \log(1 - \sigma(x)))

    Args:
        weight: factor w of the elements, broadcast to them.
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        pos_weight: factor p of the positive part, broadcast to the elements.

    Raises:
        ValueError: an unknown reduction.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.BCEWithLogitsLoss()(mt.zeros(3), mt.tensor([0.0, 1.0, 1.0]))
        tensor(0.6931)
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape and dtype."""
        return F.binary_cross_entropy_with_logits(
            input, target, weight=self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class SoftMarginLoss(_Loss):
    r"""Compute the logistic loss of signs, ln(1 + e^(-y x)).

    Args:
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of scores against signs, 1 or -1, of the same shape."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    r"""Compute the cross-entropy of several yes or no questions, averaged over the classes.

    Args:
        weight: a factor per class.
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of scores (N, C) against zeros and ones of the same shape."""
        return F.multilabel_soft_margin_loss(
            input, target, weight=self.weight, reduction=self.reduction
        )
