"""A sheet with the data on it, carried through a network: z¹, a¹, z², a², …"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor import nn
from microtensor.lab import plot
from microtensor.lab.optional import require
from microtensor.lab.regions import _points
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.style import CLASSES, INK, QUIET, on_dark, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

# What the best affine map of the plane leaves of a stage: of a flat sheet nothing but rounding.
FLAT = 1e-12
FOLDED = 1e-3
_LINES, _POINTS = 15, 29
_MOST_ROWS = 160
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_QUIET_LAYERS = (nn.Identity, nn.Dropout, nn.Flatten)
_COLUMNS = 3


@dataclass(frozen=True, eq=False)
class Stage:
    """Where the sheet is after a layer.

    Attributes:
        name: z¹, a¹, …; x for the input.
        layer: what computes it.
        width: numbers per row.
        lines: the grid, (lines, points, 2), shifted and scaled to fit a square of side 2.
        rows: the data, (rows, 2), likewise.
        bent: what the best affine map of the plane leaves of the grid, as a share of its variance.
        shown: how many numbers became two.
        separable: share of the rows that a straight line puts on the right side, if any.
    """

    name: str
    layer: str
    width: int
    lines: Floats
    rows: Floats
    bent: float
    shown: str
    separable: float

    @property
    def label(self) -> str:
        """Name and layer."""
        return f"{self.name}: {self.layer}"


class Unfolding(Result):
    """The outcome of :func:`unfold`.

    Attributes:
        stages: the input, and what each layer makes of it.
    """

    stages: tuple[Stage, ...]


def unfold(model: nn.Module, data: Any, *, command: str = "") -> Unfolding:
    """Carry a grid and the data through a network, layer by layer.

    Without activations the sheet is sheared, stretched and turned, and stays a parallelogram to
    the end; an activation folds it. Stages of two numbers are shown as they are; of more, by the
    two principal components of the data there, turned to lie as the stage before does.

    Args:
        model: a Sequential of Linear layers and activations that takes two inputs.
        data: rows of two numbers, or (x, y) with a class for each row, or a :class:`Dataset`.
        command: what the verdict names as the command that repeats it.

    Returns:
        A result with the stages side by side, animated in the report and as GIF, a table of them,
        and a verdict: of a network with activations that the sheet is folded, of one without that
        it is flat. ``result.stages`` are the stages.

    Raises:
        TypeError: not a Sequential.
        ValueError: a network that does not take two inputs; NaN in the data.

    Example:
        >>> from microtensor import lab, nn
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        >>> result = lab.unfold(model, [[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]])
        >>> [stage.name for stage in result.stages], result.verdict.status
        (['x', 'z¹', 'z²'], 'holds')
    """
    points, labels = _points(data)
    if points is None or labels is None:
        raise ValueError("unfold: data must be rows of two numbers, got None")
    layers = list(_layers(model, ""))
    first = next((layer for _, layer in layers if isinstance(layer, nn.Linear)), None)
    if first is None or first.in_features != 2:
        takes = "has no Linear layer" if first is None else f"takes {first.in_features} inputs"
        raise ValueError(f"unfold: the network must take 2 inputs; it {takes}")
    stages = list(_carried(copy.deepcopy(layers), points, labels))
    bends = any(not isinstance(layer, (nn.Linear, *_QUIET_LAYERS)) for _, layer in layers)
    verdict = sheet_verdict(stages, bends, command)
    title = _title(stages, bends)
    result = Unfolding(
        "unfold",
        tables=[_stage_table(stages)],
        verdicts=[verdict],
        pictures={"unfold": functools.partial(_picture, stages, labels, title)},
        settings={"layers": [type(layer).__name__ for _, layer in layers]},
        moving={"unfold": _moving_sheet(stages, labels, title)},
        animations={"unfold": functools.partial(_write_gif, stages, labels, title)},
    )
    result.stages = tuple(stages)
    return result


def _stage_table(stages: Sequence[Stage]) -> Table:
    return Table(
        "unfold",
        "The sheet, stage by stage",
        [
            {
                "stage": one.name,
                "layer": one.layer,
                "width": one.width,
                "shown": one.shown,
                "bent": one.bent,
                "separable": one.separable,
            }
            for one in stages
        ],
        [
            Column("stage", lambda row: row["stage"], right=False),
            Column("layer", lambda row: row["layer"], right=False),
            Column("numbers", lambda row: str(row["width"])),
            Column("shown", lambda row: row["shown"], right=False),
            Column("bent", lambda row: f"{row['bent']:.1e}"),
            Column(
                "a line separates",
                lambda row: (
                    "" if math.isnan(row["separable"]) else f"{100 * row['separable']:.1f} %"
                ),
            ),
        ],
        caption="Bent: what the best affine map of the plane leaves of the grid's variance. "
        "A line separates: rows on the right side of logistic regression's line at this stage.",
    )


def _moving_sheet(stages: Sequence[Stage], labels: Any, title: str) -> dict[str, Any]:
    """What the report's page needs to move the sheet."""
    rows = slice(None, _MOST_ROWS)
    return {
        "kind": "sheet",
        "title": title,
        "classes": labels[rows].tolist(),
        "colours": [colour for colour, _ in CLASSES],
        "dark": [on_dark(colour) for colour, _ in CLASSES],
        "stages": [
            {
                "label": one.label,
                "lines": np.round(one.lines, 3).tolist(),
                "points": np.round(one.rows[rows], 3).tolist(),
            }
            for one in stages
        ],
    }


def sheet_verdict(stages: Sequence[Stage], bends: bool, command: str = "") -> Verdict:
    """Judge a folding sheet by its most bent stage, a flat one likewise."""
    worst = max(stages[1:], key=lambda stage: stage.bent)
    detail = (
        "what the best affine map of the plane leaves of the grid's variance at the most bent "
        f"stage, {worst.name}"
    )
    if bends:
        return Verdict(
            "with activations the sheet is folded: it is no affine image of the plane",
            worst.bent, FOLDED, ">=", detail=detail, command=command,
        )  # fmt: skip
    return Verdict(
        "without activations the sheet stays flat: every stage is an affine image of the plane",
        worst.bent, FLAT, detail=detail, command=command,
    )  # fmt: skip


def _layers(model: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    if not isinstance(model, nn.Sequential):
        if not path:
            raise TypeError(f"unfold: model must be a Sequential, got {type(model).__name__}")
        yield path, model
        return
    for name, child in model._modules.items():
        if child is not None:
            yield from _layers(child, f"{path}.{name}" if path else name)


def _carried(
    layers: Sequence[tuple[str, nn.Module]], points: Floats, labels: NDArray[np.int64]
) -> Iterator[Stage]:
    """Yield the stages; the first is the input."""
    low, high = points.min(0), points.max(0)
    margin = 0.08 * np.where(high > low, high - low, 1.0)
    low, high = low - margin, high + margin
    along, across = np.linspace(0, 1, _POINTS), np.linspace(0, 1, _LINES)
    upright = np.stack(np.broadcast_arrays(across[:, None], along[None]), -1)
    grid = low + (high - low) * np.concatenate([upright, upright[..., ::-1]])
    flat = grid.reshape(-1, 2)
    carried = mt.tensor(np.concatenate([flat, points]))
    before: Floats | None = None
    count = 0
    for layer in [nn.Identity(), *(layer for _, layer in layers)]:
        first = before is None
        with mt.no_grad():
            carried = layer.double()(carried)
        if isinstance(layer, _QUIET_LAYERS) and not first:
            continue
        values = carried.numpy()
        if values.ndim != 2 or not np.isfinite(values).all():
            raise ValueError(f"unfold: {type(layer).__name__} makes no rows of finite numbers")
        count += isinstance(layer, nn.Linear)
        name = "x" if first else f"{'z' if isinstance(layer, nn.Linear) else 'a'}{count}"
        plane, shown = _plane(values, len(flat), before)
        before = plane
        yield Stage(
            name.translate(_RAISED),
            "the input" if first else type(layer).__name__,
            values.shape[1],
            plane[: len(flat)].reshape(*grid.shape),
            plane[len(flat) :],
            _bent(flat, values[: len(flat)]),
            shown,
            _separable(values[len(flat) :], labels),
        )


def _plane(values: Floats, grid: int, before: Floats | None) -> tuple[Floats, str]:
    """Return two numbers for each row, within [-1, 1]², and how they were had."""
    if values.shape[1] == 1:
        plane, shown = np.hstack([values, np.zeros_like(values)]), "one number, across"
    elif values.shape[1] == 2:
        plane, shown = values, "as they are"
    else:
        rows = values[grid:]
        _, sizes, ways = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
        if len(ways) < 2:
            ways = np.eye(2, values.shape[1])
        plane = (values - rows.mean(0)) @ ways[:2].T
        kept = (sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-300)
        shown = f"2 principal components, {100 * kept:.0f} % of the variance"
    low, high = plane.min(0), plane.max(0)
    plane = (plane - (low + high) / 2) / (max(float((high - low).max()), 1e-12) / 2)
    if values.shape[1] > 2 and before is not None:
        # Components have no orientation of their own: turned, or mirrored, as the stage before.
        left, _, right = np.linalg.svd(plane.T @ before)
        plane = plane @ (left @ right)
        plane /= max(1.0, float(np.abs(plane).max()))
    return plane, shown


def _bent(flat: Floats, values: Floats) -> float:
    """Return the share of the variance that the best affine map of the plane leaves."""
    spread = float(((values - values.mean(0)) ** 2).sum())
    if spread == 0:
        return 0.0
    design = np.column_stack([flat, np.ones(len(flat))])
    left = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return float((left**2).sum()) / spread


def _separable(rows: Floats, labels: NDArray[np.int64]) -> float:
    if len(np.unique(labels)) < 2:
        return math.nan
    scaled = (rows - rows.mean(0)) / np.where(rows.std(0) > 0, rows.std(0), 1.0)
    fit = require("sklearn.linear_model").LogisticRegression(C=1e3, max_iter=1000)
    return float(fit.fit(scaled, labels).score(scaled, labels))


def _title(stages: Sequence[Stage], bends: bool) -> str:
    if not bends:
        return "Without activations: a sheared parallelogram to the end"
    last = stages[-2] if len(stages) > 2 else stages[-1]
    if math.isnan(last.separable):
        return "With activations the sheet folds"
    return (
        f"With activations the sheet folds, until a line separates {100 * last.separable:.0f} % "
        f"at {last.name} ({100 * stages[0].separable:.0f} % at the input)"
    )


def _picture(stages: Sequence[Stage], labels: NDArray[np.int64], title: str) -> Figure:
    columns = 2 if len(stages) == 4 else min(_COLUMNS, len(stages))  # none is left alone
    rows = math.ceil(len(stages) / columns)
    with styled():
        figure = plot.new_figure(2.3 * columns, 2.5 * rows + 0.6)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, stage in zip(grid.flat, stages, strict=False):
            _sheet(axes, stage.lines, stage.rows, labels)
            axes.set_title(stage.label, loc="left")
        for axes in grid.flat[len(stages) :]:
            axes.set_axis_off()
        wrapped = "\n".join(require("textwrap").wrap(title, 21 * columns))
        figure.suptitle(wrapped, fontsize=11.5, fontweight="bold", x=0.01, ha="left")
    return figure


def _sheet(axes: Axes, lines: Floats, rows: Floats, labels: NDArray[np.int64]) -> None:
    axes.plot(*lines.transpose(2, 1, 0), color=QUIET, linewidth=0.5)
    for index in np.unique(labels):
        colour = CLASSES[index % len(CLASSES)][0]
        axes.plot(*rows[labels == index].T, "o", color=colour, markersize=2, markeredgewidth=0)
    axes.set(xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), xticks=[], yticks=[], aspect="equal")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write_gif(stages: Sequence[Stage], labels: NDArray[np.int64], title: str, path: Path) -> None:
    """Write the way from stage to stage as a moving picture, resting at each."""
    moments: list[tuple[int, float]] = []
    for index in range(len(stages) - 1):
        moments += [(index, 0.0)] * 5 + [(index, part) for part in np.linspace(0, 1, 12)]
    moments += [(len(stages) - 2, 1.0)] * 8
    animation = require("matplotlib.animation")
    with styled():
        figure = plot.new_figure(4.6, 4.9)
        axes = figure.subplots()
        require("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)

        def draw(moment: tuple[int, float]) -> list[Any]:
            index, part = moment
            eased = part * part * (3 - 2 * part)
            one, other = stages[index], stages[index + 1]
            axes.clear()
            _sheet(
                axes,
                one.lines + eased * (other.lines - one.lines),
                one.rows + eased * (other.rows - one.rows),
                labels,
            )
            axes.set_title((one if part < 0.5 else other).label, loc="left", color=INK)
            return []

        draw(moments[0])
        figure.draw_without_rendering()  # the layout is settled once, not for every frame
        figure.set_layout_engine("none")
        film = animation.FuncAnimation(figure, draw, frames=moments, blit=False)
        film.save(path, writer=animation.PillowWriter(fps=12), dpi=72)
