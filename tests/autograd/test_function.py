"""Functions with derivatives of the user's own: what PyTorch cannot be compared for.

That results, gradients and errors are PyTorch's is in test_torch_autograd.py.
"""

import gc
import weakref

import numpy as np
import pytest

import microtensor as mt
from microtensor.autograd import Function, grad, gradcheck, gradgradcheck
from microtensor.autograd.function import once_differentiable


class Power(Function):
    """x to a whole number, with several outputs: x**n and x**(n+1)."""

    @staticmethod
    def forward(ctx, x, n):
        ctx.n = n
        ctx.save_for_backward(x)
        return x**n, x ** (n + 1)

    @staticmethod
    def backward(ctx, g, h):
        (x,) = ctx.saved_tensors
        return g * ctx.n * x ** (ctx.n - 1) + h * (ctx.n + 1) * x**ctx.n, None


class MyExp(Function):
    """It saves its output."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class Add(Function):
    """It saves nothing, and passes its gradient on."""

    @staticmethod
    def forward(ctx, x, y):
        return x + y

    @staticmethod
    def backward(ctx, g):
        return g, g


def leaf(*values):
    return mt.tensor(values or (1.0, 2.0), dtype=mt.float64, requires_grad=True)


def test_gradcheck_of_first_and_second_order():
    assert gradcheck(lambda x: Power.apply(x, 3), leaf())
    assert gradgradcheck(lambda x: Power.apply(x, 3), leaf())
    assert gradcheck(MyExp.apply, leaf()) and gradgradcheck(MyExp.apply, leaf())
    assert gradcheck(lambda x: MyExp.apply(MyExp.apply(x)).sin(), leaf(0.1, 0.2))


def test_higher_derivatives_through_a_saved_output():
    x = leaf()
    y = MyExp.apply(x)
    for _ in range(4):
        (y,) = grad(y.sum(), x, create_graph=True)
    np.testing.assert_allclose(y.detach().numpy(), np.exp([1, 2]), rtol=1e-14)


def test_a_tensor_of_neither_inputs_nor_outputs_keeps_its_own_graph():
    w = leaf(3.0, 4.0)

    class Times(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(w)
            return x * w

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = leaf()
    (slope,) = grad(Times.apply(x).sum(), x, create_graph=True)
    assert grad(slope.sum(), w)[0].tolist() == [1, 1]


def test_names_and_attributes_of_the_node():
    y = MyExp.apply(leaf())
    assert y.grad_fn.name() == "MyExpBackward" and repr(y.grad_fn) == "<MyExpBackward>"
    assert "grad_fn=<MyExpBackward>" in repr(y)
    assert y.grad_fn.saved_tensors[0].tolist() == y.tolist()
    assert y.grad_fn.needs_input_grad == (True,)
    with pytest.raises(AttributeError):
        _ = y.grad_fn.nothing_of_this_name
    y.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        _ = y.grad_fn.saved_tensors


def test_saved_arrays_are_released_by_the_walk_and_kept_if_asked():
    x = leaf() * 1
    y = MyExp.apply(x)
    reference = weakref.ref(y._array)
    total = (y * mt.ones(2)).sum()
    del y
    total.backward(retain_graph=True)
    assert reference() is not None
    total.backward()
    assert reference() is None


def test_no_reference_cycles():
    gc.collect()
    gc.disable()
    try:
        x = leaf()
        y = MyExp.apply(x)
        a, b = Power.apply(y, 2)
        references = [weakref.ref(t) for t in (y, a, b, y.grad_fn, a.grad_fn, y.grad_fn.op.ctx)]
        (a * b).sum().backward()
        del y, a, b
        assert [r() for r in references] == [None] * 6
    finally:
        gc.enable()


def test_a_long_chain_is_walked_and_freed_without_recursion():
    x = leaf()
    y, zero = x, mt.zeros(2, dtype=mt.float64)
    for _ in range(20_000):
        y = Add.apply(y, zero)
    first = weakref.ref(y.grad_fn)
    y.sum().backward()
    assert x.grad.tolist() == [1, 1]
    del y
    assert first() is None


def test_what_backward_returns_may_be_kept_and_is_never_written_to():
    kept = []

    class Keeps(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            result = g * 2
            kept.append(result)
            return result

    x = leaf()
    y = x * 1
    (Keeps.apply(y) + Keeps.apply(y) + y).sum().backward()
    assert x.grad.tolist() == [5, 5]
    assert [each.tolist() for each in kept] == [[2, 2], [2, 2]]
    x.grad.fill_(0)
    z = Keeps.apply(x)
    z.sum().backward()
    x.grad.fill_(9)
    assert kept[-1].tolist() == [2, 2]


def test_a_saved_array_returned_as_gradient_stays_as_it_is():
    class Mean(Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(w)
            return (x * w).sum()

        @staticmethod
        def backward(ctx, g):
            return ctx.saved_tensors[0], None

    x, w = leaf(), mt.tensor([3.0, 4.0], dtype=mt.float64)
    y = x * 1
    (Mean.apply(y, w) + Mean.apply(y, w)).backward()
    assert x.grad.tolist() == [6, 8] and w.tolist() == [3, 4]


def test_nothing_is_recorded_without_need():
    assert not MyExp.apply(mt.ones(2)).requires_grad
    with mt.no_grad():
        assert MyExp.apply(leaf()).is_leaf
    with mt.inference_mode():
        assert MyExp.apply(leaf()).is_inference()


def test_forward_is_not_recorded_and_backward_only_with_create_graph():
    seen = []

    class Looks(Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(mt.is_grad_enabled())
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            seen.append(mt.is_grad_enabled())
            return g

    y = Looks.apply(leaf()).sum()
    y.backward(retain_graph=True)
    y.backward(create_graph=True)
    assert seen == [False, False, True]


def test_once_differentiable_refuses_a_second_derivative():
    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0]

    x = leaf()
    assert grad(Once.apply(x).sum(), x)[0].tolist() == [2, 4]
    (slope,) = grad(Once.apply(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_gradients_are_cast_to_the_inputs_dtype():
    class Wide(Function):
        @staticmethod
        def forward(ctx, x):
            return x.double()

        @staticmethod
        def backward(ctx, g):
            return g

    x = mt.ones(2, dtype=mt.float16, requires_grad=True)
    Wide.apply(x).sum().backward()
    assert x.grad.dtype is mt.float16


def test_several_outputs_share_a_node_and_hooks_see_each():
    a, b = Power.apply(leaf(), 2)
    assert a.grad_fn.name() == b.grad_fn.name() == "PowerBackward"
    seen = []
    a.register_hook(lambda g: seen.append(("a", g.tolist())))
    a.grad_fn.register_hook(lambda ins, outs: seen.append([len(ins), len(outs)]))
    (a + b).sum().backward()
    assert seen == [("a", [1, 1]), [2, 2]]


def test_vjp_is_another_name_for_backward():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def vjp(ctx, g):
            return g * 2

    x = leaf()
    Double.apply(x).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_saved_tensors_hooks_apply():
    packed = []
    with mt.autograd.graph.saved_tensors_hooks(
        lambda t: (packed.append(t.tolist()), t.numpy() * 10)[1], lambda a: mt.from_numpy(a / 10)
    ):
        y = MyExp.apply(leaf())
    (x,) = packed
    assert x == y.tolist()
    assert y.grad_fn.saved_tensors[0].tolist() == pytest.approx(y.tolist())
    y.sum().backward()


def test_it_works_within_transforms():
    second = mt.func.grad(mt.func.grad(lambda x: MyExp.apply(x * 2)))(mt.tensor(0.5))
    assert second.item() == pytest.approx(4 * np.e)
    batch = mt.vmap(mt.func.grad(lambda x: Power.apply(x, 2)[0]))(mt.tensor([1.0, 3.0]))
    assert batch.tolist() == [2, 6]
