"""Kernels that put a border around arrays whose elements continue them, and fold borders back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Widths = Sequence[tuple[int, int]]


def _borders(mode: str, length: int, lower: int, upper: int) -> Iterator[tuple[slice, slice]]:
    """Give the strips of a padded dimension, and for each the stretch within that it repeats."""
    end = lower + length
    if mode == "reflect":
        yield slice(0, lower), slice(2 * lower, lower, -1)
        stop = end - 2 - upper
        yield slice(end, end + upper), slice(end - 2, stop if stop >= 0 else None, -1)
    elif mode == "replicate":
        yield slice(0, lower), slice(lower, lower + 1)
        yield slice(end, end + upper), slice(end - 1, end)
    else:
        yield slice(0, lower), slice(length, end)
        yield slice(end, end + upper), slice(lower, lower + upper)


def _inside(lengths: Sequence[int], widths: Widths) -> tuple[slice, ...]:
    return tuple(
        slice(lower, lower + length) for length, (lower, _) in zip(lengths, widths, strict=True)
    )


def pad_constant(x: Array, widths: Widths, value: Any, out: Array) -> None:
    """Out = x within a border of one number; negative widths cut off."""
    target, source = _parts(x, widths)
    with np.errstate(all="ignore"):
        if out.size != x.size or any(a or b for a, b in widths):
            out[...] = value
        out[target] = x[source]


def _parts(x: Array, widths: Widths) -> tuple[Any, Any]:
    """Give which part of the result is which part of x."""
    target: list[Any] = []
    source: list[Any] = []
    for length, (lower, upper) in zip(x.shape, widths, strict=True):
        source.append(slice(max(0, -lower), max(0, length + min(0, upper))))
        target.append(slice(max(0, lower), max(0, lower + upper + length - max(0, upper))))
    return (*target, ...), (*source, ...)


def pad_border(x: Array, widths: Widths, mode: str, out: Array) -> None:
    """Out = x within a border that reflects, replicates or goes around (circular)."""
    out[_inside(x.shape, widths)] = x
    within = list(_inside(x.shape, widths))
    for dim, (lower, upper) in enumerate(widths):
        if lower or upper:
            # What earlier dimensions have been given is repeated too.
            for strip, stretch in _borders(mode, x.shape[dim], lower, upper):
                within[dim] = stretch
                values = out[tuple(within)]
                within[dim] = strip
                out[tuple(within)] = values
        within[dim] = slice(None)


def fold_border(g: Array, widths: Widths, mode: str, out: Array) -> None:
    """Out = the inside of g, with what lies in the border added where it came from."""
    g = g.copy()
    within: list[slice] = [slice(None)] * g.ndim
    for dim in reversed(range(g.ndim)):
        lower, upper = widths[dim]
        if lower or upper:
            for strip, stretch in _borders(mode, out.shape[dim], lower, upper):
                within[dim] = strip
                values = g[tuple(within)]
                within[dim] = stretch
                if mode == "replicate":
                    values = values.sum(axis=dim, keepdims=True)
                g[tuple(within)] += values
        within[dim] = slice(lower, lower + out.shape[dim])
    out[...] = g[tuple(within)]
