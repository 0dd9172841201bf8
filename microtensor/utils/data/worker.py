"""What runs in a worker process of a DataLoader."""

from __future__ import annotations

import os
import random as python_random
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing import connection, parent_process
from typing import Any, NamedTuple

import numpy as np

from microtensor import kernels, random
from microtensor.utils.data import worker_info
from microtensor.utils.data.fetch import fetcher
from microtensor.utils.data.worker_info import WorkerInfo


class Job(NamedTuple):
    """What all workers of a loader are given alike."""

    dataset: Any
    collate: Callable[[Any], Any]
    batched: bool
    init: Callable[[int], Any] | None
    num_workers: int


class Exhausted(NamedTuple):
    """Stands for a batch: the worker's stream is at its end."""


class Failure(NamedTuple):
    """Stands for a batch: what the worker raised instead."""

    kind: type[BaseException]
    where: str
    trace: str

    @staticmethod
    def current(where: str) -> Failure:
        """Make it of the exception that is being handled."""
        kind = sys.exc_info()[0]
        assert kind is not None
        return Failure(kind, where, traceback.format_exc())

    def reraise(self) -> None:
        """Raise the same kind of exception, with the worker's traceback as its message."""
        message = f"Caught {self.kind.__name__} {self.where}.\nOriginal {self.trace}"
        if issubclass(self.kind, KeyError):
            raise self.kind(_Shown(message))
        try:
            error = self.kind(message)
        except Exception:  # one that takes other arguments than a message
            raise RuntimeError(message) from None
        raise error


class _Shown(str):
    """A string that is printed as it is, where KeyError would print its repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def run(number: int, job: Job, tasks: Any, results: Any) -> None:
    """Make batches until told to stop: the main function of a worker process.

    A task is (epoch, place, request), or (epoch, None, seed) at the beginning of an epoch, or None
    at the end of all. Each but the last two is answered by (epoch, place, batch).
    """
    # Ctrl-C reaches every process of the terminal; the main one tells the others to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    kernels.set_num_threads(1)
    where = f"in DataLoader worker process {number}"
    fetch: Any = None
    broken: Failure | None = None
    first = True
    while (task := tasks.get()) is not None:
        epoch, place, request = task
        if place is None:
            try:
                _seed(number, job, request)
                if first and job.init is not None:
                    job.init(number)
                first = False
                fetch = fetcher(job.dataset, job.collate, job.batched)
            except Exception:
                broken = Failure.current(where)
            continue
        batch = broken or _made(fetch, request, where)
        try:
            results.send((epoch, place, batch))
        except BrokenPipeError:
            return  # nobody waits for it
        except Exception:  # it cannot be pickled
            results.send((epoch, place, Failure.current(where)))


def _made(fetch: Any, request: Any, where: str) -> Any:
    try:
        return fetch(request)
    except StopIteration:
        return Exhausted()
    except Exception:
        return Failure.current(where)


def _seed(number: int, job: Job, base: int) -> None:
    seed = (base + number) % 2**63
    random.manual_seed(seed)
    python_random.seed(seed)
    np.random.seed(seed % 2**32)
    worker_info.current = WorkerInfo(number, job.num_workers, seed, job.dataset)


def _die_with_parent() -> None:
    """End this process when the main one has, however that came about."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
