"""Hooks around saving and loading, extra state, and modules put in place of others."""

import pytest

import microtensor as mt
from microtensor import nn


def test_hooks_around_saving():
    net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1, bias=False))
    seen = []
    net[1].register_state_dict_pre_hook(lambda m, prefix, keep: seen.append((m, prefix, keep)))

    def rename(module, state, prefix, metadata):
        state[prefix + "w"] = state.pop(prefix + "weight")

    handle = net[1].register_state_dict_post_hook(rename)
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.w"]
    assert seen == [(net[1], "1.", False)]
    handle.remove()
    handle.remove()
    assert list(net.state_dict(prefix="a.")) == ["a.0.weight", "a.0.bias", "a.1.weight"]


def test_hooks_before_loading_put_old_keys_right():
    net = nn.Sequential(nn.Linear(1, 1, bias=False))

    def rename(module, state, prefix, metadata, strict, missing, unexpected, errors):
        if prefix + "w" in state:
            state[prefix + "weight"] = state.pop(prefix + "w")

    net[0].register_load_state_dict_pre_hook(rename)
    old = {"0.w": mt.tensor([[5.0]])}
    net.load_state_dict(old)
    assert net[0].weight.item() == 5.0
    assert list(old) == ["0.w"]  # the caller's own is left alone


def test_hooks_after_loading_forgive():
    net = nn.Linear(1, 1)
    net.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    assert net.load_state_dict({"weight": mt.ones(1, 1)}).missing_keys == []
    assert net.weight.item() == 1.0
    with pytest.raises(RuntimeError, match=r"Unexpected.*wait"):
        net.load_state_dict({"weight": mt.ones(1, 1), "wait": mt.ones(1)})


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 0

    def get_extra_state(self):
        return {"count": self.count}

    def set_extra_state(self, state):
        self.count = state["count"]


def test_extra_state():
    net = nn.Sequential(Counting())
    net[0].count = 3
    state = net.state_dict()
    assert dict(state) == {"0._extra_state": {"count": 3}}
    fresh = nn.Sequential(Counting())
    fresh.load_state_dict(state)
    assert fresh[0].count == 3
    with pytest.raises(RuntimeError, match=r"Missing.*0._extra_state"):
        fresh.load_state_dict({})
    with pytest.raises(RuntimeError, match=r"Unexpected.*_extra_state"):
        nn.Sequential(nn.Identity()).load_state_dict(state)


def test_submodules_are_replaced_by_name():
    net = nn.Sequential(nn.Sequential(nn.Linear(1, 1)), nn.ReLU())
    net.set_submodule("0.0", nn.Tanh())
    assert isinstance(net[0][0], nn.Tanh)
    net.set_submodule("0.extra", nn.ReLU())
    assert isinstance(net[0].extra, nn.ReLU)
    with pytest.raises(ValueError, match=r"without a target"):
        net.set_submodule("", nn.ReLU())
    with pytest.raises(ValueError, match=r"not an nn.Module"):
        net.set_submodule("0.0", 3)
    with pytest.raises(AttributeError, match=r"no attribute `other`"):
        net.set_submodule("0.other", nn.ReLU(), strict=True)
    with pytest.raises(AttributeError, match=r"`training` is not"):
        net.set_submodule("0.training", nn.ReLU())


def test_a_gpu_is_refused_in_words_that_say_so():
    for ask in (lambda m: m.cuda(), lambda m: m.to("cuda"), lambda m: m.to_empty(device="cuda")):
        with pytest.raises(RuntimeError, match=r"'cpu'"):
            ask(nn.Linear(1, 1))
    net = nn.Linear(1, 1)
    assert net.cpu() is net.to("cpu") is net.to_empty(device="cpu") is net
    assert net.type(mt.float64).weight.dtype is mt.float64


# ---- lists and dictionaries of parameters -------------------------------------------------------


def test_lists_of_parameters():
    weights = nn.ParameterList([mt.ones(2), nn.Parameter(mt.zeros(1)), "note"])
    assert [name for name, _ in weights.named_parameters()] == ["0", "1"]
    assert (len(weights), weights[-1], weights[2]) == (3, "note", "note")
    weights[1] = mt.ones(3)
    assert [p.numel() for p in weights.parameters()] == [2, 3]
    weights += [mt.ones(4)]
    assert isinstance(weights[1:], nn.ParameterList)
    assert [getattr(each, "shape", each) for each in weights[2:]] == ["note", (4,)]
    with pytest.raises(IndexError, match=r"index 4 .* 4 parameters"):
        weights[4]
    with pytest.raises(TypeError, match=r"iterable"):
        weights.extend(mt.ones(2))
    with pytest.raises(RuntimeError, match=r"should not be called"):
        weights(mt.ones(1))
    assert "(1): Parameter containing: [microtensor.float32 of size 3]" in repr(weights)


def test_dictionaries_of_parameters():
    weights = nn.ParameterDict({"a": mt.ones(2)})
    weights["b"] = mt.zeros(1)
    assert list(weights.state_dict()) == ["a", "b"]
    assert list(weights) == list(weights.keys()) == ["a", "b"]
    assert "a" in weights
    assert weights.get("c") is None
    assert weights.setdefault("c", 3) == weights.pop("c") == 3
    assert weights.popitem()[0] == "b"
    both = weights | nn.ParameterDict([("d", mt.ones(1))])
    assert [key for key, _ in both.items()] == ["a", "d"]
    assert both["a"] is weights["a"]
    assert len(both.copy()) == len(both.values()) == 2
    both.clear()
    assert len(both) == len(list(both.parameters())) == 0
    with pytest.raises(KeyError, match=r"already exists"):
        weights["forward"] = mt.ones(1)
    with pytest.raises(TypeError, match=r"string"):
        weights[0] = mt.ones(1)
    with pytest.raises(KeyError):
        weights["nothing"]
