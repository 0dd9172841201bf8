"""Triangles and diagonals of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.description import whole_number
from microtensor.ops import samples
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.reshaping import ravel
from microtensor.ops.shape import clone
from microtensor.ops.views import diagonal, place_diagonal, two_dims
from microtensor.tensor import Tensor


def _triangle_forward(op: str, kernel: Any) -> Any:
    def forward(x: Array, diagonal: int = 0) -> Array:
        if x.ndim < 2:
            raise RuntimeError(f"{op}: input tensor must have at least 2 dimensions")
        out = empty(x.shape, x.dtype)
        kernel(x, whole_number("diagonal", diagonal, op), out)
        return out

    return forward


_MATRICES = samples.given(
    (((3, 4),), {}), (((2, 3, 3),), {"diagonal": 1}), (((4, 2),), {"diagonal": -2})
)

tril: Any = declare(
    "tril",
    "input: Tensor, diagonal: int = 0",
    _triangle_forward("tril", kernels.tril),
    rules={"input": lambda g, diagonal: tril(g, diagonal)},
    summary="Keep the lower triangle of each matrix, up to a diagonal; zero above.",
    integral=True,
    method="tril",
    inplace=True,
    samples=_MATRICES,
)

triu: Any = declare(
    "triu",
    "input: Tensor, diagonal: int = 0",
    _triangle_forward("triu", kernels.triu),
    rules={"input": lambda g, diagonal: triu(g, diagonal)},
    summary="Keep the upper triangle of each matrix, from a diagonal on; zero below.",
    integral=True,
    method="triu",
    inplace=True,
    samples=_MATRICES,
)


@publish("input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1", method="diag_embed")
def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Put the last dimension on a diagonal of two new ones, zero elsewhere.

    Args:
        input: a tensor of at least one dimension.
        offset: which diagonal: above the main one if positive.
        dim1: where the rows go in the result.
        dim2: where the columns go.

    Example:
        >>> import microtensor as mt
        >>> mt.diag_embed(mt.tensor([1, 2]), 1)
        tensor([[0, 1, 0],
                [0, 0, 2],
                [0, 0, 0]])
    """
    if not isinstance(input, Tensor):
        refuse("diag_embed", "input", input)
    shape = input._array.shape
    first, second = two_dims("diag_embed", dim1, dim2, len(shape) + 1)
    if not shape:
        raise IndexError("diag_embed: a 0-d tensor has no dimension to put on a diagonal")
    offset = whole_number("offset", offset, "diag_embed")
    side = shape[-1] + abs(offset)
    whole = list(shape[:-1])
    for dim in sorted((first, second)):
        whole.insert(dim, side)
    return place_diagonal(input, tuple(whole), offset, first, second)


@publish("input: Tensor, diagonal: int = 0", method="diag")
def diag(input: Any, diagonal: int = 0) -> Tensor:
    """Give the diagonal of a matrix, or the matrix with a vector on its diagonal: a copy.

    Raises:
        RuntimeError: neither a vector nor a matrix.
    """
    if not isinstance(input, Tensor):
        refuse("diag", "input", input)
    if input._array.ndim not in (1, 2):
        raise RuntimeError(f"diag(): supports 1D or 2D tensors. Got {input._array.ndim}D")
    return diag_embed(input, diagonal) if input._array.ndim == 1 else _diagonal_of(input, diagonal)


def _diagonal_of(matrix: Tensor, offset: int) -> Tensor:
    return clone(diagonal(matrix, offset, 0, 1))


@publish("input: Tensor, offset: int = 0", method="diagflat")
def diagflat(input: Any, offset: int = 0) -> Tensor:
    """Give the matrix with all elements, as if they were flat, on a diagonal."""
    if not isinstance(input, Tensor):
        refuse("diagflat", "input", input)
    return diag_embed(ravel(input), offset)


def indices(op: str, row: int, col: int, offset: int, lower: bool) -> Any:
    """Give the (rows, columns) of a triangle in row-major order, as one array of int64.

    Raises:
        RuntimeError: a negative length.
    """
    for name, length in (("row", row), ("col", col)):
        if length < 0:
            raise RuntimeError(f"{op}: {name} must be non-negative, got {length}")
    below = np.arange(col) - np.arange(row)[:, None] <= offset - (not lower)
    return np.stack(np.nonzero(below if lower else ~below))
