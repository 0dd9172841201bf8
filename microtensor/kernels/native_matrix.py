"""The kernels in C over matrices: products, column sums and cross-entropy."""

from __future__ import annotations

from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import (
    FLOAT32,
    FLOAT64,
    INT64,
    NULL,
    buffer,
    f32,
    f64,
    i64,
    lib,
    otherwise,
)
from microtensor.kernels.twin_rows import NONE, label_error

_matmul_f32, _matmul_f64 = lib.mt_matmul_f32, lib.mt_matmul_f64
_linear_f32, _linear_f64 = lib.mt_linear_f32, lib.mt_linear_f64
_column_sum_f32, _column_sum_f64 = lib.mt_column_sum_f32, lib.mt_column_sum_f64
_cross_entropy_f32, _cross_entropy_f64 = lib.mt_cross_entropy_f32, lib.mt_cross_entropy_f64
_backward_f32 = lib.mt_cross_entropy_backward_f32
_backward_f64 = lib.mt_cross_entropy_backward_f64


def matmul(a: Any, b: Any, out: Any) -> None:
    dtype = a.dtype
    if out.dtype is dtype is b.dtype and (dtype is FLOAT32 or dtype is FLOAT64):
        try:
            m, k = a.shape
            inner, n = b.shape
            if inner == k and out.shape == (m, n):
                # A transposed matrix is handed over as stored, and BLAS is told.
                transpose_a = not a.flags.c_contiguous
                transpose_b = not b.flags.c_contiguous
                if dtype is FLOAT32:
                    call, c_type = _matmul_f32, f32
                else:
                    call, c_type = _matmul_f64, f64
                if not call(
                    transpose_a,
                    transpose_b,
                    m,
                    n,
                    k,
                    buffer(c_type, a.T if transpose_a else a),
                    m if transpose_a else k,
                    buffer(c_type, b.T if transpose_b else b),
                    k if transpose_b else n,
                    buffer(c_type, out, True),
                ):
                    return
        except ValueError:  # batches, and what is contiguous in neither order
            pass
    otherwise(matmul, twin.matmul, a, b, out)


def linear(x: Any, weight: Any, bias: Any, out: Any) -> None:
    dtype = x.dtype
    if out.dtype is dtype is weight.dtype and (bias is None or bias.dtype is dtype):
        try:
            rows, inputs = x.shape
            outputs, inner = weight.shape
            if (
                inner == inputs
                and out.shape == (rows, outputs)
                and (bias is None or bias.size == outputs)
            ):
                if dtype is FLOAT32:
                    if not _linear_f32(
                        rows,
                        inputs,
                        outputs,
                        buffer(f32, x),
                        buffer(f32, weight),
                        NULL if bias is None else buffer(f32, bias),
                        buffer(f32, out, True),
                    ):
                        return
                elif dtype is FLOAT64:
                    if not _linear_f64(
                        rows,
                        inputs,
                        outputs,
                        buffer(f64, x),
                        buffer(f64, weight),
                        NULL if bias is None else buffer(f64, bias),
                        buffer(f64, out, True),
                    ):
                        return
        except ValueError:
            pass
    otherwise(linear, twin.linear, x, weight, bias, out)


def column_sum(x: Any, out: Any) -> None:
    dtype = x.dtype
    if out.dtype is dtype:
        try:
            rows, columns = x.shape
            if out.size == columns:
                if dtype is FLOAT32:
                    if not _column_sum_f32(rows, columns, buffer(f32, x), buffer(f32, out, True)):
                        return
                elif dtype is FLOAT64:
                    if not _column_sum_f64(rows, columns, buffer(f64, x), buffer(f64, out, True)):
                        return
        except ValueError:
            pass
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
    dtype = x.dtype
    if (
        (dtype is FLOAT32 or dtype is FLOAT64)
        and target.dtype is INT64
        and log_sum.dtype is dtype
        and total.dtype is dtype
        and out.dtype is dtype
        and (weight is None or weight.dtype is dtype)
    ):
        if dtype is FLOAT32:
            call, c_type = _cross_entropy_f32, f32
        else:
            call, c_type = _cross_entropy_f64, f64
        try:
            rows, classes = x.shape
            if (
                target.size == rows == log_sum.size
                and total.size == 1
                and out.size == (rows if reduction == NONE else 1)
                and (weight is None or weight.size == classes)
            ):
                bad = call(
                    rows,
                    classes,
                    reduction,
                    ignore_index,
                    label_smoothing,
                    buffer(c_type, x),
                    buffer(i64, target),
                    NULL if weight is None else buffer(c_type, weight),
                    buffer(c_type, log_sum, True),
                    buffer(c_type, total, True),
                    buffer(c_type, out, True),
                )
                if bad == -1:
                    return
                if bad >= 0:
                    raise label_error(target, bad, classes)
        except ValueError:
            pass
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
    dtype = x.dtype
    if (
        (dtype is FLOAT32 or dtype is FLOAT64)
        and target.dtype is INT64
        and g.dtype is dtype
        and log_sum.dtype is dtype
        and total.dtype is dtype
        and out.dtype is dtype
        and (weight is None or weight.dtype is dtype)
    ):
        if dtype is FLOAT32:
            call, c_type = _backward_f32, f32
        else:
            call, c_type = _backward_f64, f64
        try:
            rows, classes = x.shape
            if (
                out.shape == x.shape
                and target.size == rows == log_sum.size
                and total.size == 1
                and g.size == (rows if reduction == NONE else 1)
                and (weight is None or weight.size == classes)
                and not call(
                    rows,
                    classes,
                    reduction,
                    ignore_index,
                    label_smoothing,
                    buffer(c_type, g),
                    buffer(c_type, x),
                    buffer(i64, target),
                    NULL if weight is None else buffer(c_type, weight),
                    buffer(c_type, log_sum),
                    buffer(c_type, total),
                    buffer(c_type, out, True),
                )
            ):
                return
        except ValueError:
            pass
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
