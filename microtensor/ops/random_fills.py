"""Filling tensors with random numbers, in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels, variates
from microtensor.ops.declare import publish
from microtensor.ops.inplace import check_writable, write
from microtensor.ops.random_creation import (
    integers,
    normal_numbers,
    probabilities,
    uniform,
)
from microtensor.random import Generator
from microtensor.tensor import Tensor, wrap

Array = np.ndarray[Any, Any]
_GENERATOR = "*, generator: Generator | None = None"


def _fill(name: str, tensor: Tensor, draw: Callable[[tuple[int, ...]], Any]) -> Tensor:
    """Write what is drawn for a shape; what was recorded of the tensor no longer matters."""
    check_writable(name, tensor)
    write(tensor, wrap(tensor._array), lambda out: kernels.draw(draw, out))
    return tensor


def _require_floating(name: str, tensor: Tensor) -> Any:
    dtype = tensor._array.dtype
    if dtype.kind != "f":
        raise RuntimeError(f"{name}: the dtype must be a floating-point one, not {dtype.name}")
    return dtype


def _check_numbers(name: str, **given: Any) -> None:
    for argument, value in given.items():
        single = isinstance(value, Tensor) and value._array.ndim == 0
        if not isinstance(value, int | float | np.number) and not single:
            raise TypeError(
                f"{name}(): argument '{argument}' must be a number, not {type(value).__name__}"
            )


def _wide(dtype: Any) -> Any:
    """Give the dtype to compute in: float32 for half precision."""
    return np.promote_types(dtype, np.float32)


@publish(f"input: Tensor, low: float = 0, high: float = 1, {_GENERATOR}", (), "uniform_")
def uniform_(
    input: Tensor,
    low: float | None = None,
    high: float | None = None,
    *,
    generator: Generator | None = None,
    to: float | None = None,
    **bounds: float,
) -> Tensor:
    """Fill with numbers uniform in [low, high), which PyTorch calls ``from`` and ``to``.

    Raises:
        RuntimeError: bounds that are not finite or in the wrong order, or no floating-point dtype.
    """
    low, high = _range("uniform_", low, high, to, bounds)
    low, high = 0.0 if low is None else low, 1.0 if high is None else high
    _check_numbers("uniform_", **{"from": low, "to": high})
    dtype = _require_floating("uniform_", input)
    most = float(np.finfo(dtype).max)
    for name, bound in (("from", low), ("to", high), ("to - from", high - low)):
        if not -most <= bound <= most:
            raise RuntimeError(f"uniform_: {name} is out of bounds for {dtype.name}, got {bound}")
    if low > high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}"
        )

    def draw(shape: tuple[int, ...]) -> Array:
        drawn = uniform(shape, _wide(dtype), generator)
        drawn = np.asarray(drawn * (high - low) + low).astype(dtype)
        # Rounding may give the upper bound itself, which is not to be had.
        below = np.nextafter(dtype.type(high), dtype.type(low))
        return np.minimum(drawn, below) if low < high else drawn

    return _fill("uniform_", input, draw)


def _range(name: str, low: Any, high: Any, to: Any, bounds: dict[str, Any]) -> tuple[Any, Any]:
    """Take bounds by PyTorch's names, too, of which one is a word of Python's."""
    low = bounds.pop("from", low)
    if bounds:
        raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(bounds))!r}")
    return low, to if to is not None else high


@publish(f"input: Tensor, mean: float = 0, std: float = 1, {_GENERATOR}", (), "normal_")
def normal_(
    input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normally distributed numbers.

    Raises:
        RuntimeError: a negative standard deviation, or no floating-point dtype.
    """
    dtype = _require_floating("normal_", input)
    _check_numbers("normal_", mean=mean, std=std)
    if not std >= 0:
        raise RuntimeError(f"normal_ expects std >= 0.0, but found std {std}")

    def draw(shape: tuple[int, ...]) -> Any:
        return mean + std * normal_numbers(shape, _wide(dtype), generator)

    return _fill("normal_", input, draw)


@publish(f"input: Tensor, p: Tensor | float = 0.5, {_GENERATOR}", (), "bernoulli_")
def bernoulli_(input: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill with ones, with probability p, and zeros.

    Args:
        input: a tensor of any dtype.
        p: a probability, or a tensor of them that broadcasts to this one.
        generator: the source of randomness.

    Raises:
        RuntimeError: numbers that are no probabilities, or that do not fit.
    """
    chances = probabilities("bernoulli_", p)
    if isinstance(chances, np.ndarray):
        p.expand(input._array.shape)  # which says what does not fit
    return _fill("bernoulli_", input, lambda shape: variates.bernoulli(chances, shape, generator))


@publish(f"input: Tensor, low: int = 0, high: int | None = None, {_GENERATOR}", (), "random_")
def random_(
    input: Tensor,
    low: int | None = None,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    to: int | None = None,
    **bounds: int,
) -> Tensor:
    """Fill with integers in [low, high), which PyTorch calls ``from`` and ``to``.

    With one number, from 0 up to it; with none, up to the largest integer of the dtype, or the
    largest up to which a floating-point dtype has all integers.

    Raises:
        RuntimeError: there is no integer in the range, or one that the dtype does not have.
    """
    low, high = _range("random_", low, high, to, bounds)
    dtype = input._array.dtype
    if high is None and low is not None and not bounds:
        low, high = 0, low
    if high is None:
        if dtype.kind == "f":
            high = 2 ** (np.finfo(dtype).nmant + 1) + 1
        else:
            high = 2 if dtype.kind == "b" else int(np.iinfo(dtype).max) + 1
    return _fill(
        "random_",
        input,
        lambda shape: integers("random_", low or 0, high, shape, dtype, generator),
    )


@publish(f"input: Tensor, lambd: float = 1, {_GENERATOR}", (), "exponential_")
def exponential_(
    input: Tensor, lambd: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with exponentially distributed numbers of a rate; zero is never drawn.

    Raises:
        RuntimeError: a rate that is not positive, or no floating-point dtype.
    """
    dtype = _require_floating("exponential_", input)
    _check_numbers("exponential_", lambd=lambd)
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")

    def draw(shape: tuple[int, ...]) -> Array:
        drawn = np.asarray(variates.exponential(shape, generator) / lambd).astype(dtype)
        return np.maximum(drawn, np.finfo(dtype).smallest_normal)

    return _fill("exponential_", input, draw)


@publish(f"input: Tensor, mean: float = 1, std: float = 2, {_GENERATOR}", (), "log_normal_")
def log_normal_(
    input: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers whose logarithms are normally distributed.

    Raises:
        RuntimeError: a standard deviation that is not positive, or no floating-point dtype.
    """
    _require_floating("log_normal_", input)
    _check_numbers("log_normal_", mean=mean, std=std)
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    return _fill(
        "log_normal_", input, lambda shape: variates.log_normal(mean, std, shape, generator)
    )


@publish(f"input: Tensor, p: float, {_GENERATOR}", (), "geometric_")
def geometric_(input: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers of trials up to the first success, that one included.

    Args:
        input: a tensor of any dtype but bool.
        p: the probability of success.
        generator: the source of randomness.

    Raises:
        RuntimeError: a probability outside of (0, 1).
    """
    _check_numbers("geometric_", p=p)
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    return _fill("geometric_", input, lambda shape: variates.geometric(p, shape, generator))


@publish(f"input: Tensor, median: float = 0, sigma: float = 1, {_GENERATOR}", (), "cauchy_")
def cauchy_(
    input: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers of Cauchy's distribution.

    Raises:
        RuntimeError: a width that is not positive, or no floating-point dtype.
    """
    _require_floating("cauchy_", input)
    _check_numbers("cauchy_", median=median, sigma=sigma)
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    return _fill("cauchy_", input, lambda shape: median + sigma * variates.cauchy(shape, generator))
