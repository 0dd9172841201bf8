"""The graph: what a node holds, when it goes, and which rules are called."""

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.engine import count_nodes
from microtensor.ops import registry


@pytest.fixture
def counted(monkeypatch):
    """Replace an op's rules by counting ones; gives the list of (op, parents asked for)."""
    calls = []

    def count(name):
        op = registry[name]
        original = op.backward

        def backward(g, parents, saved):
            calls.append((name, tuple(parent is not None for parent in parents)))
            return original(g, parents, saved)

        monkeypatch.setattr(op, "backward", backward)

    def start(*names):
        for name in names:
            count(name)
        return calls

    return start


@pytest.fixture
def no_collector():
    """Switch the cyclic garbage collector off: what goes, goes by reference counts."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_grad_fn_names_the_op():
    x = mt.ones(2, requires_grad=True)
    assert x.grad_fn is None and x.is_leaf
    y = x * 2
    assert y.grad_fn.name() == "MulBackward0" and not y.is_leaf
    assert repr(y.grad_fn) == "<MulBackward0>"
    ((parent, index), *_) = y.grad_fn.next_functions
    assert parent.name() == "AccumulateGrad" and index == 0


def test_nothing_is_recorded_without_an_input_that_requires_a_gradient():
    x = mt.ones(2)
    assert (x * 2 + x.exp()).grad_fn is None


def test_results_without_gradient_are_not_recorded():
    x = mt.ones(2, requires_grad=True)
    for y in (x > 0, x.argmax(), x == x, x.long(), x.isnan()):
        assert not y.requires_grad


def test_diamond_visits_each_node_once(counted):
    calls = counted("mul", "add", "sum")
    x = mt.tensor([2.0, 3.0], requires_grad=True)
    y = x * 3
    (y * y + y).sum().backward()
    assert sorted(name for name, _ in calls) == ["add", "mul", "mul", "sum"]
    np.testing.assert_array_equal(x.grad.numpy(), 3 * (2 * 3 * np.array([2, 3]) + 1))


def test_wide_diamond_of_many_levels_is_linear(counted):
    # 2**60 ways lead from the end to the start; each node is visited once all the same.
    calls = counted("add")
    x = mt.tensor(1.0, dtype=mt.float64, requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60
    assert len(calls) == 60


def test_same_tensor_twice_gets_both_contributions():
    x = mt.tensor([3.0], requires_grad=True)
    (x * x).backward()
    assert x.grad.item() == 6
    x.grad = None
    mt.cat([x, x, x]).sum().backward()
    assert x.grad.item() == 3
    w = mt.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    (w @ w).sum().backward()
    ones, a = np.ones((2, 2)), w.detach().numpy()
    np.testing.assert_allclose(w.grad.numpy(), ones @ a.T + a.T @ ones)


def test_only_the_rules_of_needed_inputs_are_called(counted):
    calls = counted("mul", "matmul", "linear", "where", "cat")
    x, w = mt.ones(2, 2), mt.ones(2, 2, requires_grad=True)
    (x * w).sum().backward()
    (x @ w).sum().backward()
    nn.functional.linear(x, w, mt.ones(2)).sum().backward()
    mt.where(x > 0, x, w).sum().backward()
    mt.cat([x, w, x]).sum().backward()
    assert calls == [
        ("mul", (False, True)),
        ("matmul", (False, True)),
        ("linear", (False, True, False)),
        ("where", (False, False, True)),
        ("cat", (False, True, False)),
    ]


def test_rules_of_inputs_nobody_needs_are_not_called():
    # With nothing saved any rule would fail.
    assert registry["mul"].backward(np.ones(2), (None, None), (None, None)) == (None, None)
    with pytest.raises((TypeError, AttributeError)):
        registry["mul"].backward(np.ones(2), (object(), None), (None, None))


def test_grad_visits_only_nodes_that_lead_to_the_inputs(counted):
    calls = counted("exp", "mul", "sin")
    x, w = mt.ones(2, requires_grad=True), mt.ones(2, requires_grad=True)
    y = (x.exp() * w.sin()).sum()
    mt.autograd.grad(y, w)
    assert calls == [("mul", (False, True)), ("sin", (True,))]


def test_grad_with_respect_to_a_computed_tensor_stops_there(counted):
    calls = counted("exp", "mul", "sin")
    x = mt.ones(2, requires_grad=True)
    hidden = x.exp()
    y = (hidden * 2).sum()
    (gradient,) = mt.autograd.grad(y, hidden)
    assert gradient.tolist() == [2, 2]
    assert [name for name, _ in calls] == ["mul"]


def test_a_node_saves_only_what_its_rules_need():
    x, w = mt.ones(2), mt.ones(2, requires_grad=True)

    def saved_arrays(y):
        return [v for v in y.grad_fn.saved if isinstance(v, np.ndarray)]

    product = x * w
    (kept,) = saved_arrays(product)
    assert kept is x._array
    assert saved_arrays(w + x) == []
    y = w.exp()
    (kept,) = saved_arrays(y)
    assert kept is y._array
    y = w.log()
    (kept,) = saved_arrays(y)
    assert kept is w._array


def test_saved_arrays_are_released_by_the_walk():
    x = mt.ones(3, requires_grad=True)
    hidden = x.exp()
    reference = weakref.ref(hidden._array)
    y = (hidden * hidden).sum()
    del hidden
    assert reference() is not None
    y.backward()
    assert reference() is None
    assert y.grad_fn is not None


def test_saved_arrays_stay_with_retain_graph():
    x = mt.ones(3, requires_grad=True)
    hidden = x.exp()
    reference = weakref.ref(hidden._array)
    y = (hidden * hidden).sum()
    del hidden
    y.backward(retain_graph=True)
    assert reference() is not None


def test_a_graph_goes_with_its_last_name(no_collector):
    x = mt.ones(3, requires_grad=True)
    a = x.exp()
    b = (a * a).tanh()
    c = b[0] + b.reshape(3, 1).sum()
    references = [weakref.ref(v) for t in (a, b, c) for v in (t, t._array, t.grad_fn)]
    del a, b
    assert all(reference() is not None for reference in references[2::3])
    del c
    assert [reference() for reference in references] == [None] * 9


def test_a_node_does_not_hold_its_output(no_collector):
    x = mt.ones(3, requires_grad=True)
    y = x.exp()  # saves its output's array, not the tensor
    node, tensor = y.grad_fn, weakref.ref(y)
    del y
    assert tensor() is None
    assert node.saved is not None


def test_a_graph_does_not_keep_the_leaf_tensor_alive(no_collector):
    x = mt.ones(3, requires_grad=True)
    reference = weakref.ref(x)
    y = (x + 1).sum()
    del x
    assert reference() is None
    y.backward()  # nobody can see the gradient, and nothing breaks


def test_views_and_in_place_writes_leave_no_cycles(no_collector):
    x = mt.ones(4, requires_grad=True)
    y = x * 1
    view = y[1:]
    view.mul_(2)
    y[0] = 3
    y.add_(1)
    references = [weakref.ref(t) for t in (y, view, y._array)]
    y.sum().backward()
    del y, view
    assert [reference() for reference in references] == [None] * 3


def test_hooks_and_retained_gradients_leave_no_cycles(no_collector):
    x = mt.ones(4, requires_grad=True)
    y = x * 2
    y.retain_grad()
    handle = y.register_hook(lambda gradient: gradient * 2)
    y.sum().backward()
    references = [weakref.ref(y), weakref.ref(y.grad_fn)]
    del y
    assert [reference() for reference in references] == [None] * 2
    handle.remove()


def test_a_training_step_leaves_nothing_for_the_collector():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = mt.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    inputs, labels = mt.randn(16, 4), mt.randint(3, (16,))

    def step():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()

    step()
    gc.collect()
    flags = gc.get_debug()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.disable()
    try:
        for _ in range(3):
            step()
        gc.collect()
        found = [type(each).__name__ for each in gc.garbage]
    finally:
        gc.enable()
        gc.set_debug(flags)
        gc.garbage.clear()
    assert found == []


def test_a_step_with_second_derivatives_leaves_nothing_for_the_collector():
    x = mt.ones(3, requires_grad=True)

    def step():
        (slope,) = mt.autograd.grad((x**3).sum(), x, create_graph=True)
        slope.sum().backward()
        x.grad = None

    step()
    gc.collect()
    gc.disable()
    try:
        step()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_long_chain_runs_backward_and_is_freed_without_recursion(no_collector):
    x = mt.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(200_000):
        y = y + 1.0
    last = weakref.ref(y.grad_fn)
    first = weakref.ref(y.grad_fn.parents[0])
    y.backward()
    assert x.grad.item() == 1
    del y
    assert last() is None and first() is None


def test_a_long_chain_never_walked_is_freed(no_collector):
    x = mt.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    reference = weakref.ref(y.grad_fn)
    del y
    assert reference() is None


def test_grad_walks_a_long_chain():
    x = mt.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(50_000):
        y = y + 1.0
    (gradient,) = mt.autograd.grad(y, x)
    assert gradient.item() == 1


def test_a_chain_of_in_place_writes_is_as_long_as_any(no_collector):
    x = mt.ones(2, requires_grad=True)
    y = x * 1
    for _ in range(20_000):
        y.add_(1.0)
    assert count_nodes(y.grad_fn) == 20_002
    y.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_count_nodes_counts_each_once():
    x = mt.ones(2, requires_grad=True)
    y = x * 2
    z = (y + y).sum()
    assert count_nodes(z.grad_fn) == 4
    assert count_nodes(None) == 0


def test_a_detached_tensor_has_no_graph():
    x = mt.ones(2, requires_grad=True)
    y = (x * 2).detach()
    assert not y.requires_grad
    (y * x).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_functions_called_first_by_several_threads_at_once():
    """They are compiled at their first call, in a process of its own here."""
    code = """
import sys, threading
import microtensor as mt
sys.setswitchinterval(1e-6)
start, results = threading.Barrier(6), []
def work():
    x = mt.ones(3, requires_grad=True)
    start.wait()
    y = (x.sigmoid() * x - x.exp() / 2).tanh().sum()
    (slope,) = mt.autograd.grad(y, x, create_graph=True)
    slope.sum().backward()
    results.append(x.grad.tolist())
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(results), len(set(map(tuple, results))))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert run.stdout.split() == ["6", "1"]
