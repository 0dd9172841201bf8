"""Many runs of one optimizer over a surface at once: all rates and starts in a single tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor.lab.moons import batch_loss
from microtensor.lab.optimizers import Recipe
from microtensor.lab.seeds import seed_for
from microtensor.lab.surfaces import Floats, Surface
from microtensor.lab.train import replayed

# These look at a parameter as a whole, so each run must be a parameter, and a group, of its own.
_WHOLE = ("Adafactor", "LAMB", "LARS", "Muon", "Prodigy")
# Farther out than this a run is lost, and its numbers mean nothing.
_LOST = 1e9


@dataclass(frozen=True)
class Racer:
    """An optimizer in a race.

    Attributes:
        recipe: how it is made.
        label: what it is called in this race.
        batch: rows in each of its batches; None for all rows, or where there are no batches.
    """

    recipe: Recipe
    label: str
    batch: int | None = None

    @property
    def name(self) -> str:
        """The name in tables and colours."""
        return self.recipe.name


@dataclass(frozen=True, eq=False)
class Runs:
    """Where runs went.

    Attributes:
        points: (steps + 1, rates, starts, 2).
        values: of the surface there, (steps + 1, rates, starts); of all rows where it has rows.
        arrived: the step from which on a run stays within the target (on a saddle, at which it
            left), infinite if there is none, (rates, starts).
    """

    points: Floats
    values: Floats
    arrived: Floats


def descend(
    surface: Surface,
    racer: Racer,
    rates: Sequence[float],
    starts: Floats,
    steps: int,
    *,
    rows: Floats | None = None,
    seed: int = 0,
) -> Runs:
    """Run an optimizer from every start at every rate.

    Optimizers that treat each number by itself take all starts of a rate as one parameter; each
    rate is a parameter group.

    Args:
        surface: what over.
        racer: the optimizer.
        rates: learning rates.
        starts: (starts, 2).
        steps: of each run.
        rows: the rows of which batches are drawn, if the surface has some.
        seed: of the batches, which are the same for every optimizer and rate.
    """
    shape = (len(rates), len(starts), 2)
    here = np.array(np.broadcast_to(starts, shape), order="C")
    apart = racer.recipe.kind in _WHOLE
    # The parameters are parts of one array, so that one loss serves them all.
    cuts: list[Any] = list(np.ndindex(*shape[:2])) if apart else list(range(len(rates)))
    parameters = [mt.from_numpy(here[cut]).requires_grad_() for cut in cuts]
    groups: list[Any] = [
        {"params": [parameter], "lr": float(rates[cut[0] if apart else cut])}
        for parameter, cut in zip(parameters, cuts, strict=True)
    ]
    step = _stepping(surface, parameters, racer.recipe.make(groups, float(rates[0])), shape)
    points, values = np.empty((steps + 1, *shape)), np.empty((steps + 1, *shape[:2]))
    drawn = _batches(racer, rows, len(starts), steps, seed)
    for index in range(steps):
        points[index] = here
        values[index] = step(*_columns(drawn, index)).numpy()
    points[steps] = here
    if drawn is None:
        values[steps] = surface(points[steps])
    else:  # the loss that counts is that of all rows
        values = np.stack([surface(one) for one in points])
    lost = ~(np.abs(points).max(-1) < _LOST) | ~np.isfinite(values)
    np.logical_or.accumulate(lost, axis=0, out=lost)
    points[lost], values[lost] = np.nan, np.nan
    return Runs(points, values, _arrival(surface, points, values))


def _stepping(
    surface: Surface, parameters: Sequence[mt.Tensor], optimizer: Any, shape: tuple[int, ...]
) -> Callable[..., mt.Tensor]:
    """Return the step of all runs: a function of a batch's columns that returns the losses.

    Where the surface's operations are the same at every point it is recorded and replayed.
    """

    def step(*batch: mt.Tensor) -> mt.Tensor:
        optimizer.zero_grad()
        whole = mt.stack(list(parameters)).reshape(shape)
        x, y = (whole[..., axis].contiguous() for axis in (0, 1))  # as C takes them
        loss = batch_loss(batch, x, y) if batch else surface.function(x, y)
        loss.sum().backward()
        optimizer.step()
        return loss.detach()

    return replayed(step) if surface.steady else step


def _columns(drawn: Floats | None, step: int) -> tuple[mt.Tensor, ...]:
    """Return the two columns of the rows of a step; nothing where there are no batches."""
    if drawn is None:
        return ()
    return tuple(mt.tensor(np.ascontiguousarray(drawn[step, ..., axis])) for axis in (0, 1))


def _batches(
    racer: Racer, rows: Floats | None, starts: int, steps: int, seed: int
) -> Floats | None:
    """Return the rows of each step and start, (steps, starts, batch, 2); None for all rows.

    A smaller batch is the beginning of the larger one.
    """
    if rows is None or racer.batch is None:
        return None
    draw = np.random.default_rng(seed_for(seed, "batches"))
    order = draw.permuted(np.broadcast_to(np.arange(len(rows)), (steps, starts, len(rows))), axis=2)
    return rows[order[..., : racer.batch]]


def _arrival(surface: Surface, points: Floats, values: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        within = surface.arrived(points, values)
    steps = len(within)
    if surface.saddle:  # who left is not to come back
        return np.where(within.any(0), within.argmax(0), math.inf).astype(np.float64)
    since = steps - (~within[::-1]).argmax(0)
    since = np.where(within.all(0), 0, since)
    return np.where(within[-1], since, math.inf).astype(np.float64)


@dataclass(frozen=True)
class Tuned:
    """The rate that served the starts nearby best.

    Attributes:
        rate: the one.
        edge: whether it is the first or last of the grid.
        share: of the starts nearby, those from which runs arrive.
    """

    rate: float
    edge: bool
    share: float


def tune(surface: Surface, runs: Runs, rates: Sequence[float]) -> Tuned:
    """Return the rate with which runs arrive soonest; else get lowest; else were lower before.

    Steps are averaged over starts, and a run that does not arrive counts as one step more than
    there are: a rate that is quick, but loses runs, does not pay.
    """
    steps = len(runs.points) - 1
    values = np.where(np.isfinite(runs.values), runs.values, math.inf)
    if surface.saddle:  # out of the frame without having left within it: lost
        values = np.where(surface.inside(runs.points), values, math.inf)
    typical: Floats = np.median(values, axis=2)

    def key(index: int) -> tuple[float, ...]:
        # Runs that end in the same place differ by rounding only.
        last = float(f"{typical[-1, index]:.3g}")
        return censored(runs.arrived[index], steps).mean(), last, typical[:, index].mean()

    best = min(range(len(rates)), key=key)
    share = float(np.isfinite(runs.arrived[best]).mean())
    return Tuned(float(rates[best]), best in (0, len(rates) - 1), share)


def nearby(surface: Surface, count: int, seed: int, *names: str) -> Floats:
    """Return starts around the surface's own, within its frame, (count, 2)."""
    draw = np.random.default_rng(seed_for(seed, surface.name, *names))
    left, right, bottom, top = surface.frame
    drawn = np.asarray(surface.start) + surface.nearby * draw.standard_normal((count, 2))
    return np.clip(drawn, (left, bottom), (right, top))


def censored(arrived: Floats, steps: int) -> NDArray[np.float64]:
    """Return steps of arriving; runs that do not arrive count as one step more than there are."""
    return np.minimum(arrived, steps + 1)
