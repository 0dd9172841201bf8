"""The pieces into which a ReLU network cuts the plane: exactly, by cutting polygons."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor import nn
from microtensor.lab import plot
from microtensor.lab.max_pooling import Pool
from microtensor.lab.optional import require
from microtensor.lab.pieces import Bend, Floats, Straight, inputs_of, pieces_of
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.style import CLASSES, INK, QUIET, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A piece smaller than this share of the frame is rounding.
_DUST = 1e-13
_MOST = 50_000
_TRIED = 20_000
_EXACT = 1e-9


@dataclass(frozen=True, eq=False)
class Piece:
    """A convex piece of the plane on which the network is one affine map.

    Attributes:
        corners: (corners, 2), counter-clockwise.
        weight: A there, (outputs, 2).
        bias: b there, (outputs,).
        pattern: between which kinks each unit lies, for all layers.
    """

    corners: Floats
    weight: Floats
    bias: Floats
    pattern: bytes = b""

    @property
    def area(self) -> float:
        """The area."""
        return _area(self.corners)

    @property
    def middle(self) -> Floats:
        """A point well inside."""
        middle: Floats = self.corners.mean(0)
        return middle


class Regions(Result):
    """The outcome of :func:`regions`.

    Attributes:
        pieces: the convex pieces, with their affine maps.
    """

    pieces: tuple[Piece, ...]


def regions(
    model: nn.Module,
    data: Any = None,
    *,
    frame: tuple[float, float, float, float] = (-3.0, 3.0, -3.0, 3.0),
    command: str = "",
) -> Regions:
    """Cut the plane into the pieces on which a piecewise-linear network is one affine map.

    Every unit of the first layer cuts along a straight line; units of later layers along lines
    that bend where they cross earlier ones. Starting from the frame, each piece is cut by each
    unit that changes its state within it, so that the count is exact, not that of a grid.

    Args:
        model: see :func:`collapse_at`; it must take two inputs.
        data: rows of two numbers, or (x, y), to cover and draw; instead of `frame`.
        frame: (left, right, bottom, top).
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result with the drawn pieces, how many each layer makes, and three verdicts: the pieces
        fill the frame; on each the network is its affine map; no point of 20,000 has a pattern
        that no piece has. ``result.pieces`` are the pieces.

    Raises:
        TypeError: a layer that is not piecewise linear; its path and class are named.
        ValueError: a network that does not take two inputs, a wrong frame, NaN in the data, or
            more than 50,000 pieces.

    Example:
        >>> from microtensor import lab, nn
        >>> model = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 1, bias=False))
        >>> len(lab.regions(model, frame=(-100, 100, -100, 100)).pieces)
        2
    """
    # Max pooling is refused: its pieces are not cut by lines through each unit alone.
    layers = [one for one in pieces_of(model, "regions") if not isinstance(one, Pool)]
    if inputs_of(layers) != 2:
        raise ValueError(f"regions: the network must take 2 inputs, not {inputs_of(layers)}")
    points, labels = _points(data)
    if points is not None:
        across, up, _ = plot.grid_over(points)
        frame = (across[0], across[-1], up[0], up[-1])
    left, right, bottom, top = (float(end) for end in frame)
    if not (left < right and bottom < top and np.isfinite(frame).all()):
        raise ValueError(
            "regions: frame must be (left, right, bottom, top) with left < right and "
            f"bottom < top, got {frame}"
        )
    whole = Piece(
        np.array([(left, bottom), (right, bottom), (right, top), (left, top)]),
        np.eye(2),
        np.zeros(2),
    )
    pieces, records, creases = _cut_all(layers, whole)
    double = copy.deepcopy(model).double()
    verdicts = [
        fills_verdict(pieces, whole.area, command),
        affine_verdict(double, pieces, command),
        none_missing_verdict(layers, pieces, (left, right, bottom, top), command),
    ]
    table = Table(
        "regions",
        f"{len(pieces)} pieces in the frame",
        records,
        [
            Column("after layer", lambda row: row["layer"], right=False),
            Column("class", lambda row: row["class"], right=False),
            Column("units", lambda row: str(row["units"])),
            Column("pieces", lambda row: str(row["pieces"])),
            Column("at most", lambda row: str(row["bound"] or "")),
        ],
        caption="At most: what as many lines can make of a plane, 1 + n + n(n − 1)/2, for the first"
        " layer's cuts.",
    )
    result = Regions(
        "regions",
        tables=[table],
        verdicts=verdicts,
        pictures={
            "regions": functools.partial(_picture, pieces, creases, frame, points, labels, records)
        },
        settings={"frame": [left, right, bottom, top]},
    )
    result.pieces = tuple(pieces)
    return result


def _points(data: Any) -> tuple[Floats | None, NDArray[np.int64] | None]:
    if data is None:
        return None, None
    x, y = data if isinstance(data, tuple) else (getattr(data, "x", data), getattr(data, "y", None))
    rows = np.asarray(x.detach().numpy() if isinstance(x, mt.Tensor) else x, np.float64)
    if rows.ndim != 2 or rows.shape[1] != 2 or not len(rows):
        raise ValueError(f"data must be rows of two numbers, got shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError(f"data hold {int((~np.isfinite(rows)).sum())} NaN or infinite values")
    if y is None:
        return rows, np.zeros(len(rows), np.int64)
    given = np.asarray(y.detach().numpy() if isinstance(y, mt.Tensor) else y)
    return rows, np.unique(given.reshape(-1), return_inverse=True)[1].astype(np.int64)


def _area(corners: Floats) -> float:
    x, y = corners.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def _cut_all(
    layers: Sequence[Straight | Bend], whole: Piece
) -> tuple[list[Piece], list[dict[str, Any]], list[Floats]]:
    """Return the pieces; how many there are after each activation; and the creases it made."""
    pieces = [whole]
    records: list[dict[str, Any]] = []
    creases: list[Floats] = []
    dust = _DUST * whole.area
    for layer in layers:
        if isinstance(layer, Straight):
            own, shift = layer.whole
            pieces = [
                Piece(one.corners, own @ one.weight, own @ one.bias + shift, one.pattern)
                for one in pieces
            ]
            continue
        found: list[Piece] = []
        made: list[Floats] = []
        for one in pieces:
            for corners in _cut(one, layer.kinks, dust, made):
                z = one.weight @ corners.mean(0) + one.bias
                slope, intercept = (row[0] for row in layer(z[None]))
                pattern = one.pattern + layer.pattern(z).astype(np.uint8).tobytes()
                found.append(
                    Piece(corners, slope[:, None] * one.weight, slope * one.bias + intercept,
                          pattern)
                )  # fmt: skip
            if len(found) > _MOST:
                raise ValueError(
                    f"regions: more than {_MOST} pieces after layer {layer.path!r}; "
                    "choose a smaller frame or network"
                )
        units = len(pieces[0].bias)
        cuts = units * len(layer.kinks)
        bound = 1 + cuts + math.comb(cuts, 2) if not records else 0
        pieces = found
        creases.append(np.array(made).reshape(-1, 2, 2))
        records.append(
            {
                "layer": layer.path,
                "class": type(layer.module).__name__,
                "units": units,
                "pieces": len(pieces),
                "bound": bound,
            }
        )
    return pieces, records, creases


def _cut(piece: Piece, kinks: Sequence[float], dust: float, made: list[Floats]) -> list[Floats]:
    """Cut a piece along every line on which one of its units meets a kink."""
    values = piece.corners @ piece.weight.T + piece.bias
    low, high = values.min(0), values.max(0)
    parts = [piece.corners]
    for kink in kinks:
        for unit in np.flatnonzero((low < kink) & (kink < high)):
            cut: list[Floats] = []
            for corners in parts:
                height = corners @ piece.weight[unit] + (piece.bias[unit] - kink)
                cut += _halves(corners, height, dust, made)
            parts = cut
    return parts


def _halves(corners: Floats, height: Floats, dust: float, made: list[Floats]) -> list[Floats]:
    """Return the parts of a convex polygon below and above height 0; one, if it is not cut."""
    if height.min() >= 0 or height.max() <= 0:
        return [corners]
    below: list[Floats] = []
    above: list[Floats] = []
    crease: list[Floats] = []
    for index, (corner, here) in enumerate(zip(corners, height, strict=True)):
        after = (index + 1) % len(corners)
        if here <= 0:
            below.append(corner)
        if here >= 0:
            above.append(corner)
        if here == 0:
            crease.append(corner)
        if here * height[after] < 0:
            crossing = corner + here / (here - height[after]) * (corners[after] - corner)
            below.append(crossing)
            above.append(crossing)
            crease.append(crossing)
    parts = [np.array(part) for part in (below, above) if len(part) > 2]
    large = [part for part in parts if _area(part) > dust]
    if len(large) < 2:
        return [corners]
    made.append(np.array(crease[:2]))
    return large


def fills_verdict(pieces: Sequence[Piece], area: float, command: str = "") -> Verdict:
    """Judge whether the pieces' areas add up to the frame's."""
    return Verdict(
        "the pieces fill the frame, without gap or overlap",
        abs(math.fsum(piece.area for piece in pieces) - area) / area,
        _EXACT,
        detail=f"|Σ areas − frame| / frame, {len(pieces)} pieces",
        command=command,
    )


def affine_verdict(double: nn.Module, pieces: Sequence[Piece], command: str = "") -> Verdict:
    """Judge whether on each piece the network is that piece's affine map."""
    points, expected = [], []
    for piece in pieces:
        # The middle, and points between it and the corners.
        inner = np.vstack([piece.middle, 0.5 * (piece.middle + piece.corners)])
        points.append(inner)
        expected.append(inner @ piece.weight.T + piece.bias)
    with mt.no_grad():
        values = double(mt.tensor(np.vstack(points))).numpy()
    scale = float(np.abs(values).max(initial=0.0)) or 1.0
    return Verdict(
        "on each piece the network is one affine map",
        float(np.abs(values - np.vstack(expected)).max()) / scale,
        _EXACT,
        detail=f"largest difference from A·x + b at {len(values)} points of {len(pieces)} pieces, "
        "relative to the largest output",
        command=command,
    )


def none_missing_verdict(
    layers: Sequence[Straight | Bend],
    pieces: Sequence[Piece],
    frame: tuple[float, float, float, float],
    command: str = "",
) -> Verdict:
    """Judge whether the pattern of every one of many points is that of a piece."""
    left, right, bottom, top = frame
    draw = np.random.default_rng(0)
    rows = draw.uniform((left, bottom), (right, top), (_TRIED, 2))
    patterns = np.zeros((_TRIED, 0), np.uint8)
    for layer in layers:
        if isinstance(layer, Straight):
            own, shift = layer.whole
            rows = rows @ own.T + shift
        else:
            patterns = np.hstack([patterns, layer.pattern(rows).astype(np.uint8)])
            slope, intercept = layer(rows)
            rows = slope * rows + intercept
    known = {piece.pattern for piece in pieces}
    seen = {row.tobytes() for row in patterns}
    return Verdict(
        "no piece is missing: every point's pattern of active units is that of a piece",
        float(sum(row.tobytes() not in known for row in patterns)),
        0.0,
        detail=f"points without a piece among {_TRIED}; they show {len(seen)} patterns of the "
        f"{len(pieces)} pieces: a grid would miss the rest",
        command=command,
    )


def _picture(
    pieces: Sequence[Piece],
    creases: Sequence[Floats],
    frame: Sequence[float],
    points: Floats | None,
    labels: NDArray[np.int64] | None,
    records: Sequence[dict[str, Any]],
) -> Figure:
    collections = require("matplotlib.collections")
    with styled():
        figure = plot.new_figure(6.2, 5.4)
        axes = figure.subplots()
        tones = [light for _, light in CLASSES] + ["#ececec"]
        axes.add_collection(
            collections.PolyCollection(
                [piece.corners for piece in pieces],
                facecolors=[tones[index * 5 % len(tones)] for index in range(len(pieces))],
                linewidths=0,
            )
        )
        names = []
        for index, segments in enumerate(creases):
            colour = CLASSES[index % len(CLASSES)][0]
            axes.add_collection(
                collections.LineCollection(
                    segments, colors=colour, linewidths=max(0.5, 1.5 - 0.35 * index), zorder=3
                )
            )
            names.append((colour, f"layer {index + 1}: {records[index]['units']} units"))
        boundary = [segment for piece in pieces for segment in _boundary(piece)]
        if boundary:
            axes.add_collection(
                collections.LineCollection(boundary, colors=INK, linewidths=2.4, zorder=4)
            )
            names.append((INK, "where the network decides"))
        if points is not None and labels is not None:
            for index in np.unique(labels):
                mine = points[labels == index][:400]
                colour = CLASSES[index % len(CLASSES)][0]
                axes.plot(*mine.T, "o", color=colour, markersize=2.4, markeredgewidth=0, zorder=2)
        axes.set(xlim=frame[:2], ylim=frame[2:], xlabel="x₁", ylabel="x₂")
        for spine in axes.spines.values():
            spine.set_color(QUIET)
        many = "one piece: it is linear here" if len(pieces) == 1 else f"{len(pieces)} flat pieces"
        axes.set_title(f"The network cuts this part of the plane into {many}"
                       if len(pieces) > 1 else f"The network leaves the plane in {many}",
                       loc="left", fontweight="bold")  # fmt: skip
        lines = require("matplotlib.lines")
        if names:
            figure.legend(
                handles=[lines.Line2D([], [], color=colour, label=name) for colour, name in names],
                loc="outside lower center", ncols=min(3, len(names)), frameon=False,
            )  # fmt: skip
    return figure


def _boundary(piece: Piece) -> list[Floats]:
    """Return the segment on which two classes are equally likely, if the piece has one."""
    if len(piece.bias) > 2:
        return []
    weight, bias = piece.weight, piece.bias
    if len(bias) == 2:
        weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
    height = piece.corners @ weight[0] + bias[0]
    made: list[Floats] = []
    _halves(piece.corners, height, 0.0, made)
    return made
