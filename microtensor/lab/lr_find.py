"""A learning rate suggested before training: from a range test and from the steepest curvature."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor import kernels, nn
from microtensor.lab.curvature import extreme_curvatures, hessian_product
from microtensor.lab.data import Dataset
from microtensor.lab.optimizers import Recipe, recipes
from microtensor.lab.parallel import one_thread
from microtensor.lab.plot import new_figure
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.statistics import mean_interval
from microtensor.lab.style import INK, QUIET, optimizer_style, styled
from microtensor.lab.train import batches

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Loss = Callable[[mt.Tensor, mt.Tensor], mt.Tensor]

# The suggestion lies half a decade below the rate with the lowest loss: there it was about to rise.
_BELOW = math.sqrt(10)
# The test ends when the smoothed loss is so many times what it was at first.
_LEAPT = 4.0
_MEMORY = 0.8
_SWEEPS, _TRAININGS = 3, 4
# Of the best decrease of the loss, the suggested rate should bring so much.
_GOOD = 0.8
# Beside the suggested rate these multiples of it are trained with.
_MULTIPLES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
# Hessian-vector products, each kept as a vector: λmax needs two digits, and is exact to more.
_PRODUCTS = 30
# Rows whose loss is looked at for curvature, and after training.
_MOST_ROWS = 1024


class RateSearch(Result):
    """What :func:`lr_find` returns: a Result with the rate and where it comes from.

    Attributes:
        suggestion: the learning rate.
        lowest: the rate with the lowest smoothed loss in the range test.
        sharpness: λmax, the largest eigenvalue of the loss's Hessian at the start; NaN for an
            optimizer other than plain SGD, of whose steps it says nothing.
    """

    suggestion: float
    lowest: float
    sharpness: float


def lr_find(
    model: nn.Module,
    loss: Loss,
    data: Dataset | tuple[Any, Any],
    *,
    optimizer: str | Recipe = "sgd",
    low: float = 1e-4,
    high: float = 100.0,
    steps: int = 100,
    batch: int = 32,
    seed: int = 0,
    command: str = "",
) -> RateSearch:
    """Suggest a learning rate for a model, a loss and data; the model is not changed.

    A range test trains copies of the model on mini-batches while the rate rises geometrically
    from low to high; losses of three such sweeps are averaged and smoothed (exponentially, 0.8 of
    what was). Where the smoothed loss is lowest, the rate is about to be too large: the test's
    suggestion is 1/√10 of that one. For plain SGD, λmax of the Hessian at the start is found by
    Lanczos' method, from 30 Hessian-vector products: beyond 2/λmax descent in a bowl of that
    curvature diverges, and at 1/λmax a step leads straight to its bottom. **The suggestion is the
    smaller of the range test's and 1/λmax**, to two digits; for other optimizers it is the range
    test's.

    The verdict tries it: copies are trained for as many steps, on orders of rows that the search
    did not see, at the suggested rate and at 1/100 to 10 times that.

    Args:
        model: at the start of its training.
        loss: takes the model's output and the targets, and returns a scalar.
        data: rows and targets, (x, y), or a :class:`microtensor.lab.Dataset`. Numbers are taken in
            the dtype of the model's parameters.
        optimizer: a name, or a :class:`microtensor.lab.Recipe`.
        low: the rate at which the range test begins.
        high: the one at which it ends, if the loss does not leap before.
        steps: of each sweep, and of each training for the verdict; at least 20.
        batch: rows in each step.
        seed: of the orders of the rows.
        command: what the verdict names as the command that repeats it.

    Returns:
        A :class:`RateSearch`, with a picture of the test, a table of the trainings, and the
        verdict that the suggested rate brings at least 0.8 of the best decrease of the loss.

    Raises:
        ValueError: a loss that is no scalar or not finite at the start, NaN in the data, an unknown
            optimizer (the legal ones are listed), rates or steps that are none, or a model without
            parameters to be trained.
        TypeError: no Module, a loss that returns no tensor, or data that are no pair.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import lab, nn
        >>> _ = mt.manual_seed(0)
        >>> model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
        >>> found = lab.lr_find(model, nn.CrossEntropyLoss(), lab.load("moons"))
        >>> 0.1 < found.suggestion < 3
        True

    References:
        Smith 2017, Cyclical learning rates for training neural networks, arXiv:1506.01186 (the
        range test).
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"lr_find: model must be a Module, got {type(model).__name__}")
    if not 0 < low < high < math.inf:
        raise ValueError(f"lr_find: low must be above 0 and below high, got {low} and {high}")
    if steps < 20 or batch < 1:
        raise ValueError(f"lr_find: steps must be at least 20 and batch 1, got {steps} and {batch}")
    if len(found := recipes((optimizer,))) != 1 or found[0].kind == "LBFGS":
        raise ValueError("lr_find: LBFGS searches along lines itself, and has no rate to be found")
    recipe = found[0]
    search = _Search(model, loss, recipe, *_arrays(model, data), batch, seed)
    with one_thread():
        first = search.check()
        rates = np.geomspace(low, high, steps)
        losses = [search.sweep(rates, number) for number in range(_SWEEPS)]
        smooth = smoothed(np.mean(losses, 0))
        usable = len(smooth) if not (leapt := smooth > _LEAPT * smooth[0]).any() else leapt.argmax()
        place = int(np.nanargmin(smooth[: max(1, usable)]))
        lowest = float(rates[place])
        plain = recipe.kind == "SGD" and not recipe.settings.get("momentum")
        sharpness = search.sharpness() if plain else math.nan
        limit = 1 / sharpness if sharpness > 0 else math.inf
        suggestion = float(f"{min(lowest / _BELOW, limit):.2g}")
        tried = {
            multiple * suggestion: [search.train(multiple * suggestion, steps, run)
                                    for run in range(_TRAININGS)]
            for multiple in _MULTIPLES
        }  # fmt: skip
    records = [
        {
            "rate": rate, "multiple": multiple,
            "loss": math.fsum(ends) / len(ends) if np.isfinite(ends).all() else math.inf,
            "diverged": sum(not math.isfinite(end) for end in ends),
        }
        for multiple, (rate, ends) in zip(_MULTIPLES, tried.items(), strict=True)
    ]  # fmt: skip
    result = RateSearch(
        "lr_find",
        tables=[_table(records, recipe.label, first, steps)],
        verdicts=[_verdict(records, tried[suggestion], first, place == len(smooth) - 1, command)],
        pictures={
            "lr_find": functools.partial(
                _picture, rates, np.array(losses), smooth, lowest, sharpness, suggestion, recipe
            )
        },
        settings={
            "optimizer": recipe.name, "low": low, "high": high, "steps": steps, "batch": batch,
            "seed": seed, "suggestion": suggestion, "lowest": lowest,
            "sharpness": None if math.isnan(sharpness) else sharpness,
            "rows": len(search.x),
        },
    )  # fmt: skip
    result.suggestion, result.lowest, result.sharpness = suggestion, lowest, sharpness
    return result


def smoothed(losses: Floats) -> Floats:
    """Return exponential averages of losses, corrected for having begun with nothing.

    Example:
        >>> smoothed(np.array([1.0, 1.0])).round(12).tolist()
        [1.0, 1.0]
    """
    average, out = 0.0, np.empty(len(losses))
    for index, one in enumerate(losses):
        average = _MEMORY * average + (1 - _MEMORY) * one
        out[index] = average / (1 - _MEMORY ** (index + 1))
    return out


class _Search:
    """A model with its loss and data, of which copies are trained."""

    def __init__(
        self, model: nn.Module, loss: Loss, recipe: Recipe, x: Any, y: Any, batch: int, seed: int
    ) -> None:
        self.model, self.loss, self.recipe, self.x, self.y = model, loss, recipe, x, y
        self.batch, self.seed = batch, seed
        self.few = np.sort(
            np.random.default_rng(seed_for(seed, "some rows")).permutation(len(x))[:_MOST_ROWS]
        )

    def check(self) -> float:
        """Return the loss at the start; raise where it is none."""
        with mt.no_grad():
            value = self.loss(self.model(self._x), self._y)
        if not isinstance(value, mt.Tensor):
            raise TypeError(f"lr_find: loss must return a tensor, got {type(value).__name__}")
        if value.numel() != 1:
            raise ValueError(f"lr_find: loss must be a scalar, got shape {tuple(value.shape)}")
        if not math.isfinite(value.item()):
            raise ValueError(f"lr_find: the model's loss is {value.item()} before any step")
        return value.item()

    @property
    def _x(self) -> mt.Tensor:
        return mt.from_numpy(self.x[self.few])

    @property
    def _y(self) -> mt.Tensor:
        return mt.from_numpy(self.y[self.few])

    def _copy(self) -> tuple[nn.Module, Any, Callable[..., mt.Tensor]]:
        """Return a copy of the model, its optimizer, and a training step, as yet eager."""
        model = copy.deepcopy(self.model)
        optimizer = self.recipe.make([p for p in model.parameters() if p.requires_grad], 1.0)

        def step(rows: mt.Tensor, wanted: mt.Tensor) -> mt.Tensor:
            optimizer.zero_grad()
            value = self.loss(model(rows), wanted)
            value.backward()
            optimizer.step()
            return value

        return model, optimizer, step

    def _go(self, rates: Floats, seed: int) -> tuple[nn.Module, list[float]]:
        """Take a step at each rate, and return the trained copy and the losses before each."""
        orders = list(batches(len(self.x), self.batch, len(rates), seed))

        def run(wrap: Callable[..., Any]) -> tuple[nn.Module, list[float]]:
            # Dropout draws the same numbers in every sweep, and the user's stream goes on after.
            with mt.random.fork_rng():
                mt.manual_seed(seed)
                model, optimizer, step = self._copy()
                step = wrap(step)
                losses = []
                for rate, rows in zip(rates.tolist(), orders, strict=True):
                    for group in optimizer.param_groups:
                        group["lr"] = rate
                    value = step(mt.from_numpy(self.x[rows]), mt.from_numpy(self.y[rows])).item()
                    losses.append(value)
                    if not math.isfinite(value):
                        break
            return model, losses

        with np.errstate(all="ignore"):  # rates too large are part of the test
            if kernels.backend != "native":
                return run(lambda step: step)
            try:
                return run(mt.capture)
            except RuntimeError:  # a model or loss that cannot be replayed is run as it is
                return run(lambda step: step)

    def sweep(self, rates: Floats, number: int) -> Floats:
        """Return the loss at each rate, infinite after it was not finite."""
        _, losses = self._go(rates, seed_for(self.seed, "sweep", number))
        found = np.full(len(rates), math.inf)
        found[: len(losses)] = losses
        return np.where(np.isfinite(found), found, math.inf)

    def train(self, rate: float, steps: int, run: int) -> float:
        """Return the loss after training at one rate, infinite if it diverged."""
        model, _ = self._go(np.full(steps, rate), seed_for(self.seed, "training", run))
        with mt.no_grad(), np.errstate(all="ignore"):
            value = self.loss(model(self._x), self._y).item()
        return value if math.isfinite(value) else math.inf

    def sharpness(self) -> float:
        """Return the largest eigenvalue of the Hessian at the start."""
        model = copy.deepcopy(self.model).double()
        parameters = [one for one in model.parameters() if one.requires_grad]
        x, y = (one.double() if one.is_floating_point() else one for one in (self._x, self._y))
        size = sum(one.numel() for one in parameters)
        product = hessian_product(self.loss(model(x), y), parameters)
        _, high = extreme_curvatures(product, size, _PRODUCTS, seed_for(self.seed, "direction"))
        return high


def _arrays(model: nn.Module, data: Any) -> tuple[Any, Any]:
    """Return rows and targets as arrays, numbers in the model's dtype."""
    if isinstance(data, Dataset):
        data = (data.x, data.y)
    if not isinstance(data, tuple) or len(data) != 2:
        raise TypeError("lr_find: data must be a pair (x, y) or a lab.Dataset")
    trained = [one for one in model.parameters() if one.requires_grad]
    if not trained:
        raise ValueError("lr_find: the model has no parameters to be trained")
    kind = trained[0].detach().numpy().dtype
    x, y = (one.detach().numpy() if isinstance(one, mt.Tensor) else np.asarray(one) for one in data)
    if len(x) != len(y) or not len(x):
        raise ValueError(f"lr_find: {len(x)} rows, but {len(y)} targets")
    made = []
    for name, values in (("x", x), ("y", y)):
        if values.dtype.kind not in "fiub":
            raise TypeError(f"lr_find: {name} must hold numbers, got dtype {values.dtype}")
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise ValueError(f"lr_find: {bad} NaN or infinite values in {name}")
        whole = name == "y" and values.dtype.kind in "iub"
        made.append(np.ascontiguousarray(values, np.int64 if whole else kind))
    return made[0], made[1]


def _verdict(
    records: Sequence[dict[str, Any]],
    ends: Sequence[float],
    first: float,
    edge: bool,
    command: str,
) -> Verdict:
    best = min(records, key=lambda row: row["loss"])
    learned = first - best["loss"] > 1e-3 * abs(first)
    decrease = first - best["loss"] if learned else math.nan
    mean, half = mean_interval([(first - end) / decrease for end in ends])
    number = mean if math.isfinite(mean) else -math.inf  # a training that diverges is none
    return Verdict(
        "the suggested rate brings most of the decrease that the best rate does",
        number if learned else math.nan,
        _GOOD,
        ">=",
        interval=None if math.isnan(half) or not learned else (mean - half, mean + half),
        open_because="the range test ended before the loss rose: a larger rate was never tried"
        if edge
        else "",
        detail=(
            f"decrease of the loss from {first:.3g}, over that at {best['rate']:.2g}, the best of "
            f"{len(records)} rates from 1/100 to 10 times the suggested one; mean of {len(ends)} "
            "trainings on orders of rows of their own, with its 95 % interval"
            if learned
            else "at no rate from 1/100 to 10 times the suggested one the loss went down"
        ),
        command=command,
    )


def _table(records: Sequence[dict[str, Any]], label: str, first: float, steps: int) -> Table:
    return Table(
        "lr_find",
        f"{label}: loss after {steps} steps, from {first:.3g}",
        records,
        [
            Column("rate η", lambda row: f"{row['rate']:.2g}"),
            Column("of the suggested", lambda row: f"{row['multiple']:g}"),
            Column("loss", lambda row: f"{row['loss']:.3g}" if not row["diverged"] else "diverged"),
        ],
    )


def _picture(
    rates: Floats,
    losses: Floats,
    smooth: Floats,
    lowest: float,
    sharpness: float,
    suggestion: float,
    recipe: Recipe,
) -> Figure:
    with styled():
        figure = new_figure(7.2, 4.2)
        axes = figure.subplots()
        colour, _ = optimizer_style(recipe.name)
        for one in losses:
            axes.plot(rates, one, color=QUIET, linewidth=1, alpha=0.4)
        axes.plot(rates, smooth, color=colour, linewidth=2)
        first, least = float(smooth[0]), float(np.nanmin(smooth))
        room = max(first - least, 0.1 * abs(first))
        low, high = least - 0.25 * room, first + 1.0 * room
        axes.set(xscale="log", ylim=(low, high), xlim=(rates[0], rates[-1]))
        axes.set(xlabel="learning rate η", ylabel="loss of the mini-batch, smoothed")
        axes.plot(lowest, least, "o", color=colour, fillstyle="none")
        marks = [(suggestion, f"suggested: {suggestion:g}", INK, "-", "right", 0.93)]
        if rates[0] < 2 / sharpness < rates[-1]:  # not where there is no λmax
            marks += [(2 / sharpness, f"2/λmax: {2 / sharpness:.2g}", QUIET, ":", "left", 0.04)]
        for rate, text, ink, line, side, height in marks:
            axes.axvline(rate, color=ink, linewidth=1, linestyle=line)
            axes.annotate(text, (rate, height), (6 if side == "left" else -6, 0), color=ink,
                          xycoords=("data", "axes fraction"), textcoords="offset points",
                          ha=side, fontsize=9)  # fmt: skip
        axes.set_title(
            f"{recipe.label}: the loss is lowest at {lowest:.2g}; suggested is {suggestion:g}\n"
            f"grey: {len(losses)} sweeps; circle: the lowest of their smoothed mean",
            loc="left",
        )
        axes.grid(True)
    return figure
