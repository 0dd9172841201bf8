"""DataLoader: a data set in batches, made here or by worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, Generic, TypeVar

import numpy as np

from microtensor import random
from microtensor.random import Generator
from microtensor.utils.data.collate import default_collate, default_convert
from microtensor.utils.data.dataset import IterableDataset
from microtensor.utils.data.fetch import fetcher
from microtensor.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler

T = TypeVar("T")


class DataLoader(Generic[T]):
    """Iterate over a data set in batches.

    Every iteration over the loader is one epoch; a shuffled one has a new order each time. Batches
    of a :class:`TensorDataset` are taken from each of its tensors at once; samples of other data
    sets are fetched one by one (or by ``__getitems__``) and put together by `collate_fn`.

    With worker processes the batches and their order are the same as without. Each worker's
    generators (of microtensor, NumPy and ``random``) are seeded anew in every epoch, from
    `generator` and its number. If one raises, its exception is raised here with its traceback; if
    one dies, the next batch is a RuntimeError that names it. Workers end with the epoch, or with
    the loader if they are persistent, and in any case with the main process.

    Args:
        dataset: anything with ``__getitem__`` and ``__len__``, or an :class:`IterableDataset`.
        batch_size: samples per batch; the last one may be smaller. None: samples are not put
            together.
        shuffle: whether to go through the samples in random order.
        sampler: the numbers of the samples in the order wanted, instead of `shuffle`.
        batch_sampler: lists of numbers, one per batch, instead of `batch_size`, `shuffle`,
            `sampler` and `drop_last`.
        num_workers: how many processes make batches; 0: the one that asks for them.
        collate_fn: makes a batch of a list of samples; :func:`default_collate` unless given, or
            :func:`default_convert` where samples are not put together.
        pin_memory: PyTorch's; there is no device that would gain by it, and nothing changes.
        drop_last: whether to leave out a last batch that is smaller.
        timeout: seconds to wait for a worker's batch; 0 for any time.
        worker_init_fn: called in each worker with its number, after it has been seeded.
        multiprocessing_context: how workers are started: "fork", "spawn", "forkserver" or a context
            of ``multiprocessing``; its default unless given.
        generator: the source of the random order and of the workers' seeds; the default generator
            unless given.
        prefetch_factor: how many batches each worker is ahead; 2 unless given.
        persistent_workers: whether workers live on for the next epoch.
        pin_memory_device: PyTorch's; nothing changes.
        in_order: whether batches of workers come in their order; if not, as they are made.
        seed: instead of a generator: start one of the loader's own with this seed.

    Raises:
        TypeError: the data set has no length or no ``__getitem__``, or `batch_size` is not an int.
        ValueError: a number is out of its range, or arguments contradict each other.

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
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Sequence[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        seed: int | None = None,
    ) -> None:
        self._streams = isinstance(dataset, IterableDataset)
        _check_dataset(dataset, sampler, batch_sampler)
        _check_batches(batch_size, shuffle, sampler, batch_sampler, drop_last)
        _check_workers(
            num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context
        )
        if self._streams and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError(
                "DataLoader with IterableDataset: expected unspecified shuffle, sampler and "
                "batch_sampler options: a stream has an order of its own"
            )
        if seed is not None:
            if generator is not None:
                raise ValueError("DataLoader: give a generator or a seed, not both")
            generator = Generator().manual_seed(seed)
        random.state_of(generator)  # a TypeError now rather than in the first epoch
        if sampler is None and not self._streams:
            sampler = (
                RandomSampler(dataset, generator=generator)
                if shuffle
                else SequentialSampler(dataset)
            )
        batched = batch_sampler is not None or batch_size is not None
        if batched and batch_sampler is None and sampler is not None:
            batch_sampler = BatchSampler(sampler, int(batch_size or 1), bool(drop_last))
        if collate_fn is None:
            collate_fn = default_collate if batched else default_convert
        self.dataset = dataset
        self.batch_size = None if batch_size is None else int(batch_size)
        self.shuffle = bool(shuffle)
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.drop_last = bool(drop_last)
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        if prefetch_factor is None and num_workers > 0:
            prefetch_factor = 2
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._batched = batched
        self._pool: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None}  # processes stay where they are

    def __len__(self) -> int:
        """Return the number of batches of an epoch.

        Raises:
            TypeError: the data set or sampler has no length.
        """
        if not self._streams:
            return len(self.batch_sampler if self._batched else self.sampler)  # type: ignore[arg-type]
        samples = len(self.dataset)
        if self.batch_size is None:
            return samples
        if self.drop_last:
            return samples // self.batch_size
        return -(-samples // self.batch_size)

    def __iter__(self) -> Iterator[T]:
        # The order is drawn here and not in the generator below: when the epoch begins, not when
        # its first batch is asked for.
        requests = self._requests()
        if self.num_workers == 0:
            return self._fetched(fetcher(self.dataset, self.collate_fn, self._batched), requests)
        return self._epoch_of_workers(requests)

    def _epoch_of_workers(self, requests: Iterator[Any]) -> Iterator[T]:
        # Most programs have no workers, and are spared importing multiprocessing.
        from microtensor.utils.data.pool import Epoch, Pool
        from microtensor.utils.data.worker import Job

        pool = self._pool
        if pool is None or not pool.workers:
            job = Job(
                self.dataset,
                self.collate_fn,
                self._batched,
                self.worker_init_fn,
                self.num_workers,
            )
            pool = Pool(job, self.multiprocessing_context)
            self._pool = pool if self.persistent_workers else None
        seed = int(random.bits(1, self.generator)[0])
        return Epoch(
            pool,
            requests,
            seed,
            self.prefetch_factor or 2,
            self.timeout,
            self.in_order,
            self.persistent_workers,
        )

    def _requests(self) -> Iterator[Any]:
        """Give what each batch is to be made of, as the data set's fetcher understands it."""
        if self._streams:
            return repeat((self.batch_size, self.drop_last))
        if not self._batched:
            return iter(self.sampler)  # type: ignore[arg-type]
        batches = self.batch_sampler
        if type(batches) is BatchSampler:
            # Whole orders are divided as arrays: a Python list per batch takes much longer.
            sampler = batches.sampler
            if type(sampler) is RandomSampler:
                return self._slices(sampler.order())
            if type(sampler) is SequentialSampler:
                return self._slices(np.arange(len(sampler)))
        return iter(batches)  # type: ignore[arg-type]

    def _slices(self, order: Any) -> Iterator[Any]:
        size = self.batch_size or 1
        count = len(order)
        for start in range(0, count - count % size if self.drop_last else count, size):
            yield order[start : start + size]

    @staticmethod
    def _fetched(fetch: Callable[[Any], Any], requests: Iterator[Any]) -> Iterator[Any]:
        for request in requests:
            try:
                batch = fetch(request)
            except StopIteration:  # the stream has ended
                return
            yield batch


def _check_dataset(dataset: Any, sampler: Any, batch_sampler: Any) -> None:
    if isinstance(dataset, IterableDataset):
        return
    counted = hasattr(dataset, "__len__") or sampler is not None or batch_sampler is not None
    if not hasattr(dataset, "__getitem__") or not counted:
        raise TypeError(
            "DataLoader: dataset must have __getitem__ and __len__, or be an IterableDataset, got "
            f"{type(dataset).__name__}"
        )


def _check_batches(
    batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: Any
) -> None:
    if batch_size is None:
        if drop_last:
            raise ValueError(
                "DataLoader: batch_size=None option disables auto-batching and is mutually "
                "exclusive with drop_last"
            )
    elif isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer):
        raise TypeError(f"DataLoader: batch_size must be an int, got {type(batch_size).__name__}")
    elif batch_size < 1:
        raise ValueError(f"DataLoader: batch_size must be positive, got {batch_size}")
    if sampler is not None and shuffle:
        raise ValueError("DataLoader: sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None and (
        batch_size != 1 or shuffle or sampler is not None or drop_last
    ):
        raise ValueError(
            "DataLoader: batch_sampler option is mutually exclusive with batch_size, shuffle, "
            "sampler, and drop_last"
        )


def _check_workers(
    num_workers: Any, timeout: Any, prefetch_factor: Any, persistent: Any, context: Any
) -> None:
    if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 0:
        raise ValueError(
            "DataLoader: num_workers option should be a non-negative int; 0 makes batches in the "
            f"main process; got {num_workers!r}"
        )
    if timeout < 0:
        raise ValueError(f"DataLoader: timeout option should be non-negative, got {timeout}")
    if num_workers == 0:
        given = {
            "prefetch_factor": prefetch_factor is not None,
            "persistent_workers": bool(persistent),
            "multiprocessing_context": context is not None,
        }
        for name, chosen in given.items():
            if chosen:
                raise ValueError(f"DataLoader: {name} option needs num_workers > 0")
    elif prefetch_factor is not None and (
        not isinstance(prefetch_factor, int) or prefetch_factor < 1
    ):
        raise ValueError(
            f"DataLoader: prefetch_factor option should be a positive int, got {prefetch_factor!r}"
        )
