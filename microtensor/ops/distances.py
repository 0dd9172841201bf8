"""Norms, and the distances and similarities made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import div, mul, neg, sub
from microtensor.ops.arrays import Array, broadcast_shape, computed, dims_of, empty
from microtensor.ops.choosing import where
from microtensor.ops.comparison import le, lt
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.norms import matrix_norm, norm_slope, plain_norm, vector_norm
from microtensor.ops.promotion import promote_types
from microtensor.ops.reductions import sum
from microtensor.ops.shape import cast, unsqueeze
from microtensor.tensor import Tensor, wrap


@publish(
    "input: Tensor, p: float | str | None = 'fro', dim: int | tuple[int, ...] | None = None, "
    "keepdim: bool = False, dtype: Any = None",
    method="norm",
)
def norm(
    input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Tensor:
    """Give the p-norm, of all elements or over dimensions, as of one long vector.

        y = (Σ |x|ᵖ)^(1/p)

    The largest |x| for p = inf, the smallest for p = -inf; for p = 0 the number of elements that
    are not zero. The gradient is zero where the norm is.

    Args:
        input: a floating-point tensor.
        p: a number; "fro" and None mean 2, "nuc" the sum of a matrix's singular values.
        dim: the dimensions to reduce; all if None.
        keepdim: keep the reduced dimensions with length 1.
        dtype: a floating-point dtype, not narrower than the input's, to convert to first.

    Raises:
        RuntimeError: not of floating point, another word for p, a narrower dtype, a norm of nothing
            that has no value.

    Example:
        >>> import microtensor as mt
        >>> mt.tensor([3.0, 4.0]).norm()
        tensor(5.)
    """
    if not isinstance(input, Tensor):
        refuse("norm", "input", input)
    if isinstance(p, str) and p != "fro":
        return matrix_norm(input, p, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    if isinstance(p, Tensor):
        p = p.item()
    return vector_norm(input, 2 if p in (None, "fro") else p, dim, keepdim, dtype=dtype)


@publish("input: Tensor, other: Tensor, p: float = 2", method="dist")
def dist(input: Any, other: Any, p: float = 2) -> Tensor:
    """Give the p-norm of the difference of two tensors.

    Args:
        input: a floating-point tensor.
        other: another, whose shape broadcasts with the input's.
        p: the order of the norm.

    Example:
        >>> import microtensor as mt
        >>> mt.dist(mt.tensor([1.0, 2.0]), mt.tensor([4.0, 6.0]))
        tensor(5.)
    """
    for name, each in (("input", input), ("other", other)):
        if not isinstance(each, Tensor):
            refuse("dist", name, each)
    return vector_norm(sub(input, other), p)


@publish("input: Tensor, p: float, dim: int, maxnorm: float", method="renorm", inplace=True)
def renorm(input: Any, p: float, dim: int, maxnorm: float) -> Tensor:
    """Scale each slice along a dimension so that its p-norm is at most ``maxnorm``.

    Args:
        input: a floating-point tensor of at least two dimensions.
        p: the order of the norm, positive.
        dim: the dimension whose slices are scaled.
        maxnorm: the largest norm allowed.

    Raises:
        RuntimeError: p is not positive, maxnorm negative, or there are too few dimensions.
    """
    if not isinstance(input, Tensor):
        refuse("renorm", "input", input)
    ndim = input._array.ndim
    if not p > 0:
        raise RuntimeError(f"renorm: non-positive norm degree not supported, got {p}")
    if not maxnorm >= 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {ndim} dimensions")
    (own,) = dims_of(dim, ndim, "renorm")
    size = vector_norm(input, p, tuple(d for d in range(ndim) if d != own), True)
    small = le(size, maxnorm)
    # PyTorch's margin keeps the result from exceeding the bound by rounding.
    return input * where(small, 1.0, div(maxnorm, where(small, 1.0, size) + 1e-7))


# ---- between the rows of two matrices -----------------------------------------------------------


def _cdist_forward(a: Array, b: Array, p: float) -> Array:
    for name, each in (("x1", a), ("x2", b)):
        if each.ndim < 2:
            raise RuntimeError(
                f"cdist(): only supports at least 2D tensors, {name} got: {each.ndim}D"
            )
        if each.dtype.kind != "f":
            raise RuntimeError(
                f"cdist(): only supports floating-point dtypes, {name} got: {each.dtype.name}"
            )
    if a.shape[-1] != b.shape[-1]:
        raise RuntimeError(
            f"cdist(): x1 and x2 must have the same number of columns. x1: {a.shape[-1]}, x2: "
            f"{b.shape[-1]}"
        )
    if a.dtype != b.dtype:
        raise RuntimeError(f"cdist(): x1 is {a.dtype.name} and x2 is {b.dtype.name}; convert one")
    if not p >= 0:
        raise RuntimeError(f"cdist(): only supports non-negative p values, got {p}")
    batch = broadcast_shape(a.shape[:-2], b.shape[:-2], "cdist")
    out = empty((*batch, a.shape[-2], b.shape[-2]), a.dtype)
    kernels.cdist(a, b, float(p), out)
    return out


def _cdist_slope(g: Any, x1: Any, x2: Any, y: Any, p: float) -> Any:
    difference = sub(unsqueeze(x1, -2), unsqueeze(x2, -3))
    return norm_slope(g, difference, y, p, -1, shared=False)


_cdist: Any = declare(
    "cdist",
    "x1: Tensor, x2: Tensor, p: float = 2.0",
    lambda x1, x2, p=2.0: _cdist_forward(x1, x2, p),
    rules={
        "x1": lambda g, x1, x2, y, p: sum(_cdist_slope(g, x1, x2, y, p), -2),
        "x2": lambda g, x1, x2, y, p: neg(sum(_cdist_slope(g, x1, x2, y, p), -3)),
    },
    summary="Give the distances between the rows of two matrices, or batches of them.",
    formula="(Σₖ |x1[i, k] - x2[j, k]|ᵖ)^(1/p)",
    namespaces=(),
    samples=samples.given(
        (((3, 4), (2, 4)), {}),
        (((2, 1, 3, 2), (3, 2, 2)), {"p": 1.0}),
        (((3, 4), (2, 4)), {"p": 3.0}),
        (((2, 3), (2, 3)), {"p": float("inf")}),
        (((2, 3), (0, 3)), {}),
        (((2, 0), (3, 0)), {}),
    ),
)

_MODES = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)


@publish(f"x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = {_MODES[0]!r}")
def cdist(x1: Any, x2: Any, p: float = 2.0, compute_mode: str = _MODES[0]) -> Tensor:
    """Give the p-norm distances between the rows of two matrices, or of batches of them.

        y[.., i, j] = (Σₖ |x1[.., i, k] - x2[.., j, k]|ᵖ)^(1/p)

    The gradient is zero where two points coincide.

    Args:
        x1: floating-point, of shape (.., P, M).
        x2: of the same dtype and shape (.., R, M); the leading dimensions broadcast.
        p: the order of the norm, zero or more.
        compute_mode: PyTorch's choice; here distances are always taken from differences, which
            is exact for close points.

    Returns:
        A tensor of shape (.., P, R).

    Raises:
        RuntimeError: shapes or dtypes that do not fit, or a negative p.
        ValueError: an unknown ``compute_mode``.
    """
    if compute_mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode: {_MODES}")
    return _cdist.op.public(x1, x2, p)


# ---- between pairs of vectors -------------------------------------------------------------------

_BOTH = ("mt", "nn.functional")


@publish(
    "x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False",
    namespaces=_BOTH,
)
def pairwise_distance(
    x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Give the p-norm of x1 - x2 + eps along the last dimension.

    Args:
        x1: vectors, of shape (.., D).
        x2: vectors whose shape broadcasts with x1's.
        p: the order of the norm.
        eps: added to each difference, which keeps the gradient of equal vectors finite.
        keepdim: keep the last dimension with length 1.
    """
    for name, each in (("x1", x1), ("x2", x2)):
        if not isinstance(each, Tensor):
            refuse("pairwise_distance", name, each)
    return plain_norm(sub(x1, x2) + eps, float(p), -1, keepdim)


def _length(x: Tensor, dim: int, eps: float) -> Tensor:
    """Give the length of vectors, at least eps: a bound that the gradient does not see."""
    size: Tensor = plain_norm(x, 2.0, dim, True)
    return where(lt(size, eps), size + wrap(computed(_missing, size._array, eps)), size)


def _missing(sizes: Array, eps: float) -> Array:
    return np.asarray(np.maximum(np.asarray(eps, sizes.dtype) - sizes, 0))


@publish(
    "x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8",
    namespaces=_BOTH,
)
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Give the cosine of the angle between vectors along a dimension.

        y = x1·x2 / (max(‖x1‖, eps) · max(‖x2‖, eps))

    Args:
        x1: floating-point vectors.
        x2: vectors whose shape broadcasts with x1's.
        dim: the dimension of the vectors.
        eps: the least length that is divided by.

    Raises:
        RuntimeError: the tensors are not of floating point.

    Example:
        >>> import microtensor as mt
        >>> mt.cosine_similarity(mt.tensor([1.0, 0.0]), mt.tensor([3.0, 4.0]), dim=0)
        tensor(0.6000)
    """
    for name, each in (("x1", x1), ("x2", x2)):
        if not isinstance(each, Tensor):
            refuse("cosine_similarity", name, each)
    a, b = x1._array, x2._array
    dtype = promote_types(a.dtype, b.dtype)
    if dtype.kind != "f":
        raise RuntimeError(
            f"cosine_similarity(): expected common dtype to be floating point, yet it is "
            f"{dtype.name}; convert with .float()"
        )
    shape = broadcast_shape(a.shape, b.shape, "cosine_similarity")
    # Each is divided by its own length first: the product of two small ones would underflow.
    parts = []
    for each in (x1, x2):
        wide = each if each._array.dtype == dtype else cast(each, dtype)
        wide = wide.expand(shape) if wide._array.shape != shape else wide
        parts.append(div(wide, _length(wide, dim, eps)))
    return sum(mul(*parts), dim)
