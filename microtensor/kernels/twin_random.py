"""The NumPy twins of the random kernels: Philox4x32-10, the very numbers that C draws."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def _words(state: Array, count: int) -> Array:
    """Draw 32-bit words, and advance the state by a counter for every four."""
    counters = (count + 3) // 4
    seed, offset = int(state[0]), int(state[1])
    first = np.uint64(offset)
    with np.errstate(over="ignore"):
        counter = first + np.arange(counters, dtype=np.uint64)  # wraps around, as in C
    c0, c1 = counter & _LOW, counter >> _HALF
    c2, c3 = np.zeros_like(c0), np.zeros_like(c0)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (
            (b >> _HALF) ^ c1 ^ np.uint64(k0),
            b & _LOW,
            (a >> _HALF) ^ c3 ^ np.uint64(k1),
            a & _LOW,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    state[1] = (offset + counters) % 2**64
    return np.stack([c0, c1, c2, c3], axis=1).reshape(-1)[:count]


def random_bits(state: Array, out: Array) -> None:
    """Out = 32-bit words; state is {seed, offset}, and its offset is advanced."""
    out[...] = _words(state, out.size).reshape(out.shape)


def random_uniform(state: Array, out: Array) -> None:
    """Out = numbers in [0, 1), multiples of 2⁻²⁴ (float32) or 2⁻⁵³ (float64)."""
    numbers: Array
    if out.dtype.type is np.float64:  # in either byte order
        words = _words(state, 2 * out.size).astype(np.int64)
        numbers = ((words[0::2] >> 5) * 2.0**26 + (words[1::2] >> 6)) * 2.0**-53
    elif out.dtype.type is np.float32:
        numbers = (_words(state, out.size) >> np.uint64(8)).astype(np.float32) * np.float32(
            2.0**-24
        )
    else:
        raise TypeError(f"random_uniform: out must be float32 or float64, got {out.dtype}")
    out[...] = numbers.reshape(out.shape)


def rrelu(x: Array, lower: float, upper: float, state: Array, slopes: Array, out: Array) -> None:
    """Slopes = 1 where x > 0, else numbers in [lower, upper); out = x slopes."""
    u = np.empty(x.shape, x.dtype)
    random_uniform(state, u)
    low, high = x.dtype.type(lower), x.dtype.type(upper)
    with np.errstate(all="ignore"):
        slopes[...] = np.where(x > 0, x.dtype.type(1), u * (high - low) + low)
        np.multiply(x, slopes, out)


def dropout(x: Array, p: float, state: Array, mask: Array, out: Array) -> None:
    """Mask = 0 with probability p, else 1 / (1 - p); out = x mask."""
    u = np.empty(x.shape, x.dtype)
    random_uniform(state, u)
    one = x.dtype.type(1)
    with np.errstate(all="ignore"):
        mask[...] = np.where(u >= x.dtype.type(p), one / (one - x.dtype.type(p)), 0)
        np.multiply(x, mask, out)
