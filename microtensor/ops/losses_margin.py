"""Margin losses: the right answer is to lead by a margin."""

from __future__ import annotations

from typing import Any

from microtensor.ops.activations_linear import relu
from microtensor.ops.arithmetic import add, div, mul, neg, square, sub
from microtensor.ops.arrays import Array, computed, constant
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq
from microtensor.ops.declare import publish
from microtensor.ops.gathering import gather
from microtensor.ops.loss_arguments import (
    INT64,
    check_floating,
    check_tensors,
    check_weight,
    chosen_reduction,
    reduced,
)
from microtensor.ops.reductions import sum
from microtensor.ops.scans import cumprod
from microtensor.ops.scattering import scatter_add
from microtensor.tensor import Tensor, wrap

_OLD = "size_average: bool | None = None, reduce: bool | None = None, reduction: str = 'mean'"


@publish(
    f"input: Tensor, target: Tensor, margin: float = 1.0, {_OLD}", namespaces=("nn.functional",)
)
def hinge_embedding_loss(
    input: Any,
    target: Any,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Distance of what belongs together, lack of distance of what does not.

        input where target is 1, max(0, margin - input) where it is -1

    Args:
        input: distances.
        target: 1 or -1 each, of a shape that broadcasts with the input's.
        margin: how far apart is far enough.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: another reduction.
    """
    name = "hinge_embedding_loss"
    check_tensors(name, input=input, target=target)
    reduction = chosen_reduction(name, size_average, reduce, reduction)
    # PyTorch's sum of two parts, of which a target that is neither 1 nor -1 gets both.
    apart = where(eq(target, 1), 0.0, relu(sub(margin, input)))
    together = where(eq(target, -1), 0.0, input)
    return reduced(add(apart, together), reduction)


@publish(
    f"input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, {_OLD}",
    namespaces=("nn.functional",),
)
def margin_ranking_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Lack of lead of one score over another: max(0, margin - target·(input1 - input2)).

    Args:
        input1: scores.
        input2: scores, of as many dimensions.
        target: 1 where the first is to be higher, -1 where the second is.
        margin: the lead wanted.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: numbers of dimensions that differ.
        ValueError: another reduction.
    """
    name = "margin_ranking_loss"
    check_tensors(name, input1=input1, input2=input2, target=target)
    reduction = chosen_reduction(name, size_average, reduce, reduction)
    if not input1._array.ndim == input2._array.ndim == target._array.ndim:
        raise RuntimeError(
            f"{name}: All input tensors should have same dimension but got sizes: input1: "
            f"{list(input1._array.shape)}, input2: {list(input2._array.shape)}, target: "
            f"{list(target._array.shape)}"
        )
    losses = relu(add(mul(neg(target), sub(input1, input2)), margin))
    return reduced(losses, reduction)


# ---- classes ------------------------------------------------------------------------------------


def _rows_and_labels(op: str, input: Tensor, target: Tensor, wanted: int) -> tuple[Any, Any]:
    """Give the input as rows of classes, and labels of so many dimensions as go with them.

    Raises:
        RuntimeError: shapes that do not fit, labels that are no integers.
    """
    check_floating(op, input=input)
    x, labels = input._array, target._array
    if labels.dtype != INT64:
        raise RuntimeError(
            f"{op}: expected class labels of dtype int64, but target is {labels.dtype.name}; "
            "convert with .long()"
        )
    fits = x.ndim in (1, 2) and x.shape[-1] > 0
    if fits and wanted == 1:
        fits = labels.shape == x.shape[:1] if x.ndim == 2 else labels.size == 1
    elif fits:
        fits = labels.shape == x.shape
    if not fits:
        expected = "(N,)" if wanted == 1 else "(N, C)"
        raise RuntimeError(
            f"{op}: inconsistent target size: got input {list(x.shape)} and target "
            f"{list(labels.shape)}; expected (N, C) and {expected}, or one row of them"
        )
    if x.ndim == 2:
        return input, target
    return input.unsqueeze(0), target.reshape(1) if wanted == 1 else target.unsqueeze(0)


@publish(
    "input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, "
    f"weight: Tensor | None = None, {_OLD}",
    namespaces=("nn.functional",),
)
def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Lack of lead of the right class: Σ_{i ≠ t} weight[t]·max(0, margin - x[t] + x[i])^p / C.

    Args:
        input: scores of shape (N, C) or (C,).
        target: int64 labels of shape (N,) or ().
        p: 1 or 2.
        margin: the lead wanted.
        weight: a weight per class, of shape (C,).
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum", over the rows.

    Raises:
        RuntimeError: shapes or dtypes that do not fit, or a label out of range.
        ValueError: another reduction or p.
    """
    name = "multi_margin_loss"
    check_tensors(name, input=input, target=target)
    reduction = chosen_reduction(name, size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError(f"{name}: only p == 1 and p == 2 supported, got {p}")
    rows, labels = _rows_and_labels(name, input, target, 1)
    classes = rows._array.shape[1]
    check_weight(name, weight, classes, rows._array.dtype)
    computed(_check_range, name, labels._array, 0, classes)
    column = labels.unsqueeze(1)
    behind = relu(add(sub(rows, gather(rows, 1, column)), margin))
    if p == 2:
        behind = square(behind)
    if weight is not None:
        behind = mul(behind, gather(weight, 0, labels).unsqueeze(1))
    own = _occurs(column, column.ge(0), rows)
    losses = div(sum(where(own, 0.0, behind), 1), float(classes))
    if input._array.ndim == 1:
        losses = losses.reshape(target._array.shape)
    return reduced(losses, reduction)


@publish(f"input: Tensor, target: Tensor, {_OLD}", namespaces=("nn.functional",))
def multilabel_margin_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """Lack of lead of each right class over each wrong one: Σ_ij max(0, 1 - (x[t[j]] - x[i])) / C.

    Args:
        input: scores of shape (N, C) or (C,).
        target: int64 labels of the same shape, of which those before the first -1 count.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum", over the rows.

    Raises:
        RuntimeError: shapes or dtypes that do not fit, or a label out of range.
        ValueError: another reduction.
    """
    name = "multilabel_margin_loss"
    check_tensors(name, input=input, target=target)
    reduction = chosen_reduction(name, size_average, reduce, reduction)
    rows, labels = _rows_and_labels(name, input, target, 2)
    classes = rows._array.shape[1]
    computed(_check_range, name, labels._array, -1, classes)
    listed = cumprod(labels.ge(0).long(), 1).bool()
    safe = where(listed, labels, 0)
    right = _occurs(safe, listed, rows)
    lead = sub(gather(rows, 1, safe).unsqueeze(2), rows.unsqueeze(1))
    counts = listed.unsqueeze(2).logical_and(right.logical_not().unsqueeze(1))
    losses = div(sum(where(counts, relu(sub(1.0, lead)), 0.0), (1, 2)), float(classes))
    if input._array.ndim == 1:
        losses = losses.reshape(())
    return reduced(losses, reduction)


def _check_range(op: str, values: Array, low: int, classes: int) -> None:
    bad = values[(values < low) | (values >= classes)]
    if bad.size:
        raise RuntimeError(f"{op}: target {bad[0]} is out of range for {classes} classes")


def _occurs(labels: Tensor, listed: Tensor, rows: Tensor) -> Any:
    """Say of each class of each row whether it is among the labels that are listed."""
    counts = wrap(constant(0, rows._array.shape, INT64))
    return scatter_add(counts, 1, labels, listed.long()).gt(0)
