"""How a tensor prints: PyTorch's form, from NumPy's digits."""

from __future__ import annotations

from typing import Any

import numpy as np

_PRECISION = 4
_THRESHOLD = 1000
_LINE_WIDTH = 80
_PREFIX = "tensor("


def format_tensor(array: np.ndarray[Any, Any], grad_fn: str | None) -> str:
    """Give the text of a tensor.

    Args:
        array: its elements.
        grad_fn: None without a gradient, "" for a leaf, else the name of its node.
    """
    suffixes = []
    if array.size == 0 and array.shape != (0,):
        suffixes.append(f"size={_shape_text(array.shape)}")
    implied = array.dtype.name in ("float32", "bool") or (
        array.dtype.name == "int64" and array.size
    )
    if not implied:
        suffixes.append(f"dtype=microtensor.{array.dtype.name}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>" if grad_fn else "requires_grad=True")
    body = _body(array)
    text = _PREFIX + body
    for suffix in suffixes:
        last_line = text.rsplit("\n", 1)[-1]
        fits = len(last_line) + len(suffix) + 3 <= _LINE_WIDTH
        text += (", " if fits else ",\n" + " " * len(_PREFIX)) + suffix
    return text + ")"


def _shape_text(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def _body(array: np.ndarray[Any, Any]) -> str:
    if array.size == 0:
        return "[]"
    # The width is chosen from the numbers that are shown.
    shown = _shown(array) if array.size > _THRESHOLD else array
    formatter = _number_formatter(shown)
    return np.array2string(
        array,
        separator=", ",
        prefix=_PREFIX,
        max_line_width=_LINE_WIDTH,
        threshold=_THRESHOLD,
        edgeitems=3,
        formatter={"all": formatter},
    )


def _shown(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    for axis, length in enumerate(array.shape):
        if length > 6:
            array = np.take(array, [0, 1, 2, -3, -2, -1], axis=axis)
    return array


def _number_formatter(shown: np.ndarray[Any, Any]) -> Any:
    if shown.dtype.kind == "b":
        width = max(len(str(bool(v))) for v in shown.flat)
        return lambda v: f"{bool(v)!s:>{width if shown.ndim else 0}}"
    if shown.dtype.kind != "f":
        width = max(len(str(v)) for v in shown.flat) if shown.ndim else 0
        return lambda v: f"{int(v):>{width}}"
    finite = np.abs(shown[np.isfinite(shown) & (shown != 0)].astype(np.float64))
    whole = bool(np.all(finite == np.floor(finite)))
    largest = finite.max() if finite.size else 0.0
    smallest = finite.min() if finite.size else 0.0
    # PyTorch's rule for scientific notation.
    scientific = finite.size > 0 and (
        (largest / smallest > 1e3 and not whole) or largest > 1e8 or (smallest < 1e-4 and not whole)
    )

    def plain(v: Any) -> str:
        value = float(v)
        if not np.isfinite(value):
            return str(value)
        if scientific:
            return f"{value:.{_PRECISION}e}"
        return f"{value:.0f}." if whole else f"{value:.{_PRECISION}f}"

    width = max(len(plain(v)) for v in shown.flat) if shown.ndim else 0
    return lambda v: f"{plain(v):>{width}}"
