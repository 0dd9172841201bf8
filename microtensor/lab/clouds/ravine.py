"""The sixth cloud: a ravine, flat along the way and steep across it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab.clouds.bowl import Floats, bowl, descent, distances
from microtensor.lab.plot import label_line_ends, new_figure
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.style import optimizer_style, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# How far a measured rate may be from the theory.
_CLOSE = 0.05
_TURNS = (0.0, 30.0)


def best_settings(condition: float) -> dict[str, tuple[dict[str, float], float]]:
    """Return the best settings in a bowl of eigenvalues 1 and κ, and the rate ρ they reach.

    Plain descent: η = 2/(λ₁ + λₙ), ρ = (κ − 1)/(κ + 1). Heavy ball: α = (2/(√λ₁ + √λₙ))²,
    β = ρ², ρ = (√κ − 1)/(√κ + 1) (Polyak 1964).

    Example:
        >>> best_settings(9.0)["momentum"]
        ({'lr': 0.25, 'momentum': 0.25}, 0.5)
    """
    root = math.sqrt(condition)
    plain, ball = (condition - 1) / (condition + 1), (root - 1) / (root + 1)
    return {
        "sgd": ({"lr": 2 / (1 + condition), "momentum": 0.0}, plain),
        "momentum": ({"lr": (2 / (1 + root)) ** 2, "momentum": ball**2}, ball),
    }


def ravine(
    conditions: Sequence[float] = (1.0, 10.0, 100.0, 1e3, 1e4),
    *,
    rate: float = 1.0,
    quick: bool = False,
    command: str = "",
) -> Result:
    """Measure how fast plain and heavy-ball descent go down ravines, as written and rotated.

    −ln ρ is measured as the slope of ln‖x‖ over the last half of 40/(1 − ρ) steps, in float64, in
    ½ xᵀHx with its minimum at 0 and eigenvalues 1 and κ.

    Args:
        conditions: κ of each ravine.
        rate: by which the best learning rates are multiplied; beside 1 the theory of the best
            rate is refuted, as it should be.
        quick: whether to leave out conditions above 1,000, which take 200,000 steps.
        command: what repeats it, for the verdicts.

    Raises:
        ValueError: a condition below 1, or none.

    Example:
        >>> ravine((10.0,)).verdict.status
        'holds'
    """
    if not conditions or min(conditions) < 1:
        raise ValueError(f"ravine: conditions must be at least 1, got {tuple(conditions)}")
    chosen = [one for one in conditions if one <= 1e3 or not quick] or [min(conditions)]
    records: list[dict[str, Any]] = []
    for condition in chosen:
        for name, (settings, theory) in best_settings(condition).items():
            changed = {**settings, "lr": settings["lr"] * rate}
            steps = math.ceil(40 / (1 - theory))
            gone = _runs(condition, changed, steps)
            records += [
                _record(condition, name, turn, theory, gone[:, run])
                for run, turn in enumerate(_TURNS)
            ]
    verdicts = [_verdict(records, name, command) for name in ("sgd", "momentum")]
    return Result(
        "ravine",
        tables=[_table(records)],
        verdicts=verdicts,
        pictures={"ravine": lambda: _picture(records)},
        settings={"conditions": list(chosen), "rate": rate, "turns": list(_TURNS)},
    )


def _runs(condition: float, settings: dict[str, float], steps: int) -> Floats:
    bowls, starts = [], []
    for turn in _TURNS:
        bowls.append(bowl(1.0, condition, turn))
        angle = math.radians(turn)
        # One step along the ravine, one across it.
        starts.append(
            np.array([math.cos(angle) - math.sin(angle), math.sin(angle) + math.cos(angle)])
        )
    return distances(bowls, starts, descent, [settings] * len(_TURNS), steps)


def _record(
    condition: float, name: str, turn: float, theory: float, gone: Floats
) -> dict[str, Any]:
    steps = len(gone) - 1
    half = np.arange(steps // 2, steps + 1)
    expected = -math.log(theory) if theory else math.inf
    if not np.isfinite(gone).all():
        measured, error = -math.inf, math.inf
    elif theory == 0:  # one step, and rounding, lead to the minimum
        arrived = gone[1] <= 1e-12 * gone[0]
        measured, error = (math.inf, 0.0) if arrived else (0.0, math.inf)
    else:
        with np.errstate(divide="ignore"):
            logarithms = np.log(gone[half])
        if np.isfinite(logarithms).all():
            measured = -float(np.polyfit(half, logarithms, 1)[0])
        else:
            measured = math.inf
        error = abs(measured / expected - 1)
    return {
        "condition": condition,
        "optimizer": name,
        "turn": turn,
        "steps": steps,
        "theory": expected,
        "measured": measured,
        "error": error,
    }


_LABELS = {"sgd": "gradient descent", "momentum": "heavy ball"}


def _verdict(records: Sequence[dict[str, Any]], name: str, command: str) -> Verdict:
    mine = [record for record in records if record["optimizer"] == name]
    worst = max(mine, key=lambda record: record["error"])
    root = "√κ" if name == "momentum" else "κ"
    return Verdict(
        f"{_LABELS[name]} at its best goes down a ravine at the rate ({root} − 1)/({root} + 1), "
        "as written and rotated",
        worst["error"],
        _CLOSE,
        detail=f"largest relative error of −ln ρ in {len(mine)} ravines, at κ = "
        f"{worst['condition']:g} turned by {worst['turn']:g}°: measured {worst['measured']:.4g}, "
        f"theory {worst['theory']:.4g}; no numbers are drawn, so there is no interval",
        command=command,
    )


def _table(records: Sequence[dict[str, Any]]) -> Table:
    return Table(
        "ravine",
        "Rates in ravines, measured beside theory",
        records,
        [
            Column("κ", lambda row: f"{row['condition']:g}"),
            Column("optimizer", lambda row: _LABELS[row["optimizer"]], right=False),
            Column("turned", lambda row: f"{row['turn']:g}°"),
            Column("steps", lambda row: f"{row['steps']:,}"),
            Column("−ln ρ, theory", lambda row: f"{row['theory']:.4g}"),
            Column("measured", lambda row: f"{row['measured']:.4g}"),
            Column("error", lambda row: f"{100 * row['error']:.2f} %"),
        ],
        "−ln ρ: what ln‖x‖ loses in a step. At κ = 1 the first step arrives.",
    )


def _picture(records: Sequence[dict[str, Any]]) -> Figure:
    with styled():
        figure = new_figure(7.5, 4.2)
        axes = figure.subplots()
        ends = []
        for name, label in _LABELS.items():
            colour, _ = optimizer_style(name)
            mine = [one for one in records if one["optimizer"] == name and one["condition"] > 1]
            if not mine:
                continue
            straight = [one for one in mine if one["turn"] == 0]
            axes.plot(
                [one["condition"] for one in straight],
                [1 / one["theory"] for one in straight],
                color=colour,
            )
            for turn, marker in zip(_TURNS, ("o", "x"), strict=True):
                shown = [
                    one for one in mine
                    if one["turn"] == turn and 0 < one["measured"] < math.inf
                ]  # fmt: skip
                axes.plot(
                    [one["condition"] for one in shown],
                    [1 / one["measured"] for one in shown],
                    marker,
                    color=colour,
                    markersize=9 if marker == "o" else 6,
                    markerfacecolor="none",
                )
            ends.append((1 / straight[-1]["theory"], label, colour))
        axes.set(xscale="log", yscale="log", xlabel="condition κ")
        axes.set_ylabel("steps to come e times nearer")
        axes.grid(True)
        axes.set_title(
            "Plain descent pays for κ, the heavy ball for √κ\n"
            "lines: theory; ○ as written, × rotated by 30°",
            loc="left",
        )
        label_line_ends(axes, ends)
    return figure
