"""Pooling as users call it: arguments checked, of one to three dimensions, batch or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor.description import whole_number
from microtensor.ops.arithmetic import mul
from microtensor.ops.declare import publish, refuse
from microtensor.ops.pooling import average_pool, max_pool, max_unpool
from microtensor.ops.windows import (
    Sizes,
    adaptive_table,
    at_least,
    average_table,
    check_rank,
    check_tensors,
    max_table,
    per_dimension,
    pooled,
)
from microtensor.tensor import Tensor

_max = max_pool.op.public
_average = average_pool.op.public
_unpool = max_unpool.op.public

_INT = "int | tuple[int, ...]"


def _check_input(op: str, input: Any, dims: int) -> Sizes:
    """Check an input's dimensions, of which only the batch may be empty; give the spatial ones."""
    check_tensors(op, input=input)
    shape = tuple(input._array.shape)
    check_rank(op, shape, dims)
    if 0 in shape[-dims - 1 :]:
        raise RuntimeError(
            f"{op}: Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim "
            f"batch size for input, but got: {list(shape)}"
        )
    if input._array.dtype.kind == "b":
        raise RuntimeError(f"{op}: not defined for bool tensors; convert them with .float()")
    return shape[-dims:]


def _windows(
    op: str, sizes: Sizes, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Sizes, ...]:
    """Give kernel, stride, padding, dilation and the outputs."""
    dims = len(sizes)
    kernel = per_dimension(op, "kernel_size", kernel, dims)
    # PyTorch takes an empty list, too, for a stride that was not given.
    no_stride = stride is None or (isinstance(stride, tuple | list) and not stride)
    stride = kernel if no_stride else per_dimension(op, "stride", stride, dims)
    padding = per_dimension(op, "padding", padding, dims)
    dilation = per_dimension(op, "dilation", dilation, dims)
    for name, numbers in (("kernel_size", kernel), ("stride", stride), ("dilation", dilation)):
        if min(numbers) < 1:
            raise RuntimeError(f"{op}: {name} should be greater than zero, but got {list(numbers)}")
    at_least(op, "padding", padding, 0)
    for k, p, d in zip(kernel, padding, dilation, strict=True):
        if p > (d * (k - 1) + 1) // 2:
            raise RuntimeError(
                f"{op}: pad should be at most half of effective kernel size, but got pad={p}, "
                f"kernel_size={k} and dilation={d}"
            )
    outputs = tuple(
        pooled(*numbers, ceil_mode)
        for numbers in zip(sizes, kernel, stride, padding, dilation, strict=True)
    )
    if min(outputs) < 1:
        raise RuntimeError(
            f"{op}: Given input size: {list(sizes)}. Calculated output size: {list(outputs)}. "
            "Output size is too small"
        )
    return kernel, stride, padding, dilation, outputs


def _max_pool(
    op: str,
    dims: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    sizes = _check_input(op, input, dims)
    kernel, stride, padding, dilation, outputs = _windows(
        op, sizes, kernel_size, stride, padding, dilation, ceil_mode
    )
    table = max_table(sizes, outputs, kernel, stride, padding, dilation)
    found = _max(input, table, dilation, outputs)
    return found if return_indices else found[0]


def _avg_pool(
    op: str,
    dims: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    sizes = _check_input(op, input, dims)
    kernel, stride, padding, _, outputs = _windows(
        op, sizes, kernel_size, stride, padding, 1, ceil_mode
    )
    if divisor_override is not None:
        divisor_override = whole_number("divisor_override", divisor_override, op)
        if divisor_override == 0:
            raise RuntimeError(f"{op}: divisor must be not zero")
    table = average_table(
        sizes, outputs, kernel, stride, padding, bool(count_include_pad), divisor_override
    )
    return _average(input, table, outputs)


def _adaptive_outputs(op: str, sizes: Sizes, output_size: Any) -> Sizes:
    """Give the outputs asked for; None keeps a dimension's length."""
    given = output_size if isinstance(output_size, tuple | list) else [output_size] * len(sizes)
    if len(given) == 1 and len(sizes) == 1:
        given = list(given)
    if len(given) != len(sizes):
        raise RuntimeError(f"{op}: output_size must be {len(sizes)}, got {list(given)}")
    outputs = tuple(
        n if m is None else whole_number("output_size", m, op)
        for n, m in zip(sizes, given, strict=True)
    )
    if min(outputs) < 0:
        raise RuntimeError(
            f"{op}: elements of output_size must be greater than or equal to 0 but received "
            f"{list(outputs)}"
        )
    return outputs


def _adaptive_max(op: str, dims: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    sizes = _check_input(op, input, dims)
    outputs = _adaptive_outputs(op, sizes, output_size)
    found = _max(input, adaptive_table(sizes, outputs), (1,) * dims, outputs)
    return found if return_indices else found[0]


def _adaptive_avg(op: str, dims: int, input: Any, output_size: Any) -> Tensor:
    sizes = _check_input(op, input, dims)
    outputs = _adaptive_outputs(op, sizes, output_size)
    return _average(input, adaptive_table(sizes, outputs), outputs)


def _unpooled(
    op: str,
    dims: int,
    input: Any,
    indices: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    output_size: Any,
) -> Tensor:
    check_tensors(op, input=input, indices=indices)
    shape = tuple(input._array.shape)
    check_rank(op, shape, dims)
    if indices._array.dtype != np.dtype(np.int64):
        raise RuntimeError(
            f"{op}: elements in indices should be type int64 but got: {indices._array.dtype.name}"
        )
    if indices._array.shape != shape:
        raise RuntimeError(
            f"{op}: Expected shape of indices to be same as that of the input tensor "
            f"({list(shape)}) but got indices tensor with shape: {list(indices._array.shape)}"
        )
    kernel = per_dimension(op, "kernel_size", kernel_size, dims)
    stride = kernel if stride is None else per_dimension(op, "stride", stride, dims)
    padding = per_dimension(op, "padding", padding, dims)
    usual = tuple(
        (n - 1) * s + k - 2 * p
        for n, s, k, p in zip(shape[-dims:], stride, kernel, padding, strict=True)
    )
    if output_size is None:
        return _unpool(input, indices, usual)
    size = tuple(whole_number("output_size", n, op) for n in output_size)
    if len(size) == dims + 2:
        size = size[2:]
    if len(size) != dims:
        raise ValueError(
            f"{op}: output_size should be a sequence containing {dims} or {dims + 2} elements, but "
            f"it has a length of '{len(output_size)}'"
        )
    for d, (n, m, s) in enumerate(zip(size, usual, stride, strict=True)):
        if not m - s < n < m + s:
            raise ValueError(
                f'{op}: invalid output_size "{size}" (dim {d} must be between {m - s} and {m + s})'
            )
    return _unpool(input, indices, size)


_SHAPES = ("L", "H, W", "D, H, W")

_MAX = """Give the largest element of each window.

NaN is larger than all. Of equal ones the first has the gradient.

Args:
    input: of shape (N, C, {shape}), or (C, {shape}).
    kernel_size: of windows; a number, or one a dimension, as all that follow.
    stride: how far windows are apart; kernel_size unless given.
    padding: -inf on both sides, at most half a window.
    dilation: how far the elements of a window are apart.
    ceil_mode: whether a last window may reach beyond the end.
    return_indices: whether to give also where in its plane each element is, for max_unpool{n}d.

Raises:
    RuntimeError: a shape of other dimensions or without elements, numbers out of range.

Example:
    >>> import microtensor as mt
    >>> import microtensor.nn.functional as F
    >>> F.max_pool{n}d(mt.ones(1, 1, {sixes}), 2).shape
    microtensor.Size([1, 1, {threes}])
"""
_AVERAGE = """Give the average of each window.

Args:
    input: of shape (N, C, {shape}), or (C, {shape}).
    kernel_size: of windows; a number, or one a dimension, as all that follow.
    stride: how far windows are apart; kernel_size unless given.
    padding: zeros on both sides, at most half a window.
    ceil_mode: whether a last window may reach beyond the end.
    count_include_pad: whether zeros of the padding count.{divisor}

Raises:
    RuntimeError: a shape of other dimensions or without elements, numbers out of range.

Example:
    >>> import microtensor as mt
    >>> import microtensor.nn.functional as F
    >>> F.avg_pool{n}d(mt.ones(1, 1, {sixes}), 2).shape
    microtensor.Size([1, 1, {threes}])
"""
_DIVISOR = "\n    divisor_override: what sums are divided by, unless None."
_ADAPTIVE = """Give the {what} of each of as many parts as are asked for.

Output i of a dimension of n elements, divided into m, sees those from floor(i n / m) to
ceil((i + 1) n / m).

Args:
    input: of shape (N, C, {shape}), or (C, {shape}).
    output_size: a number, or one a dimension; None for a dimension keeps its length.{indices}

Raises:
    RuntimeError: a shape of other dimensions or without elements, a negative size.

Example:
    >>> import microtensor as mt
    >>> import microtensor.nn.functional as F
    >>> F.adaptive_{short}_pool{n}d(mt.ones(1, 1, {sixes}), 3).shape
    microtensor.Size([1, 1, {threes}])
"""
_INDICES = "\n    return_indices: whether to give also where in its plane each element is."
_UNPOOL = """Put elements where max pooling found them, zeros elsewhere: its partial inverse.

Args:
    input: of shape (N, C, {shape}), or (C, {shape}).
    indices: int64, of the same shape: what max_pool{n}d gives with return_indices.
    kernel_size: of max_pool{n}d, as what follows.
    stride: kernel_size unless given.
    padding: what was added before pooling.
    output_size: of the result, where several sizes are pooled to the same.

Raises:
    RuntimeError: shapes or dtypes that do not fit, an index out of the plane.
    ValueError: an output_size that pooling would not have brought to this.

Example:
    >>> import microtensor as mt
    >>> import microtensor.nn.functional as F
    >>> values, indices = F.max_pool{n}d(mt.ones(1, 1, {sixes}), 2, return_indices=True)
    >>> F.max_unpool{n}d(values, indices, 2).shape
    microtensor.Size([1, 1, {sixes}])
"""


def _offer(
    name: str,
    dims: int,
    function: Callable[..., Any],
    template: str,
    signature: str,
    namespaces: tuple[str, ...] = ("nn.functional",),
    **words: str,
) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = template.format(
        n=dims,
        shape=_SHAPES[dims - 1],
        sixes=", ".join(["6"] * dims),
        threes=", ".join(["3"] * dims),
        **words,
    )
    return publish(f"input: Tensor, {signature}", namespaces, name=name)(function)


_BOTH = ("mt", "nn.functional")


def _make_plain(dims: int) -> tuple[Any, Any, Any]:
    largest, average, unpool = f"max_pool{dims}d", f"avg_pool{dims}d", f"max_unpool{dims}d"

    def max_pool(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return _max_pool(
            largest, dims, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
        )

    def avg_pool(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Tensor:
        return _avg_pool(
            average, dims, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
            divisor_override,
        )  # fmt: skip

    def avg_pool_of_rows(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> Tensor:
        return avg_pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad)

    def max_unpool(
        input: Any,
        indices: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        output_size: Any = None,
    ) -> Tensor:
        return _unpooled(unpool, dims, input, indices, kernel_size, stride, padding, output_size)

    kernel = f"kernel_size: {_INT}, stride: {_INT} | None = None, padding: {_INT} = 0"
    counting = f"{kernel}, ceil_mode: bool = False, count_include_pad: bool = True"
    if dims > 1:
        counting += ", divisor_override: int | None = None"
    return (
        _offer(
            largest, dims, max_pool, _MAX,
            f"{kernel}, dilation: {_INT} = 1, ceil_mode: bool = False, "
            "return_indices: bool = False",
        ),
        _offer(
            average, dims, avg_pool if dims > 1 else avg_pool_of_rows, _AVERAGE, counting,
            ("nn.functional",) if dims > 1 else _BOTH, divisor=_DIVISOR if dims > 1 else "",
        ),
        _offer(
            unpool, dims, max_unpool, _UNPOOL,
            f"indices: Tensor, {kernel}, output_size: tuple[int, ...] | None = None",
        ),
    )  # fmt: skip


def _make_adaptive(dims: int) -> tuple[Any, Any]:
    largest, average = f"adaptive_max_pool{dims}d", f"adaptive_avg_pool{dims}d"

    def adaptive_max_pool(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        return _adaptive_max(largest, dims, input, output_size, return_indices)

    def adaptive_avg_pool(input: Any, output_size: Any) -> Tensor:
        return _adaptive_avg(average, dims, input, output_size)

    size = "output_size: int | tuple[int | None, ...] | None"
    return (
        _offer(
            largest, dims, adaptive_max_pool, _ADAPTIVE, f"{size}, return_indices: bool = False",
            what="largest element", short="max", indices=_INDICES,
        ),
        _offer(
            average, dims, adaptive_avg_pool, _ADAPTIVE, size,
            _BOTH if dims == 1 else ("nn.functional",), what="average", short="avg", indices="",
        ),
    )  # fmt: skip


max_pool1d, avg_pool1d, max_unpool1d = _make_plain(1)
max_pool2d, avg_pool2d, max_unpool2d = _make_plain(2)
max_pool3d, avg_pool3d, max_unpool3d = _make_plain(3)
adaptive_max_pool1d, adaptive_avg_pool1d = _make_adaptive(1)
adaptive_max_pool2d, adaptive_avg_pool2d = _make_adaptive(2)
adaptive_max_pool3d, adaptive_avg_pool3d = _make_adaptive(3)

_LP = """Give the p-norm of each window, (Σ xᵖ)^(1/p); 0 where the sum is negative, as in PyTorch.

Args:
    input: of shape (N, C, {shape}), or (C, {shape}).
    norm_type: p.
    kernel_size: of windows; a number, or one a dimension.
    stride: how far windows are apart; kernel_size unless given.
    ceil_mode: whether a last window may reach beyond the end.

Raises:
    RuntimeError: a shape of other dimensions or without elements, numbers out of range.

Example:
    >>> import microtensor as mt
    >>> import microtensor.nn.functional as F
    >>> F.lp_pool{n}d(mt.ones(1, 1, {sixes}), 2, 2).shape
    microtensor.Size([1, 1, {threes}])
"""


def _make_norm(dims: int) -> Any:
    name = f"lp_pool{dims}d"

    def lp_pool(
        input: Any, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> Tensor:
        if not isinstance(input, Tensor):
            refuse(name, "input", input)
        kernel = per_dimension(name, "kernel_size", kernel_size, dims)
        count = 1
        for k in kernel:
            count *= k
        mean = _avg_pool(name, dims, input.pow(norm_type), kernel, stride, 0, ceil_mode, True, None)
        return mul(mul(mean.sign(), mean.abs().relu()), count).pow(1.0 / norm_type)

    return _offer(
        name, dims, lp_pool, _LP,
        f"norm_type: float, kernel_size: {_INT}, stride: {_INT} | None = None, "
        "ceil_mode: bool = False",
    )  # fmt: skip


lp_pool1d, lp_pool2d, lp_pool3d = map(_make_norm, (1, 2, 3))
