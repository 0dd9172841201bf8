"""Numbers in a row, and indices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.ops import samples
from microtensor.ops.arithmetic import mul
from microtensor.ops.arrays import computed, known
from microtensor.ops.creating import Array, creates, default_dtype, plain_number
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.joining import stack
from microtensor.ops.rearranging import flip_dims
from microtensor.ops.shape import cast
from microtensor.ops.triangles import indices
from microtensor.tensor import Tensor, wrap


def _cast(values: Array, dtype: Any) -> Array:
    with np.errstate(all="ignore"):
        return values.astype(dtype, copy=False)


def _no_bool(op: str, dtype: Any) -> None:
    if dtype.kind == "b":
        raise RuntimeError(f"{op}: not implemented for bool")


@creates("start: float = 0, end: float | None = None, step: float = 1")
def arange(start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None) -> Array:
    """Make the numbers from start up to but not including end; ``arange(end)`` starts at 0.

    Args:
        start: the first number.
        end: where to stop.
        step: the distance between neighbours.
        dtype: int64 if all three are integers, else the default dtype, unless given.

    Raises:
        RuntimeError: a step of zero or in the wrong direction, or bounds that are not finite.

    Example:
        >>> import microtensor as mt
        >>> mt.arange(1, 2, 0.5)
        tensor([1.0000, 1.5000])
    """
    if end is None:
        start, end = 0, start
    start, end, step = (
        plain_number("arange", name, value)
        for name, value in (("start", start), ("end", end), ("step", step))
    )
    whole = all(isinstance(value, int) for value in (start, end, step))
    dtype = dtype or (dtypes.int64.numpy if whole else default_dtype())
    _no_bool("arange", dtype)
    if step == 0:
        raise RuntimeError("arange: step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"arange: unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError(
            "upper bound and lower bound inconsistent with step sign: "
            f"arange({start}, {end}, {step})"
        )
    if whole:
        return _cast(np.arange(start, end, step), dtype)
    # As in PyTorch: int64 takes the numbers without their fractions; the length in other integer
    # dtypes follows the numbers as given.
    length = math.ceil((end - start) / step)
    if dtype.kind in "iu":
        start, end, step = int(start), int(end), int(step)
        if step == 0:
            raise ValueError(f"arange: step must be nonzero as {dtype.name}")
        if dtype == np.int64:
            length = len(range(start, end, step))
    return _cast(start + step * np.arange(length), dtype)


def _spaced(op: str, start: Any, end: Any, steps: Any, dtype: Any) -> Array:
    """Give evenly spaced numbers, from both ends towards the middle, as PyTorch computes them."""
    start, end = plain_number(op, "start", start), plain_number(op, "end", end)
    if isinstance(steps, bool) or not isinstance(plain_number(op, "steps", steps), int):
        raise TypeError(f"{op}(): argument 'steps' must be int, not {type(steps).__name__}")
    if steps < 0:
        raise RuntimeError(f"{op}: number of steps must be non-negative, got {steps}")
    _no_bool(op, dtype)
    # The step is rounded to the dtype, each number once: what a fused multiply-add gives.
    own = np.dtype(np.float64) if dtype.kind in "iu" else dtype
    with np.errstate(all="ignore"):
        first, last = own.type(start), own.type(end)
        step = float((last - first) / own.type(max(int(steps) - 1, 1)))
        first, last = float(first), float(last)
        places = np.arange(int(steps)).astype(np.float64)
        half = int(steps) // 2
        values = np.empty(int(steps))
        values[:half] = first + step * places[:half]
        values[half:] = last - step * places[::-1][half:]
    if steps == 1:
        values[0] = first
    return values


@creates("start: float, end: float, steps: int")
def linspace(start: Any, end: Any, steps: Any, *, dtype: Any = None) -> Array:
    """Make evenly spaced numbers from start to end, both included.

    Args:
        start: the first number.
        end: the last one.
        steps: how many.
        dtype: the data type; the default one unless given.

    Raises:
        RuntimeError: a negative number of steps.
    """
    dtype = dtype or default_dtype()
    return _cast(_spaced("linspace", start, end, steps, dtype), dtype)


@creates("start: float, end: float, steps: int, base: float = 10.0")
def logspace(start: Any, end: Any, steps: Any, base: float = 10.0, *, dtype: Any = None) -> Array:
    """Make the powers of a base for evenly spaced exponents from start to end, both included.

    Args:
        start: the first exponent.
        end: the last one.
        steps: how many.
        base: what is raised.
        dtype: the data type; the default one unless given.
    """
    dtype = dtype or default_dtype()
    exponents = _spaced("logspace", start, end, steps, dtype).astype(np.float64)
    with np.errstate(all="ignore"):
        return _cast(np.power(float(base), exponents), dtype)


@creates("n: int, m: int | None = None")
def eye(n: int, m: int | None = None, *, dtype: Any = None) -> Array:
    """Make a matrix with ones on its diagonal."""
    for name, length in (("n", n), ("m", m)):
        if length is not None and length < 0:
            raise RuntimeError(f"eye: {name} must be greater or equal to 0, got {length}")
    return np.eye(n, m, dtype=dtype or default_dtype())


def _index_dtype(op: str, dtype: Any) -> Any:
    if dtype is not None and dtype.kind not in "iu":
        raise RuntimeError(f"{op}: not implemented for {dtype.name}; indices are integers")
    return dtype or dtypes.int64.numpy


@creates("row: int, col: int, offset: int = 0")
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None) -> Array:
    """Give the row and column numbers of a matrix's lower triangle, as a 2×n tensor.

    Args:
        row: how many rows the matrix has.
        col: how many columns.
        offset: the diagonal up to which the triangle goes.
        dtype: the data type; int64 unless given.
    """
    chosen = _index_dtype("tril_indices", dtype)
    return _cast(indices("tril_indices", row, col, offset, True), chosen)


@creates("row: int, col: int, offset: int = 0")
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = None) -> Array:
    """Give the row and column numbers of a matrix's upper triangle, as a 2×n tensor.

    Args:
        row: how many rows the matrix has.
        col: how many columns.
        offset: the diagonal from which the triangle goes on.
        dtype: the data type; int64 unless given.
    """
    chosen = _index_dtype("triu_indices", dtype)
    return _cast(indices("triu_indices", row, col, offset, False), chosen)


@publish("x: Tensor, N: int | None = None, increasing: bool = False")
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:
    """Make the matrix whose columns are the powers of a vector: Vandermonde's.

    Args:
        x: a vector.
        N: how many columns; as many as there are rows unless given.
        increasing: whether the powers grow from left to right.

    Raises:
        RuntimeError: no vector, or a negative N.
    """
    if not isinstance(x, Tensor):
        refuse("vander", "x", x)
    if x._array.ndim != 1:
        raise RuntimeError(f"vander: x must be a one-dimensional tensor, got {x._array.ndim}-d")
    columns = x._array.size if N is None else N
    if columns < 0:
        raise RuntimeError(f"vander: N must be non-negative, got {N}")
    if x._array.dtype.kind != "f":
        x = cast(x, dtypes.int64.numpy)
    if columns == 0:
        return wrap(np.empty((x._array.size, 0), x._array.dtype))
    powers = [wrap(known(np.ones(x._array.shape, x._array.dtype)))]
    for _ in range(columns - 1):
        powers.append(mul(powers[-1], x))
    matrix = stack(powers, 1)
    return matrix if increasing else flip_dims(matrix, (1,))


def _one_hot_forward(x: Any, classes: int) -> Any:
    return (x[..., None] == np.arange(classes)).astype(np.int64)


_one_hot: Any = declare(
    "one_hot_of",
    "input: Tensor, classes: int",
    _one_hot_forward,
    summary="Give rows of zeros with a one at the place that each number names.",
    namespaces=(),
    samples=samples.given(((np.array([0, 2, 1]),), {"classes": 3})),
)


@publish("tensor: Tensor, num_classes: int = -1", namespaces=("nn.functional",))
def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """Make, for each class number, a vector that is 1 at its place and 0 elsewhere.

    Args:
        tensor: class numbers, int64, of any shape.
        num_classes: the length of the vectors; one more than the largest number unless given.

    Raises:
        RuntimeError: numbers that are no classes, or another dtype.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.functional.one_hot(mt.tensor([0, 2]))
        tensor([[1, 0, 0],
                [0, 0, 1]])
    """
    if not isinstance(tensor, Tensor):
        refuse("one_hot", "tensor", tensor)
    classes = tensor._array
    if classes.dtype != np.int64:
        raise RuntimeError(f"one_hot: class numbers must be int64, got {tensor.dtype.name}")
    if classes.size == 0:
        if num_classes <= 0:
            raise RuntimeError("one_hot: can not infer total number of classes from empty tensor")
    else:
        computed(_check_classes, classes, num_classes)
        if num_classes == -1:
            num_classes = wrap(np.asarray(classes.max())).item() + 1
    result: Tensor = _one_hot.op.public(tensor, num_classes)
    return result


def _check_classes(classes: Any, num_classes: int) -> None:
    if classes.min() < 0:
        raise RuntimeError("one_hot: class values must be non-negative")
    if num_classes != -1 and classes.max() >= num_classes:
        raise RuntimeError(
            f"one_hot: class values must be smaller than num_classes, {num_classes}, got "
            f"{classes.max()}"
        )
