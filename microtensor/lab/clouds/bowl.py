"""Descent in quadratic bowls, ½ xᵀHx, where theory says exactly what must be measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt

Floats = NDArray[np.float64]


def bowl(low: float, high: float, degrees: float = 0.0) -> Floats:
    """Return H with these two eigenvalues, its axes turned counter-clockwise.

    Example:
        >>> bowl(1.0, 4.0).tolist()
        [[1.0, 0.0], [0.0, 4.0]]
    """
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return turn @ np.diag([low, high]) @ turn.T


def distances(
    bowls: Sequence[Floats],
    starts: Sequence[Floats],
    make: Callable[[list[dict[str, Any]]], Any],
    settings: Sequence[dict[str, Any]],
    steps: int,
) -> Floats:
    """Return ‖x‖ of several runs after each step, in float64, (steps + 1, runs).

    The slope of ½ xᵀHx is Hx: it is written into the gradients directly, all runs at once, so that
    a hundred thousand steps take seconds.

    Args:
        bowls: H of each run, symmetric.
        starts: where each begins.
        make: makes the optimizer, from parameter groups.
        settings: of each run's group, as its learning rate.
        steps: of each run.
    """
    matrices = np.stack(bowls)
    here = np.array(starts, np.float64)
    slopes = np.zeros_like(here)
    groups = []
    for run, setting in enumerate(settings):
        # Parameters and gradients are views of the two arrays, which never move.
        parameter = mt.from_numpy(here[run]).requires_grad_()
        parameter.grad = mt.from_numpy(slopes[run])
        groups.append({"params": [parameter], **setting})
    optimizer = make(groups)
    gone = np.empty((steps + 1, len(here)))
    gone[0] = np.linalg.norm(here, axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(1, steps + 1):
            np.einsum("rij,rj->ri", matrices, here, out=slopes)
            optimizer.step()
            gone[step] = np.sqrt(np.einsum("ri,ri->r", here, here))
    return gone


def descent(groups: list[dict[str, Any]]) -> Any:
    """Return :class:`microtensor.optim.SGD`, which with momentum is the heavy ball."""
    return mt.optim.SGD(groups, lr=1.0)


def reached(gone: Floats, target: Floats | float) -> Floats:
    """Return the step from which on each run stays within a target, infinite if it does not."""
    outside = ~(gone <= target)
    last = len(gone) - 1 - outside[::-1].argmax(0)
    steps = np.where(outside.any(0), last + 1, 0).astype(np.float64)
    return np.where(outside[-1], np.inf, steps)
