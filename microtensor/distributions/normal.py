"""The normal distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import microtensor
from microtensor.distributions import constraints
from microtensor.distributions.distribution import Distribution, as_tensors
from microtensor.tensor import Tensor


class Normal(Distribution):
    """The normal distribution.

    Args:
        loc: the mean.
        scale: the standard deviation.
        validate_args: whether parameters and values are checked.

    Raises:
        ValueError: a scale is not positive.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.distributions import Normal
        >>> Normal(0.0, 1.0).log_prob(mt.tensor(0.0))
        tensor(-0.9189)
    """

    has_rsample = True
    support = constraints.real
    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}

    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = as_tensors(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """The mean: loc."""
        return self.loc

    @property
    def mode(self) -> Any:
        """The most probable outcome: loc."""
        return self.loc

    @property
    def stddev(self) -> Any:
        """The standard deviation: scale."""
        return self.scale

    @property
    def variance(self) -> Any:
        """The variance: scale²."""
        return self.scale.square()

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """Return the distributions with a batch shape that theirs broadcasts to."""
        loc, scale = self.loc.expand(*batch_shape), self.scale.expand(*batch_shape)
        return self._like(batch_shape, loc=loc, scale=scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draw outcomes loc + scale·ε, ε of the standard normal distribution."""
        noise = microtensor.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Any:
        """Return -((value - loc)/scale)²/2 - ln scale - ln(2π)/2."""
        self._validate_sample(value)
        deviation = (value - self.loc) / self.scale
        return -0.5 * deviation.square() - self.scale.log() - 0.5 * math.log(2 * math.pi)

    def cdf(self, value: Tensor) -> Any:
        """Return the probability of an outcome that is not larger."""
        self._validate_sample(value)
        return 0.5 * ((self.loc - value) / (self.scale * math.sqrt(2))).erfc()

    def icdf(self, value: Tensor) -> Any:
        """Return the outcome that is not exceeded with a probability."""
        return self.loc + self.scale * (2 * value - 1).erfinv() * math.sqrt(2)

    def entropy(self) -> Any:
        """Return (1 + ln(2π))/2 + ln scale."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()
