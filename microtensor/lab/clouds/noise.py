"""How far the gradient of a mini-batch is from that of all rows."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor.lab.clouds.batches import through
from microtensor.lab.data import Dataset, as_dataset, parts
from microtensor.lab.parallel import one_thread
from microtensor.lab.plot import label_line_ends, new_figure
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.statistics import mean_interval
from microtensor.lab.style import INK, styled
from microtensor.lab.train import mean_loss, network, tensors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

# How far the slope may be from 1.
_CLOSE = 0.05
_HIDDEN = 16
_MOMENTS = ("before training", "after a pass")
_COLOURS = ("#0072b2", "#d55e00")


def gradient_noise(
    data: str | Dataset | tuple[Any, Any] = "digits",
    *,
    rows: Literal["drawn", "neighbours"] = "drawn",
    groups: int = 10,
    draws: int = 96,
    quick: bool = False,
    seed: int = 0,
    command: str = "",
) -> Result:
    """Measure the variance of mini-batch gradients against the number of rows in a batch.

    If the B rows of a batch are drawn from N without replacement, the mean squared distance of
    its gradient from that of all rows is (σ²/B) · (N − B)/(N − 1), σ² being the one of single
    rows. The logarithm of what is measured is fitted by a line over that of (1/B)(N − B)/(N − 1),
    whose slope should be 1; groups of draws, each with a line of its own, give its interval.

    Args:
        data: the name of a data set with classes, a :class:`microtensor.lab.Dataset`, or a pair
            (x, y). Of its training rows as many are used as make N a power of two.
        rows: ``"drawn"`` at random, or ``"neighbours"`` in the order of their classes, as in a
            file that nobody shuffled; then more rows are hardly less noisy.
        groups: of draws, at least 3.
        draws: batches of each size in a group.
        quick: whether a quarter of the draws will do.
        seed: decides everything that is drawn.
        command: what repeats it, for the verdicts.

    Returns:
        A result with a picture, a table by batch size, and two verdicts on the slope: before
        training and after a pass over the data.

    Raises:
        ValueError: an unknown data set, one without classes, unknown ``rows``, or too few groups.

    Example:
        >>> gradient_noise(quick=True).verdict.status
        'holds'
    """
    if rows not in ("drawn", "neighbours"):
        raise ValueError(f"gradient_noise: rows must be 'drawn' or 'neighbours', got {rows!r}")
    if groups < 3 or draws < 1:
        raise ValueError(
            f"gradient_noise: groups must be at least 3 and draws 1, got {groups} and {draws}"
        )
    draws = max(1, draws // 4) if quick else draws
    given = as_dataset(data, seed)
    if not given.classes:
        raise ValueError(f"gradient_noise: {given.name} has no classes")
    training = parts(given, seed, seed_for(seed, "noise"))[0]
    count = 2 ** int(math.log2(len(training.y)))
    x, target = (one.numpy()[:count] for one in tensors(training, given.outputs, mt.float64))
    if rows == "neighbours":
        order = np.argsort(training.y[:count], kind="stable")
        x, target = x[order], target[order]
    model = network([x.shape[1], _HIDDEN, given.outputs], "tanh", seed_for(seed, "weights"),
                    orthogonal=False, dtype=mt.float64)  # fmt: skip
    records: list[dict[str, Any]] = []
    slopes: dict[str, list[float]] = {}
    for moment in _MOMENTS:
        draw = np.random.default_rng(seed_for(seed, "draws", moment))
        with one_thread():
            if moment == "after a pass":
                _train(model, x, target)
            found, measured = _measure(model, x, target, rows == "drawn", groups, draws, draw)
        records += [{"moment": moment, **one} for one in found]
        slopes[moment] = measured
    return Result(
        "gradient_noise",
        tables=[_table(records, given.name, count, groups * draws)],
        verdicts=[_verdict(moment, slopes[moment], given.name, command) for moment in _MOMENTS],
        pictures={"gradient_noise": functools.partial(_picture, records, slopes)},
        settings={
            "data": given.name, "rows": rows, "count": count, "groups": groups, "draws": draws,
            "hidden": _HIDDEN, "seed": seed,
        },
    )  # fmt: skip


def _train(model: Any, x: Any, target: Any) -> None:
    optimizer = mt.optim.SGD(model.parameters(), lr=0.3)

    def step(rows: mt.Tensor, wanted: mt.Tensor) -> mt.Tensor:
        optimizer.zero_grad()
        loss = mean_loss(model(rows), wanted)
        loss.backward()
        optimizer.step()
        return loss

    through(step)((x, target), 32)


def _measure(
    model: Any, x: Any, target: Any, drawn: bool, groups: int, draws: int, draw: Any
) -> tuple[list[dict[str, Any]], list[float]]:
    """Return a record for each batch size, and the slope of each group's line."""
    parameters = list(model.parameters())

    def gradient(rows: mt.Tensor, wanted: mt.Tensor) -> mt.Tensor:
        found = mt.autograd.grad(mean_loss(model(rows), wanted), parameters)
        return mt.cat([one.reshape(-1) for one in found if one is not None])

    of = through(gradient)
    count = len(x)
    whole = of((x, target), count)[0].numpy().copy()
    length = float(np.linalg.norm(whole))
    sizes = 2 ** np.arange(int(math.log2(count)))
    squares = np.empty((groups, len(sizes)))
    cosines = np.empty((groups, len(sizes)))
    for place, size in enumerate(sizes.tolist()):
        found = np.empty((groups * draws, len(whole)))
        picked = np.concatenate([_pick(count, size, drawn, draw) for _ in range(groups * draws)])
        for index, one in enumerate(of((x[picked], target[picked]), size)):
            found[index] = one.numpy()
        away = ((found - whole) ** 2).sum(1)
        along = found @ whole / (np.linalg.norm(found, axis=1) * length)
        squares[:, place] = away.reshape(groups, draws).mean(1)
        cosines[:, place] = along.reshape(groups, draws).mean(1)
    factor = (count - sizes) / (sizes * (count - 1.0))
    slopes = [float(np.polyfit(np.log(factor), np.log(one), 1)[0]) for one in squares]
    single = _of_single_rows(of, x, target, whole)
    records = [
        {
            "size": int(size),
            "factor": float(factor[place]),
            "noise": float(squares[:, place].mean()),
            "theory": float(single * factor[place]),
            "relative": math.sqrt(squares[:, place].mean()) / length,
            "cosine": float(cosines[:, place].mean()),
        }
        for place, size in enumerate(sizes.tolist())
    ]
    return records, slopes


def _of_single_rows(of: Any, x: Any, target: Any, whole: Floats) -> float:
    """Return σ²: the mean squared distance over all rows, each once."""
    return math.fsum(float(((one.numpy() - whole) ** 2).sum()) for one in of((x, target), 1)) / len(
        x
    )


def _pick(count: int, size: int, drawn: bool, draw: Any) -> NDArray[np.int64]:
    if drawn:
        picked: NDArray[np.int64] = draw.choice(count, size, replace=False)
        return picked
    return (int(draw.integers(count)) + np.arange(size)) % count


def _verdict(moment: str, slopes: Sequence[float], name: str, command: str) -> Verdict:
    slope, half = mean_interval(slopes)
    low, high = slope - half - 1, slope + half - 1
    return Verdict(
        f"{moment}, the variance of a mini-batch's gradient goes as (1/B)(N − B)/(N − 1)",
        abs(slope - 1),
        _CLOSE,
        interval=(max(low, -high, 0.0), max(-low, high)),
        detail=f"how far from 1 is the slope of the logarithms: {slope:.3f} ± {half:.3f} (95 % of "
        f"the mean of {len(slopes)} lines, each through draws of its own); {name}",
        command=command,
    )


def _table(records: Sequence[dict[str, Any]], name: str, count: int, draws: int) -> Table:
    shown = [one for one in records if math.log2(one["size"]) % 3 == 0]
    return Table(
        "gradient_noise",
        f"Gradients of mini-batches of {name}, N = {count}, against that of all rows",
        shown,
        [
            Column("", lambda row: row["moment"], right=False),
            Column("B", lambda row: f"{row['size']}"),
            Column("variance", lambda row: f"{row['noise']:.3g}"),
            Column("σ²/B · (N − B)/(N − 1)", lambda row: f"{row['theory']:.3g}"),
            Column("noise / ‖g‖", lambda row: f"{row['relative']:.3g}"),
            Column("cosine to g", lambda row: f"{row['cosine']:.2f}"),
        ],
        f"Mean squared distance over {draws} batches; g: the gradient of all rows; σ² from every "
        "row's gradient, each once. All sizes, 1, 2, 4, …, are in the file.",
        saved=records,
    )


def _picture(records: Sequence[dict[str, Any]], slopes: dict[str, list[float]]) -> Figure:
    with styled():
        figure = new_figure(7.2, 4.4)
        axes = figure.subplots()
        ends = []
        for moment, colour in zip(_MOMENTS, _COLOURS, strict=True):
            mine = [one for one in records if one["moment"] == moment]
            sizes = [one["size"] for one in mine]
            axes.plot(sizes, [one["theory"] for one in mine], color=colour)
            axes.plot(sizes, [one["noise"] for one in mine], "o", color=colour, fillstyle="none")
            ends.append((mine[-1]["theory"], moment, colour))
            simple = [mine[0]["theory"] / size for size in sizes]
            axes.plot(sizes, simple, color=INK, linewidth=0.8, linestyle=":")
        axes.set(xlabel="rows in a batch, B", ylabel="variance of the gradient")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        ticks = [one["size"] for one in records if one["moment"] == _MOMENTS[0]][::2]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.grid(True)
        middle = [float(np.mean(slopes[moment])) for moment in _MOMENTS]
        halves = all(abs(slope - 1) <= _CLOSE for slope in middle)
        lead = "Twice the rows, half the variance" if halves else "More rows are not so much better"
        axes.set_title(
            f"{lead}: slopes {middle[0]:.3f} and {middle[1]:.3f} of 1\n"
            "circles: measured; lines: theory; dotted: 1/B alone",
            loc="left",
        )
        label_line_ends(axes, ends)
    return figure
