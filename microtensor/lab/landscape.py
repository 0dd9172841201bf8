"""The loss around a trained network, along two directions, with optimizers' paths on it."""

from __future__ import annotations

import copy
import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor import nn
from microtensor.lab import plot
from microtensor.lab.data import Dataset
from microtensor.lab.optimizers import BEYOND, OPTIMIZERS, Recipe
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.style import INK, optimizer_style, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Loss = Callable[[mt.Tensor, mt.Tensor], mt.Tensor]

_LEVELS = 16
_HOLDS_PATHS = 0.5


@dataclass(frozen=True, eq=False)
class Path:
    """The weights of a network while an optimizer trains it.

    Attributes:
        name: the optimizer's name.
        label: its name and rate.
        weights: all parameters one after another, (moments, numbers).
        losses: the loss at each moment.
    """

    name: str
    label: str
    weights: Floats
    losses: Floats


def loss_landscape(
    model: nn.Module,
    loss: Loss,
    data: Dataset | tuple[Any, Any],
    optimizers: Sequence[str | Recipe] = ("sgd", "momentum", "adam"),
    *,
    start: nn.Module | None = None,
    steps: int = 100,
    rates: Sequence[float] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    points: int = 31,
    seed: int = 0,
    command: str = "",
) -> Result:
    """Draw the loss around a trained network, and how optimizers get there from one start.

    Two planes through the trained weights are drawn. The first is spanned by the two principal
    components of the optimizers' paths, which shows the paths but says little of the sharpness.
    The second by two random directions, of which each row of a weight matrix (a unit's incoming
    weights: a filter) is scaled to the norm of the network's own and biases are left alone, so
    that landscapes of different networks can be compared (Li et al. 2018). Random directions are
    almost at right angles to any path: little of it is seen there, and the share is told.

    Args:
        model: the trained network; it is not changed.
        loss: takes the network's output and the targets, and returns a scalar.
        data: rows and targets, (x, y), or a :class:`Dataset`.
        optimizers: names, or :class:`Recipe` objects, whose paths are drawn.
        start: the network from which they start; by default one like the model with fresh weights
            from `seed`.
        steps: of each, with all rows.
        rates: to choose from for each, by the last loss.
        points: of the grid, in each direction.
        seed: of the random directions and the start.
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result with both pictures, a table of the paths, and two verdicts: the trained network
        is the lowest point of the random plane; the first plane holds the better part of the paths.

    Raises:
        ValueError: a loss that is no scalar or not finite; NaN in the data; an unknown optimizer
            (the legal ones are listed); networks that differ; a grid of fewer than 5 points.
        TypeError: no Module, or a loss that returns no tensor.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import lab, nn
        >>> _ = mt.manual_seed(0)
        >>> model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
        >>> rows = lab.load("moons")
        >>> x, y = rows.x[:64].astype("float32"), rows.y[:64]
        >>> around = lab.loss_landscape(model, nn.CrossEntropyLoss(), (x, y), points=5, steps=5)
        >>> sorted(around.figures)
        ['loss_landscape', 'loss_landscape_random']

    References:
        Li, Xu, Taylor, Studer & Goldstein 2018, Visualizing the loss landscape of neural nets,
        arXiv:1712.09913.
    """
    started = time.perf_counter()
    if not isinstance(model, nn.Module):
        raise TypeError(f"loss_landscape: model must be a Module, got {type(model).__name__}")
    if points < 5 or steps < 2:
        raise ValueError(
            f"loss_landscape: points must be at least 5 and steps 2, got {points} and {steps}"
        )
    recipes = _recipes(optimizers)
    double = copy.deepcopy(model).double()
    x, target = _rows(data)
    centre = _flat(double)
    lowest = _loss_at(double, loss, x, target)
    began = _start(double, start, seed)
    paths = [_best_path(recipe, began, loss, x, target, steps, rates) for recipe in recipes]
    principal = _principal(paths, centre)
    random = _filtered(double, seed)
    planes = []
    for kind, ways in (("pca", principal), ("random", random)):
        spots = [_projected(path.weights - centre, ways) for path in paths]
        reach = _reach(spots) if kind == "pca" else (-1.0, 1.0, -1.0, 1.0)
        planes.append(
            _Plane(kind, ways, spots, *_grid(double, loss, x, target, ways, reach, points))
        )
    shares = {plane.kind: [_share(path, centre, plane.ways) for path in paths] for plane in planes}
    verdicts = [
        lowest_verdict(planes[1].losses, lowest, command),
        holds_paths_verdict(shares["pca"], command),
    ]
    records = [
        {
            "optimizer": path.label,
            "first": float(path.losses[0]),
            "last": float(path.losses[-1]),
            "pca": shares["pca"][index],
            "random": shares["random"][index],
        }
        for index, path in enumerate(paths)
    ]
    table = Table(
        "loss_landscape",
        f"Paths of {steps} steps from one start; the trained network's loss is {lowest:.3g}",
        records,
        [
            Column("optimizer", lambda row: row["optimizer"], right=False),
            Column("first loss", lambda row: f"{row['first']:.3g}"),
            Column("last loss", lambda row: f"{row['last']:.3g}"),
            Column("seen in the plane of the paths", lambda row: f"{100 * row['pca']:.0f} %"),
            Column("in the random plane", lambda row: f"{100 * row['random']:.1f} %"),
        ],
        caption="Seen: share of a path's squared distance from the trained network that lies in "
        "the plane. Rates: the ones with the lowest last loss.",
    )
    return Result(
        "loss_landscape",
        tables=[table],
        verdicts=verdicts,
        pictures={
            "loss_landscape": functools.partial(_picture, planes[0], paths, lowest),
            "loss_landscape_random": functools.partial(_picture, planes[1], paths, lowest),
        },
        settings={
            "parameters": len(centre), "rows": len(x), "steps": steps, "rates": list(rates),
            "points": points, "seed": seed, "optimizers": [one.name for one in recipes],
        },
        seconds={"loss_landscape": time.perf_counter() - started},
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Plane:
    kind: Literal["pca", "random"] | str
    ways: Floats
    spots: list[Floats]
    across: Floats
    up: Floats
    losses: Floats


def lowest_verdict(losses: Floats, lowest: float, command: str = "") -> Verdict:
    """Judge whether nothing in the random plane lies below the trained network."""
    return Verdict(
        "the trained network is the lowest point of the random plane",
        lowest - float(np.nanmin(losses)),
        1e-3 * abs(lowest) + 1e-9,
        detail=f"its loss {lowest:.3g} less the lowest of the grid of {losses.size} points; "
        "required within a thousandth",
        command=command,
    )


def holds_paths_verdict(shares: Sequence[float], command: str = "") -> Verdict:
    """Judge whether two principal components hold the better part of the paths."""
    return Verdict(
        "two principal components hold the better part of the paths",
        min(shares),
        _HOLDS_PATHS,
        ">=",
        detail="share of squared distances from the trained network that lies in their plane, the "
        f"least of {len(shares)} paths",
        command=command,
    )


def _recipes(given: Sequence[str | Recipe]) -> list[Recipe]:
    known = {**OPTIMIZERS, **BEYOND}
    if isinstance(given, (str, Recipe)):
        given = (given,)
    if not given:
        raise ValueError(f"loss_landscape: no optimizer given; known are: {', '.join(known)}")
    for one in given:
        if not isinstance(one, Recipe) and one not in known:
            raise ValueError(
                f"loss_landscape: unknown optimizer {one!r}; known are: {', '.join(known)}"
            )
    return [one if isinstance(one, Recipe) else known[one] for one in given]


def _rows(data: Any) -> tuple[mt.Tensor, mt.Tensor]:
    if isinstance(data, Dataset):
        data = (data.x, data.y)
    if not isinstance(data, tuple) or len(data) != 2:
        raise TypeError("loss_landscape: data must be a pair (x, y) or a lab.Dataset")
    x, y = (one.detach().numpy() if isinstance(one, mt.Tensor) else np.asarray(one) for one in data)
    x = np.ascontiguousarray(x, np.float64)
    if not np.isfinite(x).all():
        raise ValueError(
            f"loss_landscape: {int((~np.isfinite(x)).sum())} NaN or infinite values in the data"
        )
    if len(x) != len(y):
        raise ValueError(f"loss_landscape: {len(x)} rows, but {len(y)} targets")
    target = np.ascontiguousarray(y, np.float64 if y.dtype.kind == "f" else np.int64)
    return mt.tensor(x), mt.tensor(target)


def _loss_at(model: nn.Module, loss: Loss, x: mt.Tensor, target: mt.Tensor) -> float:
    with mt.no_grad():
        value = loss(model(x), target)
    if not isinstance(value, mt.Tensor):
        raise TypeError(f"loss_landscape: loss must return a tensor, got {type(value).__name__}")
    if value.numel() != 1:
        raise ValueError(f"loss_landscape: loss must be a scalar, got shape {tuple(value.shape)}")
    if not math.isfinite(value.item()):
        raise ValueError(f"loss_landscape: the network's loss is {value.item()}")
    return value.item()


def _flat(model: nn.Module) -> Floats:
    return np.concatenate([one.detach().numpy().ravel() for one in model.parameters()])


def _set(model: nn.Module, weights: Floats) -> None:
    at = 0
    with mt.no_grad():
        for one in model.parameters():
            one.copy_(mt.tensor(weights[at : at + one.numel()].reshape(tuple(one.shape))))
            at += one.numel()


def _start(double: nn.Module, start: nn.Module | None, seed: int) -> nn.Module:
    if start is not None:
        began = copy.deepcopy(start).double()
        if [tuple(p.shape) for p in began.parameters()] != [
            tuple(p.shape) for p in double.parameters()
        ]:
            raise ValueError("loss_landscape: start must have parameters of the model's shapes")
        return began
    began = copy.deepcopy(double)
    draw = np.random.default_rng(seed_for(seed, "start"))
    fresh = []
    for one in began.parameters():  # as Linear draws its own: within 1/√inputs
        reach = 1 / math.sqrt(one.shape[-1])
        fresh.append(draw.uniform(-reach, reach, one.numel()))
    _set(began, np.concatenate(fresh))
    return began


def _best_path(
    recipe: Recipe,
    began: nn.Module,
    loss: Loss,
    x: mt.Tensor,
    target: mt.Tensor,
    steps: int,
    rates: Sequence[float],
) -> Path:
    """Return the path at the rate with the lowest last loss."""
    tried = []
    for rate in rates:
        model = copy.deepcopy(began)
        optimizer = recipe.make(model.parameters(), rate)
        weights, losses = [_flat(model)], []
        for _ in range(steps):
            optimizer.zero_grad()
            value = loss(model(x), target)
            losses.append(value.item())
            if not math.isfinite(losses[-1]):
                break
            value.backward()
            optimizer.step()
            weights.append(_flat(model))
        else:
            with mt.no_grad():
                losses.append(loss(model(x), target).item())
        last = losses[-1] if math.isfinite(losses[-1]) else math.inf
        tried.append((last, rate, np.array(weights), np.array(losses)))
    last, rate, path, found = min(tried, key=lambda one: one[0])
    if math.isinf(last):
        raise ValueError(f"loss_landscape: {recipe.label} diverges at every rate of {list(rates)}")
    return Path(recipe.name, f"{recipe.label}, η {rate:g}", path, found)


def _principal(paths: Sequence[Path], centre: Floats) -> Floats:
    """Return two orthonormal directions, (2, numbers): of all paths' distances from the centre."""
    away = np.concatenate([path.weights - centre for path in paths])
    ways: Floats = np.linalg.svd(away, full_matrices=False)[2][:2]
    return ways


def _filtered(model: nn.Module, seed: int) -> Floats:
    """Return two random directions, each row of a matrix as long as the network's own."""
    draw = np.random.default_rng(seed_for(seed, "directions"))
    ways: list[Floats] = []
    for _ in range(2):
        parts: list[Floats] = []
        for one in model.parameters():
            own = one.detach().numpy()
            drawn = np.asarray(draw.standard_normal(own.shape))
            if own.ndim < 2:  # biases and the like stay
                drawn = np.zeros_like(own)
            else:
                rows = tuple(range(1, own.ndim))
                size = np.sqrt((drawn**2).sum(rows, keepdims=True))
                drawn *= np.sqrt((own**2).sum(rows, keepdims=True)) / size
            parts.append(drawn.ravel())
        ways.append(np.concatenate(parts))
    stacked: Floats = np.stack(ways)
    return stacked


def _projected(away: Floats, ways: Floats) -> Floats:
    """Return the coordinates of the nearest points of the plane, (points, 2)."""
    return np.asarray(np.linalg.lstsq(ways.T, away.T, rcond=None)[0].T, np.float64)


def _share(path: Path, centre: Floats, ways: Floats) -> float:
    away = path.weights - centre
    inside = _projected(away, ways) @ ways
    return float((inside**2).sum() / max(float((away**2).sum()), 1e-300))


def _reach(spots: Sequence[Floats]) -> tuple[float, float, float, float]:
    every = np.vstack([*spots, np.zeros((1, 2))])
    low, high = every.min(0), every.max(0)
    margin = 0.18 * np.maximum(high - low, 1e-6)
    return (
        float(low[0] - margin[0]), float(high[0] + margin[0]),
        float(low[1] - margin[1]), float(high[1] + margin[1]),
    )  # fmt: skip


def _grid(
    double: nn.Module,
    loss: Loss,
    x: mt.Tensor,
    target: mt.Tensor,
    ways: Floats,
    reach: tuple[float, float, float, float],
    points: int,
) -> tuple[Floats, Floats, Floats]:
    across, up = np.linspace(*reach[:2], points), np.linspace(*reach[2:], points)
    centre = _flat(double)
    model = copy.deepcopy(double)
    losses = np.empty((points, points))
    with mt.no_grad():
        for row, high in enumerate(up):
            for column, far in enumerate(across):
                _set(model, centre + far * ways[0] + high * ways[1])
                losses[row, column] = loss(model(x), target).item()
    return across, up, np.where(np.isfinite(losses), losses, np.nan)


def _picture(plane: _Plane, paths: Sequence[Path], lowest: float) -> Figure:
    with styled():
        figure = plot.new_figure(6.8, 5.0)
        axes = figure.subplots()
        floor = max(float(np.nanmin(plane.losses)), 1e-12)
        levels = np.geomspace(floor, float(np.nanmax(plane.losses)), _LEVELS)
        axes.contourf(plane.across, plane.up, plane.losses, levels=levels, cmap="Blues",
                      norm="log", alpha=0.5, extend="both")  # fmt: skip
        drawn = axes.contour(plane.across, plane.up, plane.losses, levels=levels,
                             colors="#5c80a8", linewidths=0.5)  # fmt: skip
        axes.clabel(drawn, levels[1::3], fmt="%.2g", fontsize=8)
        ends = []
        for path, spots in zip(paths, plane.spots, strict=True):
            colour, dash = optimizer_style(path.name)
            axes.plot(*spots.T, dash, color=colour, linewidth=1.8)
            axes.plot(*spots[-1], "o", color=colour, markersize=5)
            ends.append((float(spots[-1, 1]), path.label, colour))
        axes.plot(0, 0, "*", color="white", markeredgecolor=INK, markersize=13, zorder=5)
        axes.plot(*plane.spots[0][0], "o", color="white", markeredgecolor=INK, markersize=6)
        axes.set(xlim=(plane.across[0], plane.across[-1]), ylim=(plane.up[0], plane.up[-1]))
        if plane.kind == "pca":
            axes.set(xlabel="first principal component of the paths", ylabel="second")
            axes.set_title("From one start (circle) towards the trained network (star), in the\n"
                           "plane of the paths' two principal components",
                           loc="left", fontweight="bold")  # fmt: skip
        else:
            axes.set(xlabel="first random direction, filter-normalised", ylabel="second")
            axes.set_title("Around the trained network (star), along two random directions,\n"
                           f"filter-normalised: from its loss {lowest:.2g} to "
                           f"{float(np.nanmax(plane.losses)):.2g}",
                           loc="left", fontweight="bold")  # fmt: skip
        plot.label_line_ends(axes, ends)
    return figure
