"""Data sets: samples by number, or one after the other."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

import numpy as np

from microtensor import random
from microtensor.random import Generator
from microtensor.tensor import Tensor

T = TypeVar("T")


class Dataset(Generic[T]):
    """Base class of data sets: samples by number.

    A subclass defines ``__getitem__(index)`` and ``__len__()``. Any object that has both will do.
    """

    def __getitem__(self, index: int) -> T:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")

    def __add__(self, other: Any) -> ConcatDataset[T]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T]):
    """Base class of data sets that are streams: samples one after the other.

    A subclass defines ``__iter__()``. With several worker processes each of them goes through the
    whole stream, unless ``__iter__`` takes its share by :func:`get_worker_info`.
    """

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")

    def __add__(self, other: Any) -> Any:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Samples out of tensors: the i-th one is the tuple of the tensors' i-th rows.

    Args:
        *tensors: with the same length of the first dimension.

    Raises:
        TypeError: an argument is not a tensor.
        ValueError: there is none, one has no dimension, or their lengths differ.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.utils.data import TensorDataset
        >>> TensorDataset(mt.tensor([[1.0, 2.0], [3.0, 4.0]]), mt.tensor([0, 1]))[1]
        (tensor([3., 4.]), tensor(1))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset: at least one tensor is required")
        for position, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    f"TensorDataset: argument {position} must be a Tensor, got "
                    f"{type(tensor).__name__}; wrap arrays with microtensor.from_numpy(array)"
                )
            if tensor.ndim == 0:
                raise ValueError(f"TensorDataset: tensor {position} has no dimension of samples")
        lengths = [len(tensor) for tensor in tensors]
        if len(set(lengths)) > 1:
            raise ValueError(
                "TensorDataset: Size mismatch between tensors: their first dimensions are "
                f"{', '.join(map(str, lengths))}, but must be equal"
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class Subset(Dataset[T]):
    """The samples of another data set at given numbers.

    Args:
        dataset: the whole.
        indices: the numbers of the samples that belong to the part, in its order.
    """

    dataset: Any
    indices: Sequence[int]

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> T:
        several = isinstance(index, list)
        chosen: Any = [self.indices[i] for i in index] if several else self.indices[index]
        sample: T = self.dataset[chosen]
        return sample

    def __getitems__(self, indices: Sequence[int]) -> list[T]:
        """Give several samples, all at once if the whole can."""
        chosen = [self.indices[index] for index in indices]
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.dataset.__getitems__(chosen)
        return [self.dataset[index] for index in chosen]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[T]):
    """Several data sets, one behind the other, as one.

    Args:
        datasets: one or more, each with a length.

    Raises:
        ValueError: there is none, or one is a stream.

    Example:
        >>> from microtensor.utils.data import ConcatDataset
        >>> ConcatDataset(["ab", "cde"])[3]
        'd'
    """

    datasets: list[Any]
    cumulative_sizes: list[int]

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: datasets should not be an empty iterable")
        for dataset in self.datasets:
            if isinstance(dataset, IterableDataset):
                raise ValueError(
                    "ConcatDataset: does not support IterableDataset; ChainDataset does"
                )
        self.cumulative_sizes = list(accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> T:
        size = len(self)
        if not -size <= index < size:
            # By IndexError a loop over the data set knows its end.
            raise (IndexError if index >= size else ValueError)(
                f"ConcatDataset: index {index} is out of range for {size} samples"
            )
        index %= size
        place = bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[place - 1] if place else 0
        sample: T = self.datasets[place][index - start]
        return sample


class ChainDataset(IterableDataset[Any]):
    """Several streams, one behind the other, as one.

    Args:
        datasets: each an :class:`IterableDataset`.

    Raises:
        TypeError: one is not, when its turn comes.
    """

    datasets: Iterable[Any]

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        for dataset in self.datasets:
            yield from _stream(dataset)

    def __len__(self) -> int:
        return sum(len(_stream(dataset)) for dataset in self.datasets)


def _stream(dataset: Any) -> Any:
    if not isinstance(dataset, IterableDataset):
        raise TypeError(
            f"ChainDataset: only supports IterableDataset, got {type(dataset).__name__}"
        )
    return dataset


class StackDataset(Dataset[Any]):
    """Several data sets side by side: a sample is the tuple, or dictionary, of theirs.

    Args:
        *args: data sets of one length; or
        **kwargs: data sets by name.

    Raises:
        ValueError: there is none, both kinds are given, or lengths differ.

    Example:
        >>> from microtensor.utils.data import StackDataset
        >>> StackDataset(image="ab", text="cd")[1]
        {'image': 'b', 'text': 'd'}
    """

    datasets: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "StackDataset: supports either tuple- (via args) or dict- (via kwargs) like "
                "input/output, but both types are given"
            )
        if not args and not kwargs:
            raise ValueError("StackDataset: at least one dataset should be passed")
        self.datasets = args or kwargs
        lengths = [len(dataset) for dataset in args or kwargs.values()]
        if len(set(lengths)) > 1:
            raise ValueError(f"StackDataset: Size mismatch between datasets: lengths {lengths}")

    def __getitem__(self, index: int) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __len__(self) -> int:
        datasets = self.datasets
        return len(next(iter(datasets.values())) if isinstance(datasets, dict) else datasets[0])


def random_split(
    dataset: Any, lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset[Any]]:
    """Divide a data set at random into parts that do not overlap.

    Args:
        dataset: what to divide; must have a length.
        lengths: the parts' lengths, or fractions that add up to 1; samples left over by rounding
            down go to the first parts, one each.
        generator: the source of randomness; the default generator unless given.

    Raises:
        ValueError: the lengths do not add up to that of the data set, or one is negative.

    Example:
        >>> from microtensor.utils.data import random_split
        >>> [len(part) for part in random_split(range(10), [0.75, 0.25])]
        [8, 2]
    """
    total = len(dataset)
    if any(length < 0 for length in lengths):
        raise ValueError(f"random_split: lengths must not be negative, got {list(lengths)}")
    if math.isclose(sum(lengths), 1):
        counts = [math.floor(total * fraction) for fraction in lengths]
        for part in range(total - sum(counts)):
            counts[part % len(counts)] += 1
    else:
        counts = [int(length) for length in lengths]
        if counts != list(lengths) or sum(counts) != total:
            raise ValueError(
                "random_split: Sum of input lengths does not equal the length of the input "
                f"dataset: got {list(lengths)} for {total} samples; give whole numbers that add "
                "up to it, or fractions that add up to 1"
            )
    order = random.permutation(total, generator).tolist()
    ends = np.cumsum(counts, dtype=np.int64).tolist()
    return [
        Subset(dataset, order[end - count : end]) for count, end in zip(counts, ends, strict=True)
    ]
