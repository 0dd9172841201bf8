"""Samplers: in which order, and in which batches, samples are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from microtensor import random
from microtensor.random import Generator
from microtensor.tensor import Tensor

T = TypeVar("T", covariant=True)


class Sampler(Generic[T]):
    """Base class of samplers: a subclass defines ``__iter__``, and ``__len__`` where it can."""

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")


class SequentialSampler(Sampler[int]):
    """Take the samples in their order.

    Args:
        data_source: the data set.
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Take the samples in random order, a new one each time.

    Args:
        data_source: the data set.
        replacement: whether each is drawn from all, so that one can come again.
        num_samples: how many to take; as many as there are unless given. Without replacement more
            than there are take one order after another.
        generator: the source of randomness; the default generator unless given.

    Raises:
        TypeError: `replacement` is not a bool.
        ValueError: `num_samples` is not a positive integer.

    Example:
        >>> from microtensor.utils.data import RandomSampler
        >>> sorted(RandomSampler(range(4)))
        [0, 1, 2, 3]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise TypeError(
                f"RandomSampler: replacement should be a boolean value, but got {replacement!r}"
            )
        if num_samples is not None:
            _check_count("RandomSampler", num_samples)
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator

    @property
    def num_samples(self) -> int:
        """How many samples are taken."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def order(self) -> Any:
        """Draw the numbers of all samples at once, as an array."""
        count, wanted = len(self.data_source), self.num_samples
        if self.replacement:
            return random.integers(0, max(count, 1), (wanted if count else 0,), self.generator)
        if wanted == count or not count:
            return random.permutation(count, self.generator)
        rounds = -(-wanted // count)
        drawn = [random.permutation(count, self.generator) for _ in range(rounds)]
        return np.concatenate(drawn)[:wanted]

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Take given samples in random order.

    Args:
        indices: their numbers.
        generator: the source of randomness; the default generator unless given.
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        order = random.permutation(len(self.indices), self.generator)
        return iter([self.indices[place] for place in order])

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Draw samples with probabilities proportional to weights.

    Args:
        weights: one per sample, not negative; they need not add up to 1.
        num_samples: how many to draw.
        replacement: whether each is drawn from all; if not, none comes twice.
        generator: the source of randomness; the default generator unless given.

    Raises:
        TypeError: `replacement` is not a bool.
        ValueError: `num_samples` is not a positive integer, `weights` is not a sequence of
            numbers, one is negative, or too few are positive for drawing without replacement.

    Example:
        >>> from microtensor.utils.data import WeightedRandomSampler
        >>> list(WeightedRandomSampler([0.0, 1.0], 3))
        [1, 1, 1]
    """

    def __init__(
        self,
        weights: Sequence[float] | Tensor,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        name = "WeightedRandomSampler"
        _check_count(name, num_samples)
        if not isinstance(replacement, bool):
            raise TypeError(
                f"{name}: replacement should be a boolean value, but got {replacement!r}"
            )
        given = weights.numpy() if isinstance(weights, Tensor) else weights
        values: np.ndarray[Any, Any] = np.asarray(given, np.float64)
        if values.ndim != 1:
            raise ValueError(
                f"{name}: weights should be a 1d sequence but given weights have shape "
                f"{values.shape}"
            )
        if not (values >= 0).all() or not np.isfinite(values).all() or not values.any():
            raise ValueError(
                f"{name}: weights must be finite, none of them negative, and not all zero"
            )
        if not replacement and np.count_nonzero(values) < num_samples:
            raise ValueError(
                f"{name}: {num_samples} samples cannot be drawn without replacement from "
                f"{np.count_nonzero(values)} of positive weight"
            )
        self.weights = values
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        if self.replacement:
            edges = np.cumsum(self.weights)
            drawn = random.uniform((self.num_samples,), np.float64, self.generator) * edges[-1]
            # Rounding can bring a number up to the last edge, beyond which there is nothing.
            last = np.flatnonzero(self.weights)[-1]
            chosen = np.minimum(np.searchsorted(edges, drawn, "right"), last)
        else:
            # The first to arrive of so many exponential clocks (Efraimidis and Spirakis 2006).
            with np.errstate(divide="ignore"):
                drawn = random.uniform(self.weights.shape, np.float64, self.generator)
                clocks = -np.log1p(-drawn) / self.weights
            clocks[self.weights == 0] = np.inf
            chosen = np.argsort(clocks, kind="stable")[: self.num_samples]
        return iter(chosen.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Put the numbers of another sampler together into lists.

    Args:
        sampler: anything to iterate over.
        batch_size: the length of a list.
        drop_last: whether to leave out a last one that is shorter.

    Raises:
        ValueError: `batch_size` is not a positive integer, or `drop_last` not a bool.

    Example:
        >>> from microtensor.utils.data import BatchSampler
        >>> list(BatchSampler(range(5), 2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        _check_count("BatchSampler", batch_size, "batch_size")
        if not isinstance(drop_last, bool):
            raise ValueError(
                f"BatchSampler: drop_last should be a boolean value, but got {drop_last!r}"
            )
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for number in self.sampler:
            batch.append(number)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        samples = len(self.sampler)  # type: ignore[arg-type]
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)


def _check_count(sampler: str, value: Any, name: str = "num_samples") -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value <= 0:
        raise ValueError(f"{sampler}: {name} should be a positive integer value, but got {value!r}")
