"""Noisy moons as a surface: the loss of logistic regression along its two weights."""

from __future__ import annotations

import functools
import math

import numpy as np

import microtensor as mt
import microtensor.nn.functional as F
from microtensor.lab.optional import require
from microtensor.lab.seeds import seed_for
from microtensor.lab.surfaces import NOISY_MOONS, Floats, Surface

_ROWS, _NOISE = 200, 0.3


def moons_surface(seed: int = 0) -> tuple[Surface, Floats]:
    """Return the surface and its rows, each times its class -1 or +1, (rows, 2).

    With z such a row, the loss is the mean of ln(1 + exp(-z·w)): no intercept, since the columns
    are centred and the classes equally frequent.
    """
    make_moons = require("sklearn.datasets").make_moons
    x, y = make_moons(_ROWS, noise=_NOISE, random_state=seed_for(seed, "noisy moons"))
    x = (x - x.mean(0)) / x.std(0)
    signed: Floats = np.ascontiguousarray(x * (2 * y[:, None] - 1))
    best = _optimum(signed)
    lowest = float(np.logaddexp(0, -signed @ best).mean())
    reach = 1.6 * max(1.0, float(np.abs(best).max()))
    surface = Surface(
        NOISY_MOONS,
        "Noisy moons",
        functools.partial(batch_loss, mt.tensor(np.ascontiguousarray(signed.T))),
        "mean of ln(1 + exp(−z·w)) over 200 rows of make_moons, z = ±x",
        (-reach, reach, -reach, reach),
        (0.0, 0.0),
        ((float(best[0]), float(best[1])),),
        lowest,
        lowest + 0.01 * (math.log(2) - lowest),
        0.3,
        steady=True,
    )
    return surface, signed


def batch_loss(signed: mt.Tensor | tuple[mt.Tensor, ...], x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    """Return the loss at weights (x, y) of any one shape.

    Args:
        signed: rows by columns, (2, rows), the same for all; or two columns, each (..., rows), of
            which each weight pair has its own.
        x: the first weights.
        y: the second weights.
    """
    if isinstance(signed, mt.Tensor):
        margin = mt.stack([x, y], -1) @ signed
    else:
        first, second = signed
        margin = x.unsqueeze(-1) * first + y.unsqueeze(-1) * second
    return F.softplus(-margin).mean(-1)


def _optimum(signed: Floats) -> Floats:
    """Return the weights at which the gradient is zero, by Newton's method."""
    weights = np.zeros(2)
    for _ in range(50):
        wrong = 1 / (1 + np.exp(signed @ weights))
        gradient = -(signed * wrong[:, None]).mean(0)
        curvature = (signed.T * (wrong * (1 - wrong))) @ signed / len(signed)
        weights = weights - np.linalg.solve(curvature, gradient)
        if np.abs(gradient).max() < 1e-14:
            break
    return weights
