"""The largest and the smallest, in all or along dimensions, and where they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels, return_types
from microtensor.ops import samples
from microtensor.ops.arithmetic import div, mul
from microtensor.ops.arrays import Array, dims_of, dropped, empty, kept_shape, reduced_shape
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq, isnan, logical_and, logical_or
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.picking import choice, one_dim, refuse_empty
from microtensor.ops.reductions import CASES, spread, sum
from microtensor.ops.shape import reshape
from microtensor.tensor import Tensor

_INT64, _BOOL = np.dtype(np.int64), np.dtype(bool)


def _is_all(dim: Any) -> bool:
    return dim is None or (isinstance(dim, tuple | list) and not dim)


def _shared(g: Any, chosen: Any, dim: Any) -> Any:
    """Divide a gradient among the elements that a mask of ones and zeros chooses."""
    count = sum(chosen, dim if dim is not None else (), keepdim=True)
    # Divided before it is spread: there are fewer quotients. The mask is float32, exact for ones
    # and their number.
    return mul(spread(div(g, reshape(count, g.shape)), chosen.shape, dim), chosen)


def _extreme(name: str, kernel: Callable[..., None], word: str) -> Any:
    def forward(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
        dims = dims_of(dim, x.ndim, name)
        if not x.size:
            refuse_empty(name, x.shape, None if _is_all(dim) else dims)
        out = empty(reduced_shape(x.shape, dims, keepdim), x.dtype)
        kernel(x, dims, out)
        return out

    def rule(g: Any, x: Any, y: Any, dim: Any) -> Any:
        return _shared(g, where(eq(x, spread(y, x.shape, dim)), 1.0, 0.0), dim)

    return declare(
        name,
        "input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False",
        forward,
        rules={"input": rule},
        summary=f"Give the {word} element, of all or over dimensions; equal ones share the "
        "gradient.",
        integral=True,
        method=name,
        samples=samples.given(*CASES),
    )


amax = _extreme("amax", kernels.amax, "largest")
amin = _extreme("amin", kernels.amin, "smallest")


def _arg_extreme(name: str, kernel: Callable[..., None], word: str) -> Any:
    def forward(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
        if x.dtype == _BOOL:
            raise RuntimeError(f"{name}(): does not support bool input; convert with .int()")
        if dim is not None:
            one_dim(name, dim)
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
        if x.size:
            kernel(x, dims[0] if dims else None, out)
        return dropped(out, dims, keepdim)

    return declare(
        name,
        "input: Tensor, dim: int | None = None, keepdim: bool = False",
        forward,
        summary=f"Give the index of the {word} element, in all or along a dimension: the first of "
        "equals.",
        integral=True,
        method=name,
    )


argmax = _arg_extreme("argmax", kernels.argmax, "largest")
argmin = _arg_extreme("argmin", kernels.argmin, "smallest")


def refuse_keepdim(op: str, keepdim: bool) -> None:
    """Refuse to keep dimensions where there is no dim, which PyTorch has no form for."""
    if keepdim:
        raise TypeError(f"{op}(): keepdim needs a dim; of all elements there is a 0-d result")


# ---- one for all --------------------------------------------------------------------------------


def whole(name: str, kernel: Callable[[Array, Array], None], summary: str) -> Any:
    """Declare an op that chooses one element of all; its equals, or all NaNs, share the gradient.

    ``kernel(x, out)`` writes the element.
    """

    def forward(x: Array) -> Array:
        out = empty((), x.dtype)
        kernel(x, out)
        return out

    def rule(g: Any, x: Any, y: Any) -> Any:
        value = spread(y, x.shape, None)
        same = logical_or(eq(x, value), logical_and(isnan(x), isnan(value)))
        return _shared(g, where(same, 1.0, 0.0), None)

    return declare(
        name,
        "input: Tensor",
        forward,
        rules={"input": rule},
        summary=summary,
        integral=True,
        namespaces=(),
        samples=samples.given((((3, 4),), {}), (((5,),), {}), (((),), {})),
    )


def _whole_extreme(name: str, kernel: Any, word: str) -> Any:
    def choose(x: Array, out: Array) -> None:
        refuse_empty(name, x.shape, None)
        kernel(x, tuple(range(x.ndim)), out.reshape((1,) * x.ndim))

    return whole(
        f"{name}_of_all",
        choose,
        f"Give the {word} of all elements; equal ones share the gradient.",
    )


_max_of_all = _whole_extreme("max", kernels.amax, "largest")
_min_of_all = _whole_extreme("min", kernels.amin, "smallest")


# ---- along a dimension, with places -------------------------------------------------------------

_max = choice("max", kernels.argmax, "Give the largest along a dimension, the first of equals.")
_min = choice("min", kernels.argmin, "Give the smallest along a dimension, the first of equals.")

_EXTREME = "input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False"


@publish(f"{_EXTREME}, *, other: Tensor | None = None", method="max")
def max(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """Give the largest element, the largest along a dimension, or the larger of two tensors.

    Args:
        input: any tensor; NaN is greater than all.
        dim: None for all elements, where equals share the gradient; a dimension, for (values,
            indices) along it, where the first of equals is chosen; or a second tensor, as
            :func:`maximum`.
        keepdim: keep the reduced dimension with length 1.
        other: a second tensor, by name.

    Returns:
        A 0-d tensor, or a named tuple (values, indices).

    Raises:
        RuntimeError: nothing to choose from, in all.
        IndexError: nothing to choose from along the dimension.
    """
    if not isinstance(input, Tensor):
        refuse("max", "input", input)
    if other is not None or isinstance(dim, Tensor):
        return input.maximum(dim if other is None else other)
    if dim is None:
        refuse_keepdim("max", keepdim)
        return _max_of_all(input)
    return _max(input, dim, keepdim)


@publish(f"{_EXTREME}, *, other: Tensor | None = None", method="min")
def min(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """Give the smallest element, the smallest along a dimension, or the smaller of two tensors.

    Args:
        input: any tensor; NaN is smaller than all.
        dim: None for all elements, where equals share the gradient; a dimension, for (values,
            indices) along it, where the first of equals is chosen; or a second tensor, as
            :func:`minimum`.
        keepdim: keep the reduced dimension with length 1.
        other: a second tensor, by name.

    Returns:
        A 0-d tensor, or a named tuple (values, indices).

    Raises:
        RuntimeError: nothing to choose from, in all.
        IndexError: nothing to choose from along the dimension.
    """
    if not isinstance(input, Tensor):
        refuse("min", "input", input)
    if other is not None or isinstance(dim, Tensor):
        return input.minimum(dim if other is None else other)
    if dim is None:
        refuse_keepdim("min", keepdim)
        return _min_of_all(input)
    return _min(input, dim, keepdim)


@publish("input: Tensor, *, dim: int | None = None, keepdim: bool = False", method="aminmax")
def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """Give the smallest and the largest element, of all or along a dimension.

    Equals share the gradient.

    Args:
        input: any tensor.
        dim: the dimension to reduce; all if None.
        keepdim: keep the reduced dimensions with length 1.

    Returns:
        A named tuple (min, max).

    Raises:
        RuntimeError: nothing to choose from, in all.
        IndexError: nothing to choose from along the dimension.
    """
    if not isinstance(input, Tensor):
        refuse("aminmax", "input", input)
    if dim is not None:
        one_dim("aminmax", dim)
    return return_types.aminmax(amin(input, dim, keepdim), amax(input, dim, keepdim))
