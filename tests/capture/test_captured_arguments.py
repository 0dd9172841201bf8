"""Arguments of captured functions that are more than values: the same ones, or known otherwise."""

import pickle
from copy import deepcopy

import pytest

import microtensor as mt
from microtensor import nn


def test_a_tensor_given_twice_is_one_input_and_two_are_two():
    f = mt.capture(lambda a, b: a - b * 2)
    x, y = mt.ones(3), mt.zeros(3)
    for _ in range(2):
        assert f(x, x).tolist() == [-1.0] * 3
        assert f(x, y).tolist() == [1.0] * 3
        assert f(y, x).tolist() == [-2.0] * 3


def test_gradients_of_a_tensor_given_twice_add_up():
    f = mt.capture(lambda a, b: (a * b * 3).sum().backward())
    for _ in range(3):
        x, y = mt.ones(2, requires_grad=True), mt.ones(2, requires_grad=True)
        f(x, x)
        assert x.grad.tolist() == [6.0, 6.0]
        f(x, y)
        assert (x.grad.tolist(), y.grad.tolist()) == ([9.0, 9.0], [3.0, 3.0])


def _writes(buffer):
    def add_one(x):
        buffer.add_(1)
        return x * 2

    return add_one


def _assigns(buffer):
    def assign(x):
        buffer[0] = 7.0
        return x * 2

    return assign


def _moves(buffer):
    def normalize(x):
        rows = x.reshape(1, 2).expand(3, 2)
        return nn.functional.batch_norm(rows, buffer, mt.ones(2), training=True)

    return normalize


@pytest.mark.parametrize("make", [_writes, _assigns, _moves])
@pytest.mark.parametrize("view", [lambda b: b, lambda b: b[:], lambda b: b.detach()])
def test_an_argument_that_the_function_writes_to_is_refused(make, view):
    buffer = mt.zeros(2)
    with pytest.raises(RuntimeError, match="shares memory"):
        mt.capture(make(buffer))(view(buffer))
    f = mt.capture(make(buffer))
    f(mt.ones(2))
    f(mt.ones(2))
    with pytest.raises(RuntimeError, match="shares memory"):
        f(view(buffer))


def test_an_argument_that_is_a_parameter_of_the_step_is_refused():
    w = mt.ones(2, requires_grad=True)
    optimizer = mt.optim.SGD([w], lr=1.0)

    @mt.capture
    def step(x):
        optimizer.zero_grad()
        loss = (x * w).sum()
        loss.backward()
        optimizer.step()
        return loss

    other = mt.ones(2, requires_grad=True)
    for given in (w, w.detach()):
        with pytest.raises(RuntimeError, match="shares memory"):
            step(given)
    step(other)
    step(mt.ones(2))
    step(mt.ones(2))
    for given in (w, w.detach()):
        with pytest.raises(RuntimeError, match="shares memory"):
            step(given)


def test_versions_count_what_replays_write():
    mean, variance, plain = mt.zeros(3), mt.ones(3), mt.zeros(3)

    def moves(x):
        plain.mul_(2.0)
        return nn.functional.batch_norm(x, mean, variance, training=True)

    f = mt.capture(moves)
    for count in range(1, 4):
        f(mt.randn(4, 3))
        assert [each._version for each in (mean, variance, plain)] == [count] * 3


def test_zeros_of_both_signs_and_nan_are_numbers_of_their_own():
    f = mt.capture(lambda x, c: x / c)
    nan = float("nan")
    for _ in range(2):
        found = [f(mt.ones(1), c).item() for c in (0.0, -0.0, nan)]
        assert found[:2] == [float("inf"), -float("inf")]
    assert f.report().plans == 3


def test_signatures_that_cannot_be_captured_are_not_kept():
    f = mt.capture(lambda x, n: x.sum().item())
    for n in range(3):
        with pytest.raises(RuntimeError, match="reads a value"):
            f(mt.ones(1), n)
    assert not f._plans


def test_no_gradients_have_a_norm():
    f = mt.capture(lambda x: (nn.utils.clip_grad_norm_([], 1.0), x + 1))
    for _ in range(2):
        norm, result = f(mt.ones(1))
        assert (norm.item(), result.item()) == (0.0, 2.0)


@mt.capture
def plus_one(x):
    return x + 1


def plus_two(x):
    return x + 2


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(mt.full((2,), 3.0))

    @mt.capture
    def scaled(self, x):
        return x * self.scale


def test_captured_functions_are_pickled_without_their_plans():
    x = mt.ones(2)
    again = mt.capture(plus_two, check=1)
    module = Scaled()
    assert [f(x).tolist()[0] for f in (plus_one, again, module.scaled)] == [2.0, 3.0, 3.0]
    assert pickle.loads(pickle.dumps(plus_one)) is plus_one
    other = pickle.loads(pickle.dumps(again))
    assert (other(x).tolist(), other.check, other is again) == ([3.0, 3.0], 1, False)
    whole = pickle.loads(pickle.dumps(module))
    bound = pickle.loads(pickle.dumps(module.scaled))
    copied = deepcopy(module)
    with mt.no_grad():
        module.scale.zero_()
    for f in (whole.scaled, bound, copied.scaled):
        assert f(x).tolist() == f(x).tolist() == [3.0, 3.0]
    assert module.scaled(x).tolist() == [0.0, 0.0]
