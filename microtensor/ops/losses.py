"""Losses and dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.activations_bends import softplus
from microtensor.ops.activations_rows import log_softmax, softmax, softmax_backward
from microtensor.ops.arithmetic import mul
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.reductions import sum
from microtensor.ops.shape import reshape
from microtensor.random import Generator, state_of
from microtensor.tensor import Tensor, wrap

_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def reduction_code(reduction: str) -> int:
    """Give the kernel's number of a reduction; ValueError lists the legal ones."""
    code = _REDUCTIONS.get(reduction)
    if code is None:
        raise ValueError(
            f"{reduction!r} is not a valid value for reduction; legal: 'none', 'mean', 'sum'"
        )
    return code


# ---- cross-entropy of logits with class labels: one kernel forward, one backward ----------------


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
        np.ascontiguousarray(g),
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


def _ones_like_gradient(g: Any) -> Any:
    shape = g.shape
    dtype = g._array.dtype if isinstance(g, Tensor) else g.dtype
    ones = np.ones(shape, dtype)
    return wrap(ones) if isinstance(g, Tensor) else ones


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
        _ones_like_gradient(grad),
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
_INT64 = np.dtype(np.int64)

_LOSS = (
    "input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: None = None, "
    "ignore_index: int = -100, reduce: None = None, reduction: str = 'mean'"
)


def _refuse_legacy(op: str, size_average: Any, reduce: Any) -> None:
    if size_average is not None or reduce is not None:
        raise ValueError(
            f"{op}: size_average and reduce are gone; use reduction='none', 'mean', 'sum'"
        )


@publish(f"{_LOSS}, label_smoothing: float = 0.0", namespaces=("nn.functional",))
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
        size_average: what PyTorch had before ``reduction``; must stay None.
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
        and labels.dtype is _INT64
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
    _refuse_legacy("cross_entropy", size_average, reduce)
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
    _check_weight("cross_entropy", weight, classes, x.dtype)
    if labels.dtype.kind == "f":
        if labels.shape != x.shape:
            raise RuntimeError(
                f"cross_entropy: float targets are taken for class probabilities and must have the "
                f"input's shape {list(x.shape)}, got {list(labels.shape)}. Class labels must be "
                "integers: convert them with .long()"
            )
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    _check_labels("cross_entropy", input, target)
    rows, flat = _as_rows(input), target.reshape(-1)
    result = _cross_entropy_public(rows, flat, weight, int(ignore_index), label_smoothing, code)
    return result if code else result.reshape(labels.shape)


def _check_labels(op: str, input: Tensor, target: Tensor) -> None:
    x, labels = input._array, target._array
    if labels.dtype is not _INT64 and labels.dtype != _INT64:
        raise RuntimeError(
            f"{op}: expected class labels of dtype int64, but target is {labels.dtype.name}; "
            "convert with .long()"
        )
    wanted = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
    if labels.shape != wanted:
        raise ValueError(
            f"{op}: target of shape {list(labels.shape)} does not fit input of shape "
            f"{list(x.shape)}: expected {list(wanted)}"
        )


def _check_weight(op: str, weight: Any, classes: int, dtype: Any) -> None:
    if weight is None:
        return
    if not isinstance(weight, Tensor):
        refuse(op, "weight", weight)
    if weight._array.shape != (classes,):
        raise RuntimeError(
            f"{op}: weight tensor should be defined either for all {classes} classes or no "
            f"classes but got weight tensor of shape: {list(weight._array.shape)}"
        )
    if weight._array.dtype != dtype:
        raise RuntimeError(
            f"{op}: expected weight of dtype {dtype.name} like the input, got "
            f"{weight._array.dtype.name}; convert it with "
            f".{'double' if dtype.name == 'float64' else 'float'}()"
        )


def _as_rows(input: Tensor) -> Tensor:
    """Give logits of any shape as a matrix (rows, classes)."""
    ndim = input._array.ndim
    if ndim == 1:
        return input.unsqueeze(0)
    if ndim == 2:
        return input
    return input.movedim(1, -1).reshape(-1, input._array.shape[1])


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


@publish(_LOSS, namespaces=("nn.functional",))
def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of class labels under log-probabilities.

    Args:
        input: log-probabilities of shape (C,), (N, C) or (N, C, d1, ...).
        target: int64 labels of shape (), (N,) or (N, d1, ...).
        weight: a weight per class, of shape (C,).
        ignore_index: a label whose rows do not count.
        size_average: what PyTorch had before ``reduction``; must stay None.
        reduce: likewise.
        reduction: "none", "mean" or "sum".

    Raises:
        IndexError: a label out of range.
        RuntimeError: labels that are no integers.
        ValueError: another reduction, shapes that do not fit.
    """
    if not isinstance(input, Tensor):
        refuse("nll_loss", "input", input)
    if not isinstance(target, Tensor):
        refuse("nll_loss", "target", target)
    _refuse_legacy("nll_loss", size_average, reduce)
    code = reduction_code(reduction)
    if input._array.ndim == 0:
        raise RuntimeError("nll_loss: input must have at least one dimension, the classes")
    _check_labels("nll_loss", input, target)
    rows = _as_rows(input)
    classes = rows._array.shape[1]
    _check_weight("nll_loss", weight, classes, rows._array.dtype)
    labels = target._array.reshape(-1)
    counted = labels != ignore_index
    bad = np.flatnonzero(counted & ((labels < 0) | (labels >= classes)))
    if bad.size:
        raise IndexError(
            f"nll_loss: target {labels[bad[0]]} at row {bad[0]} is out of range for {classes} "
            "classes"
        )
    safe = np.where(counted, labels, 0)
    picked = rows[wrap(np.arange(len(labels))), wrap(safe)]
    weights = counted.astype(rows._array.dtype)
    if weight is not None:
        weights = weights * weight._array[safe]
    losses = -(picked * wrap(weights))
    # A row that does not count gives zero, also where its log-probability is infinite.
    if not counted.all():
        losses = losses.masked_fill(wrap(~counted), 0.0)
    if code == 0:
        return losses.reshape(target._array.shape)
    total = losses.sum()
    return total / wrap(np.asarray(weights.sum(), rows._array.dtype)) if code == 1 else total


def _reduced(losses: Any, reduction: str) -> Any:
    code = reduction_code(reduction)
    return losses if code == 0 else losses.mean() if code == 1 else losses.sum()


@publish(
    "input: Tensor, target: Tensor, size_average: None = None, reduce: None = None, "
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
        size_average: what PyTorch had before ``reduction``; must stay None.
        reduce: likewise.
        reduction: "none", "mean" or "sum".
        weight: a weight per element, or None.

    Raises:
        ValueError: another reduction; shapes that differ (PyTorch only warns and broadcasts, which
            has silently spoiled many a training run).
    """
    for name, value in (("input", input), ("target", target)):
        if not isinstance(value, Tensor):
            refuse("mse_loss", name, value)
    _refuse_legacy("mse_loss", size_average, reduce)
    if input._array.shape != target._array.shape:
        raise ValueError(
            f"mse_loss: target of shape {list(target._array.shape)} differs from input of shape "
            f"{list(input._array.shape)}; reshape one of them"
        )
    losses = (input - target).square()
    if weight is not None:
        losses = losses * weight
        if reduction == "mean":
            return losses.sum() / weight.expand(losses._array.shape).sum()
    return _reduced(losses, reduction)


@publish(
    "input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: None = None, "
    "reduce: None = None, reduction: str = 'mean', pos_weight: Tensor | None = None",
    namespaces=("nn.functional",),
)
def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:
    """Cross-entropy between probabilities and the sigmoid of logits, without overflow.

    ``(1 - t)·x + (1 + (pos_weight - 1)·t)·softplus(-x)``, times ``weight``.

    Args:
        input: logits.
        target: probabilities of the same shape and dtype.
        weight: a weight per element, or None.
        size_average: what PyTorch had before ``reduction``; must stay None.
        reduce: likewise.
        reduction: "none", "mean" or "sum".
        pos_weight: a weight of the positive class, or None.

    Raises:
        RuntimeError: a target that is not floating point.
        ValueError: another reduction, or shapes that differ.
    """
    name = "binary_cross_entropy_with_logits"
    for argument, value in (("input", input), ("target", target)):
        if not isinstance(value, Tensor):
            refuse(name, argument, value)
    _refuse_legacy(name, size_average, reduce)
    if target._array.shape != input._array.shape:
        raise ValueError(
            f"{name}: target size ({list(target._array.shape)}) must be the same as input size "
            f"({list(input._array.shape)})"
        )
    if target._array.dtype.kind != "f":
        raise RuntimeError(
            f"{name}: target must be floating point (probabilities), not "
            f"{target._array.dtype.name}; convert with .float()"
        )
    # Without the threshold that makes softplus linear, and inexact, beyond 20.
    tail = softplus(-input, 1.0, float("inf"))
    if pos_weight is not None:
        tail = tail * ((pos_weight - 1) * target + 1)
    losses = (1 - target) * input + tail
    if weight is not None:
        losses = losses * weight
    return _reduced(losses, reduction)


# ---- dropout ------------------------------------------------------------------------------------


def _dropout_forward(x: Array, p: float, state: Array) -> tuple[Array, Array]:
    if x.dtype.kind != "f":
        raise RuntimeError(
            f"dropout: not defined for {x.dtype.name} tensors; convert with .float()"
        )
    if x.dtype == np.float16:  # there is no half-precision generator
        wide_out, wide_mask = _dropout_forward(x.astype(np.float32), p, state)
        return wide_out.astype(x.dtype), wide_mask.astype(x.dtype)
    mask = empty(x.shape, x.dtype)
    out = empty(x.shape, x.dtype)
    kernels.dropout(x, p, state, mask, out)
    return out, mask


_dropout: Any = declare(
    "dropout",
    "input: Tensor, p: float, state: Any",
    _dropout_forward,
    rules={"input": lambda g, mask: mul(g, mask)},
    extras=("mask",),
    summary="Set elements to zero with probability p, and scale the others by 1/(1-p).",
    namespaces=(),
)
_dropout_public = _dropout.op.public


@publish(
    "input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, "
    "generator: Generator | None = None",
    namespaces=("nn.functional",),
)
def dropout(
    input: Any,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Set elements to zero with probability p in training, and scale the others by 1/(1-p).

    Args:
        input: a floating-point tensor.
        p: the probability, in [0, 1].
        training: False gives the input back.
        inplace: write into the input.
        generator: draws from this one instead of the default one.

    Raises:
        ValueError: p outside [0, 1].

    References:
        Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not isinstance(input, Tensor):
        refuse("dropout", "input", input)
    if not training or p == 0.0:
        return input
    if inplace:
        from microtensor.ops.inplace import store

        return store("dropout_", input, lambda x: dropout(x, p, True, False, generator))
    return _dropout_public(input, float(p), state_of(generator))
