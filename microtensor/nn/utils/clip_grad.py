"""Clipping gradients: by the norm of all of them together, or each number by itself."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.arrays import computed, known
from microtensor.tensor import Tensor, wrap


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Give the norm of some tensors as if they were one vector.

    (Σ |x|^p)^(1/p) over all elements; p = inf gives the largest |x|, p = 0 counts tensors that are
    not zero (the norm of their norms, as in PyTorch).

    Args:
        tensors: one or several.
        norm_type: p.
        error_if_nonfinite: raise where the result is NaN or infinite.
        foreach: PyTorch's; nothing changes.

    Returns:
        A tensor of no dimensions; 0 where there are no tensors.

    Raises:
        RuntimeError: see error_if_nonfinite.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.utils.get_total_norm([mt.tensor([3.0]), mt.tensor([0.0, 4.0])])
        tensor(5.)
    """
    if isinstance(tensors, Tensor):
        tensors = [tensors]
    arrays = [tensor._array for tensor in tensors]
    order = float(norm_type)
    if not arrays:
        return wrap(known(np.zeros((), np.float32)))
    total = computed(_total_norm, arrays, order)
    if error_if_nonfinite:
        computed(_refuse_nonfinite, total, order)
    return wrap(total)


def _total_norm(arrays: list[Any], order: float) -> Any:
    total = np.empty((), np.result_type(*arrays))
    kernels.total_norm(arrays, order, total)
    return total


def _refuse_nonfinite(total: Any, order: float) -> None:
    if not math.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {order} for gradients from `parameters` is non-finite, so it "
            "cannot be clipped. To disable this error and scale the gradients by the non-finite "
            "norm anyway, set `error_if_nonfinite=False`"
        )


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """Scale gradients, in place, by max_norm/(total_norm + 1e-6) if that is less than 1.

    Args:
        parameters: whose gradients; those without are passed over.
        max_norm: what the norm is to be at most.
        total_norm: what it is, from :func:`get_total_norm`.
        foreach: PyTorch's; nothing changes.
    """
    arrays = [_writable(gradient) for gradient in _gradients(parameters)]
    if arrays:
        kernels.shrink_to_norm(total_norm._array, float(max_norm), arrays)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale gradients, in place, so that their norm, as of one vector, is at most max_norm.

    Their direction stays. A NaN anywhere makes all of them NaN, unless it is refused.

    Args:
        parameters: whose gradients; those without are passed over.
        max_norm: what the norm is to be at most.
        norm_type: p of the norm; inf for the largest |g|.
        error_if_nonfinite: raise, changing nothing, where the norm is NaN or infinite.
        foreach: PyTorch's; nothing changes.

    Returns:
        The norm before.

    Raises:
        RuntimeError: see error_if_nonfinite.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([3.0, 4.0], requires_grad=True)
        >>> (w * w / 2).sum().backward()
        >>> mt.nn.utils.clip_grad_norm_(w, 1.0), w.grad
        (tensor(5.), tensor([0.6000, 0.8000]))

    References:
        Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks.
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Do what :func:`clip_grad_norm_` does, under its old name."""
    warnings.warn(
        "`nn.utils.clip_grad_norm` is now deprecated in favor of `nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Bring every number of the gradients, in place, into [-clip_value, clip_value].

    Args:
        parameters: whose gradients; those without are passed over.
        clip_value: the limit.
        foreach: PyTorch's; nothing changes.
    """
    limit = float(clip_value)
    for gradient in _gradients(parameters):
        array = _writable(gradient)
        kernels.clamp_into(-limit, limit, array)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    return [p._grad for p in parameters if p._grad is not None]


def _writable(gradient: Tensor) -> Any:
    """Give a gradient's array to write to; an expanded one becomes one of its own."""
    if not gradient._array.flags.writeable:
        gradient._array = np.array(gradient._array, order="C")
    gradient._cell[0] += 1
    return gradient._array
