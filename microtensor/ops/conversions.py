"""Converting between dtypes, and asking what dtype comes out of what."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.layouts import check_device
from microtensor.ops.declare import publish, refuse
from microtensor.ops.promotion import common_dtype, number_dtype
from microtensor.ops.promotion import promote_types as promoted
from microtensor.ops.shape import cast
from microtensor.tensor import Tensor

_KIND = {"b": 0, "u": 1, "i": 1, "f": 2}
_NUMBERS = (int, float, np.number, np.bool_)


def convert(tensor: Tensor, dtype: Any) -> Tensor:
    """Give a tensor in a dtype: itself if it has it."""
    wanted = dtypes.as_numpy_dtype(dtype)
    return tensor if tensor._array.dtype == wanted else cast(tensor, wanted)


def _conversion(name: str, dtype: Any) -> None:
    def method(input: Tensor, memory_format: Any = None) -> Tensor:
        return convert(input, dtype)

    method.__name__ = name
    method.__doc__ = f"Convert to {dtype.name}; the tensor itself if it has that dtype."
    publish("input: Tensor, memory_format: Any = None", namespaces=(), method=name, name=name)(
        method
    )


_METHODS = {
    "half": dtypes.float16,
    "float": dtypes.float32,
    "double": dtypes.float64,
    "long": dtypes.int64,
    "int": dtypes.int32,
    "short": dtypes.int16,
    "char": dtypes.int8,
    "byte": dtypes.uint8,
    "bool": dtypes.bool_,
}
for _name, _dtype in _METHODS.items():
    _conversion(_name, _dtype)


def _is_dtype(value: Any) -> bool:
    return isinstance(value, dtypes.dtype | np.dtype | type)


@publish(
    "input: Tensor, *args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False, "
    "copy: bool = False, memory_format: Any = None",
    namespaces=(),
    method="to",
)
def to(
    input: Tensor,
    *args: Any,
    device: Any = None,
    dtype: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Convert to a dtype, or to another tensor's; "cpu" is the only device there is.

    Args:
        input: any tensor.
        args: ``(dtype, non_blocking, copy)``, ``(device, dtype, non_blocking, copy)`` or
            ``(other, non_blocking, copy)``, all but the first optional.
        device: "cpu".
        dtype: the dtype by name.
        non_blocking: of no effect: nothing is ever waited for.
        copy: copy even where nothing changes.
        memory_format: of no effect.

    Returns:
        The tensor itself if it has the dtype and no copy is wanted.

    Raises:
        RuntimeError: another device.
        TypeError: something that is none of these.

    Example:
        >>> import microtensor as mt
        >>> mt.ones(2).to("cpu", mt.int64)
        tensor([1, 1])
    """
    rest = list(args)
    if rest:
        first = rest.pop(0)
        if isinstance(first, Tensor):
            dtype = first.dtype
        elif _is_dtype(first):
            dtype = first
        else:
            if isinstance(first, int | float):
                raise TypeError(
                    f"to(): expected a dtype, a tensor or a device, not {type(first).__name__}"
                )
            device = first
            if rest and (rest[0] is None or _is_dtype(rest[0])):
                dtype = rest.pop(0)
    if len(rest) > 2 or not all(isinstance(flag, bool) for flag in rest):
        raise TypeError(
            "to(): expected (dtype, non_blocking, copy), (device, dtype, non_blocking, copy) or "
            f"(other, non_blocking, copy), but got {args}"
        )
    if len(rest) == 2:
        copy = rest[1]
    check_device("to", device)
    result = input if dtype is None else convert(input, dtype)
    return result.clone() if copy and result is input else result


@publish("input: Tensor", namespaces=(), method="cpu")
def cpu(input: Tensor) -> Tensor:
    """Give the tensor itself: it is on the CPU already."""
    return input


@publish("input: Tensor, device: Any = None", namespaces=(), method="cuda")
def cuda(input: Tensor, device: Any = None) -> Tensor:
    """Refuse: microtensor runs on the CPU.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError("cuda(): there is no device 'cuda': microtensor runs on 'cpu'")


@publish("input: Tensor, other: Tensor", namespaces=(), method="type_as")
def type_as(input: Tensor, other: Tensor) -> Tensor:
    """Convert to the dtype of another tensor."""
    if not isinstance(other, Tensor):
        refuse("type_as", "other", other)
    return convert(input, other.dtype)


# PyTorch's names of tensor types, beside our own module's.
_TYPES = {f"{name.capitalize()}Tensor": dtype for name, dtype in _METHODS.items()}


@publish(
    "input: Tensor, dtype: Any = None, non_blocking: bool = False", namespaces=(), method="type"
)
def type_(input: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """Convert to a dtype, or give the name of the type, such as ``microtensor.FloatTensor``.

    Args:
        input: any tensor.
        dtype: a dtype, a tensor type, or the name of one, with a module before it or not; None for
            the tensor's own name.
        non_blocking: of no effect.

    Raises:
        ValueError: a name that is none of a tensor type.
    """
    if dtype is None:
        name = next(name for name, each in _TYPES.items() if each is input.dtype)
        return f"microtensor.{name}"
    dtype = getattr(dtype, "dtype", dtype)  # of a type, such as microtensor.FloatTensor
    if isinstance(dtype, dtypes.dtype):
        return convert(input, dtype)
    found = _TYPES.get(dtype.split(".")[-1]) if isinstance(dtype, str) else None
    if found is None:
        raise ValueError(f"invalid type: {dtype!r}; legal are a dtype and {', '.join(_TYPES)}")
    return convert(input, found)


# ---- which dtype comes out ----------------------------------------------------------------------


def _operand(name: str, argument: str, value: Any) -> Any:
    if isinstance(value, Tensor):
        return value._array
    if not isinstance(value, _NUMBERS):
        refuse(name, argument, value, "Tensor or a number")
    return np.zeros((), number_dtype(value, np.dtype(bool)))


@publish("tensor1: Tensor | float, tensor2: Tensor | float")
def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """Give the dtype in which two tensors, or a tensor and a number, are combined.

    Example:
        >>> import microtensor as mt
        >>> mt.result_type(mt.ones(2, dtype=mt.int64), 1.5)
        microtensor.float32
    """
    first, second = (
        _operand("result_type", name, value)
        for name, value in (("tensor1", tensor1), ("tensor2", tensor2))
    )
    # A number yields to a 0-d tensor, too.
    for value, array, other in ((tensor1, tensor2, second), (tensor2, tensor1, first)):
        if not isinstance(value, Tensor) and isinstance(array, Tensor):
            return dtypes.from_numpy_dtype(number_dtype(value, other.dtype))
    return dtypes.from_numpy_dtype(common_dtype(first, second))


def _dtype_argument(function: str, argument: str, value: Any) -> dtypes.dtype:
    if not isinstance(value, dtypes.dtype):
        refuse(function, argument, value, "dtype")
    return value


@publish("type1: Any, type2: Any")
def promote_types(type1: Any, type2: Any) -> dtypes.dtype:
    """Give the smallest dtype, of the higher category, that both are converted to.

    Example:
        >>> import microtensor as mt
        >>> mt.promote_types(mt.uint8, mt.int8), mt.promote_types(mt.int64, mt.float16)
        (microtensor.int16, microtensor.float16)
    """
    first = _dtype_argument("promote_types", "type1", type1)
    second = _dtype_argument("promote_types", "type2", type2)
    return dtypes.from_numpy_dtype(promoted(first.numpy, second.numpy))


@publish("from_: Any, to: Any")
def can_cast(from_: Any, to: Any) -> bool:
    """Say whether an in-place operation may store one dtype in another: not in a lower category."""
    source = _dtype_argument("can_cast", "from_", from_)
    target = _dtype_argument("can_cast", "to", to)
    return _KIND[source.numpy.kind] <= _KIND[target.numpy.kind]


# ---- what a tensor is ---------------------------------------------------------------------------


@publish("obj: Any")
def is_tensor(obj: Any) -> bool:
    """Say whether something is a tensor."""
    return isinstance(obj, Tensor)


def _checked(name: str, input: Any) -> Tensor:
    if not isinstance(input, Tensor):
        refuse(name, "input", input)
    return input


@publish("input: Tensor")
def is_floating_point(input: Tensor) -> bool:
    """Say whether the dtype is a floating-point one."""
    return _checked("is_floating_point", input)._array.dtype.kind == "f"


@publish("input: Tensor", method="is_complex")
def is_complex(input: Tensor) -> bool:
    """Say whether the dtype is complex: there is none."""
    _checked("is_complex", input)
    return False


@publish("input: Tensor", method="is_signed")
def is_signed(input: Tensor) -> bool:
    """Say whether the dtype has negative numbers."""
    return _checked("is_signed", input).dtype.is_signed


@publish("input: Tensor")
def is_inference(input: Tensor) -> bool:
    """Say whether it was made in inference mode."""
    return _checked("is_inference", input).is_inference()


@publish("input: Tensor")
def get_device(input: Tensor) -> int:
    """Give the number of the GPU it is on: -1, as it is on the CPU."""
    return _checked("get_device", input).get_device()


@publish("input: Tensor")
def detach(input: Tensor) -> Tensor:
    """Give a tensor of the same memory that is cut off from the graph."""
    return _checked("detach", input).detach()


@publish("input: Tensor")
def numel(input: Tensor) -> int:
    """Give the number of elements."""
    return _checked("numel", input)._array.size
