"""Matrix products and the affine map."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, broadcast_shape, contiguous, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.shape import reshape, transpose
from microtensor.tensor import Tensor

_BOOL = np.dtype(bool)


def _same_dtype(op: str, first: str, a: Array, second: str, b: Array) -> None:
    """Refuse two dtypes, which PyTorch does not promote in products: it would hide a slow path."""
    # The data is brought to the weights' dtype, not the other way round.
    cures = {"float64": "double", "float32": "float", "float16": "half"}
    cure = f".{cures[b.dtype.name]}()" if b.dtype.name in cures else f".to({b.dtype.name})"
    raise RuntimeError(
        f"{op}: expected {first} and {second} to have the same dtype, but {first} is "
        f"{a.dtype.name} and {second} is {b.dtype.name}; convert {first} with {cure}"
    )


def _unequal(a: tuple[int, ...], b: tuple[int, ...], rows: int) -> RuntimeError:
    return RuntimeError(
        f"matmul: the shapes {list(a)} and {list(b)} cannot be multiplied: {a[-1]} columns against "
        f"{rows} rows"
    )


def _rows(x: Any) -> Any:
    """Give a matrix of the last dimension's rows."""
    if len(x.shape) == 2:
        return x
    count = 1
    for n in x.shape[:-1]:
        count *= n
    return reshape(x, (count, x.shape[-1]))


def _matmul_forward(a: Array, b: Array) -> Array:
    dtype = a.dtype
    if dtype is not b.dtype and dtype != b.dtype:
        _same_dtype("matmul", "input", a, "other", b)
    if dtype is _BOOL:
        raise RuntimeError("matmul: not defined for bool tensors; convert them with .long()")
    shape_a, shape_b = a.shape, b.shape
    if shape_a[-1] != shape_b[-2]:
        raise _unequal(shape_a, shape_b, shape_b[-2])
    if len(shape_a) == 2 and len(shape_b) == 2:
        out = empty((shape_a[0], shape_b[1]), dtype)
    elif len(shape_b) == 2:
        # One product of all rows, not one a matrix.
        rows = prod(shape_a[:-1])
        out = empty((*shape_a[:-1], shape_b[1]), dtype)
        flat = contiguous(a).reshape(rows, shape_a[-1])
        kernels.matmul(flat, b, out.reshape(rows, shape_b[1]))
        return out
    else:
        lead = broadcast_shape(shape_a[:-2], shape_b[:-2], "matmul")
        out = empty((*lead, shape_a[-2], shape_b[-1]), dtype)
    kernels.matmul(a, b, out)
    return out


def _matmul_other_rule(g: Any, input: Any, other_shape: tuple[int, ...]) -> Any:
    if len(other_shape) == 2 and len(input.shape) > 2:  # one product of all rows, here too
        input, g = _rows(input), _rows(g)
    return _matmul(transpose(input, -1, -2), g)


_matmul: Any
_matmul = matrix_product = declare(
    "matmul",
    "input: Tensor, other: Tensor",
    _matmul_forward,
    rules={
        "input": lambda g, other: _matmul(g, transpose(other, -1, -2)),
        "other": _matmul_other_rule,
    },
    summary="Multiply matrices, of at least two dimensions.",
    integral=True,
    namespaces=(),
    samples=samples.given(
        (((3, 4), (4, 2)), {}), (((2, 3, 4), (4, 2)), {}), (((0, 3), (3, 2)), {})
    ),
)
_matmul_public = _matmul.op.public


@publish("input: Tensor, other: Tensor", namespaces=("mt", "linalg"), method="matmul")
def matmul(input: Any, other: Any) -> Tensor:
    """Multiply matrices, vectors and batches of matrices, as PyTorch's ``matmul`` does.

    Two vectors give their inner product, a matrix and a vector a vector, more dimensions are
    batches that broadcast.

    Args:
        input: of shape (..., m, k) or (k,).
        other: of shape (..., k, n) or (k,), of the same dtype.

    Returns:
        A tensor of shape (..., m, n), without the dimensions of vectors.

    Raises:
        RuntimeError: shapes or dtypes that do not match, or a 0-d tensor.

    Example:
        >>> import microtensor as mt
        >>> mt.matmul(mt.ones(2, 3), mt.ones(3, 1)).tolist()
        [[3.0], [3.0]]
    """
    if not isinstance(input, Tensor):
        refuse("matmul", "input", input)
    if not isinstance(other, Tensor):
        refuse("matmul", "other", other)
    ndim_a, ndim_b = input._array.ndim, other._array.ndim
    if ndim_a > 1 and ndim_b > 1:
        return _matmul_public(input, other)
    if ndim_a == 0 or ndim_b == 0:
        raise RuntimeError(
            f"matmul: both arguments need to be at least 1D, but they are {ndim_a}D and {ndim_b}D"
        )
    rows = other._array.shape[-2 if ndim_b > 1 else 0]
    if input._array.shape[-1] != rows:
        raise _unequal(input._array.shape, other._array.shape, rows)
    a = input.unsqueeze(0) if ndim_a == 1 else input
    b = other.unsqueeze(1) if ndim_b == 1 else other
    result = _matmul_public(a, b)
    if ndim_b == 1:
        result = result.squeeze(-1)
    return result.squeeze(-2 if ndim_b > 1 else -1) if ndim_a == 1 else result


@publish("input: Tensor, mat2: Tensor", method="mm")
def mm(input: Any, mat2: Any) -> Tensor:
    """Multiply two matrices.

    Args:
        input: of shape (m, k).
        mat2: of shape (k, n).

    Raises:
        RuntimeError: one is no matrix, or the shapes do not match.
    """
    for name, value in (("input", input), ("mat2", mat2)):
        if not isinstance(value, Tensor):
            refuse("mm", name, value)
        if value._array.ndim != 2:
            raise RuntimeError(f"mm: {name} must be a matrix, got {value._array.ndim}D tensor")
    return _matmul_public(input, mat2)


# ---- x Wᵀ + b ------------------------------------------------------------------------------------


def _linear_forward(x: Array, weight: Array, bias: Array | None) -> Array:
    dtype = x.dtype
    if dtype is not weight.dtype and dtype != weight.dtype:
        _same_dtype("linear", "input", x, "weight", weight)
    if bias is not None and bias.dtype is not dtype and bias.dtype != dtype:
        _same_dtype("linear", "bias", bias, "input", x)
    if weight.ndim != 2:
        raise RuntimeError(
            f"linear: weight must be a matrix (outputs, inputs), got shape {list(weight.shape)}"
        )
    outputs, inputs = weight.shape
    shape = x.shape
    if not shape or shape[-1] != inputs:
        raise RuntimeError(
            f"linear: input of shape {list(shape)} does not fit weight of shape "
            f"{list(weight.shape)}: input must have {inputs} features in its last dimension"
        )
    if bias is not None and bias.shape != (outputs,):
        raise RuntimeError(
            f"linear: bias of shape {list(bias.shape)} does not fit weight of shape "
            f"{list(weight.shape)}: it must have shape {[outputs]}"
        )
    if len(shape) == 2:
        out = empty((shape[0], outputs), dtype)
        kernels.linear(x, weight, bias, out)
        return out
    flat = contiguous(x).reshape(int(np.prod(shape[:-1], dtype=np.int64)), inputs)
    out = empty((flat.shape[0], outputs), dtype)
    kernels.linear(flat, weight, bias, out)
    return out.reshape(*shape[:-1], outputs)


def _weight_gradient_forward(g: Array, x: Array) -> Array:
    out = empty((g.shape[1], x.shape[1]), x.dtype)
    kernels.matmul(g.T, x, out)
    return out


weight_gradient: Any = declare(
    "linear_weight_gradient",
    "grad: Tensor, input: Tensor",
    _weight_gradient_forward,
    rules={
        "grad": lambda g, input: linear(input, g, None),
        "input": lambda g, grad: _matmul(grad, g),
    },
    summary="Give the gradient of a linear map's weight: gradᵀ input.",
    namespaces=(),
    samples=samples.given((((5, 3), (5, 4)), {})),
)


def _column_sum_forward(x: Array) -> Array:
    out = empty((x.shape[1],), x.dtype)
    kernels.sum(x, (0,), out[None])
    return out


column_sum: Any = declare(
    "column_sum",
    "input: Tensor",
    _column_sum_forward,
    rules={"input": lambda g, input_shape: expand_rows(g, input_shape)},
    summary="Sum the rows of a matrix.",
    namespaces=(),
    samples=samples.given((((5, 3),), {}), (((0, 3),), {})),
)

expand_rows: Any = declare(
    "expand_rows",
    "input: Tensor, shape: Sequence[int]",
    lambda x, shape: np.broadcast_to(x, shape),
    rules={"input": lambda g: column_sum(g)},
    summary="Repeat a vector as the rows of a matrix.",
    namespaces=(),
    view=True,
    samples=samples.given((((3,),), {"shape": (5, 3)})),
)


def _linear_input_rule(g: Any, weight: Any, input_shape: tuple[int, ...]) -> Any:
    if len(input_shape) == 2:
        return _matmul(g, weight)
    return reshape(_matmul(_rows(g), weight), input_shape)


linear: Any = declare(
    "linear",
    "input: Tensor, weight: Tensor, bias: Tensor | None = None",
    _linear_forward,
    rules={
        "input": _linear_input_rule,
        "weight": lambda g, input: weight_gradient(_rows(g), _rows(input)),
        "bias": lambda g: column_sum(_rows(g)),
    },
    summary="Apply an affine map to the last dimension: weight (outputs, inputs), bias (outputs).",
    formula="x weightᵀ + bias",
    namespaces=("nn.functional",),
    samples=samples.given(
        (((5, 3), (2, 3), (2,)), {}), (((2, 4, 3), (2, 3)), {}), (((3,), (2, 3), (2,)), {})
    ),
)
