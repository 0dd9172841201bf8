"""Pooling: the largest element or the average of each window, and their transposes.

Where the windows lie is a table (ops/windows.py), so that plain and adaptive pooling are one op.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, contiguous, empty
from microtensor.ops.declare import declare
from microtensor.ops.windows import Sizes, adaptive_table, as_planes, average_table, max_table

_INT64 = np.dtype(np.int64)


def _lead(shape: Sizes, size: Sizes) -> Sizes:
    return shape[: len(shape) - len(size)]


def _max_forward(x: Array, windows: Array, dilation: Sizes, size: Sizes) -> tuple[Array, Array]:
    shape = (*_lead(x.shape, size), *size)
    values, indices = empty(shape, x.dtype), empty(shape, _INT64)
    dims = len(size)
    steps = (1,) * (3 - dims) + tuple(dilation)
    kernels.max_windows(
        as_planes(x, dims), windows, steps, as_planes(values, dims), as_planes(indices, dims)
    )
    return values, indices


def _spatial(shape: Sizes, like: Sizes) -> Sizes:
    return shape[len(shape) - len(like) :]


max_pool: Any = declare(
    "max_pool",
    "input: Tensor, windows: Any, dilation: tuple[int, ...], size: tuple[int, ...]",
    _max_forward,
    outputs=("values", "indices"),
    rules={
        "input": lambda g_values, g_indices, indices, size, input_shape: put_places(
            g_values, indices, _spatial(input_shape, size)
        )
    },
    summary="Give the largest element of each window, and where in the plane it is.",
    namespaces=(),
    integral=True,
    samples=lambda rng: [
        (
            (rng.permutation(40).reshape(2, 4, 5) / 10.0,),
            {
                "windows": max_table((4, 5), (2, 3), (2, 2), (2, 1), (0, 0), (1, 2)),
                "dilation": (1, 2),
                "size": (2, 3),
            },
        ),
        (
            (rng.permutation(14).reshape(2, 7) / 10.0,),
            {"windows": adaptive_table((7,), (3,)), "dilation": (1,), "size": (3,)},
        ),
    ],
)


def _rows(x: Array, dims: int) -> Array:
    lead = x.shape[: x.ndim - dims]
    return contiguous(x).reshape(prod(lead), prod(x.shape[x.ndim - dims :]))


def _put(adds: bool) -> Callable[..., Array]:
    def forward(x: Array, indices: Array, size: Sizes) -> Array:
        dims = len(size)
        out = empty((*_lead(x.shape, size), *size), x.dtype)
        kernels.put_places(_rows(x, dims), _rows(indices, dims), adds, _rows(out, dims))
        return out

    return forward


def _pick_forward(x: Array, indices: Array, size: Sizes) -> Array:
    dims = len(size)
    out = empty(indices.shape, x.dtype)
    kernels.pick_places(_rows(x, dims), _rows(indices, dims), _rows(out, dims))
    return out


_PLACES = np.array([[5, 0, 3], [1, 2, 4]])
_TWICE = np.array([[5, 5, 3], [0, 0, 0]])

put_places: Any = declare(
    "put_places",
    "input: Tensor, indices: Tensor, size: tuple[int, ...]",
    _put(adds=True),
    rules={
        "input": lambda g, indices, size: pick_places(g, indices, size),
    },
    summary="Add elements at places of planes that are 0 elsewhere.",
    namespaces=(),
    samples=samples.given((((2, 3), _TWICE), {"size": (6,)})),
)

pick_places: Any = declare(
    "pick_places",
    "input: Tensor, indices: Tensor, size: tuple[int, ...]",
    _pick_forward,
    rules={"input": lambda g, indices, size: put_places(g, indices, size)},
    summary="Give the elements at places of planes.",
    namespaces=(),
    samples=samples.given((((2, 6), _TWICE), {"size": (6,)})),
)

max_unpool: Any = declare(
    "max_unpool",
    "input: Tensor, indices: Tensor, size: tuple[int, ...]",
    _put(adds=False),
    rules={"input": lambda g, indices, size: pick_places(g, indices, size)},
    summary="Put elements where max pooling found them; of several in one place one stays.",
    namespaces=(),
    samples=samples.given((((2, 3), _PLACES), {"size": (2, 3)})),
)


def _average(x: Array, windows: Array, size: Sizes) -> Array:
    dims = len(size)
    out = empty((*_lead(x.shape, size), *size), x.dtype)
    kernels.average_windows(as_planes(x, dims), windows, as_planes(out, dims))
    return out


def _spread(x: Array, windows: Array, size: Sizes) -> Array:
    dims = len(size)
    out = empty((*_lead(x.shape, size), *size), x.dtype)
    kernels.spread_windows(as_planes(x, dims), windows, as_planes(out, dims))
    return out


_TABLE = average_table((4, 5), (3, 3), (2, 3), (2, 2), (1, 1), True, None)

average_pool: Any = declare(
    "average_pool",
    "input: Tensor, windows: Any, size: tuple[int, ...]",
    _average,
    rules={
        "input": lambda g, windows, size, input_shape: average_spread(
            g, windows, _spatial(input_shape, size)
        )
    },
    summary="Give the average of each window.",
    namespaces=(),
    samples=samples.given(
        (((2, 4, 5),), {"windows": _TABLE, "size": (3, 3)}),
        (((7,),), {"windows": adaptive_table((7,), (3,)), "size": (3,)}),
    ),
)

average_spread: Any = declare(
    "average_spread",
    "input: Tensor, windows: Any, size: tuple[int, ...]",
    _spread,
    rules={
        "input": lambda g, windows, size, input_shape: average_pool(
            g, windows, _spatial(input_shape, size)
        )
    },
    summary="Spread each number over the window it is the average of: average_pool's gradient.",
    namespaces=(),
    samples=samples.given((((2, 3, 3),), {"windows": _TABLE, "size": (4, 5)})),
)
