"""Drawing that the experiments share; matplotlib without its global state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtensor.lab.optional import require
from microtensor.lab.style import CLASSES, INK, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GRID_POINTS = 240
# More points than these hide the regions they lie on.
_MOST_POINTS = 400


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, sizes in inches, whose parts make room for each other."""
    figure: Figure = require("matplotlib.figure").Figure(
        figsize=(width, height), layout="constrained"
    )
    return figure


def grid_over(
    points: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return a grid that covers points of the plane with a margin.

    Returns:
        The coordinates across, those upward, and all their pairs, (pairs, 2), row by row.
    """
    low, high = points.min(0), points.max(0)
    margin = 0.08 * (high - low)
    across, up = (
        np.linspace(low[axis] - margin[axis], high[axis] + margin[axis], _GRID_POINTS)
        for axis in (0, 1)
    )
    pairs = np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
    return across, up, pairs


def regions(
    axes: Axes,
    across: NDArray[np.float64],
    up: NDArray[np.float64],
    chances: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.int64],
) -> None:
    """Draw which class a network gives to each part of the plane, and rows of the data on it.

    Args:
        axes: where.
        across: coordinates of the grid's columns.
        up: coordinates of the grid's rows.
        chances: the probability of each class, (rows, columns, classes).
        x: points of the data, (points, 2).
        y: their classes.
    """
    classes = chances.shape[-1]
    tones = [CLASSES[index % len(CLASSES)] for index in range(classes)]
    if classes == 2:
        # The boundary is where the probability crosses ½, between the points of the grid.
        axes.contourf(
            across, up, chances[..., 1], levels=[-1, 0.5, 2], colors=[tones[0][1], tones[1][1]]
        )
        axes.contour(across, up, chances[..., 1], levels=[0.5], colors=INK, linewidths=1.2)
    else:
        winner = chances.argmax(-1)
        axes.contourf(
            across,
            up,
            winner,
            levels=np.arange(classes + 1) - 0.5,
            colors=[light for _, light in tones],
        )
    for index, (strong, _) in enumerate(tones):
        mine = y[:_MOST_POINTS] == index
        axes.plot(
            *x[:_MOST_POINTS][mine].T,
            "o",
            color=strong,
            markersize=2.2,
            markeredgewidth=0,
            alpha=0.75,
        )
    axes.set(xticks=[], yticks=[], xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))
    for spine in axes.spines.values():
        spine.set_visible(False)


def label_line_ends(axes: Axes, lines: Sequence[tuple[float, str, str]], size: float = 9.0) -> None:
    """Write the name of each line at its right end, moved apart where they would overlap.

    Call it last, when the limits and scales of all axes are settled.

    Args:
        axes: where the lines are.
        lines: for each its last value, its name and its colour.
        size: of the letters, in points.
    """
    figure = axes.get_figure(root=True)
    lines = [line for line in lines if np.isfinite(line[0])]
    if figure is None or not lines:
        return
    figure.draw_without_rendering()  # the layout decides how high the axes are
    to_screen, to_axes = axes.transData, axes.transAxes.inverted()
    edge = axes.get_xlim()[1]
    wanted = np.array(
        [to_axes.transform(to_screen.transform((edge, value)))[1] for value, _, _ in lines]
    )
    wanted = np.clip(wanted, 0, 1)
    height = axes.get_window_extent().height / figure.dpi * 72
    placed = spread(wanted, 1.2 * size / height)
    for (_, name, colour), from_, to in zip(lines, wanted, placed, strict=True):
        axes.plot(
            [1.0, 1.03],
            [from_, to],
            transform=axes.transAxes,
            color=colour,
            linewidth=0.8,
            clip_on=False,
        )
        axes.annotate(
            name,
            (1.03, to),
            xycoords="axes fraction",
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=size,
            annotation_clip=False,
        )


def spread(wanted: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Return the places nearest to those wanted, in squares, that lie at least a gap apart.

    They keep their order, and stay within [0, 1] as far as they fit.

    Example:
        >>> spread(np.array([0.5, 0.5]), 0.2).round(2).tolist()
        [0.4, 0.6]
    """
    order = np.argsort(wanted, kind="stable")
    offsets = gap * np.arange(len(wanted))
    # Less its offset, each place must be no lower than the one before: isotonic regression, by
    # pooling neighbours that violate it.
    pools: list[list[float]] = []
    for value in wanted[order] - offsets:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    level = np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools])
    level = np.clip(level, 0, max(0.0, 1 - offsets[-1]))
    placed = np.empty_like(wanted)
    placed[order] = level + offsets
    return placed


def affine_picture(weight: NDArray[Any], bias: NDArray[Any]) -> Callable[[], Figure]:
    """Return what draws A and b as a heat map."""

    def draw() -> Figure:
        whole = np.column_stack([weight, bias]).astype(np.float64)
        bound = float(np.abs(whole).max()) or 1.0
        with styled():
            figure = new_figure(*_size(whole.shape))
            axes = figure.subplots()
            image = axes.imshow(whole, cmap="RdBu_r", vmin=-bound, vmax=bound, aspect="auto")
            axes.axvline(weight.shape[1] - 0.5, color=INK, linewidth=1.5)
            axes.set(xlabel="input (last: b)", ylabel="output")
            axes.set_title(f"The whole network: A {weight.shape}, b {bias.shape}", loc="left")
            for spine in axes.spines.values():
                spine.set_visible(False)
            figure.colorbar(image, ax=axes, label="weight")
        return figure

    return draw


def _size(shape: tuple[int, ...]) -> tuple[float, float]:
    rows, columns = shape
    return min(10.0, 3.0 + 0.25 * columns), min(8.0, 1.6 + 0.25 * rows)
