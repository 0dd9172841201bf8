"""A fair comparison of optimizers: the same budget, rates, splits, weights and batches for all."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from microtensor.lab.compare_report import Entry, comparison_result
from microtensor.lab.data import DATASETS, Dataset, as_datasets, call
from microtensor.lab.optimizers import OPTIMIZERS, Recipe, recipes
from microtensor.lab.parallel import run_all
from microtensor.lab.result import Result
from microtensor.lab.seeds import seed_for
from microtensor.lab.trial import Budget, Task, Trial, trial

# Hidden widths, and the validation loss that counts as solved.
_TASKS: dict[str, tuple[tuple[int, ...], float]] = {
    "moons": ((32,), 0.05),
    "circles": ((32,), 0.1),
    "digits": ((32,), 0.2),
    "breast_cancer": ((32,), 0.1),
}
# For a user's own data: this share of the loss of one who knows only how frequent each class is.
_TARGET_SHARE = 0.25


def task_for(data: Dataset) -> Task:
    """Return the task of a data set: a known one's, or one hidden layer and a general target."""
    if data.name in _TASKS and data.name in DATASETS:
        hidden, target = _TASKS[data.name]
        return Task(data, target, hidden)
    share = np.bincount(data.y) / len(data.y)
    return Task(data, float(_TARGET_SHARE * -(share * np.log(share)).sum()))


def compare(
    tasks: Sequence[str | Dataset | Task | tuple[Any, Any]] = ("moons", "digits", "breast_cancer"),
    optimizers: Sequence[str] = tuple(OPTIMIZERS),
    budget: Budget | None = None,
    *,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = False,
    command: str = "",
) -> Result:
    """Train the same networks with several optimizers, each at its best learning rate.

    The rates of one grid are tried with every optimizer on validation data, with the same number
    of runs; the best is then run on fresh seeds. For each seed, all optimizers start from the same
    weights and see the same batches of the same split, so that their differences are paired. The
    test rows are set aside before any of this.

    Args:
        tasks: names of data sets, :class:`Dataset` objects, pairs (x, y) or :class:`Task` objects.
        optimizers: names from :data:`OPTIMIZERS`.
        budget: steps, rates and runs; by default the demo's.
        seed: decides everything that is drawn.
        jobs: processes; by default one per core. Their number changes nothing but the time.
        progress: whether to show a progress bar on standard error.
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result with a table of final losses, test accuracies and steps to the target; a verdict
        on whether the grid was wide enough; and one for each task on whether an optimizer is
        ahead of all others. Seconds stand apart, in ``.seconds``.

    Raises:
        ValueError: an unknown data set or optimizer, or data with NaN.
        TypeError: data that are not numbers.
    """
    budget = budget or Budget()
    chosen = recipes(optimizers)
    todo = _tasks(tasks, seed)
    command = command or (
        'python -c "from microtensor import lab; '
        f"print(lab.compare({call([task.data for task in todo])}, "
        f'{[one.name for one in chosen]}, lab.{budget!r}, seed={seed}))"'
    )
    started = time.perf_counter()
    tuned = _tune(todo, chosen, budget, seed, jobs, progress)
    final = run_all(
        trial,
        [
            (
                task,
                recipe,
                tuned[task.data.name, recipe.name].rate,
                budget,
                seed,
                seed_for(seed, task.data.name, "run", index),
            )
            for task in todo
            for recipe in chosen
            for index in range(budget.runs)
        ],
        jobs=jobs,
        progress="final runs" if progress else "",
    )
    waiting = iter(final)
    entries = [
        Entry(
            task,
            recipe,
            tuned[task.data.name, recipe.name].rate,
            tuned[task.data.name, recipe.name].edge,
            [next(waiting) for _ in range(budget.runs)],
        )
        for task in todo
        for recipe in chosen
    ]
    seconds = {"whole comparison": time.perf_counter() - started}
    for recipe in chosen:
        mine = [entry for entry in entries if entry.recipe is recipe]
        spent = sum(run.seconds for entry in mine for run in entry.runs)
        seconds[f"{recipe.label}, microseconds per step"] = (
            1e6 * spent / (budget.steps * budget.runs * len(mine))
        )
    settings = {
        "seed": seed,
        "budget": asdict(budget),
        "tasks": {
            task.data.name: {
                "hidden": task.hidden,
                "activation": "relu",
                "target": task.target,
                "rows": len(task.data.y),
            }
            for task in todo
        },
        "optimizers": {one.name: {"class": one.kind, **one.settings} for one in chosen},
        "tuning": "the rate with the lowest validation loss, mean over the last quarter of a run",
        "parts": "a quarter for the test; of the rest, a quarter for validation, anew in each run",
        "dtype": "float32",
    }
    return comparison_result(entries, budget, settings=settings, seconds=seconds, command=command)


@dataclass(frozen=True)
class _Tuned:
    rate: float
    edge: bool


def _tune(
    tasks: Sequence[Task],
    chosen: Sequence[Recipe],
    budget: Budget,
    seed: int,
    jobs: int | None,
    progress: bool,
) -> dict[tuple[str, str], _Tuned]:
    """Return for each task and optimizer the rate with the lowest mean late validation loss.

    Every rate has its first runs; the best few then have more, since at a rate close to too large
    a single run may be lucky.
    """
    pairs = [(task, recipe) for task in tasks for recipe in chosen]
    losses: dict[tuple[str, str, float], list[float]] = {
        (task.data.name, recipe.name, rate): [] for task, recipe in pairs for rate in budget.rates
    }

    def mean(task: Task, recipe: Recipe, rate: float) -> float:
        mine = losses[task.data.name, recipe.name, rate]
        return math.fsum(mine) / len(mine)

    def try_out(rates: dict[tuple[str, str], Sequence[float]], runs: range, stage: str) -> None:
        work = [
            (task, recipe, rate, budget, seed, seed_for(seed, task.data.name, "tuning", index))
            for task, recipe in pairs
            for rate in rates[task.data.name, recipe.name]
            for index in runs
        ]
        outcomes = run_all(trial, work, jobs=jobs, progress=stage if progress else "")
        for (task, recipe, rate, *_), outcome in zip(work, outcomes, strict=True):
            losses[task.data.name, recipe.name, rate].append(late_loss(outcome))

    first = budget.tuning_runs
    try_out(
        {(task.data.name, recipe.name): budget.rates for task, recipe in pairs},
        range(first),
        "tuning: all rates",
    )
    best: dict[tuple[str, str], Sequence[float]] = {
        (task.data.name, recipe.name): sorted(
            budget.rates, key=functools.partial(mean, task, recipe)
        )[: budget.finalists]
        for task, recipe in pairs
    }
    try_out(best, range(first, first + budget.finalist_runs), "tuning: the best rates")
    ends = (budget.rates[0], budget.rates[-1])
    tuned = {}
    for task, recipe in pairs:
        cell = task.data.name, recipe.name
        rate = min(best[cell], key=functools.partial(mean, task, recipe))
        tuned[cell] = _Tuned(rate, rate in ends)
    return tuned


def late_loss(run: Trial) -> float:
    """Return the mean validation loss over the last quarter of a run's measurements.

    At a rate too large the loss leaps, and its last value alone would be a matter of luck.
    """
    late = run.validation[-math.ceil(len(run.validation) / 4) :]
    return math.fsum(late) / len(late)


def _tasks(given: Sequence[Any], seed: int) -> list[Task]:
    if isinstance(given, (str, Dataset, Task)):
        given = (given,)
    ready = {one.data.name: one for one in given if isinstance(one, Task)}
    datasets = as_datasets([one.data if isinstance(one, Task) else one for one in given], seed)
    return [ready.get(data.name) or task_for(data) for data in datasets]
