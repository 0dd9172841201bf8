"""The softmax over the channels of images."""

from __future__ import annotations

from microtensor.nn.functional import softmax
from microtensor.nn.module import Module
from microtensor.tensor import Tensor


class Softmax2d(Module):
    """Softmax over the channels, at each place of an image.

    Shape: (N, C, H, W) or (C, H, W), in and out.

    Raises:
        ValueError: an input of other dimensions.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Softmax2d()(mt.zeros(1, 2, 1, 2)).tolist()
        [[[[0.5, 0.5]], [[0.5, 0.5]]]]
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the shares of the channels."""
        if input.dim() not in (3, 4):
            raise ValueError(
                f"Softmax2d: expected input to be 3D or 4D, got a {input.dim()}D input instead"
            )
        return softmax(input, -3)
