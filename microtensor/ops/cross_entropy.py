"""Cross-entropy of logits: one kernel forward, one backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.activations_rows import log_softmax, softmax, softmax_backward
from microtensor.ops.arithmetic import mul
from microtensor.ops.arrays import Array, contiguous, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.loss_arguments import (
    INT64,
    LABELS,
    as_rows,
    check_labels,
    check_weight,
    chosen_reduction,
    ones_like_gradient,
    reduction_code,
)
from microtensor.ops.reductions import sum
from microtensor.ops.shape import reshape
from microtensor.tensor import Tensor


def _cross_entropy_forward(
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: int,
) -> tuple[Array, Array, Array]:
    rows = x.shape[0]
    log_sum = empty((rows,), x.dtype)
    total = empty((1,), x.dtype)
    out = empty(() if reduction else (rows,), x.dtype)
    kernels.cross_entropy(
        x, target, weight, ignore_index, label_smoothing, reduction, log_sum, total, out
    )
    return out, log_sum, total


def _cross_entropy_backward_forward(
    g: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    log_sum: Array,
    total: Array,
    ignore_index: int,
    label_smoothing: float,
    reduction: int,
) -> Array:
    out = empty(x.shape, x.dtype)
    kernels.cross_entropy_backward(
        contiguous(g),
        x,
        target,
        weight,
        ignore_index,
        label_smoothing,
        reduction,
        log_sum,
        total,
        out,
    )
    return out


def _row_scale_forward(
    like: Array,
    target: Array,
    weight: Array | None,
    total: Array,
    ignore_index: int,
    label_smoothing: float,
    reduction: int,
) -> Array:
    """The factor of softmax(x) in each row's gradient, as a column."""
    counted = target != ignore_index
    labels = np.where(counted, target, 0)
    classes = like.shape[1]
    weights = np.ones(classes, like.dtype) if weight is None else weight
    factor = (1 - label_smoothing) * weights[labels] + label_smoothing * weights.mean()
    factor = np.where(counted, factor, 0)
    if reduction == 1:
        factor = factor / total[0]
    return factor.astype(like.dtype)[:, None]


_row_scale: Any = declare(
    "cross_entropy_row_scale",
    "like: Tensor, target: Tensor, weight: Tensor | None, total: Tensor, ignore_index: int, "
    "label_smoothing: float, reduction: int",
    _row_scale_forward,
    summary="Give the factor of softmax in each row of the gradient of cross_entropy.",
    namespaces=(),
)


def _backward_grad_rule(
    g: Any,
    grad: Any,
    x: Any,
    target: Any,
    weight: Any,
    log_sum: Any,
    total: Any,
    ignore_index: int,
    label_smoothing: float,
    reduction: int,
) -> Any:
    # Linear in the incoming gradient: the rest is the op itself at a gradient of one.
    unit = cross_entropy_backward(
        ones_like_gradient(grad),
        x,
        target,
        weight,
        log_sum,
        total,
        ignore_index,
        label_smoothing,
        reduction,
    )
    product = mul(g, unit)
    return sum(product) if reduction else sum(product, 1)


def _backward_input_rule(
    g: Any,
    grad: Any,
    x: Any,
    target: Any,
    weight: Any,
    total: Any,
    ignore_index: int,
    label_smoothing: float,
    reduction: int,
) -> Any:
    scale = _row_scale(x, target, weight, total, ignore_index, label_smoothing, reduction)
    column = grad if reduction else reshape(grad, (-1, 1))
    return softmax_backward(mul(g, mul(scale, column)), softmax(x, 1), 1)


cross_entropy_backward: Any = declare(
    "cross_entropy_backward",
    "grad: Tensor, x: Tensor, target: Tensor, weight: Tensor | None, log_sum: Tensor, "
    "total: Tensor, ignore_index: int, label_smoothing: float, reduction: int",
    _cross_entropy_backward_forward,
    # log_sum is a function of x that is passed along to be spared computing again: the rule for x
    # accounts for all of it.
    rules={"grad": _backward_grad_rule, "x": _backward_input_rule},
    summary="Give the gradient of cross_entropy with respect to the logits.",
    namespaces=(),
)


def _cross_entropy_rule(
    g: Any,
    input: Any,
    target: Any,
    weight: Any,
    log_sum: Any,
    total: Any,
    ignore_index: int,
    label_smoothing: float,
    reduction: int,
) -> Any:
    return cross_entropy_backward(
        g, input, target, weight, log_sum, total, ignore_index, label_smoothing, reduction
    )


_cross_entropy: Any = declare(
    "cross_entropy",
    "input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, "
    "label_smoothing: float, reduction: int",
    _cross_entropy_forward,
    rules={"input": _cross_entropy_rule},
    extras=("log_sum", "total"),
    summary="Softmax cross-entropy of logits (rows, classes) with labels (rows).",
    formula="-w[t]·(x[t] - ln Σ eˣ), averaged over the rows",
    derivative="w[t]·(softmax(x) - onehot(t)) / Σ w",
    namespaces=(),
)
_cross_entropy_public = _cross_entropy.op.public


@publish(f"{LABELS}, label_smoothing: float = 0.0", namespaces=("nn.functional",))
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Softmax cross-entropy between logits and class labels, or class probabilities.

    ``loss[i] = -weight[t[i]]·log_softmax(input[i])[t[i]]``; "mean" divides by the sum of the
    weights of the rows counted.

    Args:
        input: logits, floating point, of shape (C,), (N, C) or (N, C, d1, ...).
        target: int64 labels of shape (), (N,) or (N, d1, ...), each in [0, C) or
            ``ignore_index``; or probabilities of the input's shape and dtype.
        weight: a weight per class, of shape (C,).
        ignore_index: a label whose rows do not count.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum".
        label_smoothing: the share of each label spread evenly over all classes, in [0, 1].

    Returns:
        A 0-d tensor, or for "none" one of the labels' shape.

    Raises:
        IndexError: a label out of range; the message names it, its row and the number of classes.
        RuntimeError: labels that are no integers, shapes or dtypes that do not match.
        ValueError: another reduction, or another number of labels than rows.

    Example:
        >>> import microtensor as mt, microtensor.nn.functional as F
        >>> F.cross_entropy(mt.zeros(1, 4), mt.tensor([2]))
        tensor(1.3863)
    """
    if not isinstance(input, Tensor):
        refuse("cross_entropy", "input", input)
    if not isinstance(target, Tensor):
        refuse("cross_entropy", "target", target)
    x, labels = input._array, target._array
    if (
        x.ndim == 2
        and labels.dtype is INT64
        and labels.ndim == 1
        and size_average is None
        and reduce is None
        and weight is None
        and label_smoothing == 0.0
        and x.dtype.kind == "f"
        and len(x) == len(labels)
    ):
        # The ordinary case, straight to the kernel.
        return _cross_entropy_public(
            input, target, None, ignore_index, 0.0, reduction_code(reduction)
        )
    reduction = chosen_reduction("cross_entropy", size_average, reduce, reduction)
    code = reduction_code(reduction)
    if x.dtype.kind != "f":
        raise RuntimeError(
            f"cross_entropy: input must be floating point, not {x.dtype.name}; convert with "
            ".float()"
        )
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if x.ndim == 0:
        raise RuntimeError("cross_entropy: input must have at least one dimension, the classes")
    classes = x.shape[0 if x.ndim == 1 else 1]
    check_weight("cross_entropy", weight, classes, x.dtype)
    if labels.dtype.kind == "f":
        if labels.shape != x.shape:
            batches = x.ndim > 1 and labels.shape[:1] != x.shape[:1]
            raise (ValueError if batches else RuntimeError)(
                f"cross_entropy: float targets are taken for class probabilities and must have the "
                f"input's shape {list(x.shape)}, got {list(labels.shape)}. Class labels must be "
                "integers: convert them with .long()"
            )
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    check_labels("cross_entropy", input, target)
    rows, flat = as_rows(input), target.reshape(-1).long()
    result = _cross_entropy_public(rows, flat, weight, int(ignore_index), label_smoothing, code)
    return result if code else result.reshape(() if x.ndim == 1 else labels.shape)


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Any, reduction: str, label_smoothing: float
) -> Any:
    dim = 0 if input._array.ndim == 1 else 1
    classes = input._array.shape[dim]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    scores = log_softmax(input, dim) * target
    if weight is not None:
        scores = scores * weight.reshape(-1, *(1,) * (input._array.ndim - 1 - dim))
    losses = -scores.sum(dim)
    if reduction == "none":
        return losses
    total = losses.sum()
    return total / max(input._array.size // classes, 1) if reduction == "mean" else total
