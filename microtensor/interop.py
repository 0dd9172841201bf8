"""A tensor's elements for the world outside: Python numbers, NumPy arrays, DLPack.

Nothing here knows the graph. What NumPy's functions do with tensors is in
:mod:`microtensor.ops.numpy_protocol`; arrays of whatever a tensor can be made of are in
:mod:`microtensor.conversion`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

Array = np.ndarray[Any, Any]


class Elements:
    """The part of a tensor that gives its elements away; the base class of Tensor."""

    _array: Array

    if TYPE_CHECKING:

        @property
        def requires_grad(self) -> bool:
            """Whether what is computed from this is recorded."""

        @requires_grad.setter
        def requires_grad(self, value: bool) -> None: ...

    # ---- Python numbers -------------------------------------------------------------------------

    def item(self) -> Any:
        """Give the only element as a Python number.

        Raises:
            RuntimeError: there is not exactly one element.
        """
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar"
            )
        return self._array.item()

    def tolist(self) -> Any:
        """Give the elements as nested lists of Python numbers."""
        return self._array.tolist()

    def __bool__(self) -> bool:
        if self._array.size != 1:
            count = "no values" if self._array.size == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {count} is ambiguous")
        return bool(self._array.item())

    def __float__(self) -> float:
        return float(self._single())

    def __int__(self) -> int:
        return int(self._single())

    def __complex__(self) -> complex:
        return complex(self._single())

    def _single(self) -> Any:
        if self._array.size != 1:
            raise ValueError(
                "only one element tensors can be converted to Python scalars; this one has "
                f"{self._array.size}"
            )
        return self._array.item()

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iub" or self._array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self._array.item())

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    # ---- NumPy ----------------------------------------------------------------------------------

    def numpy(self, *, force: bool = False) -> Array:
        """Give the array itself, sharing memory.

        Args:
            force: detach first, instead of refusing a tensor that requires a gradient.

        Raises:
            RuntimeError: the tensor requires a gradient (which NumPy would drop silently).
        """
        if not force and self.requires_grad:
            raise RuntimeError(
                "can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                "instead."
            )
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.numpy()
        if dtype is not None and np.dtype(dtype) != array.dtype:
            if copy is False:
                raise ValueError(f"converting {array.dtype} to {np.dtype(dtype)} needs a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    # ---- DLPack ---------------------------------------------------------------------------------

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """Give the memory as a DLPack capsule, for ``from_dlpack`` of another library.

        Args:
            stream: None, as there is but the CPU.
            max_version: the newest version of DLPack that the taker knows. Read-only memory
                needs (1, 0) at least, since older versions cannot say that it is.
            dl_device: None, or where the memory should be: (1, 0), the CPU.
            copy: True for a copy; False or None for the memory itself.

        Raises:
            BufferError: the tensor requires a gradient, has negative strides (which make some
                takers end the process), or is wanted elsewhere than on the CPU.
        """
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        array = self._array
        if not copy and any(step < 0 for step in array.strides):
            raise BufferError(
                "can't export a tensor with negative strides, which not every library takes; "
                "use tensor.contiguous()"
            )
        wanted = {
            "stream": stream,
            "max_version": max_version,
            "dl_device": dl_device,
            "copy": copy,
        }
        return array.__dlpack__(**{name: v for name, v in wanted.items() if v is not None})

    def __dlpack_device__(self) -> tuple[int, int]:
        """Say where the memory is: (1, 0), the CPU."""
        return 1, 0
