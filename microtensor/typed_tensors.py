"""Tensor types by dtype, as old scripts name them: ``FloatTensor``, ``LongTensor`` and the like.

New code says ``tensor(..., dtype=...)`` and ``x.dtype``.
"""

from __future__ import annotations

from typing import Any

from microtensor import dtypes
from microtensor.functions import empty, tensor
from microtensor.tensor import Size, Tensor


class TypedTensor(type):
    """The kind of these types: their instances are the tensors of a dtype, and calls make such."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __call__(cls, *given: Any) -> Tensor:
        """Make a tensor: of numbers in sequences or an array, or of a size, without values.

        Raises:
            TypeError: a tensor of another dtype.
        """
        if len(given) == 1 and not isinstance(given[0], (int, Size)):
            (data,) = given
            if not isinstance(data, Tensor):
                return tensor(data, dtype=cls.dtype)
            if data.dtype is not cls.dtype:
                raise TypeError(
                    f"{cls.__name__} must be given a tensor of {cls.dtype}, got {data.dtype}; "
                    "x.to(dtype) converts"
                )
            return data.detach()
        made: Tensor = empty(*given, dtype=cls.dtype) if given else empty(0, dtype=cls.dtype)
        return made


def _typed(name: str, dtype: dtypes.dtype) -> TypedTensor:
    doc = f"Tensors of {dtype.name}: what old scripts call to make one."
    return TypedTensor(name, (), {"dtype": dtype, "__doc__": doc, "__module__": "microtensor"})


HalfTensor = _typed("HalfTensor", dtypes.float16)
FloatTensor = _typed("FloatTensor", dtypes.float32)
DoubleTensor = _typed("DoubleTensor", dtypes.float64)
CharTensor = _typed("CharTensor", dtypes.int8)
ShortTensor = _typed("ShortTensor", dtypes.int16)
IntTensor = _typed("IntTensor", dtypes.int32)
LongTensor = _typed("LongTensor", dtypes.int64)
ByteTensor = _typed("ByteTensor", dtypes.uint8)
BoolTensor = _typed("BoolTensor", dtypes.bool_)

__all__ = [
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
]
