"""Connectionist temporal classification: the forward and backward recursions over alignments.

The states of a sequence with labels l are its labels with blanks before, between and behind
them: b l₁ b l₂ b ... b. An alignment starts in one of the first two states, ends in one of the last
two, and in each frame stays, goes on by one, or by two where that skips a blank between different
labels. All sums are of logarithms in float64, whatever the dtype of the log-probabilities, since
what they add up to over hundreds of frames leaves float32's precision.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class _States(NamedTuple):
    """The states of a batch: their labels, which can be skipped to, and which exist."""

    labels: Array  # (N, L)
    skips: Array  # (N, L): whether it can be reached from two before
    exists: Array  # (N, L)
    last: Array  # (N,): the number of the last one
    rows: Array  # (N, 1)
    ends: Array  # (N,): frames


def _states(targets: Array, frames: Array, lengths: Array, blank: int) -> _States:
    count, longest = targets.shape
    labels = np.full((count, 2 * longest + 1), blank, np.int64)
    exists = np.arange(2 * longest + 1) <= 2 * lengths[:, None]
    labels[:, 1::2] = np.where(exists[:, 1::2], targets, blank)
    skips = np.zeros(labels.shape, bool)
    skips[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
    return _States(labels, skips, exists, 2 * lengths, np.arange(count)[:, None], frames)


def _shifted(x: Array, by: int, fill: float) -> Array:
    """Move along the states, filling in at the end that is left."""
    moved = np.full_like(x, fill)
    if by > 0:
        moved[:, by:] = x[:, :-by]
    else:
        moved[:, :by] = x[:, -by:]
    return moved


def _sum_of(terms: list[Array], slopes: list[Array] | None) -> tuple[Array, Array | None]:
    """Give ln Σ eˣ over the terms, and its derivative from theirs."""
    together = np.stack(terms)
    top = together.max(0)
    shift = np.where(np.isfinite(top), top, 0)
    parts = np.exp(together - shift)
    total = parts.sum(0)
    result = np.log(total) + shift
    if slopes is None:
        return result, None
    return result, (parts * np.stack(slopes)).sum(0) / np.where(total > 0, total, 1)


def _emitted(x: Array, states: _States, frame: int) -> Array:
    return x[frame][states.rows, states.labels].astype(np.float64)


def _forward(x: Array, states: _States, slope: Array | None) -> tuple[Array, Array | None]:
    """Give ln of the sum over all ways into each state of each frame, and its derivative."""
    alpha = np.full((x.shape[0], *states.labels.shape), -np.inf)
    dots = None if slope is None else np.zeros(alpha.shape)
    for frame in range(x.shape[0]):
        emitted = _emitted(x, states, frame)
        moved = None if slope is None else _emitted(slope, states, frame)
        if frame == 0:
            alpha[0, :, :2] = np.where(states.exists, emitted, -np.inf)[:, :2]
            if dots is not None and moved is not None:
                dots[0, :, :2] = moved[:, :2]
            continue
        before = alpha[frame - 1]
        terms = [before, _shifted(before, 1, -np.inf)]
        terms.append(np.where(states.skips, _shifted(before, 2, -np.inf), -np.inf))
        slopes = None
        if dots is not None:
            slopes = [
                _shifted(dots[frame - 1], by, 0) if by else dots[frame - 1] for by in range(3)
            ]
        total, dot = _sum_of(terms, slopes)
        alpha[frame] = np.where(states.exists, total + emitted, -np.inf)
        if dots is not None and dot is not None and moved is not None:
            dots[frame] = dot + moved
    return alpha, dots


def _backward(x: Array, states: _States, slope: Array | None) -> tuple[Array, Array | None]:
    """The same over all ways out of each state, without what it emits itself."""
    beta = np.full((x.shape[0], *states.labels.shape), -np.inf)
    dots = None if slope is None else np.zeros(beta.shape)
    places = np.arange(states.labels.shape[1])
    final = (places == states.last[:, None]) | (places == states.last[:, None] - 1)
    for frame in reversed(range(x.shape[0])):
        if frame + 1 < x.shape[0]:
            after = beta[frame + 1] + _emitted(x, states, frame + 1)
            skipped = np.where(states.skips, after, -np.inf)
            terms = [after, _shifted(after, -1, -np.inf), _shifted(skipped, -2, -np.inf)]
            slopes = None
            if dots is not None and slope is not None:
                dot = dots[frame + 1] + _emitted(slope, states, frame + 1)
                slopes = [dot, _shifted(dot, -1, 0), _shifted(dot, -2, 0)]
            beta[frame], moved = _sum_of(terms, slopes)
            if dots is not None:
                dots[frame] = moved
        ending = (states.ends == frame + 1)[:, None]
        beta[frame] = np.where(ending, np.where(final, 0.0, -np.inf), beta[frame])
        if dots is not None:
            dots[frame] = np.where(ending, 0.0, dots[frame])
    return beta, dots


def _likelihood(alpha: Array, dots: Array | None, states: _States) -> tuple[Array, Array | None]:
    """Give ln of the sum over all alignments, from the last frame of each sequence."""
    rows, frame = states.rows[:, 0], states.ends - 1
    before = np.maximum(states.last - 1, 0)
    last, previous = alpha[frame, rows, states.last], alpha[frame, rows, before]
    terms = [last, np.where(states.last > 0, previous, -np.inf)]
    slopes = None
    if dots is not None:
        slopes = [dots[frame, rows, states.last], dots[frame, rows, before]]
    total, dot = _sum_of(terms, slopes)
    # Without frames there is one alignment of no labels, and none of others.
    empty = states.ends == 0
    total = np.where(empty, np.where(states.last == 0, 0.0, -np.inf), total)
    return total, None if dot is None else np.where(empty, 0.0, dot)


def _check_labels(targets: Array, lengths: Array, classes: int) -> None:
    counted = np.arange(targets.shape[1]) < lengths[:, None]
    bad = targets[counted & ((targets < 0) | (targets >= classes))]
    if bad.size:
        raise IndexError(f"ctc_loss: target {bad[0]} is out of range for {classes} classes")


def ctc(
    x: Array,
    targets: Array,
    frames: Array,
    lengths: Array,
    blank: int,
    zero_infinity: bool,
    alpha: Array,
    out: Array,
) -> None:
    """Out = -ln of the probability of each sequence of labels; alpha of its ways, for the gradient.

    Args:
        x: log-probabilities (T, N, C).
        targets: int64 labels (N, S).
        frames: int64, how many frames of each sequence count (N).
        lengths: int64, how many labels (N).
        blank: the label of the blank.
        zero_infinity: whether what has no alignment costs nothing.
        alpha: float64 (T, N, 2·S + 1), written.
        out: (N), written.

    Raises:
        IndexError: a label out of range.
    """
    _check_labels(targets, lengths, x.shape[2])
    states = _states(targets, frames, lengths, blank)
    with np.errstate(all="ignore"):
        alpha[...] = _forward(x, states, None)[0]
        if not len(x):
            out[...] = np.where(lengths == 0, 0.0, np.inf)
        else:
            out[...] = -_likelihood(alpha, None, states)[0]
    if zero_infinity:
        out[np.isinf(out)] = 0


def ctc_backward(
    g: Array,
    x: Array,
    alpha: Array,
    targets: Array,
    frames: Array,
    lengths: Array,
    blank: int,
    zero_infinity: bool,
    scratch: Array,
    out: Array,
) -> None:
    """Out = the gradient of ctc: -g times how probable each label is in each frame, given all.

    scratch: float64 (N, 2, 2·S + 1), for the kernel in C.
    """
    states = _states(targets, frames, lengths, blank)
    _scatter(g, x, alpha, states, zero_infinity, None, out)


def ctc_curvature(
    g: Array,
    direction: Array,
    x: Array,
    targets: Array,
    frames: Array,
    lengths: Array,
    blank: int,
    zero_infinity: bool,
    out: Array,
) -> None:
    """Out = the derivative of ctc_backward along a direction of x: a product with the Hessian."""
    states = _states(targets, frames, lengths, blank)
    _scatter(g, x, None, states, zero_infinity, direction, out)


def _scatter(
    g: Array,
    x: Array,
    alpha: Array | None,
    states: _States,
    zero_infinity: bool,
    direction: Array | None,
    out: Array,
) -> None:
    out[...] = 0
    if not len(x):
        return
    with np.errstate(all="ignore"):
        dots = None
        if alpha is None:
            alpha, dots = _forward(x, states, direction)
        beta, beta_dots = _backward(x, states, direction)
        likelihood, dot = _likelihood(alpha, dots, states)
        shares = np.exp(alpha + beta - likelihood[:, None])
        if dots is not None and beta_dots is not None and dot is not None:
            moved = shares * (dots + beta_dots - dot[:, None])
            shares = np.where(shares == 0, 0.0, moved)
        counted = (np.arange(len(x))[:, None] < states.ends)[:, :, None]
        impossible = np.isneginf(likelihood)[:, None]
        if zero_infinity:
            counted = counted & ~impossible
        else:
            shares = np.where(impossible, np.nan, shares)
        shares = np.where(counted, -shares * np.asarray(g)[:, None], 0.0)
        for frame in range(len(x)):
            np.add.at(out[frame], (states.rows, states.labels), shares[frame].astype(out.dtype))
