"""The kernels in C that reduce dimensions."""

from __future__ import annotations

from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import lib, otherwise
from microtensor.kernels.native_elementwise import names

_reduce = lib.mt_array_reduce
_SUM, _MEAN, _AMAX, _AMIN = map(names("reduce").index, ("sum", "mean", "amax", "amin"))


def _bits(axis: tuple[int, ...]) -> int:
    bits = 0
    for i in axis:
        bits |= 1 << i
    # C takes them in a signed number of 64 bits, whose sign is the last of NumPy's 64 dimensions.
    return bits if bits < 1 << 63 else bits - (1 << 64)


def sum(x: Any, axis: tuple[int, ...], out: Any) -> None:
    if _reduce(_SUM, _bits(axis), id(x), id(out)):
        otherwise(sum, twin.sum, x, axis, out)


def mean(x: Any, axis: tuple[int, ...], out: Any) -> None:
    if _reduce(_MEAN, _bits(axis), id(x), id(out)):
        otherwise(mean, twin.mean, x, axis, out)


def amax(x: Any, axis: tuple[int, ...], out: Any) -> None:
    if _reduce(_AMAX, _bits(axis), id(x), id(out)):
        otherwise(amax, twin.amax, x, axis, out)


def amin(x: Any, axis: tuple[int, ...], out: Any) -> None:
    if _reduce(_AMIN, _bits(axis), id(x), id(out)):
        otherwise(amin, twin.amin, x, axis, out)


for _kernel in (sum, mean, amax, amin):
    _kernel.__doc__ = getattr(twin, _kernel.__name__).__doc__
