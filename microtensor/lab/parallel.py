"""Independent pieces of work on all cores, with a progress bar."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import microtensor as mt
from microtensor.lab.interruption import workers_deaf_to_ctrl_c
from microtensor.lab.optional import require

Answer = TypeVar("Answer")


def run_all(
    function: Callable[..., Answer],
    arguments: Sequence[tuple[Any, ...]],
    *,
    jobs: int | None = None,
    progress: str = "",
    arrived: Callable[[int, Answer], None] | None = None,
) -> list[Answer]:
    """Call a function once for each tuple of arguments, and return the answers in that order.

    What a call returns must depend on its arguments alone; then the number of processes changes
    nothing but the time.

    Args:
        function: a module-level function.
        arguments: one tuple per call.
        jobs: how many processes; by default one per core, or as ``joblib.parallel_config`` says.
            With 1 everything runs in this process.
        progress: what the progress bar on standard error is called; empty for none.
        arrived: called with the number of each call and its answer as soon as that is there; then
            calls are sent one by one, as none may be lost.
    """
    joblib = require("joblib")
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    if jobs is None:
        jobs = joblib.parallel.get_active_backend()[1] or -1
    if len(arguments) < 2:
        jobs = 1
    parallel = joblib.Parallel(
        n_jobs=jobs,
        return_as="generator_unordered",
        batch_size="auto" if arrived is None else 1,
        pre_dispatch="2 * n_jobs" if arrived is None else "4 * n_jobs",
    )
    calls = (joblib.delayed(_numbered)(index, function, one) for index, one in enumerate(arguments))
    answers: dict[int, Answer] = {}
    with progress_bar(progress, len(arguments)) as advance:
        arriving = None
        try:
            with workers_deaf_to_ctrl_c() if jobs != 1 else nullcontext():
                arriving = parallel(calls)
            for index, answer in arriving:
                answers[index] = answer
                if arrived is not None:
                    arrived(index, answer)
                advance()
        finally:
            _close(arriving)
    return [answers[index] for index in range(len(arguments))]


def _close(arriving: Any) -> None:
    """Kill the workers, if answers are still to come that nobody waits for."""
    if arriving is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib counts the calls that are given up
        arriving.close()


def _numbered(
    index: int, function: Callable[..., Answer], arguments: tuple[Any, ...]
) -> tuple[int, Answer]:
    with one_thread():  # the cores are shared out among processes
        return index, function(*arguments)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let kernels run in one thread within the block: small networks gain nothing by more."""
    threads = mt.get_num_threads()
    mt.set_num_threads(1)
    try:
        yield
    finally:
        mt.set_num_threads(threads)


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error, if that is a terminal; the block calls what it is given.

    Args:
        description: what the bar is called; empty for none.
        total: how many calls fill it.
    """
    if not description:
        yield lambda: None
        return
    progress, console = require("rich.progress"), require("rich.console")
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    shown = console.Console(stderr=True)
    with progress.Progress(
        *columns, console=shown, transient=True, disable=not shown.is_terminal
    ) as bar:
        task = bar.add_task(description, total=total)
        yield lambda: bar.advance(task)
