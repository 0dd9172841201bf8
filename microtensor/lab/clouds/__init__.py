"""The clouds over plain gradient descent: what goes wrong, measured beside what theory says."""

from microtensor.lab.clouds.rates import rate_too_large, rate_too_small, sharpness
from microtensor.lab.clouds.ravine import ravine
from microtensor.lab.clouds.saddle import saddle

__all__ = ["rate_too_large", "rate_too_small", "ravine", "saddle", "sharpness"]
