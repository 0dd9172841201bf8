"""Windows of images as columns, and back."""

from __future__ import annotations

from typing import Any

from microtensor.nn import functional as F
from microtensor.nn.module import Module
from microtensor.tensor import Tensor


class Unfold(Module):
    """Give what each window of an image sees as a column.

    Args:
        kernel_size: of windows; a number, or two, as all that follow.
        dilation: how far the elements of a window are apart.
        padding: zeros around the input.
        stride: how far windows are apart.

    Raises:
        RuntimeError: when called, for an input that no window fits into.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Unfold((2, 3))(mt.ones(1, 3, 4, 5)).shape
        microtensor.Size([1, 18, 9])
    """

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """Return (N, C · kH · kW, L) of `input` (N, C, H, W)."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """Add columns up to an image, each where its window sees: the transpose of :class:`Unfold`.

    Args:
        output_size: (H, W) of the image, or a number for both.
        kernel_size: of windows; a number, or two, as all that follow.
        dilation: how far the elements of a window are apart.
        padding: of the image, cut off the result.
        stride: how far windows are apart.

    Raises:
        RuntimeError: when called, for columns that do not fit the windows.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Fold((4, 5), (2, 3))(mt.ones(1, 18, 9)).shape
        microtensor.Size([1, 3, 4, 5])
    """

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """Return (N, C, H, W) of `input` (N, C · kH · kW, L)."""
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )
