"""Negative log-likelihoods: of classes, counts and normal variables; and a divergence."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.arithmetic import add, div, mul, square, sub
from microtensor.ops.arrays import Array, computed, constant, empty
from microtensor.ops.choosing import where
from microtensor.ops.comparison import gt, lt
from microtensor.ops.declare import declare, publish
from microtensor.ops.loss_arguments import (
    INT64,
    LABELS,
    as_rows,
    check_labels,
    check_tensors,
    check_weight,
    chosen_reduction,
    reduced,
    reduction_code,
)
from microtensor.ops.powers import exp, log, xlogy
from microtensor.ops.reductions import sum
from microtensor.tensor import Tensor, wrap

# ---- class labels -------------------------------------------------------------------------------


def _pick_forward(x: Array, labels: Array, weights: Array, total: Array, reduction: int) -> Array:
    out = empty(() if reduction else labels.shape, x.dtype)
    kernels.pick_labels(x, labels, weights, total, reduction, out)
    return out


def _spread_forward(
    g: Array, labels: Array, weights: Array, total: Array, classes: int, reduction: int
) -> Array:
    out = empty((len(labels), classes), weights.dtype)
    kernels.spread_labels(g, labels, weights, total, reduction, out)
    return out


_LABELLED = (  # samples: labels, of which one does not count, weights and their sum
    np.array([2, -1, 0, 1]),
    np.array([0.5, 0.0, 2.0, 1.5]),
    np.array([4.0]),
)

_pick: Any = declare(
    "pick_labels",
    "input: Tensor, labels: Tensor, weights: Tensor, total: Tensor, reduction: int",
    _pick_forward,
    rules={
        "input": lambda g, labels, weights, total, input_shape, reduction: _spread(
            g, labels, weights, total, input_shape[1], reduction
        )
    },
    summary="Give minus the weighted element of each row that its label names.",
    namespaces=(),
    samples=lambda rng: [
        ((rng.normal(size=(4, 3)), *_LABELLED), {"reduction": reduction}) for reduction in (0, 1, 2)
    ],
)

_spread: Any = declare(
    "spread_labels",
    "grad: Tensor, labels: Tensor, weights: Tensor, total: Tensor, classes: int, reduction: int",
    _spread_forward,
    rules={
        "grad": lambda g, labels, weights, total, reduction: _pick(
            g, labels, weights, total, reduction
        )
    },
    summary="Give the gradient of pick_labels.",
    namespaces=(),
    samples=lambda rng: [
        ((g, *_LABELLED), {"classes": 3, "reduction": reduction})
        for reduction, g in enumerate((rng.normal(size=4), np.array(0.7), np.array(-1.2)))
    ],
)


def _label_weights(
    target: Array, weight: Array | None, classes: int, ignore_index: int, dtype: Any
) -> tuple[Array, Array, Array]:
    count = len(target)
    labels, weights, total = empty((count,), INT64), empty((count,), dtype), empty((1,), dtype)
    kernels.label_weights(target, weight, classes, ignore_index, labels, weights, total)
    return labels, weights, total


@publish(LABELS, namespaces=("nn.functional",))
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

    ``loss[i] = -weight[t[i]]·input[i][t[i]]``; "mean" divides by the sum of the weights of the rows
    counted, and is NaN if there is none.

    Args:
        input: log-probabilities of shape (C,), (N, C) or (N, C, d1, ...).
        target: int64 or uint8 labels of shape (), (N,) or (N, d1, ...).
        weight: a weight per class, of shape (C,).
        ignore_index: a label whose rows do not count.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum".

    Raises:
        IndexError: a label out of range.
        RuntimeError: labels that are no integers.
        ValueError: another reduction, shapes that do not fit.
    """
    check_tensors("nll_loss", input=input, target=target)
    reduction = chosen_reduction("nll_loss", size_average, reduce, reduction)
    code = reduction_code(reduction)
    check_labels("nll_loss", input, target)
    target = target.long()
    rows = as_rows(input)
    classes = rows._array.shape[1]
    dtype = rows._array.dtype
    check_weight("nll_loss", weight, classes, dtype)
    labels, weights, total = computed(
        _label_weights,
        target._array.reshape(-1),
        None if weight is None else weight._array,
        classes,
        int(ignore_index),
        dtype,
    )
    losses = _pick.op.public(rows, wrap(labels), wrap(weights), wrap(total), code)
    shape = () if input._array.ndim == 1 else target._array.shape
    return losses if code else losses.reshape(shape)


# ---- divergence ---------------------------------------------------------------------------------


@publish(
    "input: Tensor, target: Tensor, size_average: bool | None = None, "
    "reduce: bool | None = None, reduction: str = 'mean', log_target: bool = False",
    namespaces=("nn.functional",),
)
def kl_div(
    input: Any,
    target: Any,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Kullback-Leibler divergence of log-probabilities from a target: t·(ln t - input).

    Args:
        input: log-probabilities.
        target: probabilities, whose shape broadcasts with the input's; a zero costs nothing.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" (over the elements), "sum" or "batchmean": the sum divided by the
            length of the first dimension, which is the divergence as mathematics has it.
        log_target: whether the target is of log-probabilities too.

    Raises:
        ValueError: another reduction.

    Example:
        >>> import microtensor as mt, microtensor.nn.functional as F
        >>> half = mt.tensor([[0.5, 0.5]])
        >>> F.kl_div(half.log(), mt.tensor([[0.0, 1.0]]), reduction="batchmean")
        tensor(0.6931)
    """
    check_tensors("kl_div", input=input, target=target)
    reduction = chosen_reduction("kl_div", size_average, reduce, reduction)
    if log_target:
        losses = mul(exp(target), sub(target, input))
    else:
        losses = sub(xlogy(target, target), mul(target, input))
    if reduction == "batchmean":
        if not losses._array.ndim:
            raise RuntimeError("kl_div: 'batchmean' needs an input with a first dimension")
        return div(sum(losses), float(losses._array.shape[0]))
    if reduction == "mean" and losses._array.ndim > 1:
        warnings.warn(
            "kl_div: reduction 'mean' divides by the number of elements and so is not the "
            "divergence itself; 'batchmean' is",
            stacklevel=3,
        )
    return reduced(losses, reduction)


# ---- counts and normal variables ----------------------------------------------------------------


@publish(
    "input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, "
    "size_average: bool | None = None, eps: float = 1e-08, reduce: bool | None = None, "
    "reduction: str = 'mean'",
    namespaces=("nn.functional",),
)
def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    size_average: Any = None,
    eps: float = 1e-8,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of counts under Poisson distributions.

        e^input - target·input, or input - target·ln(input + eps) without ``log_input``

    Args:
        input: logarithms of the rates, or the rates.
        target: counts, of a shape that broadcasts with the input's.
        log_input: whether the input is of logarithms.
        full: add Stirling's approximation of ln target! where the target is above 1.
        size_average: what PyTorch had before ``reduction``; deprecated.
        eps: keeps the logarithm of a rate of zero finite.
        reduce: likewise.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: another reduction.
    """
    check_tensors("poisson_nll_loss", input=input, target=target)
    reduction = chosen_reduction("poisson_nll_loss", size_average, reduce, reduction)
    if log_input:
        losses = sub(exp(input), mul(target, input))
    else:
        losses = sub(input, mul(target, log(add(input, eps))))
    if full:
        many = gt(target, 1.0)
        t = where(many, target, 1.0)
        stirling = add(sub(mul(t, log(t)), t), mul(log(mul(t, 2 * math.pi)), 0.5))
        losses = add(losses, where(many, stirling, 0.0))
    return reduced(losses, reduction)


def _refuse_negative(var: Array) -> None:
    if (var < 0).any():
        raise ValueError(
            f"gaussian_nll_loss: var has negative entry/entries, the least is {var.min()}"
        )


def _variance(input: Tensor, var: Any) -> Any:
    """Give variances in a shape that goes with the input's; ValueError if there is none."""
    shape = input._array.shape
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError(f"gaussian_nll_loss: var has negative entry/entries: {var}")
        return wrap(constant(var, shape, input._array.dtype))
    given = var._array.shape
    computed(_refuse_negative, var._array)
    if given == shape or (len(given) == len(shape) and given[:-1] == shape[:-1] and given[-1] == 1):
        return var
    if given == shape[:-1]:
        return var.unsqueeze(-1)
    raise ValueError(
        f"gaussian_nll_loss: var of shape {list(given)} is of incorrect size for input of shape "
        f"{list(shape)}: it must have that shape, or 1 for its last dimension, or none there"
    )


@publish(
    "input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-06, "
    "reduction: str = 'mean'",
    namespaces=("nn.functional",),
)
def gaussian_nll_loss(
    input: Any,
    target: Any,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of numbers under normal distributions.

        (ln v + (input - target)²/v)/2, v = max(var, eps)

    The bound eps is not seen by the gradient, which is taken at v as if it were var.

    Args:
        input: means.
        target: of the same shape, or one that broadcasts with it.
        var: variances: of the input's shape, or with its last dimension 1 or left out; or a number.
        full: add the constant ln(2π)/2.
        eps: the least variance.
        reduction: "none", "mean" or "sum".

    Raises:
        ValueError: another reduction, a negative variance, or a shape that does not fit.

    References:
        Nix & Weigend 1994, Estimating the mean and variance of the target probability distribution.
    """
    check_tensors("gaussian_nll_loss", input=input, target=target)
    reduction_code(reduction)
    var = _variance(input, var)
    with_bound = where(lt(var, eps), add(sub(eps, var.detach()), var), var)
    losses = mul(add(log(with_bound), div(square(sub(input, target)), with_bound)), 0.5)
    if full:
        losses = add(losses, 0.5 * math.log(2 * math.pi))
    return reduced(losses, reduction)
