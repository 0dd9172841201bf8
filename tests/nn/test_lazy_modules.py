"""Layers that wait for their input's channels: what they become, and what goes before."""

import copy
import pickle

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn

LAYERS = [
    (lambda: nn.LazyLinear(3), (5, 4), nn.Linear),
    (lambda: nn.LazyLinear(3, bias=False), (2, 5, 4), nn.Linear),
    (lambda: nn.LazyConv1d(6, 3, groups=2), (2, 4, 5), nn.Conv1d),
    (lambda: nn.LazyConv2d(6, 3, padding=1, bias=False), (4, 5, 5), nn.Conv2d),
    (lambda: nn.LazyConv3d(2, 2, padding_mode="circular"), (2, 4, 5, 5, 5), nn.Conv3d),
    (lambda: nn.LazyConvTranspose1d(6, 3, stride=2, groups=2), (2, 4, 5), nn.ConvTranspose1d),
    (lambda: nn.LazyConvTranspose2d(6, 3), (2, 4, 5, 5), nn.ConvTranspose2d),
    (lambda: nn.LazyConvTranspose3d(6, 2), (2, 4, 3, 3, 3), nn.ConvTranspose3d),
    (lambda: nn.LazyBatchNorm1d(), (5, 4), nn.BatchNorm1d),
    (lambda: nn.LazyBatchNorm2d(affine=False), (5, 4, 2, 2), nn.BatchNorm2d),
    (lambda: nn.LazyBatchNorm3d(track_running_stats=False), (2, 4, 2, 2, 2), nn.BatchNorm3d),
    (lambda: nn.LazyInstanceNorm1d(track_running_stats=False), (4, 5), nn.InstanceNorm1d),
    (lambda: nn.LazyInstanceNorm2d(), (2, 4, 3, 3), nn.InstanceNorm2d),
    (
        lambda: nn.LazyInstanceNorm3d(affine=False, track_running_stats=False),
        (2, 4, 2, 2, 2),
        nn.InstanceNorm3d,
    ),
]
CASES = pytest.mark.parametrize(("make", "shape", "becomes"), LAYERS)


@CASES
def test_the_first_call_makes_an_ordinary_layer(make, shape, becomes):
    layer = make()
    held = list(layer.parameters())
    assert type(layer).__name__ in repr(layer)
    assert not list(layer.state_dict()) or layer.has_uninitialized_params()
    x = mt.randn(*shape, requires_grad=True)
    output = nn.Sequential(layer)(x)
    assert type(layer) is becomes
    assert all(a is b for a, b in zip(held, layer.parameters(), strict=True))
    assert all(type(each) is nn.Parameter for each in layer.parameters())
    np.testing.assert_array_equal(layer.eval()(x).shape, output.shape)
    output.square().sum().backward()
    assert all(each.grad.shape == each.shape for each in held)


@CASES
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_state_makes_an_ordinary_layer(make, shape, becomes, copied):
    layer, other = make(), copied(make())
    layer(mt.randn(*shape))
    if not layer.state_dict():
        return
    other.load_state_dict(layer.state_dict())
    assert type(other) is becomes and repr(other) == repr(layer)
    for key, value in layer.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[key], value)


def test_weights_are_drawn_as_those_of_the_ordinary_layer():
    mt.manual_seed(0)
    layer = nn.LazyConv2d(4, 3)
    layer(mt.ones(1, 2, 5, 5))
    mt.manual_seed(0)
    wanted = nn.Conv2d(2, 4, 3)
    np.testing.assert_array_equal(layer.weight.detach(), wanted.weight.detach())
    np.testing.assert_array_equal(layer.bias.detach(), wanted.bias.detach())


def test_an_optimizer_made_before_trains_what_comes():
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(1)).double()
    optimizer = mt.optim.Adam(model.parameters(), lr=0.01)
    x = mt.randn(8, 3, dtype=mt.float64)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = (model(x) - 1).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]


def test_a_waiting_state_goes_into_a_waiting_layer():
    layer = nn.LazyLinear(4)
    layer.load_state_dict(nn.LazyLinear(4).state_dict())
    assert layer.has_uninitialized_params()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.LazyConv2d(4, 3)(mt.ones(3, 3)), RuntimeError, r"3D \(unbatched\) or 4D"),
        (lambda: nn.LazyConv1d(4, 3, groups=2)(mt.ones(3, 5)), ValueError, "got 3 and 2"),
        (lambda: nn.LazyConv1d(3, 3, groups=2), ValueError, "divisible by groups"),
        (lambda: nn.LazyBatchNorm2d()(mt.ones(3, 5)), ValueError, "expected 4D input"),
        (lambda: nn.UninitializedParameter(device="cuda"), RuntimeError, "'cpu'"),
    ],
)
def test_errors_name_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()
