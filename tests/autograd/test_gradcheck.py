"""gradcheck finds wrong derivatives, and passes right ones."""

import numpy as np
import pytest

import microtensor as mt
from microtensor.autograd import GradcheckError, gradcheck, gradgradcheck
from microtensor.engine import Node, recording
from microtensor.ops import Op
from microtensor.tensor import node_of, wrap


def op(forward, backward):
    """An op of one input with a derivative of one's own."""
    declared = Op(
        name="made_up",
        signature="input: Tensor",
        forward=forward,
        saved_names=("input",),
        saved_roles=(0,),
        backward=lambda g, parents, saved: (backward(g, *saved),),
    )

    def function(x):
        result = wrap(forward(x._array))
        node = node_of(x)
        if recording.enabled and node is not None:
            result._node = Node(
                declared,
                (node,),
                (x._array,),
                (x._cell,),
                x._cell[0],
                result._array.shape,
                result._array.dtype,
            )
        return result

    return function


right = op(lambda x: x**3, lambda g, x: g * 3 * (x * x))
wrong = op(lambda x: x**3, lambda g, x: g * 3.01 * (x * x))
# Right at first order (on arrays), wrong at second (on tensors).
wrong_second = op(
    lambda x: x**3,
    lambda g, x: g * 3 * (x * x if isinstance(x, np.ndarray) else x * x.detach()),
)


@pytest.fixture
def x():
    return mt.tensor([0.5, -1.5, 2.0], dtype=mt.float64, requires_grad=True)


def test_right_derivatives_pass(x):
    assert gradcheck(right, x)
    assert gradgradcheck(right, x)


def test_a_wrong_derivative_is_found_and_labelled(x):
    with pytest.raises(GradcheckError, match=r"output 0 with respect to input 0.*differences give"):
        gradcheck(wrong, x)
    assert gradcheck(wrong, x, raise_exception=False) is False


def test_a_wrong_second_derivative_is_found(x):
    assert gradcheck(wrong_second, x)
    with pytest.raises(GradcheckError):
        gradgradcheck(wrong_second, x)
    assert gradgradcheck(wrong_second, x, raise_exception=False) is False


def test_a_forgotten_gradient_is_found(x):
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: (x.detach() * 2).requires_grad_() + x * 0, x)


def test_a_single_wrong_element_is_found():
    x = mt.linspace(-1, 1, 50, dtype=mt.float64).requires_grad_()
    error = np.zeros(50)
    error[17] = 0.01
    almost = op(lambda x: x**2, lambda g, x: g * (2 * x + error))
    with pytest.raises(GradcheckError):
        gradcheck(almost, x)


def test_each_input_and_output_is_checked(x):
    w = mt.tensor([1.0, 2.0, 3.0], dtype=mt.float64, requires_grad=True)
    assert gradcheck(lambda x, w: (x * w, x + w, x.exp()), [x, w])
    with pytest.raises(GradcheckError, match="output 1 with respect to input 1"):
        gradcheck(lambda x, w: (x * w, x + wrong(w)), [x, w])


def test_inputs_that_need_no_gradient_are_passed_on(x):
    assert gradcheck(lambda x, k, flag: x * k if flag else x, [x, 3, True])
    assert gradgradcheck(lambda x, k: (x * k).exp(), [x, mt.tensor(0.5, dtype=mt.float64)])


def test_float32_is_refused():
    with pytest.raises(ValueError, match=r"input 0 is float32.*\.double\(\)"):
        gradcheck(mt.exp, mt.ones(2, requires_grad=True))


def test_no_input_to_differentiate_is_refused():
    with pytest.raises(ValueError, match="at least one input"):
        gradcheck(mt.exp, mt.ones(2, dtype=mt.float64))


def test_checks_touch_neither_inputs_nor_their_grad(x):
    before = x.tolist()
    gradcheck(mt.exp, x)
    gradgradcheck(mt.exp, x)
    assert x.tolist() == before and x.grad is None and x._version == 0


def test_gradgradcheck_takes_grad_outputs(x):
    assert gradgradcheck(mt.exp, x, mt.tensor([1.0, 2.0, 3.0], dtype=mt.float64))


def test_a_linear_function_has_zero_second_derivative(x):
    assert gradgradcheck(lambda x: x * 3, x)
