"""Signs, absolute values and rounding, and what else makes steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.description import whole_number
from microtensor.ops import samples
from microtensor.ops.arithmetic import div, mul, zero
from microtensor.ops.arrays import Array, broadcast_shape, empty
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq, isfinite
from microtensor.ops.declare import declare
from microtensor.ops.pointwise import (
    ONE,
    SECOND_MAY_BE_NUMBER,
    TWO,
    Kernel,
    binary,
    refuse_bool,
    same_dtype,
    unsupported,
)

# ---- signs --------------------------------------------------------------------------------------


def _sign_forward(x: Array) -> Array:
    out = empty(x.shape, x.dtype)
    kernels.sign(x, out)
    return out


sign: Any = declare(
    "sign",
    ONE,
    _sign_forward,
    rules={"input": lambda g: zero(g)},
    summary="Give the sign: -1, 0 or 1; 0 of NaN. The gradient is zero.",
    formula="sign x",
    derivative="0",
    integral=True,
    method="sign",
    inplace=True,
    kinks=(0.0,),
    samples=samples.one(avoid=(0.0,)),
)

abs: Any = declare(
    "abs",
    ONE,
    same_dtype("abs", kernels.abs),
    rules={"input": lambda g, x: mul(g, sign(x))},
    summary="Give the absolute value.",
    formula="|x|",
    derivative="sign x; 0 at 0",
    integral=True,
    method="abs",
    inplace=True,
    kinks=(0.0,),
    samples=samples.one(avoid=(0.0,)),
)

copysign: Any = declare(
    "copysign",
    SECOND_MAY_BE_NUMBER,
    binary("copysign", kernels.copysign, floating=True),
    rules={
        # ±1, and 0 where the input is 0, whose sign PyTorch takes for none.
        "input": lambda g, input, y: where(eq(input, 0), 0, mul(g, div(y, input))),
        "other": lambda g: zero(g),
    },
    summary="Give the first input's size with the second's sign, also of -0.0 and NaN.",
    formula="|input| with the sign of other",
    method="copysign",
    inplace=True,
    samples=samples.pairs(positive_first=True, positive_second=True),
)


def _heaviside_forward(x: Array, values: Array) -> Array:
    if x.dtype != values.dtype:
        raise RuntimeError(
            f"heaviside: expected values of dtype {x.dtype.name}, as the input, but got "
            f"{values.dtype.name}; convert them, with .to(dtype)"
        )
    out = empty(broadcast_shape(x.shape, values.shape, "heaviside"), x.dtype)
    kernels.heaviside(x, values, out)
    return out


heaviside: Any = declare(
    "heaviside",
    "input: Tensor, values: Tensor",
    _heaviside_forward,
    rules={
        "input": lambda g: zero(g),
        "values": lambda g, input: where(eq(input, 0), g, 0),
    },
    summary="Give the unit step: 0 before zero, 1 after it, and the values at zero.",
    formula="0 if input < 0, values if input = 0, else 1",
    integral=True,
    method="heaviside",
    inplace=True,
    samples=samples.pairs(positive_first=True),
)


# ---- rounding -----------------------------------------------------------------------------------


def _whole(name: str, kernel: Kernel, summary: str, formula: str) -> Any:
    return declare(
        name,
        ONE,
        same_dtype(name, kernel),
        rules={"input": lambda g: zero(g)},
        summary=f"{summary}. The gradient is zero.",
        formula=formula,
        derivative="0",
        integral=True,
        method=name,
        inplace=True,
        samples=samples.one(avoid=(-2.0, -1.0, 0.0, 1.0, 2.0)),
    )


floor = _whole("floor", kernels.floor, "Round down", "⌊x⌋")
ceil = _whole("ceil", kernels.ceil, "Round up", "⌈x⌉")
trunc = _whole("trunc", kernels.trunc, "Round towards zero", "x without what is behind the point")


def _round_forward(x: Array, *, decimals: int = 0) -> Array:
    refuse_bool("round", x.dtype)
    if decimals and x.dtype.kind != "f":
        raise unsupported("round", x.dtype, " and decimals; convert with .float()")
    if decimals.__class__ is not int:
        decimals = whole_number("decimals", decimals, "round")
    out = empty(x.shape, x.dtype)
    kernels.round(x, decimals, out)
    return out


round: Any = declare(
    "round",
    f"{ONE}, *, decimals: int = 0",
    _round_forward,
    rules={"input": lambda g: zero(g)},
    summary="Round to the nearest number with so many decimals, halves to the even one. The "
    "gradient is zero.",
    formula="round(x·10^decimals) / 10^decimals",
    derivative="0",
    integral=True,
    method="round",
    inplace=True,
    samples=samples.one(avoid=(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)),
)


def _frac_forward(x: Array) -> Array:
    if x.dtype.kind != "f":
        raise unsupported("frac", x.dtype)
    out = empty(x.shape, x.dtype)
    kernels.frac(x, out)
    return out


frac: Any = declare(
    "frac",
    ONE,
    _frac_forward,
    rules={"input": lambda g: g},
    summary="Give what is behind the point, with the sign of the input.",
    formula="x - trunc x",
    derivative="1",
    method="frac",
    inplace=True,
    samples=samples.one(avoid=(-2.0, -1.0, 0.0, 1.0, 2.0)),
)


# ---- neighbours and replacements ----------------------------------------------------------------


def _floats_only(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind != "f":
        raise unsupported(name, dtype, "; convert with .float()")


nextafter: Any = declare(
    "nextafter",
    TWO,
    binary("nextafter", kernels.nextafter, check=_floats_only),
    rules={"input": lambda g: g, "other": lambda g: zero(g)},
    summary="Give the next floating-point number towards another.",
    method="nextafter",
    inplace=True,
    samples=samples.pairs(),
)


def _nan_to_num_forward(
    x: Array, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Array:
    if x.dtype.kind != "f":
        return x.copy()
    limits = np.finfo(x.dtype)
    out = empty(x.shape, x.dtype)
    kernels.nan_to_num(
        x,
        0.0 if nan is None else nan,
        limits.max if posinf is None else posinf,
        limits.min if neginf is None else neginf,
        out,
    )
    return out


nan_to_num: Any = declare(
    "nan_to_num",
    f"{ONE}, nan: float | None = None, posinf: float | None = None, neginf: float | None = None",
    _nan_to_num_forward,
    rules={"input": lambda g, x: where(isfinite(x), g, 0)},
    summary="Replace NaN by 0 and infinities by the dtype's largest numbers, or by those given. "
    "The gradient passes where nothing is replaced.",
    integral=True,
    method="nan_to_num",
    inplace=True,
    samples=samples.one(),
)
