"""Ops that give a tensor another shape or dtype: those that derivative rules are made of.

Views where NumPy can give one, copies where it cannot. How users write them: reshaping.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.layouts import check_memory_format
from microtensor.ops import samples
from microtensor.ops.arrays import Array, copied, dims_of, empty, kept_shape, with_strides
from microtensor.ops.declare import declare
from microtensor.tensor import checked_dim

_ASKS = np.lib.NumpyVersion(np.__version__) >= "2.1.0"
"""Whether NumPy says that a shape takes a copy, which is then made by a kernel."""


def _reshape_forward(x: Array, shape: tuple[int, ...]) -> Array:
    if _ASKS and not x.flags.c_contiguous:
        try:
            return np.reshape(x, shape, copy=False)
        except ValueError:
            x = copied(x)
    try:
        return x.reshape(shape)
    except ValueError:
        raise RuntimeError(
            f"reshape: shape {list(shape)} is invalid for input of size {x.size} (shape "
            f"{list(x.shape)})"
        ) from None


reshape: Any = declare(
    "reshape",
    "input: Tensor, shape: Sequence[int]",
    _reshape_forward,
    rules={"input": lambda g, input_shape: reshape(g, input_shape)},
    summary="Give the elements another shape; one length may be -1.",
    view=True,
    integral=True,
    samples=samples.given((((3, 4),), {"shape": (2, 6)}), (((),), {"shape": (1, 1)})),
)

permute: Any = declare(
    "permute",
    "input: Tensor, dims: Sequence[int]",
    lambda x, dims: x.transpose(_permutation(dims, x.ndim)),
    rules={"input": lambda g, dims: permute(g, _inverse(dims, len(dims)))},
    summary="Reorder the dimensions.",
    view=True,
    integral=True,
    samples=samples.given((((2, 3, 4),), {"dims": (2, 0, 1)})),
)


def _permutation(dims: Sequence[int], ndim: int) -> tuple[int, ...]:
    chosen = tuple(checked_dim(d, ndim) for d in dims)
    if sorted(chosen) != list(range(ndim)):
        raise RuntimeError(f"permute: dims {tuple(dims)} is no order of {ndim} dimensions")
    return chosen


def _inverse(dims: Sequence[int], ndim: int) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argsort(_permutation(dims, ndim)))


def _transpose_forward(x: Array, dim0: int, dim1: int) -> Array:
    first, second = checked_dim(dim0, x.ndim), checked_dim(dim1, x.ndim)
    return x.swapaxes(first, second) if x.ndim else x


transpose: Any = declare(
    "transpose",
    "input: Tensor, dim0: int, dim1: int",
    _transpose_forward,
    rules={"input": lambda g, dim0, dim1: transpose(g, dim0, dim1)},
    summary="Swap two dimensions.",
    view=True,
    integral=True,
    method="transpose",
    samples=samples.given((((2, 3, 4),), {"dim0": 0, "dim1": -1})),
)


def _expand_forward(x: Array, size: tuple[int, ...]) -> Array:
    lead = len(size) - x.ndim
    if lead < 0:
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(size)}) must be greater or equal to the "
            f"number of dimensions in the tensor ({x.ndim})"
        )
    wanted, strides = [], []
    for i, n in enumerate(size):
        have, stride = (x.shape[i - lead], x.strides[i - lead]) if i >= lead else (None, 0)
        if n == -1:
            if have is None:
                raise RuntimeError("expand: -1 is not allowed in a leading, new dimension")
            n = have
        elif n < 0:
            raise RuntimeError(f"expand: {n} is no size, in {list(size)}")
        elif have is not None and have != n and have != 1:
            raise RuntimeError(
                f"expand: the expanded size ({n}) must match the existing size ({have}) at "
                f"non-singleton dimension {i}. Target sizes: {list(size)}. Tensor sizes: "
                f"{list(x.shape)}"
            )
        wanted.append(n)
        strides.append(stride if n == have else 0)
    return with_strides(x, wanted, strides)


expand: Any = declare(
    "expand",
    "input: Tensor, size: Sequence[int]",
    _expand_forward,
    # The walk itself sums a gradient down to its node's shape: nothing to add here.
    rules={"input": lambda g, input_shape: sum_to(g, input_shape)},
    summary="Repeat dimensions of length 1 without copying; -1 keeps a length.",
    view=True,
    integral=True,
    namespaces=(),
    samples=samples.given((((3, 1),), {"size": (2, 3, 4)}), (((),), {"size": (2,)})),
)


def _sum_to_forward(x: Array, shape: tuple[int, ...]) -> Array:
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(
        i + lead for i, n in enumerate(shape) if n == 1 and x.shape[i + lead] != 1
    )
    out = empty(kept_shape(x.shape, axes), x.dtype)
    kernels.sum(x, axes, out)
    return out.reshape(shape)


sum_to: Any = declare(
    "sum_to",
    "input: Tensor, shape: Sequence[int]",
    _sum_to_forward,
    rules={"input": lambda g, input_shape: expand(g, input_shape)},
    summary="Undo broadcasting: sum to a shape that broadcasts to the input's.",
    namespaces=(),
    samples=samples.given((((2, 3, 4),), {"shape": (3, 1)}), (((2, 3),), {"shape": ()})),
)


def _squeeze_forward(x: Array, dim: Any) -> Array:
    if dim is None:
        return x.squeeze()
    dims = dims_of(dim, x.ndim, "squeeze")
    return x.squeeze(tuple(d for d in dims if x.shape[d] == 1))


squeeze: Any = declare(
    "squeeze",
    "input: Tensor, dim: int | tuple[int, ...] | None = None",
    _squeeze_forward,
    rules={"input": lambda g, input_shape: reshape(g, input_shape)},
    summary="Take away dimensions of length 1: all, or those named.",
    view=True,
    integral=True,
    method="squeeze",
    samples=samples.given((((1, 3, 1),), {}), (((1, 3, 1),), {"dim": 0})),
)


def _unsqueeze_forward(x: Array, dim: int) -> Array:
    place = checked_dim(dim, x.ndim + 1)
    return x.reshape((*x.shape[:place], 1, *x.shape[place:]))


unsqueeze: Any = declare(
    "unsqueeze",
    "input: Tensor, dim: int",
    _unsqueeze_forward,
    rules={"input": lambda g, input_shape: reshape(g, input_shape)},
    summary="Insert a dimension of length 1.",
    view=True,
    integral=True,
    method="unsqueeze",
    samples=samples.given((((3, 2),), {"dim": 1}), (((),), {"dim": -1})),
)


def _copy(x: Array, memory_format: Any = None) -> Array:
    if memory_format is not None:
        check_memory_format("clone", memory_format)
    out = empty(x.shape, x.dtype)
    kernels.cast(x, out)
    return out


clone: Any = declare(
    "clone",
    "input: Tensor, *, memory_format: Any = None",
    _copy,
    rules={"input": lambda g: g},
    summary="Copy; the gradient passes through.",
    integral=True,
    method="clone",
    samples=samples.one(),
)


def _cast_forward(x: Array, dtype: Any) -> Array:
    out = empty(x.shape, dtype)
    kernels.cast(x, out)
    return out


cast: Any = declare(
    "cast",
    "input: Tensor, dtype: Any",
    _cast_forward,
    # The walk casts a gradient to its node's dtype.
    rules={"input": lambda g: g},
    summary="Convert to a dtype; the gradient comes back in the input's.",
    integral=True,
    namespaces=(),
    samples=samples.given((((3,),), {"dtype": np.dtype(np.float64)})),
)
