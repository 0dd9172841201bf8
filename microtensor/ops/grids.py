"""Grids, and choices of elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations as index_combinations
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from microtensor.ops.declare import publish, refuse
from microtensor.ops.expanding import unpacked
from microtensor.ops.indexing import index_take
from microtensor.ops.joining import stack
from microtensor.ops.reshaping import ravel
from microtensor.ops.shape import expand, reshape
from microtensor.tensor import Tensor, wrap


@publish("*tensors: Any, indexing: str | None = None")
def meshgrid(*tensors: Any, indexing: str | None = None) -> Any:
    """Expand vectors to the grid they span: a tuple of views, one for each.

    Args:
        tensors: vectors (or numbers) of one dtype, one by one or as one sequence.
        indexing: ``"ij"``, the default: the first vector runs along the first dimension; ``"xy"``:
            along the second.

    Raises:
        RuntimeError: no tensors, or of other shapes or dtypes.
    """
    given = unpacked(tensors, "meshgrid")
    if not given:
        raise RuntimeError("meshgrid expects a non-empty list of tensors")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f"meshgrid: indexing must be one of 'xy' or 'ij', but got {indexing!r}")
    for each in given:
        if each._array.ndim > 1:
            raise RuntimeError(
                f"meshgrid: expected 0-d or 1-d tensors, got shape {list(each._array.shape)}"
            )
        if each._array.dtype != given[0]._array.dtype:
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    swap = indexing == "xy" and len(given) > 1
    if swap:
        given[:2] = given[1::-1]
    shape = tuple(each._array.size for each in given)
    grids = []
    for place, each in enumerate(given):
        rest = (1,) * (len(given) - place - 1)
        grids.append(expand(reshape(each, (each._array.size, *rest)), shape))
    if swap:
        grids[:2] = grids[1::-1]
    return tuple(grids)


def _vectors(op: str, tensors: Sequence[Tensor]) -> None:
    for each in tensors:
        if each._array.ndim != 1:
            raise RuntimeError(f"{op}: expect a 1D vector, but got shape {list(each._array.shape)}")


@publish("*tensors: Any")
def cartesian_prod(*tensors: Any) -> Tensor:
    """Give all choices of one element from each vector, as rows; of one vector, itself."""
    given = unpacked(tensors, "cartesian_prod")
    _vectors("cartesian_prod", given)
    if len(given) == 1:
        return given[0]
    return stack([ravel(grid) for grid in meshgrid(given)], 1)


@publish("input: Tensor, r: int = 2, with_replacement: bool = False")
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Give all choices of r elements of a vector in their order, as rows.

    Args:
        input: a vector.
        r: how many are chosen.
        with_replacement: whether one may be chosen several times.

    Raises:
        RuntimeError: no vector, or a negative number.
    """
    if not isinstance(input, Tensor):
        refuse("combinations", "input", input)
    _vectors("combinations", [input])
    if r < 0:
        raise RuntimeError(f"combinations: expect a non-negative number, but got {r}")
    if r == 0:
        return wrap(np.empty(0, input._array.dtype))
    choose = combinations_with_replacement if with_replacement else index_combinations
    length = input._array.size
    count = math.comb(length + r - 1, r) if with_replacement and length else math.comb(length, r)
    flat = (place for choice in choose(range(length), r) for place in choice)
    return index_take(input, np.fromiter(flat, np.int64, count * r).reshape(count, r))
