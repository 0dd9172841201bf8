"""What a tensor says about itself: shape, dtype, how it lies in memory, where."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from microtensor import devices, dtypes, layouts

_part = tuple.__getitem__


class Size(tuple[int, ...]):
    """The shape of a tensor: a tuple that prints as PyTorch's does, and whose parts are shapes.

    Example:
        >>> import microtensor as mt
        >>> mt.zeros(2, 3).shape, mt.zeros(2, 3).shape.numel()
        (microtensor.Size([2, 3]), 6)
        >>> mt.zeros(2, 3, 4).shape[1:]
        microtensor.Size([3, 4])
    """

    __slots__ = ()

    def numel(self) -> int:
        """Give the number of elements."""
        count = 1
        for length in self:
            count *= length
        return count

    def __getitem__(self, place: Any) -> Any:
        part = _part(self, place)
        return Size(part) if type(part) is tuple else part

    def __add__(self, other: Any) -> Any:
        return Size(tuple.__add__(self, other))

    def __radd__(self, other: Any) -> Any:
        return Size(tuple.__add__(other, self))

    def __mul__(self, times: Any) -> Any:
        return Size(tuple.__mul__(self, times))

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"microtensor.Size({list(self)})"


def whole_number(argument: str, value: Any, op: str = "") -> int:
    """Take what counts as an integer, NumPy's and tensors of one among them.

    Raises:
        TypeError: anything else; the message names the op, if it is known, and the argument.
    """
    try:
        return index(value)
    except TypeError:
        where = f"{op}(): argument " if op else ""
        raise TypeError(f"{where}'{argument}' must be an int, not {type(value).__name__}") from None


def checked_dim(dim: int, ndim: int) -> int:
    """Give a dimension counted from the front.

    Raises:
        TypeError: no integer.
        IndexError: outside of the legal range, which the message names.
    """
    if dim.__class__ is not int:
        dim = whole_number("dim", dim)
    extent = max(ndim, 1)
    if not -extent <= dim < extent:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-extent}, {extent - 1}], but "
            f"got {dim})"
        )
    return dim % extent


class Description:
    """The part of a tensor that describes it; a base class of Tensor."""

    _array: np.ndarray[Any, Any]

    @property
    def shape(self) -> Size:
        """The lengths of the dimensions."""
        return Size(self._array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """The data type."""
        return dtypes.from_numpy_dtype(self._array.dtype)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._array.nbytes

    def dim(self) -> int:
        """Give the number of dimensions."""
        return self._array.ndim

    ndimension = dim

    def size(self, dim: int | None = None) -> Any:
        """Give the shape, or the length of one dimension."""
        if dim is None:
            return self.shape
        return self._array.shape[checked_dim(dim, self._array.ndim)]

    def numel(self) -> int:
        """Give the number of elements."""
        return self._array.size

    nelement = numel

    def element_size(self) -> int:
        """Give the bytes per element."""
        return self._array.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """Give how many elements lie between neighbours along each dimension, or along one."""
        array = self._array
        strides = [step // array.itemsize for step in array.strides]
        # Where a stride leads nowhere, NumPy may have 0: PyTorch has that of contiguous memory.
        after = 1
        for place in range(array.ndim - 1, -1, -1):
            length = array.shape[place]
            if not array.size or (length == 1 and not strides[place]):
                strides[place] = after
            after = strides[place] * max(length, 1)
        return tuple(strides) if dim is None else strides[checked_dim(dim, array.ndim)]

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Say whether the elements lie in memory in row-major order without gaps."""
        if memory_format is not None:
            layouts.check_memory_format("is_contiguous", memory_format)
        return self._array.flags.c_contiguous

    def is_floating_point(self) -> bool:
        """Say whether the dtype is a floating-point one."""
        return self._array.dtype.kind == "f"

    def data_ptr(self) -> int:
        """Give the address of the first element."""
        return self._array.ctypes.data

    @property
    def device(self) -> devices.device:
        """Where it is: on the CPU."""
        return devices.CPU

    @property
    def layout(self) -> layouts.layout:
        """How the elements lie: ``microtensor.strided``."""
        return layouts.strided

    @property
    def is_cpu(self) -> bool:
        """Whether it is on the CPU: always."""
        return True

    @property
    def is_cuda(self) -> bool:
        """Whether it is on a GPU: never."""
        return False

    @property
    def is_sparse(self) -> bool:
        """Whether only some elements are stored: never."""
        return False

    def get_device(self) -> int:
        """Give the number of the GPU it is on: -1, as it is on the CPU."""
        return -1
