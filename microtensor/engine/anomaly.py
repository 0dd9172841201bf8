"""Anomaly mode, on the engine's side: where a node was made, and whether its gradient is NaN."""

from __future__ import annotations

import linecache
import os
import sys
from typing import Any

from microtensor.engine import node as nodes
from microtensor.engine.node import Gradients, Node, next_number

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_FRAMES = 8  # how many of the user's lines a node remembers, the innermost of them


class _State:
    """Whether the mode is on, for all threads, as PyTorch's."""

    enabled = False
    check_nan = True


state = _State()


class TracedNumber(int):
    """A node's number that knows the user's lines the node was made in, the innermost first.

    Anomaly mode exchanges the source of numbers, so that making a node costs nothing more while
    it is off, and what is remembered goes with the node.
    """

    lines: tuple[tuple[str, int, str], ...]


def traced_number() -> TracedNumber:
    """Give the next number, with the lines that are being executed."""
    number = TracedNumber(next_number())
    lines: list[tuple[str, int, str]] = []
    frame = sys._getframe(1)
    while frame is not None and len(lines) < _FRAMES:
        code = frame.f_code
        name = code.co_filename
        if not name.startswith((_PACKAGE, "<microtensor")):
            lines.append((name, frame.f_lineno, code.co_name))
        frame = frame.f_back  # type: ignore[assignment]
    number.lines = tuple(lines)
    return number


def set_number_source(source: Any) -> None:
    """Exchange what nodes made by hand take their number from."""
    nodes._next_number = source


def where(node: Node) -> str:
    """Say in which of the user's lines a node was made, in the manner of a traceback."""
    if not isinstance(node.number, TracedNumber):
        return ""
    text = [f" Traceback of the forward call that made {node.name()} (most recent call last):"]
    for file, line, function in reversed(node.number.lines):
        text.append(f'  File "{file}", line {line}, in {function}')
        source = linecache.getline(file, line).strip()
        if source:
            text.append(f"    {source}")
    return "\n".join(text)


def watched_backward(
    node: Node, gradient: Any, parents: tuple[Any, ...], saved: Any, algebra: Any
) -> tuple[Any, ...]:
    """Call a node's rules; say where it was made if they fail, or give the first NaN."""
    try:
        contributions: tuple[Any, ...] = node.op.backward(gradient, parents, saved)
    except Exception as error:
        error.add_note(
            f"Error detected in {node.name()}."
            + (where(node) or " Enable anomaly mode during the forward pass to see its line.")
        )
        raise
    if state.check_nan:
        for place, contribution in enumerate(contributions):
            parts = contribution.parts if type(contribution) is Gradients else (contribution,)
            if parents[place] is not None and any(
                part is not None and algebra.has_nan(part) for part in parts
            ):
                raise RuntimeError(
                    f"Function '{node.name()}' returned nan values in its {place}th output."
                    + (where(node) or " Enable anomaly mode during the forward pass to see where.")
                )
    return contributions
