"""Pooling of one to three spatial dimensions: largest elements, averages, norms, and back."""

from __future__ import annotations

from typing import Any

from microtensor.nn import functional as F
from microtensor.nn.module import Module
from microtensor.nn.windows import repeated
from microtensor.tensor import Tensor


class _MaxPoolNd(Module):
    """What all max pooling has; each class names its function."""

    _dims = 0

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        """Return the largest elements of windows, and their places if these are asked for."""
        function = getattr(F, f"max_pool{self._dims}d")
        return function(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
            self.return_indices,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """Give the largest element of each window of a sequence.

    NaN is larger than all. Of equal ones the first has the gradient.

    Args:
        kernel_size: of windows.
        stride: how far windows are apart; kernel_size unless given.
        padding: -inf on both sides, at most half a window.
        dilation: how far the elements of a window are apart.
        return_indices: whether to give also where in the plane each element is.
        ceil_mode: whether a last window may reach beyond the end.

    Raises:
        RuntimeError: when called, for numbers out of range or an input too small.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.MaxPool1d(2)(mt.tensor([[1.0, 3.0, 2.0, 0.0]]))
        tensor([[3., 2.]])
    """

    _dims = 1


class MaxPool2d(_MaxPoolNd):
    """Give the largest element of each window of an image: as :class:`MaxPool1d`.

    Numbers are one, or one for height and one for width.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.MaxPool2d(3, stride=2, padding=1)(mt.ones(1, 4, 9, 9)).shape
        microtensor.Size([1, 4, 5, 5])
    """

    _dims = 2


class MaxPool3d(_MaxPoolNd):
    """Give the largest element of each window of a volume: as :class:`MaxPool1d`.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.MaxPool3d(2)(mt.ones(1, 4, 6, 6, 6)).shape
        microtensor.Size([1, 4, 3, 3, 3])
    """

    _dims = 3


class _Windows(Module):
    """What is printed of pooling by windows."""

    kernel_size: Any
    stride: Any
    padding: Any

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _MaxUnpoolNd(_Windows):
    _dims = 0

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = repeated(name, "kernel_size", kernel_size, self._dims)
        given = stride if stride is not None else kernel_size
        self.stride = repeated(name, "stride", given, self._dims)
        self.padding = repeated(name, "padding", padding, self._dims)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """Return planes with the elements of `input` at `indices`, and zeros elsewhere."""
        function = getattr(F, f"max_unpool{self._dims}d")
        return function(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpoolNd):
    """Put elements where :class:`MaxPool1d` found them, zeros elsewhere: its partial inverse.

    Args:
        kernel_size: of the pooling.
        stride: of the pooling; kernel_size unless given.
        padding: of the pooling.

    Raises:
        RuntimeError: when called, for an index out of the plane.
        ValueError: when called, for an output_size that pooling would not bring to the input's.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> x = mt.tensor([[1.0, 3.0, 2.0, 0.0]])
        >>> nn.MaxUnpool1d(2)(*nn.MaxPool1d(2, return_indices=True)(x))
        tensor([[0., 3., 2., 0.]])
    """

    _dims = 1


class MaxUnpool2d(_MaxUnpoolNd):
    """Put elements where :class:`MaxPool2d` found them: as :class:`MaxUnpool1d`."""

    _dims = 2


class MaxUnpool3d(_MaxUnpoolNd):
    """Put elements where :class:`MaxPool3d` found them: as :class:`MaxUnpool1d`."""

    _dims = 3


class AvgPool1d(_Windows):
    """Give the average of each window of a sequence.

    Args:
        kernel_size: of windows.
        stride: how far windows are apart; kernel_size unless given.
        padding: zeros on both sides, at most half a window.
        ceil_mode: whether a last window may reach beyond the end.
        count_include_pad: whether zeros of the padding count.

    Raises:
        RuntimeError: when called, for numbers out of range or an input too small.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.AvgPool1d(2)(mt.tensor([[1.0, 3.0, 2.0, 0.0]]))
        tensor([[2., 1.]])
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = repeated("AvgPool1d", "kernel_size", kernel_size, 1)
        self.stride = repeated("AvgPool1d", "stride", kernel_size if stride is None else stride, 1)
        self.padding = repeated("AvgPool1d", "padding", padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """Return the averages of windows."""
        return F.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad,
        )  # fmt: skip


class _AvgPoolNd(_Windows):
    _dims = 0

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """Return the averages of windows."""
        function = getattr(F, f"avg_pool{self._dims}d")
        return function(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip


class AvgPool2d(_AvgPoolNd):
    """Give the average of each window of an image: as :class:`AvgPool1d`.

    Args:
        kernel_size: of windows; a number, or one for height and one for width, as all that follow.
        stride: how far windows are apart; kernel_size unless given.
        padding: zeros on both sides, at most half a window.
        ceil_mode: whether a last window may reach beyond the end.
        count_include_pad: whether zeros of the padding count.
        divisor_override: what sums are divided by, unless None.

    Raises:
        RuntimeError: when called, for numbers out of range or an input too small.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.AvgPool2d(2)(mt.ones(1, 4, 8, 6)).shape
        microtensor.Size([1, 4, 4, 3])
    """

    _dims = 2


class AvgPool3d(_AvgPoolNd):
    """Give the average of each window of a volume: as :class:`AvgPool2d`."""

    _dims = 3


class _AdaptivePoolNd(Module):
    _function = ""

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        """Return one number for each part of `input`."""
        return getattr(F, self._function)(input, self.output_size)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"output_size={self.output_size}"


class _AdaptiveMaxPoolNd(_AdaptivePoolNd):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """Return the largest element of each part of `input`, and its place if asked for."""
        return getattr(F, self._function)(input, self.output_size, self.return_indices)


class AdaptiveAvgPool1d(_AdaptivePoolNd):
    """Give the averages of so many parts of a sequence.

    Args:
        output_size: how many parts; a number.

    Raises:
        RuntimeError: when called, for another number of dimensions or a negative size.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.AdaptiveAvgPool1d(2)(mt.ones(1, 4, 5)).shape
        microtensor.Size([1, 4, 2])
    """

    _function = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_AdaptivePoolNd):
    """Give the averages of so many parts of an image.

    Args:
        output_size: how many parts; a number, or one a dimension, None for as many as elements.

    Raises:
        RuntimeError: when called, for another number of dimensions or a negative size.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.AdaptiveAvgPool2d(2)(mt.ones(1, 4, 5, 5)).shape
        microtensor.Size([1, 4, 2, 2])
    """

    _function = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_AdaptivePoolNd):
    """Give the averages of so many parts of a volume.

    Args:
        output_size: how many parts; a number, or one a dimension, None for as many as elements.

    Raises:
        RuntimeError: when called, for another number of dimensions or a negative size.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.AdaptiveAvgPool3d(2)(mt.ones(1, 4, 5, 5, 5)).shape
        microtensor.Size([1, 4, 2, 2, 2])
    """

    _function = "adaptive_avg_pool3d"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """Give the largest elements of so many parts of a sequence.

    Args:
        output_size: how many parts; a number.
        return_indices: whether to give also where in the plane each element is.

    Raises:
        RuntimeError: when called, for another number of dimensions or a negative size.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.AdaptiveMaxPool1d(2)(mt.ones(1, 4, 5)).shape
        microtensor.Size([1, 4, 2])
    """

    _function = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """Give the largest elements of so many parts of an image.

    Args:
        output_size: how many parts; a number, or one a dimension, None for as many as elements.
        return_indices: whether to give also where in the plane each element is.

    Raises:
        RuntimeError: when called, for another number of dimensions or a negative size.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.AdaptiveMaxPool2d(2)(mt.ones(1, 4, 5, 5)).shape
        microtensor.Size([1, 4, 2, 2])
    """

    _function = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """Give the largest elements of so many parts of a volume.

    Args:
        output_size: how many parts; a number, or one a dimension, None for as many as elements.
        return_indices: whether to give also where in the plane each element is.

    Raises:
        RuntimeError: when called, for another number of dimensions or a negative size.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.AdaptiveMaxPool3d(2)(mt.ones(1, 4, 5, 5, 5)).shape
        microtensor.Size([1, 4, 2, 2, 2])
    """

    _function = "adaptive_max_pool3d"


class LPPool1d(Module):
    """Give the p-norm of each window of a sequence, (Σ xᵖ)^(1/p).

    Args:
        norm_type: p.
        kernel_size: of windows.
        stride: how far windows are apart; kernel_size unless given.
        ceil_mode: whether a last window may reach beyond the end.

    Raises:
        RuntimeError: when called, for numbers out of range or an input too small.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.LPPool1d(2, 2)(mt.tensor([[3.0, 4.0, 0.0, 5.0]]))
        tensor([[5., 5.]])
    """

    _dims = 1

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """Return the norms of windows."""
        function = getattr(F, f"lp_pool{self._dims}d")
        return function(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool2d(LPPool1d):
    """Give the p-norm of each window of an image: as :class:`LPPool1d`."""

    _dims = 2


class LPPool3d(LPPool1d):
    """Give the p-norm of each window of a volume: as :class:`LPPool1d`."""

    _dims = 3
