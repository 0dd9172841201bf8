"""Ops with several outputs: one node for the op, and one for each output that passes to it."""

from collections import namedtuple

import numpy as np
import pytest

import microtensor as mt
from microtensor.autograd import grad, gradcheck, gradgradcheck
from microtensor.engine import count_nodes
from microtensor.ops import registry
from microtensor.ops.arithmetic import add, cos, mul, sin
from microtensor.ops.declare import declare

Circle = namedtuple("Circle", ["x", "y", "place"])


def _rule(g_x, g_y, g_place, radius, angle, x, y):
    """Of the angle; reads the outputs, and copes with either gradient missing."""
    assert g_place is None
    parts = []
    if g_x is not None:
        parts.append(mul(g_x, mul(y, -1.0)))
    if g_y is not None:
        parts.append(mul(g_y, x))
    return parts[0] if len(parts) == 1 else add(*parts)


def _radius_rule(g_x, g_y, g_place, angle):
    parts = [mul(g, f(angle)) for g, f in ((g_x, cos), (g_y, sin)) if g is not None]
    return parts[0] if len(parts) == 1 else add(*parts)


@pytest.fixture(scope="module")
def circle():
    """(radius, angle) to (x, y, the place of the largest angle); declared for these tests only."""
    declare(
        "circle_for_tests",
        "radius: Tensor, angle: Tensor",
        lambda r, a: (r * np.cos(a), r * np.sin(a), np.asarray(np.argmax(a))),
        rules={"radius": _radius_rule, "angle": _rule},
        outputs=("x", "y", "place"),
        returns=Circle,
        summary="Give a point of a circle.",
        namespaces=(),
    )
    yield registry["circle_for_tests"].public
    del registry["circle_for_tests"]


@pytest.fixture
def inputs():
    return [
        mt.tensor([1.0, 2.0, 0.5], dtype=mt.float64, requires_grad=True),
        mt.tensor([0.3, 1.1, -0.7], dtype=mt.float64, requires_grad=True),
    ]


def test_outputs_come_in_the_declared_tuple(circle, inputs):
    found = circle(*inputs)
    assert type(found) is Circle
    assert found.x.requires_grad and found.y.requires_grad
    assert not found.place.requires_grad and found.place.item() == 1


def test_outputs_share_one_node_and_bear_its_name(circle, inputs):
    x, y, _ = circle(*inputs)
    assert x.grad_fn is not y.grad_fn
    assert x.grad_fn.next_functions[0][0] is y.grad_fn.next_functions[0][0]
    assert x.grad_fn.name() == "CircleForTestsBackward0"
    assert count_nodes((x + y).grad_fn) == 6


@pytest.mark.parametrize("used", [(0,), (1,), (0, 1), (1, 0, 0)])
def test_derivatives_of_any_of_the_outputs(circle, inputs, used):
    def function(*given):
        found = circle(*given)
        return sum((found[i] * (2.0 + i)).square() for i in used)

    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def test_one_input_alone(circle, inputs):
    radius, angle = inputs
    x, y, _ = circle(radius.detach(), angle)
    (slope,) = grad((x * y).sum(), angle)
    expected = radius.detach().square() * (2 * angle.detach()).cos()
    np.testing.assert_allclose(slope.numpy(), expected.numpy(), rtol=1e-14)


def test_a_hook_and_retain_grad_see_the_gradient_of_one_output(circle, inputs):
    x, y, _ = circle(*inputs)
    seen = []
    x.register_hook(seen.append)
    y.retain_grad()
    (3 * x + y * y).sum().backward()
    np.testing.assert_array_equal(seen[0].numpy(), np.full(3, 3.0))
    np.testing.assert_array_equal(y.grad.numpy(), 2 * y.detach().numpy())


def test_grad_with_respect_to_an_output(circle, inputs):
    x, y, _ = circle(*inputs)
    (slope,) = grad((x * x).sum() + y.sum(), x)
    np.testing.assert_array_equal(slope.numpy(), 2 * x.detach().numpy())


def test_a_second_walk_through_a_freed_graph_is_refused(circle, inputs):
    x, y, _ = circle(*inputs)
    x.sum().backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.sum().backward()


def test_a_change_in_place_of_a_saved_output_is_noticed(circle, inputs):
    x, y, _ = circle(*inputs)
    x.mul_(2)
    with pytest.raises(RuntimeError, match=r"circle_for_tests, saved an array"):
        y.sum().backward()


def test_an_output_may_be_written_to_where_nothing_saved_it(circle, inputs):
    radius, angle = inputs[0], inputs[1].detach()
    x, _, _ = circle(radius, angle)
    x.mul_(3)
    x.sum().backward()
    np.testing.assert_allclose(radius.grad.numpy(), 3 * np.cos(angle.numpy()), rtol=1e-15)


def test_rules_of_several_outputs_name_their_gradients():
    with pytest.raises(ValueError, match="first parameter is g_x, g_y"):
        declare(
            "malformed", "input: Tensor", lambda x: (x, x), outputs=("x", "y"),
            rules={"input": lambda g, x: g},
        )  # fmt: skip
