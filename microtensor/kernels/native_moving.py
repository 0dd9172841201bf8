"""The kernels in C that move numbers: copies, parts, fillings, clipping, running statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor.kernels import twin
from microtensor.kernels.native_border import lib, otherwise


_converted = twin.cast  # found once: asking for it takes longer than it does


def cast(x: Any, out: Any) -> None:
    if lib.mt_array_move(0, id(x), id(out)):
        _converted(x, out)


def fill(value: Any, out: Any) -> None:
    if not isinstance(value, float | int) or lib.mt_array_fill(value, id(out)):
        twin.fill(value, out)


def _part(index: Any, out: Any) -> Any:
    return out[index if isinstance(index, tuple) else (index,)]


def put(x: Any, index: Any, out: Any) -> None:
    if lib.mt_array_fill(0.0, id(out)):
        twin.put(x, index, out)
        return
    part = _part(index, out)
    if lib.mt_array_move(0, id(x), id(part)):
        twin.put(x, index, out)


def add_part(x: Any, index: Any, out: Any) -> None:
    part = _part(index, out)
    if lib.mt_array_move(1, id(x), id(part)):
        twin.add_part(x, index, out)


def inverse_root(x: Any, eps: float, out: Any) -> None:
    if lib.mt_array_inverse_root(eps, id(x), id(out)):
        otherwise(inverse_root, twin.inverse_root, x, eps, out)


def running_update(
    mean: Any,
    variance: Any,
    correction: float,
    momentum: float | None,
    tracked: Any,
    running_mean: Any,
    running_var: Any,
) -> None:
    counts = 0 if momentum is not None else id(tracked)
    if lib.mt_array_running_update(
        correction, momentum or 0.0, counts, id(mean), id(variance), id(running_mean),
        id(running_var),
    ):  # fmt: skip
        otherwise(
            running_update, twin.running_update, mean, variance, correction, momentum, tracked,
            running_mean, running_var,
        )  # fmt: skip


def total_norm(arrays: Any, order: float, out: Any) -> None:
    norms = np.empty(len(arrays))
    for place, array in enumerate(arrays):
        if lib.mt_array_norm(order, place, id(array), id(norms)):
            twin.total_norm(arrays, order, out)
            return
    if lib.mt_array_norm(order, 0, id(norms), id(out)):
        twin.total_norm(arrays, order, out)


def shrink_to_norm(norm: Any, maximum: float, arrays: Any) -> None:
    for array in arrays:
        if lib.mt_array_shrink(maximum, id(norm), id(array)):
            twin.shrink_to_norm(norm, maximum, [array])


def clamp_into(low: float, high: float, array: Any) -> None:
    if lib.mt_array_clamp(low, high, id(array)):
        twin.clamp_into(low, high, array)


MOVING: dict[str, Any] = {
    kernel.__name__: kernel
    for kernel in (
        cast,
        fill,
        put,
        add_part,
        inverse_root,
        running_update,
        total_norm,
        shrink_to_norm,
        clamp_into,
    )
}
for _name, _kernel in MOVING.items():
    _kernel.__doc__ = getattr(twin, _name).__doc__
