"""Connectionist temporal classification: labels of a sequence whose alignment is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.arithmetic import div, mul
from microtensor.ops.arrays import Array, computed, contiguous, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.loss_arguments import (
    INT64,
    check_floating,
    check_tensors,
    ones_like_gradient,
    reduced,
    reduction_code,
)
from microtensor.ops.reductions import sum
from microtensor.tensor import Tensor, wrap

_FLOAT64 = np.dtype(np.float64)


def _forward(
    x: Array, targets: Array, frames: Array, lengths: Array, blank: int, zero_infinity: bool
) -> tuple[Array, Array]:
    steps, count, _ = x.shape
    alpha = empty((steps, count, 2 * targets.shape[1] + 1), _FLOAT64)
    out = empty((count,), x.dtype)
    kernels.ctc(x, targets, frames, lengths, blank, zero_infinity, alpha, out)
    return out, alpha


def _backward_forward(g: Array, x: Array, alpha: Array, *rest: Any) -> Array:
    out = empty(x.shape, x.dtype)
    scratch = empty((x.shape[1], 2, alpha.shape[2]), _FLOAT64)
    kernels.ctc_backward(contiguous(g), x, alpha, *rest, scratch, out)
    return out


def _curvature_forward(g: Array, direction: Array, x: Array, *rest: Any) -> Array:
    out = empty(x.shape, x.dtype)
    kernels.ctc_curvature(g, direction, x, *rest, out)
    return out


_ALIGNED = "targets: Tensor, frames: Tensor, lengths: Tensor, blank: int, zero_infinity: bool"


def _refused(g: Any) -> Any:
    raise RuntimeError("ctc_loss: there is no third derivative of it")


_curvature: Any = declare(
    "ctc_curvature",
    f"grad: Tensor, direction: Tensor, x: Tensor, {_ALIGNED}",
    _curvature_forward,
    rules={"grad": _refused, "direction": _refused, "x": _refused},
    summary="Give the product of the Hessian of ctc with a direction.",
    namespaces=(),
)


def _grad_rule(
    g: Any,
    grad: Any,
    x: Any,
    alpha: Any,
    targets: Any,
    frames: Any,
    lengths: Any,
    blank: int,
    zero_infinity: bool,
) -> Any:
    # Linear in the incoming gradient: the rest is the op itself at a gradient of one.
    ones = ones_like_gradient(grad)
    unit = _backward(ones, x, alpha, targets, frames, lengths, blank, zero_infinity)
    return sum(mul(g, unit), (0, 2))


_backward: Any = declare(
    "ctc_backward",
    f"grad: Tensor, x: Tensor, alpha: Tensor, {_ALIGNED}",
    _backward_forward,
    # alpha is a function of x that is passed along: the rule for x accounts for all of it.
    rules={
        "grad": _grad_rule,
        "x": lambda g, grad, x, targets, frames, lengths, blank, zero_infinity: _curvature(
            grad, g, x, targets, frames, lengths, blank, zero_infinity
        ),
    },
    summary="Give the gradient of ctc with respect to the log-probabilities.",
    namespaces=(),
)


_ctc: Any = declare(
    "ctc",
    f"log_probs: Tensor, {_ALIGNED}",
    _forward,
    rules={
        "log_probs": lambda g, x, alpha, targets, frames, lengths, blank, zero_infinity: _backward(
            g, x, alpha, targets, frames, lengths, blank, zero_infinity
        )
    },
    extras=("alpha",),
    summary="Minus the log-probability of each sequence of labels, over all alignments.",
    formula="-ln Σ over alignments of Π over frames of p[label]",
    namespaces=(),
    samples=lambda rng: [
        (
            (
                rng.normal(size=(5, 3, 4)),
                np.array([[1, 2], [3, 3], [2, 0]]),
                np.array([5, 4, 3]),
                np.array([2, 2, 1]),
            ),
            {"blank": 0, "zero_infinity": False},
        )
    ],
    reference="Graves, Fernández, Gomez & Schmidhuber 2006, Connectionist temporal classification",
)


def _lengths(name: str, value: Any, count: int) -> Any:
    """Give lengths as an array, or a tuple of Python's integers."""
    if isinstance(value, Tensor):
        if value._array.dtype.kind not in "iu":
            raise RuntimeError(f"ctc_loss: {name} must be integral, got {value.dtype}")
        given: Any = value._array.reshape(-1)
    elif isinstance(value, Sequence | np.ndarray):
        given = tuple(int(length) for length in value)
    elif isinstance(value, int):
        given = (value,)
    else:
        refuse("ctc_loss", name, value, "Tensor or a tuple of ints")
    if len(given) != count:
        raise RuntimeError(
            f"ctc_loss: {name} must be of size batch_size ({count}), got {len(given)}"
        )
    return given


def _checked(name: str, given: Any) -> Array:
    array = np.array(given, INT64)
    if (array < 0).any():
        raise RuntimeError(f"ctc_loss: {name} must not be negative, got {array.min()}")
    return array


def _prepared(
    labels: Array, frames: Any, lengths: Any, steps: int, width: int, dtype: Any
) -> tuple[Array, Array, Array, Array]:
    """Give labels as a matrix, a row for each sequence, lengths as arrays, and what to divide by.

    What is beyond a sequence's length is not read.
    """
    frames = _checked("input_lengths", frames)
    lengths = _checked("target_lengths", lengths)
    if (frames > steps).any():
        raise RuntimeError(
            f"ctc_loss: Expected input_lengths to have value at most {steps}, but got value "
            f"{frames.max()}"
        )
    if labels.ndim == 2 and labels.shape[0] == len(lengths):
        longest = int(lengths.max(initial=0))
        if longest > labels.shape[1]:
            raise RuntimeError(
                f"ctc_loss: Expected targets to have size at least {longest} at dimension 1, but "
                f"got size {labels.shape[1]}: shape {list(labels.shape)}"
            )
        padded = np.array(labels, INT64, order="C")
    else:
        if labels.ndim != 1 or labels.size != lengths.sum():
            raise RuntimeError(
                f"ctc_loss: targets must be of shape ({len(lengths)}, S) or one behind the other, "
                f"({lengths.sum()},) as target_lengths add up to; got {list(labels.shape)}"
            )
        padded = np.zeros((len(lengths), width), INT64)
        padded[np.arange(width) < lengths[:, None]] = labels
    return padded, frames, lengths, np.maximum(lengths, 1).astype(dtype)


def _plain(lengths: Any) -> Any:
    """Give lengths as Python's integers."""
    if isinstance(lengths, Tensor):
        lengths = lengths.reshape(-1).tolist()
    return lengths if isinstance(lengths, Sequence | np.ndarray) else (lengths,)


@publish(
    "log_probs: Tensor, targets: Tensor, input_lengths: Tensor | Sequence[int], "
    "target_lengths: Tensor | Sequence[int], blank: int = 0, reduction: str = 'mean', "
    "zero_infinity: bool = False",
    namespaces=("mt", "nn.functional"),
)
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Minus the log-probability of sequences of labels, summed over all their alignments.

    An alignment gives each frame a label or the blank; repetitions become one and blanks nothing.
    The gradient is that by the log-probabilities as they are given; PyTorch's is the one by the
    scores that a log_softmax made them of, which is the same once it has passed the log_softmax.

    Args:
        log_probs: log-probabilities of shape (T, N, C), or (T, C) of a single sequence.
        targets: integral labels of shape (N, S), or one sequence behind the other.
        input_lengths: how many frames of each sequence count, at most T.
        target_lengths: how many labels each sequence has.
        blank: the label of the blank.
        reduction: "none", "sum", or "mean": of the losses divided by the lengths of the targets.
        zero_infinity: whether what has no alignment, as it has too few frames, costs nothing
            instead of infinitely much.

    Returns:
        A 0-d tensor, or for "none" one of shape (N,), or () of a single sequence.

    Raises:
        IndexError: a label out of range.
        RuntimeError: lengths, shapes or dtypes that do not fit, or a blank that is no class.
        ValueError: another reduction.

    Example:
        >>> import microtensor as mt, microtensor.nn.functional as F
        >>> even = mt.full((2, 1, 2), 0.5).log()
        >>> F.ctc_loss(even, mt.tensor([[1]]), (2,), (1,)).exp()  # three alignments of four
        tensor(1.3333)

    References:
        Graves, Fernández, Gomez & Schmidhuber 2006, Connectionist temporal classification:
        labelling unsegmented sequence data with recurrent neural networks.
    """
    check_tensors("ctc_loss", log_probs=log_probs, targets=targets)
    check_floating("ctc_loss", log_probs=log_probs)
    code = reduction_code(reduction)
    single = log_probs._array.ndim == 2
    if log_probs._array.ndim not in (2, 3):
        raise RuntimeError(
            "ctc_loss: log_probs must be of shape (T, N, C) or (T, C), got "
            f"{list(log_probs._array.shape)}"
        )
    x = log_probs.unsqueeze(1) if single else log_probs
    steps, count, classes = x._array.shape
    if not 0 <= blank < classes:
        raise RuntimeError(f"ctc_loss: blank must be in label range [0, {classes}), got {blank}")
    frames = _lengths("input_lengths", input_lengths, count)
    lengths = _lengths("target_lengths", target_lengths, count)
    if targets._array.dtype.kind not in "iu":
        raise RuntimeError(f"ctc_loss: targets must be integral, got {targets.dtype}")
    width = 0
    if targets._array.ndim == 1:  # how wide a matrix they need is a question of values
        width = max(_plain(target_lengths), default=0)
    labels, frames, lengths, divisors = computed(
        _prepared, targets._array, frames, lengths, steps, width, x._array.dtype
    )
    losses = _ctc.op.public(
        x, wrap(labels), wrap(frames), wrap(lengths), int(blank), bool(zero_infinity)
    )
    if code == 1:
        losses = div(losses, wrap(divisors))
        return reduced(losses, reduction)
    return reduced(losses.reshape(()) if single else losses, reduction)
