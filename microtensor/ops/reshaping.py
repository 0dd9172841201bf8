"""Other shapes for the same elements, as users write them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index as to_index
from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.layouts import check_memory_format
from microtensor.ops.arrays import Array
from microtensor.ops.declare import attach, declare, publish, refuse
from microtensor.ops.shape import clone, permute, reshape, transpose
from microtensor.tensor import Tensor, checked_dim


def sizes_of(sizes: tuple[Any, ...], op: str) -> tuple[int, ...]:
    """Take sizes given one by one or as one sequence.

    Raises:
        TypeError: something that is no integer, or nothing at all.
    """
    if len(sizes) == 1 and isinstance(sizes[0], Sequence) and not isinstance(sizes[0], str):
        sizes = tuple(sizes[0])
    elif not sizes:
        raise TypeError(f"{op}(): sizes must be given, as integers or one sequence of them")
    try:
        found = tuple(map(to_index, sizes))
    except TypeError:
        kinds = ", ".join(type(size).__name__ for size in sizes)
        raise TypeError(f"{op}(): sizes must be integers, got {kinds}") from None
    if bool in map(type, sizes):
        raise TypeError(f"{op}(): sizes must be integers, got bool")
    return found


def shape_of(sizes: tuple[Any, ...], op: str) -> tuple[int, ...]:
    """Take the sizes of a shape, one of which may be -1.

    Raises:
        TypeError: something that is no integer.
        RuntimeError: another negative number.
    """
    found = sizes_of(sizes, op)
    if found and min(found) < -1:
        raise RuntimeError(f"{op}: invalid shape dimension {min(found)} in {list(found)}")
    return found


# ---- reshape and view ---------------------------------------------------------------------------


@publish("input: Tensor, shape: Sequence[int]", name="reshape")
def _reshape(input: Any, shape: Any) -> Tensor:
    """Give the elements another shape; one length may be -1. A view where possible.

    Args:
        input: any tensor.
        shape: the new lengths, whose product is the number of elements.

    Raises:
        RuntimeError: the elements do not fit the shape.

    Example:
        >>> import microtensor as mt
        >>> mt.reshape(mt.arange(6), (2, -1))
        tensor([[0, 1, 2],
                [3, 4, 5]])
    """
    if not isinstance(input, Tensor):
        refuse("reshape", "input", input)
    return reshape(input, shape_of((shape,), "reshape"))


@publish("input: Tensor, *args: Any, shape: Any = None", namespaces=(), method="reshape")
def _reshape_method(input: Tensor, *args: Any, shape: Any = None) -> Tensor:
    """Give the elements another shape; one length may be -1. A view where possible."""
    return reshape(input, shape_of(args if shape is None else (shape,), "reshape"))


@publish("input: Tensor, other: Tensor", namespaces=(), method="reshape_as")
def _reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """Give the elements the shape of another tensor. A view where possible."""
    if not isinstance(other, Tensor):
        refuse("reshape_as", "other", other)
    return reshape(input, other._array.shape)


def _view_dtype_forward(x: Array, dtype: Any) -> Array:
    if x.itemsize != dtype.itemsize:
        what = f"view: {x.dtype.name} as {dtype.name}, which differ in size,"
        if x.ndim == 0:
            raise RuntimeError(f"{what} needs at least one dimension")
        if x.shape[-1] != 1 and x.strides[-1] != x.itemsize:
            raise RuntimeError(f"{what} needs a last dimension without gaps; call contiguous()")
        if x.shape[-1] * x.itemsize % dtype.itemsize:
            raise RuntimeError(f"{what} needs a last length that divides, got {x.shape[-1]}")
    try:
        return x.view(dtype)
    except ValueError as error:
        raise RuntimeError(f"view: {error}") from None


view_dtype: Any = declare(
    "view_dtype",
    "input: Tensor, dtype: Any",
    _view_dtype_forward,
    summary="Read the same bytes as another dtype.",
    view=True,
    namespaces=(),
    samples=lambda rng: [((rng.integers(0, 9, (3, 4)),), {"dtype": np.dtype(np.float64)})],
)


@publish(
    "input: Tensor, *args: Any, size: Any = None, dtype: Any = None", namespaces=(), method="view"
)
def _view(input: Tensor, *args: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """Give another shape on the same memory, or read the same memory as another dtype.

    Args:
        input: any tensor.
        args: the new lengths, one of which may be -1; or a dtype, whose numbers the bytes then
            are (not differentiable).
        size: the new lengths by name.
        dtype: the dtype by name.

    Raises:
        RuntimeError: the strides do not allow a view (use reshape), or the bytes do not fit.

    Example:
        >>> import microtensor as mt
        >>> mt.ones(1).view(mt.int32).tolist()
        [1065353216]
    """
    if dtype is None and len(args) == 1 and isinstance(args[0], dtypes.dtype):
        dtype = args[0]
    if dtype is not None:
        return view_dtype(input, dtypes.as_numpy_dtype(dtype))
    result: Tensor = reshape(input, shape_of(args if size is None else (size,), "view"))
    if result._base is None and result._array.size:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return result


@publish("input: Tensor, other: Tensor", namespaces=(), method="view_as")
def _view_as(input: Tensor, other: Tensor) -> Tensor:
    """Give the shape of another tensor on the same memory."""
    if not isinstance(other, Tensor):
        refuse("view_as", "other", other)
    return _view(input, other._array.shape)


@publish("input: Tensor, start_dim: int = 0, end_dim: int = -1", method="flatten")
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Make one dimension of several neighbouring ones.

    Args:
        input: any tensor.
        start_dim: the first dimension to join.
        end_dim: the last one.

    Raises:
        RuntimeError: ``start_dim`` comes after ``end_dim``.
    """
    if not isinstance(input, Tensor):
        refuse("flatten", "input", input)
    shape = input._array.shape
    start, end = checked_dim(start_dim, len(shape)), checked_dim(end_dim, len(shape))
    if not shape:
        return reshape(input, (1,))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end:
        return input
    return reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@publish("input: Tensor, dim: int, sizes: Sequence[int]", method="unflatten")
def unflatten(input: Any, dim: int, sizes: Any) -> Tensor:
    """Make several dimensions of one.

    Args:
        input: a tensor of at least one dimension.
        dim: the dimension to take apart.
        sizes: the lengths it is made of, one of which may be -1.

    Raises:
        RuntimeError: lengths whose product is not that of the dimension.
    """
    if not isinstance(input, Tensor):
        refuse("unflatten", "input", input)
    shape = input._array.shape
    dim = checked_dim(dim, len(shape))
    sizes = shape_of((sizes,), "unflatten")
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    known = math.prod(size for size in sizes if size != -1)
    unknown = sizes.count(-1)
    length = shape[dim] if shape else 1
    if unknown > 1 or (known != length if not unknown else not known or length % known):
        raise RuntimeError(
            f"unflatten: provided sizes {list(sizes)} don't multiply up to the size of dim {dim} "
            f"({length}) in the input tensor"
        )
    # Made out here: beside a dimension of length 0 reshape could not infer it.
    sizes = tuple(length // known if size == -1 else size for size in sizes)
    return reshape(input, (*shape[:dim], *sizes, *shape[dim + 1 :]))


@publish("input: Tensor", method="ravel")
def ravel(input: Any) -> Tensor:
    """Make all dimensions one."""
    if not isinstance(input, Tensor):
        refuse("ravel", "input", input)
    return reshape(input, (-1,)) if input._array.size else reshape(input, (0,))


# ---- the order of dimensions --------------------------------------------------------------------


@publish("input: Tensor, dims: Sequence[int]", name="permute")
def _permute(input: Any, dims: Any) -> Tensor:
    """Reorder the dimensions.

    Args:
        input: any tensor.
        dims: all dimensions in their new order.
    """
    if not isinstance(input, Tensor):
        refuse("permute", "input", input)
    return permute(input, sizes_of((dims,), "permute"))


@publish("input: Tensor, *args: Any, dims: Any = None", namespaces=(), method="permute")
def _permute_method(input: Tensor, *args: Any, dims: Any = None) -> Tensor:
    """Reorder the dimensions."""
    return permute(input, sizes_of(args if dims is None else (dims,), "permute"))


def _swapped(name: str, first: Any, second: Any, input: Any) -> Tensor:
    if not isinstance(input, Tensor):
        refuse(name, "input", input)
    return transpose(input, first, second)


@publish("input: Tensor, axis0: int, axis1: int", method="swapaxes")
def swapaxes(input: Any, axis0: int, axis1: int) -> Tensor:
    """Swap two dimensions: :func:`transpose` under NumPy's name."""
    return _swapped("swapaxes", axis0, axis1, input)


@publish("input: Tensor, dim0: int, dim1: int", method="swapdims")
def swapdims(input: Any, dim0: int, dim1: int) -> Tensor:
    """Swap two dimensions: :func:`transpose` under another name."""
    return _swapped("swapdims", dim0, dim1, input)


@publish("input: Tensor", method="t")
def t(input: Any) -> Tensor:
    """Transpose a matrix; vectors and 0-d tensors stay as they are."""
    if not isinstance(input, Tensor):
        refuse("t", "input", input)
    ndim = input._array.ndim
    if ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
    return transpose(input, 0, 1 if ndim == 2 else 0)


@publish("input: Tensor", method="adjoint")
def adjoint(input: Any) -> Tensor:
    """Swap the last two dimensions.

    Raises:
        RuntimeError: a tensor of one dimension.
    """
    if not isinstance(input, Tensor):
        refuse("adjoint", "input", input)
    return _of_matrices(input, "tensor.adjoint()")


def _of_matrices(input: Tensor, what: str) -> Tensor:
    if input._array.ndim == 1:
        raise RuntimeError(
            f"{what} is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    return transpose(input, -2, -1) if input._array.ndim else transpose(input, 0, 0)


def _transposed(self: Tensor) -> Tensor:
    """The tensor with its dimensions in reverse order."""
    return permute(self, tuple(range(self._array.ndim))[::-1])


def _matrix_transposed(self: Tensor) -> Tensor:
    """The tensor with its last two dimensions swapped."""
    return _of_matrices(self, "tensor.mT")


def _conjugate_transposed(self: Tensor) -> Tensor:
    """The transposed matrix: of real numbers, the same as ``T``."""
    if self._array.ndim not in (0, 2):
        raise RuntimeError(
            "tensor.H is only supported on matrices (2-D tensors). Got "
            f"{self._array.ndim}-D tensor."
        )
    return t(self)


def _conjugate_matrix_transposed(self: Tensor) -> Tensor:
    """The tensor with its last two dimensions swapped: of real numbers, the same as ``mT``."""
    return _of_matrices(self, "tensor.mH")


attach("T", property(_transposed))
attach("mT", property(_matrix_transposed))
attach("H", property(_conjugate_transposed))
attach("mH", property(_conjugate_matrix_transposed))


@publish(
    "input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]", method="movedim"
)
def movedim(input: Any, source: Any, destination: Any) -> Tensor:
    """Move dimensions to new places; the others keep their order.

    Args:
        input: any tensor.
        source: the dimensions to move.
        destination: where to.

    Raises:
        RuntimeError: a dimension named twice, or not as many places as dimensions.
    """
    return _moved("movedim", input, source, destination)


@publish(
    "input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]",
    method="moveaxis",
)
def moveaxis(input: Any, source: Any, destination: Any) -> Tensor:
    """Move dimensions to new places: :func:`movedim` under NumPy's name."""
    return _moved("moveaxis", input, source, destination)


def _moved(op: str, input: Any, source: Any, destination: Any) -> Tensor:
    if not isinstance(input, Tensor):
        refuse(op, "input", input)
    ndim = input._array.ndim
    sources = [checked_dim(s, ndim) for s in sizes_of((source,), op)]
    targets = [checked_dim(d, ndim) for d in sizes_of((destination,), op)]
    if len(sources) != len(targets):
        raise RuntimeError(
            f"{op}: source and destination must be as many: {source} and {destination}"
        )
    for name, dims, given in (("source", sources, source), ("destination", targets, destination)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"{op}: repeated dim in {name} ({given})")
    if not ndim:
        return permute(input, ())
    order = [d for d in range(ndim) if d not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        order.insert(target, origin)
    return permute(input, order)


# ---- memory -------------------------------------------------------------------------------------


@publish("input: Tensor, memory_format: Any = None", namespaces=(), method="contiguous")
def _contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """Give the tensor itself if it is contiguous, else a contiguous copy."""
    if memory_format is not None:
        check_memory_format("contiguous", memory_format)
    return input if input._array.flags.c_contiguous else clone(input)


@publish("input: Tensor, other: Tensor", method="is_same_size")
def is_same_size(input: Any, other: Any) -> bool:
    """Say whether two tensors have the same shape."""
    for name, given in (("input", input), ("other", other)):
        if not isinstance(given, Tensor):
            refuse("is_same_size", name, given)
    return bool(input._array.shape == other._array.shape)
