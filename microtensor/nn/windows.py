"""What convolutions and pooling share as modules: numbers a dimension, padding by what is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor.description import whole_number
from microtensor.tensor import Tensor, wrap


def repeated(module: str, name: str, value: Any, count: int) -> tuple[int, ...]:
    """Give one number for each dimension; what is a sequence stays as it is.

    Raises:
        TypeError: no integers.
        ValueError: not as many as dimensions.
    """
    if not isinstance(value, tuple | list):
        return (whole_number(name, value, module),) * count
    if len(value) != count:
        raise ValueError(
            f"{module}: {name} must be an integer or {count} of them, got {tuple(value)}"
        )
    return tuple(whole_number(name, n, module) for n in value)


def _sources(size: int, before: int, after: int, mode: str) -> np.ndarray[Any, Any]:
    """Give for each element of a padded dimension the one it is a copy of."""
    at = np.arange(-before, size + after)
    if mode == "replicate":
        return np.clip(at, 0, size - 1)
    if mode == "circular":
        return at % size
    at = np.abs(at)  # reflected at the first element, and at the last
    return np.where(at >= size, 2 * (size - 1) - at, at)


def pad_around(input: Tensor, sides: list[tuple[int, int]], mode: str) -> Tensor:
    """Continue the last dimensions on both sides by what is in them.

    Args:
        input: of at least as many dimensions as sides.
        sides: how much is put before and behind each of the last dimensions.
        mode: ``'reflect'``, ``'replicate'`` or ``'circular'``.

    Raises:
        RuntimeError: more than there is: a reflection has no end twice, a circle goes round once.
    """
    lead = input.dim() - len(sides)
    for dim, (before, after) in enumerate(sides, lead):
        if not before and not after:
            continue
        size = input.shape[dim] if dim >= 0 else 0
        most = {"reflect": size - 1, "circular": size}.get(mode)
        if size == 0 or (most is not None and max(before, after) > most):
            raise RuntimeError(
                f"padding_mode={mode!r}: at most {most or 0} elements can be put on a side of "
                f"dimension {dim} of an input of shape {list(input.shape)}, got {(before, after)}"
            )
        input = input.index_select(dim, wrap(_sources(size, before, after, mode)))
    return input
