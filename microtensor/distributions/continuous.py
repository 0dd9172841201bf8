"""The uniform, exponential and Laplace distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import microtensor
from microtensor.distributions import constraints
from microtensor.distributions.distribution import Distribution, as_tensors
from microtensor.tensor import Tensor


class Uniform(Distribution):
    """The uniform distribution on [low, high).

    Args:
        low: the lower bound.
        high: the upper bound.
        validate_args: whether parameters and values are checked.

    Raises:
        ValueError: a lower bound is not below its upper one.
    """

    has_rsample = True
    arg_constraints: ClassVar = {"low": constraints.real, "high": constraints.real}

    low: Tensor
    high: Tensor

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = as_tensors(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)
        if self._validate_args and not self.low.lt(self.high).all():
            raise ValueError(
                f"Uniform is not defined when low>= high: got low={self.low}, high={self.high}"
            )

    @property
    def support(self) -> Any:
        """The interval."""
        return constraints.interval(self.low, self.high)

    @property
    def mean(self) -> Any:
        """The mean: the middle."""
        return (self.high + self.low) / 2

    @property
    def variance(self) -> Any:
        """The variance: the length squared over 12."""
        return (self.high - self.low).square() / 12

    @property
    def stddev(self) -> Any:
        """The standard deviation: the length over √12."""
        return (self.high - self.low) / math.sqrt(12)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """Return the distributions with a batch shape that theirs broadcasts to."""
        low, high = self.low.expand(*batch_shape), self.high.expand(*batch_shape)
        return self._like(batch_shape, low=low, high=high)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draw outcomes low + u·(high - low), u uniform in [0, 1)."""
        u = microtensor.rand(self._extended_shape(sample_shape), dtype=self.low.dtype)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Any:
        """Return -ln(high - low) inside, -∞ outside."""
        self._validate_sample(value)
        inside = value.ge(self.low) & value.lt(self.high)
        return inside.to(self.low.dtype).log() - (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Any:
        """Return the probability of an outcome that is not larger."""
        self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value: Tensor) -> Any:
        """Return the outcome that is not exceeded with a probability."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Any:
        """Return ln(high - low)."""
        return (self.high - self.low).log()


class Exponential(Distribution):
    """The exponential distribution.

    Args:
        rate: one over the mean.
        validate_args: whether parameters and values are checked.

    Raises:
        ValueError: a rate is not positive.
    """

    has_rsample = True
    support = constraints.nonnegative
    arg_constraints: ClassVar = {"rate": constraints.positive}

    rate: Tensor

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = as_tensors(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        """The mean: 1/rate."""
        return self.rate.reciprocal()

    @property
    def mode(self) -> Any:
        """The most probable outcome: 0."""
        return microtensor.zeros_like(self.rate)

    @property
    def stddev(self) -> Any:
        """The standard deviation: 1/rate."""
        return self.rate.reciprocal()

    @property
    def variance(self) -> Any:
        """The variance: 1/rate²."""
        return self.rate.pow(-2)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """Return the distributions with a batch shape that theirs broadcasts to."""
        return self._like(batch_shape, rate=self.rate.expand(*batch_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draw outcomes -ln(u)/rate, u uniform in (0, 1]."""
        u = microtensor.rand(self._extended_shape(sample_shape), dtype=self.rate.dtype)
        return -(-u).log1p() / self.rate

    def log_prob(self, value: Tensor) -> Any:
        """Return ln rate - rate·value."""
        self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Any:
        """Return the probability of an outcome that is not larger."""
        self._validate_sample(value)
        return -(-self.rate * value).expm1()

    def icdf(self, value: Tensor) -> Any:
        """Return the outcome that is not exceeded with a probability."""
        return -(-value).log1p() / self.rate

    def entropy(self) -> Any:
        """Return 1 - ln rate."""
        return 1.0 - self.rate.log()


class Laplace(Distribution):
    """The Laplace distribution: exponential to both sides.

    Args:
        loc: the mean.
        scale: the mean distance from it.
        validate_args: whether parameters and values are checked.

    Raises:
        ValueError: a scale is not positive.
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
    def variance(self) -> Any:
        """The variance: 2·scale²."""
        return 2 * self.scale.square()

    @property
    def stddev(self) -> Any:
        """The standard deviation: √2·scale."""
        return math.sqrt(2) * self.scale

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """Return the distributions with a batch shape that theirs broadcasts to."""
        loc, scale = self.loc.expand(*batch_shape), self.scale.expand(*batch_shape)
        return self._like(batch_shape, loc=loc, scale=scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draw outcomes to either side, as far as exponentially distributed."""
        shape = self._extended_shape(sample_shape)
        distance = -(-microtensor.rand(shape, dtype=self.loc.dtype)).log1p()
        side = microtensor.rand(shape).ge(0.5).to(self.loc.dtype) * 2 - 1
        return self.loc + self.scale * side * distance

    def log_prob(self, value: Tensor) -> Any:
        """Return -|value - loc|/scale - ln(2·scale)."""
        self._validate_sample(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Any:
        """Return the probability of an outcome that is not larger."""
        self._validate_sample(value)
        distance = value - self.loc
        return 0.5 - 0.5 * distance.sign() * (-distance.abs() / self.scale).expm1()

    def icdf(self, value: Tensor) -> Any:
        """Return the outcome that is not exceeded with a probability."""
        term = value - 0.5
        return self.loc - self.scale * term.sign() * (-2 * term.abs()).log1p()

    def entropy(self) -> Any:
        """Return 1 + ln(2·scale)."""
        return 1 + (2 * self.scale).log()
