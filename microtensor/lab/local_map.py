"""At each x a piecewise-linear network is one A·x + b; which one, and how far it reaches."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import microtensor as mt
from microtensor import nn
from microtensor.lab.affine import Shape, checked_shape
from microtensor.lab.collapse import EXACT, Collapse
from microtensor.lab.max_pooling import Pool
from microtensor.lab.pieces import Bend, Floats, Straight, inputs_of, pieces_of
from microtensor.lab.plot import affine_picture
from microtensor.lab.result import Column, Table, Verdict

_TRIED = 64


class LocalMap(Collapse):
    """The affine map of a network at one point; unpacks and calls as :class:`Collapse` does.

    Attributes:
        weight: A, (outputs, inputs), the network's Jacobian at x.
        bias: b, (outputs,).
        radius: how far from x, in any direction, the network is this map: the distance to the
            nearest fold; infinite if there is none.
    """

    radius: float


def collapse_at(
    model: nn.Module,
    x: mt.Tensor | Any,
    *,
    input_shape: Sequence[int] | int | None = None,
    tolerance: float = EXACT,
    command: str = "",
) -> LocalMap:
    """Return the exact affine map that a piecewise-linear network is around one point.

    Where ReLU cuts off it multiplies by 0, elsewhere by 1; with these numbers fixed nothing is
    left but matrices, and they fold: A = W_L·D_{L-1} ⋯ D_1·W_1. Max pooling chooses the largest of
    each window. The map holds in the whole piece that x lies in, a convex polytope, and A is the
    network's Jacobian at x.

    Args:
        model: what :func:`collapse` folds, with ReLU, LeakyReLU, PReLU, ReLU6, Hardtanh,
            Hardsigmoid, Softshrink, Hardshrink, Threshold, RReLU in eval mode, and max pooling,
            also adaptive, between; in nested Sequentials.
        x: one row of numbers, (inputs,) or (1, inputs); or, as a network of images takes it,
            (1, channels, height, width).
        input_shape: of one row, where neither `x` nor a Linear layer in the first place tells.
        tolerance: for the verdicts; computed in float64.
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result that unpacks into A and b; three verdicts: A is the Jacobian, A·x + b is the
        network at x, and the network out to the nearest fold.

    Raises:
        TypeError: a layer that is not piecewise linear; its path and class are named.
        ValueError: sizes that do not fit, an input_shape that is needed and missing; NaN or
            infinite values in x.

    Example:
        >>> from microtensor import lab, nn
        >>> model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
        >>> weight, bias = lab.collapse_at(model, [0.5, -1.0])
        >>> weight.shape, bias.shape
        (microtensor.Size([1, 2]), microtensor.Size([1]))
    """
    given = x.detach().numpy() if isinstance(x, mt.Tensor) else np.asarray(x)
    row = np.asarray(given, np.float64)
    shape = checked_shape(input_shape, "collapse_at")
    if shape is None and row.ndim > 2:
        shape = row.shape[1:]
    layers = pieces_of(model, "collapse_at", shape, pools=True)
    shape = shape or (inputs_of(layers),)
    numbers = math.prod(shape)
    if row.shape not in ((numbers,), (1, numbers), shape, (1, *shape)):
        sizes = "" if len(shape) == 1 else f", {shape}"
        raise ValueError(
            f"collapse_at: x must be one row of {numbers} numbers{sizes}, got shape {row.shape}"
        )
    row = row.reshape(-1)
    if not np.isfinite(row).all():
        raise ValueError("collapse_at: x holds NaN or infinite values")
    weight, bias, records = _followed(layers, row)
    radius = min((record["distance"] for record in records), default=np.inf)
    double = copy.deepcopy(model).double()
    jacobian, value = _derivative(double, row, shape)
    made = LocalMap(
        mt.tensor(weight),
        mt.tensor(bias),
        _table(records, len(layers)),
        verdicts=[
            jacobian_verdict(weight, jacobian, radius, tolerance, command),
            Verdict(
                "A·x + b is the network at x",
                _apart(value, weight @ row + bias),
                tolerance,
                detail="largest difference, relative to the largest output, in float64",
                command=command,
            ),
            _reach_verdict(double, weight, bias, row, shape, radius, command),
        ],
        pictures={"collapse_at": affine_picture(weight, bias)},
        settings={"x": row.tolist(), "radius": radius},
    )
    made.name = "collapse_at"
    made.radius = radius
    return made


def jacobian_verdict(
    weight: Floats, jacobian: Floats, radius: float, tolerance: float, command: str = ""
) -> Verdict:
    """Judge whether A is the Jacobian; on a fold there are several, and it stays open."""
    return Verdict(
        "the local map's A is the network's Jacobian",
        _apart(jacobian, weight),
        tolerance,
        open_because="x lies on a fold, where the Jacobian is a convention" if radius == 0 else "",
        detail="largest difference from the Jacobian by backward, relative to its largest entry",
        command=command,
    )


def _followed(
    layers: list[Straight | Bend | Pool], row: Floats
) -> tuple[Floats, Floats, list[dict[str, Any]]]:
    """Return A, b and, for each activation, what it did at this point."""
    weight, bias = np.eye(len(row)), np.zeros(len(row))
    records: list[dict[str, Any]] = []
    for layer in layers:
        if isinstance(layer, Straight):
            weight, bias = layer.after(weight, bias)
            continue
        if isinstance(layer, Pool):
            weight, bias, distance = layer.followed(weight, bias, row)
            records.append(_followed_record(layer, len(bias), len(bias), distance))
            continue
        z = weight @ row + bias
        steepness = np.linalg.norm(weight, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            gaps = np.abs(z[:, None] - np.array(layer.kinks)).min(1) / steepness
        gaps = np.where(steepness > 0, gaps, np.inf)
        slope, intercept = (one[0] for one in layer(z[None]))
        through = int((slope != 0).sum())
        records.append(_followed_record(layer, len(z), through, float(gaps.min())))
        weight, bias = slope[:, None] * weight, slope * bias + intercept
    return weight, bias, records


def _followed_record(
    layer: Bend | Pool, units: int, through: int, distance: float
) -> dict[str, Any]:
    return {
        "layer": layer.path,
        "class": type(layer.module).__name__,
        "units": units,
        "open": through,
        "distance": distance,
    }


def _derivative(double: nn.Module, row: Floats, shape: Shape) -> tuple[Floats, Floats]:
    """Return the Jacobian, row by row with backward, and the value at a point."""
    point = mt.tensor(row[None], requires_grad=True)
    output = double(point.reshape(1, *shape)).flatten(1)
    rows = []
    for index in range(output.shape[1]):
        (gradient,) = mt.autograd.grad(
            output[0, index], [point], retain_graph=True, allow_unused=True
        )
        rows.append(np.zeros(len(row)) if gradient is None else gradient.numpy()[0])
    return np.stack(rows), output.detach().numpy()[0]


def _reach_verdict(
    double: nn.Module,
    weight: Floats,
    bias: Floats,
    row: Floats,
    shape: Shape,
    radius: float,
    command: str,
) -> Verdict:
    """Judge whether the network is this map on a sphere just short of the nearest fold."""
    draw = np.random.default_rng(0)
    ways = draw.standard_normal((_TRIED, len(row)))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    reach = 0.999 * min(radius, 1e3)
    points = row + reach * ways
    with mt.no_grad():
        values = double(mt.tensor(points.reshape(_TRIED, *shape))).flatten(1).numpy()
    return Verdict(
        "the map holds out to the nearest fold",
        _apart(values, points @ weight.T + bias),
        1e-9,
        detail=f"largest relative difference at {_TRIED} points {reach:.3g} from x; the nearest "
        f"fold is {radius:.3g} away",
        command=command,
    )


def _apart(expected: Floats, found: Floats) -> float:
    scale = float(np.abs(expected).max(initial=0.0)) or 1.0
    return float(np.abs(expected - found).max(initial=0.0)) / scale


def _table(records: list[dict[str, Any]], layers: int) -> Table:
    columns = [
        Column("after layer", lambda row: row["layer"], right=False),
        Column("class", lambda row: row["class"], right=False),
        Column("units", lambda row: str(row["units"])),
        Column("with a slope", lambda row: str(row["open"])),
        Column("nearest fold", lambda row: f"{row['distance']:.3g}"),
    ]
    title = f"{layers} layers are one A·x + b around x"
    return Table("collapse_at", title, records, columns)
