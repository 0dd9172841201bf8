"""Hooks on tensors: when they run, in which order, and what they may change."""

import gc
import weakref

import pytest

import microtensor as mt


def leaf(*values):
    return mt.tensor(values or (1.0, 2.0), requires_grad=True)


def test_hook_gets_the_gradient_and_changes_nothing_if_it_returns_none():
    x, seen = leaf(), []
    y = x * 3
    y.register_hook(lambda gradient: seen.append(gradient.tolist()))
    (y * 2).sum().backward()
    assert seen == [[2, 2]]
    assert x.grad.tolist() == [6, 6]


def test_hook_replaces_the_gradient():
    x = leaf()
    y = x * 3
    y.register_hook(lambda gradient: gradient * 10)
    (y * 2).sum().backward()
    assert x.grad.tolist() == [60, 60]


def test_hooks_run_in_order_each_with_what_the_one_before_gave():
    x, seen = leaf(), []
    y = x * 1
    y.register_hook(lambda g: seen.append(("first", g.tolist())) or g + 1)
    y.register_hook(lambda g: seen.append(("second", g.tolist())) or g * 10)
    y.sum().backward()
    assert seen == [("first", [1, 1]), ("second", [2, 2])]
    assert x.grad.tolist() == [20, 20]


def test_hook_gets_the_total_over_all_uses():
    x, seen = leaf(), []
    y = x * 1
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * 2 + y * 3 + y).sum().backward()
    assert seen == [[6, 6]]


def test_hook_on_a_leaf_gets_the_total_of_this_walk():
    x, seen = leaf(), []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 2 + x * 3).sum().backward()
    (x * 4).sum().backward()
    assert seen == [[5, 5], [4, 4]]
    assert x.grad.tolist() == [9, 9]


def test_hook_on_a_leaf_replaces_what_is_accumulated():
    x = leaf()
    x.register_hook(lambda g: g * 0.5)
    (x * 2 + x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_hook_on_the_root_is_called():
    x, seen = leaf(), []
    y = (x * 2).sum()
    y.register_hook(lambda g: seen.append(g.item()) or g * 3)
    y.backward()
    assert seen == [1]
    assert x.grad.tolist() == [6, 6]


def test_hooks_run_for_autograd_grad_too():
    x = leaf()
    y = x * 3
    y.register_hook(lambda g: g * 10)
    gx, gy = mt.autograd.grad((y * 2).sum(), [x, y])
    assert gy.tolist() == [20, 20]
    assert gx.tolist() == [60, 60]


def test_removed_hook_is_not_called_and_removing_twice_is_harmless():
    x, seen = leaf(), []
    y = x * 1
    handle = y.register_hook(lambda g: seen.append("removed"))
    y.register_hook(lambda g: seen.append("stays"))
    handle.remove()
    handle.remove()
    y.sum().backward()
    assert seen == ["stays"]


def test_handle_is_a_context_manager():
    x, seen = leaf(), []
    with x.register_hook(lambda g: seen.append("called")):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    assert seen == ["called"]


def test_the_same_function_registered_twice_is_two_hooks():
    x = leaf()
    y = x * 1

    def double(g):
        return g * 2

    handle = y.register_hook(double)
    y.register_hook(double)
    y.sum().backward(retain_graph=True)
    assert x.grad.tolist() == [4, 4]
    x.grad = None
    handle.remove()
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_a_hook_may_remove_itself_while_it_runs():
    x, seen = leaf(), []
    handles = []

    def once(g):
        seen.append("once")
        handles[0].remove()

    handles.append(x.register_hook(once))
    x.register_hook(lambda g: seen.append("always"))
    (x * 1).sum().backward()
    (x * 1).sum().backward()
    assert seen == ["once", "always", "always"]


def test_hook_may_keep_the_gradient():
    x, kept = leaf(), []
    y = x * 1
    y.register_hook(kept.append)
    (y * 2 + y).sum().backward()
    (x * 5).sum().backward()
    assert kept[0].tolist() == [3, 3]


def test_hook_on_a_leaf_may_keep_the_gradient():
    x, kept = leaf(), []
    x.register_hook(kept.append)
    (x * 2).sum().backward()
    (x * 5).sum().backward()
    assert kept[0].tolist() == [2, 2]
    assert x.grad.tolist() == [7, 7]


def test_hook_is_not_recorded_unless_the_walk_is():
    x, seen = leaf(), []
    y = x * x
    y.register_hook(lambda g: seen.append((g * 2).requires_grad))
    (y * y).sum().backward(retain_graph=True)
    (y * y).sum().backward(create_graph=True)
    assert seen == [False, True]


def test_hook_that_changes_the_shape_is_refused():
    x = leaf()
    x.register_hook(lambda g: g[:1])
    with pytest.raises(RuntimeError, match=r"changed the size.*\[1\].*\[2\]"):
        (x * 2).sum().backward()


def test_hook_that_returns_no_tensor_is_refused():
    x = leaf()
    x.register_hook(lambda g: 3)
    with pytest.raises(TypeError, match="must return a Tensor or None, not int"):
        (x * 2).sum().backward()


def test_hook_on_a_tensor_without_gradient_is_refused():
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        mt.ones(2).register_hook(print)


def test_hook_registered_before_a_write_gets_the_gradient_of_what_was_before():
    x, seen = leaf(), []
    y = x * 1
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.mul_(5)
    y.sum().backward()
    assert seen == [[5, 5]]


# ---- retain_grad --------------------------------------------------------------------------------


def test_retain_grad_keeps_the_gradient_of_a_computed_tensor():
    x = leaf()
    y = x * 2
    y.retain_grad()
    (y * 3).sum().backward()
    assert y.grad.tolist() == [3, 3]
    assert x.grad.tolist() == [6, 6]


def test_without_retain_grad_a_computed_tensor_has_none():
    x = leaf()
    y = x * 2
    y.sum().backward()
    assert y.grad is None


def test_retain_grad_comes_after_all_hooks_whenever_registered():
    x = leaf()
    y = x * 1
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    y.register_hook(lambda g: g + 1)
    y.sum().backward()
    assert y.grad.tolist() == [11, 11]


def test_retain_grad_twice_is_once():
    x = leaf()
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    y.sum().backward()
    assert y.grad.tolist() == [1, 1]


def test_retained_gradients_accumulate_over_walks():
    x = leaf()
    y = x * 2
    y.retain_grad()
    total = y.sum()
    total.backward(retain_graph=True)
    total.backward()
    assert y.grad.tolist() == [2, 2]


def test_retained_gradient_is_of_the_value_after_a_write():
    x = leaf()
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    (y * 5).sum().backward()
    assert y.grad.tolist() == [5, 5]
    assert x.grad.tolist() == [30, 30]


def test_retained_gradient_of_the_base_survives_a_write_through_a_view():
    x = leaf()
    y = x * 2
    y.retain_grad()
    y[0].mul_(3)
    (y * 5).sum().backward()
    assert y.grad.tolist() == [5, 5]
    assert x.grad.tolist() == [30, 10]


def test_retained_gradient_of_a_view_is_of_the_value_after_a_write_to_its_base():
    x = leaf()
    y = x * 1
    view = y[0]
    view.retain_grad()
    early = view * 10
    y.mul_(3)
    (view * 5 + early).backward()
    assert view.grad.item() == 5
    assert x.grad.tolist() == [25, 0]


def test_retained_gradient_aliases_no_other():
    x = leaf()
    y = x.reshape(2, 1)
    y.retain_grad()
    y.sum().backward()
    y.grad.fill_(7)
    assert x.grad.tolist() == [1, 1]


def test_retain_grad_on_a_leaf_changes_nothing():
    x = leaf()
    x.retain_grad()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_retain_grad_without_gradient_is_refused():
    with pytest.raises(RuntimeError, match="requires_grad=False"):
        mt.ones(2).retain_grad()


# ---- after accumulation -------------------------------------------------------------------------


def test_post_accumulate_hook_sees_the_whole_gradient_once_per_walk():
    x, seen = leaf(), []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.tolist()))
    (x * 2 + x * 3).sum().backward()
    (x * 2 + x * 3).sum().backward()
    assert seen == [[5, 5], [10, 10]]


def test_post_accumulate_hook_runs_once_also_after_another_hook_was_removed():
    x, seen = leaf(), []
    handle = x.register_hook(lambda g: None)
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.tolist()))
    handle.remove()
    (x * 2 + x * 3).sum().backward()
    assert seen == [[5, 5]]


def test_post_accumulate_hook_may_consume_the_gradient():
    x = leaf()

    def step(tensor):
        with mt.no_grad():
            tensor.sub_(tensor.grad)
        tensor.grad = None

    handle = x.register_post_accumulate_grad_hook(step)
    (x * 2).sum().backward()
    assert x.tolist() == [-1, 0] and x.grad is None
    handle.remove()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_post_accumulate_hook_is_for_leaves():
    with pytest.raises(RuntimeError, match="non-leaf"):
        (leaf() * 2).register_post_accumulate_grad_hook(print)


def test_a_handle_does_not_keep_the_graph_alive():
    x = leaf()
    y = x * 2
    handle = y.register_hook(lambda g: None)
    node = weakref.ref(y.grad_fn)
    del y
    gc.collect()
    assert node() is None
    handle.remove()
