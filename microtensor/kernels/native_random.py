"""The random kernels in C."""

from __future__ import annotations

from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import (
    FLOAT32,
    FLOAT64,
    UINT32,
    UINT64,
    buffer,
    f32,
    f64,
    lib,
    otherwise,
    u32,
    u64,
)


def random_bits(state: Any, out: Any) -> None:
    if out.dtype is UINT32 and state.dtype is UINT64 and state.size == 2:
        try:
            if not lib.mt_random_bits(out.size, buffer(u64, state, True), buffer(u32, out, True)):
                return
        except ValueError:
            pass
    otherwise(random_bits, twin.random_bits, state, out)


def random_uniform(state: Any, out: Any) -> None:
    if state.dtype is UINT64 and state.size == 2:
        try:
            where = buffer(u64, state, True)
            if out.dtype is FLOAT32:
                if not lib.mt_random_uniform_f32(out.size, where, buffer(f32, out, True)):
                    return
            elif out.dtype is FLOAT64:
                if not lib.mt_random_uniform_f64(out.size, where, buffer(f64, out, True)):
                    return
        except ValueError:
            pass
    otherwise(random_uniform, twin.random_uniform, state, out)


def dropout(x: Any, p: float, state: Any, mask: Any, out: Any) -> None:
    dtype = x.dtype
    size = x.size
    if (
        mask.dtype is dtype is out.dtype
        and state.dtype is UINT64
        and state.size == 2
        and mask.size == size == out.size
        and (dtype is FLOAT32 or dtype is FLOAT64)
    ):
        c_type = f32 if dtype is FLOAT32 else f64
        call = lib.mt_dropout_f32 if dtype is FLOAT32 else lib.mt_dropout_f64
        try:
            if not call(
                size,
                p,
                buffer(u64, state, True),
                buffer(c_type, x),
                buffer(c_type, mask, True),
                buffer(c_type, out, True),
            ):
                return
        except ValueError:
            pass
    otherwise(dropout, twin.dropout, x, p, state, mask, out)


for _kernel in (random_bits, random_uniform, dropout):
    _kernel.__doc__ = getattr(twin, _kernel.__name__).__doc__
