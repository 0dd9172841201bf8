"""The random kernels in C."""

from __future__ import annotations

from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import lib, otherwise

_random_bits = lib.mt_array_random_bits
_random_uniform = lib.mt_array_random_uniform
_rrelu = lib.mt_array_rrelu
_dropout = lib.mt_array_dropout


def random_bits(state: Any, out: Any) -> None:
    if _random_bits(id(state), id(out)):
        otherwise(random_bits, twin.random_bits, state, out)


def random_uniform(state: Any, out: Any) -> None:
    if _random_uniform(id(state), id(out)):
        otherwise(random_uniform, twin.random_uniform, state, out)


def rrelu(x: Any, lower: float, upper: float, state: Any, slopes: Any, out: Any) -> None:
    if _rrelu(lower, upper, id(state), id(x), id(slopes), id(out)):
        otherwise(rrelu, twin.rrelu, x, lower, upper, state, slopes, out)


def dropout(x: Any, p: float, state: Any, mask: Any, out: Any) -> None:
    if _dropout(p, id(state), id(x), id(mask), id(out)):
        otherwise(dropout, twin.dropout, x, p, state, mask, out)


for _kernel in (random_bits, random_uniform, rrelu, dropout):
    _kernel.__doc__ = getattr(twin, _kernel.__name__).__doc__
