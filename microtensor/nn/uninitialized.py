"""Parameters and buffers whose shapes are not known yet."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.nn.factory import kind_of
from microtensor.nn.parameter import Parameter
from microtensor.tensor import Tensor, wrap

__all__ = ["UninitializedBuffer", "UninitializedParameter", "is_lazy"]


def _materialize(tensor: Any, shape: Any, device: Any, dtype: Any, becomes: type) -> None:
    kind = tensor._array.dtype if dtype is None else dtypes.as_dtype(dtype).numpy
    kind_of(type(tensor).__name__, device, None)
    tensor.data = wrap(np.empty(tuple(shape), kind))
    tensor.__class__ = becomes


class UninitializedParameter(Parameter):
    """A parameter that gets its shape later; an optimizer may hold it already.

    Args:
        requires_grad: whether training is to change it.
        device: ``None`` or ``"cpu"``.
        dtype: the default floating-point dtype unless given.

    Example:
        >>> from microtensor import nn
        >>> weight = nn.UninitializedParameter()
        >>> weight.materialize((2, 3))
        >>> type(weight).__name__, weight.shape
        ('Parameter', microtensor.Size([2, 3]))
    """

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        kind = kind_of("UninitializedParameter", device, dtype)
        super().__init__(wrap(np.empty(0, kind)), requires_grad)

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a parameter of this shape, yet to be filled."""
        _materialize(self, shape, device, dtype, Parameter)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedBuffer(Tensor):
    """A buffer that gets its shape later.

    Args:
        requires_grad: whether it gets a gradient.
        device: ``None`` or ``"cpu"``.
        dtype: the default floating-point dtype unless given.
    """

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None) -> None:
        values = wrap(np.empty(0, kind_of("UninitializedBuffer", device, dtype)))
        self._array, self._cell = values._array, values._cell
        self._base = self._node = None
        if requires_grad:
            self.requires_grad = True

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a tensor of this shape, yet to be filled."""
        _materialize(self, shape, device, dtype, Tensor)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def is_lazy(param: Any) -> bool:
    """Say whether a parameter or buffer has no shape yet."""
    return isinstance(param, UninitializedParameter | UninitializedBuffer)
