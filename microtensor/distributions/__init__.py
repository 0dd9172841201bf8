"""Distributions: densities, samples through which gradients flow, entropies, divergences."""

from microtensor.distributions import constraints
from microtensor.distributions.continuous import Exponential, Laplace, Uniform
from microtensor.distributions.discrete import Bernoulli, Categorical
from microtensor.distributions.distribution import Distribution
from microtensor.distributions.independent import Independent
from microtensor.distributions.kl import kl_divergence, register_kl
from microtensor.distributions.normal import Normal

__all__ = [
    "Bernoulli",
    "Categorical",
    "Distribution",
    "Exponential",
    "Independent",
    "Laplace",
    "Normal",
    "Uniform",
    "constraints",
    "kl_divergence",
    "register_kl",
]
