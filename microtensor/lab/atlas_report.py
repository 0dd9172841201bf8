"""The atlas on paper: small multiples with captions, and the table of what was measured."""

from __future__ import annotations

import functools
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab import plot
from microtensor.lab.catalogue import Activation
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.style import DERIVATIVE, FUNCTION, INK, QUIET, styled
from microtensor.lab.traits import Traits, as_record, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Measured = Sequence[tuple[Activation, Traits]]

# What a derivative may depart from the slope of its function, of which central differences know
# no more where f' has a corner within their reach.
_SLOPE = 1e-4
_COLUMNS = 4
_ACROSS, _UP = 6.0, 2.4
_CAPTION = 8.0
# Letters in a line of a caption.
_WIDE = 44
# As many kinks as a caption's line has room for.
_PLACES = 3


def atlas_result(
    measured: Measured, errors: Sequence[tuple[float, str]], page: int, command: str
) -> Result:
    """Return the pictures, the table and the verdict of an atlas."""
    worst, label = max(errors, key=lambda one: (math.isnan(one[0]), one[0]))
    pages = [measured[start : start + page] for start in range(0, len(measured), page)]
    pictures = {}
    for index, panels in enumerate(pages, 1):
        name = "activation_atlas" + (f"_{index}" if index > 1 else "")
        title = "Activations and their derivatives"
        if len(pages) > 1:
            title += f", {index} of {len(pages)}"
        pictures[name] = functools.partial(_picture, panels, title)
    verdict = Verdict(
        "every derivative is the slope of its function",
        worst,
        _SLOPE,
        detail=f"max |f' - Δf/Δx| / (1 + |f'|) on [-6, 6] away from kinks, {len(measured)} "
        f"activations, the largest for {label}",
        command=command,
    )
    settings = {"activations": [one.name for one, _ in measured], "dtype": "float64"}
    return Result(
        "activation_atlas",
        tables=[_table(measured)],
        verdicts=[verdict],
        pictures=pictures,
        settings=settings,
    )


def caption(measured: Traits, note: str = "") -> str:
    """Return the lines below a panel, the first of them its note if it has one."""
    steepest = "unbounded" if math.isinf(measured.steepest) else f"≤ {number(measured.steepest)}"
    origin = ["≈ x at 0"] if measured.identity_at_origin else []
    centre = "zero-centred" if measured.zero_centred else "not zero-centred"
    lines = [
        [f"range {measured.range}", f"f(0) = {number(measured.at_zero)}"],
        [f"|f'| {steepest}", f"f' {_trend(measured.derivative_monotonic)}"]
        if measured.derivative_monotonic != "constant"
        else [f"f' = {number(measured.slope_highest)}"],
        [_trend(measured.monotonic), _SATURATES[measured.saturates]],
        [centre, *origin, torn(measured)],
    ]
    noted = textwrap.wrap(note.replace("-", "−"), _WIDE, break_on_hyphens=False)
    return "\n".join([*noted, *(" · ".join(line) for line in lines)])


def _trend(name: str) -> str:
    return name or "not monotonic"


_SATURATES = {
    "both sides": "saturates on both sides",
    "left": "saturates left",
    "right": "saturates right",
    "no": "never saturates",
}


def torn(measured: Traits) -> str:
    """Return where the function or its derivative jumps, in words."""
    parts = [
        f"{word} at {', '.join(map(number, places[:_PLACES]))}{' ...' * (len(places) > _PLACES)}"
        for word, places in (
            ("jump" if len(measured.jumps) == 1 else "jumps", measured.jumps),
            ("kink" if len(measured.kinks) == 1 else "kinks", measured.kinks),
        )
        if places
    ]
    return ", ".join(parts) or "no kink"


def _table(measured: Measured) -> Table:
    def shown(activation: Activation, one: Traits) -> dict[str, Any]:
        return {
            "activation": activation.name,
            "range": one.range,
            "monotonic": one.monotonic or "no",
            "f' monotonic": one.derivative_monotonic or "no",
            "identity at 0": "yes" if one.identity_at_origin else "no",
            "zero-centred": "yes" if one.zero_centred else "no",
            "saturates": one.saturates,
            "max |f'|": one.steepest,
            "f(0)": one.at_zero,
            "E f(z)": one.mean,
            "E f(z)²": one.power,
            "E f'(z)²": one.slope_power,
            "kinks and jumps": torn(one),
        }

    def column(key: str) -> Column:
        def show(row: Mapping[str, Any]) -> str:
            return row[key] if isinstance(row[key], str) else number(row[key])

        return Column(key, show, right=not isinstance(records[0][key], str))

    records = [shown(activation, one) for activation, one in measured]
    return Table(
        "activation_atlas",
        "Activations, as measured from their values",
        records,
        [column(key) for key in records[0]],
        caption="z is standard normal; zero-centred: E f(z) = 0. Identity at 0: f(0) = 0 and "
        "f' = 1 on both sides of it. An increasing function may have plateaus.",
        saved=[as_record(activation, one) for activation, one in measured],
    )


def _picture(measured: Measured, title: str) -> Figure:
    """Draw a page: a panel for each activation, all on one scale."""
    columns = min(_COLUMNS, len(measured))
    rows = math.ceil(len(measured) / columns)
    with styled():
        figure = plot.new_figure(max(4.6, 3.3 * columns), 2.65 * rows + 0.8)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, (activation, one) in zip(grid.flat, measured, strict=False):
            _panel(axes, activation, one)
        for axes in grid.flat[len(measured) :]:
            axes.set_axis_off()
        lines = {line.get_label(): line for line in grid.flat[0].get_lines()}
        figure.suptitle(title, fontsize=14, fontweight="bold", x=0.01, ha="left")
        figure.legend(
            [lines["f"], lines["f′"]],
            ["f(x)", "f′(x)"],
            loc="outside upper right",
            ncols=2,
            frameon=False,
            fontsize=11,
        )
        figure.set_layout_engine("constrained", hspace=0.08, wspace=0.05)
    return figure


def _panel(axes: Axes, activation: Activation, one: Traits) -> None:
    x = np.linspace(-_ACROSS, _ACROSS, 1537)
    y, slope = activation(x), activation.derivative(x)
    for at in one.jumps:  # no vertical line where there are no values
        y[abs(x - at) < 0.004] = np.nan
    for at in (*one.jumps, *one.kinks):
        slope[abs(x - at) < 0.004] = np.nan
    axes.axhline(0, color=QUIET, linewidth=0.6)
    axes.axvline(0, color=QUIET, linewidth=0.6)
    axes.plot(x, slope, color=DERIVATIVE, linewidth=1.5, label="f′")
    for other in activation.others:
        axes.plot(x, other(x), color=FUNCTION, linewidth=1.1, linestyle="--")
    axes.plot(x, y, color=FUNCTION, linewidth=2.1, label="f")
    axes.set(xlim=(-_ACROSS, _ACROSS), ylim=(-_UP, _UP))
    axes.set_xticks([-5, 0, 5])
    axes.set_yticks([-2, -1, 0, 1, 2])
    axes.tick_params(labelsize=8, length=2.5)
    axes.grid()
    axes.set_title(activation.label, loc="left", fontsize=11.5, fontweight="bold", color=INK)
    axes.set_xlabel(
        caption(one, activation.note),
        x=0,
        ha="left",
        ma="left",
        fontsize=_CAPTION,
        linespacing=1.35,
        labelpad=4,
    )
