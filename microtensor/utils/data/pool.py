"""The worker processes of a DataLoader, seen from the main process."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import connection
from typing import Any

from microtensor.utils.data.worker import Exhausted, Failure, Job, run


class Worker:
    """One process: its tasks go into a queue, its results come through a pipe of its own.

    A queue of results that all share would have a lock, which a worker that is killed while it
    holds it keeps forever.
    """

    def __init__(self, context: Any, number: int, job: Job) -> None:
        self.tasks = context.Queue()
        self.tasks.cancel_join_thread()
        self.results, results = context.Pipe(duplex=False)
        self.process = context.Process(
            target=run,
            args=(number, job, self.tasks, results),
            name=f"DataLoader worker {number}",
            daemon=True,
        )
        self.process.start()
        results.close()  # so that the end of the process is the end of the pipe

    def describe_end(self) -> str:
        """Say how the process has ended."""
        self.process.join(1)
        code = self.process.exitcode
        if code is not None and code < 0:
            with suppress(ValueError):
                return f"killed by signal: {signal.Signals(-code).name}"
        return f"exit code {code}"


class Pool:
    """The workers of a loader.

    Args:
        job: what they are given.
        context: how processes are started: a name ("fork", "spawn", "forkserver"), one of
            ``multiprocessing``'s contexts, or None for its default.
    """

    def __init__(self, job: Job, context: Any) -> None:
        if context is None or isinstance(context, str):
            context = multiprocessing.get_context(context)
        self.workers: list[Worker] = []
        self.epoch = 0
        self._owner = os.getpid()
        try:
            for number in range(job.num_workers):
                self.workers.append(Worker(context, number, job))
        except BaseException:
            self.close()
            raise

    def begin(self, seed: int) -> int:
        """Begin an epoch; what is left of the one before is thrown away. Returns its number."""
        self.epoch += 1
        for worker in self.workers:
            worker.tasks.put((self.epoch, None, seed))
        return self.epoch

    def receive(self, timeout: float) -> tuple[int, int, Any]:
        """Wait for the next result: (epoch, place, batch).

        Raises:
            RuntimeError: a worker has died, or nothing came for so many seconds.
        """
        places = {worker.results: number for number, worker in enumerate(self.workers)}
        ready = connection.wait(list(places), timeout or None)
        if not ready:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
        pipe: Any = ready[0]
        number = places[pipe]
        try:
            epoch, place, batch = pipe.recv()
        except (EOFError, OSError):
            worker = self.workers[number]
            raise RuntimeError(
                f"DataLoader worker {number} (pid {worker.process.pid}) exited unexpectedly: "
                f"{worker.describe_end()}"
            ) from None
        return epoch, place, batch

    def close(self) -> None:
        """Stop all workers, and wait until they are gone.

        In a process that was forked meanwhile, where they are nobody's children, forget them.
        """
        if os.getpid() != self._owner:
            self.workers = []
        for worker in self.workers:
            # Whatever they are at is of no use to anyone any more.
            if worker.process.is_alive():
                worker.process.terminate()
        for worker in self.workers:
            worker.process.join(5)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.tasks.close()
            worker.results.close()
        self.workers = []

    def __del__(self) -> None:
        with suppress(Exception):  # the interpreter may be on its way out
            self.close()


class Epoch(Iterator[Any]):
    """The batches of one epoch, made by workers in turn and given in order.

    Args:
        pool: the workers.
        requests: what batches are to be made of.
        seed: of the workers' generators.
        prefetch: how many batches each worker is ahead.
        timeout: seconds to wait for a batch; 0 for any time.
        in_order: whether batches are given in the order of their requests.
        keep: whether the workers go on to live after this epoch.
    """

    def __init__(
        self,
        pool: Pool,
        requests: Iterator[Any],
        seed: int,
        prefetch: int,
        timeout: float,
        in_order: bool,
        keep: bool,
    ) -> None:
        self._pool = pool
        self._requests = requests
        self._timeout = timeout
        self._in_order = in_order
        self._keep = keep
        self._epoch = pool.begin(seed)
        self._asked = 0
        self._given = 0
        self._waiting: dict[int, Any] = {}  # batches that have come before their turn
        self._owners: dict[int, int] = {}  # who is at which batch
        self._turn = 0
        self._active = [True] * len(pool.workers)  # those whose stream has not ended
        for _ in range(prefetch * len(pool.workers)):
            self._ask()

    def _ask(self) -> None:
        """Hand the next request to the worker whose turn it is.

        In turn and not to whoever is idle: which worker makes which batch, and so what it draws
        from its generators and takes of its stream, must not depend on how fast they are.
        """
        count = len(self._active)
        turns = [(self._turn + step) % count for step in range(count)]
        number = next((each for each in turns if self._active[each]), None)
        if number is None:
            return
        for request in self._requests:
            self._turn = (number + 1) % count
            self._owners[self._asked] = number
            self._pool.workers[number].tasks.put((self._epoch, self._asked, request))
            self._asked += 1
            return

    def __next__(self) -> Any:
        try:
            batch = self._next()
        except BaseException:  # Ctrl-C among them
            self._end()
            raise
        if isinstance(batch, Failure):
            batch.reraise()
        return batch

    def _next(self) -> Any:
        if self._epoch != self._pool.epoch or not self._pool.workers:
            raise StopIteration  # another epoch has begun, or the workers are gone
        while self._given < self._asked:
            if self._given in self._waiting:
                place, batch = self._given, self._waiting.pop(self._given)
            else:
                epoch, place, batch = self._pool.receive(self._timeout)
                if epoch != self._epoch:
                    continue
                if self._in_order and place != self._given:
                    self._waiting[place] = batch
                    continue
            self._given += 1
            number = self._owners.pop(place)
            if isinstance(batch, Exhausted):
                self._active[number] = False
            self._ask()
            if not isinstance(batch, Exhausted):
                return batch
        raise StopIteration

    def _end(self) -> None:
        if not self._keep:
            self._pool.close()

    def __del__(self) -> None:
        if hasattr(self, "_keep"):
            self._end()
