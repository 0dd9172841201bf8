"""Products of two tensors over dimensions of both, as matrix products.

What is to be done is planned on shapes alone, so that a plan can be kept.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from microtensor.ops.arithmetic import mul
from microtensor.ops.declare import publish
from microtensor.ops.linear import matrix_product
from microtensor.ops.matrices import same_dtype, tensors
from microtensor.ops.reductions import sum
from microtensor.ops.shape import permute, reshape, squeeze
from microtensor.ops.views import diagonal
from microtensor.tensor import Tensor, checked_dim

# A label is a letter, or for the dimensions of an ellipsis their place from the right.
Label = str | int


class Part:
    """A tensor of the plan: its labels and lengths, and what is done to it before it is used."""

    def __init__(self, labels: list[Label], shape: tuple[int, ...]) -> None:
        self.labels = labels
        self.shape = shape
        self.moves: list[tuple[Any, tuple[Any, ...]]] = []

    def take_diagonals(self) -> None:
        """Leave each label once."""
        for label in dict.fromkeys(self.labels):
            while self.labels.count(label) > 1:
                first = self.labels.index(label)
                second = self.labels.index(label, first + 1)
                size = self.shape[first]
                if size != self.shape[second]:
                    raise RuntimeError(
                        f"einsum(): subscript {label} is repeated for an operand but the sizes "
                        f"don't match, {self.shape[second]} != {size}"
                    )
                self.moves.append((diagonal, (0, first, second)))
                self._drop((first, second))
                self.labels, self.shape = [*self.labels, label], (*self.shape, size)

    def _drop(self, dims: tuple[int, ...]) -> None:
        self.labels = [label for i, label in enumerate(self.labels) if i not in dims]
        self.shape = tuple(n for i, n in enumerate(self.shape) if i not in dims)

    def sum_but(self, needed: set[Label]) -> None:
        """Sum over what nobody else needs."""
        dims = tuple(i for i, label in enumerate(self.labels) if label not in needed)
        if dims:
            self.moves.append((sum, (dims,)))
            self._drop(dims)

    def drop_ones(self, other: Part) -> None:
        """Drop dimensions of length 1 that another part has longer."""
        longer = {n for n, size in zip(other.labels, other.shape, strict=True) if size != 1}
        dims = tuple(
            i for i, label in enumerate(self.labels) if self.shape[i] == 1 and label in longer
        )
        if dims:
            self.moves.append((squeeze, (dims,)))
            self._drop(dims)

    def order(self, labels: list[Label]) -> None:
        """Bring the labels into an order."""
        if labels != self.labels:
            dims = tuple(self.labels.index(label) for label in labels)
            self.moves.append((permute, (dims,)))
            self.labels, self.shape = labels, tuple(self.shape[d] for d in dims)

    def size(self, labels: list[Label]) -> int:
        """Give the number of elements along some labels."""
        return prod(n for label, n in zip(self.labels, self.shape, strict=True) if label in labels)

    def reshape(self, shape: tuple[int, ...]) -> None:
        """Give the tensor another shape, at the end of all."""
        if shape != self.shape:
            self.moves.append((reshape, (shape,)))


def moved(tensor: Tensor, part: Part) -> Tensor:
    """Do to a tensor what a plan says."""
    for move, arguments in part.moves:
        tensor = move(tensor, *arguments)
    return tensor


def contract(a: Part, b: Part, needed: set[Label]) -> tuple[Any, Part]:
    """Plan the product of two parts, summed over their common labels that nobody else needs.

    Returns:
        What multiplies them, and the product.
    """
    a.drop_ones(b)
    b.drop_ones(a)
    a.sum_but(needed | set(b.labels))
    b.sum_but(needed | set(a.labels))
    batch = [label for label in a.labels if label in b.labels and label in needed]
    inner = [label for label in a.labels if label in b.labels and label not in needed]
    rows = [label for label in a.labels if label not in b.labels]
    columns = [label for label in b.labels if label not in a.labels]
    a.order(batch + rows + inner)
    b.order(batch + inner + columns)
    lead = a.shape[: len(batch)]
    of_rows = a.shape[len(batch) : len(batch) + len(rows)]
    of_columns = b.shape[len(batch) + len(inner) :]
    product = Part(batch + rows + columns, (*lead, *of_rows, *of_columns))
    if not inner:
        a.reshape((*lead, *of_rows, *(1,) * len(columns)))
        b.reshape((*lead, *(1,) * len(rows), *of_columns))
        return mul, product
    count = (prod(lead),) if batch else ()
    k = a.size(inner)
    a.reshape((*count, prod(of_rows), k))
    b.reshape((*count, k, prod(of_columns)))
    if (*count, prod(of_rows), prod(of_columns)) != product.shape:
        product.moves.append((reshape, (product.shape,)))
    return matrix_product, product


@publish("a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] = 2")
def tensordot(a: Any, b: Any, dims: Any = 2) -> Tensor:
    """Sum products of two tensors over dimensions of both.

    Args:
        a: the left tensor.
        b: the right one, of the same dtype.
        dims: a number: the last dimensions of ``a`` and the first of ``b``; or two lists.

    Returns:
        A tensor with the other dimensions of ``a``, then those of ``b``.

    Raises:
        RuntimeError: dimensions that differ in number or length.

    Example:
        >>> import microtensor as mt
        >>> mt.tensordot(mt.ones(2, 3, 4), mt.ones(4, 3), dims=([1, 2], [1, 0]))
        tensor([12., 12.])
    """
    tensors("tensordot", a=a, b=b)
    ndim_a, ndim_b = a._array.ndim, b._array.ndim
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int | np.integer):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(ndim_a, ndim_b):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims = (range(ndim_a - dims, ndim_a), range(dims))
    chosen_a, chosen_b = dims
    if len(chosen_a) != len(chosen_b):
        raise RuntimeError("both dimension lists should have same length")
    same_dtype("tensordot", a._array, b._array, "a", "b")
    dims_a = [checked_dim(int(d), ndim_a) for d in chosen_a]
    dims_b = [checked_dim(int(d), ndim_b) for d in chosen_b]
    names: dict[int, int] = dict(zip(dims_b, dims_a, strict=True))
    if len(names) != len(dims_b) or len(set(dims_a)) != len(dims_a):
        raise RuntimeError(f"tensordot: a dimension appears twice in {dims_a} or {dims_b}")
    for d_a, d_b in zip(dims_a, dims_b, strict=True):
        m, n = a._array.shape[d_a], b._array.shape[d_b]
        if m != n and m != 1 and n != 1:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {m} in dim {d_a} and "
                f"second has size {n} in dim {d_b}"
            )
    parts = (
        Part(list(range(ndim_a)), a._array.shape),
        Part([names.get(d, ndim_a + d) for d in range(ndim_b)], b._array.shape),
    )
    kept: list[Label] = [d for d in range(ndim_a) if d not in dims_a]
    kept += [ndim_a + d for d in range(ndim_b) if d not in dims_b]
    multiply, product = contract(*parts, set(kept))
    product.order(kept)
    return moved(multiply(moved(a, parts[0]), moved(b, parts[1])), product)
