"""Independent: a batch of distributions as one of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from microtensor.distributions import constraints
from microtensor.distributions.distribution import Distribution
from microtensor.tensor import Tensor


def sum_rightmost(value: Any, dims: int) -> Any:
    """Add up over so many last dimensions."""
    return value.sum(tuple(range(-dims, 0))) if dims else value


class Independent(Distribution):
    """A batch of independent distributions taken for one of vectors (or matrices, ...).

    Args:
        base_distribution: the batch.
        reinterpreted_batch_ndims: how many of its last dimensions are of one outcome.
        validate_args: whether values are checked.

    Raises:
        ValueError: the batch has not so many dimensions.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.distributions import Independent, Normal
        >>> diagonal = Independent(Normal(mt.zeros(3), mt.ones(3)), 1)
        >>> diagonal.event_shape, diagonal.log_prob(mt.zeros(3))
        (microtensor.Size([3]), tensor(-2.7568))
    """

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        batch = tuple(base_distribution.batch_shape)
        if not 0 <= reinterpreted_batch_ndims <= len(batch):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual "
                f"{reinterpreted_batch_ndims} vs {len(batch)}"
            )
        split = len(batch) - reinterpreted_batch_ndims
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        event = (*batch[split:], *base_distribution.event_shape)
        super().__init__(batch[:split], event, validate_args=validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether gradients flow through samples."""
        return self.base_dist.has_rsample

    @property
    def support(self) -> Any:
        """The constraint that outcomes satisfy."""
        support = self.base_dist.support
        if self.reinterpreted_batch_ndims:
            return constraints.independent(support, self.reinterpreted_batch_ndims)
        return support

    @property
    def mean(self) -> Any:
        """The mean."""
        return self.base_dist.mean

    @property
    def mode(self) -> Any:
        """The most probable outcome."""
        return self.base_dist.mode

    @property
    def variance(self) -> Any:
        """The variance of each number."""
        return self.base_dist.variance

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """Return the distributions with a batch shape that theirs broadcasts to."""
        own = self.event_shape[: self.reinterpreted_batch_ndims]
        base = self.base_dist.expand((*batch_shape, *own))
        return Independent(base, self.reinterpreted_batch_ndims, validate_args=self._validate_args)

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draw outcomes, without a gradient."""
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draw outcomes as functions of the parameters, to which gradients flow."""
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Any:
        """Return the sum of the logarithms of the numbers' densities."""
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Any:
        """Return the sum of the numbers' entropies."""
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"
