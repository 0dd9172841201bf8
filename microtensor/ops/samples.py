"""Inputs on which the generic tests try each op: drawn away from kinks, in several shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Sample = tuple[tuple[Any, ...], dict[str, Any]]
# Quoted: naming numpy.random would import it, which takes longer than this whole package.
Samples = Callable[["np.random.Generator"], list[Sample]]


def _drawn(
    rng: np.random.Generator, shape: tuple[int, ...], positive: bool, avoid: tuple[float, ...] = ()
) -> Any:
    x = rng.uniform(0.4, 2.0, shape) if positive else rng.uniform(-2.0, 2.0, shape)
    for kink in avoid:
        # Far enough for finite differences not to reach across.
        near = np.abs(x - kink) < 0.1
        x = np.where(near, kink + 0.1 + np.abs(x - kink), x)
    return x


def one(positive: bool = False, avoid: tuple[float, ...] = (), **arguments: Any) -> Samples:
    """Samples of an op of one tensor."""

    def draw(rng: np.random.Generator) -> list[Sample]:
        shapes: list[tuple[int, ...]] = [(3, 4), (5,), (), (2, 0), (1,)]
        return [((_drawn(rng, s, positive, avoid),), dict(arguments)) for s in shapes]

    return draw


def pairs(
    positive_first: bool = False, positive_second: bool = False, apart: bool = False
) -> Samples:
    """Samples of an op of two tensors, broadcasting included."""

    def draw(rng: np.random.Generator) -> list[Sample]:
        shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
            ((3, 4), (3, 4)),
            ((3, 4), (4,)),
            ((2, 1, 3), (4, 1)),
            ((), (3,)),
            ((), ()),
            ((0, 3), (1, 3)),
        ]
        found: list[Sample] = []
        for first, second in shapes:
            a = _drawn(rng, first, positive_first)
            b = _drawn(rng, second, positive_second)
            if apart:  # where the quotient is not close to a whole number
                b = np.sign(b) * (0.5 + np.abs(b) % 0.3)
                a = np.round(a / 0.5) * 0.5 + 0.21 + 0 * a
            found.append(((a, b), {}))
        return found

    return draw


def choices() -> Samples:
    """Samples of ``where``."""

    def draw(rng: np.random.Generator) -> list[Sample]:
        found: list[Sample] = []
        for c, a, b in [((3, 4), (3, 4), (4,)), ((2, 1), (3,), ()), ((), (), ())]:
            condition = rng.uniform(size=c) < 0.5
            found.append(
                ((np.asarray(condition), _drawn(rng, a, False), _drawn(rng, b, False)), {})
            )
        return found

    return draw


def given(*cases: tuple[tuple[Any, ...], dict[str, Any]], positive: bool = False) -> Samples:
    """Samples of stated shapes and arguments; an array among the shapes stands for itself."""

    def draw(rng: np.random.Generator) -> list[Sample]:
        return [
            (
                tuple(
                    shape if isinstance(shape, np.ndarray) else _drawn(rng, shape, positive)
                    for shape in shapes
                ),
                dict(arguments),
            )
            for shapes, arguments in cases
        ]

    return draw


def within(low: float, high: float) -> Samples:
    """Samples of an op of one tensor that is defined on an interval."""

    def draw(rng: np.random.Generator) -> list[Sample]:
        shapes: list[tuple[int, ...]] = [(3, 4), (5,), (), (2, 0), (1,)]
        return [((np.asarray(rng.uniform(low, high, shape)),), {}) for shape in shapes]

    return draw


def bounds() -> Samples:
    """Samples of ``clamp`` with tensors for bounds: inside, outside, one missing, crossed."""

    def draw(rng: np.random.Generator) -> list[Sample]:
        x = rng.uniform(-0.4, 0.4, (3, 4)) + np.array([[-2.0], [0.0], [2.0]])
        low, high = rng.uniform(-1.5, -0.5, (4,)), rng.uniform(0.5, 1.5, (3, 1))
        single = np.asarray(0.3)
        return [
            ((x, low, high), {}),
            ((x, low), {}),
            ((x, None, high), {}),
            ((x, high, low), {}),
            ((single, single + 1, single + 2), {}),
        ]

    return draw
