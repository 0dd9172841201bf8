"""The kernels of attention in C."""

from __future__ import annotations

from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import lib, otherwise

_attention, _attention_backward = lib.mt_array_attention, lib.mt_array_attention_backward


def attention(
    q: Any, k: Any, v: Any, mask: Any, scale: float, causal: bool, log_sum: Any, out: Any
) -> None:
    given = 0 if mask is None else id(mask)
    if _attention(scale, causal, id(q), id(k), id(v), given, id(log_sum), id(out)):
        otherwise(attention, twin.attention, q, k, v, mask, scale, causal, log_sum, out)


def attention_backward(
    g: Any,
    q: Any,
    k: Any,
    v: Any,
    mask: Any,
    scale: float,
    causal: bool,
    output: Any,
    log_sum: Any,
    dq: Any,
    dk: Any,
    dv: Any,
) -> None:
    if _attention_backward(
        scale,
        causal,
        id(q),
        id(k),
        id(v),
        0 if mask is None else id(mask),
        id(output),
        id(g),
        id(log_sum),
        id(dq),
        id(dk),
        id(dv),
    ):
        otherwise(
            attention_backward,
            twin.attention_backward,
            g,
            q,
            k,
            v,
            mask,
            scale,
            causal,
            output,
            log_sum,
            dq,
            dk,
            dv,
        )


for _kernel in (attention, attention_backward):
    _kernel.__doc__ = getattr(twin, _kernel.__name__).__doc__
