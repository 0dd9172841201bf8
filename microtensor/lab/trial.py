"""One training run of a comparison: everything in it follows from its arguments."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

import microtensor as mt
from microtensor import kernels
from microtensor.lab.optimizers import Recipe
from microtensor.lab.problems import Problem, Task
from microtensor.lab.train import cosine

Schedule = Literal["constant", "cosine"]

# The logarithmic grid of learning rates that every optimizer is tuned over, unless told otherwise.
RATES = (
    1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 3e3,
    1e4,
)  # fmt: skip
# A drawn value in this share of its range, at either end, counts as on the edge.
EDGE = 0.03


@dataclass(frozen=True, repr=False)
class Budget:
    """What every optimizer is given, alike.

    Attributes:
        steps: of each run. An optimizer that differentiates several times in a step has as many
            rows to differentiate as the others, and so fewer steps.
        batch: rows in each step.
        every: steps between two measurements of the losses.
        rates: learning rates to choose from, upward.
        draws: further tries around the best of those rates, with the other hyper-parameters drawn
            from the optimizer's space; one that has none spends them on the rate.
        finalists: how many tries are run again, on other seeds.
        finalist_runs: further runs for each of those; all of its runs decide.
        runs: runs of what was chosen, each on a fresh seed.
        schedules: of the learning rate, each tuned for itself.
    """

    steps: int = 300
    batch: int = 32
    every: int = 15
    rates: tuple[float, ...] = RATES
    draws: int = 8
    finalists: int = 3
    finalist_runs: int = 3
    runs: int = 10
    schedules: tuple[Schedule, ...] = ("constant", "cosine")

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "every", "finalists", "runs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("draws", "finalist_runs"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not self.rates or list(self.rates) != sorted(set(self.rates)) or self.rates[0] <= 0:
            raise ValueError(f"rates must be positive and rise, got {self.rates}")
        if not self.schedules or not set(self.schedules) <= {"constant", "cosine"}:
            raise ValueError(
                f"schedules must be some of constant, cosine, got {list(self.schedules)}"
            )

    @classmethod
    def quick(cls) -> Budget:
        """Return a budget of some forty seconds for all tasks: fewer rates, draws and runs."""
        return cls(
            steps=200, every=10, rates=RATES[::2], draws=6, finalists=2, finalist_runs=2, runs=5
        )

    @property
    def tries(self) -> int:
        """The tuning runs of one optimizer with one schedule on one task."""
        return len(self.rates) + self.draws + self.finalists * self.finalist_runs

    def number(self, tasks: int, optimizers: int) -> int:
        """Return how many runs a comparison has; defaults are run once, constant."""
        tuned = len(self.schedules) * (self.tries + self.runs)
        return tasks * optimizers * (tuned + self.runs)

    def __repr__(self) -> str:
        """Name what differs from the default."""
        changed = [
            f"{one.name}={getattr(self, one.name)!r}"
            for one in dataclasses.fields(self)
            if getattr(self, one.name) != one.default
        ]
        return f"Budget({', '.join(changed)})"

    def __str__(self) -> str:
        return (
            f"{self.steps} steps of {self.batch} rows; schedules: {', '.join(self.schedules)}, "
            "each tuned for itself\n"
            f"for each optimizer on each task: {len(self.rates)} learning rates from "
            f"{self.rates[0]:g} to {self.rates[-1]:g}, {self.draws} draws around the best, "
            f"{self.finalist_runs} more runs for the best {self.finalists}; then {self.runs} runs "
            "on fresh seeds, and as many with its defaults"
        )


@dataclass(frozen=True, eq=False)
class Choice:
    """A way to run an optimizer: learning rate, schedule, and values out of its space."""

    rate: float
    schedule: Schedule = "constant"
    drawn: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        others = "".join(f", {name} {value:.4g}" for name, value in self.drawn.items())
        return f"{self.rate:g}{others}"


@dataclass(frozen=True, eq=False)
class Trial:
    """What one run came to.

    Attributes:
        steps: when the losses were measured, the first time before the first step.
        training: training loss, infinite after the run diverged.
        validation: likewise, over the validation part.
        score: on the test part, after the last step; NaN if the run diverged, or there is none.
        reached: the first measured step with a validation loss within the target; infinite if none.
        rows: differentiated in all.
        rows_to_target: differentiated until then; infinite if never.
        seconds: spent on training steps, measurements apart.
        seconds_to_target: likewise, until the target; infinite if never.
        seconds_of_plan: of these, spent on the first step, which is recorded to be replayed.
        taken: steps taken.
    """

    steps: tuple[int, ...]
    training: tuple[float, ...]
    validation: tuple[float, ...]
    score: float
    reached: float
    rows: int
    rows_to_target: float
    seconds: float
    seconds_to_target: float
    seconds_of_plan: float
    taken: int

    @property
    def diverged(self) -> bool:
        """Whether a loss was infinite or NaN."""
        return not math.isfinite(self.validation[-1])


def trial(
    task: Task,
    recipe: Recipe,
    choice: Choice,
    budget: Budget,
    run: int,
    captured: bool | None = None,
) -> Trial:
    """Train once.

    Args:
        task: what on.
        recipe: the optimizer.
        choice: its learning rate, schedule and other values.
        budget: how long.
        run: seed of the run; decides split, initial weights and batches, the same for every
            optimizer and rate.
        captured: whether the step is recorded once and replayed, which changes no bit of the
            result; by default where it can be.
    """
    possible = kernels.backend == "native" and recipe.kind != "LBFGS"
    with np.errstate(all="ignore"):  # a run that diverges is a result
        if not possible or captured is False:
            return _train(task, recipe, choice, budget, run, lambda step: step)
        try:
            return _train(task, recipe, choice, budget, run, mt.capture)
        except RuntimeError:
            # A step of the user's own that cannot be replayed is run as it is, from the start.
            if captured:
                raise
            return _train(task, recipe, choice, budget, run, lambda step: step)


def training_step(problem: Problem, optimizer: Any) -> Callable[..., mt.Tensor]:
    """Return the step that all training here consists of, a function of one batch's tensors."""

    def step(*batch: mt.Tensor) -> mt.Tensor:
        optimizer.zero_grad()
        loss = problem.loss(*batch)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _several_times(problem: Problem, optimizer: Any, calls: list[int]) -> Callable[..., mt.Tensor]:
    """Return a step for optimizers that evaluate as often as they see fit, which is counted."""

    def step(*batch: mt.Tensor) -> mt.Tensor:
        def closure() -> mt.Tensor:
            calls[0] += 1
            optimizer.zero_grad()
            loss = problem.loss(*batch)
            loss.backward()
            return loss

        loss: mt.Tensor = optimizer.step(closure)
        return loss

    return step


def _train(
    task: Task,
    recipe: Recipe,
    choice: Choice,
    budget: Budget,
    run: int,
    wrapped: Callable[[Callable[..., mt.Tensor]], Callable[..., mt.Tensor]],
) -> Trial:
    problem = task.make(run)
    optimizer = recipe.make(problem.parameters, choice.rate, choice.drawn)
    calls = [0]
    closure = recipe.kind == "LBFGS"
    if closure:
        step = _several_times(problem, optimizer, calls)
    else:
        step = wrapped(training_step(problem, optimizer))
    cut = problem.batches(budget.steps) if problem.batches else [()] * budget.steps
    moments = (*range(0, budget.steps, budget.every), budget.steps)
    measured: list[tuple[float, float]] = []
    reached = rows_to_target = seconds_to_target = math.inf
    seconds = plan = 0.0
    taken = 0
    for begin, end in zip(moments, (*moments[1:], budget.steps), strict=True):
        losses = problem.losses()
        if not np.isfinite(losses).all():
            break
        measured.append(losses)
        if losses[1] <= task.target and math.isinf(reached):
            reached, seconds_to_target = begin, seconds
            rows_to_target = calls[0] * problem.rows
        started = time.perf_counter()
        for index in range(begin, end):
            if calls[0] >= budget.steps:
                break  # the rows are used up
            if choice.schedule == "cosine":
                for group in optimizer.param_groups:
                    group["lr"] = choice.rate * cosine(index, budget.steps)
            step(*cut[index])
            calls[0] += not closure
            taken += 1
            if taken == 1:
                plan = time.perf_counter() - started
        seconds += time.perf_counter() - started
    lost = (math.inf,) * (len(moments) - len(measured))
    score = math.nan if lost or problem.score is None else problem.score()
    return Trial(
        steps=moments,
        training=(*(one[0] for one in measured), *lost),
        validation=(*(one[1] for one in measured), *lost),
        score=score,
        reached=reached,
        rows=calls[0] * problem.rows,
        rows_to_target=rows_to_target,
        seconds=seconds,
        seconds_to_target=seconds_to_target,
        seconds_of_plan=plan,
        taken=taken,
    )


def late_loss(run: Trial) -> float:
    """Return the mean validation loss over the last quarter of a run's measurements.

    At a rate too large the loss leaps, and its last value alone would be a matter of luck.
    """
    late = run.validation[-math.ceil(len(run.validation) / 4) :]
    return math.fsum(late) / len(late)


def mean_late_loss(runs: Sequence[Trial]) -> float:
    """Return the mean of :func:`late_loss`, infinite if one of the runs diverged."""
    return math.fsum(late_loss(run) for run in runs) / len(runs)
