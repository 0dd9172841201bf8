"""Flatten and Unflatten."""

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


class Unflatten(Module):
    """Make several dimensions of one.

    Args:
        dim: the dimension to take apart.
        unflattened_size: the lengths it is made of.

    Raises:
        TypeError: lengths that are no tuple or list of integers.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.Unflatten(1, (2, 3))(mt.zeros(5, 6)).shape
        microtensor.Size([5, 2, 3])
    """

    dim: int
    unflattened_size: tuple[int, ...]

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        super().__init__()
        if not isinstance(unflattened_size, tuple | list):
            raise TypeError(
                "unflattened_size must be a tuple of ints, but found type "
                f"{type(unflattened_size).__name__}"
            )
        for place, length in enumerate(unflattened_size):
            if not isinstance(length, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, but found element of type "
                    f"{type(length).__name__} at pos {place}"
                )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with the dimension taken apart."""
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
