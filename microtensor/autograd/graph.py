"""The graph in users' hands: its nodes, and what becomes of the tensors it saves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from microtensor.autograd.drawing import Graph, GraphNode, graph_of
from microtensor.autograd.walk import GradientEdge, get_gradient_edge
from microtensor.engine import Node, recording, set_mode
from microtensor.ops.algebra import Packed
from microtensor.tensor import Tensor, wrap

__all__ = [
    "GradientEdge",
    "Graph",
    "GraphNode",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "graph_of",
    "increment_version",
    "saved_tensors_hooks",
]


class Packing:
    """What the recording switch is while hooks are set: it is told of each node made."""

    def __init__(self, pack: Callable[[Tensor], Any], unpack: Callable[[Any], Tensor]) -> None:
        self.hooks = (pack, unpack)

    def pack(self, node: Node) -> None:
        """Let the hooks have what a node saved."""
        op = node.op
        saved = list(node.saved or ())
        places = [i for i, role in enumerate(op.saved_roles) if role is not None]
        for place in places:
            if saved[place] is not None:
                saved[place] = self.pack_array(saved[place])
        node.saved = tuple(saved)
        # From here on it is the user's affair whether what was packed changes.
        node.cells, node.stamp = tuple([0] for _ in places), 0
        node.op = _Unpacking(op)

    def pack_array(self, array: Any) -> Packed:
        """Let the hooks have one saved array."""
        pack, unpack = self.hooks
        previous = recording.wanted, recording.on
        recording.on = True if recording.on is self else recording.on
        set_mode(False)
        try:
            return Packed(pack(wrap(array)), unpack)
        finally:
            recording.on = previous[1]
            set_mode(previous[0])


def packing() -> Packing | None:
    """Give the innermost hooks of this thread, if there are any."""
    return recording.on if isinstance(recording.on, Packing) else None


class _Unpacking:
    """An op whose saved tensors were packed."""

    add_into = None

    def __init__(self, op: Any) -> None:
        self.op = op

    def __getattr__(self, name: str) -> Any:
        return getattr(self.op, name)

    def backward(self, g: Any, parents: Any, saved: tuple[Any, ...]) -> tuple[Any, ...]:
        """Unpack, and call the op's rules."""
        given = tuple(v.array() if type(v) is Packed else v for v in saved)
        results: tuple[Any, ...] = self.op.backward(g, parents, given)
        return results


class saved_tensors_hooks:
    """Let functions have what operations save for their gradient, and bring it back when needed.

    Args:
        pack_hook: gets each saved tensor when it is saved, returns anything.
        unpack_hook: gets that when the gradient is computed, returns a tensor of the same values.

    Nested, the innermost pair holds. It is for this thread only. What is packed is no longer
    watched for changes in place.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor([1.0, 2.0], requires_grad=True)
        >>> with mt.autograd.graph.saved_tensors_hooks(lambda t: t.half(), lambda t: t.float()):
        ...     y = (x * x).sum()
        >>> y.backward()
        >>> x.grad
        tensor([2., 4.])
    """

    def __init__(
        self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]
    ) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook
        self._before: list[Any] = []

    def __enter__(self) -> None:
        if isinstance(recording.on, _Forbidding):
            raise RuntimeError(recording.on.message)
        self._before.append(recording.on)
        if recording.on is not None:  # in inference mode nothing is saved
            recording.on = Packing(self.pack_hook, self.unpack_hook)
            set_mode(recording.wanted)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        recording.on = self._before.pop()
        set_mode(recording.wanted)


class _Forbidding:
    """What the recording switch is while hooks are not allowed."""

    def __init__(self, message: str) -> None:
        self.message = message

    def pack(self, node: Node) -> None:
        """Leave the node as it is."""


class disable_saved_tensors_hooks:
    """Refuse saved tensor hooks for a block.

    Args:
        error_message: of the RuntimeError that setting some raises.
    """

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message

    def __enter__(self) -> None:
        if isinstance(recording.on, Packing):
            raise RuntimeError(self.error_message)
        self._before = recording.on
        if recording.on is not None:
            recording.on = _Forbidding(self.error_message)
            set_mode(recording.wanted)

    def __exit__(self, *_: object) -> None:
        recording.on = self._before
        set_mode(recording.wanted)


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Count a write that autograd did not see.

    Args:
        tensor: one tensor, or several, whose memory was written to past autograd.
    """
    for each in [tensor] if isinstance(tensor, Tensor) else tensor:
        each._cell[0] += 1
