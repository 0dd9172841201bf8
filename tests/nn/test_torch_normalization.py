"""Normalization layers beside PyTorch's: outputs, gradients, buffers, state dicts, text."""

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn

torch = pytest.importorskip("torch")

CASES = [
    ("BatchNorm1d", (5,), {}, (7, 5)),
    ("BatchNorm1d", (300,), {"momentum": None}, (70, 300)),
    ("BatchNorm1d", (5,), {"bias": False}, (3, 5, 9)),
    ("BatchNorm2d", (5,), {"affine": False}, (3, 5, 4, 4)),
    ("BatchNorm3d", (2,), {"track_running_stats": False}, (3, 2, 4, 4, 2)),
    ("InstanceNorm1d", (5,), {"affine": True, "track_running_stats": True}, (3, 5, 9)),
    ("InstanceNorm2d", (5,), {}, (3, 5, 9, 2)),
    ("InstanceNorm2d", (5,), {"affine": True}, (5, 9, 2)),
    ("InstanceNorm3d", (2,), {}, (3, 2, 4, 4, 2)),
    ("LayerNorm", (40,), {}, (6, 40)),
    ("LayerNorm", ((4, 6),), {"bias": False}, (3, 4, 6)),
    ("LayerNorm", ((4, 6),), {"elementwise_affine": False}, (2, 3, 4, 6)),
    ("GroupNorm", (2, 6), {}, (3, 6, 5, 5)),
    ("GroupNorm", (3, 6), {}, (4, 6)),
    ("GroupNorm", (1, 6), {"affine": False}, (4, 6, 3)),
    ("RMSNorm", (40,), {}, (5, 3, 40)),
    ("RMSNorm", ((3, 40),), {"eps": 1e-3, "elementwise_affine": False}, (5, 3, 40)),
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "args", "options", "shape"), CASES)
def test_a_layer_does_what_torchs_does(name, args, options, shape, dtype, training, rng):
    ours = getattr(nn, name)(*args, **options, dtype=getattr(mt, dtype)).train(training)
    theirs = getattr(torch.nn, name)(*args, **options, dtype=getattr(torch, dtype)).train(training)
    assert repr(ours) == repr(theirs)
    values = {
        k: rng.uniform(0.5, 2, tuple(v.shape)).astype(dtype) for k, v in theirs.named_parameters()
    }
    ours.load_state_dict({k: mt.tensor(v) for k, v in values.items()}, strict=False)
    theirs.load_state_dict({k: torch.tensor(v) for k, v in values.items()}, strict=False)
    # Far from zero: variances must not come from differences of large squares.
    tolerance = {"rtol": 1e-8, "atol": 1e-8} if dtype == "float64" else {"rtol": 2e-3, "atol": 2e-3}
    for _ in range(2):
        x = (rng.normal(size=shape) * 3 + 50).astype(dtype)
        g = rng.normal(size=shape).astype(dtype)
        a, b = mt.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y, z = ours(a), theirs(b)
        y.backward(mt.tensor(g))
        z.backward(torch.tensor(g))
        np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), **tolerance)
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), **tolerance)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), **tolerance)
    state, expected = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(expected)
    for key, value in expected.items():
        assert state[key].dtype == getattr(mt, str(value.dtype).split(".")[1])
        np.testing.assert_allclose(state[key].numpy(), value.numpy(), **tolerance)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_local_response_norm_is_torchs(size, rng):
    x = rng.normal(size=(2, 4, 3))
    found = F.local_response_norm(mt.tensor(x), size, 0.1, 0.6, 2.0).numpy()
    expected = torch.nn.functional.local_response_norm(torch.tensor(x), size, 0.1, 0.6, 2.0)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12)


@pytest.mark.parametrize(("p", "dim"), [(2.0, 1), (1.0, 0), (3.0, -1)])
def test_normalize_is_torchs(p, dim, rng):
    x = rng.normal(size=(2, 4, 3))
    x[:, 0] = 0
    expected = torch.nn.functional.normalize(torch.tensor(x), p, dim).numpy()
    np.testing.assert_allclose(F.normalize(mt.tensor(x), p, dim).numpy(), expected, rtol=1e-12)
