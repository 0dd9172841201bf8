"""Kernels that rearrange elements, or add up those that views overlap."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _triangle(x: Array, diagonal: int, lower: bool, out: Array) -> None:
    rows, columns = x.shape[-2:]
    below = np.arange(columns) - np.arange(rows)[:, None] <= diagonal - (not lower)
    out[...] = 0
    np.copyto(out, x, where=below if lower else ~below)


def tril(x: Array, diagonal: int, out: Array) -> None:
    """Out = x on and below a diagonal of the last two dimensions, zero above."""
    _triangle(x, diagonal, True, out)


def triu(x: Array, diagonal: int, out: Array) -> None:
    """Out = x on and above a diagonal of the last two dimensions, zero below."""
    _triangle(x, diagonal, False, out)


def flip(x: Array, dims: tuple[int, ...], out: Array) -> None:
    """Out = x with the order along some dimensions reversed."""
    out[...] = np.flip(x, dims)


def roll(x: Array, shifts: Sequence[int], out: Array) -> None:
    """Out = x shifted along each dimension; what leaves at one end comes in at the other."""
    moves = []
    for shift, length in zip(shifts, x.shape, strict=True):
        shift = shift % length if length else 0
        halves = [(slice(0, length - shift), slice(shift, length))]
        if shift:
            halves.append((slice(length - shift, length), slice(0, shift)))
        moves.append(halves)
    for parts in product(*moves):
        out[tuple(to for _, to in parts)] = x[tuple(origin for origin, _ in parts)]


def repeat(x: Array, repeats: tuple[int, ...], out: Array) -> None:
    """Out = copies of x side by side; ``repeats`` has as many entries as out dimensions."""
    lengths = (1,) * (len(repeats) - x.ndim) + x.shape
    pairs = [n for pair in zip(repeats, lengths, strict=True) for n in pair]
    ones = [n for length in lengths for n in (1, length)]
    out.reshape(pairs)[...] = x.reshape(ones)


def put_diagonal(x: Array, offset: int, dim1: int, dim2: int, out: Array) -> None:
    """Out = zeros with x on a diagonal of two dimensions."""
    out[...] = 0
    diagonal = out.diagonal(offset, dim1, dim2)
    diagonal.flags.writeable = True
    diagonal[...] = x


def fold(x: Array, dim: int, step: int, out: Array) -> None:
    """Out = zeros with windows along a dimension added up; x has the windows' elements last."""
    out[...] = 0
    windows, size = x.shape[dim], x.shape[-1]
    along = np.moveaxis(out, dim, -1)
    given = np.moveaxis(x, dim, -2)
    for place in range(size if windows else 0):
        along[..., place : place + step * (windows - 1) + 1 : step] += given[..., place]
