"""Making tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from microtensor import dtypes, random
from microtensor.ops.declare import publish, refuse
from microtensor.random import Generator
from microtensor.tensor import Tensor, to_array, wrap

_OPTIONS = "*, dtype: Any = None, requires_grad: bool = False"
_SIZES = "*size: Any"


def _made(array: Any, requires_grad: bool) -> Tensor:
    tensor = wrap(array)
    if requires_grad:
        tensor.requires_grad = True
    return tensor


def _dtype(dtype: Any) -> Any:
    chosen = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    return chosen.numpy


def _size(size: tuple[Any, ...], op: str) -> tuple[int, ...]:
    if len(size) == 1 and isinstance(size[0], Sequence):
        size = tuple(size[0])
    for length in size:
        if not isinstance(length, int | np.integer) or isinstance(length, bool):
            raise TypeError(f"{op}(): size must be integers, got {type(length).__name__}")
        if length < 0:
            raise RuntimeError(
                f"{op}(): trying to create tensor with negative dimension {length}: {list(size)}"
            )
    return tuple(int(length) for length in size)


@publish(f"data: Any, {_OPTIONS}")
def tensor(data: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of numbers, nested sequences or an array; always a copy.

    Args:
        data: the numbers. Python floats become the default dtype (float32), integers int64,
            arrays keep their dtype.
        dtype: the data type wanted.
        requires_grad: whether what is computed from it is recorded.

    Raises:
        TypeError: the data is not numeric, or complex.
        ValueError: nested sequences of unequal length.
        RuntimeError: an integer or bool tensor is to require a gradient.

    Example:
        >>> import microtensor as mt
        >>> mt.tensor([[1, 2], [3, 4]])
        tensor([[1, 2],
                [3, 4]])
    """
    array = to_array(data, None if dtype is None else dtypes.as_numpy_dtype(dtype), copy=True)
    return _made(array, requires_grad)


@publish("data: Any, dtype: Any = None")
def as_tensor(data: Any, dtype: Any = None) -> Tensor:
    """Make a tensor, sharing memory with an array or giving a tensor itself where possible.

    Args:
        data: a tensor, an array, numbers or nested sequences.
        dtype: the data type wanted; another one than the data's makes a copy.
    """
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return wrap(to_array(data, None if dtype is None else dtypes.as_numpy_dtype(dtype)))


@publish("ndarray: Any")
def from_numpy(ndarray: Any) -> Tensor:
    """Make a tensor on the memory of an array: a change of one is a change of the other.

    Raises:
        TypeError: no array, or one of a dtype that tensors do not have.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if not ndarray.dtype.isnative:
        raise ValueError(
            f"given numpy array has byte order different from the native one ({ndarray.dtype}); "
            "convert it with .astype(array.dtype.newbyteorder('='))"
        )
    dtype = dtypes.from_numpy_dtype(ndarray.dtype).numpy
    # An equal dtype may be another object (unpickled arrays'), and kernels compare identity.
    return wrap(ndarray if ndarray.dtype is dtype else ndarray.view(dtype))


@publish(f"{_SIZES}, {_OPTIONS[3:]}")
def zeros(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of zeros of a size, given as integers or one sequence."""
    return _made(np.zeros(_size(size, "zeros"), _dtype(dtype)), requires_grad)


@publish(f"{_SIZES}, {_OPTIONS[3:]}")
def ones(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of ones of a size, given as integers or one sequence."""
    return _made(np.ones(_size(size, "ones"), _dtype(dtype)), requires_grad)


@publish(f"{_SIZES}, {_OPTIONS[3:]}")
def empty(*size: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor whose memory is not initialised."""
    return _made(np.empty(_size(size, "empty"), _dtype(dtype)), requires_grad)


@publish(f"size: Sequence[int], fill_value: float, {_OPTIONS}")
def full(size: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of one number; its dtype follows the number unless given."""
    if dtype is None and isinstance(fill_value, bool | int):
        dtype = type(fill_value)
    return _made(np.full(_size((size,), "full"), fill_value, _dtype(dtype)), requires_grad)


def _like(op: str, input: Any, dtype: Any) -> tuple[tuple[int, ...], Any]:
    if not isinstance(input, Tensor):
        refuse(op, "input", input)
    return input._array.shape, input._array.dtype if dtype is None else _dtype(dtype)


_LIKE = f"input: Tensor, {_OPTIONS}"


@publish(_LIKE)
def zeros_like(input: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make zeros of a tensor's shape and dtype."""
    return _made(np.zeros(*_like("zeros_like", input, dtype)), requires_grad)


@publish(_LIKE)
def ones_like(input: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make ones of a tensor's shape and dtype."""
    return _made(np.ones(*_like("ones_like", input, dtype)), requires_grad)


@publish(_LIKE)
def empty_like(input: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of another's shape and dtype whose memory is not initialised."""
    return _made(np.empty(*_like("empty_like", input, dtype)), requires_grad)


@publish(f"input: Tensor, fill_value: float, {_OPTIONS}")
def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of one number, of another's shape and dtype."""
    shape, chosen = _like("full_like", input, dtype)
    return _made(np.full(shape, fill_value, chosen), requires_grad)


@publish(f"start: float = 0, end: float | None = None, step: float = 1, {_OPTIONS}")
def arange(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Make the numbers from start up to but not including end; ``arange(end)`` starts at 0."""
    if end is None:
        start, end = 0, start
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError(
            "upper bound and lower bound inconsistent with step sign: "
            f"arange({start}, {end}, {step})"
        )
    whole = all(isinstance(v, int | np.integer) for v in (start, end, step))
    chosen = np.dtype(np.int64) if dtype is None and whole else _dtype(dtype)
    return _made(np.arange(start, end, step).astype(chosen), requires_grad)


@publish(f"start: float, end: float, steps: int, {_OPTIONS}")
def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, requires_grad: bool = False
) -> Tensor:
    """Make evenly spaced numbers from start to end, both included."""
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return _made(np.linspace(start, end, steps).astype(_dtype(dtype)), requires_grad)


@publish(f"n: int, m: int | None = None, {_OPTIONS}")
def eye(n: int, m: int | None = None, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Make a matrix with ones on its diagonal."""
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"n and m must be greater or equal to 0, got {n} and {m}")
    return _made(np.eye(n, m, dtype=_dtype(dtype)), requires_grad)


# ---- random -------------------------------------------------------------------------------------

_RANDOM = "generator: Generator | None = None, dtype: Any = None, requires_grad: bool = False"


def _floating(op: str, dtype: Any) -> Tensor:
    chosen = _dtype(dtype)
    if chosen.kind != "f":
        raise RuntimeError(f"{op}: dtype must be floating point, got {chosen.name}")
    return chosen


def _drawn(draw: Any, shape: Any, dtype: Any, generator: Generator | None) -> Any:
    if dtype != np.float16:
        return draw(shape, dtype, generator)
    # There is no half-precision generator: draw in float32 and round, down to stay below 1.
    drawn = draw(shape, np.dtype(np.float32), generator)
    if draw is random.uniform:
        drawn = np.floor(drawn * 2048) / 2048
    return drawn.astype(dtype)


@publish(f"{_SIZES}, {_RANDOM}")
def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Draw numbers uniform in [0, 1).

    Example:
        >>> import microtensor as mt
        >>> mt.manual_seed(0).initial_seed()
        0
        >>> mt.rand(2, 3).shape
        microtensor.Size([2, 3])
    """
    shape, chosen = _size(size, "rand"), _floating("rand", dtype)
    return _made(_drawn(random.uniform, shape, chosen, generator), requires_grad)


@publish(f"{_SIZES}, {_RANDOM}")
def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Draw standard normal numbers."""
    shape, chosen = _size(size, "randn"), _floating("randn", dtype)
    return _made(_drawn(random.normal, shape, chosen, generator), requires_grad)


@publish(_LIKE)
def rand_like(input: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Draw numbers uniform in [0, 1), of a tensor's shape and dtype."""
    shape, chosen = _like("rand_like", input, dtype)
    return rand(shape, dtype=dtypes.from_numpy_dtype(chosen), requires_grad=requires_grad)


@publish(_LIKE)
def randn_like(input: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Draw standard normal numbers, of a tensor's shape and dtype."""
    shape, chosen = _like("randn_like", input, dtype)
    return randn(shape, dtype=dtypes.from_numpy_dtype(chosen), requires_grad=requires_grad)


@publish(
    "low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None, "
    "dtype: Any = None, requires_grad: bool = False"
)
def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Draw integers in [low, high); ``randint(high, size)`` starts at 0.

    Raises:
        RuntimeError: there is no integer in the range.
    """
    if size is None:
        low, high, size = 0, low, high
    if size is None or high is None:
        raise TypeError("randint(): give (high, size) or (low, high, size)")
    if high <= low:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got {low} >= {high}")
    drawn = random.integers(int(low), int(high), _size((size,), "randint"), generator)
    if dtype is not None:
        drawn = drawn.astype(dtypes.as_numpy_dtype(dtype))
    return _made(drawn, requires_grad)


@publish("n: int, *, generator: Generator | None = None, dtype: Any = None")
def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None) -> Tensor:
    """Draw a random order of the integers 0 to n - 1."""
    if n < 0:
        raise RuntimeError(f"n must be non-negative, got {n}")
    drawn = random.permutation(n, generator)
    return wrap(drawn if dtype is None else drawn.astype(dtypes.as_numpy_dtype(dtype)))
