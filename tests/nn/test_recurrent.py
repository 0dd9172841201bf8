"""Recurrent layers by themselves: derivatives, twins, packed sequences, errors."""

import math

import numpy as np
import pytest

import microtensor as mt
from microtensor import kernels, nn
from microtensor.autograd import gradcheck, gradgradcheck
from microtensor.kernels import twin
from microtensor.nn.utils import rnn


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("RNN", {"bidirectional": True}),
        ("LSTM", {"bias": False}),
        ("LSTM", {"proj_size": 1}),
        ("GRU", {}),
    ],
)
def test_derivatives_of_first_and_second_order_are_right(name, options, rng):
    mt.manual_seed(3)
    layer = getattr(nn, name)(2, 2, dtype=mt.float64, **options)
    names = [key for key, _ in layer.named_parameters()]
    x = mt.tensor(rng.normal(size=(2, 2, 2)), requires_grad=True)

    def run(x, *values):
        packed = rnn.pack_padded_sequence(x, [2, 1])
        output = mt.func.functional_call(layer, dict(zip(names, values, strict=True)), (packed,))
        last = output[1][1] if name == "LSTM" else output[1]
        return output[0].data, last

    inputs = (x, *layer.parameters())
    assert gradcheck(run, inputs)
    assert gradgradcheck(run, inputs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (3, 37)])
def test_both_kernels_of_cells_agree(shape, dtype, rng):
    rows, n = shape
    x, h = (rng.normal(size=(rows, 4 * n)).astype(dtype) for _ in range(2))
    before, g, carried = (rng.normal(size=shape).astype(dtype) for _ in range(3))
    x3, h3 = (np.ascontiguousarray(each[:, : 3 * n]) for each in (x, h))
    results = []
    for module in (kernels, twin):
        gates, cell, y = np.empty_like(x), np.empty_like(before), np.empty_like(before)
        module.lstm_cell(x, h, before, gates, cell, y)
        carry, out = carried.copy(), np.empty_like(x)
        module.lstm_cell_backward(g, gates, before, cell, carry, out)
        kept, z = np.empty_like(x), np.empty_like(before)
        module.gru_cell(x3, h3, before, kept, z)
        by_x, by_h, direct = np.empty_like(x3), np.empty_like(x3), np.empty_like(before)
        module.gru_cell_backward(g, kept, before, by_x, by_h, direct)
        results.append((gates, cell, y, carry, out, kept, z, by_x, by_h, direct))
    tolerance = 1e-13 if dtype is np.float64 else 2e-6
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def layer_arrays(mode, n, sizes, dtype, rng):
    """Draw what both kernels of a layer take: of the forward, and of the backward beyond it."""
    rows, batch, gates = sum(sizes), sizes[0], (4, 3, 1, 1)[mode]

    def drawn(*shape):
        return (rng.normal(size=shape) * 0.5).astype(dtype)

    forward = [drawn(rows, gates * n), drawn(gates * n, n), drawn(gates * n), drawn(batch, n)]
    return forward, drawn(batch, n), drawn(rows, n), drawn(batch, n), drawn(batch, n)


def run_layer(module, mode, reverse, sizes, drawn):
    """Go forward and backward through a layer's kernels; give all they wrote."""
    (gates, weight, bias, state), memory, g, g_state, g_memory = drawn
    if mode == 3:
        bias = None
    n = weight.shape[1]
    state, memory, g_state, g_memory = (a.copy() for a in (state, memory, g_state, g_memory))
    out, before, cells, cells_before = (np.empty_like(g) for _ in range(4))
    kept = np.empty((len(g), 4 * n), g.dtype)
    if mode:
        memory = cells = cells_before = None
    if mode > 1:
        kept = None
    module.recurrent_layer(
        mode, reverse, sizes, gates, weight, bias, state, memory, out, before, kept, cells,
        cells_before,
    )  # fmt: skip
    by_input = np.empty_like(gates)
    by_product = np.empty_like(gates) if mode == 1 else by_input
    module.recurrent_layer_backward(
        mode, reverse, sizes, g if mode else None, weight, out, before, kept, cells, cells_before,
        g_state, g_memory if mode == 0 else None, by_input, by_product,
    )  # fmt: skip
    written = (state, memory, out, before, kept, cells, g_state, by_input, by_product)
    return [each for each in written if each is not None]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", range(4))
@pytest.mark.parametrize(
    ("n", "sizes", "reverse"),
    [(1, [1], False), (37, [19, 19, 16, 3], True), (70, [5, 4], False), (300, [9, 9], False)],
)
def test_both_kernels_of_layers_agree(n, sizes, reverse, mode, dtype, rng):
    drawn = layer_arrays(mode, n, sizes, dtype, rng)
    numbers = np.array(sizes)
    results = [run_layer(module, mode, reverse, numbers, drawn) for module in (kernels, twin)]
    tolerance = 1e-11 if dtype is np.float64 else 2e-4
    for found, expected in zip(*results, strict=True):
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("mode", range(4))
def test_layers_give_the_same_bits_for_every_number_of_threads(mode, rng):
    sizes = [37] * 6
    drawn = layer_arrays(mode, 33, sizes, np.float32, rng)
    before, found = mt.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            mt.set_num_threads(threads)
            results = run_layer(kernels, mode, False, np.array(sizes), drawn)
            found.append([each.tobytes() for each in results])
    finally:
        mt.set_num_threads(before)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_derivatives_of_many_steps_are_right(name, rng):
    layer = getattr(nn, name)(1, 2, dtype=mt.float64)
    names = [key for key, _ in layer.named_parameters()]
    x = mt.tensor(rng.normal(size=(9, 4, 1)), requires_grad=True)

    def run(x, *values):
        output, last = mt.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))
        return output[3:].sum(0), last[1] if name == "LSTM" else last

    assert gradcheck(run, (x, *layer.parameters()))


def test_a_captured_layer_gives_the_bits_of_the_eager_one(rng):
    layer = nn.LSTM(3, 5)
    x = mt.tensor(rng.normal(size=(10, 6, 3)).astype(np.float32))

    def step(x):
        output, _ = layer(x)
        return mt.autograd.grad(output.square().sum(), list(layer.parameters()))

    captured = mt.capture(step)
    captured(x)
    other = x * 0.5
    for found, expected in zip(captured(other), step(other), strict=True):
        assert mt.equal(found, expected)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_packed_sequences_give_what_each_gives_alone(name, rng):
    layer = getattr(nn, name)(3, 4, num_layers=2, bidirectional=True, dtype=mt.float64)
    sequences = [mt.tensor(rng.normal(size=(n, 3))) for n in (2, 5, 3)]
    output, _ = layer(rnn.pack_sequence(sequences, enforce_sorted=False))
    for together, alone in zip(rnn.unpack_sequence(output), sequences, strict=True):
        np.testing.assert_allclose(together.detach(), layer(alone)[0].detach(), rtol=1e-12)


def test_parameters_start_uniform_within_the_inverse_root_of_the_hidden_size():
    mt.manual_seed(0)
    layer = nn.LSTM(20, 100)
    for each in layer.parameters():
        assert 0.09 < each.abs().max().item() <= 1 / math.sqrt(100)


def test_dropout_between_layers_acts_in_training_alone():
    mt.manual_seed(0)
    layer, x = nn.GRU(3, 8, num_layers=2, dropout=0.5), mt.ones(4, 2, 3)
    assert not mt.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert mt.equal(layer(x)[0], layer(x)[0])
    with pytest.warns(UserWarning, match="num_layers greater than 1"):
        nn.GRU(3, 8, dropout=0.5)


def test_a_nan_stays_in_its_sequence():
    x = mt.ones(3, 2, 4)
    x[0, 1, 2] = float("nan")
    output, _ = nn.LSTM(4, 3)(x)
    assert output.isnan().any(2).any(0).tolist() == [False, True]


def test_an_empty_batch_gives_an_empty_output():
    output, (hidden, cell) = nn.LSTM(4, 3)(mt.ones(5, 0, 4))
    assert output.shape == (5, 0, 3)
    assert hidden.shape == cell.shape == (1, 0, 3)


def test_unpadding_is_the_inverse_of_padding():
    sequences = [mt.tensor([1, 2, 3]), mt.tensor([4])]
    padded = rnn.pad_sequence(sequences, batch_first=True, padding_value=-1)
    assert padded.tolist() == [[1, 2, 3], [4, -1, -1]]
    found = rnn.unpad_sequence(padded, mt.tensor([3, 1]), batch_first=True)
    assert [each.tolist() for each in found] == [[1, 2, 3], [4]]


X = mt.ones(5, 2, 4)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.LSTM(4, 3)(mt.ones(5, 2, 7)), RuntimeError, "Expected 4, got 7"),
        (lambda: nn.LSTM(4, 3)(mt.ones(4)), ValueError, "2D or 3D"),
        (lambda: nn.LSTM(4, 3)(X.double()), ValueError, "does not match weight dtype"),
        (lambda: nn.GRU(4, 3)(X, mt.ones(1, 3, 3)), RuntimeError, r"\[1, 2, 3\], got \[1, 3, 3\]"),
        (lambda: nn.GRU(4, 3)(X, mt.ones(2, 3)), RuntimeError, "3-D but got 2-D"),
        (lambda: nn.GRU(4, 3)(mt.ones(0, 2, 4)), RuntimeError, "sequence length"),
        (lambda: nn.RNN(4, 3, nonlinearity="sin"), ValueError, "'tanh' or 'relu'"),
        (lambda: nn.LSTM(4, 3, proj_size=3), ValueError, "proj_size"),
        (lambda: nn.LSTM(4, 0), ValueError, "hidden_size"),
        (lambda: nn.LSTM(4, 3, num_layers=2, dropout=2.0), ValueError, "dropout"),
        (lambda: nn.LSTMCell(4, 3)(mt.ones(2, 5)), RuntimeError, "input_size 4"),
        (lambda: nn.GRUCell(4, 3)(mt.ones(2, 4), mt.ones(2, 4)), RuntimeError, "hx"),
        (lambda: nn.GRU(4, 3)(X, mt.ones(1, 2, 3).double()), RuntimeError, "same dtype as input"),
        (
            lambda: nn.LSTM(4, 3)(X, (mt.ones(1, 2, 3), mt.ones(1, 2, 3).double())),
            RuntimeError,
            r"hidden\[1\] must have the same dtype as input",
        ),
        (lambda: nn.RNNCell(4, 3)(X[0], mt.ones(2, 3).double()), RuntimeError, "same dtype"),
        (lambda: rnn.pack_sequence([]), RuntimeError, "empty list of sequences"),
        (lambda: rnn.pack_padded_sequence(X, [1, 2]), RuntimeError, "decreasing order"),
        (lambda: rnn.pack_padded_sequence(X, [2, 0]), RuntimeError, "greater than 0"),
        (lambda: rnn.pack_padded_sequence(X, [6, 2]), RuntimeError, "5 steps, got 6"),
        (lambda: rnn.pack_padded_sequence(X, [2]), RuntimeError, "batch_size"),
        (
            lambda: rnn.pad_packed_sequence(rnn.pack_padded_sequence(X, [5, 2]), total_length=3),
            ValueError,
            "total_length=3",
        ),
    ],
)
def test_errors_name_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("bias", [True, False])
def test_many_steps_give_what_cells_give_one_by_one(bias, rng):
    layer = nn.LSTM(3, 4, bias=bias, dtype=mt.float64)
    cell = nn.LSTMCell(3, 4, bias=bias, dtype=mt.float64)
    cell.load_state_dict({k[:-3]: v for k, v in layer.state_dict().items()})
    x, state = mt.tensor(rng.normal(size=(12, 2, 3))), None
    for step in x:
        state = cell(step, state)
    np.testing.assert_allclose(layer(x)[0][-1].detach(), state[0].detach(), rtol=1e-12)


@pytest.mark.parametrize("name", ["weight_hh_l0", "weight_ih_l1", "bias_hh_l0"])
def test_parameters_may_be_parametrized(name, rng):
    layer = nn.LSTM(3, 4, num_layers=2, dtype=mt.float64)
    x = mt.tensor(rng.normal(size=(5, 2, 3)))
    wanted, _ = layer(x)
    nn.utils.parametrizations.weight_norm(layer, name)
    output, _ = layer(x)
    np.testing.assert_allclose(output.detach(), wanted.detach(), rtol=1e-12)
    output.sum().backward()
    assert all(each.grad is not None for each in layer.parameters())
    assert len(layer.all_weights) == 2
