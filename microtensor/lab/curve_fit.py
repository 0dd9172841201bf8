"""Fitting a curve of one variable: what each activation makes of it, at each width."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor.lab import plot
from microtensor.lab.catalogue import chosen, known
from microtensor.lab.parallel import run_all
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.style import ACTIVATIONS, FUNCTION, QUIET, styled
from microtensor.lab.train import cosine, replayed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_RATES = (0.003, 0.01, 0.03, 0.1)
_ROWS, _SHOWN = 65, 257
# The share of the curve's variance that a fit may leave.
FOLLOWS = 0.05
STRAIGHT = 1e-9

CURVES: dict[str, Callable[[Floats], Floats]] = {
    "wave": lambda x: np.sin(3 * x) + 0.4 * np.cos(9 * x),
    "corner": lambda x: np.abs(x - 0.2) - 0.5,
    "step": lambda x: np.sign(np.sin(4 * x)) * 1.0,
}
_USUAL = ("identity", "relu", "leaky_relu", "tanh", "sigmoid", "elu", "gelu", "silu")


def curve_fit(
    curve: str | Callable[[Floats], Floats] = "wave",
    activations: Sequence[str] = _USUAL,
    widths: Sequence[int] = (2, 8, 32),
    *,
    steps: int = 1000,
    seed: int = 0,
    jobs: int | None = None,
    command: str = "",
) -> Result:
    """Fit a curve with one hidden layer, for every activation and width.

    ReLU builds it of straight pieces, tanh of soft steps, and a network without activation is a
    straight line however wide. Each fit is the best of four learning rates of Adam, by its error.

    Args:
        curve: a name of ``CURVES`` (wave, corner, step), or your own function of an array of x
            in [-1, 1].
        activations: names, see :func:`activation_names`.
        widths: units of the hidden layer.
        steps: of Adam, on 65 points at once, for each rate.
        seed: of the initial weights, which are the same for all activations.
        jobs: processes; by default one per core.
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result with the fits as small multiples, a table of errors, and verdicts: with an
        activation the widest network follows the curve; without one the fit is a straight line.

    Raises:
        ValueError: an unknown name (the legal ones are listed), no width, or a curve that is not
            finite, or not one number for each x.

    Example:
        >>> from microtensor import lab
        >>> result = lab.curve_fit("corner", ["identity", "relu"], (4,), steps=50, jobs=1)
        >>> [row["activation"] for row in result.table.records]
        ['Identity', 'ReLU']
    """
    started = time.perf_counter()
    found = chosen(activations)
    if not widths or any(not isinstance(width, int) or width < 1 for width in widths):
        raise ValueError(f"curve_fit: widths must be whole numbers of at least 1, got {widths}")
    if steps < 1:
        raise ValueError(f"curve_fit: steps must be at least 1, got {steps}")
    name, function = _curve(curve)
    x = np.linspace(-1, 1, _ROWS)
    y = _values(name, function, x)
    work = [(one.name, width, x, y, steps, seed) for one in found for width in widths]
    fits = run_all(_fit, work, jobs=jobs)
    names = [one.name for one in found]
    command = command or (
        f'python -c "from microtensor import lab; print(lab.curve_fit({name!r}, {names}, '
        f'{tuple(widths)}, steps={steps}, seed={seed}))"'
    )
    records = [
        {"name": one[0], "activation": known()[one[0]].label, "width": one[1], **fit}
        for one, fit in zip(work, fits, strict=True)
    ]
    deviation = float(y.std()) or 1.0
    verdicts = []
    if any(name != "identity" for name in names):
        verdicts.append(follows_verdict(records, deviation, max(widths), command))
    if "identity" in names:
        verdicts.append(straight_verdict(records, command))
    shown = [
        {key: row[key] for key in ("name", "activation", "width", "rate", "error", "straight")}
        for row in records
    ]
    table = Table(
        "curve_fit",
        f"Fits of the curve {name!r} with one hidden layer",
        shown,
        [
            Column("activation", lambda row: row["activation"], right=False),
            Column("width", lambda row: str(row["width"])),
            Column("rate η", lambda row: f"{row['rate']:g}"),
            Column("error", lambda row: f"{row['error'] / deviation:.3f}"),
            Column("straight", lambda row: f"{100 * row['straight']:.0f} %"),
        ],
        caption="Error: root mean square, relative to the curve's own deviation. Straight: share "
        "of the fitted curve without curvature; ReLU's is straight but for its kinks.",
    )
    picture = functools.partial(_picture, records, names, list(widths), x, y, deviation)
    return Result(
        "curve_fit",
        tables=[table],
        verdicts=verdicts,
        pictures={"curve_fit": picture},
        settings={
            "curve": name, "activations": names, "widths": list(widths), "steps": steps,
            "rates": _RATES, "optimizer": "Adam, all points in each step", "seed": seed,
        },
        seconds={"curve_fit": time.perf_counter() - started},
    )  # fmt: skip


def follows_verdict(
    records: Sequence[Mapping[str, Any]], deviation: float, width: int, command: str = ""
) -> Verdict:
    """Judge by the worst activation whether the widest network follows the curve."""
    judged = [row for row in records if row["width"] == width and row["name"] != "identity"]
    worst = max(judged, key=lambda row: (math.isnan(row["error"]), row["error"]))
    return Verdict(
        f"with any of these activations {width} units follow the curve",
        (worst["error"] / deviation) ** 2,
        FOLLOWS,
        detail=f"share of the curve's variance that is left, the largest of {len(judged)}, "
        f"{worst['activation']}'s",
        command=command,
    )


def straight_verdict(records: Sequence[Mapping[str, Any]], command: str = "") -> Verdict:
    """Judge whether fits without an activation are straight lines."""
    judged = [row for row in records if row["name"] == "identity"]
    worst = max(_curvature(row["fit"]) for row in judged)
    return Verdict(
        "without an activation the fit is a straight line, however many units",
        worst,
        STRAIGHT,
        detail="largest departure from the chord, relative to the fit's size, widths "
        + ", ".join(str(row["width"]) for row in judged),
        command=command,
    )


def _curvature(fit: Floats) -> float:
    chord = np.linspace(fit[0], fit[-1], len(fit))
    return float(np.abs(fit - chord).max()) / max(float(np.abs(fit).max()), 1e-12)


def _curve(curve: Any) -> tuple[str, Callable[[Floats], Floats]]:
    if isinstance(curve, str):
        if curve not in CURVES:
            raise ValueError(f"curve_fit: unknown curve {curve!r}; known are: {', '.join(CURVES)}")
        return curve, CURVES[curve]
    if not callable(curve):
        raise TypeError(
            f"curve_fit: curve must be a name or a function of x, got {type(curve).__name__}"
        )
    return getattr(curve, "__name__", "curve").strip("<>"), curve


def _values(name: str, function: Callable[[Floats], Floats], x: Floats) -> Floats:
    y = np.asarray(function(x), np.float64)
    if y.shape != x.shape:
        raise ValueError(
            f"curve_fit: {name} must give one number for each x, {x.shape}, got {y.shape}"
        )
    if not np.isfinite(y).all():
        raise ValueError(f"curve_fit: {name} is not finite at {int((~np.isfinite(y)).sum())} x")
    return y


def _fit(name: str, width: int, x: Floats, y: Floats, steps: int, seed: int) -> dict[str, Any]:
    """Return the fit with the smallest error; the four rates train side by side in one tensor."""
    draw = np.random.default_rng(seed_for(seed, "curve fit", width))
    # Kinks and steps are spread over the interval, so that every unit has something to do.
    slopes = draw.choice([-1.0, 1.0], (1, width)) * draw.uniform(2.0, 8.0, (1, width))
    start = [
        slopes,
        -slopes * draw.uniform(-1, 1, (1, width)),
        draw.standard_normal((width, 1)) / math.sqrt(width),
        np.zeros((1, 1)),
    ]
    groups = [
        {"params": [mt.tensor(one, requires_grad=True) for one in start], "lr": rate}
        for rate in _RATES
    ]
    optimizer = mt.optim.Adam(groups, lr=_RATES[0])
    activation = known()[name].make().double().eval()
    inputs, wanted = mt.tensor(x[:, None]), mt.tensor(y[:, None])

    def output(at: mt.Tensor) -> mt.Tensor:
        w, b, v, c = (mt.stack(list(same)) for same in zip(*_parameters(groups), strict=True))
        result: mt.Tensor = activation(at @ w + b) @ v + c
        return result

    def one_step() -> mt.Tensor:
        optimizer.zero_grad()
        loss = ((output(inputs) - wanted) ** 2).mean((1, 2)).sum()
        loss.backward()
        optimizer.step()
        return loss

    step_once = replayed(one_step)
    for step in range(steps):
        for group, rate in zip(optimizer.param_groups, _RATES, strict=True):
            group["lr"] = rate * cosine(step, steps)
        step_once()
    shown = np.linspace(-1, 1, _SHOWN)
    with mt.no_grad():
        errors = ((output(inputs) - wanted) ** 2).mean((1, 2)).sqrt().numpy()
        curves = output(mt.tensor(shown[:, None])).numpy()[..., 0]
    errors = np.where(np.isfinite(errors), errors, math.inf)
    best = int(errors.argmin())
    fit = curves[best]
    bend = np.abs(np.diff(fit, 2)) / max(float(np.ptp(fit)), 1e-12)
    return {
        "rate": _RATES[best],
        "error": float(errors[best]),
        "fit": fit,
        "straight": float((bend < 1e-9).mean()),
    }


def _parameters(groups: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [group["params"] for group in groups]


def _picture(
    records: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    widths: Sequence[int],
    x: Floats,
    y: Floats,
    deviation: float,
) -> Figure:
    shown = np.linspace(-1, 1, _SHOWN)
    with styled():
        figure = plot.new_figure(2.1 * len(widths) + 0.6, 1.35 * len(names) + 0.7)
        grid = figure.subplots(len(names), len(widths), squeeze=False, sharex=True, sharey=True)
        for row, name in enumerate(names):
            for column, width in enumerate(widths):
                axes = grid[row][column]
                (record,) = [one for one in records if (one["name"], one["width"]) == (name, width)]
                axes.plot(x, y, ".", color="#b5b5b5", markersize=3)
                colour = ACTIVATIONS.get(name, FUNCTION)
                axes.plot(shown, record["fit"], color=colour, linewidth=1.9)
                axes.set(xticks=[], yticks=[], ylim=(y.min() - 0.6, y.max() + 0.6))
                axes.annotate(f"error {record['error'] / deviation:.2f}", (0.03, 0.06),
                              xycoords="axes fraction", fontsize=8, color=QUIET)  # fmt: skip
                if row == 0:
                    axes.set_title(f"{width} unit{'s' if width > 1 else ''}", loc="left")
                if column == 0:
                    axes.set_ylabel(record["activation"], color=colour, fontweight="bold",
                                    fontsize=9)  # fmt: skip
                for spine in axes.spines.values():
                    spine.set_visible(False)
        figure.suptitle("Every activation fits in its own manner; none, only a line"
                        if "identity" in names else "Every activation fits in its own manner",
                        fontsize=11.5, fontweight="bold", x=0.01, ha="left")  # fmt: skip
    return figure
