"""Normalization layers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from microtensor.nn import functional as F
from microtensor.nn import init
from microtensor.nn.factory import buffer, checked_count, kind_of, parameter
from microtensor.nn.module import Module
from microtensor.nn.parameter import Parameter
from microtensor.ops.normalization import batch_norm_tracked
from microtensor.tensor import Tensor


class _Affine(Module):
    """What norms share that scale and shift in the end: a weight and a bias, or neither."""

    weight: Parameter | None
    bias: Parameter | None

    def _register_affine(
        self, shape: int | tuple[int, ...], kind: Any, affine: bool, bias: bool
    ) -> None:
        self.register_parameter("weight", parameter(shape, kind) if affine else None)
        self.register_parameter("bias", parameter(shape, kind) if affine and bias else None)

    def reset_parameters(self) -> None:
        """Start anew with the identity."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class _NormBase(_Affine):
    """What batch and instance norms share: an affine map and running statistics by channel."""

    num_features: int
    eps: float
    momentum: float | None
    affine: bool
    track_running_stats: bool
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _ranks: ClassVar[tuple[int, ...]] = ()

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.num_features = checked_count(name, "num_features", num_features)
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        kind = kind_of(name, device, dtype)
        self._register_affine(num_features, kind, affine, bias)
        track = track_running_stats
        self.register_buffer(
            "running_mean", buffer(np.zeros(num_features, kind)) if track else None
        )
        self.register_buffer("running_var", buffer(np.ones(num_features, kind)) if track else None)
        count = buffer(np.array(0, np.int64)) if track else None
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Start the running statistics anew: mean 0, variance 1, no batch seen."""
        if self.running_mean is not None:
            assert self.running_var is not None and self.num_batches_tracked is not None
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Start anew: the identity, and no statistics."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in self._ranks:
            legal = " or ".join(f"{rank}D" for rank in self._ranks)
            raise ValueError(f"expected {legal} input (got {input.ndim}D input)")

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_NormBase):
    r"""Normalize each channel over the batch and its places.

    .. math:: y = \frac{x - \mathrm{E}[x]}{\sqrt{\mathrm{Var}[x] + \epsilon}} \gamma + \beta

    In training the statistics are those of the batch, and the running ones are moved towards them
    (the variance divided by n - 1); in evaluation the running ones are used, if there are any.

    Args:
        num_features: the number of channels C.
        eps: added to the variance.
        momentum: the share of the batch in the running statistics; None for the plain average of
            all batches seen.
        affine: whether there are gamma and beta.
        track_running_stats: whether there are running statistics.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Attributes:
        weight: gamma, of shape (C,), ones at first.
        bias: beta, of shape (C,), zeros at first.
        running_mean, running_var: buffers of shape (C,).
        num_batches_tracked: a 0-d int64 buffer.

    Raises:
        ValueError: an input of another rank, or one value per channel in training.

    References:
        Ioffe, Szegedy 2015, arXiv:1502.03167.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` normalized, of its shape."""
        self._check_input_dim(input)
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        running = not self.training or self.track_running_stats
        count = self.num_batches_tracked
        return batch_norm_tracked(
            input,
            self.running_mean if running else None,
            self.running_var if running else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            # Without a count there is nothing to average over: nothing is moved.
            0.0 if self.momentum is None and count is None else self.momentum,
            self.eps,
            count if self.momentum is None else None,
        )


class BatchNorm1d(_BatchNorm):
    """Normalize each channel of inputs (N, C) or (N, C, L) over the batch.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.BatchNorm1d(2)(mt.tensor([[1.0, 5.0], [3.0, 5.0]])).round(decimals=3)
        tensor([[-1.,  0.],
                [ 1.,  0.]], grad_fn=<RoundBackward0>)
    """

    _ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalize each channel of inputs (N, C, H, W) over the batch; see BatchNorm1d."""

    _ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalize each channel of inputs (N, C, D, H, W) over the batch; see BatchNorm1d."""

    _ranks = (5,)


class _InstanceNorm(_NormBase):
    """Normalize each channel of each sample over its places.

    Inputs without a batch dimension are taken, too.

    Args:
        num_features: the number of channels C.
        eps: added to the variance.
        momentum: the share of a batch in the running statistics.
        affine: whether there are a weight and a bias by channel.
        track_running_stats: whether there are running statistics, which evaluation then uses.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Raises:
        ValueError: an input of another rank or number of channels, or one place per channel.

    References:
        Ulyanov, Vedaldi, Lempitsky 2016, arXiv:1607.08022.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` normalized, of its shape."""
        self._check_input_dim(input)
        single = input.ndim == self._ranks[0]
        channels = input.shape[0 if single else 1]
        if channels != self.num_features:
            differs = (
                f"expected input's size at dim={0 if single else 1} to match num_features "
                f"({self.num_features}), but got: {channels}."
            )
            if self.affine or self.running_mean is not None:
                raise ValueError(differs)
            warnings.warn(f"{differs} Without affine=True it has no effect.", stacklevel=2)
        result: Tensor = F.instance_norm(
            input.unsqueeze(0) if single else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum if self.momentum is not None else 0.0,
            self.eps,
        )
        return result.squeeze(0) if single else result


class InstanceNorm1d(_InstanceNorm):  # noqa: D101
    __doc__ = _InstanceNorm.__doc__
    _ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):  # noqa: D101
    __doc__ = _InstanceNorm.__doc__
    _ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):  # noqa: D101
    __doc__ = _InstanceNorm.__doc__
    _ranks = (4, 5)


def _shape(layer: str, normalized_shape: Any) -> tuple[int, ...]:
    if isinstance(normalized_shape, int | np.integer):
        normalized_shape = (normalized_shape,)
    return tuple(checked_count(layer, "normalized_shape", each) for each in normalized_shape)


class LayerNorm(_Affine):
    """Normalize over the last dimensions, and apply an affine map by element.

    Args:
        normalized_shape: the shape of the last dimensions, or the length of the last one.
        eps: added to the variance.
        elementwise_affine: whether there are weight and bias.
        bias: whether there is a bias beside the weight.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Attributes:
        weight, bias: of shape ``normalized_shape``; ones and zeros at first.

    Raises:
        RuntimeError: an input of another shape.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.LayerNorm(3)(mt.ones(2, 3)).shape
        microtensor.Size([2, 3])

    References:
        Ba, Kiros, Hinton 2016, arXiv:1607.06450.
    """

    normalized_shape: tuple[int, ...]
    eps: float
    elementwise_affine: bool

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("LayerNorm", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        kind = kind_of("LayerNorm", device, dtype)
        self._register_affine(self.normalized_shape, kind, elementwise_affine, bias)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` normalized, of its shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Divide by the root mean square of the last dimensions.

    Args:
        normalized_shape: the shape of the last dimensions, or the length of the last one.
        eps: added to the mean square; the input's machine epsilon if None.
        elementwise_affine: whether there is a weight.
        device: ``None`` or ``"cpu"``.
        dtype: of the weight; the default floating-point dtype unless given.

    Raises:
        RuntimeError: an input of another shape.

    References:
        Zhang, Sennrich 2019, arXiv:1910.07467.
    """

    normalized_shape: tuple[int, ...]
    eps: float | None
    elementwise_affine: bool
    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("RMSNorm", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        kind, shape = kind_of("RMSNorm", device, dtype), self.normalized_shape
        self.register_parameter("weight", parameter(shape, kind) if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start anew with ones."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` normalized, of its shape."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(_Affine):
    """Normalize each sample's channels in groups, and apply an affine map by channel.

    Args:
        num_groups: into how many groups the channels are divided.
        num_channels: the number of channels C.
        eps: added to the variance.
        affine: whether there are weight and bias.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Raises:
        ValueError: num_channels is not a multiple of num_groups.

    References:
        Wu, He 2018, arXiv:1803.08494.
    """

    num_groups: int
    num_channels: int
    eps: float
    affine: bool

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_groups = checked_count("GroupNorm", "num_groups", num_groups, 1)
        self.num_channels = checked_count("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.eps = eps
        self.affine = affine
        self._register_affine(num_channels, kind_of("GroupNorm", device, dtype), affine, bias)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """Return `input`, of shape (N, C, *), normalized."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """Divide by a power of the mean square of the neighbouring channels.

    Args:
        size: how many channels are summed.
        alpha: factor of the mean square.
        beta: the power.
        k: what is added.

    References:
        Krizhevsky, Sutskever, Hinton 2012, ImageNet classification with deep convolutional neural
        networks.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """Return `input`, of shape (N, C, *), normalized."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
