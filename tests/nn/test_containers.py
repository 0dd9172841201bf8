"""Sequential, ModuleList and ModuleDict."""

from collections import OrderedDict

import pytest

import microtensor as mt
from microtensor import nn


def shift(amount):
    module = nn.Identity()
    module.forward = lambda x: x + amount
    return module


def test_sequential_chains_in_order():
    double = nn.Identity()
    double.forward = lambda x: x * 2
    assert nn.Sequential(shift(1), double, shift(3))(5) == 15
    assert nn.Sequential()(5) == 5


def test_sequential_takes_names_from_an_ordered_dict():
    net = nn.Sequential(OrderedDict(first=nn.Linear(1, 2), act=nn.Tanh()))
    assert [n for n, _ in net.named_children()] == ["first", "act"]
    assert net.first is net[0]
    assert net[:1].first is net.first


@pytest.mark.parametrize("kind", [nn.Sequential, lambda *m: nn.ModuleList(m)])
class TestNumbered:
    def test_indexing_and_slicing(self, kind):
        a, b, c = shift(1), shift(2), shift(3)
        holder = kind(a, b, c)
        assert len(holder) == 3
        assert list(holder) == [a, b, c]
        assert (holder[0], holder[-1]) == (a, c)
        assert list(holder[1:]) == [b, c]
        assert type(holder[1:]) is type(holder)
        for bad in (3, -4):
            with pytest.raises(IndexError, match=f"index {bad} is out of range for 3 modules"):
                holder[bad]

    def test_setting_and_deleting_renumbers(self, kind):
        a, b, c, d = (shift(i) for i in range(4))
        holder = kind(a, b, c)
        holder[1] = d
        assert list(holder) == [a, d, c]
        del holder[0]
        assert [n for n, _ in holder.named_children()] == ["0", "1"]
        assert list(holder) == [d, c]
        del holder[:]
        assert len(holder) == 0
        with pytest.raises(IndexError):
            del holder[0]

    def test_append_insert_extend_pop(self, kind):
        a, b, c, d = (shift(i) for i in range(4))
        holder = kind(b)
        assert holder.append(d) is holder
        holder.insert(0, a)
        holder.insert(-1, c)
        assert list(holder) == [a, b, c, d]
        assert holder.pop(1) is b
        assert list(holder.extend([b])) == [a, c, d, b]
        with pytest.raises(IndexError):
            holder.insert(6, a)
        with pytest.raises(TypeError, match="int is not a Module subclass"):
            holder.insert(0, 3)
        with pytest.raises(TypeError, match="int is not a Module subclass"):
            holder.append(3)
        with pytest.raises(TypeError, match="should be called with an iterable"):
            holder.extend(3)
        assert list(holder) == [a, c, d, b]

    def test_a_module_may_stand_at_several_places(self, kind):
        a = nn.Linear(2, 2)
        holder = kind(a, a)
        holder.insert(1, nn.Tanh())
        assert list(holder) == [a, holder[1], a]
        assert len(list(holder.parameters())) == 2

    def test_adding_in_place(self, kind):
        a, b = shift(1), shift(2)
        holder = kind(a)
        holder += kind(b)
        assert list(holder) == [a, b]
        assert list(holder + kind(a)) == [a, b, a]
        assert "0" not in dir(holder)


def test_sequential_repeats():
    a = shift(1)
    net = nn.Sequential(a)
    assert (net * 3)(0) == 3
    assert (2 * net)(0) == 2
    net *= 4
    assert net(0) == 4
    with pytest.raises(ValueError, match="Non-positive multiplication factor 0"):
        net * 0
    with pytest.raises(TypeError, match="unsupported operand"):
        net * 1.5
    with pytest.raises(ValueError, match="only objects of Sequential class"):
        net.__add__([a])


def test_module_list_has_no_forward():
    with pytest.raises(NotImplementedError, match="ModuleList"):
        nn.ModuleList([nn.Tanh()])(mt.ones(1))


def test_module_list_prints_runs_of_equal_modules_once():
    assert repr(nn.ModuleList()) == "ModuleList()"
    holder = nn.ModuleList([nn.Linear(1, 2), nn.Tanh(), nn.Tanh(), nn.Sequential(nn.Tanh())])
    assert repr(holder) == (
        "ModuleList(\n"
        "  (0): Linear(in_features=1, out_features=2, bias=True)\n"
        "  (1-2): 2 x Tanh()\n"
        "  (3): Sequential(\n"
        "    (0): Tanh()\n"
        "  )\n"
        ")"
    )


def test_module_dict_behaves_as_a_dict_of_modules():
    a, b = nn.Tanh(), nn.Linear(1, 1)
    holder = nn.ModuleDict({"a": a})
    holder["b"] = b
    assert list(holder) == list(holder.keys()) == ["a", "b"]
    assert list(holder.values()) == [a, b]
    assert list(holder.items()) == [("a", a), ("b", b)]
    assert "a" in holder
    assert "c" not in holder
    assert len(list(holder.parameters())) == 2
    holder.update([("a", b)])
    assert holder.pop("a") is b
    assert len(holder) == 1
    del holder["b"]
    assert repr(holder) == "ModuleDict()"
    with pytest.raises(KeyError):
        holder["b"]
    with pytest.raises(KeyError, match="attribute 'keys' already exists"):
        holder["keys"] = a
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        holder["x"] = 3
    with pytest.raises(TypeError, match="iterable of key/value pairs"):
        holder.update(3)
    holder.update(nn.ModuleDict({"x": a}))
    holder.clear()
    assert len(holder) == 0
    assert not hasattr(holder, "x")


def test_children_given_none_are_skipped_by_sequential_and_others():
    net = nn.ModuleDict({"a": nn.Tanh()})
    net.a = None
    assert list(net.modules()) == [net]
    assert net.state_dict() == {}
