"""The first cloud: a whole pass over the data for a single step."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab.clouds.batches import BatchRun, Plan, Sweep, colours, means, name_of, sweep
from microtensor.lab.data import Dataset
from microtensor.lab.plot import label_line_ends, new_figure
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.statistics import mean_interval
from microtensor.lab.style import INK, QUIET, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What counts as clearly more.
_TWICE = 2.0


def speed(
    data: str | Dataset | tuple[Any, Any] = "digits",
    plan: Plan | None = None,
    *,
    target: float | None = None,
    quick: bool = False,
    seed: int = 0,
    jobs: int | None = None,
    command: str = "",
) -> Result:
    """Count what batches of different sizes need to bring the loss to a target.

    A network with one hidden layer is trained with a constant learning rate, chosen for each batch
    size: the one that came to the target in the fewest rows on seeds of their own. Split, weights
    and order of the rows are the same for all sizes, so that the runs on fresh seeds are paired.
    Costs are steps, rows differentiated, and seconds; the picture of these, and ``.seconds``, are
    what no two runs agree on.

    Args:
        data: the name of a data set with classes, a :class:`microtensor.lab.Dataset`, or a pair
            (x, y).
        plan: batch sizes, rates, and how long; see :class:`microtensor.lab.clouds.Plan`.
        target: the training loss; by default a tenth of the loss of equal probabilities.
        quick: whether the quick plan will do.
        seed: decides everything that is drawn.
        jobs: processes; by default one per core.
        command: what repeats it, for the verdicts.

    Returns:
        A result with two pictures, a table by batch size, and two verdicts: a mini-batch needs at
        most half the rows of the full batch, and the full batch at most half the steps of the
        smallest one.

    Raises:
        ValueError: an unknown data set, one without classes, or a plan or target that is none.

    Example:
        >>> from microtensor.lab.clouds import Plan
        >>> plan = Plan(sizes=(8, 64, None), rates=(0.3, 1.0), epochs=2, tunings=1, runs=2)
        >>> speed("moons", plan, target=0.5, jobs=1).table.records[0]["size"]
        8
    """
    plan = plan or (Plan.quick() if quick else Plan())
    done = sweep(data, plan, target=target, seed=seed, jobs=jobs)
    records = [_record(done, size) for size in done.sizes]
    return Result(
        "speed",
        tables=[_table(done, records)],
        verdicts=_verdicts(done, command),
        pictures={
            "speed": functools.partial(_picture, done),
            "speed_clock": functools.partial(_clock_picture, done),
        },
        settings={
            "data": done.data, "target": done.target, "seed": seed,
            "sizes": list(done.sizes), "rates": list(plan.rates), "epochs": plan.epochs,
            "tunings": plan.tunings, "runs": plan.runs, "hidden": plan.hidden,
        },
        seconds=_seconds(done),
    )  # fmt: skip


def _arrivals(done: Sweep, size: int) -> list[float]:
    return [run.steps_to(done.target) for run in done.fastest[size]]


def _record(done: Sweep, size: int) -> dict[str, Any]:
    steps = _arrivals(done, size)
    rate = done.fastest[size][0].rate
    # A run that never arrives makes the mean infinite: it is censored, not dropped.
    middle = math.exp(math.fsum(math.log(one) for one in steps) / len(steps)) if min(steps) else 0.0
    return {
        "size": size,
        "rate": rate,
        "edge": done.on_edge(rate),
        "steps": middle,
        "rows": middle * size,
        "arrived": sum(map(math.isfinite, steps)),
        "runs": len(steps),
    }


def ratio(
    above: Sequence[float], below: Sequence[float]
) -> tuple[float, tuple[float, float] | None]:
    """Return the geometric mean of paired ratios, and its interval by Student's t.

    Infinite where one above is and none below, zero the other way, NaN where both are.

    Example:
        >>> round(ratio([2.0, 8.0], [1.0, 2.0])[0], 3)
        2.828
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log(np.asarray(above, np.float64)) - np.log(np.asarray(below, np.float64))
    if not np.isfinite(logarithms).all():
        finite = all(map(math.isfinite, above)), all(map(math.isfinite, below))
        return {(False, True): math.inf, (True, False): 0.0}.get(finite, math.nan), None
    mean, half = mean_interval(logarithms.tolist())
    ends = None if math.isnan(half) else (math.exp(mean - half), math.exp(mean + half))
    return math.exp(mean), ends


def _verdicts(done: Sweep, command: str) -> list[Verdict]:
    first, middle, last = done.sizes[0], done.usual, done.sizes[-1]
    few, usual, most = (_arrivals(done, size) for size in (first, middle, last))
    rows, rows_interval = ratio([one * last for one in most], [one * middle for one in usual])
    steps, steps_interval = ratio(few, most)
    about = (
        f"to a training loss of {done.target:.3g} on {done.data}: geometric mean of "
        f"{len(usual)} paired runs with its 95 % interval, each size at its own best rate"
    )
    return [
        Verdict(
            f"{last:,} rows a step cost at least twice the rows that {middle} do",
            rows, _TWICE, ">=", interval=rows_interval,
            detail=f"rows differentiated with {last} in a batch over those with {middle}, {about}",
            command=command,
        ),
        Verdict(
            f"a step with {first} {'row' if first == 1 else 'rows'} does at most half of what one "
            f"with {last:,} does",
            steps, _TWICE, ">=", interval=steps_interval,
            detail=f"steps with {first} in a batch over those with {last}, {about}",
            command=command,
        ),
    ]  # fmt: skip


def _seconds(done: Sweep) -> dict[str, float]:
    found = {}
    for size in done.sizes:
        step = _step_seconds(done.fastest[size])
        name = name_of(size, done.rows)
        found[f"batch of {name}, microseconds per step"] = 1e6 * step
        arrivals = [one for one in _arrivals(done, size) if math.isfinite(one)]
        if arrivals:
            found[f"batch of {name}, milliseconds to the target, mean of {len(arrivals)} runs"] = (
                1e3 * step * math.fsum(arrivals) / len(arrivals)
            )
    return found


def _step_seconds(runs: Sequence[BatchRun]) -> float:
    """Return the least time of a step: what is above it was spent on other programs."""
    return min((run.seconds for run in runs if not math.isnan(run.seconds)), default=math.nan)


def _shown(cost: float) -> str:
    return f"{cost:,.0f}" if math.isfinite(cost) else "never"


def _table(done: Sweep, records: Sequence[dict[str, Any]]) -> Table:
    return Table(
        "speed",
        f"What it takes to bring the training loss to {done.target:.3g} ({done.data})",
        records,
        [
            Column("batch", lambda row: name_of(row["size"], done.rows)),
            Column("rate η", lambda row: f"{row['rate']:g}{' *' if row['edge'] else ''}"),
            Column("steps", lambda row: _shown(row["steps"])),
            Column("rows differentiated", lambda row: _shown(row["rows"])),
            Column("runs that arrived", lambda row: f"{row['arrived']} of {row['runs']}"),
        ],
        "Geometric means over the runs; one that never arrives makes it infinite. Plain descent "
        "at a constant rate, chosen on other seeds"
        + (
            "; * on the edge of the rates that were tried: a better one may lie beyond."
            if any(row["edge"] for row in records)
            else "."
        ),
    )


def _picture(done: Sweep) -> Figure:
    with styled():
        figure = new_figure(6.8, 7.6)
        upper, lower = figure.subplots(2, 1)
        _curves(upper, done, lambda size: 1.0)
        _curves(lower, done, lambda size: float(size))
        upper.set(xlabel="steps", ylabel="training loss")
        lower.set(xlabel="rows differentiated", ylabel="training loss")
        few, usual, most = (_record(done, size) for size in (done.sizes[0], done.usual,
                                                             done.sizes[-1]))  # fmt: skip
        upper.set_title(f"Steps to the target: {_shown(most['steps'])} with {most['size']:,} in a "
                        f"batch, {_shown(few['steps'])} with {few['size']:,}",
                        loc="left")  # fmt: skip
        lower.set_title(f"Rows to the target: {_shown(most['rows'])} with {most['size']:,} in a "
                        f"batch, {_shown(usual['rows'])} with {usual['size']:,}",
                        loc="left")  # fmt: skip
        for axes in (upper, lower):
            _label(axes, done)
    return figure


def _clock_picture(done: Sweep) -> Figure:
    with styled():
        figure = new_figure(6.8, 4.2)
        axes = figure.subplots()
        _curves(axes, done, lambda size: 1e3 * _step_seconds(done.fastest[size]))
        axes.set(xlabel="time in steps, milliseconds, on one core",
                 ylabel="training loss")  # fmt: skip
        clocks = {
            size: _record(done, size)["steps"] * _step_seconds(done.fastest[size])
            for size in done.sizes
        }
        arrived = {size: clock for size, clock in clocks.items() if math.isfinite(clock)}
        first = min(arrived, key=lambda size: arrived[size]) if arrived else None
        axes.set_title(
            f"A loss of {done.target:.3g} is not reached with every run of any batch size"
            if first is None
            else f"By the clock of this run, batches of {name_of(first, done.rows)} rows\n"
            f"are first to a loss of {done.target:.3g}",
            loc="left",
        )
        _label(axes, done)
    return figure


def _curves(axes: Any, done: Sweep, cost: Any) -> None:
    for size, colour in zip(done.sizes, colours(len(done.sizes)), strict=True):
        runs = done.fastest[size]
        unit = cost(size)
        for run in runs:
            axes.plot(run.steps[1:] * unit, run.training[1:], color=colour, alpha=0.2, linewidth=1)
        axes.plot(runs[0].steps[1:] * unit, means(runs, "training")[1:], color=colour, linewidth=2)
    axes.axhline(done.target, color=INK, linewidth=0.8, linestyle=":")
    axes.annotate("target", (0, done.target), (4, -3), xycoords=("axes fraction", "data"),
                  textcoords="offset points", va="top", color=QUIET, fontsize=9)  # fmt: skip
    axes.set(xscale="log", yscale="log")
    axes.grid(True)


def _label(axes: Any, done: Sweep) -> None:
    label_line_ends(
        axes,
        [
            (
                float(means(done.fastest[size], "training")[-1]),
                name_of(size, done.rows, unit=True),
                colour,
            )
            for size, colour in zip(done.sizes, colours(len(done.sizes)), strict=True)
        ],
    )
