"""Products of vectors, matrices and batches of matrices, and sums with them."""

from __future__ import annotations

from math import prod
from typing import Any

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import mul
from microtensor.ops.arrays import Array, broadcast_shape, empty
from microtensor.ops.declare import declare, publish
from microtensor.ops.linear import matrix_product
from microtensor.ops.matrices import floating, main_diagonal, offer, same_dtype, tensors
from microtensor.ops.reductions import sum
from microtensor.ops.shape import reshape, transpose, unsqueeze
from microtensor.tensor import Tensor, checked_dim


def dimensions(op: str, ndim: int, **given: Tensor) -> None:
    """Refuse tensors that have not a number of dimensions."""
    for name, value in given.items():
        if value._array.ndim != ndim:
            raise RuntimeError(
                f"{op}: {name} must have {ndim} dimension{'s' * (ndim > 1)}, but its shape is "
                f"{list(value._array.shape)}"
            )


def _equal_dtypes(op: str, **given: Tensor) -> None:
    (first, a), *rest = given.items()
    for name, value in rest:
        same_dtype(op, a._array, value._array, first, name)


# ---- vectors ------------------------------------------------------------------------------------


def _inner_product(op: str, **given: Any) -> Tensor:
    tensors(op, **given)
    a, b = given.values()
    if a._array.ndim != 1 or b._array.ndim != 1:
        raise RuntimeError(
            f"{op}: 1D tensors expected, but got {a._array.ndim}D and {b._array.ndim}D tensors"
        )
    _equal_dtypes(op, **given)
    if a._array.shape != b._array.shape:
        raise RuntimeError(
            f"{op}: inconsistent tensor size, expected both to have the same number of elements, "
            f"but got {a.numel()} and {b.numel()}"
        )
    return reshape(matrix_product(unsqueeze(a, 0), unsqueeze(b, 1)), ())


@publish("input: Tensor, tensor: Tensor", method="dot")
def dot(input: Any, tensor: Any) -> Tensor:
    """Give the inner product of two vectors, Σ inputᵢ tensorᵢ.

    Args:
        input: of shape (n,).
        tensor: of the same shape and dtype.

    Raises:
        RuntimeError: no vectors, or of two lengths or dtypes.

    Example:
        >>> import microtensor as mt
        >>> mt.dot(mt.tensor([1.0, 2.0]), mt.tensor([3.0, 4.0]))
        tensor(11.)
    """
    return _inner_product("dot", input=input, tensor=tensor)


@publish("input: Tensor, other: Tensor", method="vdot")
def vdot(input: Any, other: Any) -> Tensor:
    """Give the inner product of two vectors; of real numbers it is :func:`dot`."""
    return _inner_product("vdot", input=input, other=other)


@publish("input: Tensor, other: Tensor", method="inner")
def inner(input: Any, other: Any) -> Tensor:
    """Give the inner products of the last dimensions of two tensors.

    Args:
        input: of shape (*, n), or 0-d: then the product with a number.
        other: of shape (#, n), or 0-d, of the same dtype.

    Returns:
        A tensor of shape (*, #).

    Raises:
        RuntimeError: last dimensions of two lengths, or two dtypes.
    """
    tensors("inner", input=input, other=other)
    if not input._array.ndim or not other._array.ndim:
        return mul(input, other)
    _equal_dtypes("inner", input=input, other=other)
    a, b = input._array.shape, other._array.shape
    if a[-1] != b[-1]:
        raise RuntimeError(
            f"inner() the last dimension must match on both input tensors but got shapes {list(a)} "
            f"and {list(b)}"
        )
    if len(a) == len(b) == 1:
        return dot(input, other)
    rows_a = reshape(input, (prod(a[:-1]), a[-1]))
    rows_b = reshape(other, (prod(b[:-1]), b[-1]))
    return reshape(matrix_product(rows_a, transpose(rows_b, 0, 1)), (*a[:-1], *b[:-1]))


def outer_product(op: str, **given: Any) -> Tensor:
    """Give all products of elements of two vectors, under the name of an op."""
    tensors(op, **given)
    dimensions(op, 1, **given)
    a, b = given.values()
    return mul(unsqueeze(a, 1), b)


@publish("input: Tensor, vec2: Tensor", method="outer")
def outer(input: Any, vec2: Any) -> Tensor:
    """Give all products of an element of one vector with one of another.

    Args:
        input: of shape (m,): the rows.
        vec2: of shape (n,): the columns.

    Raises:
        RuntimeError: one is no vector.

    Example:
        >>> import microtensor as mt
        >>> mt.outer(mt.arange(2), mt.arange(3)).tolist()
        [[0, 0, 0], [0, 1, 2]]
    """
    return outer_product("outer", input=input, vec2=vec2)


@publish("input: Tensor, vec2: Tensor", method="ger")
def ger(input: Any, vec2: Any) -> Tensor:
    """Give the outer product of two vectors: the old name of :func:`outer`."""
    return outer_product("ger", input=input, vec2=vec2)


@offer("x: Tensor, y: Tensor, *, dim: int = -1", "vecdot")
def vecdot(x: Any, y: Any, *, dim: int = -1) -> Tensor:
    """Give inner products along a dimension; the others broadcast.

    Args:
        x: floating point.
        y: of the same dtype.
        dim: the dimension that is summed.

    Raises:
        RuntimeError: integers, two dtypes, shapes that do not broadcast.
    """
    tensors("linalg_vecdot", x=x, y=y)
    floating("linalg.vecdot", x._array, True)
    _equal_dtypes("linalg.vecdot", x=x, y=y)
    a, b = x._array.shape, y._array.shape
    first, second = checked_dim(dim, len(a)), checked_dim(dim, len(b))
    if a[first : first + 1] != b[second : second + 1]:
        raise RuntimeError(
            f"linalg.vecdot: dimension {dim} must have the same length in {list(a)} and {list(b)}"
        )
    return sum(mul(x, y), dim)


def _cross_forward(a: Array, b: Array, dim: int = -1) -> Array:
    if a.ndim != b.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    same_dtype("linalg.cross", a, b, "input", "other")
    axis = checked_dim(dim, a.ndim)
    if a.shape[axis : axis + 1] != (3,) or b.shape[axis : axis + 1] != (3,):
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got the shapes "
            f"{list(a.shape)} and {list(b.shape)}"
        )
    out = empty(broadcast_shape(a.shape, b.shape, "linalg.cross"), a.dtype)
    kernels.cross(a, b, axis, out)
    return out


_cross: Any = declare(
    "linalg_cross",
    "input: Tensor, other: Tensor, dim: int = -1",
    _cross_forward,
    # (a × b)·g = a·(b × g) = b·(g × a)
    rules={
        "input": lambda g, other, dim: _cross(other, g, dim),
        "other": lambda g, input, dim: _cross(g, input, dim),
    },
    summary="Give the cross products of vectors of length 3 along a dimension.",
    integral=True,
    namespaces=(),
    samples=samples.given(
        (((2, 3), (2, 3)), {}), (((3, 1), (3, 4)), {"dim": 0}), (((3,), (3,)), {})
    ),
)


@offer("input: Tensor, other: Tensor, *, dim: int = -1", "cross")
def _linalg_cross(input: Any, other: Any, *, dim: int = -1) -> Tensor:
    """Give the cross products of vectors of length 3 along a dimension; the others broadcast.

    Args:
        input: with length 3 in ``dim``.
        other: likewise, of as many dimensions and the same dtype.
        dim: the dimension of the vectors.

    Raises:
        RuntimeError: another length than 3, or shapes that do not broadcast.
    """
    tensors("linalg.cross", input=input, other=other)
    return _cross(input, other, dim)


@publish("input: Tensor, other: Tensor, dim: int | None = None", method="cross")
def cross(input: Any, other: Any, dim: int | None = None) -> Tensor:
    """Give the cross products along a dimension, or along the first one of length 3.

    Args:
        input: with length 3 in ``dim``.
        other: likewise, of as many dimensions and the same dtype.
        dim: the dimension of the vectors.

    Raises:
        RuntimeError: no dimension of length 3, or shapes that do not broadcast.
    """
    tensors("cross", input=input, other=other)
    if dim is None:
        if 3 not in input._array.shape:
            raise RuntimeError("no dimension of size 3 in input")
        dim = input._array.shape.index(3)
    return _cross(input, other, dim)


# ---- matrices -----------------------------------------------------------------------------------


def unequal(op: str, a: Tensor, b: Tensor) -> RuntimeError:
    """Give the error of two shapes that have no product."""
    return RuntimeError(
        f"{op}: size mismatch, the shapes {list(a._array.shape)} and {list(b._array.shape)} cannot "
        "be multiplied"
    )


@publish("input: Tensor, vec: Tensor", method="mv")
def mv(input: Any, vec: Any) -> Tensor:
    """Multiply a matrix by a vector.

    Args:
        input: of shape (m, n).
        vec: of shape (n,), of the same dtype.

    Raises:
        RuntimeError: shapes or dtypes that do not match.
    """
    tensors("mv", input=input, vec=vec)
    dimensions("mv", 2, input=input)
    dimensions("mv", 1, vec=vec)
    if input._array.shape[1] != vec._array.shape[0]:
        raise unequal("mv", input, vec)
    return reshape(matrix_product(input, unsqueeze(vec, 1)), (input._array.shape[0],))


@publish("input: Tensor, mat2: Tensor", method="bmm")
def bmm(input: Any, mat2: Any) -> Tensor:
    """Multiply two batches of as many matrices; nothing broadcasts.

    Args:
        input: of shape (b, m, k).
        mat2: of shape (b, k, n), of the same dtype.

    Raises:
        RuntimeError: shapes or dtypes that do not match.
    """
    tensors("bmm", input=input, mat2=mat2)
    batches("bmm", input=input, mat2=mat2)
    return matrix_product(input, mat2)


def batches(op: str, **given: Tensor) -> None:
    """Refuse two tensors that are not batches of as many matrices that have a product."""
    dimensions(op, 3, **given)
    (_, a), (name, b) = given.items()
    expected = [a._array.shape[0], a._array.shape[2]]
    found = list(b._array.shape[:2])
    if found != expected:
        raise RuntimeError(
            f"{op}: Expected size for first two dimensions of {name} to be: {expected} but got: "
            f"{found}."
        )


# ---- diagonals and blocks -----------------------------------------------------------------------


@publish("input: Tensor", method="trace")
def trace(input: Any) -> Tensor:
    """Sum the diagonal of a matrix.

    Raises:
        RuntimeError: no matrix, or one of bools.
    """
    tensors("trace", input=input)
    if input._array.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input._array.ndim}")
    if input._array.dtype.kind == "b":
        raise RuntimeError("trace: not defined for bool tensors; convert with .long()")
    return sum(main_diagonal(input))


@publish("input: Tensor, other: Tensor", method="kron")
def kron(input: Any, other: Any) -> Tensor:
    """Give the Kronecker product: each element of input times the whole of other.

    Args:
        input: of any shape; the one with fewer dimensions gets leading ones.
        other: of any shape.

    Returns:
        A tensor whose lengths are the products of theirs.

    Example:
        >>> import microtensor as mt
        >>> mt.kron(mt.eye(2), mt.ones(1, 2)).tolist()
        [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    """
    tensors("kron", input=input, other=other)
    size = max(input._array.ndim, other._array.ndim)
    a = (1,) * (size - input._array.ndim) + input._array.shape
    b = (1,) * (size - other._array.ndim) + other._array.shape
    apart = mul(
        reshape(input, [n for length in a for n in (length, 1)]),
        reshape(other, [n for length in b for n in (1, length)]),
    )
    return reshape(apart, [m * n for m, n in zip(a, b, strict=True)])
