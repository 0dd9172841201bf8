"""Functions of two variables that optimizers race over, as written and rotated."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt

Floats = NDArray[np.float64]
Function = Callable[[mt.Tensor, mt.Tensor], mt.Tensor]
Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Surface:
    """A function of two variables, where it is drawn, and what counts as arriving.

    Attributes:
        name: in arguments and file names.
        label: what tables and pictures call it.
        function: takes x and y, tensors of one shape, and returns the values in that shape.
        formula: for the reader.
        frame: (left, right, bottom, top) of the picture.
        start: where the race is shown from.
        minima: the points with the lowest value; none on a saddle.
        lowest: the value there; negative infinity on a saddle.
        target: a run has arrived when its value is at most this.
        nearby: deviation of the other starts from `start`, in both directions.
        rate: the one at which all race where there is nothing to tune: on a saddle, without a
            floor, a larger rate always leaves sooner, in one jump in the end.
        steady: whether the function does the same operations at every point and has no other
            effect, so that a step over it may be recorded and replayed.
    """

    name: str
    label: str
    function: Function
    formula: str
    frame: tuple[float, float, float, float]
    start: Point
    minima: tuple[Point, ...] = ()
    lowest: float = -math.inf
    target: float = 0.0
    nearby: float = 0.3
    rate: float | None = None
    steady: bool = False

    @property
    def slow(self) -> bool:
        """Whether the function is called point by point."""
        return getattr(self.function, "func", None) is _each

    @property
    def saddle(self) -> bool:
        """Whether there is no minimum: the question is how soon the ridge is left."""
        return not self.minima

    def __call__(self, points: Floats) -> Floats:
        """Return the values at points, (..., 2)."""
        points = np.asarray(points, np.float64)
        with mt.no_grad():
            x, y = (mt.tensor(np.ascontiguousarray(points[..., axis])) for axis in (0, 1))
            return self.function(x, y).numpy()

    def inside(self, points: Floats) -> NDArray[np.bool_]:
        """Tell which points lie in the frame."""
        left, right, bottom, top = self.frame
        x, y = points[..., 0], points[..., 1]
        return (left <= x) & (x <= right) & (bottom <= y) & (y <= top)

    def arrived(self, points: Floats, values: Floats) -> NDArray[np.bool_]:
        """Tell which points count as arrived; on a saddle those that left it within the frame."""
        below = values <= self.target
        return below & self.inside(points) if self.saddle else below

    def rotated(self, degrees: float) -> Surface:
        """Return this surface turned about the middle of its frame, counter-clockwise.

        Aligned with the axes, a valley flatters methods that scale each coordinate by itself.
        """
        left, right, bottom, top = self.frame
        middle = ((left + right) / 2, (bottom + top) / 2)
        return dataclasses.replace(
            self,
            name=f"{self.name}_rotated",
            label=f"{self.label}, rotated by {degrees:g}°",
            function=functools.partial(_turned_back, self.function, middle, degrees),
            start=_turned(self.start, middle, degrees),
            minima=tuple(_turned(one, middle, degrees) for one in self.minima),
        )


def _turned(point: Point, middle: Point, degrees: float) -> Point:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = point[0] - middle[0], point[1] - middle[1]
    return middle[0] + cosine * x - sine * y, middle[1] + sine * x + cosine * y


def _turned_back(
    function: Function, middle: Point, degrees: float, x: mt.Tensor, y: mt.Tensor
) -> mt.Tensor:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = x - middle[0], y - middle[1]
    return function(middle[0] + cosine * x + sine * y, middle[1] + cosine * y - sine * x)


def _beale(x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    return (
        (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2
    )  # fmt: skip


def _rosenbrock(x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _himmelblau(x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def _rastrigin(x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    turn = 2 * math.pi
    return 20 + x**2 - 10 * mt.cos(turn * x) + y**2 - 10 * mt.cos(turn * y)


def _branin(x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    bent = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return bent**2 + 10 * (1 - 1 / (8 * math.pi)) * mt.cos(x) + 10


def _ackley(x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    # The root's slope is infinite at the minimum itself; one part in 10³⁰ keeps it finite.
    away = mt.exp(-0.2 * mt.sqrt(0.5 * (x**2 + y**2) + 1e-30))
    waves = mt.exp(0.5 * (mt.cos(2 * math.pi * x) + mt.cos(2 * math.pi * y)))
    return -20 * away - waves + math.e + 20


def _saddle(x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    return x**2 - y**2


def _monkey_saddle(x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    return x**3 - 3 * x * y**2


def _valley(x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    return 0.005 * x**2 + 0.5 * y**2


_HIMMELBLAU = ((3.0, 2.0), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848127))
_BRANIN = ((-math.pi, 12.275), (math.pi, 2.275), (3 * math.pi, 2.475))

_WRITTEN = (
    Surface(
        "beale", "Beale", _beale,
        "(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²",
        (-1.5, 4.5, -2.0, 2.5), (1.0, 1.6), ((3.0, 0.5),), 0.0, 1e-2, 0.15,
    ),
    Surface(
        "rosenbrock", "Rosenbrock", _rosenbrock, "(1 − x)² + 100 (y − x²)²",
        (-2.2, 2.2, -1.2, 3.2), (-1.5, 2.0), ((1.0, 1.0),), 0.0, 1e-2, 0.2,
    ),
    Surface(
        "himmelblau", "Himmelblau", _himmelblau, "(x² + y − 11)² + (x + y² − 7)²",
        (-5.5, 5.5, -5.5, 5.5), (0.0, 0.0), _HIMMELBLAU, 0.0, 1e-2, 0.3,
    ),
    Surface(
        "rastrigin", "Rastrigin", _rastrigin, "20 + x² + y² − 10 cos 2πx − 10 cos 2πy",
        (-4.6, 4.6, -4.6, 4.6), (-2.0, 3.5), ((0.0, 0.0),), 0.0, 1e-2, 0.2,
    ),
    Surface(
        "branin", "Branin", _branin, "(y − 5.1x²/4π² + 5x/π − 6)² + 10 (1 − 1/8π) cos x + 10",
        (-5.5, 10.5, -1.0, 15.0), (2.5, 12.5), _BRANIN, 0.39788736, 0.39788736 + 1e-2, 0.5,
    ),
    Surface(
        "ackley", "Ackley", _ackley,
        "20 + e − 20 exp(−0.2 √((x² + y²)/2)) − exp((cos 2πx + cos 2πy)/2)",
        (-4.5, 4.5, -4.5, 4.5), (3.0, 3.0), ((0.0, 0.0),), 0.0, 1e-1, 0.2,
    ),
    Surface(
        "saddle", "Saddle", _saddle, "x² − y²",
        (-2.0, 2.0, -2.0, 2.0), (1.5, 1e-3), target=-1.0, nearby=1e-3, rate=0.05,
    ),
    Surface(
        "monkey_saddle", "Monkey saddle", _monkey_saddle, "x³ − 3xy²",
        (-2.0, 2.0, -2.0, 2.0), (1.0, 1e-3), target=-1.0, nearby=1e-3, rate=0.05,
    ),
    Surface(
        "long_valley", "Long valley", _valley, "0.005 x² + 0.5 y²",
        (-11.0, 11.0, -11.0, 11.0), (-9.0, 3.0), ((0.0, 0.0),), 0.0, 1e-4, 0.5,
    ),
)  # fmt: skip

# By how much what has an orientation is turned: a saddle as its ridge stays least aligned.
_TURNED = {"saddle": 45.0, "monkey_saddle": 45.0, "long_valley": 30.0}

SURFACES: dict[str, Surface] = {
    surface.name: surface
    for written in (dataclasses.replace(one, steady=True) for one in _WRITTEN)
    for surface in (
        [written, written.rotated(_TURNED[written.name])] if written.name in _TURNED else [written]
    )
}

# Loss of logistic regression, with real batches: made when it is asked for, by lab/moons.py.
NOISY_MOONS = "noisy_moons"


def surface_names() -> tuple[str, ...]:
    """Return the names of the surfaces that :func:`race` knows.

    Example:
        >>> surface_names()[:3]
        ('beale', 'rosenbrock', 'himmelblau')
    """
    return (*SURFACES, NOISY_MOONS)


def own_surface(
    function: Callable[[Any, Any], Any], start: Point, frame: tuple[float, ...] | None
) -> Surface:
    """Return a surface of a user's function of two variables.

    It is tried at the start, then on several points at once; a function that cannot do that is
    called point by point, which is slower.

    Raises:
        TypeError: it does not return a tensor, or cannot be called with two numbers.
        ValueError: it does not return one number, one that is not finite, or a wrong frame.
    """
    name = getattr(function, "__name__", "function").strip("<>")
    if frame is None:
        frame = (start[0] - 3, start[0] + 3, start[1] - 3, start[1] + 3)
    if len(frame) != 4 or not (frame[0] < frame[1] and frame[2] < frame[3]):
        raise ValueError(
            f"race: frame must be (left, right, bottom, top) with left < right and bottom < top, "
            f"got {frame}"
        )
    alone = _one_value(function, start, name)
    if not math.isfinite(alone):
        raise ValueError(f"race: {name} is {alone} at the start {start}: outside its domain")
    chosen = function if _takes_many(function, start, alone) else functools.partial(_each, function)
    made = Surface(name, name, chosen, "your own function", tuple(frame), start)  # type: ignore[arg-type]
    lowest, where = _lowest_on_grid(made)
    scale = max(alone - lowest, 1e-12)
    reach = 0.03 * min(frame[1] - frame[0], frame[3] - frame[2])
    return dataclasses.replace(
        made, minima=(where,), lowest=lowest, target=lowest + 1e-2 * scale, nearby=reach
    )


def _one_value(function: Callable[[Any, Any], Any], start: Point, name: str) -> float:
    x, y = (mt.tensor(one, dtype=mt.float64, requires_grad=True) for one in start)
    value = function(x, y)
    if not isinstance(value, mt.Tensor):
        raise TypeError(
            f"race: {name} must return a tensor computed from x and y, got {type(value).__name__}"
        )
    if value.numel() != 1:
        raise ValueError(
            f"race: {name} must return a scalar for numbers x and y, got shape {tuple(value.shape)}"
        )
    return value.item()


def _takes_many(function: Callable[[Any, Any], Any], start: Point, alone: float) -> bool:
    """Tell whether a function takes many points at once and means each by itself."""
    points = np.array([start, (start[0] + 0.1, start[1] - 0.1), start])
    x, y = (mt.tensor(points[:, axis].copy()) for axis in (0, 1))
    try:
        values = function(x, y)
    except Exception:  # whatever it is that only single numbers can do
        return False
    if not isinstance(values, mt.Tensor) or tuple(values.shape) != (3,):
        return False
    found = values.detach().numpy()
    return bool(np.allclose(found[[0, 2]], alone, rtol=1e-9, equal_nan=True))


def _each(function: Callable[[Any, Any], Any], x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
    flat = zip(x.reshape(-1), y.reshape(-1), strict=True)
    return mt.stack([function(*one).reshape(()) for one in flat]).reshape(x.shape)


def _lowest_on_grid(surface: Surface) -> tuple[float, Point]:
    left, right, bottom, top = surface.frame
    size = 21 if surface.slow else 61
    across, up = np.linspace(left, right, size), np.linspace(bottom, top, size)
    grid = np.stack(np.meshgrid(across, up), -1)
    values = surface(grid)
    if not np.isfinite(values).any():
        raise ValueError(f"race: {surface.name} is finite nowhere in the frame {surface.frame}")
    best = np.unravel_index(
        np.nanargmin(np.where(np.isfinite(values), values, np.nan)), (size, size)
    )
    x, y = grid[best]
    return float(values[best]), (float(x), float(y))
