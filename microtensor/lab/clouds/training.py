"""The fifth cloud on real data: how sharp the loss is while descent trains a network on digits."""

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
from microtensor.lab.plot import new_figure
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.statistics import mean_interval
from microtensor.lab.style import INK, optimizer_style, styled
from microtensor.lab.train import network, replayed

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Training:
    """One run of plain descent.

    Attributes:
        rate: its learning rate η.
        run: which of the initial weights it had.
        moments: the steps at which it was examined.
        losses: there.
        sharpness: the Hessian's largest eigenvalue there.
    """

    rate: float
    run: int
    moments: Floats
    losses: Floats
    sharpness: Floats

    @property
    def shares(self) -> Floats:
        """The sharpness in units of 2/η."""
        made: Floats = self.sharpness * self.rate / 2
        return made

    @property
    def passed(self) -> int | None:
        """The last moment of the first half with a sharpness above 2/η, if there is one."""
        above = np.flatnonzero((self.shares > 1) & (self.moments <= self.moments[-1] / 2))
        return int(above[-1]) if len(above) else None

    @property
    def onward(self) -> float:
        """The last loss over that at the moment above; infinite if the run diverged."""
        if self.passed is None:
            return math.nan
        last = float(self.losses[-1])
        return last / float(self.losses[self.passed]) if math.isfinite(last) else math.inf


def sharpness_in_training(
    data: str | Dataset | tuple[Any, Any] = "digits",
    *,
    rates: Sequence[float] = (0.2, 0.4, 0.8),
    rows: int = 200,
    width: int = 24,
    steps: int = 1200,
    seeds: int = 3,
    quick: bool = False,
    seed: int = 0,
    command: str = "",
) -> Result:
    """Follow the sharpness of the loss, λmax of its Hessian, while descent trains a network.

    On a quadratic, descent diverges where λmax is above 2/η. A network's loss is none: its
    sharpness changes on the way, and with all rows in each step it is often seen to rise to 2/η
    and to stay about there while the loss goes on falling, though not in every step (Cohen et al.
    2021). No threshold is claimed here. What is judged is whether runs that were above 2/η went
    on falling all the same; where sharpness stood beside 2/η is in the table.

    Args:
        data: a name, :class:`Dataset` or pair (x, y) of classes.
        rates: learning rates η.
        rows: of the data, all of which are in each step.
        width: units of each of two tanh layers.
        steps: of each run.
        seeds: runs at each rate, each from its own weights.
        quick: whether half of the steps will do.
        seed: decides weights and rows.
        command: what repeats it, for the verdict.

    Raises:
        ValueError: a rate that is not positive, or none; no rows, width, steps or seeds.

    Example:
        >>> result = sharpness_in_training(rates=(0.8,), rows=60, steps=200, seeds=1)
        >>> len(result.table.records)
        1

    References:
        Cohen, Kaur, Li, Kolter & Talwalkar 2021, Gradient descent on neural networks typically
        occurs at the edge of stability, arXiv:2103.00065.
    """
    if not rates or not all(0 < rate < math.inf for rate in rates):
        raise ValueError(f"sharpness_in_training: rates must be positive, got {tuple(rates)}")
    for name, value in (("rows", rows), ("width", width), ("steps", steps), ("seeds", seeds)):
        if value < 1:
            raise ValueError(f"sharpness_in_training: {name} must be at least 1, got {value}")
    set_ = as_dataset(data, seed)
    steps = max(1, steps // 2) if quick else steps
    chosen = np.random.default_rng(seed_for(seed, "sharpness")).permutation(len(set_.y))[:rows]
    part = standardise(set_, [chosen])[0]
    target = np.eye(len(set_.classes))[part.y]
    moments = np.unique(np.round(np.linspace(0, 1, 21) ** 2 * steps).astype(int)).tolist()
    sizes = [part.x.shape[1], width, width, target.shape[1]]
    runs = []
    for rate, run in itertools.product(rates, range(seeds)):
        model = network(
            sizes, "tanh", seed_for(seed, "sharpness", run), orthogonal=False, dtype=mt.float64
        )
        loss = functools.partial(_loss, model, mt.tensor(part.x), mt.tensor(target))
        runs.append(_train(model, loss, rate, run, moments))
    return Result(
        "sharpness_in_training",
        tables=[_table(runs, rates, set_.name)],
        verdicts=[_verdict(runs, set_.name, command)],
        pictures={"sharpness_in_training": functools.partial(_picture, runs, rates, set_.name)},
        settings={
            "data": set_.name, "rows": len(part.x), "sizes": sizes, "activation": "tanh",
            "rates": list(rates), "steps": steps, "seeds": seeds, "seed": seed,
            "loss": "½ Σ (outputs − classes as 0 and 1)² / rows", "dtype": "float64",
        },
    )  # fmt: skip


def _loss(model: nn.Module, x: mt.Tensor, target: mt.Tensor) -> mt.Tensor:
    away = model(x) - target
    return (away * away).sum() * (0.5 / len(x))


@np.errstate(all="ignore")  # a run that diverges is a result
def _train(
    model: nn.Module,
    loss: Callable[[], mt.Tensor],
    rate: float,
    run: int,
    moments: Sequence[int],
) -> Training:
    parameters = list(model.parameters())
    numbers = sum(one.numel() for one in parameters)
    optimizer = mt.optim.SGD(parameters, lr=rate)

    def one_step() -> mt.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value

    step = replayed(one_step)
    found = []
    for begin, end in itertools.pairwise((*moments, moments[-1])):
        value = loss()
        # The largest eigenvalue stands well apart: a dozen products are enough.
        _, high = extreme_curvatures(hessian_product(value, parameters), numbers, rounds=12)
        found.append((value.item(), high))
        for _ in range(begin, end):
            step()
    losses, sharpness = np.array(found).T
    return Training(rate, run, np.array(moments, np.float64), losses, sharpness)


def _verdict(runs: Sequence[Training], name: str, command: str) -> Verdict:
    above = [one for one in runs if one.passed is not None]
    number, interval = math.nan, None
    if above:
        with np.errstate(divide="ignore"):
            mean, half = mean_interval(np.log([one.onward for one in above]).tolist())
        number = math.exp(min(mean, 700.0))
        interval = (math.exp(mean - half), math.exp(mean + half)) if math.isfinite(half) else None
    return Verdict(
        f"on {name} a sharpness above 2/η is not the end: the loss goes on falling",
        number,
        1.0,
        interval=interval,
        detail="the last loss over the loss where the sharpness was above 2/η, the last moment of "
        f"the first half in which it was; geometric mean with 95 % t interval of the {len(above)} "
        f"of {len(runs)} runs that had one; no threshold is claimed",
        command=command,
    )


def _table(runs: Sequence[Training], rates: Sequence[float], name: str) -> Table:
    records = []
    for rate in rates:
        mine = [one for one in runs if one.rate == rate]
        records.append(
            {
                "rate": rate,
                "line": 2 / rate,
                "first": float(np.mean([one.sharpness[0] for one in mine])),
                "last": float(np.mean([one.sharpness[-1] for one in mine])),
                "share": float(np.mean([one.shares[-1] for one in mine])),
                "most": float(np.max([one.shares.max() for one in mine])),
                "above": sum(one.passed is not None for one in mine),
                "runs": len(mine),
                "loss": float(np.mean([one.losses[-1] for one in mine])),
            }
        )
    return Table(
        "sharpness_in_training",
        f"Sharpness on the way, training on {name}",
        records,
        [
            Column("rate η", lambda row: f"{row['rate']:g}"),
            Column("2/η", lambda row: f"{row['line']:.3g}"),
            Column("λmax at first", lambda row: f"{row['first']:.3g}"),
            Column("at last", lambda row: f"{row['last']:.3g}"),
            Column("at last · η/2", lambda row: f"{row['share']:.2f}"),
            Column("most · η/2", lambda row: f"{row['most']:.2f}"),
            Column("above 2/η", lambda row: f"{row['above']} of {row['runs']}"),
            Column("last loss", lambda row: f"{row['loss']:.3g}"),
        ],
        "Means over runs; above 2/η: in how many runs it was, at some moment of the first half.",
        saved=[
            {"rate": one.rate, "run": one.run, "step": int(step), "loss": loss, "sharpness": high}
            for one in runs
            for step, loss, high in zip(
                one.moments, one.losses.tolist(), one.sharpness.tolist(), strict=True
            )
        ],
    )


def _picture(runs: Sequence[Training], rates: Sequence[float], name: str) -> Figure:
    colour, _ = optimizer_style("sgd")
    with styled():
        figure = new_figure(max(4.5, 2.9 * len(rates)), 5.2)
        panels = figure.subplots(2, len(rates), sharex=True, sharey="row", squeeze=False)
        for column, rate in enumerate(rates):
            above, below = panels[:, column]
            for one in runs:
                if one.rate == rate:
                    # What diverges is drawn for as long as there is something to see.
                    seen = one.losses < 1e3 * one.losses[0]
                    above.plot(one.moments[seen], one.losses[seen], color=colour, linewidth=1.2)
                    below.plot(one.moments[seen], one.sharpness[seen], color=colour, linewidth=1.2)
            below.axhline(2 / rate, color=INK, linewidth=1, linestyle=":")
            below.annotate(
                f"2/η = {2 / rate:.3g}", (1, 2 / rate), xycoords=("axes fraction", "data"),
                xytext=(-2, 3), textcoords="offset points", ha="right", va="bottom", fontsize=9,
            )  # fmt: skip
            above.set(yscale="log")
            below.set(xlabel="steps")
            above.set_title(f"η = {rate:g}", loc="left")
            for axes in (above, below):
                axes.grid(True)
        # The top line needs room for its label.
        panels[1, 0].set_ylim(0, max(panels[1, 0].get_ylim()[1], 2.3 / min(rates)))
        panels[0, 0].set_ylabel("loss")
        panels[1, 0].set_ylabel("sharpness λmax")
        above = sum(one.passed is not None for one in runs)
        falling = all(one.onward < 1 for one in runs if one.passed is not None)
        figure.suptitle(
            f"Gradient descent on {name}: above 2/η in {above} of {len(runs)} runs"
            + (", and the loss falls on" if above and falling else ""),
            x=0.01,
            ha="left",
            fontsize=10,
        )
    return figure
