"""The losses as modules; what they compute is in :mod:`microtensor.nn.functional`."""

from __future__ import annotations

from microtensor.nn import functional as F
from microtensor.nn.module import Module
from microtensor.tensor import Tensor

_REDUCTIONS = ("none", "mean", "sum")


class _Loss(Module):
    """A loss: a function of prediction and target, reduced over the batch."""

    reduction: str

    def __init__(self, reduction: str) -> None:
        super().__init__()
        if reduction not in _REDUCTIONS:
            raise ValueError(
                f"{type(self).__name__}: reduction must be 'none', 'mean' or 'sum', "
                f"got {reduction!r}"
            )
        self.reduction = reduction


class _WeightedLoss(_Loss):
    weight: Tensor | None

    def __init__(self, weight: Tensor | None, reduction: str) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)


class MSELoss(_Loss):
    """Compute the squared error (x - y)^2.

    Args:
        reduction: ``"none"`` gives one value per element, ``"mean"`` their mean, ``"sum"``
            their sum.

    Raises:
        ValueError: an unknown reduction.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.MSELoss()(mt.tensor([1.0, 2.0]), mt.tensor([1.0, 4.0]))
        tensor(2.)
    """

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return F.mse_loss(input, target, reduction=self.reduction)


class CrossEntropyLoss(_WeightedLoss):
    r"""Compute the cross-entropy between scores (logits) and classes.

    .. math:: \ell = -w_t \log \frac{e^{x_t}}{\sum_c e^{x_c}}

    Args:
        weight: one factor per class, of shape (C,); the mean is the weighted one.
        ignore_index: targets of this value do not count.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        label_smoothing: the share of the target spread evenly over all classes, from 0 to 1.

    Raises:
        TypeError: `weight` is not a tensor.
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
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(
                f"CrossEntropyLoss: label_smoothing must be between 0 and 1, got {label_smoothing}"
            )
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of scores (N, C) against class indices (N,) of dtype int64."""
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """Compute the negative log-likelihood of classes from log-probabilities.

    Args:
        weight: one factor per class, of shape (C,); the mean is the weighted one.
        ignore_index: targets of this value do not count.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        TypeError: `weight` is not a tensor.
        ValueError: an unknown reduction.
    """

    ignore_index: int

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of log-probabilities (N, C) against class indices (N,) of dtype int64."""
        return F.nll_loss(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class BCEWithLogitsLoss(_Loss):
    r"""Compute the cross-entropy between scores (logits) and probabilities of a yes.

    .. math:: \ell = -w \, (p \, y \log \sigma(x) + (1 - y) \log(1 - \sigma(x)))

    Args:
        weight: factor w of the elements, broadcast to them.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        pos_weight: factor p of the positive part, broadcast to the elements.

    Raises:
        TypeError: a weight is not a tensor.
        ValueError: an unknown reduction.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.BCEWithLogitsLoss()(mt.zeros(3), mt.tensor([0.0, 1.0, 1.0]))
        tensor(0.6931)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        *,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape and dtype."""
        return F.binary_cross_entropy_with_logits(
            input,
            target,
            weight=self.weight,
            reduction=self.reduction,
            pos_weight=self.pos_weight,
        )
