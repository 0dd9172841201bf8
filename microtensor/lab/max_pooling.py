"""Max pooling in a piecewise-linear network: which number of each window is the largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtensor import nn
from microtensor.lab.affine import Shape

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

MAX_POOLS: tuple[type[Any], ...] = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip
_ADAPTIVE = MAX_POOLS[3:]
# Two numbers that differ by less than this, relative to the larger, are the same function of x.
_SAME = 1e-13


@dataclass(frozen=True, eq=False)
class Pool:
    """A max pooling layer of a network.

    Attributes:
        path: where it is.
        module: the layer.
        windows: which of the numbers that reach it are in each window, (windows, most); -1 fills
            windows that have fewer, as at the border.
    """

    path: str
    module: nn.Module
    windows: Places

    def followed(self, weight: Floats, bias: Floats, row: Floats) -> tuple[Floats, Floats, float]:
        """Return A and b of the largest of each window at x, and how far they stay the largest.

        Two numbers of a window are equal where (Aᵢ − Aⱼ)·x = bⱼ − bᵢ: a plane, which is as far
        away as their difference over ‖Aᵢ − Aⱼ‖.
        """
        z = weight @ row + bias
        inside = self.windows >= 0
        best = self.windows[
            np.arange(len(self.windows)), np.where(inside, z[self.windows], -np.inf).argmax(1)
        ]
        sizes, nearest = np.linalg.norm(weight, axis=1), np.inf
        for column, valid in zip(self.windows.T, inside.T, strict=True):
            mine, other = best[valid], column[valid]
            steepness = np.linalg.norm(weight[mine] - weight[other], axis=1)
            apart = steepness > _SAME * (sizes[mine] + sizes[other])
            gaps = (z[mine] - z[other])[apart] / steepness[apart]
            nearest = min(nearest, float(gaps.min(initial=np.inf)))
        return weight[best], bias[best], nearest


def pool(module: Any, path: str, before: Shape, after: Shape) -> Pool:
    """Return a layer with its windows.

    Args:
        module: one of ``MAX_POOLS``.
        path: where it is.
        before: shape of what reaches it, (channels, sizes).
        after: shape of what it makes of that.
    """
    count = len(before) - 1
    axes = [_along(module, axis, count, before[1 + axis], after[1 + axis]) for axis in range(count)]
    # The windows of a plane, as flat indices: outputs of all axes first, then places of all axes.
    plane = np.zeros((1, 1), np.int64)
    for size, places in zip(before[1:], axes, strict=True):
        joined = plane[:, None, :, None] * size + places[None, :, None, :]
        missing = (plane < 0)[:, None, :, None] | (places < 0)[None, :, None, :]
        plane = np.where(missing, -1, joined).reshape(
            len(plane) * len(places), plane.shape[1] * places.shape[1]
        )
    channels = np.arange(before[0])[:, None, None] * int(np.prod(before[1:]))
    windows = np.where(plane < 0, -1, channels + plane).reshape(-1, plane.shape[1])
    return Pool(path, module, windows)


def _along(module: Any, axis: int, count: int, size: int, outputs: int) -> Places:
    """Return the places of each window along one axis, (outputs, most), -1 for none."""
    starts = np.arange(outputs)
    if isinstance(module, _ADAPTIVE):
        begin, end = starts * size // outputs, -(-(starts + 1) * size // outputs)
        places = begin[:, None] + np.arange((end - begin).max())
        return np.where(places < end[:, None], places, -1)
    kernel, stride, padding, dilation = (
        value if isinstance(value, int) else value[axis if len(value) == count else 0]
        for value in (module.kernel_size, module.stride, module.padding, module.dilation)
    )
    places = (starts * stride - padding)[:, None] + np.arange(kernel) * dilation
    return np.where((places >= 0) & (places < size), places, -1)
