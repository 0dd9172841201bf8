"""Layers that make images larger or smaller, or trade channels for pixels."""

from __future__ import annotations

from typing import Any

from microtensor.nn import functional as F
from microtensor.nn.module import Module
from microtensor.tensor import Tensor


class Upsample(Module):
    """Make signals, images or volumes larger or smaller by interpolation.

    Args:
        size: the new spatial lengths, or one for all.
        scale_factor: what the lengths are multiplied by, one or all.
        mode: ``"nearest"``, ``"linear"``, ``"bilinear"``, ``"bicubic"``, ``"trilinear"``, ...
        align_corners: whether the outermost elements stay where they are.
        recompute_scale_factor: whether the ratio of the lengths counts, not the factor given.

    See :func:`microtensor.nn.functional.interpolate`.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.Upsample(scale_factor=2)(mt.zeros(1, 3, 4, 4)).shape
        microtensor.Size([1, 3, 8, 8])
    """

    def __init__(
        self,
        size: int | tuple[int, ...] | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor: Any = tuple(float(factor) for factor in scale_factor)
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` in the new size."""
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            recompute_scale_factor=self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Make images larger by repeating pixels.

    Args:
        size: the new height and width, or one for both.
        scale_factor: what they are multiplied by.
    """

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        scale_factor: float | tuple[float, float] | None = None,
    ) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Make images larger by mixing four pixels; the outermost ones stay where they are.

    Args:
        size: the new height and width, or one for both.
        scale_factor: what they are multiplied by.
    """

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        scale_factor: float | tuple[float, float] | None = None,
    ) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(Module):
    """Make r × r pixels of every r² channels: (*, C·r², H, W) to (*, C, H·r, W·r).

    Args:
        upscale_factor: r.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.PixelShuffle(2)(mt.zeros(1, 8, 3, 3)).shape
        microtensor.Size([1, 2, 6, 6])
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with pixels for channels."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Make r² channels of every r × r pixels: (*, C, H·r, W·r) to (*, C·r², H, W).

    Args:
        downscale_factor: r.
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with channels for pixels."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Reorder channels so that neighbours come from different groups.

    Args:
        groups: by which the number of channels divides.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """Return `input`, of shape (N, C, *), with its channels reordered."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"groups={self.groups}"
