"""State dicts that go from torch.optim to ours and back."""

import copy

import numpy as np
import pytest
from optimizer_cases import NAMES, RICH, RICH_ID, give_gradients, make

import microtensor as mt

torch = pytest.importorskip("torch")

SHAPES = [(3, 2), (4,), ()]
EVERY_RICH = pytest.mark.parametrize(("name", "options"), RICH, ids=RICH_ID)


def gradient(step, shape):
    return np.random.default_rng(step).normal(size=shape)


class Ours:
    def __init__(self, name, options, values):
        self.params = [mt.tensor(np.array(v), requires_grad=True) for v in values]
        self.optimizer = make(name, self.params, **options)

    def train(self, first, last, skip=()):
        for step in range(first, last):
            give_gradients(
                self.params,
                [None if i in skip else gradient(step, s) for i, s in enumerate(SHAPES)],
            )
            self.optimizer.step()

    def values(self):
        return [p.detach().numpy().copy() for p in self.params]


class Theirs(Ours):
    def __init__(self, name, options, values):
        self.params = [torch.tensor(np.array(v), requires_grad=True) for v in values]
        self.optimizer = getattr(torch.optim, name)(self.params, **options)

    def train(self, first, last, skip=()):
        for step in range(first, last):
            for i, p in enumerate(self.params):
                p.grad = None if i in skip else torch.tensor(gradient(step, SHAPES[i]))
            self.optimizer.step()


START = [gradient(100 + i, shape) for i, shape in enumerate(SHAPES)]


def in_torch(state_dict):
    """Give a state dict of ours with torch's tensors."""
    state = {
        number: {k: torch.tensor(v.numpy()) for k, v in values.items()}
        for number, values in state_dict["state"].items()
    }
    return {**state_dict, "state": state}


def assert_equal_ways(one, other):
    for a, b in zip(one.values(), other.values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@EVERY_RICH
@pytest.mark.parametrize("skip", [(), (1,), (0, 1, 2)], ids=["all", "one unused", "none used"])
def test_the_state_dict_has_torchs_layout(name, options, skip):
    ours, theirs = Ours(name, options, START), Theirs(name, options, START)
    for taken in (0, 3):
        ours.train(0, taken, skip)
        theirs.train(0, taken, skip)
        a, b = ours.optimizer.state_dict(), theirs.optimizer.state_dict()
        assert a["param_groups"] == b["param_groups"]
        assert list(a["param_groups"][0]) == list(b["param_groups"][0])
        assert list(a["state"]) == list(b["state"])
        for number, values in a["state"].items():
            assert list(values) == list(b["state"][number])
            for key, value in values.items():
                other = b["state"][number][key]
                assert tuple(value.shape) == tuple(other.shape)
                np.testing.assert_allclose(value.numpy(), other.numpy(), rtol=1e-11, atol=1e-15)


@EVERY_RICH
@pytest.mark.parametrize("taken", [0, 5])
def test_torchs_state_goes_on_here(name, options, taken):
    theirs = Theirs(name, options, START)
    theirs.train(0, taken)
    ours = Ours(name, {"lr": 9.0}, theirs.values())
    ours.optimizer.load_state_dict(copy.deepcopy(theirs.optimizer.state_dict()))
    ours.train(5, 10)
    theirs.train(5, 10)
    assert_equal_ways(ours, theirs)


@EVERY_RICH
@pytest.mark.parametrize("taken", [0, 5])
def test_our_state_goes_on_in_torch(name, options, taken):
    ours = Ours(name, options, START)
    ours.train(0, taken)
    theirs = Theirs(name, {"lr": 9.0}, ours.values())
    theirs.optimizer.load_state_dict(in_torch(ours.optimizer.state_dict()))
    ours.train(5, 10)
    theirs.train(5, 10)
    assert_equal_ways(ours, theirs)


@pytest.mark.parametrize("name", NAMES)
def test_names_and_groups_are_laid_out_as_torchs(name):
    ours, theirs = Ours(name, {"lr": 0.1}, START), Theirs(name, {"lr": 0.1}, START)
    saved = []
    for each, kind in ((ours, mt.optim), (theirs, torch.optim)):
        a, b, c = each.params
        optimizer = getattr(kind, name)([{"params": [("a", a)]}], lr=0.1)
        optimizer.add_param_group({"params": [("b", b), ("c", c)], "lr": 0.5})
        saved.append(optimizer.state_dict()["param_groups"])
    assert saved[0] == saved[1]


def test_a_momentum_buffer_of_none_means_that_there_is_none_yet():
    # What older versions of torch wrote for SGD without momentum.
    ours, theirs = Ours("SGD", {"lr": 0.1}, START), Theirs("SGD", {"lr": 0.1}, START)
    saved = theirs.optimizer.state_dict()
    saved["state"] = {i: {"momentum_buffer": None} for i in range(3)}
    ours.optimizer.load_state_dict(saved)
    ours.optimizer.param_groups[0]["momentum"] = 0.9
    theirs.optimizer.param_groups[0]["momentum"] = 0.9
    ours.train(0, 3)
    theirs.train(0, 3)
    assert_equal_ways(ours, theirs)
