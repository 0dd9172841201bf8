"""The larger and the smaller of two, and holding elements between bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import mul
from microtensor.ops.arrays import Array, broadcast_shape, empty, in_common_dtype
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq, ge, gt, isnan, le, logical_and, logical_or, lt
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.pointwise import TWO, Kernel, binary
from microtensor.ops.promotion import number_array, to_float
from microtensor.tensor import Tensor


def _extremum(name: str, kernel: Kernel, rules: dict[str, Any], summary: str) -> Any:
    return declare(
        name,
        TWO,
        binary(name, kernel),
        rules=rules,
        summary=summary,
        integral=True,
        method=name,
        samples=samples.pairs(),
    )


def _shared(loses: Any) -> dict[str, Any]:
    """Rules by which equal elements share the gradient, and what loses gets none."""

    def share(g: Any, mine: Any, others: Any) -> Any:
        # Beside NaN nothing loses, and the gradient goes to both, as PyTorch has it.
        return where(loses(mine, others), 0, where(eq(mine, others), mul(g, 0.5), g))

    return {
        "input": lambda g, input, other: share(g, input, other),
        "other": lambda g, input, other: share(g, other, input),
    }


def _first_wins(wins: Any) -> dict[str, Any]:
    """Rules by which the first of equal elements gets the gradient, and NaN none."""

    def first(input: Any, other: Any) -> Any:
        return logical_or(wins(input, other), isnan(other))

    return {
        "input": lambda g, input, other: where(first(input, other), g, 0),
        "other": lambda g, input, other: where(first(input, other), 0, g),
    }


maximum = _extremum(
    "maximum",
    kernels.maximum,
    _shared(lambda mine, others: lt(mine, others)),
    "Give the larger of two, element by element; NaN if either is. Equal elements share the "
    "gradient.",
)
minimum = _extremum(
    "minimum",
    kernels.minimum,
    _shared(lambda mine, others: gt(mine, others)),
    "Give the smaller of two, element by element; NaN if either is. Equal elements share the "
    "gradient.",
)
fmax = _extremum(
    "fmax",
    kernels.fmax,
    _first_wins(lambda a, b: ge(a, b)),
    "Give the larger of two, element by element; beside NaN the number. The gradient of equal "
    "elements goes to the first.",
)
fmin = _extremum(
    "fmin",
    kernels.fmin,
    _first_wins(lambda a, b: le(a, b)),
    "Give the smaller of two, element by element; beside NaN the number. The gradient of equal "
    "elements goes to the first.",
)


# ---- bounds -------------------------------------------------------------------------------------


def _no_bounds() -> RuntimeError:
    return RuntimeError("clamp: at least one of 'min' and 'max' must not be None")


def _clamp_forward(x: Array, min: Any = None, max: Any = None) -> Array:
    if min is None and max is None:
        raise _no_bounds()
    bounds = [number_array(v, x.dtype) for v in (min, max) if v is not None]
    for bound in bounds:
        if bound.dtype.kind == "f" and x.dtype.kind != "f":
            x = to_float(x)
        elif bound.dtype.kind == "i" and x.dtype.kind == "b":
            x = x.astype(bound.dtype)
    low = None if min is None else number_array(min, x.dtype)
    high = None if max is None else number_array(max, x.dtype)
    out = empty(x.shape, x.dtype)
    kernels.clamp(x, low, high, out)
    return out


def _clamp_rule(g: Any, x: Any, min: Any, max: Any) -> Any:
    inside = ge(x, min) if min is not None else le(x, max)
    if min is not None and max is not None:
        inside = logical_and(inside, le(x, max))
    return where(inside, g, 0)


clamp: Any = declare(
    "clamp",
    "input: Tensor, min: float | None = None, max: float | None = None",
    _clamp_forward,
    rules={"input": _clamp_rule},
    summary="Hold the elements between two bounds; the gradient passes inside and at the bounds.",
    formula="min(max(x, min), max)",
    integral=True,
    method="clamp",
    inplace=True,
    samples=samples.one(min=-0.7, max=0.8, avoid=(-0.7, 0.8)),
)


def _clamp_tensor_forward(x: Array, min: Array | None, max: Array | None) -> Array:
    given = [each for each in (min, max) if each is not None]
    arrays = in_common_dtype(x, *given)
    shape = x.shape
    for each in given:
        shape = broadcast_shape(shape, each.shape, "clamp")
    out = empty(shape, arrays[0].dtype)
    low = None if min is None else arrays[1]
    kernels.clamp(arrays[0], low, None if max is None else arrays[-1], out)
    return out


def _clamp_min_rule(g: Any, input: Any, min: Any, max: Any) -> Any:
    below = lt(input, min)
    # Of bounds that have crossed, max has the last word.
    return where(below if max is None else logical_and(below, lt(min, max)), g, 0)


def _clamp_max_rule(g: Any, input: Any, min: Any, max: Any) -> Any:
    above = gt(input, max)
    return where(above if min is None else logical_or(above, gt(min, max)), g, 0)


clamp_tensor: Any = declare(
    "clamp_tensor",
    "input: Tensor, min: Tensor | None, max: Tensor | None",
    _clamp_tensor_forward,
    rules={"input": _clamp_rule, "min": _clamp_min_rule, "max": _clamp_max_rule},
    summary="Hold the elements between bounds that are tensors: clamp()'s other form.",
    formula="min(max(x, min), max)",
    integral=True,
    namespaces=(),
    samples=samples.bounds(),
)

_NUMBERS = (int, float, np.number, np.bool_)
_BOUND = "Tensor | float | None"


def _as_number(bound: Any) -> Any:
    single = isinstance(bound, Tensor) and not bound._array.ndim and not bound.requires_grad
    return bound.item() if single else bound


@publish(
    f"input: Tensor, min: {_BOUND} = None, max: {_BOUND} = None",
    method="clamp",
    name="clamp",
    inplace=True,
)
def _clamp(input: Any, min: Any = None, max: Any = None) -> Tensor:
    """Hold the elements between two bounds: min(max(input, min), max).

    Args:
        input: a tensor; integers meeting floating-point bounds become floating-point numbers.
        min: the lower bound, a number or a tensor that broadcasts; None for none.
        max: the upper bound, likewise; where the bounds have crossed, the result.

    Raises:
        RuntimeError: no bound at all, one that an integer dtype cannot hold.
        TypeError: one bound a number and the other a tensor of dimensions, or of a gradient.

    Notes:
        The gradient passes where min <= input <= max; outside it goes to a bound that is a tensor.
    """
    if not isinstance(input, Tensor):
        refuse("clamp", "input", input)
    if isinstance(min, _NUMBERS):  # beside a number, a tensor of one is a number too
        max = _as_number(max)
    elif isinstance(max, _NUMBERS):
        min = _as_number(min)
    tensors = isinstance(min, Tensor) or isinstance(max, Tensor)
    for name, bound in (("min", min), ("max", max)):
        if bound is None or (isinstance(bound, Tensor) if tensors else isinstance(bound, _NUMBERS)):
            continue
        expected = "a Tensor, as the other bound" if tensors else "Tensor or a number"
        refuse("clamp", name, bound, expected)
    if tensors:
        return clamp_tensor.op.public(input, min, max)
    return clamp.op.public(input, min, max)


@publish("input: Tensor, min: Tensor | float", method="clamp_min", inplace=True)
def clamp_min(input: Any, min: Any) -> Tensor:
    """Raise what is below a bound to it: max(input, min)."""
    return _clamp(input, min=min)


@publish("input: Tensor, max: Tensor | float", method="clamp_max", inplace=True)
def clamp_max(input: Any, max: Any) -> Tensor:
    """Lower what is above a bound to it: min(input, max)."""
    return _clamp(input, max=max)
