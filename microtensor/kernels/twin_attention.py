"""The NumPy twins of the kernels of attention, and what of it has no body in C."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def attention_scores(
    q: Array, k: Array, mask: Array | None, scale: float, causal: bool, out: Array
) -> None:
    """Out = scale q kᵀ + mask; -inf above the diagonal, if causal."""
    with np.errstate(all="ignore"):
        np.matmul(q, k.swapaxes(-1, -2), out=out)
        np.multiply(out, scale, out)
        if mask is not None:
            np.add(out, mask, out)
        if causal:
            np.copyto(out, -np.inf, where=np.triu(np.ones(out.shape[-2:], bool), 1))


def attention_weights(x: Array, out: Array) -> None:
    """Out = softmax of scores along the last dimension; where all are -inf, 0."""
    with np.errstate(all="ignore"):
        largest = x.max(axis=-1, keepdims=True, initial=-np.inf)
        e = np.exp(x - np.where(largest == -np.inf, 0, largest))
        total = e.sum(axis=-1, keepdims=True)
        np.divide(e, np.where(total == 0, 1, total), out)


def additive_mask(mask: Array, out: Array) -> None:
    """Out = 0 where a mask is true, -inf elsewhere."""
    out[...] = np.where(mask, 0, -np.inf)


def attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    scale: float,
    causal: bool,
    log_sum: Array,
    out: Array,
) -> None:
    """Out = softmax(scale q kᵀ + mask) v of every head.

    q is (batch, heads, rows, width), k (.., columns, width), v (.., columns, value_width), mask
    (.., rows, columns). Writes log_sum = log Σ exp of each row's scores, too: +inf for a row of
    which everything is masked, whose output is 0.
    """
    scores = np.empty((*q.shape[:-1], k.shape[-2]), q.dtype)
    attention_scores(q, k, mask, scale, causal, scores)
    with np.errstate(all="ignore"):
        largest = scores.max(axis=-1, keepdims=True, initial=-np.inf)
        e = np.exp(scores - np.where(largest == -np.inf, 0, largest))
        total = e.sum(axis=-1, keepdims=True)
        np.divide(e, np.where(total == 0, 1, total), e)
        log = np.where(total == 0, np.inf, largest + np.log(total))
        log_sum[...] = log.reshape(log_sum.shape)
        np.matmul(e, v, out=out)


def attention_backward(
    g: Array,
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    scale: float,
    causal: bool,
    output: Array,
    log_sum: Array,
    dq: Array,
    dk: Array,
    dv: Array,
) -> None:
    """Write the gradients of attention with respect to q, k and v, from its output and log_sum."""
    scores = np.empty((*q.shape[:-1], k.shape[-2]), q.dtype)
    attention_scores(q, k, mask, scale, causal, scores)
    with np.errstate(all="ignore"):
        p = np.exp(scores - log_sum.reshape(*scores.shape[:-1], 1))
        np.matmul(p.swapaxes(-1, -2), g, out=dv)
        mean = (g * output).sum(axis=-1, keepdims=True)
        d = p * (np.matmul(g, v.swapaxes(-1, -2)) - mean) * scale
        np.matmul(d, k, out=dq)
        np.matmul(d.swapaxes(-1, -2), q, out=dk)
