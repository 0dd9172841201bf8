"""Ops of three tensors at once: going between two, adding multiples of products and quotients."""

from __future__ import annotations

from typing import Any

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import div, mul, neg, sub
from microtensor.ops.arrays import Array, broadcast_shape, empty, in_common_dtype
from microtensor.ops.declare import declare
from microtensor.ops.pointwise import Kernel, refuse_bool, unsupported


def _shape_of(name: str, *arrays: Array) -> tuple[int, ...]:
    shape: tuple[int, ...] = ()
    for array in arrays:
        shape = broadcast_shape(shape, array.shape, name)
    return shape


def _lerp_forward(start: Array, end: Array, weight: Array) -> Array:
    for name, array in (("end", end), ("weight", weight)):
        if array.dtype != start.dtype and (array is end or array.ndim):
            raise RuntimeError(
                f"lerp: expected {start.dtype.name} for '{name}' but got {array.dtype.name}; "
                "convert it, with .to(dtype)"
            )
    if start.dtype.kind != "f":
        raise unsupported("lerp", start.dtype, "; convert with .float()")
    out = empty(_shape_of("lerp", start, end, weight), start.dtype)
    kernels.lerp(start, end, weight.astype(start.dtype, copy=False), out)
    return out


lerp: Any = declare(
    "lerp",
    "input: Tensor, end: Tensor, weight: Tensor | float",
    _lerp_forward,
    rules={
        "input": lambda g, weight: mul(g, sub(1, weight)),
        "end": lambda g, weight: mul(g, weight),
        "weight": lambda g, input, end: mul(g, sub(end, input)),
    },
    summary="Go from one tensor towards another by a weight; exact at both ends.",
    formula="input + weight·(end - input)",
    method="lerp",
    inplace=True,
    samples=samples.given(
        (((3, 4), (3, 4), (3, 4)), {}), (((3, 1), (4,), ()), {}), (((), (2,), (2,)), {})
    ),
)


def _accumulated(name: str, kernel: Kernel, divides: bool) -> Any:
    def forward(x: Array, first: Array, second: Array, *, value: float = 1) -> Array:
        if divides and first.dtype.kind != "f" and second.dtype.kind != "f":
            raise RuntimeError(
                f"{name}: integers are not divided; use (input + value * tensor1 / tensor2), or "
                "round the quotient first"
            )
        x, first, second = in_common_dtype(x, first, second)
        refuse_bool(name, x.dtype)
        out = empty(_shape_of(name, x, first, second), x.dtype)
        kernel(x, first, second, x.dtype.type(value), out)
        return out

    return forward


_ACCUMULATED = "input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1"
_THREE = samples.given(
    (((3, 4), (3, 4), (3, 4)), {}),
    (((2, 3), (3,), (2, 1)), {"value": -0.7}),
    (((), (2,), ()), {"value": 2}),
    (((0,), (0,), (1,)), {}),
    positive=True,
)

addcmul: Any = declare(
    "addcmul",
    _ACCUMULATED,
    _accumulated("addcmul", kernels.addcmul, False),
    rules={
        "input": lambda g: g,
        "tensor1": lambda g, tensor2, value: mul(g, mul(tensor2, value)),
        "tensor2": lambda g, tensor1, value: mul(g, mul(tensor1, value)),
    },
    summary="Add a multiple of a product.",
    formula="input + value·tensor1·tensor2",
    integral=True,
    method="addcmul",
    inplace=True,
    samples=_THREE,
)

addcdiv: Any = declare(
    "addcdiv",
    _ACCUMULATED,
    _accumulated("addcdiv", kernels.addcdiv, True),
    rules={
        "input": lambda g: g,
        "tensor1": lambda g, tensor2, value: mul(g, div(value, tensor2)),
        "tensor2": lambda g, tensor1, tensor2, value: neg(
            mul(g, div(mul(div(tensor1, tensor2), value), tensor2))
        ),
    },
    summary="Add a multiple of a quotient.",
    formula="input + value·tensor1 / tensor2",
    method="addcdiv",
    inplace=True,
    samples=_THREE,
)
