"""The seventh cloud: parameters that are updated rarely, under one learning rate for all."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
import microtensor.nn.functional as F
from microtensor.lab.clouds.batches import through
from microtensor.lab.clouds.speed import ratio
from microtensor.lab.optimizers import Recipe, recipes
from microtensor.lab.parallel import run_all
from microtensor.lab.plot import label_line_ends, new_figure
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.style import optimizer_style, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

FREQUENCIES = (1 / 2, 1 / 5, 1 / 10, 1 / 20, 1 / 50, 1 / 100, 1 / 200, 1 / 500, 1 / 1000)
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam")
RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_ROWS, _COLUMNS, _BATCH = 4000, 4, 32
# Of the squared weights; light enough that the rarest column is not simply held at zero.
_PENALTY = 1e-4
_TWICE = 2.0
_CURES = {
    "adagrad": "Adagrad",
    "adam": "Adam",
    "sgd_standardised": "SGD on standardised columns",
}


@dataclass(frozen=True, eq=False)
class Indicators:
    """Rows of zeros and ones, labels, and where the penalised logistic loss is least.

    Attributes:
        x: (rows, columns), zeros and ones.
        y: (rows,), zeros and ones.
        frequencies: the share of rows in which each column is 1.
        optimum: the weights and, last, the intercept.
        least: the loss there.
    """

    x: Floats
    y: Floats
    frequencies: Floats
    optimum: Floats
    least: float


def rare_parameters(
    frequencies: Sequence[float] = FREQUENCIES,
    optimizers: Sequence[str | Recipe] = OPTIMIZERS,
    *,
    epochs: int = 8,
    runs: int = 5,
    quick: bool = False,
    seed: int = 0,
    jobs: int | None = None,
    command: str = "",
) -> Result:
    """Measure how far weights of rare columns are from where they should be, by how rare they are.

    Logistic regression with mini-batches of 32 on indicator columns: the derivative by a weight
    vanishes in every row whose indicator is 0. Measured is |wⱼ − wⱼ*| over the mean |wⱼ*| of the
    columns of the same frequency; w* is found by Newton's method, to a slope of 1e-12. The loss is
    the mean cross-entropy plus ½ · 1e-4 · ‖w‖², without the intercept. Every optimizer's rate is
    chosen from one grid, by the loss on all rows at the end of two runs; then it runs on fresh
    seeds, all with the same rows in the same order. The competing cure is standardisation: plain
    SGD on columns with mean 0 and deviation 1, minimising the same loss, its weights carried back.

    Args:
        frequencies: shares of rows in which an indicator is 1, the most frequent first; four
            columns each. Those of a tenth or more count as frequent, the last third as rare.
        optimizers: names, as :data:`microtensor.lab.OPTIMIZERS` has them, or one's own as a
            :class:`microtensor.lab.Recipe`; ``"sgd"`` among them.
        epochs: passes over the 4,000 rows.
        runs: on fresh seeds, at least 2.
        quick: whether 3 passes and 3 runs will do.
        seed: decides everything that is drawn.
        jobs: processes; by default one per core.
        command: what repeats it, for the verdicts.

    Returns:
        A result with a picture, a table by optimizer and frequency, and verdicts: SGD's rare
        weights are farther behind than its frequent ones; each cure (Adagrad and Adam, if they
        run, and standardisation) brings the rare ones nearer than SGD does.

    Raises:
        ValueError: frequencies that do not fall, or lie outside (0, 1); an unknown optimizer, or
            SGD missing.

    Example:
        >>> rare_parameters((0.5, 0.1, 0.01), ("sgd", "adagrad"), quick=True, jobs=1).verdict.status
        'holds'
    """
    given = tuple(float(one) for one in frequencies)
    if len(given) < 2 or list(given) != sorted(set(given), reverse=True):
        raise ValueError(f"rare_parameters: frequencies must fall, at least two, got {given}")
    if not 0 < given[-1] <= given[0] < 1 or given[-1] * _ROWS < 1:
        raise ValueError(
            f"rare_parameters: frequencies must be below 1 and at least 1/{_ROWS}, got {given}"
        )
    chosen = recipes(optimizers)
    if "sgd" not in [one.name for one in chosen] or runs < 2 or epochs < 1:
        raise ValueError(
            "rare_parameters: sgd must be among the optimizers, with at least 2 runs and 1 epoch, "
            f"got {[one.name for one in chosen]}, {runs} and {epochs}"
        )
    if quick:
        epochs, runs = min(epochs, 3), min(runs, 3)
    data = indicators(given, seed)
    racers = [*((recipe, False) for recipe in chosen), (recipes("sgd")[0], True)]
    rates = _tuned(data, racers, epochs, seed, jobs)
    made = run_all(
        _train,
        [
            (data, recipe, rate, scaled, epochs, seed_for(seed, "run", run))
            for (recipe, scaled), rate in zip(racers, rates, strict=True)
            for run in range(runs)
        ],
        jobs=jobs,
    )
    errors = {
        name_of(recipe, scaled): np.stack(
            [_relative(data, given, weights) for weights, _ in made[place * runs :][:runs]]
        )
        for place, (recipe, scaled) in enumerate(racers)
    }
    labels = {
        name_of(recipe, scaled): f"{recipe.label}{', standardised' if scaled else ''}, η {rate:g}"
        for (recipe, scaled), rate in zip(racers, rates, strict=True)
    }
    over = {
        name_of(recipe, scaled): math.fsum(loss for _, loss in made[place * runs :][:runs]) / runs
        - data.least
        for place, (recipe, scaled) in enumerate(racers)
    }
    records = [
        {
            "optimizer": name, "label": labels[name], "rate": rate,
            "edge": rate in (RATES[0], RATES[-1]), "over": over[name],
            "errors": dict(zip(given, found.mean(0).tolist(), strict=True)),
        }
        for (name, found), rate in zip(errors.items(), rates, strict=True)
    ]  # fmt: skip
    return Result(
        "rare_parameters",
        tables=[_table(records, given)],
        verdicts=_verdicts(errors, given, command),
        pictures={"rare_parameters": functools.partial(_picture, records, given)},
        settings={
            "frequencies": list(given), "optimizers": [one.name for one in chosen],
            "epochs": epochs, "runs": runs, "rates": list(RATES), "rows": _ROWS,
            "columns": _COLUMNS, "batch": _BATCH, "penalty": _PENALTY, "seed": seed,
        },
    )  # fmt: skip


def name_of(recipe: Recipe, scaled: bool) -> str:
    """Return what files call an optimizer, on columns as they are or standardised."""
    return f"{recipe.name}_standardised" if scaled else recipe.name


def indicators(frequencies: Sequence[float], seed: int) -> Indicators:
    """Draw indicator columns, four of each frequency, and labels that depend on all alike.

    Every column is 1 in exactly its share of the rows, rounded, so that none is empty.
    """
    draw = np.random.default_rng(seed_for(seed, "indicators"))
    each = np.repeat(np.asarray(frequencies, np.float64), _COLUMNS)
    x = np.zeros((_ROWS, len(each)))
    for column, share in enumerate(each):
        x[draw.permutation(_ROWS)[: round(share * _ROWS)], column] = 1
    weights = np.where(np.arange(len(each)) % 2 == 0, 1.5, -1.5)
    y = (draw.random(_ROWS) < 1 / (1 + np.exp(-(x @ weights)))).astype(np.float64)
    optimum, least = newton(x, y)
    return Indicators(x, y, x.mean(0), optimum, least)


def newton(x: Floats, y: Floats, penalty: float = _PENALTY) -> tuple[Floats, float]:
    """Return the weights with, last, the intercept, that minimise the loss, and the least loss.

    The loss is the mean cross-entropy plus ½ · penalty · ‖w‖²; the intercept goes free. It is
    strictly convex, and Newton's steps end when no slope is above 1e-12.

    Raises:
        ArithmeticError: they do not end, as where the labels are all the same.
    """
    wide = np.column_stack([x, np.ones(len(x))])
    ridge = penalty * np.append(np.ones(x.shape[1]), 0.0)
    at = np.zeros(wide.shape[1])
    for _ in range(60):
        chance = 1 / (1 + np.exp(-(wide @ at)))
        slope = wide.T @ (chance - y) / len(x) + ridge * at
        if np.abs(slope).max() < 1e-12:
            return at, penalised_loss(x, y, at, penalty)
        curvature = (wide.T * (chance * (1 - chance))) @ wide / len(x) + np.diag(ridge)
        at = at - np.linalg.solve(curvature, slope)
    raise ArithmeticError(f"Newton's method ends at a slope of {np.abs(slope).max():.3g}")


def penalised_loss(x: Floats, y: Floats, weights: Floats, penalty: float = _PENALTY) -> float:
    """Return the mean cross-entropy of weights with, last, the intercept, plus the penalty."""
    logits = x @ weights[:-1] + weights[-1]
    entropy = np.mean(np.logaddexp(0, logits) - y * logits)
    return float(entropy + 0.5 * penalty * (weights[:-1] ** 2).sum())


def _train(
    data: Indicators, recipe: Recipe, rate: float, scaled: bool, epochs: int, run: int
) -> tuple[Floats, float]:
    """Return the weights with, last, the intercept, after some passes, and the loss there."""
    deviation = data.x.std(0) if scaled else np.ones(data.x.shape[1])
    middle = data.x.mean(0) if scaled else np.zeros(data.x.shape[1])
    x, y = (data.x - middle) / deviation, data.y[:, None]
    weights = mt.zeros(1, x.shape[1], dtype=mt.float64).requires_grad_()
    intercept = mt.zeros(1, dtype=mt.float64).requires_grad_()
    # The penalty is on the weights of the columns as they are: so the optimum stays the same.
    shrink = mt.tensor(math.sqrt(_PENALTY) / deviation)
    optimizer = recipe.make([weights, intercept], rate)

    def step(rows: mt.Tensor, wanted: mt.Tensor) -> mt.Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(F.linear(rows, weights, intercept), wanted)
        shrunk = shrink * weights
        loss = loss + 0.5 * (shrunk @ shrunk.T).reshape(())
        loss.backward()
        optimizer.step()
        return loss

    draw = np.random.default_rng(seed_for(run, "batches"))
    go = through(step)
    with np.errstate(all="ignore"):  # a run that diverges is a result
        for _ in range(epochs):
            order = draw.permutation(len(x))
            go((x[order], y[order]), _BATCH)
        back = weights.detach().numpy()[0] / deviation
        free = intercept.item() - float(middle @ back)
        found = np.append(back, free)
        loss = penalised_loss(data.x, data.y, found)
    return found, loss if math.isfinite(loss) else math.inf


def _tuned(
    data: Indicators,
    racers: Sequence[tuple[Recipe, bool]],
    epochs: int,
    seed: int,
    jobs: int | None,
) -> list[float]:
    """Return for each the rate with the lowest loss at the end, over two runs of its own."""
    seeds = [seed_for(seed, "tuning", number) for number in range(2)]
    made = run_all(
        _train,
        [
            (data, recipe, rate, scaled, epochs, run)
            for recipe, scaled in racers
            for rate in RATES
            for run in seeds
        ],
        jobs=jobs,
    )
    losses = np.array([loss for _, loss in made]).reshape(len(racers), len(RATES), 2).sum(2)
    return [RATES[place] for place in losses.argmin(1).tolist()]


def _relative(data: Indicators, frequencies: Sequence[float], weights: Floats) -> Floats:
    """Return Σ|wⱼ − wⱼ*| / Σ|wⱼ*| over the columns of each frequency."""
    away = np.abs(weights - data.optimum)[:-1].reshape(len(frequencies), _COLUMNS).sum(1)
    size = np.abs(data.optimum)[:-1].reshape(len(frequencies), _COLUMNS).sum(1)
    return np.where(np.isfinite(away), away, math.inf) / size


def _verdicts(
    errors: dict[str, Floats], frequencies: Sequence[float], command: str
) -> list[Verdict]:
    few = math.ceil(len(frequencies) / 3)
    rare, frequent = frequencies[-few:], frequencies[:few]
    behind = {name: found[:, -few:].mean(1).tolist() for name, found in errors.items()}
    apart, interval = ratio(behind["sgd"], errors["sgd"][:, :few].mean(1).tolist())
    count = f"geometric mean of {len(behind['sgd'])} paired runs with its 95 % interval"
    span = f"present in {_share(rare[0])} of the rows and less"
    made = [
        Verdict(
            "under one rate for all, SGD leaves rare weights at least twice as far behind",
            apart, _TWICE, ">=", interval=interval,
            detail=f"relative error of the weights of columns {span}, over that of those present "
            f"in {_share(frequent[-1])} and more; {count}",
            command=command,
        )
    ]  # fmt: skip
    for name, cure in _CURES.items():
        if name not in behind:
            continue
        better, interval = ratio(behind["sgd"], behind[name])
        made.append(
            Verdict(
                f"{cure} brings rare weights nearer than SGD on the columns as they are",
                better, 1.0, ">=", interval=interval,
                detail=f"SGD's relative error over that of {cure}, columns {span}; {count}",
                command=command,
            )
        )  # fmt: skip
    return made


def _share(frequency: float) -> str:
    return f"1/{1 / frequency:.4g}"


def _table(records: Sequence[dict[str, Any]], frequencies: Sequence[float]) -> Table:
    def column(frequency: float) -> Column:
        return Column(_share(frequency), lambda row: f"{100 * row['errors'][frequency]:.3g} %")

    saved = [
        {"optimizer": row["optimizer"], "rate": row["rate"], "frequency": frequency,
         "relative_error": error}
        for row in records
        for frequency, error in row["errors"].items()
    ]  # fmt: skip
    edge = any(row["edge"] for row in records)
    return Table(
        "rare_parameters",
        "|w − w*| / |w*| by the share of rows in which a column is 1",
        records,
        [
            Column("optimizer", lambda row: row["label"] + (" *" if row["edge"] else ""),
                   right=False),
            *(column(frequency) for frequency in frequencies),
            Column("loss above the least", lambda row: f"{row['over']:.2g}"),
        ],
        "Means over runs on fresh seeds. w*: the penalised optimum, by Newton's method."
        + (" * on the edge of the rates that were tried." if edge else ""),
        saved=saved,
    )  # fmt: skip


def _picture(records: Sequence[dict[str, Any]], frequencies: Sequence[float]) -> Figure:
    with styled():
        figure = new_figure(8.4, 4.6)
        axes = figure.subplots()
        ends = []
        for row in records:
            plain = row["optimizer"].removesuffix("_standardised")
            colour, line = optimizer_style(plain)
            scaled = plain != row["optimizer"]
            errors = [100 * row["errors"][frequency] for frequency in frequencies]
            axes.plot(frequencies, errors, "--" if scaled else line, color=colour,
                      marker="s" if scaled else "o", markersize=4,
                      markerfacecolor="none" if scaled else colour)  # fmt: skip
            ends.append((errors[-1], row["label"], colour))
        axes.set(xscale="log", yscale="log", xlabel="share of rows in which the column is 1")
        axes.set_ylabel("|w − w*| / |w*|, %")
        axes.invert_xaxis()
        axes.set_xticks(frequencies, [_share(one) for one in frequencies])
        low, high = axes.get_ylim()
        marks = [mark for mark in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low < mark < high]
        axes.set_yticks(marks, [f"{mark:g}" for mark in marks])
        axes.minorticks_off()
        axes.grid(True)
        sgd = next(row for row in records if row["optimizer"] == "sgd")
        best = min(records, key=lambda row: row["errors"][frequencies[-1]])
        last = frequencies[-1]
        axes.set_title(
            f"Weights seen in {_share(last)} of the rows: SGD misses them by "
            f"{100 * sgd['errors'][last]:.0f} %,\n"
            f"{best['label'].split(', η')[0]} by {100 * best['errors'][last]:.0f} %",
            loc="left",
        )
        label_line_ends(axes, ends)
    return figure
