"""A line search for the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


class Point:
    """A function on a line: where, its value, its gradient, and its slope along the line."""

    __slots__ = ("gradient", "slope", "t", "value")

    def __init__(self, t: float, value: float, gradient: Any, slope: float) -> None:
        self.t = t
        self.value = value
        self.gradient = gradient
        self.slope = slope


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Give where the cubic through two values and slopes is least, within bounds.

    Args:
        a: a point.
        b: another.
        bounds: the least and the largest t allowed; those of a and b unless given.

    Returns:
        The minimum; the middle of the bounds where the cubic has none.
    """
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    d2 = math.sqrt(square)
    left, right = (a, b) if a.t <= b.t else (b, a)
    denominator = right.slope - left.slope + 2 * d2
    if denominator == 0:
        return (low + high) / 2
    t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / denominator)
    return min(max(t, low), high)


def strong_wolfe(
    at: Callable[[float], Point],
    start: Point,
    t: float,
    size: float,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance_change: float = 1e-9,
    max_evaluations: int = 25,
) -> Point:
    """Find a step that falls enough and ends where the slope is flat enough.

    The conditions, f(t) ≤ f(0) + c₁·t·f'(0) and |f'(t)| ≤ c₂·|f'(0)|, are met in two phases: steps
    grow until an interval must hold such a point, then cubic interpolation narrows it.

    Args:
        at: evaluates the function.
        start: t = 0, with a negative slope.
        t: the first step to try.
        size: the largest element of the direction; intervals shorter than tolerance_change over it
            end the search.
        c1: the constant of the first condition.
        c2: that of the second.
        tolerance_change: see size.
        max_evaluations: how many more to make after the first; then the best so far is given.

    Returns:
        The point found, or the best of the last interval.

    References:
        Nocedal & Wright, Numerical optimization, algorithms 3.5 and 3.6; the constants and the
        order of the tests are those of Schmidt's minFunc, as in PyTorch.
    """

    def too_high(p: Point) -> bool:
        return p.value > start.value + c1 * p.t * start.slope

    def flat(p: Point) -> bool:
        return abs(p.slope) <= -c2 * start.slope

    previous, new, count = start, at(t), 0
    bracket: list[Point] = []
    while count < max_evaluations:
        if too_high(new) or (count > 1 and new.value >= previous.value):
            bracket = [previous, new]
            break
        if flat(new):
            return new
        if new.slope >= 0:
            bracket = [previous, new]
            break
        bounds = (new.t + 0.01 * (new.t - previous.t), new.t * 10)
        t = cubic_minimum(previous, new, bounds)
        previous, new = new, at(t)
        count += 1
    if not bracket:
        bracket = [start, new]
    stuck = False
    low, high = (0, 1) if bracket[0].value <= bracket[1].value else (1, 0)
    while count < max_evaluations:
        left, right = sorted(p.t for p in bracket)
        if (right - left) * size < tolerance_change:
            break
        t = cubic_minimum(bracket[0], bracket[1])
        # Too close to an end, twice or beyond it: a tenth of the interval inwards instead.
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:
            if stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        new = at(t)
        count += 1
        if too_high(new) or new.value >= bracket[low].value:
            bracket[high] = new
            low, high = (0, 1) if bracket[0].value <= bracket[1].value else (1, 0)
            continue
        done = flat(new)
        if not done and new.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = new
        if done:
            break
    return bracket[low]
