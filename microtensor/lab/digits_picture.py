"""The picture of :func:`~microtensor.lab.digits_cnn.digits_cnn`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtensor.lab import plot
from microtensor.lab.style import DERIVATIVE, FUNCTION, QUIET, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The images that are shown, and the filters, at most.
_SHOWN, _ACROSS = 12, 6
_FILTERS = 32


def overview(
    records: Sequence[Mapping[str, Any]],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    chances: NDArray[np.float64],
    filters: NDArray[np.float32],
) -> Figure:
    """Draw the curves, the hardest digits, and the first layer's filters.

    Args:
        records: a mapping per epoch.
        images: those of the test, (images, 1, 8, 8).
        labels: the digits they show.
        chances: the probability of each digit, (images, 10).
        filters: the first layer's weight, (channels, 1, height, width).
    """
    with styled():
        figure = plot.new_figure(12.5, 6.4)
        halves: Any = figure.subfigures(2, 1, height_ratios=(1.25, 1))
        above, below = halves
        pair = above.subplots(1, 2)
        _curves(pair, records)
        left, right = below.subfigures(1, 2)
        _hardest(left, images, labels, chances)
        _filters(right, filters)
        last = records[-1]
        figure.suptitle(
            f"Handwritten digits, 8×8: {100 * last['test_accuracy']:.2f} % of the test images read "
            "correctly",
            fontsize=12.5, fontweight="bold",
        )  # fmt: skip
        for axes, key in zip(pair, ("loss", "accuracy"), strict=True):
            scale = 100 if key == "accuracy" else 1
            ends = [(scale * last[f"{part}_{key}"], name, colour) for part, name, colour in _PARTS]
            plot.label_line_ends(axes, ends)
    return figure


_PARTS = (("train", "training", FUNCTION), ("test", "test", DERIVATIVE))


def _curves(pair: Sequence[Axes], records: Sequence[Mapping[str, Any]]) -> None:
    epochs = [record["epoch"] for record in records]
    for part, _, colour in _PARTS:
        for axes, key, scale in zip(pair, ("loss", "accuracy"), (1, 100), strict=True):
            values = [scale * record[f"{part}_{key}"] for record in records]
            axes.plot(epochs, values, "o-", color=colour, markersize=3, linewidth=1.4)
    for axes in pair:
        axes.set(xlabel="epoch", xlim=(1, max(2, epochs[-1])))
        axes.locator_params(axis="x", integer=True)
        axes.grid(axis="y")
    pair[0].set(yscale="log")
    pair[0].set_title("Cross-entropy (training: images moved, with dropout)", loc="left")
    # The last percents are what it is about: the first epochs may leave the picture below.
    lowest = min(100 * record["test_accuracy"] for record in records[len(records) // 6 :])
    pair[1].set_ylim(max(0, lowest - 3), 100.3)
    pair[1].set_title("Accuracy, %", loc="left")


def _tiles(figure: Any, title: str, rows: int, columns: int) -> Sequence[Axes]:
    figure.suptitle(title, fontsize=10, x=0.02, ha="left")
    tiles = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in tiles:
        axes.set_axis_off()
    return tiles


def _hardest(figure: Any, images: Any, labels: Any, chances: Any) -> None:
    """Draw the images whose digit has the least probability: all misread ones come first."""
    rights = chances[np.arange(len(labels)), labels]
    hardest = np.argsort(rights, kind="stable")[:_SHOWN]
    title = "The hardest test images: digit, probability given to it (or → what was read)"
    tiles = _tiles(figure, title, max(1, -(-len(hardest) // _ACROSS)), _ACROSS)
    for axes, row in zip(tiles, hardest, strict=False):
        axes.imshow(images[row, 0], cmap="gray_r", vmin=0, vmax=1)
        digit, taken = labels[row], chances[row].argmax()
        if taken == digit:
            axes.set_title(f"{digit}: {100 * rights[row]:.0f} %", fontsize=9)
        else:
            axes.set_title(f"{digit} → {taken}", fontsize=9, color=DERIVATIVE, fontweight="bold")


def _filters(figure: Any, filters: Any) -> None:
    shown = filters[:_FILTERS]
    bound = float(np.abs(shown).max()) or 1.0
    rows = max(1, -(-len(shown) // 8))
    title = f"Filters of the first layer (blue: below 0, red: above; ±{bound:.2g})"
    for axes, one in zip(_tiles(figure, title, rows, 8), shown, strict=False):
        axes.imshow(one[0], cmap="RdBu_r", vmin=-bound, vmax=bound)
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(visible=True, color=QUIET)
