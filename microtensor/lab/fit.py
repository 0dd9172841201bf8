"""One's own first experiment: a network on a table of numbers, with a live curve."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor import kernels, nn
from microtensor.lab import plot
from microtensor.lab.data import Dataset, dataset, part_rows, regression, scale_of
from microtensor.lab.optimizers import Recipe, recipes
from microtensor.lab.optional import require
from microtensor.lab.problems import Problem, task
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.style import FUNCTION, QUIET, optimizer_style, styled
from microtensor.lab.train import predicted
from microtensor.lab.trial import training_step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Whole numbers with more different values than this are amounts, not classes.
_MOST_CLASSES = 20
_ROWS, _COLUMNS = 10, 64


class Fit(Result):
    """What :func:`fit` returns: a result, and the network.

    Attributes:
        model: the network with the weights of its best validation loss; float32, and of
            standardised columns, which :meth:`predict` sees to.
        history: steps, training losses, validation losses, as they were measured.
    """

    model: nn.Module
    history: tuple[tuple[int, float, float], ...]
    _data: Dataset
    _scales: tuple[Any, Any, Any, Any]

    def predict(self, x: Any) -> NDArray[Any]:
        """Return the class or the number for each row, as they were given.

        Args:
            x: rows of numbers with the columns of the training data.

        Raises:
            ValueError: another number of columns.
        """
        values = np.asarray(x, np.float64)
        mean, deviation, middle, spread = self._scales
        if values.ndim != 2 or values.shape[1] != len(mean):
            raise ValueError(
                f"predict: x must be (rows, {len(mean)}), got shape {tuple(values.shape)}"
            )
        self.model.eval()
        with mt.no_grad():
            answers = self.model(mt.tensor((values - mean) / deviation, dtype=mt.float32))
        if self._data.classes:
            return np.asarray(self._data.classes)[predicted(answers)]
        numbers: NDArray[Any] = answers.numpy()[:, 0].astype(np.float64) * spread + middle
        return numbers


def fit(
    x: Any,
    y: Any,
    hidden: Sequence[int] = (32,),
    activation: str = "relu",
    optimizer: str | Recipe | Callable[..., Any] = "adam",
    *,
    lr: float | None = None,
    steps: int = 2000,
    batch: int = 32,
    every: int = 20,
    patience: int = 15,
    seed: int = 0,
    name: str = "data",
    live: bool = False,
) -> Fit:
    """Train a network on a table of numbers until the validation loss no longer falls.

    A quarter of the rows is set aside for the test, a quarter of the others for validation. Columns
    are standardised. Classes are told apart by cross-entropy, numbers by squared error; floats
    with fractions, or more than twenty different values, are numbers.

    Args:
        x: rows of numbers, (rows, columns): an array, nested lists or a DataFrame, of any dtype.
        y: a class or a number for each row.
        hidden: widths of the hidden layers; ``()`` is logistic or linear regression.
        activation: after each of them; see :func:`activation_names`.
        optimizer: a name, a :class:`Recipe`, or a function of parameters and ``lr``.
        lr: its learning rate; by default its own.
        steps: at most.
        batch: rows in each.
        every: steps between two measurements.
        patience: how many measurements without a lower validation loss end the training.
        seed: decides the parts, the weights and the batches.
        name: what tables call the data.
        live: whether the curve is shown while it grows.

    Returns:
        A result with the losses and the test score, and a verdict on whether the network does
        better than one who knows the frequency of classes, or the mean, only. Its ``model`` is
        the network, ``predict(x)`` its answers.

    Raises:
        ValueError: wrong shapes, NaN, an unknown activation or optimizer; legal ones are listed.
        TypeError: values that are not numbers.

    Example:
        >>> import numpy as np
        >>> from microtensor import lab
        >>> x = np.random.default_rng(0).normal(size=(200, 2))
        >>> fitted = lab.fit(x, np.where(x[:, 0] * x[:, 1] > 0, "same", "other"), lr=0.03)
        >>> fitted.verdict.status, str(fitted.predict([[1.0, 1.0]])[0])
        ('holds', 'same')
    """
    for what, number in (
        ("steps", steps),
        ("batch", batch),
        ("every", every),
        ("patience", patience),
    ):
        if number < 1:
            raise ValueError(f"fit: {what} must be at least 1, got {number}")
    data = _read(x, y, name)
    (recipe,) = recipes([optimizer])
    rate = recipe.default_rate if lr is None else lr
    if rate is None:
        raise ValueError(f"fit: {recipe.label} has no learning rate of its own; give lr")
    run = seed_for(seed, "fit")
    made = task(data, hidden=hidden, activation=activation, batch=batch, seed=seed)
    problem = made.make(run)
    started = time.perf_counter()
    with _shown(live, name) as show, np.errstate(all="ignore"):
        history = _descend(problem, recipe, rate, steps, every, patience, show)
    fitted = _result(
        data, problem, history, recipe, seed, run,
        settings={
            "hidden": list(hidden), "activation": activation, "optimizer": recipe.name, "lr": rate,
            "steps": steps, "batch": batch, "every": every, "patience": patience, "seed": seed,
        },
        seconds=time.perf_counter() - started,
    )  # fmt: skip
    return fitted


def _read(x: Any, y: Any, name: str) -> Dataset:
    values = np.asarray(y)
    if values.dtype.kind in "fiu":
        finite = values[np.isfinite(values)]
        many = len(np.unique(finite)) > _MOST_CLASSES
        if many or (values.dtype.kind == "f" and not np.all(finite == np.round(finite))):
            return regression(x, values, name, getattr(x, "columns", None))
    return dataset(x, values, name, getattr(x, "columns", None))


History = list[tuple[int, float, float]]


def _descend(
    problem: Problem,
    recipe: Recipe,
    rate: float,
    steps: int,
    every: int,
    patience: int,
    show: Callable[[History], None],
) -> History:
    """Train, and leave the weights of the best validation loss."""
    optimizer = recipe.make(problem.parameters, rate)
    closure = recipe.kind == "LBFGS"
    step = _with_closure(problem, optimizer) if closure else training_step(problem, optimizer)
    if kernels.backend == "native" and not closure:
        step = mt.capture(step)
    assert problem.batches is not None  # a table of numbers has rows
    drawn = problem.batches(steps)
    history: History = []
    best, waited = math.inf, 0
    kept = [one.detach().numpy().copy() for one in problem.parameters]
    for begin in [*range(0, steps, every), steps]:
        training, validation = problem.losses()
        history.append((begin, training, validation))
        show(history)
        if not math.isfinite(training + validation):
            break
        waited += 1
        if validation < best:
            best, waited = validation, 0
            kept = [one.detach().numpy().copy() for one in problem.parameters]
        if waited >= patience:
            break
        for index in range(begin, min(begin + every, steps)):
            step(*drawn[index])
    for parameter, values in zip(problem.parameters, kept, strict=True):
        parameter.detach().copy_(mt.from_numpy(values))
    return history


def _with_closure(problem: Problem, optimizer: Any) -> Callable[..., mt.Tensor]:
    def step(*batch: mt.Tensor) -> mt.Tensor:
        def closure() -> mt.Tensor:
            optimizer.zero_grad()
            loss = problem.loss(*batch)
            loss.backward()
            return loss

        answer: mt.Tensor = optimizer.step(closure)
        return answer

    return step


def _result(
    data: Dataset,
    problem: Problem,
    history: History,
    recipe: Recipe,
    seed: int,
    run: int,
    *,
    settings: dict[str, Any],
    seconds: float,
) -> Fit:
    assert problem.score is not None and problem.model is not None
    rows, _, test = part_rows(data, seed, run)
    mean, deviation = scale_of(data.x[rows])
    middle, spread = (None, None) if data.classes else scale_of(data.y[rows])
    score = problem.score()
    finite = [one for one in history if math.isfinite(one[2])]
    best = min(finite, key=lambda one: one[2]) if finite else history[0]
    record = {
        "data": data.name, "rows": len(data.y), "columns": data.x.shape[1],
        "optimizer": recipe.label, "lr": settings["lr"], "stopped_after": history[-1][0],
        "best_step": best[0], "training_loss": best[1], "validation_loss": best[2],
        "score": score, "score_kind": "accuracy" if data.classes else "R²",
        "diverged": len(finite) < len(history),
    }  # fmt: skip
    columns = [
        Column("data", lambda row: f"{row['data']} ({row['rows']}, {row['columns']})", right=False),
        Column("optimizer", lambda row: f"{row['optimizer']}, {row['lr']:g}", right=False),
        Column("stopped after", lambda row: f"{row['stopped_after']} steps"),
        Column("best at", lambda row: str(row["best_step"])),
        Column("training loss", lambda row: f"{row['training_loss']:.4g}"),
        Column("validation loss", lambda row: f"{row['validation_loss']:.4g}"),
        Column("test", lambda row: _score(row["score"], data)),
    ]
    made = Fit(
        "fit",
        tables=[Table("fit", "A network, trained until validation no longer got better", [record],
                      columns, "It diverged; the weights are of before." if record["diverged"]
                      else "The weights are those of the best validation loss.")],
        verdicts=[_verdict(data, score, rows, test, settings)],
        pictures={"fit": lambda: _picture(history, best, recipe, data, score)},
        settings=settings,
        seconds={"training": seconds},
    )  # fmt: skip
    made.model, made.history, made._data = problem.model, tuple(history), data
    made._scales = (mean, deviation, middle, spread)
    return made


def _score(score: float, data: Dataset) -> str:
    return f"{100 * score:.1f} % right" if data.classes else f"R² {score:.3f}"


def _verdict(
    data: Dataset,
    score: float,
    rows: NDArray[np.int64],
    test: NDArray[np.int64],
    settings: dict[str, Any],
) -> Verdict:
    """Judge whether the network does better than the one who knows no columns."""
    if data.classes:
        common = np.bincount(data.y[rows]).argmax()
        bar = float((data.y[test] == common).mean())
        # Two standard errors of a share: a wider one than usual, as the bar has its own.
        reach = 2 * math.sqrt(max(score * (1 - score), 1 / len(test)) / len(test))
        what = f"always says {data.classes[common]}"
    else:
        bar, what = 0.0, "always says the mean"
        reach = 2 * (1 - score) * math.sqrt(2 / len(test)) if score < 1 else 0.0
    given = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return Verdict(
        f"on rows it never saw, the network does better than who {what}",
        score,
        bar,
        ">=",
        interval=(score - reach, min(score + reach, 1.0)),
        detail=f"{'accuracy' if data.classes else 'R²'} on {len(test)} test rows, two standard "
        "errors",
        command=f"lab.fit(x, y, {given})",
    )


def _picture(
    history: History,
    best: tuple[int, float, float],
    recipe: Recipe,
    data: Dataset,
    score: float,
) -> Figure:
    steps, training, validation = np.array(history).T
    with styled():
        figure = plot.new_figure(7.2, 3.8)
        axes = figure.subplots()
        colour, _ = optimizer_style(recipe.name)
        colour = FUNCTION if colour == QUIET else colour
        axes.plot(steps, training, color=QUIET, linewidth=1.4)
        axes.plot(steps, validation, color=colour, linewidth=1.8)
        axes.plot(best[0], best[2], "o", color=colour, markersize=6)
        axes.set(yscale="log", xlabel="steps", ylabel="loss", xlim=(0, max(steps[-1], 1)))
        axes.grid(axis="y")
        axes.set_title(
            f"{data.name}: {_score(score, data)} on the test; lowest validation loss, "
            f"{best[2]:.3g}, after {best[0]} steps",
            loc="left",
        )
        ends = [(training[-1], "training", QUIET), (validation[-1], "validation", colour)]
        plot.label_line_ends(axes, [(float(end), what, tone) for end, what, tone in ends])
    return figure


@contextmanager
def _shown(live: bool, name: str) -> Iterator[Callable[[History], None]]:
    """Show the validation loss as it falls, where there is a terminal."""
    if not live:
        yield lambda history: None
        return
    shown = require("rich.live").Live(
        console=require("rich.console").Console(stderr=True), refresh_per_second=8
    )
    with shown:
        yield lambda history: shown.update(curve(history, name))


def curve(history: Sequence[tuple[int, float, float]], name: str = "data") -> str:
    """Return the validation loss as lines of text, on a logarithmic scale.

    Example:
        >>> print(curve([(0, 1.0, 1.0), (10, 0.1, 0.1)]).splitlines()[0])
        data: step 10, training 0.1, validation 0.1, lowest 0.1
    """
    losses = np.array([one[2] for one in history])
    losses = losses[np.isfinite(losses) & (losses > 0)]
    step, training, validation = history[-1]
    head = f"{name}: step {step}, training {training:.4g}, validation {validation:.4g}"
    if not len(losses):
        return head
    head += f", lowest {losses.min():.4g}"
    places = np.linspace(0, len(losses) - 1, min(_COLUMNS, len(losses))).round().astype(int)
    heights = np.log(losses[places])
    low, high = heights.min(), heights.max()
    rows = np.round((heights - low) / max(high - low, 1e-12) * (_ROWS - 1)).astype(int)
    lines = [
        "".join("●" if rows[column] == row else " " for column in range(len(rows))).rstrip()
        for row in reversed(range(_ROWS))
    ]
    labels = {0: f"{losses[places].max():9.3g}", _ROWS - 1: f"{losses[places].min():9.3g}"}
    return "\n".join([head, *(f"{labels.get(i, ' ' * 9)} ┤{line}" for i, line in enumerate(lines))])
