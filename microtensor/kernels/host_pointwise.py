"""Element by element: arithmetic, comparisons, rounding and the functions NumPy has, as kernels.

Their arithmetic is a NumPy ufunc's, whose floating-point warnings are silenced: a division by zero
gives inf, as the hardware says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_MANY = 4096  # elements, from which on a few more calls of NumPy cost less than one slow loop
_BITS = {4: np.uint32, 8: np.uint64}


def _binary(ufunc: Any) -> Callable[[Array, Array, Array], None]:
    def kernel(a: Array, b: Array, out: Array) -> None:
        with np.errstate(all="ignore"):
            ufunc(a, b, out=out)

    kernel.__name__ = ufunc.__name__
    return kernel


def _unary(ufunc: Any) -> Callable[[Array, Array], None]:
    def kernel(x: Array, out: Array) -> None:
        with np.errstate(all="ignore"):
            ufunc(x, out)

    kernel.__name__ = ufunc.__name__
    return kernel


# ---- two operands -------------------------------------------------------------------------------

add = _binary(np.add)
sub = _binary(np.subtract)
mul = _binary(np.multiply)
div = _binary(np.true_divide)
floor_divide = _binary(np.floor_divide)
remainder = _binary(np.remainder)
fmod = _binary(np.fmod)
maximum = _binary(np.maximum)
minimum = _binary(np.minimum)
fmax = _binary(np.fmax)
fmin = _binary(np.fmin)
atan2 = _binary(np.arctan2)
hypot = _binary(np.hypot)
logaddexp = _binary(np.logaddexp)
logaddexp2 = _binary(np.logaddexp2)
copysign = _binary(np.copysign)
nextafter = _binary(np.nextafter)
gcd = _binary(np.gcd)
lcm = _binary(np.lcm)
eq = _binary(np.equal)
ne = _binary(np.not_equal)
lt = _binary(np.less)
le = _binary(np.less_equal)
gt = _binary(np.greater)
ge = _binary(np.greater_equal)
logical_and = _binary(np.logical_and)
logical_or = _binary(np.logical_or)
logical_xor = _binary(np.logical_xor)
bitwise_and = _binary(np.bitwise_and)
bitwise_or = _binary(np.bitwise_or)
bitwise_xor = _binary(np.bitwise_xor)

# ---- one operand --------------------------------------------------------------------------------

neg = _unary(np.negative)
abs = _unary(np.absolute)
square = _unary(np.square)
reciprocal = _unary(np.reciprocal)
sqrt = _unary(np.sqrt)
exp2 = _unary(np.exp2)
log2 = _unary(np.log2)
log10 = _unary(np.log10)
log1p = _unary(np.log1p)
sin = _unary(np.sin)
cos = _unary(np.cos)
tan = _unary(np.tan)
asin = _unary(np.arcsin)
acos = _unary(np.arccos)
atan = _unary(np.arctan)
sinh = _unary(np.sinh)
cosh = _unary(np.cosh)
asinh = _unary(np.arcsinh)
acosh = _unary(np.arccosh)
atanh = _unary(np.arctanh)
floor = _unary(np.floor)
ceil = _unary(np.ceil)
trunc = _unary(np.trunc)
isnan = _unary(np.isnan)
isinf = _unary(np.isinf)
isfinite = _unary(np.isfinite)
isposinf = _unary(lambda x, out: np.equal(x, math.inf, out=out))
isneginf = _unary(lambda x, out: np.equal(x, -math.inf, out=out))
logical_not = _unary(np.logical_not)
bitwise_not = _unary(np.bitwise_not)


def rsqrt(x: Array, out: Array) -> None:
    """Out = 1 / √x."""
    with np.errstate(all="ignore"):
        np.reciprocal(np.sqrt(x, out), out)


def sign(x: Array, out: Array) -> None:
    """Out = -1, 0 or 1; 0 of NaN too, as PyTorch has it."""
    np.subtract(x > 0, x < 0, out=out, dtype=np.int8, casting="unsafe")


def signbit(x: Array, out: Array) -> None:
    """Out = whether the sign is minus; of -0 and of a negative NaN too."""
    if x.dtype.kind == "f":
        np.signbit(x, out)
    else:
        np.less(x, 0, out=out)


def frac(x: Array, out: Array) -> None:
    """Out = what trunc cuts off; NaN of infinities."""
    with np.errstate(all="ignore"):
        np.subtract(x, np.trunc(x), out=out)


def round(x: Array, decimals: int, out: Array) -> None:
    """Out = x rounded to so many decimals, which may be negative; halves go to the even one."""
    if x.dtype.kind != "f":  # whole already; rint would go by way of float64
        np.copyto(out, x)
        return
    if not decimals:
        np.rint(x, out)
        return
    with np.errstate(all="ignore"):
        scale = x.dtype.type(math.pow(10.0, min(math.fabs(decimals), 308)))
        rounded = np.rint(x * scale if decimals > 0 else x / scale)
        (np.divide if decimals > 0 else np.multiply)(rounded, scale, out=out)
        # Where scaling overflows there is nothing behind the point to round.
        np.copyto(out, x, where=~np.isfinite(rounded))


def pow(a: Array, b: Array, out: Array) -> None:
    """Out = a to the power b; of integers to negative powers what of 1 / aⁿ is before the point."""
    with np.errstate(all="ignore"):
        if a.dtype.kind != "i" or not b.size or b.min() >= 0:
            np.power(a, b, out=out)
            return
        units = np.where(a == 1, 1, np.where(a == -1, 1 - 2 * (b & 1), 0))
        np.copyto(out, np.where(b < 0, units, np.power(a, np.maximum(b, 0))), casting="unsafe")


def div_trunc(a: Array, b: Array, out: Array) -> None:
    """Out = a / b rounded towards zero."""
    with np.errstate(all="ignore"):
        if a.dtype.kind == "f":
            np.trunc(np.true_divide(a, b, out=out), out)
        else:
            np.floor_divide(a - np.fmod(a, b), b, out=out)


def xlogy(x: Array, y: Array, out: Array) -> None:
    """Out = x log y; 0 where x is 0, unless y is NaN."""
    with np.errstate(all="ignore"):
        np.multiply(x, np.log(y), out=out)
    np.copyto(out, 0, where=(x == 0) & ~np.isnan(y))


def heaviside(x: Array, values: Array, out: Array) -> None:
    """Out = 0 where x is negative, 1 where positive, the value at 0; 0 of NaN."""
    np.copyto(out, x > 0, casting="unsafe")
    np.copyto(out, values, where=x == 0)


def shift_left(a: Array, b: Array, out: Array) -> None:
    """Out = a · 2ᵇ in integers; 0 where all bits are shifted out, or b is negative."""
    inside = (b >= 0) & (b < 8 * a.dtype.itemsize)
    np.left_shift(a, np.where(inside, b, 0).astype(a.dtype), out=out)
    np.copyto(out, 0, where=~inside)


def shift_right(a: Array, b: Array, out: Array) -> None:
    """Out = floor(a / 2ᵇ) in integers; only the sign is left for b beyond the width or negative."""
    last = 8 * a.dtype.itemsize - 1
    inside = (b >= 0) & (b <= last)
    np.right_shift(a, np.where(inside, b, last).astype(a.dtype), out=out)
    if a.dtype.kind == "u":
        np.copyto(out, 0, where=~inside)


# ---- three operands -----------------------------------------------------------------------------


def where(condition: Array, a: Array, b: Array, out: Array) -> None:
    """Out = a where the condition holds, else b; all broadcast. Out overlaps none of them.

    A copy where a mask holds branches on every element, and signs of noise are guessed wrong half
    of the time: many elements are chosen by their bits, b + (a - b)·condition with xor for plus and
    minus.
    """
    if condition.size == 1:
        np.copyto(out, a if condition.item() else b, casting="unsafe")
        return
    if out.size >= _MANY and a.dtype == b.dtype == out.dtype and out.itemsize in _BITS:
        bits = _BITS[out.itemsize]
        a, b, chosen = a.view(bits), b.view(bits), out.view(bits)
        np.copyto(chosen, condition)
        np.multiply(chosen, a ^ b, out=chosen)
        np.bitwise_xor(chosen, b, out=chosen)
        return
    np.copyto(out, b, casting="unsafe")
    np.copyto(out, a, casting="unsafe", where=condition)


def clamp(x: Array, low: Any, high: Any, out: Array) -> None:
    """Out = x held between low and high, numbers, arrays or None; NaN in any of them wins."""
    if low is not None:
        np.maximum(x, low, out=out)
        x = out
    if high is not None:
        np.minimum(x, high, out=out)


def lerp(start: Array, end: Array, weight: Array, out: Array) -> None:
    """Out = start + weight (end - start), reckoned from the nearer end, so that both are exact."""
    with np.errstate(all="ignore"):
        way = end - start
        near_end = end - way * (1 - weight)
        np.add(start, weight * way, out=out)
        np.copyto(out, near_end, where=np.abs(weight) >= 0.5)


def addcmul(x: Array, a: Array, b: Array, value: Any, out: Array) -> None:
    """Out = x + value·a·b."""
    with np.errstate(all="ignore"):
        np.multiply(a, b, out=out)
        if value != 1:
            np.multiply(out, value, out=out)
        np.add(out, x, out=out)


def addcdiv(x: Array, a: Array, b: Array, value: Any, out: Array) -> None:
    """Out = x + value·a / b."""
    with np.errstate(all="ignore"):
        np.multiply(a, value, out=out)
        np.divide(out, b, out=out)
        np.add(out, x, out=out)


def nan_to_num(x: Array, nan: float, high: float, low: float, out: Array) -> None:
    """Out = x with NaN, inf and -inf replaced by numbers."""
    np.copyto(out, x)
    np.copyto(out, nan, where=np.isnan(x), casting="unsafe")
    np.copyto(out, high, where=np.equal(x, math.inf), casting="unsafe")
    np.copyto(out, low, where=np.equal(x, -math.inf), casting="unsafe")


def close(a: Array, b: Array, rtol: float, atol: float, equal_nan: bool, out: Array) -> None:
    """Out = whether |a - b| <= atol + rtol |b|, or both are one infinity, or both NaN if wanted."""
    with np.errstate(all="ignore"):
        np.equal(a, b, out=out)
        if equal_nan and a.dtype.kind == "f":
            np.copyto(out, True, where=np.isnan(a) & np.isnan(b))
        if a.dtype.kind == "f":
            away = np.abs(a - b)
        else:
            a, b = a.astype(np.float64), b.astype(np.float64)
            away = np.abs(a - b)
        near = np.isfinite(away) & (away <= atol + np.abs(rtol * b))
        np.logical_or(out, near, out=out)
