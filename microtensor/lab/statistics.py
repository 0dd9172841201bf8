"""What a few paired runs can say: intervals, and which differences are more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from microtensor.lab.optional import require


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Return the mean and the half width of its Student t interval.

    Values that are infinite or NaN (runs that diverged) make the mean so, and the half width NaN;
    they are not left out. A single value has a half width of NaN.

    Example:
        >>> mean, half = mean_interval([1.0, 2.0, 3.0])
        >>> round(mean, 3), round(half, 3)
        (2.0, 2.484)
    """
    sample = np.asarray(values, np.float64)
    if not np.isfinite(sample).all():
        return (math.nan if np.isnan(sample).any() else math.inf), math.nan
    if len(sample) < 2:
        return float(sample.mean()), math.nan
    reach = require("scipy.special").stdtrit(len(sample) - 1, 0.5 + level / 2)
    return float(sample.mean()), float(reach * sample.std(ddof=1) / math.sqrt(len(sample)))


def share_interval(hits: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share that was counted.

    Unlike that of the normal law it never leaves [0, 1], and none or all of a few prove little.

    Example:
        >>> low, high = share_interval(9, 10)
        >>> round(low, 3), round(high, 3)
        (0.596, 0.982)

    References:
        Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    if of == 0:
        return 0.0, 1.0
    squared = 1.959964**2
    middle = (hits + squared / 2) / (of + squared)
    half = math.sqrt(squared * (hits * (of - hits) / of + squared / 4)) / (of + squared)
    return middle - half, middle + half


def paired_p(
    first: Sequence[float] | NDArray[np.float64], second: Sequence[float] | NDArray[np.float64]
) -> float:
    """Return the p value of a paired t test: how likely chance alone sets two series this apart.

    Differences that are all equal give 0, or 1 if they are zero; one that is not finite gives 1,
    because nothing follows from it by this test.
    """
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    if not np.isfinite(difference).all() or len(difference) < 2:
        return 1.0
    deviation = difference.std(ddof=1)
    if deviation == 0:
        return 1.0 if difference[0] == 0 else 0.0
    t = difference.mean() / (deviation / math.sqrt(len(difference)))
    return float(2 * require("scipy.special").stdtr(len(difference) - 1, -abs(t)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for how many there are, after Holm (1979).

    Sorted upward, the i-th of m (from 0) is multiplied by m - i, no corrected value being smaller
    than one before it, nor larger than 1.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = largest
    return corrected
