"""The picture of :func:`~microtensor.lab.char_gpt.char_gpt`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from microtensor.lab import plot
from microtensor.lab.optional import require
from microtensor.lab.style import DERIVATIVE, FUNCTION, INK, QUIET, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Bits = NDArray[np.float64]

# Lines of text that are shown of each kind, and characters of each.
_LINES, _COLUMNS = 11, 64
# Surprises from here on have the strongest colour: one in sixteen.
_MOST_BITS = 4.0
_KNOWERS = {
    "letters": "frequencies of characters",
    "pairs": "frequencies of pairs",
    "grammar": "the grammar: the least there is",
}


def overview(
    records: Sequence[Mapping[str, Any]],
    reached: float,
    yardsticks: Mapping[str, float],
    held_out: tuple[str, Bits],
    written: tuple[Sequence[str], Sequence[Bits]],
    accepts: Callable[[str], bool] | None,
) -> Figure:
    """Draw the loss beside what it is held against, and text with each character's surprise.

    Args:
        records: mappings with a step, its training loss and its loss on held-out text, in bits.
        reached: the loss on all of the held-out text in the end.
        yardsticks: the bits a character has for one who knows something, by what that is.
        held_out: the text that was held out, and the bits of each of its characters.
        written: texts of the network, and the bits of each of their characters.
        accepts: tells whether a line is a sentence, if there is a grammar.
    """
    with styled():
        figure = plot.new_figure(14.0, 6.4)
        columns: Any = figure.subfigures(1, 2, width_ratios=(1, 1.3))
        curves = columns[0].subplots()
        above, below = columns[1].subplots(2, 1)
        _losses(curves, records, yardsticks)
        _text(above, _lines([held_out[0]], [held_out[1]]), None)
        above.set_title("Held-out text: the darker, the more surprised the network", loc="left")
        drawn = _text(below, _lines(*written), accepts)
        below.set_title(
            "What it writes" + ("" if accepts is None else " (✗: no sentence of the grammar)"),
            loc="left",
        )
        columns[1].colorbar(
            drawn,
            ax=[above, below],
            label="bits of a character",
            extend="max",
            shrink=0.6,
            pad=0.01,
        )
        best = yardsticks.get("grammar")
        beside = "" if best is None else f"; who knows the grammar has {best:.3f}"
        figure.suptitle(
            f"A small GPT foretells text with {reached:.3f} bits a character{beside}",
            fontsize=12.5, fontweight="bold",
        )  # fmt: skip
        last = records[-1]
        ends = [(last["test"], "held out", DERIVATIVE), (last["train"], "training", FUNCTION)]
        plot.label_line_ends(curves, ends)
    return figure


def _losses(
    axes: Axes, records: Sequence[Mapping[str, Any]], yardsticks: Mapping[str, float]
) -> None:
    steps = [record["step"] for record in records]
    for key, colour in (("train", FUNCTION), ("test", DERIVATIVE)):
        axes.plot(
            steps, [record[key] for record in records], "o-",
            color=colour, markersize=3, linewidth=1.4,
        )  # fmt: skip
    axes.set(xlabel="step", yscale="log", xlim=(0, steps[-1]))
    axes.set_title("Loss, bits a character (training: beginnings of windows as well)", loc="left")
    every = [
        *yardsticks.values(),
        *(record[key] for record in records for key in ("train", "test")),
    ]
    finite = [value for value in every if np.isfinite(value) and value > 0]
    low, high = min(finite) / 1.2, max(finite) * 1.2
    axes.set_ylim(low, high)
    ticks = [tick for tick in (0.25, 0.5, 1, 2, 4, 8) if low < tick < high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(axis="y")
    for name, bits in yardsticks.items():
        axes.axhline(bits, color=INK if name == "grammar" else QUIET, linestyle="--", linewidth=1.1)
        axes.annotate(
            f"{_KNOWERS[name]}, {bits:.3f}",
            (0.99, bits), xycoords=("axes fraction", "data"), xytext=(0, -3),
            textcoords="offset points", ha="right", va="top", fontsize=8.5,
            color=INK if name == "grammar" else QUIET,
        )  # fmt: skip


def _lines(texts: Sequence[str], bits: Sequence[Bits]) -> list[tuple[str, Bits]]:
    """Return lines with their characters' bits: whole ones, or what fits if there are none."""
    found: list[tuple[str, Bits]] = []
    for text, values in zip(texts, bits, strict=True):
        start = 0
        for line in text.split("\n")[:-1]:
            end = start + len(line)
            if line.strip():
                found.append((line, values[start:end]))
            start = end + 1
    if not found:
        width = range(0, _LINES * _COLUMNS, _COLUMNS)
        text, values = texts[0], bits[0]
        cut = [(text[at : at + _COLUMNS], values[at : at + _COLUMNS]) for at in width]
        found = [(line.replace("\n", " "), row) for line, row in cut if line]
    return found[:_LINES]


@functools.cache
def _drawable(letter: str) -> str:
    """Return the letter, or a box where the font has none: matplotlib warns of each of them."""
    fonts = require("matplotlib.font_manager")
    font = fonts.get_font(fonts.findfont("monospace"))
    return letter if font.get_char_index(ord(letter)) else "□"


def _text(
    axes: Axes, lines: Sequence[tuple[str, Bits]], accepts: Callable[[str], bool] | None
) -> Any:
    """Write lines, each character on a ground as dark as it is surprising."""
    shades = np.full((_LINES, _COLUMNS), np.nan)
    for row, (line, bits) in enumerate(lines):
        shades[row, : min(len(line), _COLUMNS)] = bits[:_COLUMNS]
        for column, letter in enumerate(line[:_COLUMNS]):
            axes.text(
                column, row,
                "…" if column == _COLUMNS - 1 and len(line) > _COLUMNS else _drawable(letter),
                ha="center", va="center", family="monospace", fontsize=8.5,
                color="white" if bits[column] > 0.7 * _MOST_BITS else INK, parse_math=False,
            )  # fmt: skip
        if accepts is not None and not accepts(line + "\n"):
            axes.text(
                -1.5, row, "✗", ha="center", va="center", fontsize=10, fontweight="bold",
                color=DERIVATIVE, family="DejaVu Sans",
            )  # fmt: skip
    drawn = axes.imshow(shades, cmap="Blues", vmin=0, vmax=_MOST_BITS, aspect="auto")
    axes.set_axis_off()
    return drawn
