"""The pictures of :func:`compare`: who ends where, on the way there, rates, and the profile."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtensor.lab import plot
from microtensor.lab.compare_report import Entry, Profile, Ranking
from microtensor.lab.style import GRID, INK, QUIET, optimizer_style, styled
from microtensor.lab.trial import Budget, late_loss

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# How many lines of a panel have a colour and a name; the others are grey.
_NAMED = 3
# Cells of the matrix are coloured up to so many orders of magnitude.
_MOST_ORDERS = 3.0
_WIDEST_RATIO = 16.0


def pictures(
    rankings: Sequence[Ranking], profile: Profile, budget: Budget
) -> dict[str, Callable[[], Figure]]:
    """Return what draws each picture, by name."""
    made: dict[str, Callable[[], Figure]] = {
        "compare_optimizers": functools.partial(_matrix, rankings),
        "compare_curves": functools.partial(_curves, rankings),
    }
    if all(entry.tries for ranking in rankings for entry in ranking.entries):
        made["compare_rates"] = functools.partial(_rates, rankings, budget)
    if len(rankings) > 1:
        made["compare_profile"] = functools.partial(_profile, profile)
    return made


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _matrix(rankings: Sequence[Ranking]) -> Figure:
    """Draw a row per task and a column per optimizer: how far behind the lowest loss it ends."""
    names = {one.recipe.name: one.recipe.label for one in rankings[0].best}
    behind = np.zeros((len(rankings), len(names)))
    equal = np.zeros(behind.shape, bool)
    for row, ranking in enumerate(rankings):
        for place, entry in enumerate(ranking.best):
            column = list(names).index(entry.recipe.name)
            behind[row, column] = entry.order - ranking.best[0].order
            equal[row, column] = place == 0 or not ranking.apart(0, place)
    order = np.argsort(np.minimum(behind, _MOST_ORDERS).mean(0), kind="stable")
    first = [ranking.winner for ranking in rankings if ranking.winner]
    with styled():
        figure = plot.new_figure(max(8.5, 2.2 + 0.78 * len(names)), 1.9 + 0.46 * len(rankings))
        axes = figure.subplots()
        image = axes.imshow(
            behind[:, order], cmap="cividis_r", vmin=0, vmax=_MOST_ORDERS, aspect="auto"
        )
        for row, column in np.ndindex(*behind.shape):
            value = behind[row, order[column]]
            axes.text(
                column, row, _times(float(10**value)),
                ha="center", va="center", fontsize=8.5,
                color="white" if value > 0.55 * _MOST_ORDERS else INK,
                fontweight="bold" if equal[row, order[column]] else "normal",
            )  # fmt: skip
        axes.set_xticks(range(len(names)), [list(names.values())[one] for one in order])
        axes.tick_params(length=0, axis="both")
        axes.xaxis.tick_top()
        if len(names) > 8:
            axes.tick_params(axis="x", labelrotation=35)
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("left")
                label.set_rotation_mode("anchor")
        axes.set_yticks(range(len(rankings)), [_spoken(one.task.name) for one in rankings])
        for spine in axes.spines.values():
            spine.set_visible(False)
        bar = figure.colorbar(image, ax=axes, pad=0.02, shrink=0.9, extend="max")
        bar.set_label("orders of magnitude behind", fontsize=9)
        bar.outline.set_visible(False)
        figure.suptitle(_headline(rankings, first), fontsize=12, fontweight="bold")
        figure.supxlabel(
            "Final validation loss as a multiple of the lowest on that task, tuned. "
            "Bold: not told apart from it.",
            fontsize=9,
            color=QUIET,
        )
    return figure


def _times(ratio: float) -> str:
    """Return a ratio of losses to three digits at most."""
    return "> 10⁴ ×" if ratio > 1e4 else f"{ratio:.0f} ×" if ratio >= 100 else f"{ratio:.3g} ×"


def _headline(rankings: Sequence[Ranking], first: Sequence[str]) -> str:
    if len(rankings[0].best) == 1:
        return f"{rankings[0].best[0].recipe.label} alone"
    if not first:
        return "On none of the tasks is one optimizer ahead of all others"
    kinds = len(set(first))
    if kinds == 1 and len(first) == len(rankings):
        labels = {one.recipe.name: one.recipe.label for one in rankings[0].best}
        return f"{labels[first[0]]} is ahead of all others on every task here"
    return (
        f"One optimizer is ahead of all others on {len(first)} of {len(rankings)} tasks"
        + (f", and it is not always the same: {kinds} do it" if kinds > 1 else "")
    )  # fmt: skip


def _curves(rankings: Sequence[Ranking]) -> Figure:
    """Draw validation losses against steps, a panel per task; the best few have colours."""
    columns = min(4, len(rankings))
    rows = math.ceil(len(rankings) / columns)
    with styled():
        figure = plot.new_figure(max(9.5, 3.4 * columns), 0.7 + 2.7 * rows)
        panels = figure.subplots(rows, columns, squeeze=False)
        late = []
        for place, axes in enumerate(panels.flat):
            if place >= len(rankings):
                axes.set_axis_off()
                continue
            late.append((axes, _panel(axes, rankings[place])))
            if place % columns == 0:
                axes.set_ylabel("validation loss")
            if place + columns >= len(rankings):
                axes.set_xlabel("steps")
        runs = len(rankings[0].best[0].runs)
        grey = "; grey: the others" if len(rankings[0].best) > _NAMED else ""
        figure.suptitle(
            f"Validation loss of tuned optimizers, geometric mean of {runs} runs{grey}; "
            "dotted: the target",
            fontsize=11,
            fontweight="bold",
        )
        for axes, ends in late:
            plot.label_line_ends(axes, ends, size=8.5)
    return figure


def _panel(axes: Axes, ranking: Ranking) -> list[tuple[float, str, str]]:
    ends, lowest, highest = [], math.inf, 0.0
    for place, entry in reversed(list(enumerate(ranking.best))):  # the best one drawn on top
        losses = _geometric(entry)
        named = place < _NAMED
        colour, dash = optimizer_style(entry.recipe.name) if named else (GRID, "-")
        axes.plot(
            entry.runs[0].steps, losses, dash, color=colour if named else "#c4c4c4",
            linewidth=1.7 if named else 0.9,
        )  # fmt: skip
        seen = losses[np.isfinite(losses)]
        if len(seen):
            lowest, highest = min(lowest, seen.min()), max(highest, seen[0])
        if named:
            ends.append((float(losses[-1]), entry.recipe.label, colour))
    target = ranking.task.target
    axes.set(yscale="log", xlim=(0, ranking.best[0].runs[0].steps[-1]))
    lowest = min(lowest, target) if target > 0 else lowest
    # A run that diverges would flatten all others; it leaves through the top.
    axes.set_ylim(0.7 * max(lowest, 1e-12), 1.6 * max(highest, 1e-11))
    axes.axhline(target, color=QUIET, linestyle=":", linewidth=1.2)
    axes.grid(axis="y")
    axes.set_title(f"{_spoken(ranking.task.name)}\n{_finding(ranking)}", loc="left", fontsize=9)
    return ends


def _geometric(entry: Entry) -> NDArray[np.float64]:
    losses = np.array([run.validation for run in entry.runs])
    return np.exp(np.log(np.maximum(losses, 1e-12)).mean(0))


def _finding(ranking: Ranking) -> str:
    """Return who is ahead, or who cannot be told apart."""
    best = ranking.best[0].recipe.label
    if len(ranking.best) == 1:
        return f"{best} alone"
    behind = sum(ranking.apart(0, other) for other in range(1, len(ranking.best)))
    if behind == len(ranking.best) - 1:
        return f"{best} ahead of all others"
    if behind == 0:
        return "none clearly ahead"
    return f"{best} lowest, ahead of {behind} of {len(ranking.best) - 1}"


def _rates(rankings: Sequence[Ranking], budget: Budget) -> Figure:
    """Draw how the loss depends on the learning rate: a panel per optimizer, a line per task."""
    labels = {one.recipe.name: one.recipe for one in rankings[0].best}
    lost = {name: np.array([_lost(one, name, budget) for one in rankings]) for name in labels}
    wide = {name: float((line.mean(0) < 0.5).mean()) for name, line in lost.items()}
    order = sorted(labels, key=lambda name: -wide[name])
    with styled():
        figure, panels = _multiples(len(labels))
        for place, axes in enumerate(panels):
            name = order[place]
            colour, _ = optimizer_style(name)
            for line in lost[name]:
                axes.plot(budget.rates, line, color="#c4c4c4", linewidth=0.8)
            axes.plot(budget.rates, lost[name].mean(0), color=colour, linewidth=2.2)
            default = labels[name].default_rate
            if default is not None and budget.rates[0] <= default <= budget.rates[-1]:
                axes.axvline(default, color=QUIET, linestyle=":", linewidth=1.2)
            axes.set(xscale="log", ylim=(-0.04, 1.04), yticks=(0, 0.5, 1))
            axes.set_yticklabels(("best", "half", "start"))
            axes.set_title(labels[name].label, loc="left", color=colour, fontweight="bold")
            axes.grid(axis="y")
        _label_outside(figure, panels, "learning rate", "")
        counts = [round(wide[name] * len(budget.rates)) for name in order]
        span = f"{counts[-1]} to {counts[0]}" if counts[0] > counts[-1] else f"{counts[0]}"
        figure.suptitle(
            f"{span} of {len(budget.rates)} rates get an optimizer, on average, more than half of "
            "the way",
            fontsize=12,
            fontweight="bold",
        )
        figure.supxlabel(
            "How much of the way from the start to the lowest loss is lost (log scale), constant "
            f"schedule.\nGrey: one task; coloured: mean of {len(rankings)}; "
            "dotted: the default rate.",
            fontsize=9, color=QUIET,
        )  # fmt: skip
    return figure


def _lost(ranking: Ranking, name: str, budget: Budget) -> NDArray[np.float64]:
    """Return, for each rate of the grid, the share of the way to the lowest loss that is lost."""
    schedule = budget.schedules[0]
    every = [
        math.log(max(late_loss(runs[0]), 1e-12))
        for entry in ranking.entries
        for _, runs in entry.tries
        if math.isfinite(late_loss(runs[0]))
    ]
    (entry,) = [
        one for one in ranking.entries if one.recipe.name == name and one.schedule == schedule
    ]
    start = math.log(max(entry.tries[0][1][0].validation[0], 1e-12))
    lowest = min([*every, start - 1e-9])
    found = []
    for _, runs in entry.tries[: len(budget.rates)]:
        loss = late_loss(runs[0])
        share = 1.0
        if math.isfinite(loss):
            share = (math.log(max(loss, 1e-12)) - lowest) / (start - lowest)
        found.append(min(share, 1.0))
    return np.array(found)


def _profile(profile: Profile) -> Figure:
    """Draw the share of tasks solved within τ times the quickest: a panel per optimizer."""
    order = sorted(
        profile.labels,
        key=lambda name: [-profile.share(name, within) for within in (1e300, 4, 2, 1)],
    )
    lines = {name: _staircase(profile, name) for name in order}
    with styled():
        figure, panels = _multiples(len(order))
        for place, axes in enumerate(panels):
            name = order[place]
            colour, _ = optimizer_style(name)
            for other in order:
                axes.step(*lines[other], where="post", color="#d4d4d4", linewidth=0.8)
            axes.step(*lines[name], where="post", color=colour, linewidth=2.2)
            axes.set(xscale="log", xlim=(1, _WIDEST_RATIO), ylim=(-0.04, 1.04))
            axes.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
            axes.minorticks_off()
            axes.set_yticks((0, 0.5, 1), ("none", "half", "all"))
            axes.set_title(profile.labels[name], loc="left", color=colour, fontweight="bold")
            axes.grid(axis="y")
        _label_outside(figure, panels, "τ", "tasks")
        counts = [round(profile.share(name, 1e300) * profile.tasks) for name in order]
        span = f"{counts[-1]} to {counts[0]}" if counts[0] > counts[-1] else f"{counts[0]}"
        figure.suptitle(
            f"An optimizer solves {span} of {profile.tasks} tasks within the budget; how soon, "
            "differs",
            fontsize=12,
            fontweight="bold",
        )
        figure.supxlabel(
            "Performance profile: share of tasks whose target is reached within τ times the rows "
            "of the quickest. Grey: the others.",
            fontsize=9, color=QUIET,
        )  # fmt: skip
    return figure


def _staircase(profile: Profile, name: str) -> tuple[list[float], list[float]]:
    at = sorted({1.0, *(one for one in profile.ratios[name] if one <= _WIDEST_RATIO)})
    at.append(_WIDEST_RATIO)
    return at, [profile.share(name, one) for one in at]


def _multiples(number: int) -> tuple[Figure, list[Any]]:
    """Return a figure of small panels that share their axes; those beyond the number are gone."""
    columns = min(4, number)
    rows = math.ceil(number / columns)
    figure = plot.new_figure(max(9.5, 2.5 * columns), 1.5 + 1.75 * rows)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in panels.flat[number:]:
        axes.remove()
    return figure, list(panels.flat[:number])


def _label_outside(figure: Figure, panels: Sequence[Any], across: str, up: str) -> None:
    columns = min(4, len(panels))
    for place, axes in enumerate(panels):
        if place + columns >= len(panels):
            axes.set_xlabel(across)
            axes.tick_params(labelbottom=True)
        if place % columns == 0 and up:
            axes.set_ylabel(up)
