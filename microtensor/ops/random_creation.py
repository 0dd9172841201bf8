"""Making tensors of random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import dtypes, random, variates
from microtensor.engine import Node, recording
from microtensor.ops.arrays import broadcast_shape, computed
from microtensor.ops.creating import Array, created, creates, default_dtype, like, size_of
from microtensor.ops.declare import publish, refuse
from microtensor.ops.inplace import overwrite
from microtensor.random import Generator
from microtensor.tensor import Tensor, node_of, wrap

_GENERATOR = "generator: Generator | None = None"
_SIZES = f"*size: Any, {_GENERATOR}"
_LIKE = "input: Tensor, *, memory_format: Any = None"


def floating(op: str, dtype: Any) -> Any:
    """Give a floating-point dtype, the default one for None.

    Raises:
        RuntimeError: another one.
    """
    chosen = dtype or default_dtype()
    if chosen.kind != "f":
        raise RuntimeError(f"{op}: dtype must be floating point, got {chosen.name}")
    return chosen


def uniform(shape: tuple[int, ...], dtype: Any, generator: Generator | None) -> Array:
    """Draw numbers uniform in [0, 1) of any floating-point dtype."""
    if dtype != np.float16:
        return np.asarray(random.uniform(shape, dtype, generator))
    # There is no half-precision generator: draw in float32 and round down, to stay below 1.
    drawn = random.uniform(shape, np.dtype(np.float32), generator)
    return np.asarray(np.floor(drawn * 2048) / 2048).astype(dtype)


def normal_numbers(shape: tuple[int, ...], dtype: Any, generator: Generator | None) -> Array:
    """Draw standard normal numbers of any floating-point dtype."""
    if dtype != np.float16:
        return np.asarray(random.normal(shape, dtype, generator))
    return np.asarray(random.normal(shape, np.dtype(np.float32), generator)).astype(dtype)


@creates(_SIZES)
def rand(*sizes: Any, size: Any = None, generator: Any = None, dtype: Any = None) -> Array:
    """Draw numbers uniform in [0, 1).

    Example:
        >>> import microtensor as mt
        >>> mt.manual_seed(0).initial_seed()
        0
        >>> mt.rand(2, 3).shape
        microtensor.Size([2, 3])
    """
    shape = size_of(sizes if size is None else (size,), "rand")
    return uniform(shape, floating("rand", dtype), generator)


@creates(_SIZES)
def randn(*sizes: Any, size: Any = None, generator: Any = None, dtype: Any = None) -> Array:
    """Draw standard normal numbers."""
    shape = size_of(sizes if size is None else (size,), "randn")
    return normal_numbers(shape, floating("randn", dtype), generator)


@creates(f"{_LIKE}, {_GENERATOR}")
def rand_like(
    input: Any, *, memory_format: Any = None, generator: Any = None, dtype: Any = None
) -> Array:
    """Draw numbers uniform in [0, 1), of a tensor's shape and dtype."""
    shape, chosen = like("rand_like", input, dtype, memory_format)
    return uniform(shape, floating("rand_like", chosen), generator)


@creates(f"{_LIKE}, {_GENERATOR}")
def randn_like(
    input: Any, *, memory_format: Any = None, generator: Any = None, dtype: Any = None
) -> Array:
    """Draw standard normal numbers, of a tensor's shape and dtype."""
    shape, chosen = like("randn_like", input, dtype, memory_format)
    return normal_numbers(shape, floating("randn_like", chosen), generator)


def integers(
    op: str, low: Any, high: Any, shape: tuple[int, ...], dtype: Any, generator: Generator | None
) -> Array:
    """Draw integers in [low, high), as numbers of a dtype.

    Raises:
        RuntimeError: there is no integer in the range, or one that the dtype does not have.
    """
    low, high = int(low), int(high)
    if high <= low:
        raise RuntimeError(
            f"{op}: random_ expects 'from' to be less than 'to', but got {low} >= {high}"
        )
    if dtype.kind == "b":
        least, most = 0, 1
    elif dtype.kind == "f":
        most = int(np.finfo(dtype).max)
        least = -most
    else:
        least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    for name, bound in (("from", low), ("to - 1", high - 1)):
        if not least <= bound <= most:
            raise RuntimeError(f"{op}: {name} is out of bounds for {dtype.name}, got {bound}")
    return np.asarray(random.integers(low, high, shape, generator)).astype(dtype)


@creates(f"low: int, high: Any = None, size: Any = None, *, {_GENERATOR}")
def randint(
    low: Any = None, high: Any = None, size: Any = None, *, generator: Any = None, dtype: Any = None
) -> Array:
    """Draw integers in [low, high); ``randint(high, size)`` starts at 0.

    Raises:
        RuntimeError: there is no integer in the range.
    """
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    elif low is None:
        low = 0
    if size is None or high is None:
        raise TypeError("randint(): give (high, size) or (low, high, size)")
    shape = size_of((size,), "randint")
    return integers("randint", low, high, shape, dtype or dtypes.int64.numpy, generator)


@creates(f"input: Tensor, low: int, high: int | None = None, *, {_GENERATOR}")
def randint_like(
    input: Any,
    low: Any = None,
    high: Any = None,
    *,
    memory_format: Any = None,
    generator: Any = None,
    dtype: Any = None,
) -> Array:
    """Draw integers in [low, high), of a tensor's shape and dtype; low is 0 if one is given."""
    if high is None:
        low, high = 0, low
    shape, chosen = like("randint_like", input, dtype, memory_format)
    return integers("randint_like", low or 0, high, shape, chosen, generator)


@creates(f"n: int, *, {_GENERATOR}")
def randperm(n: int, *, generator: Any = None, dtype: Any = None) -> Array:
    """Draw a random order of the integers 0 to n - 1.

    Raises:
        RuntimeError: a negative number, or one that the dtype cannot count to.
    """
    if n < 0:
        raise RuntimeError(f"randperm: n must be non-negative, got {n}")
    chosen = dtype or dtypes.int64.numpy
    if chosen.kind == "b" or (chosen.kind in "iu" and n - 1 > np.iinfo(chosen).max):
        raise RuntimeError(f"randperm: n is too large for {chosen.name}, got {n}")
    return np.asarray(random.permutation(n, generator)).astype(chosen, copy=False)


# ---- of tensors of parameters -------------------------------------------------------------------


def _constant_of(array: Any, *inputs: Any) -> Tensor:
    """Wrap what was drawn: as in PyTorch, the gradient that reaches the parameters is zero."""
    result = wrap(array)
    if not recording.enabled:
        return result
    node: Node | None = None
    for each in inputs:
        origin = node_of(each) if isinstance(each, Tensor) else None
        if origin is not None and node is None:
            node = Node(overwrite, (origin,), (), (), 0, array.shape, array.dtype)
    result._node = node
    return result


def _floating_input(op: str, input: Any, name: str = "input") -> Any:
    if not isinstance(input, Tensor):
        refuse(op, name, input)
    return floating(op, input._array.dtype)


def probabilities(op: str, p: Any) -> Any:
    """Give a probability, or an array of them.

    Raises:
        RuntimeError: a number that is no probability.
    """
    if isinstance(p, Tensor):
        _floating_input(op, p, "p")
        p = p._array
    _check(_check_probabilities, op, p)
    return p


def _check(look: Any, op: str, values: Any) -> None:
    """Look at values; a captured step looks at those in an array each time."""
    if isinstance(values, np.ndarray):
        computed(look, op, values)
    else:
        look(op, values)


def _check_probabilities(op: str, p: Any) -> None:
    if not np.all((p >= 0) & (p <= 1)):  # NaN included
        raise RuntimeError(f"{op} expects p to be in [0, 1], but got p={p}")


@publish(f"input: Tensor, p: float | None = None, *, {_GENERATOR}", method="bernoulli")
def bernoulli(input: Any, p: Any = None, *, generator: Generator | None = None) -> Tensor:
    """Draw 1 with the probabilities in a tensor, else 0.

    Args:
        input: probabilities.
        p: one probability instead of these; the tensor is then asked for its shape and dtype.
        generator: the source of randomness.

    Raises:
        RuntimeError: numbers that are no probabilities.
    """
    if not isinstance(input, Tensor):
        refuse("bernoulli", "input", input)
    if p is None:
        _floating_input("bernoulli", input)
    chances = probabilities("bernoulli", input if p is None else p)
    shape, dtype = input._array.shape, input._array.dtype
    return _constant_of(created(_bernoulli_numbers, chances, shape, dtype, generator), input)


def _bernoulli_numbers(chances: Any, shape: Any, dtype: Any, generator: Any) -> Array:
    return np.asarray(variates.bernoulli(chances, shape, generator).astype(dtype))


@publish(f"input: Tensor, {_GENERATOR}")
def poisson(input: Any, generator: Generator | None = None) -> Tensor:
    """Draw numbers of arrivals, for each rate in a tensor.

    Args:
        input: rates, finite and not negative.
        generator: the source of randomness.

    Raises:
        RuntimeError: a rate that is negative, infinite or NaN.
    """
    dtype = _floating_input("poisson", input)
    rate = input._array
    computed(_check_rates, rate)
    return _constant_of(created(_poisson_numbers, rate, dtype, generator), input)


def _check_rates(rate: Array) -> None:
    if not np.all((rate >= 0) & (rate < np.inf)):
        raise RuntimeError("poisson: rates must be finite and non-negative")


def _poisson_numbers(rate: Array, dtype: Any, generator: Any) -> Array:
    return np.asarray(variates.poisson(rate, generator).astype(dtype))


@publish(
    f"mean: Tensor | float, std: Tensor | float = 1.0, size: Any = None, *, {_GENERATOR}, "
    "dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False, "
    "pin_memory: bool = False"
)
def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Any = None, **options: Any
) -> Tensor:
    """Draw normally distributed numbers.

    Args:
        mean: a tensor of means, or one mean.
        std: a tensor of standard deviations that broadcasts with it, or one standard deviation.
        size: the shape, where both are numbers.
        generator: the source of randomness.
        **options: dtype and so on, as for :func:`randn`, where both are numbers.

    Raises:
        RuntimeError: a standard deviation that is negative.
        TypeError: two numbers without a size, or tensors with one.
    """
    given = [each for each in (mean, std) if isinstance(each, Tensor)]
    if (size is None) != bool(given):
        raise TypeError("normal(): give tensors, or two numbers and a size")
    if not given:
        made: Tensor = _normal_of_size(mean, std, size, generator=generator, **options)
        return made
    if options:
        raise TypeError(f"normal(): got an unexpected keyword argument {next(iter(options))!r}")
    for each in given:
        _floating_input("normal", each, "mean")
    means, deviations = (each._array if isinstance(each, Tensor) else each for each in (mean, std))
    _check(_check_deviation, "normal", deviations)
    shape, dtype = given[0]._array.shape, given[0]._array.dtype
    if len(given) == 2:
        shape = broadcast_shape(shape, given[1]._array.shape, "normal")
    result = created(_scaled_normal_numbers, means, deviations, shape, dtype, generator)
    return _constant_of(result, mean, std)


def _scaled_normal_numbers(
    means: Any, deviations: Any, shape: Any, dtype: Any, generator: Any
) -> Array:
    drawn = normal_numbers(shape, dtype, generator)
    with np.errstate(all="ignore"):
        return np.asarray(means + drawn * deviations).astype(dtype, copy=False)


def _check_deviation(op: str, std: Any) -> None:
    if np.any(std < 0):
        raise RuntimeError(f"{op} expects all elements of std >= 0.0, but found std {std}")


@creates("mean: float, std: float, size: Any", namespaces=())
def _normal_of_size(mean: Any, std: Any, size: Any, *, generator: Any, dtype: Any = None) -> Array:
    """Draw normally distributed numbers of one mean and standard deviation."""
    _check_deviation("normal", std)
    chosen = floating("normal", dtype)
    drawn = normal_numbers(size_of((size,), "normal"), chosen, generator)
    return np.asarray(mean + drawn * std).astype(chosen, copy=False)


@publish(
    f"input: Tensor, num_samples: int, replacement: bool = False, *, {_GENERATOR}",
    method="multinomial",
)
def multinomial(
    input: Any,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Draw indices in proportion to weights, from each row.

    Args:
        input: weights, not negative, of which each row has one that is not zero; a vector, or a
            matrix whose rows are drawn from independently.
        num_samples: how many from each row.
        replacement: whether an index may be drawn again. If not, each drawing is in proportion to
            the weights of what is still there.
        generator: the source of randomness.

    Returns:
        int64 indices in the order they were drawn.

    Raises:
        RuntimeError: weights that are negative, not finite or all zero, or, without replacement,
            fewer of them than are to be drawn.
    """
    _floating_input("multinomial", input)
    weights = input._array
    if weights.ndim not in (1, 2):
        raise RuntimeError(f"multinomial: input must be 1 or 2 dim, got {weights.ndim}")
    if num_samples <= 0:
        raise RuntimeError(f"multinomial: cannot sample n_sample <= 0 samples, got {num_samples}")
    if not replacement and num_samples > weights.shape[-1]:
        raise RuntimeError(
            f"multinomial: cannot sample {num_samples} of {weights.shape[-1]} without replacement"
        )
    computed(_check_weights, weights)
    if weights.shape[0] == 0:
        if weights.ndim == 1:
            raise RuntimeError("multinomial: there is nothing to draw from")
        return wrap(np.empty((0, num_samples), np.int64))
    computed(_check_sums, weights)
    draw = variates.choices if replacement else variates.ranking
    return wrap(created(_drawn_places, draw, weights, num_samples, generator))


def _check_weights(weights: Array) -> None:
    if not np.all((weights >= 0) & (weights < np.inf)):
        raise RuntimeError(
            "multinomial: probability tensor contains either `inf`, `nan` or element < 0"
        )


def _check_sums(weights: Array) -> None:
    if not weights.shape[-1] or not (weights.max(axis=-1) > 0).all():
        raise RuntimeError("multinomial: invalid distribution (sum of probabilities <= 0)")


def _drawn_places(draw: Any, weights: Array, num_samples: int, generator: Any) -> Array:
    return np.ascontiguousarray(draw(weights, num_samples, generator))
