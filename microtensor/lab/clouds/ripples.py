"""The sixth cloud with ripples: a ravine that is bumpy across, as written and rotated."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import microtensor as mt
from microtensor.lab.clouds.bowl import Floats
from microtensor.lab.descent import Racer, Tuned, censored, descend, tune
from microtensor.lab.optimizers import Recipe, recipes
from microtensor.lab.plot import label_line_ends, new_figure
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.statistics import mean_interval
from microtensor.lab.style import QUIET, optimizer_style, styled
from microtensor.lab.surfaces import Surface

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TURNED = 30.0
# Four to a decade, the same for all.
RATES = tuple(float(f"{10 ** (k / 4):.3g}") for k in range(-12, 9))
# These follow the gradient wherever it points, so that turning the ravine turns their path.
_FOLLOW = ("sgd", "momentum", "nag")
_STARTS = 12
_SAME = 0.01
# Six ripples in 2π, and a curvature across that goes from 1 − 4 to 1 + 4. Up to 4.6 instead of 4
# they leave one minimum: z/k + (4/k) sin z vanishes at 0 alone while sin z/z > −1/4.
_WAVES, _BUMPS = 6.0, 4.0


def rippled(x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    """Return 0.005 x² + 0.5 y² + (1 − cos 6y)/9: gentle along x, steep and bumpy along y."""
    return 0.005 * x**2 + 0.5 * y**2 + (_BUMPS / _WAVES**2) * (1 - mt.cos(_WAVES * y))


SURFACE = Surface(
    "rippled_ravine", "Ravine with ripples", rippled, "0.005 x² + 0.5 y² + (1 − cos 6y)/9",
    (-11.0, 11.0, -11.0, 11.0), (-9.0, 3.0), ((0.0, 0.0),), 0.0, 1e-3, 0.5, steady=True,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Ride:
    """One optimizer in the ravine in one orientation.

    Attributes:
        recipe: the optimizer.
        turn: degrees by which the ravine is turned.
        tuned: its rate.
        arrived: the step from which on the runs from unseen starts stay within the target.
        values: of the surface on the way from the first of these, (steps + 1,).
    """

    recipe: Recipe
    turn: float
    tuned: Tuned
    arrived: Floats
    values: Floats


def rippled_ravine(
    optimizers: Sequence[str | Recipe] = ("sgd", "momentum", "adagrad", "rmsprop", "adam"),
    *,
    steps: int = 1000,
    rates: Sequence[float] = RATES,
    seed: int = 0,
    command: str = "",
) -> Result:
    """Let optimizers go down a ravine that is bumpy across, as written and rotated by 30°.

    The ripples leave one minimum, at 0. Every optimizer has the same budget: each rate of one grid
    is tried from 12 starts, and the one with which they arrive soonest goes from 12 others. Where
    the axes of the ravine are those of the parameters, methods that scale each parameter by itself
    have an advantage that is the writer's, not theirs: of these only is claimed what both
    orientations show.

    Args:
        optimizers: names, or :class:`microtensor.lab.Recipe` objects; ``"sgd"``, which is held
            against the others, is always among them.
        steps: of each run.
        rates: the learning rates to choose from, upward.
        seed: decides the starts.
        command: what repeats it, for the verdicts.

    Raises:
        ValueError: an unknown optimizer, rates that do not rise, or no steps.

    Example:
        >>> result = rippled_ravine(("momentum",), steps=300, rates=(0.03, 0.1, 0.3))
        >>> result.verdicts[0].status
        'holds'
    """
    chosen = recipes(optimizers)
    if "sgd" not in [one.name for one in chosen]:
        chosen = [*recipes("sgd"), *chosen]
    rates = [float(rate) for rate in rates]
    if not rates or rates != sorted(set(rates)) or rates[0] <= 0:
        raise ValueError(f"rippled_ravine: rates must be positive and rise, got {rates}")
    if steps < 2:
        raise ValueError(f"rippled_ravine: steps must be at least 2, got {steps}")
    draw = np.random.default_rng(seed_for(seed, SURFACE.name))
    written = np.array(SURFACE.start) + SURFACE.nearby * draw.standard_normal((2 * _STARTS, 2))
    written[_STARTS] = SURFACE.start
    rides = [_ride(one, turn, written, steps, rates) for one in chosen for turn in (0.0, _TURNED)]
    verdicts = _verdicts(rides, steps, command)
    finding = "Steps in a rippled ravine, as written and rotated"
    if verdicts[0].status == "holds":
        finding = f"{verdicts[0].claim[0].upper()}{verdicts[0].claim[1:]}"
        if adaptive_change(_pairs(rides), steps):
            finding += "; adaptive methods not"
    return Result(
        "rippled_ravine",
        tables=[_table(rides, steps)],
        verdicts=verdicts,
        pictures={"rippled_ravine": functools.partial(_picture, rides, steps, finding)},
        settings={
            "formula": SURFACE.formula, "turned": _TURNED, "target": SURFACE.target, "steps": steps,
            "rates": rates, "starts": f"{_STARTS} for tuning, {_STARTS} unseen, around "
            f"{SURFACE.start}, deviation {SURFACE.nearby:g}", "seed": seed,
            "optimizers": {one.name: {"class": one.kind, **one.settings} for one in chosen},
        },
    )  # fmt: skip


def _ride(
    recipe: Recipe,
    turn: float,
    written: Floats,
    steps: int,
    rates: Sequence[float],
) -> Ride:
    cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    starts = written @ np.array([[cosine, sine], [-sine, cosine]])
    surface = SURFACE.rotated(turn) if turn else SURFACE
    racer = Racer(recipe, label(recipe))
    tuned = tune(surface, descend(surface, racer, rates, starts[:_STARTS], steps), rates)
    runs = descend(surface, racer, [tuned.rate], starts[_STARTS:], steps)
    return Ride(recipe, turn, tuned, runs.arrived[0], runs.values[:, 0, 0])


def label(recipe: Recipe) -> str:
    """Return the name: without batches plain descent is called gradient descent."""
    return "Gradient descent" if recipe.name == "sgd" else recipe.label


def _pairs(rides: Sequence[Ride]) -> dict[str, tuple[Ride, Ride]]:
    """Return the ride as written and the rotated one, by the optimizer's name."""
    found: dict[str, list[Ride]] = {}
    for ride in rides:
        found.setdefault(ride.recipe.name, []).append(ride)
    return {name: (straight, turned) for name, (straight, turned) in found.items()}


def _verdicts(rides: Sequence[Ride], steps: int, command: str) -> list[Verdict]:
    pairs = _pairs(rides)
    made = [turning_verdict(pairs, steps, command)]
    for name in pairs:
        if name not in _FOLLOW:
            made.append(sooner_verdict(pairs, name, steps, command))
    return made


def turning_verdict(pairs: dict[str, tuple[Ride, Ride]], steps: int, command: str = "") -> Verdict:
    """Judge whether turning the ravine changes nothing for who follows the gradient."""
    changes = {
        label(pair[0].recipe): math.exp(_change(pair[1], pair[0], steps)[0])
        for pair in pairs.values()
    }
    same = [label(pair[0].recipe) for name, pair in pairs.items() if name in _FOLLOW]
    others = {name: change for name, change in changes.items() if name not in same}
    told = ", ".join(f"{name} × {change:.2f}" for name, change in others.items())
    return Verdict(
        f"turned by {_TURNED:g}°, the ravine takes {' and '.join(same).lower()} as many steps",
        max(abs(changes[name] - 1) for name in same),
        _SAME,
        detail=f"largest relative change of the geometric mean over {_STARTS} unseen starts"
        + (f"; adaptive methods, which see the axes: {told}" if told else ""),
        command=command,
    )


def adaptive_change(pairs: dict[str, tuple[Ride, Ride]], steps: int) -> bool:
    """Tell whether turning changes the steps of every method that does not follow the gradient."""
    changes = [
        math.exp(_change(turned, straight, steps)[0])
        for name, (straight, turned) in pairs.items()
        if name not in _FOLLOW
    ]
    return bool(changes) and min(abs(change - 1) for change in changes) > _SAME


def sooner_verdict(
    pairs: dict[str, tuple[Ride, Ride]], name: str, steps: int, command: str = ""
) -> Verdict:
    """Judge by the worse orientation whether an optimizer arrives before gradient descent."""
    found = [
        _change(mine, plain, steps) for mine, plain in zip(pairs[name], pairs["sgd"], strict=True)
    ]
    mean, half = max(found, key=lambda one: one[0] + one[1])
    told = ", ".join(
        f"{place} × {math.exp(one[0]):.3g}"
        for place, one in zip(("as written", "rotated"), found, strict=True)
    )
    return Verdict(
        f"{label(pairs[name][0].recipe)} arrives before gradient descent in both orientations",
        math.exp(mean),
        1.0,
        interval=(math.exp(mean - half), math.exp(mean + half)),
        detail=f"its steps over gradient descent's, {told}: the worse of the two, geometric mean "
        f"with 95 % t interval over {_STARTS} unseen starts, each at its own tuned rate",
        command=command,
    )


def _change(one: Ride, other: Ride, steps: int) -> tuple[float, float]:
    """Return the mean and half interval of ln(steps of one / steps of the other)."""
    ratio = np.log(censored(one.arrived, steps) / censored(other.arrived, steps))
    return mean_interval(ratio.tolist())


def _table(rides: Sequence[Ride], steps: int) -> Table:
    records = [
        {
            "optimizer": label(one.recipe),
            "turn": one.turn,
            "rate": one.tuned.rate,
            "edge": one.tuned.edge,
            "median": float(np.median(one.arrived)),
            "slowest": float(one.arrived.max()),
            "arrived": int(np.isfinite(one.arrived).sum()),
        }
        for one in rides
    ]

    def shown(key: str) -> Any:
        return lambda row: f"{row[key]:.0f}" if math.isfinite(row[key]) else f"> {steps}"

    edges = any(one.tuned.edge for one in rides)
    return Table(
        "rippled_ravine",
        f"Steps until the value stays below {SURFACE.target:g}, from {_STARTS} unseen starts",
        records,
        [
            Column("optimizer", lambda row: row["optimizer"], right=False),
            Column("turned", lambda row: f"{row['turn']:g}°"),
            Column("rate η", lambda row: f"{row['rate']:g}" + (" *" if row["edge"] else "")),
            Column("median", shown("median")),
            Column("slowest", shown("slowest")),
            Column("arrived", lambda row: f"{row['arrived']} of {_STARTS}"),
        ],
        "Each at the rate that served 12 other starts best, out of one grid."
        + (" * the first or last of the grid." if edges else ""),
    )


def _picture(rides: Sequence[Ride], steps: int, finding: str) -> Figure:
    target = SURFACE.target
    with styled():
        figure = new_figure(11.0, 4.4)
        written, rotated, both = figure.subplots(1, 3)
        for axes, turn in ((written, 0.0), (rotated, _TURNED)):
            ends = []
            for ride in rides:
                if ride.turn == turn:
                    colour, line = optimizer_style(ride.recipe.name)
                    # Once there, how far below the target it goes is of no account.
                    values = np.maximum(ride.values, target / 3)
                    end = int(censored(ride.arrived[:1], steps - 1)[0])
                    axes.plot(values[: end + 1], color=colour, linestyle=line, linewidth=1.5)
                    axes.plot(end, values[end], "o", color=colour, markersize=4)
                    ends.append((float(ride.arrived[0]), label(ride.recipe)))
            axes.axhline(target, color=QUIET, linewidth=0.8, linestyle=":")
            axes.set(yscale="log", xscale="log", xlim=(1, 1.2 * steps), xlabel="steps")
            axes.grid(True)
            soonest, name = min(ends)
            first = f"{name} first" if math.isfinite(soonest) else "nobody arrives"
            where = f"rotated by {turn:g}°" if turn else "as written"
            axes.set_title(f"{where}: {first}", loc="left")
        written.set_ylabel("value (the minimum is 0)")
        ends_both = []
        for name, pair in _pairs(rides).items():
            colour, line = optimizer_style(name)
            medians = [float(np.median(censored(one.arrived, steps))) for one in pair]
            both.plot([0, 1], medians, color=colour, linestyle=line, marker="o", linewidth=1.8)
            ends_both.append((medians[1], label(pair[0].recipe), colour))
        both.set(yscale="log", ylabel="steps to arrive, median", xlim=(-0.15, 1.15))
        both.set_xticks([0, 1], ["as written", f"rotated by {_TURNED:g}°"])
        both.grid(True, axis="y")
        both.set_title("both orientations", loc="left")
        label_line_ends(both, ends_both)
        figure.suptitle(finding, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure
