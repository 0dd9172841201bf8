"""The clouds over plain gradient descent: what goes wrong, measured beside what theory says."""

from microtensor.lab.clouds.deep_saddle import deep_saddle
from microtensor.lab.clouds.rates import rate_too_large, rate_too_small, sharpness
from microtensor.lab.clouds.ravine import ravine
from microtensor.lab.clouds.ripples import rippled_ravine
from microtensor.lab.clouds.saddle import saddle
from microtensor.lab.clouds.training import sharpness_in_training

__all__ = [
    "deep_saddle",
    "rate_too_large",
    "rate_too_small",
    "ravine",
    "rippled_ravine",
    "saddle",
    "sharpness",
    "sharpness_in_training",
]
