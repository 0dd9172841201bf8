"""The quick way of a replay: one crossing into C, results written over operands, proofs kept."""

from __future__ import annotations

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.capturing import record


def _bits(tensor):
    return np.asarray(tensor.detach().numpy()).tobytes()


@pytest.mark.parametrize("count", [1, 3, 4, 5, 7])
def test_any_number_of_inputs_is_copied_in(count):
    @mt.capture
    def weighted(*given):
        total = given[0] * 1.0
        for i, each in enumerate(given[1:]):
            total = total + each * (i + 2.0)
        return total

    for start in range(4):
        given = [mt.arange(6.0).reshape(2, 3) + start * i for i in range(count)]
        expected = sum(each * (i + 1.0) for i, each in enumerate(given))
        np.testing.assert_array_equal(weighted(*given).numpy(), expected.numpy())
    assert weighted.report().plans == 1


@pytest.mark.parametrize("place", [0, 4])
def test_inputs_that_do_not_fit_are_left_to_another_plan(place):
    step = mt.capture(lambda *given: sum(given[1:], given[0]).exp())
    given = [mt.full((2, 3), float(i)) for i in range(5)]
    first = step(*given)
    np.testing.assert_array_equal(step(*given).numpy(), first.numpy())
    odd = [each.double() if i == place else each for i, each in enumerate(given)]
    assert step(*odd).dtype is mt.float64
    assert step(*[each[:1] for each in given]).shape == (1, 3)
    turned = [each.t().contiguous().t() for each in given]  # the same values, stored by columns
    strided = [mt.full((4, 3), float(i))[::2] for i in range(5)]
    for others in (turned, strided, given):
        np.testing.assert_array_equal(step(*others).numpy(), first.numpy())


def test_a_gradient_that_is_held_keeps_its_values():
    layer = nn.Linear(3, 2)

    @mt.capture
    def step(x):
        layer.zero_grad()
        loss = layer(x).square().sum()
        loss.backward()
        return loss

    held, copies = [], []
    for i in range(6):
        step(mt.full((4, 3), float(i)))
        held.append(layer.weight.grad)
        copies.append(layer.weight.grad.clone())
    for kept, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(kept.numpy(), copy.numpy())


def test_results_are_written_over_operands_that_nobody_needs():
    def chain(x):
        for _ in range(5):
            x = (x * 0.5).tanh() + 1.0
        return x.sum()

    x = mt.randn(40, 50)
    step = mt.capture(chain)
    assert _bits(step(x)) == _bits(step(x)) == _bits(chain(x))
    report = step.report()
    if not report.host_calls:  # elementwise from end to end: one place serves them all
        assert report.in_place == 14 and "14 results written over an operand" in str(report)
        assert report.arena_bytes < 2.5 * 40 * 50 * 4 < report.temporary_bytes


def test_an_operand_that_is_needed_later_is_not_written_over():
    def step(x, y):
        a = x * 2.0
        b = a.exp()  # may not take a's place
        c = b + a
        d = c * c  # may take c's
        view = d.reshape(-1)
        e = d.tanh()  # may not: its view is read below
        return e.sum() + view.sum() + (b * y).sum()

    x, y = mt.randn(7, 9), mt.randn(7, 9)
    captured = mt.capture(step)
    for _ in range(3):
        x = x + 0.1
        assert _bits(captured(x, y)) == _bits(step(x, y))


def test_gradients_of_a_chain_written_in_place_are_those_of_eager_mode():
    model = nn.Sequential(
        nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 30), nn.GELU(), nn.Linear(30, 5)
    )

    def step(x, y):
        model.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        return loss

    captured = mt.capture(step)
    for i in range(3):
        x, y = mt.randn(16, 20), mt.randint(0, 5, (16,))
        loss = captured(x, y)
        found = [p.grad.clone() for p in model.parameters()]
        assert _bits(loss) == _bits(step(x, y)), i
        for gradient, p in zip(found, model.parameters(), strict=True):
            assert _bits(gradient) == _bits(p.grad)


def test_what_was_proven_of_an_op_holds_for_its_arguments_alone():
    """Captured again, it is not tried again; with other numbers it is."""
    record._proofs.clear()
    x = mt.randn(3, 4)
    mt.capture(lambda x: nn.functional.leaky_relu(x, 0.25))(x)
    once = len(record._proofs)
    mt.capture(lambda x: nn.functional.leaky_relu(x, 0.25))(x)
    assert len(record._proofs) == once
    step = mt.capture(lambda x: nn.functional.leaky_relu(x, 0.5))
    step(x)
    assert len(record._proofs) == 2 * once
    np.testing.assert_array_equal(step(-x).numpy(), nn.functional.leaky_relu(-x, 0.5).numpy())
