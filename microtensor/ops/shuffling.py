"""Channels for pixels, pixels for channels, and channels among each other."""

from __future__ import annotations

from typing import Any

from microtensor.ops.declare import publish, refuse
from microtensor.ops.reshaping import sizes_of
from microtensor.ops.shape import permute, reshape
from microtensor.tensor import Tensor


def _checked(
    op: str, input: Any, least: int, name: str, number: Any
) -> tuple[tuple[int, ...], int]:
    if not isinstance(input, Tensor):
        refuse(op, "input", input)
    (count,) = sizes_of((number,), op)
    shape = input._array.shape
    if len(shape) < least:
        raise RuntimeError(
            f"{op} expects input to have at least {least} dimensions, but got input with "
            f"{len(shape)} dimension(s)"
        )
    if count < 1:
        raise RuntimeError(f"{op} expects a positive {name}, but got {count}")
    return shape, count


@publish("input: Tensor, upscale_factor: int", ("mt", "nn.functional"))
def pixel_shuffle(input: Any, upscale_factor: int) -> Tensor:
    """Make r × r pixels of every r² channels.

    Args:
        input: of shape (..., C·r², H, W).
        upscale_factor: r.

    Returns:
        A tensor of shape (..., C, H·r, W·r).

    Raises:
        RuntimeError: channels that r² does not divide, or too few dimensions.

    Example:
        >>> import microtensor as mt
        >>> mt.pixel_shuffle(mt.arange(4).reshape(4, 1, 1), 2).tolist()
        [[[0, 1], [2, 3]]]

    References:
        Shi et al., Real-time single image and video super-resolution, 2016.
    """
    shape, r = _checked("pixel_shuffle", input, 3, "upscale_factor", upscale_factor)
    *lead, channels, height, width = shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}"
        )
    n = len(lead)
    apart = reshape(input, (*lead, channels // (r * r), r, r, height, width))
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    whole = (*lead, channels // (r * r), height * r, width * r)
    return reshape(permute(apart, order), whole)


@publish("input: Tensor, downscale_factor: int", ("mt", "nn.functional"))
def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """Make r² channels of every r × r pixels: the inverse of :func:`pixel_shuffle`.

    Args:
        input: of shape (..., C, H·r, W·r).
        downscale_factor: r.

    Returns:
        A tensor of shape (..., C·r², H, W).

    Raises:
        RuntimeError: a height or width that r does not divide, or too few dimensions.
    """
    shape, r = _checked("pixel_unshuffle", input, 3, "downscale_factor", downscale_factor)
    *lead, channels, height, width = shape
    for name, place, length in (("height", -2, height), ("width", -1, width)):
        if length % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but "
                f"input.size({place})={length} is not divisible by {r}"
            )
    n = len(lead)
    apart = reshape(input, (*lead, channels, height // r, r, width // r, r))
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    whole = (*lead, channels * r * r, height // r, width // r)
    return reshape(permute(apart, order), whole)


@publish("input: Tensor, groups: int", ("mt", "nn.functional"))
def channel_shuffle(input: Any, groups: int) -> Tensor:
    """Reorder channels so that neighbours come from different groups.

    Args:
        input: of shape (N, C, ...).
        groups: by which C divides.

    Raises:
        RuntimeError: channels that do not divide, or too few dimensions.

    References:
        Zhang et al., ShuffleNet, 2018.
    """
    shape, groups = _checked("channel_shuffle", input, 3, "groups", groups)
    if shape[1] % groups:
        raise RuntimeError(
            f"channel_shuffle: number of channels must be divisible by groups. Got {shape[1]} "
            f"channels and {groups} groups."
        )
    apart = reshape(input, (shape[0], groups, shape[1] // groups, *shape[2:]))
    order = (0, 2, 1, *range(3, len(shape) + 1))
    return reshape(permute(apart, order), shape)
