"""Figures from the literature on optimizers, ours beside theirs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import microtensor as mt
from microtensor.lab import plot
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.style import INK, optimizer_style, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BOOK = "Dive into Deep Learning, ch. 12"
_REDDI = "Reddi, Kale, Kumar 2018"
_THEORY = "theory of quadratics (Polyak 1964)"

# The book's function, 0.1·x₁² + 2·x₂², and where it starts.
CURVATURES = np.array([0.2, 4.0])
START = (-5.0, -2.0)


@dataclass(frozen=True)
class PublishedFigure:
    """A published number, or several, and what gives ours.

    Attributes:
        name: a word for tests.
        what: in words, with the settings.
        source: who published it.
        theirs: the numbers.
        within: how far ours may be off: what the printed digits leave open, or as stated.
        ours: computes them.
        relative: whether ``within`` is a share of theirs.
        how: what ``within`` stands for, if it is not the printed digits.
    """

    name: str
    what: str
    source: str
    theirs: tuple[float, ...]
    within: float
    ours: Callable[[], tuple[float, ...]]
    relative: bool = False
    how: str = "the printed digits"

    def off(self, ours: Sequence[float]) -> float:
        """Return by how much ours differ, in units of what is allowed."""
        differences = [
            abs(mine - theirs) / (abs(theirs) if self.relative else 1.0) / self.within
            for mine, theirs in zip(ours, self.theirs, strict=True)
        ]
        return math.inf if any(map(math.isnan, differences)) else max(differences)


def _leaf(values: Sequence[float]) -> mt.Tensor:
    return mt.tensor(values, dtype=mt.float64, requires_grad=True)


def valley(x: mt.Tensor) -> mt.Tensor:
    """Return 0.1·x₁² + 2·x₂²."""
    return 0.1 * x[0] ** 2 + 2 * x[1] ** 2


def descent(name: str, steps: int = 20, **options: Any) -> list[tuple[float, ...]]:
    """Return the path of an optimizer down the valley, the start included."""
    x = _leaf(START)
    optimizer = getattr(mt.optim, name)([x], **options)
    path = [tuple(x.tolist())]
    for _ in range(steps):
        optimizer.zero_grad()
        valley(x).backward()
        optimizer.step()
        path.append(tuple(x.tolist()))
    return path


def shrinkage(curvatures: Sequence[float], first: int, last: int, **options: Any) -> float:
    """Return the factor by which SGD's distance to a quadratic's optimum shrinks in a step.

    Taken between two late steps, from a start of ones.
    """
    curved = np.asarray(curvatures, np.float64)
    x = _leaf([1.0] * len(curved))
    optimizer = mt.optim.SGD([x], **options)
    distances = []
    for _ in range(last):
        x.grad = mt.tensor(curved * x.detach().numpy())
        optimizer.step()
        distances.append(float(np.linalg.norm(x.detach().numpy())))
    return float((distances[-1] / distances[first]) ** (1 / (last - 1 - first)))


def reddi(amsgrad: bool, steps: int = 200_000, beta: float = 0.99, rate: float = 0.5) -> float:
    """Return where Adam or AMSGrad ends on slopes of 1010, then a hundred times −10, in [−1, 1].

    Each period of 101 slopes sums to 10, so the optimum is −1.
    """
    x = _leaf([0.0])
    optimizer = mt.optim.Adam([x], betas=(0.9, beta), amsgrad=amsgrad)
    memory, group = x.detach().numpy(), optimizer.param_groups[0]
    slopes = mt.tensor(np.array([1010.0])), mt.tensor(np.array([-10.0]))
    for step in range(1, steps + 1):
        group["lr"] = rate / step**0.5
        x.grad = slopes[0] if step % 101 == 1 else slopes[1]
        optimizer.step()
        memory[0] = min(1.0, max(-1.0, memory[0]))
    return x.item()


def _first_step() -> tuple[float, ...]:
    # From 1e-3 to 1e8, and both signs.
    x = _leaf([0.0] * 5)
    x.grad = mt.tensor(np.array([1e-3, -1e-3, 5.0, -700.0, 1e8]))
    mt.optim.Adam([x], lr=0.25).step()
    return tuple(x.tolist())


def _threshold() -> tuple[float, ...]:
    """Return the learning rate beyond which gradient descent leaves the valley, by bisection."""
    low, high = 0.1, 1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        path = descent("SGD", 60, lr=middle)
        low, high = (middle, high) if abs(path[-1][1]) < abs(START[1]) else (low, middle)
    return ((low + high) / 2,)


_SPREAD = tuple(np.linspace(1, 100, 5).tolist())
_ROOT = math.sqrt(100.0)
_HEAVY = ((_ROOT - 1) / (_ROOT + 1)) ** 2

FIGURES: tuple[PublishedFigure, ...] = (
    PublishedFigure(
        "gradient descent", "gradient descent, η 0.4, 20 steps", _BOOK,
        (-0.943467, -0.000073), 6e-7, lambda: descent("SGD", lr=0.4)[-1],
    ),
    PublishedFigure(
        "momentum", "momentum, η 0.6, β 0.5, 20 steps", _BOOK,
        (0.007188, 0.002553), 6e-7, lambda: descent("SGD", lr=0.6, momentum=0.5)[-1],
    ),
    PublishedFigure(
        "Adagrad", "Adagrad, η 0.4, ε 1e-6 inside the root, 20 steps", _BOOK,
        (-2.382563, -0.158591), 6e-7,
        lambda: descent("Adagrad", lr=0.4, eps=1e-6, eps_inside_root=True)[-1],
    ),
    PublishedFigure(
        "threshold", "largest stable η of gradient descent, 2/λmax", _THEORY,
        (0.5,), 1e-5, _threshold, how="1e-5, the bisection's",
    ),
    PublishedFigure(
        "plain rate", "gradient descent at its best, κ 100: (κ − 1)/(κ + 1)", _THEORY,
        (99 / 101,), 1e-9, lambda: (shrinkage(_SPREAD, 100, 300, lr=2 / 101),), True,
        "one part in 10⁹",
    ),
    PublishedFigure(
        "heavy ball rate", "heavy ball at its best, κ 100: (√κ − 1)/(√κ + 1)", _THEORY,
        (9 / 11,), 0.02,
        lambda: (shrinkage(_SPREAD, 100, 150, lr=(2 / (1 + _ROOT)) ** 2, momentum=_HEAVY),), True,
        "2 %: two roots are equal, so it is neared from above as k goes on",
    ),
    PublishedFigure(
        "first step", "Adam's first step, η 0.25: η·sign g, up to ε", "Kingma, Ba 2015",
        (-0.25, 0.25, -0.25, 0.25, -0.25), 1.1e-5, _first_step, True,
        "ε over the smallest slope, 1e-3",
    ),
    PublishedFigure(
        "Adam to the wrong end", "Adam, β₂ 0.99, 0.5/√t, 200,000 steps; the optimum is −1", _REDDI,
        (0.994,), 0.01, lambda: (reddi(False),), how="0.01",
    ),
    PublishedFigure(
        "AMSGrad to the right one", "AMSGrad, the same", _REDDI,
        (-1.0,), 0.01, lambda: (reddi(True),), how="0.01",
    ),
)  # fmt: skip


def published(figures: Sequence[PublishedFigure] = FIGURES, *, command: str = "") -> Result:
    """Compute figures that were published of optimizers, and put ours beside theirs.

    Args:
        figures: which.
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result with a table of theirs and ours, a verdict for each source, and a picture of the
        paths down the valley of the book.

    Example:
        >>> from microtensor import lab
        >>> from microtensor.lab.published import FIGURES
        >>> lab.published(FIGURES[:3]).verdict.status
        'holds'
    """
    command = command or 'python -c "from microtensor import lab; print(lab.published())"'
    records = []
    for figure in figures:
        ours = figure.ours()
        records.append({
            "figure": figure.what, "source": figure.source,
            "theirs": "; ".join(f"{one:.6f}" for one in figure.theirs),
            "ours": "; ".join(f"{one:.6f}" for one in ours),
            "within": figure.how, "off": figure.off(ours),
        })  # fmt: skip
    columns = [
        Column("figure", lambda row: row["figure"], right=False),
        Column("source", lambda row: row["source"], right=False),
        Column("theirs", lambda row: row["theirs"]),
        Column("ours", lambda row: row["ours"]),
        Column("off", lambda row: f"{row['off']:.2g}"),
        Column("one is", lambda row: row["within"], right=False),
    ]
    table = Table(
        "published",
        "Published figures, ours beside theirs",
        records,
        columns,
        caption="The book's function is 0.1·x₁² + 2·x₂² from (−5, −2). Off: how far ours are from "
        "theirs, in units of the last column; above 1 they disagree.",
    )
    return Result(
        "published",
        tables=[table],
        verdicts=[_verdict(source, records, command) for source in dict.fromkeys(
            one.source for one in figures
        )],
        pictures={"published": _picture},
        settings={"figures": [one.name for one in figures], "dtype": "float64"},
    )  # fmt: skip


def _verdict(source: str, records: Sequence[dict[str, Any]], command: str) -> Verdict:
    mine = [row for row in records if row["source"] == source]
    worst = max(mine, key=lambda row: row["off"])
    return Verdict(
        f"ours are the figures of {source}",
        worst["off"],
        1.0,
        detail=f"largest difference of {len(mine)}, in units of what is allowed: "
        f"{worst['figure']}, {worst['within']}",
        command=command,
    )


def _picture() -> Figure:
    """Draw the paths of the book down its valley."""
    paths = (
        ("sgd", "Gradient descent, η 0.4", descent("SGD", lr=0.4)),
        ("momentum", "Momentum, η 0.6, β 0.5", descent("SGD", lr=0.6, momentum=0.5)),
        ("adagrad", "Adagrad, η 0.4",
         descent("Adagrad", lr=0.4, eps=1e-6, eps_inside_root=True)),
    )  # fmt: skip
    across, up = np.meshgrid(np.linspace(-5.8, 1.6, 200), np.linspace(-2.6, 3.3, 200))
    height = 0.1 * across**2 + 2 * up**2
    with styled():
        figure = plot.new_figure(10.5, 3.6)
        panels = figure.subplots(1, len(paths), sharex=True, sharey=True)
        for axes, (name, label, path) in zip(panels, paths, strict=True):
            colour, _ = optimizer_style(name)
            axes.contour(
                across, up, height, levels=[0.05, 0.2, 0.6, 1.5, 3, 5, 8, 13, 20],
                colors="#d0d0d0", linewidths=0.8,
            )  # fmt: skip
            axes.plot(*np.transpose(path), "o-", color=colour, markersize=3.5, linewidth=1.3)
            axes.plot(0, 0, "+", color=INK, markersize=9)
            end = path[-1]
            axes.set_title(f"{label}\nends at ({end[0]:.6f}, {end[1]:.6f})", loc="left", fontsize=9)
            axes.set_xlabel("x₁")
        panels[0].set_ylabel("x₂")
        agree = all(one.off(one.ours()) <= 1 for one in FIGURES if one.source == _BOOK)
        figure.suptitle(
            f"Twenty steps down the book's valley, {'to' if agree else 'not'} where the book says",
            fontsize=12,
            fontweight="bold",
        )
    return figure
