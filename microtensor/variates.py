"""Numbers of many distributions, as arrays, out of uniform ones.

What is transformed here is drawn in double precision, so that tails reach as far as they should;
the caller rounds to the dtype wanted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor.random import Generator, normal, uniform

Array = np.ndarray[Any, Any]
_DOUBLE = np.dtype(np.float64)


def _open_uniform(shape: tuple[int, ...], generator: Generator | None) -> Array:
    """Draw numbers uniform in (0, 1]."""
    return np.subtract(1.0, uniform(shape, _DOUBLE, generator))


def exponential(shape: tuple[int, ...], generator: Generator | None) -> Array:
    """Draw exponentially distributed numbers of mean 1: minus the logarithm of uniform ones."""
    return np.negative(np.log(_open_uniform(shape, generator)))


def geometric(p: float, shape: tuple[int, ...], generator: Generator | None) -> Array:
    """Draw the number of trials up to the first success, of probability p, that one included."""
    return np.maximum(np.ceil(exponential(shape, generator) / -np.log1p(-p)), 1.0)


def cauchy(shape: tuple[int, ...], generator: Generator | None) -> Array:
    """Draw numbers of Cauchy's distribution: the tangent of a uniform angle."""
    return np.tan(np.pi * (_open_uniform(shape, generator) - 0.5))


def log_normal(
    mean: float, std: float, shape: tuple[int, ...], generator: Generator | None
) -> Array:
    """Draw numbers whose logarithms are normally distributed."""
    with np.errstate(over="ignore"):
        return np.exp(mean + std * normal(shape, _DOUBLE, generator))


def bernoulli(p: Any, shape: tuple[int, ...], generator: Generator | None) -> Array:
    """Draw true with probability p, a number or an array that broadcasts to the shape."""
    return np.asarray(uniform(shape, _DOUBLE, generator) < p)


# ---- Poisson ------------------------------------------------------------------------------------

_FEW = 10.0  # below this rate, counting arrivals is quicker than rejection


def poisson(rate: Array, generator: Generator | None) -> Array:
    """Draw numbers of arrivals, each for a rate; exact for every rate."""
    flat = rate.astype(np.float64).ravel()
    out = np.zeros(flat.shape)
    few = flat < _FEW
    out[few] = _poisson_by_counting(flat[few], generator)
    out[~few] = _poisson_by_rejection(flat[~few], generator)
    return out.reshape(rate.shape)


def _poisson_by_counting(rate: Array, generator: Generator | None) -> Array:
    """Count how many exponentially distributed waiting times fit into a time of the rate."""
    count = np.zeros(rate.shape)
    passed = np.zeros(rate.shape)
    waiting = np.arange(rate.size)
    while waiting.size:
        passed[waiting] += exponential(waiting.shape, generator)
        waiting = waiting[passed[waiting] < rate[waiting]]
        count[waiting] += 1
    return count


def _poisson_by_rejection(rate: Array, generator: Generator | None) -> Array:
    """Hörmann 1993, The transformed rejection method for generating Poisson random variables.

    Algorithm PTRS; rates of at least 10.
    """
    out = np.zeros(rate.shape)
    waiting = np.arange(rate.size)
    b = 0.931 + 2.53 * np.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    while waiting.size:
        u = uniform(waiting.shape, _DOUBLE, generator) - 0.5
        v = _open_uniform(waiting.shape, generator)
        r, a_, b_ = rate[waiting], a[waiting], b[waiting]
        us = 0.5 - np.abs(u)
        with np.errstate(all="ignore"):  # us may be 0: infinite, and not accepted
            k = np.floor((2 * a_ / us + b_) * u + r + 0.43)
            quick = (us >= 0.07) & (v <= v_r[waiting])
            possible = (k >= 0) & np.isfinite(k) & ((us >= 0.013) | (v <= us))
            height = np.log(v * inverse_alpha[waiting] / (a_ / us**2 + b_))
            accepted = quick | (possible & (height <= k * np.log(r) - r - _log_factorial(k)))
        out[waiting[accepted]] = k[accepted]
        waiting = waiting[~accepted]
    return out


_LOG_FACTORIALS = np.log([1.0, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880])


def _log_factorial(k: Array) -> Array:
    """Give ln k!: tabulated below 10, then Stirling's series, whose error is below 1e-11 there."""
    small = _LOG_FACTORIALS[np.clip(k, 0, 9).astype(np.int64)]
    x = np.maximum(k, 10.0)
    series = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / 1680 / x**2) / x**2) / x**2) / x
    return np.where(k < 10, small, (x + 0.5) * np.log(x) - x + 0.5 * np.log(2 * np.pi) + series)


# ---- choices ------------------------------------------------------------------------------------


def choices(weights: Array, count: int, generator: Generator | None) -> Array:
    """Draw indices with replacement, for each row of weights, in proportion to them."""
    cumulated = np.cumsum(weights, axis=-1, dtype=np.float64)
    drawn = uniform((*weights.shape[:-1], count), _DOUBLE, generator) * cumulated[..., -1:]
    out = np.empty(drawn.shape, np.int64)
    for row in np.ndindex(weights.shape[:-1]):
        # From the right: a place of weight zero has no interval that a number could fall into.
        out[row] = np.searchsorted(cumulated[row], drawn[row], side="right")
    # Rounding may carry a number to the very end, beyond the last weight that is not zero.
    positive = np.asarray(weights) > 0
    last = weights.shape[-1] - 1 - np.argmax(positive[..., ::-1], axis=-1)
    return np.minimum(out, last[..., None])


def ranking(weights: Array, count: int, generator: Generator | None) -> Array:
    """Draw indices without replacement, for each row of weights, one after the other.

    Each drawing is in proportion to the weights still there: whose exponentially distributed
    waiting time, at its weight as rate, ends first. Weights of zero come last.
    """
    wide = weights.astype(np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        # As a share of the whole, so that no quotient overflows; zero waits for ever.
        times = exponential(wide.shape, generator) / (wide / wide.max(axis=-1, keepdims=True))
    return np.argsort(times, axis=-1, kind="stable")[..., :count]
