"""What Python's operators do with tensors, and PyTorch's second names."""

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
from microtensor.ops.declare import methods, published, registry
from microtensor.ops.promotion import operand_array
from microtensor.tensor import Tensor, to_array, wrap

_mt = published["mt"]
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
    methods[f"__{_python}__"] = _operator(_name)
    methods[f"__r{_python}__"] = _reflected(_name)
    if f"{_name}_" in methods:
        methods[f"__i{_python}__"] = _inplace(f"{_name}_")
for _name in _COMPARISONS:
    methods[f"__{_name}__"] = _operator(_name)
methods["__neg__"] = methods["neg"]
methods["__abs__"] = methods["abs"]
methods["__invert__"] = methods["bitwise_not"]


methods["__pos__"] = methods["positive"]

ALIASES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "clip": "clamp",
    "divide": "div",
    "fix": "trunc",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "sgn": "sign",
    "subtract": "sub",
    "true_divide": "div",
}
for _alias, _name in ALIASES.items():
    _mt[_alias] = _mt[_name]
    for _ending in ("", "_"):
        if _name + _ending in methods:
            methods[_alias + _ending] = methods[_name + _ending]
