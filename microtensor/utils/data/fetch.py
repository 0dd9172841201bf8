"""Fetching: from the numbers of samples to a batch."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np

from microtensor.tensor import Tensor, wrap
from microtensor.utils.data.collate import default_collate
from microtensor.utils.data.dataset import IterableDataset, Subset, TensorDataset

Gather = Callable[[Any], list[Tensor]]


def fetcher(dataset: Any, collate: Callable[[Any], Any], batched: bool) -> Callable[[Any], Any]:
    """Return what makes a batch of the numbers of its samples, or of how many a stream is to give.

    That of a stream raises StopIteration where nothing is left.
    """
    if isinstance(dataset, IterableDataset):
        return _from_stream(dataset, collate, batched)
    if not batched:
        return lambda number: collate(dataset[number])
    gather = _gather(dataset) if collate is default_collate else None
    if gather is not None:
        return lambda numbers: gather(np.asarray(numbers, np.int64))
    together = getattr(dataset, "__getitems__", None)
    if callable(together):
        return lambda numbers: collate(together(list(map(int, numbers))))
    return lambda numbers: collate([dataset[_plain(number)] for number in numbers])


def _plain(number: Any) -> Any:
    """Give a Python number for one of NumPy's; keys of other kinds stay."""
    return int(number) if isinstance(number, np.integer) else number


def _from_stream(
    dataset: Any, collate: Callable[[Any], Any], batched: bool
) -> Callable[[Any], Any]:
    stream = iter(dataset)

    def fetch(request: tuple[int, bool]) -> Any:
        count, drop_last = request
        if not batched:
            return collate(next(stream))
        samples = list(islice(stream, count))
        if not samples or (drop_last and len(samples) < count):
            raise StopIteration
        return collate(samples)

    return fetch


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
