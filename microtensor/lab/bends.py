"""Every activation beside none: what the best A·x + b leaves of the same network."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import microtensor as mt
from microtensor import nn
from microtensor.lab import plot
from microtensor.lab.catalogue import Activation, Floats, chosen, known
from microtensor.lab.data import Dataset, as_datasets, call, standardise
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.style import ACTIVATIONS, CLASSES, INK, QUIET, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Shares of the outputs' variance. Rounding leaves an affine network less than the first; an
# activation that leaves less than the second does nothing worth a layer.
AFFINE = 1e-20
BENT = 1e-4
_ROWS = 500


def bends(
    names: Sequence[str] | None = None,
    datasets: Sequence[str | Dataset | tuple[Any, Any]] = (
        "moons",
        "circles",
        "digits",
        "breast_cancer",
    ),
    *,
    depth: int = 4,
    width: int = 16,
    seed: int = 0,
    command: str = "",
) -> Result:
    """Measure how far each activation takes a network from every A·x + b.

    Networks of the same random weights, with one activation after another between their layers,
    are fitted by the best affine map of their inputs (least squares); what it leaves of the
    variance of the outputs is the network's bend. Without activation it leaves nothing.

    Args:
        names: activations; by default all that act on each number alone.
        datasets: names, :class:`Dataset` objects or pairs (x, y).
        depth: Linear layers.
        width: units of the hidden ones.
        seed: decides weights and data.
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result with the bends by activation and data set, and two verdicts: without activation
        nothing is left on any data set; with each of the others something is on all of them.

    Raises:
        ValueError: an unknown name (the legal ones are listed), a depth below 2 or no width.

    Example:
        >>> from microtensor import lab
        >>> result = lab.bends(["identity", "tanh"], ["moons"])
        >>> [verdict.status for verdict in result.verdicts]
        ['holds', 'holds']
    """
    if depth < 2 or width < 1:
        raise ValueError(f"bends: depth must be at least 2 and width 1, got {depth} and {width}")
    found = chosen(names)
    data = as_datasets(datasets, seed)
    records: list[dict[str, Any]] = []
    grounds = [_ground(rows, seed) for rows in data]
    for one in found:
        left = {
            rows.name: _bend(one.name, rows, *ground, depth, width, seed)
            for rows, ground in zip(data, grounds, strict=True)
        }
        records.append({"name": one.name, "activation": one.label, "same": _same(one), **left})
    sets = [rows.name for rows in data]
    command = command or (
        f'python -c "from microtensor import lab; print(lab.bends({names and list(names)}, '
        f'{call(data)}, depth={depth}, width={width}, seed={seed}))"'
    )
    verdicts = []
    if any(row["same"] for row in records):
        verdicts.append(affine_verdict(records, sets, command))
    if not all(row["same"] for row in records):
        verdicts.append(bent_verdict(records, sets, command))
    columns = [Column("activation", lambda row: row["activation"], right=False)]
    columns += [Column(name, functools.partial(_shown, name)) for name in sets]
    table = Table(
        "bends",
        f"What the best A·x + b leaves of networks of {depth} layers, as a share of the variance",
        records,
        columns,
    )
    return Result(
        "bends",
        tables=[table],
        verdicts=verdicts,
        pictures={"bends": functools.partial(_picture, records, sets)},
        settings={"depth": depth, "width": width, "seed": seed, "datasets": sets},
    )


def affine_verdict(
    records: Sequence[Mapping[str, Any]], sets: Sequence[str], command: str = ""
) -> Verdict:
    """Judge whether without activation an affine map leaves nothing, on the worst data set."""
    left = [(row[name], row["activation"], name) for row in records if row["same"] for name in sets]
    worst, activation, where = max(left)
    return Verdict(
        "without an activation the best A·x + b leaves nothing of the network",
        worst,
        AFFINE,
        detail=f"share of the outputs' variance, the largest of {len(left)}: {activation} on "
        f"{where}; an activation that is the identity until it has learned counts as none",
        command=command,
    )


def bent_verdict(
    records: Sequence[Mapping[str, Any]], sets: Sequence[str], command: str = ""
) -> Verdict:
    """Judge whether with each activation it leaves something, by the least of all."""
    left = [
        (row[name], row["activation"], name) for row in records if not row["same"] for name in sets
    ]
    least, activation, where = min(left, key=lambda one: (not math.isnan(one[0]), one[0]))
    return Verdict(
        "with each activation the network is no A·x + b, on every data set",
        least,
        BENT,
        ">=",
        detail="share of the outputs' variance that the best one leaves, the least of "
        f"{len(left)}: {activation} on {where}",
        command=command,
    )


def _same(activation: Activation) -> bool:
    """Tell whether an activation is the identity, as a learned one may be at first."""
    x = np.linspace(-5, 5, 101)
    return bool((activation(x) == x).all())


def _ground(data: Dataset, seed: int) -> tuple[Floats, Floats]:
    """Return rows of a data set, and an orthonormal basis of all that is affine in them."""
    rows = np.random.default_rng(seed_for(seed, data.name, "bends")).permutation(len(data.y))
    x = standardise(data, [rows[:_ROWS]])[0].x
    basis, sizes, _ = np.linalg.svd(np.column_stack([x, np.ones(len(x))]), full_matrices=False)
    return x, basis[:, sizes > 1e-10 * sizes[0]]


def _bend(
    name: str, data: Dataset, x: Floats, basis: Floats, depth: int, width: int, seed: int
) -> float:
    generator = mt.Generator().manual_seed(seed_for(seed, data.name, "bends"))
    sizes = [x.shape[1], *[width] * (depth - 1), data.outputs]
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layer = nn.Linear(inputs, outputs, dtype=mt.float64)
        # He's: with it the signal reaches the bend of most activations.
        nn.init.normal_(layer.weight, 0.0, math.sqrt(2 / inputs), generator=generator)
        layers += [layer, known()[name].make().double().eval()]
        if layer.bias is not None:
            nn.init.normal_(layer.bias, 0.0, 0.5, generator=generator)
    with mt.no_grad():
        output = nn.Sequential(*layers[:-1])(mt.tensor(x)).numpy()
    spread = float(((output - output.mean(0)) ** 2).sum())
    if not math.isfinite(spread) or spread == 0:
        return math.nan
    left = output - basis @ (basis.T @ output)
    return float((left**2).sum()) / spread


def _shown(name: str, row: Mapping[str, Any]) -> str:
    return "constant" if math.isnan(row[name]) else f"{row[name]:.1e}"


def _picture(records: Sequence[Mapping[str, Any]], sets: Sequence[str]) -> Figure:
    ordered = sorted(records, key=lambda row: float(np.nanmin([row[name] for name in sets])))
    floor = 1e-33
    with styled():
        figure = plot.new_figure(6.4, 1.3 + 0.165 * len(ordered))
        axes = figure.subplots()
        heights = np.arange(len(ordered))[::-1]
        for index, name in enumerate(sets):
            values = [max(row[name], floor) for row in ordered]
            axes.plot(values, heights, "o", color=CLASSES[index][0], markersize=4, alpha=0.85,
                      label=name.replace("_", " "))  # fmt: skip
        axes.set(xscale="log", ylim=(-0.8, len(ordered) - 0.2),
                 xlabel="share of the variance that the best A·x + b leaves")  # fmt: skip
        axes.set_yticks(heights, [row["activation"] for row in ordered], fontsize=7.5)
        for label, row in zip(axes.get_yticklabels(), ordered, strict=True):
            label.set_color(ACTIVATIONS.get(row["name"], INK))
        axes.axvline(AFFINE, color=QUIET, linestyle=":", linewidth=1)
        axes.axvline(BENT, color=QUIET, linestyle=":", linewidth=1)
        axes.grid(axis="x")
        axes.set_title("Without an activation nothing but rounding is left;\n"
                       "with one, a network that no matrix is", loc="left",
                       fontweight="bold")  # fmt: skip
        figure.legend(loc="outside lower center", ncols=min(4, len(sets)), frameon=False)
    return figure
