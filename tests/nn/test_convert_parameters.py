"""Parameters as one vector, and back."""

import doctest
from importlib import import_module

import pytest

import microtensor as mt
from microtensor.nn.utils import parameters_to_vector, vector_to_parameters


def test_the_vector_has_all_parameters_in_order_and_passes_gradients_on():
    a, b, none = mt.ones(2, 2).requires_grad_(), mt.tensor(3.0, requires_grad=True), mt.zeros(0)
    vector = parameters_to_vector([a, b, none])
    assert vector.tolist() == [1.0, 1.0, 1.0, 1.0, 3.0]
    (vector * vector).sum().backward()
    assert a.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]] and b.grad.item() == 6.0


def test_there_and_back_gives_the_same_weights_and_the_next_step_moves_them():
    model = mt.nn.Linear(3, 2)
    before = parameters_to_vector(model.parameters())
    optimizer = mt.optim.SGD(model.parameters(), lr=1.0)
    model(mt.ones(1, 3)).sum().backward()
    optimizer.step()
    vector_to_parameters(before.detach().clone(), model.parameters())
    assert parameters_to_vector(model.parameters()).equal(before)
    optimizer.step()
    assert (before - parameters_to_vector(model.parameters())).tolist() == pytest.approx([1.0] * 8)


def test_parameters_become_views_of_the_vector():
    vector = mt.arange(3.0)
    a, b = mt.zeros(2, 1).requires_grad_(), mt.tensor(0.0, requires_grad=True)
    vector_to_parameters(vector, (each for each in [a, b]))
    vector[1] = 7.0
    assert a.tolist() == [[0.0], [7.0]] and b.item() == 2.0 and a.is_leaf and a.requires_grad


@pytest.mark.parametrize(
    ("vector", "error"),
    [([1.0] * 5, TypeError), (mt.ones(4), RuntimeError), (mt.ones(5, 1), RuntimeError)],
    ids=["list", "too short", "a matrix"],
)
def test_what_does_not_fit_is_refused_and_nothing_is_changed(vector, error):
    a, b = mt.zeros(4).requires_grad_(), mt.zeros(1).requires_grad_()
    with pytest.raises(error, match="vec"):
        vector_to_parameters(vector, [a, b])
    assert a.tolist() == [0.0] * 4 and b.tolist() == [0.0]


def test_no_parameters_make_no_vector():
    with pytest.raises(ValueError, match="non-empty"):
        parameters_to_vector([])


def test_examples_print_what_they_show():
    module = import_module("microtensor.nn.utils.convert_parameters")
    assert doctest.testmod(module).failed == 0
