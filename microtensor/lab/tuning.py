"""Tuning under one budget for all, then fresh seeds: which runs a comparison consists of."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from microtensor.lab.optimizers import Range, Recipe
from microtensor.lab.parallel import run_all
from microtensor.lab.problems import Task
from microtensor.lab.records import Job, Records
from microtensor.lab.seeds import seed_for
from microtensor.lab.trial import EDGE, Budget, Choice, Schedule, Trial, mean_late_loss, trial

# How far around the best rate of the grid further draws go: a step of the usual grid.
_AROUND = math.sqrt(10)

Losses = list[tuple[Choice, list[Trial]]]


@dataclass(eq=False)
class Cell:
    """An optimizer on a task with one schedule: what was tried, what was chosen, and its runs.

    Attributes:
        task: what on.
        recipe: the optimizer.
        schedule: of its learning rate.
        tries: every choice that was tried, with its tuning runs; the grid of rates first.
        chosen: the one with the lowest late validation loss.
        edges: what of it lies on the edge of the space, in words.
        runs: of it, on fresh seeds.
    """

    task: Task
    recipe: Recipe
    schedule: Schedule
    tries: Losses = field(default_factory=list)
    chosen: Choice = field(default_factory=lambda: Choice(math.nan))
    edges: list[str] = field(default_factory=list)
    runs: list[Trial] = field(default_factory=list)

    @property
    def tuning_loss(self) -> float:
        """What the choice came to in tuning."""
        return min(mean_late_loss(runs) for choice, runs in self.tries if choice is self.chosen)


@dataclass(eq=False)
class Standard:
    """An optimizer on a task at its own defaults; without a default rate, it has no runs."""

    task: Task
    recipe: Recipe
    runs: list[Trial]


@dataclass
class Sweep:
    """Does runs, in parallel, unless they are on record.

    Attributes:
        budget: of each.
        seed: of the comparison.
        records: where outcomes are kept.
        jobs: processes.
        progress: whether a bar is shown.
        captured: whether steps are replayed; None where they can be.
    """

    budget: Budget
    seed: int
    records: Records
    jobs: int | None = None
    progress: bool = False
    captured: bool | None = None

    def do(self, work: Sequence[Job], stage: str) -> list[Trial]:
        """Return the outcomes of runs in their order."""
        waiting = {}
        for job in work:
            if self.records.get(job, self.budget) is None:
                waiting[job.key(self.budget)] = job
            else:
                self.records.repeated += 1
        left = list(waiting.values())

        def arrived(index: int, outcome: Trial) -> None:
            self.records.add(left[index], self.budget, outcome)

        run_all(
            trial,
            [
                (job.task, job.recipe, job.choice, self.budget, job.run, self.captured)
                for job in left
            ],
            jobs=self.jobs,
            progress=stage if self.progress else "",
            arrived=arrived,
        )
        return [self._done(job) for job in work]

    def _done(self, job: Job) -> Trial:
        outcome = self.records.get(job, self.budget)
        assert outcome is not None  # it was found or done
        return outcome

    def tune(self, cells: Sequence[Cell]) -> None:
        """Fill in tries, choice and edges: every rate once, draws, and the best of all again."""
        budget = self.budget
        for stage, choices in (
            ("tuning: rates", self._rates),
            ("tuning: draws around the best", self._draws),
        ):
            work = [(cell, choice) for cell in cells for choice in choices(cell)]
            outcomes = self.do(
                [self._job(cell, choice, "tuning", 0, stage) for cell, choice in work], stage
            )
            for (cell, choice), outcome in zip(work, outcomes, strict=True):
                cell.tries.append((choice, [outcome]))
        finalists = [
            (cell, choice, runs, index)
            for cell in cells
            for choice, runs in sorted(cell.tries, key=_loss)[: budget.finalists]
            for index in range(1, 1 + budget.finalist_runs)
        ]
        stage = "tuning: the best again"
        outcomes = self.do(
            [
                self._job(cell, choice, "tuning", index, stage)
                for cell, choice, _, index in finalists
            ],
            stage,
        )
        for (_, _, runs, _), outcome in zip(finalists, outcomes, strict=True):
            runs.append(outcome)
        for cell in cells:
            most = max(len(runs) for _, runs in cell.tries)
            among = [one for one in cell.tries if len(one[1]) == most]
            cell.chosen = min(among, key=_loss)[0]
            cell.edges = edges(cell.chosen, cell.recipe, budget)

    def finish(self, cells: Sequence[Cell], standards: Sequence[Standard]) -> None:
        """Run what was chosen, and the defaults, on fresh seeds: the same for all."""
        ready = [one for one in standards if one.recipe.default_rate is not None]
        work: list[tuple[Cell | Standard, Job]] = []
        for index in range(self.budget.runs):
            work += [(one, self._job(one, one.chosen, "run", index, "tuned")) for one in cells]
            work += [
                (
                    one,
                    self._job(one, Choice(one.recipe.default_rate or 0.0), "run", index, "default"),
                )
                for one in ready
            ]
        for (one, _), outcome in zip(
            work, self.do([job for _, job in work], "fresh seeds"), strict=True
        ):
            one.runs.append(outcome)

    def _job(
        self, cell: Cell | Standard, choice: Choice, use: str, index: int, purpose: str
    ) -> Job:
        run = seed_for(self.seed, cell.task.name, use, index)
        return Job(cell.task, cell.recipe, choice, run, purpose)

    def _rates(self, cell: Cell) -> list[Choice]:
        return [Choice(rate, cell.schedule) for rate in self.budget.rates]

    def _draws(self, cell: Cell) -> list[Choice]:
        """Draw around the best rate so far, and the other values from the whole of their ranges."""
        rates = self.budget.rates
        best = min(cell.tries, key=_loss)[0].rate
        draw = np.random.default_rng(
            seed_for(self.seed, cell.task.name, cell.recipe.name, cell.schedule, "draws")
        )
        # Not beyond the grid: all optimizers have the same space for their rate.
        near = Range(max(best / _AROUND, rates[0]), min(best * _AROUND, rates[-1]))
        made = []
        for _ in range(self.budget.draws):
            rate = near.at(draw.uniform())
            others = {name: one.at(draw.uniform()) for name, one in cell.recipe.space.items()}
            made.append(Choice(rate, cell.schedule, others))
        return made


def _loss(one: tuple[Choice, list[Trial]]) -> float:
    return mean_late_loss(one[1])


def edges(choice: Choice, recipe: Recipe, budget: Budget) -> list[str]:
    """Return what of a choice lies on the edge of the space it was looked for in.

    A rate does if no rate of the grid is nearer than the first or the last one.
    """
    found = []
    nearest = min(budget.rates, key=lambda rate: abs(math.log(rate / choice.rate)))
    if nearest in (budget.rates[0], budget.rates[-1]):
        found.append(f"rate {choice.rate:g}")
    for name, value in choice.drawn.items():
        space = recipe.space[name]
        low, high = sorted((space.at(EDGE), space.at(1 - EDGE)))
        if not low <= value <= high:
            found.append(f"{name} {value:g}")
    return found


def run_comparison(
    tasks: Sequence[Task], recipes: Sequence[Recipe], sweep: Sweep
) -> tuple[list[Cell], list[Standard]]:
    """Tune every optimizer on every task with every schedule, and run what was chosen."""
    cells = [
        Cell(task, recipe, schedule)
        for task in tasks
        for recipe in recipes
        for schedule in sweep.budget.schedules
    ]
    standards = [Standard(task, recipe, []) for task in tasks for recipe in recipes]
    sweep.tune(cells)
    sweep.finish(cells, standards)
    return cells, standards


def estimate(
    tasks: Sequence[Task], recipes: Sequence[Recipe], sweep: Sweep, cores: int
) -> tuple[float, float]:
    """Return how long a comparison will take in seconds, and how much faster replay is.

    One run of the first optimizer on each task is timed, one more on the first without replay.
    """
    timed: Callable[..., Trial] = functools.partial(
        trial, recipe=recipes[0], choice=Choice(sweep.budget.rates[0]), budget=sweep.budget
    )
    spent = 0.0
    gain = math.nan
    for place, task in enumerate(tasks):
        run = seed_for(sweep.seed, task.name, "estimate")
        timed(task, run=run)  # data are loaded, kernels met
        started = time.perf_counter()
        quick = timed(task, run=run)
        spent += time.perf_counter() - started
        if place == 0:
            slow = timed(task, run=run, captured=False)
            gain = slow.seconds / quick.seconds if quick.seconds else math.nan
    runs = sweep.budget.number(1, len(recipes))
    return spent * runs / cores, gain
