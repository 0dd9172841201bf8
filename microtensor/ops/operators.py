"""What Python's operators do with tensors, dtype conversions, and methods that are properties."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.ops.declare import methods, publish, published
from microtensor.ops.promotion import number_array
from microtensor.ops.shape import cast, permute
from microtensor.tensor import Tensor, to_array, wrap

_mt = published["mt"]
_NUMBERS = (int, float, np.number, np.bool_)
_OPERANDS = (Tensor, *_NUMBERS)


def _operator(name: str) -> Any:
    function = methods[name]

    def operator(self: Tensor, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return function(self, other)
        if isinstance(other, np.ndarray):
            # An array beside a tensor is a constant: silently dropping the tensor's gradient, as
            # NumPy would, is no choice.
            return function(self, wrap(to_array(other)))
        return NotImplemented

    operator.__name__ = name
    return operator


def _reflected(name: str) -> Any:
    function = methods[name]

    def operator(self: Tensor, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return function(wrap(to_array(other)), self)
        if isinstance(other, _NUMBERS):
            return function(wrap(number_array(other, self._array.dtype)), self)
        return NotImplemented

    operator.__name__ = f"reflected_{name}"
    return operator


_BINARY = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "truediv": "div",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")

for _python, _name in _BINARY.items():
    methods[f"__{_python}__"] = _operator(_name)
    methods[f"__r{_python}__"] = _reflected(_name)
    if f"{_name}_" in methods:
        methods[f"__i{_python}__"] = methods[f"{_name}_"]
for _name in _COMPARISONS:
    methods[f"__{_name}__"] = _operator(_name)
methods["__neg__"] = methods["neg"]
methods["__abs__"] = methods["abs"]
methods["__invert__"] = methods["bitwise_not"]


def _positive(self: Tensor) -> Tensor:
    return self


methods["__pos__"] = _positive

for _alias, _name in {
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "negative": "neg",
    "absolute": "abs",
    "clip": "clamp",
    "swapaxes": "transpose",
    "concat": "cat",
    "concatenate": "cat",
}.items():
    _mt[_alias] = _mt[_name]
    if _name in methods:
        methods[_alias] = methods[_name]
_mt["greater"], _mt["less"] = _mt["gt"], _mt["lt"]


# ---- conversions --------------------------------------------------------------------------------


def convert(tensor: Tensor, dtype: Any) -> Tensor:
    """Give a tensor in a dtype: itself if it has it."""
    wanted = dtypes.as_numpy_dtype(dtype)
    return tensor if tensor._array.dtype == wanted else cast(tensor, wanted)


def _conversion(name: str, dtype: Any) -> None:
    def method(input: Tensor) -> Tensor:
        return convert(input, dtype)

    method.__name__ = name
    method.__doc__ = f"Convert to {dtype.name}; the tensor itself if it has that dtype."
    publish("input: Tensor", namespaces=(), method=name, name=name)(method)


for _name, _dtype in {
    "half": dtypes.float16,
    "float": dtypes.float32,
    "double": dtypes.float64,
    "long": dtypes.int64,
    "int": dtypes.int32,
    "short": dtypes.int16,
    "bool": dtypes.bool_,
}.items():
    _conversion(_name, _dtype)


@publish(
    "input: Tensor, *args: Any, dtype: Any = None, copy: bool = False", namespaces=(), method="to"
)
def to(input: Tensor, *args: Any, dtype: Any = None, copy: bool = False) -> Tensor:
    """Convert to a dtype, or to another tensor's; "cpu" is the only device there is.

    Args:
        input: any tensor.
        args: a dtype, another tensor, or "cpu".
        dtype: the dtype by name.
        copy: copy even where nothing changes.

    Raises:
        RuntimeError: another device.
        TypeError: no dtype.
    """
    for given in args:
        if isinstance(given, Tensor):
            dtype = given.dtype
        elif isinstance(given, str) and given.split(":")[0] in (
            "cpu",
            "cuda",
            "mps",
            "xpu",
            "meta",
        ):
            if given.split(":")[0] != "cpu":
                raise RuntimeError(f"to(): there is no device {given!r}; microtensor runs on 'cpu'")
        else:
            dtype = dtypes.as_dtype(given)
    result = input if dtype is None else convert(input, dtype)
    return result.clone() if copy and result is input else result


@publish("input: Tensor, other: Tensor", namespaces=(), method="type_as")
def type_as(input: Tensor, other: Tensor) -> Tensor:
    """Convert to the dtype of another tensor."""
    return convert(input, other.dtype)


def _transposed(self: Tensor) -> Tensor:
    """The tensor with its dimensions in reverse order."""
    return permute(self, tuple(range(self._array.ndim))[::-1])


def _matrix_transposed(self: Tensor) -> Any:
    """The tensor with its last two dimensions swapped."""
    if self._array.ndim < 2:
        raise RuntimeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got "
            f"{self._array.ndim}-D tensor."
        )
    return self.transpose(-1, -2)


PROPERTIES: dict[str, Any] = {"T": property(_transposed), "mT": property(_matrix_transposed)}
