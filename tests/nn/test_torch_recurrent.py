"""RNN, LSTM, GRU, their cells and packed sequences beside PyTorch's."""

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.nn.utils import rnn

torch = pytest.importorskip("torch")
torch_rnn = torch.nn.utils.rnn


def close(found, expected):
    np.testing.assert_allclose(
        found.detach().numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-11
    )


def flat(outputs):
    if not isinstance(outputs, tuple):
        return [outputs]
    if hasattr(outputs, "batch_sizes"):
        return [outputs.data]
    return [each for part in outputs for each in flat(part)]


def pair(name, *args, **options):
    ours = getattr(nn, name)(*args, **options, dtype=mt.float64)
    theirs = getattr(torch.nn, name)(*args, **options, dtype=torch.float64)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    return ours, theirs


TWO_WAYS = {"num_layers": 2, "bidirectional": True}
CASES = [
    *((name, (5, 3, 4), {}, None) for name in ("RNN", "LSTM", "GRU")),
    *((name, (5, 3, 4), TWO_WAYS, None) for name in ("RNN", "LSTM", "GRU")),
    *((name, (3, 5, 4), {"batch_first": True, "bias": False}, None) for name in ("LSTM", "GRU")),
    *((name, (5, 4), {}, None) for name in ("RNN", "LSTM", "GRU")),
    *((name, (5, 3, 4), TWO_WAYS, [5, 3, 1]) for name in ("RNN", "LSTM", "GRU")),
    *((name, (3, 5, 4), {**TWO_WAYS, "batch_first": True}, [2, 5, 3]) for name in ("LSTM", "GRU")),
    ("RNN", (5, 3, 4), {"nonlinearity": "relu"}, None),
    # Many steps of some sequences go through one kernel.
    *((name, (12, 19, 4), TWO_WAYS, None) for name in ("RNN", "LSTM", "GRU")),
    ("RNN", (12, 5, 4), {"nonlinearity": "relu", "bias": False}, [12, 9, 9, 4, 1]),
    *((name, (12, 5, 4), TWO_WAYS, [12, 9, 9, 4, 1]) for name in ("LSTM", "GRU")),
    ("LSTM", (5, 3, 4), {**TWO_WAYS, "proj_size": 2}, [5, 4, 2]),
]


@pytest.mark.parametrize(("name", "shape", "options", "lengths"), CASES)
@pytest.mark.parametrize("initial", [False, True])
def test_a_layer_does_what_torchs_does(name, shape, options, lengths, initial, rng):
    ours, theirs = pair(name, 4, 6, **options)
    batch_first = options.get("batch_first", False)
    x = rng.normal(size=shape)
    a, b = mt.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    given, expected_given = a, b
    if lengths is not None:
        falling = lengths == sorted(lengths, reverse=True)
        given = rnn.pack_padded_sequence(a, lengths, batch_first, falling)
        expected_given = torch_rnn.pack_padded_sequence(b, lengths, batch_first, falling)
    states, ha, hb = [], None, None
    if initial:
        count = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
        batch = () if len(shape) == 2 else (shape[0 if batch_first else 1],)
        widths = [options.get("proj_size", 6), 6][: 1 + (name == "LSTM")]
        for width in widths:
            h = rng.normal(size=(count, *batch, width))
            states.append((mt.tensor(h, requires_grad=True), torch.tensor(h, requires_grad=True)))
        ha, hb = (tuple(each[i] for each in states) for i in (0, 1))
        if name != "LSTM":
            ha, hb = ha[0], hb[0]
    loss = expected_loss = 0
    found, expected = flat(ours(given, ha)), flat(theirs(expected_given, hb))
    for y, z in zip(found, expected, strict=True):
        close(y, z)
        g = rng.normal(size=tuple(z.shape))
        loss = loss + (y * mt.tensor(g)).sum()
        expected_loss = expected_loss + (z * torch.tensor(g)).sum()
    loss.backward()
    expected_loss.backward()
    for p, q in [(a, b), *states, *zip(ours.parameters(), theirs.parameters(), strict=True)]:
        close(p.grad, q.grad)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
def test_a_cell_does_what_torchs_does(name, bias, rng):
    ours, theirs = pair(name, 4, 6, bias=bias)
    x, h = rng.normal(size=(3, 4)), rng.normal(size=(3, 6))
    state = [mt.tensor(h), torch.tensor(h)]
    if name == "LSTMCell":
        state = [(each, each * 2) for each in state]
    for case in (
        (ours(mt.tensor(x), state[0]), theirs(torch.tensor(x), state[1])),
        (
            ours(mt.tensor(x[0])),
            theirs(torch.tensor(x[0])),
        ),
    ):
        for y, z in zip(*map(flat, case), strict=True):
            close(y, z)


@pytest.mark.parametrize(
    "options", [{}, {"batch_first": True, "padding_value": 3.0}, {"padding_side": "left"}]
)
def test_padding_is_torchs(options, rng):
    sequences = [rng.normal(size=(n, 2)) for n in (2, 4, 3)]
    found = rnn.pad_sequence([mt.tensor(each) for each in sequences], **options)
    close(found, torch_rnn.pad_sequence([torch.tensor(each) for each in sequences], **options))


def test_packing_and_unpacking_is_torchs(rng):
    sequences = [rng.normal(size=(n, 2)) for n in (2, 4, 3)]
    packed = rnn.pack_sequence([mt.tensor(each) for each in sequences], False)
    expected = torch_rnn.pack_sequence([torch.tensor(each) for each in sequences], False)
    for found, wanted in zip(packed, expected, strict=True):
        close(found, wanted)
    for options in ({}, {"batch_first": True, "padding_value": -1.0, "total_length": 6}):
        unpacked = rnn.pad_packed_sequence(packed, **options)
        for found, wanted in zip(
            unpacked, torch_rnn.pad_packed_sequence(expected, **options), strict=True
        ):
            close(found, wanted)
    for found, wanted in zip(rnn.unpack_sequence(packed), sequences, strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted)
