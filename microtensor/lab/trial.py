"""One training run of a comparison: everything in it follows from its arguments."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import microtensor as mt
from microtensor import nn
from microtensor.lab.data import Dataset, Part, split, standardise
from microtensor.lab.optimizers import Recipe
from microtensor.lab.seeds import seed_for
from microtensor.lab.train import batches, mean_loss, network, predicted, tensors

# The logarithmic grid of learning rates that every optimizer is tuned over, unless told otherwise.
RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True, repr=False)
class Budget:
    """What every optimizer is given, alike.

    Attributes:
        steps: of each run.
        batch: rows in each step.
        every: steps between two measurements of the losses.
        rates: learning rates to choose from, upward.
        tuning_runs: runs for each rate; their validation loss, late in the run, decides which
            rates go on.
        finalists: how many rates go on.
        finalist_runs: further runs for each of those; all of its runs decide.
        runs: runs with the chosen rate, each on a fresh seed.
    """

    steps: int = 200
    batch: int = 32
    every: int = 10
    rates: tuple[float, ...] = RATES
    tuning_runs: int = 1
    finalists: int = 3
    finalist_runs: int = 4
    runs: int = 5

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch",
            "every",
            "tuning_runs",
            "finalists",
            "finalist_runs",
            "runs",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.rates or list(self.rates) != sorted(set(self.rates)) or self.rates[0] <= 0:
            raise ValueError(f"rates must be positive and rise, got {self.rates}")

    @classmethod
    def quick(cls) -> Budget:
        """Return a budget of a few seconds: a third of the steps, and fewer runs."""
        return cls(steps=100, finalists=3, finalist_runs=2, runs=3)

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
            f"{self.steps} steps of {self.batch} rows, float32, one hidden layer of 32 ReLU; "
            "a quarter of the rows for the test, a quarter of the rest for validation\n"
            f"learning rates {', '.join(f'{rate:g}' for rate in self.rates)}, "
            f"{_runs(self.tuning_runs)} for each and {self.finalist_runs} more for the best "
            f"{self.finalists}; then {_runs(self.runs)} on fresh seeds"
        )


def _runs(number: int) -> str:
    return f"{number} run{'s' if number > 1 else ''}"


@dataclass(frozen=True, eq=False)
class Task:
    """A data set, a network for it, and the validation loss that counts as solved.

    Attributes:
        data: the rows; a quarter is set aside for the test once and for all.
        target: a validation loss, declared before any run.
        hidden: widths of the hidden layers, with ReLU after each.
    """

    data: Dataset
    target: float
    hidden: tuple[int, ...] = (32,)


@dataclass(frozen=True, eq=False)
class Trial:
    """What one run came to.

    Attributes:
        steps: when the losses were measured, the first time before the first step.
        training: mean loss over the training part, infinite after the run diverged.
        validation: likewise, over the validation part.
        accuracy: on the test part, after the last step; NaN if the run diverged.
        reached: the first measured step with a validation loss within the target; infinite if none.
        seconds: spent on training steps, measurements apart.
    """

    steps: tuple[int, ...]
    training: tuple[float, ...]
    validation: tuple[float, ...]
    accuracy: float
    reached: float
    seconds: float


def parts(data: Dataset, seed: int, run: int) -> list[Part]:
    """Return the training, validation and test parts of a run.

    The test rows depend on the seed of the comparison only, so that no run, of tuning neither,
    sees one of them; the other rows are dealt out anew for each run. All are standardised by the
    training part.
    """
    rest, test = split(data.y, (0.75, 0.25), seed_for(seed, data.name, "test"))
    training, validation = split(data.y[rest], (0.75, 0.25), seed_for(run, "split"))
    return standardise(data, [rest[training], rest[validation], test])


def trial(task: Task, recipe: Recipe, rate: float, budget: Budget, seed: int, run: int) -> Trial:
    """Train once.

    Args:
        task: what on.
        recipe: the optimizer.
        rate: its learning rate.
        budget: how long.
        seed: of the comparison; decides the test rows.
        run: seed of the run; decides split, initial weights and batches, the same for every
            optimizer and rate.
    """
    data = task.data
    training, validation, test = (
        tensors(part, len(data.classes), mt.float32) for part in parts(data, seed, run)
    )
    sizes = [data.x.shape[1], *task.hidden, len(data.classes)]
    start = seed_for(run, "weights")
    model = network(sizes, "relu", start, orthogonal=False, dtype=mt.float32)
    optimizer = recipe.make(model.parameters(), rate)
    x, target = (tensor.numpy() for tensor in training)
    measured: list[tuple[int, float, float]] = []
    seconds = 0.0
    drawn = list(batches(len(x), budget.batch, budget.steps, seed_for(run, "batches")))
    for begin in [*range(0, budget.steps, budget.every), budget.steps]:
        measured.append((begin, _loss(model, training), _loss(model, validation)))
        if not np.isfinite(measured[-1]).all():
            break
        # Cutting the batches is the data's part of the work, not the optimizer's.
        cut = [
            (mt.from_numpy(x[rows]), mt.from_numpy(target[rows]))
            for rows in drawn[begin : begin + budget.every]
        ]
        started = time.perf_counter()
        for rows, wanted in cut:
            optimizer.zero_grad()
            mean_loss(model(rows), wanted).backward()
            optimizer.step()
        seconds += time.perf_counter() - started
    return _outcome(task, budget, measured, seconds, _accuracy(model, test))


def _outcome(
    task: Task,
    budget: Budget,
    measured: Sequence[tuple[int, float, float]],
    seconds: float,
    accuracy: float,
) -> Trial:
    steps = (*range(0, budget.steps, budget.every), budget.steps)
    finite = [one for one in measured if np.isfinite(one).all()]
    lost = (math.inf,) * (len(steps) - len(finite))
    validation = tuple(one[2] for one in finite) + lost
    reached = (step for step, loss in zip(steps, validation, strict=True) if loss <= task.target)
    return Trial(
        steps=steps,
        training=tuple(one[1] for one in finite) + lost,
        validation=validation,
        accuracy=math.nan if lost else accuracy,
        reached=next(reached, math.inf),
        seconds=seconds,
    )


def _loss(model: nn.Module, part: tuple[mt.Tensor, mt.Tensor]) -> float:
    with mt.no_grad():
        return mean_loss(model(part[0]), part[1]).item()


def _accuracy(model: nn.Module, part: tuple[mt.Tensor, mt.Tensor]) -> float:
    with mt.no_grad():
        guessed = predicted(model(part[0]))
    return float(np.mean(guessed == part[1].numpy()))
