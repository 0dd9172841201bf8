"""What an activation is like, measured: nothing here knows a formula."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from microtensor.lab.catalogue import Activation, Floats

Function = Callable[[Floats], Floats]

# Steps of 1/256 are exact, so that 0, ±1, ±3 and the like are points of the grid.
_REACH = 12
_GRID: Floats = np.arange(-_REACH * 256, _REACH * 256 + 1) / 256.0
# Far out, where a limit shows, and short of where a square overflows.
_FAR: Floats = np.array([1e10, 1e30, 1e60, 1e100])
_HUGE = 1e9
# On the grid a plateau is reached with a step; a limit is approached within less than this.
_NEAR = 1e-7
# A change of f or f' that is still as large over an interval of 1e-12 is a jump.
_JUMP = 1e-3
# Rounding, relative to the size of the values: slopes come from formulas with cancellation.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Traits:
    """What was measured of one activation.

    Attributes:
        lowest, highest: the least and greatest value; infinite if there is none.
        lowest_taken, highest_taken: whether it is a value of f, rather than a limit.
        monotonic: ``"increasing"``, ``"decreasing"``, ``"constant"``, or ``""`` for neither; an
            increasing function may have plateaus.
        derivative_monotonic: likewise of f'.
        identity_at_origin: whether f(0) = 0 and f' is 1 beside the origin.
        mean: of f(z) over the standard normal distribution.
        power: the mean of f(z)².
        slope_power: the mean of f'(z)².
        saturates_left, saturates_right: whether f has a finite limit there.
        slope_lowest, slope_highest: the least and greatest value of f'.
        at_zero: f(0).
        slope_at_zero: f'(0), or NaN if f' jumps there.
        kinks: where f' jumps, f itself being continuous.
        jumps: where f jumps.
    """

    lowest: float
    lowest_taken: bool
    highest: float
    highest_taken: bool
    monotonic: str
    derivative_monotonic: str
    identity_at_origin: bool
    mean: float
    power: float
    slope_power: float
    saturates_left: bool
    saturates_right: bool
    slope_lowest: float
    slope_highest: float
    at_zero: float
    slope_at_zero: float
    kinks: tuple[float, ...]
    jumps: tuple[float, ...]

    @property
    def zero_centred(self) -> bool:
        """Whether inputs that are normal around 0 come out with mean 0."""
        return abs(self.mean) < 1e-6

    @property
    def steepest(self) -> float:
        """The bound of |f'|."""
        return max(abs(self.slope_lowest), abs(self.slope_highest))

    @property
    def range(self) -> str:
        """The values of f as an interval, square brackets where the end is a value."""
        left, right = "[" if self.lowest_taken else "(", "]" if self.highest_taken else ")"
        return f"{left}{number(self.lowest)}, {number(self.highest)}{right}"

    @property
    def saturates(self) -> str:
        """``"left"``, ``"right"``, ``"both sides"`` or ``"no"``."""
        sides = {(True, True): "both sides", (True, False): "left", (False, True): "right"}
        return sides.get((self.saturates_left, self.saturates_right), "no")


def number(value: float) -> str:
    """Return a number as captions show it: four digits, a minus sign, ∞.

    Example:
        >>> number(-0.217234), number(1.0), number(float("inf"))
        ('−0.2172', '1', '∞')
    """
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    rounded = round(value, 4) + 0.0  # which makes −0 a 0
    return f"{rounded:.4g}".replace("-", "−")


@np.errstate(all="ignore")  # far out some overflow
def traits(f: Function, derivative: Function) -> Traits:
    """Measure a function of one variable and its derivative, vectorised over float64 arrays.

    Example:
        >>> found = traits(np.tanh, lambda x: 1 / np.cosh(np.clip(x, -300, 300)) ** 2)
        >>> found.kinks, found.jumps
        ((), ())
    """
    jumps = _jumps_of(f)
    kinks = tuple(
        at for at in _jumps_of(derivative) if all(abs(at - other) > _JUMP for other in jumps)
    )
    y, slope = f(_GRID), derivative(_GRID)
    left, right = _limit(f(-_FAR)), _limit(f(_FAR))
    lowest, lowest_taken = _greatest(lambda x: -f(x), -left, -right)
    highest, highest_taken = _greatest(f, left, right)
    slope_left, slope_right = _limit(derivative(-_FAR)), _limit(derivative(_FAR))
    slope_lowest, _ = _greatest(lambda x: -derivative(x), -slope_left, -slope_right)
    slope_highest, _ = _greatest(derivative, slope_left, slope_right)
    beside = derivative(np.array([-1e-9, 1e-9]))
    origin = np.zeros(1)
    at_zero, slope_at_zero = float(f(origin)[0]), float(derivative(origin)[0])
    torn = any(abs(at) < _JUMP for at in (*kinks, *jumps))
    z, weight = normal()
    return Traits(
        lowest=-lowest + 0.0,
        lowest_taken=lowest_taken,
        highest=highest + 0.0,
        highest_taken=highest_taken,
        monotonic=_trend(y, f(-_FAR[:2]), f(_FAR[:2])),
        derivative_monotonic=_trend(slope, derivative(-_FAR[:2]), derivative(_FAR[:2])),
        identity_at_origin=abs(at_zero) < 1e-12 and bool((abs(beside - 1) < 1e-6).all()),
        mean=float(weight @ f(z)),
        power=float(weight @ f(z) ** 2),
        slope_power=float(weight @ derivative(z) ** 2),
        saturates_left=math.isfinite(left),
        saturates_right=math.isfinite(right),
        slope_lowest=-slope_lowest + 0.0,
        slope_highest=slope_highest + 0.0,
        at_zero=at_zero + 0.0,
        slope_at_zero=math.nan if torn else slope_at_zero,
        kinks=kinks,
        jumps=jumps,
    )


def derivative_error(activation: Activation, measured: Traits) -> float:
    """Return the largest difference between f' and the central difference of f.

    Relative to 1 + |f'|, on points of [-6, 6] away from kinks and jumps.
    """
    x = np.linspace(-6, 6, 997)
    for at in (*measured.kinks, *measured.jumps):
        x = x[abs(x - at) > 1e-2]
    step = 1e-4
    # Of fourth order: the error is about step⁴, and rounding about 1e-12.
    f = activation
    difference = (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (
        12 * step
    )
    slope = activation.derivative(x)
    return float((abs(slope - difference) / (1 + abs(slope))).max())


def _limit(far: Floats) -> float:
    """Return the limit that values far out tend to: finite, infinite, or NaN if there is none."""
    last = float(far[-1])
    if abs(last) > _HUGE and abs(last) >= abs(far[0]):
        return math.copysign(math.inf, last)
    return last if float(np.ptp(far)) < 1e-6 else math.nan


def _greatest(f: Function, left: float, right: float) -> tuple[float, bool]:
    """Return the supremum of a function, and whether it is one of its values."""
    limits = [limit for limit in (left, right) if not math.isnan(limit)]
    if math.inf in limits:
        return math.inf, False
    y = f(_GRID)
    top = _refined(f, int(y.argmax()))
    limit = max(limits, default=-math.inf)
    if math.isinf(limit) or top > limit + _NEAR * (1 + abs(limit)):
        return top, True
    # The grid comes near the limit: by a step onto a plateau, or little by little?
    sides = [values for values, end in ((y[::-1], right), (y, left)) if end == limit]
    return limit, any(_plateau(values, limit) for values in sides)


def _plateau(values: Floats, limit: float) -> bool:
    """Tell whether values, from the outside inward, start on a limit and leave it with a step."""
    distance = abs(values - limit)
    leaves = np.flatnonzero(distance > _NEAR)
    before = distance[: leaves[0]] if leaves.size else distance
    return bool(before.size) and bool((before == 0).all())


def _refined(f: Function, index: int) -> float:
    """Return the greatest value near a point of the grid, by looking ever closer."""
    at, width = _GRID[index], 1 / 256
    best = float(f(_GRID[index : index + 1])[0])
    for _ in range(8):
        x = at + np.linspace(-width, width, 65)
        y = f(x)
        at, width = x[y.argmax()], width / 16
        best = max(best, float(y.max()))
    return best


def _trend(y: Floats, left: Floats, right: Floats) -> str:
    """Return whether values, with those far out on both sides, only rise or only fall."""
    every = np.concatenate([left[::-1], y, right])
    change = np.diff(every)
    rounding = _ROUNDING * np.maximum(1.0, np.maximum(abs(every[1:]), abs(every[:-1])))
    rises, falls = bool((change > rounding).any()), bool((change < -rounding).any())
    names = {(False, False): "constant", (True, False): "increasing", (False, True): "decreasing"}
    return names.get((rises, falls), "")


def _jumps_of(f: Function) -> tuple[float, ...]:
    """Return where a function jumps: where a change stays as large however near one looks."""
    low, high = _GRID[:-1].copy(), _GRID[1:].copy()
    for _ in range(34):  # from 1/256 to less than 1e-12
        middle = (low + high) / 2
        lower, centre, upper = f(low), f(middle), f(high)
        left = abs(centre - lower) > abs(upper - centre)
        high, low = np.where(left, middle, high), np.where(left, low, middle)
        # A point that keeps no jump would only cost time.
        kept = abs(f(high) - f(low)) > _JUMP
        low, high = low[kept], high[kept]
        if not low.size:
            return ()
    places: list[float] = []
    for place in ((low + high) / 2).round(6).tolist():
        if not any(abs(place - other) < _JUMP for other in places):
            places.append(place + 0.0)
    return tuple(places)


def normal() -> tuple[Floats, Floats]:
    """Return points and weights that integrate over the standard normal distribution.

    The trapezoidal rule, points in mirrored pairs half a step off the grid, so that no kink at 0
    or ±1 falls on a point.
    """
    step = 1 / 2048
    z = np.arange(-_REACH + step / 2, _REACH, step)
    weight = np.exp(-0.5 * z * z)
    return z, weight / weight.sum()


def as_record(activation: Activation, measured: Traits) -> dict[str, object]:
    """Return the name, what is drawn, and all traits, for a file."""
    said = {"name": activation.name, "formula": activation.formula, "with": activation.note}
    return {**said, **asdict(measured)}
