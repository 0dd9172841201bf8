"""Sharing memory with other libraries through DLPack, under PyTorch's names.

Example:
    >>> import microtensor as mt
    >>> from microtensor.utils.dlpack import from_dlpack, to_dlpack
    >>> x = mt.zeros(2)
    >>> y = from_dlpack(to_dlpack(x))
    >>> y[0] = 7.0
    >>> x
    tensor([7., 0.])
"""

from __future__ import annotations

from typing import Any

from microtensor.ops.exchange import from_dlpack
from microtensor.tensor import Tensor

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor) -> Any:
    """Give a tensor's memory as a DLPack capsule, to be taken once by ``from_dlpack``.

    Raises:
        TypeError: no tensor.
        BufferError: a tensor that requires a gradient, is read-only or has negative strides.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"to_dlpack(): expected a Tensor, got {type(tensor).__name__}")
    return tensor.__dlpack__()
