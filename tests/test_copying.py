"""copy, deepcopy and pickle: what is kept, and what stays shared."""

import copy
import multiprocessing
import pickle

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn, optim

PROTOCOLS = [2, 3, 4, 5]
WAYS = {
    "deepcopy": copy.deepcopy,
    **{f"pickle {p}": lambda x, p=p: pickle.loads(pickle.dumps(x, p)) for p in PROTOCOLS},
}
DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]

duplicate = pytest.mark.parametrize("way", WAYS)


@duplicate
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (3,), (2, 3)])
def test_every_dtype_and_shape(way, dtype, shape):
    x = mt.ones(shape, dtype=getattr(mt, dtype))
    y = WAYS[way](x)
    assert type(y) is mt.Tensor and y.dtype is x.dtype and y.shape == shape
    assert y.tolist() == x.tolist() and not y.requires_grad
    assert y._array.dtype is x._array.dtype  # the canonical object, which kernels look for
    if x.numel():
        y.zero_()
        assert x.all()


@duplicate
def test_bits_are_kept(way):
    x = mt.tensor([float("nan"), -0.0, 5e-324, float("-inf")], dtype=mt.float64)
    assert WAYS[way](x).numpy().tobytes() == x.numpy().tobytes()


VIEWS = {
    "transposed": lambda x: x.t(),
    "rows": lambda x: x[1:],
    "every other column": lambda x: x[:, ::2],
    "an element": lambda x: x[1, 1],
    "reshaped": lambda x: x.reshape(6),
    "expanded": lambda x: x[:, :1].expand(2, 5),
    "backwards": lambda x: mt.from_numpy(x.numpy()[::-1, ::-1]),
    "detached": lambda x: x.detach(),
    "itself": lambda x: x,
}


@duplicate
@pytest.mark.parametrize("view", VIEWS)
def test_values_of_views(way, view):
    x = VIEWS[view](mt.arange(6.0).reshape(2, 3))
    y = WAYS[way](x)
    assert y.tolist() == x.tolist() and not y._is_view()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("order", [1, -1])
def test_deepcopy_keeps_views_of_one_memory_views_of_one_memory(view, order):
    x = mt.arange(6.0).reshape(2, 3)
    y = VIEWS[view](x)
    a, b = copy.deepcopy([x, y][::order])[::order]
    assert not np.shares_memory(a._array, x._array) and b.stride() == y.stride()
    with mt.no_grad():
        a.add_(10)
    assert b.tolist() == VIEWS[view](mt.arange(10.0, 16.0).reshape(2, 3)).tolist()
    assert x[0, 0] == 0
    if view != "backwards":  # made of the array, which knows no version
        assert a._cell is b._cell


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("view", ["transposed", "reshaped", "detached", "itself"])
def test_a_pickle_keeps_shared_what_covers_a_memory_wholly(protocol, view):
    x = mt.arange(6.0)
    x = x.reshape(2, 3)
    a, b = pickle.loads(pickle.dumps([x, VIEWS[view](x)], protocol))
    a.add_(10)
    assert b.tolist() == VIEWS[view](mt.arange(10.0, 16.0).reshape(2, 3)).tolist()
    assert a._cell is b._cell


def test_a_pickled_part_travels_without_the_rest():
    x = mt.zeros(100_000)
    assert len(pickle.dumps(x[:10])) < 1000
    assert len(pickle.dumps([x, x.detach(), x.reshape(10, -1).t()])) < 410_000


def test_a_shared_version_is_still_watched():
    x = mt.ones(2)
    a, b = copy.deepcopy([x, x[:1]])
    w = mt.ones(2, requires_grad=True)
    y = w * a
    b.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@duplicate
def test_one_tensor_under_two_names_stays_one(way):
    x = mt.ones(2, requires_grad=True)
    a, b, c = WAYS[way]([x, x, {"x": x}])
    assert a is b is c["x"] and a.is_leaf and a.requires_grad


def test_gradients_are_deep_copied_but_not_pickled():
    x = mt.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    y = copy.deepcopy(x)
    assert y.grad.tolist() == [3, 3] and y.grad is not x.grad
    assert pickle.loads(pickle.dumps(x)).grad is None
    assert copy.copy(x).grad is None
    p = nn.Parameter(mt.ones(2))
    p.sum().backward()
    assert copy.deepcopy(p).grad is None


@duplicate
def test_attributes_of_users_are_kept(way):
    x, p = mt.ones(2), nn.Parameter(mt.ones(2))
    x.note, p.note = ["mine"], ["mine"]
    for twin in map(WAYS[way], (x, p)):
        assert twin.note == ["mine"] and twin.note is not x.note
    assert copy.copy(x).note is x.note


def test_a_shallow_copy_is_another_tensor_of_the_same_memory():
    x = mt.ones(2, requires_grad=True)
    y = copy.copy(x)
    assert y is not x and y.requires_grad and y.is_leaf
    with mt.no_grad():
        y.add_(1)
    assert x.tolist() == [2, 2] and x._version == y._version == 1
    assert type(copy.copy(nn.Parameter(x))) is nn.Parameter
    part = mt.arange(4)[1:3]
    copied = copy.copy(part)
    copied[0] = 9
    assert part.tolist() == [9, 2]


def test_computed_tensors_do_not_travel():
    y = mt.ones(2, requires_grad=True) * 2
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(RuntimeError, match=r"detach\(\)"):
            way(y)
    assert copy.deepcopy(y.detach()).tolist() == [2, 2]


def test_read_only_memory_is_copied_into_memory_of_its_own():
    array = np.ones(3)
    array.flags.writeable = False
    x = mt.from_numpy(array)
    y = copy.deepcopy(x)
    y.add_(1)
    assert x.tolist() == [1, 1, 1]
    with pytest.raises(RuntimeError, match="cannot be written"):
        copy.deepcopy(mt.ones(1).expand(3)).add_(1)


def test_memory_in_an_odd_order_is_copied_as_it_lies():
    array = np.arange(24.0).reshape(2, 3, 4).transpose(1, 2, 0).copy(order="K")
    assert not (array.flags.c_contiguous or array.flags.f_contiguous)
    for x in (mt.from_numpy(array), mt.from_numpy(array[1:, ::2])):
        y = copy.deepcopy(x)
        assert y.tolist() == x.tolist() and y.stride() == x.stride()
        assert pickle.loads(pickle.dumps(x)).tolist() == x.tolist()


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.register_buffer("window", mt.arange(4.0))


@duplicate
def test_modules_keep_their_ties(way):
    net = Tied()
    twin = WAYS[way](net)
    assert twin.first.weight is twin.second.weight is not net.first.weight
    assert type(twin.first.weight) is nn.Parameter and twin.first.weight.requires_grad
    x = mt.ones(2, 3)
    assert twin.second(twin.first(x)).tolist() == net.second(net.first(x)).tolist()


@duplicate
def test_optimizers_go_on_where_they_were(way):
    def step(parts):
        net, optimizer = parts
        optimizer.zero_grad()
        net(mt.ones(2, 3)).square().sum().backward()
        optimizer.step()
        return net.weight.tolist()

    net = nn.Linear(3, 2)
    parts = net, optim.Adam(net.parameters(), lr=0.1)
    step(parts)
    twins = WAYS[way](parts)
    assert twins[1].param_groups[0]["params"][0] is twins[0].weight
    assert step(parts) == step(twins)


@duplicate
def test_generators_go_on_where_they_were(way):
    generator = mt.Generator().manual_seed(3)
    mt.rand(5, generator=generator)
    twin = WAYS[way](generator)
    assert mt.rand(3, generator=twin).tolist() == mt.rand(3, generator=generator).tolist()


def doubled(x):
    return x * 2, x.requires_grad, type(x).__name__


@pytest.mark.slow
def test_tensors_travel_to_other_processes():
    x, p = mt.tensor([1.0, 2.0]), nn.Parameter(mt.tensor([3.0]))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        y, requires_grad, kind = pool.apply(doubled, (x,))
        assert y.tolist() == [2, 4] and not requires_grad and kind == "Tensor"
        z, requires_grad, kind = pool.apply(travelled, (p,))
    assert z.tolist() == [6] and requires_grad and kind == "Parameter"


def travelled(p):
    y, requires_grad, kind = doubled(p)
    return y.detach(), requires_grad, kind


SHARING = """
a, b = c.deepcopy([x, x[:2]]); a[0] = 9; r = b.tolist()
a, b = c.deepcopy([x, x.reshape(2, 2).t()]); a[0] = 9; r = b.tolist(), b.stride()
a, b = c.deepcopy([x[:2], x[1:]]); a[1] = 9; r = b.tolist()
a = c.copy(x); a[0] = 9; r = x.tolist()
a = c.deepcopy(x[1:3]); r = a.stride(), a._is_view(), a.is_leaf
a = c.deepcopy(x.expand(2, 4)); r = a.stride(), a.shape == (2, 4)
y = x.clone().requires_grad_(); a = c.copy(y); r = a.requires_grad, a.is_leaf, a.grad
y = x.clone().requires_grad_(); (y * 2).sum().backward(); r = c.deepcopy(y).grad.tolist()
y = m.nn.Parameter(x); (y * 2).sum().backward(); r = c.deepcopy(y).grad, c.copy(y).grad
y = x.clone(); y.note = [1]; r = c.copy(y).note is y.note, c.deepcopy(y).note
y = x.clone(); y.note = [1]; r = pickle.loads(pickle.dumps(y)).note
y = x.clone().requires_grad_(); (y * 2).sum().backward(); r = pickle.loads(pickle.dumps(y)).grad
a, b = pickle.loads(pickle.dumps([x, x])); r = a is b
"""


@pytest.mark.parametrize("program", SHARING.strip().splitlines())
def test_sharing_is_as_in_pytorch(program, torch):
    results = []
    for m in (mt, torch):
        names = {"m": m, "x": m.arange(4.0), "c": copy, "pickle": pickle}
        exec(program, names)
        results.append(names["r"])
    assert results[0] == results[1]
