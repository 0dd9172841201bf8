"""Sums with products of matrices: addmm and its kin."""

from __future__ import annotations

from typing import Any

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import mul
from microtensor.ops.arrays import Array, broadcast_shape, empty
from microtensor.ops.declare import declare, publish
from microtensor.ops.linear import matrix_product
from microtensor.ops.matrices import same_dtype, tensors
from microtensor.ops.products import batches, dimensions, mv, outer_product, unequal
from microtensor.ops.promotion import promote_types
from microtensor.ops.shape import reshape, transpose
from microtensor.tensor import Tensor


def _blend_forward(x: Array, product: Array, beta: Any, alpha: Any) -> Array:
    out = empty(product.shape, product.dtype)
    if product.dtype.kind != "f":
        beta, alpha = int(beta), int(alpha)
    kernels.blend(x, product, beta, alpha, out)
    return out


blend: Any = declare(
    "add_product",
    "input: Tensor, product: Tensor, beta: float, alpha: float",
    _blend_forward,
    rules={
        "input": lambda g, beta: mul(g, beta),
        "product": lambda g, alpha: mul(g, alpha),
    },
    summary="Give beta input + alpha product; input broadcasts, and is not read if beta is 0.",
    integral=True,
    namespaces=(),
    samples=samples.given(
        (((3,), (2, 3)), {"beta": 0.5, "alpha": -2.0}), (((2, 3), (2, 3)), {"beta": 0, "alpha": 1})
    ),
)


def _added(op: str, input: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    same_dtype(op, input._array, product._array, "input", "the matrices")
    shape, wanted = input._array.shape, product._array.shape
    if len(shape) > len(wanted) or broadcast_shape(shape, wanted, op) != wanted:
        raise RuntimeError(
            f"{op}: input of shape {list(shape)} does not expand to the product's shape "
            f"{list(wanted)}"
        )
    return blend(input, product, beta, alpha)


_SCALES = "*, beta: float = 1, alpha: float = 1"


@publish(f"input: Tensor, mat1: Tensor, mat2: Tensor, {_SCALES}", method="addmm", inplace=True)
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Give beta input + alpha (mat1 mat2).

    Args:
        input: broadcasts to (m, n); not read where beta is 0, so that its NaNs do not matter.
        mat1: of shape (m, k).
        mat2: of shape (k, n).
        beta: the factor of input.
        alpha: the factor of the product.

    Raises:
        RuntimeError: shapes or dtypes that do not match.
    """
    tensors("addmm", input=input, mat1=mat1, mat2=mat2)
    dimensions("addmm", 2, mat1=mat1, mat2=mat2)
    return _added("addmm", input, matrix_product(mat1, mat2), beta, alpha)


@publish(f"input: Tensor, mat: Tensor, vec: Tensor, {_SCALES}", method="addmv", inplace=True)
def addmv(input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Give beta input + alpha (mat vec); input broadcasts to the vector of the product."""
    tensors("addmv", input=input, mat=mat, vec=vec)
    dimensions("addmv", 2, mat=mat)
    dimensions("addmv", 1, vec=vec)
    if mat._array.shape[1] != vec._array.shape[0]:
        raise unequal("addmv", mat, vec)
    return _added("addmv", input, mv(mat, vec), beta, alpha)


@publish(f"input: Tensor, vec1: Tensor, vec2: Tensor, {_SCALES}", method="addr", inplace=True)
def addr(input: Any, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Give beta input + alpha (vec1 vec2ᵀ); input broadcasts to the matrix of the product."""
    tensors("addr", input=input, vec1=vec1, vec2=vec2)
    product = outer_product("addr", vec1=vec1, vec2=vec2)
    # The only one of these that promotes dtypes.
    dtype = promote_types(product._array.dtype, input._array.dtype)
    return _added("addr", input.to(dtype), product.to(dtype), beta, alpha)


@publish(
    f"input: Tensor, batch1: Tensor, batch2: Tensor, {_SCALES}", method="baddbmm", inplace=True
)
def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Give beta input + alpha (batch1 batch2), matrix by matrix.

    Args:
        input: broadcasts to (b, m, n); not read where beta is 0.
        batch1: of shape (b, m, k).
        batch2: of shape (b, k, n).
        beta: the factor of input.
        alpha: the factor of the products.

    Raises:
        RuntimeError: shapes or dtypes that do not match.
    """
    tensors("baddbmm", input=input, batch1=batch1, batch2=batch2)
    batches("baddbmm", batch1=batch1, batch2=batch2)
    return _added("baddbmm", input, matrix_product(batch1, batch2), beta, alpha)


@publish(f"input: Tensor, batch1: Tensor, batch2: Tensor, {_SCALES}", method="addbmm", inplace=True)
def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Give beta input + alpha Σ batch1ᵢ batch2ᵢ, the sum over the batch.

    Args:
        input: broadcasts to (m, n); not read where beta is 0.
        batch1: of shape (b, m, k).
        batch2: of shape (b, k, n).
        beta: the factor of input.
        alpha: the factor of the sum.

    Raises:
        RuntimeError: shapes or dtypes that do not match.
    """
    tensors("addbmm", input=input, batch1=batch1, batch2=batch2)
    batches("addbmm", batch1=batch1, batch2=batch2)
    count, m, k = batch1._array.shape
    # One product: the batch is a part of the dimension that is summed anyway.
    wide = reshape(transpose(batch1, 0, 1), (m, count * k))
    tall = reshape(batch2, (count * k, batch2._array.shape[2]))
    return _added("addbmm", input, matrix_product(wide, tall), beta, alpha)
