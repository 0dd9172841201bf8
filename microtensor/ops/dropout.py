"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.arithmetic import mul
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.random import Generator, drawing, state_of
from microtensor.tensor import Tensor


def _dropout_forward(x: Array, p: float, state: Array) -> tuple[Array, Array]:
    if x.dtype.kind != "f":
        raise RuntimeError(
            f"dropout: not defined for {x.dtype.name} tensors; convert with .float()"
        )
    if x.dtype == np.float16:  # there is no half-precision generator
        wide_out, wide_mask = _dropout_forward(x.astype(np.float32), p, state)
        return wide_out.astype(x.dtype), wide_mask.astype(x.dtype)
    mask = empty(x.shape, x.dtype)
    out = empty(x.shape, x.dtype)
    with drawing:
        kernels.dropout(x, p, state, mask, out)
    return out, mask


_dropout: Any = declare(
    "dropout",
    "input: Tensor, p: float, state: Any",
    _dropout_forward,
    rules={"input": lambda g, mask: mul(g, mask)},
    extras=("mask",),
    summary="Set elements to zero with probability p, and scale the others by 1/(1-p).",
    namespaces=(),
)
_dropout_public = _dropout.op.public


@publish(
    "input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, "
    "generator: Generator | None = None",
    namespaces=("nn.functional",),
)
def dropout(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Set elements to zero with probability p in training, and scale the others by 1/(1-p).

    Args:
        input: a floating-point tensor.
        p: the probability, in [0, 1].
        training: False gives the input back.
        inplace: write into the input.
        generator: draws from this one instead of the default one.

    Raises:
        ValueError: p outside [0, 1].

    References:
        Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not isinstance(input, Tensor):
        refuse("dropout", "input", input)
    if not training or p == 0.0:
        return input
    if inplace:
        from microtensor.ops.inplace import store

        return store("dropout_", input, lambda x: dropout(x, p, True, False, generator))
    return _dropout_public(input, float(p), state_of(generator))
