"""Losses of numbers, element by element."""

from __future__ import annotations

from microtensor.nn import functional as F
from microtensor.nn.losses.base import _Loss
from microtensor.tensor import Tensor


class L1Loss(_Loss):
    r"""Compute the absolute error |x - y|.

    Args:
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.L1Loss()(mt.tensor([1.0, 2.0]), mt.tensor([1.0, 5.0]))
        tensor(1.5000)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    r"""Compute the squared error (x - y)^2.

    Args:
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.MSELoss()(mt.tensor([1.0, 2.0]), mt.tensor([1.0, 4.0]))
        tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return F.mse_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    r"""Compute the absolute error with its tip rounded off.

    .. math:: d^2 / (2 \beta) \text{ where } |d| < \beta, \text{ else } |d| - \beta / 2

    Args:
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        beta: where the square goes over into the line; 0 gives the absolute error.

    Raises:
        ValueError: an unknown reduction.
    """

    beta: float

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return F.smooth_l1_loss(input, target, beta=self.beta, reduction=self.reduction)


class HuberLoss(_Loss):
    r"""Compute the squared error that goes on as a line.

    .. math:: d^2 / 2 \text{ where } |d| < \delta, \text{ else } \delta (|d| - \delta / 2)

    Args:
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        delta: where the square goes over into the line; positive.

    Raises:
        ValueError: an unknown reduction.
    """

    delta: float

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(None, None, reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of `input` against `target`, of the same shape."""
        return F.huber_loss(input, target, delta=self.delta, reduction=self.reduction)
