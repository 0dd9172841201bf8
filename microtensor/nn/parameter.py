"""Parameter: a tensor that modules recognise as something to train."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from microtensor import dtypes
from microtensor.tensor import Tensor, new_cell


class Parameter(Tensor):
    """A leaf tensor that a module lists among its parameters once it is assigned to it.

    Args:
        data: the initial value; its memory is shared, not copied. Empty unless given.
        requires_grad: whether training is to change it. ``no_grad`` does not affect this.

    Raises:
        TypeError: ``data`` is not a tensor.
        RuntimeError: ``data`` is of an integer or bool dtype and a gradient is required.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Parameter(mt.ones(2))
        Parameter containing:
        tensor([1., 1.], requires_grad=True)
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        if data is None:
            self._array = np.empty(0, dtypes.get_default_dtype().numpy)
            self._cell = new_cell()
        elif isinstance(data, Tensor):
            self._array = data._array
            # The same memory has one version, whichever of its tensors is written to.
            self._cell = data._cell
        else:
            raise TypeError(
                f"Parameter: data must be a Tensor, got {type(data).__name__}; "
                "wrap it first: Parameter(microtensor.tensor(data))"
            )
        self._base = None
        self._node = None
        if requires_grad:
            self.requires_grad = True

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        # PyTorch's rule: the copy of a parameter starts without a gradient.
        return cast(Parameter, self._deep_copy(memo, with_grad=False))

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that becomes a buffer of the module to which it is assigned.

    Args:
        data: the value; its memory is shared, not copied. Empty unless given.
        persistent: whether the module's ``state_dict`` holds it.

    Raises:
        TypeError: ``data`` is not a tensor.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> layer = nn.Identity()
        >>> layer.scale = nn.Buffer(mt.ones(2))
        >>> list(layer.state_dict())
        ['scale']
    """

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        if data is None:
            self._array = np.empty(0, dtypes.get_default_dtype().numpy)
            self._cell = new_cell()
        elif isinstance(data, Tensor):
            self._array, self._cell = data._array, data._cell
        else:
            raise TypeError(
                f"Buffer: data must be a Tensor, got {type(data).__name__}; "
                "wrap it first: Buffer(microtensor.tensor(data))"
            )
        self._base = self._node = None
        self.persistent = persistent
