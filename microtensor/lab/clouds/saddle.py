"""The third cloud: a saddle, where every gradient vanishes and it is no optimum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab.descent import Racer, descend
from microtensor.lab.optimizers import Recipe, recipes
from microtensor.lab.plot import label_line_ends, new_figure
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.style import QUIET, optimizer_style, styled
from microtensor.lab.surfaces import SURFACES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# How far the measured slope may be from 1/ln(1 + 2η).
_CLOSE = 0.02
_NAMES = ("saddle", "saddle_rotated", "monkey_saddle", "monkey_saddle_rotated")


def saddle(
    optimizers: Sequence[str] = ("sgd", "momentum", "rmsprop", "adam"),
    *,
    rate: float = 0.05,
    judged: str = "sgd",
    quick: bool = False,
    command: str = "",
) -> Result:
    """Count the steps to leave a saddle, against how far from its ridge a descent begins.

    Left is x² − y² when its value is −1 or less. On the ridge plain descent multiplies its
    distance by 1 + 2η in every step, so the steps grow by 1/ln(1 + 2η) for each factor e that the
    offset shrinks by. The monkey saddle's slope vanishes at its middle twice over, and no such law
    holds there. All optimizers go at one stated rate, so their steps are not a ranking.

    Args:
        optimizers: names, as :data:`microtensor.lab.OPTIMIZERS` has them.
        rate: η, of all.
        judged: the optimizer held against the law, which is plain descent's.
        quick: whether 600 steps will do instead of 2,000; who stays longer is censored.
        command: what repeats it, for the verdict.

    Raises:
        ValueError: an unknown optimizer, or one that is judged but does not run.

    Example:
        >>> saddle(("sgd",), quick=True).verdict.status
        'holds'
    """
    chosen = recipes(optimizers)
    if judged not in optimizers:
        raise ValueError(f"saddle: judged must be one of {', '.join(optimizers)}, got {judged!r}")
    steps = 600 if quick else 2000
    offsets = np.logspace(-1, -12, 12)
    records: list[dict[str, Any]] = []
    for name in _NAMES:
        starts = np.stack([np.ones_like(offsets), offsets], -1)
        if name.endswith("rotated"):
            half = math.sqrt(0.5)
            starts = starts @ np.array([[half, half], [-half, half]])
        for recipe in chosen:
            runs = descend(SURFACES[name], Racer(recipe, recipe.label), [rate], starts, steps)
            with np.errstate(invalid="ignore"):
                below = runs.values[:, 0] <= -1
            left = np.where(below.any(0), below.argmax(0), math.inf)
            records += [
                {"surface": name, "optimizer": recipe.name, "label": _label(recipe),
                 "offset": offset, "steps": count}
                for offset, count in zip(offsets.tolist(), left.tolist(), strict=True)
            ]  # fmt: skip
    verdicts = [
        _verdict(records, name, judged, rate, command) for name in ("saddle", "saddle_rotated")
    ]
    finding = f"Steps to leave a saddle, all at η = {rate:g}"
    if all(verdict.status == "holds" for verdict in verdicts):
        who = _label(recipes(judged)[0])
        finding = (
            f"On x² − y² {who[0].lower()}{who[1:]} pays the same for every factor of the offset"
        )
    return Result(
        "saddle",
        tables=[_table(records, steps)],
        verdicts=verdicts,
        pictures={"saddle": lambda: _picture(records, steps, finding)},
        settings={"optimizers": list(optimizers), "rate": rate, "judged": judged, "steps": steps},
    )


def _label(recipe: Recipe) -> str:
    """Return the name: without batches plain descent is called gradient descent."""
    return "Gradient descent" if recipe.name == "sgd" else recipe.label


def _of(records: Sequence[dict[str, Any]], surface: str, name: str) -> list[dict[str, Any]]:
    return [one for one in records if one["surface"] == surface and one["optimizer"] == name]


def _verdict(
    records: Sequence[dict[str, Any]], surface: str, judged: str, rate: float, command: str
) -> Verdict:
    mine = [one for one in _of(records, surface, judged) if math.isfinite(one["steps"])]
    law = 1 / math.log1p(2 * rate)
    slope, deviation = math.nan, math.nan
    if len(mine) > 3:
        fitted, covariance = np.polyfit(
            [-math.log(one["offset"]) for one in mine], [one["steps"] for one in mine], 1, cov=True
        )
        slope, deviation = float(fitted[0]), float(math.sqrt(covariance[0, 0]))
    return Verdict(
        f"{SURFACES[surface].label}: each factor e nearer to the ridge costs 1/ln(1 + 2η) steps",
        abs(slope / law - 1),
        _CLOSE,
        detail=f"{_label(recipes(judged)[0])} at η = {rate:g}: {slope:.3f} ± {2 * deviation:.3f} "
        f"steps (two standard errors of the line), theory {law:.3f}; "
        f"{len(mine)} of 12 offsets left in time",
        command=command,
    )


def _table(records: Sequence[dict[str, Any]], steps: int) -> Table:
    rows = []
    for surface, name in dict.fromkeys((one["surface"], one["optimizer"]) for one in records):
        mine = {round(math.log10(one["offset"])): one for one in _of(records, surface, name)}
        shown = {str(power): mine[power]["steps"] for power in (-1, -3, -6, -12)}
        label = _of(records, surface, name)[0]["label"]
        rows.append({"surface": surface, "optimizer": label, **shown})

    def column(power: int) -> Column:
        def show(row: Any) -> str:
            count = row[str(power)]
            return f"{count:.0f}" if math.isfinite(count) else f"> {steps}"

        return Column(f"1e{power}", show)

    return Table(
        "saddle",
        "Steps to leave a saddle, by offset from its ridge",
        rows,
        [
            Column("saddle", lambda row: SURFACES[row["surface"]].label, right=False),
            Column("optimizer", lambda row: row["optimizer"], right=False),
            *(column(power) for power in (-1, -3, -6, -12)),
        ],
        "All at one rate: no ranking. On the monkey saddle momentum runs over "
        "the middle, and leaves on the far side.",
        saved=records,
    )


def _picture(records: Sequence[dict[str, Any]], steps: int, finding: str) -> Figure:
    with styled():
        figure = new_figure(9.5, 7.0)
        panels = figure.subplots(2, 2, sharex=True)
        labels = []
        for axes, surface in zip(panels.flat, _NAMES, strict=True):
            ends = []
            censored = False
            for name in dict.fromkeys(one["optimizer"] for one in records):
                colour, line = optimizer_style(name)
                mine = _of(records, surface, name)
                counts = [min(one["steps"], steps) for one in mine]
                stayed = [math.isinf(one["steps"]) for one in mine]
                censored = censored or any(stayed)
                offsets = [one["offset"] for one in mine]
                axes.plot(offsets, counts, color=colour, linestyle=line, linewidth=1.5)
                spots = np.array([offsets, counts])
                left, still = spots[:, ~np.array(stayed)], spots[:, np.array(stayed)]
                axes.plot(*left, "o", color=colour, markersize=3.5)
                axes.plot(*still, "^", color=colour, markersize=7, fillstyle="none")
                ends.append((counts[-1], mine[0]["label"], colour))
            axes.set(xscale="log", xlim=(0.2, 5e-13), ylabel="steps to leave")
            top = steps if censored else max(end[0] for end in ends)
            if surface.startswith("monkey"):  # the steps grow as a power of the offset
                axes.set(yscale="log", ylim=(5, 2.4 * top), xlabel="offset from the ridge")
            else:
                axes.set_ylim(0, 1.08 * top)
            if censored:
                axes.axhline(steps, color=QUIET, linewidth=0.8, linestyle=":")
                axes.annotate(
                    f"△ not left within {steps:,} steps", (0.02, steps),
                    xycoords=("axes fraction", "data"), xytext=(0, 3),
                    textcoords="offset points", va="bottom", fontsize=9, color=QUIET,
                )  # fmt: skip
            axes.grid(True)
            axes.set_title(SURFACES[surface].label, loc="left")
            labels.append((axes, ends))
        figure.suptitle(finding, x=0.01, ha="left", fontsize=10, fontweight="bold")
        for axes, ends in labels:
            label_line_ends(axes, ends)
    return figure
