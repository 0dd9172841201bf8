"""What convolutions, pooling and unfolding share: their arguments, and where windows lie."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from microtensor.description import whole_number
from microtensor.ops.arrays import Array
from microtensor.ops.declare import refuse
from microtensor.tensor import Tensor

Sizes = tuple[int, ...]


def per_dimension(op: str, name: str, value: Any, count: int) -> Sizes:
    """Give one number for each spatial dimension; a single one stands for all.

    Raises:
        TypeError: no integers.
        RuntimeError: as many as neither one nor the dimensions.
    """
    if value.__class__ is int:
        return (value,) * count
    if not isinstance(value, tuple | list):
        return (whole_number(name, value, op),) * count
    numbers = tuple(whole_number(name, n, op) for n in value)
    if len(numbers) == 1:
        return numbers * count
    if len(numbers) != count:
        raise RuntimeError(
            f"{op}: expected {name} to be a single integer value or a list of {count} values to "
            f"match the spatial dimensions, but got {name}={list(numbers)}"
        )
    return numbers


def at_least(op: str, name: str, numbers: Sizes, least: int) -> None:
    """Refuse numbers below the least that is legal."""
    if min(numbers) < least:
        word = "negative" if least == 0 else "non-positive"
        raise RuntimeError(
            f"{op}: {word} {name} is not supported, got {list(numbers)}; each must be at least "
            f"{least}"
        )


def check_tensors(op: str, **given: Any) -> None:
    """Refuse what is no tensor."""
    for name, value in given.items():
        if not isinstance(value, Tensor):
            refuse(op, name, value)


def check_dtypes(op: str, **given: Tensor | None) -> None:
    """Refuse tensors of another dtype than the first."""
    (first, a), *rest = given.items()
    assert a is not None
    for name, b in rest:
        if b is not None and b._array.dtype != a._array.dtype:
            raise RuntimeError(
                f"{op}: expected {first} and {name} to have the same dtype, but {first} is "
                f"{a._array.dtype.name} and {name} is {b._array.dtype.name}"
            )


def check_rank(op: str, shape: Sizes, dims: int) -> None:
    """Refuse an input that has neither its dimensions nor those of a batch."""
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {op}, but got "
            f"input of size: {list(shape)}"
        )


# ---- convolutions and columns --------------------------------------------------------------------


def _three(numbers: Sizes, missing: int) -> Sizes:
    return (missing,) * (3 - len(numbers)) + numbers


@lru_cache(maxsize=1024)
def window_numbers(
    kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int = 1
) -> Array:
    """Write the windows of a convolution down as its kernels read them."""
    numbers = (groups, *_three(kernel, 1), *_three(stride, 1), *_three(padding, 0))
    table = np.array((*numbers, *_three(dilation, 1)), np.int64)
    table.flags.writeable = False
    return table


def as_volumes(x: Array) -> Array:
    """View (samples, channels, ...) as one of three spatial dimensions, its memory without gaps."""
    x = np.ascontiguousarray(x)
    shape = x.shape
    return x if len(shape) == 5 else x.reshape(*shape[:2], *_three(shape[2:], 1))


def convolved(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Give how many windows fit over a padded dimension; 0 or less if none does."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


# ---- pooling -------------------------------------------------------------------------------------


def pooled(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> int:
    """Give the length of a pooled dimension.

    In ceil mode windows may go beyond the end, but not begin in the zeros there.
    """
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return span // stride + 1
    count = -(-span // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def _table(parts: list[tuple[Array, Array, Array]]) -> Array:
    """Join (firsts, lasts, divisors) of each dimension, as the kernels read them."""
    one = (np.zeros(1, np.int64), np.ones(1, np.int64), np.ones(1, np.int64))
    table = np.concatenate([np.stack(p) for p in [one] * (3 - len(parts)) + parts], axis=1)
    table = np.ascontiguousarray(table, np.int64)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=1024)
def max_table(
    sizes: Sizes, outputs: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes
) -> Array:
    """Write down the windows of max pooling: padding is never the largest, so they leave it out."""
    parts = []
    for n, m, k, s, p, d in zip(sizes, outputs, kernel, stride, padding, dilation, strict=True):
        start = np.arange(m, dtype=np.int64) * s - p
        last = np.minimum(start + (k - 1) * d + 1, n)
        first = np.where(start < 0, start + -(start // d) * d, start)
        # Steps over the padding may lead past the last element: such a window has none.
        last = np.where(first < last, last, 0)
        first = np.minimum(first, max(n - 1, 0))
        parts.append((first, np.maximum(last, first), np.ones_like(first)))
    return _table(parts)


@lru_cache(maxsize=1024)
def average_table(
    sizes: Sizes,
    outputs: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    count_include_pad: bool,
    divisor: int | None,
) -> Array:
    """Write down the windows of average pooling, and what each divides by."""
    parts = []
    for d, (n, m, k, s, p) in enumerate(zip(sizes, outputs, kernel, stride, padding, strict=True)):
        start = np.arange(m, dtype=np.int64) * s - p
        end = np.minimum(start + k, n + p)
        first, last = np.maximum(start, 0), np.minimum(end, n)
        count = end - start if count_include_pad else last - first
        if divisor is not None:
            count = np.full_like(first, divisor if d == 0 else 1)
        parts.append((first, last, count))
    return _table(parts)


@lru_cache(maxsize=1024)
def adaptive_table(sizes: Sizes, outputs: Sizes) -> Array:
    """Write down windows that divide dimensions into so many parts, overlapping where they must."""
    parts = []
    for n, m in zip(sizes, outputs, strict=True):
        i = np.arange(m, dtype=np.int64)
        first, last = i * n // max(m, 1), -((i + 1) * n // -max(m, 1))
        parts.append((first, last, last - first))
    return _table(parts)


def as_planes(x: Array, dims: int) -> Array:
    """View (..., in...) as (planes, three dimensions), its memory without gaps."""
    x = np.ascontiguousarray(x)
    lead = x.ndim - dims
    return x.reshape(prod(x.shape[:lead]), *_three(x.shape[lead:], 1))
