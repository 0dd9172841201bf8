"""What runs along a dimension and keeps every step: cumulative sums, products, extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import dtypes, kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import mul, sub
from microtensor.ops.arrays import Array, empty
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq, isinf, logical_and, logical_xor
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.indexing import index_view
from microtensor.ops.joining import cat
from microtensor.ops.picking import arrangement, one_dim
from microtensor.ops.powers import exp
from microtensor.ops.shape import cast
from microtensor.tensor import Tensor, checked_dim

_INT64, _BOOL = np.dtype(np.int64), np.dtype(bool)


def _along(kernel: Any, x: Array, dim: int, *arguments: Any) -> Array:
    """Run a kernel along a dimension; a 0-d array is a line of one element."""
    dim = checked_dim(dim, x.ndim)
    out = empty(x.shape, x.dtype)
    if x.ndim:
        kernel(x, dim, *arguments, out)
    else:
        kernel(x.reshape(1), 0, *arguments, out.reshape(1))
    return out


_LINES = (((3, 4), {"dim": 1}), ((2, 3, 2), {"dim": -2}), ((4,), {"dim": 0}), ((), {"dim": 0}))


def _lines(**arguments: Any) -> Any:
    found = [((shape,), {**given, **arguments}) for shape, given in _LINES]
    return samples.given(*found, (((0, 2),), {"dim": 0, **arguments}))


# ---- sums ---------------------------------------------------------------------------------------

running_sum: Any = declare(
    "running_sum",
    "input: Tensor, dim: int, reverse: bool",
    lambda x, dim, reverse: _along(kernels.running_sum, x, dim, reverse),
    rules={"input": lambda g, dim, reverse: running_sum(g, dim, not reverse)},
    summary="Add up what lies up to each place along a dimension, or from it to the end.",
    integral=True,
    namespaces=(),
    samples=_lines(reverse=False),
)


# ---- products, and what their gradients are made of ---------------------------------------------


def _shifted_forward(x: Array, dim: int, by: int, fill: float) -> Array:
    return _along(kernels.shift, x, dim, by, fill)


shifted: Any = declare(
    "shifted",
    "input: Tensor, dim: int, by: int, fill: float",
    _shifted_forward,
    rules={"input": lambda g, dim, by: shifted(g, dim, -by, 0.0)},
    summary="Move the elements along a dimension by one place, forward or back.",
    namespaces=(),
    samples=_lines(by=-1, fill=0.5),
)


def _recurrence_forward(x: Array, factor: Array, dim: int, reverse: bool) -> Array:
    def kernel(a: Array, axis: int, out: Array) -> None:
        kernels.recurrence(a, factor.reshape(a.shape), axis, reverse, out)

    return _along(kernel, x, dim)


# The one scan whose gradients are scans of its kind: what cumulative products need, with no
# division, so that zeros among the elements are nothing special.
recurrence: Any = declare(
    "recurrence",
    "input: Tensor, factor: Tensor, dim: int, reverse: bool",
    _recurrence_forward,
    rules={
        "input": lambda g, factor, dim, reverse: _adjoint(g, factor, dim, reverse),
        "factor": lambda g, factor, y, dim, reverse: mul(
            _adjoint(g, factor, dim, reverse), shifted(y, dim, -1 if reverse else 1, 0.0)
        ),
    },
    summary="Solve y[i] = input[i] + factor[i]·y[i-1] along a dimension, or from its end.",
    formula="input[i] + factor[i]·y[i-1]",
    namespaces=(),
    samples=samples.given(
        (((3, 4), (3, 4)), {"dim": 1, "reverse": False}),
        (((2, 3, 2), (2, 3, 2)), {"dim": 1, "reverse": True}),
        (((4,), (4,)), {"dim": 0, "reverse": False}),
        (((), ()), {"dim": 0, "reverse": True}),
    ),
)


def _adjoint(g: Any, factor: Any, dim: int, reverse: bool) -> Any:
    """Carry a gradient through a recurrence the other way: g[i] + factor[i+1]·(that of i+1)."""
    return recurrence(g, shifted(factor, dim, 1 if reverse else -1, 0.0), dim, not reverse)


def _running_prod_rule(g: Any, x: Any, y: Any, dim: int, reverse: bool) -> Any:
    # What comes before an element times what the later ones make of it.
    before = shifted(y, dim, -1 if reverse else 1, 1.0)
    return mul(before, _adjoint(g, x, dim, reverse))


running_prod: Any = declare(
    "running_prod",
    "input: Tensor, dim: int, reverse: bool",
    lambda x, dim, reverse: _along(kernels.running_prod, x, dim, reverse),
    rules={"input": _running_prod_rule},
    summary="Multiply what lies up to each place along a dimension, or from it to the end.",
    integral=True,
    namespaces=(),
    samples=_lines(reverse=True),
)


def _as_total(input: Any, name: str, dtype: Any) -> Tensor:
    """Give a tensor in the dtype in which its sums or products are given."""
    if not isinstance(input, Tensor):
        refuse(name, "input", input)
    given = input._array.dtype
    if dtype is not None:
        wanted = dtypes.as_numpy_dtype(dtype)
    else:
        wanted = given if given.kind == "f" else _INT64
    result: Tensor = input if given == wanted else cast(input, wanted)
    return result


def _checked_along(input: Tensor, dim: Any, name: str) -> int:
    one_dim(name, dim)
    return checked_dim(int(dim), input._array.ndim)


_CUMULATIVE = "input: Tensor, dim: int, *, dtype: Any = None"


@publish(_CUMULATIVE, method="cumsum", inplace=True)
def cumsum(input: Any, dim: int, *, dtype: Any = None) -> Tensor:
    """Add up along a dimension, keeping every step. Integers and bools give int64.

        y[i] = x[0] + ... + x[i]

    Args:
        input: any tensor.
        dim: the dimension to run along.
        dtype: of the result, and in which it is computed.

    Example:
        >>> import microtensor as mt
        >>> mt.tensor([1, 2, 3]).cumsum(0)
        tensor([1, 3, 6])
    """
    input = _as_total(input, "cumsum", dtype)
    return running_sum(input, _checked_along(input, dim, "cumsum"), False)


@publish(_CUMULATIVE, method="cumprod", inplace=True)
def cumprod(input: Any, dim: int, *, dtype: Any = None) -> Tensor:
    """Multiply along a dimension, keeping every step. Integers and bools give int64.

        y[i] = x[0] · ... · x[i]

    The gradient is right where elements are zero.

    Args:
        input: any tensor.
        dim: the dimension to run along.
        dtype: of the result, and in which it is computed.

    Example:
        >>> import microtensor as mt
        >>> mt.tensor([1, 2, 3, 4]).cumprod(0)
        tensor([ 1,  2,  6, 24])
    """
    input = _as_total(input, "cumprod", dtype)
    return running_prod(input, _checked_along(input, dim, "cumprod"), False)


# ---- log of sums of exponentials ----------------------------------------------------------------


def _logcumsumexp_forward(x: Array, dim: int) -> Array:
    if x.dtype.kind != "f":
        raise RuntimeError(
            f"logcumsumexp: not defined for {x.dtype.name} tensors; convert with .float()"
        )
    return _along(kernels.logcumsumexp, x, dim)


def _logcumsumexp_rule(g: Any, x: Any, y: Any, dim: int) -> Any:
    # dx[k] = Σ g[i] exp(x[k] - y[i]) over i >= k, with factors between 0 and 1 only. After the
    # last comes infinity, where nothing is taken from; equal infinities have the ratio 1.
    after = shifted(y, dim, -1, float("inf"))
    equal = logical_and(eq(y, after), isinf(y))
    ratio = exp(sub(where(equal, 0.0, y), where(equal, 0.0, after)))
    return mul(exp(sub(x, y)), recurrence(g, ratio, dim, True))


logcumsumexp: Any = declare(
    "logcumsumexp",
    "input: Tensor, dim: int",
    _logcumsumexp_forward,
    rules={"input": _logcumsumexp_rule},
    summary="Give the logarithm of the cumulative sum of exponentials, without overflow.",
    formula="log Σ exp x[j] over j ≤ i",
    method="logcumsumexp",
    samples=_lines(),
)


# ---- extremes -----------------------------------------------------------------------------------


def _running_places(name: str, kernel: Any) -> Any:
    def places(x: Array, dim: int) -> Array:
        one_dim(name, dim)
        index = np.zeros(x.shape, _INT64)
        along = checked_dim(int(dim), x.ndim)
        if x.ndim:
            kernel(x, along, index)
        return index

    return places


_cummax = arrangement(
    "cummax",
    "dim: int",
    _running_places("cummax", kernels.cummax_index),
    "Give the largest so far along a dimension, and where it is.",
    once=False,
)
_cummin = arrangement(
    "cummin",
    "dim: int",
    _running_places("cummin", kernels.cummin_index),
    "Give the smallest so far along a dimension, and where it is.",
    once=False,
)


@publish("input: Tensor, dim: int", method="cummax")
def cummax(input: Any, dim: int) -> Any:
    """Give the largest so far along a dimension, and where it is: the last of equals.

    Args:
        input: any tensor; NaN is greater than all.
        dim: the dimension to run along.

    Returns:
        A named tuple (values, indices).
    """
    return _cummax.op.public(input, dim)


@publish("input: Tensor, dim: int", method="cummin")
def cummin(input: Any, dim: int) -> Any:
    """Give the smallest so far along a dimension, and where it is: the last of equals.

    Args:
        input: any tensor; NaN is smaller than all.
        dim: the dimension to run along.

    Returns:
        A named tuple (values, indices).
    """
    return _cummin.op.public(input, dim)


# ---- differences --------------------------------------------------------------------------------


@publish(
    "input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, "
    "append: Tensor | None = None",
    method="diff",
)
def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """Give the differences of neighbours along a dimension, n times over.

        y[i] = x[i + 1] - x[i]

    Args:
        input: a tensor of at least one dimension; bools differ where they are unequal.
        n: how many times.
        dim: the dimension to go along.
        prepend: what to put before the input, first.
        append: what to put after it.

    Raises:
        RuntimeError: a 0-d tensor, a negative n, or a shape that cannot be joined to the input's.

    Example:
        >>> import microtensor as mt
        >>> mt.diff(mt.tensor([1, 4, 9]))
        tensor([3, 5])
    """
    if not isinstance(input, Tensor):
        refuse("diff", "input", input)
    if not input._array.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = _checked_along(input, dim, "diff")
    for name, other in (("prepend", prepend), ("append", append)):
        if other is not None and not isinstance(other, Tensor):
            refuse("diff", name, other)
        if other is not None and other._array.ndim != input._array.ndim:
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    parts = [each for each in (prepend, input, append) if each is not None]
    line = cat(parts, dim) if len(parts) > 1 else input
    lead = (slice(None),) * dim
    apart = logical_xor if line._array.dtype == _BOOL else sub
    length = line._array.shape[dim]
    if n == 0:
        return line.clone()
    for left in range(length, max(length - n, 0), -1):
        line = apart(
            index_view(line, (*lead, slice(1, left))), index_view(line, (*lead, slice(left - 1)))
        )
    return line
