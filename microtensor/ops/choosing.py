"""Choosing between elements by a condition."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import dtypes, kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, broadcast_shape, computed, empty, operands
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.pointwise import BOOL
from microtensor.ops.promotion import number_array
from microtensor.tensor import Tensor, wrap

_NUMBERS = (int, float, np.number, np.bool_)


def _where_forward(condition: Array, a: Any, b: Any) -> Array:
    if condition.dtype != BOOL:
        if condition.dtype != np.uint8:  # PyTorch's bools of old, which it still takes
            raise RuntimeError(
                f"where: the condition must be a bool tensor, not {condition.dtype.name}"
            )
        condition = condition.astype(BOOL)
    a, b = operands(a, b)
    shape = broadcast_shape(a.shape, b.shape, "where")
    out = empty(broadcast_shape(condition.shape, shape, "where"), a.dtype)
    kernels.where(condition, a, b, out)
    return out


# Rules meet where() with a number for a branch, in the dtype of the other.
where: Any = declare(
    "where",
    "condition: Tensor, input: Tensor | float, other: Tensor | float",
    _where_forward,
    rules={
        "input": lambda g, condition: where(condition, g, 0),
        "other": lambda g, condition: where(condition, 0, g),
    },
    summary="Choose from input where the condition is true, from other elsewhere.",
    integral=True,
    samples=samples.choices(),
)


def _branch(name: str, value: Any, beside: Any) -> Any:
    """Make a tensor of a branch that is a number, in the dtype it takes beside the other."""
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, _NUMBERS):
        raise TypeError(
            f"where(): argument {name!r} must be Tensor or a number, not {type(value).__name__}"
        )
    if isinstance(beside, Tensor):
        return wrap(number_array(value, beside._array.dtype))
    return wrap(number_array(value, BOOL))


_MISSING: Any = object()


@publish(
    "condition: Tensor, input: Tensor | float = ..., other: Tensor | float = ...", name="where"
)
def _where(condition: Any, input: Any = _MISSING, other: Any = _MISSING) -> Any:
    """Choose from input where the condition is true, from other elsewhere.

    Args:
        condition: a bool tensor; if it is the only argument, of any dtype.
        input: a tensor that broadcasts with it, or a number.
        other: likewise.

    Returns:
        A tensor of the common dtype; with the condition alone, where it is nonzero: a tuple of
        int64 tensors, the indices in each dimension.

    Raises:
        RuntimeError: a condition that is not bool, shapes that do not broadcast, an integer that
            the other branch's dtype cannot hold.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor([1.0, -2.0])
        >>> mt.where(x > 0, x, 0.0)
        tensor([1., 0.])
    """
    if not isinstance(condition, Tensor):
        refuse("where", "condition", condition)
    if input is _MISSING and other is _MISSING:
        places = computed(np.nonzero, np.atleast_1d(condition._array))
        return tuple(wrap(each.astype(dtypes.int64.numpy, copy=False)) for each in places)
    if input is _MISSING or other is _MISSING:
        raise TypeError("where(): expected a condition alone, or with both input and other")
    first = _branch("input", input, other)
    return where.op.public(condition, first, _branch("other", other, input))


@publish("input: Tensor, condition: Tensor, other: Tensor | float", namespaces=(), method="where")
def _where_method(input: Tensor, condition: Tensor, other: Any) -> Tensor:
    """Keep the elements where the condition is true, and take those of other elsewhere."""
    return _where(condition, input, other)
