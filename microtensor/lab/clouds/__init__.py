"""The clouds over plain gradient descent: what goes wrong, measured beside what theory says."""

from microtensor.lab.clouds.accuracy import accuracy
from microtensor.lab.clouds.batches import Plan
from microtensor.lab.clouds.deep_saddle import deep_saddle
from microtensor.lab.clouds.noise import gradient_noise
from microtensor.lab.clouds.rare import rare_parameters
from microtensor.lab.clouds.rates import rate_too_large, rate_too_small, sharpness
from microtensor.lab.clouds.ravine import ravine
from microtensor.lab.clouds.ripples import rippled_ravine
from microtensor.lab.clouds.saddle import saddle
from microtensor.lab.clouds.speed import speed
from microtensor.lab.clouds.suggested import rate_suggested
from microtensor.lab.clouds.training import sharpness_in_training

__all__ = [
    "Plan",
    "accuracy",
    "deep_saddle",
    "gradient_noise",
    "rare_parameters",
    "rate_suggested",
    "rate_too_large",
    "rate_too_small",
    "ravine",
    "rippled_ravine",
    "saddle",
    "sharpness",
    "sharpness_in_training",
    "speed",
]
