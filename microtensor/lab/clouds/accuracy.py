"""The second cloud: what the noise of small batches costs at the end of training."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab.clouds.batches import BatchRun, Plan, Sweep, colours, name_of, sweep
from microtensor.lab.clouds.speed import ratio
from microtensor.lab.data import Dataset
from microtensor.lab.plot import new_figure
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.statistics import mean_interval
from microtensor.lab.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Accuracies that differ by less count as the same; more than the other counts as different.
_SAME, _DIFFERENT = 0.01, 0.001
# So many times the loss is no small difference any more.
_LOST = 10.0


def accuracy(
    data: str | Dataset | tuple[Any, Any] = "digits",
    plan: Plan | None = None,
    *,
    quick: bool = False,
    seed: int = 0,
    jobs: int | None = None,
    command: str = "",
) -> Result:
    """Compare how well batches of different sizes do in the end, all with as many rows.

    The gradient of one row points almost anywhere, and a rate that suits mini-batches throws a
    descent with single rows out. At a rate of its own, chosen by the validation loss on seeds of
    their own, it is as accurate. The runs are those of :func:`speed`, if that was called before.

    Args:
        data: the name of a data set with classes, a :class:`microtensor.lab.Dataset`, or a pair
            (x, y).
        plan: batch sizes, rates, and how long; see :class:`microtensor.lab.clouds.Plan`.
        quick: whether the quick plan will do.
        seed: decides everything that is drawn.
        jobs: processes; by default one per core.
        command: what repeats it, for the verdicts.

    Returns:
        A result with a picture, a table by batch size, and three verdicts: the smallest batch is
        lost at the rate of mini-batches; at its own rate it is as accurate; the full batch, which
        takes few steps with as many rows, is less.

    Raises:
        ValueError: an unknown data set, one without classes, or a plan that is none.

    Example:
        >>> from microtensor.lab.clouds import Plan
        >>> plan = Plan(sizes=(8, 64, None), rates=(0.3, 1.0), epochs=2, tunings=1, runs=2)
        >>> len(accuracy("moons", plan, jobs=1).verdicts)
        3
    """
    plan = plan or (Plan.quick() if quick else Plan())
    done = sweep(data, plan, seed=seed, jobs=jobs)
    records = [_record(done, size) for size in done.sizes]
    return Result(
        "accuracy",
        tables=[_table(done, records)],
        verdicts=_verdicts(done, command),
        pictures={"accuracy": functools.partial(_picture, done, records)},
        settings={
            "data": done.data, "seed": seed, "sizes": list(done.sizes),
            "rates": list(plan.rates), "epochs": plan.epochs, "tunings": plan.tunings,
            "runs": plan.runs, "hidden": plan.hidden,
        },
    )  # fmt: skip


def _record(done: Sweep, size: int) -> dict[str, Any]:
    runs = done.best[size]
    right, half = mean_interval([run.accuracy for run in runs])
    usable = [rate for rate, tried in done.tried[size].items() if _usable(tried)]
    return {
        "size": size,
        "steps": int(runs[0].steps[-1]),
        "rate": runs[0].rate,
        "edge": done.on_edge(runs[0].rate),
        "largest": max(usable, default=math.nan),
        "training": _mean(run.training[-1] for run in runs),
        "validation": _mean(run.last for run in runs),
        "accuracy": right,
        "half": half,
        "runs": len(runs),
    }


def _mean(values: Any) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed)


def _verdicts(done: Sweep, command: str) -> list[Verdict]:
    first, middle, last = done.sizes[0], done.usual, done.sizes[-1]
    few, usual, most = (
        np.array([run.accuracy for run in done.best[size]]) for size in (first, middle, last)
    )
    lost, lost_interval = ratio(
        [float(run.training[-1]) for run in done.hasty],
        [float(run.training[-1]) for run in done.best[middle]],
    )
    apart, apart_interval = _difference(few - usual)
    if apart_interval is not None:
        low, high = apart_interval
        apart_interval = (max(low, -high, 0.0), max(-low, high))
    behind, behind_interval = _difference(usual - most)
    count = f"{len(usual)} paired runs on fresh seeds, {done.data}"
    single = "single rows" if first == 1 else f"batches of {first}"
    return [
        Verdict(
            f"at the rate of batches of {middle}, {single} are lost",
            lost, _LOST, ">=", interval=lost_interval,
            detail=f"last training loss at η = {done.hasty[0].rate:g} with {first} in a batch over "
            f"that with {middle}, geometric mean; infinite if it diverged; {count}",
            command=command,
        ),
        Verdict(
            f"at a rate of their own, {single} are as accurate as batches of {middle}",
            abs(apart), _SAME, interval=apart_interval,
            detail="difference of the test accuracies, without its sign, with the 95 % interval "
            f"of the mean; {count}",
            command=command,
        ),
        Verdict(
            f"with as many rows, batches of all {last:,} end less accurate than those of {middle}",
            behind, _DIFFERENT, ">=", interval=behind_interval,
            detail=f"test accuracy with {middle} in a batch less that with {last}, with the 95 % "
            f"interval of the mean; {count}",
            command=command,
        ),
    ]  # fmt: skip


def _difference(values: Any) -> tuple[float, tuple[float, float] | None]:
    mean, half = mean_interval(values.tolist())
    return mean, None if math.isnan(half) else (mean - half, mean + half)


def _table(done: Sweep, records: Sequence[dict[str, Any]]) -> Table:
    edge = any(row["edge"] for row in records)
    return Table(
        "accuracy",
        f"Where batches of each size end, with {done.rows:,} training rows ({done.data})",
        records,
        [
            Column("batch", lambda row: name_of(row["size"], done.rows)),
            Column("steps", lambda row: f"{row['steps']:,}"),
            Column("rate η", lambda row: f"{row['rate']:g}{' *' if row['edge'] else ''}"),
            Column("largest usable η", lambda row: f"{row['largest']:g}"),
            Column("training loss", lambda row: f"{row['training']:.3g}"),
            Column("validation loss", lambda row: f"{row['validation']:.3g}"),
            Column(
                "test accuracy",
                lambda row: f"{100 * row['accuracy']:.1f} ± {100 * row['half']:.1f} %",
            ),
        ],
        "The rate with the lowest validation loss on other seeds; means over "
        f"{records[0]['runs']} fresh seeds, ± half the 95 % interval. Largest usable: of the rates "
        "tried, at which every run ended below its start"
        + ("; * on the edge of the rates that were tried." if edge else "."),
    )


def _picture(done: Sweep, records: Sequence[dict[str, Any]]) -> Figure:
    with styled():
        figure = new_figure(6.8, 7.6)
        upper, lower = figure.subplots(2, 1, height_ratios=(1.2, 1))
        shades = colours(len(done.sizes))
        ends = []
        for size, colour in zip(done.sizes, shades, strict=True):
            runs = {rate: tried for rate, tried in done.tried[size].items() if _usable(tried)}
            if not runs:
                continue
            losses = [_mean(run.last for run in tried) for tried in runs.values()]
            upper.plot(list(runs), losses, "o-", color=colour, markersize=4)
            lowest = int(np.argmin(losses))
            ends.append((list(runs)[lowest], losses[lowest], size, colour))
        upper.set(xscale="log", yscale="log", xlabel="learning rate η",
                 ylabel="validation loss at the end")  # fmt: skip
        upper.grid(True)
        few, most = records[0], records[-1]
        upper.set_title(f"Usable rates: up to {few['largest']:g} with {few['size']:,} in a batch, "
                       f"{most['largest']:g} with {most['size']:,}\n"
                       "a line ends where training fails", loc="left")  # fmt: skip
        _name_lines(upper, done, ends)
        places = np.arange(len(records))
        for place, record, colour in zip(places, records, shades, strict=True):
            lower.errorbar(place, 100 * record["accuracy"], 100 * record["half"], fmt="o",
                           color=colour, capsize=4)  # fmt: skip
        lower.set_xticks(places, [name_of(size, done.rows) for size in done.sizes])
        lower.set(xlabel="rows in a batch", ylabel="test accuracy, %")
        lower.margins(x=0.08)
        lower.grid(True, axis="y")
        lower.set_title(f"At its own rate, {few['size']:,} in a batch ends at "
                        f"{100 * few['accuracy']:.1f} %, {most['size']:,} at "
                        f"{100 * most['accuracy']:.1f} %\n"
                        "bars: 95 % interval of the mean", loc="left")  # fmt: skip
    return figure


def _usable(tried: Sequence[BatchRun]) -> bool:
    """Tell whether a rate serves: every run ended below its start."""
    return all(run.last < run.validation[0] for run in tried)


def _name_lines(axes: Any, done: Sweep, lows: Sequence[tuple[float, float, int, str]]) -> None:
    """Write names below the lowest points of lines, under each other where two points meet."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom=bottom * (bottom / top) ** 0.12)
    near = (top / bottom) ** 0.08
    named: list[tuple[float, float]] = []
    for rate, loss, size, colour in sorted(lows, key=lambda low: low[1]):
        above = sum(rate == other and loss < near * lower for other, lower in named)
        named.append((rate, loss))
        axes.annotate(name_of(size, done.rows), (rate, loss), (0, -10 - 12 * above),
                      textcoords="offset points", color=colour, fontsize=9, ha="center",
                      va="center")  # fmt: skip
