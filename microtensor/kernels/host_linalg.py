"""Kernels of linear algebra over batches of matrices, through NumPy's LAPACK.

What LAPACK cannot do raises ``np.linalg.LinAlgError``; the ops turn it into their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Rows that are solved at once; what lies beside them is left to matrix products.
_BLOCK = 64


def inverse(a: Array, out: Array) -> None:
    """Out = a⁻¹."""
    out[...] = np.linalg.inv(a)
    _spread_nan(a, out)


def _spread_nan(a: Array, out: Array) -> None:
    """Make all of a result NaN where there is one in the matrix: pivoting may pass it by."""
    with np.errstate(all="ignore"):
        if np.isnan(np.add.reduce(a, axis=None)):
            np.copyto(out, np.nan, where=np.isnan(a).any((-1, -2), keepdims=True))


def inverse_or_nan(a: Array, out: Array) -> None:
    """Out = a⁻¹, and NaN for singular matrices."""
    try:
        inverse(a, out)
    except np.linalg.LinAlgError:
        for index in np.ndindex(a.shape[:-2]):
            try:
                out[index] = np.linalg.inv(a[index])
            except np.linalg.LinAlgError:
                out[index] = np.nan


def determinant(a: Array, out: Array) -> None:
    """Out = the determinant."""
    with np.errstate(all="ignore"):
        out[...] = np.linalg.det(a)


def sign_and_log_determinant(a: Array, sign: Array, log: Array) -> None:
    """Write the sign of the determinant and the logarithm of its absolute value."""
    with np.errstate(all="ignore"):
        sign[...], log[...] = np.linalg.slogdet(a)


def cofactors(a: Array, out: Array) -> None:
    """Out = the cofactors, the derivative of the determinant; right for singular matrices, too."""
    finite = np.isfinite(a).all((-1, -2))
    with np.errstate(all="ignore"):
        if finite.all():
            _finite_cofactors(a, out)
        else:
            out[...] = np.nan
            part = np.empty_like(a[finite])
            _finite_cofactors(a[finite], part)
            out[finite] = part


def _finite_cofactors(a: Array, out: Array) -> None:
    size = a.shape[-1]
    try:
        inverse = np.linalg.inv(a)
        lost = np.abs(a).max((-1, -2), initial=0) * np.abs(inverse).max((-1, -2), initial=0)
        if np.all(lost * size * size < 1e-3 / np.finfo(a.dtype).eps):
            np.multiply(np.linalg.det(a)[..., None, None], inverse.swapaxes(-1, -2), out)
            return
    except np.linalg.LinAlgError:
        pass
    # det(UV) U cof(S) Vᵀ: no division by what may be zero.
    u, s, vh = np.linalg.svd(a)
    others = np.broadcast_to(s[..., None, :], (*s.shape, size)).copy()
    np.einsum("...ii->...i", others)[...] = 1
    product = others.prod(-1) * np.rint(np.linalg.det(u) * np.linalg.det(vh))[..., None]
    np.matmul(u * product[..., None, :], vh, out=out)


def products_without_two(s: Array, out: Array) -> None:
    """Out[i, j] = the product of all s but the i-th and j-th; zeros on the diagonal."""
    size = s.shape[-1]
    with np.errstate(all="ignore"):
        left = np.ones_like(s)  # of those before i
        np.cumprod(s[..., :-1], -1, out=left[..., 1:])
        right = np.ones_like(s)  # of those behind j
        right[..., :-1] = np.cumprod(s[..., :0:-1], -1)[..., ::-1]
        upper = np.triu(np.ones((size, size), bool), 2)
        # Of those between i and j: column j of row i multiplies by s of the place before it.
        between = np.where(upper, np.concatenate([s[..., :1], s[..., :-1]], -1)[..., None, :], 1)
        np.cumprod(between, -1, out=out)
        out *= left[..., :, None] * right[..., None, :]
        out *= np.triu(np.ones((size, size), s.dtype), 1)
        out += out.swapaxes(-1, -2).copy()


def solve(a: Array, b: Array, out: Array) -> None:
    """Out = a⁻¹ b for matrices b; the batches broadcast."""
    out[...] = np.linalg.solve(a, b)
    _spread_nan(a, out)


def solve_triangular(a: Array, b: Array, upper: bool, unitriangular: bool, out: Array) -> None:
    """Out = a⁻¹ b of triangular a, whose other triangle is not read; a zero pivot gives inf."""
    size = a.shape[-1]
    if not upper:  # in reverse order it is an upper one
        a, b, out = a[..., ::-1, ::-1], b[..., ::-1, :], out[..., ::-1, :]
    with np.errstate(all="ignore"):
        np.copyto(out, b)
        for stop in range(size, 0, -_BLOCK):
            start = max(0, stop - _BLOCK)
            corner = np.triu(a[..., start:stop, start:stop])
            if unitriangular:
                np.einsum("...ii->...i", corner)[...] = 1
            _solve_upper(corner, out[..., start:stop, :])
            if start:
                out[..., :start, :] -= a[..., :start, start:stop] @ out[..., start:stop, :]


def _solve_upper(a: Array, x: Array) -> None:
    try:
        # LU factors of an upper triangular matrix are the identity and itself, no row is moved:
        # what LAPACK does here is back substitution.
        x[...] = np.linalg.solve(a, x)
    except np.linalg.LinAlgError:
        for i in range(a.shape[-1] - 1, -1, -1):
            row = x[..., i : i + 1, :] - a[..., i : i + 1, i + 1 :] @ x[..., i + 1 :, :]
            x[..., i : i + 1, :] = row / a[..., i : i + 1, i : i + 1]


def cholesky(a: Array, out: Array) -> None:
    """Out = the lower Cholesky factor; reads the lower triangle."""
    out[...] = np.linalg.cholesky(a)
    if np.isnan(np.einsum("...ii->...i", out)).any():
        raise np.linalg.LinAlgError


def qr(a: Array, mode: Any, q: Array, r: Array) -> None:
    """Write orthonormal q and upper triangular r whose product is a; no q for mode "r"."""
    if mode == "r":
        r[...] = np.linalg.qr(a, "r")
    else:
        q[...], r[...] = np.linalg.qr(a, mode)


def svd(a: Array, full_matrices: Any, u: Array, s: Array, vh: Array) -> None:
    """Write the singular value decomposition a = u diag(s) vh."""
    with np.errstate(all="ignore"):
        u[...], s[...], vh[...] = np.linalg.svd(a, full_matrices)


def singular_values(a: Array, out: Array) -> None:
    """Out = the singular values, the largest first."""
    with np.errstate(all="ignore"):
        out[...] = np.linalg.svd(a, compute_uv=False)


def eigh(a: Array, triangle: Any, values: Array, vectors: Array) -> None:
    """Write eigenvalues (ascending) and eigenvectors of a symmetric matrix, from a triangle."""
    values[...], vectors[...] = np.linalg.eigh(a, triangle)


def eigenvalues(a: Array, triangle: Any, out: Array) -> None:
    """Out = the eigenvalues of a symmetric matrix, from a triangle ("L" or "U")."""
    out[...] = np.linalg.eigvalsh(a, triangle)


def least_squares(a: Array, b: Array, rcond: float, out: Array, singular: Array) -> None:
    """Out = the shortest x that makes |a x - b| least; singular values up to rcond s₀ are zero."""
    with np.errstate(all="ignore"):
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        kept = s > rcond * s[..., :1]
        singular[...] = s
        scaled = np.where(kept[..., None], u.swapaxes(-1, -2) @ b / s[..., None], 0)
        np.matmul(vh.swapaxes(-1, -2), scaled, out=out)


def pseudo_inverse(a: Array, absolute: Any, relative: Any, hermitian: bool, out: Array) -> None:
    """Out = the pseudo-inverse; singular values up to max(absolute, relative s₀) are zero."""
    with np.errstate(all="ignore"):
        if hermitian:
            values, u = np.linalg.eigh(a)
            s, vh = np.abs(values), u.swapaxes(-1, -2)
        else:
            u, s, vh = np.linalg.svd(a, full_matrices=False)
            values = s
        limit = np.maximum(absolute, relative * s.max(-1, initial=0))
        factor = np.where(s > limit[..., None], 1 / values, 0).astype(a.dtype, copy=False)
        np.matmul(vh.swapaxes(-1, -2) * factor[..., None, :], u.swapaxes(-1, -2), out=out)


# Numerator of the Padé approximant of eˣ of degree (13, 13); 13 halvings suffice up to this norm.
_PADE = (
    *(64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0),
    *(129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0),
    *(40840800.0, 960960.0, 16380.0, 182.0, 1.0),
)
_PADE_NORM = 5.371920351148152


def matrix_exponential(a: Array, out: Array) -> None:
    """Out = eᵃ, by scaling, a Padé approximant and squaring."""
    with np.errstate(all="ignore"):
        norm = np.abs(a).sum(-2).max(-1, initial=0)
        finite = np.where(np.isfinite(norm), norm, 0)
        halvings = np.maximum(0, np.ceil(np.log2(np.maximum(finite, 1e-300) / _PADE_NORM)))
        x = a.astype(np.float64) * np.exp2(-halvings)[..., None, None]
        identity = np.eye(a.shape[-1])
        square = x @ x
        even, odd = np.zeros_like(x), np.zeros_like(x)
        for place in range(len(_PADE) - 2, -1, -2):  # Horner's rule, in the square
            even = even @ square + _PADE[place] * identity
            odd = odd @ square + _PADE[place + 1] * identity
        odd = x @ odd
        result = np.linalg.solve(even - odd, even + odd) if x.size else x
        for step in range(int(halvings.max(initial=0))):
            more = (halvings > step)[..., None, None]
            result = np.where(more, result @ result, result)
        out[...] = np.where(np.isfinite(norm)[..., None, None], result, np.nan)


# ---- norms --------------------------------------------------------------------------------------


def vector_norm(x: Array, order: float, axis: tuple[int, ...], out: Array) -> None:
    """Out = (Σ |x|ᵒ)^(1/o) over the axes, kept as length 1; counts for 0, extremes for ±inf."""
    # Long sums lose no digits, and squares of float32 stay in range, in the next wider dtype.
    wide = np.float32 if x.dtype == np.float16 else np.float64
    with np.errstate(all="ignore"):
        size = np.abs(x, dtype=wide)
        if order == 0:
            result = np.add.reduce(size != 0, axis=axis, dtype=wide, keepdims=True)
        elif order == 1:
            result = np.add.reduce(size, axis=axis, keepdims=True)
        elif order == np.inf:
            result = np.maximum.reduce(size, axis=axis, keepdims=True, initial=0)
        elif order == -np.inf:
            result = np.minimum.reduce(size, axis=axis, keepdims=True)
        else:
            total = _power_sum(size, order, axis)
            result = _root(total, order)
            # What has overflowed or faded away is done again, scaled to the largest (the smallest
            # counts for negative orders).
            limits = np.finfo(wide)
            poor = (total < limits.tiny / limits.eps) | (total == np.inf)
            if size.size and poor.any():
                pick = np.maximum if order > 0 else np.minimum
                scale = pick.reduce(size, axis=axis, keepdims=True)
                scale = np.where((scale > 0) & np.isfinite(scale), scale, 1).astype(wide)
                scaled = _root(_power_sum(size / scale, order, axis), order)
                result = np.where(poor, scale * scaled, result)
        out[...] = result


def _power_sum(size: Array, order: float, axis: tuple[int, ...]) -> Array:
    powers = size * size if order == 2 else np.power(size, size.dtype.type(order))
    return np.asarray(np.add.reduce(powers, axis=axis, keepdims=True))


def _root(total: Array, order: float) -> Array:
    return np.sqrt(total) if order == 2 else np.power(total, total.dtype.type(1 / order))


# ---- parts of matrices --------------------------------------------------------------------------


def symmetric_part(x: Array, out: Array) -> None:
    """Out = (x + xᵀ) / 2."""
    with np.errstate(all="ignore"):
        np.add(x, x.swapaxes(-1, -2), out)
        out *= 0.5


def fill_diagonal(x: Array, value: float, out: Array) -> None:
    """Out = x with one number on the diagonal."""
    out[...] = x
    np.einsum("...ii->...i", out)[...] = value


def exponential_block(a: Array, g: Array, out: Array) -> None:
    """Out = [[a, g], [0, a]], whose exponential holds a derivative of aˣ's in its corner."""
    size = a.shape[-1]
    out[...] = 0
    out[..., :size, :size] = a
    out[..., :size, size:] = g
    out[..., size:, size:] = a


def cross(a: Array, b: Array, axis: int, out: Array) -> None:
    """Out = a × b along an axis of length 3, broadcast."""
    with np.errstate(all="ignore"):
        shape = out.shape
        a, b = (np.moveaxis(np.broadcast_to(v, shape), axis, 0) for v in (a, b))
        out = np.moveaxis(out, axis, 0)
        for i, (j, k) in enumerate(((1, 2), (2, 0), (0, 1))):
            np.multiply(a[j], b[k], out[i, ...])
            out[i, ...] -= a[k] * b[j]


def blend(x: Array, product: Array, beta: float, alpha: float, out: Array) -> None:
    """Out = beta x + alpha product; what beta = 0 hides is not read."""
    with np.errstate(all="ignore"):
        kind = out.dtype.type
        np.multiply(product, kind(alpha), out)
        if beta != 0:
            out += x if beta == 1 else x * kind(beta)
