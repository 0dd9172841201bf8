"""Dropout of whole channels, and alpha dropout, which keeps mean and variance."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from microtensor.ops.arithmetic import mul
from microtensor.ops.arrays import constant, known
from microtensor.ops.choosing import where
from microtensor.ops.comparison import ne
from microtensor.ops.declare import publish, refuse
from microtensor.ops.dropout import dropout
from microtensor.ops.inplace import store
from microtensor.tensor import Tensor, wrap

_ALPHA = -1.7580993408473766
"""The limit of SELU at minus infinity."""

_SIGNATURE = "input: Tensor, p: float = {p}, training: bool = {training}, inplace: bool = False"


def _drop(
    op: str, input: Any, p: float, training: bool, inplace: bool, shape: Any, alpha: bool
) -> Any:
    """Drop what a mask of a shape says, which broadcasts over the input."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{op}: dropout probability has to be between 0 and 1, but got {p}")
    if not isinstance(input, Tensor):
        refuse(op, "input", input)
    if input._array.dtype.kind != "f":
        raise RuntimeError(
            f"{op}: not defined for {input._array.dtype.name} tensors; convert with .float()"
        )
    if not training or p == 0.0:
        return input
    # Dropout of ones is the mask, 0 or 1 / (1 - p), from the very generator.
    mask = dropout(wrap(constant(1.0, shape, input._array.dtype)), p)
    if not alpha:

        def compute(x: Tensor) -> Any:
            return mul(x, mask)
    elif p == 1.0:

        def compute(x: Tensor) -> Any:
            return mul(x, 0.0)
    else:
        keep = ne(mask, 0.0)
        scale = 1.0 / math.sqrt((_ALPHA * _ALPHA * p + 1.0) * (1.0 - p))
        shift = -_ALPHA * scale * p
        factor, offset = (
            where(keep, _number(kept, mask), _number(dropped, mask))
            for kept, dropped in ((scale, 0.0), (shift, _ALPHA * scale + shift))
        )

        def compute(x: Tensor) -> Any:
            return mul(x, factor) + offset

    return store(f"{op}_", input, compute) if inplace else compute(input)


def _number(value: float, mask: Tensor) -> Tensor:
    return wrap(known(np.asarray(value, mask._array.dtype)))


def _channels(op: str, input: Any, ranks: tuple[int, ...], single: int | None = None) -> Any:
    """Give the shape of a mask by channel; the rank ``single`` has no batch."""
    if not isinstance(input, Tensor):
        refuse(op, "input", input)
    shape = input._array.shape
    if len(shape) not in ranks:
        legal = " or ".join(f"{rank}D" for rank in ranks)
        differs = f"{op}: Expected {legal} input, but received a {len(shape)}D input"
        if op == "dropout1d" or len(shape) < 2:
            raise RuntimeError(differs)
        # PyTorch's first tutorials had it so: rows of features, each of which is a channel.
        warnings.warn(f"{differs}, which is deprecated: use dropout instead", stacklevel=3)
    kept = 2 if single is None or len(shape) > single else 1
    return (*shape[:kept], *(1,) * (len(shape) - kept))


@publish(_SIGNATURE.format(p=0.5, training=True), namespaces=("nn.functional",))
def dropout1d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Set whole channels to zero with probability p in training, and scale the others.

    Args:
        input: floating point, of shape (N, C, L) or (C, L).
        p: the probability, in [0, 1].
        training: False gives the input back.
        inplace: write into the input.

    Raises:
        RuntimeError: another rank.
        ValueError: p outside [0, 1].
    """
    shape = _channels("dropout1d", input, (2, 3), 2)
    return _drop("dropout1d", input, p, training, inplace, shape, False)


@publish(_SIGNATURE.format(p=0.5, training=True), namespaces=("nn.functional",))
def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Set whole channels to zero with probability p in training, and scale the others.

    Args:
        input: floating point, of shape (N, C, H, W), or (N, C, L) as PyTorch has it still.
        p: the probability, in [0, 1].
        training: False gives the input back.
        inplace: write into the input.

    Raises:
        RuntimeError: fewer than two dimensions; other ranks warn, as they do in PyTorch.
        ValueError: p outside [0, 1].
    """
    shape = _channels("dropout2d", input, (3, 4))
    return _drop("dropout2d", input, p, training, inplace, shape, False)


@publish(_SIGNATURE.format(p=0.5, training=True), namespaces=("nn.functional",))
def dropout3d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Set whole channels to zero with probability p in training, and scale the others.

    Args:
        input: floating point, of shape (N, C, D, H, W) or (C, D, H, W).
        p: the probability, in [0, 1].
        training: False gives the input back.
        inplace: write into the input.

    Raises:
        RuntimeError: fewer than two dimensions; other ranks warn, as they do in PyTorch.
        ValueError: p outside [0, 1].
    """
    shape = _channels("dropout3d", input, (4, 5), 4)
    return _drop("dropout3d", input, p, training, inplace, shape, False)


@publish(_SIGNATURE.format(p=0.5, training=False), namespaces=("nn.functional",))
def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """Set elements to SELU's negative limit with probability p, and keep mean and variance.

    Args:
        input: floating point, of mean 0 and variance 1.
        p: the probability, in [0, 1].
        training: False gives the input back.
        inplace: write into the input.

    Raises:
        ValueError: p outside [0, 1].

    References:
        Klambauer et al. 2017, arXiv:1706.02515.
    """
    if not isinstance(input, Tensor):
        refuse("alpha_dropout", "input", input)
    return _drop("alpha_dropout", input, p, training, inplace, input._array.shape, True)


@publish(_SIGNATURE.format(p=0.5, training=False), namespaces=("nn.functional",))
def feature_alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Any:
    """Do as alpha_dropout does, to whole channels of (N, C, *).

    Args:
        input: floating point, of mean 0 and variance 1.
        p: the probability, in [0, 1].
        training: False gives the input back.
        inplace: write into the input.

    Raises:
        RuntimeError: fewer than two dimensions.
        ValueError: p outside [0, 1].
    """
    shape = _channels("feature_alpha_dropout", input, tuple(range(2, 65)))
    return _drop("feature_alpha_dropout", input, p, training, inplace, shape, True)
