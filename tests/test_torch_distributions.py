"""Distributions beside PyTorch's."""

import numpy as np
import pytest

import microtensor as mt

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(3, 4)), RNG.uniform(0.3, 2.0, size=4)
P = RNG.uniform(0.05, 0.95, (3, 4))

CASES = {
    "Normal": ({"loc": A, "scale": B}, RNG.normal(size=(2, 3, 4))),
    "Uniform": ({"low": -B, "high": B + 1}, RNG.uniform(-0.3, 1.3, (2, 4))),
    "Exponential": ({"rate": B}, RNG.uniform(0.1, 3.0, (3, 4))),
    "Laplace": ({"loc": A, "scale": B}, RNG.normal(size=(2, 3, 4))),
    "Bernoulli": ({"probs": P}, RNG.integers(0, 2, (3, 4)).astype(float)),
    "Bernoulli of logits": ({"logits": A}, RNG.integers(0, 2, (2, 3, 4)).astype(float)),
    "Categorical": ({"probs": P}, RNG.integers(0, 4, (2, 3))),
    "Categorical of logits": ({"logits": A}, RNG.integers(0, 4, 3)),
}


def made(library, name, parameters):
    given = {
        key: library.tensor(value.tolist(), dtype=library.float64)
        for key, value in parameters.items()
    }
    return getattr(library.distributions, name.split()[0])(**given)


@pytest.mark.parametrize("name", CASES)
def test_everything_but_samples_agrees(name):
    parameters, value = CASES[name]
    theirs, ours = made(torch, name, parameters), made(mt, name, parameters)
    assert tuple(ours.batch_shape) == tuple(theirs.batch_shape)
    assert repr(ours).replace("microtensor", "torch") == repr(theirs)

    def same(found, expected):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12, atol=1e-14)

    same(ours.log_prob(mt.tensor(value)), theirs.log_prob(torch.tensor(value)))
    same(ours.entropy(), theirs.entropy())
    for moment in ("mean", "variance", "stddev"):
        same(getattr(ours, moment), getattr(theirs, moment))
    if name not in ("Uniform",):
        same(ours.mode, theirs.mode)
    if "probs" in parameters or "logits" in parameters:
        same(ours.probs, theirs.probs)
        same(ours.logits, theirs.logits)
        same(ours.enumerate_support(), theirs.enumerate_support())
    else:
        same(ours.cdf(mt.tensor(value)), theirs.cdf(torch.tensor(value)))
        inside = mt.rand(4, dtype=mt.float64)
        same(ours.icdf(inside), theirs.icdf(torch.tensor(inside.tolist(), dtype=torch.float64)))


PAIRS = [
    *((name, name) for name in CASES),
    ("Uniform", "Normal"),
    ("Exponential", "Normal"),
]


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_divergences_agree(p, q):
    def other(parameters):
        return {
            key: value[..., ::-1] if key in ("probs", "logits") else value * 1.1 + 0.05
            for key, value in parameters.items()
        }

    ours, theirs = (
        library.distributions.kl_divergence(
            made(library, p, CASES[p][0]), made(library, q, other(CASES[q][0]))
        )
        for library in (mt, torch)
    )
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-11)
