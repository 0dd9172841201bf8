"""The kernels in C over windows: convolutions, their columns, pooling."""

from __future__ import annotations

from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import lib, otherwise

_convolution, _input = lib.mt_array_convolution, lib.mt_array_convolution_input
_weight, _unfold, _fold = lib.mt_array_convolution_weight, lib.mt_array_unfold, lib.mt_array_fold
_max, _average, _spread = (
    lib.mt_array_max_windows,
    lib.mt_array_average_windows,
    lib.mt_array_spread_windows,
)
_put, _pick = lib.mt_array_place, lib.mt_array_pick


def convolution(x: Any, weight: Any, bias: Any, windows: Any, out: Any) -> None:
    if _convolution(id(x), id(weight), 0 if bias is None else id(bias), id(windows), id(out)):
        otherwise(convolution, twin.convolution, x, weight, bias, windows, out)


def convolution_input(y: Any, weight: Any, bias: Any, windows: Any, out: Any) -> None:
    if _input(id(y), id(weight), 0 if bias is None else id(bias), id(windows), id(out)):
        otherwise(convolution_input, twin.convolution_input, y, weight, bias, windows, out)


def convolution_weight(y: Any, x: Any, windows: Any, out: Any) -> None:
    if _weight(id(y), id(x), id(windows), id(out)):
        otherwise(convolution_weight, twin.convolution_weight, y, x, windows, out)


def unfold_windows(x: Any, windows: Any, out: Any) -> None:
    if _unfold(id(x), id(windows), id(out)):
        otherwise(unfold_windows, twin.unfold_windows, x, windows, out)


def fold_windows(columns: Any, windows: Any, out: Any) -> None:
    if _fold(id(columns), id(windows), id(out)):
        otherwise(fold_windows, twin.fold_windows, columns, windows, out)


def max_windows(x: Any, windows: Any, dilation: Any, values: Any, indices: Any) -> None:
    if _max(*dilation, id(x), id(windows), id(values), id(indices)):
        otherwise(max_windows, twin.max_windows, x, windows, dilation, values, indices)


def average_windows(x: Any, windows: Any, out: Any) -> None:
    if _average(id(x), id(windows), id(out)):
        otherwise(average_windows, twin.average_windows, x, windows, out)


def spread_windows(g: Any, windows: Any, out: Any) -> None:
    if _spread(id(g), id(windows), id(out)):
        otherwise(spread_windows, twin.spread_windows, g, windows, out)


def put_places(x: Any, indices: Any, adds: bool, out: Any) -> None:
    if _put(adds, id(x), id(indices), id(out)):
        otherwise(put_places, twin.put_places, x, indices, adds, out)


def pick_places(x: Any, indices: Any, out: Any) -> None:
    if _pick(id(x), id(indices), id(out)):
        otherwise(pick_places, twin.pick_places, x, indices, out)


WINDOWS: dict[str, Any] = {
    kernel.__name__: kernel
    for kernel in (
        *(convolution, convolution_input, convolution_weight, unfold_windows, fold_windows),
        *(max_windows, average_windows, spread_windows, put_places, pick_places),
    )
}
for _name, _kernel in WINDOWS.items():
    _kernel.__doc__ = getattr(twin, _name).__doc__
