"""Optimizers race over a surface: rates tuned on starts nearby, shown from an unseen one."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import microtensor as mt
from microtensor.lab.descent import Racer, Runs, Tuned, descend, nearby, tune
from microtensor.lab.moons import moons_surface
from microtensor.lab.optimizers import BEYOND, OPTIMIZERS, Recipe
from microtensor.lab.race_report import race_result
from microtensor.lab.result import Result
from microtensor.lab.surfaces import (
    NOISY_MOONS,
    SURFACES,
    Floats,
    Point,
    Surface,
    own_surface,
    surface_names,
)

# Four to a decade, the same for every optimizer; Adagrad and Adadelta want the largest.
RACE_RATES = tuple(float(f"{10 ** (k / 4):.3g}") for k in range(-16, 17))
# No AdamW: its decay draws towards the origin, where many of these functions have their minimum.
RACERS = (
    "sgd", "momentum", "nag", "adagrad", "adadelta", "rmsprop", "adam", "nadam", "adabelief",
    "lion",
)  # fmt: skip
# On batches, plain descent races three times: on all rows, on some, on one.
_DESCENTS = {
    "bgd": ("BGD (all rows)", None),
    "mbgd": ("MBGD (32 rows)", 32),
    "sgd": ("SGD (1 row)", 1),
}
_BATCH = 32
_NEARBY, _UNSEEN = 16, 16


@dataclass(frozen=True, eq=False)
class Ride:
    """What one racer did.

    Attributes:
        racer: who.
        tuned: its rate.
        runs: its runs at that rate; the first is the one shown.
        cost: rows differentiated in a step; 1 where there are no rows.
    """

    racer: Racer
    tuned: Tuned
    runs: Runs
    cost: int = 1

    @property
    def label(self) -> str:
        """Name and rate."""
        return f"{self.racer.label}, η {self.tuned.rate:g}"


def race(
    function: str | Surface | Callable[[Any, Any], Any] = "beale",
    optimizers: Sequence[str | Recipe] = RACERS,
    start: Point | None = None,
    *,
    steps: int = 300,
    rates: Sequence[float] | None = None,
    rotate: float = 0.0,
    frame: tuple[float, float, float, float] | None = None,
    seed: int = 0,
    command: str = "",
) -> Result:
    """Let optimizers race over a function of two variables.

    Every optimizer gets the same budget: each rate of one grid is tried from 16 starts nearby,
    and the one with which they arrive soonest is kept (if none arrives, the one that gets
    lowest). What is shown, and 15 more for the verdict, are starts that no tuning saw.

    On these surfaces nothing is drawn by lot, so plain descent is called gradient descent. On
    ``"noisy_moons"``, the loss of a logistic regression, there are batches: plain descent races
    on all rows, on 32 and on one; all others on 32.

    Args:
        function: a surface's name (:func:`surface_names`), a :class:`Surface`, or your own
            function: it is given tensors x and y and returns f(x, y).
        optimizers: names, or :class:`Recipe` objects of your own.
        start: where the race is shown from; by default the surface's usual start.
        steps: of each run.
        rates: the learning rates to choose from, upward; by default RACE_RATES. On a saddle, where
            a larger rate always leaves sooner, by default all race at one stated rate.
        rotate: degrees by which the surface is turned about the middle of its frame.
        frame: (left, right, bottom, top) of the picture, for a function of your own.
        seed: decides the other starts, and the batches.
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result with stills from above and in three dimensions, a table, verdicts, the
        trajectories for the report's canvas, and a GIF (``.save(folder, gif=True)``).

    Raises:
        ValueError: an unknown name; a start outside the frame or the function's domain; a
            function that returns no scalar; no steps; rates that do not rise.
        TypeError: a function that returns no tensor.

    Example:
        >>> from microtensor import lab
        >>> result = lab.race("long_valley", ["sgd", "momentum"], steps=60, rates=(0.5, 1.0, 1.5))
        >>> [row["optimizer"] for row in result.table.records]
        ['Gradient descent', 'Momentum']
    """
    started = time.perf_counter()
    if steps < 1:
        raise ValueError(f"race: steps must be at least 1, got {steps}")
    surface, rows = _surface(function, start, rotate, frame, seed)
    if rates is None:
        rates = RACE_RATES if surface.rate is None else (surface.rate,)
    rates = [float(rate) for rate in rates]
    if not rates or rates != sorted(set(rates)) or not 0 < rates[0] <= rates[-1] < math.inf:
        raise ValueError(f"race: rates must be positive, finite and rise, got {rates}")
    racers = _racers(optimizers, batches=rows is not None)
    close = nearby(surface, _NEARBY, seed, "tuning")
    unseen = nearby(surface, _UNSEEN, seed, "unseen")
    unseen[0] = surface.start
    rides = []
    for racer in racers:
        tried = descend(surface, racer, rates, close, steps, rows=rows, seed=seed)
        tuned = tune(surface, tried, rates)
        runs = descend(surface, racer, [tuned.rate], unseen, steps, rows=rows, seed=seed + 1)
        cost = 1 if rows is None else racer.batch or len(rows)
        rides.append(Ride(racer, tuned, runs, cost))
    settings = {
        "surface": surface.name,
        "formula": surface.formula,
        "start": list(surface.start),
        "target": surface.target,
        "steps": steps,
        "rates": rates,
        "tuning": f"{_NEARBY} starts nearby, deviation {surface.nearby:g}",
        "unseen": _UNSEEN,
        "optimizers": {
            one.name: {"class": one.recipe.kind, **one.recipe.settings, "batch": one.batch}
            for one in racers
        },
        "seed": seed,
        "dtype": "float64",
    }
    command = command or _command(function, optimizers, start, steps, rotate, seed)
    seconds = {f"race over {surface.label}": time.perf_counter() - started}
    return race_result(surface, rides, steps, settings, seconds, command)


def _surface(
    function: Any,
    start: Point | None,
    rotate: float,
    frame: tuple[float, float, float, float] | None,
    seed: int,
) -> tuple[Surface, Floats | None]:
    if start is not None:
        values = np.asarray(start, np.float64)
        if values.shape != (2,) or not np.isfinite(values).all():
            raise ValueError(f"race: start must be two finite numbers (x, y), got {start}")
        start = (float(values[0]), float(values[1]))
    rows = None
    if isinstance(function, Surface):
        surface = function
    elif function == NOISY_MOONS:
        surface, rows = moons_surface(seed)
        if rotate:
            raise ValueError("race: noisy_moons has rows, and cannot be rotated")
    elif isinstance(function, str):
        if function not in SURFACES:
            raise ValueError(
                f"race: unknown surface {function!r}; known are: {', '.join(surface_names())}"
            )
        surface = SURFACES[function]
    elif callable(function):
        surface = own_surface(function, start or (0.0, 0.0), frame)
    else:
        raise TypeError(
            "race: function must be a surface's name, a Surface or a function of x and y, "
            f"got {type(function).__name__}"
        )
    if rotate:
        surface = surface.rotated(rotate)
    if start is not None:
        surface = dataclasses.replace(surface, start=start)
    here = np.asarray(surface.start)
    if not surface.inside(here):
        raise ValueError(
            f"race: start {surface.start} is outside the frame of {surface.label}, "
            f"x from {surface.frame[0]:g} to {surface.frame[1]:g}, "
            f"y from {surface.frame[2]:g} to {surface.frame[3]:g}"
        )
    if not np.isfinite(surface(here)).all():
        raise ValueError(f"race: {surface.label} is not finite at the start {surface.start}")
    return surface, rows


def _racers(optimizers: Sequence[str | Recipe], *, batches: bool) -> list[Racer]:
    known = {**OPTIMIZERS, **BEYOND}
    descents = list(_DESCENTS) if batches else []
    if isinstance(optimizers, (str, Recipe)):
        optimizers = (optimizers,)
    legal = ", ".join(dict.fromkeys([*descents, *known]))
    if not optimizers:
        raise ValueError(f"race: no optimizer given; known are: {legal}")
    racers: dict[str, Racer] = {}
    if batches and "sgd" in optimizers:  # whoever asks for plain descent sees all three
        optimizers = [*descents, *(one for one in optimizers if one not in descents)]
    for one in optimizers:
        recipe = one if isinstance(one, Recipe) else known.get(one)
        if recipe is not None and recipe.kind == "LBFGS":
            raise ValueError("race: LBFGS evaluates many times in a step, and cannot race by steps")
        if batches and one in _DESCENTS:
            label, batch = _DESCENTS[str(one)]
            racers[str(one)] = Racer(Recipe(str(one), label, "SGD"), label, batch)
        elif recipe is None:
            raise ValueError(f"race: unknown optimizer {one!r}; known are: {legal}")
        else:
            plain = recipe.kind == "SGD" and not recipe.settings and not batches
            label = "Gradient descent" if plain else recipe.label
            racers[recipe.name] = Racer(recipe, label, _BATCH if batches else None)
    for racer in racers.values():  # what needs matrices, say, is refused before the work
        racer.recipe.make([mt.zeros(2, dtype=mt.float64, requires_grad=True)], 0.1)
    return list(racers.values())


def _command(
    function: Any,
    optimizers: Sequence[str | Recipe],
    start: Point | None,
    steps: int,
    rotate: float,
    seed: int,
) -> str:
    shown = repr(function) if isinstance(function, str) else getattr(function, "name", "f")
    if isinstance(optimizers, (str, Recipe)):
        optimizers = (optimizers,)
    names = [one if isinstance(one, str) else one.name for one in optimizers]
    given = [shown]
    if tuple(names) != RACERS:
        given.append(str(names))
    given += [f"start={start}"] if start is not None else []
    given += [f"steps={steps}"] if steps != 300 else []
    given += [f"rotate={rotate:g}"] if rotate else []
    given += [f"seed={seed}"] if seed else []
    return f'python -c "from microtensor import lab; print(lab.race({", ".join(given)}))"'
