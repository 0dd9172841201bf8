"""Random numbers from a counter: Philox4x32-10.

A generator is two numbers, a seed and an offset; what it gives depends on these alone, is the same
on either backend, and can be drawn again by setting the offset back.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.locks import make_lock
from microtensor.tensor import Tensor, wrap

drawing = make_lock()
"""Held while kernels read and advance a generator's state: two threads may share one."""

_DEFAULT_SEED = 67280421310721  # PyTorch's


class Generator:
    """A stream of random numbers.

    Example:
        >>> import microtensor as mt
        >>> generator = mt.Generator().manual_seed(1)
        >>> a = mt.rand(3, generator=generator)
        >>> b = mt.rand(3, generator=generator.manual_seed(1))
        >>> bool((a == b).all())
        True
    """

    def __init__(self, device: str = "cpu") -> None:
        if str(device) != "cpu":
            raise RuntimeError(f"Generator: device must be 'cpu', got {device!r}")
        # {seed, offset}: read and advanced by the kernels themselves.
        self._state = np.array([_DEFAULT_SEED, 0], np.uint64)

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of a seed, any integer that fits 64 bits; give the generator back."""
        seed = int(seed)
        if not -(2**63) <= seed < 2**64:
            raise RuntimeError(f"manual_seed: seed must fit 64 bits, got {seed}")
        self._state[:] = seed % 2**64, 0
        return self

    def seed(self) -> int:
        """Start a stream from the operating system's entropy; give the seed."""
        chosen = int.from_bytes(os.urandom(8), "little") >> 1
        self.manual_seed(chosen)
        return chosen

    def initial_seed(self) -> int:
        """Give the seed of the stream."""
        return int(self._state[0])

    def get_state(self) -> Tensor:
        """Give the state, to be set again later: 16 bytes, as a uint8 tensor."""
        return wrap(self._state.view(np.uint8).copy())

    def set_state(self, new_state: Tensor) -> None:
        """Continue from a state that :meth:`get_state` gave.

        Raises:
            TypeError: no tensor of uint8.
            RuntimeError: a tensor of another size.
        """
        if not isinstance(new_state, Tensor) or new_state._array.dtype != np.uint8:
            raise TypeError(f"set_state: expected a uint8 Tensor, got {new_state!r}")
        size = self._state.nbytes
        if new_state._array.shape != (size,):
            raise RuntimeError(
                f"set_state: a state has {size} bytes, got shape {list(new_state._array.shape)}"
            )
        self._state[:] = np.ascontiguousarray(new_state._array).view(np.uint64)

    def clone_state(self) -> Generator:
        """Give another generator that will draw the same numbers."""
        return _restore(self._state)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._state.copy(),)


def _restore(state: Any) -> Generator:
    generator = Generator()
    generator._state[:] = state
    return generator


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, which everything random uses unless given another.

    Args:
        seed: any integer that fits 64 bits.

    Returns:
        The default generator.
    """
    return default_generator.manual_seed(seed)


def initial_seed() -> int:
    """Give the default generator's seed."""
    return default_generator.initial_seed()


def seed() -> int:
    """Seed the default generator from the operating system's entropy; give the seed."""
    return default_generator.seed()


def get_rng_state() -> Tensor:
    """Give the default generator's state, as a uint8 tensor."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Set the default generator's state."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Iterable[Any] | None = None, enabled: bool = True) -> Iterator[None]:
    """Put the default generator's state back at the end of a ``with`` block.

    Args:
        devices: for programs that name some; there is only the CPU.
        enabled: whether anything is done at all.

    Example:
        >>> import microtensor as mt
        >>> before = mt.get_rng_state()
        >>> with mt.random.fork_rng():
        ...     drawn = mt.rand(10)
        >>> bool((mt.get_rng_state() == before).all())
        True
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)


def state_of(generator: Generator | None) -> Any:
    """The state array of a generator, the default one for None; TypeError for anything else."""
    if generator is None:
        return default_generator._state
    if not isinstance(generator, Generator):
        raise TypeError(f"generator must be a Generator or None, not {type(generator).__name__}")
    return generator._state


def uniform(shape: tuple[int, ...], dtype: Any, generator: Generator | None) -> Any:
    """Draw numbers uniform in [0, 1)."""
    out = np.empty(shape, dtype)
    with drawing:
        kernels.random_uniform(state_of(generator), out)
    return out


def normal(shape: tuple[int, ...], dtype: Any, generator: Generator | None) -> Any:
    """Draw standard normal numbers: Box and Muller's transform of uniform ones."""
    count = int(np.prod(shape, dtype=np.int64))
    pairs = (count + 1) // 2
    u, turn = uniform((2, pairs), dtype, generator)
    radius = np.sqrt(-2 * np.log1p(-u))
    turn *= 2 * np.pi
    both = np.concatenate([radius * np.cos(turn), radius * np.sin(turn)])
    return both[:count].reshape(shape)


def bits(count: int, generator: Generator | None) -> Any:
    """Draw 64-bit integers."""
    words = np.empty(2 * count, np.uint32)
    with drawing:
        kernels.random_bits(state_of(generator), words)
    return words.view(np.uint64)


def integers(low: int, high: int, shape: tuple[int, ...], generator: Generator | None) -> Any:
    """Draw integers in [low, high), without the bias of a plain remainder."""
    span = high - low
    count = int(np.prod(shape, dtype=np.int64))
    limit = (2**64 // span) * span  # numbers at or above it would favour the low remainders
    drawn = bits(count, generator)
    while limit < 2**64 and (bad := drawn >= np.uint64(limit)).any():
        drawn[bad] = bits(int(bad.sum()), generator)
    return (drawn % np.uint64(span)).astype(np.int64).reshape(shape) + low


def permutation(count: int, generator: Generator | None) -> Any:
    """Draw an order of ``count`` things: the sorting order of 64-bit keys."""
    return np.argsort(bits(count, generator), kind="stable")
