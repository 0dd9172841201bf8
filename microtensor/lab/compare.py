"""A fair comparison of optimizers: the same budget, spaces, splits, weights and batches for all."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from microtensor.lab.compare_report import Entry, comparison_result
from microtensor.lab.data import Dataset
from microtensor.lab.optimizers import BEYOND, COMPARED, OPTIMIZERS, Recipe, recipes
from microtensor.lab.optional import require
from microtensor.lab.problems import TASKS, Task, task_names, tasks_for
from microtensor.lab.records import Records
from microtensor.lab.result import Result
from microtensor.lab.trial import Budget
from microtensor.lab.tuning import Cell, Standard, Sweep, estimate, run_comparison


def compare(
    tasks: Sequence[str | Dataset | Task | tuple[Any, Any]] = TASKS,
    optimizers: Sequence[str | Recipe | Callable[..., Any]] = COMPARED,
    budget: Budget | None = None,
    *,
    seed: int = 0,
    results: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    progress: bool = False,
    command: str = "",
) -> Result:
    """Give several optimizers the same tasks, and each the same budget to be tuned with.

    Every optimizer has the same number of tuning runs on each task, over spaces that are stated in
    the settings: a grid of learning rates, draws around the best with its other hyper-parameters,
    and the best of all again, for a constant and a cosine schedule each. The late validation loss
    decides. What was chosen is run on fresh seeds, and so are the defaults. For each seed all
    start from the same weights and see the same batches of the same split, so that differences are
    paired. Test rows are set aside before any of this; they decide nothing.

    Args:
        tasks: names (see :func:`task_names`), :class:`Dataset` objects, pairs (x, y), or
            :class:`Task` objects of one's own.
        optimizers: names from ``OPTIMIZERS`` and beyond, :class:`Recipe` objects, or functions of
            parameters and ``lr`` that return an optimizer.
        budget: steps, spaces and runs; by default the full one.
        seed: decides everything that is drawn.
        results: a file for finished runs, JSON lines. Each is written as soon as it is done; what
            is there already is not done again.
        jobs: processes; by default one per core, or as ``joblib.parallel_config`` says. Their
            number changes nothing but the time.
        progress: whether to tell the expected time, and show progress bars, on standard error.
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result with the table of final losses, ranks, and steps to the target, and one of the
        performance profile; verdicts on the edges of the spaces, on who is ahead on each task, on
        whether one dominates, and on tuned against default. Seconds stand apart, in ``.seconds``.

    Raises:
        ValueError: an unknown task or optimizer, or data with NaN.
        TypeError: data that are not numbers.
        OSError: the file of results cannot be read or written.

    Example:
        >>> from microtensor import lab
        >>> budget = lab.Budget(steps=20, every=5, draws=0, finalist_runs=0, runs=3)
        >>> result = lab.compare(["rosenbrock"], ["sgd", "adam"], budget, jobs=1)
        >>> sorted(set(result.table.frame()["optimizer"]))
        ['Adam', 'SGD']
    """
    budget = budget or Budget()
    chosen = recipes(optimizers)
    todo = tasks_for(tasks, seed, budget.batch)
    records = Records.read(results, seed)
    sweep = Sweep(budget, seed, records, jobs, progress)
    command = command or _call(todo, chosen, budget, seed)
    gain = None
    if progress:
        gain = _tell(todo, chosen, sweep)
    known = len(records.found)
    started = time.perf_counter()
    cells, standards = run_comparison(todo, chosen, sweep)
    wall = time.perf_counter() - started
    entries = [_entry(cell, standards) for cell in cells]
    taken = sum(run.taken for run in list(records.found.values())[known:])
    seconds = _seconds(cells, chosen, wall, taken, gain)
    return comparison_result(
        entries, budget, settings=_settings(todo, chosen, budget, seed), seconds=seconds,
        command=command, refused=records.report(),
    )  # fmt: skip


def _seconds(
    cells: Sequence[Cell], chosen: Sequence[Recipe], wall: float, steps: int, gain: float | None
) -> dict[str, float]:
    """What took how long: of so many steps in all, and of each optimizer."""
    seconds = {"whole comparison": wall}
    if steps:
        seconds["trained steps per second"] = steps / wall
    if gain is not None:
        seconds["steps replayed from C, recording included, times as fast as eager ones"] = gain
    for recipe in chosen:
        mine = [run for cell in cells if cell.recipe is recipe for run in cell.runs]
        taken = sum(run.taken for run in mine) or 1
        spent = sum(run.seconds for run in mine)
        seconds[f"{recipe.label}, microseconds per step"] = 1e6 * spent / taken
        arrivals = [1e3 * run.seconds_to_target for run in mine if run.seconds_to_target < 1e9]
        if arrivals:
            name = f"{recipe.label}, milliseconds to the target, median of {len(arrivals)} runs"
            seconds[name] = sorted(arrivals)[len(arrivals) // 2]
    return seconds


def _entry(cell: Cell, standards: Sequence[Standard]) -> Entry:
    (default,) = [one for one in standards if one.task is cell.task and one.recipe is cell.recipe]
    return Entry(
        cell.task, cell.recipe, cell.schedule, cell.chosen, tuple(cell.edges), cell.runs,
        default.runs, cell.tries, cell.tuning_loss,
    )  # fmt: skip


def _tell(tasks: Sequence[Task], chosen: Sequence[Recipe], sweep: Sweep) -> float:
    """Say how much there is to do and how long it will take; return what replay gains."""
    cores = require("joblib").effective_n_jobs(-1 if sweep.jobs is None else sweep.jobs)
    seconds, gain = estimate(tasks, chosen, sweep, cores)
    number = sweep.budget.number(len(tasks), len(chosen))
    known = len(sweep.records.found)
    text = f"{number} runs of {sweep.budget.steps} steps, some {seconds:.0f} seconds"
    if known:
        text += f"; {known} runs are on record in {sweep.records.path}"
    for line in (text, sweep.records.report()):
        if line:
            print(line, file=sys.stderr, flush=True)
    return gain


def _settings(
    tasks: Sequence[Task], chosen: Sequence[Recipe], budget: Budget, seed: int
) -> dict[str, Any]:
    return {
        "seed": seed,
        "budget": asdict(budget),
        "tasks": {
            one.name: {"about": one.about, "target": one.target, "score": one.score}
            for one in tasks
        },
        "optimizers": {
            one.name: {
                "class": one.kind if isinstance(one.kind, str) else one.name,
                **one.settings,
                "default rate": one.default_rate,
                "space": {
                    name: f"{space.low:g} to {space.high:g}, log-uniform"
                    f"{' in 1 minus it' if space.short_of_one else ''}"
                    for name, space in one.space.items()
                },
            }
            for one in chosen
        },
        "tuning": "the lowest validation loss, mean over the last quarter of a run and over runs",
        "tuning runs": f"{budget.tries} for each optimizer, task and schedule",
        "parts": "a quarter for the test; of the rest, a quarter for validation, anew in each run",
        "ranking": "paired t tests on log10 of final validation losses, Holm-corrected; a run that "
        "diverged counts as one that stayed where it started",
    }


def _call(tasks: Sequence[Task], chosen: Sequence[Recipe], budget: Budget, seed: int) -> str:
    def listed(names: Sequence[str], known: Sequence[str]) -> str:
        shown = [repr(name) if name in known else name for name in names]
        return f"[{', '.join(shown)}]"

    return (
        'python -c "from microtensor import lab; '
        f"print(lab.compare({listed([one.name for one in tasks], task_names())}, "
        f"{listed([one.name for one in chosen], [*OPTIMIZERS, *BEYOND])}, "
        f'lab.{budget!r}, seed={seed}))"'
    )
