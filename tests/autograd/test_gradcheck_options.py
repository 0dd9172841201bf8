"""Options of gradcheck and gradgradcheck, several outputs, and inputs that are no floats."""

import numpy as np
import pytest

import microtensor as mt
from microtensor.autograd import Function, GradcheckError, gradcheck, gradgradcheck


def leaf():
    return mt.tensor([0.5, -1.5, 2.0], dtype=mt.float64, requires_grad=True)


def test_integer_and_bool_inputs_and_outputs_are_passed_by():
    index, mask = mt.tensor([2, 0]), mt.tensor([True, False, True])

    def function(x, index, mask):
        return x[index] * 2, x.argmax(), x > 0, mt.where(mask, x, 0.0)

    assert gradcheck(function, [leaf(), index, mask])
    assert gradgradcheck(lambda x, i, m: (x[i] ** 3, (x * m).exp()), [leaf(), index, mask])


class Noisy(Function):
    noise = 0.0

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        Noisy.noise += 1e-7
        return g * (2 + Noisy.noise)


def test_a_derivative_that_differs_from_walk_to_walk_is_found():
    with pytest.raises(GradcheckError, match=r"not reentrant.*output 0, input 0.*nondet_tol is 0"):
        gradcheck(Noisy.apply, leaf())
    assert gradcheck(Noisy.apply, leaf(), nondet_tol=1e-3)
    assert gradcheck(Noisy.apply, leaf(), raise_exception=False) is False


def test_options_of_pytorch_are_taken():
    assert gradcheck(
        mt.exp, leaf(), check_undefined_grad=False, check_grad_dtypes=True, fast_mode=True,
        check_batched_grad=True, masked=False,
    )  # fmt: skip
    assert gradgradcheck(
        mt.exp, leaf(), gen_non_contig_grad_outputs=True, fast_mode=True, check_batched_grad=True
    )
    assert gradcheck(lambda x: Noisy.apply(x), leaf(), check_backward_ad=False)
    for refused in ("check_forward_ad", "check_batched_forward_grad"):
        with pytest.raises(NotImplementedError, match="forward"):
            gradcheck(mt.exp, leaf(), **{refused: True})
    with pytest.raises(NotImplementedError, match="forward"):
        gradgradcheck(mt.exp, leaf(), check_fwd_over_rev=True)


def test_a_function_that_needs_all_gradients_is_found():
    class Careless(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            return g * 2 if h is None else h * 3  # forgets g where both come

    assert gradcheck(Careless.apply, leaf())
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: mt.stack(Careless.apply(x)), leaf())


def test_jacobians_agree_with_a_formula_worked_out_by_hand():
    x = np.array([0.3, -0.8])
    a = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]])
    expected = (1 - np.tanh(a @ x) ** 2)[:, None] * a
    functional, A = mt.autograd.functional, mt.tensor(a, dtype=mt.float64)
    given = mt.tensor(x, dtype=mt.float64)

    def function(x):
        return (A @ x).tanh()

    np.testing.assert_allclose(functional.jacobian(function, given).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(mt.func.jacrev(function)(given).numpy(), expected, rtol=1e-12)
    v, u = np.array([2.0, -1.0]), np.array([1.0, 0.5, -2.0])
    _, pushed = functional.jvp(function, given, mt.tensor(v, dtype=mt.float64))
    _, pulled = functional.vjp(function, given, mt.tensor(u, dtype=mt.float64))
    np.testing.assert_allclose(pushed.numpy(), expected @ v, rtol=1e-12)
    np.testing.assert_allclose(pulled.numpy(), u @ expected, rtol=1e-12)
    hessian = functional.hessian(lambda x: (x[0] * x[1]) ** 2, given)
    p, q = x
    np.testing.assert_allclose(
        hessian.numpy(), [[2 * q * q, 4 * p * q], [4 * p * q, 2 * p * p]], rtol=1e-12
    )


def test_the_jacobian_of_nothing_is_empty():
    found = mt.autograd.functional.jacobian(lambda x: x[:0] * 2, mt.ones(2))
    assert found.shape == (0, 2)
    assert mt.func.jacrev(lambda x: x[:0] * 2)(mt.ones(3)).shape == (0, 3)
