"""How the walk backward combines gradients: as plain arrays, or as tensors that record."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.engine import Gradients, Node, NodeHook, output_node
from microtensor.ops.arithmetic import add
from microtensor.ops.arrays import empty
from microtensor.ops.shape import cast, sum_to
from microtensor.tensor import Tensor, wrap


def _run_hooks(node: Node, gradient: Tensor) -> Tensor:
    for hook in list(node.hooks or ()):
        if type(hook) is NodeHook:
            continue
        result = hook(gradient)
        if result is not None:
            _check_hook_result(result, node.shape)
            gradient = result
    return gradient


def _check_hook_result(result: Any, shape: Any) -> None:
    if not isinstance(result, Tensor):
        raise TypeError(f"a hook must return a Tensor or None, not {type(result).__name__}")
    if shape is not None and result._array.shape != shape:
        raise RuntimeError(
            f"hook has changed the size of the value: {list(result._array.shape)} for a "
            f"gradient of {list(shape)}"
        )


def _node_hooks(node: Node, after: bool) -> list[Any]:
    hooks = node.hooks or ()
    return [h.function for h in hooks if type(h) is NodeHook and h.after is after]


def _run_prehooks(hooks: list[Any], gradients: tuple[Any, ...]) -> tuple[Any, ...]:
    for hook in hooks:
        gradients = _replaced(hook(gradients), gradients)
    return gradients


def _run_posthooks(hooks: list[Any], given: tuple[Any, ...], got: tuple[Any, ...]) -> Any:
    for hook in hooks:
        given = _replaced(hook(given, got), given)
    return given


def _replaced(result: Any, before: tuple[Any, ...]) -> tuple[Any, ...]:
    """Give what a hook on a node returned, checked; for None what it was called with."""
    if result is None:
        return before
    result = tuple(result) if isinstance(result, tuple | list) else (result,)
    if len(result) != len(before):
        raise RuntimeError(
            f"hook has returned an incorrect number of values (got {len(result)}, but expected "
            f"{len(before)})"
        )
    for new, old in zip(result, before, strict=True):
        if new is not None:
            _check_hook_result(new, None if old is None else old._array.shape)
    return result


def _parts(gradient: Any) -> tuple[Any, ...]:
    return gradient.parts if type(gradient) is Gradients else (gradient,)


def _whole(parts: tuple[Any, ...], like: Any) -> Any:
    return Gradients(parts) if type(like) is Gradients else parts[0]


def _wrapped(arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(None if array is None else wrap(array) for array in arrays)


def _arrays(tensors: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(None if tensor is None else tensor._array[...] for tensor in tensors)


class Origin:
    """The node of a saved tensor that is neither an input nor an output; given as its role."""

    __slots__ = ("node",)

    def __init__(self, node: Node | None) -> None:
        self.node = node


class Packed:
    """What a user's hooks made of a saved tensor."""

    __slots__ = ("content", "unpack")

    def __init__(self, content: Any, unpack: Any) -> None:
        self.content = content
        self.unpack = unpack

    def array(self) -> Any:
        """Give the tensor's array back."""
        tensor = self.unpack(self.content)
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"unpack_hook: output of saved tensor unpack_hook expected to be a Tensor but got "
                f"{type(tensor).__name__}"
            )
        return tensor._array


def _origin(node: Node, role: Any, value: Any) -> Node | None:
    """Give the node of a saved value: of an input (role ≥ 0), or of an output (-1, -2, ...)."""
    if type(role) is Origin:
        return role.node
    if role >= 0:
        return node.parents[role]
    outputs = node.op.outputs
    if not outputs:
        return node
    if value.dtype.kind != "f":
        return None
    return output_node(node, -1 - role, len(outputs), value.shape, value.dtype)


class ArrayAlgebra:
    """Gradients as plain arrays: nothing wrapped, nothing recorded."""

    create_graph = False

    def lift(self, node: Node) -> tuple[Any, ...]:
        """Give the saved values as the rules of this walk see them."""
        return node.saved or ()

    def add(self, a: Any, b: Any) -> Any:
        """Give a + b as something new."""
        if type(a) is Gradients:
            return a.joined(b, self.add)
        out = empty(a.shape, a.dtype)
        kernels.add(a, b, out)
        return out

    def add_into(self, a: Any, b: Any) -> Any:
        """Give a + b, in a's memory."""
        if type(a) is Gradients:
            return a.joined(b, self.add)
        kernels.add(a, b, a)
        return a

    def fit(self, gradient: Any, node: Node) -> Any:
        """Undo broadcasting and casting."""
        if gradient.shape != node.shape:
            gradient = sum_to(gradient, node.shape)
        if gradient.dtype != node.dtype:
            gradient = cast(gradient, node.dtype)
        return gradient

    def run_hooks(self, node: Node, gradient: Any) -> Any:
        """Call the hooks on the node's tensor with a tensor."""
        if type(gradient) is Gradients:
            return gradient
        return self.fit(_run_hooks(node, wrap(gradient))._array, node)

    def run_prehooks(self, node: Node, gradient: Any) -> Any:
        """Call the node's own hooks with tensors."""
        hooks = _node_hooks(node, after=False)
        if not hooks:
            return gradient
        return _whole(_arrays(_run_prehooks(hooks, _wrapped(_parts(gradient)))), gradient)

    def run_posthooks(self, node: Node, contributions: tuple[Any, ...], gradient: Any) -> Any:
        """Call the node's own hooks with tensors."""
        hooks = _node_hooks(node, after=True)
        if not hooks:
            return contributions
        # Views, since a hook may keep what it saw: it is no longer the walk's alone.
        return _arrays(_run_posthooks(hooks, _wrapped(contributions), _wrapped(_parts(gradient))))

    def has_nan(self, gradient: Any) -> bool:
        """Say whether there is a NaN in it."""
        return bool(np.isnan(gradient).any())


class TensorAlgebra:
    """Gradients as tensors: what is done with them is recorded in turn."""

    create_graph = True

    def lift(self, node: Node) -> tuple[Any, ...]:
        """Give the saved values as the rules of this walk see them."""
        lifted = []
        cells = iter(node.cells)
        for value, role in zip(node.saved or (), node.op.saved_roles, strict=True):
            if role is not None:
                cell = next(cells)
                if type(value) is Packed:
                    value = value.array()
                if isinstance(value, np.ndarray):
                    value = wrap(value, _origin(node, role, value))
                    # What this walk saves of it is to notice later changes, too.
                    value._cell = cell
            lifted.append(value)
        return tuple(lifted)

    def add(self, a: Any, b: Any) -> Any:
        """Give a + b as something new."""
        if type(a) is Gradients:
            return a.joined(b, self.add)
        return add(a, b)

    add_into = add

    def fit(self, gradient: Any, node: Node) -> Any:
        """Undo broadcasting and casting."""
        if gradient._array.shape != node.shape:
            gradient = sum_to(gradient, node.shape)
        if gradient._array.dtype != node.dtype:
            gradient = cast(gradient, node.dtype)
        return gradient

    def run_hooks(self, node: Node, gradient: Any) -> Any:
        """Call the hooks on the node's tensor."""
        if type(gradient) is Gradients:
            return gradient
        return self.fit(_run_hooks(node, gradient), node)

    def run_prehooks(self, node: Node, gradient: Any) -> Any:
        """Call the node's own hooks."""
        hooks = _node_hooks(node, after=False)
        return _whole(_run_prehooks(hooks, _parts(gradient)), gradient) if hooks else gradient

    def run_posthooks(self, node: Node, contributions: tuple[Any, ...], gradient: Any) -> Any:
        """Call the node's own hooks."""
        return _run_posthooks(_node_hooks(node, after=True), contributions, _parts(gradient))

    def has_nan(self, gradient: Any) -> bool:
        """Say whether there is a NaN in it."""
        return bool(np.isnan(gradient._array).any())


ARRAYS = ArrayAlgebra()
TENSORS = TensorAlgebra()
