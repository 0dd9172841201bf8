"""Convolution and its two gradients: three ops that are each other's derivatives.

y = x * w is linear in x and in w, so its gradients by them are linear too: the transposed
convolution and the correlation of x with y. Each one's derivatives are the other two; with these
three everything of any order is said. There are one to three spatial dimensions. Where windows lie
is one rule for all: output i sees the inputs i·stride - padding + k·dilation, zeros outside.
"""

from __future__ import annotations

from typing import Any

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, contiguous, empty, known
from microtensor.ops.declare import declare
from microtensor.ops.reductions import sum
from microtensor.ops.shape import reshape
from microtensor.ops.windows import Sizes, as_volumes, window_numbers

_ARGUMENTS = (
    "stride: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...], groups: int, "
    "size: tuple[int, ...]"
)


def _forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    size: Sizes,
) -> Array:
    out = empty((x.shape[0], weight.shape[0], *size), x.dtype)
    windows = known(window_numbers(weight.shape[2:], stride, padding, dilation, groups))
    kernels.convolution(as_volumes(x), as_volumes(weight), bias, windows, as_volumes(out))
    return out


def _input_forward(
    y: Array,
    weight: Array,
    bias: Array | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    size: Sizes,
) -> Array:
    out = empty((y.shape[0], weight.shape[1] * groups, *size), y.dtype)
    windows = known(window_numbers(weight.shape[2:], stride, padding, dilation, groups))
    kernels.convolution_input(as_volumes(y), as_volumes(weight), bias, windows, as_volumes(out))
    return out


def _weight_forward(
    y: Array,
    x: Array,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    size: Sizes,
) -> Array:
    out = empty((y.shape[1], x.shape[1] // groups, *size), x.dtype)
    windows = known(window_numbers(size, stride, padding, dilation, groups))
    kernels.convolution_weight(as_volumes(y), as_volumes(x), windows, as_volumes(out))
    return out


def _channel_sum(g: Any) -> Any:
    """Sum all but the channels, along rows first, which lie in memory one after the other."""
    shape = g.shape
    positions = 1
    for n in shape[2:]:
        positions *= n
    return sum(sum(reshape(g, (shape[0], shape[1], positions)), 2), 0)


def _cases(*shapes: tuple[tuple[int, ...], ...]) -> Any:
    """Samples: a plain one, and one of everything else at once; ``shapes`` are those of both."""
    plain = {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1}
    rich = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}
    sizes = ((3,), (2, 3))
    return samples.given(
        *((s, {**a, "size": z}) for s, a, z in zip(shapes, (plain, rich), sizes, strict=True))
    )


convolution: Any = declare(
    "convolution",
    f"input: Tensor, weight: Tensor, bias: Tensor | None, {_ARGUMENTS}",
    _forward,
    rules={
        "input": lambda g, weight, stride, padding, dilation, groups, input_shape: (
            convolution_input(g, weight, None, stride, padding, dilation, groups, input_shape[2:])
        ),
        "weight": lambda g, input, stride, padding, dilation, groups, weight_shape: (
            convolution_weight(g, input, stride, padding, dilation, groups, weight_shape[2:])
        ),
        "bias": lambda g: _channel_sum(g),
    },
    summary="Slide a kernel over the spatial dimensions, a cross-correlation, of size outputs.",
    formula="Σ weight[o, c, k] · input[n, c, i·stride - padding + k·dilation] + bias[o]",
    integral=True,
    namespaces=(),
    samples=_cases(((2, 2, 4), (3, 2, 2), (3,)), ((2, 4, 3, 5), (2, 2, 2, 2))),
)

convolution_input: Any = declare(
    "convolution_input",
    f"grad: Tensor, weight: Tensor, bias: Tensor | None, {_ARGUMENTS}",
    _input_forward,
    rules={
        "grad": lambda g, weight, stride, padding, dilation, groups, grad_shape: convolution(
            g, weight, None, stride, padding, dilation, groups, grad_shape[2:]
        ),
        "weight": lambda g, grad, stride, padding, dilation, groups, weight_shape: (
            convolution_weight(grad, g, stride, padding, dilation, groups, weight_shape[2:])
        ),
        "bias": lambda g: _channel_sum(g),
    },
    summary="Give a convolution's gradient by its input, plus a bias: the transposed convolution.",
    formula="Σ weight[o, c, k] · grad[n, o, i] at i·stride - padding + k·dilation, + bias[c]",
    integral=True,
    namespaces=(),
    samples=_cases(((2, 3, 2), (3, 2, 2), (2,)), ((2, 2, 2, 3), (2, 2, 2, 2))),
)

convolution_weight: Any = declare(
    "convolution_weight",
    f"grad: Tensor, input: Tensor, {_ARGUMENTS}",
    _weight_forward,
    rules={
        "grad": lambda g, input, stride, padding, dilation, groups, grad_shape: convolution(
            input, g, None, stride, padding, dilation, groups, grad_shape[2:]
        ),
        "input": lambda g, grad, stride, padding, dilation, groups, input_shape: convolution_input(
            grad, g, None, stride, padding, dilation, groups, input_shape[2:]
        ),
    },
    summary="Give a convolution's gradient by its weight, of kernel size.",
    formula="Σ grad[n, o, i] · input[n, c, i·stride - padding + k·dilation]",
    namespaces=(),
    samples=_cases(((2, 3, 2), (2, 2, 4)), ((2, 2, 2, 3), (2, 4, 3, 5))),
)


# ---- columns -------------------------------------------------------------------------------------


def _unfold_forward(
    x: Array,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    blocks: Sizes,
) -> Array:
    height, count = x.shape[1], 1
    for n in kernel:
        height *= n
    for n in blocks:
        count *= n
    out = empty((x.shape[0], height, count), x.dtype)
    numbers = known(window_numbers(kernel, stride, padding, dilation))
    kernels.unfold_windows(as_volumes(x), numbers, as_volumes(out.reshape(*out.shape[:2], *blocks)))
    return out


def _fold_forward(
    columns: Array,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    blocks: Sizes,
    size: Sizes,
) -> Array:
    channels = columns.shape[1]
    for n in kernel:
        channels //= n
    out = empty((columns.shape[0], channels, *size), columns.dtype)
    numbers = known(window_numbers(kernel, stride, padding, dilation))
    volumes = as_volumes(contiguous(columns).reshape(*columns.shape[:2], *blocks))
    kernels.fold_windows(volumes, numbers, as_volumes(out))
    return out


_WHERE = (
    "kernel: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], "
    "dilation: tuple[int, ...], blocks: tuple[int, ...]"
)
_FOLDED = {
    "kernel": (2, 2), "stride": (1, 2), "padding": (0, 1), "dilation": (2, 1), "blocks": (2, 3)
}  # fmt: skip

unfold_columns: Any = declare(
    "unfold_columns",
    f"input: Tensor, {_WHERE}",
    _unfold_forward,
    rules={
        "input": lambda g, kernel, stride, padding, dilation, blocks, input_shape: fold_columns(
            g, kernel, stride, padding, dilation, blocks, input_shape[2:]
        )
    },
    summary="Give what each window sees as a column.",
    namespaces=(),
    samples=samples.given((((2, 2, 4, 5),), _FOLDED)),
)

fold_columns: Any = declare(
    "fold_columns",
    f"input: Tensor, {_WHERE}, size: tuple[int, ...]",
    _fold_forward,
    rules={
        "input": lambda g, kernel, stride, padding, dilation, blocks: unfold_columns(
            g, kernel, stride, padding, dilation, blocks
        )
    },
    summary="Add columns up at the places that their windows see.",
    namespaces=(),
    samples=samples.given((((2, 8, 6),), {**_FOLDED, "size": (4, 5)})),
)
