"""How a tensor prints: PyTorch's form, digit for digit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtensor import dtypes

Array = np.ndarray[Any, Any]

_PRECISION = 4
_THRESHOLD = 1000
_EDGE_ITEMS = 3
_LINE_WIDTH = 80
_PREFIX = "tensor("


def format_tensor(array: Array, grad_fn: str | None) -> str:
    """Give the text of a tensor.

    Args:
        array: its elements.
        grad_fn: None without a gradient, "" for a leaf, else the name of its node.
    """
    suffixes = []
    if array.size == 0 and array.ndim != 1:
        suffixes.append(f"size={array.shape}")
    implied = ["int64", "bool"] if array.size else []
    if array.dtype.name not in (*implied, dtypes.get_default_dtype().name):
        suffixes.append(f"dtype=microtensor.{array.dtype.name}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>" if grad_fn else "requires_grad=True")
    text = _PREFIX + (_body(array) if array.size else "[]")
    length = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        # PyTorch counts its shorter "torch." here; lines may thus be a little longer.
        width = len(suffix.replace("microtensor.", "torch."))
        if length + width + 2 > _LINE_WIDTH:
            text += ",\n" + " " * len(_PREFIX) + suffix
            length = len(_PREFIX) + width
        else:
            text += ", " + suffix
            length += width + 2
    return text + ")"


def _body(array: Array) -> str:
    summarize = array.size > _THRESHOLD
    # The width is chosen from the numbers that are shown.
    formatter = _Formatter(_shown(array) if summarize else array)
    return _nested(array, len(_PREFIX), summarize, formatter)


def _shown(array: Array) -> Array:
    for axis, length in enumerate(array.shape):
        if length > 2 * _EDGE_ITEMS:
            array = np.take(array, [*range(_EDGE_ITEMS), *range(-_EDGE_ITEMS, 0)], axis=axis)
    return array


def _nested(array: Array, indent: int, summarize: bool, formatter: _Formatter) -> str:
    if array.ndim == 0:
        return formatter(array.item())
    cut = summarize and len(array) > 2 * _EDGE_ITEMS
    if array.ndim > 1:
        rows = [*array[:_EDGE_ITEMS], *array[-_EDGE_ITEMS:]] if cut else list(array)
        parts = [_nested(row, indent + 1, summarize, formatter) for row in rows]
        if cut:
            parts.insert(_EDGE_ITEMS, "...")
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"
    values = np.concatenate([array[:_EDGE_ITEMS], array[-_EDGE_ITEMS:]]) if cut else array
    texts = [formatter(value) for value in values.tolist()]
    if cut:
        texts.insert(_EDGE_ITEMS, " ...")
    per_line = max(1, (_LINE_WIDTH - indent) // (formatter.width + 2))
    lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


class _Formatter:
    """Formats each number of an array alike: whole, with four decimals, or scientific."""

    def __init__(self, shown: Array) -> None:
        self.width = 1
        self._specification = ""
        self._point = False
        values: list[Any] = shown.ravel().tolist()
        if shown.dtype.kind == "f":
            self._point, self._specification = True, ".0f"
            values = [v for v in values if v != 0 and math.isfinite(v)]
            if not values:
                return
            largest, smallest = max(map(abs, values)), min(map(abs, values))
            whole = all(v == math.ceil(v) for v in values)
            wide = largest / smallest > 1000.0 or largest > 1e8
            if wide or (smallest < 1e-4 and not whole):
                self._point, self._specification = False, f".{_PRECISION}e"
            elif not whole:
                self._point, self._specification = False, f".{_PRECISION}f"
        self.width = max(len(self._text(v)) for v in values)

    def _text(self, value: Any) -> str:
        # Bools would take a format specification for integers.
        text = format(value, self._specification) if self._specification else str(value)
        return text + "." if self._point and math.isfinite(value) else text

    def __call__(self, value: Any) -> str:
        return self._text(value).rjust(self.width)
