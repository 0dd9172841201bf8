"""Taking memory over from other libraries, through DLPack."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import devices, dtypes
from microtensor.ops.declare import publish
from microtensor.tensor import Tensor, wrap


@publish("ext_tensor: Any, *, device: Any = None, copy: bool | None = None")
def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Make a tensor on the memory of another library's: a change of one is a change of the other.

    The other library's writes are not counted: a walk backward cannot notice them.

    Args:
        ext_tensor: what has ``__dlpack__`` (arrays of NumPy, PyTorch, JAX and others), or a DLPack
            capsule, which can be taken once.
        device: None or "cpu".
        copy: True for a copy, False for an error where one would be needed.

    Raises:
        TypeError: something else, or elements of a dtype that tensors do not have.
        BufferError: what the other library cannot export, or memory on another device.
        RuntimeError: a capsule that has been taken, elements that NumPy does not have (bfloat16).

    Example:
        >>> import microtensor as mt, numpy as np
        >>> array = np.zeros(3)
        >>> mt.from_dlpack(array).add_(1)
        tensor([1., 1., 1.], dtype=microtensor.float64)
        >>> array
        array([1., 1., 1.])
    """
    if device is not None:
        devices.device(device)
    kind = ""  # of a bare capsule
    if type(ext_tensor).__name__ == "PyCapsule":
        kind = repr(ext_tensor).partition('"')[2].partition('"')[0]
        if kind.startswith("used"):
            raise RuntimeError("from_dlpack(): the capsule has been taken already; make another")
        ext_tensor = _Capsule(ext_tensor)
    elif not hasattr(ext_tensor, "__dlpack__"):
        raise TypeError(
            f"from_dlpack(): expected an object with __dlpack__ or a DLPack capsule, got "
            f"{type(ext_tensor).__name__}"
        )
    options: dict[str, Any] = {} if copy is None else {"copy": copy}
    array = np.from_dlpack(ext_tensor, **options)
    if kind == "dltensor" and not array.flags.writeable:
        array = np.asarray(_Writable(array))
    dtype = dtypes.from_numpy_dtype(array.dtype).numpy
    return wrap(array if array.dtype is dtype else array.view(dtype))


class _Writable:
    """Gives out memory from a capsule of the old kind as writable.

    The old kind cannot say whether it is: NumPy takes it for read-only, PyTorch for writable. Who
    hands a bare capsule over means the latter.
    """

    def __init__(self, array: Any) -> None:
        self.array = array
        place, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (place, False)}


class _Capsule:
    """Gives a bare capsule the methods that NumPy asks for."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0
