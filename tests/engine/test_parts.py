"""Gradients of several parts of one tensor add up in one place."""

import numpy as np
import pytest

import microtensor as mt
from microtensor import kernels


def test_parts_that_overlap_repeat_or_are_missing_add_up():
    x = mt.tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    y = x * 1  # no leaf: its gradient waits for all parts
    parts = (y[0], y[:, 1:3], y[1:, ::2], y[2, 3], y[None, :2], y[..., 0])
    weights = [np.random.default_rng(i).normal(size=part.shape) for i, part in enumerate(parts)]
    total = sum(
        (part * mt.tensor(weight)).sum() for part, weight in zip(parts, weights, strict=True)
    )
    total.backward()
    expected = np.zeros((3, 4))
    for index, weight in zip(
        (0, np.s_[:, 1:3], np.s_[1:, ::2], (2, 3), np.s_[:2], np.s_[..., 0]), weights, strict=True
    ):
        expected[index] += weight if weight.ndim < 3 else weight[0]
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-12)


def test_a_gradient_that_somebody_else_holds_is_not_added_to():
    x = mt.ones(4, requires_grad=True)
    y = x * 1
    given = mt.ones(4)
    kept = []
    z = y.clone()
    z.register_hook(kept.append)
    mt.autograd.backward([z, y[1:3]], [given, mt.ones(2)])
    assert given.tolist() == [1.0] * 4
    assert kept[0].tolist() == [1.0] * 4
    assert x.grad.tolist() == [1.0, 2.0, 2.0, 1.0]


def test_each_of_many_parts_costs_its_own_size(monkeypatch):
    wholes = []
    put = kernels.put
    monkeypatch.setattr(kernels, "put", lambda *a: (wholes.append(1), put(*a))[1])
    x = mt.ones(50, 3, requires_grad=True)
    sum(row.sum() for row in (x * 1).unbind(0)).backward()
    assert x.grad.tolist() == [[1.0] * 3] * 50
    assert len(wholes) == 1


@pytest.mark.parametrize("keep", [False, True])
def test_a_second_walk_is_as_before(keep):
    x = mt.ones(4, requires_grad=True)
    y = x * 1
    total = y[:2].sum() + y[1:].sum()
    total.backward(retain_graph=keep)
    if keep:
        total.backward()
        assert x.grad.tolist() == [2.0, 4.0, 2.0, 2.0]
    else:
        with pytest.raises(RuntimeError, match="second time"):
            total.backward()


def test_second_derivatives_and_mixed_dtypes_go_the_long_way():
    x = mt.ones(4, dtype=mt.float64, requires_grad=True)
    y = x * x
    (g,) = mt.autograd.grad((y[:2] ** 2).sum() + (y[1:] ** 2).sum(), x, create_graph=True)
    (second,) = mt.autograd.grad(g.sum(), x)
    assert second.tolist() == [12.0, 24.0, 12.0, 12.0]
