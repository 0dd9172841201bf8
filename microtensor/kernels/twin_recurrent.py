"""The NumPy twins of the pointwise part of recurrent cells, and of embedding.

Gates stand side by side in a row, in PyTorch's order: i, f, g, o of an LSTM; r, z, n of a GRU.
``x`` are the products with the input, ``h`` those with the hidden state.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _sigmoid(x: Array) -> Array:
    half = x.dtype.type(0.5)
    return np.asarray(half * np.tanh(half * x) + half)


def lstm_cell(x: Array, h: Array, before: Array, gates: Array, cell: Array, out: Array) -> None:
    """Cell = σ(f) before + σ(i) tanh(g), out = σ(o) tanh(cell); gates are what the four became."""
    n = before.shape[1]
    with np.errstate(all="ignore"):
        np.add(x, h, gates)
        gates[:, : 2 * n] = _sigmoid(gates[:, : 2 * n])
        gates[:, 2 * n : 3 * n] = np.tanh(gates[:, 2 * n : 3 * n])
        gates[:, 3 * n :] = _sigmoid(gates[:, 3 * n :])
        i, f, c, o = (gates[:, k * n : (k + 1) * n] for k in range(4))
        cell[...] = f * before + i * c
        out[...] = o * np.tanh(cell)


def lstm_cell_backward(
    g: Array, gates: Array, before: Array, cell: Array, cell_gradient: Array, out: Array
) -> None:
    """Out = the gradient by the four sums; cell_gradient goes from cell to before, in place."""
    n = before.shape[1]
    with np.errstate(all="ignore"):
        i, f, c, o = (gates[:, k * n : (k + 1) * n] for k in range(4))
        t = np.tanh(cell)
        d = cell_gradient + g * o * (1 - t * t)
        out[:, :n] = d * c * i * (1 - i)
        out[:, n : 2 * n] = d * before * f * (1 - f)
        out[:, 2 * n : 3 * n] = d * i * (1 - c * c)
        out[:, 3 * n :] = g * t * o * (1 - o)
        cell_gradient[...] = d * f


def gru_cell(x: Array, h: Array, before: Array, gates: Array, out: Array) -> None:
    """Out = (1 - z) tanh(x_n + r h_n) + z before; gates are r, z, n and h_n."""
    n = before.shape[1]
    with np.errstate(all="ignore"):
        gates[:, : 2 * n] = _sigmoid(x[:, : 2 * n] + h[:, : 2 * n])
        gates[:, 3 * n :] = h[:, 2 * n :]
        gates[:, 2 * n : 3 * n] = np.tanh(x[:, 2 * n :] + gates[:, :n] * h[:, 2 * n :])
        z = gates[:, n : 2 * n]
        out[...] = (1 - z) * gates[:, 2 * n : 3 * n] + z * before


def gru_cell_backward(
    g: Array, gates: Array, before: Array, x_out: Array, h_out: Array, direct: Array
) -> None:
    """Give the gradients by x, by h, and by before but for what comes through h."""
    n = before.shape[1]
    with np.errstate(all="ignore"):
        r, z, m, h = (gates[:, k * n : (k + 1) * n] for k in range(4))
        d = g * (1 - z) * (1 - m * m)
        x_out[:, :n] = d * h * r * (1 - r)
        x_out[:, n : 2 * n] = g * (before - m) * z * (1 - z)
        x_out[:, 2 * n :] = d
        h_out[:, : 2 * n] = x_out[:, : 2 * n]
        h_out[:, 2 * n :] = d * r
        direct[...] = g * z


def _taken(sizes: Array, reverse: bool) -> list[slice]:
    """Give the rows of each step, in the order they are taken."""
    ends = np.cumsum(sizes)
    steps = [
        slice(end - size, end) for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)
    ]
    return steps[::-1] if reverse else steps


def recurrence(
    mode: int,
    reverse: bool,
    sizes: Array,
    gates: Array,
    weight: Array,
    bias: Array | None,
    state: Array,
    memory: Array | None,
    out: Array,
    before: Array,
    kept: Array | None,
    cells: Array | None,
    cells_before: Array | None,
) -> None:
    """Take packed sequences through a recurrent layer; state and memory go to their last, in place.

    Modes are 0 LSTM, 1 GRU, 2 tanh, 3 ReLU; what one does not have is None.
    """
    for rows in _taken(sizes, reverse):
        last = state[: rows.stop - rows.start]
        before[rows] = last
        product = last @ weight.T
        if bias is not None:
            product += bias
        if mode == 0:
            assert memory is not None and cells is not None
            assert kept is not None and cells_before is not None
            own = memory[: len(last)]
            cells_before[rows] = own
            lstm_cell(gates[rows], product, cells_before[rows], kept[rows], cells[rows], out[rows])
            own[...] = cells[rows]
        elif mode == 1:
            assert kept is not None
            gru_cell(gates[rows], product, before[rows], kept[rows], out[rows])
        else:
            with np.errstate(all="ignore"):
                total = gates[rows] + product
                out[rows] = np.tanh(total) if mode == 2 else np.maximum(total, 0)
        last[...] = out[rows]


def recurrence_backward(
    mode: int,
    reverse: bool,
    sizes: Array,
    g: Array | None,
    weight: Array,
    output: Array,
    before: Array,
    kept: Array | None,
    cells: Array | None,
    cells_before: Array | None,
    state: Array,
    memory: Array | None,
    by_input: Array,
    by_product: Array,
) -> None:
    """From the gradients of the output and of the last state and memory to those of the first.

    by_input and by_product, one array but for a GRU, are those of the products with input and state.
    """
    for rows in reversed(_taken(sizes, reverse)):
        last = state[: rows.stop - rows.start]
        total = last.copy() if g is None else last + g[rows]
        direct = None
        if mode == 0:
            assert memory is not None and cells is not None
            assert kept is not None and cells_before is not None
            carried = memory[: len(last)]
            lstm_cell_backward(
                total, kept[rows], cells_before[rows], cells[rows], carried, by_input[rows]
            )
        elif mode == 1:
            assert kept is not None
            direct = np.empty_like(total)
            gru_cell_backward(
                total, kept[rows], before[rows], by_input[rows], by_product[rows], direct
            )
        else:
            y = output[rows]
            with np.errstate(all="ignore"):
                by_input[rows] = total * ((1 - y * y) if mode == 2 else (y > 0))
        last[...] = by_product[rows] @ weight
        if direct is not None:
            last += direct


def copy_into(x: Array, out: Array) -> None:
    """Out = x, a block of the state of some sequences."""
    out[...] = x
