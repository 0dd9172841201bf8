"""Dropout."""

from __future__ import annotations

from typing import ClassVar

from microtensor.nn import functional as F
from microtensor.nn.module import Module
from microtensor.tensor import Tensor


class _Dropout(Module):
    """What all dropouts share: a probability, and whether to overwrite the input."""

    _function: ClassVar[str]  # of nn.functional

    p: float
    inplace: bool

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:  # NaN is refused too
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with parts dropped, or in evaluation mode `input` itself."""
        result: Tensor = getattr(F, self._function)(input, self.p, self.training, self.inplace)
        return result

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    r"""Set elements to zero at random while training, and scale the others to keep the mean.

    .. math:: y = x m / (1 - p), \quad m \sim \mathrm{Bernoulli}(1 - p)

    In evaluation mode the input is returned as it is.

    Args:
        p: probability of an element to be zeroed, from 0 to 1.
        inplace: whether to overwrite the input.

    Raises:
        ValueError: `p` is not between 0 and 1.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Dropout(0.5).eval()(mt.ones(3))
        tensor([1., 1., 1.])

    References:
        Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting,
        JMLR 15, 2014.
    """

    _function = "dropout"


class Dropout1d(_Dropout):
    """Set whole channels of (N, C, L) or (C, L) to zero at random while training.

    Tompson et al. 2015, arXiv:1411.4280.

    Args:
        p: probability of a channel to be dropped, from 0 to 1.
        inplace: whether to overwrite the input.

    Raises:
        ValueError: `p` is not between 0 and 1.
    """

    _function = "dropout1d"


class Dropout2d(_Dropout):
    """Set whole channels of (N, C, H, W) to zero at random while training.

    Tompson et al. 2015, arXiv:1411.4280.

    Args:
        p: probability of a channel to be dropped, from 0 to 1.
        inplace: whether to overwrite the input.

    Raises:
        ValueError: `p` is not between 0 and 1.
    """

    _function = "dropout2d"


class Dropout3d(_Dropout):
    """Set whole channels of (N, C, D, H, W) to zero at random while training.

    Tompson et al. 2015, arXiv:1411.4280.

    Args:
        p: probability of a channel to be dropped, from 0 to 1.
        inplace: whether to overwrite the input.

    Raises:
        ValueError: `p` is not between 0 and 1.
    """

    _function = "dropout3d"


class AlphaDropout(_Dropout):
    """Set elements to SELU's negative limit at random while training.

    Mean and variance of inputs of mean 0 and variance 1 are kept. Klambauer et al. 2017,
    arXiv:1706.02515.

    Args:
        p: probability of an element to be dropped, from 0 to 1.
        inplace: whether to overwrite the input.

    Raises:
        ValueError: `p` is not between 0 and 1.
    """

    _function = "alpha_dropout"


class FeatureAlphaDropout(_Dropout):
    """Set whole channels to SELU's negative limit at random while training.

    Mean and variance of inputs of mean 0 and variance 1 are kept. Klambauer et al. 2017,
    arXiv:1706.02515.

    Args:
        p: probability of a channel to be dropped, from 0 to 1.
        inplace: whether to overwrite the input.

    Raises:
        ValueError: `p` is not between 0 and 1.
    """

    _function = "feature_alpha_dropout"
