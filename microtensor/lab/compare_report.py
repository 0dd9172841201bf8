"""What the runs of :func:`compare` say: ranks, tables and verdicts."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtensor.lab.optimizers import Recipe
from microtensor.lab.optional import require
from microtensor.lab.problems import Task
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.statistics import holm, mean_interval, paired_p
from microtensor.lab.trial import EDGE, Budget, Choice, Schedule, Trial

# Two optimizers are told apart when chance alone would set them so far apart less often.
LEVEL = 0.05
# Losses below this are all the same: nothing.
_FLOOR = 1e-12
# Within any finite number of times the least cost.
_SOLVED = 1e300


@dataclass(frozen=True, eq=False)
class Entry:
    """An optimizer on a task with one schedule.

    Attributes:
        task: what on.
        recipe: the optimizer.
        schedule: of its learning rate.
        choice: its tuned rate and other values.
        edges: what of these lies on the edge of its space.
        runs: of the choice, on fresh seeds.
        default: runs of the defaults on the same seeds; none without a default rate.
        tries: all choices that were tried in tuning, with their runs.
        tuning_loss: what the choice came to in tuning.
    """

    task: Task
    recipe: Recipe
    schedule: Schedule
    choice: Choice
    edges: tuple[str, ...]
    runs: Sequence[Trial]
    default: Sequence[Trial] = ()
    tries: Sequence[tuple[Choice, Sequence[Trial]]] = field(default=())
    tuning_loss: float = math.nan

    @functools.cached_property
    def logs(self) -> NDArray[np.float64]:
        """log10 of the final validation losses."""
        return log_losses(self.runs)

    @property
    def order(self) -> float:
        """The mean of these: what the ranking goes by."""
        return float(self.logs.mean())


def log_losses(runs: Sequence[Trial]) -> NDArray[np.float64]:
    """Return log10 of the final validation losses.

    A run that ended above its start, or diverged, counts as if it had stayed there: whoever uses
    it is no better off than without training, and by how much worse is a matter of chance.
    """
    ends = [min(run.validation[-1], run.validation[0]) for run in runs]
    return np.log10(np.maximum(ends, _FLOOR))


def comparison_result(
    entries: Sequence[Entry],
    budget: Budget,
    *,
    settings: Mapping[str, Any],
    seconds: Mapping[str, float],
    command: str,
    refused: str = "",
) -> Result:
    """Return the tables, verdicts and pictures of a comparison."""
    from microtensor.lab.compare_picture import pictures

    rankings = [Ranking(list(group)) for group in _by_task(entries)]
    verdicts = [edge_verdict(entries, command)]
    draws = draws_verdict(entries, command)
    verdicts += [] if draws is None else [draws]
    compared = [ranking for ranking in rankings if len(ranking.best) > 1]
    verdicts += [ahead_verdict(ranking, command) for ranking in compared]
    if len(compared) > 1:
        verdicts.append(dominance_verdict(compared, command))
    if any(entry.default for entry in entries):
        verdicts.append(default_verdict(rankings, command))
    profile = Profile(rankings, budget)
    return Result(
        "compare_optimizers",
        tables=[_table(rankings, budget, refused), profile.table()],
        verdicts=verdicts,
        pictures=pictures(rankings, profile, budget),
        settings=settings,
        seconds=seconds,
    )


def _by_task(entries: Sequence[Entry]) -> list[list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.task.name, []).append(entry)
    return list(found.values())


class Ranking:
    """The optimizers on one task, each with the schedule that was better in tuning.

    Attributes:
        task: the task.
        entries: all, with both schedules, in the order of the ranking.
        best: one for each optimizer, lowest mean log loss first.
        p_values: for each pair, Holm-corrected over all pairs.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.task = entries[0].task
        groups: dict[str, list[Entry]] = {}
        for entry in entries:
            groups.setdefault(entry.recipe.name, []).append(entry)
        # Chosen by what tuning saw; fresh seeds have no say in what is run on them.
        preferred = [min(group, key=lambda one: one.tuning_loss) for group in groups.values()]
        self.best = sorted(preferred, key=lambda one: one.order)
        self.entries = [one for best in self.best for one in groups[best.recipe.name]]
        pairs = list(itertools.combinations(range(len(self.best)), 2))
        raw = [paired_p(self.best[one].logs, self.best[two].logs) for one, two in pairs]
        self.p_values = dict(zip(pairs, holm(raw), strict=True))

    def apart(self, one: int, other: int) -> bool:
        """Tell whether two of ``best`` are told apart."""
        return self.p_values[min(one, other), max(one, other)] <= LEVEL

    @functools.cached_property
    def ranks(self) -> list[int]:
        """Ranks from 1. A new one starts only where all above are told from all below."""
        found = [1]
        for place in range(1, len(self.best)):
            split = all(
                self.apart(above, below)
                for above in range(place)
                for below in range(place, len(self.best))
            )
            found.append(place + 1 if split else found[-1])
        return found

    def ahead_of(self, place: int) -> list[str]:
        """Return who is lower and told apart from one of ``best``."""
        return [self.best[one].recipe.label for one in range(place) if self.apart(one, place)]

    @property
    def winner(self) -> str:
        """The name of who is ahead of all others; empty if nobody."""
        alone = all(self.apart(0, other) for other in range(1, len(self.best)))
        return self.best[0].recipe.name if alone else ""


def edge_verdict(entries: Sequence[Entry], command: str) -> Verdict:
    """Judge whether the grid of rates was wide enough: no tuned rate nearest to its end."""
    found = _at_ends(entries, rates=True)
    listed = "; ".join(found[:4]) + (f"; and {len(found) - 4} more" if len(found) > 4 else "")
    return Verdict(
        "every tuned learning rate lies inside the grid it was looked for in",
        len(found),
        0,
        detail=f"number of {len(entries)} choices with a rate at an end"
        + (f": {listed}; on a wider grid these might do better" if found else ""),
        command=command,
    )


def draws_verdict(entries: Sequence[Entry], command: str) -> Verdict | None:
    """Judge whether the other spaces were wide enough; None where nothing was drawn from any.

    Their values are draws, of which a known share falls at the ends. Where the best lie beyond, or
    at, an end, more of those that are chosen do.
    """
    drawn = sum(len(one.choice.drawn) for one in entries)
    if not drawn:
        return None
    found = _at_ends(entries, rates=False)
    listed = "; ".join(found[:4]) + (f"; and {len(found) - 4} more" if len(found) > 4 else "")
    special = require("scipy.special")
    chance = float(special.bdtrc(len(found) - 1, drawn, 2 * EDGE)) if found else 1.0
    return Verdict(
        "other tuned values lie at the ends of their spaces no more often than draws do",
        chance,
        LEVEL,
        ">=",
        detail=f"p of at least {len(found)} of {drawn} values in the outer {100 * EDGE:g} % at "
        f"either end by chance" + (f": {listed}" if found else ""),
        command=command,
    )


def _at_ends(entries: Sequence[Entry], *, rates: bool) -> list[str]:
    """Return the choices with a rate, or another value, on an edge, in words."""
    return [
        f"{one.recipe.label} on {one.task.name}, {one.schedule} ({edge})"
        for one in entries
        for edge in one.edges
        if edge.startswith("rate ") == rates
    ]


def ahead_verdict(ranking: Ranking, command: str) -> Verdict:
    """Judge whether the optimizer with the lowest validation loss is ahead of every other."""
    best = ranking.best
    others = range(1, len(best))
    equals = [best[other].recipe.label for other in others if not ranking.apart(0, other)]
    return Verdict(
        f"on {ranking.task.name} {best[0].recipe.label} has a lower validation loss than "
        "every other",
        max(ranking.p_values[0, other] for other in others),
        LEVEL,
        otherwise="unresolved",
        detail="largest p of paired t tests on log losses, Holm-corrected for all pairs"
        + (f"; not told apart from {', '.join(equals)}" if equals else ""),
        command=command,
    )


def dominance_verdict(rankings: Sequence[Ranking], command: str) -> Verdict:
    """Judge whether no optimizer is ahead of all others on every task."""
    won = [ranking.winner for ranking in rankings if ranking.winner]
    most = max((won.count(name) for name in won), default=0)
    names = [name for name in dict.fromkeys(won) if won.count(name) == most]
    return Verdict(
        "no optimizer is ahead of all others on every task",
        most,
        len(rankings) - 1,
        detail=f"most of {len(rankings)} tasks that one wins alone"
        + (f": {', '.join(names)}" if names else ""),
        command=command,
    )


def default_verdict(rankings: Sequence[Ranking], command: str) -> Verdict:
    """Judge whether tuned optimizers are nowhere worse than at their defaults."""
    pairs = [one for ranking in rankings for one in ranking.best if one.default]
    differences = [(one, one.logs - log_losses(one.default)) for one in pairs]
    p_values = holm([paired_p(change, np.zeros_like(change)) for _, change in differences])
    told = [
        (one, change.mean() < 0)
        for (one, change), p in zip(differences, p_values, strict=True)
        if p <= LEVEL
    ]
    worse = [f"{one.recipe.label} on {one.task.name}" for one, better in told if not better]
    return Verdict(
        "tuned, no optimizer does worse than at its defaults",
        len(worse),
        0,
        detail=f"number of {len(pairs)} pairs in which the defaults are told to be better"
        + (f": {', '.join(worse)}" if worse else "")
        + f"; tuning is told to be better in {len(told) - len(worse)}",
        command=command,
    )


class Profile:
    """The performance profile: how many tasks an optimizer solves, and how soon.

    A task counts as solved if at least half of the runs reach the target; its cost is the median
    of the rows differentiated until then, runs that miss it counting as infinite.

    Attributes:
        labels: of the optimizers, by name.
        ratios: for each optimizer, cost on each task over that of the quickest.
    """

    def __init__(self, rankings: Sequence[Ranking], budget: Budget) -> None:
        self.labels = {one.recipe.name: one.recipe.label for one in rankings[0].best}
        self.tasks = len(rankings)
        self.ratios: dict[str, list[float]] = {name: [] for name in self.labels}
        for ranking in rankings:
            costs = {
                one.recipe.name: _middle([run.rows_to_target for run in one.runs])
                for one in ranking.best
            }
            quickest = min(costs.values())
            for name, cost in costs.items():
                ratio = cost / quickest if quickest > 0 and math.isfinite(cost) else cost
                self.ratios[name].append(1.0 if cost == quickest == 0 else ratio)

    def share(self, name: str, within: float) -> float:
        """Return the share of tasks solved within so many times the least cost."""
        return sum(ratio <= within for ratio in self.ratios[name]) / self.tasks

    def table(self) -> Table:
        """Return the shares at a few places, most tasks solved first."""
        records: list[dict[str, Any]] = [
            {
                "optimizer": self.labels[name],
                "quickest": self.share(name, 1),
                "within_2": self.share(name, 2),
                "within_4": self.share(name, 4),
                "solved": self.share(name, _SOLVED),
            }
            for name in self.labels
        ]
        records.sort(key=lambda row: (-row["solved"], -row["within_4"], -row["within_2"]))
        tasks = f"of {self.tasks} task{'s' if self.tasks > 1 else ''}"

        def shown(key: str) -> Any:
            return lambda row: f"{round(row[key] * self.tasks)} {tasks}"

        return Table(
            "compare_profile",
            "Performance profile: tasks solved within so many times the rows of the quickest",
            records,
            [
                Column("optimizer", lambda row: row["optimizer"], right=False),
                Column("quickest", shown("quickest")),
                Column("within 2 ×", shown("within_2")),
                Column("within 4 ×", shown("within_4")),
                Column("solved", shown("solved")),
            ],
            caption="A task is solved when at least half of the runs reach its target, declared "
            "beforehand; the cost is the median of the rows differentiated until then.",
        )


def _middle(values: Sequence[float]) -> float:
    """Return the median of numbers some of which may be infinite: the upper one of two."""
    return sorted(values)[len(values) // 2]


def _table(rankings: Sequence[Ranking], budget: Budget, refused: str) -> Table:
    def loss(key: str) -> Any:
        def show(row: Mapping[str, Any]) -> str:
            mean, half = row[key], row[f"{key}_interval"]
            if row["diverged"]:
                return f"diverged in {row['diverged']} of {row['runs']}"
            return f"{mean:.3g}" + ("" if math.isnan(half) else f" ± {half:.2g}")

        return show

    def score(row: Mapping[str, Any]) -> str:
        if math.isnan(row["score"]):
            return ""
        if row["score_kind"] == "accuracy":
            return f"{100 * row['score']:.1f} %"
        return f"{row['score_kind']} {row['score']:.3f}"

    columns = [
        Column("task", lambda row: row["task"], right=False),
        Column("rank", lambda row: str(row["rank"] or "")),
        Column("told behind", lambda row: row["told_behind"]),
        Column("optimizer", lambda row: row["optimizer"], right=False),
        Column("schedule", lambda row: row["schedule"], right=False),
        Column("rate, others", lambda row: row["choice"] + (" *" if row["edges"] else ""), False),
        Column("training loss", loss("training_loss")),
        Column("validation loss", loss("validation_loss")),
        Column("at defaults", lambda row: _default(row)),
        Column("test", score),
        Column("steps to target", lambda row: row["steps_to_target"]),
        Column("reached", lambda row: f"{row['reached']} of {row['runs']}"),
    ]
    records = [_record(entry, ranking, budget) for ranking in rankings for entry in ranking.entries]
    targets = ", ".join(f"{one.task.name} {one.task.target:.3g}" for one in rankings)
    caption = (
        f"Mean ± 95 % t interval over {budget.runs} fresh seeds. Ranks by paired t tests on log "
        "losses, Holm-corrected: optimizers that are not told apart share one, as do those between "
        "them; told behind: of how many others. They stand at the schedule that was better in "
        "tuning. At defaults: validation loss, constant rate. "
        f"Targets, declared before any run: {targets}."
    )
    if any(record["edges"] for record in records):
        caption += " * a value on the edge of its space: a wider one might do better."
    if refused:
        caption += f" {refused}."
    title = f"Optimizers, tuned alike, after {budget.steps} steps: lowest validation loss first"
    return Table("compare_optimizers", title, records, columns, caption)


def _default(row: Mapping[str, Any]) -> str:
    if row["default_diverged"]:
        return "diverged"
    return "" if math.isnan(row["default_loss"]) else f"{row['default_loss']:.3g}"


def _record(entry: Entry, ranking: Ranking, budget: Budget) -> dict[str, Any]:
    runs = entry.runs
    training, training_half = mean_interval([run.training[-1] for run in runs])
    validation, validation_half = mean_interval([run.validation[-1] for run in runs])
    score, score_half = mean_interval([run.score for run in runs])
    default, default_half = (
        mean_interval([run.validation[-1] for run in entry.default])
        if entry.default
        else (math.nan, math.nan)
    )
    place = ranking.best.index(entry) if entry in ranking.best else None
    middle = _middle([run.reached for run in runs])
    return {
        "task": entry.task.name,
        "optimizer": entry.recipe.label,
        "schedule": entry.schedule,
        "rank": None if place is None else ranking.ranks[place],
        "told_behind": "" if place is None else str(len(ranking.ahead_of(place))),
        "those_ahead": "" if place is None else "; ".join(ranking.ahead_of(place)),
        "rate": entry.choice.rate,
        "choice": str(entry.choice),
        "edges": "; ".join(entry.edges),
        "training_loss": training,
        "training_loss_interval": training_half,
        "validation_loss": validation,
        "validation_loss_interval": validation_half,
        "default_loss": default,
        "default_loss_interval": default_half,
        "default_diverged": sum(run.diverged for run in entry.default),
        "score": score,
        "score_interval": score_half,
        "score_kind": entry.task.score,
        "target": entry.task.target,
        "steps_to_target": f"{middle:g}" if math.isfinite(middle) else f"> {budget.steps}",
        "reached": sum(math.isfinite(run.reached) for run in runs),
        "rows": int(np.mean([run.rows for run in runs])),
        "diverged": sum(run.diverged for run in runs),
        "runs": len(runs),
        "steps_of_each_run": "; ".join(
            f"{run.reached:g}" if math.isfinite(run.reached) else f"> {budget.steps}"
            for run in runs
        ),
    }
