"""Losses of two classes: what is between a probability, or a logit, and a yes or no."""

from __future__ import annotations

from typing import Any

from microtensor import kernels
from microtensor.ops.activations_bends import logsigmoid, softplus
from microtensor.ops.arithmetic import add, div, mul, neg, sub
from microtensor.ops.arrays import Array, empty
from microtensor.ops.bounds import clamp
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.loss_arguments import (
    check_floating,
    check_shapes,
    check_tensors,
    chosen_reduction,
    reduced,
)
from microtensor.ops.powers import log, log1p
from microtensor.ops.reductions import sum
from microtensor.tensor import Tensor


@publish(
    "input: Tensor, target: Tensor, weight: Tensor | None = None, "
    "size_average: bool | None = None, reduce: bool | None = None, "
    "reduction: str = 'mean', pos_weight: Tensor | None = None",
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
        size_average: what PyTorch had before ``reduction``; deprecated.
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
    reduction = chosen_reduction(name, size_average, reduce, reduction)
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
    return reduced(losses, reduction)


# ---- probabilities ------------------------------------------------------------------------------


def _binary_cross_entropy_forward(p: Array, t: Array) -> Array:
    out = empty(p.shape, p.dtype)
    kernels.binary_cross_entropy(p, t, out)
    return out


def _binary_slope(p: Any, t: Any) -> Any:
    """(p - t)/(p·(1 - p)), the denominator kept away from zero as PyTorch does."""
    return div(sub(p, t), clamp(mul(p, sub(1.0, p)), min=1e-12))


# The logarithms are bounded below by -100, which the gradient does not see: a wrong answer given
# with certainty costs 100 and still has a way back.
_binary_cross_entropy: Any = declare(
    "binary_cross_entropy",
    "input: Tensor, target: Tensor",
    _binary_cross_entropy_forward,
    rules={
        "input": lambda g, input, target: mul(g, _binary_slope(input, target)),
        "target": lambda g, input: mul(
            g, sub(clamp(log1p(neg(input)), min=-100.0), clamp(log(input), min=-100.0))
        ),
    },
    summary="Cross-entropy between probabilities, element by element.",
    formula="-(t·max(ln p, -100) + (1 - t)·max(ln(1 - p), -100))",
    derivative="(p - t)/max(p·(1 - p), 1e-12)",
    namespaces=(),
    samples=lambda rng: [
        ((rng.uniform(0.1, 0.9, shape), rng.uniform(0.1, 0.9, shape)), {})
        for shape in ((3, 4), (5,), (), (2, 0))
    ],
)


@publish(
    "input: Tensor, target: Tensor, weight: Tensor | None = None, "
    "size_average: bool | None = None, reduce: bool | None = None, reduction: str = 'mean'",
    namespaces=("nn.functional",),
)
def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy between probabilities: -(t·ln p + (1 - t)·ln(1 - p)), times ``weight``.

    A logarithm counts as -100 at least, so that a certain wrong answer costs 100, not infinity.
    From logits, :func:`binary_cross_entropy_with_logits` is exact.

    Args:
        input: probabilities p, in [0, 1].
        target: probabilities t, of the same shape and dtype.
        weight: a weight per element, broadcast to them, or None.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: tensors that are not floating point, or an input outside [0, 1].
        ValueError: another reduction, or shapes that differ.

    Example:
        >>> import microtensor as mt, microtensor.nn.functional as F
        >>> F.binary_cross_entropy(mt.tensor([0.5, 0.5]), mt.tensor([0.0, 1.0]))
        tensor(0.6931)
    """
    name = "binary_cross_entropy"
    check_tensors(name, input=input, target=target)
    reduction = chosen_reduction(name, size_average, reduce, reduction)
    check_shapes(name, input, target)
    check_floating(name, input=input, target=target)
    if input._array.dtype != target._array.dtype:
        raise RuntimeError(
            f"{name}: input is {input._array.dtype.name} and target {target._array.dtype.name}; "
            "convert one of them"
        )
    losses = _binary_cross_entropy.op.public(input, target)
    if weight is not None:
        losses = mul(losses, weight)
    return reduced(losses, reduction)


# ---- signs and several yes or no ----------------------------------------------------------------


@publish(
    "input: Tensor, target: Tensor, size_average: bool | None = None, "
    "reduce: bool | None = None, reduction: str = 'mean'",
    namespaces=("nn.functional",),
)
def soft_margin_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """Logistic loss of signs: ln(1 + e^(-target·input)).

    Args:
        input: logits.
        target: 1 or -1 each, of the same shape, or one that broadcasts to it.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: another reduction.
        RuntimeError: a target that does not broadcast to the input's shape.
    """
    name = "soft_margin_loss"
    check_tensors(name, input=input, target=target)
    reduction = chosen_reduction(name, size_average, reduce, reduction)
    target = target.expand_as(input)
    return reduced(softplus(neg(mul(target, input)), 1.0, float("inf")), reduction)


@publish(
    "input: Tensor, target: Tensor, weight: Tensor | None = None, "
    "size_average: bool | None = None, reduce: bool | None = None, reduction: str = 'mean'",
    namespaces=("nn.functional",),
)
def multilabel_soft_margin_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy of several yes or no questions, averaged over the classes.

        -(t·ln σ(x) + (1 - t)·ln σ(-x)), times ``weight``

    Args:
        input: logits of shape (.., C).
        target: 0 or 1 each, of the same shape.
        weight: a weight per class, or None.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum", over what is left without the classes.

    Raises:
        ValueError: another reduction.
        RuntimeError: shapes that do not broadcast.
    """
    name = "multilabel_soft_margin_loss"
    check_tensors(name, input=input, target=target)
    reduction = chosen_reduction(name, size_average, reduce, reduction)
    yes, no = mul(target, logsigmoid(input)), mul(sub(1.0, target), logsigmoid(neg(input)))
    losses = neg(add(yes, no))
    if weight is not None:
        losses = mul(losses, weight)
    dim = input._array.ndim - 1
    return reduced(div(sum(losses, dim), float(input._array.shape[dim])), reduction)
