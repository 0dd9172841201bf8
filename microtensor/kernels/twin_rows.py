"""The NumPy twins of softmax, cross-entropy, matrix products and column sums."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# reduction codes
NONE, MEAN, SUM = 0, 1, 2


def _matrix(name: str, x: Array) -> None:
    if x.ndim != 2:
        raise ValueError(f"{name}: expected a matrix, got shape {x.shape}")


def _shifted(x: Array, axis: int) -> tuple[Array, Array]:
    """Give x less its largest element along an axis, and log Σ exp of that."""
    shifted = x - x.max(axis=axis, keepdims=True, initial=-np.inf)
    return shifted, np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def softmax(x: Array, out: Array, axis: int = -1) -> None:
    """Out = eˣ / Σ eˣ along an axis."""
    with np.errstate(all="ignore"):
        e = np.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
        np.divide(e, e.sum(axis=axis, keepdims=True), out)


def log_softmax(x: Array, out: Array, axis: int = -1) -> None:
    """Out = x - log Σ eˣ along an axis."""
    with np.errstate(all="ignore"):
        shifted, log_part = _shifted(x, axis)
        np.subtract(shifted, log_part, out)


def softmax_backward(g: Array, y: Array, out: Array, axis: int = -1) -> None:
    """Out = (g - Σ g y) y for the output y."""
    with np.errstate(all="ignore"):
        np.multiply(g - (g * y).sum(axis=axis, keepdims=True), y, out)


def softmin(x: Array, out: Array, axis: int = -1) -> None:
    """Out = e⁻ˣ / Σ e⁻ˣ along an axis."""
    softmax(-x, out, axis)


def softmin_backward(g: Array, y: Array, out: Array, axis: int = -1) -> None:
    """Out = (Σ g y - g) y for the output y."""
    with np.errstate(all="ignore"):
        np.multiply((g * y).sum(axis=axis, keepdims=True) - g, y, out)


def log_softmax_backward(g: Array, y: Array, out: Array, axis: int = -1) -> None:
    """Out = g - eʸ Σ g for the output y."""
    with np.errstate(all="ignore"):
        np.subtract(g, np.exp(y) * g.sum(axis=axis, keepdims=True), out)


def matmul(a: Array, b: Array, out: Array) -> None:
    """Out = a b, matrices or batches of them."""
    with np.errstate(all="ignore"):
        np.matmul(a, b, out=out)


def linear(x: Array, weight: Array, bias: Array | None, out: Array) -> None:
    """Out = x weightᵀ + bias: x (rows, inputs), weight (outputs, inputs), bias (outputs)."""
    with np.errstate(all="ignore"):
        if bias is None:
            np.matmul(x, weight.T, out=out)
        else:
            np.copyto(out, x @ weight.T + bias, casting="same_kind")


def label_error(target: Array, row: int, classes: int) -> IndexError:
    """Give the error that names a label out of range."""
    label = int(target.reshape(-1)[row])
    return IndexError(
        f"cross_entropy: target {label} at row {row} is out of range for {classes} classes"
    )


def _weights(x: Array, target: Array, weight: Array | None, ignore_index: int) -> tuple[Array, ...]:
    """Give which rows count, their labels (0 for the others) and their labels' weights."""
    counted = target != ignore_index
    label = np.where(counted, target, 0)
    if x.shape[1] == 0 or weight is None:
        chosen = counted.astype(x.dtype)
    else:
        chosen = np.where(counted, weight[label], 0)
    return counted, label, chosen


def cross_entropy(
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: int,
    log_sum: Array,
    total: Array,
    out: Array,
) -> None:
    """Softmax cross-entropy of logits x (rows, classes) with int64 labels.

    Writes log_sum = log Σ eˣ of each row, total = the sum of the counted labels' weights, and out:
    each row's loss (reduction 0), their mean over total (1) or their sum (2).

    Raises:
        IndexError: a label is neither ignore_index nor in [0, classes).
    """
    _matrix("cross_entropy", x)
    rows, classes = x.shape
    bad = (target != ignore_index) & ((target < 0) | (target >= classes))
    if bad.any():
        raise label_error(target, int(bad.argmax()), classes)
    counted, label, chosen = _weights(x, target, weight, ignore_index)
    with np.errstate(all="ignore"):
        shift = x.max(axis=1, keepdims=True, initial=-np.inf)
        shifted, log_part = _shifted(x, 1)
        log_sum.reshape(rows)[...] = (shift + log_part)[:, 0]
        negative = log_part - shifted
        loss = np.zeros(rows, x.dtype)
        if classes:
            loss = (1.0 - label_smoothing) * chosen * negative[np.arange(rows), label]
            if label_smoothing:
                every = negative if weight is None else weight * negative
                loss = loss + label_smoothing / classes * every.sum(axis=1)
        loss = np.where(counted, loss, 0).astype(x.dtype, copy=False)
        total[...] = chosen.sum(dtype=np.float64)
        if reduction == NONE:
            out[...] = loss.reshape(out.shape)
        else:
            # Both sums in float64, as in C.
            out[...] = loss.sum(dtype=np.float64) / (
                chosen.sum(dtype=np.float64) if reduction == MEAN else 1.0
            )


def cross_entropy_backward(
    g: Array,
    x: Array,
    target: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: int,
    log_sum: Array,
    total: Array,
    out: Array,
) -> None:
    """Out = the gradient of cross_entropy with respect to x.

    g has one number, or one a row for reduction 0; log_sum and total are cross_entropy's.
    """
    _matrix("cross_entropy_backward", x)
    rows, classes = x.shape
    counted, label, chosen = _weights(x, target, weight, ignore_index)
    with np.errstate(all="ignore"):
        divisor = total.reshape(1) if reduction == MEAN else 1.0
        scale = (g.reshape(-1) / divisor) * np.ones(rows, x.dtype)
        e = np.exp(x - log_sum.reshape(rows, 1))
        soft = label_smoothing / classes if classes else 0.0
        every = np.ones(classes, x.dtype) if weight is None else weight
        hard = (1.0 - label_smoothing) * chosen
        # log_sum is rounded coarsely beside large logits; dividing by the sum takes that out again.
        factor = scale * (hard + soft * every.sum()) / e.sum(axis=1)
        result = e * factor[:, None] - (scale * soft)[:, None] * every
        if classes:
            result[np.arange(rows), label] -= scale * hard
        np.copyto(out, np.where(counted[:, None], result, 0), casting="same_kind")
