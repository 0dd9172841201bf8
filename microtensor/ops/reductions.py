"""Sums, means and extremes over dimensions."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import dtypes, kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import div, mul
from microtensor.ops.arrays import Array, dims_of, dropped, empty, kept_shape
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.shape import reshape
from microtensor.tensor import Tensor, checked_dim, wrap

_INT64 = np.dtype(np.int64)


def _spread_forward(x: Array, shape: tuple[int, ...], dim: Any) -> Array:
    out = empty(shape, x.dtype)
    kernels.cast(x.reshape(kept_shape(shape, dims_of(dim, len(shape), "sum"))), out)
    return out


# A copy, not an expanded view: the kernels that come next in the walk take contiguous arrays.
spread: Any = declare(
    "spread",
    "input: Tensor, shape: Sequence[int], dim: Any",
    _spread_forward,
    rules={"input": lambda g, input_shape, dim: reshape(sum(g, dim), input_shape)},
    summary="Repeat what was reduced over dimensions to the shape it had: the adjoint of sum.",
    namespaces=(),
    samples=samples.given(
        (((2,),), {"shape": (2, 3), "dim": 1}), (((),), {"shape": (2, 3), "dim": None})
    ),
)


def _sum_forward(x: Array, dim: Any, keepdim: bool, dtype: Any) -> Array:
    if dtype is not None:
        out_dtype = dtypes.as_numpy_dtype(dtype)
    else:
        out_dtype = x.dtype if x.dtype.kind == "f" else _INT64
    dims = dims_of(dim, x.ndim, "sum")
    out = empty(kept_shape(x.shape, dims), out_dtype)
    kernels.sum(x, dims, out)
    return dropped(out, dims, keepdim)


_REDUCED = (
    "input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False, *, "
    "dtype: Any = None"
)
_CASES: tuple[Any, ...] = (
    (((3, 4),), {}),
    (((3, 4),), {"dim": 1}),
    (((2, 3, 4),), {"dim": (0, -1), "keepdim": True}),
    (((),), {}),
    (((2, 3),), {"dim": 0}),
)

sum: Any = declare(
    "sum",
    _REDUCED,
    lambda x, dim=None, keepdim=False, dtype=None: _sum_forward(x, dim, keepdim, dtype),
    rules={"input": lambda g, input_shape, dim: spread(g, input_shape, dim)},
    summary="Add up the elements, all or over dimensions. Integers and bools give int64.",
    integral=True,
    method="sum",
    samples=samples.given(*_CASES),
)


def _mean_forward(x: Array, dim: Any, keepdim: bool, dtype: Any) -> Array:
    if dtype is not None:
        x = x.astype(dtypes.as_numpy_dtype(dtype), copy=False)
    if x.dtype.kind != "f":
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be a floating point dtype. "
            f"Got: {x.dtype.name}. Convert it first, with .float()."
        )
    dims = dims_of(dim, x.ndim, "mean")
    out = empty(kept_shape(x.shape, dims), x.dtype)
    kernels.mean(x, dims, out)
    return dropped(out, dims, keepdim)


def _mean_rule(g: Any, input_shape: tuple[int, ...], dim: Any) -> Any:
    count = 1
    for d in dims_of(dim, len(input_shape), "mean"):
        count *= input_shape[d]
    return spread(div(g, float(max_of(count, 1))), input_shape, dim)


def max_of(a: int, b: int) -> int:
    """Give the larger of two plain integers (``max`` here is the op)."""
    return a if a > b else b


mean: Any = declare(
    "mean",
    _REDUCED,
    lambda x, dim=None, keepdim=False, dtype=None: _mean_forward(x, dim, keepdim, dtype),
    rules={"input": _mean_rule},
    summary="Average the elements, all or over dimensions; NaN where there are none.",
    method="mean",
    samples=samples.given(*_CASES),
)


def _extreme(name: str, kernel: Callable[..., None], word: str) -> Any:
    def forward(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
        dims = dims_of(dim, x.ndim, name)
        if any(x.shape[d] == 0 for d in dims):
            raise IndexError(
                f"{name}(): expected reduction dim to have non-zero size; the shape is "
                f"{list(x.shape)}"
            )
        out = empty(kept_shape(x.shape, dims), x.dtype)
        kernel(x, dims, out)
        return dropped(out, dims, keepdim)

    def rule(g: Any, x: Any, y: Any, dim: Any) -> Any:
        # Equal elements share the gradient.
        mask = where(eq(x, spread(y, x.shape, dim)), 1.0, 0.0)
        count = sum(mask, dim if dim is not None else (), keepdim=True)
        # The mask is float32, exact for ones; the quotient is not, so it comes last.
        return div(mul(spread(g, x.shape, dim), mask), count)

    return declare(
        name,
        "input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False",
        forward,
        rules={"input": rule},
        summary=f"Give the {word} element, of all or over dimensions; equal ones share the "
        "gradient.",
        integral=True,
        method=name,
        samples=samples.given(*_CASES),
    )


amax = _extreme("amax", kernels.amax, "largest")
amin = _extreme("amin", kernels.amin, "smallest")


def _one_dim(op: str, dim: Any) -> None:
    if not isinstance(dim, int | np.integer) or isinstance(dim, bool):
        raise TypeError(
            f"{op}(): dim must be one integer, not {dim!r}; amax() and amin() take several"
        )


def _arg_extreme(name: str, kernel: Callable[..., None], word: str) -> Any:
    def forward(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
        if dim is not None:
            _one_dim(name, dim)
        if x.size == 0 and (dim is None or x.shape[dims_of(dim, x.ndim, name)[0]] == 0):
            raise IndexError(
                f"{name}(): expected reduction dim to be specified for input.numel() == 0, and to "
                f"have non-zero size; the shape is {list(x.shape)}"
            )
        if dim is None:
            out = empty((1,) * x.ndim, _INT64)
            kernel(x, None, out)
            return dropped(out, tuple(range(x.ndim)), keepdim)
        dims = dims_of(dim, x.ndim, name)
        out = empty(kept_shape(x.shape, dims), _INT64)
        kernel(x, dims[0] if dims else None, out)
        return dropped(out, dims, keepdim)

    return declare(
        name,
        "input: Tensor, dim: int | None = None, keepdim: bool = False",
        forward,
        summary=f"Give the index of the {word} element, in all or along a dimension.",
        integral=True,
        method=name,
    )


argmax = _arg_extreme("argmax", kernels.argmax, "largest")
argmin = _arg_extreme("argmin", kernels.argmin, "smallest")


# ---- the largest along a dimension, with its place ----------------------------------------------


def _pick_forward(x: Array, index: Array, dim: int) -> Array:
    out = empty(index.shape, x.dtype)
    kernels.take_along(x, index, dim, out)
    return out


pick: Any = declare(
    "pick",
    "input: Tensor, index: Tensor, dim: int",
    _pick_forward,
    rules={"input": lambda g, input_shape, index, dim: place(g, index, dim, input_shape)},
    summary="Take one element along a dimension, by an index that names each place once.",
    integral=True,
    namespaces=(),
)


def _place_forward(x: Array, index: Array, dim: int, shape: tuple[int, ...]) -> Array:
    out = empty(shape, x.dtype)
    kernels.put_along(x, index, dim, out)
    return out


place: Any = declare(
    "place",
    "input: Tensor, index: Tensor, dim: int, shape: Sequence[int]",
    _place_forward,
    rules={"input": lambda g, index, dim: pick(g, index, dim)},
    summary="Put elements into zeros along a dimension: the adjoint of pick.",
    namespaces=(),
)


def _extreme_along(input: Tensor, dim: int, keepdim: bool, index_of: Any, kind: Any) -> Any:
    _one_dim(kind.__name__, dim)
    shape = input._array.shape
    if shape and shape[checked_dim(dim, len(shape))] == 0:
        raise IndexError(
            f"{kind.__name__}(): expected reduction dim {dim} to have non-zero size; the shape is "
            f"{list(shape)}"
        )
    if input._array.ndim == 0:
        return kind(input.clone(), wrap(np.zeros((), _INT64)))
    index = index_of(input, dim, True)
    values = pick(input, index, dims_of(dim, input._array.ndim, kind.__name__)[0])
    if keepdim:
        return kind(values, index)
    return kind(values.squeeze(dim), index.squeeze(dim))


def _refuse_empty(op: str, input: Tensor) -> None:
    if not input._array.size:
        raise RuntimeError(
            f"{op}(): expected reduction dim to be specified for an empty tensor; the shape is "
            f"{list(input._array.shape)}"
        )


class _max(namedtuple("max", ["values", "indices"])):
    __slots__ = ()


class _min(namedtuple("min", ["values", "indices"])):
    __slots__ = ()


_max.__name__, _min.__name__ = "max", "min"
_EXTREME = "input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False"


@publish(_EXTREME, method="max")
def max(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Give the largest element, the largest along a dimension, or the larger of two tensors.

    Args:
        input: any tensor.
        dim: None for all elements; a dimension, for (values, indices) along it; or a second
            tensor, as :func:`maximum`.
        keepdim: keep the reduced dimension with length 1.

    Returns:
        A 0-d tensor, or a named tuple (values, indices).
    """
    if not isinstance(input, Tensor):
        refuse("max", "input", input)
    if dim is None:
        _refuse_empty("max", input)
        return amax(input)
    if isinstance(dim, Tensor):
        return input.maximum(dim)
    return _extreme_along(input, dim, keepdim, argmax, _max)


@publish(_EXTREME, method="min")
def min(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Give the smallest element, the smallest along a dimension, or the smaller of two tensors.

    Args:
        input: any tensor.
        dim: None for all elements; a dimension, for (values, indices) along it; or a second
            tensor, as :func:`minimum`.
        keepdim: keep the reduced dimension with length 1.

    Returns:
        A 0-d tensor, or a named tuple (values, indices).
    """
    if not isinstance(input, Tensor):
        refuse("min", "input", input)
    if dim is None:
        _refuse_empty("min", input)
        return amin(input)
    if isinstance(dim, Tensor):
        return input.minimum(dim)
    return _extreme_along(input, dim, keepdim, argmin, _min)


def _truth(name: str, reduction: Any, summary: str) -> Any:
    def function(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if not isinstance(input, Tensor):
            refuse(name, "input", input)
        dims = dims_of(dim, input._array.ndim, name)
        return wrap(np.asarray(reduction(input._array, axis=dims, keepdims=keepdim)))

    function.__name__ = name
    function.__doc__ = f"{summary}\n\nNot differentiable."
    return publish(
        "input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False",
        method=name,
        name=name,
    )(function)


_truth("all", np.all, "Say whether all elements are true (nonzero), in all or over dimensions.")
_truth("any", np.any, "Say whether any element is true (nonzero), in all or over dimensions.")
