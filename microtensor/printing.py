"""How a tensor prints: PyTorch's form, digit for digit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from microtensor import dtypes

Array = np.ndarray[Any, Any]

_PREFIX = "tensor("


@dataclass
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=math.inf),
}
_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors print; what is not given stays as it is, but for ``sci_mode``.

    Args:
        precision: digits after the decimal point (4 at first).
        threshold: the number of elements beyond which only the edges are shown (1000).
        edgeitems: how many of each dimension's elements are shown at either edge then (3).
        linewidth: characters in a line (80).
        profile: "default", "short" (two digits, two edge items) or "full" (all elements), before
            what else is given.
        sci_mode: whether to print in scientific notation; None to let the numbers decide.

    Raises:
        ValueError: an unknown profile.

    Example:
        >>> import microtensor as mt
        >>> mt.set_printoptions(precision=2)
        >>> mt.tensor([1.12345])
        tensor([1.12])
        >>> mt.set_printoptions(profile="default")
    """
    global _options
    if profile is not None and profile not in _PROFILES:
        raise ValueError(
            f"set_printoptions: profile must be one of {', '.join(_PROFILES)}; got {profile!r}"
        )
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    start = _options if profile is None else _PROFILES[profile]
    changes: dict[str, Any] = {name: v for name, v in given.items() if v is not None}
    _options = replace(start, **changes, sci_mode=sci_mode)


def get_printoptions() -> dict[str, Any]:
    """Give the options in force, as :func:`set_printoptions` takes them."""
    return asdict(_options)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Print differently within a ``with`` block; takes what :func:`set_printoptions` takes.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.printing import printoptions
        >>> with printoptions(sci_mode=True):
        ...     print(mt.tensor([20.5]))
        tensor([2.0500e+01])
    """
    global _options
    before = _options
    set_printoptions(**options)
    try:
        yield
    finally:
        _options = before


def format_tensor(array: Array, grad_fn: str | None) -> str:
    """Give the text of a tensor.

    Args:
        array: its elements.
        grad_fn: None without a gradient, "" for a leaf, else the name of its node.
    """
    suffixes = []
    if array.ndim != 1 if array.size == 0 else _options.edgeitems == 0:
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
        if length + width + 2 > _options.linewidth:
            text += ",\n" + " " * len(_PREFIX) + suffix
            length = len(_PREFIX) + width
        else:
            text += ", " + suffix
            length += width + 2
    return text + ")"


def _body(array: Array) -> str:
    summarize = array.size > _options.threshold
    # The width is chosen from the numbers that are shown.
    formatter = _Formatter(_shown(array) if summarize else array)
    return _nested(array, len(_PREFIX), summarize, formatter)


def _shown(array: Array) -> Array:
    edge = _options.edgeitems
    for axis, length in enumerate(array.shape):
        if length > 2 * edge:
            array = np.take(array, [*range(edge), *range(-edge, 0)], axis=axis)
    return array


def _nested(array: Array, indent: int, summarize: bool, formatter: _Formatter) -> str:
    if array.ndim == 0:
        return formatter(array.item())
    edge = _options.edgeitems
    cut = summarize and len(array) > 2 * edge
    last = len(array) - edge  # where the items at the far edge begin
    if array.ndim > 1:
        rows = [*array[:edge], *array[last:]] if cut else list(array)
        parts = [_nested(row, indent + 1, summarize, formatter) for row in rows]
        if cut:
            parts.insert(edge, "...")
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"
    values = np.concatenate([array[:edge], array[last:]]) if cut else array
    texts = [formatter(value) for value in values.tolist()]
    if cut:
        texts.insert(edge, " ..." if edge else "...")
    per_line = max(1, (_options.linewidth - indent) // (formatter.width + 2))
    lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


class _Formatter:
    """Formats each number of an array alike: whole, with a few decimals, or scientific."""

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
            self._choose(values)
        self.width = max(map(len, map(self._text, values)), default=1)

    def _choose(self, values: list[float]) -> None:
        largest, smallest = max(map(abs, values)), min(map(abs, values))
        whole = all(v == math.ceil(v) for v in values)
        scientific = _options.sci_mode
        if scientific is None:
            wide = largest / smallest > 1000.0 or largest > 1e8
            scientific = wide or (smallest < 1e-4 and not whole)
        if scientific:
            self._point, self._specification = False, f".{_options.precision}e"
        elif not whole:
            self._point, self._specification = False, f".{_options.precision}f"

    def _text(self, value: Any) -> str:
        # Bools would take a format specification for integers.
        text = format(value, self._specification) if self._specification else str(value)
        return text + "." if self._point and math.isfinite(value) else text

    def __call__(self, value: Any) -> str:
        return self._text(value).rjust(self.width)
