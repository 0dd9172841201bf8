"""Layers that find out at their first call how many channels or features their input has.

That call draws initial values, which a captured step refuses: call the network once before.
"""

from __future__ import annotations

from typing import Any, ClassVar

from microtensor.engine import epoch
from microtensor.nn.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from microtensor.nn.linear import Linear
from microtensor.nn.module import Module
from microtensor.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from microtensor.nn.uninitialized import UninitializedBuffer, UninitializedParameter, is_lazy

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
]


class _Lazy(Module):
    """What lazy layers share: the first call, or loading a state, makes ordinary layers of them.

    Parameters stay the same objects, so that an optimizer made before has what is trained.
    """

    cls_to_become: ClassVar[type[Module]]
    _count: ClassVar[str]

    def _wait(self) -> None:
        """Put in the place of parameters and statistics what has no shape yet."""
        for name, each in list(self.named_parameters(recurse=False)):
            setattr(self, name, UninitializedParameter(dtype=each.dtype))
        for name, statistic in list(self.named_buffers(recurse=False)):
            if statistic.ndim:
                setattr(self, name, UninitializedBuffer(dtype=statistic.dtype))

    def _is_waiting(self) -> bool:
        own: Any = (*self.parameters(recurse=False), *self.buffers(recurse=False))
        return any(is_lazy(each) for each in own)

    def has_uninitialized_params(self) -> bool:
        """Say whether some parameters or buffers have no shape yet."""
        return self._is_waiting()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, if they are there."""
        if getattr(self, self._count) and not self._is_waiting():
            super().reset_parameters()  # type: ignore[misc]

    def _seen(self, input: Any) -> int:
        """Give how many features or channels an input has."""
        return int(input.shape[1])

    def _saved(self, tensors: dict[str, Any]) -> int | None:
        """Give how many features or channels those of a state had; None if it does not say."""
        raise NotImplementedError

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        raise NotImplementedError

    def _become(self, count: int) -> None:
        setattr(self, self._count, count)
        for name, shape in self._shapes().items():
            tensor: Any = getattr(self, name)
            if is_lazy(tensor):
                tensor.materialize(shape)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        epoch.count += 1
        self.reset_parameters()

    def initialize_parameters(self, input: Any) -> None:
        """Become an ordinary layer that fits this input."""
        self._become(self._seen(input))

    # A subclass's own __call__ is what Module and Sequential look for.
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Become an ordinary layer that fits the first argument, and call it."""
        self.initialize_parameters(args[0] if args else kwargs["input"])
        return self(*args, **kwargs)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any, **named: Any) -> None:
        own = {
            key[len(prefix) :]: value for key, value in state_dict.items() if key.startswith(prefix)
        }
        count = self._saved({k: v for k, v in own.items() if not is_lazy(v) and v.shape != (0,)})
        if count is None:
            super()._load_from_state_dict(state_dict, prefix, *rest, **named)
            return
        self._become(count)
        self._load_from_state_dict(state_dict, prefix, *rest, **named)


class LazyLinear(_Lazy, Linear):
    """A Linear whose `in_features` are the last dimension of its first input.

    Takes what Linear does after `in_features`.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> layer = nn.LazyLinear(2)
        >>> layer
        LazyLinear(in_features=0, out_features=2, bias=True)
        >>> layer(mt.ones(5, 3)).shape, layer
        (microtensor.Size([5, 2]), Linear(in_features=3, out_features=2, bias=True))
    """

    cls_to_become = Linear
    _count = "in_features"

    def __init__(
        self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(0, out_features, bias, device, dtype)
        self._wait()

    def _seen(self, input: Any) -> int:
        return int(input.shape[-1])

    def _saved(self, tensors: dict[str, Any]) -> int | None:
        return tensors["weight"].shape[-1] if "weight" in tensors else None

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.out_features, self.in_features)}
        return shapes if self.bias is None else {**shapes, "bias": (self.out_features,)}


class _LazyConv(_Lazy):
    _count = "in_channels"

    def _seen(self, input: Any) -> int:
        layer: Any = self
        legal = (layer._dims + 1, layer._dims + 2)
        if input.ndim not in legal:
            raise RuntimeError(
                f"Expected {legal[0]}D (unbatched) or {legal[1]}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {list(input.shape)}"
            )
        return int(input.shape[-legal[0]])

    def _saved(self, tensors: dict[str, Any]) -> int | None:
        if "weight" not in tensors:
            return None
        layer: Any = self
        first, second = tensors["weight"].shape[:2]
        return int(first if layer.transposed else second * layer.groups)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        layer: Any = self
        first, second = layer.out_channels, layer.in_channels
        if layer.transposed:
            first, second = second, first
        if layer.in_channels % layer.groups:
            raise ValueError(
                f"{type(self).__name__}: in_channels must be divisible by groups, got "
                f"{layer.in_channels} and {layer.groups}"
            )
        shapes = {"weight": (first, second // layer.groups, *layer.kernel_size)}
        return shapes if layer.bias is None else {**shapes, "bias": (layer.out_channels,)}


class _LazyPlainConv(_LazyConv):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        numbers: Any = (0, out_channels, kernel_size, stride, padding, dilation, groups)
        super().__init__(*numbers, bias, padding_mode, device, dtype)  # type: ignore[call-arg]
        self._wait()


class _LazyTransposedConv(_LazyConv):
    def __init__(
        self,
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
        dtype: Any = None,
    ) -> None:
        numbers: Any = (0, out_channels, kernel_size, stride, padding, output_padding, groups)
        super().__init__(*numbers, bias, dilation, padding_mode, device, dtype)  # type: ignore[call-arg]
        self._wait()


class _LazyNorm(_Lazy):
    _count = "num_features"

    # PyTorch's defaults, of instance norms too, which else are neither affine nor tracked.
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        given: Any = (0, eps, momentum, affine, track_running_stats, device, dtype)
        super().__init__(*given, bias=bias)  # type: ignore[call-arg]
        self._wait()

    def _saved(self, tensors: dict[str, Any]) -> int | None:
        for name in ("weight", "running_mean"):
            if name in tensors:
                return int(tensors[name].shape[0])
        return None

    def _seen(self, input: Any) -> int:
        layer: Any = self
        layer._check_input_dim(input)
        return super()._seen(input)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        layer: Any = self
        names = ("weight", "bias", "running_mean", "running_var")
        return {name: (layer.num_features,) for name in names if getattr(self, name) is not None}


class _LazyInstanceNorm(_LazyNorm):
    def _seen(self, input: Any) -> int:
        layer: Any = self
        layer._check_input_dim(input)
        return int(input.shape[0 if input.ndim == layer._ranks[0] else 1])


class LazyConv1d(_LazyPlainConv, Conv1d):
    """A Conv1d whose `in_channels` are those of its first input; takes what follows them."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyPlainConv, Conv2d):
    """A Conv2d whose `in_channels` are those of its first input; takes what follows them."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyPlainConv, Conv3d):
    """A Conv3d whose `in_channels` are those of its first input; takes what follows them."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyTransposedConv, ConvTranspose1d):
    """A ConvTranspose1d whose `in_channels` are those of its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyTransposedConv, ConvTranspose2d):
    """A ConvTranspose2d whose `in_channels` are those of its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyTransposedConv, ConvTranspose3d):
    """A ConvTranspose3d whose `in_channels` are those of its first input."""

    cls_to_become = ConvTranspose3d


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """A BatchNorm1d whose `num_features` are the channels of its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """A BatchNorm2d whose `num_features` are the channels of its first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """A BatchNorm3d whose `num_features` are the channels of its first input."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyInstanceNorm, InstanceNorm1d):
    """A InstanceNorm1d whose `num_features` are the channels of its first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyInstanceNorm, InstanceNorm2d):
    """A InstanceNorm2d whose `num_features` are the channels of its first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyInstanceNorm, InstanceNorm3d):
    """A InstanceNorm3d whose `num_features` are the channels of its first input."""

    cls_to_become = InstanceNorm3d
