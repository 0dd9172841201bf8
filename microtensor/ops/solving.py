"""Inverses and systems of linear equations, square and triangular."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import neg
from microtensor.ops.arrays import Array, broadcast_shape, empty
from microtensor.ops.declare import declare, publish
from microtensor.ops.linear import matrix_product
from microtensor.ops.matrices import (
    floating,
    matrices,
    offer,
    run,
    same_dtype,
    square,
    tensors,
)
from microtensor.ops.shape import reshape, squeeze, transpose, unsqueeze
from microtensor.ops.triangles import tril, triu
from microtensor.tensor import Tensor, wrap


def transposed(x: Any) -> Any:
    """Swap the last two dimensions, in rules and functions alike."""
    return transpose(x, -1, -2)


def well_conditioned(*shapes: tuple[int, ...], others: Any = ()) -> samples.Samples:
    """Samples of square matrices far from singular, each followed by the given shapes."""

    def draw(rng: np.random.Generator) -> list[samples.Sample]:
        found: list[samples.Sample] = []
        for place, shape in enumerate(shapes):
            matrix = 2.0 * np.eye(shape[-1]) + 0.4 * rng.normal(size=shape)
            rest = tuple(rng.normal(size=s) for s in (others[place] if others else ()))
            found.append(((matrix, *rest), {}))
        return found

    return draw


# ---- inverse ------------------------------------------------------------------------------------

_SINGULAR = "the input matrix is singular."


def _inv_forward(A: Array, check: bool = True) -> Array:
    square("linalg.inv", A)
    out = empty(A.shape, A.dtype)
    if check:
        problem = f"The inversion could not be completed because {_SINGULAR}"
        run("linalg.inv", problem, kernels.inverse, A, out)
    else:
        kernels.inverse_or_nan(A, out)
    return out


inv: Any = declare(
    "linalg_inv",
    "A: Tensor, check: bool = True",
    _inv_forward,
    rules={"A": lambda g, y: neg(matrix_product(matrix_product(transposed(y), g), transposed(y)))},
    summary="Invert square matrices; unless checked, singular ones give NaN.",
    namespaces=(),
    samples=well_conditioned((3, 3), (2, 1, 2, 2), (0, 2, 2), (2, 0, 0), (1, 1)),
)


@offer("A: Tensor", "inv")
def _linalg_inv(A: Any) -> Tensor:
    """Invert square matrices.

    Args:
        A: of shape (*, n, n), float32 or float64. To solve equations, use :func:`solve` rather.

    Raises:
        LinAlgError: a matrix is singular.
        RuntimeError: no square matrices, or another dtype.

    Example:
        >>> import microtensor as mt
        >>> mt.linalg.inv(mt.tensor([[2.0, 0.0], [0.0, 4.0]])).tolist()
        [[0.5, 0.0], [0.0, 0.25]]
    """
    tensors("linalg_inv", A=A)
    return inv(A)


@publish("input: Tensor", method="inverse")
def inverse(input: Any) -> Tensor:
    """Invert square matrices: :func:`linalg.inv`."""
    tensors("inverse", input=input)
    return inv(input)


# ---- A X = B ------------------------------------------------------------------------------------


def _fitting(op: str, A: Array, B: Array) -> None:
    square(op, A)
    matrices(op, B, "B")
    same_dtype(op, A, B)
    if A.shape[-1] != B.shape[-2]:
        raise RuntimeError(
            f"{op}: Incompatible shapes of A and B for the equation AX = B ({A.shape[-2]}x"
            f"{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )


def _solve_forward(A: Array, B: Array) -> Array:
    _fitting("linalg.solve", A, B)
    lead = broadcast_shape(A.shape[:-2], B.shape[:-2], "linalg.solve")
    out = empty((*lead, *B.shape[-2:]), A.dtype)
    problem = f"The solver failed because {_SINGULAR}"
    run("linalg.solve", problem, kernels.solve, A, B, out)
    return out


_solve: Any = declare(
    "linalg_solve",
    "A: Tensor, B: Tensor",
    _solve_forward,
    rules={
        "A": lambda g, A, y: neg(matrix_product(_solve(transposed(A), g), transposed(y))),
        "B": lambda g, A: _solve(transposed(A), g),
    },
    summary="Solve A X = B for matrices B.",
    namespaces=(),
    samples=well_conditioned(
        *((3, 3), (2, 1, 2, 2), (2, 2), (0, 2, 2), (2, 0, 0)),
        others=(((3, 2),), ((3, 2, 1),), ((4, 2, 3),), ((2, 1),), ((2, 0, 3),)),
    ),
)


@offer("A: Tensor, B: Tensor, *, left: bool = True", "solve")
def solve(A: Any, B: Any, *, left: bool = True) -> Tensor:
    """Solve systems of linear equations, A X = B.

    Args:
        A: of shape (*, n, n), float32 or float64.
        B: of shape (*, n, k), whose batch broadcasts; or vectors, (n,) or (*, n) with the batch of
            A.
        left: False for X A = B.

    Raises:
        LinAlgError: a matrix is singular.
        RuntimeError: shapes or dtypes that do not match.

    Example:
        >>> import microtensor as mt
        >>> mt.linalg.solve(mt.tensor([[2.0, 0.0], [0.0, 4.0]]), mt.tensor([1.0, 1.0])).tolist()
        [0.5, 0.25]
    """
    tensors("linalg_solve", A=A, B=B)
    square("linalg.solve", A._array)
    shape = B._array.shape
    if len(shape) == 1 or (len(shape) == A._array.ndim - 1 and shape == A._array.shape[:-1]):
        if not left:
            raise RuntimeError(
                "linalg.solve: Vector broadcasting of the left hand side is not supported for "
                "left=False. In this case linalg.solve is equivalent to B / A.squeeze(-1)"
            )
        return squeeze(_solve(A, unsqueeze(B, -1)), -1)
    if left:
        return _solve(A, B)
    matrices("linalg.solve", B._array, "B")
    return transposed(_solve(transposed(A), transposed(B)))


# ---- triangular ---------------------------------------------------------------------------------


def _solve_triangular_forward(A: Array, B: Array, upper: bool, unitriangular: bool) -> Array:
    _fitting("linalg.solve_triangular", A, B)
    lead = broadcast_shape(A.shape[:-2], B.shape[:-2], "linalg.solve_triangular")
    out = empty((*lead, *B.shape[-2:]), A.dtype)
    kernels.solve_triangular(A, B, upper, unitriangular, out)
    return out


def _solve_triangular_rule(g: Any, A: Any, y: Any, upper: bool, unitriangular: bool) -> Any:
    part = triu if upper else tril
    skipped = int(unitriangular)
    of_b = triangular(transposed(A), g, not upper, unitriangular)
    of_a = part(matrix_product(of_b, transposed(y)), skipped if upper else -skipped)
    return neg(of_a)


def _triangular_samples(rng: np.random.Generator) -> list[samples.Sample]:
    shapes: list[tuple[tuple[int, ...], tuple[int, ...], bool, bool]] = [
        ((3, 3), (3, 2), True, False),
        ((2, 3, 3), (3, 2), False, False),
        ((3, 3), (2, 3, 1), True, True),
        ((2, 2), (2, 2), False, True),
        ((0, 0), (0, 2), True, False),
    ]
    return [
        (
            (2.0 * np.eye(a[-1]) + 0.5 * rng.normal(size=a), rng.normal(size=b)),
            {"upper": upper, "unitriangular": unit},
        )
        for a, b, upper, unit in shapes
    ]


triangular: Any = declare(
    "linalg_solve_triangular",
    "A: Tensor, B: Tensor, upper: bool, unitriangular: bool",
    _solve_triangular_forward,
    rules={
        "A": _solve_triangular_rule,
        "B": lambda g, A, upper, unitriangular: triangular(
            transposed(A), g, not upper, unitriangular
        ),
    },
    summary="Solve A X = B for triangular A.",
    namespaces=(),
    samples=_triangular_samples,
)


@offer(
    "A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False",
    "solve_triangular",
)
def solve_triangular(
    A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """Solve A X = B for triangular A, by substitution.

    Args:
        A: of shape (*, n, n); the other triangle is not read.
        B: of shape (*, n, k), or (*, k, n) with ``left=False``; the batches broadcast.
        upper: whether A is upper triangular.
        left: False for X A = B.
        unitriangular: whether the diagonal of A is taken for ones, and not read.

    Returns:
        X; with infinities where A has zeros on the diagonal.

    Raises:
        RuntimeError: shapes or dtypes that do not match.
    """
    tensors("linalg_solve_triangular", A=A, B=B)
    matrices("linalg.solve_triangular", B._array, "B")
    if left:
        return triangular(A, B, upper, unitriangular)
    square("linalg.solve_triangular", A._array)
    return transposed(triangular(transposed(A), transposed(B), not upper, unitriangular))


@publish("input: Tensor, input2: Tensor, upper: bool = False", method="cholesky_solve")
def cholesky_solve(input: Any, input2: Any, upper: bool = False) -> Tensor:
    """Solve A X = input, given the Cholesky factor of A.

    Args:
        input: the right-hand sides, of shape (*, n, k).
        input2: L, of shape (*, n, n), with A = L Lᵀ.
        upper: whether L is an upper factor, with A = Lᵀ L.

    Raises:
        RuntimeError: shapes or dtypes that do not match.
    """
    tensors("cholesky_solve", input=input, input2=input2)
    L = transposed(input2) if upper else input2
    return triangular(transposed(L), triangular(L, input, False, False), True, False)


@publish("L: Tensor, upper: bool = False", method="cholesky_inverse")
def cholesky_inverse(L: Any, upper: bool = False) -> Tensor:
    """Give the inverse of A from its Cholesky factor.

    Args:
        L: of shape (*, n, n), with A = L Lᵀ.
        upper: whether L is an upper factor, with A = Lᵀ L.

    Raises:
        RuntimeError: no square matrices, or another dtype.
    """
    tensors("cholesky_inverse", L=L)
    square("cholesky_inverse", L._array)
    return cholesky_solve(wrap(np.eye(L._array.shape[-1], dtype=L._array.dtype)), L, upper)


@offer("A: Tensor, ind: int = 2", "tensorinv")
def tensorinv(A: Any, ind: int = 2) -> Tensor:
    """Invert a tensor that maps tensors to tensors by :func:`tensordot`.

    Args:
        A: whose first ``ind`` lengths have the same product as the others.
        ind: how many dimensions the result of the map has.

    Raises:
        LinAlgError: the map has no inverse.
        RuntimeError: lengths of two products, or no positive ``ind``.
    """
    tensors("linalg_tensorinv", A=A)
    floating("linalg.tensorinv", A._array)
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    shape = A._array.shape
    rows, columns = (int(np.prod(s, dtype=np.int64)) for s in (shape[:ind], shape[ind:]))
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {columns} != {rows}"
        )
    return reshape(inv(reshape(A, (rows, columns))), (*shape[ind:], *shape[:ind]))
