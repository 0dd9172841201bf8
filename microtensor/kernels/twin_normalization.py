"""The NumPy twins of normalization: rows, and channels across an array.

Scale is 1 / √(variance + eps). Statistics are taken of differences from the mean, never as the
difference of two large sums; those of float32 in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _wide(x: Array) -> Any:
    return np.result_type(x.dtype, np.float32) if x.dtype.itemsize > 4 else np.float64


def _per_row(weight: Any, rows: int, groups: int, inner: int) -> Any:
    """Give the weight of each element of (rows / groups, groups, channels, inner)."""
    return None if weight is None else weight.reshape(groups, -1, 1)


def row_norm(
    x: Array,
    weight: Any,
    bias: Any,
    groups: int,
    inner: int,
    centered: bool,
    eps: float,
    mean: Any,
    scale: Array,
    out: Array,
) -> None:
    """Out = (x - mean) scale weight + bias for rows (rows, n); fills mean and scale, one a row.

    Element j of row i has weight and bias number ``(i % groups)·(n / inner) + j / inner``. Not
    centered, the mean is 0 and the mean square stands for the variance.
    """
    with np.errstate(all="ignore"):
        wide = x.astype(_wide(x), copy=False)
        if centered:
            middle = wide.mean(1, keepdims=True)
            mean[...] = middle.reshape(mean.shape)
            wide = wide - middle
        square = np.square(wide).mean(1, keepdims=True)
        factor = 1.0 / np.sqrt(square + eps)
        scale[...] = factor.reshape(scale.shape)
        y = (wide * factor).reshape(-1, groups, x.shape[1] // inner, inner)
        if weight is not None:
            y = y * _per_row(weight, len(x), groups, inner)
        if bias is not None:
            y = y + _per_row(bias, len(x), groups, inner)
        out[...] = y.reshape(out.shape)


def row_norm_backward(
    g: Array,
    x: Array,
    weight: Any,
    groups: int,
    inner: int,
    centered: bool,
    mean: Any,
    scale: Array,
    out: Any,
    weight_out: Any,
    bias_out: Any,
) -> None:
    """Give the gradients of row_norm by x, weight and bias, each where it is not None."""
    with np.errstate(all="ignore"):
        factor = scale.reshape(-1, 1).astype(_wide(x))
        normal = (x - mean.reshape(-1, 1) if centered else x) * factor
        incoming = g.reshape(-1, groups, x.shape[1] // inner, inner).astype(_wide(x), copy=False)
        if weight_out is not None:
            products = incoming * normal.reshape(incoming.shape)
            weight_out[...] = products.sum((0, 3)).reshape(weight_out.shape)
        if bias_out is not None:
            bias_out[...] = incoming.sum((0, 3)).reshape(bias_out.shape)
        if out is None:
            return
        if weight is not None:
            incoming = incoming * _per_row(weight, len(x), groups, inner)
        incoming = incoming.reshape(x.shape)
        result = incoming - normal * (incoming * normal).mean(1, keepdims=True)
        if centered:
            result = result - incoming.mean(1, keepdims=True)
        out[...] = (result * factor).reshape(out.shape)


def channel_moments(x: Array, variance: Array, mean: Array) -> None:
    """Fill the mean and the variance (over all elements) of each channel of x (n, channels, m)."""
    with np.errstate(all="ignore"):
        wide = x.astype(_wide(x), copy=False)
        middle = wide.mean((0, 2))
        variance[...] = np.square(wide - middle[:, None]).mean((0, 2))
        mean[...] = middle


def channel_norm(x: Array, weight: Any, bias: Any, mean: Array, scale: Array, out: Array) -> None:
    """Out = (x - mean) scale weight + bias, all by channel; weight and bias may be None."""
    with np.errstate(all="ignore"):
        factor = scale if weight is None else scale * weight
        np.multiply(x - mean[:, None], factor[:, None], out)
        if bias is not None:
            np.add(out, bias[:, None], out)


def channel_norm_backward(
    g: Array,
    x: Array,
    weight: Any,
    mean: Array,
    scale: Array,
    training: bool,
    out: Any,
    weight_out: Array,
    bias_out: Array,
) -> None:
    """Give the gradients of channel_norm by x (where out is not None), weight and bias.

    Training: mean and scale are those of x, and the gradient goes through them too.
    """
    with np.errstate(all="ignore"):
        wide = _wide(x)
        normal = (x - mean[:, None]) * scale[:, None].astype(wide)
        weights = (g * normal).sum((0, 2))
        biases = g.sum((0, 2), dtype=wide)
        weight_out[...] = weights
        bias_out[...] = biases
        if out is None:
            return
        factor = scale if weight is None else scale * weight
        result = g
        if training:
            count = x.shape[0] * x.shape[2]
            result = g - (biases[:, None] + normal * weights[:, None]) / count
        out[...] = result * factor[:, None]


def running_update(
    mean: Array,
    variance: Array,
    correction: float,
    momentum: float | None,
    tracked: Any,
    running_mean: Array,
    running_var: Array,
) -> None:
    """Move running statistics towards those of a batch: by momentum, or by one over the batches.

    The number of batches is read from the array ``tracked`` where momentum is None.
    ``correction`` times the variance is that of n - 1.
    """
    share = momentum if momentum is not None else 1.0 / float(tracked)
    with np.errstate(all="ignore"):
        running_mean[...] = (1.0 - share) * running_mean + share * mean
        running_var[...] = (1.0 - share) * running_var + share * (correction * variance)


def inverse_root(x: Array, eps: float, out: Array) -> None:
    """Out = 1 / √(x + eps), computed in float64."""
    with np.errstate(all="ignore"):
        out[...] = 1.0 / np.sqrt(x.astype(np.float64) + eps)
