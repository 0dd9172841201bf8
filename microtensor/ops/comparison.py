"""Comparisons, tests of elements and logic: what gives bools."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, broadcast_shape, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.pointwise import (
    BOOL,
    ONE,
    SECOND_MAY_BE_NUMBER,
    TWO,
    Kernel,
    truth_of_one,
    truth_of_two,
)
from microtensor.tensor import Tensor, wrap


def _compare(name: str, kernel: Kernel, summary: str, signature: str = SECOND_MAY_BE_NUMBER) -> Any:
    return declare(
        name,
        signature,
        truth_of_two(name, kernel),
        summary=summary,
        integral=True,
        method=name,
        inplace=True,
    )


eq = _compare("eq", kernels.eq, "Compare: equal. Gives bools; NaN equals nothing.")
ne = _compare("ne", kernels.ne, "Compare: not equal. Gives bools.")
lt = _compare("lt", kernels.lt, "Compare: less than. Gives bools.")
le = _compare("le", kernels.le, "Compare: less than or equal. Gives bools.")
gt = _compare("gt", kernels.gt, "Compare: greater than. Gives bools.")
ge = _compare("ge", kernels.ge, "Compare: greater than or equal. Gives bools.")
logical_and = _compare(
    "logical_and", kernels.logical_and, "Say where both are true (nonzero).", TWO
)
logical_or = _compare("logical_or", kernels.logical_or, "Say where either is true (nonzero).", TWO)
logical_xor = _compare(
    "logical_xor", kernels.logical_xor, "Say where just one is true (nonzero).", TWO
)


def _unary_test(name: str, kernel: Kernel, summary: str, inplace: bool = False) -> Any:
    return declare(name, ONE, truth_of_one(kernel), summary=summary, method=name, inplace=inplace)


isnan = _unary_test("isnan", kernels.isnan, "Say which elements are NaN.")
isinf = _unary_test("isinf", kernels.isinf, "Say which elements are infinite.")
isposinf = _unary_test("isposinf", kernels.isposinf, "Say which elements are inf.")
isneginf = _unary_test("isneginf", kernels.isneginf, "Say which elements are -inf.")
isfinite = _unary_test("isfinite", kernels.isfinite, "Say which elements are neither NaN nor inf.")
logical_not = _unary_test(
    "logical_not", kernels.logical_not, "Say which elements are zero.", inplace=True
)
signbit = _unary_test(
    "signbit", kernels.signbit, "Say which elements have a minus: -0.0 does, and so may NaN."
)


def _all_true(x: Array) -> Array:
    return np.ones(x.shape, BOOL)


isreal = declare(
    "isreal", ONE, _all_true, summary="Say which elements are real: all are.", method="isreal"
)


def _close_forward(
    a: Array, b: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Array:
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"isclose: {a.dtype.name} did not match {b.dtype.name}; convert one, with .to(dtype)"
        )
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not value >= 0:
            raise RuntimeError(
                f"isclose: {name} must be greater than or equal to zero, but got {value}"
            )
    out = empty(broadcast_shape(a.shape, b.shape, "isclose"), BOOL)
    kernels.close(a, b, rtol, atol, equal_nan, out)
    return out


isclose: Any = declare(
    "isclose",
    f"{TWO}, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False",
    _close_forward,
    summary="Say which elements are equal within a tolerance; infinities if they are the same, NaN "
    "beside NaN if asked for.",
    formula="|input - other| <= atol + rtol·|other|",
    method="isclose",
    samples=samples.pairs(),
)


@publish(
    f"{TWO}, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False", method="allclose"
)
def allclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> bool:
    """Say whether all elements are equal within a tolerance, as :func:`isclose` has it.

    Raises:
        RuntimeError: different dtypes, shapes that do not broadcast, a negative tolerance.

    Example:
        >>> import microtensor as mt
        >>> mt.allclose(mt.tensor([1.0]), mt.tensor([1.000001]))
        True
    """
    close = isclose.op.public(input, other, rtol, atol, equal_nan)._array.all()
    return bool(wrap(np.asarray(close)))  # which a captured step refuses


@publish(TWO, method="equal")
def equal(input: Tensor, other: Tensor) -> bool:
    """Say whether two tensors have one shape and equal elements."""
    if not isinstance(input, Tensor):
        refuse("equal", "input", input)
    if not isinstance(other, Tensor):
        refuse("equal", "other", other)
    if input._array.shape != other._array.shape:
        return False
    return bool(wrap(np.asarray(eq(input._array, other._array).all())))


@publish(ONE, method="is_nonzero")
def is_nonzero(input: Tensor) -> bool:
    """Say whether the only element is other than zero.

    Raises:
        RuntimeError: there is not exactly one element.
    """
    if not isinstance(input, Tensor):
        refuse("is_nonzero", "input", input)
    return bool(input)
