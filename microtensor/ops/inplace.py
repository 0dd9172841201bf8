"""Writing into tensors, and keeping their gradients right.

An in-place op is its out-of-place form, recorded as always, whose result is then stored in the
tensor's memory: the tensor takes over the result's node. What is stored through a view changes the
base, so the base's node becomes one that puts the new part into the old whole; other views derive
their nodes anew when they are next used. Where nothing is recorded, arithmetic writes straight into
the tensor's array; ops that write at places named by an index do so always (:mod:`.writing`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.engine import INFERENCE_CELL, Node, recording
from microtensor.ops.arrays import constant, copied
from microtensor.ops.declare import Op, registry
from microtensor.ops.promotion import number_array
from microtensor.tensor import Tensor, move_retained, node_of, wrap


def make_inplace(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the method ``<name>_`` of an out-of-place function."""
    in_place = f"{name}_"

    def method(self: Tensor, *arguments: Any, **named: Any) -> Tensor:
        return store(in_place, self, lambda x: function(x, *arguments, **named))

    direct = _directly(name, method)
    direct.__name__ = in_place
    direct.__doc__ = f"Do :func:`{name}` in place: write the result into this tensor, and give it."
    return direct


# ---- straight into the tensor's array -----------------------------------------------------------

# Kernels that may write over what they read, and are all that the op does to floats.
_UNARY = (
    *("neg", "abs", "square", "exp", "log", "sqrt", "reciprocal", "sin", "cos"),
    *("relu", "sigmoid", "tanh"),
)
_BINARY = ("add", "sub", "mul", "div")


def _directly(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Let an in-place method do without a temporary where nothing is recorded or cast."""
    if name in _UNARY:

        def direct_unary(self: Tensor, *arguments: Any, **named: Any) -> Tensor:
            if arguments or named or not plain(self):
                return method(self, *arguments, **named)
            getattr(kernels, name)(self._array, self._array)
            self._cell[0] += 1
            return self

        return direct_unary
    if name not in _BINARY:
        return method

    def direct_binary(self: Tensor, *arguments: Any, **named: Any) -> Tensor:
        if len(arguments) == 1 and not named and plain(self):
            (other,) = arguments
            array = self._array
            if isinstance(other, Tensor):
                value = other._array
                fits = value.dtype is array.dtype and (
                    value.shape == array.shape
                    or value.shape == array.shape[array.ndim - value.ndim :]
                )
                fits = fits and (not recording.enabled or unrecorded(other))
            elif fits := isinstance(other, int | float) and not isinstance(other, bool):
                value = number_array(other, array.dtype)
            if fits:
                getattr(kernels, name)(array, value, array)
                self._cell[0] += 1
                return self
        return method(self, *arguments, **named)

    return direct_binary


def plain(tensor: Tensor) -> bool:
    """Say whether a tensor holds floating-point numbers, may be written to, and is not recorded."""
    flags = tensor._array.flags
    return (
        tensor._array.dtype.kind == "f"
        and flags.writeable
        and 0 not in tensor._array.strides
        and tensor._cell is not INFERENCE_CELL
        and (not recording.enabled or unrecorded(tensor))
    )


def unrecorded(tensor: Tensor) -> bool:
    """Say whether no gradient is wanted of a tensor, nor of what it is a view of."""
    base = tensor._base
    return tensor._node is None and (base is None or base._node is None)


# ---- through the out-of-place form --------------------------------------------------------------


def store(name: str, tensor: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
    """Write what ``compute`` gives for a tensor into that tensor.

    Raises:
        RuntimeError: a leaf that requires a gradient, or a view of one; a result of another shape
            or of a dtype of a higher category.
    """
    check_writable(name, tensor)
    before = alias(tensor)
    if recording.enabled not in (True, False, None):
        # What is handed to a user's hooks is theirs: the memory written to may not be it.
        before._array = copied(before._array)
    result = compute(before)
    if result._node is not None and result._node.saved:
        _keep_original(result._node, before)
    array = tensor._array
    if result._array.shape != array.shape:
        raise RuntimeError(
            f"{name}: output with shape {list(array.shape)} doesn't match the broadcast shape "
            f"{list(result._array.shape)}"
        )
    _check_castable(name, result._array.dtype, array.dtype)
    write(tensor, result, lambda out: kernels.cast(result._array, out))
    return tensor


def check_writable(name: str, tensor: Tensor, overlapping: bool = False) -> None:
    """Refuse what may not be written to in place.

    Args:
        name: what the user called, for messages.
        tensor: what is to be written to.
        overlapping: whether several elements may share one place, as all get the same value.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: expected a Tensor, not {type(tensor).__name__}")
    if tensor._cell is INFERENCE_CELL and recording.enabled is not None:
        raise RuntimeError(
            f"{name}: Inplace update to inference tensor outside InferenceMode is not allowed. You "
            "can make a clone to get a normal tensor before doing inplace update."
        )
    if recording.enabled:
        node = node_of(tensor)
        if node is not None and node.op is None:
            raise RuntimeError(
                f"{name}: a leaf Variable that requires grad is being used in an in-place "
                "operation. Do it under no_grad(), or on a copy: x.clone()"
            )
        if tensor._base is not None and tensor._base._node is not None:
            base_node = tensor._base._node
            if base_node.op is None:
                raise RuntimeError(
                    f"{name}: a view of a leaf Variable that requires grad is being used in an "
                    "in-place operation. Do it under no_grad(), or on a copy: x.clone()"
                )
    array = tensor._array
    shared = not overlapping and _shares_places(array)
    if shared or not array.flags.writeable:
        raise RuntimeError(
            f"{name}: the memory cannot be written to: it is read-only, or several elements share "
            "one place (an expanded tensor); clone() it first"
        )


def _shares_places(array: Any) -> bool:
    """Say whether elements share one place, as those of an expanded tensor do."""
    if 0 not in array.strides or not array.size:
        return False
    return any(n > 1 for step, n in zip(array.strides, array.shape, strict=True) if step == 0)


def alias(tensor: Tensor) -> Tensor:
    """Give the tensor as it was before being written to, for the record."""
    before = wrap(tensor._array, node_of(tensor))
    before._cell = tensor._cell
    return before


def _keep_original(node: Node, before: Tensor) -> None:
    """Let rules that read the tensor find it as it was: as a copy, once it is written to."""
    original = before._array
    if not any(value is original for value in node.saved or ()):
        return
    copy = copied(original)
    saved, cells, given = [], [], iter(node.cells)
    for value, role in zip(node.saved or (), node.op.saved_roles, strict=True):
        if role is not None:
            cell = next(given)
            if value is original:
                node.stamp -= cell[0]
                cell = [0]
            cells.append(cell)
        saved.append(copy if value is original else value)
    node.saved, node.cells = tuple(saved), tuple(cells)


def write(tensor: Tensor, result: Tensor, perform: Callable[[Any], None]) -> None:
    """Write into the memory and let the record say so: the tensor's node becomes the result's."""
    perform(tensor._array)
    tensor._cell[0] += 1
    if not recording.enabled:
        return
    base, before = tensor._base, node_of(tensor)
    part = _in_dtype(result._node, tensor)
    if base is None:
        if part is None and before is not None:
            part = Node(overwrite, (before,), (), (), 0, before.shape, before.dtype)
        tensor._node = part
        move_retained(before, part)
        return
    whole = base._node
    if part is None and whole is None:
        return
    base._node = Node(
        _view_put,
        (whole, part),
        (tensor._path,),
        (),
        0,
        base._array.shape,
        base._array.dtype,
    )
    move_retained(whole, base._node)
    node_of(tensor)


def _in_dtype(node: Node | None, tensor: Tensor) -> Node | None:
    """Give a node of the tensor's own dtype: storing casts."""
    if node is None or node.dtype == tensor._array.dtype:
        return node
    from microtensor.ops.shape import cast  # which writes in place itself

    dtype = tensor._array.dtype
    return Node(cast.op, (node,), (), (), 0, tensor._array.shape, dtype)


_RANK = {"b": 0, "i": 1, "u": 1, "f": 2}


def _check_castable(name: str, given: np.dtype[Any], own: np.dtype[Any]) -> None:
    if _RANK[given.kind] > _RANK[own.kind]:
        raise RuntimeError(
            f"{name}: result type {given.name} can't be cast to the desired output type {own.name}"
        )


# ---- the record of a part put into a whole ------------------------------------------------------


def overwrite_backward(g: Any, parents: Any, saved: Any) -> tuple[Any, ...]:
    """Give zeros, the gradient of what was overwritten."""
    array = g._array if isinstance(g, Tensor) else g
    zeros = constant(0, array.shape, array.dtype)
    return (wrap(zeros) if isinstance(g, Tensor) else zeros,)


overwrite = Op(
    name="overwrite",
    signature="input: Tensor",
    forward=lambda input: input,
    summary="Record that a tensor was overwritten by constants: its gradient is zero.",
    backward=overwrite_backward,
)
registry["overwrite"] = overwrite


def _follow(value: Any, path: Any) -> Any:
    for function, arguments in path:
        value = function(value, *arguments)
    return value


def _without_part(g: Any, path: Any) -> Any:
    """Give the gradient with the part at the end of the path set to zero."""
    if isinstance(g, Tensor):
        mask = np.zeros(g._array.shape, bool)
        _follow(mask, path)[...] = True
        return g.masked_fill(wrap(mask), 0.0)
    copy = copied(g)
    kernels.fill(0, _follow(copy, path))
    return copy


def _view_put_backward(g: Any, parents: Any, saved: Any) -> tuple[Any, ...]:
    (path,) = saved
    whole, part = parents
    return (
        None if whole is None else _without_part(g, path),
        None if part is None else _follow(g, path),
    )


_view_put = Op(
    name="view_put",
    signature="base: Tensor, part: Tensor",
    forward=lambda base, part: base,
    summary="Record that a view of a tensor was written to.",
    saved_names=("path",),
    saved_roles=(None,),
    backward=_view_put_backward,
)
registry["view_put"] = _view_put
