"""What NumPy's functions do with tensors: they record, or say why they cannot.

``array * tensor``, ``np.exp(tensor)`` and ``np.concatenate([array, tensor])`` reach our ops through
NumPy's protocols and give tensors, with a gradient if an input has one. What has no counterpart
here is computed by NumPy on the plain arrays and gives what NumPy gives; if a tensor in it requires
a gradient, which would be lost, it raises a TypeError.

The counterpart is used where NumPy's options are left alone (``where=``, ``dtype=`` and so on) and
for calls of a ufunc, not for its methods (``np.add.reduce``, ``accumulate``, ``at``, ``outer``).
``out=`` may be a tensor, which is then written to in place. ``array += tensor`` writes into the
array and, if the tensor requires a gradient, makes the name stand for a tensor that records; any
other array as ``out`` could not record, and is refused then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.lazy import place
from microtensor.ops import find_function
from microtensor.ops.declare import attach, published
from microtensor.ops.inplace import check_writable, store
from microtensor.ops.promotion import number_array
from microtensor.tensor import Tensor, to_array, wrap

# NumPy's names of ufuncs that have another one here; the rest are looked up as they are.
_RENAMED = {
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "absolute": "abs",
    "degrees": "rad2deg",
    "divide": "div",
    "equal": "eq",
    "greater": "gt",
    "greater_equal": "ge",
    "invert": "bitwise_not",
    "left_shift": "bitwise_left_shift",
    "less": "lt",
    "less_equal": "le",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "power": "pow",
    "radians": "deg2rad",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
    "subtract": "sub",
}
_NUMBERS = (int, float, np.integer, np.floating, np.bool_)


_known: dict[Any, Callable[..., Any]] = {}  # counterparts that were looked up already


def _counterpart(ufunc: Any) -> Callable[..., Any] | None:
    found = _known.get(ufunc)
    if found is None:
        name = ufunc.__name__
        # Not of another library, whatever its name.
        if getattr(np, name, None) is ufunc:
            ours = _RENAMED.get(name, name)
            if place("mt", ours) or ours in published["mt"]:
                found = find_function("mt", ours)
        if found is not None:
            _known[ufunc] = found
    return found


def _array_ufunc(
    self: Tensor, ufunc: Any, method: str, *inputs: Any, out: tuple[Any, ...] = (), **options: Any
) -> Any:
    """Do what NumPy was asked to do with tensors; see :mod:`microtensor.ops.numpy_protocol`."""
    function = _counterpart(ufunc) if method == "__call__" and not options else None
    operands = None if function is None else _operands(inputs)
    if function is not None and operands is not None and len(out) < 2:
        if not out:
            return function(*operands)
        target = out[0]
        if isinstance(target, Tensor):
            return store(f"{ufunc.__name__}(out=)", target, lambda _: function(*operands))
        if target is inputs[0] and any(_requires_grad(each) for each in inputs):
            result = function(*operands)
            np.copyto(target, result._array, casting="same_kind")
            return result
    if any(_has_its_own_way(each) for each in inputs):
        return NotImplemented
    what = f"numpy.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    targets = [*out, *(inputs[:1] if method == "at" else ())]
    _refuse_gradients(what, (inputs, options, out))
    for target in targets:
        _about_to_write(what, target)
    if out:
        options["out"] = _arrays(out)
    result = getattr(ufunc, method)(*_arrays(inputs), **_arrays(options))
    if not out:
        return result
    return out[0] if len(out) == 1 else tuple(out)


def _requires_grad(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _has_its_own_way(value: Any) -> bool:
    if isinstance(value, Tensor | np.ndarray | np.generic):
        return False
    return getattr(type(value), "__array_ufunc__", None) is not None


def _operands(inputs: tuple[Any, ...]) -> list[Tensor] | None:
    """Give tensors; numbers in the dtype that leaves the tensor beside them its own.

    None if something among them is for NumPy, or for another library.
    """
    result: list[Any] = []
    numbers = False
    for each in inputs:
        if isinstance(each, np.ndarray):
            if not dtypes.is_supported(each.dtype):
                return None
            each = wrap(to_array(each))
        elif isinstance(each, list | tuple):
            each = wrap(to_array(each))
        elif isinstance(each, _NUMBERS):
            numbers = True
        elif not isinstance(each, Tensor):
            return None
        result.append(each)
    if numbers:
        beside = next((each._array.dtype for each in result if isinstance(each, Tensor)), None)
        for place, each in enumerate(result):
            if not isinstance(each, Tensor):
                array = to_array(each) if beside is None else number_array(each, beside)
                result[place] = wrap(array)
    return result


# ---- NumPy's functions that are no ufuncs -------------------------------------------------------
# Each takes what it has a counterpart for; NotImplemented says that the operands are for NumPy.


def _concatenate(arrays: Any, axis: Any = 0) -> Any:
    operands = None if axis is None else _operands(tuple(arrays))
    return NotImplemented if operands is None else find_function("mt", "cat")(operands, axis)


def _stack(arrays: Any, axis: Any = 0) -> Any:
    operands = _operands(tuple(arrays))
    return NotImplemented if operands is None else find_function("mt", "stack")(operands, axis)


def _where(condition: Any, x: Any, y: Any) -> Any:
    conditions, branches = _operands((condition,)), _operands((x, y))
    if conditions is None or branches is None:
        return NotImplemented
    return find_function("mt", "where")(find_function("mt", "ne")(conditions[0], 0), *branches)


def _sum(a: Any, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Any:
    return a.sum(axis, keepdim=keepdims, dtype=dtype)


def _mean(a: Any, axis: Any = None, *, dtype: Any = None, keepdims: bool = False) -> Any:
    if dtype is None and not a.is_floating_point():
        return NotImplemented
    return a.mean(axis, keepdim=keepdims, dtype=dtype)


def _max(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return a.amax(() if axis is None else axis, keepdim=keepdims)


def _min(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return a.amin(() if axis is None else axis, keepdim=keepdims)


def _reshape(a: Any, shape: Any) -> Any:
    return a.reshape(shape)


def _ravel(a: Any) -> Any:
    return a.reshape(-1)


def _transpose(a: Any, axes: Any = None) -> Any:
    return a.permute(tuple(range(a.ndim))[::-1] if axes is None else tuple(axes))


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = a_min if min is None else min, a_max if max is None else max
    if not all(each is None or isinstance(each, _NUMBERS) for each in (low, high)):
        return NotImplemented
    return a.clamp(low, high)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "amax": _max,
    "amin": _min,
    "clip": _clip,
    "concatenate": _concatenate,
    "max": _max,
    "mean": _mean,
    "min": _min,
    "ravel": _ravel,
    "reshape": _reshape,
    "stack": _stack,
    "sum": _sum,
    "transpose": _transpose,
    "where": _where,
}
# They tell about a tensor, or make constants in its likeness: no gradient is lost.
_HARMLESS = {
    *("can_cast", "empty_like", "full_like", "iscomplexobj", "isrealobj", "may_share_memory"),
    *("ndim", "ones_like", "result_type", "shape", "shares_memory", "size", "zeros_like"),
}
_WRITE = {"copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"}


def _array_function(
    self: Tensor, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Do what NumPy was asked to do with tensors; see :mod:`microtensor.ops.numpy_protocol`."""
    if not all(issubclass(kind, Tensor | np.ndarray) for kind in types):
        return NotImplemented
    name = function.__name__
    ours = _FUNCTIONS.get(name) if getattr(np, name, None) is function else None
    if ours is not None and _takes(ours, args, kwargs):
        result = ours(*args, **kwargs)
        if result is not NotImplemented:
            return result
    what = f"{function.__module__}.{name}"
    if name not in _HARMLESS:
        _refuse_gradients(what, (args, kwargs))
    out = kwargs.get("out")
    for target in (*(args[:1] if name in _WRITE else ()), *(out if type(out) is tuple else (out,))):
        _about_to_write(what, target)
    result = function(*_arrays(args), **_arrays(kwargs))
    return result if out is None else out


def _takes(ours: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Say whether a counterpart can do what is asked: these options, and these operands."""
    code = ours.__code__
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    required = code.co_argcount - len(ours.__defaults__ or ())
    if not required <= len(args) <= code.co_argcount or not set(kwargs) <= set(known):
        return False
    first = args[0]
    if ours is _where:
        return True
    if ours in (_concatenate, _stack):
        return isinstance(first, list | tuple)
    # The tensor must be what is computed with, not an option.
    options = (*args[1:], *kwargs.values())
    return isinstance(first, Tensor) and not any(isinstance(each, Tensor) for each in options)


# ---- both ---------------------------------------------------------------------------------------


def _arrays(value: Any) -> Any:
    """Give arrays for the tensors in arguments."""
    if isinstance(value, Tensor):
        return value._array
    if type(value) in (list, tuple):
        return type(value)(_arrays(each) for each in value)
    if type(value) is dict:
        return {key: _arrays(each) for key, each in value.items()}
    return value


def _refuse_gradients(what: str, value: Any) -> None:
    if _requires_grad(value):
        raise TypeError(
            f"{what}, called like this, would drop the gradient of a tensor that requires one: "
            "use an op of microtensor, or tensor.detach() (.detach().numpy() for an array)"
        )
    if type(value) in (list, tuple):
        for each in value:
            _refuse_gradients(what, each)
    elif type(value) is dict:
        for each in value.values():
            _refuse_gradients(what, each)


def _about_to_write(what: str, target: Any) -> None:
    """Note that NumPy writes into a tensor's memory, so that a walk backward will not miss it."""
    if isinstance(target, Tensor):
        check_writable(what, target)
        target._cell[0] += 1


attach("__array_ufunc__", _array_ufunc)
attach("__array_function__", _array_function)
