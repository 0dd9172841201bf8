"""The activations as modules; what they compute is in :mod:`microtensor.nn.functional`."""

from __future__ import annotations

from microtensor.nn import functional as F
from microtensor.nn.module import Module
from microtensor.tensor import Tensor


class _InPlace(Module):
    """An activation whose only option is whether to overwrite its input."""

    inplace: bool

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return the option if it is on."""
        return "inplace=True" if self.inplace else ""


class ReLU(_InPlace):
    """Apply max(0, x).

    Args:
        inplace: whether to overwrite the input.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.ReLU()(mt.tensor([-1.0, 0.0, 2.0]))
        tensor([0., 0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return relu of `input`, of the same shape."""
        return F.relu(input, self.inplace)


class LeakyReLU(Module):
    """Apply x for x >= 0 and negative_slope·x below.

    Args:
        negative_slope: the slope on the left.
        inplace: whether to overwrite the input.
    """

    negative_slope: float
    inplace: bool

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return leaky_relu of `input`, of the same shape."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class ELU(Module):
    """Apply x for x > 0 and alpha·(exp(x) - 1) below.

    Args:
        alpha: the left limit is -alpha.
        inplace: whether to overwrite the input.

    References:
        Clevert et al., Fast and accurate deep network learning by exponential linear units,
        ICLR 2016.
    """

    alpha: float
    inplace: bool

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return elu of `input`, of the same shape."""
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class SELU(_InPlace):
    """Apply scale·(x for x > 0, alpha·(exp(x) - 1) below), scale = 1.0507..., alpha = 1.6733...

    Args:
        inplace: whether to overwrite the input.

    References:
        Klambauer et al., Self-normalizing neural networks, NeurIPS 2017.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return selu of `input`, of the same shape."""
        return F.selu(input, self.inplace)


class Sigmoid(Module):
    """Apply 1 / (1 + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:
        """Return sigmoid of `input`, of the same shape."""
        return F.sigmoid(input)


class Tanh(Module):
    """Apply the hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:
        """Return tanh of `input`, of the same shape."""
        return F.tanh(input)


class Softplus(Module):
    """Apply log(1 + exp(beta·x)) / beta.

    Args:
        beta: the sharpness of the bend.
        threshold: where beta·x exceeds it, x itself is returned.
    """

    beta: float
    threshold: float

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        """Return softplus of `input`, of the same shape."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Softsign(Module):
    """Apply x / (1 + |x|)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return softsign of `input`, of the same shape."""
        return F.softsign(input)


class GELU(Module):
    """Apply x·Φ(x), Φ being the standard normal distribution function.

    Args:
        approximate: ``"none"`` for Φ itself, ``"tanh"`` for its approximation by a tanh.

    Raises:
        ValueError: `approximate` is neither.

    References:
        Hendrycks and Gimpel, Gaussian error linear units, 2016.
    """

    approximate: str

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f"GELU: approximate must be 'none' or 'tanh', got {approximate!r}")
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """Return gelu of `input`, of the same shape."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        """Return the constructor's argument."""
        return f"approximate={self.approximate!r}"


class SiLU(_InPlace):
    """Apply x·sigmoid(x), also known as swish.

    Args:
        inplace: whether to overwrite the input.

    References:
        Elfwing et al., Sigmoid-weighted linear units, Neural Networks 107, 2018.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return silu of `input`, of the same shape."""
        return F.silu(input, self.inplace)


class _OverDimension(Module):
    """A function of all elements along one dimension."""

    dim: int

    # PyTorch still guesses a missing dimension, and warns that it should not: here it is required.
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        """Return the constructor's argument."""
        return f"dim={self.dim}"


class Softmax(_OverDimension):
    """Apply exp(x_i) / sum_j exp(x_j) along a dimension.

    Args:
        dim: the dimension along which the results sum to 1.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Softmax(dim=1)(mt.zeros(1, 4))
        tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return softmax of `input`, of the same shape."""
        return F.softmax(input, self.dim)


class LogSoftmax(_OverDimension):
    """Apply x_i - log(sum_j exp(x_j)) along a dimension.

    Args:
        dim: the dimension along which the exponentials of the results sum to 1.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return log_softmax of `input`, of the same shape."""
        return F.log_softmax(input, self.dim)
