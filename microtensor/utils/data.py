"""Data sets, and their division into batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from microtensor import random
from microtensor.ops.joining import stack
from microtensor.random import Generator
from microtensor.tensor import Tensor, to_array, wrap

__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "default_collate", "random_split"]

T = TypeVar("T")
Gather = Callable[[Any], list[Tensor]]


class Dataset(Generic[T]):
    """Base class of data sets: samples by number.

    A subclass defines ``__getitem__(index)`` and ``__len__()``. Any object that has both will do.
    """

    def __getitem__(self, index: int) -> T:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")


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

    def __getitem__(self, index: int) -> T:
        sample: T = self.dataset[self.indices[index]]
        return sample

    def __len__(self) -> int:
        return len(self.indices)


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


class DataLoader(Generic[T]):
    """Iterate over a data set in batches.

    Every iteration over the loader is one epoch; a shuffled one has a new order each time. Batches
    of a :class:`TensorDataset` are taken from each of its tensors at once; samples of other data
    sets are fetched one by one and put together by `collate_fn`.

    Args:
        dataset: anything with ``__getitem__`` and ``__len__``.
        batch_size: samples per batch; the last one may be smaller.
        shuffle: whether to go through the samples in random order.
        sampler: the numbers of the samples in the order wanted, instead of `shuffle`.
        batch_sampler: lists of numbers, one per batch, instead of `batch_size`, `shuffle`,
            `sampler` and `drop_last`.
        num_workers: 0: batches are made by the process that asks for them.
        collate_fn: makes a batch of a list of samples; :func:`default_collate` unless given.
        drop_last: whether to leave out a last batch that is smaller.
        generator: the source of the random order; the default generator unless given.
        seed: instead of a generator: start one of the loader's own with this seed.

    Raises:
        TypeError: the data set has no length or no ``__getitem__``, or `batch_size` is not an int.
        ValueError: `batch_size` is not positive, or arguments contradict each other.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.utils.data import DataLoader, TensorDataset
        >>> loader = DataLoader(TensorDataset(mt.arange(5)), batch_size=2, shuffle=True, seed=0)
        >>> [len(numbers) for [numbers] in loader]
        [2, 2, 1]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Sequence[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        *,
        drop_last: bool = False,
        generator: Generator | None = None,
        seed: int | None = None,
    ) -> None:
        if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
            raise TypeError(
                "DataLoader: dataset must have __getitem__ and __len__, got "
                f"{type(dataset).__name__}"
            )
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer):
            raise TypeError(
                f"DataLoader: batch_size must be an int, got {type(batch_size).__name__}"
            )
        if batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be positive, got {batch_size}")
        if num_workers != 0:
            raise ValueError(
                "DataLoader: num_workers must be 0, as batches are made in this process; "
                f"got {num_workers}"
            )
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None and (
            batch_size != 1 or shuffle or sampler is not None or drop_last
        ):
            raise ValueError(
                "DataLoader: batch_sampler option is mutually exclusive with batch_size, shuffle, "
                "sampler, and drop_last"
            )
        if seed is not None:
            if generator is not None:
                raise ValueError("DataLoader: give a generator or a seed, not both")
            generator = Generator().manual_seed(seed)
        random.state_of(generator)  # a TypeError now rather than in the first epoch
        self.dataset = dataset
        self.batch_size = int(batch_size)
        self.shuffle = bool(shuffle)
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = default_collate if collate_fn is None else collate_fn
        self.drop_last = drop_last
        self.generator = generator

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)  # type: ignore[arg-type]
        samples = len(self.dataset if self.sampler is None else self.sampler)  # type: ignore[arg-type]
        if self.drop_last:
            return samples // self.batch_size
        return -(-samples // self.batch_size)

    def __iter__(self) -> Iterator[T]:
        # The order is drawn here and not in the generator below: when the epoch begins, not when
        # its first batch is asked for.
        if self.batch_sampler is not None:
            return self._fetch(iter(self.batch_sampler))
        if self.sampler is not None:
            return self._fetch(self._chunks(self.sampler))
        count = len(self.dataset)
        if self.shuffle:
            return self._fetch(self._slices(random.permutation(count, self.generator)))
        return self._fetch(self._slices(np.arange(count)))

    def _slices(self, order: Any) -> Iterator[Any]:
        size = self.batch_size
        count = len(order)
        for start in range(0, count - count % size if self.drop_last else count, size):
            yield order[start : start + size]

    def _chunks(self, numbers: Iterable[int]) -> Iterator[list[int]]:
        chunk: list[int] = []
        for number in numbers:
            chunk.append(int(number))
            if len(chunk) == self.batch_size:
                yield chunk
                chunk = []
        if chunk and not self.drop_last:
            yield chunk

    def _fetch(self, batches: Iterator[Any]) -> Iterator[Any]:
        gather = _gather(self.dataset) if self.collate_fn is default_collate else None
        if gather is not None:
            for numbers in batches:
                yield gather(np.asarray(numbers, np.int64))
        else:
            dataset, collate = self.dataset, self.collate_fn
            for numbers in batches:
                yield collate([dataset[int(number)] for number in numbers])


def _gather(dataset: Any) -> Gather | None:
    """Return what takes a whole batch at once; None where samples come only one by one.

    A subclass with a ``__getitem__`` of its own (an augmentation, say) is asked for samples.
    """
    kind = type(dataset)
    if isinstance(dataset, TensorDataset) and kind.__getitem__ is TensorDataset.__getitem__:
        tensors = dataset.tensors
        return lambda numbers: [_take(tensor, numbers) for tensor in tensors]
    if isinstance(dataset, Subset) and kind.__getitem__ is Subset.__getitem__:
        whole = _gather(dataset.dataset)
        if whole is not None:
            indices = np.asarray(dataset.indices, np.int64)
            return lambda numbers: whole(indices[numbers])
    return None


def _take(tensor: Tensor, numbers: Any) -> Tensor:
    if tensor.requires_grad:
        rows: Tensor = tensor[wrap(numbers)]
        return rows
    return wrap(tensor._array.take(numbers, axis=0))


def default_collate(batch: list[Any]) -> Any:
    """Put samples together into a batch, whatever they are made of.

    Tensors and arrays are stacked; numbers become a tensor (floats a float64 one); strings stay
    a list; mappings and sequences are put together entry by entry, tuples into a list.

    Args:
        batch: the samples, all of the same structure.

    Raises:
        TypeError: the samples are of some other type.
        RuntimeError: sequences of different lengths.

    Example:
        >>> from microtensor.utils.data import default_collate
        >>> default_collate([(1, "a"), (2, "b")])
        [tensor([1, 2]), ['a', 'b']]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch, 0)
    if isinstance(first, np.ndarray | np.generic):
        return wrap(to_array(np.stack(batch)))
    if isinstance(first, bool | int | float):
        return wrap(np.array(batch))
    if isinstance(first, str | bytes):
        return list(batch)
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        entries = [default_collate(list(entry)) for entry in zip(*batch, strict=True)]
        # A named tuple takes its fields one by one.
        return type(first)(*entries) if hasattr(first, "_fields") else entries
    raise TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, strings, dicts or "
        f"lists; found {type(first)}"
    )
