"""Distributions: moments of samples, gradients through them, and what is refused."""

import math

import numpy as np
import pytest

import microtensor as mt
from microtensor import distributions as D
from microtensor.autograd import gradcheck

WIDE = mt.float64


def tensor(*values):
    return mt.tensor(values, dtype=WIDE)


MADE = {
    "Normal": lambda: D.Normal(tensor(-1.0, 2.0), tensor(0.5, 3.0)),
    "Uniform": lambda: D.Uniform(tensor(-1.0, 2.0), tensor(0.0, 5.0)),
    "Exponential": lambda: D.Exponential(tensor(0.5, 3.0)),
    "Laplace": lambda: D.Laplace(tensor(-1.0, 2.0), tensor(0.5, 3.0)),
    "Bernoulli": lambda: D.Bernoulli(tensor(0.2, 0.7)),
}


@pytest.mark.parametrize("name", MADE)
def test_samples_have_the_moments_that_are_stated(name):
    mt.manual_seed(0)
    made = MADE[name]()
    drawn = made.sample((20_000,)).numpy()
    assert drawn.shape == (20_000, 2)
    assert drawn.dtype == np.float64
    deviation = made.stddev.numpy()
    assert (np.abs(drawn.mean(0) - made.mean.numpy()) < 4 * deviation / math.sqrt(20_000)).all()
    np.testing.assert_allclose(drawn.var(0), made.variance.numpy(), rtol=0.08)
    # The entropy is the mean surprise.
    surprise = -made.log_prob(mt.tensor(drawn)).mean(0)
    np.testing.assert_allclose(surprise.numpy(), made.entropy().numpy(), rtol=0.05, atol=0.02)


@pytest.mark.parametrize("name", [name for name in MADE if name != "Bernoulli"])
def test_densities_are_slopes_of_distribution_functions_and_these_have_inverses(name):
    made = MADE[name]()
    x = made.icdf(mt.full((2,), 0.3, dtype=WIDE)).requires_grad_()
    assert mt.allclose(made.cdf(x), mt.full((2,), 0.3, dtype=WIDE))
    (slope,) = mt.autograd.grad(made.cdf(x).sum(), x)
    assert mt.allclose(slope, made.log_prob(x).exp().detach())


@pytest.mark.parametrize("name", [name for name in MADE if name != "Bernoulli"])
def test_gradients_flow_through_samples(name):
    parameters = [tensor(0.5, 1.0), tensor(2.0, 3.0)][-1 if name == "Exponential" else 0 :]
    for p in parameters:
        p.requires_grad_()

    def draw(*given):
        mt.manual_seed(1)
        return getattr(D, name)(*given).rsample((3,))

    assert gradcheck(draw, parameters)
    assert not MADE[name]().sample().requires_grad


def test_gradients_of_log_probabilities():
    value = tensor(0.3, 0.8)
    leaves = [tensor(0.5, 1.0).requires_grad_(), tensor(2.0, 3.0).requires_grad_()]
    for kind in (D.Normal, D.Laplace):
        assert gradcheck(lambda a, b, kind=kind: kind(a, b).log_prob(value), leaves)
        assert gradcheck(lambda a, b, kind=kind: kind(a, b).entropy(), leaves)
    logits = mt.randn(3, dtype=WIDE, requires_grad=True)
    assert gradcheck(lambda x: D.Categorical(logits=x).log_prob(mt.tensor([0, 2])), [logits])
    assert gradcheck(lambda x: D.Bernoulli(logits=x).entropy(), [logits])


def test_classes():
    mt.manual_seed(0)
    made = D.Categorical(tensor(1.0, 3.0, 0.0))
    assert np.allclose(made.probs.numpy(), [0.25, 0.75, 0.0])
    drawn = made.sample((8000,))
    assert drawn.dtype is mt.int64
    shares = np.bincount(drawn.numpy(), minlength=3) / 8000
    np.testing.assert_allclose(shares, [0.25, 0.75, 0], atol=0.02)
    batch = D.Categorical(logits=mt.zeros(4, 1, 3))
    assert batch.sample((2, 5)).shape == (2, 5, 4, 1)
    assert batch.sample((0,)).shape == (0, 4, 1)
    assert batch.log_prob(mt.zeros(6, dtype=mt.int64)).shape == (4, 6)
    assert batch.enumerate_support().shape == (3, 4, 1)
    assert made.perplexity().item() == pytest.approx(0.25**-0.25 * 0.75**-0.75)
    assert (made.mode.item(), math.isnan(made.mean.item())) == (1, True)


@pytest.mark.parametrize("name", MADE)
def test_expansion(name):
    made = MADE[name]()
    wide = made.expand((3, 2))
    assert type(wide) is type(made)
    assert wide.batch_shape == (3, 2)
    assert wide.sample((4,)).shape == (4, 3, 2)
    assert mt.allclose(wide.mean[1], made.mean)
    classes = D.Categorical(tensor(0.1, 0.9)).expand((3,))
    assert classes.log_prob(mt.zeros(3, dtype=mt.int64)).shape == (3,)


def test_vectors_of_independent_numbers():
    base = D.Normal(mt.zeros(4, 3), mt.ones(4, 3))
    made = D.Independent(base, 1)
    assert (made.batch_shape, made.event_shape) == ((4,), (3,))
    assert made.has_rsample
    x = made.rsample((2,))
    assert mt.allclose(made.log_prob(x), base.log_prob(x).sum(-1))
    assert mt.allclose(made.entropy(), base.entropy().sum(-1))
    assert made.expand((5, 4)).sample().shape == (5, 4, 3)
    assert D.kl_divergence(made, made).tolist() == [0.0] * 4
    with pytest.raises(ValueError, match="3 vs 2"):
        D.Independent(base, 3)


def test_divergences_are_means_of_log_ratios():
    mt.manual_seed(0)
    pairs = [
        (D.Normal(tensor(0.0), tensor(1.0)), D.Normal(tensor(1.0), tensor(2.0))),
        (D.Laplace(tensor(0.0), tensor(1.0)), D.Laplace(tensor(1.0), tensor(2.0))),
        (D.Exponential(tensor(2.0)), D.Exponential(tensor(1.0))),
        (D.Exponential(tensor(2.0)), D.Normal(tensor(1.0), tensor(2.0))),
        (D.Uniform(tensor(0.0), tensor(1.0)), D.Uniform(tensor(-1.0), tensor(2.0))),
        (D.Uniform(tensor(0.0), tensor(1.0)), D.Normal(tensor(1.0), tensor(2.0))),
        (D.Bernoulli(tensor(0.2)), D.Bernoulli(tensor(0.6))),
    ]
    for p, q in pairs:
        x = p.sample((40_000,))
        expected = (p.log_prob(x) - q.log_prob(x)).mean().item()
        assert D.kl_divergence(p, q).item() == pytest.approx(expected, rel=0.06)


def test_divergences_of_one_more_class_are_found_by_its_bases():
    class Own(D.Normal):
        pass

    p = Own(0.0, 1.0)
    assert D.kl_divergence(p, p).item() == 0.0
    with pytest.raises(NotImplementedError, match="Own and q type Bernoulli"):
        D.kl_divergence(p, D.Bernoulli(0.5))

    @D.register_kl(Own, Own)
    def own(p, q):
        return "own"

    assert D.kl_divergence(p, p) == "own"


def test_bad_parameters_and_values_are_named():
    def refused(words, function):
        with pytest.raises(ValueError, match=words):
            function()

    refused(r"scale .*shape \(2,\).*GreaterThan\(lower", lambda: D.Normal(0.0, tensor(1, -1)))
    refused("loc.*Real", lambda: D.Normal(math.nan, 1.0))
    refused("low.*high", lambda: D.Uniform(1.0, 1.0))
    refused("rate", lambda: D.Exponential(0.0))
    refused("probs.*Interval", lambda: D.Bernoulli(1.5))
    refused("probs.*Simplex", lambda: D.Categorical(tensor(-1.0, 2.0)))
    refused("not both", lambda: D.Bernoulli())
    refused("not both", lambda: D.Categorical(tensor(1.0), tensor(1.0)))
    refused("at least one-dimensional", lambda: D.Categorical(mt.tensor(0.5)))
    refused("numbers or tensors: got str", lambda: D.Normal("0", 1.0))
    refused("support.*Boolean", lambda: D.Bernoulli(0.5).log_prob(mt.tensor(0.5)))
    refused("support.*IntegerInterval", lambda: D.Categorical(tensor(1, 1)).log_prob(mt.tensor(2)))
    refused(r"\(3,\) vs \(2,\)", lambda: MADE["Normal"]().log_prob(mt.zeros(3)))
    refused("must be a Tensor", lambda: MADE["Normal"]().log_prob(0.0))
    assert D.Uniform(0.0, 1.0, validate_args=False).log_prob(mt.tensor(2.0)).item() == -math.inf
    with pytest.raises(AttributeError, match="'Bernoulli' object has no attribute 'prob'"):
        _ = D.Bernoulli(0.5).prob


def test_checking_can_be_switched_off():
    D.Distribution.set_default_validate_args(False)
    try:
        assert D.Normal(0.0, -1.0).scale.item() == -1.0
    finally:
        D.Distribution.set_default_validate_args(True)
