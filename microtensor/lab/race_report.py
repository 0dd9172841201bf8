"""What a race says: its table, its verdicts, and the trajectories that the report plays."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab import race_picture
from microtensor.lab.descent import censored
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.statistics import mean_interval
from microtensor.lab.style import on_dark, optimizer_style
from microtensor.lab.surfaces import Surface

if TYPE_CHECKING:
    from microtensor.lab.race import Ride

# Beyond what a canvas of a few hundred points can show.
_DIGITS = 4
# By how much smaller a share of unseen starts may arrive for tuning to have carried over.
CARRIES = 0.05


def race_result(
    surface: Surface,
    rides: Sequence[Ride],
    steps: int,
    settings: Mapping[str, Any],
    seconds: Mapping[str, float],
    command: str,
) -> Result:
    """Return the table, verdicts, stills and trajectories of a race."""
    name = f"race_{surface.name}"
    verdicts = []
    tuned = len(settings["rates"]) > 1
    if tuned:
        verdicts = [grid_verdict(rides, command), carries_verdict(surface, rides, command)]
    ahead = ahead_verdict(surface, rides, steps, command)
    if ahead is not None:
        verdicts.insert(0, ahead)
    found = finding(surface, rides, steps)
    return Result(
        name,
        tables=[_table(name, surface, rides, steps, tuned)],
        verdicts=verdicts,
        pictures={
            name: functools.partial(race_picture.still, surface, rides, found),
            f"{name}_3d": functools.partial(race_picture.relief, surface, rides, found),
        },
        settings=settings,
        seconds=seconds,
        moving={name: trajectories(surface, rides, found)},
        animations={name: functools.partial(race_picture.write_gif, surface, rides, found)},
    )


def finding(surface: Surface, rides: Sequence[Ride], steps: int) -> str:
    """Return the title: who arrives first from the start shown, and what plain descent does."""
    arrived = {id(ride): float(ride.runs.arrived[0, 0]) for ride in rides}
    first = min(rides, key=lambda ride: arrived[id(ride)])
    verb = "leaves first" if surface.saddle else "arrives first"
    if math.isinf(arrived[id(first)]):
        none = "nobody leaves" if surface.saddle else "nobody arrives"
        return f"{surface.label}: {none} within {steps} steps"
    steps_taken = arrived[id(first)]
    said = f"{surface.label}: {first.racer.label} {verb}, after {steps_taken:.0f} step"
    said += "s" * (steps_taken != 1)
    plain = _plain(rides)
    if plain is None or plain is first:
        return said
    slow = arrived[id(plain)]
    after = f"after {slow:.0f}" if math.isfinite(slow) else f"not within {steps}"
    return f"{said}; {_within(plain.racer.label)} {after}"


def _within(label: str) -> str:
    """Return a label as it stands within a sentence: names keep their capitals, words do not."""
    return label[0].lower() + label[1:] if label.startswith("Gradient ") else label


def _plain(rides: Sequence[Ride]) -> Ride | None:
    """Return plain descent, on all rows where there are rows."""
    for name in ("bgd", "sgd"):
        for ride in rides:
            if ride.racer.name == name:
                return ride
    return None


def grid_verdict(rides: Sequence[Ride], command: str) -> Verdict:
    """Judge whether the grid of rates was wide enough: no winner on its edge."""
    edge = [ride.racer.label for ride in rides if ride.tuned.edge]
    return Verdict(
        "the grid of rates was wide enough: no tuned rate lies on its edge",
        float(len(edge)),
        0.0,
        detail="optimizers whose rate is the smallest or largest of the grid"
        + (f": {', '.join(edge)}; widen it and race again" if edge else ""),
        command=command,
    )


def carries_verdict(surface: Surface, rides: Sequence[Ride], command: str) -> Verdict:
    """Judge whether rates that were tuned on starts nearby serve starts that no tuning saw."""
    judged = [ride for ride in rides if ride.tuned.share > 0]
    changes = [
        float(np.isfinite(ride.runs.arrived[0]).mean()) - ride.tuned.share for ride in judged
    ]
    mean, half = mean_interval(changes) if changes else (math.nan, math.nan)
    arrive = "leave" if surface.saddle else "arrive"
    return Verdict(
        f"tuning carries over: unseen starts {arrive} as those did on which the rates were tuned",
        mean,
        -CARRIES,
        ">=",
        detail=f"share of unseen starts that {arrive}, less that of the starts of tuning; mean "
        f"over the {len(judged)} optimizers of which some {arrive}, and its 95 % interval",
        command=command,
        interval=None if math.isnan(half) else (mean - half, mean + half),
    )


def ahead_verdict(
    surface: Surface, rides: Sequence[Ride], steps: int, command: str
) -> Verdict | None:
    """Judge whether the soonest over all unseen starts is ahead of plain descent, paired."""
    plain = _plain(rides)
    if plain is None or len(rides) < 2:
        return None
    others = [ride for ride in rides if ride is not plain]
    costs = {
        id(ride): np.log(censored(ride.runs.arrived[0], steps).clip(1) * ride.cost)
        for ride in rides
    }
    best = min(others, key=lambda ride: float(costs[id(ride)].mean()))
    mean, half = mean_interval((costs[id(best)] - costs[id(plain)]).tolist())
    missed = [int((~np.isfinite(ride.runs.arrived[0])).sum()) for ride in (best, plain)]
    unseen = len(costs[id(plain)])
    what = "leaving" if surface.saddle else "arriving"
    unit = "steps" if plain.cost == 1 else "rows differentiated"
    same = "neither arrives from any of these starts" if min(missed) == unseen else ""
    return Verdict(
        f"{best.racer.label} needs fewer {unit} than {_within(plain.racer.label)}",
        math.exp(mean),
        1.0,
        open_because=same or ("they need equally many" if mean == 0 else ""),
        detail=f"geometric mean ratio of {unit} until {what}, and its 95 % interval, over "
        f"{unseen} unseen starts; a run that does not within {steps} counts as {steps + 1} steps: "
        f"{missed[0]} of {_within(best.racer.label)}, {missed[1]} of {_within(plain.racer.label)}",
        command=command,
        interval=(math.exp(mean - half), math.exp(mean + half)),
    )


def _table(name: str, surface: Surface, rides: Sequence[Ride], steps: int, tuned: bool) -> Table:
    def count(number: float) -> str:
        return f"{number:.0f}" if math.isfinite(number) else f"> {steps}"

    records = [
        {
            "optimizer": ride.racer.label,
            "rate": ride.tuned.rate,
            "edge": ride.tuned.edge,
            "steps": float(ride.runs.arrived[0, 0]),
            "unseen_steps": float(np.median(ride.runs.arrived[0])),
            "unseen_arrived": float(np.isfinite(ride.runs.arrived[0]).mean()),
            "cost": ride.cost,
            "value": float(ride.runs.values[_end(surface, ride), 0, 0]),
            "x": float(ride.runs.points[_end(surface, ride), 0, 0, 0]),
            "y": float(ride.runs.points[_end(surface, ride), 0, 0, 1]),
        }
        for ride in rides
    ]
    columns = [
        Column("optimizer", lambda row: row["optimizer"], right=False),
        Column(
            "rate η", lambda row: f"{row['rate']:g}{' (edge)' if tuned and row['edge'] else ''}"
        ),
        Column("steps", lambda row: count(row["steps"])),
        Column("median, unseen starts", lambda row: count(row["unseen_steps"])),
        Column("arrive", lambda row: f"{100 * row['unseen_arrived']:.0f} %"),
        Column("last value", lambda row: f"{row['value']:.3g}"),
    ]
    if any(ride.cost != 1 for ride in rides):
        rows = Column("rows", lambda row: count(row["steps"] * row["cost"]))
        columns.insert(3, rows)
    goal = (
        f"until f ≤ {surface.target:g} within the frame"
        if surface.saddle
        else f"until f stays ≤ {surface.target:.3g}"
    )
    return Table(
        name,
        f"{surface.label}: {surface.formula}, from ({surface.start[0]:g}, {surface.start[1]:g})",
        records,
        columns,
        caption=f"Steps {goal}. "
        + (
            "Rates tuned over one grid on 16 starts nearby; the start shown, and 15 more, are "
            "unseen."
            if tuned
            else "All at one stated rate: without a floor, a larger one always leaves sooner."
        ),
    )


def _end(surface: Surface, ride: Ride) -> int:
    """Return the step whose value is told: the last, or that of leaving a saddle."""
    arrived = float(ride.runs.arrived[0, 0])
    return int(arrived) if surface.saddle and math.isfinite(arrived) else -1


def trajectories(surface: Surface, rides: Sequence[Ride], title: str) -> dict[str, Any]:
    """Return what the report's canvas draws: the ground, and where each racer is at each step."""
    left, right, bottom, top = surface.frame
    steps = len(rides[0].runs.points) - 1
    if surface.saddle:  # once all have left there is nothing to see
        arrived = [ride.runs.arrived[0, 0] for ride in rides]
        steps = min(steps, 5 + int(max([20.0, *(one for one in arrived if math.isfinite(one))])))
    return {
        "kind": "race",
        "title": title,
        "frame": [left, right, bottom, top],
        "ground": race_picture.ground(surface),
        "goals": [list(point) for point in surface.minima if surface.inside(np.asarray(point))],
        "lines": [
            {
                "label": ride.label,
                "colour": optimizer_style(ride.racer.name)[0],
                "dark": on_dark(optimizer_style(ride.racer.name)[0]),
                "dash": optimizer_style(ride.racer.name)[1],
                "points": _rounded(ride.runs.points[: steps + 1, 0, 0]),
                "values": _rounded(ride.runs.values[: steps + 1, 0, 0]),
            }
            for ride in rides
        ],
    }


def _rounded(numbers: Any) -> list[Any]:
    """Return numbers with few digits, lost ones as null, for JSON."""
    flat = [float(f"{one:.{_DIGITS}g}") if math.isfinite(one) else None for one in numbers.ravel()]
    return flat if numbers.ndim == 1 else [flat[at : at + 2] for at in range(0, len(flat), 2)]
