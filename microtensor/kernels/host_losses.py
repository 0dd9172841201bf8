"""Kernels of losses that have no body in C: one of each serves both backends."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def binary_cross_entropy(p: Array, t: Array, out: Array) -> None:
    """Out = -(t·max(ln p, -100) + (1 - t)·max(ln(1 - p), -100)); refuses p outside [0, 1]."""
    outside = (p < 0) | (p > 1)
    if outside.any():
        raise RuntimeError(
            "binary_cross_entropy: all elements of input should be between 0 and 1, got "
            f"{p[outside][0]:g}"
        )
    with np.errstate(all="ignore"):
        yes, no = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
        np.subtract((t - 1) * no, t * yes, out=out)


def label_weights(
    target: Array,
    weight: Array | None,
    classes: int,
    ignore_index: int,
    labels: Array,
    weights: Array,
    total: Array,
) -> None:
    """Give labels, -1 for those that do not count, their weights, and the sum of these.

    Raises:
        IndexError: a label that is neither ignored nor in [0, classes).
    """
    counted = target != ignore_index
    bad = np.flatnonzero(counted & ((target < 0) | (target >= classes)))
    if bad.size:
        raise IndexError(
            f"nll_loss: target {target[bad[0]]} at row {bad[0]} is out of range for {classes} "
            "classes"
        )
    labels[...] = np.where(counted, target, -1)
    weights[...] = 0
    weights[counted] = 1 if weight is None else weight[target[counted]]
    total[...] = weights.sum()


def pick_labels(
    x: Array, labels: Array, weights: Array, total: Array, reduction: int, out: Array
) -> None:
    """Out = -weights·x[row, label], summed unless reduction is 0, divided by total if it is 1.

    A row without a label gives zero, whatever stands in it.
    """
    counted = labels >= 0
    losses = np.zeros(len(labels), x.dtype)
    losses[counted] = -weights[counted] * x[counted, labels[counted]]
    if not reduction:
        out[...] = losses
        return
    with np.errstate(all="ignore"):
        out[...] = losses.sum() / total[0] if reduction == 1 else losses.sum()


def spread_labels(
    g: Array, labels: Array, weights: Array, total: Array, reduction: int, out: Array
) -> None:
    """Out = the gradient of pick_labels with respect to x."""
    out[...] = 0
    counted = np.flatnonzero(labels >= 0)
    with np.errstate(all="ignore"):
        factors = -weights / total[0] if reduction == 1 else -weights
        out[counted, labels[counted]] = (factors * g)[counted]
