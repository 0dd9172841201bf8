"""What the runs of :func:`compare` say: the table, the verdicts and the picture."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtensor.lab import plot
from microtensor.lab.optimizers import Recipe
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.statistics import holm, mean_interval, paired_p
from microtensor.lab.style import OPTIMIZERS, QUIET, styled
from microtensor.lab.trial import Budget, Task, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Two optimizers are told apart when chance alone would set them so far apart less often.
_LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Entry:
    """An optimizer on a task: its tuned rate, whether that is on the grid's edge, and its runs."""

    task: Task
    recipe: Recipe
    rate: float
    edge: bool
    runs: Sequence[Trial]

    @property
    def losses(self) -> list[float]:
        """The final validation losses."""
        return [run.validation[-1] for run in self.runs]

    @property
    def loss(self) -> float:
        """Their mean, infinite if a run diverged."""
        return float(np.mean(self.losses))


def comparison_result(
    entries: Sequence[Entry],
    budget: Budget,
    *,
    settings: Mapping[str, Any],
    seconds: Mapping[str, float],
    command: str,
) -> Result:
    """Return the table, verdicts and picture of a comparison."""
    tasks = list(dict.fromkeys(entry.task for entry in entries))
    by_task = [
        sorted((one for one in entries if one.task is task), key=lambda one: one.loss)
        for task in tasks
    ]
    verdicts = [grid_verdict(entries, budget, command)]
    verdicts += [ahead_verdict(ranked, command) for ranked in by_task if len(ranked) > 1]
    return Result(
        "compare_optimizers",
        tables=[_table(by_task, budget)],
        verdicts=verdicts,
        pictures={"compare_optimizers": functools.partial(_picture, by_task)},
        settings=settings,
        seconds=seconds,
    )


def grid_verdict(entries: Sequence[Entry], budget: Budget, command: str) -> Verdict:
    """Judge whether the grid was wide enough: no best rate at one of its ends."""
    edges = [
        f"{one.recipe.label} on {one.task.data.name} ({one.rate:g})" for one in entries if one.edge
    ]
    return Verdict(
        f"every tuned learning rate lies inside the grid, {budget.rates[0]:g} to "
        f"{budget.rates[-1]:g}",
        len(edges),
        0,
        detail=f"number of {len(entries)} rates on an end of the grid"
        + (f": {', '.join(edges)}; with a wider grid these might do better" if edges else ""),
        command=command,
    )


def told_apart(ranked: Sequence[Entry]) -> dict[str, float]:
    """Return, for each optimizer but the first, how likely chance alone sets the first apart.

    The p values of paired t tests on the final validation losses, corrected after Holm for all
    pairs: which one comes first was not settled beforehand.
    """
    pairs = list(itertools.combinations(ranked, 2))
    corrected = holm([paired_p(one.losses, other.losses) for one, other in pairs])
    return {
        other.recipe.label: p
        for (one, other), p in zip(pairs, corrected, strict=True)
        if one is ranked[0]
    }


def ahead_verdict(ranked: Sequence[Entry], command: str) -> Verdict:
    """Judge whether the optimizer with the lowest validation loss is ahead of every other."""
    best, name = ranked[0], ranked[0].task.data.name
    p_values = told_apart(ranked)
    equals = [label for label, p in p_values.items() if not p <= _LEVEL]
    return Verdict(
        f"on {name} {best.recipe.label} has a lower validation loss than every other",
        max(p_values.values()),
        _LEVEL,
        otherwise="unresolved",
        detail="largest p of paired t tests, Holm-corrected for all pairs"
        + (f"; not told apart from {', '.join(equals)}" if equals else ""),
        command=command,
    )


def _table(by_task: Sequence[Sequence[Entry]], budget: Budget) -> Table:
    def shown(key: str, scale: float = 1, form: str = ".4f", unit: str = "") -> Any:
        def show(row: Mapping[str, Any]) -> str:
            mean, half = row[key], row[f"{key}_interval"]
            if row["diverged"]:
                return f"diverged in {row['diverged']} of {row['runs']}"
            interval = "" if math.isnan(half) else f" ± {scale * half:{form}}"
            return f"{scale * mean:{form}}{interval}{unit}"

        return show

    columns = [
        Column("data", lambda row: row["data"], right=False),
        Column("optimizer", lambda row: row["optimizer"], right=False),
        Column("rate", lambda row: f"{row['rate']:g}{' *' if row['on_edge'] else '  '}"),
        Column("training loss", shown("training_loss")),
        Column("validation loss", shown("validation_loss")),
        Column("test accuracy", shown("test_accuracy", 100, ".1f", " %")),
        Column("target", lambda row: f"{row['target']:.3g}"),
        Column("steps to it", lambda row: row["steps_to_target"]),
        Column("reached", lambda row: f"{row['reached']} of {row['runs']}"),
    ]
    records = [_record(entry, budget) for ranked in by_task for entry in ranked]
    edge = (
        " * at the end of the grid: a wider one might do better."
        if any(record["on_edge"] for record in records)
        else ""
    )
    return Table(
        "compare_optimizers",
        f"Optimizers at their tuned rates after {budget.steps} steps, lowest validation loss first",
        records,
        columns,
        caption=f"Mean ± 95 % t interval over {budget.runs} fresh seeds; median steps until the "
        f"validation loss is within the target.{edge}",
    )


def _record(entry: Entry, budget: Budget) -> dict[str, Any]:
    training, training_half = mean_interval([run.training[-1] for run in entry.runs])
    validation, validation_half = mean_interval(entry.losses)
    accuracy, accuracy_half = mean_interval([run.accuracy for run in entry.runs])
    reached = [run.reached for run in entry.runs]
    middle = float(np.median(np.minimum(reached, 2.0 * budget.steps)))
    return {
        "data": entry.task.data.name,
        "optimizer": entry.recipe.label,
        "rate": entry.rate,
        "on_edge": entry.edge,
        "training_loss": training,
        "training_loss_interval": training_half,
        "validation_loss": validation,
        "validation_loss_interval": validation_half,
        "test_accuracy": accuracy,
        "test_accuracy_interval": accuracy_half,
        "target": entry.task.target,
        "steps_to_target": f"{middle:g}" if middle <= budget.steps else f"> {budget.steps}",
        "reached": sum(math.isfinite(step) for step in reached),
        "diverged": sum(not math.isfinite(loss) for loss in entry.losses),
        "runs": len(entry.runs),
        "steps_of_each_run": "; ".join(
            f"{step:g}" if math.isfinite(step) else f"> {budget.steps}" for step in reached
        ),
    }


def _picture(by_task: Sequence[Sequence[Entry]]) -> Figure:
    """Draw mean losses against steps: a column per task, training above, validation below."""
    with styled():
        figure = plot.new_figure(max(6.8, 3.9 * len(by_task)), 5.8)
        panels = figure.subplots(2, len(by_task), squeeze=False, sharex="col")
        late = []
        for column, ranked in enumerate(by_task):
            for row, part in enumerate(("training", "validation")):
                axes = panels[row][column]
                late.append((axes, _curves(axes, ranked, part)))
                if column == 0:
                    axes.set_ylabel(f"{part} loss")
            panels[0][column].set_title(_finding(ranked), loc="left")
            panels[1][column].set_xlabel("steps")
            target = ranked[0].task.target
            panels[1][column].axhline(target, color=QUIET, linestyle=":", linewidth=1.2)
            panels[1][column].annotate(
                "target",
                (0.99, target),
                ha="right",
                xycoords=("axes fraction", "data"),
                xytext=(0, 3),
                textcoords="offset points",
                color=QUIET,
                fontsize=8,
            )
        figure.suptitle(
            f"Mean loss of {len(by_task[0][0].runs)} runs, "
            "each optimizer at its tuned learning rate",
            fontsize=12,
            fontweight="bold",
        )
        for axes, ends in late:
            plot.label_line_ends(axes, ends, size=8.5)
    return figure


def _curves(axes: Axes, ranked: Sequence[Entry], part: str) -> list[tuple[float, str, str]]:
    """Draw one part's mean losses; return the labels of the line ends."""
    ends, lowest, highest = [], math.inf, 0.0
    for index, entry in enumerate(reversed(ranked)):  # the best one drawn last, on top
        colour, dash = OPTIMIZERS.get(entry.recipe.name, (f"C{index}", "-"))
        losses: NDArray[np.float64] = np.array([getattr(run, part) for run in entry.runs]).mean(0)
        axes.plot(entry.runs[0].steps, losses, dash, color=colour, linewidth=1.5)
        seen = losses[np.isfinite(losses)]
        lowest, highest = min(lowest, seen.min()), max(highest, seen[0])
        ends.append((float(losses[-1]), entry.recipe.label, colour))
    axes.set(yscale="log", xlim=(0, ranked[0].runs[0].steps[-1]))
    # A run that diverges would flatten all others; it leaves through the top.
    axes.set_ylim(0.8 * lowest, 1.6 * highest)
    axes.grid(axis="y")
    return ends


def _finding(ranked: Sequence[Entry]) -> str:
    """Return a panel's title: who is ahead, or who cannot be told apart."""
    name, best = ranked[0].task.data.name.replace("_", " "), ranked[0].recipe.label
    if len(ranked) == 1:
        return f"{name}\n{best} alone"
    behind = sum(p <= _LEVEL for p in told_apart(ranked).values())
    if behind == len(ranked) - 1:
        return f"{name}\n{best} ahead of all others"
    if behind == 0:
        return f"{name}\nnone clearly ahead"
    return f"{name}\n{best} lowest, clearly ahead of {behind} of {len(ranked) - 1}"
