"""Convolutions as users call them: arguments checked, one to three spatial dimensions, no batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microtensor.ops.convolution import (
    convolution,
    convolution_input,
    fold_columns,
    unfold_columns,
)
from microtensor.ops.declare import publish
from microtensor.ops.shape import squeeze, unsqueeze
from microtensor.ops.windows import (
    Sizes,
    at_least,
    check_dtypes,
    check_rank,
    check_tensors,
    convolved,
    per_dimension,
)
from microtensor.tensor import Tensor

_convolution = convolution.op.public
_transposed = convolution_input.op.public
_unfold = unfold_columns.op.public
_fold = fold_columns.op.public


def _check(
    op: str, dims: int, input: Any, weight: Any, bias: Any, groups: Any, transposed: bool
) -> None:
    """Check what does not depend on where windows lie."""
    check_tensors(op, input=input, weight=weight)
    if bias is not None:
        check_tensors(op, bias=bias)
    x, w = input._array.shape, weight._array.shape
    check_rank(op, x, dims)
    if len(w) != dims + 2:
        raise RuntimeError(
            f"{op}: expected weight of {dims + 2} dimensions, got weight of size {list(w)}"
        )
    check_dtypes(op, input=input, weight=weight, bias=bias)
    if input._array.dtype.kind == "b":
        raise RuntimeError(f"{op}: not defined for bool tensors; convert them with .float()")
    if groups.__class__ is not int or groups < 1:
        raise RuntimeError(f"{op}: non-positive groups is not supported, got {groups!r}")
    given = f"{'Given transposed=1, ' if transposed else f'Given groups={groups}, '}weight of size"
    if w[0] % groups or w[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} and divisible by "
            f"{groups} at dimension 0, but got weight of size {list(w)} instead"
        )
    if 0 in w[2:]:
        raise RuntimeError(f"{op}: the kernel must not be empty, got weight of size {list(w)}")
    channels = w[0] if transposed else w[1] * groups
    if x[-dims - 1] != channels:
        raise RuntimeError(
            f"{given} {list(w)}, expected input{list(x)} to have {channels} channels, but got "
            f"{x[-dims - 1]} channels instead"
        )
    outputs = w[1] * groups if transposed else w[0]
    if bias is not None and bias._array.shape != (outputs,):
        raise RuntimeError(
            f"{given} {list(w)}, expected bias to be 1-dimensional with {outputs} elements, but "
            f"got bias of size {list(bias._array.shape)} instead"
        )


def _same_padding(op: str, padding: str, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Sizes:
    """Give the zeros before the input; 'same' puts the odd one behind."""
    if padding == "valid":
        return (0,) * len(kernel)
    if padding != "same":
        raise RuntimeError(
            f"{op}: Invalid padding string: {padding!r}; the legal ones are 'same' and 'valid'"
        )
    if any(s != 1 for s in stride):
        raise RuntimeError(f"{op}: padding='same' is not supported for strided convolutions")
    return tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))


def _convolve(
    op: str,
    dims: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> Tensor:
    _check(op, dims, input, weight, bias, groups, False)
    kernel, inputs = weight._array.shape[2:], input._array.shape[-dims:]
    stride = per_dimension(op, "stride", stride, dims)
    dilation = per_dimension(op, "dilation", dilation, dims)
    at_least(op, "stride", stride, 1)
    at_least(op, "dilation", dilation, 1)
    if isinstance(padding, str):
        word, padding = padding, _same_padding(op, padding, kernel, stride, dilation)
        size = inputs
        if word == "valid":
            size = tuple(map(convolved, inputs, kernel, stride, padding, dilation))
    else:
        padding = per_dimension(op, "padding", padding, dims)
        at_least(op, "padding", padding, 0)
        size = tuple(map(convolved, inputs, kernel, stride, padding, dilation))
    if min(size) < 1 and not (isinstance(padding, str) and 0 in inputs):
        padded = " x ".join(str(n + 2 * p) for n, p in zip(inputs, padding, strict=True))
        spans = " x ".join(str(d * (k - 1) + 1) for k, d in zip(kernel, dilation, strict=True))
        raise RuntimeError(
            f"{op}: Calculated padded input size per channel: ({padded}). Kernel size: ({spans}). "
            "Kernel size can't be greater than actual input size"
        )
    if input._array.ndim == dims + 1:
        batch = unsqueeze(input, 0)
        return squeeze(
            _convolution(batch, weight, bias, stride, padding, dilation, groups, size), 0
        )
    return _convolution(input, weight, bias, stride, padding, dilation, groups, size)


def _convolve_transposed(
    op: str,
    dims: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
) -> Tensor:
    _check(op, dims, input, weight, bias, groups, True)
    kernel, inputs = weight._array.shape[2:], input._array.shape[-dims:]
    stride = per_dimension(op, "stride", stride, dims)
    padding = per_dimension(op, "padding", padding, dims)
    extra = per_dimension(op, "output_padding", output_padding, dims)
    dilation = per_dimension(op, "dilation", dilation, dims)
    for name, numbers, least in (
        ("stride", stride, 1), ("padding", padding, 0), ("output_padding", extra, 0),
        ("dilation", dilation, 1),
    ):  # fmt: skip
        at_least(op, name, numbers, least)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise RuntimeError(
            f"{op}: output padding must be smaller than either stride or dilation, but got "
            f"output_padding {list(extra)}, stride {list(stride)}, dilation {list(dilation)}"
        )
    size = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(inputs, stride, padding, dilation, kernel, extra, strict=True)
    )
    if min(size) < 1:
        raise RuntimeError(
            f"{op}: Given input size per channel: {list(inputs)}. Calculated output size per "
            f"channel: {list(size)}. Output size is too small"
        )
    if input._array.ndim == dims + 1:
        batch = unsqueeze(input, 0)
        return squeeze(_transposed(batch, weight, bias, stride, padding, dilation, groups, size), 0)
    return _transposed(input, weight, bias, stride, padding, dilation, groups, size)


_INT = "int | tuple[int, ...]"
_NAMES = ("iW", "iH, iW", "iD, iH, iW")

_CONVOLUTION = """Slide a kernel over {n} spatial dimension{s}: a cross-correlation, as in PyTorch.

    y[n, o, i] = Σ weight[o, c, k] · input[n, c, i·stride - padding + k·dilation] + bias[o]

Args:
    input: of shape (N, C, {shape}), or (C, {shape}) without a batch.
    weight: of shape (outputs, C / groups, {kernel}), of the same dtype.
    bias: of shape (outputs,), or None.
    stride: how far windows are apart; a number, or one a dimension.
    padding: zeros on both sides, or ``'valid'`` (none) or ``'same'``: as many as keep the size, the
        odd one behind; that takes a stride of 1.
    dilation: how far the elements of a window are apart.
    groups: so many parts of the channels are convolved, each with its own outputs.

Returns:
    A tensor of shape (N, outputs, ...), floor((size + 2 padding - dilation (kernel - 1) - 1) /
    stride) + 1 long in each spatial dimension.

Raises:
    TypeError: no tensors, no integers.
    RuntimeError: shapes, dtypes or channels that do not fit, a window larger than the padded
        input, numbers out of range.

Example:
    >>> import microtensor as mt
    >>> import microtensor.nn.functional as F
    >>> F.conv{n}d(mt.ones(1, 1, {fives}), mt.ones(1, 1, {threes})).shape
    microtensor.Size([1, 1, {threes}])
"""

_TRANSPOSED = """Apply the transposed convolution over {n} dimension{s}, conv{n}d's gradient.

Every input element adds the kernel, times itself, to the output where conv{n}d would have read.

Args:
    input: of shape (N, C, {shape}), or (C, {shape}) without a batch.
    weight: of shape (C, outputs / groups, {kernel}), of the same dtype.
    bias: of shape (outputs,), or None.
    stride: how far apart the kernels are added.
    padding: so many elements are cut off on both sides.
    output_padding: so many elements more at the end; less than stride or dilation.
    groups: so many parts of the channels are treated apart.
    dilation: how far the elements of a kernel are apart.

Returns:
    A tensor of shape (N, outputs, ...), (size - 1) stride - 2 padding + dilation (kernel - 1) +
    output_padding + 1 long in each spatial dimension.

Raises:
    TypeError: no tensors, no integers.
    RuntimeError: shapes, dtypes or channels that do not fit, numbers out of range.

Example:
    >>> import microtensor as mt
    >>> import microtensor.nn.functional as F
    >>> F.conv_transpose{n}d(mt.ones(1, 1, {threes}), mt.ones(1, 1, {threes})).shape
    microtensor.Size([1, 1, {fives}])
"""


def _documented(template: str, dims: int) -> str:
    return template.format(
        n=dims,
        s="s" * (dims > 1),
        shape=_NAMES[dims - 1],
        kernel=_NAMES[dims - 1].replace("i", "k"),
        fives=", ".join(["5"] * dims),
        threes=", ".join(["3"] * dims),
    )


def _offer(name: str, dims: int, function: Callable[..., Tensor], template: str, rest: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = _documented(template, dims)
    head = "input: Tensor, weight: Tensor, bias: Tensor | None = None"
    return publish(f"{head}, {rest}", ("mt", "nn.functional"), name=name)(function)


def _make(dims: int) -> tuple[Any, Any]:
    name, transposed = f"conv{dims}d", f"conv_transpose{dims}d"

    def conv(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: Any = 1,
    ) -> Tensor:
        return _convolve(name, dims, input, weight, bias, stride, padding, dilation, groups)

    def conv_transpose(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: Any = 1,
        dilation: Any = 1,
    ) -> Tensor:
        return _convolve_transposed(
            transposed, dims, input, weight, bias, stride, padding, output_padding, groups, dilation
        )

    return (
        _offer(
            name, dims, conv, _CONVOLUTION,
            f"stride: {_INT} = 1, padding: {_INT} | str = 0, dilation: {_INT} = 1, groups: int = 1",
        ),
        _offer(
            transposed, dims, conv_transpose, _TRANSPOSED,
            f"stride: {_INT} = 1, padding: {_INT} = 0, output_padding: {_INT} = 0, "
            f"groups: int = 1, dilation: {_INT} = 1",
        ),
    )  # fmt: skip


conv1d, conv_transpose1d = _make(1)
conv2d, conv_transpose2d = _make(2)
conv3d, conv_transpose3d = _make(3)


# ---- unfold and fold -----------------------------------------------------------------------------


def _window_arguments(op: str, **given: Any) -> list[Sizes]:
    found = []
    for name, value in given.items():
        numbers = per_dimension(op, name, value, 2)
        at_least(op, name, numbers, 0 if name == "padding" else 1)
        found.append(numbers)
    return found


@publish(
    f"input: Tensor, kernel_size: {_INT}, dilation: {_INT} = 1, padding: {_INT} = 0, "
    f"stride: {_INT} = 1",
    ("nn.functional",),
)
def unfold(
    input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Give what each window of an image sees as a column.

    Args:
        input: of shape (N, C, H, W), or (C, H, W).
        kernel_size: of windows; a number, or two, as all that follow.
        dilation: how far the elements of a window are apart.
        padding: zeros around the input.
        stride: how far windows are apart.

    Returns:
        A tensor of shape (N, C · kH · kW, L), L the number of windows.

    Raises:
        RuntimeError: a shape of other dimensions, numbers out of range, no window fits.

    Example:
        >>> import microtensor as mt
        >>> import microtensor.nn.functional as F
        >>> F.unfold(mt.ones(1, 3, 4, 5), (2, 3)).shape
        microtensor.Size([1, 18, 9])
    """
    check_tensors("unfold", input=input)
    shape = input._array.shape
    check_rank("unfold", shape, 2)
    kernel, dilation, padding, stride = _window_arguments(
        "unfold", kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride
    )
    blocks = tuple(map(convolved, shape[-2:], kernel, stride, padding, dilation))
    if min(blocks) < 1:
        raise RuntimeError(
            f"unfold: Given input with spatial size {shape[-2:]}, kernel_size={kernel}, "
            f"dilation={dilation}, padding={padding}, calculated shape of the array of sliding "
            f"blocks as {blocks}, but its components must be at least one"
        )
    batch = unsqueeze(input, 0) if len(shape) == 3 else input
    columns = _unfold(batch, kernel, stride, padding, dilation, blocks)
    return squeeze(columns, 0) if len(shape) == 3 else columns


@publish(
    f"input: Tensor, output_size: {_INT}, kernel_size: {_INT}, dilation: {_INT} = 1, "
    f"padding: {_INT} = 0, stride: {_INT} = 1",
    ("nn.functional",),
)
def fold(
    input: Any,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """Add columns up to an image, each where its window sees: the transpose of :func:`unfold`.

    Args:
        input: of shape (N, C · kH · kW, L), or without N.
        output_size: (H, W) of the image.
        kernel_size: of windows; a number, or two, as all that follow.
        dilation: how far the elements of a window are apart.
        padding: of the image, cut off the result.
        stride: how far windows are apart.

    Returns:
        A tensor of shape (N, C, H, W), or (C, H, W).

    Raises:
        RuntimeError: columns that do not fit the windows, numbers out of range.

    Example:
        >>> import microtensor as mt
        >>> import microtensor.nn.functional as F
        >>> F.fold(mt.ones(1, 4, 4), 3, 2)[0, 0].tolist()
        [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    check_tensors("fold", input=input)
    shape = input._array.shape
    if len(shape) not in (2, 3):
        raise RuntimeError(
            f"Expected 2D (unbatched) or 3D (batched) input to fold, but got input of size: "
            f"{list(shape)}"
        )
    size, kernel, dilation, padding, stride = _window_arguments(
        "fold", output_size=output_size, kernel_size=kernel_size, dilation=dilation,
        padding=padding, stride=stride,
    )  # fmt: skip
    if shape[-2] % (kernel[0] * kernel[1]):
        raise RuntimeError(
            f"fold: Expected size of input's dimension 1 to be divisible by the product of "
            f"kernel_size, but got input.size(1)={shape[-2]} and kernel_size={kernel}"
        )
    blocks = tuple(map(convolved, size, kernel, stride, padding, dilation))
    if min(blocks) < 1 or blocks[0] * blocks[1] != shape[-1]:
        raise RuntimeError(
            f"fold: Given output_size={size}, kernel_size={kernel}, dilation={dilation}, "
            f"padding={padding}, stride={stride}, expected size of input's dimension 2 to match "
            f"the calculated number of sliding blocks {blocks[0]} * {blocks[1]}, but got "
            f"input.size(2)={shape[-1]}"
        )
    batch = unsqueeze(input, 0) if len(shape) == 2 else input
    image = _fold(batch, kernel, stride, padding, dilation, blocks, size)
    return squeeze(image, 0) if len(shape) == 2 else image
