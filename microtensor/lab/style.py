"""One look for all pictures: colours that survive colour blindness, quiet axes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from microtensor.lab.optional import require

INK = "#222222"
QUIET = "#767676"
GRID = "#e6e6e6"

# After Okabe and Ito (2008); their yellow is darkened to be seen on white. The line style tells
# relatives apart in print without colour.
OPTIMIZERS: dict[str, tuple[str, str]] = {
    "sgd": ("#000000", "-"),
    "momentum": ("#0072b2", "-"),
    "nag": ("#56b4e9", "--"),
    "adagrad": ("#009e73", "-"),
    "adadelta": ("#b8a100", "-"),
    "rmsprop": ("#cc79a7", "-"),
    "adam": ("#d55e00", "-"),
    "adamw": ("#e69f00", "--"),
}

# Beyond eight, no colour stands alone: relatives share one, and the line tells them apart.
BEYOND: dict[str, tuple[str, str]] = {
    "bgd": ("#767676", "-"),
    "mbgd": ("#444444", "--"),
    "nadam": ("#d55e00", ":"),
    "radam": ("#d55e00", "-."),
    "adamax": ("#e69f00", ":"),
    "adabelief": ("#e69f00", "-."),
    "yogi": ("#cc79a7", "--"),
    "lion": ("#7a4fa3", "-"),
    "rprop": ("#8c564b", "-"),
    "prodigy": ("#8c564b", "--"),
}


def optimizer_style(name: str) -> tuple[str, str]:
    """Return colour and line style of an optimizer; of one's own, grey and dotted."""
    return {**OPTIMIZERS, **BEYOND}.get(name, (QUIET, ":"))


def on_dark(colour: str) -> str:
    """Return what a colour becomes on a dark ground: the darkest lighter, the others as they are.

    Example:
        >>> on_dark("#000000"), on_dark("#d55e00")
        ('#f2f2f2', '#d55e00')
    """
    return _ON_DARK.get(colour, colour)


_ON_DARK = {
    "#000000": "#f2f2f2",
    "#444444": "#b0b0b0",
    "#0072b2": "#3d9bd6",
    "#7a4fa3": "#a98fcb",
    "#8c564b": "#b98a80",
}


ACTIVATIONS: dict[str, str] = {
    "linear": "#767676",
    "identity": "#767676",
    "relu": "#d55e00",
    "tanh": "#0072b2",
    "sigmoid": "#cc79a7",
    "leaky_relu": "#e69f00",
    "elu": "#56b4e9",
    "selu": "#009e73",
    "gelu": "#000000",
    "silu": "#b8a100",
}

# Of a function and its derivative, wherever both are drawn.
FUNCTION, DERIVATIVE = "#0072b2", "#d55e00"

# Of classes: the line of points, and the lighter tone of the region.
CLASSES: tuple[tuple[str, str], ...] = (
    ("#0072b2", "#cfe3f1"),
    ("#d55e00", "#f9dfcd"),
    ("#009e73", "#cdebe2"),
    ("#cc79a7", "#f5e3ec"),
    ("#b8a100", "#f1ecc8"),
    ("#56b4e9", "#ddf0fb"),
)

_SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "figure.facecolor": "white",
    "figure.dpi": 110,
    "savefig.dpi": "figure",
}


def styled() -> AbstractContextManager[None]:
    """Return a context in which matplotlib draws in this style; outside it nothing changes."""
    context: AbstractContextManager[None] = require("matplotlib").rc_context(_SETTINGS)
    return context
