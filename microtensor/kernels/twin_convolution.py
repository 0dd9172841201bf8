"""The NumPy twins of convolutions, their columns and their sums back.

Everything has three spatial dimensions; of fewer, the first are of length 1. ``windows`` is what
``window_numbers`` makes: groups, and for each dimension the kernel's length, stride, zeros before
the input and dilation. How far windows go behind the input, the shapes of the arrays say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_ELEMENTS = 1 << 22  # that the columns of some samples may have at once


def _parts(windows: Array) -> tuple[list[int], ...]:
    numbers = [int(n) for n in windows]
    return numbers[1:4], numbers[4:7], numbers[7:10], numbers[10:13]


def _reach(inputs: Any, outputs: Any, windows: Array) -> list[tuple[int, int]]:
    """Give for each dimension how many zeros stand before and behind what windows see."""
    reach = []
    for n, m, k, s, before, d in zip(inputs, outputs, *_parts(windows), strict=True):
        end = (m - 1) * s + (k - 1) * d + 1 - before if m else 0
        reach.append((before, max(end - n, 0)))
    return reach


def _padded(x: Array, outputs: Any, windows: Array) -> Array:
    reach = _reach(x.shape[2:], outputs, windows)
    return x if not any(map(any, reach)) else np.pad(x, [(0, 0), (0, 0), *reach])


def _windows_of(padded: Array, outputs: Any, windows: Array) -> Array:
    """View (n, channels, in...) as (n, channels, kernel..., out...): what every window sees."""
    kernel, stride, _, dilation = _parts(windows)
    steps = padded.strides[2:]
    return np.lib.stride_tricks.as_strided(
        padded,
        (*padded.shape[:2], *kernel, *outputs),
        (
            *padded.strides[:2],
            *(t * d for t, d in zip(steps, dilation, strict=True)),
            *(t * s for t, s in zip(steps, stride, strict=True)),
        ),
    )


def _some_samples(x: Array, outputs: Any, windows: Array) -> Iterator[slice]:
    """Divide the samples so that the columns of each share are not many."""
    kernel = _parts(windows)[0]
    one = max(int(np.prod([x.shape[1], *kernel, *outputs], dtype=np.int64)), 1)
    share = max(_ELEMENTS // one, 1)
    for first in range(0, x.shape[0], share):
        yield slice(first, first + share)


def _columns(x: Array, outputs: Any, windows: Array) -> Array:
    """Give (n, groups, columns' height, positions)."""
    groups, n = int(windows[0]), x.shape[0]
    kernel = _parts(windows)[0]
    height = x.shape[1] // groups * int(np.prod(kernel, dtype=np.int64))
    seen = _windows_of(_padded(x, outputs, windows), outputs, windows)
    return seen.reshape(n, groups, height, int(np.prod(outputs, dtype=np.int64)))


def _add_columns(columns: Array, outputs: Any, windows: Array, out: Array) -> None:
    """Add (n, groups, height, positions) to what its windows see of out (n, channels, in...)."""
    kernel, stride, before, dilation = _parts(windows)
    reach = _reach(out.shape[2:], outputs, windows)
    padded = np.zeros(
        (*out.shape[:2], *(n + a + b for n, (a, b) in zip(out.shape[2:], reach, strict=True))),
        out.dtype,
    )
    parts = columns.reshape(*out.shape[:2], *kernel, *outputs)
    for place in np.ndindex(*kernel):
        where = tuple(
            slice(k * d, k * d + (m - 1) * s + 1 if m else 0, s)
            for k, d, m, s in zip(place, dilation, outputs, stride, strict=True)
        )
        padded[(slice(None), slice(None), *where)] += parts[(slice(None), slice(None), *place)]
    middle: Any = tuple(slice(b, b + n) for b, n in zip(before, out.shape[2:], strict=True))
    out += padded[(slice(None), slice(None), *middle)]


def _with_bias(bias: Array | None, out: Array) -> None:
    out[...] = 0 if bias is None else bias.reshape(1, -1, 1, 1, 1)


def convolution(x: Array, weight: Array, bias: Array | None, windows: Array, out: Array) -> None:
    """Out = x * weight + bias, a cross-correlation, of x (n, channels, in...).

    weight is (outputs, channels / groups, kernel...), out (n, outputs, out...).
    """
    groups, outputs = int(windows[0]), out.shape[2:]
    matrix = weight.reshape(groups, weight.shape[0] // groups, -1)
    with np.errstate(all="ignore"):
        for some in _some_samples(x, outputs, windows):
            product = matrix @ _columns(x[some], outputs, windows)
            out[some] = product.reshape(out[some].shape)
        if bias is not None:
            out += bias.reshape(1, -1, 1, 1, 1)


def convolution_input(
    y: Array, weight: Array, bias: Array | None, windows: Array, out: Array
) -> None:
    """Out = the gradient of a convolution's input from its output's, plus a bias per channel."""
    groups, outputs = int(windows[0]), y.shape[2:]
    matrix = weight.reshape(groups, weight.shape[0] // groups, -1).transpose(0, 2, 1)
    positions = int(np.prod(outputs, dtype=np.int64))
    with np.errstate(all="ignore"):
        _with_bias(bias, out)
        for some in _some_samples(out, outputs, windows):
            part = y[some]
            part = part.reshape(part.shape[0], groups, weight.shape[0] // groups, positions)
            _add_columns(matrix @ part, outputs, windows, out[some])


def convolution_weight(y: Array, x: Array, windows: Array, out: Array) -> None:
    """Out = the gradient of a convolution's weight from its output's and its input."""
    groups, outputs = int(windows[0]), y.shape[2:]
    positions = int(np.prod(outputs, dtype=np.int64))
    total = np.zeros((groups, out.shape[0] // groups, int(np.prod(out.shape[1:]))), out.dtype)
    with np.errstate(all="ignore"):
        for some in _some_samples(x, outputs, windows):
            part = y[some]
            part = part.reshape(part.shape[0], groups, total.shape[1], positions)
            total += (part @ _columns(x[some], outputs, windows).swapaxes(2, 3)).sum(axis=0)
    out[...] = total.reshape(out.shape)


def unfold_windows(x: Array, windows: Array, out: Array) -> None:
    """Out (n, channels * kernel, out...) = what every window of x sees."""
    outputs = out.shape[2:]
    out[...] = _columns(x, outputs, windows).reshape(out.shape)


def fold_windows(columns: Array, windows: Array, out: Array) -> None:
    """Out = the sums of columns at the places their windows see."""
    out[...] = 0
    with np.errstate(all="ignore"):
        _add_columns(columns, columns.shape[2:], windows, out)
