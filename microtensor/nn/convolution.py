"""Convolutions and transposed convolutions of one to three spatial dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.nn import functional as F
from microtensor.nn import init
from microtensor.nn.module import Module
from microtensor.nn.parameter import Parameter
from microtensor.nn.windows import pad_around, repeated
from microtensor.tensor import Tensor, wrap

_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions have: their numbers, weight and bias."""

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...] | str
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int
    padding_mode: str
    weight: Parameter
    bias: Parameter | None

    _dims = 0

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        transposed: bool,
        output_padding: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: dtypes.dtype | None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        for argument, count in (
            ("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)
        ):  # fmt: skip
            if isinstance(count, bool) or not isinstance(count, int | np.integer):
                raise TypeError(f"{name}: {argument} must be an int, got {type(count).__name__}")
        if groups <= 0:
            raise ValueError(f"{name}: groups must be a positive integer, got {groups}")
        for argument, count in (("in_channels", in_channels), ("out_channels", out_channels)):
            if count < 0:
                raise ValueError(f"{name}: {argument} must not be negative, got {count}")
            if count % groups:
                raise ValueError(
                    f"{name}: {argument} must be divisible by groups, got {count} and {groups}"
                )
        if device is not None and str(device).split(":")[0] != "cpu":
            raise RuntimeError(
                f"{name}: device must be 'cpu', the only one there is; got {device!r}"
            )
        stride = repeated(name, "stride", stride, self._dims)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"{name}: Invalid padding string {padding!r}, should be one of 'valid', 'same'"
                )
            if padding == "same" and any(s != 1 for s in stride):
                raise ValueError(
                    f"{name}: padding='same' is not supported for strided convolutions"
                )
        else:
            padding = repeated(name, "padding", padding, self._dims)
        if padding_mode not in _MODES:
            raise ValueError(
                f"{name}: padding_mode must be one of {', '.join(map(repr, _MODES))}, but got "
                f"padding_mode={padding_mode!r}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = repeated(name, "kernel_size", kernel_size, self._dims)
        self.stride = stride
        self.padding = padding
        self.dilation = repeated(name, "dilation", dilation, self._dims)
        self.transposed = transposed
        self.output_padding = repeated(name, "output_padding", output_padding, self._dims)
        self.groups = groups
        self.padding_mode = padding_mode
        kind = (dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)).numpy
        first, second = in_channels, out_channels
        if not transposed:
            first, second = second, first
        shape = (first, second // groups, *self.kernel_size)
        self.weight = Parameter(wrap(np.empty(shape, kind)))
        if bias:
            self.bias = Parameter(wrap(np.empty(out_channels, kind)))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        # With a = sqrt(5) the bound of kaiming_uniform_ is 1/sqrt(fan_in).
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            inputs = math.prod(self.weight.shape[1:])
            if inputs:
                bound = 1 / math.sqrt(inputs)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """Return the constructor's arguments that are not the defaults."""
        parts = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        zeros, ones = (0,) * self._dims, (1,) * self._dims
        if self.padding != zeros:
            parts.append(f"padding={self.padding}")
        if self.dilation != ones:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != zeros:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Conv(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: dtypes.dtype | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, False, 0, groups,
            bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _sides(self) -> list[tuple[int, int]]:
        """Give how much is put before and behind each dimension."""
        if not isinstance(self.padding, str):
            return [(p, p) for p in self.padding]
        if self.padding == "valid":
            return [(0, 0)] * self._dims
        totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of `input`, of shape (N, C, ...) or (C, ...)."""
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = pad_around(input, self._sides(), self.padding_mode), 0  # type: ignore[assignment]
        function = getattr(F, f"conv{self._dims}d")
        return function(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )


class Conv1d(_Conv):
    r"""Convolve sequences.

    .. math:: y_{n,o,i} = b_o + \sum_{c,k} W_{o,c,k} x_{n,c,is-p+kd}

    Args:
        in_channels: C, of the input.
        out_channels: of the output.
        kernel_size: length of the windows.
        stride: how far windows are apart.
        padding: elements on both sides, or ``'valid'`` (none) or ``'same'`` (as many as keep the
            length; takes a stride of 1).
        dilation: how far the elements of a window are apart.
        groups: parts that the channels are divided into, each convolved by itself.
        bias: whether to add b.
        padding_mode: ``'zeros'``, ``'reflect'``, ``'replicate'`` or ``'circular'``.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Attributes:
        weight: (out_channels, in_channels / groups, kernel_size), from U(-k, k) with
            k = 1/sqrt(in_channels / groups · kernel_size).
        bias: (out_channels,), drawn likewise; None if `bias` was False.

    Raises:
        TypeError: a number of channels is not an integer.
        ValueError: channels that groups do not divide, an unknown padding or mode.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Conv1d(2, 4, 3, padding="same")(mt.ones(5, 2, 10)).shape
        microtensor.Size([5, 4, 10])
    """

    _dims = 1


class Conv2d(_Conv):
    """Convolve images: as :class:`Conv1d`, over height and width.

    `kernel_size`, `stride`, `padding` and `dilation` are a number, or one for height and one for
    width; the weight has shape (out_channels, in_channels / groups, kH, kW).

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2))(mt.ones(4, 3, 32, 32)).shape
        microtensor.Size([4, 8, 16, 16])

    References:
        LeCun et al., Gradient-based learning applied to document recognition, 1998.
    """

    _dims = 2


class Conv3d(_Conv):
    """Convolve volumes: as :class:`Conv1d`, over depth, height and width.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Conv3d(1, 2, 3)(mt.ones(1, 1, 5, 6, 7)).shape
        microtensor.Size([1, 2, 3, 4, 5])
    """

    _dims = 3


class _ConvTranspose(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: dtypes.dtype | None = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}, got '
                f"{padding_mode!r}"
            )
        if isinstance(padding, str):
            raise TypeError(f"{type(self).__name__}: padding must be a number, got {padding!r}")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, True,
            output_padding, groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        """Give the output padding that brings about an output size."""
        dims, shape = self._dims, tuple(input.shape)
        size = tuple(output_size)
        if len(size) == len(shape):
            size = size[len(shape) - dims :]
        if len(size) != dims:
            raise ValueError(
                f"ConvTranspose{dims}D: for {len(shape)}D input, output_size must have {dims} or "
                f"{len(shape)} elements (got {len(output_size)})"
            )
        padding: Any = self.padding  # never a word here
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                shape[len(shape) - dims :], self.stride, padding, self.dilation,
                self.kernel_size, strict=True,
            )
        ]  # fmt: skip
        most = [low + s - 1 for low, s in zip(least, self.stride, strict=True)]
        if any(not a <= n <= b for a, n, b in zip(least, size, most, strict=True)):
            raise ValueError(
                f"requested an output size of {size}, but valid sizes range from {least} to {most} "
                f"(for an input of {list(shape[len(shape) - dims :])})"
            )
        return tuple(n - low for n, low in zip(size, least, strict=True))

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """Return the transposed convolution of `input`, of an output size if it is given."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._output_padding(input, output_size)
        function = getattr(F, f"conv_transpose{self._dims}d")
        return function(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups,
            self.dilation,
        )  # fmt: skip


class ConvTranspose1d(_ConvTranspose):
    """Apply the transposed convolution to sequences: the gradient of :class:`Conv1d` by its input.

    Args:
        in_channels: C, of the input.
        out_channels: of the output.
        kernel_size: length of the windows.
        stride: how far windows are apart in the output.
        padding: elements cut off on both sides.
        output_padding: elements more at the end; less than stride or dilation.
        groups: parts that the channels are divided into.
        bias: whether to add a bias.
        dilation: how far the elements of a window are apart.
        padding_mode: ``'zeros'``.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Attributes:
        weight: (in_channels, out_channels / groups, kernel_size), from U(-k, k) with
            k = 1/sqrt(out_channels / groups · kernel_size).
        bias: (out_channels,), drawn likewise; None if `bias` was False.

    Raises:
        TypeError: a number of channels is not an integer, or padding is a word.
        ValueError: channels that groups do not divide, another padding mode.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> up = nn.ConvTranspose1d(2, 4, 3, stride=2)
        >>> up(mt.ones(5, 2, 10)).shape, up(mt.ones(5, 2, 10), output_size=[22]).shape
        (microtensor.Size([5, 4, 21]), microtensor.Size([5, 4, 22]))
    """

    _dims = 1


class ConvTranspose2d(_ConvTranspose):
    """Apply the transposed convolution to images: as :class:`ConvTranspose1d`.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)(mt.ones(1, 8, 7, 7)).shape
        microtensor.Size([1, 3, 14, 14])

    References:
        Zeiler et al., Deconvolutional networks, 2010; Dumoulin and Visin, A guide to convolution
        arithmetic for deep learning, arXiv:1603.07285.
    """

    _dims = 2


class ConvTranspose3d(_ConvTranspose):
    """Apply the transposed convolution to volumes: as :class:`ConvTranspose1d`.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.ConvTranspose3d(2, 1, 2, stride=2)(mt.ones(1, 2, 3, 3, 3)).shape
        microtensor.Size([1, 1, 6, 6, 6])
    """

    _dims = 3
