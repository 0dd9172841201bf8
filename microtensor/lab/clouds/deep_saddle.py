"""The third cloud, a real one: a deep linear network that starts near zero."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import microtensor as mt
from microtensor import nn
from microtensor.lab.clouds.bowl import Floats
from microtensor.lab.curvature import extreme_curvatures, hessian_product
from microtensor.lab.data import Dataset, as_dataset, standardise
from microtensor.lab.optimizers import OPTIMIZERS
from microtensor.lab.plot import label_line_ends, new_figure
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.statistics import mean_interval
from microtensor.lab.style import INK, optimizer_style, styled
from microtensor.lab.train import replayed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# On the plateau the loss has done less than this share of what it will do in all.
_WAITING = 0.1
# How small the gradient must be there, beside the largest; how steep the way down beside the way
# up; and what is left of a way down where training ends.
_FLAT, _DOWN, _SETTLED = 0.2, -0.1, -0.01


@dataclass(frozen=True, eq=False)
class Descent:
    """One run of plain descent.

    Attributes:
        losses: at every step, (steps + 1,).
        moments: the steps at which it was examined.
        low: the Hessian's least eigenvalue there.
        high: its largest.
        slope: the gradient's norm there.
    """

    losses: Floats
    moments: Floats
    low: Floats
    high: Floats
    slope: Floats

    @property
    def waiting(self) -> int:
        """How many steps the first plateau lasts."""
        done = (self.losses[0] - self.losses) / max(self.losses[0] - self.losses.min(), 1e-300)
        gone = done >= _WAITING
        return int(gone.argmax()) if gone.any() else len(self.losses) - 1

    @property
    def steepness(self) -> float:
        """λmin/λmax in the middle of the plateau; NaN if none of it was examined."""
        there = np.flatnonzero(self.moments <= self.waiting / 2)
        there = there[self.moments[there] > 0]
        return float(self.low[there[-1]] / self.high[there[-1]]) if len(there) else math.nan

    @property
    def flatness(self) -> float:
        """The gradient's norm in the middle of the plateau over the largest; NaN likewise."""
        there = np.flatnonzero((self.moments <= self.waiting / 2) & (self.moments > 0))
        return float(self.slope[there[-1]] / self.slope.max()) if len(there) else math.nan


def deep_saddle(
    data: str | Dataset | tuple[Any, Any] = "iris",
    *,
    depth: int = 3,
    width: int = 8,
    scale: float = 0.03,
    rates: dict[str, float] | None = None,
    steps: int = 2000,
    seeds: int = 5,
    quick: bool = False,
    seed: int = 0,
    command: str = "",
) -> Result:
    """Watch a deep linear network leave a saddle: its loss, and its Hessian's extreme eigenvalues.

    x ↦ W_L ⋯ W_1·x is one matrix, and its least squares have no minimum but the best. Yet in the
    weights there are saddles: at 0, where every gradient vanishes because all other factors do,
    and wherever the product has found some of the directions in the data, and not yet the others.
    From weights near 0 the loss waits, falls, waits again (Saxe, McClelland & Ganguli 2014). The
    Hessian is known by its products with vectors, its extreme eigenvalues by Lanczos' method.

    Args:
        data: a name, :class:`Dataset` or pair (x, y); classes are taken as columns of 0 and 1.
        depth: matrices.
        width: of the hidden layers.
        scale: of the initial weights: orthogonal matrices times this.
        rates: learning rates of ``"sgd"``, ``"momentum"`` and ``"adam"``, which are stated, not
            tuned: their steps are no ranking.
        steps: of each run, with all rows.
        seeds: runs of plain descent, each from its own weights.
        quick: whether the Hessian is looked at 25 times instead of 41.
        seed: decides the weights.
        command: what repeats it, for the verdicts.

    Raises:
        ValueError: no depth, width, steps or seeds; an unknown data set.

    Example:
        >>> result = deep_saddle(seeds=2, quick=True)
        >>> [verdict.status for verdict in result.verdicts][:1]
        ['holds']

    References:
        Saxe, McClelland & Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in
        deep linear neural networks, arXiv:1312.6120.
    """
    for name, value in (("depth", depth), ("width", width), ("steps", steps), ("seeds", seeds)):
        if value < 1:
            raise ValueError(f"deep_saddle: {name} must be at least 1, got {value}")
    chosen = {"sgd": 0.2, "momentum": 0.2, "adam": 0.01, **(rates or {})}
    set_ = as_dataset(data, seed)
    x = standardise(set_, [np.arange(len(set_.y))])[0].x
    classes = len(set_.classes)
    y = np.eye(classes)[set_.y] if classes else set_.y[:, None] / set_.y.std()
    y = y - y.mean(0)  # standardised columns cannot give a mean: there are no biases
    sizes = [x.shape[1], *[width] * (depth - 1), y.shape[1]]
    loss = functools.partial(_loss, mt.tensor(x), mt.tensor(y))
    # Denser at first: the first plateau is the shortest.
    shares = np.linspace(0, 1, 25 if quick else 41) ** 1.5
    moments = np.unique(np.round(shares * steps).astype(int))
    runs = []
    for run in range(seeds):
        weights = _weights(sizes, scale, seed_for(seed, "deep saddle", run))
        runs.append(_descend(loss, weights, chosen["sgd"], steps, moments.tolist()))
    paths = {"sgd": runs[0].losses}
    for name in ("momentum", "adam"):
        weights = _weights(sizes, scale, seed_for(seed, "deep saddle", 0))
        paths[name] = _losses(loss, weights, OPTIMIZERS[name].make(weights, chosen[name]), steps)
    return Result(
        "deep_saddle",
        tables=[_table(runs, set_.name)],
        verdicts=_verdicts(runs, command),
        pictures={"deep_saddle": functools.partial(_picture, runs, paths, chosen, depth)},
        settings={
            "data": set_.name, "sizes": sizes, "scale": scale, "rates": chosen, "steps": steps,
            "seeds": seeds, "moments": len(moments), "seed": seed, "dtype": "float64",
            "loss": "½ Σ (W_L ⋯ W_1·x − y)² / rows",
        },
    )  # fmt: skip


def _loss(x: mt.Tensor, y: mt.Tensor, weights: Sequence[mt.Tensor]) -> mt.Tensor:
    """Return half the mean squared error of the product of the weights."""
    made = x
    for weight in weights:
        made = made @ weight.T
    away = made - y
    return (away * away).sum() * (0.5 / len(x))


def _weights(sizes: Sequence[int], scale: float, seed: int) -> list[mt.Tensor]:
    generator = mt.Generator().manual_seed(seed)
    made = []
    for inputs, outputs in itertools.pairwise(sizes):
        weight = mt.empty(outputs, inputs, dtype=mt.float64)
        nn.init.orthogonal_(weight, scale, generator=generator)
        made.append(weight.requires_grad_())
    return made


def _stepping(
    loss: Callable[[Sequence[mt.Tensor]], mt.Tensor], weights: Sequence[mt.Tensor], optimizer: Any
) -> Callable[[], mt.Tensor]:
    def step() -> mt.Tensor:
        optimizer.zero_grad()
        value = loss(weights)
        value.backward()
        optimizer.step()
        return value

    return replayed(step)


def _losses(
    loss: Callable[[Sequence[mt.Tensor]], mt.Tensor],
    weights: Sequence[mt.Tensor],
    optimizer: Any,
    steps: int,
) -> Floats:
    """Return the loss at every step, (steps + 1,)."""
    step = _stepping(loss, weights, optimizer)
    found = [step().item() for _ in range(steps)]
    return np.array([*found, loss(weights).item()])


def _descend(
    loss: Callable[[Sequence[mt.Tensor]], mt.Tensor],
    weights: Sequence[mt.Tensor],
    rate: float,
    steps: int,
    moments: Sequence[int],
) -> Descent:
    step = _stepping(loss, weights, OPTIMIZERS["sgd"].make(weights, rate))
    numbers = sum(weight.numel() for weight in weights)
    losses, found = [], []
    for begin, end in itertools.pairwise((*moments, steps + 1)):
        value = loss(weights)
        slopes = mt.autograd.grad(loss(weights), weights, materialize_grads=True)
        size = math.hypot(
            *(float(np.linalg.norm(one.numpy())) for one in slopes if one is not None)
        )
        found.append((*extreme_curvatures(hessian_product(value, weights), numbers), size))
        losses += [step().item() for _ in range(begin, end)]
    low, high, slope = np.array(found).T
    return Descent(np.array(losses), np.array(moments, np.float64), low, high, slope)


def _verdicts(runs: Sequence[Descent], command: str) -> list[Verdict]:
    many = f"{len(runs)} runs from different weights, 95 % t interval"
    flat, flat_interval = _over([one.flatness for one in runs])
    down, down_interval = _over([one.steepness for one in runs])
    left, left_interval = _over([float(one.low[-1] / one.high[-1]) for one in runs])
    waits = [one.waiting for one in runs]
    return [
        Verdict(
            "on the first plateau the Hessian has a negative eigenvalue: it is a saddle",
            down,
            _DOWN,
            interval=down_interval,
            detail=f"λmin/λmax in the middle of the plateau, which lasts {min(waits)} to "
            f"{max(waits)} steps; {many}",
            command=command,
        ),
        Verdict(
            "there the gradient has all but vanished",
            flat,
            _FLAT,
            interval=flat_interval,
            detail=f"its norm over the largest on the way; {many}",
            command=command,
        ),
        Verdict(
            "where training ends no direction leads down any more",
            left,
            _SETTLED,
            ">=",
            interval=left_interval,
            detail=f"λmin/λmax after the last step; {many}",
            command=command,
        ),
    ]


def _over(values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    mean, half = mean_interval(values)
    return mean, (mean - half, mean + half) if math.isfinite(half) else None


def _table(runs: Sequence[Descent], name: str) -> Table:
    records = [
        {
            "run": index,
            "first": float(one.losses[0]),
            "last": float(one.losses[-1]),
            "waiting": one.waiting,
            "lowest": float(one.low.min()),
            "lowest_at": int(one.moments[one.low.argmin()]),
            "end_low": float(one.low[-1]),
            "end_high": float(one.high[-1]),
        }
        for index, one in enumerate(runs)
    ]
    return Table(
        "deep_saddle",
        f"Plain descent of a deep linear network on {name}, from weights near zero",
        records,
        [
            Column("run", lambda row: str(row["run"])),
            Column("first loss", lambda row: f"{row['first']:.4f}"),
            Column("last loss", lambda row: f"{row['last']:.4f}"),
            Column("first plateau, steps", lambda row: str(row["waiting"])),
            Column("least λmin", lambda row: f"{row['lowest']:.3f}"),
            Column("at step", lambda row: str(row["lowest_at"])),
            Column("last λmin", lambda row: f"{row['end_low']:.1e}"),
            Column("last λmax", lambda row: f"{row['end_high']:.3f}"),
        ],
        f"First plateau: until the loss has done {100 * _WAITING:.0f} % of what it does in all.",
        saved=[
            {"run": index, "step": int(step), "loss": float(one.losses[int(step)]),
             "low": low, "high": high, "gradient": slope}
            for index, one in enumerate(runs)
            for step, low, high, slope in zip(
                one.moments, one.low.tolist(), one.high.tolist(), one.slope.tolist(), strict=True
            )
        ],
    )  # fmt: skip


def _picture(
    runs: Sequence[Descent], paths: dict[str, Floats], rates: dict[str, float], depth: int
) -> Figure:
    labels = {"sgd": "Gradient descent", "momentum": "Momentum", "adam": "Adam"}
    plain, _ = optimizer_style("sgd")
    with styled():
        figure = new_figure(7.5, 6.4)
        above, below = figure.subplots(2, 1, sharex=True)
        steps = len(runs[0].losses) - 1
        ends = []
        for name, losses in paths.items():
            colour, line = optimizer_style(name)
            above.plot(losses, color=colour, linestyle=line, linewidth=1.8)
            ends.append((float(losses[-1]), f"{labels[name]}, η {rates[name]:g}", colour))
        for one in runs[1:]:
            above.plot(one.losses, color=plain, linewidth=0.6, alpha=0.35)
            below.plot(one.moments, one.low, color=plain, linewidth=0.6, alpha=0.35)
        first = runs[0]
        below.plot(first.moments, first.high, color=plain, linestyle="--", linewidth=1.4)
        below.plot(first.moments, first.low, color=plain, marker=".", linewidth=1.8)
        below.set_yscale("symlog", linthresh=0.1)
        below.axhline(0, color=INK, linewidth=0.8)
        below.set(xlabel="steps", ylabel="eigenvalues of the Hessian")
        above.set(ylabel="loss", xlim=(0, steps))
        for axes in (above, below):
            axes.grid(True)
        above.set_title(
            f"{depth} matrices, started near zero: the loss waits on saddles, and falls between\n"
            "thin lines: gradient descent from other weights",
            loc="left",
        )
        settled = first.low[-1] >= _SETTLED * first.high[-1]
        below.set_title(
            "Where the loss waits, the Hessian has a negative eigenvalue; at the end "
            f"{'none' if settled else 'it has one still'}\n(gradient descent)",
            loc="left",
        )
        label_line_ends(above, ends)
        label_line_ends(
            below,
            [(float(first.high[-1]), "λmax", plain), (float(first.low[-1]), "λmin", plain)],
        )
    return figure
