"""Training with batches of several sizes: what the clouds of speed and accuracy both measure."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor import kernels
from microtensor.lab.data import Dataset, as_dataset, parts
from microtensor.lab.optional import require
from microtensor.lab.parallel import run_all
from microtensor.lab.seeds import seed_for
from microtensor.lab.train import mean_loss, network, predicted, tensors

Floats = NDArray[np.float64]

RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SIZES = (1, 8, 64, 256, None)
# Losses are measured at so many moments, evenly spread on a logarithmic axis.
_MOMENTS = 28


@dataclass(frozen=True)
class Plan:
    """What every batch size is given, alike.

    Attributes:
        sizes: rows in a batch, upward; None for all of them.
        rates: learning rates to choose from, upward.
        epochs: rows differentiated in each run, as a multiple of the training rows.
        tunings: runs at each rate to choose by.
        runs: runs on fresh seeds of each rate that was chosen.
        hidden: width of the one hidden layer, with ReLU.
    """

    sizes: tuple[int | None, ...] = SIZES
    rates: tuple[float, ...] = RATES
    epochs: int = 16
    tunings: int = 2
    runs: int = 5
    hidden: int = 32

    def __post_init__(self) -> None:
        sizes = [math.inf if size is None else size for size in self.sizes]
        if len(sizes) < 2 or sizes != sorted(set(sizes)) or sizes[0] < 1:
            raise ValueError(
                f"sizes must be two or more, at least 1 and rise, None for all rows last, "
                f"got {self.sizes}"
            )
        if not self.rates or list(self.rates) != sorted(set(self.rates)) or self.rates[0] <= 0:
            raise ValueError(f"rates must be positive and rise, got {self.rates}")
        for name, least in (("epochs", 1), ("tunings", 1), ("runs", 2), ("hidden", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    @classmethod
    def quick(cls) -> Plan:
        """Return a plan of some two seconds: fewer sizes and runs."""
        return cls(sizes=(1, 8, 64, None), tunings=1, runs=3)


@dataclass(frozen=True, eq=False)
class BatchRun:
    """One run of gradient descent with batches of one size.

    Attributes:
        size: rows in a batch.
        rate: the learning rate, constant.
        steps: when the losses were measured, the first time before the first step.
        training: the loss of the whole training part; infinite after the run diverged.
        validation: likewise, of the validation part.
        accuracy: on the test part at the end.
        seconds: per step, measurements and the recording of the first step apart; NaN if no more
            was taken.
    """

    size: int
    rate: float
    steps: Floats
    training: Floats
    validation: Floats
    accuracy: float
    seconds: float

    @property
    def last(self) -> float:
        """The last validation loss."""
        return float(self.validation[-1])

    def steps_to(self, target: float) -> float:
        """Return the steps after which the training loss comes to a target, infinite if never.

        Between two measurements the logarithm of the loss is taken as straight.
        """
        below = self.training <= target
        if not below.any():
            return math.inf
        after = int(below.argmax())
        if after == 0:
            return 0.0
        high, low = np.log(self.training[after - 1 : after + 1])
        share = (high - math.log(target)) / (high - low)
        return float(self.steps[after - 1] + share * (self.steps[after] - self.steps[after - 1]))


@dataclass(frozen=True, eq=False)
class Sweep:
    """All runs of a plan: those to choose a rate by, and those on fresh seeds.

    Attributes:
        data: its name.
        rows: of the training part.
        sizes: rows in a batch, None having become ``rows``; those of more rows are left out.
        target: a training loss, declared before any run.
        tried: for each size those to choose by, for each rate.
        fastest: for each size the runs at the rate that came to the target in the fewest rows.
        best: for each size those at the rate with the lowest last validation loss.
        hasty: those of the smallest size at the best rate of the usual one.
        rates: that could be chosen.
    """

    data: str
    rows: int
    sizes: tuple[int, ...]
    target: float
    tried: dict[int, dict[float, list[BatchRun]]]
    fastest: dict[int, list[BatchRun]]
    best: dict[int, list[BatchRun]]
    hasty: list[BatchRun]
    rates: tuple[float, ...]

    def on_edge(self, rate: float) -> bool:
        """Tell whether a better rate may lie beyond those that were tried."""
        return rate in (self.rates[0], self.rates[-1])

    @property
    def usual(self) -> int:
        """The size, neither the smallest nor the largest, that stands for mini-batches."""
        return usual(self.sizes)


def usual(sizes: Sequence[int]) -> int:
    """Return the size nearest to 32 between the smallest and the largest, or else the smallest."""
    return min(sizes[1:-1] or sizes[:1], key=lambda size: abs(math.log(size / 32)))


def name_of(size: int, rows: int, unit: bool = False) -> str:
    """Return what tables and pictures call a batch size; with a unit where no axis names it.

    Example:
        >>> name_of(1, 100), name_of(8, 100, unit=True), name_of(100, 100)
        ('1 (SGD)', '8 rows', 'all (BGD)')
    """
    number = "all" if size == rows else f"{size:,}"
    word = (" row" if size == 1 else " rows") if unit else ""
    return number + word + {1: " (SGD)", rows: " (BGD)"}.get(size, "")


def colours(count: int) -> list[str]:
    """Return a colour for each batch size, dark for few rows, light for many: they have an order.

    Example:
        >>> colours(2)
        ['#440154', '#44bf70']
    """
    shade = require("matplotlib").colormaps["viridis"]
    to_hex = require("matplotlib.colors").to_hex
    return [to_hex(shade(share)) for share in np.linspace(0, 0.7, count)]


def sweep(
    data: str | Dataset | tuple[Any, Any],
    plan: Plan,
    *,
    target: float | None = None,
    seed: int = 0,
    jobs: int | None = None,
) -> Sweep:
    """Train with every batch size at every rate, and again with what was chosen.

    The same call is answered from memory: two clouds look at the same runs.

    Args:
        data: the name of a data set with classes, a :class:`Dataset`, or a pair (x, y).
        plan: sizes, rates, and how long.
        target: the training loss to be reached; by default a tenth of the loss of one who gives
            every class the same probability.
        seed: decides test rows and everything that is drawn.
        jobs: processes.

    Raises:
        ValueError: an unknown data set, one without classes, or a target that is not above 0.
    """
    if not isinstance(data, str):
        data = as_dataset(data, seed)
    if target is not None and not target > 0:
        raise ValueError(f"target must be above 0, got {target}")
    return _sweep(data, plan, target, seed, jobs)


@functools.lru_cache(2)
def _sweep(
    given: str | Dataset, plan: Plan, target: float | None, seed: int, jobs: int | None
) -> Sweep:
    data = as_dataset(given, seed)
    if not data.classes:
        raise ValueError(f"{data.name}: a data set with classes is needed, this has numbers")
    rows = len(parts(data, seed, 0)[0].y)
    sizes = tuple(dict.fromkeys(min(size or rows, rows) for size in plan.sizes))
    if target is None:
        target = 0.1 * math.log(len(data.classes))

    def trained(wanted: Iterable[tuple[int, float]], purpose: str, runs: int) -> list[BatchRun]:
        # The longest first, so that no core waits for the last one.
        seeds = [seed_for(seed, purpose, number) for number in range(runs)]
        calls = [(data, plan, seed, run, *pair) for pair in sorted(wanted) for run in seeds]
        return run_all(_train, calls, jobs=jobs)

    made = trained(itertools.product(sizes, plan.rates), "tuning", plan.tunings)
    tried = {size: {rate: _those(made, size, rate) for rate in plan.rates} for size in sizes}

    def slowness(runs: Sequence[BatchRun]) -> tuple[float, float]:
        return max(run.steps_to(target) for run in runs), loss(runs)

    def loss(runs: Sequence[BatchRun]) -> float:
        return math.fsum(run.last for run in runs)

    fastest = {size: min(runs, key=lambda rate: slowness(runs[rate]))
               for size, runs in tried.items()}  # fmt: skip
    best = {size: min(runs, key=lambda rate: loss(runs[rate])) for size, runs in tried.items()}
    hasty = (sizes[0], best[usual(sizes)])
    again = trained({*fastest.items(), *best.items(), hasty}, "run", plan.runs)
    return Sweep(
        data.name, rows, sizes, target, tried,
        {size: _those(again, size, rate) for size, rate in fastest.items()},
        {size: _those(again, size, rate) for size, rate in best.items()},
        _those(again, *hasty), plan.rates,
    )  # fmt: skip


def _those(runs: Iterable[BatchRun], size: int, rate: float) -> list[BatchRun]:
    return [run for run in runs if (run.size, run.rate) == (size, rate)]


def _train(data: Dataset, plan: Plan, seed: int, run: int, size: int, rate: float) -> BatchRun:
    """Train once; split, weights and the order of the rows depend on the run alone."""
    training, validation, test = parts(data, seed, run)
    outputs = data.outputs
    model = network(
        [data.x.shape[1], plan.hidden, outputs], "relu", seed_for(run, "weights"),
        orthogonal=False, dtype=mt.float32,
    )  # fmt: skip
    optimizer = mt.optim.SGD(model.parameters(), lr=rate)

    def step(x: mt.Tensor, target: mt.Tensor) -> mt.Tensor:
        optimizer.zero_grad()
        loss = mean_loss(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    pairs = [tensors(part, outputs, mt.float32) for part in (training, validation, test)]
    x, target = (one.numpy() for one in pairs[0])
    steps = max(1, plan.epochs * len(x) // size)
    draw = np.random.default_rng(seed_for(run, "batches"))
    order = np.concatenate([draw.permutation(len(x)) for _ in range(plan.epochs + 1)])
    moments = np.unique([0, *np.round(np.geomspace(1, steps, _MOMENTS)).astype(int)])
    go = through(step)
    losses = np.full((2, len(moments)), math.inf)
    spent, timed = 0.0, 0
    with np.errstate(all="ignore"):  # a run that diverges is a result
        for place, moment in enumerate(moments.tolist()):
            if place:
                before = int(moments[place - 1])
                rows = order[before * size : moment * size]
                started = time.perf_counter()
                go((x[rows], target[rows]), size)
                if place > 1:  # the first step is recorded, which takes longer
                    spent += time.perf_counter() - started
                    timed += moment - before
            with mt.no_grad():
                now = [mean_loss(model(one), wanted).item() for one, wanted in pairs[:2]]
            if not np.isfinite(now).all():
                break
            losses[:, place] = now
        with mt.no_grad():
            right = predicted(model(pairs[2][0])) == test.y
    return BatchRun(
        size, rate, moments.astype(np.float64), losses[0], losses[1], float(right.mean()),
        spent / timed if timed else math.nan,
    )  # fmt: skip


def through(step: Callable[..., Any]) -> Callable[[tuple[Any, ...], int], list[Any]]:
    """Return what takes a step for each batch of some arrays, in order, and returns the results.

    With the native kernels the step is recorded once and replayed in C, which changes no bit.
    """
    if kernels.backend == "native":
        captured = mt.capture(step)
        return lambda arrays, size: captured.run(arrays, batch_size=size)

    def eager(arrays: tuple[Any, ...], size: int) -> list[Any]:
        starts = range(0, len(arrays[0]), size)
        return [
            step(*(mt.from_numpy(one[start : start + size]) for one in arrays)) for start in starts
        ]

    return eager


def means(runs: Sequence[BatchRun], what: str) -> Floats:
    """Return the geometric mean over runs of a loss at each moment, infinite where one diverged."""
    with np.errstate(divide="ignore"):
        return np.exp(np.mean([np.log(getattr(run, what)) for run in runs], 0))
