"""Sums, means, products and counts over dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import dtypes, kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import div, mul
from microtensor.ops.arrays import Array, dims_of, dropped, empty, kept_shape, reduced_shape
from microtensor.ops.choosing import where
from microtensor.ops.comparison import isnan, logical_not
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.scans import running_prod, shifted
from microtensor.ops.shape import reshape
from microtensor.tensor import Tensor, checked_dim

_INT64, _BOOL, _UINT8 = np.dtype(np.int64), np.dtype(bool), np.dtype(np.uint8)


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


def count_of(shape: tuple[int, ...], dim: Any) -> int:
    """Give how many elements of a shape the dimensions reduce to one."""
    count = 1
    for d in dims_of(dim, len(shape), "count"):
        count *= shape[d]
    return count


def total_dtype(x: Array, dtype: Any) -> np.dtype[Any]:
    """Give the dtype of a sum or product: int64 for integers and bools, unless one is given."""
    if dtype is not None:
        return dtypes.as_numpy_dtype(dtype)
    return x.dtype if x.dtype.kind == "f" else _INT64


def converted(x: Array, dtype: np.dtype[Any]) -> Array:
    """Convert before adding up where that is not the same as doing it while adding up."""
    if x.dtype.kind == "f" and dtype.kind != "f":
        with np.errstate(all="ignore"):
            return x.astype(dtype)
    return x


def _sum_forward(x: Array, dim: Any, keepdim: bool, dtype: Any) -> Array:
    out_dtype = x.dtype
    if dtype is not None or out_dtype.kind != "f":
        out_dtype = total_dtype(x, dtype)
        x = converted(x, out_dtype)
    dims = dims_of(dim, x.ndim, "sum")
    out = empty(reduced_shape(x.shape, dims, keepdim), out_dtype)
    kernels.sum(x, dims, out)
    return out


_REDUCED = (
    "input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False, *, "
    "dtype: Any = None"
)
CASES: tuple[Any, ...] = (
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
    samples=samples.given(*CASES),
)


def _nansum_forward(x: Array, dim: Any, keepdim: bool, dtype: Any) -> Array:
    if x.dtype.kind != "f":
        return _sum_forward(x, dim, keepdim, dtype)
    out_dtype = total_dtype(x, dtype)
    if out_dtype.kind != "f":
        return _sum_forward(np.where(np.isnan(x), 0, x), dim, keepdim, dtype)
    dims = dims_of(dim, x.ndim, "nansum")
    out = empty(kept_shape(x.shape, dims), out_dtype)
    kernels.nansum(x, dims, out)
    return dropped(out, dims, keepdim)


nansum: Any = declare(
    "nansum",
    _REDUCED,
    lambda x, dim=None, keepdim=False, dtype=None: _nansum_forward(x, dim, keepdim, dtype),
    rules={"input": lambda g, x, dim: where(isnan(x), 0.0, spread(g, x.shape, dim))},
    summary="Add up the elements that are not NaN, all or over dimensions.",
    integral=True,
    method="nansum",
    samples=samples.given(*CASES),
)


def _mean_forward(x: Array, dim: Any, keepdim: bool, dtype: Any) -> Array:
    if dtype is not None:
        x = x.astype(dtypes.as_numpy_dtype(dtype), copy=False)
    if x.dtype.kind != "f":
        raise RuntimeError(
            f"mean(): could not infer output dtype. {'Optional' if dtype else 'Input'} dtype must "
            f"be a floating point dtype. Got: {x.dtype.name}. Convert it first, with .float()."
        )
    dims = dims_of(dim, x.ndim, "mean")
    out = empty(reduced_shape(x.shape, dims, keepdim), x.dtype)
    kernels.mean(x, dims, out)
    return out


def mean_slope(g: Any, input_shape: tuple[int, ...], dim: Any) -> Any:
    """Carry a gradient through a mean."""
    return spread(div(g, float(count_of(input_shape, dim) or 1)), input_shape, dim)


mean: Any = declare(
    "mean",
    _REDUCED,
    lambda x, dim=None, keepdim=False, dtype=None: _mean_forward(x, dim, keepdim, dtype),
    rules={"input": mean_slope},
    summary="Average the elements, all or over dimensions; NaN where there are none.",
    method="mean",
    samples=samples.given(*CASES),
)


@publish(_REDUCED, method="nanmean")
def nanmean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Average the elements that are not NaN, all or over dimensions; NaN where there are none.

    Args:
        input: a floating-point tensor.
        dim: the dimensions to reduce; all if None.
        keepdim: keep the reduced dimensions with length 1.
        dtype: the floating-point dtype of the result.

    Raises:
        RuntimeError: the tensor is not of floating point.

    Example:
        >>> import microtensor as mt
        >>> mt.nanmean(mt.tensor([1.0, float("nan"), 3.0]))
        tensor(2.)
    """
    if not isinstance(input, Tensor):
        refuse("nanmean", "input", input)
    if input._array.dtype.kind != "f":
        raise RuntimeError(
            "nanmean(): expected input to have floating point dtype but got "
            f"{input.dtype.name}. Convert it first, with .float()."
        )
    present = sum(logical_not(isnan(input)), dim, keepdim)
    return div(nansum(input, dim, keepdim, dtype=dtype), present)


# ---- products -----------------------------------------------------------------------------------


def _prod_forward(x: Array, dim: Any, keepdim: bool, dtype: Any) -> Array:
    out_dtype = total_dtype(x, dtype)
    if isinstance(dim, tuple | list):
        raise TypeError(f"prod(): dim must be one integer or None, not {dim!r}")
    dims = dims_of(dim, x.ndim, "prod")
    out = empty(kept_shape(x.shape, dims), out_dtype)
    kernels.prod(converted(x, out_dtype), dims, out)
    return dropped(out, dims, keepdim)


def _prod_rule(g: Any, x: Any, dim: Any) -> Any:
    # The product of the others: of those before and those after, with no division by zeros.
    shape = x.shape
    line = reshape(x, (-1,)) if dim is None or not shape else x
    along = 0 if dim is None or not shape else checked_dim(dim, len(shape))
    before = shifted(running_prod(line, along, False), along, 1, 1.0)
    after = shifted(running_prod(line, along, True), along, -1, 1.0)
    return mul(spread(g, shape, dim), reshape(mul(before, after), shape))


prod: Any = declare(
    "prod",
    "input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None",
    lambda x, dim=None, keepdim=False, dtype=None: _prod_forward(x, dim, keepdim, dtype),
    rules={"input": _prod_rule},
    summary="Multiply the elements, all or along a dimension. Integers and bools give int64.",
    derivative="the product of the others, right where elements are zero",
    integral=True,
    method="prod",
    samples=samples.given(
        (((3, 4),), {}),
        (((3, 4),), {"dim": 1}),
        (((2, 3, 2),), {"dim": -2, "keepdim": True}),
        (((),), {}),
        (((),), {"dim": 0}),
        (((0, 2),), {"dim": 0}),
        (((0,),), {}),
    ),
)


# ---- truth and counts ---------------------------------------------------------------------------


def _truth(name: str, kernel: Any, summary: str) -> Any:
    def forward(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
        # An empty tuple reduces nothing here, where sum() takes it for all dimensions.
        dims = () if isinstance(dim, tuple | list) and not dim else dims_of(dim, x.ndim, name)
        out = empty(kept_shape(x.shape, dims), _UINT8 if x.dtype == _UINT8 else _BOOL)
        kernel(x, dims, out)
        return dropped(out, dims, keepdim)

    return declare(
        name,
        "input: Tensor, dim: int | tuple[int, ...] | None = None, keepdim: bool = False",
        forward,
        summary=summary,
        integral=True,
        method=name,
        samples=samples.given(*CASES, (((2, 3),), {"dim": ()})),
    )


all = _truth(
    "all", kernels.all, "Say whether all elements are true (nonzero), in all or over dimensions."
)
any = _truth(
    "any", kernels.any, "Say whether any element is true (nonzero), in all or over dimensions."
)


def _count_nonzero_forward(x: Array, dim: Any = None) -> Array:
    dims = dims_of(dim, x.ndim, "count_nonzero")
    out = empty(kept_shape(x.shape, dims), _INT64)
    kernels.count_nonzero(x, dims, out)
    return dropped(out, dims, False)


count_nonzero: Any = declare(
    "count_nonzero",
    "input: Tensor, dim: int | tuple[int, ...] | None = None",
    _count_nonzero_forward,
    summary="Count the elements that are not zero, in all or over dimensions.",
    integral=True,
    method="count_nonzero",
    samples=samples.given((((3, 4),), {}), (((2, 3, 4),), {"dim": (0, -1)}), (((),), {})),
)
