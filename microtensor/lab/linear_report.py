"""What the records of :func:`linear_collapse` say: verdicts, tables and pictures."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab import plot
from microtensor.lab.collapse import EXACT
from microtensor.lab.data import Dataset
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.style import CLASSES, INK, QUIET, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Record = Mapping[str, Any]

# How near, in probability, a network must come to logistic regression to be the same function.
ALIKE = 0.01
# The accuracy on held-out rows that a network with activations must reach.
BENT = 0.97

# Differences that are exactly zero would fall off a logarithmic axis.
_SMALLEST = 1e-17

_NAMES = {"linear": "linear", "relu": "ReLU", "tanh": "tanh", "logistic": "logistic regression"}


def collapse_result(
    datasets: Sequence[Dataset],
    records: Sequence[Record],
    depths: Sequence[int],
    *,
    settings: Mapping[str, Any],
    seconds: Mapping[str, float],
    command: str,
) -> Result:
    """Return the tables, verdicts and pictures of a run's records."""
    names = [data.name for data in datasets]
    trained = [
        record
        for name in names
        for record in records
        if record["data"] == name and record["kind"] != "fold"
    ]
    folds = [record for record in records if record["kind"] == "fold"]
    distances = {id(record): _distance(record, trained) for record in trained}
    verdicts = [
        exact_verdict(records, command),
        alike_verdict(trained, depths, command),
    ]
    bent = [record for record in trained if record["kind"] in ("relu", "tanh")]
    if bent:
        verdicts.append(bent_verdict(bent, command))
    pictures = {"linear_collapse_depth": functools.partial(_depth_picture, folds, trained, depths)}
    if any("regions" in record for record in trained):
        drawn = functools.partial(_regions_picture, trained)
        pictures = {"linear_collapse": drawn, **pictures}
    tables = [_main_table(trained, distances, depths), _fold_table(folds)]
    return Result(
        "linear_collapse",
        tables=tables,
        verdicts=verdicts,
        pictures=pictures,
        settings=settings,
        seconds=seconds,
    )


def exact_verdict(records: Sequence[Record], command: str) -> Verdict:
    """Judge whether every folded network computes what the network does."""
    errors = [
        (error, record["data"], depth)
        for record in records
        if record["kind"] == "fold"
        for depth, error in zip(record["depths"], record["errors"], strict=True)
    ]
    errors += [(r["fold_error"], r["data"], r["layers"]) for r in records if "fold_error" in r]
    depths = [depth for _, _, depth in errors]
    # NaN, should there be one, must not hide behind a larger number.
    worst, data, depth = max(errors, key=lambda one: (math.isnan(one[0]), one[0]))
    folded = sorted(set(depths))
    every = folded == list(range(folded[0], folded[-1] + 1))
    where = (
        f"at every depth from {folded[0]} to {folded[-1]}"
        if every
        else f"at the depths {', '.join(map(str, folded))}"
    )
    return Verdict(
        f"without activations the network is A·x + b, {where}",
        worst,
        EXACT,
        detail=f"max |model(x) - (A·x + b)| / max |model(x)| on held-out rows; {len(errors)} "
        f"networks folded, the largest at {depth} layers on {data}",
        command=command,
    )


def alike_verdict(trained: Sequence[Record], depths: Sequence[int], command: str) -> Verdict:
    """Judge whether networks without activations learn what logistic regression does."""
    judged, open_ones = [], []
    for record in trained:
        if record["kind"] == "logistic" and not record["converged"]:
            open_ones.append(f"the logistic regression itself on {record['data']}")
        if record["kind"] != "linear" or record["layers"] not in depths:
            continue
        if record["converged"]:
            judged.append((_distance(record, trained), record["data"], record["layers"]))
        else:
            open_ones.append(
                f"{record['layers']} layers on {record['data']} (gradient {record['gradient']:.1e})"
            )
    worst, data, depth = max(judged, default=(math.nan, "", 0))
    return Verdict(
        "networks without activations learn the probabilities of logistic regression, "
        f"at depths {', '.join(map(str, depths))}",
        worst,
        ALIKE,
        open_because=f"not converged: {'; '.join(open_ones)}" if open_ones else "",
        detail=f"max |p - p'| on held-out rows of the {len(judged)} networks that converged"
        + (f", the largest at depth {depth} on {data}" if judged else ""),
        command=command,
    )


def bent_verdict(bent: Sequence[Record], command: str) -> Verdict:
    """Judge whether the same network with activations finds the classes."""
    worst = min(bent, key=lambda record: record["accuracy"])
    data = dict.fromkeys(record["data"] for record in bent)
    return Verdict(
        f"with ReLU or tanh the same network finds the classes of {' and '.join(data)}",
        worst["accuracy"],
        BENT,
        ">=",
        detail=f"accuracy on held-out rows; the lowest of {len(bent)} networks, "
        f"{_NAMES[worst['kind']]} on {worst['data']}",
        command=command,
    )


def _distance(record: Record, trained: Sequence[Record]) -> float:
    """Return the largest difference in probability from logistic regression on the same data."""
    for other in trained:
        if other["kind"] == "logistic" and other["data"] == record["data"]:
            return float(np.abs(record["probabilities"] - other["probabilities"]).max())
    return math.nan


def _main_table(
    trained: Sequence[Record], distances: Mapping[int, float], depths: Sequence[int]
) -> Table:
    def condition(record: Record) -> str:
        if record["kind"] not in ("linear", "logistic"):
            return ""
        return "yes" if record["converged"] else "not converged"

    records = [
        {
            "data": record["data"],
            "network": _NAMES[record["kind"]],
            "layers": record["layers"],
            "steps": record["steps"],
            "gradient_norm": record.get("gradient", ""),
            "converged": condition(record),
            "probability_difference": distances[id(record)] if record["kind"] == "linear" else "",
            "fold_error": record.get("fold_error", ""),
            "test_accuracy": record["accuracy"],
        }
        for record in trained
    ]

    def scientific(key: str) -> Any:
        return lambda row: f"{row[key]:.1e}" if row[key] != "" else ""

    columns = [
        Column("data", lambda row: row["data"], right=False),
        Column("network", lambda row: row["network"], right=False),
        Column("layers", lambda row: str(row["layers"])),
        Column("steps", lambda row: str(row["steps"])),
        Column("‖∇‖ in (A, b)", scientific("gradient_norm")),
        Column("converged", lambda row: row["converged"], right=False),
        Column("max |p - p'|", scientific("probability_difference")),
        Column("fold error", scientific("fold_error")),
        Column("test accuracy", lambda row: f"{100 * row['test_accuracy']:.1f} %"),
    ]
    judged = ", ".join(map(str, depths))
    return Table(
        "linear_collapse",
        "Networks trained on half of each data set, measured on the other half",
        records,
        columns,
        caption="p': scikit-learn's logistic regression of the same penalty. Depths "
        f"{judged} are judged; the accuracies of linear networks are printed, not judged.",
    )


def _fold_table(folds: Sequence[Record]) -> Table:
    records = [
        {"data": record["data"], "layers": depth, "fold_error": error}
        for record in folds
        for depth, error in zip(record["depths"], record["errors"], strict=True)
    ]
    summary = [
        {
            "data": record["data"],
            "depths": f"{min(record['depths'])} to {max(record['depths'])}",
            "largest": max(record["errors"]),
            "median": float(np.median(record["errors"])),
        }
        for record in folds
    ]
    columns = [
        Column("data", lambda row: row["data"], right=False),
        Column("layers", lambda row: row["depths"]),
        Column("largest fold error", lambda row: f"{row['largest']:.1e}"),
        Column("median", lambda row: f"{row['median']:.1e}"),
    ]
    return Table(
        "linear_collapse_folds",
        "Networks without activations, folded into A·x + b",
        summary,
        columns,
        saved=records,
    )


def _regions_picture(trained: Sequence[Record]) -> Figure:
    """Draw what each network makes of the plane: a row per data set, a column per network."""
    shown = [record for record in trained if "regions" in record]
    rows = list(dict.fromkeys(record["data"] for record in shown))
    kinds = list(dict.fromkeys((record["kind"], record["layers"]) for record in shown))
    kinds = [kind for kind in kinds if kind[0] != "linear" or _drawn(kind[1], kinds)]
    with styled():
        figure = plot.new_figure(2.25 * len(kinds), 2.45 * len(rows) + 0.55)
        axes = figure.subplots(len(rows), len(kinds), squeeze=False)
        for row, name in enumerate(rows):
            for column, (kind, layers) in enumerate(kinds):
                panel = axes[row][column]
                (record,) = [
                    one
                    for one in shown
                    if (one["data"], one["kind"], one["layers"]) == (name, kind, layers)
                ]
                plot.regions(panel, **record["regions"])
                title = f"{100 * record['accuracy']:.1f} % right"
                if row == 0:
                    panel.set_title(f"{_described(kind, layers)}\n{title}")
                else:
                    panel.set_title(title)
                if column == 0:
                    panel.set_ylabel(name)
        figure.suptitle(_finding(shown), fontsize=12, fontweight="bold")
    return figure


def _drawn(layers: int, kinds: Sequence[tuple[str, int]]) -> bool:
    """Tell whether a linear network is among those drawn: the shallowest, 8 deep, the deepest."""
    depths = [depth for kind, depth in kinds if kind == "linear"]
    return layers in (min(depths), sorted(depths)[-2], max(depths))


def _described(kind: str, layers: int) -> str:
    count = "1 layer" if layers == 1 else f"{layers} layers"
    return f"{count}, no activation" if kind == "linear" else f"{count}, {_NAMES[kind]}"


def _finding(shown: Sequence[Record]) -> str:
    """Return the title: what these accuracies say, or no more than what is shown."""
    straight = [record["accuracy"] for record in shown if record["kind"] == "linear"]
    bent = [record["accuracy"] for record in shown if record["kind"] != "linear"]
    if straight and bent and min(bent) >= BENT and max(straight) < min(bent):
        return (
            f"Without activations depth adds nothing: at best {100 * max(straight):.0f} % right; "
            f"with one, at least {100 * min(bent):.0f} %"
        )
    return "What networks of several depths make of the plane"


def _depth_picture(
    folds: Sequence[Record], trained: Sequence[Record], depths: Sequence[int]
) -> Figure:
    """Draw the two measured differences against depth, each with its tolerance."""
    with styled():
        figure = plot.new_figure(9.5, 3.6)
        left, right = figure.subplots(1, 2)
        names = list(dict.fromkeys(record["data"] for record in trained))
        colours = {name: CLASSES[index % len(CLASSES)][0] for index, name in enumerate(names)}
        left_ends, right_ends = [], []
        for record in folds:
            name = record["data"]
            errors = np.maximum(record["errors"], _SMALLEST)
            left.plot(record["depths"], errors, color=colours[name], linewidth=1.4)
            left_ends.append((float(errors[-1]), name, colours[name]))
        for name in names:
            linear = [r for r in trained if r["data"] == name and r["kind"] == "linear"]
            distances = np.maximum([_distance(r, trained) for r in linear], _SMALLEST)
            layers = [record["layers"] for record in linear]
            right.plot(layers, distances, color=colours[name], linewidth=1.0, alpha=0.6)
            for record, distance in zip(linear, distances, strict=True):
                right.plot(
                    record["layers"],
                    distance,
                    "o",
                    color=colours[name],
                    markersize=6,
                    markerfacecolor=colours[name] if record["converged"] else "white",
                )
            right_ends.append((float(distances[-1]), name, colours[name]))
        worst = max(max(record["errors"]) for record in folds)
        left.set(
            yscale="log",
            ylim=(_SMALLEST / 2, 1e-10),
            xlabel="Linear layers",
            xlim=(1, max(2, *(depth for record in folds for depth in record["depths"]))),
            ylabel="relative difference",
        )
        left.set_title(f"Folded into A·x + b: outputs differ by {worst:.0e} at most", loc="left")
        ticks = sorted({record["layers"] for record in trained if record["kind"] == "linear"})
        right.set(
            xscale="log",
            yscale="log",
            xlabel="Linear layers (hollow: not converged)",
            ylabel="largest difference in probability",
        )
        right.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
        right.minorticks_off()
        verdict = alike_verdict(trained, depths, "")
        right.set_title("Trained networks beside logistic regression", loc="left")
        if verdict.status == "holds":
            right.set_title(
                f"Trained, {min(depths)} to {max(depths)} layers: within "
                f"{verdict.number:.0e} of logistic regression",
                loc="left",
            )
        for axes, tolerance in ((left, EXACT), (right, ALIKE)):
            _tolerance(axes, tolerance)
        plot.label_line_ends(left, left_ends)
        plot.label_line_ends(right, right_ends)
    return figure


def _tolerance(axes: Axes, value: float) -> None:
    axes.axhline(value, color=QUIET, linestyle=":", linewidth=1.2)
    axes.annotate(
        f"tolerance {value:g}",
        (0.01, value),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        color=INK,
        fontsize=9,
    )
