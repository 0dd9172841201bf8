"""A node: one recorded operation, and what its derivative needs."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any

# Creation order is a topological order: whatever a node refers to was made before it. The walk
# backward needs no other ordering. One C-level counter serves all threads.
next_number = itertools.count(1).__next__

# What nodes made here take their number from; anomaly mode exchanges it.
_next_number = next_number


class RemovableHandle:
    """What registering a hook returns: ``remove()`` takes the hook away again."""

    def __init__(self, remove: Callable[[], None]) -> None:
        self._remove: Callable[[], None] | None = remove

    def remove(self) -> None:
        """Take the hook away; harmless when called twice."""
        if self._remove is not None:
            self._remove()
            self._remove = None

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class NodeHook:
    """A hook on a node itself, among the hooks on the tensor it computed."""

    __slots__ = ("after", "function")

    def __init__(self, function: Callable[..., Any], after: bool) -> None:
        self.function = function
        self.after = after


class Node:
    """One recorded operation.

    It holds its parents and what its rule saved, never the tensor it produced: there are no
    reference cycles, so memory goes as soon as the last name goes.

    Attributes:
        op: the declaration (has ``name``, ``backward``, ``add_into`` and ``saved_roles``); None for
            a leaf.
        parents: for each input its node, or None where no gradient is wanted.
        saved: the values the rules read, in the declaration's order; None once released.
        cells: the version cells of the saved arrays, each a list of one number.
        stamp: the sum of those versions when they were saved. Versions only grow, so an equal
            sum means that none has changed.
        shape, dtype: of the output; the gradient that arrives is brought to them. Those of a node
            with several outputs are None: each output has a node of its own (`output_node`).
        number: position in creation order.
        hooks: functions called with the gradient on arrival, and `NodeHook`s; or None.
    """

    __slots__ = (
        "__weakref__",
        "cells",
        "dtype",
        "hooks",
        "number",
        "op",
        "parents",
        "saved",
        "shape",
        "stamp",
    )

    op: Any
    parents: tuple[Node | None, ...]
    saved: tuple[Any, ...] | None
    cells: tuple[list[int], ...]
    stamp: int
    hooks: list[Any] | None

    def __init__(
        self,
        op: Any,
        parents: tuple[Node | None, ...],
        saved: tuple[Any, ...],
        cells: tuple[list[int], ...],
        stamp: int,
        shape: Any,
        dtype: Any,
    ) -> None:
        self.op = op
        self.parents = parents
        self.saved = saved
        self.cells = cells
        self.stamp = stamp
        self.shape = shape
        self.dtype = dtype
        self.hooks = None
        self.number = _next_number()

    def name(self) -> str:
        """The operation's name in the form of PyTorch's ``grad_fn.name()``: ``MulBackward0``."""
        return "AccumulateGrad" if self.op is None else node_name(self.op)

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The parents, each with the index 0, in the form PyTorch gives them."""
        return tuple((parent, 0) for parent in self.parents)

    def register_prehook(self, fn: Callable[[tuple[Any, ...]], Any]) -> RemovableHandle:
        """Call ``fn(grad_outputs)`` before this node's derivative is computed.

        Args:
            fn: gets a tuple of the gradients of the node's outputs (of one, here); may return
                another to be used in its place.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._register(NodeHook(fn, after=False))

    def register_hook(self, fn: Callable[[tuple[Any, ...], tuple[Any, ...]], Any]) -> Any:
        """Call ``fn(grad_inputs, grad_outputs)`` after this node's derivative was computed.

        Args:
            fn: gets the gradients of the node's inputs (None where there is none) and of its
                output; may return a tuple to be used in place of the former.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return self._register(NodeHook(fn, after=True))

    def _register(self, hook: NodeHook) -> RemovableHandle:
        # Of an op with several outputs the node that they share is meant.
        source = self.parents[0] if type(self.op) is Place else self
        assert source is not None
        source.hooks = [*(source.hooks or ()), hook]
        reference = weakref.ref(source)

        def remove() -> None:
            node = reference()
            if node is not None and node.hooks:
                # An empty list stays: a leaf may need one to wait for its whole gradient.
                node.hooks = [each for each in node.hooks if each is not hook]

        return RemovableHandle(remove)

    def accumulate(self, gradient: Any, owned: bool, create_graph: bool) -> None:
        """Take a gradient, at a leaf. Only leaves, which a higher floor defines, keep one."""
        raise TypeError(f"{self.name()} is not a leaf")

    def __repr__(self) -> str:
        return f"<{self.name()}>"


def node_name(op: Any) -> str:
    """Give PyTorch's name for the nodes of an op; one of a user's function has its own."""
    own: str | None = getattr(op, "node_name", None)
    if own is not None:
        return own
    return "".join(word[:1].upper() + word[1:] for word in op.name.split("_")) + "Backward0"


class Gradients:
    """The gradients of a node with several outputs, by place; None where none has come.

    It stands for them on its way from the outputs to their node, which has no one shape or dtype,
    so this has none either and the walk leaves it as it is.
    """

    __slots__ = ("parts",)

    shape = dtype = base = None

    def __init__(self, parts: tuple[Any, ...]) -> None:
        self.parts = parts

    def joined(self, other: Gradients, add: Callable[[Any, Any], Any]) -> Gradients:
        """Give both together, with what has come to one place twice added up."""
        return Gradients(
            tuple(
                b if a is None else a if b is None else add(a, b)
                for a, b in zip(self.parts, other.parts, strict=True)
            )
        )


class Place:
    """What an output's node does backward: it puts the gradient into its place."""

    saved_names: tuple[str, ...] = ()
    saved_roles: tuple[int | None, ...] = ()
    add_into = None

    def __init__(self, op: Any, place: int, count: int) -> None:
        self.name, self.node_name, self.place = op.name, node_name(op), place
        self._before, self._after = (None,) * place, (None,) * (count - 1 - place)

    def backward(self, g: Any, parents: Any, saved: Any) -> tuple[Any, ...]:
        """Give the gradient of the node with several outputs."""
        return (Gradients((*self._before, g, *self._after)),)


def output_node(source: Node, place: int, count: int, shape: Any, dtype: Any) -> Node:
    """Make the node of one of the ``count`` outputs of ``source``, itself of no shape or dtype."""
    return Node(Place(source.op, place, count), (source,), (), (), 0, shape, dtype)


def count_nodes(root: Node | None) -> int:
    """Count the nodes reachable from ``root``, itself included."""
    seen: set[Node] = set()
    waiting = [] if root is None else [root]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        waiting.extend(parent for parent in node.parents if parent is not None)
    return len(seen)
