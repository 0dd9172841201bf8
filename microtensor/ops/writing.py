"""Ops that change places of a tensor that an index or a mask names, and their in-place forms.

Such an op is one function ``into(out, ...)`` that writes. Out of place it is given a copy, in place
the tensor's own array; since the gradient asks for no old value, nothing else has to be kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.engine import Node, recording
from microtensor.ops.arrays import Array, copied, empty
from microtensor.ops.declare import Op, attach, declare, parse_signature, publish
from microtensor.ops.inplace import check_writable, store, unrecorded, write
from microtensor.tensor import Tensor, node_of, wrap

_into: dict[str, Callable[..., None]] = {}


def declare_write(
    name: str,
    signature: str,
    into: Callable[..., None],
    forward: Callable[..., Array] | None = None,
    keeps_input: bool = False,
    **fields: Any,
) -> Any:
    """Declare an op that writes into a copy of its first input; gives the function rules call.

    Args:
        name: of the op.
        signature: its parameters.
        into: writes into its first argument, an array, what the others say.
        forward: what is done out of place, if it is not the same to a copy.
        keeps_input: whether a rule reads the first input or the output, which in place are one:
            then the op is computed on a copy and stored.
        fields: the rest of the record.
    """

    def on_copy(x: Array, *arguments: Any, **named: Any) -> Array:
        out = empty(x.shape, x.dtype)
        kernels.cast(x, out)
        into(out, *arguments, **named)
        return out

    if not keeps_input:
        _into[name] = into
    return declare(name, signature, forward or on_copy, integral=True, namespaces=(), **fields)


def number_to_write(op: str, value: Any, dtype: np.dtype[Any]) -> Tensor:
    """Make a constant of a number in the dtype it is to be written in; fractions are cut off.

    Raises:
        TypeError: no number.
        RuntimeError: a number that the dtype cannot hold (uint8 wraps negative ones).
    """
    if not isinstance(value, int | float | np.number | np.bool_):
        raise TypeError(f"{op}(): a value must be Tensor or a number, not {type(value).__name__}")
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        low = -limits.max if dtype.kind == "u" else limits.min
        if not low <= value <= limits.max:  # written so that NaN is refused too
            raise RuntimeError(
                f"{op}(): value cannot be converted to type {dtype.name} without overflow"
            )
        return wrap(np.array(int(value)).astype(dtype))
    with np.errstate(over="ignore"):
        array = np.array(value, dtype)
    if dtype.kind == "f" and np.isinf(array) and not np.isinf(value):
        raise RuntimeError(
            f"{op}(): value cannot be converted to type {dtype.name} without overflow"
        )
    return wrap(array)


def publish_write(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Offer an op that writes: as a function, as a method, and as the method ``<name>_``.

    What is decorated checks what users give, and returns the op and its further arguments.
    """

    def register(prepare: Callable[..., Any]) -> Callable[..., Any]:
        name = prepare.__name__

        @functools.wraps(prepare)
        def function(input: Any, *arguments: Any, **named: Any) -> Any:
            op, given = prepare(input, *arguments, **named)
            return op.op.public(input, *given)

        def method(self: Any, *arguments: Any, **named: Any) -> Any:
            op, given = prepare(self, *arguments, **named)
            return write_in_place(f"{name}_", op.op, self, given)

        method.__name__ = f"{name}_"
        method.__doc__ = f"Do :func:`{name}` in place: write into this tensor, and give it."
        attach(f"{name}_", method, signature)
        return publish(signature, method=name, name=name)(function)

    return register


def write_in_place(name: str, op: Op, tensor: Tensor, arguments: tuple[Any, ...]) -> Tensor:
    """Do an op in a tensor's own memory, and record it.

    Args:
        name: what the user called, for messages.
        op: the op, declared by :func:`declare_write` (any other is stored when computed).
        tensor: its first input, which is written to.
        arguments: the others, in the order of the signature.
    """
    into = _into.get(op.name)
    if into is None:
        return store(name, tensor, lambda x: op.public(x, *arguments))
    check_writable(name, tensor)
    out = tensor._array
    node = _record(op, tensor, arguments)

    def apart(value: Any) -> Any:
        """Give what is read; as a copy where writing would change it."""
        if isinstance(value, Tensor):
            value = value._array
        if isinstance(value, np.ndarray) and np.may_share_memory(value, out):
            return copied(value)
        return value

    values = [apart(value) for value in arguments]
    write(tensor, wrap(out, node), lambda array: into(array, *values))
    return tensor


def _record(op: Op, tensor: Tensor, arguments: tuple[Any, ...]) -> Node | None:
    """Make the node of an op done in place, or None if no gradient is wanted."""
    if not recording.enabled or tensor._array.dtype.kind != "f":
        return None
    if unrecorded(tensor) and all(
        unrecorded(value) for value in arguments if isinstance(value, Tensor)
    ):
        return None
    names = _parameters(op.signature)
    values = dict(zip(names, (tensor, *arguments), strict=False))
    inputs = [values.get(name) for name in op.inputs]
    parents = tuple(
        node_of(value) if isinstance(value, Tensor) and name in op.rules else None
        for name, value in zip(op.inputs, inputs, strict=True)
    )
    if not any(parents):
        return None
    saved, cells, stamp = [], [], 0
    for name, role in zip(op.saved_names, op.saved_roles, strict=True):
        if role is not None:
            value = inputs[role]
            if not isinstance(value, Tensor):
                saved.append(value)
                cells.append([0])
                continue
            array, cell = value._array, value._cell
            if cell is tensor._cell:  # a part of what is written to: as it was before
                array, cell = copied(array), [0]
            saved.append(array)
            cells.append(cell)
            stamp += cell[0]
        elif name.endswith("_shape") and name[:-6] in op.inputs:
            given = values[name[:-6]]
            saved.append(given._array.shape if isinstance(given, Tensor) else ())
        else:
            saved.append(values.get(name, _parameters(op.signature)[name]))
    shape, dtype = tensor._array.shape, tensor._array.dtype
    return Node(op, parents, tuple(saved), tuple(cells), stamp, shape, dtype)


@functools.cache
def _parameters(signature: str) -> dict[str, Any]:
    """Give the names of an op's parameters in order, each with its default."""
    return {
        p.name: None if p.default is None else eval(p.default, {})
        for p in parse_signature(signature)
    }
