"""The kernels in C of layers: normalization, recurrent cells, embedding."""

from __future__ import annotations

from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import lib, otherwise
from microtensor.kernels.twin_embedding import _row_error

_row_norm = lib.mt_array_row_norm
_row_norm_backward = lib.mt_array_row_norm_backward
_channel_moments = lib.mt_array_channel_moments
_channel_norm = lib.mt_array_channel_norm
_channel_norm_backward = lib.mt_array_channel_norm_backward
_lstm_cell = lib.mt_array_lstm_cell
_lstm_cell_backward = lib.mt_array_lstm_cell_backward
_gru_cell = lib.mt_array_gru_cell
_gru_cell_backward = lib.mt_array_gru_cell_backward
_embedding = lib.mt_array_embedding
_embedding_backward = lib.mt_array_embedding_backward
_copy = lib.mt_array_copy


def _address(array: Any) -> int:
    return 0 if array is None else id(array)


def row_norm(
    x: Any,
    weight: Any,
    bias: Any,
    groups: int,
    inner: int,
    centered: bool,
    eps: float,
    mean: Any,
    scale: Any,
    out: Any,
) -> None:
    if _row_norm(
        groups,
        inner,
        centered,
        eps,
        id(x),
        _address(weight),
        _address(bias),
        _address(mean),
        id(scale),
        id(out),
    ):
        otherwise(
            row_norm, twin.row_norm, x, weight, bias, groups, inner, centered, eps, mean, scale, out
        )


def row_norm_backward(
    g: Any,
    x: Any,
    weight: Any,
    groups: int,
    inner: int,
    centered: bool,
    mean: Any,
    scale: Any,
    out: Any,
    weight_out: Any,
    bias_out: Any,
) -> None:
    if _row_norm_backward(
        groups,
        inner,
        centered,
        id(g),
        id(x),
        _address(weight),
        _address(mean),
        id(scale),
        _address(out),
        _address(weight_out),
        _address(bias_out),
    ):
        otherwise(
            row_norm_backward,
            twin.row_norm_backward,
            g,
            x,
            weight,
            groups,
            inner,
            centered,
            mean,
            scale,
            out,
            weight_out,
            bias_out,
        )


def channel_moments(x: Any, variance: Any, mean: Any) -> None:
    if _channel_moments(id(x), id(variance), id(mean)):
        otherwise(channel_moments, twin.channel_moments, x, variance, mean)


def channel_norm(x: Any, weight: Any, bias: Any, mean: Any, scale: Any, out: Any) -> None:
    if _channel_norm(id(x), _address(weight), _address(bias), id(mean), id(scale), id(out)):
        otherwise(channel_norm, twin.channel_norm, x, weight, bias, mean, scale, out)


def channel_norm_backward(
    g: Any,
    x: Any,
    weight: Any,
    mean: Any,
    scale: Any,
    training: bool,
    out: Any,
    weight_out: Any,
    bias_out: Any,
) -> None:
    if _channel_norm_backward(
        training,
        id(g),
        id(x),
        _address(weight),
        id(mean),
        id(scale),
        _address(out),
        id(weight_out),
        id(bias_out),
    ):
        otherwise(
            channel_norm_backward,
            twin.channel_norm_backward,
            g,
            x,
            weight,
            mean,
            scale,
            training,
            out,
            weight_out,
            bias_out,
        )


def lstm_cell(x: Any, h: Any, before: Any, gates: Any, cell: Any, out: Any) -> None:
    if _lstm_cell(id(x), id(h), id(before), id(gates), id(cell), id(out)):
        otherwise(lstm_cell, twin.lstm_cell, x, h, before, gates, cell, out)


def lstm_cell_backward(
    g: Any, gates: Any, before: Any, cell: Any, cell_gradient: Any, out: Any
) -> None:
    if _lstm_cell_backward(id(g), id(gates), id(before), id(cell), id(cell_gradient), id(out)):
        otherwise(
            lstm_cell_backward, twin.lstm_cell_backward, g, gates, before, cell, cell_gradient, out
        )


def gru_cell(x: Any, h: Any, before: Any, gates: Any, out: Any) -> None:
    if _gru_cell(id(x), id(h), id(before), id(gates), id(out)):
        otherwise(gru_cell, twin.gru_cell, x, h, before, gates, out)


def gru_cell_backward(g: Any, gates: Any, before: Any, x_out: Any, h_out: Any, direct: Any) -> None:
    if _gru_cell_backward(id(g), id(gates), id(before), id(x_out), id(h_out), id(direct)):
        otherwise(gru_cell_backward, twin.gru_cell_backward, g, gates, before, x_out, h_out, direct)


def recurrence(
    mode: int,
    reverse: bool,
    sizes: Any,
    gates: Any,
    weight: Any,
    bias: Any,
    state: Any,
    memory: Any,
    out: Any,
    before: Any,
    kept: Any,
    cells: Any,
    cells_before: Any,
) -> None:
    if lib.mt_array_recurrence(
        mode,
        reverse,
        id(sizes),
        id(gates),
        id(weight),
        _address(bias),
        id(state),
        _address(memory),
        id(out),
        id(before),
        _address(kept),
        _address(cells),
        _address(cells_before),
    ):
        otherwise(
            recurrence,
            twin.recurrence,
            mode,
            reverse,
            sizes,
            gates,
            weight,
            bias,
            state,
            memory,
            out,
            before,
            kept,
            cells,
            cells_before,
        )


def recurrence_backward(
    mode: int,
    reverse: bool,
    sizes: Any,
    g: Any,
    weight: Any,
    output: Any,
    before: Any,
    kept: Any,
    cells: Any,
    cells_before: Any,
    state: Any,
    memory: Any,
    by_input: Any,
    by_product: Any,
) -> None:
    if lib.mt_array_recurrence_backward(
        mode,
        reverse,
        id(sizes),
        _address(g),
        id(weight),
        id(output),
        id(before),
        _address(kept),
        _address(cells),
        _address(cells_before),
        id(state),
        _address(memory),
        id(by_input),
        id(by_product),
    ):
        otherwise(
            recurrence_backward,
            twin.recurrence_backward,
            mode,
            reverse,
            sizes,
            g,
            weight,
            output,
            before,
            kept,
            cells,
            cells_before,
            state,
            memory,
            by_input,
            by_product,
        )


def embedding(weight: Any, index: Any, out: Any) -> None:
    bad = _embedding(id(weight), id(index), id(out))
    if bad >= 0:
        raise _row_error(index, bad, len(weight))
    if bad == -2:
        otherwise(embedding, twin.embedding, weight, index, out)


def embedding_backward(g: Any, index: Any, padding: int, out: Any) -> None:
    bad = _embedding_backward(padding, id(g), id(index), id(out))
    if bad >= 0:
        raise _row_error(index, bad, len(out))
    if bad == -2:
        otherwise(embedding_backward, twin.embedding_backward, g, index, padding, out)


def copy_into(x: Any, out: Any) -> None:
    if _copy(id(x), id(out)):
        twin.copy_into(x, out)


LAYERS: dict[str, Any] = {
    kernel.__name__: kernel
    for kernel in (
        row_norm,
        row_norm_backward,
        channel_moments,
        channel_norm,
        channel_norm_backward,
        lstm_cell,
        lstm_cell_backward,
        gru_cell,
        gru_cell_backward,
        recurrence,
        recurrence_backward,
        embedding,
        embedding_backward,
        copy_into,
    )
}
for _name, _kernel in LAYERS.items():
    _kernel.__doc__ = getattr(twin, _name).__doc__
