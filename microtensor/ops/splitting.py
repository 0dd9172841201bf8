"""Taking a tensor apart: tuples of views."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from microtensor.ops.declare import publish, refuse
from microtensor.ops.indexing import index_view
from microtensor.ops.reshaping import sizes_of
from microtensor.ops.views import part
from microtensor.tensor import Tensor, checked_dim


def _checked(op: str, input: Any, dim: int, name: str = "input") -> tuple[int, int]:
    """Give the dimension counted from the front, and its length."""
    if not isinstance(input, Tensor):
        refuse(op, name, input)
    ndim = input._array.ndim
    if ndim == 0:
        raise RuntimeError(f"{op} expects at least a 1-dimensional tensor")
    dim = checked_dim(dim, ndim)
    return dim, input._array.shape[dim]


def _cut(input: Tensor, dim: int, bounds: Any) -> tuple[Tensor, ...]:
    return tuple(part(input, dim, start, stop) for start, stop in pairwise(bounds))


@publish("input: Tensor, dim: int = 0", method="unbind")
def unbind(input: Any, dim: int = 0) -> Any:
    """Give the slices along a dimension, as a tuple of views.

    Args:
        input: a tensor of at least one dimension.
        dim: the dimension that goes.
    """
    if not isinstance(input, Tensor):
        refuse("unbind", "input", input)
    if input._array.ndim == 0:
        raise IndexError("unbind(): Dimension specified as 0 but tensor has no dimensions")
    dim = checked_dim(dim, input._array.ndim)
    lead = (slice(None),) * dim
    return tuple(index_view(input, (*lead, i)) for i in range(input._array.shape[dim]))


@publish("tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0")
def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> Any:
    """Cut along a dimension into pieces of a size, or of several sizes; a tuple of views.

    Args:
        tensor: a tensor of at least one dimension.
        split_size_or_sections: the size of each piece (the last may be smaller), or all sizes.
        dim: the dimension to cut.

    Raises:
        RuntimeError: sizes that do not add up to the length.

    Example:
        >>> import microtensor as mt
        >>> mt.split(mt.arange(5), 2)
        (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    if isinstance(split_size_or_sections, list | tuple):
        return _by_sizes("split", tensor, split_size_or_sections, dim, "tensor")
    dim, length = _checked("split", tensor, dim, "tensor")
    (size,) = sizes_of((split_size_or_sections,), "split")
    if size < 0 or (size == 0 and length):
        raise RuntimeError(
            f"split expects split_size to be positive (0 only where there is nothing to split), "
            f"got {size} for a dimension of length {length}"
        )
    if not length:
        return (part(tensor, dim, 0, 0),)
    return _cut(tensor, dim, [*range(0, length, size), length])


@publish("input: Tensor, split_size: Any, dim: int = 0", namespaces=(), method="split")
def _split_method(input: Tensor, split_size: Any, dim: int = 0) -> Any:
    """Cut along a dimension into pieces of a size, or of several sizes; a tuple of views."""
    return split(input, split_size, dim)


@publish("input: Tensor, split_sizes: Sequence[int], dim: int = 0", method="split_with_sizes")
def split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> Any:
    """Cut along a dimension into pieces of the sizes given; a tuple of views.

    Raises:
        RuntimeError: sizes that do not add up to the length.
    """
    return _by_sizes("split_with_sizes", input, split_sizes, dim, "input")


def _by_sizes(op: str, input: Any, split_sizes: Any, dim: int, name: str) -> Any:
    dim, length = _checked(op, input, dim, name)
    sizes = sizes_of((split_sizes,), op)
    if sum(sizes) != length or min(sizes, default=0) < 0:
        raise RuntimeError(
            f"{op} expects split_sizes that are not negative and sum exactly to {length} (input "
            f"tensor's size at dimension {dim}), but got {list(sizes)}"
        )
    return _cut(input, dim, accumulate(sizes, initial=0))


@publish("input: Tensor, chunks: int, dim: int = 0", method="chunk")
def chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """Cut along a dimension into at most so many pieces of equal size (the last may be smaller).

    Args:
        input: a tensor of at least one dimension.
        chunks: how many pieces.
        dim: the dimension to cut.
    """
    dim, length = _checked("chunk", input, dim)
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    if not length:
        return _cut(input, dim, [0] * (chunks + 1))
    return split(input, -(-length // chunks), dim)


@publish(
    "input: Tensor, indices_or_sections: int | Sequence[int] | Tensor = ..., dim: int = 0, *, "
    "sections: int | None = None, indices: Sequence[int] | None = None",
    method="tensor_split",
)
def tensor_split(
    input: Any,
    indices_or_sections: Any = None,
    dim: int = 0,
    *,
    sections: Any = None,
    indices: Any = None,
) -> Any:
    """Cut along a dimension into so many pieces of about equal size, or at the places given.

    Args:
        input: a tensor of at least one dimension.
        indices_or_sections: how many pieces (the first ones are longer by one where the length
            does not divide), or where to cut, as in a slice. A tensor of integers is either.
        dim: the dimension to cut.
        sections: another name for a number of pieces.
        indices: another name for where to cut.

    Raises:
        TypeError: not exactly one of the three says how to cut.

    Example:
        >>> import microtensor as mt
        >>> mt.tensor_split(mt.arange(5), (1, 3))
        (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    ways = [each for each in (indices_or_sections, sections, indices) if each is not None]
    if len(ways) != 1:
        raise TypeError(
            "tensor_split(): exactly one of 'indices_or_sections', 'sections' and 'indices' says "
            f"how to cut, but {len(ways)} are given"
        )
    (indices_or_sections,) = ways
    dim, length = _checked("tensor_split", input, dim)
    if isinstance(indices_or_sections, Tensor):
        _check_integers(indices_or_sections)
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, list | tuple):
        places = sizes_of((indices_or_sections,), "tensor_split")
        # Each piece is a slice of its own: places out of order give empty ones.
        return tuple(
            part(input, dim, *slice(start, stop).indices(length)[:2])
            for start, stop in pairwise((0, *places, length))
        )
    (sections,) = sizes_of((indices_or_sections,), "tensor_split")
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    least, longer = divmod(length, sections)
    return _cut(input, dim, [i * least + min(i, longer) for i in range(sections + 1)])


def _check_integers(places: Tensor) -> None:
    if places._array.ndim > 1 or places._array.dtype != np.int64:
        raise RuntimeError(
            "tensor_split expected indices_or_sections to be a zero-dimensional or "
            f"one-dimensional int64 tensor, got shape {list(places.shape)} and {places.dtype.name}"
        )


def _split_along(name: str, dim: int, least: int, dims: str) -> None:
    def function(input: Any, indices_or_sections: Any) -> Any:
        if not isinstance(input, Tensor):
            refuse(name, "input", input)
        ndim = input._array.ndim
        if ndim < least:
            raise RuntimeError(
                f"{name} requires a tensor with at least {least} dimension, but got a tensor with "
                f"{ndim} dimensions!"
            )
        along = 0 if ndim == 1 else dim
        length = input._array.shape[along]
        if not isinstance(indices_or_sections, list | tuple):
            (sections,) = sizes_of((indices_or_sections,), name)
            if sections <= 0 or length % sections:
                raise RuntimeError(
                    f"{name} attempted to split along dimension {along}, but the size of the "
                    f"dimension {length} is not divisible by the split_size {sections}!"
                )
        return tensor_split(input, indices_or_sections, along)

    function.__name__ = name
    function.__doc__ = (
        f"Cut along {dims} into equal pieces, or at the places given; a tuple of views."
    )
    publish("input: Tensor, indices_or_sections: int | Sequence[int]", method=name)(function)


_split_along("hsplit", 1, 1, "the second dimension (a vector's only one)")
_split_along("vsplit", 0, 2, "the first dimension")
_split_along("dsplit", 2, 3, "the third dimension")
