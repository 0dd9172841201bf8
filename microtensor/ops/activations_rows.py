"""Softmax, its logarithm and its mirror: activations of whole rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from microtensor import dtypes, kernels
from microtensor.ops import samples
from microtensor.ops.activation_record import ACTIVATIONS, Activation
from microtensor.ops.arithmetic import mul, neg, sub
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare, parse_signature, publish
from microtensor.ops.powers import exp
from microtensor.ops.reductions import sum
from microtensor.tensor import Tensor, checked_dim


def _along(kernel: Callable[..., None], dim: int, *arrays: Array) -> Array:
    """Run a row kernel along a dimension."""
    shape = arrays[0].shape
    dim = checked_dim(dim, len(shape))
    if not shape:
        single: Array = empty((1,), arrays[0].dtype)
        kernel(*(a.reshape(1) for a in arrays), single)
        return single.reshape(())
    out = empty(shape, arrays[0].dtype)
    kernel(*arrays, out, dim)
    return out


def _rows_forward(name: str, kernel: Callable[..., None]) -> Any:
    def forward(x: Array, dim: int, dtype: Any = None) -> Array:
        if dtype is not None:
            x = x.astype(dtypes.as_numpy_dtype(dtype), copy=False)
        if x.dtype.kind != "f":
            raise RuntimeError(
                f"{name}: not defined for {x.dtype.name} tensors; convert with .float()"
            )
        return _along(kernel, dim, x)

    return forward


def _rows_backward_forward(kernel: Callable[..., None]) -> Any:
    def forward(g: Array, y: Array, dim: int) -> Array:
        return _along(kernel, dim, g.astype(y.dtype, copy=False), y)

    return forward


def _row_sum(x: Any, dim: int) -> Any:
    return sum(x, dim, keepdim=True)


def _softmax_output_rule(g: Any, grad: Any, output: Any, dim: int) -> Any:
    s = _row_sum(mul(grad, output), dim)
    return sub(mul(g, sub(grad, s)), mul(grad, _row_sum(mul(g, output), dim)))


softmax_backward: Any = declare(
    "softmax_backward",
    "grad: Tensor, output: Tensor, dim: int",
    _rows_backward_forward(kernels.softmax_backward),
    rules={
        "grad": lambda g, output, dim: softmax_backward(g, output, dim),
        "output": _softmax_output_rule,
    },
    summary="Give the gradient of softmax from its output: y·(g - Σ g·y).",
    namespaces=(),
)

softmin_backward: Any = declare(
    "softmin_backward",
    "grad: Tensor, output: Tensor, dim: int",
    _rows_backward_forward(kernels.softmin_backward),
    rules={
        "grad": lambda g, output, dim: softmin_backward(g, output, dim),
        "output": lambda g, grad, output, dim: neg(_softmax_output_rule(g, grad, output, dim)),
    },
    summary="Give the gradient of softmin from its output: y·(Σ g·y - g).",
    namespaces=(),
)

_ROWS = "input: Tensor, dim: int, dtype: Any = None"
_ROW_SAMPLES = samples.given(
    (((3, 4),), {"dim": -1}),
    (((2, 3, 4),), {"dim": 1}),
    (((),), {"dim": 0}),
    (((2, 0),), {"dim": 1}),
)

softmax: Any = declare(
    "softmax",
    _ROWS,
    _rows_forward("softmax", kernels.softmax),
    rules={"input": lambda g, y, dim: softmax_backward(g, y, dim)},
    summary="Turn scores along a dimension into probabilities that sum to one.",
    formula="exp(x - max x) / Σ exp(x - max x)",
    derivative="dx = y·(g - Σ g·y)",
    range="[0, 1]",
    namespaces=("mt",),
    method="softmax",
    record=Activation,
    module="Softmax",
    saves="y",
    parameters=tuple(parse_signature(_ROWS)[1:]),
    samples=_ROW_SAMPLES,
)

softmin: Any = declare(
    "softmin",
    _ROWS,
    _rows_forward("softmin", kernels.softmin),
    rules={"input": lambda g, y, dim: softmin_backward(g, y, dim)},
    summary="Turn costs along a dimension into probabilities that sum to one: softmax of -x.",
    formula="exp(-x) / Σ exp(-x)",
    derivative="dx = -y·(g - Σ g·y)",
    range="[0, 1]",
    namespaces=(),
    record=Activation,
    module="Softmin",
    saves="y",
    parameters=tuple(parse_signature(_ROWS)[1:]),
    samples=_ROW_SAMPLES,
)

log_softmax_backward: Any = declare(
    "log_softmax_backward",
    "grad: Tensor, output: Tensor, dim: int",
    _rows_backward_forward(kernels.log_softmax_backward),
    rules={
        "grad": lambda g, output, dim: sub(g, _row_sum(mul(g, exp(output)), dim)),
        "output": lambda g, grad, output, dim: neg(mul(mul(g, exp(output)), _row_sum(grad, dim))),
    },
    summary="Give the gradient of log_softmax from its output: g - exp(y)·Σ g.",
    namespaces=(),
)

log_softmax: Any = declare(
    "log_softmax",
    _ROWS,
    _rows_forward("log_softmax", kernels.log_softmax),
    rules={"input": lambda g, y, dim: log_softmax_backward(g, y, dim)},
    summary="Give the logarithm of softmax, without overflow.",
    formula="x - ln Σ eˣ",
    derivative="dx = g - exp(y)·Σ g",
    range="(-∞, 0]",
    namespaces=("mt",),
    method="log_softmax",
    record=Activation,
    module="LogSoftmax",
    saves="y",
    parameters=tuple(parse_signature(_ROWS)[1:]),
    samples=_ROW_SAMPLES,
)


_MODULE_SIGNATURE = "input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None"


def _offer(name: str, function: Any) -> None:
    """Offer the form of ``nn.functional``, where ``dim`` may be missing, which warns."""

    def variant(
        input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
    ) -> Any:
        if dim is None:
            warnings.warn(
                f"{name}(): dim is not given; it is chosen by the number of dimensions, as PyTorch "
                "does, which is deprecated: say dim=...",
                stacklevel=_stacklevel,
            )
            dim = 0 if input.dim() in (0, 1, 3) else 1
        return function(input, dim, dtype)

    variant.__name__ = name
    variant.__doc__ = function.__doc__
    publish(_MODULE_SIGNATURE, namespaces=("nn.functional",), name=name)(variant)


for _row in (softmax, softmin, log_softmax):
    _offer(_row.op.name, _row.op.public)
    ACTIVATIONS[_row.op.name] = _row.op
