"""The kernels in C over matrices: products, column sums and cross-entropy."""

from __future__ import annotations

from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import lib, otherwise
from microtensor.kernels.twin_rows import label_error

_matmul, _linear, _column_sum = lib.mt_array_matmul, lib.mt_array_linear, lib.mt_array_column_sum
_cross_entropy = lib.mt_array_cross_entropy
_cross_entropy_backward = lib.mt_array_cross_entropy_backward


def matmul(a: Any, b: Any, out: Any) -> None:
    if _matmul(id(a), id(b), id(out)):
        otherwise(matmul, twin.matmul, a, b, out)


def linear(x: Any, weight: Any, bias: Any, out: Any) -> None:
    if _linear(id(x), id(weight), 0 if bias is None else id(bias), id(out)):
        otherwise(linear, twin.linear, x, weight, bias, out)


def column_sum(x: Any, out: Any) -> None:
    if _column_sum(id(x), id(out)):
        otherwise(column_sum, twin.column_sum, x, out)


def cross_entropy(
    x: Any,
    target: Any,
    weight: Any,
    ignore_index: int,
    label_smoothing: float,
    reduction: int,
    log_sum: Any,
    total: Any,
    out: Any,
) -> None:
    bad = _cross_entropy(
        reduction,
        ignore_index,
        label_smoothing,
        id(x),
        id(target),
        0 if weight is None else id(weight),
        id(log_sum),
        id(total),
        id(out),
    )
    if bad >= 0:
        raise label_error(target, bad, x.shape[1])
    if bad == -2:
        otherwise(
            cross_entropy,
            twin.cross_entropy,
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


def cross_entropy_backward(
    g: Any,
    x: Any,
    target: Any,
    weight: Any,
    ignore_index: int,
    label_smoothing: float,
    reduction: int,
    log_sum: Any,
    total: Any,
    out: Any,
) -> None:
    if _cross_entropy_backward(
        reduction,
        ignore_index,
        label_smoothing,
        id(g),
        id(x),
        id(target),
        0 if weight is None else id(weight),
        id(log_sum),
        id(total),
        id(out),
    ):
        otherwise(
            cross_entropy_backward,
            twin.cross_entropy_backward,
            g,
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


for _kernel in (matmul, linear, column_sum, cross_entropy, cross_entropy_backward):
    _kernel.__doc__ = getattr(twin, _kernel.__name__).__doc__
