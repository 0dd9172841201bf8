"""What Python's operators do with tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor.ops import (  # noqa: F401 - their functions are named below
    arithmetic,
    bits,
    bounds,
    comparison,
    joining,
    linear,
    powers,
    rounding,
    trigonometry,
)
from microtensor.ops.declare import attach, methods, registry
from microtensor.ops.promotion import operand_array
from microtensor.tensor import Tensor, to_array, wrap

_NUMBERS = (int, float, np.number, np.bool_)
_OPERANDS = (Tensor, *_NUMBERS)


def _function(name: str) -> Any:
    """Give what an operator calls: the op itself where the method only adds keyword arguments."""
    return registry[name].public if name in ("add", "div") else methods[name]


def _operator(name: str) -> Any:
    function = _function(name)

    def operator(self: Tensor, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return function(self, other)
        if isinstance(other, np.ndarray):
            # An array beside a tensor is a constant: silently dropping the tensor's gradient, as
            # NumPy would, is no choice.
            return function(self, wrap(to_array(other)))
        return NotImplemented

    operator.__name__ = operator.__qualname__ = name
    return operator


def _reflected(name: str) -> Any:
    function = _function(name)

    def operator(self: Tensor, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return function(wrap(to_array(other)), self)
        if isinstance(other, _NUMBERS):
            return function(wrap(operand_array(other, self._array.dtype)), self)
        return NotImplemented

    operator.__name__ = operator.__qualname__ = f"reflected_{name}"
    return operator


def _inplace(name: str) -> Any:
    function = methods[name]

    def operator(self: Tensor, other: Any) -> Any:
        return function(self, wrap(to_array(other)) if isinstance(other, np.ndarray) else other)

    operator.__name__ = operator.__qualname__ = name
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
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")

for _python, _name in _BINARY.items():
    attach(f"__{_python}__", _operator(_name))
    attach(f"__r{_python}__", _reflected(_name))
    if f"{_name}_" in methods:
        attach(f"__i{_python}__", _inplace(f"{_name}_"))
for _name in _COMPARISONS:
    attach(f"__{_name}__", _operator(_name))
attach("__neg__", methods["neg"])
attach("__abs__", methods["abs"])
attach("__invert__", methods["bitwise_not"])
attach("__pos__", methods["positive"])
