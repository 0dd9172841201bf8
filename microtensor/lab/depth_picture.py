"""The pictures of :func:`activation_depth`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab import plot
from microtensor.lab.optional import require
from microtensor.lab.style import ACTIVATIONS, GRID, INK, QUIET, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from microtensor.lab.probe import Floats

Record = Mapping[str, Any]
_PALE = "#d3d3d3"


def _colour(name: str) -> str:
    return ACTIVATIONS.get(name, _PALE)


def _trained(records: Sequence[Record]) -> list[Record]:
    """Return the records of the suited initialisation, those without a colour first."""
    mine = [record for record in records if record["init"] != "orthogonal"]
    return sorted(mine, key=lambda record: record["activation"] in ACTIVATIONS)


def overview(records: Sequence[Record]) -> Figure:
    """Draw gradient and signal by layer in the deepest networks, and accuracy by depth."""
    mine = _trained(records)
    depths = sorted({record["depth"] for record in mine})
    deepest = [record for record in mine if record["depth"] == depths[-1]]
    with styled():
        figure = plot.new_figure(15.5, 5.0)
        left, middle, right = figure.subplots(1, 3)
        ends: list[list[tuple[float, str, str]]] = [[], [], []]
        gradients, variances = [], []
        for record in deepest:
            start = record["start"]
            gradient = _relative(start.gradient)
            variance = _positive(start.variance)
            gradients.append(gradient)
            variances.append(variance)
            _curve(left, record, np.arange(1, depths[-1] + 1), gradient, ends[0], first=True)
            _curve(middle, record, np.arange(1, depths[-1] + 1), variance, ends[1])
        names = list(dict.fromkeys(record["activation"] for record in mine))
        for name in names:
            same = [record for record in mine if record["activation"] == name]
            reached = np.array([_accuracy(record) for record in same])
            _curve(right, same[0], depths, 100 * reached, ends[2], mark="o")
        left.set(yscale="log", xlim=(max(2, depths[-1]), 1), ylim=_limits(gradients, 1e-40, 1e6),
                 xlabel="hidden layer, the last one first")  # fmt: skip
        left.set_title("Gradient on its way back, relative to the last layer's", loc="left")
        middle.set(yscale="log", xlim=(1, max(2, depths[-1])), ylim=_limits(variances, 1e-6, 1e4),
                   xlabel="hidden layer")  # fmt: skip
        middle.set_title("Variance of the signal", loc="left")
        right.set(xscale="log", xlabel="hidden layers", ylim=(0, 101),
                  xlim=(depths[0], max(depths[0] + 1, depths[-1])))  # fmt: skip
        right.set_xticks(depths, [str(depth) for depth in depths])
        right.minorticks_off()
        right.set_title("Test accuracy at the tuned rate, %", loc="left")
        for axes in (left, middle, right):
            axes.grid(axis="y")
        pale = any(record["activation"] not in ACTIVATIONS for record in mine)
        figure.suptitle(
            f"Activations in networks of {depths[-1]} hidden layers before training, and what "
            f"they reach after it{'; grey: all the others' if pale else ''}",
            fontsize=12.5, fontweight="bold",
        )  # fmt: skip
        for axes, lines in zip((left, middle, right), ends, strict=True):
            plot.label_line_ends(axes, lines, size=8.5)
    return figure


def _positive(values: Floats) -> Floats:
    # On a logarithmic axis there is no 0; what is not finite leaves a gap.
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def _relative(gradient: Floats) -> Floats:
    """Return the gradients of hidden layers relative to the last one's, with gaps."""
    with np.errstate(all="ignore"):
        return _positive(gradient[:-1] / gradient[-2])


def _limits(curves: Sequence[Floats], least: float, most: float) -> tuple[float, float]:
    """Return limits around all curves, which what explodes or is gone may leave."""
    every = np.concatenate([[1.0], *curves])
    low, high = np.nanmin(every), np.nanmax(every)
    return max(float(low) / 3, least), min(float(high) * 3, most)


def _curve(
    axes: Axes,
    record: Record,
    x: Any,
    y: Floats,
    ends: list[tuple[float, str, str]],
    *,
    mark: str = "",
    first: bool = False,
) -> None:
    named = record["activation"] in ACTIVATIONS
    colour = _colour(record["activation"])
    axes.plot(x, y, f"{mark}-", color=colour, linewidth=1.8 if named else 0.9, markersize=3.5)
    end = float(y[0 if first else -1])
    if named and math.isfinite(end):
        ends.append((end, record["label"], colour))


def _accuracy(record: Record) -> float:
    """Return the mean test accuracy, 0 if a run diverged."""
    mean = float(np.mean([one.accuracy for one in record["outcomes"]]))
    return 0.0 if math.isnan(mean) else mean


def accuracies(records: Sequence[Record]) -> Figure:
    """Draw the test accuracy of each activation at each depth as a table of tones, best first."""
    trained = [record for record in records if record["trained"]]
    depths = sorted({record["depth"] for record in trained})
    kinds = list(dict.fromkeys((record["activation"], record["init"]) for record in trained))
    by_cell = {(r["activation"], r["init"], r["depth"]): r for r in trained}
    table = np.array([[_accuracy(by_cell[(*kind, depth)]) for depth in depths] for kind in kinds])
    order = np.argsort(-table.mean(1), kind="stable")
    table = 100 * table[order]
    labels = [by_cell[(*kinds[index], depths[0])]["label"] for index in order]
    inits = [kinds[index][1] for index in order]
    with styled():
        figure = plot.new_figure(2.6 + 0.95 * len(depths) + 1.6, 1.2 + 0.27 * len(kinds))
        axes = figure.subplots()
        colours = require("matplotlib").colormaps["YlGnBu"]
        axes.imshow(table, cmap=colours, vmin=0, vmax=110, aspect="auto")
        for row, values in enumerate(table):
            for column, value in enumerate(values):
                record = by_cell[(*kinds[order[row]], depths[column])]
                lost = any(math.isnan(one.accuracy) for one in record["outcomes"])
                axes.text(
                    column, row, "diverged" if lost else f"{value:.1f}",
                    ha="center", va="center", fontsize=8.5,
                    color="white" if value > 60 else INK,
                )  # fmt: skip
        axes.set_xticks(range(len(depths)), [f"{depth} layers" for depth in depths])
        axes.set_yticks(
            range(len(labels)),
            [f"{label}  ({init})" for label, init in zip(labels, inits, strict=True)],
        )
        axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
        axes.set_xticks(np.arange(len(depths) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.2)
        axes.tick_params(which="minor", length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        figure.suptitle("Test accuracy, %, at the tuned rate", fontsize=12.5, fontweight="bold")
    return figure


def laws(records: Sequence[Record], dying: Sequence[Record]) -> Figure:
    """Draw sigmoid's vanishing gradient, ReLU's dying units and SELU's steady variance."""
    with styled():
        figure = plot.new_figure(15.5, 4.8)
        panels = figure.subplots(1, 3)
        labels = [
            (panels[0], _sigmoid(panels[0], records)),
            (panels[1], _dying(panels[1], dying)),
            (panels[2], _selu(panels[2], records)),
        ]
        figure.suptitle("Three laws, and what is measured", fontsize=12.5, fontweight="bold")
        for axes, ends in labels:
            axes.grid(axis="y")
            if not axes.lines:
                axes.set_axis_off()
            plot.label_line_ends(axes, ends, size=9)
    return figure


def _of(records: Sequence[Record], name: str) -> list[Record]:
    mine = [record for record in records if record["activation"] == name]
    most = max((record["depth"] for record in mine), default=0)
    return [record for record in mine if record["depth"] == most]


def _sigmoid(axes: Axes, records: Sequence[Record]) -> list[tuple[float, str, str]]:
    ends: list[tuple[float, str, str]] = []
    for record in _of(records, "sigmoid"):
        start, depth = record["start"], record["depth"]
        back = np.arange(depth)  # layers between a layer and the last one
        gradient = _relative(start.gradient)[::-1]
        cured = record["init"] == "orthogonal"
        colour = "#009e73" if cured else ACTIVATIONS["sigmoid"]
        axes.plot(back, gradient, color=colour, linewidth=2)
        ends.append((float(gradient[-1]), record["init"], colour))
        if not cured:
            norms = np.concatenate([[1.0], np.cumprod(0.25 * start.weight[1:-1][::-1])])
            axes.plot(back, norms, ":", color=colour, linewidth=1.4)
            ends.append((float(norms[-1]), "¼ⁿ·Π‖W‖", colour))
            axes.plot(back, 0.25**back, "--", color=QUIET, linewidth=1.2)
            ends.append((float(0.25 ** back[-1]), "¼ⁿ", QUIET))
            axes.set_xlim(0, max(1, depth - 1))
    axes.set(yscale="log", xlabel="layers back from the last", ylabel="gradient, relative")
    axes.set_title("Sigmoid: a layer passes back at most ¼ of its weights' norm", loc="left")
    return ends


def _alive_mean(outcomes: Sequence[Any]) -> float:
    """Return the mean share of dead units over runs that did not diverge."""
    finite = [run.dead for run in outcomes if not math.isnan(run.dead)]
    return float(np.mean(finite)) if finite else math.nan


def _dying(axes: Axes, dying: Sequence[Record]) -> list[tuple[float, str, str]]:
    ends: list[tuple[float, str, str]] = []
    for name in dict.fromkeys(one["activation"] for one in dying):
        mine = [one for one in dying if one["activation"] == name]
        share = np.array([100 * _alive_mean(one["outcomes"]) for one in mine])
        rates = [one["rate"] for one in mine]
        label, colour = mine[0]["label"], _colour(name)
        axes.plot(rates, share, "o-", color=colour, linewidth=2, markersize=4, clip_on=False)
        known = np.flatnonzero(np.isfinite(share))
        if len(known) and known[-1] == len(rates) - 1:
            ends.append((float(share[-1]), label, colour))
        elif len(known):
            axes.annotate(
                f"{label}\n(diverges beyond)",
                (rates[known[-1]], float(share[known[-1]])),
                xytext=(0, 7), textcoords="offset points", ha="center", color=colour, fontsize=9,
            )  # fmt: skip
        axes.set(xscale="log", xlim=(rates[0], rates[-1] if len(rates) > 1 else 2 * rates[0]))
        axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
        axes.minorticks_off()
        if name == "relu" and len(known):
            axes.set_title(
                f"ReLU: {share[known[0]]:.0f} % of units dead at rate {rates[known[0]]:g}, "
                f"{share[known[-1]]:.0f} % at {rates[known[-1]]:g}",
                loc="left",
            )
    axes.set(xlabel="learning rate", ylabel="dead units after training, %")
    axes.set_ylim(bottom=0)
    return ends


def _selu(axes: Axes, records: Sequence[Record]) -> list[tuple[float, str, str]]:
    ends: list[tuple[float, str, str]] = []
    mine = [record for record in _of(records, "selu") if record["init"] != "orthogonal"]
    if not mine:
        return ends
    depth = mine[0]["depth"]
    for name in ("relu", "tanh", "selu"):
        for record in _of(records, name):
            if record["init"] == "orthogonal":
                continue
            variance = _positive(record["start"].variance)
            axes.plot(np.arange(1, depth + 1), variance, color=_colour(name),
                      linewidth=2.2 if name == "selu" else 1.2)  # fmt: skip
            ends.append((float(variance[-1]), f"{record['label']} ({record['init']})",
                         _colour(name)))  # fmt: skip
    axes.axhline(1, color=QUIET, linestyle=":", linewidth=1.2)
    axes.axhspan(0.75, 1.25, color=GRID, alpha=0.7, linewidth=0)
    axes.set(yscale="log", xlabel="hidden layer", xlim=(1, max(2, depth)), ylabel="variance")
    steady = mine[0]["start"].variance
    axes.set_title(
        f"SELU: variance {steady.min():.2f} to {steady.max():.2f} through {depth} layers",
        loc="left",
    )
    return ends
