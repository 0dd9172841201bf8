"""What the constructors of layers have in common: dtype, device, and whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.nn.parameter import Parameter
from microtensor.tensor import Tensor, wrap


def kind_of(layer: str, device: Any, dtype: Any) -> Any:
    """Give NumPy's dtype of a layer's parameters; RuntimeError for a device there is not."""
    if device is not None and str(device).split(":")[0] != "cpu":
        raise RuntimeError(f"{layer}: device must be 'cpu', the only one there is; got {device!r}")
    return (dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)).numpy


def checked_count(layer: str, name: str, value: Any, least: int = 0) -> int:
    """Give a whole number, not below ``least``; TypeError or ValueError name the argument."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{layer}: {name} must be an int, got {type(value).__name__}")
    if value < least:
        raise ValueError(f"{layer}: {name} must be at least {least}, got {value}")
    return int(value)


def parameter(shape: Any, kind: Any) -> Parameter:
    """Give a parameter yet to be filled."""
    return Parameter(wrap(np.empty(shape, kind)))


def buffer(values: Any) -> Tensor:
    """Give a tensor that is not trained."""
    return wrap(np.asarray(values))
