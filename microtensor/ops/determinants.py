"""Determinants and their logarithms."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import div, mul, sub
from microtensor.ops.arrays import Array, empty
from microtensor.ops.choosing import where
from microtensor.ops.comparison import lt
from microtensor.ops.declare import declare, publish
from microtensor.ops.decompositions import svd
from microtensor.ops.linear import matrix_product
from microtensor.ops.matrices import embedded, main_diagonal, offer, square, tensors
from microtensor.ops.reductions import sum
from microtensor.ops.rounding import sign
from microtensor.ops.shape import reshape, unsqueeze
from microtensor.ops.solving import inv, transposed, well_conditioned
from microtensor.tensor import Tensor


def _beside_matrices(g: Any) -> Any:
    """Give numbers the two dimensions of the matrices that they belong to."""
    return reshape(g, (*g.shape, 1, 1))


# ---- products of some of the singular values ----------------------------------------------------


def _without_two_forward(s: Array) -> Array:
    out = empty((*s.shape, s.shape[-1]), s.dtype)
    kernels.products_without_two(s, out)
    return out


def _without_two_rule(g: Any, s: Any, y: Any) -> Any:
    # Each product has every factor but two: dy/ds is y/s where s is in it. (This divides by s: the
    # third derivative of a determinant is not to be had where the matrix is singular.)
    weighted = mul(g, y)
    every = unsqueeze(sum(weighted, (-2, -1)), -1)
    return div(sub(sub(every, sum(weighted, -1)), sum(weighted, -2)), s)


_without_two: Any = declare(
    "products_without_two",
    "s: Tensor",
    _without_two_forward,
    rules={"s": _without_two_rule},
    summary="Multiply all but two of the numbers, for any two.",
    namespaces=(),
    samples=samples.given((((4,),), {}), (((2, 3),), {}), (((1,),), {}), positive=True),
)


# ---- the determinant ----------------------------------------------------------------------------


def _cofactors_forward(A: Array) -> Array:
    square("cofactors", A)
    out = empty(A.shape, A.dtype)
    kernels.cofactors(A, out)
    return out


def _cofactors_rule(g: Any, A: Any) -> Any:
    # In the basis of the singular vectors A is diagonal, and the derivative of its cofactors plain:
    # products of singular values but two. Nothing divides by one, so it holds where A is singular.
    u, s, vh = svd(A, False)
    inside = matrix_product(matrix_product(transposed(u), g), transposed(vh))
    products = _without_two(s)
    on_diagonal = matrix_product(products, unsqueeze(main_diagonal(inside), -1))
    inner = sub(embedded(reshape(on_diagonal, s.shape)), mul(products, transposed(inside)))
    turned = _beside_matrices(sign(mul(det(u), det(vh))))
    return mul(turned, matrix_product(matrix_product(u, inner), vh))


cofactors: Any = declare(
    "cofactors",
    "A: Tensor",
    _cofactors_forward,
    rules={"A": _cofactors_rule},
    summary="Give the cofactors of square matrices, the derivative of the determinant.",
    namespaces=(),
    samples=well_conditioned((3, 3), (2, 2, 2), (1, 1), (0, 2, 2)),
)


def _det_forward(A: Array) -> Array:
    square("linalg.det", A)
    out = empty(A.shape[:-2], A.dtype)
    kernels.determinant(A, out)
    return out


det: Any = declare(
    "linalg_det",
    "A: Tensor",
    _det_forward,
    rules={"A": lambda g, A: mul(_beside_matrices(g), cofactors(A))},
    summary="Give the determinants of square matrices; the gradient is that of the polynomial, "
    "finite at singular ones, too.",
    namespaces=(),
    samples=well_conditioned((3, 3), (2, 1, 2, 2), (0, 2, 2), (1, 1), (2, 0, 0)),
)
publish(det.op.signature, ("linalg",), name="det")(det.op.public)


@publish("input: Tensor", name="det", method="det")
def _det(input: Any) -> Tensor:
    """Give the determinants of square matrices: :func:`linalg.det`."""
    tensors("det", input=input)
    return det(input)


# ---- its logarithm ------------------------------------------------------------------------------


class SignAndLog(namedtuple("linalg_slogdet", ["sign", "logabsdet"])):
    """The sign of a determinant, and the logarithm of its absolute value."""

    __slots__ = ()


SignAndLog.__name__ = "linalg_slogdet"


def _slogdet_forward(A: Array) -> tuple[Array, Array]:
    square("linalg.slogdet", A)
    signs, logs = empty(A.shape[:-2], A.dtype), empty(A.shape[:-2], A.dtype)
    kernels.sign_and_log_determinant(A, signs, logs)
    return signs, logs


def _slogdet_rule(g_sign: Any, g_logabsdet: Any, A: Any) -> Any:
    if g_logabsdet is None:  # the sign is constant
        return mul(A, 0.0)
    return mul(_beside_matrices(g_logabsdet), transposed(inv(A, False)))


_slogdet: Any = declare(
    "linalg_slogdet",
    "A: Tensor",
    _slogdet_forward,
    rules={"A": _slogdet_rule},
    outputs=("sign", "logabsdet"),
    returns=SignAndLog,
    summary="Give the signs of determinants and the logarithms of their absolute values; for a "
    "singular matrix 0 and -inf.",
    namespaces=(),
    samples=well_conditioned((3, 3), (2, 2, 2), (1, 1), (2, 0, 0)),
)


@offer("A: Tensor", "slogdet")
def _linalg_slogdet(A: Any) -> Any:
    """Give the signs of determinants and the logarithms of their absolute values.

    Args:
        A: of shape (*, n, n), float32 or float64.

    Returns:
        A named tuple (sign, logabsdet); 0 and -inf for a singular matrix. The sign is a constant.

    Raises:
        RuntimeError: no square matrices, or another dtype.
    """
    tensors("linalg_slogdet", A=A)
    signs, logs = _slogdet(A)
    return SignAndLog(signs.detach(), logs)


@publish("input: Tensor", method="slogdet")
def slogdet(input: Any) -> Any:
    """Give signs and logarithms of determinants, a named tuple: :func:`linalg.slogdet`."""
    tensors("slogdet", input=input)
    return _linalg_slogdet(input)


@publish("input: Tensor", method="logdet")
def logdet(input: Any) -> Tensor:
    """Give the logarithm of determinants: NaN for negative ones, -inf for singular matrices.

    Args:
        input: of shape (*, n, n), float32 or float64.

    Raises:
        RuntimeError: no square matrices, or another dtype.
    """
    tensors("logdet", input=input)
    signs, logs = _slogdet(input)
    return where(lt(signs, 0), float("nan"), logs)
