"""autograd.grad: gradients as return values."""

import numpy as np
import pytest

import microtensor as mt
from microtensor.autograd import grad


def leaf(*values):
    return mt.tensor(values or (1.0, 2.0), requires_grad=True)


def test_grad_returns_gradients_and_touches_no_grad():
    x, w = leaf(), leaf(3.0, 4.0)
    gx, gw = grad((x * w).sum(), [x, w])
    assert gx.tolist() == [3, 4] and gw.tolist() == [1, 2]
    assert x.grad is None and w.grad is None
    assert not gx.requires_grad


def test_a_single_input_gives_a_tuple_of_one():
    x = leaf()
    result = grad((x * 2).sum(), x)
    assert isinstance(result, tuple) and len(result) == 1


def test_several_outputs_are_summed():
    x = leaf()
    (gradient,) = grad([(x * 2).sum(), x * x], x, [None, mt.tensor([1.0, 10.0])])
    assert gradient.tolist() == [4, 42]


def test_a_single_grad_output_needs_no_list():
    x = leaf()
    (gradient,) = grad(x * x, x, mt.tensor([1.0, 10.0]))
    assert gradient.tolist() == [2, 40]


def test_output_as_its_own_input():
    x = leaf()
    y = x.sum()
    (gradient,) = grad(y, y)
    assert gradient.item() == 1
    (gradient,) = grad(x, x, mt.tensor([5.0, 6.0]))
    assert gradient.tolist() == [5, 6]


def test_input_named_twice_gets_two_tensors():
    x = leaf()
    a, b = grad((x * 2).sum(), [x, x])
    a.fill_(0)
    assert b.tolist() == [2, 2]


def test_results_alias_nothing():
    x, w = leaf(), leaf()
    incoming = mt.ones(2)
    y = x + w
    gy, gx, gw = grad(y, [y, x, w], incoming)
    for a in (gy, gx, gw):
        for b in (incoming, gy, gx, gw):
            assert a is b or not np.shares_memory(a._array, b._array)


def test_computed_and_leaf_inputs_together():
    x = leaf()
    y = x * 2
    z = y * 3
    gz, gy, gx = grad(z.sum(), [z, y, x])
    assert (gz.tolist(), gy.tolist(), gx.tolist()) == ([1, 1], [3, 3], [6, 6])


def test_gradient_through_one_way_only_counts_both_ways():
    x = leaf()
    y = x * 2
    (gradient,) = grad((y * x).sum(), x)
    assert gradient.tolist() == [4, 8]


def test_unused_input_raises_unless_allowed():
    x, other = leaf(), leaf()
    with pytest.raises(RuntimeError, match=r"input 1.*\[2\].*allow_unused=True"):
        grad((x * 2).sum(), [x, other])
    gx, none = grad((x * 2).sum(), [x, other], allow_unused=True)
    assert gx.tolist() == [2, 2] and none is None


def test_materialize_grads_gives_zeros():
    x, other = leaf(), mt.ones(3, dtype=mt.float64, requires_grad=True)
    _, zeros = grad((x * 2).sum(), [x, other], materialize_grads=True)
    assert zeros.tolist() == [0, 0, 0] and zeros.dtype is mt.float64
    with pytest.raises(ValueError, match="materialize_grads"):
        grad((x * 2).sum(), x, allow_unused=False, materialize_grads=True)


def test_an_input_newer_than_the_output_is_unused():
    x = leaf()
    y = (x * 2).sum()
    later = x * 3
    assert grad(y, later, allow_unused=True) == (None,)


def test_inputs_must_require_a_gradient_and_exist():
    x = leaf()
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad(x.sum(), mt.ones(2))
    with pytest.raises(RuntimeError, match="empty"):
        grad(x.sum(), [])
    with pytest.raises(TypeError, match="must be Tensors, not float"):
        grad(x.sum(), [3.0])


def test_grad_frees_what_it_visits_and_only_that():
    x, w = leaf(), leaf()
    a, b = x.exp(), w.exp()
    y = (a * b).sum()
    grad(y, x)
    with pytest.raises(RuntimeError, match="second time"):
        grad(y, w)
    assert grad(b.sum(), w)[0].tolist() == pytest.approx(b.tolist())


def test_grad_with_retain_graph():
    x = leaf()
    y = (x * x).sum()
    first = grad(y, x, retain_graph=True)
    second = grad(y, x)
    assert first[0].tolist() == second[0].tolist() == [2, 4]


def test_grad_works_under_no_grad():
    x = leaf()
    y = (x * x).sum()
    with mt.no_grad():
        (gradient,) = grad(y, x)
    assert gradient.tolist() == [2, 4]


# ---- create_graph -------------------------------------------------------------------------------


def test_higher_derivatives_of_a_power():
    x = mt.tensor(2.0, dtype=mt.float64, requires_grad=True)
    y, expected = x**5, 2.0**5
    for order in range(1, 6):
        (y,) = grad(y, x, create_graph=True)
        expected = expected * (6 - order) / 2
        assert y.item() == pytest.approx(expected)
    (y,) = grad(y, x, allow_unused=True)
    assert y is None or y.item() == 0


def test_higher_derivatives_of_the_sine():
    x = mt.tensor(0.7, dtype=mt.float64, requires_grad=True)
    y = x.sin()
    for expected in (np.cos, lambda v: -np.sin(v), lambda v: -np.cos(v), np.sin):
        (y,) = grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected(0.7))


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "exp", "log", "sqrt", "reciprocal"])
def test_third_derivatives_agree_with_finite_differences(name):
    function = getattr(mt, name)

    def second(value):
        x = mt.tensor(value, dtype=mt.float64, requires_grad=True)
        (first,) = grad(function(x), x, create_graph=True)
        return grad(first, x, create_graph=True)[0], x

    slope, x = second(0.6)
    (third,) = grad(slope, x)
    numeric = (second(0.6 + 1e-6)[0].item() - second(0.6 - 1e-6)[0].item()) / 2e-6
    assert third.item() == pytest.approx(numeric, rel=1e-6)


def test_gradient_penalty_trains_through_the_first_gradient():
    w = mt.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=mt.float64, requires_grad=True)
    x = mt.tensor([[0.3, 0.7]], dtype=mt.float64, requires_grad=True)

    def penalty(w):
        (slope,) = grad((x @ w).tanh().sum(), x, create_graph=True)
        return slope.square().sum()

    assert mt.autograd.gradcheck(penalty, w)
    penalty(w).backward()
    assert w.grad is not None and x.grad is not None


def test_hessian_of_a_quadratic_form():
    a = mt.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=mt.float64)
    x = mt.tensor([1.0, -1.0], dtype=mt.float64, requires_grad=True)
    (slope,) = grad(x @ a @ x, x, create_graph=True)
    rows = [grad(slope[i], x, retain_graph=True)[0].tolist() for i in range(2)]
    np.testing.assert_allclose(rows, 2 * a.numpy())


def test_create_graph_gives_recorded_gradients():
    x = leaf()
    (slope,) = grad((x * x).sum(), x, create_graph=True)
    assert slope.requires_grad
    (slope,) = grad((x * 2).sum(), x, create_graph=True)
    assert not slope.requires_grad  # a constant


def test_backward_through_a_grad_output():
    x = leaf()
    start = mt.tensor([1.0, 1.0], requires_grad=True)
    (slope,) = grad(x * x, x, start, create_graph=True)
    (for_start,) = grad(slope.sum(), start)
    assert for_start.tolist() == [2, 4]


def test_backward_with_create_graph_accumulates_recorded_gradients():
    x = leaf()
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    gradient, x.grad = x.grad, None
    gradient.sum().backward()
    assert x.grad.tolist() == [6, 12]


def test_second_derivatives_through_views_and_writes():
    def function(x):
        y = x * x
        y[0].mul_(x[1])
        y[1:] = y[1:].clone() * x[:-1]
        z = y.clone()
        z[mt.tensor([0, 2])] = x[mt.tensor([1, 1])] ** 2
        return z.reshape(-1).square()

    x = mt.tensor([0.5, -1.5, 2.0], dtype=mt.float64, requires_grad=True)
    assert mt.autograd.gradcheck(function, x)
    assert mt.autograd.gradgradcheck(function, x)
