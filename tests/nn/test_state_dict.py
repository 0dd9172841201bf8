"""state_dict and load_state_dict."""

import io
import pickle

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.second = nn.Linear(3, 1, bias=False)
        self.register_buffer("mean", mt.zeros(2))
        self.register_buffer("cache", mt.ones(2), persistent=False)
        self.register_buffer("absent", None)


def snapshot(module):
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: (id(t), t.tolist(), t._version) for name, t in tensors.items()}


def test_keys_are_parameters_then_persistent_buffers_then_children():
    assert list(Net().state_dict()) == ["mean", "first.weight", "first.bias", "second.weight"]
    assert next(iter(Net().state_dict(prefix="net."))) == "net.mean"


def test_values_share_memory_and_need_no_gradient():
    net = Net()
    state = net.state_dict()
    assert not state["first.weight"].requires_grad
    assert np.shares_memory(state["first.weight"].numpy(), net.first.weight.detach().numpy())
    assert net.state_dict(keep_vars=True)["first.weight"] is net.first.weight


def test_destination_is_filled_and_returned():
    target = {}
    assert Net().state_dict(destination=target) is target
    assert "mean" in target


def test_shared_parameters_have_a_key_per_name():
    net = Net()
    net.third = net.first
    assert "third.weight" in net.state_dict()


def test_loading_copies_values_into_the_same_objects():
    source, target = Net(), Net()
    weight = target.first.weight
    result = target.load_state_dict(source.state_dict())
    assert target.first.weight is weight
    assert weight.tolist() == source.first.weight.tolist()
    assert weight.requires_grad
    assert not np.shares_memory(weight.detach().numpy(), source.first.weight.detach().numpy())
    assert result == ([], [])
    assert repr(result) == "<All keys matched successfully>"


def test_loading_casts_to_the_models_dtype():
    source, target = Net().double(), Net()
    target.load_state_dict(source.state_dict())
    assert target.first.weight.dtype == mt.float32
    np.testing.assert_array_equal(
        target.first.weight.detach().numpy(),
        source.first.weight.detach().numpy().astype(np.float32),
    )


def test_all_problems_are_listed_and_nothing_is_changed():
    net = Net()
    state = {name: value + 1 for name, value in net.state_dict().items()}
    del state["mean"], state["second.weight"]
    state["first.bias"] = mt.ones(4)
    state["first.weight"] = [[1.0]]
    state["cache"] = mt.ones(2)
    state["first.extra.weight"] = mt.ones(1)
    before = snapshot(net)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    lines = str(caught.value).split("\n\t")
    assert lines[:3] == [
        "Error(s) in loading state_dict for Net:",
        'Missing key(s) in state_dict: "mean", "second.weight". ',
        'Unexpected key(s) in state_dict: "cache", "first.extra.weight". ',
    ]
    assert 'named "first.weight", expected microtensor.Tensor' in lines[3]
    assert "received <class 'list'>" in lines[3]
    assert lines[4].startswith("size mismatch for first.bias: copying a param with shape")
    assert "[4]" in lines[4]
    assert "[3]" in lines[4]
    assert snapshot(net) == before


def test_the_order_of_keys_does_not_matter_and_equal_states_change_nothing_else():
    net = Net()
    state = dict(reversed(Net().state_dict().items()))
    net.load_state_dict(state)
    assert net.first.bias.tolist() == state["first.bias"].tolist()
    assert net.cache.tolist() == [1, 1]


def test_without_strict_keys_may_differ_but_shapes_may_not():
    net = Net()
    before = net.first.weight.tolist()
    result = net.load_state_dict({"mean": mt.ones(2), "other": mt.ones(1)}, strict=False)
    assert result.missing_keys == ["first.weight", "first.bias", "second.weight"]
    assert result.unexpected_keys == ["other"]
    assert "missing_keys=['first.weight'" in repr(result)
    assert net.mean.tolist() == [1, 1]
    assert net.first.weight.tolist() == before
    with pytest.raises(RuntimeError, match="size mismatch for mean"):
        net.load_state_dict({"mean": mt.ones(3)}, strict=False)


def test_assign_takes_the_tensors_themselves():
    net = Net()
    net.first.weight.requires_grad_(False)
    state = Net().double().state_dict()
    net.load_state_dict(state, assign=True)
    assert net.first.bias.dtype == mt.float64
    assert isinstance(net.first.bias, nn.Parameter)
    assert not net.first.weight.requires_grad
    assert net.first.bias.requires_grad
    assert net.mean is state["mean"]
    assert np.shares_memory(net.first.bias.detach().numpy(), state["first.bias"].numpy())


def test_assign_refuses_integers_for_trained_parameters():
    net = Net()
    state = {name: value.to(mt.int64) for name, value in net.state_dict().items()}
    before = snapshot(net)
    with pytest.raises(RuntimeError, match=r'named "first.weight": it requires a gradient.*int64'):
        net.load_state_dict(state, assign=True)
    assert snapshot(net) == before


def test_read_only_memory_is_reported_before_anything_is_written():
    net = Net()
    frozen = np.zeros((1, 3), np.float32)
    frozen.flags.writeable = False
    net.second.weight = nn.Parameter(mt.from_numpy(frozen))
    before = snapshot(net)
    with pytest.raises(RuntimeError, match=r'named "second.weight": its memory .* read-only'):
        net.load_state_dict(Net().state_dict())
    assert snapshot(net) == before


def test_a_state_that_is_no_mapping_is_refused():
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'list'>"):
        Net().load_state_dict([])


def test_a_state_survives_pickling():
    net = Net()
    buffer = io.BytesIO()
    pickle.dump(net.state_dict(), buffer)
    buffer.seek(0)
    twin = Net()
    twin.load_state_dict(pickle.load(buffer))
    assert twin.first.weight.tolist() == net.first.weight.tolist()


def test_loading_makes_an_older_graph_notice():
    net = Net()
    x = mt.ones(1, 3, requires_grad=True)
    loss = net.second(x).sum()
    net.load_state_dict(Net().state_dict())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
