"""Losses of numbers: what is between a prediction and its target, element by element."""

from __future__ import annotations

from typing import Any

from microtensor.ops.arithmetic import div, mul, square, sub
from microtensor.ops.choosing import where
from microtensor.ops.comparison import lt
from microtensor.ops.declare import publish
from microtensor.ops.loss_arguments import check_tensors, chosen_reduction, reduced, warn_of_shapes
from microtensor.ops.rounding import abs
from microtensor.tensor import Tensor


def _weighted(losses: Any, weight: Any, reduction: str) -> Any:
    """Reduce losses times their weights; their mean is over the weights."""
    if weight is not None:
        losses = mul(losses, weight)
        if reduction == "mean":
            return div(losses.sum(), weight.sum())
    return reduced(losses, reduction)


@publish(
    "input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None, "
    "reduction: str = 'mean', weight: Tensor | None = None",
    namespaces=("nn.functional",),
)
def mse_loss(
    input: Any,
    target: Any,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Tensor:
    """Squared error, averaged, summed or element by element.

    Args:
        input: predictions.
        target: what they should be, of the same shape.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum".
        weight: a weight per element, or None.

    Raises:
        ValueError: another reduction; a weight of another shape than `input`.
        RuntimeError: shapes that cannot be broadcast.

    Warns:
        UserWarning: shapes differ, and are broadcast: (batch,) and (batch, 1) to (batch, batch).
    """
    check_tensors("mse_loss", input=input, target=target)
    reduction = chosen_reduction("mse_loss", size_average, reduce, reduction)
    warn_of_shapes("mse_loss", input, target, weight)
    return _weighted(square(sub(input, target)), weight, reduction)


@publish(
    "input: Tensor, target: Tensor, size_average: bool | None = None, "
    "reduce: bool | None = None, reduction: str = 'mean', weight: Tensor | None = None",
    namespaces=("nn.functional",),
)
def l1_loss(
    input: Any,
    target: Any,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Tensor:
    """Absolute error, averaged, summed or element by element: |input - target|.

    The gradient is zero where they are equal.

    Args:
        input: predictions.
        target: what they should be, of the same shape.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum".
        weight: a weight per element, or None; the mean is the weighted one.

    Raises:
        ValueError: another reduction; a weight of another shape than `input`.
        RuntimeError: shapes that cannot be broadcast.

    Warns:
        UserWarning: shapes differ, and are broadcast.

    Example:
        >>> import microtensor as mt, microtensor.nn.functional as F
        >>> F.l1_loss(mt.tensor([1.0, 2.0]), mt.tensor([1.0, 5.0]))
        tensor(1.5000)
    """
    check_tensors("l1_loss", input=input, target=target)
    reduction = chosen_reduction("l1_loss", size_average, reduce, reduction)
    warn_of_shapes("l1_loss", input, target, weight)
    return _weighted(abs(sub(input, target)), weight, reduction)


def _bent(difference: Any, bend: float, curvature: float, slope: float) -> Any:
    """curvature/2·d² where |d| < bend, slope·(|d| - bend/2) beyond."""
    size = abs(difference)
    line = mul(sub(size, 0.5 * bend), slope)
    return where(lt(size, bend), mul(square(difference), 0.5 * curvature), line)


@publish(
    "input: Tensor, target: Tensor, size_average: bool | None = None, "
    "reduce: bool | None = None, reduction: str = 'mean', beta: float = 1.0",
    namespaces=("nn.functional",),
)
def smooth_l1_loss(
    input: Any,
    target: Any,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Absolute error with its tip rounded off: d²/(2·beta) where |d| < beta, else |d| - beta/2.

    Args:
        input: predictions.
        target: what they should be, of the same shape.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum".
        beta: where the square goes over into the line; 0 gives the absolute error.

    Raises:
        ValueError: another reduction.
        RuntimeError: beta is negative; shapes that cannot be broadcast.

    Warns:
        UserWarning: shapes differ, and are broadcast.

    References:
        Girshick 2015, Fast R-CNN, arXiv:1504.08083.
    """
    name = "smooth_l1_loss"
    check_tensors(name, input=input, target=target)
    reduction = chosen_reduction(name, size_average, reduce, reduction)
    warn_of_shapes(name, input, target)
    if not beta >= 0:
        raise RuntimeError(f"{name}: beta must not be negative, got {beta}")
    difference = sub(input, target)
    losses = abs(difference) if beta == 0 else _bent(difference, beta, 1.0 / beta, 1.0)
    return reduced(losses, reduction)


@publish(
    "input: Tensor, target: Tensor, reduction: str = 'mean', delta: float = 1.0, "
    "weight: Tensor | None = None",
    namespaces=("nn.functional",),
)
def huber_loss(
    input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None
) -> Tensor:
    """Squared error that goes on as a line: d²/2 where |d| < delta, else delta·(|d| - delta/2).

    Args:
        input: predictions.
        target: what they should be, of the same shape.
        reduction: "none", "mean" or "sum".
        delta: where the square goes over into the line; positive.
        weight: a weight per element, or None; the mean is over the elements, as PyTorch's is.

    Raises:
        ValueError: another reduction; a weight of another shape than `input`.
        RuntimeError: delta is not positive; shapes that cannot be broadcast.

    Warns:
        UserWarning: shapes differ, and are broadcast.

    References:
        Huber 1964, Robust estimation of a location parameter.
    """
    check_tensors("huber_loss", input=input, target=target)
    warn_of_shapes("huber_loss", input, target, weight)
    if not delta > 0:
        raise RuntimeError(f"huber_loss: delta must be positive, got {delta}")
    losses = _bent(sub(input, target), delta, 1.0, delta)
    if weight is not None:
        losses = mul(losses, weight)
    return reduced(losses, reduction)
