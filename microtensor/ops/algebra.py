"""How the walk backward combines gradients: as plain arrays, or as tensors that record."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.engine import Gradients, Node, output_node
from microtensor.ops.arithmetic import add
from microtensor.ops.arrays import empty
from microtensor.ops.shape import cast, sum_to
from microtensor.tensor import Tensor, wrap


def _run_hooks(node: Node, gradient: Tensor) -> Tensor:
    for hook in list(node.hooks or ()):
        result = hook(gradient)
        if result is not None:
            if not isinstance(result, Tensor):
                raise TypeError(f"a hook must return a Tensor or None, not {type(result).__name__}")
            if result._array.shape != node.shape:
                raise RuntimeError(
                    f"hook has changed the size of the value: {list(result._array.shape)} for a "
                    f"gradient of {list(node.shape)}"
                )
            gradient = result
    return gradient


def _origin(node: Node, role: int, value: Any) -> Node | None:
    """Give the node of a saved value: of an input (role ≥ 0), or of an output (-1, -2, ...)."""
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
        """Call the node's hooks with a tensor."""
        return self.fit(_run_hooks(node, wrap(gradient))._array, node)


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
        """Call the node's hooks with a tensor."""
        return self.fit(_run_hooks(node, gradient), node)


ARRAYS = ArrayAlgebra()
TENSORS = TensorAlgebra()
