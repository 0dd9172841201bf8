"""One layer of a recurrent network in one direction, over all steps, as one op.

Sequences are packed: ``sizes[t]`` of them, the longest first, have a step t, and their rows lie
step after step in one matrix. A batch of equal lengths is the case of equal sizes. The products
with the input are one matrix product before; what remains for each step is the product with the
hidden state and one call of the cell. One kernel does that for all steps, where packing the weight
for it pays; else, and with projections, kernels of single steps are called one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.arrays import Array, constant, copied, empty, known
from microtensor.ops.declare import declare
from microtensor.ops.joining import cat
from microtensor.ops.joint import declare_jointly, recorded, through

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
"""How many gates a cell has, by PyTorch's name of its mode."""

_MODES = tuple(GATES)

# A product of few rows is a third faster by a weight that lies the other way; turning it round once
# pays after some steps, and so does packing it, if some sequences share it.
_MANY_STEPS = 8
_MANY_SEQUENCES = 3


def _goes_whole(sizes: Sequence[int], weight_hr: Array | None) -> bool:
    return weight_hr is None and len(sizes) > _MANY_STEPS and max(sizes) > _MANY_SEQUENCES


def _numbers(sizes: Sequence[int]) -> Array:
    return known(np.array(sizes, dtype=np.int64))


def _steps(sizes: Sequence[int], reverse: bool) -> list[tuple[int, int]]:
    """Give the first row and the number of rows of each step, in the order they are taken."""
    starts = [0, *accumulate(sizes)][:-1]
    steps = list(zip(starts, sizes, strict=True))
    return steps[::-1] if reverse else steps


def _forward(
    gates: Array,
    hidden: Array,
    cell: Array | None,
    weight_hh: Array,
    bias_hh: Array | None,
    weight_hr: Array | None,
    mode: str,
    sizes: Sequence[int],
    reverse: bool,
) -> tuple[Any, ...]:
    rows, dtype = len(gates), gates.dtype
    batch, n = len(hidden), weight_hh.shape[0] // GATES[mode]
    gates = np.ascontiguousarray(gates)
    weight_hh = np.ascontiguousarray(weight_hh)
    state = copied(hidden)
    output = empty((rows, hidden.shape[1]), dtype)
    before = empty(output.shape, dtype)
    kept = empty((rows, 4 * n), dtype) if mode in ("LSTM", "GRU") else None
    memory = cells = cells_before = full = None
    if cell is not None:
        memory = copied(cell)
        cells, cells_before = empty((rows, n), dtype), empty((rows, n), dtype)
        full = output if weight_hr is None else empty((rows, n), dtype)
    if _goes_whole(sizes, weight_hr):
        kernels.recurrence(
            _MODES.index(mode),
            reverse,
            _numbers(sizes),
            gates,
            weight_hh,
            bias_hh,
            state,
            memory,
            output,
            before,
            kept,
            cells,
            cells_before,
        )
        if memory is None:
            memory = empty((0,), dtype)
        return output, state, memory, before, kept, cells, cells_before, full
    products = empty((batch, weight_hh.shape[0]), dtype)
    transposed = None
    if len(sizes) > _MANY_STEPS:
        transposed = empty(weight_hh.shape[::-1], dtype)
        kernels.copy_into(weight_hh.T, transposed)
    for first, size in _steps(sizes, reverse):
        own, last = slice(first, first + size), state[:size]
        now, product = output[own], products[:size]
        kernels.copy_into(last, before[own])
        if transposed is None:
            kernels.linear(before[own], weight_hh, bias_hh, product)
        else:
            kernels.matmul(before[own], transposed, product)
            if bias_hh is not None:
                kernels.add(product, bias_hh, product)
        if mode == "LSTM":
            assert memory is not None and cells is not None and full is not None
            assert kept is not None and cells_before is not None
            kernels.copy_into(memory[:size], cells_before[own])
            kernels.lstm_cell(
                gates[own], product, cells_before[own], kept[own], cells[own], full[own]
            )
            kernels.copy_into(cells[own], memory[:size])
            if weight_hr is not None:
                kernels.linear(full[own], weight_hr, None, now)
        elif mode == "GRU":
            assert kept is not None
            kernels.gru_cell(gates[own], product, before[own], kept[own], now)
        else:
            kernels.add(gates[own], product, product)
            (kernels.tanh if mode == "RNN_TANH" else kernels.relu)(product, now)
        kernels.copy_into(now, last)
    if memory is None:
        memory = empty((0,), dtype)
    return output, state, memory, before, kept, cells, cells_before, full


def _gradients_forward(
    g_output: Array | None,
    g_hidden: Array | None,
    g_cell: Array | None,
    weight_hh: Array,
    weight_hr: Array | None,
    output: Array,
    before: Array,
    kept: Array | None,
    cells: Array | None,
    cells_before: Array | None,
    full: Array | None,
    mode: str,
    sizes: Sequence[int],
    reverse: bool,
) -> tuple[Any, ...]:
    rows, width = output.shape
    dtype, batch, n = output.dtype, max(sizes), weight_hh.shape[0] // GATES[mode]
    weight_hh = np.ascontiguousarray(weight_hh)
    state = constant(0.0, (batch, width), dtype) if g_hidden is None else copied(g_hidden)
    if g_cell is not None and mode == "LSTM":
        memory = copied(g_cell)
    else:
        memory = constant(0.0, (batch, n), dtype)
    by_input = empty((rows, GATES[mode] * n), dtype)
    by_product = empty(by_input.shape, dtype) if mode == "GRU" else by_input
    if g_output is not None:
        g_output = np.ascontiguousarray(g_output)
    projected = None if weight_hr is None else empty((rows, width), dtype)
    whole = _goes_whole(sizes, weight_hr)
    if whole:
        kernels.recurrence_backward(
            _MODES.index(mode),
            reverse,
            _numbers(sizes),
            g_output,
            weight_hh,
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
    sums, wide, direct = (empty((batch, k), dtype) for k in (width, n, n))
    for first, size in [] if whole else reversed(_steps(sizes, reverse)):
        own, last = slice(first, first + size), state[:size]
        total = last
        if g_output is not None:
            total = sums[:size] if projected is None else projected[own]
            kernels.add(last, g_output[own], total)
        elif projected is not None:
            kernels.copy_into(last, projected[own])
        if mode == "LSTM":
            assert kept is not None and cells is not None and cells_before is not None
            if weight_hr is not None:
                kernels.matmul(total, weight_hr, wide[:size])
                total = wide[:size]
            kernels.lstm_cell_backward(
                total, kept[own], cells_before[own], cells[own], memory[:size], by_input[own]
            )
            kernels.matmul(by_product[own], weight_hh, last)
        elif mode == "GRU":
            assert kept is not None
            kernels.gru_cell_backward(
                total, kept[own], before[own], by_input[own], by_product[own], direct[:size]
            )
            kernels.matmul(by_product[own], weight_hh, last)
            kernels.add(last, direct[:size], last)
        else:
            rule = kernels.tanh_backward if mode == "RNN_TANH" else kernels.relu_backward
            rule(total, output[own], by_input[own])
            kernels.matmul(by_product[own], weight_hh, last)
    by_weight = empty(weight_hh.shape, dtype)
    kernels.matmul(by_product.T, before, by_weight)
    by_bias = empty((weight_hh.shape[0],), dtype)
    kernels.sum(by_product, (0,), by_bias[None])
    by_projection = empty((0,), dtype)
    if projected is not None and weight_hr is not None:
        by_projection = empty(weight_hr.shape, dtype)
        kernels.matmul(projected.T, full, by_projection)
    return by_input, state, memory, by_weight, by_bias, by_projection


_gradients: Any = declare(
    "recurrent_layer_gradients",
    "g_output: Tensor | None, g_hidden: Tensor | None, g_cell: Tensor | None, weight_hh: Tensor, "
    "weight_hr: Tensor | None, output: Tensor, before: Tensor, kept: Tensor | None, "
    "cells: Tensor | None, cells_before: Tensor | None, full: Tensor | None, mode: str, "
    "sizes: Any, reverse: bool",
    _gradients_forward,
    outputs=("by_gates", "by_hidden", "by_cell", "by_weight", "by_bias", "by_projection"),
    summary="Give the gradients of recurrent_layer by its inputs.",
    namespaces=(),
)


def _composite(
    gates: Any,
    hidden: Any,
    cell: Any,
    weight_hh: Any,
    bias_hh: Any,
    weight_hr: Any,
    *,
    mode: str,
    sizes: Sequence[int],
    reverse: bool,
) -> tuple[Any, Any, Any]:
    """Do what the op does in ops alone, step by step."""
    outputs = []
    batch = hidden.shape[0]
    for first, size in _steps(sizes, reverse):
        x, h = gates.narrow(0, first, size), hidden.narrow(0, 0, size)
        product = h @ weight_hh.t()
        if bias_hh is not None:
            product = product + bias_hh
        if mode == "LSTM":
            i, f, c, o = (x + product).chunk(4, 1)
            new_cell = f.sigmoid() * cell.narrow(0, 0, size) + i.sigmoid() * c.tanh()
            cell = cat([new_cell, cell.narrow(0, size, batch - size)])
            y = o.sigmoid() * new_cell.tanh()
            if weight_hr is not None:
                y = y @ weight_hr.t()
        elif mode == "GRU":
            (xr, xz, xn), (hr, hz, hn) = x.chunk(3, 1), product.chunk(3, 1)
            z = (xz + hz).sigmoid()
            m = (xn + (xr + hr).sigmoid() * hn).tanh()
            y = m + z * (h - m)
        else:
            y = (x + product).tanh() if mode == "RNN_TANH" else (x + product).relu()
        hidden = cat([y, hidden.narrow(0, size, batch - size)])
        outputs.append(y)
    return cat(outputs[::-1] if reverse else outputs), hidden, cell


def _rule(
    g_output: Any,
    g_last_hidden: Any,
    g_last_cell: Any,
    gates: Any,
    hidden: Any,
    cell: Any,
    weight_hh: Any,
    bias_hh: Any,
    weight_hr: Any,
    output: Any,
    before: Any,
    kept: Any,
    cells: Any,
    cells_before: Any,
    full: Any,
    mode: str,
    sizes: Any,
    reverse: bool,
    *,
    wanted: tuple[bool, ...],
) -> Any:
    if not recorded(g_output, g_last_hidden, g_last_cell):
        return _gradients(
            g_output,
            g_last_hidden,
            g_last_cell,
            weight_hh,
            weight_hr,
            output,
            before,
            kept,
            cells,
            cells_before,
            full,
            mode,
            sizes,
            reverse,
        )

    def composite(*inputs: Any) -> tuple[Any, ...]:
        found = _composite(*inputs, mode=mode, sizes=sizes, reverse=reverse)
        return found if mode == "LSTM" else found[:2]

    gradients = (g_output, g_last_hidden, g_last_cell)
    return through(
        composite,
        (gates, hidden, cell, weight_hh, bias_hh, weight_hr),
        gradients if mode == "LSTM" else gradients[:2],
        wanted,
    )


recurrent_layer: Any = declare_jointly(
    "recurrent_layer",
    "gates: Tensor, hidden: Tensor, cell: Tensor | None, weight_hh: Tensor, "
    "bias_hh: Tensor | None, weight_hr: Tensor | None, mode: str, sizes: Any, reverse: bool",
    _forward,
    _rule,
    ("gates", "hidden", "cell", "weight_hh", "bias_hh", "weight_hr"),
    outputs=("output", "last_hidden", "last_cell"),
    extras=("before", "kept", "cells", "cells_before", "full"),
    summary="Run a recurrent layer in one direction over the steps of packed sequences.",
    namespaces=(),
)
