"""Least squares, pseudo-inverses and ranks: matrices that have no inverse."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import add, mul, sub
from microtensor.ops.arrays import Array, broadcast_shape, empty
from microtensor.ops.declare import declare, publish
from microtensor.ops.decompositions import full_rank, svd, svdvals
from microtensor.ops.linear import matrix_product
from microtensor.ops.matrices import (
    matrices,
    no_convergence,
    offer,
    run,
    same_dtype,
    square,
    tensors,
)
from microtensor.ops.reductions import sum
from microtensor.ops.rounding import abs
from microtensor.ops.shape import squeeze, unsqueeze
from microtensor.ops.solving import transposed
from microtensor.ops.symmetric import eigvalsh
from microtensor.tensor import Tensor, wrap

# ---- least squares ------------------------------------------------------------------------------


class Lstsq(namedtuple("linalg_lstsq", ["solution", "residuals", "rank", "singular_values"])):
    """What least squares gives; empty tensors for what the driver does not compute."""

    __slots__ = ()


Lstsq.__name__ = "linalg_lstsq"


def _lstsq_forward(A: Array, B: Array, rcond: float) -> tuple[Array, Array]:
    matrices("linalg.lstsq", A, "input")
    *lead_a, m, n = A.shape
    lead = broadcast_shape(tuple(lead_a), B.shape[:-2], "linalg.lstsq")
    out = empty((*lead, n, B.shape[-1]), A.dtype)
    singular = empty((*lead_a, min(m, n)), A.dtype)
    run("linalg.lstsq", no_convergence(A), kernels.least_squares, A, B, rcond, out, singular)
    return out, singular


def _shortest(A: Any, B: Any, rcond: float) -> Any:
    return _lstsq(A, B, rcond)[0]


def _lstsq_rule_a(
    g_solution: Any, g_singular: Any, A: Any, B: Any, rcond: float, solution: Any
) -> Any:
    by_values = None
    if g_singular is not None:
        u, _, vh = svd(A, False)
        by_values = matrix_product(mul(u, unsqueeze(g_singular, -2)), vh)
    if g_solution is None:
        return by_values
    # X = A⁺B for a constant rank; what A⁺ and its transpose multiply is again such a problem.
    g, x = g_solution, solution
    y = _shortest(transposed(A), g, rcond)
    residual = sub(B, matrix_product(A, x))
    through_rows = matrix_product(residual, transposed(_shortest(A, y, rcond)))
    beside = sub(g, matrix_product(transposed(A), y))
    through_columns = matrix_product(_shortest(transposed(A), x, rcond), transposed(beside))
    total = sub(add(through_rows, through_columns), matrix_product(y, transposed(x)))
    return total if by_values is None else add(total, by_values)


def _lstsq_samples(rng: np.random.Generator) -> list[samples.Sample]:
    shapes = [((4, 2), (4, 3)), ((2, 2, 4), (2, 2, 1)), ((3, 3), (2, 3, 2)), ((0, 3, 2), (3, 1))]
    found: list[samples.Sample] = []
    for a, b in shapes:
        ((matrix,), _) = full_rank(a)(rng)[0]
        found.append(((matrix, rng.normal(size=b)), {"rcond": 1e-10}))
    return found


_lstsq: Any = declare(
    "linalg_lstsq",
    "A: Tensor, B: Tensor, rcond: float",
    _lstsq_forward,
    rules={
        "A": _lstsq_rule_a,
        "B": lambda g_solution, g_singular, A, B, rcond: (
            mul(B, 0.0) if g_solution is None else _shortest(transposed(A), g_solution, rcond)
        ),
    },
    outputs=("solution", "singular"),
    summary="Give the shortest X that makes |A X - B| least, and the singular values of A.",
    namespaces=(),
    samples=_lstsq_samples,
)

_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


@offer("A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None", "lstsq")
def lstsq(A: Any, B: Any, rcond: Any = None, *, driver: Any = None) -> Any:
    """Solve A X = B in the sense of least squares; of several solutions, the shortest.

    Args:
        A: of shape (*, m, n), float32 or float64.
        B: of shape (*, m, k), or vectors (*, m).
        rcond: singular values up to ``rcond`` times the largest count as zero; the dtype's
            precision times max(m, n) for None.
        driver: "gelsy" (or None), "gels", "gelsd" or "gelss". All are computed from singular values
            here; as in LAPACK, "gels" takes A to have full rank, and the driver says what else is
            given.

    Returns:
        A named tuple (solution, residuals, rank, singular_values): the residuals' sums of squares
        if m > n and all ranks are full (not for "gelsy"), ranks (not for "gels"), singular values
        (for "gelsd" and "gelss"); empty tensors otherwise. The solution's gradient wants the rank
        to be constant around A.

    Raises:
        RuntimeError: shapes or dtypes that do not match, or an unknown driver.
    """
    tensors("linalg_lstsq", A=A, B=B)
    op = "linalg.lstsq"
    matrices(op, A._array, "input")
    driver = driver or "gelsy"
    if driver not in _DRIVERS:
        raise RuntimeError(
            f"{op}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss), not {driver}"
        )
    m, n = A._array.shape[-2:]
    shape = B._array.shape
    vector = len(shape) == A._array.ndim - 1 and shape == A._array.shape[:-1]
    right = unsqueeze(B, -1) if vector else B
    if right._array.ndim < 2 or right._array.shape[-2] != m:
        raise RuntimeError(
            f"{op}: input.size(-2) should match other.size(-2), but the shapes are "
            f"{list(A._array.shape)} and {list(shape)}"
        )
    same_dtype(op, A._array, right._array, "input", "other")
    dtype = A._array.dtype
    if rcond is None:
        rcond = float(np.finfo(dtype).eps) * max(m, n)
    solution, singular = _lstsq(A, right, 0.0 if driver == "gels" else float(rcond))
    values = singular._array
    rank = (values > rcond * values[..., :1]).sum(-1, dtype=np.int64)
    residuals = wrap(empty((0,), dtype))
    if (
        driver != "gelsy"
        and m > n
        and (driver == "gels" or bool(wrap(np.asarray((rank == n).all()))))
    ):
        missed = sub(matrix_product(A, solution), right)
        residuals = sum(mul(missed, missed), -2)
    return Lstsq(
        squeeze(solution, -1) if vector else solution,
        residuals,
        wrap(empty((0,), np.dtype(np.int64)) if driver == "gels" else np.asarray(rank)),
        singular if driver in ("gelsd", "gelss") else wrap(empty((0,), dtype)),
    )


# ---- the pseudo-inverse -------------------------------------------------------------------------


def _pinv_forward(A: Array, absolute: Any, relative: Any, hermitian: bool) -> Array:
    matrices("linalg.pinv", A)
    out = empty((*A.shape[:-2], A.shape[-1], A.shape[-2]), A.dtype)
    kernel = kernels.pseudo_inverse
    run("linalg.pinv", no_convergence(A), kernel, A, absolute, relative, hermitian, out)
    return out


def _pinv_rule(g: Any, A: Any, y: Any) -> Any:
    # Golub and Pereyra's derivative, for a constant rank; P = A⁺ = y.
    from_inverse = matrix_product(matrix_product(transposed(y), g), transposed(y))
    left = matrix_product(transposed(g), matrix_product(y, transposed(y)))
    left = sub(left, matrix_product(A, matrix_product(y, left)))
    right = matrix_product(matrix_product(transposed(y), y), transposed(g))
    right = sub(right, matrix_product(matrix_product(right, y), A))
    return sub(add(left, right), from_inverse)


def _pinv_samples(rng: np.random.Generator) -> list[samples.Sample]:
    arguments = {"absolute": 0.0, "relative": 1e-10, "hermitian": False}
    return [
        *full_rank((4, 2), (2, 2, 4), (3, 3), (0, 3, 2), (3, 0), **arguments)(rng),
        *full_rank((1, 1), **{**arguments, "hermitian": True})(rng),
    ]


_pinv: Any = declare(
    "linalg_pinv",
    "A: Tensor, absolute: Any, relative: Any, hermitian: bool",
    _pinv_forward,
    rules={"A": _pinv_rule},
    summary="Give the pseudo-inverse; the gradient is right where the rank does not change.",
    namespaces=(),
    samples=_pinv_samples,
)


def _tolerances(A: Tensor, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """Give both tolerances; the relative one is the dtype's precision unless one is stated."""
    dtype = A._array.dtype
    given = [t._array if isinstance(t, Tensor) else t for t in (atol, rtol)]
    absolute = 0.0 if given[0] is None else np.asarray(given[0], dtype)
    relative = given[1]
    if relative is None:
        precise = float(np.finfo(dtype).eps) * max(A._array.shape[-2:])
        relative = np.where(np.asarray(absolute) > 0, 0.0, precise)
    return absolute, np.asarray(relative, dtype)


@offer(
    "A: Tensor, rcond: float | None = None, hermitian: bool = False, *, atol: Any = None, "
    "rtol: Any = None",
    "pinv",
)
def pinv(
    A: Any, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """Give the pseudo-inverse (Moore-Penrose inverse) of matrices.

    Args:
        A: of shape (*, m, n), float32 or float64.
        rcond: another name of ``rtol``.
        hermitian: whether A is symmetric; then its eigenvalues are used.
        atol: singular values up to it count as zero; a number, or a tensor with one a matrix.
        rtol: likewise those up to this times the largest; max(m, n) times the dtype's precision if
            neither is stated.

    Returns:
        A tensor of shape (*, n, m).

    Raises:
        LinAlgError: a matrix has elements that are not finite.
        RuntimeError: no matrices, or another dtype.
    """
    tensors("linalg_pinv", A=A)
    (square if hermitian else matrices)("linalg.pinv", A._array)
    absolute, relative = _tolerances(A, atol, rcond if rtol is None else rtol)
    return _pinv(A, absolute, relative, hermitian)


@publish("input: Tensor, rcond: float = 1e-15", method="pinverse")
def pinverse(input: Any, rcond: float = 1e-15) -> Tensor:
    """Give the pseudo-inverse of matrices: :func:`linalg.pinv`."""
    tensors("pinverse", input=input)
    return pinv(input, rcond)


@offer(
    "A: Tensor, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None",
    "matrix_rank",
)
def matrix_rank(
    A: Any, tol: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> Tensor:
    """Count the singular values of matrices that are not zero within tolerances.

    Args:
        A: of shape (*, m, n), float32 or float64.
        tol: another name of ``atol``, beside which nothing is relative.
        hermitian: whether A is symmetric; then its eigenvalues are used.
        atol: values up to it count as zero; a number, or a tensor with one a matrix.
        rtol: likewise those up to this times the largest; max(m, n) times the dtype's precision if
            neither is stated.

    Returns:
        An int64 tensor of shape (*).

    Raises:
        RuntimeError: no matrices, or another dtype.
    """
    tensors("linalg_matrix_rank", A=A)
    (square if hermitian else matrices)("linalg.matrix_rank", A._array)
    if tol is not None:
        atol, rtol = tol, 0.0
    absolute, relative = _tolerances(A, atol, rtol)
    constant = A.detach()
    values = (abs(eigvalsh(constant)) if hermitian else svdvals(constant))._array
    largest = values.max(-1, initial=0)
    limit = np.maximum(absolute, relative * largest)
    return wrap(np.asarray((values > limit[..., None]).sum(-1, dtype=np.int64)))
