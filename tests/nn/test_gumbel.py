"""The Gumbel softmax: how often it draws what, its temperature, and its gradient."""

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F


def test_categories_come_as_often_as_their_logits_say():
    mt.manual_seed(0)
    shares = np.array([0.1, 0.6, 0.3])
    logits = mt.tensor(np.log(shares)).expand(20_000, 3)
    drawn = F.gumbel_softmax(logits, tau=0.3, hard=True)
    assert set(drawn.numpy().ravel().round(12)) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(0).numpy(), shares, atol=0.015)


def test_a_low_temperature_is_hard_and_a_high_one_even():
    mt.manual_seed(0)
    logits = mt.randn(50, 4, dtype=mt.float64)
    assert F.gumbel_softmax(logits, tau=1e-4).max(1)[0].median() > 0.999
    assert F.gumbel_softmax(logits, tau=1e4).sub(0.25).abs().max() < 1e-2


@pytest.mark.parametrize("dim", [0, -1])
def test_the_hard_form_has_the_gradient_of_the_soft_one(dim):
    gradients = []
    for hard in (False, True):
        mt.manual_seed(3)
        logits = mt.arange(6.0).reshape(2, 3).div(6).requires_grad_()
        y = F.gumbel_softmax(logits, tau=0.7, hard=hard, dim=dim)
        np.testing.assert_allclose(y.sum(dim).detach().numpy(), 1, rtol=1e-6)
        y.mul(mt.arange(6.0).reshape(2, 3)).sum().backward()
        gradients.append(logits.grad.numpy())
    np.testing.assert_allclose(*gradients, rtol=1e-6)
    assert gradients[0].any()
