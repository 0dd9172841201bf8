"""Forward hooks, forward pre-hooks and full backward hooks."""

import copy
import gc
import weakref

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn


class Add(nn.Module):
    def forward(self, a, b=None, *, scale=1.0):
        return (a if b is None else a + b) * scale


class Both(nn.Module):
    """Two inputs, two outputs: (a + 2b, 3a)."""

    def forward(self, a, b):
        return a + 2 * b, 3 * a


def leaf(*values, dtype=mt.float32):
    return mt.tensor(values, dtype=dtype, requires_grad=True)


def test_forward_hooks_see_arguments_and_output_and_may_replace_it():
    module, seen = Add(), []
    module.register_forward_hook(lambda m, args, out: seen.append((m, args, out)))
    module.register_forward_hook(lambda m, args, out: out + 1)
    x = mt.ones(1)
    assert module(x).item() == 2
    assert seen[0][:2] == (module, (x,))
    assert seen[0][2].item() == 1


def test_forward_hooks_run_in_order_and_prepend_comes_first():
    module, order = nn.Identity(), []
    module.register_forward_hook(lambda *_: order.append("first"))
    module.register_forward_hook(lambda *_: order.append("second"))
    module.register_forward_hook(lambda *_: order.append("zeroth"), prepend=True)
    module(1)
    assert order == ["zeroth", "first", "second"]


def test_pre_hooks_may_replace_arguments():
    module = Add()
    module.register_forward_pre_hook(lambda m, args: args[0] + 1)
    module.register_forward_pre_hook(lambda m, args: (args[0], mt.ones(1)))
    assert module(mt.ones(1)).item() == 3


def test_hooks_with_kwargs():
    module, seen = Add(), []
    module.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"scale": kwargs["scale"] * 2}), with_kwargs=True
    )
    module.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
    assert module(mt.ones(1), scale=3.0).item() == 6
    assert seen == [{"scale": 6.0}]


def test_a_pre_hook_with_kwargs_must_return_a_pair():
    module = Add()
    module.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"tuple of \(new_args, new_kwargs\)"):
        module(mt.ones(1))


def test_handles_remove_their_hook_and_the_short_way_is_restored():
    module, count = nn.Identity(), []
    handle = module.register_forward_hook(lambda *_: count.append(1))
    with module.register_forward_pre_hook(lambda *_: count.append(2)):
        module(1)
    handle.remove()
    handle.remove()
    module(1)
    assert count == [2, 1]
    assert module._hooks is None


def test_hooks_fire_inside_sequential():
    net, seen = nn.Sequential(nn.Identity(), nn.Identity()), []
    net[1].register_forward_hook(lambda m, args, out: seen.append(out) or out * 2)
    assert net(3) == 6
    assert seen == [3]


def test_a_call_method_of_a_subclass_is_respected_inside_sequential():
    class Doubling(nn.Identity):
        def __call__(self, x):
            return super().__call__(x) * 2

    module = Doubling()
    assert nn.Sequential(module)(3) == 6
    module.register_forward_hook(lambda *_: None).remove()
    assert nn.Sequential(module)(3) == 6
    assert nn.Sequential(module)(3) == 6


def test_always_called_hooks_run_when_forward_raises():
    class Failing(nn.Module):
        def forward(self, x):
            raise ZeroDivisionError("forward")

    module, seen = Failing(), []
    module.register_forward_hook(lambda *_: seen.append("ordinary"))
    module.register_forward_hook(lambda m, a, out: seen.append(out), always_call=True)
    with pytest.raises(ZeroDivisionError):
        module(1)
    assert seen == [None]

    def broken(*_):
        raise ValueError("hook")

    module.register_forward_hook(broken, always_call=True)
    with pytest.warns(UserWarning, match="silenced .*: hook"), pytest.raises(ZeroDivisionError):
        module(1)


def test_hooks_are_copied_with_the_module():
    module, seen = nn.Identity(), []
    handle = module.register_forward_hook(lambda *_: seen.append(1))
    twin = copy.deepcopy(module)
    handle.remove()
    twin(1)
    module(1)
    assert len(seen) == 1


# ---- backward hooks -----------------------------------------------------------------------------


def test_a_backward_hook_sees_the_gradients_of_this_call_only():
    module, seen = Add(), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((m, gi, go)))
    x = leaf(1.0, 2.0)
    (module(x, scale=3.0) * 2 + x * 100).sum().backward()
    [(caller, grad_input, grad_output)] = seen
    assert caller is module
    assert [g.tolist() for g in grad_input] == [[6, 6]]
    assert [g.tolist() for g in grad_output] == [[2, 2]]
    assert x.grad.tolist() == [106, 106]


def test_a_backward_hook_may_replace_the_gradients_of_the_inputs():
    module = Add()
    module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,))
    x = leaf(1.0)
    module(x).backward()
    assert x.grad.tolist() == [10]


def test_a_backward_pre_hook_may_replace_the_gradients_of_the_outputs():
    module, order = Add(), []
    module.register_full_backward_hook(lambda m, gi, go: order.append(go[0].item()))
    module.register_full_backward_pre_hook(lambda m, go: (go[0] * 5,))
    x = leaf(1.0)
    module(x, scale=2.0).backward()
    assert x.grad.tolist() == [10]
    assert order == [5]


def test_several_inputs_and_outputs_come_together():
    module, seen = Both(), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    a, b = leaf(1.0, 2.0), leaf(3.0)
    first, second = module(a, b)
    (first.sum() * 10 + second.sum()).backward()
    [(grad_input, grad_output)] = seen
    assert [g.tolist() for g in grad_output] == [[10, 10], [1, 1]]
    assert [g.tolist() for g in grad_input] == [[13, 13], [40]]
    assert a.grad.tolist() == [13, 13]
    assert b.grad.tolist() == [40]


def test_an_unused_output_has_a_gradient_of_zeros():
    module, seen = Both(), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append(go))
    module(leaf(1.0), leaf(2.0))[0].backward()
    assert [g.tolist() for g in seen[0]] == [[1], [0]]


def test_inputs_of_different_dtypes_keep_theirs():
    module = Both()
    module.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2, gi[1] * 3))
    a, b = leaf(1.0), leaf(2.0, dtype=mt.float64)
    first, second = module(a, b)
    assert second.dtype == mt.float32
    (first + second).backward()
    assert (a.grad.dtype, b.grad.dtype) == (mt.float32, mt.float64)
    assert (a.grad.tolist(), b.grad.tolist()) == ([8], [6])


def test_arguments_without_gradient_stand_as_none():
    module, seen = Add(), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append(gi))
    module(mt.ones(1), leaf(1.0)).backward()
    assert seen[0][0] is None
    assert seen[0][1].tolist() == [1]


def test_without_a_differentiable_input_the_hook_fires_at_the_output():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    layer(mt.ones(3, 2)).sum().backward()
    assert seen[0][0] == (None,)
    assert seen[0][1][0].tolist() == [[1], [1], [1]]
    layer.register_full_backward_hook(lambda m, gi, go: (go[0],))
    with pytest.raises(RuntimeError, match="where no input requires gradient"):
        layer(mt.ones(3, 2)).sum().backward()


def test_a_wrong_number_of_gradients_is_refused():
    module = Add()
    module.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(RuntimeError, match="invalid number of grad_input, got 2, but expected 1"):
        module(leaf(1.0)).backward()
    module = Add()
    module.register_full_backward_pre_hook(lambda m, go: ())
    with pytest.raises(RuntimeError, match="invalid number of grad_output, got 0, but expected 1"):
        module(leaf(1.0)).backward()


def test_gradients_with_hooks_equal_those_without():
    mt.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x = mt.randn(5, 3, dtype=mt.float64, requires_grad=True)
    net(x).sum().backward()
    plain = [p.grad.numpy().copy() for p in net.parameters()] + [x.grad.numpy().copy()]
    net.zero_grad()
    x.grad = None
    for module in net.modules():
        module.register_full_backward_hook(lambda m, gi, go: None)
    net(x).sum().backward()
    hooked = [p.grad.numpy() for p in net.parameters()] + [x.grad.numpy()]
    for a, b in zip(plain, hooked, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_second_derivative_passes_through_hooks():
    module = Add()
    module.register_full_backward_hook(lambda m, gi, go: None)
    x = leaf(3.0, dtype=mt.float64)
    y = module(x * x) * x
    (first,) = mt.autograd.grad(y.sum(), x, create_graph=True)
    (second,) = mt.autograd.grad(first.sum(), x)
    assert first.tolist() == [27]
    assert second.tolist() == [18]


def test_no_watching_without_gradient_mode():
    module, seen = Add(), []
    module.register_full_backward_hook(lambda *_: seen.append(1))
    with mt.no_grad():
        assert not module(leaf(1.0)).requires_grad
    assert module(mt.ones(1)).item() == 1
    assert seen == []


def test_an_output_that_is_no_tensor_warns():
    class Dictionary(nn.Module):
        def forward(self, x):
            return {"x": x}

    module = Dictionary()
    module.register_full_backward_hook(lambda *_: None)
    with pytest.warns(UserWarning, match="should be a Tensor or a tuple of Tensors"):
        module(leaf(1.0))


def test_hooks_leave_no_reference_cycle_behind():
    gc.disable()
    try:
        module = Both()
        module.register_full_backward_hook(lambda m, gi, go: None)
        a, b = leaf(1.0), leaf(2.0)
        first, second = module(a, b)
        (first + second).backward()
        gone = [weakref.ref(each) for each in (a, b, first, second, module)]
        del a, b, first, second, module
        assert [each() for each in gone] == [None] * 5
    finally:
        gc.enable()
