"""The clouds over plain gradient descent: what goes wrong, measured beside what theory says."""

from microtensor.lab.clouds.ravine import ravine

__all__ = ["ravine"]
