"""What a worker process of a DataLoader knows of itself."""

from __future__ import annotations

from typing import Any, NamedTuple


class WorkerInfo(NamedTuple):
    """What a worker process knows of itself.

    Attributes:
        id: its number, from 0.
        num_workers: how many there are.
        seed: what its generators were seeded with in this epoch.
        dataset: its copy of the data set.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


current: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Give what a worker process knows of itself; None in the main process.

    A stream (:class:`IterableDataset`) takes its share by it, and ``worker_init_fn`` its place.

    Example:
        >>> from microtensor.utils.data import get_worker_info
        >>> get_worker_info() is None
        True
    """
    return current
