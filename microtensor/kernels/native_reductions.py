"""The kernels in C that reduce dimensions."""

from __future__ import annotations

from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import lib, otherwise
from microtensor.kernels.native_elementwise import names

_reduce, _var_mean, _unary = lib.mt_array_reduce, lib.mt_array_var_mean, lib.mt_array_unary
_SUM, _MEAN, _AMAX, _AMIN = map(names("reduce").index, ("sum", "mean", "amax", "amin"))
_SQRT = names("unary").index("sqrt")


class _Bits(dict[tuple[int, ...], int]):
    """For each tuple of axes the number whose bits they are."""

    def __missing__(self, axis: tuple[int, ...]) -> int:
        bits = 0
        for each in axis:
            bits |= 1 << each
        self[axis] = bits
        return bits


_bits = _Bits()


def sum(x: Any, axis: tuple[int, ...], out: Any) -> None:
    if _reduce(_SUM, _bits[axis], id(x), id(out)):
        otherwise(sum, twin.sum, x, axis, out)


def mean(x: Any, axis: tuple[int, ...], out: Any) -> None:
    if _reduce(_MEAN, _bits[axis], id(x), id(out)):
        otherwise(mean, twin.mean, x, axis, out)


def amax(x: Any, axis: tuple[int, ...], out: Any) -> None:
    if _reduce(_AMAX, _bits[axis], id(x), id(out)):
        otherwise(amax, twin.amax, x, axis, out)


def amin(x: Any, axis: tuple[int, ...], out: Any) -> None:
    if _reduce(_AMIN, _bits[axis], id(x), id(out)):
        otherwise(amin, twin.amin, x, axis, out)


def var(x: Any, axis: tuple[int, ...], correction: float, out: Any) -> None:
    if _var_mean(_bits[axis], correction, id(x), id(out), 0):
        otherwise(var, twin.var, x, axis, correction, out)


def std(x: Any, axis: tuple[int, ...], correction: float, out: Any) -> None:
    if _var_mean(_bits[axis], correction, id(x), id(out), 0):
        otherwise(std, twin.std, x, axis, correction, out)
    else:
        _unary(_SQRT, 0.0, 0.0, id(out), id(out))


def var_mean(x: Any, axis: tuple[int, ...], correction: float, variance: Any, mean: Any) -> None:
    if _var_mean(_bits[axis], correction, id(x), id(variance), id(mean)):
        otherwise(var_mean, twin.var_mean, x, axis, correction, variance, mean)


REDUCTIONS: dict[str, Any] = {
    kernel.__name__: kernel for kernel in (sum, mean, amax, amin, var, std, var_mean)
}
for _name, _kernel in REDUCTIONS.items():
    _kernel.__doc__ = getattr(twin, _name).__doc__
