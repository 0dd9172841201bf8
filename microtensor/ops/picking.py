"""Taking elements along a dimension by computed indices: what extremes and orders are made of."""

from __future__ import annotations

from typing import Any

from microtensor import kernels
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare


def _pick_forward(x: Array, index: Array, dim: int) -> Array:
    out = empty(index.shape, x.dtype)
    if x.ndim:
        kernels.take_along(x, index, dim, out)
    else:
        kernels.cast(x, out)
    return out


def _place_forward(kernel: Any) -> Any:
    def forward(x: Array, index: Array, dim: int, shape: tuple[int, ...]) -> Array:
        out = empty(shape, x.dtype)
        if x.ndim:
            kernel(x, index, dim, out)
        else:
            kernels.cast(x, out)
        return out

    return forward


pick: Any = declare(
    "pick",
    "input: Tensor, index: Tensor, dim: int",
    _pick_forward,
    rules={"input": lambda g, input_shape, index, dim: place(g, index, dim, input_shape)},
    summary="Take one element along a dimension, by an index that names each place once.",
    integral=True,
    namespaces=(),
)

place: Any = declare(
    "place",
    "input: Tensor, index: Tensor, dim: int, shape: Sequence[int]",
    _place_forward(kernels.put_along),
    rules={"input": lambda g, index, dim: pick(g, index, dim)},
    summary="Put elements into zeros along a dimension: the adjoint of pick.",
    namespaces=(),
)

pick_several: Any = declare(
    "pick_several",
    "input: Tensor, index: Tensor, dim: int",
    _pick_forward,
    rules={"input": lambda g, input_shape, index, dim: collect(g, index, dim, input_shape)},
    summary="Take elements along a dimension, by an index that may name a place several times.",
    integral=True,
    namespaces=(),
)

collect: Any = declare(
    "collect",
    "input: Tensor, index: Tensor, dim: int, shape: Sequence[int]",
    _place_forward(kernels.add_along),
    rules={"input": lambda g, index, dim: pick_several(g, index, dim)},
    summary="Add elements into zeros along a dimension: the adjoint of pick_several.",
    namespaces=(),
)
