"""Dropout."""

from __future__ import annotations

from microtensor.nn import functional as F
from microtensor.nn.module import Module
from microtensor.tensor import Tensor


class Dropout(Module):
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

    p: float
    inplace: bool

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:  # NaN is refused too
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with elements dropped, or in evaluation mode `input` itself."""
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"p={self.p}, inplace={self.inplace}"
