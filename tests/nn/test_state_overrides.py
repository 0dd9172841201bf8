"""Classes that write and read their own part of a state dict, as PyTorch's internals let them."""

import pytest

import microtensor as mt
from microtensor import nn


class Renamed(nn.Linear):
    """Wrote ``kernel`` once, and takes it still."""

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "note"] = "kept"

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        if prefix + "kernel" in state_dict:
            state_dict[prefix + "weight"] = state_dict.pop(prefix + "kernel")
        state_dict.pop(prefix + "note", None)
        super()._load_from_state_dict(state_dict, prefix, *rest)


class Deaf(nn.Linear):
    """Takes what it wants, and says nothing of the rest."""

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        self.taken = [key for key in state_dict if key.startswith(prefix)]


def net(kind=Renamed):
    return nn.Sequential(nn.Linear(2, 2), nn.ModuleDict({"inner": kind(2, 3)}))


def test_a_class_may_add_to_its_state_and_rename_old_keys():
    source, target = net(), net()
    state = source.state_dict()
    assert list(state)[2:] == ["1.inner.weight", "1.inner.bias", "1.inner.note"]
    state["1.inner.kernel"] = state.pop("1.inner.weight")
    given = dict(state)
    assert str(target.load_state_dict(state)) == "<All keys matched successfully>"
    assert mt.equal(target[1]["inner"].weight, source[1]["inner"].weight)
    assert dict(state) == given  # the caller's dictionary stays as it was


def test_what_an_extended_class_does_not_know_is_unexpected_and_all_stays_as_it_was():
    source, target = net(), net()
    state = {**source.state_dict(), "1.inner.more": mt.ones(1), "1.inner.deep.er": mt.ones(1)}
    before = {
        name: value.clone() for name, value in target.state_dict().items() if "note" not in name
    }
    del state["0.bias"]
    with pytest.raises(RuntimeError) as caught:
        target.load_state_dict(state)
    assert '"1.inner.more", "1.inner.deep.er"' in str(caught.value) and '"0.bias"' in str(
        caught.value
    )
    for name, value in before.items():
        assert mt.equal(target.state_dict()[name], value)
    found = target.load_state_dict(state, strict=False)
    assert found.missing_keys == ["0.bias"]
    assert found.unexpected_keys == ["1.inner.more", "1.inner.deep.er"]
    state["1.inner.weight"] = mt.ones(5)
    with pytest.raises(RuntimeError, match=r"size mismatch for 1\.inner"):
        target.load_state_dict(state, strict=False)


def test_a_class_that_does_all_by_itself_is_not_asked_for_keys():
    target = net(Deaf)
    state = {"0.weight": mt.ones(2, 2), "0.bias": mt.ones(2), "1.inner.own": mt.ones(4)}
    assert str(target.load_state_dict(state)) == "<All keys matched successfully>"
    assert target[1]["inner"].taken == ["1.inner.own"]


def test_a_class_that_hands_on_a_list_of_its_own_takes_values_at_once():
    class Careful(nn.Linear):
        def _load_from_state_dict(self, state_dict, prefix, notes, strict, *rest):
            self.problems = []
            super()._load_from_state_dict(state_dict, prefix, notes, False, [], [], self.problems)

    target = net(Careful)
    found = target.load_state_dict({"1.inner.weight": mt.ones(3, 2)}, strict=False)
    assert found.missing_keys == ["0.weight", "0.bias"] and not found.unexpected_keys
    assert mt.equal(target[1]["inner"].weight, mt.ones(3, 2))
    target.load_state_dict({"1.inner.weight": mt.ones(4, 2)}, strict=False)
    assert "size mismatch" in target[1]["inner"].problems[0]
