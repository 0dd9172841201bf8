"""Integers as such: their bits, shifts and common divisors."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare
from microtensor.ops.pointwise import EITHER_MAY_BE_NUMBER, ONE, TWO, binary, refuse_bool


def _refuse_floats(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind == "f":
        raise RuntimeError(f"{name}: not defined for floating-point tensors")


def _refuse_all_but_integers(name: str, dtype: np.dtype[Any]) -> None:
    _refuse_floats(name, dtype)
    refuse_bool(name, dtype)


def _declare(
    name: str, kernel: Any, summary: str, check: Any, signature: str, **fields: Any
) -> Any:
    return declare(
        name,
        signature,
        binary(name, kernel, check=check),
        summary=summary,
        integral=True,
        method=name,
        inplace=True,
        **fields,
    )


def _bitwise(name: str, kernel: Any, summary: str) -> Any:
    return _declare(name, kernel, summary, _refuse_floats, EITHER_MAY_BE_NUMBER)


bitwise_and = _bitwise("bitwise_and", kernels.bitwise_and, "Combine bits: and.")
bitwise_or = _bitwise("bitwise_or", kernels.bitwise_or, "Combine bits: or.")
bitwise_xor = _bitwise("bitwise_xor", kernels.bitwise_xor, "Combine bits: exclusive or.")

bitwise_left_shift = _declare(
    "bitwise_left_shift",
    kernels.shift_left,
    "Shift bits to the left: 0 where other is negative or all bits are shifted out.",
    _refuse_all_but_integers,
    EITHER_MAY_BE_NUMBER,
    formula="input · 2^other",
)
bitwise_right_shift = _declare(
    "bitwise_right_shift",
    kernels.shift_right,
    "Shift bits to the right, keeping the sign, which alone is left where other is negative or "
    "beyond the width.",
    _refuse_all_but_integers,
    EITHER_MAY_BE_NUMBER,
    formula="floor(input / 2^other)",
)

gcd = _declare(
    "gcd", kernels.gcd, "Give the greatest common divisor.", _refuse_all_but_integers, TWO
)
lcm = _declare("lcm", kernels.lcm, "Give the least common multiple.", _refuse_all_but_integers, TWO)


def _bitwise_not_forward(x: Array) -> Array:
    if x.dtype.kind == "f":
        raise TypeError("bitwise_not: not defined for floating-point tensors")
    out = empty(x.shape, x.dtype)
    kernels.bitwise_not(x, out)
    return out


bitwise_not: Any = declare(
    "bitwise_not",
    ONE,
    _bitwise_not_forward,
    summary="Invert the bits; bools turn into their opposites.",
    integral=True,
    method="bitwise_not",
    inplace=True,
)
