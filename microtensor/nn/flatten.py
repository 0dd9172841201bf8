"""Flatten."""

from __future__ import annotations

from microtensor.nn.module import Module
from microtensor.tensor import Tensor


class Flatten(Module):
    """Merge a range of dimensions into one; by default all but the first.

    Args:
        start_dim: the first dimension to merge.
        end_dim: the last dimension to merge.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Flatten()(mt.zeros(5, 8, 8)).shape
        microtensor.Size([5, 64])
    """

    start_dim: int
    end_dim: int

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with the dimensions merged."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
