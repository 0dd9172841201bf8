"""Reading images and volumes at any places: grid_sample, and the grids of affine maps."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from microtensor.ops.arrays import Array, computed, known
from microtensor.ops.choosing import where
from microtensor.ops.declare import publish, refuse
from microtensor.ops.gathering import gather
from microtensor.ops.linear import matrix_product
from microtensor.ops.resampling import cubic_weights
from microtensor.ops.shape import expand, reshape, transpose
from microtensor.tensor import Tensor, wrap

_MODES = ("bilinear", "nearest", "bicubic")
_PADDING_MODES = ("zeros", "border", "reflection")
_FAR = -100  # where there is nothing: what is not finite has no place


def _unnormalized(x: Any, length: int, aligned: bool) -> Any:
    """Give coordinates from -1 to 1 as places among elements."""
    return (x + 1) / 2 * (length - 1) if aligned else ((x + 1) * length - 1) / 2


def _within(x: Any, length: int, volume: bool) -> Any:
    """Move places beyond the outermost elements onto these; there the derivative is zero.

    What is no number is moved onto the first, in volumes onto the last: PyTorch has it so.
    """
    inside, clipped = computed(_clipped, x._array, length, volume)
    return where(wrap(inside), x, wrap(clipped))


def _clipped(values: Array, length: int, volume: bool) -> tuple[Array, Array]:
    if volume:
        clipped = np.fmin(np.maximum(values, 0), length - 1)
    else:
        clipped = np.minimum(np.fmax(values, 0), length - 1)
    return (values > 0) & (values < length - 1), clipped


def _reflected(x: Any, length: int, aligned: bool) -> Any:
    """Mirror places at the outermost elements, or at their edges, as often as need be."""
    low, span = (0.0, length - 1.0) if aligned else (-0.5, float(length))
    if span <= 0:
        return x * 0
    slope, start = computed(_mirror, x._array, low, span)
    return x * wrap(slope) + wrap(start)


def _mirror(x: Array, low: float, span: float) -> tuple[Array, Array]:
    """Give slope and start of the straight line that a mirrored place is on."""
    values = x.astype(np.float64)
    with np.errstate(all="ignore"):
        side = np.where(values < low, -1.0, 1.0)
        distance = np.abs(values - low)
        turns = np.floor(distance / span)
        odd = turns % 2 == 1
        # distance - turns·span, or span less that: a straight line in x.
        slope = side * np.where(odd, -1.0, 1.0)
        start = np.where(odd, span + turns * span, -turns * span) + low - slope * low
    return slope.astype(x.dtype), start.astype(x.dtype)


def _placed(x: Any, length: int, padding_mode: str, aligned: bool, volume: bool = False) -> Any:
    if padding_mode == "border":
        return _within(x, length, volume)
    if padding_mode == "reflection":
        return _within(_reflected(x, length, aligned), length, volume)
    return x


def _whole(values: Array, high: int = 0) -> Array:
    """Give places as integers, or those so many farther on."""
    good = np.isfinite(values) & (np.abs(values) < 2**31 - 2)
    return np.where(good, values, _FAR).astype(np.int64) + high


def _nearest(values: Array) -> Array:
    return _whole(np.rint(values))


def _read(flat: Any, places: list[Array], lengths: tuple[int, ...]) -> Any:
    """Give the elements at whole places, 0 for what lies outside, as (N, C, number of places)."""
    index, inside = computed(_numbers, flat._array.shape[1], places, lengths)
    nothing = wrap(known(np.zeros((), flat._array.dtype)))
    return where(wrap(inside), gather(flat, 2, wrap(index)), nothing)


def _numbers(channels: int, places: list[Array], lengths: Any) -> tuple[Array, Array]:
    """Give the numbers of elements at whole places, one each outside, and what lies inside."""
    inside = np.ones(places[0].shape, bool)
    index = np.zeros(places[0].shape, np.int64)
    for place, length in zip(places, lengths, strict=True):
        inside &= (place >= 0) & (place < length)
        index = index * length + np.clip(place, 0, length - 1)
    return np.repeat(index[:, None], channels, 1), inside[:, None]


def _linear(flat: Any, at: list[Any], lengths: tuple[int, ...]) -> Any:
    """Mix the two neighbours in every dimension."""
    lows = [computed(np.floor, x._array) for x in at]
    parts = [x - wrap(low) for x, low in zip(at, lows, strict=True)]
    wholes = [[computed(_whole, low, high) for high in (0, 1)] for low in lows]
    total: Any = None
    for corner in product((0, 1), repeat=len(at)):
        weight: Any = None
        for high, part in zip(corner, parts, strict=True):
            factor = part if high else 1 - part
            weight = factor if weight is None else weight * factor
        places = [whole[high] for whole, high in zip(wholes, corner, strict=True)]
        found = _read(flat, places, lengths)
        if len(at) == 3:  # in volumes what has no place weighs nothing, in images it is NaN
            weight = where(wrap(computed(np.isfinite, weight._array)), weight, 0.0)
        term = found * weight[:, None]
        total = term if total is None else total + term
    return total


def _cubic(flat: Any, at: list[Any], lengths: tuple[int, ...], padded: Any) -> Any:
    """Mix four neighbours in both dimensions; each is read where the padding mode puts it."""
    lows = [computed(np.floor, x._array) for x in at]
    weights = [cubic_weights(x - wrap(low)) for x, low in zip(at, lows, strict=True)]
    total: Any = None
    for i in range(4):
        row: Any = None
        for j in range(4):
            places = [
                computed(_whole, padded(wrap(low) + (step - 1), dim)._array)
                for dim, (low, step) in enumerate(zip(lows, (i, j), strict=True))
            ]
            term = _read(flat, places, lengths) * weights[1][j][:, None]
            row = term if row is None else row + term
        row = row * weights[0][i][:, None]
        total = row if total is None else total + row
    return total


def _check(input: Any, grid: Any, mode: str, padding_mode: str) -> None:
    for name, given in (("input", input), ("grid", grid)):
        if not isinstance(given, Tensor):
            refuse("grid_sample", name, given)
    if mode not in _MODES:
        raise ValueError(
            "grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: "
            f"{mode!r}"
        )
    if padding_mode not in _PADDING_MODES:
        raise ValueError(
            "grid_sample(): expected padding_mode to be 'zeros', 'border' or 'reflection', but "
            f"got: {padding_mode!r}"
        )
    x, y = input._array, grid._array
    if x.ndim not in (4, 5) or x.ndim != y.ndim:
        raise RuntimeError(
            "grid_sample(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got input with sizes {list(x.shape)} and grid with sizes {list(y.shape)}"
        )
    if x.shape[0] != y.shape[0]:
        raise RuntimeError(
            "grid_sample(): expected grid and input to have same batch size, but got input with "
            f"sizes {list(x.shape)} and grid with sizes {list(y.shape)}"
        )
    if y.shape[-1] != x.ndim - 2:
        raise RuntimeError(
            f"grid_sample(): expected grid to have size {x.ndim - 2} in last dimension, but got "
            f"grid with sizes {list(y.shape)}"
        )
    if min(x.shape[2:]) < 1:
        raise RuntimeError(
            "grid_sample(): expected input to have non-empty spatial dimensions, but got sizes "
            f"{list(x.shape)}"
        )
    if x.dtype != y.dtype or x.dtype.kind != "f":
        raise RuntimeError(
            "grid_sample(): expected input and grid to have the same floating-point dtype, but "
            f"input has {x.dtype.name} and grid has {y.dtype.name}"
        )
    if mode == "bicubic" and x.ndim == 5:
        raise RuntimeError("grid_sample(): bicubic interpolation only supports 4D input")


@publish(
    "input: Tensor, grid: Tensor, mode: str = 'bilinear', padding_mode: str = 'zeros', "
    "align_corners: bool | None = None",
    namespaces=("nn.functional",),
)
def grid_sample(
    input: Any,
    grid: Any,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Read images or volumes at the places that a grid names.

    Args:
        input: of shape (N, C, H, W) or (N, C, D, H, W).
        grid: of shape (N, H', W', 2) or (N, D', H', W', 3), with coordinates x, y (and z), the last
            spatial dimension first, from -1 to 1.
        mode: ``"bilinear"`` (trilinear in volumes), ``"nearest"``, or ``"bicubic"`` (images alone).
        padding_mode: what is read outside: ``"zeros"``, the outermost elements (``"border"``), or
            the mirror image (``"reflection"``).
        align_corners: whether -1 and 1 are the centres of the outermost elements, or, as unless
            given, their outer edges.

    Returns:
        A tensor of shape (N, C, H', W') or (N, C, D', H', W').

    Raises:
        ValueError: an unknown mode.
        RuntimeError: shapes or dtypes that do not match.

    Example:
        >>> import microtensor as mt
        >>> x = mt.arange(4.0).reshape(1, 1, 2, 2)
        >>> mt.nn.functional.grid_sample(x, mt.zeros(1, 1, 1, 2), align_corners=True)
        tensor([[[[1.5000]]]])
    """
    _check(input, grid, mode, padding_mode)
    aligned = bool(align_corners)
    batch, channels, *rest = input._array.shape
    lengths = tuple(rest)
    spatial = grid._array.shape[1:-1]
    flat = reshape(input, (batch, channels, int(np.prod(lengths))))
    places = reshape(grid, (batch, int(np.prod(spatial)), len(lengths)))
    # The grid names the last dimension first.
    at = [
        _unnormalized(places[:, :, len(lengths) - 1 - dim], length, aligned)
        for dim, length in enumerate(lengths)
    ]
    if mode == "bicubic":
        result = _cubic(
            flat, at, lengths, lambda x, dim: _placed(x, lengths[dim], padding_mode, aligned)
        )
    else:
        at = [
            _placed(x, length, padding_mode, aligned, len(lengths) == 3)
            for x, length in zip(at, lengths, strict=True)
        ]
        if mode == "nearest":
            result = _read(flat, [computed(_nearest, x._array) for x in at], lengths)
            if grid.requires_grad:  # whose gradient is zero, not missing
                never = wrap(known(np.zeros((), bool)))
                result = where(never, at[0][:, None], result)
        else:
            result = _linear(flat, at, lengths)
    return reshape(result, (batch, channels, *spatial))


@publish(
    "theta: Tensor, size: Sequence[int], align_corners: bool | None = None",
    namespaces=("nn.functional",),
)
def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Tensor:
    """Make the grid, for :func:`grid_sample`, of an affine map for each of a batch.

    Args:
        theta: of shape (N, 2, 3) or (N, 3, 4).
        size: of the output, (N, C, H, W) or (N, C, D, H, W).
        align_corners: whether -1 and 1 are the centres of the outermost elements, or, as unless
            given, their outer edges.

    Returns:
        A tensor of shape (N, H, W, 2) or (N, D, H, W, 3).

    Raises:
        ValueError: matrices of another shape, or an empty output.
        NotImplementedError: a size of another number of dimensions.
        TypeError: matrices of integers.

    Example:
        >>> import microtensor as mt
        >>> unchanged = mt.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        >>> mt.nn.functional.affine_grid(unchanged, (1, 1, 1, 2)).tolist()
        [[[[-0.5, 0.0], [0.5, 0.0]]]]
    """
    if not isinstance(theta, Tensor):
        refuse("affine_grid", "theta", theta)
    size = tuple(int(n) for n in size)
    if theta._array.dtype.kind != "f":
        raise ValueError(
            f"affine_grid: theta must be of a floating-point dtype, got {theta._array.dtype.name}"
        )
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    dims = len(size) - 2
    shape = theta._array.shape
    if shape != (size[0], dims, dims + 1):
        raise ValueError(
            f"affine_grid: expected a batch of {dims}D affine matrices of shape "
            f"{[size[0], dims, dims + 1]} for size {size}, got {list(shape)}"
        )
    if min(size) <= 0:
        raise ValueError(f"affine_grid: expected non-zero, positive output size. Got {size}")
    kind = theta._array.dtype
    base = np.ones((*size[2:], dims + 1), kind)
    for dim, length in enumerate(size[2:]):
        steps = np.linspace(-1, 1, length, dtype=kind) if length > 1 else np.zeros(1, kind)
        if not align_corners:
            steps = steps * kind.type((length - 1) / length)
        base[..., dims - 1 - dim] = steps.reshape((-1,) + (1,) * (dims - 1 - dim))
    rows = expand(wrap(known(base).reshape(1, -1, dims + 1)), (size[0], -1, dims + 1))
    grid = matrix_product(rows, transpose(theta, 1, 2))
    return reshape(grid, (size[0], *size[2:], dims))
