"""Independent seeds from one: every use of chance has its own name and its own stream."""

from __future__ import annotations

import zlib

import numpy as np


def seed_for(seed: int, *names: str | int) -> int:
    """Return the seed of one named use of chance.

    The streams of different names are independent, and adding a use leaves the others as they
    were, so that two optimizers can share their batches, and a run can be repeated alone.

    Args:
        seed: the seed of the whole experiment, not negative.
        names: what the chance is used for, say ``"moons", "batches", 3``.

    Returns:
        An integer in [0, 2**32).

    Example:
        >>> seed_for(0, "moons", "weights") == seed_for(0, "moons", "weights")
        True
        >>> seed_for(0, "moons", "weights") == seed_for(0, "moons", "batches")
        False
    """
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    words = [zlib.crc32(name.encode()) if isinstance(name, str) else name for name in names]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0])
