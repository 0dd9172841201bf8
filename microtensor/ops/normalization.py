"""Normalization: by layer, group, instance, root mean square and batch."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import add, mul
from microtensor.ops.arrays import Array, constant, contiguous, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.joint import declare_jointly, recorded, through
from microtensor.tensor import Tensor, wrap

# ---- rows: layer, group, instance and root-mean-square norms -------------------------------------


def _of_nothing(input: Tensor, weight: Any, bias: Any, channels: bool = False) -> Tensor:
    """Give an input without elements back, such that weight and bias get gradients, of zeros."""
    result = input.clone()
    for value, combine in ((weight, mul), (bias, add)):
        if value is not None:
            if channels:
                value = value.reshape(-1, *(1,) * (input._array.ndim - 2))
            result = combine(result, value)
    return result


def _like(shape: tuple[int, ...], x: Array, asked: bool = True) -> Any:
    return empty(shape, x.dtype) if asked else None


def _row_norm_forward(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    n: int,
    groups: int,
    inner: int,
    centered: bool,
    eps: float,
) -> tuple[Array, Any, Array]:
    rows = x.size // n
    mean, scale = _like((rows,), x, centered), empty((rows,), x.dtype)
    out = empty(x.shape, x.dtype)
    kernels.row_norm(
        contiguous(x).reshape(rows, n),
        _contiguous(weight),
        _contiguous(bias),
        groups,
        inner,
        centered,
        eps,
        mean,
        scale,
        out.reshape(rows, n),
    )
    return out, mean, scale


def _contiguous(x: Array | None) -> Any:
    return None if x is None else contiguous(x)


def _row_norm_gradients_forward(
    g: Array,
    x: Array,
    weight: Array | None,
    mean: Array | None,
    scale: Array,
    n: int,
    groups: int,
    inner: int,
    centered: bool,
    weight_shape: tuple[int, ...],
    wanted: tuple[bool, ...],
) -> tuple[Any, Any, Any]:
    rows = x.size // n
    out = _like(x.shape, x, wanted[0])
    weight_out = _like(weight_shape, x, wanted[1])
    bias_out = _like(weight_shape, x, wanted[2])
    kernels.row_norm_backward(
        contiguous(g).reshape(rows, n),
        contiguous(x).reshape(rows, n),
        _contiguous(weight),
        groups,
        inner,
        centered,
        mean,
        scale,
        None if out is None else out.reshape(rows, n),
        weight_out,
        bias_out,
    )
    return out, weight_out, bias_out


_row_norm_gradients: Any = declare(
    "row_norm_gradients",
    "grad: Tensor, input: Tensor, weight: Tensor | None, mean: Tensor | None, scale: Tensor, "
    "n: int, groups: int, inner: int, centered: bool, weight_shape: Any, wanted: Any",
    _row_norm_gradients_forward,
    outputs=("by_input", "by_weight", "by_bias"),
    summary="Give the gradients of row_norm by input, weight and bias.",
    namespaces=(),
)


def _row_norm_rule(
    g: Any,
    input: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    scale: Any,
    n: int,
    groups: int,
    inner: int,
    centered: bool,
    eps: float,
    *,
    wanted: tuple[bool, ...],
) -> Any:
    affine = weight if weight is not None else bias
    if not recorded(g):
        return _row_norm_gradients(
            g,
            input,
            weight,
            mean,
            scale,
            n,
            groups,
            inner,
            centered,
            None if affine is None else affine.shape,
            wanted,
        )

    def composite(x: Any, weight: Any, bias: Any) -> tuple[Any]:
        rows = x.reshape(-1, n)
        if centered:
            rows = rows - rows.mean(1, keepdim=True)
        y = rows * ((rows * rows).mean(1, keepdim=True) + eps).rsqrt()
        y = y.reshape(-1, groups, n // inner, inner)
        if weight is not None:
            y = y * weight.reshape(groups, n // inner, 1)
        if bias is not None:
            y = y + bias.reshape(groups, n // inner, 1)
        return (y.reshape(x.shape),)

    return through(composite, (input, weight, bias), (g,), wanted)


_row_norm: Any = declare_jointly(
    "row_norm",
    "input: Tensor, weight: Tensor | None, bias: Tensor | None, n: int, groups: int, inner: int, "
    "centered: bool, eps: float",
    _row_norm_forward,
    _row_norm_rule,
    ("input", "weight", "bias"),
    extras=("mean", "scale"),
    summary="Normalize rows of n elements, and apply an affine map by channel.",
    formula="(x - mean) / √(variance + eps)·weight + bias",
    namespaces=(),
    samples=samples.given(
        (((4, 6), (6,), (6,)), {"n": 6, "groups": 1, "inner": 1, "centered": True, "eps": 1e-5}),
        (((4, 6), (4,), (4,)), {"n": 6, "groups": 2, "inner": 3, "centered": True, "eps": 1e-5}),
        (
            ((4, 6), (6,)),
            {"n": 6, "groups": 1, "inner": 1, "centered": False} | {"eps": 1e-5},
        ),
    ),
)
_row_norm_public = _row_norm.op.public


def _check(op: str, input: Any, dims: int = 0, **affine: Any) -> None:
    """Refuse what is no floating-point tensor, or has too few dimensions."""
    if not isinstance(input, Tensor):
        refuse(op, "input", input)
    x = input._array
    if x.dtype.kind != "f":
        raise RuntimeError(
            f"{op}: input must be floating point, not {x.dtype.name}; convert with .float()"
        )
    if x.ndim < dims:
        raise RuntimeError(
            f"{op}: Expected at least {dims} dimensions for input tensor but received "
            f"{list(x.shape)}"
        )
    for name, value in affine.items():
        if value is None:
            continue
        if not isinstance(value, Tensor):
            refuse(op, name, value)
        if value._array.dtype != x.dtype:
            raise RuntimeError(
                f"{op}: expected {name} of dtype {x.dtype.name} like the input, got "
                f"{value._array.dtype.name}"
            )


def _check_size(op: str, size: int, **values: Any) -> None:
    for name, value in values.items():
        if value is not None and value._array.size != size:
            raise RuntimeError(
                f"{op}: expected {name} to be a vector of {size} elements, one per channel of the "
                f"input, but got shape {list(value._array.shape)}"
            )


def _trailing(op: str, input: Tensor, normalized_shape: Any, **affine: Any) -> int:
    """Give how many elements the last dimensions have, which must be of a shape."""
    if isinstance(normalized_shape, int):
        normalized_shape = (normalized_shape,)
    wanted = tuple(int(each) for each in normalized_shape)
    if not wanted:
        raise RuntimeError(
            f"{op}: Expected normalized_shape to be at least 1-dimensional, i.e., containing at "
            "least one element, but got normalized_shape = []"
        )
    for name, value in affine.items():
        if value is not None and value._array.shape != wanted:
            raise RuntimeError(
                f"{op}: Expected {name} to be of same shape as normalized_shape, but got {name} of "
                f"shape {list(value._array.shape)} and normalized_shape = {list(wanted)}"
            )
    shape = input._array.shape
    if shape[max(len(shape) - len(wanted), 0) :] != wanted:
        raise RuntimeError(
            f"{op}: Given normalized_shape={list(wanted)}, expected input with shape "
            f"[*, {', '.join(map(str, wanted))}], but got input of size {list(shape)}"
        )
    return prod(wanted)


@publish(
    "input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, "
    "bias: Tensor | None = None, eps: float = 1e-05",
    namespaces=("nn.functional",),
)
def layer_norm(
    input: Any,
    normalized_shape: Sequence[int],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize over the last dimensions: ``(x - mean) / √(variance + eps)·weight + bias``.

    Args:
        input: floating point, of shape (*, *normalized_shape).
        normalized_shape: the shape of the last dimensions.
        weight: of that shape.
        bias: of that shape.
        eps: added to the variance.

    Raises:
        RuntimeError: shapes or dtypes that do not fit.

    References:
        Ba, Kiros, Hinton 2016, arXiv:1607.06450.
    """
    _check("layer_norm", input, weight=weight, bias=bias)
    n = _trailing("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    if not input._array.size:
        return _of_nothing(input, weight, bias)
    return _row_norm_public(input, weight, bias, n, 1, 1, True, float(eps))


@publish(
    "input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, "
    "eps: float | None = None",
    namespaces=("nn.functional",),
)
def rms_norm(
    input: Any, normalized_shape: Sequence[int], weight: Any = None, eps: float | None = None
) -> Tensor:
    """Divide by the root mean square of the last dimensions: ``x / √(mean x² + eps)·weight``.

    Args:
        input: floating point, of shape (*, *normalized_shape).
        normalized_shape: the shape of the last dimensions.
        weight: of that shape.
        eps: added to the mean square; the dtype's machine epsilon if None.

    Raises:
        RuntimeError: shapes or dtypes that do not fit.

    References:
        Zhang, Sennrich 2019, arXiv:1910.07467.
    """
    _check("rms_norm", input, weight=weight)
    n = _trailing("rms_norm", input, normalized_shape, weight=weight)
    if not input._array.size:
        return _of_nothing(input, weight, None)
    if eps is None:
        eps = float(np.finfo(input._array.dtype).eps)
    return _row_norm_public(input, weight, None, n, 1, 1, False, float(eps))


@publish(
    "input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, "
    "eps: float = 1e-05",
    namespaces=("nn.functional",),
)
def group_norm(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """Normalize each sample's channels in groups, and apply an affine map by channel.

    Args:
        input: floating point, of shape (N, C, *).
        num_groups: into how many groups C is divided.
        weight: of shape (C,).
        bias: of shape (C,).
        eps: added to the variance.

    Raises:
        RuntimeError: shapes or dtypes that do not fit, C not a multiple of num_groups.
        ValueError: one value per group.

    References:
        Wu, He 2018, arXiv:1803.08494.
    """
    _check("group_norm", input, 2, weight=weight, bias=bias)
    shape = input._array.shape
    if num_groups < 1 or shape[1] % num_groups:
        raise RuntimeError(
            "group_norm: Expected number of channels in input to be divisible by num_groups, but "
            f"got input of shape {list(shape)} and num_groups={num_groups}"
        )
    _check_size("group_norm", shape[1], weight=weight, bias=bias)
    if not input._array.size:
        return _of_nothing(input, weight, bias, channels=True)
    inner = prod(shape[2:])
    n = shape[1] // num_groups * inner
    if shape[0] * n == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {list(shape)}"
        )
    return _row_norm_public(input, weight, bias, n, num_groups, inner, True, float(eps))


# ---- channels across a batch ---------------------------------------------------------------------


def _channels(x: Array) -> Any:
    return contiguous(x).reshape(x.shape[0], x.shape[1], prod(x.shape[2:]))


def _batch_norm_forward(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    tracked: Array | None,
    training: bool,
    momentum: float | None,
    eps: float,
) -> tuple[Array, Array, Array]:
    flat = _channels(x)
    channels = flat.shape[1]
    scale = empty((channels,), x.dtype)
    if training:
        mean, variance = empty((channels,), x.dtype), empty((channels,), x.dtype)
        kernels.channel_moments(flat, variance, mean)
        kernels.inverse_root(variance, eps, scale)
        if running_mean is not None:
            count = flat.shape[0] * flat.shape[2]
            correction = count / (count - 1)
            kernels.running_update(
                mean, variance, correction, momentum, tracked, running_mean, running_var
            )
    else:
        assert running_mean is not None and running_var is not None
        # Saved for the gradient: later changes of the running statistics must not reach it.
        mean = running_mean.astype(x.dtype)
        kernels.inverse_root(running_var, eps, scale)
    out = empty(x.shape, x.dtype)
    kernels.channel_norm(
        flat, _contiguous(weight), _contiguous(bias), mean, scale, out.reshape(flat.shape)
    )
    return out, mean, scale


def _batch_norm_gradients_forward(
    g: Array,
    x: Array,
    weight: Array | None,
    mean: Array,
    scale: Array,
    training: bool,
    wanted: tuple[bool, ...],
) -> tuple[Any, Array, Array]:
    out = _like(x.shape, x, wanted[0])
    weight_out, bias_out = empty(mean.shape, x.dtype), empty(mean.shape, x.dtype)
    kernels.channel_norm_backward(
        _channels(g),
        _channels(x),
        _contiguous(weight),
        mean,
        scale,
        training,
        None if out is None else _channels(out),
        weight_out,
        bias_out,
    )
    return out, weight_out, bias_out


_batch_norm_gradients: Any = declare(
    "batch_norm_gradients",
    "grad: Tensor, input: Tensor, weight: Tensor | None, mean: Tensor, scale: Tensor, "
    "training: bool, wanted: Any",
    _batch_norm_gradients_forward,
    outputs=("by_input", "by_weight", "by_bias"),
    summary="Give the gradients of batch_norm by input, weight and bias.",
    namespaces=(),
)


def _batch_norm_rule(
    g: Any,
    input: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    scale: Any,
    training: bool,
    eps: float,
    *,
    wanted: tuple[bool, ...],
) -> Any:
    if not recorded(g):
        return _batch_norm_gradients(g, input, weight, mean, scale, training, wanted)

    def composite(x: Any, weight: Any, bias: Any) -> tuple[Any]:
        shape = (1, -1, *(1,) * (len(x.shape) - 2))
        if training:
            dims = (0, *range(2, len(x.shape)))
            y = x - x.mean(dims, keepdim=True)
            y = y * ((y * y).mean(dims, keepdim=True) + eps).rsqrt()
        else:
            y = (x - wrap(mean).reshape(shape)) * wrap(scale).reshape(shape)
        if weight is not None:
            y = y * weight.reshape(shape)
        if bias is not None:
            y = y + bias.reshape(shape)
        return (y,)

    return through(composite, (input, weight, bias), (g,), wanted)


_batch_norm: Any = declare_jointly(
    "batch_norm",
    "input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, "
    "running_var: Tensor | None, tracked: Tensor | None, training: bool, momentum: Any, eps: float",
    _batch_norm_forward,
    _batch_norm_rule,
    ("input", "weight", "bias"),
    extras=("mean", "scale"),
    summary="Normalize each channel over the batch, and apply an affine map by channel.",
    formula="(x - mean) / √(variance + eps)·weight + bias",
    namespaces=(),
)
_batch_norm_public = _batch_norm.op.public


def batch_norm_tracked(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any,
    bias: Any,
    training: bool,
    momentum: float | None,
    eps: float,
    tracked: Any = None,
) -> Tensor:
    """Do what batch_norm does; with ``momentum=None``, by the batches counted in ``tracked``."""
    _check("batch_norm", input, 2, weight=weight, bias=bias)
    shape = input._array.shape
    for name, value in (("running_mean", running_mean), ("running_var", running_var)):
        if value is not None and not isinstance(value, Tensor):
            refuse("batch_norm", name, value)
    _check_size(
        "batch_norm",
        shape[1],
        weight=weight,
        bias=bias,
        running_mean=running_mean,
        running_var=running_var,
    )
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError(
            "batch_norm: Expected running_mean and running_var to be defined when training=False"
        )
    if training and input._array.size == shape[1]:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {list(shape)}"
        )
    if not input._array.size:
        return _of_nothing(input, weight, bias, channels=True)
    if training and (running_mean is None or running_var is None):
        running_mean = running_var = None
    result = _batch_norm_public(
        input,
        weight,
        bias,
        running_mean,
        running_var,
        tracked,
        bool(training),
        momentum,
        float(eps),
    )
    if training and running_mean is not None:
        running_mean._cell[0] += 1  # they were written to
        running_var._cell[0] += 1
    return result


@publish(
    "input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, "
    "weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False, "
    "momentum: float = 0.1, eps: float = 1e-05",
    namespaces=("nn.functional",),
)
def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each channel over the batch: ``(x - mean) / √(variance + eps)·weight + bias``.

    Args:
        input: floating point, of shape (N, C, *).
        running_mean: of shape (C,): used if not training, else moved towards the batch's mean.
        running_var: likewise, towards the variance divided by one less than the count.
        weight: of shape (C,).
        bias: of shape (C,).
        training: whether the statistics are those of the batch.
        momentum: the share of the batch in the running statistics.
        eps: added to the variance.

    Raises:
        RuntimeError: shapes or dtypes that do not fit; no running statistics and not training.
        ValueError: one value per channel in training.

    References:
        Ioffe, Szegedy 2015, arXiv:1502.03167.
    """
    return batch_norm_tracked(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )


@publish(
    "input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None, "
    "weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True, "
    "momentum: float = 0.1, eps: float = 1e-05",
    namespaces=("nn.functional",),
)
def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalize each channel of each sample over its places.

    Args:
        input: floating point, of shape (N, C, *).
        running_mean: of shape (C,): used without input statistics, else moved towards their mean.
        running_var: likewise.
        weight: of shape (C,).
        bias: of shape (C,).
        use_input_stats: whether to normalize by the sample's own statistics.
        momentum: the share of the batch in the running statistics.
        eps: added to the variance.

    Raises:
        RuntimeError: shapes or dtypes that do not fit.
        ValueError: one place per channel.

    References:
        Ulyanov, Vedaldi, Lempitsky 2016, arXiv:1607.08022.
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    _check("instance_norm", input, 2, weight=weight, bias=bias)
    shape = input._array.shape
    inner = prod(shape[2:])
    if inner == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {list(shape)}"
        )
    _check_size(
        "instance_norm",
        shape[1],
        weight=weight,
        bias=bias,
        running_mean=running_mean,
        running_var=running_var,
    )
    if not input._array.size:
        return _of_nothing(input, weight, bias, channels=True)
    if running_mean is not None and running_var is not None:
        flat = input.detach().reshape(shape[0], shape[1], inner)
        mean, variance = flat.mean(2).mean(0), flat.var(2).mean(0)
        for running, found in ((running_mean, mean), (running_var, variance)):
            running.mul_(1.0 - momentum).add_(found, alpha=momentum)
    return _row_norm_public(input, weight, bias, inner, shape[1], inner, True, float(eps))


# ---- composites ----------------------------------------------------------------------------------


@publish(
    "input: Tensor, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0",
    namespaces=("nn.functional",),
)
def local_response_norm(
    input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Divide by a power of the mean square of the neighbouring channels.

    ``x / (k + alpha / size·Σ x²)^beta``, the sum over ``size`` channels around each.

    Args:
        input: floating point, of shape (N, C, *) with at least three dimensions.
        size: how many channels are summed.
        alpha: factor of the mean square.
        beta: the power.
        k: what is added.

    Raises:
        ValueError: fewer than three dimensions, or a size below one.

    References:
        Krizhevsky, Sutskever, Hinton 2012, ImageNet classification with deep convolutional neural
        networks.
    """
    _check("local_response_norm", input)
    ndim = input._array.ndim
    if ndim < 3:
        raise ValueError(
            f"local_response_norm: Expected 3D or higher dimensionality input (got {ndim} "
            "dimensions)"
        )
    if size < 1:
        raise ValueError(f"local_response_norm: size must be at least 1, got {size}")
    from microtensor.ops.joining import cat

    channels = input._array.shape[1]
    square = input * input
    before, after = size // 2, (size - 1) // 2
    shape = input._array.shape
    parts = []
    for count in (before, after):
        padding = constant(0.0, (shape[0], count, *shape[2:]), input._array.dtype)
        parts.append(wrap(padding))
    padded = cat([parts[0], square, parts[1]], 1)
    total = padded.narrow(1, 0, channels)
    for first in range(1, size):
        total = total + padded.narrow(1, first, channels)
    return input / (total * (alpha / size) + k).pow(beta)


@publish(
    "input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: None = None",
    namespaces=("nn.functional",),
)
def normalize(
    input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: None = None
) -> Tensor:
    """Divide by the p-norm along a dimension, or by eps where that is larger.

    Args:
        input: a floating-point tensor.
        p: the order of the norm.
        dim: the dimension, or several.
        eps: the smallest divisor.
        out: must be None.

    Raises:
        NotImplementedError: ``out`` is given.
    """
    if out is not None:
        raise NotImplementedError("normalize: out is not supported; assign the result")
    _check("normalize", input)
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)
