"""Decompositions of symmetric matrices: Cholesky factors and eigenvalues."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import add, div, mul, sub
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare, publish
from microtensor.ops.linear import matrix_product
from microtensor.ops.matrices import (
    embedded,
    no_convergence,
    offer,
    run,
    square,
    symmetric_part,
    tensors,
    wants_gradient,
    with_diagonal,
)
from microtensor.ops.shape import unsqueeze
from microtensor.ops.solving import transposed, triangular
from microtensor.ops.triangles import tril
from microtensor.tensor import Tensor, wrap

# ---- Cholesky -----------------------------------------------------------------------------------


def _cholesky_forward(A: Array) -> Array:
    square("linalg.cholesky", A)
    out = empty(A.shape, A.dtype)
    problem = "The factorization could not be completed because the input is not positive-definite."
    run("linalg.cholesky", problem, kernels.cholesky, A, out)
    return out


def _cholesky_rule(g: Any, y: Any) -> Any:
    inside = matrix_product(transposed(y), tril(g))
    # The lower triangle with half the diagonal, and its mirror image.
    halved = mul(add(tril(inside), tril(inside, -1)), 0.5)
    left = triangular(transposed(y), symmetric_part(halved), True, False)
    return triangular(transposed(y), transposed(left), True, False)


def _positive_definite(rng: np.random.Generator) -> list[samples.Sample]:
    found: list[samples.Sample] = []
    for shape in ((3, 3), (2, 1, 2, 2), (0, 2, 2), (1, 1), (0, 0)):
        a = rng.normal(size=shape)
        found.append(((a @ a.swapaxes(-1, -2) + np.eye(shape[-1]),), {}))
    return found


_cholesky: Any = declare(
    "linalg_cholesky",
    "A: Tensor",
    _cholesky_forward,
    rules={"A": _cholesky_rule},
    summary="Give the lower Cholesky factor of symmetric positive-definite matrices; the gradient "
    "is symmetric.",
    namespaces=(),
    samples=_positive_definite,
)


@offer("A: Tensor, *, upper: bool = False", "cholesky")
def cholesky(A: Any, *, upper: bool = False) -> Tensor:
    """Factor symmetric positive-definite matrices, A = L Lᵀ.

    Args:
        A: of shape (*, n, n), float32 or float64; only one triangle is read.
        upper: give the upper factor U, with A = Uᵀ U, from the upper triangle.

    Returns:
        The factor, with zeros in the other triangle. Its gradient is symmetric.

    Raises:
        LinAlgError: a matrix is not positive-definite.
        RuntimeError: no square matrices, or another dtype.

    Example:
        >>> import microtensor as mt
        >>> mt.linalg.cholesky(mt.tensor([[4.0, 2.0], [2.0, 10.0]])).tolist()
        [[2.0, 0.0], [1.0, 3.0]]
    """
    tensors("linalg_cholesky", A=A)
    if not upper:
        return _cholesky(A)
    square("linalg.cholesky", A._array)
    return transposed(_cholesky(transposed(A)))


@publish("input: Tensor, upper: bool = False", name="cholesky", method="cholesky")
def _top_level_cholesky(input: Any, upper: bool = False) -> Tensor:
    """Factor symmetric positive-definite matrices: :func:`linalg.cholesky`."""
    tensors("cholesky", input=input)
    return cholesky(input, upper=upper)


# ---- eigenvalues of symmetric matrices ----------------------------------------------------------


class Eigh(namedtuple("linalg_eigh", ["eigenvalues", "eigenvectors"])):
    """Eigenvalues in ascending order, and eigenvectors in columns."""

    __slots__ = ()


Eigh.__name__ = "linalg_eigh"


def _triangle(op: str, UPLO: Any) -> str:
    if not isinstance(UPLO, str) or UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"{op}: Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper()


def _eigh_forward(A: Array, UPLO: str = "L") -> tuple[Array, Array]:
    square("linalg.eigh", A)
    triangle = _triangle("linalg.eigh", UPLO)
    values, vectors = empty(A.shape[:-1], A.dtype), empty(A.shape, A.dtype)
    run("linalg.eigh", no_convergence(A), kernels.eigh, A, triangle, values, vectors)
    return values, vectors


def _differences(values: Any) -> Any:
    """Give valuesⱼ - valuesᵢ, and ones on the diagonal."""
    return with_diagonal(sub(unsqueeze(values, -2), unsqueeze(values, -1)), 1.0)


def _eigh_rule(g_eigenvalues: Any, g_eigenvectors: Any, eigenvalues: Any, eigenvectors: Any) -> Any:
    v = eigenvectors
    if g_eigenvectors is None:
        # Nothing here divides by a distance of eigenvalues: they may be equal.
        return matrix_product(mul(v, unsqueeze(g_eigenvalues, -2)), transposed(v))
    turning = div(matrix_product(transposed(v), g_eigenvectors), _differences(eigenvalues))
    inside = with_diagonal(symmetric_part(turning), 0.0)
    if g_eigenvalues is not None:
        inside = add(inside, embedded(g_eigenvalues))
    return matrix_product(matrix_product(v, inside), transposed(v))


def _symmetric(rng: np.random.Generator) -> list[samples.Sample]:
    found: list[samples.Sample] = []
    for shape in ((3, 3), (2, 2, 2), (0, 2, 2), (1, 1), (0, 0)):
        q = np.linalg.qr(rng.normal(size=shape))[0]
        a = (q * (np.arange(shape[-1]) - 0.6)) @ q.swapaxes(-1, -2)
        found.append((((a + a.swapaxes(-1, -2)) / 2,), {}))
    return found


_eigh: Any = declare(
    "linalg_eigh",
    "A: Tensor, UPLO: str = 'L'",
    _eigh_forward,
    rules={"A": _eigh_rule},
    outputs=("eigenvalues", "eigenvectors"),
    returns=Eigh,
    summary="Give eigenvalues, in ascending order, and eigenvectors of symmetric matrices, of "
    "which one triangle is read; the gradient is symmetric.",
    namespaces=(),
    samples=_symmetric,
)
publish(_eigh.op.signature, ("linalg",), name="eigh")(_eigh.op.public)


@offer("A: Tensor, UPLO: str = 'L'", "eigvalsh")
def eigvalsh(A: Any, UPLO: str = "L") -> Tensor:
    """Give the eigenvalues of symmetric matrices, in ascending order.

    Args:
        A: of shape (*, n, n), float32 or float64.
        UPLO: which triangle is read, "L" or "U".

    Returns:
        A tensor of shape (*, n). Its gradient is finite for equal eigenvalues, too.

    Raises:
        RuntimeError: no square matrices, or another dtype or triangle.
    """
    tensors("linalg_eigvalsh", A=A)
    if wants_gradient(A):  # which is made of the eigenvectors
        return _eigh(A, UPLO).eigenvalues
    array = A._array
    square("linalg.eigvalsh", array)
    triangle = _triangle("linalg.eigvalsh", UPLO)
    out = empty(array.shape[:-1], array.dtype)
    run("linalg.eigvalsh", no_convergence(array), kernels.eigenvalues, array, triangle, out)
    return wrap(out)
