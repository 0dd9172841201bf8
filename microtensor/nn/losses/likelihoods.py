"""Losses that are likelihoods of distributions, and a divergence."""

from __future__ import annotations

from typing import Any

from microtensor.nn import functional as F
from microtensor.nn.losses.base import _Loss
from microtensor.tensor import Tensor


class KLDivLoss(_Loss):
    r"""Compute the Kullback-Leibler divergence of log-probabilities from a target.

    .. math:: \ell = y (\log y - x)

    Args:
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        reduction: ``"none"``, ``"mean"`` over the elements, ``"sum"``, or ``"batchmean"``: the sum
            over the length of the first dimension, which is what mathematics calls it.
        log_target: whether the target is of log-probabilities too.

    Raises:
        ValueError: an unknown reduction.
    """

    _reductions = ("none", "batchmean", "mean", "sum")

    log_target: bool

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the divergence of log-probabilities from `target`, of the same shape."""
        return F.kl_div(input, target, log_target=self.log_target, reduction=self.reduction)


class PoissonNLLLoss(_Loss):
    r"""Compute the negative log-likelihood of counts under Poisson distributions.

    .. math:: \ell = e^x - y x

    Args:
        log_input: whether the input is of logarithms of rates, or the rates themselves.
        full: add Stirling's approximation of ln y! where y is above 1.
        size_average: what PyTorch had before `reduction`; deprecated.
        reduce: likewise.
        eps: keeps the logarithm of a rate of zero finite.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.
    """

    log_input: bool
    full: bool
    eps: float

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of rates against counts."""
        return F.poisson_nll_loss(
            input,
            target,
            log_input=self.log_input,
            full=self.full,
            eps=self.eps,
            reduction=self.reduction,
        )


class GaussianNLLLoss(_Loss):
    r"""Compute the negative log-likelihood of numbers under normal distributions.

    .. math:: \ell = (\log v + (x - y)^2 / v) / 2

    Args:
        full: add the constant ln(2 pi)/2.
        eps: the least variance.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: an unknown reduction.
    """

    full: bool
    eps: float

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(None, None, reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """Return the loss of means against `target`, with variances."""
        return F.gaussian_nll_loss(
            input, target, var, full=self.full, eps=self.eps, reduction=self.reduction
        )


class CTCLoss(_Loss):
    r"""Compute minus the log-probability of label sequences, over all their alignments.

    Args:
        blank: the label of the blank.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        zero_infinity: whether what has no alignment costs nothing, not infinitely much.

    Raises:
        ValueError: an unknown reduction.
    """

    blank: int
    zero_infinity: bool

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(None, None, reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any
    ) -> Tensor:
        """Return the loss of log-probabilities (T, N, C) against labels (N, S)."""
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            blank=self.blank,
            zero_infinity=self.zero_infinity,
            reduction=self.reduction,
        )
