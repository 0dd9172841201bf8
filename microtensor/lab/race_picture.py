"""The pictures of a race: from above, in three dimensions, and moving."""

from __future__ import annotations

import base64
import functools
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab import plot
from microtensor.lab.optional import require
from microtensor.lab.style import INK, QUIET, optimizer_style, styled
from microtensor.lab.surfaces import Floats, Surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from microtensor.lab.race import Ride

_LEVELS = 14
_PALE = "#c4c4c4"
# More lines than these in one panel cannot be told apart.
_TOGETHER = 8
_COLUMNS = 4
# Points of a grid, each way, over a function that is called point by point.
_FEW = 31
_GIF_FRAMES = 60
_GIF_MILLISECONDS = 80


def heights(surface: Surface, points: int) -> tuple[Floats, Floats, Floats]:
    """Return coordinates across and upward, and heights in (0, 1) by rank of the values.

    Each band between two contours then covers the same area, whatever the function's scale.
    """
    across, up, values = _values(surface, points)
    return across, up, _Ranks(surface)(np.where(np.isfinite(values), values, np.nan))


def _values(surface: Surface, points: int) -> tuple[Floats, Floats, Floats]:
    """Return a grid over the frame and the values there; between few, if each takes a call."""
    left, right, bottom, top = surface.frame
    across, up = np.linspace(left, right, points), np.linspace(bottom, top, points)
    if not surface.slow:
        return across, up, surface(np.stack(np.meshgrid(across, up), -1))
    few = _few_values(surface)
    known = np.linspace(0, 1, len(few))
    wanted = np.linspace(0, 1, points)
    rows = np.array([np.interp(wanted, known, row) for row in few])
    return across, up, np.array([np.interp(wanted, known, column) for column in rows.T]).T


@functools.lru_cache(maxsize=4)
def _few_values(surface: Surface) -> Floats:
    left, right, bottom, top = surface.frame
    across, up = np.linspace(left, right, _FEW), np.linspace(bottom, top, _FEW)
    return surface(np.stack(np.meshgrid(across, up), -1))


def ground(surface: Surface, size: int = 300) -> str:
    """Return the surface as bands of grey-blue that suit a light and a dark page: a PNG as text."""
    _, _, ranks = heights(surface, size)
    bands = np.floor(np.nan_to_num(ranks, nan=1.0) * _LEVELS) / _LEVELS
    edges = np.zeros_like(bands, bool)
    edges[1:] |= bands[1:] != bands[:-1]
    edges[:, 1:] |= bands[:, 1:] != bands[:, :-1]
    alpha = np.clip(20 + 105 * bands + 55 * edges, 0, 255).astype(np.uint8)
    picture = np.empty((size, size, 4), np.uint8)
    picture[..., :3] = (92, 128, 168)
    picture[..., 3] = alpha
    image = require("PIL.Image").fromarray(picture[::-1].copy(), "RGBA")
    written = io.BytesIO()
    image.quantize(64, method=2, dither=0).save(written, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(written.getvalue()).decode("ascii")


def still(surface: Surface, rides: Sequence[Ride], title: str) -> Figure:
    """Draw all paths from above; with many racers a panel for each, the others in grey."""
    drawn = heights(surface, 160)
    with styled():
        if len(rides) <= _TOGETHER:
            figure = plot.new_figure(7.2, 5.2)
            axes = figure.subplots()
            _map(axes, surface, drawn)
            ends = [_path(axes, surface, ride, *optimizer_style(ride.racer.name)) for ride in rides]
            axes.set_title(_folded(title, 62), loc="left", fontsize=11, fontweight="bold")
            axes.set(xlabel="x", ylabel="y")
            plot.label_line_ends(axes, ends)
            return figure
        columns = min(_COLUMNS, len(rides))
        rows = math.ceil(len(rides) / columns)
        figure = plot.new_figure(2.5 * columns, 2.55 * rows + 0.5)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, ride in zip(grid.flat, rides, strict=False):
            _map(axes, surface, drawn)
            for other in rides:
                if other is not ride:
                    _path(axes, surface, other, _PALE, "-", width=0.5)
            _path(axes, surface, ride, *optimizer_style(ride.racer.name), width=1.8)
            axes.set_title(ride.label, loc="left", color=optimizer_style(ride.racer.name)[0])
            axes.set(xticks=[], yticks=[])
        for axes in grid.flat[len(rides) :]:
            axes.set_axis_off()
        figure.suptitle(
            _folded(title, 30 * columns), fontsize=12, fontweight="bold", x=0.01, ha="left"
        )
    return figure


def _folded(title: str, width: int) -> str:
    return "\n".join(require("textwrap").wrap(title, width))


def _map(axes: Axes, surface: Surface, drawn: tuple[Floats, Floats, Floats]) -> None:
    across, up, ranks = drawn
    levels = np.linspace(0, 1, _LEVELS + 1)
    axes.contourf(across, up, ranks, levels=levels, cmap="Blues", alpha=0.45)
    axes.contour(across, up, ranks, levels=levels, colors="#5c80a8", linewidths=0.35)
    for point in surface.minima:
        axes.plot(*point, "*", color="white", markeredgecolor=INK, markersize=11, zorder=5)
    axes.plot(*surface.start, "o", color="white", markeredgecolor=INK, markersize=5.5, zorder=5)
    left, right, bottom, top = surface.frame
    axes.set(xlim=(left, right), ylim=(bottom, top))
    for spine in axes.spines.values():
        spine.set_visible(False)


def _path(
    axes: Axes, surface: Surface, ride: Ride, colour: str, dash: str, width: float = 1.5
) -> tuple[float, str, str]:
    points = ride.runs.points[:, 0, 0]
    axes.plot(*points.T, dash, color=colour, linewidth=width, solid_capstyle="round")
    known = points[np.isfinite(points).all(1)]
    inside = known[surface.inside(known)]
    end = inside[-1] if len(inside) else known[0]
    axes.plot(*end, "o", color=colour, markersize=2.5 * width, markeredgewidth=0, zorder=6)
    return float(end[1]), ride.label, colour


def relief(surface: Surface, rides: Sequence[Ride], title: str) -> Figure:
    """Draw the surface in three dimensions with the paths of the soonest few on it."""
    require("mpl_toolkits.mplot3d")
    across, up, ranks = heights(surface, 70)
    known = _Ranks(surface)
    soonest = sorted(rides, key=lambda ride: (ride.runs.arrived[0, 0], _last(ride)))[:3]
    plain = [ride for ride in rides if ride.racer.name in ("sgd", "bgd") and ride not in soonest]
    with styled():
        figure = plot.new_figure(7.2, 5.2)
        axes: Any = figure.add_subplot(projection="3d", computed_zorder=False)
        x, y = np.meshgrid(across, up)
        axes.plot_surface(x, y, ranks, cmap="Blues", alpha=0.75, linewidth=0.15,
                          edgecolor="#5c80a8", rstride=2, cstride=2, zorder=1)  # fmt: skip
        lines = []
        for ride in [*plain, *soonest]:
            colour, dash = optimizer_style(ride.racer.name)
            points = ride.runs.points[:, 0, 0]
            points = points[np.isfinite(points).all(1)]
            points = points[surface.inside(points)]
            z = known(surface(points))
            lines += axes.plot(*points.T, z + 0.02, dash, color=colour, linewidth=1.8, zorder=3,
                               label=ride.label)  # fmt: skip
        axes.set(xlabel="x", ylabel="y", zticks=[])
        axes.set_zlabel("height, by rank of f", labelpad=-10, color=QUIET, fontsize=8)
        axes.view_init(38, -125)
        figure.suptitle(_folded(title, 66), fontsize=11, fontweight="bold", x=0.01, ha="left")
        figure.legend(handles=lines, loc="outside lower center", ncols=2, frameon=False)
    return figure


class _Ranks:
    """The height of a value, as :func:`heights` has it."""

    def __init__(self, surface: Surface) -> None:
        values = _values(surface, 120)[2]
        self._known = np.sort(values[np.isfinite(values)])
        # Squared, there are more contours in the depths, which are what matters.
        self._squared = not surface.saddle

    def __call__(self, values: Floats) -> Floats:
        found = np.interp(values, self._known, np.linspace(0, 1, len(self._known)))
        return found**2 if self._squared else found


def _last(ride: Ride) -> float:
    value = float(ride.runs.values[-1, 0, 0])
    return value if math.isfinite(value) else math.inf


def write_gif(surface: Surface, rides: Sequence[Ride], title: str, path: Path) -> None:
    """Write the race as a moving picture; early steps, where most happens, pass more slowly."""
    steps = len(rides[0].runs.points) - 1
    shown = np.unique(np.round(steps * np.linspace(0, 1, _GIF_FRAMES) ** 1.7).astype(int))
    with styled():
        figure = plot.new_figure(6.4, 4.8)
        axes = figure.subplots()
        _map(axes, surface, heights(surface, 140))
        axes.set(xlabel="x", ylabel="y")
        axes.set_title(_folded(title, 58), loc="left", fontsize=10, fontweight="bold")
        moving = []
        for ride in rides:
            colour, dash = optimizer_style(ride.racer.name)
            (line,) = axes.plot([], [], dash, color=colour, linewidth=1.4, label=ride.label)
            (head,) = axes.plot([], [], "o", color=colour, markersize=5, zorder=6)
            moving.append((ride.runs.points[:, 0, 0], line, head))
        count = axes.text(0.02, 0.02, "", transform=axes.transAxes, color=INK)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)

        def draw(step: int) -> list[Any]:
            for points, line, head in moving:
                line.set_data(*points[: step + 1].T)
                head.set_data(*points[step : step + 1].T)
            count.set_text(f"step {step}")
            return [count]

        figure.draw_without_rendering()  # the layout is settled once, not for every frame
        figure.set_layout_engine("none")
        animation = require("matplotlib.animation")
        canvas = require("matplotlib.backends.backend_agg")
        canvas.FigureCanvasAgg(figure)
        film = animation.FuncAnimation(figure, draw, frames=shown.tolist(), blit=False)
        film.save(path, writer=animation.PillowWriter(fps=1000 / _GIF_MILLISECONDS), dpi=80)
