"""The fourth and fifth cloud: a learning rate too small, and one too large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import microtensor as mt
from microtensor.lab.clouds.bowl import Floats, bowl, descent, distances, reached
from microtensor.lab.plot import new_figure
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.style import INK, optimizer_style, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# How far what is measured may be from the theory.
_CLOSE = 0.02
_LOW, _HIGH, _TURN = 1.0, 10.0, 30.0


def _gone(rates: Sequence[float], momentum: float, steps: int) -> Floats:
    """Return ‖x‖ after each step at each rate; the start has 1 along either axis of the bowl."""
    angle = math.radians(_TURN)
    start = np.array([math.cos(angle) - math.sin(angle), math.sin(angle) + math.cos(angle)])
    count = len(rates)
    settings = [{"lr": float(rate), "momentum": momentum} for rate in rates]
    return distances([bowl(_LOW, _HIGH, _TURN)] * count, [start] * count, descent, settings, steps)


def rate_too_small(
    rates: Sequence[float] = (0.1, 0.03, 0.01, 0.003, 0.001),
    *,
    near: float = 1e-4,
    momentum: float = 0.0,
    quick: bool = False,
    command: str = "",
) -> Result:
    """Count the steps to a minimum, beside ln(1/ε)/−ln(1 − ηλmin).

    Args:
        rates: learning rates η, each below 1/λmax = 0.1 or there.
        near: ε, the distance to the minimum that counts as arriving.
        momentum: of the optimizer; the theory is of none, and refuted by any.
        quick: whether to leave out rates below 0.003.
        command: what repeats it, for the verdict.

    Raises:
        ValueError: a rate that is not within (0, 1/λmax], or none.

    Example:
        >>> rate_too_small((0.1, 0.01)).verdict.status
        'holds'
    """
    if not rates or not all(0 < rate <= 1 / _HIGH for rate in rates):
        raise ValueError(
            f"rate_too_small: rates must be above 0 and at most {1 / _HIGH:g}, got {tuple(rates)}"
        )
    chosen = [rate for rate in rates if rate >= 0.003 or not quick] or [max(rates)]
    theory = [math.log(1 / near) / -math.log1p(-rate * _LOW) for rate in chosen]
    arrived = reached(_gone(chosen, momentum, math.ceil(1.1 * max(theory)) + 2), near)
    records = [
        {"rate": rate, "theory": expected, "steps": steps,
         # A step is whole: the first that is not before the time of theory.
         "error": abs(steps / math.ceil(expected - 1e-9) - 1)}
        for rate, expected, steps in zip(chosen, theory, arrived.tolist(), strict=True)
    ]  # fmt: skip
    worst = max(records, key=lambda record: record["error"])
    verdict = Verdict(
        "plain descent needs ln(1/ε)/−ln(1 − ηλmin) steps: a tenth of the rate, ten times as many",
        worst["error"],
        _CLOSE,
        detail=f"largest relative error over {len(records)} rates, at {worst['rate']:g}: "
        f"{worst['steps']:g} steps, theory {worst['theory']:.1f}; nothing is drawn, so there is "
        "no interval",
        command=command,
    )
    table = Table(
        "rate_too_small",
        f"Steps until ‖x‖ stays below {near:g}, λmin = {_LOW:g}",
        records,
        [
            Column("rate η", lambda row: f"{row['rate']:g}"),
            Column("theory", lambda row: f"{row['theory']:,.1f}"),
            Column("measured", lambda row: f"{row['steps']:,.0f}"),
            Column("error", lambda row: f"{100 * row['error']:.2f} %"),
        ],
    )
    return Result(
        "rate_too_small",
        tables=[table],
        verdicts=[verdict],
        pictures={"rate_too_small": lambda: _small_picture(records)},
        settings={"rates": chosen, "near": near, "momentum": momentum},
    )


def sharpness(hessian: Floats, rounds: int = 60) -> float:
    """Return λmax of ½ xᵀHx by power iteration, from Hessian-vector products of autograd.

    Example:
        >>> round(sharpness(bowl(1.0, 10.0, 30.0)), 9)
        10.0
    """
    matrix = mt.from_numpy(hessian)
    x = mt.ones(len(hessian), dtype=mt.float64, requires_grad=True)
    direction, size = mt.tensor(np.linspace(1, 2, len(hessian))), 0.0
    for _ in range(rounds):
        loss = 0.5 * (x * (matrix @ x)).sum()
        (slope,) = mt.autograd.grad(loss, [x], create_graph=True)
        assert slope is not None
        (turned,) = mt.autograd.grad((slope * direction).sum(), [x])
        assert turned is not None
        size = float(np.linalg.norm(turned.numpy()))
        direction = turned.detach() / size
    return size


def rate_too_large(*, momentum: float = 0.0, quick: bool = False, command: str = "") -> Result:
    """Find the learning rate from which descent no longer arrives, beside 2/λmax.

    λmax comes from power iteration with Hessian-vector products, the threshold from descents at
    rates half a per cent apart.

    Args:
        momentum: of the optimizer; the theory is of none.
        quick: whether 1,000 steps at each rate will do instead of 4,000.
        command: what repeats it, for the verdict.

    Example:
        >>> rate_too_large(quick=True).verdict.status
        'holds'
    """
    highest = sharpness(bowl(_LOW, _HIGH, _TURN))
    shares = np.round(np.arange(0.4, 1.3001, 0.005), 3)
    gone = _gone((shares * 2 / highest).tolist(), momentum, 1000 if quick else 4000)
    # Infinite or NaN is farther than the start, too.
    farther = ~(gone[-1] <= gone[0])
    threshold = float(shares[farther.argmax()]) if farther.any() else math.inf
    records = [
        {"share": float(share), "rate": float(share * 2 / highest), "growth": _growth(gone[:, run]),
         "regime": _regime(float(share))}
        for run, share in enumerate(shares)
    ]  # fmt: skip
    verdict = Verdict(
        "plain descent fails from the rate 2/λmax on, and not before",
        abs(threshold - 1),
        _CLOSE,
        detail=f"first of {len(shares)} rates at which ‖x‖ ends above its start: {threshold:g} of "
        f"2/λmax = {2 / highest:.4g} (between that and half a per cent less); λmax = "
        f"{highest:.6g} by power iteration",
        command=command,
    )
    shown = [one for one in records if one["share"] in (0.4, 0.5, 0.7, 0.9, 0.995, 1.005, 1.1, 1.3)]
    table = Table(
        "rate_too_large",
        "What becomes of descent as the rate grows",
        shown,
        [
            Column("rate · λmax/2", lambda row: f"{row['share']:g}"),
            Column("rate", lambda row: f"{row['rate']:.4g}"),
            Column("‖x‖ per step ×", lambda row: f"{row['growth']:.4f}"),
            Column("", lambda row: row["regime"], right=False),
        ],
        saved=records,
    )
    return Result(
        "rate_too_large",
        tables=[table],
        verdicts=[verdict],
        pictures={"rate_too_large": lambda: _large_picture(records, highest)},
        settings={"momentum": momentum, "quick": quick},
    )


def _growth(gone: Floats) -> float:
    """Return the factor of ‖x‖ per step, over the first 50 steps."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return float((gone[50] / gone[0]) ** (1 / 50))


def _regime(share: float) -> str:
    if share <= 0.5:
        return "straight down: below 1/λmax"
    return "back and forth, nearer each time" if share < 1 else "back and forth without end"


def _small_picture(records: Sequence[dict[str, Any]]) -> Figure:
    with styled():
        figure = new_figure(7.0, 4.0)
        axes = figure.subplots()
        rates = [one["rate"] for one in records]
        colour, _ = optimizer_style("sgd")
        axes.plot(rates, [one["theory"] for one in records], color=colour)
        axes.plot(rates, [one["steps"] for one in records], "o", color=colour, fillstyle="none")
        axes.set(xscale="log", yscale="log", xlabel="learning rate η", ylabel="steps to arrive")
        axes.grid(True)
        axes.set_title(
            "A tenth of the rate takes ten times the steps\n"
            "line: ln(1/ε)/−ln(1 − ηλmin); circles: measured",
            loc="left",
        )
    return figure


def _large_picture(records: Sequence[dict[str, Any]], highest: float) -> Figure:
    with styled():
        figure = new_figure(7.0, 4.0)
        axes = figure.subplots()
        colour, _ = optimizer_style("sgd")
        axes.plot(
            [one["rate"] for one in records], [one["growth"] for one in records], color=colour
        )
        axes.axhline(1, color=INK, linewidth=0.8)
        top = max(one["growth"] for one in records)
        for rate, name in ((1 / highest, "1/λmax"), (2 / highest, "2/λmax")):
            axes.axvline(rate, color=INK, linewidth=0.8, linestyle=":")
            axes.annotate(name, (rate, top), xytext=(-4, 0), textcoords="offset points",
                          ha="right", va="top")  # fmt: skip
        axes.set(xlabel="learning rate η", ylabel="factor of ‖x‖ per step")
        axes.grid(True)
        axes.set_title("Beyond 2/λmax every step leads farther away", loc="left")
    return figure
