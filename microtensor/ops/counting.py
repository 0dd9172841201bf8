"""Counting: how often numbers occur, and how many elements lie in bins. None has a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels, return_types
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import publish, refuse
from microtensor.tensor import Tensor, wrap

_INT64 = np.dtype(np.int64)


@publish("input: Tensor, weights: Tensor | None = None, minlength: int = 0", method="bincount")
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """Count how often each number occurs, or add up the weights of its places.

    Args:
        input: a 1-d tensor of integers, none negative.
        weights: one for each element.
        minlength: the least length of the result.

    Returns:
        int64 counts, from 0 to the largest number; with weights, their sums: float32 for float32
        weights, float64 for all others.

    Raises:
        RuntimeError: anything else for input, weights of another shape, a negative length.

    Example:
        >>> import microtensor as mt
        >>> mt.bincount(mt.tensor([1, 1, 3]))
        tensor([0, 2, 0, 1])
    """
    if not isinstance(input, Tensor):
        refuse("bincount", "input", input)
    x = input._array
    if x.dtype.kind not in "iu" or x.ndim != 1 or (x.size and x.min() < 0):
        raise RuntimeError(
            "bincount only supports 1-d non-negative integral inputs; got "
            f"{input.dtype.name} of shape {list(x.shape)}"
        )
    if minlength < 0:
        raise RuntimeError(f"bincount: minlength should be >= 0, got {minlength}")
    dtype: Any = _INT64
    given = None
    if weights is not None:
        if not isinstance(weights, Tensor):
            refuse("bincount", "weights", weights)
        given = weights._array
        if given.shape != x.shape:
            raise RuntimeError(
                "bincount: weights should be 1-d and have the same length as input, got "
                f"{list(given.shape)} for {list(x.shape)}"
            )
        dtype = given.dtype if given.dtype == np.float32 else np.dtype(np.float64)
    length = max(minlength, int(x.max()) + 1 if x.size else 0)
    out = empty(length, dtype)
    if length:
        kernels.bincount(x.astype(np.int64), given, out)
    return wrap(out)


def _checked_for_bins(name: str, input: Any) -> Array:
    if not isinstance(input, Tensor):
        refuse(name, "input", input)
    if input._array.dtype.kind != "f":
        raise RuntimeError(
            f"{name}: not defined for {input.dtype.name} tensors; convert with .float()"
        )
    return input._array.reshape(-1)


def _edges(name: str, x: Array, bins: int, low: float, high: float) -> Array:
    """Give evenly spaced edges between two bounds, or the elements' own where those are equal."""
    if bins <= 0:
        raise RuntimeError(f"{name}(): bins must be > 0, but got {bins}")
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    elif low == high == 0 and name == "histogram":
        high = 1.0
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"{name}: range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(f"{name}: max must be larger than min, got [{low}, {high}]")
    if low == high:
        margin = 1.0 if name == "histc" else 0.5
        low, high = low - margin, high + margin
    return np.linspace(low, high, bins + 1, dtype=np.float64)


@publish(
    "input: Tensor, bins: int = 100, min: float = 0, max: float = 0",
    method="histc",
)
def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Count the elements in bins of equal width between two bounds; others and NaN do not count.

    Args:
        input: a floating-point tensor.
        bins: how many.
        min: the lower bound.
        max: the upper bound, which belongs to the last bin. If the bounds are equal, the
            smallest and the largest element are taken.

    Returns:
        ``bins`` counts, of the input's dtype.

    Raises:
        RuntimeError: not of floating point, no bins, bounds that are not finite or not in order.

    Example:
        >>> import microtensor as mt
        >>> mt.histc(mt.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
        tensor([0., 2., 1., 0.])
    """
    x = _checked_for_bins("histc", input)
    out = empty(bins if bins > 0 else 0, x.dtype)
    kernels.histogram(x, _edges("histc", x, bins, min, max), None, out)
    return wrap(out)


@publish(
    "input: Tensor, bins: Tensor | int, *, range: tuple[float, float] | None = None, "
    "weight: Tensor | None = None, density: bool = False",
    method="histogram",
)
def histogram(
    input: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False
) -> Any:
    """Count the elements in bins, or add up their weights.

    An element on an edge belongs to the bin above it, and on the last edge to the last bin.

    Args:
        input: a floating-point tensor.
        bins: how many of equal width, or a 1-d tensor of their rising edges.
        range: the bounds for a number of bins; the smallest and the largest element if missing.
        weight: one for each element.
        density: divide by the sum and the bins' widths, which gives a density.

    Returns:
        A named tuple (hist, bin_edges).

    Raises:
        RuntimeError: not of floating point, no bins, a range that is not finite or not in order.
    """
    x = _checked_for_bins("histogram", input)
    given = None
    if weight is not None:
        if not isinstance(weight, Tensor):
            refuse("histogram", "weight", weight)
        if weight._array.shape != input._array.shape or weight._array.dtype != x.dtype:
            raise RuntimeError(
                "histogram(): weight must have the input's shape and dtype, "
                f"{list(input._array.shape)} and {input.dtype.name}; got "
                f"{list(weight._array.shape)} and {weight.dtype.name}"
            )
        given = weight._array.reshape(-1)
    if isinstance(bins, Tensor):
        edges = bins._array
        if edges.ndim != 1 or edges.dtype != x.dtype or len(edges) < 2:
            raise RuntimeError(
                "histogram(): bins must be a 1-d tensor of at least two edges of the input's dtype"
            )
    else:
        edges = _edges("histogram", x, bins, *(range or (0.0, 0.0)))
    total = empty(len(edges) - 1, np.dtype(np.float64))
    kernels.histogram(x, edges, given, total)
    if density:
        total /= total.sum() * np.diff(edges)
    return return_types.histogram(wrap(total.astype(x.dtype)), wrap(edges.astype(x.dtype)))
