"""Interpolation on a grid: images, signals and volumes made larger or smaller."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, empty, known
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.pooling_functions import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from microtensor.ops.shape import clone
from microtensor.tensor import Tensor

# The dimensions of an input, batches and channels among them, that a mode is for.
_MODES = {
    "nearest": (3, 4, 5),
    "nearest-exact": (3, 4, 5),
    "area": (3, 4, 5),
    "linear": (3,),
    "bilinear": (4,),
    "bicubic": (4,),
    "trilinear": (5,),
}
_UNALIGNED = ("nearest", "nearest-exact", "area")


def _resample_forward(x: Array, dim: int, index: Array, weights: Array | None) -> Array:
    out = empty((*x.shape[:dim], index.shape[1], *x.shape[dim + 1 :]), x.dtype)
    kernels.resample(x, dim, index, weights, out)
    return out


def _adjoint_forward(g: Array, dim: int, index: Array, weights: Array | None, length: int) -> Array:
    out = empty((*g.shape[:dim], length, *g.shape[dim + 1 :]), g.dtype)
    kernels.resample_adjoint(g, dim, index, weights, out)
    return out


_INDEX, _WEIGHTS = (
    np.array([[0, 1, 1, 2], [1, 1, 2, 3]]),
    np.array([[0.5, 1, 0.25, 1], [2, 0, 3, 4]]),
)

resample_adjoint: Any = declare(
    "resample_adjoint",
    "grad: Tensor, dim: int, index: Any, weights: Any, length: int",
    _adjoint_forward,
    rules={"grad": lambda g, dim, index, weights: resample(g, dim, index, weights)},
    summary="Add elements, weighted, to those they were a mixture of: the gradient of resample.",
    namespaces=(),
    samples=samples.given(
        (((2, 4, 3),), {"dim": 1, "index": _INDEX, "weights": _WEIGHTS, "length": 5})
    ),
)

resample: Any = declare(
    "resample",
    "input: Tensor, dim: int, index: Any, weights: Any",
    _resample_forward,
    rules={
        "input": lambda g, dim, index, weights, input_shape: resample_adjoint(
            g, dim, index, weights, input_shape[dim]
        )
    },
    summary="Make each element along a dimension a mixture of a few.",
    integral=True,
    namespaces=(),
    samples=samples.given(
        (((2, 5, 3),), {"dim": 1, "index": _INDEX, "weights": _WEIGHTS}),
        (((2, 4),), {"dim": 1, "index": _INDEX[:1], "weights": None}),
    ),
)


# ---- which elements, and how much of each -------------------------------------------------------


def _scale(before: int, after: int, factor: float | None, aligned: bool, kind: Any) -> Any:
    """Give how far apart, among the old elements, neighbouring new ones lie."""
    if aligned:
        return kind(before - 1) / kind(after - 1) if after > 1 else kind(0)
    # A factor that the user gave counts, not the ratio of the lengths, which are whole numbers.
    return kind(1 / factor) if factor else kind(before) / kind(after)


def _nearest(before: int, after: int, scale: Any, centre: float, kind: Any) -> Array:
    places = np.floor((np.arange(after, dtype=kind) + kind(centre)) * scale)
    return np.minimum(places, before - 1).astype(np.int64)[None]


def _places(after: int, scale: Any, aligned: bool, kind: Any) -> Array:
    """Give where new elements lie among the old ones."""
    new = np.arange(after, dtype=kind)
    return new * scale if aligned else scale * (new + kind(0.5)) - kind(0.5)


def _linear(before: int, after: int, scale: Any, aligned: bool, kind: Any) -> tuple[Array, Array]:
    if before == after:
        index = np.arange(after)
        return index[None], np.ones((1, after), kind)
    places = np.maximum(_places(after, scale, aligned, kind), 0)
    low = np.minimum(places.astype(np.int64), before - 1)
    part = np.clip(places - low, 0, 1).astype(kind)
    return np.stack([low, np.minimum(low + 1, before - 1)]), np.stack([1 - part, part])


_A = -0.75  # Keys 1981, with the number that image libraries take


def cubic_weights(t: Any) -> list[Any]:
    """Give the weights of four neighbours at distance t (0 to 1) from the second."""

    def near(x: Any) -> Any:
        return ((_A + 2) * x - (_A + 3)) * x * x + 1

    def far(x: Any) -> Any:
        return ((_A * x - 5 * _A) * x + 8 * _A) * x - 4 * _A

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _cubic(before: int, after: int, scale: Any, aligned: bool, kind: Any) -> tuple[Array, Array]:
    places = _places(after, scale, aligned, kind)
    low = np.minimum(np.floor(places), before - 1)
    weights = np.stack(cubic_weights(np.clip(places - low, 0, 1)))
    index = low.astype(np.int64) + np.arange(-1, 3)[:, None]
    return np.clip(index, 0, before - 1), weights.astype(kind)


def _tent(x: Array) -> Array:
    return np.maximum(1 - np.abs(x), 0)


def _bump(x: Array) -> Array:
    """Keys' cubic with a = -1/2, which image libraries take where they filter."""
    x, a = np.abs(x), -0.5
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _filtered(mode: str, before: int, after: int, scale: Any, kind: Any) -> tuple[Array, Array]:
    """Weigh all old elements that a new one covers: the filter grows with what it leaves out."""
    shape, reach = (_tent, 1.0) if mode == "bilinear" else (_bump, 2.0)
    stretch = max(float(scale), 1.0)
    reach *= stretch
    centres = float(scale) * (np.arange(after) + 0.5)
    first = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + reach + 0.5).astype(np.int64), before)
    taps = np.arange(max(int((last - first).max(initial=1)), 1))[:, None]
    inside = first + taps < last
    weights = np.where(inside, shape((first + taps - centres + 0.5) / stretch), 0)
    weights /= weights.sum(0)
    return np.minimum(first + taps, before - 1), weights.astype(kind)


def _mixture(
    mode: str,
    before: int,
    after: int,
    factor: float | None,
    aligned: bool,
    antialias: bool,
    kind: Any,
) -> tuple[Array, Array | None]:
    scale = _scale(before, after, factor, aligned, kind)
    if antialias:
        return _filtered(mode, before, after, scale, kind)
    if mode in _UNALIGNED:
        return _nearest(before, after, scale, 0.0 if mode == "nearest" else 0.5, kind), None
    return (_cubic if mode == "bicubic" else _linear)(before, after, scale, aligned, kind)


# ---- what users call ----------------------------------------------------------------------------


def _each(value: Any, name: str, spatial: tuple[int, ...]) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        return (value,) * len(spatial)
    if len(value) != len(spatial):
        raise ValueError(
            f"interpolate: {name} must be one number or one for each of the {len(spatial)} spatial "
            f"dimensions {list(spatial)}, got {tuple(value)}"
        )
    return tuple(value)


def _lengths(
    size: Any, scale_factor: Any, spatial: tuple[int, ...], recompute: bool
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """Give the new lengths, and the factors that count instead of their ratios to the old ones."""
    if size is not None and scale_factor is not None:
        raise ValueError("interpolate: only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("interpolate: either size or scale_factor should be defined")
    if size is not None:
        if recompute:
            raise ValueError(
                "interpolate: recompute_scale_factor is not meaningful with an explicit size"
            )
        sizes = _each(size, "size", spatial)
        if any(isinstance(n, bool) or not isinstance(n, int | np.integer) for n in sizes):
            raise TypeError(f"interpolate: size must be integers, got {size}")
        return tuple(int(n) for n in sizes), (None,) * len(spatial)
    factors = _each(scale_factor, "scale_factor", spatial)
    lengths = tuple(math.floor(n * float(f)) for n, f in zip(spatial, factors, strict=True))
    return lengths, (None,) * len(spatial) if recompute else tuple(map(float, factors))


@publish(
    "input: Tensor, size: int | Sequence[int] | None = None, "
    "scale_factor: float | Sequence[float] | None = None, mode: str = 'nearest', "
    "align_corners: bool | None = None, recompute_scale_factor: bool | None = None, "
    "antialias: bool = False",
    namespaces=("nn.functional",),
)
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Make signals (N, C, L), images (N, C, H, W) or volumes (N, C, D, H, W) larger or smaller.

    Args:
        input: of one of these shapes; ``"nearest"`` takes any dtype, the others floating point.
        size: the new spatial lengths, or one for all.
        scale_factor: what the lengths are multiplied by, one or all; results are rounded down.
        mode: ``"nearest"``, ``"nearest-exact"`` (which rounds as image libraries do), ``"linear"``,
            ``"bilinear"``, ``"trilinear"`` (by the number of dimensions), ``"bicubic"``, or
            ``"area"`` (means of what a new element covers).
        align_corners: whether the outermost elements stay where they are; otherwise the outermost
            edges of elements do. False unless given; linear and cubic modes alone have it.
        recompute_scale_factor: whether the ratio of the lengths counts, not the factor given.
        antialias: whether ``"bilinear"`` and ``"bicubic"``, where they make an image smaller, mix
            all that a new element covers, as image libraries do.

    Raises:
        ValueError: both or neither of ``size`` and ``scale_factor``, or another number of them than
            of spatial dimensions; ``antialias`` with another mode.
        NotImplementedError: an unknown mode, or one for another number of dimensions.
        RuntimeError: an empty result or input.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor([[[0.0, 1.0]]])
        >>> mt.nn.functional.interpolate(x, size=4, mode="linear").tolist()
        [[[0.0, 0.25, 0.75, 1.0]]]

    References:
        Keys, Cubic convolution interpolation for digital image processing, 1981 (bicubic).
    """
    if not isinstance(input, Tensor):
        refuse("interpolate", "input", input)
    shape, dtype = input._array.shape, input._array.dtype
    if mode in _UNALIGNED and align_corners is not None:
        raise ValueError(
            "interpolate: align_corners option can only be set with the interpolating modes: "
            "linear | bilinear | bicubic | trilinear"
        )
    lengths, factors = _lengths(
        size, scale_factor, shape[2:], bool(recompute_scale_factor) or (mode == "area" and not size)
    )
    if antialias and (mode not in ("bilinear", "bicubic") or len(shape) != 4):
        raise ValueError(
            "interpolate: antialias is for bilinear and bicubic modes of (N, C, H, W) alone"
        )
    if len(shape) not in _MODES.get(mode, ()):
        legal = (
            f"{list(_MODES[mode])} dimensions" if mode in _MODES else f"a mode of {list(_MODES)}"
        )
        raise NotImplementedError(
            f"interpolate: mode {mode!r} for an input of shape {list(shape)}: it needs {legal}"
        )
    if dtype.kind != "f" and mode not in ("nearest", "nearest-exact"):
        raise RuntimeError(
            f"interpolate: mode {mode!r} is not defined for {dtype.name} tensors; convert with "
            ".float()"
        )
    if min(lengths) < 1 or min(shape[1:]) < 1:
        raise RuntimeError(
            "interpolate: input and output sizes should be greater than 0, but got input "
            f"{list(shape)} and output {list(lengths)}"
        )
    if mode == "area":
        pool: Any = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)
        return pool[len(lengths) - 1](input, lengths)
    kind = dtype.type if dtype.kind == "f" and dtype.itemsize > 2 else np.float32
    result: Any = input
    for dim, (after, factor) in enumerate(zip(lengths, factors, strict=True), 2):
        index, weights = _mixture(
            mode, shape[dim], after, factor, bool(align_corners), antialias, kind
        )
        if shape[dim] == after and np.array_equal(index[-1], np.arange(after)) and len(index) == 1:
            continue
        if weights is not None and weights.dtype != dtype:
            weights = weights.astype(dtype)
        result = resample(result, dim, known(index), None if weights is None else known(weights))
    return clone(result) if result is input else result


def _old_name(name: str, mode: str, aligned: bool | None, kind: str) -> None:
    def function(input: Any, size: Any = None, scale_factor: Any = None) -> Tensor:
        return interpolate(input, size, scale_factor, mode, aligned)

    function.__name__ = name
    function.__doc__ = (
        f"Make images larger by the {kind}: the old name of :func:`interpolate` with "
        f"mode={mode!r}{', align_corners=True' if aligned else ''}."
    )
    publish(
        "input: Tensor, size: int | Sequence[int] | None = None, "
        "scale_factor: float | Sequence[float] | None = None",
        namespaces=("nn.functional",),
    )(function)


_old_name("upsample_nearest", "nearest", None, "nearest element")
_old_name("upsample_bilinear", "bilinear", True, "mixture of four elements")
