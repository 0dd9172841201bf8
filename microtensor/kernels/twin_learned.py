"""The NumPy twins of activations whose parameters are learned (csrc/learned.inc), and of maxout.

A kernel takes the parameters as arrays that broadcast with x, and writes what a gradient adds up to
for each into an array of its shape, or passes over one that is None.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _wide(x: Array) -> Array:
    return x.astype(np.float64, copy=False)


def _value(formula: Callable[..., Array]) -> Callable[..., None]:
    """Make kernel(x, out, *parameters) of y = formula(x, *parameters)."""

    @functools.wraps(formula)
    def kernel(x: Array, out: Array, *parameters: Array) -> None:
        with np.errstate(all="ignore"):
            np.copyto(out, formula(_wide(x), *map(_wide, parameters)), casting="unsafe")

    return kernel


def _gradient(formula: Callable[..., tuple[Array, ...]]) -> Callable[..., None]:
    """Make kernel(g, x, out, *parameters, *sums).

    The formula gives the derivative by x, then those by the parameters.
    """

    @functools.wraps(formula)
    def kernel(g: Array, x: Array, out: Array, *rest: Any) -> None:
        parameters, sums = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        with np.errstate(all="ignore"):
            wide = _wide(g)
            by_x, *slopes = formula(_wide(x), *map(_wide, parameters))
            np.copyto(out, wide * by_x, casting="unsafe")
            for total, by in zip(sums, slopes, strict=True):
                if total is not None:
                    np.copyto(total, _summed(wide * by, total.shape), casting="unsafe")

    return kernel


def _summed(x: Array, shape: tuple[int, ...]) -> Array:
    """Add up what broadcasting repeated."""
    leading = x.ndim - len(shape)
    repeated = (
        *range(leading),
        *(i + leading for i, n in enumerate(shape) if n == 1 and x.shape[i + leading] != 1),
    )
    total: Array = x.sum(axis=repeated, keepdims=True)
    return total.reshape(shape)


@_value
def prelu(x: Array, weight: Array) -> Array:
    """Out = x where x > 0, else weight x."""
    return np.where(x > 0, x, weight * x)


@_gradient
def prelu_backward(x: Array, weight: Array) -> tuple[Array, ...]:
    """Out = g where x > 0, else weight g; Σ g x over the others."""
    return np.where(x > 0, 1.0, weight), np.where(x > 0, 0.0, x)


@_value
def srelu(x: Array, low: Array, low_slope: Array, high: Array, high_slope: Array) -> Array:
    """Out = x between two thresholds, straight lines of other slopes beyond."""
    left, right = low + low_slope * (x - low), high + high_slope * (x - high)
    return np.where(x < high, np.where(x > low, x, left), right)


@_gradient
def srelu_backward(
    x: Array, low: Array, low_slope: Array, high: Array, high_slope: Array
) -> tuple[Array, ...]:
    """Out = g times the slope of the piece that x is on; each threshold and slope gets its own."""
    is_right, is_left = ~(x < high), (x < high) & ~(x > low)
    slope = np.where(is_right, high_slope, np.where(is_left, low_slope, 1.0))
    return (
        slope,
        np.where(is_left, 1.0 - low_slope, 0.0),
        np.where(is_left, x - low, 0.0),
        np.where(is_right, 1.0 - high_slope, 0.0),
        np.where(is_right, x - high, 0.0),
    )


@_value
def star_relu(x: Array, scale: Array, bias: Array) -> Array:
    """Out = scale max(0, x)² + bias."""
    return scale * np.square(np.where(x < 0, 0.0, x)) + bias


@_gradient
def star_relu_backward(x: Array, scale: Array, bias: Array) -> tuple[Array, ...]:
    """Out = 2 g scale max(0, x)."""
    rectified = np.where(x < 0, 0.0, x)
    ones = np.ones(np.broadcast_shapes(x.shape, scale.shape, bias.shape))
    return scale * (2.0 * rectified), np.square(rectified), ones


@_value
def soft_exponential(x: Array, alpha: Array) -> Array:
    """Out = x for alpha = 0, (e^(alpha x) - 1)/alpha + alpha above, its inverse's form below."""
    above = np.expm1(alpha * x) / alpha + alpha
    below = np.log1p(-alpha * (x + alpha)) / -alpha
    return np.where(alpha == 0, x, np.where(alpha > 0, above, below))


# Power series of the two quotients below, which cancel close to zero.
_POWER_CURVE = [1.0 / (math.factorial(k) * (k + 2)) for k in range(19)]
_ARC_CURVE = [1.0 / (2 * k + 3) for k in range(16)]


@_gradient
def soft_exponential_backward(x: Array, alpha: Array) -> tuple[Array, ...]:
    """Out = g e^(alpha x), for alpha < 0 g / (1 - alpha (x + alpha))."""
    t, moved = alpha * x, x + alpha
    u, power = -alpha * moved, np.exp(t)
    rest = 1.0 / (1.0 - alpha * moved)
    close = np.polynomial.polynomial.polyval(np.clip(t, -1.0, 1.0), _POWER_CURVE)
    far = (np.where(power == 0, 0.0, power * (t - 1.0)) + 1.0) / np.square(alpha)
    above = 1.0 + np.where(np.abs(t) <= 1, x * x * close, far)
    near = (u >= -0.5) & (u <= 1)
    s = np.where(near, u / (2.0 + u), 0.0)
    arc = np.polynomial.polynomial.polyval(s * s, _ARC_CURVE)
    close = 0.5 * np.square(1.0 - s) * (1.0 / (1.0 + s) + s * arc)
    far = (np.log1p(u) - (1.0 - rest)) / np.square(alpha)
    below = rest + np.where(near, moved * moved * close, far)
    return np.where(alpha < 0, rest, power), np.where(alpha < 0, below, above)


@_value
def snake(x: Array, a: Array) -> Array:
    """Out = x + sin²(a x) / a, x for a = 0."""
    bent = x + np.square(np.sin(a * x)) / a
    return np.where((a == 0) | np.isinf(x), x, bent)


@_gradient
def snake_backward(x: Array, a: Array) -> tuple[Array, ...]:
    """Out = g (1 + sin(2 a x))."""
    s = np.where(a == 0, x, np.sin(a * x) / a)
    return 1.0 + np.sin(2.0 * a * x), s * (2.0 * x * np.cos(a * x) - s)


@_value
def apl(x: Array, slopes: Array, hinges: Array) -> Array:
    """Out = max(0, x) + Σ slopes[s] max(0, hinges[s] - x)."""
    total = np.where(x < 0, 0.0, x)
    for slope, hinge in zip(slopes, hinges, strict=True):
        total = total + slope * np.maximum(hinge - x, 0.0)
    return total


def apl_backward(
    g: Array, x: Array, out: Array, slopes: Array, hinges: Array, of_slopes: Any, of_hinges: Any
) -> None:
    """Out = g (1 if x > 0) - Σ g slopes[s] where x < hinges[s]; each hinge gets its own."""
    with np.errstate(all="ignore"):
        wide, z = _wide(g), _wide(x)
        factor = np.where(z <= 0, 0.0, 1.0)
        for s, (slope, hinge) in enumerate(zip(_wide(slopes), _wide(hinges), strict=True)):
            height = np.maximum(hinge - z, 0.0)
            factor = factor - np.where(height <= 0, 0.0, slope)
            if of_slopes is not None:
                of_slopes[s] = _summed(wide * height, of_slopes.shape[1:])
            if of_hinges is not None:
                share = wide * np.where(height <= 0, 0.0, slope)
                of_hinges[s] = _summed(share, of_hinges.shape[1:])
        np.copyto(out, wide * factor, casting="unsafe")


def maxout(x: Array, out: Array) -> None:
    """Out = the largest of the pieces, of x (groups, pieces, columns)."""
    np.amax(x, axis=1, out=out, initial=-np.inf)


def maxout_backward(g: Array, x: Array, out: Array) -> None:
    """Out = g at the largest piece, shared by equal ones."""
    with np.errstate(all="ignore"):
        largest = x == x.max(axis=1, keepdims=True, initial=-np.inf)
        share = g[:, None] / largest.sum(axis=1, keepdims=True, dtype=x.dtype)
        np.multiply(largest, share, out)
