"""A picture of a graph: its nodes in order, in text and for Graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.engine import Node
from microtensor.ops.algebra import Packed
from microtensor.tensor import Leaf, Tensor, node_of

# Graphviz colours: what the user made, what is computed, where it ends.
_PARAMETER, _LEAF, _OP, _ROOT = "lightblue", "lightsteelblue1", "gray95", "palegreen"


class GraphNode:
    """One node of a `Graph`.

    Attributes:
        index: its place in the graph's order.
        op: the operation's name (``mul``); ``leaf`` for a tensor of the user's.
        name: the leaf's name among the parameters given, or None; PyTorch's name of the node
            (``MulBackward0``) for an operation.
        shape, dtype: of its output; None for an operation with several outputs.
        inputs: the indices of the nodes its inputs come from, None for an input without gradient.
        saved: what it holds for its gradient, by name; empty where it was released.
        node: the engine's node, as ``grad_fn`` gives it.
    """

    __slots__ = ("dtype", "index", "inputs", "name", "node", "op", "saved", "shape")

    def __init__(self, index: int, node: Node, names: Mapping[Node, str]) -> None:
        self.index = index
        self.node = node
        self.op = "leaf" if node.op is None else str(node.op.name)
        self.name: str | None = names.get(node) if node.op is None else node.name()
        self.shape: tuple[int, ...] | None = node.shape
        self.dtype = None if node.dtype is None else dtypes.from_numpy_dtype(node.dtype)
        self.inputs: tuple[int | None, ...] = ()
        self.saved: dict[str, Any] = {}
        if node.op is not None and node.saved:
            self.saved = {
                name: value
                for name, value in zip(node.op.saved_names, node.saved, strict=True)
                if value is not None
            }

    @property
    def is_leaf(self) -> bool:
        """Whether it is a tensor the user made."""
        return self.node.op is None

    @property
    def saved_nbytes(self) -> int:
        """Bytes of the arrays it holds for its gradient."""
        return sum(v.nbytes for v in self.saved.values() if isinstance(v, np.ndarray))

    def described(self) -> str:
        """Give shape and dtype in few characters: ``float32[2, 3]``."""
        if self.shape is None or self.dtype is None:
            return "several outputs"
        return f"{self.dtype.name}{list(self.shape)}"

    def __repr__(self) -> str:
        label = self.op if self.name is None else self.name
        return f"<GraphNode {self.index}: {label}, {self.described()}>"


class Graph:
    """The graph that one or more tensors were computed in.

    Iterating gives its nodes in topological order, inputs before what is computed from them;
    ``graph[i]`` is one of them. The graph holds what its tensors' graph holds: drop it, or
    memory stays.
    """

    def __init__(self, roots: Iterable[Node], names: Mapping[Node, str]) -> None:
        ends = list(roots)
        found: set[Node] = set()
        waiting = list(ends)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting.extend(parent for parent in node.parents if parent is not None)
        # The order of creation is a topological one, but for a leaf made of what was in a graph.
        order = sorted(found, key=lambda node: (node.op is not None, node.number))
        places = {node: index for index, node in enumerate(order)}
        self.nodes = [GraphNode(index, node, names) for index, node in enumerate(order)]
        for each in self.nodes:
            each.inputs = tuple(None if p is None else places[p] for p in each.node.parents)
        self.roots = [self.nodes[places[node]] for node in ends]

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[GraphNode]:
        return iter(self.nodes)

    def __getitem__(self, index: int) -> GraphNode:
        return self.nodes[index]

    @property
    def leaves(self) -> list[GraphNode]:
        """The tensors the user made."""
        return [each for each in self.nodes if each.is_leaf]

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Pairs of indices: from an input to what is computed from it, once per use."""
        return [
            (source, each.index)
            for each in self.nodes
            for source in each.inputs
            if source is not None
        ]

    @property
    def saved_nbytes(self) -> int:
        """Bytes of all arrays held for gradients, each counted once."""
        arrays = {
            id(value): value.nbytes
            for each in self.nodes
            for value in each.saved.values()
            if isinstance(value, np.ndarray)
        }
        return sum(arrays.values())

    def find(self, op: str) -> list[GraphNode]:
        """Give the nodes of an operation, by its name or PyTorch's (``mul``, ``MulBackward0``).

        The name of a parameter finds its leaf.
        """
        return [each for each in self.nodes if op in (each.op, each.name)]

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes, {len(self.leaves)} of them leaves>"

    def summary(self) -> str:
        """Give a line per node: its number, operation, output, inputs and what it saved."""
        lines = []
        for each in self.nodes:
            inputs = ", ".join("-" if i is None else f"%{i}" for i in each.inputs)
            label = f"leaf {each.name or ''}".strip() if each.is_leaf else f"{each.op}({inputs})"
            line = f"%{each.index} = {label}: {each.described()}"
            if each.saved:
                line += f"  saved: {', '.join(_saved_text(n, v) for n, v in each.saved.items())}"
            lines.append(line)
        lines.append(f"return {', '.join(f'%{each.index}' for each in self.roots)}")
        return "\n".join(lines)

    __str__ = summary

    def to_dot(self, show_saved: bool = False, rankdir: str = "TB") -> str:
        """Give the graph in Graphviz's language: ``dot -Tsvg``, or any of its viewers, draws it.

        Args:
            show_saved: name in each box what the operation saved.
            rankdir: the direction of drawing, ``TB`` (downwards) or ``LR``.
        """
        roots = {each.index for each in self.roots}
        lines = [
            "digraph autograd {",
            f"  rankdir={_quoted(rankdir)};",
            '  node [shape=box, style=filled, fontname="monospace", fontsize=10];',
        ]
        for each in self.nodes:
            label = [each.op if not each.is_leaf else each.name or "leaf", each.described()]
            if show_saved and each.saved:
                label += [f"saved {_saved_text(n, v)}" for n, v in each.saved.items()]
            colour = _OP
            if each.is_leaf:
                colour = _LEAF if each.name is None else _PARAMETER
            elif each.index in roots:
                colour = _ROOT
            shape = ", shape=ellipse" if each.is_leaf else ""
            lines.append(
                f"  n{each.index} [label={_quoted(*label)}, fillcolor={_quoted(colour)}{shape}];"
            )
        lines += [f"  n{source} -> n{target};" for source, target in self.edges]
        return "\n".join([*lines, "}"]) + "\n"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show the text in notebooks, beside Graphviz source for those that draw it."""
        return {"text/plain": self.summary(), "text/vnd.graphviz": self.to_dot()}


def _quoted(*lines: str) -> str:
    r"""Quote a label: its lines are joined by Graphviz's own \n, all else stands for itself."""
    escaped = [
        line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for line in lines
    ]
    return '"' + "\\n".join(escaped) + '"'


def _saved_text(name: str, value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{name} {value.dtype.name}{list(value.shape)}"
    if type(value) is Packed:
        return f"{name} (packed)"
    text = repr(value)
    return f"{name}={text if len(text) <= 30 else text[:27] + '...'}"


def graph_of(
    tensors: Tensor | Iterable[Tensor],
    params: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None,
) -> Graph:
    """Give the graph that tensors were computed in, to be looked at.

    Args:
        tensors: one or several that require gradients.
        params: names for leaves: a dictionary, or pairs such as ``model.named_parameters()``.

    Raises:
        RuntimeError: a tensor that requires no gradient has no graph.

    Example:
        >>> import microtensor as mt
        >>> w = mt.ones(2, requires_grad=True)
        >>> graph = mt.autograd.graph_of((w * 3).sum(), {"w": w})
        >>> print(graph.summary())
        %0 = leaf w: float32[2]
        %1 = mul(%0, -): float32[2]  saved: other float32[]
        %2 = sum(%1): float32[]  saved: input_shape=(2,)
        return %2
        >>> graph.find("mul")
        [<GraphNode 1: MulBackward0, float32[2]>]
    """
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    roots = []
    for place, tensor in enumerate(given):
        node = node_of(tensor)
        if node is None:
            raise RuntimeError(
                f"graph_of: tensor {place} does not require grad: it was computed from nothing "
                "that requires a gradient, or under no_grad(), and has no graph"
            )
        roots.append(node)
    named = dict(params or {})
    names: dict[Node, str] = {}
    for name, tensor in named.items():
        node = node_of(tensor)
        if isinstance(node, Leaf):
            names.setdefault(node, name)
    return Graph(roots, names)


__all__ = ["Graph", "GraphNode", "graph_of"]
