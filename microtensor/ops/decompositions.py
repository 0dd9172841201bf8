"""QR and singular value decompositions."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import add, div, mul, neg, sub
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare, publish
from microtensor.ops.indexing import add_at, index_view
from microtensor.ops.linear import matrix_product
from microtensor.ops.matrices import (
    embedded,
    joined,
    matrices,
    no_convergence,
    offer,
    run,
    tensors,
    wants_gradient,
    with_diagonal,
)
from microtensor.ops.shape import unsqueeze
from microtensor.ops.solving import transposed, triangular
from microtensor.ops.triangles import tril, triu
from microtensor.tensor import Tensor, wrap


def _columns(x: Any, start: int | None, stop: int | None) -> Any:
    return index_view(x, (..., slice(start, stop)))


def _rows(x: Any, start: int | None, stop: int | None) -> Any:
    return index_view(x, (..., slice(start, stop), slice(None)))


# ---- QR -----------------------------------------------------------------------------------------


class Qr(namedtuple("linalg_qr", ["Q", "R"])):
    """Orthonormal columns and an upper triangular matrix."""

    __slots__ = ()


Qr.__name__ = "linalg_qr"


def _qr_forward(A: Array, mode: str = "reduced") -> tuple[Array, Array]:
    matrices("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    *lead, m, n = A.shape
    inner = m if mode == "complete" else min(m, n)
    q = empty((0,) if mode == "r" else (*lead, m, inner), A.dtype)
    r = empty((*lead, inner, n), A.dtype)
    kernels.qr(A, mode, q, r)
    return q, r


def _square_qr_rule(g_q: Any, g_r: Any, q: Any, r: Any) -> Any:
    """Give the gradient of A = QR with square R: (gQ + Q copyltu(R gRᵀ - gQᵀ Q)) R⁻ᵀ."""
    inside = joined(
        None if g_r is None else matrix_product(r, transposed(g_r)),
        None if g_q is None else neg(matrix_product(transposed(g_q), q)),
    )
    mirrored = add(tril(inside), transposed(tril(inside, -1)))
    sum_of_both = joined(g_q, matrix_product(q, mirrored))
    return transposed(triangular(r, transposed(sum_of_both), True, False))


def _qr_rule(g_Q: Any, g_R: Any, A: Any, Q: Any, R: Any, mode: str) -> Any:
    m, n = A.shape[-2:]
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please "
            "use linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr."
        )
    if m > n and mode == "complete":
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
        )
    if g_R is not None:
        g_R = triu(g_R)
    if m >= n:
        return _square_qr_rule(g_Q, g_R, Q, R)
    # The first m columns make Q and a square R; the others are R's = Qᵀ A's.
    left_of_r = None if g_R is None else _columns(g_R, None, m)
    if g_R is None:
        right = None
    else:
        right_of_r = _columns(g_R, m, None)
        right = add_at(matrix_product(Q, right_of_r), (..., slice(m, None)), A.shape)
        g_Q = joined(g_Q, matrix_product(_columns(A, m, None), transposed(right_of_r)))
    left = _square_qr_rule(g_Q, left_of_r, Q, _columns(R, None, m))
    return joined(add_at(left, (..., slice(None, m)), A.shape), right)


def full_rank(*shapes: tuple[int, ...], **arguments: Any) -> Any:
    """Samples of matrices with singular values far from each other and from zero."""

    def draw(rng: np.random.Generator) -> list[samples.Sample]:
        found: list[samples.Sample] = []
        for shape in shapes:
            a = rng.normal(size=shape)
            u, s, vh = np.linalg.svd(a, full_matrices=False)
            s = 1.0 + 0.8 * np.arange(s.shape[-1], 0, -1) + 0 * s
            found.append((((u * s[..., None, :]) @ vh,), dict(arguments)))
        return found

    return draw


_qr: Any = declare(
    "linalg_qr",
    "A: Tensor, mode: str = 'reduced'",
    _qr_forward,
    rules={"A": _qr_rule},
    outputs=("Q", "R"),
    returns=Qr,
    summary="Decompose matrices, A = QR: orthonormal columns times an upper triangle.",
    namespaces=(),
    samples=full_rank((3, 3), (2, 4, 2), (2, 4), (0, 3, 2), (3, 0), (0, 3)),
)
publish(_qr.op.signature, ("linalg",), name="qr")(_qr.op.public)


@publish("input: Tensor, some: bool = True", method="qr")
def qr(input: Any, some: bool = True) -> Any:
    """Decompose matrices: :func:`linalg.qr`, complete unless ``some``."""
    tensors("qr", input=input)
    return _qr(input, "reduced" if some else "complete")


# ---- singular values ----------------------------------------------------------------------------


class Svd(namedtuple("linalg_svd", ["U", "S", "Vh"])):
    """Left singular vectors in columns, singular values, right singular vectors in rows."""

    __slots__ = ()


Svd.__name__ = "linalg_svd"


def _svd_forward(A: Array, full_matrices: bool = True) -> tuple[Array, Array, Array]:
    matrices("linalg.svd", A)
    *lead, m, n = A.shape
    k = min(m, n)
    u = empty((*lead, m, m if full_matrices else k), A.dtype)
    s = empty((*lead, k), A.dtype)
    vh = empty((*lead, n if full_matrices else k, n), A.dtype)
    run("linalg.svd", no_convergence(A), kernels.svd, A, full_matrices, u, s, vh)
    return u, s, vh


def _svd_rule(g_U: Any, g_S: Any, g_Vh: Any, U: Any, S: Any, Vh: Any) -> Any:
    m, n, k = U.shape[-2], Vh.shape[-1], S.shape[-1]
    u, vh = _columns(U, None, k), _rows(Vh, None, k)
    if g_U is None and g_Vh is None:
        # Nothing here divides by a distance of singular values: they may be equal, or zero.
        return matrix_product(mul(u, unsqueeze(g_S, -2)), vh)
    gaps = mul(sub(unsqueeze(S, -2), unsqueeze(S, -1)), add(unsqueeze(S, -2), unsqueeze(S, -1)))
    gaps = with_diagonal(gaps, 1.0)
    inside = outside_u = outside_v = None
    if g_S is not None:
        inside = embedded(g_S)
    if g_U is not None:
        g_u = _columns(g_U, None, k)
        along = matrix_product(transposed(u), g_u)
        turning = div(sub(along, transposed(along)), gaps)
        inside = joined(inside, mul(turning, unsqueeze(S, -2)))
        if m > k:
            across = sub(g_u, matrix_product(u, along))
            if U.shape[-1] > k:  # the other columns turn with these
                others, g_others = _columns(U, k, None), _columns(g_U, k, None)
                across = sub(
                    across, matrix_product(others, matrix_product(transposed(g_others), u))
                )
            outside_u = matrix_product(div(across, unsqueeze(S, -2)), vh)
    if g_Vh is not None:
        g_vh = _rows(g_Vh, None, k)
        along = matrix_product(vh, transposed(g_vh))
        turning = div(sub(along, transposed(along)), gaps)
        inside = joined(inside, mul(turning, unsqueeze(S, -1)))
        if n > k:
            across = sub(g_vh, matrix_product(transposed(along), vh))
            if Vh.shape[-2] > k:
                others, g_others = _rows(Vh, k, None), _rows(g_Vh, k, None)
                across = sub(
                    across, matrix_product(matrix_product(vh, transposed(g_others)), others)
                )
            outside_v = matrix_product(div(u, unsqueeze(S, -2)), across)
    return joined(matrix_product(matrix_product(u, inside), vh), outside_u, outside_v)


svd: Any = declare(
    "linalg_svd",
    "A: Tensor, full_matrices: bool = True",
    _svd_forward,
    rules={"A": _svd_rule},
    outputs=("U", "S", "Vh"),
    returns=Svd,
    summary="Decompose matrices, A = U diag(S) Vh, with the singular values S in descending order. "
    "The gradients through U and Vh want them to be different, those through S do not.",
    namespaces=(),
    samples=full_rank((3, 3), (2, 4, 2), (2, 4), (0, 3, 2), (3, 0), full_matrices=False),
)
publish(svd.op.signature, ("linalg",), name="svd")(svd.op.public)


@offer("A: Tensor", "svdvals")
def svdvals(A: Any) -> Tensor:
    """Give the singular values of matrices, in descending order.

    Args:
        A: of shape (*, m, n), float32 or float64.

    Returns:
        A tensor of shape (*, min(m, n)). Its gradient is finite for equal and for zero values, too.

    Raises:
        LinAlgError: a matrix has elements that are not finite.
        RuntimeError: no matrices, or another dtype.
    """
    tensors("linalg_svdvals", A=A)
    if wants_gradient(A):  # which is made of the singular vectors
        return svd(A, False).S
    array = A._array
    matrices("linalg.svd", array)
    out = empty((*array.shape[:-2], min(array.shape[-2:])), array.dtype)
    run("linalg.svd", no_convergence(array), kernels.singular_values, array, out)
    return wrap(out)


class OldSvd(namedtuple("svd", ["U", "S", "V"])):
    """Left singular vectors, singular values, right singular vectors, in columns."""

    __slots__ = ()


OldSvd.__name__ = "svd"


@publish("input: Tensor, some: bool = True, compute_uv: bool = True", name="svd", method="svd")
def _top_level_svd(input: Any, some: bool = True, compute_uv: bool = True) -> Any:
    """Decompose matrices, input = U diag(S) Vᵀ: :func:`linalg.svd` with V instead of its transpose.

    Args:
        input: of shape (*, m, n), float32 or float64.
        some: give only the first min(m, n) columns of U and V.
        compute_uv: False for zeros instead of U and V.

    Returns:
        A named tuple (U, S, V).
    """
    tensors("svd", input=input)
    if not compute_uv:
        singular = svdvals(input)  # first, as it says what is wrong with the input
        *lead, m, n = input._array.shape
        zeros = [wrap(np.zeros((*lead, size, size), input._array.dtype)) for size in (m, n)]
        return OldSvd(zeros[0], singular, zeros[1])
    u, s, vh = svd(input, not some)
    return OldSvd(u, s, transposed(vh))
