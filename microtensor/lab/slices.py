"""Activations that mix numbers, as functions of one of them: what the atlas can draw."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import microtensor as mt
from microtensor import nn
from microtensor.lab.catalogue import Activation, Floats, known
from microtensor.ops.activations import ACTIVATIONS

Cut = Callable[[mt.Tensor], mt.Tensor]

# Values by which a gate is multiplied: the first is drawn with its derivative, and measured.
_GATED = (1.0, 2.0, -1.0)
# Slope and height of the lines that maxout chooses from.
_LINES = ((-0.5, -1.0), (0.25, 0.0), (1.0, -1.0))
# At 0, where it starts, Soft Exponential is the identity. Below, it ends at x = 1/α - α.
_ALPHAS = (0.5, -0.5)


@dataclass(frozen=True)
class Slice(Activation):
    """An activation along a line through its inputs, or with parameters that show its shape.

    Attributes:
        cut: the function that is drawn and measured.
        said: what it is.
        beside: further functions to draw.
    """

    cut: Cut
    said: str
    beside: tuple[Cut, ...] = ()

    @property
    def note(self) -> str:
        """What is drawn."""
        return self.said

    @property
    def others(self) -> tuple[Callable[[Floats], Floats], ...]:
        """What is drawn beside f, dashed."""
        return tuple(Slice(self.name, self.module, self.formula, cut, "") for cut in self.beside)

    def _evaluate(self, x: mt.Tensor) -> mt.Tensor:
        return self.cut(x)


@functools.cache
def panels() -> dict[str, Activation]:
    """Return every activation of the registry in a form that can be drawn, in its order."""
    return {name: _slice(name) or known()[name] for name in ACTIVATIONS}


def _slice(name: str) -> Slice | None:
    record = ACTIVATIONS[name]
    make = getattr(nn, record.module)
    if name in ("softmax", "log_softmax", "softmin"):
        cuts = [_first(make(dim=-1), ((1, 0), (0, 0)))]
        said = f"first of {name}(x, 0)"
    elif name in ("glu", "reglu", "geglu", "swiglu"):
        cuts = [_first(make(), ((0, a), (1, 0))) for a in _GATED]
        said = f"{record.formula}, b = x, a = {_GATED[0]:g}; dashed: a = {_listed(_GATED[1:])}"
    elif name == "maxout":
        cuts = [_first(make(len(_LINES)), _LINES)]
        said = f"greatest of {_listed([_line(*one) for one in _LINES])}"
    elif name == "soft_exponential":
        cuts = [make(init=alpha).double() for alpha in _ALPHAS]
        said = f"alpha = {_ALPHAS[0]:g}; dashed: alpha = {_listed(_ALPHAS[1:])}"
    else:
        return None
    return Slice(name, record.module, record.formula, cuts[0], said, tuple(cuts[1:]))


def _first(module: nn.Module, lines: Sequence[tuple[float, float]]) -> Cut:
    """Return the first output of a module that is given the lines slope·x + height."""

    def cut(x: mt.Tensor) -> mt.Tensor:
        rows = mt.stack([x * slope + height for slope, height in lines], -1)
        first: mt.Tensor = module(rows)[..., 0]
        return first

    return cut


def _line(slope: float, height: float) -> str:
    shown = "x" if slope == 1 else f"{slope:g}x"
    return shown + (f" {'-' if height < 0 else '+'} {abs(height):g}" if height else "")


def _listed(values: Sequence[object]) -> str:
    return ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in values)


def panel_names() -> tuple[str, ...]:
    """Return the names of all activations that the atlas can draw: every one of the engine.

    Example:
        >>> from microtensor import lab
        >>> "softmax" in lab.panel_names(), len(lab.panel_names()) > len(lab.activation_names())
        (True, True)
    """
    return tuple(panels())
