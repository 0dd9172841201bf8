"""Layers that are affine maps of their input: which they are, and how a map is pushed through."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import microtensor as mt
from microtensor import nn
from microtensor.func import functional_call

# Of one row of the input, without the dimension of the batch.
Shape = tuple[int, ...]

_DROPOUTS = (
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout,
)  # fmt: skip
_NORMS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
)  # fmt: skip
# These leave the numbers of a row in their order.
IN_ORDER: tuple[type[Any], ...] = (nn.Identity, nn.Flatten, nn.Unflatten, *_DROPOUTS)
AFFINE: tuple[type[Any], ...] = (
    nn.Linear, *IN_ORDER, *_NORMS,
    nn.Conv1d, nn.Conv2d, nn.Conv3d,
    nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d,
    nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d,
    nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d,
    nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d,
    nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d,
    nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle,
    nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d,
    nn.Fold, nn.Unfold,
)  # fmt: skip
_KNOWN = (
    "Linear, convolutions, average pooling, padding, upsampling, reshaping, Identity, BatchNorm, "
    "InstanceNorm and Dropout in eval mode"
)


def affine_layers(
    model: nn.Module, path: str = "", *, asked: str = "collapse", bends: tuple[type[Any], ...] = ()
) -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of a model in order, each with its path, none of them nonlinear.

    Args:
        model: what is gone through.
        path: where it is in a larger one.
        asked: which function asks, for messages.
        bends: kinds of layer that are let through, though they are only piecewise linear.

    Raises:
        TypeError: a layer that is not affine, or whose forward is not known; the message names
            its path and class.
    """
    name = described(path, model)
    if _has_hooks(model):
        raise TypeError(f"{asked}: {name} has forward hooks, which may change what it computes")
    if isinstance(model, nn.Sequential) and _computes_as(model, nn.Sequential):
        for child_name, child in model._modules.items():
            if child is not None:
                below = f"{path}.{child_name}" if path else child_name
                yield from affine_layers(child, below, asked=asked, bends=bends)
        return
    if not any(isinstance(model, kind) and _computes_as(model, kind) for kind in (*AFFINE, *bends)):
        affine = "affine" if not bends else "piecewise linear"
        known = "".join(f", {kind.__name__}" for kind in bends)
        raise TypeError(
            f"{asked}: {name} is not known to be {affine}; only {_KNOWN}{known} and Sequential "
            "of these can be folded"
        )
    _check_mode(model, name, asked)
    yield path, model


def described(path: str, layer: nn.Module) -> str:
    """Return what messages call a layer."""
    return f"layer {path!r} ({type(layer).__name__})" if path else type(layer).__name__


def _check_mode(layer: nn.Module, name: str, asked: str) -> None:
    """Refuse layers that are affine in another mode, or with other arguments."""
    if isinstance(layer, _DROPOUTS) and layer.training and layer.p > 0:
        raise TypeError(
            f"{asked}: {name} is in training mode and drops at random; call model.eval() first"
        )
    if isinstance(layer, _NORMS) and (layer.training or layer.running_mean is None):
        cure = "call model.eval() first" if layer.running_mean is not None else "it has no others"
        raise TypeError(f"{asked}: {name} normalises by the statistics of its input; {cure}")
    if isinstance(layer, nn.Flatten) and layer.start_dim == 0:
        raise TypeError(
            f"{asked}: {name} must flatten from dimension 1 or later, as dimension 0 holds the "
            f"rows; got {layer.start_dim} to {layer.end_dim}"
        )
    if getattr(layer, "return_indices", False):
        raise TypeError(f"{asked}: {name} returns indices, too, which are no numbers to go on from")


def checked_shape(input_shape: Sequence[int] | int | None, asked: str) -> Shape | None:
    """Return the shape of one row as a tuple.

    Raises:
        ValueError: sizes that are none.
    """
    if input_shape is None:
        return None
    sizes = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
    if not sizes or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(
            f"{asked}: input_shape must be positive sizes of one row, without the batch, as "
            f"(channels, height, width), got {input_shape!r}"
        )
    return sizes


def shape_before(layer: nn.Module, path: str, shape: Shape | None, asked: str) -> Shape | None:
    """Return the shape of what reaches a layer; None if it is open and the layer does not mind.

    Args:
        layer: what it reaches.
        path: of the layer.
        shape: what is known; a Linear tells how many numbers it takes.
        asked: which function asks, for messages.

    Raises:
        ValueError: the layer needs to know, or takes another shape.
    """
    name = described(path, layer)
    if shape is None:
        if isinstance(layer, nn.Linear):
            return (layer.in_features,)
        whole = isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) == (1, -1)
        if whole or isinstance(layer, (nn.Identity, *_DROPOUTS)):
            return None
        raise ValueError(
            f"{asked}: {name} needs to know the shape of its input; give input_shape, as "
            f"{_asked_for(layer)}, without the batch"
        )
    if isinstance(layer, nn.Linear) and shape[-1] != layer.in_features:
        raise ValueError(
            f"{asked}: {name} takes {layer.in_features} inputs, but {shape[-1]} reach it"
        )
    wanted = _dimensions(layer)
    if wanted and len(shape) not in wanted:
        raise ValueError(
            f"{asked}: {name} takes rows of the shape {_asked_for(layer)}, but {shape} reach it"
        )
    return shape


def _dimensions(layer: nn.Module) -> tuple[int, ...]:
    """Return how many dimensions a row may have; nothing if any number will do."""
    for kind in type(layer).__mro__:  # a subclass of the user's own may be called anything
        if kind.__module__.startswith(nn.__name__) and kind.__name__[-2:] in ("1d", "2d", "3d"):
            full = 1 + int(kind.__name__[-2])
            return (1, 2) if kind is nn.BatchNorm1d else (full,)
    return ()


def _asked_for(layer: nn.Module) -> str:
    wanted = max(_dimensions(layer), default=3)
    places = {2: "length", 3: "height, width", 4: "depth, height, width"}[wanted]
    return f"(channels, {places})"


def applied(
    layer: nn.Module, path: str, rows: mt.Tensor, shape: Shape, asked: str
) -> tuple[mt.Tensor, Shape]:
    """Return what a layer makes of rows, in their dtype and flat, and the shape of each.

    Args:
        layer: of any floating-point dtype; it stays as it is, and gradients reach its parameters.
        path: where it is.
        rows: (rows, numbers).
        shape: of each row, as the layer takes it.
        asked: which function asks, for messages.

    Raises:
        ValueError: the layer cannot take such rows.
    """
    own = {
        name: tensor.to(rows.dtype)
        for name, tensor in (*layer.named_parameters(), *layer.named_buffers())
        if tensor.dtype.is_floating_point
    }
    try:
        made = functional_call(layer, own, rows.reshape(len(rows), *shape))
    except (RuntimeError, ValueError, IndexError) as error:
        raise ValueError(
            f"{asked}: {described(path, layer)} cannot take rows of the shape {shape}: {error}"
        ) from error
    after = tuple(made.shape[1:])
    return made.reshape(len(rows), math.prod(after)), after


def pushed(
    layer: nn.Module, path: str, weight: mt.Tensor, bias: mt.Tensor, shape: Shape, asked: str
) -> tuple[mt.Tensor, mt.Tensor, Shape]:
    """Return A and b of an affine layer after A·x + b, and the shape of what it makes.

    The columns of A go through it as rows, with b, and 0 to tell what the layer adds.

    Args:
        layer: what comes next.
        path: where it is.
        weight: A so far, (numbers, inputs).
        bias: b so far, (numbers,).
        shape: of the numbers, as the layer takes them.
        asked: which function asks, for messages.
    """
    inputs = weight.shape[1]
    nothing = mt.zeros(1, len(bias), dtype=weight.dtype)
    rows = mt.cat([weight.T, bias.reshape(1, len(bias)), nothing])
    made, after = applied(layer, path, rows, shape, asked)
    return (made[:inputs] - made[inputs + 1]).T, made[inputs], after


def _computes_as(model: nn.Module, kind: type[nn.Module]) -> bool:
    """Tell whether a module of this kind does nothing else: a subclass may override."""
    known = type(model)
    return (
        known.forward is kind.forward
        and known.__call__ is nn.Module.__call__
        and "forward" not in vars(model)
    )


def _has_hooks(model: nn.Module) -> bool:
    hooks = model._hooks
    return hooks is not None and bool(hooks.forward or hooks.forward_pre)
