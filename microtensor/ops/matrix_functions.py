"""Powers, exponentials and chains of products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import add
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare, publish
from microtensor.ops.indexing import index_view
from microtensor.ops.linear import matrix_product
from microtensor.ops.matrices import offer, square, tensors
from microtensor.ops.product_sums import blend
from microtensor.ops.shape import reshape, unsqueeze
from microtensor.ops.solving import inv, transposed
from microtensor.tensor import Tensor, wrap


@offer("A: Tensor, n: int", "matrix_power")
def matrix_power(A: Any, n: int) -> Tensor:
    """Multiply square matrices n times by themselves.

    Args:
        A: of shape (*, m, m).
        n: a whole number; below zero, the inverses are multiplied.

    Raises:
        LinAlgError: a matrix is singular, and n negative.
        RuntimeError: no square matrices.
    """
    tensors("linalg_matrix_power", A=A)
    op = "linalg.matrix_power"
    if isinstance(n, bool) or not isinstance(n, int | np.integer):
        raise TypeError(f"linalg_matrix_power(): n must be an integer, not {type(n).__name__}")
    array = A._array
    if array.ndim < 2 or n < 0 or array.shape[-1] != array.shape[-2]:
        square(op, array)
    if n == 0:
        identity = np.broadcast_to(np.eye(array.shape[-1], dtype=array.dtype), array.shape)
        return blend(A, wrap(identity), 0, 1)  # it depends on A, by nothing
    factor = inv(A) if n < 0 else A
    result = None
    rest = int(-n if n < 0 else n)
    while True:
        if rest & 1:
            result = factor if result is None else matrix_product(result, factor)
        rest >>= 1
        if not rest:
            break
        factor = matrix_product(factor, factor)
    assert result is not None
    return result.clone() if result is A else result


# ---- exponential --------------------------------------------------------------------------------


def _block_forward(a: Array, g: Array) -> Array:
    size = a.shape[-1]
    out = empty((*g.shape[:-2], 2 * size, 2 * size), a.dtype)
    kernels.exponential_block(a, g, out)
    return out


def _corner(x: Any, row: int, column: int) -> Any:
    size = x.shape[-1] // 2
    return index_view(
        x,
        (..., slice(row * size, (row + 1) * size), slice(column * size, (column + 1) * size)),
    )


_block: Any = declare(
    "exponential_block",
    "a: Tensor, grad: Tensor",
    _block_forward,
    rules={
        "a": lambda g: add(_corner(g, 0, 0), _corner(g, 1, 1)),
        "grad": lambda g: _corner(g, 0, 1),
    },
    summary="Make the matrix [[a, grad], [0, a]].",
    namespaces=(),
    samples=samples.given((((2, 2), (2, 2)), {}), (((3, 1, 1), (3, 1, 1)), {})),
)


def _matrix_exp_forward(A: Array) -> Array:
    square("linalg.matrix_exp", A)
    out = empty(A.shape, A.dtype)
    kernels.matrix_exponential(A, out)
    return out


matrix_exp_op: Any = declare(
    "linalg_matrix_exp",
    "A: Tensor",
    _matrix_exp_forward,
    # The exponential of the block matrix holds the derivative along g in its upper corner.
    rules={"A": lambda g, A: _corner(matrix_exp_op(_block(transposed(A), g)), 0, 1)},
    summary="Give the exponential of square matrices, Σ Aⁱ/i!.",
    namespaces=(),
    samples=samples.given((((3, 3),), {}), (((2, 2, 2),), {}), (((0, 2, 2),), {}), (((1, 1),), {})),
)


@offer("A: Tensor", "matrix_exp")
def matrix_exp(A: Any) -> Tensor:
    """Give the exponential of square matrices, Σ Aⁱ/i!.

    Args:
        A: of shape (*, n, n), float32 or float64.

    Raises:
        RuntimeError: no square matrices, or another dtype.
    """
    tensors("linalg_matrix_exp", A=A)
    return matrix_exp_op(A)


# ---- chains -------------------------------------------------------------------------------------


@offer("tensors: Sequence[Tensor]", "multi_dot")
def multi_dot(tensors: Any) -> Tensor:
    """Multiply several matrices in the order that takes the fewest multiplications.

    Args:
        tensors: at least two matrices; the first and the last one may be vectors.

    Raises:
        RuntimeError: fewer than two, or shapes that do not fit.

    Example:
        >>> import microtensor as mt
        >>> mt.linalg.multi_dot([mt.ones(5), mt.ones(5, 2), mt.ones(2)])
        tensor(10.)
    """
    chain = _checked_chain(tensors)
    first, last = chain[0]._array.ndim == 1, chain[-1]._array.ndim == 1
    if first:
        chain[0] = unsqueeze(chain[0], 0)
    if last:
        chain[-1] = unsqueeze(chain[-1], 1)
    lengths = [chain[0]._array.shape[0]]
    for place, each in enumerate(chain):
        rows, columns = each._array.shape
        if rows != lengths[-1] and place:
            raise RuntimeError(
                f"multi_dot(): tensors {place - 1} and {place} with shapes "
                f"{list(tensors[place - 1].shape)} and {list(tensors[place].shape)} cannot be "
                "multiplied"
            )
        lengths.append(columns)
    splits = _best_splits(lengths)

    def product(start: int, stop: int) -> Tensor:
        if start == stop:
            return chain[start]
        split = splits[start, stop]
        return matrix_product(product(start, split), product(split + 1, stop))

    result = product(0, len(chain) - 1)
    shape = result._array.shape[int(first) : 2 - int(last)]
    return reshape(result, shape) if first or last else result


def _checked_chain(given: Any) -> list[Tensor]:
    chain = list(given)
    if len(chain) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(chain)}")
    tensors("linalg_multi_dot", **{f"tensors[{i}]": each for i, each in enumerate(chain)})
    for place, each in enumerate(chain):
        ndim = each._array.ndim
        if ndim != 2 and not (ndim == 1 and place in (0, len(chain) - 1)):
            legal = "1D or 2D" if place in (0, len(chain) - 1) else "2D"
            raise RuntimeError(f"multi_dot(): tensor {place} must be {legal} but got {ndim}D")
    return chain


def _best_splits(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Give where to split each part of a chain of matrices, lengths[i] by lengths[i + 1]."""
    count = len(lengths) - 1
    cost = {(i, i): 0 for i in range(count)}
    splits = {}
    for span in range(1, count):
        for start in range(count - span):
            stop = start + span
            options = [
                (
                    cost[start, k]
                    + cost[k + 1, stop]
                    + lengths[start] * lengths[k + 1] * lengths[stop + 1],
                    k,
                )
                for k in range(start, stop)
            ]
            cost[start, stop], splits[start, stop] = min(options)
    return splits


# ---- outside linalg, where PyTorch calls the matrices input -------------------------------------


@publish("input: Tensor, n: int", method="matrix_power", name="matrix_power")
def _matrix_power(input: Any, n: int) -> Tensor:
    """Multiply square matrices n times by themselves, as :func:`linalg.matrix_power`."""
    return matrix_power(input, n)


@publish("input: Tensor", method="matrix_exp", name="matrix_exp")
def _matrix_exp(input: Any) -> Tensor:
    """Give the exponential of square matrices, as :func:`linalg.matrix_exp`."""
    return matrix_exp(input)
