"""Reading at places that an index tensor names: gather, take and their kin, and nonzero."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, broadcast_shape, computed, copied, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.indexing import index_take, inside
from microtensor.tensor import Tensor, checked_dim, wrap

LONG = np.dtype(np.int64)
INTEGERS = (LONG, np.dtype(np.int32))
PLACES = np.array([[0, 2, 1], [2, 2, 1]])  # in samples, along either dimension of (3, 4)


# ---- what all of them check ---------------------------------------------------------------------


def check_index_dtype(op: str, index: Array, legal: tuple[Any, ...] = INTEGERS) -> None:
    """Refuse an index of a dtype that PyTorch does not take there."""
    if index.dtype not in legal:
        names = " or ".join(dtype.name for dtype in legal)
        raise RuntimeError(
            f"{op}(): Expected dtype {names} for index, got {index.dtype.name}; convert with "
            ".long()"
        )


def check_range(
    op: str,
    index: Array,
    dim: int,
    length: int,
    kind: type[Exception] = RuntimeError,
    negative: bool = False,
) -> None:
    """Refuse places outside a dimension, negative ones unless they count from the end."""
    low = -length if negative else 0
    if index.size and not inside(index, low, length):
        wrong = index[(index < low) | (index >= length)].flat[0]
        raise kind(f"{op}(): index {wrong} is out of bounds for dimension {dim} with size {length}")


def check_tensors(op: str, **tensors: Any) -> None:
    """Refuse what is no tensor, by the argument's name."""
    for name, value in tensors.items():
        if not isinstance(value, Tensor):
            refuse(op, name, value)


def rank(shape: tuple[int, ...]) -> int:
    """Give the number of dimensions, where a single element counts as a vector of one."""
    return len(shape) or 1


def check_fits(
    op: str, index: tuple[int, ...], shape: tuple[int, ...], dim: int, size_of: str = "self"
) -> None:
    """Refuse an index of another rank, or longer than the tensor in a dimension but ``dim``."""
    if 0 in index:
        return
    if rank(index) != rank(shape):
        raise RuntimeError(
            f"{op}(): Index tensor must have the same number of dimensions as {size_of} tensor; "
            f"got {list(index)} for {list(shape)}"
        )
    for d, (n, most) in enumerate(zip(index, shape, strict=False)):
        if d != dim and n > most:
            raise RuntimeError(
                f"{op}(): Size does not match at dimension {d} expected index {list(index)} to be "
                f"no larger than {size_of} {list(shape)} apart from dimension {dim}"
            )


def as_vector(x: Array) -> Array:
    """Give a single element as a vector of one, anything else as it is."""
    return x if x.ndim else x.reshape(1)


# ---- gather -------------------------------------------------------------------------------------


def _gather_forward(x: Array, dim: int, index: Array, sparse_grad: bool = False) -> Array:
    dim = checked_dim(dim, x.ndim)
    check_index_dtype("gather", index)
    check_fits("gather", index.shape, x.shape, dim, "input")
    out = empty(index.shape, x.dtype)
    if index.size:
        check_range("gather", index, dim, x.shape[dim] if x.ndim else 1)
        kernels.gather_along(as_vector(x), as_vector(index), dim, as_vector(out))
    return out


gather: Any = declare(
    "gather",
    "input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False",
    _gather_forward,
    rules={"input": lambda g, dim, index, input_shape: scatter_zeros(g, dim, index, input_shape)},
    summary="Take elements along a dimension, one for each place of an index tensor.",
    formula="input[..., index[..., i, ...], ...]",
    integral=True,
    method="gather",
    samples=samples.given(
        (((3, 4), PLACES), {"dim": 0}),
        (((3, 4), PLACES), {"dim": -1}),
        (((3, 4), np.zeros((0, 2), LONG)), {"dim": 0}),
        (((), np.array([0, 0])), {"dim": 0}),
    ),
)


def _scatter_zeros_forward(x: Array, dim: int, index: Array, shape: tuple[int, ...]) -> Array:
    out = np.zeros(shape, x.dtype)
    if index.size:
        kernels.scatter_reduce_along(
            as_vector(x), as_vector(index), checked_dim(dim, len(shape)), "sum", as_vector(out)
        )
    return out


scatter_zeros: Any = declare(
    "scatter_zeros",
    "input: Tensor, dim: int, index: Tensor, shape: Sequence[int]",
    _scatter_zeros_forward,
    rules={"input": lambda g, dim, index: gather(g, dim, index)},
    summary="Add elements into zeros at the places of an index tensor: the adjoint of gather.",
    namespaces=(),
    samples=samples.given(
        (((2, 3), PLACES), {"dim": 0, "shape": (3, 4)}),
        (((2,), np.array([0, 0])), {"dim": 0, "shape": ()}),
    ),
)


@publish("input: Tensor, indices: Tensor, dim: int | None = None", method="take_along_dim")
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """Take elements along a dimension, the other dimensions broadcasting.

    Args:
        input: any tensor.
        indices: int64 places of as many dimensions, as ``argsort`` gives them; negative ones count
            from the end.
        dim: the dimension; None for places in the flattened tensor.

    Raises:
        RuntimeError: other dtypes or ranks, shapes that do not broadcast, places out of range.
    """
    check_tensors("take_along_dim", input=input, indices=indices)
    if indices._array.dtype != LONG:
        raise RuntimeError(
            f"take_along_dim(): dtype of indices should be int64 but got "
            f"{indices._array.dtype.name}; convert with .long()"
        )
    if dim is None:
        return gather.op.public(input.reshape(-1), 0, indices.reshape(-1))
    shape, wanted = input._array.shape, indices._array.shape
    if len(shape) != len(wanted):
        raise RuntimeError(
            "take_along_dim(): input and indices should have the same number of dimensions, but "
            f"got {len(shape)} dimensions for input, and {len(wanted)} dimensions for indices"
        )
    dim = checked_dim(dim, len(shape))
    length = shape[dim] if shape else 1
    check_range("take_along_dim", indices._array, dim, length, negative=True)
    common = broadcast_shape(
        (*shape[:dim], 1, *shape[dim + 1 :]) if shape else (),
        (*wanted[:dim], 1, *wanted[dim + 1 :]) if shape else (),
        "take_along_dim",
    )
    lead, rest = common[:dim], common[dim + 1 :]
    places = np.where(indices._array < 0, indices._array + length, indices._array)
    if shape:
        input = input.expand((*lead, length, *rest))
        places = np.broadcast_to(places, (*lead, wanted[dim], *rest))
    return gather.op.public(input, dim, wrap(np.asarray(places)))


# ---- whole slices -------------------------------------------------------------------------------


def vector_index(op: str, index: Array, kind: type[Exception] = IndexError) -> Array:
    """Give an index of one dimension; a single place is a vector of one."""
    if index.ndim > 1:
        raise kind(
            f"{op}(): Index is supposed to be a vector, but got dim: {index.ndim} with shape "
            f"{list(index.shape)}"
        )
    return as_vector(index)


def at_dim(dim: int, index: Any) -> tuple[Any, ...]:
    """Give the index that names places in one dimension, and all of the others."""
    return (*(slice(None),) * dim, index)


@publish("input: Tensor, dim: int, index: Tensor", method="index_select")
def index_select(input: Any, dim: int, index: Any) -> Any:
    """Take slices along a dimension, in the order of a vector of places; a copy.

    Args:
        input: any tensor.
        dim: the dimension.
        index: int64 or int32 places in [0, size), a vector or a single one.

    Raises:
        IndexError: a place out of range, or an index of several dimensions.
        RuntimeError: an index of another dtype.

    Example:
        >>> import microtensor as mt
        >>> mt.index_select(mt.arange(6).reshape(2, 3), 1, mt.tensor([2, 0]))
        tensor([[2, 0],
                [5, 3]])
    """
    check_tensors("index_select", input=input, index=index)
    dim = checked_dim(dim, input._array.ndim)
    check_index_dtype("index_select", index._array)
    places = vector_index("index_select", index._array)
    shape = input._array.shape
    check_range("index_select", places, dim, shape[dim] if shape else 1, IndexError)
    if not shape:
        if places.size != 1:
            raise RuntimeError(
                f"index_select(): Index to scalar can have only 1 value, got {places.size} values"
            )
        return input.clone()
    return index_take.op.public(input, at_dim(dim, copied(places)))


@publish("input: Tensor, index: Tensor", method="take")
def take(input: Any, index: Any) -> Any:
    """Take elements of the flattened tensor; the result has the index's shape.

    Args:
        input: any tensor.
        index: int64 places; negative ones count from the end.

    Raises:
        IndexError: a place out of range.
        RuntimeError: an index of another dtype.
    """
    check_tensors("take", input=input, index=index)
    places = flat_places("take", input, index)
    return index_take.op.public(input.reshape(-1), (copied(places),))


def flat_places(op: str, input: Tensor, index: Tensor) -> Array:
    """Give the places in a flattened tensor that an index names, checked."""
    places, count = index._array, input._array.size
    check_index_dtype(op, places, (LONG,))
    if places.size and not count:
        raise IndexError(f"{op}(): tried to take from an empty tensor")
    if places.size and not inside(places, -count, count):
        wrong = places[(places < -count) | (places >= count)].flat[0]
        raise IndexError(
            f"{op}(): out of range: tried to access index {wrong} on a tensor of {count} elements"
        )
    return places


# ---- where something is -------------------------------------------------------------------------


@publish("input: Tensor, *, as_tuple: bool = False", method="nonzero")
def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """Find the elements that are not zero, in row-major order.

    Args:
        input: any tensor.
        as_tuple: give one vector per dimension, fit for indexing, instead of one matrix.

    Returns:
        An int64 matrix with a row of places for each element found, or a tuple of vectors.

    Example:
        >>> import microtensor as mt
        >>> mt.nonzero(mt.tensor([[0, 3], [4, 0]]))
        tensor([[0, 1],
                [1, 0]])
    """
    check_tensors("nonzero", input=input)
    x = input._array
    if as_tuple:
        return tuple(map(wrap, computed(np.nonzero, as_vector(x))))
    return wrap(computed(_places_in_rows, x))


def _places_in_rows(x: Array) -> Array:
    return np.ascontiguousarray(np.argwhere(x))


@publish("input: Tensor", method="argwhere")
def argwhere(input: Any) -> Any:
    """Find the elements that are not zero: an int64 matrix, a row of places for each."""
    check_tensors("argwhere", input=input)
    return nonzero(input)
