"""A gradient that goes through a view to one leaf becomes its .grad; nothing shared does."""

import numpy as np

import microtensor as mt
from microtensor.nn import functional as F


def test_the_gradient_of_a_reshaped_leaf_is_not_copied():
    x = mt.randn(6, 4, requires_grad=True)
    F.softmax(x.view(4, 6), 1).backward(mt.ones(4, 6))
    assert x.grad._array.base is not None and x.grad._array.base.shape == (4, 6)
    assert x.grad._array.flags.c_contiguous and x.grad._array.flags.writeable


def test_one_that_goes_to_two_inputs_is_each_ones_own():
    x, w = mt.randn(4, requires_grad=True), mt.randn(4, requires_grad=True)
    (mt.exp(x.view(2, 2) + w.view(2, 2))).sum().backward()
    assert not np.shares_memory(x.grad._array, w.grad._array)
    np.testing.assert_array_equal(x.grad.numpy(), w.grad.numpy())


def test_one_that_the_caller_or_a_hook_holds_stays_as_it_is():
    start, seen = mt.ones(2, 2), []
    x = mt.randn(4, requires_grad=True)
    x.view(2, 2).backward(start)
    assert not np.shares_memory(x.grad._array, start._array)
    z = x.view(2, 2)
    z.register_hook(seen.append)
    x.grad = None
    (z * 3.0).exp().sum().backward()
    assert not np.shares_memory(x.grad._array, seen[0]._array)


def test_a_leaf_used_through_two_views_gets_their_sum():
    x = mt.arange(4.0).requires_grad_()
    for times in (1.0, 2.0):
        a, b = x.view(2, 2), x.view(4, 1)
        (a.square().sum() + (b * 2.0).sum()).backward()
        assert x.grad.tolist() == [2.0 * times, 4.0 * times, 6.0 * times, 8.0 * times]


def test_one_that_is_asked_for_on_its_way_is_not_written_to():
    x = mt.arange(4.0).requires_grad_()
    z = x.view(2, 2)
    y = z.exp()
    of_z, of_x = mt.autograd.grad(y.sum() + x.sum(), [z, x])
    np.testing.assert_allclose(of_z.numpy(), np.exp(np.arange(4.0)).reshape(2, 2), rtol=1e-6)
    np.testing.assert_allclose(of_x.numpy(), np.exp(np.arange(4.0)) + 1.0, rtol=1e-6)
