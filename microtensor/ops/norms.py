"""Norms of vectors and matrices, and condition numbers."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from microtensor import dtypes, kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import div, mul
from microtensor.ops.arrays import Array, dims_of, dropped, empty, kept_shape
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq
from microtensor.ops.declare import declare
from microtensor.ops.decompositions import svdvals
from microtensor.ops.extremes import amax, amin
from microtensor.ops.matrices import LinAlgError, floating, matrices, offer, square, tensors
from microtensor.ops.powers import pow
from microtensor.ops.reductions import spread, sum
from microtensor.ops.rounding import abs, sign
from microtensor.ops.shape import permute, reshape
from microtensor.ops.solving import inv
from microtensor.tensor import Tensor, checked_dim, wrap

# ---- of vectors ---------------------------------------------------------------------------------


def _vector_norm_forward(x: Array, ord: float, dim: Any = None, keepdim: bool = False) -> Array:
    dims = dims_of(dim, x.ndim, "linalg.vector_norm")
    if (ord < 0 or ord == inf) and any(x.shape[d] == 0 for d in dims):
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {ord:g} norm on an empty tensor because the "
            f"operation does not have an identity; the shape is {list(x.shape)}"
        )
    out = empty(kept_shape(x.shape, dims), x.dtype)
    kernels.vector_norm(x, ord, dims, out)
    return dropped(out, dims, keepdim)


def norm_slope(g: Any, x: Any, y: Any, ord: float, dim: Any, shared: bool = True) -> Any:
    """Carry the gradient of a norm y over dimensions of x back to x.

    Args:
        g: the gradient of y.
        x: what the norm was taken of.
        y: the norm, without the dimensions it reduced or with them as length 1.
        ord: of the norm.
        dim: the dimensions it reduced.
        shared: whether elements that are equally large share the gradient for ±inf.
    """
    shape = x.shape
    if ord == 0:  # a count
        return mul(spread(g, shape, dim), 0.0)
    if ord == 1:
        return mul(spread(g, shape, dim), sign(x))
    if ord in (inf, -inf):
        mask = where(eq(abs(x), spread(y, shape, dim)), 1.0, 0.0)
        slope = mul(mul(spread(g, shape, dim), sign(x)), mask)
        if not shared:
            return slope
        count = sum(mask, dim if dim is not None else (), keepdim=True)
        # Beside NaN no element is the largest.
        return div(slope, where(eq(count, 0), 1.0, count))
    # Where the norm is 0 so is the gradient, PyTorch's choice; the replacement comes before the
    # division, since a NaN behind a mask comes back in higher derivatives.
    zero = eq(y, 0)
    slope, norm = where(zero, 0.0, g), where(zero, 1.0, y)
    if ord == 2:
        return mul(x, spread(div(slope, norm), shape, dim))
    size = abs(x)
    ratio = div(where(eq(size, 0), 1.0, size), spread(norm, shape, dim))
    return mul(mul(spread(slope, shape, dim), sign(x)), pow(ratio, ord - 1))


def _norm_samples(rng: np.random.Generator) -> list[samples.Sample]:
    cases: list[tuple[tuple[int, ...], float, Any, bool]] = [
        ((3, 4), 2.0, None, False),
        ((2, 3, 4), 2.0, (0, 2), True),
        ((3, 4), 1.0, 1, False),
        ((5,), inf, None, False),
        ((3, 4), -inf, 0, True),
        ((3, 4), 3.0, 1, False),
        ((4,), 0.5, None, False),
        ((4,), 1.5, 0, False),
        ((4,), -1.0, None, True),
        ((), 2.0, None, False),
        ((0, 3), 2.0, 0, False),
    ]
    return [
        (
            (np.asarray(rng.uniform(0.3, 2.0, shape) * rng.choice([-1.0, 1.0], shape)),),
            {"ord": order, "dim": dim, "keepdim": keepdim},
        )
        for shape, order, dim, keepdim in cases
    ]


plain_norm: Any = declare(
    "linalg_vector_norm",
    "input: Tensor, ord: float, dim: Any = None, keepdim: bool = False",
    _vector_norm_forward,
    # A count has no gradient.
    rules={
        "input": lambda g, input, y, ord, dim: (
            None if ord == 0 else norm_slope(g, input, y, ord, dim)
        )
    },
    summary="Give the norm of all elements, or of those along dimensions.",
    namespaces=(),
    samples=_norm_samples,
)


def _in_dtype(op: str, x: Tensor, dtype: Any) -> Tensor:
    """Convert to a wider dtype, if one is asked for."""
    floating(op, x._array, True)
    if dtype is None:
        return x
    wanted = dtypes.as_numpy_dtype(dtype)
    if wanted.kind != "f":
        raise RuntimeError(f"{op}: dtype should be floating point. Got {wanted.name}")
    if wanted.itemsize < x._array.dtype.itemsize:
        raise RuntimeError(
            f"{op}: the dtype of the input ({x._array.dtype.name}) should be convertible without "
            f"narrowing to the specified dtype ({wanted.name})"
        )
    return x.to(wanted)


_NORM_REST = "keepdim: bool = False, *, dtype: Any = None"


@offer(
    f"x: Tensor, ord: float = 2, dim: int | tuple[int, ...] | None = None, {_NORM_REST}",
    "vector_norm",
)
def vector_norm(
    x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Give the norm of a tensor taken as a vector, or of its parts along dimensions.

    Args:
        x: floating point, of any shape.
        ord: p for (Σ |x|ᵖ)^(1/p); ``inf`` and ``-inf`` for the largest and smallest |x|, 0 for the
            number of elements that are not zero.
        dim: along which; all for None.
        keepdim: keep the reduced dimensions with length 1.
        dtype: convert to it before.

    Returns:
        The norms; accurate as long as the result is in the dtype's range, even if squares are not.
        The gradient is 0 where a norm is 0.

    Raises:
        RuntimeError: integers, or a norm of nothing that has no value.

    Example:
        >>> import microtensor as mt
        >>> mt.linalg.vector_norm(mt.tensor([3.0, 4.0]))
        tensor(5.)
    """
    tensors("linalg_vector_norm", x=x)
    if isinstance(ord, bool) or not isinstance(ord, int | float | np.number):
        raise TypeError(f"linalgplain_norm(): ord must be a number, not {type(ord).__name__}")
    x = _in_dtype("linalg.vector_norm", x, dtype)
    if isinstance(dim, list | tuple):
        dim = tuple(dim) or None
    return plain_norm(x, float(ord), dim, keepdim)


# ---- of matrices --------------------------------------------------------------------------------


def _largest_of(values: Tensor, dim: int, keepdim: bool) -> Tensor:
    """Give the largest along a dimension, and 0 of nothing."""
    if values._array.shape[dim] == 0:
        return sum(values, dim, keepdim)
    return amax(values, dim, keepdim)


@offer(
    f"A: Tensor, ord: float | str = 'fro', dim: tuple[int, int] = (-2, -1), {_NORM_REST}",
    "matrix_norm",
)
def matrix_norm(
    A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Give the norm of matrices.

    Args:
        A: of at least two dimensions, floating point.
        ord: "fro" (Frobenius), "nuc" (sum of the singular values), 2 and -2 (the largest and
            smallest of them), 1 and -1 (of the columns' sums of |a|), ``inf`` and ``-inf`` (of the
            rows').
        dim: the dimensions of rows and columns.
        keepdim: keep both with length 1.
        dtype: convert to it before.

    Raises:
        RuntimeError: another order, integers, or not two different dimensions.
    """
    tensors("linalg_matrix_norm", A=A)
    op = "linalg.matrix_norm"
    if not isinstance(dim, tuple | list) or len(dim) != 2:
        raise (TypeError if isinstance(dim, int) else RuntimeError)(
            f"{op}: dim must be a 2-tuple. Got {dim}"
        )
    matrices(op, A._array, low=True)
    ndim = A._array.ndim
    rows, columns = (checked_dim(d, ndim) for d in dim)
    if rows == columns:
        raise RuntimeError(f"{op}: dims must be different. Got {tuple(dim)}")
    numeric = isinstance(ord, int | float | np.number) and not isinstance(ord, bool)
    legal = (1, -1, 2, -2, inf, -inf) if numeric else ("fro", "nuc")
    if ord not in legal:
        raise RuntimeError(
            f"{op}: Order {ord} not supported; the legal ones are 'fro', 'nuc', 1, -1, 2, -2, inf "
            "and -inf"
        )
    A = _in_dtype(op, A, dtype)
    if ord == "fro":
        return plain_norm(A, 2.0, (rows, columns), keepdim)
    if ord in ("nuc", 2, -2):
        floating(op, A._array)
        others = [d for d in range(ndim) if d not in (rows, columns)]
        values = svdvals(permute(A, [*others, rows, columns]))
        if ord == "nuc":
            result = sum(values, -1)
        else:
            result = _largest_of(values, -1, False) if ord == 2 else amin(values, -1)
    else:
        summed, chosen = (rows, columns) if ord in (1, -1) else (columns, rows)
        sums = sum(abs(A), summed, True)
        result = _largest_of(sums, chosen, True) if ord > 0 else amin(sums, chosen, True)
    lengths = kept_shape(A._array.shape, (rows, columns))
    kept = lengths if keepdim else [n for d, n in enumerate(lengths) if d not in (rows, columns)]
    return reshape(result, kept)


@offer(
    "input: Tensor, ord: float | str | None = None, dim: int | tuple[int, ...] | None = None, "
    + _NORM_REST,
    "norm",
)
def norm(
    input: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Give the norm of vectors or of matrices.

    Args:
        input: floating point.
        ord: of the norm: as for :func:`vector_norm` or :func:`matrix_norm`; None for the root of
            the sum of squares.
        dim: one dimension for a vector's norm, two for a matrix's. None: of all elements if ``ord``
            is None, else of a tensor that is itself a vector or a matrix.
        keepdim: keep the reduced dimensions with length 1.
        dtype: convert to it before.

    Raises:
        RuntimeError: an order that is none, integers, or a number of dimensions other than 1 or 2.

    Example:
        >>> import microtensor as mt
        >>> mt.linalg.norm(mt.ones(2, 2), "nuc")
        tensor(2.)
    """
    tensors("linalg_norm", input=input)
    ndim = input._array.ndim
    if dim is not None:
        dims = (dim,) if isinstance(dim, int | np.integer) else tuple(dim)
        if len(dims) not in (1, 2):
            raise RuntimeError(
                f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}"
            )
    elif ord is None:
        dims = ()
    elif ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{ndim}D."
        )
    else:
        dims = tuple(range(ndim))
    if ord is None or (len(dims) == 1 and not isinstance(ord, str)):
        return vector_norm(input, 2 if ord is None else ord, dims or None, keepdim, dtype=dtype)
    return matrix_norm(input, ord, dims, keepdim, dtype=dtype)


# ---- condition numbers --------------------------------------------------------------------------


@offer("A: Tensor, p: float | str | None = None", "cond")
def cond(A: Any, p: Any = None) -> Tensor:
    """Give the condition number of matrices: how much solving amplifies errors.

    Args:
        A: of shape (*, n, n), for p None, 2 or -2 of any shape (*, m, n); float32 or float64.
        p: the norm, as in :func:`matrix_norm`; None is 2. For 2 and -2 it is the quotient of the
            extreme singular values, else ‖A‖ ‖A⁻¹‖, and infinite for singular matrices.

    Raises:
        RuntimeError: an order that is none, or a matrix that is not square.
    """
    tensors("linalg_cond", A=A)
    matrices("linalg.cond", A._array)
    if p not in (None, 2, -2, 1, -1, inf, -inf, "fro", "nuc"):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if p in (None, 2, -2):
        if not A._array.size:
            return wrap(np.zeros(A._array.shape[:-2], A._array.dtype))
        values = svdvals(A)
        first, last = values[..., 0], values[..., -1]
        return div(last, first) if p == -2 else div(first, last)
    square(f"linalg.cond(ord={p})", A._array)
    if not A._array.size:
        return wrap(np.zeros(A._array.shape[:-2], A._array.dtype))
    try:
        inverse = inv(A)
    except LinAlgError:
        inverse = inv(A, False)
        return where(eq(inverse, inverse).all(-1).all(-1), _product(A, inverse, p), inf)
    return _product(A, inverse, p)


def _product(A: Tensor, inverse: Tensor, p: Any) -> Tensor:
    if p == "nuc":  # singular values of NaN are refused
        clean = where(eq(inverse, inverse), inverse, 0.0)
        return mul(matrix_norm(A, p), matrix_norm(clean, p))
    return mul(matrix_norm(A, p), matrix_norm(inverse, p))
