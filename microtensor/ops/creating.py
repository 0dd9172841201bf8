"""What functions that make tensors have in common: sizes, dtypes, and the options PyTorch takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.layouts import check_memory_format, check_placement
from microtensor.ops.declare import publish, refuse
from microtensor.ops.reshaping import sizes_of
from microtensor.tensor import Tensor, wrap

Array = np.ndarray[Any, Any]

OPTIONS = (
    "dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False, "
    "pin_memory: bool = False"
)


def creates(
    signature: str, *, namespaces: tuple[str, ...] = ("mt",), method: str | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Publish a function of arrays as one that makes tensors, with the options of all of these.

    The function is given ``dtype``, a NumPy dtype or None, as a keyword; the other options
    (``layout``, ``device``, ``pin_memory``, ``requires_grad``) are seen to here.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        op = function.__name__

        def create(
            *arguments: Any,
            dtype: Any = None,
            layout: Any = None,
            device: Any = None,
            requires_grad: bool = False,
            pin_memory: bool = False,
            **named: Any,
        ) -> Tensor:
            if device is not None or layout is not None or pin_memory:
                check_placement(op, device, layout, pin_memory)
            if dtype is not None:
                dtype = dtypes.as_dtype(dtype).numpy
            tensor = wrap(created(function, *arguments, dtype=dtype, **named))
            if requires_grad:
                tensor.requires_grad = True
            return tensor

        create.__name__ = create.__qualname__ = op
        create.__doc__, create.__module__ = function.__doc__, function.__module__
        star = "" if "*" in signature else "*, "
        return publish(f"{signature}, {star}{OPTIONS}", namespaces=namespaces, method=method)(
            create
        )

    return register


def created(function: Callable[..., Array], *arguments: Any, **named: Any) -> Array:
    """Call a function that makes an array: the one place they all go through."""
    return function(*arguments, **named)


def default_dtype() -> Any:
    """Give the NumPy dtype that Python floats become."""
    return dtypes.get_default_dtype().numpy


def size_of(size: tuple[Any, ...], op: str) -> tuple[int, ...]:
    """Take a size given as integers or one sequence.

    Raises:
        TypeError: something that is no integer.
        RuntimeError: a negative length.
    """
    found = sizes_of(size, op)
    if found and min(found) < 0:
        raise RuntimeError(
            f"{op}(): trying to create tensor with negative dimension {min(found)}: {list(found)}"
        )
    return found


def like(op: str, input: Any, dtype: Any, memory_format: Any = None) -> tuple[tuple[int, ...], Any]:
    """Give the shape and dtype of what is made like a tensor."""
    if not isinstance(input, Tensor):
        refuse(op, "input", input)
    if memory_format is not None:
        check_memory_format(op, memory_format)
    return input._array.shape, input._array.dtype if dtype is None else dtype


def plain_number(op: str, name: str, value: Any) -> Any:
    """Give a Python number of a number or a 0-d tensor.

    Raises:
        TypeError: anything else.
    """
    if isinstance(value, Tensor) and value._array.ndim == 0:
        return value._array.item()
    if isinstance(value, np.number | np.bool_):
        return value.item()
    if not isinstance(value, int | float):
        raise TypeError(f"{op}(): argument '{name}' must be a number, not {type(value).__name__}")
    return value


def filled(op: str, shape: tuple[int, ...], value: Any, dtype: Any) -> Array:
    """Give an array of one number.

    Raises:
        RuntimeError: a number that the dtype cannot hold.
    """
    value = plain_number(op, "fill_value", value)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        # PyTorch lets negative numbers wrap around in unsigned integers.
        least = -limits.max if dtype.kind == "u" else limits.min
        if not least <= value <= limits.max:  # written so that NaN is refused, too
            raise RuntimeError(
                f"{op}(): value cannot be converted to type {dtype.name} without overflow: {value}"
            )
        value = int(value) & limits.max if dtype.kind == "u" else int(value)
    elif dtype.kind == "f" and np.finfo(dtype).max < abs(value) < np.inf:
        raise RuntimeError(
            f"{op}(): value cannot be converted to type {dtype.name} without overflow: {value}"
        )
    return np.full(shape, value, dtype)
