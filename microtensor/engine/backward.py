"""The walk backward: from the newest node to the oldest, without recursion."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Any, Protocol

from microtensor.engine.anomaly import state, watched_backward, where
from microtensor.engine.node import Node


class Algebra(Protocol):
    """What the walk needs to do with gradients, be they arrays or tensors.

    The first-order walk gets one that works on plain arrays (nothing wrapped, nothing recorded),
    ``create_graph=True`` one that works on tensors and records.
    """

    create_graph: bool

    def lift(self, node: Node) -> tuple[Any, ...]:
        """Give the node's saved values in the form the rules are to see them."""

    def add(self, a: Any, b: Any) -> Any:
        """Give a + b as something new."""

    def add_into(self, a: Any, b: Any) -> Any:
        """Give a + b, in a's own memory where that is possible."""

    def fit(self, gradient: Any, node: Node) -> Any:
        """Undo broadcasting and casting: give the gradient in the node's shape and dtype."""

    def run_hooks(self, node: Node, gradient: Any) -> Any:
        """Call the hooks on the tensor, each with what the one before it gave."""

    def run_prehooks(self, node: Node, gradient: Any) -> Any:
        """Call the node's own hooks that come before its derivative."""

    def run_posthooks(self, node: Node, contributions: tuple[Any, ...], gradient: Any) -> Any:
        """Call those that come after it, with what it gave and got."""

    def has_nan(self, gradient: Any) -> bool:
        """Say whether there is a NaN in it."""


def run_backward(
    roots: Iterable[tuple[Node, Any]],
    algebra: Algebra,
    keep: bool,
    wanted: set[Node] | None = None,
) -> dict[Node, Any]:
    """Carry the roots' gradients to the leaves, or to the nodes wanted.

    Args:
        roots: (node, gradient) pairs; gradients in the nodes' shapes and dtypes.
        algebra: how gradients are combined.
        keep: whether the saved values stay for another walk.
        wanted: if given, the gradients of these nodes are returned, no leaf is touched, and
            only nodes on a way to them are visited.

    Returns:
        The gradients of the wanted nodes that were reached.

    Raises:
        RuntimeError: a node's saved values were released by an earlier walk, or one of them was
            changed in place since.
    """
    roots = list(roots)
    on_the_way = None if wanted is None else _nodes_leading_to(wanted, (n for n, _ in roots))
    create_graph = algebra.create_graph
    fit = algebra.fit
    watching = state.enabled
    results: dict[Node, Any] = {}
    gradients = _joined(roots, algebra)
    owned: set[Node] = set()
    heap = [(-node.number, node) for node in gradients]
    heapify(heap)

    while heap:
        node = heappop(heap)[1]
        gradient = gradients.pop(node)
        hooks = node.hooks
        if hooks is not None:
            gradient = algebra.run_hooks(node, gradient)
            owned.discard(node)  # a hook may have kept it
        if wanted is not None and node in wanted:
            results[node] = gradient
        op = node.op
        if op is None:
            if wanted is None:
                if hooks:
                    gradient = algebra.run_prehooks(node, gradient)
                node.accumulate(gradient, node in owned, create_graph)
                if hooks:
                    algebra.run_posthooks(node, (), gradient)
            continue

        parents = node.parents
        if on_the_way is not None:
            # Rules of inputs nobody asked about are not called at all.
            parents = tuple(p if p in on_the_way else None for p in parents)
            if not any(parents):
                continue
        saved = node.saved
        if saved is None:
            raise RuntimeError(_released(op.name, node))
        if node.cells:
            stamp = 0
            for cell in node.cells:
                stamp += cell[0]
            if stamp != node.stamp:
                raise RuntimeError(_changed_in_place(node))
        if create_graph:
            saved = algebra.lift(node)
        if op.add_into is not None and not (create_graph or hooks or watching):
            (parent,) = parents
            if parent in owned and gradient.dtype is parent.dtype:
                # A part's gradient, beside others': the whole is there already.
                op.add_into(gradients[parent], gradient, *saved)
                node.saved = saved if keep else None
                owned.discard(node)
                continue
        if hooks or watching:
            contributions = _observed_backward(node, gradient, parents, saved, algebra)
        else:
            contributions = op.backward(gradient, parents, saved)
        if not keep and saved:
            node.saved = None

        alone = len(contributions) == 1 and wanted is None and node in owned
        for parent, contribution in zip(parents, contributions, strict=True):
            if parent is None or contribution is None:
                continue
            if contribution.shape != parent.shape or contribution.dtype is not parent.dtype:
                contribution = fit(contribution, parent)
            # A gradient is linear in the incoming one: what is neither that nor a view (of it, or
            # of a constant) is new, and nobody but this walk can hold it. Nor can it if the
            # incoming one was the walk's, and goes on, in another shape or not, to one input alone.
            new = not create_graph and (
                (contribution is not gradient and contribution.base is None)
                or (alone and _is_all_of(contribution, gradient))
            )
            if parent.op is None and parent.hooks is None and wanted is None:
                # A leaf that nobody watches need not wait for its other contributions.
                parent.accumulate(contribution, new, create_graph)
                continue
            earlier = gradients.get(parent)
            if earlier is None:
                gradients[parent] = contribution
                heappush(heap, (-parent.number, parent))
                if new:
                    owned.add(parent)
            elif parent in owned:
                gradients[parent] = algebra.add_into(earlier, contribution)
            else:
                gradients[parent] = algebra.add(earlier, contribution)
                owned.add(parent)
        owned.discard(node)
    return results


def _joined(roots: list[tuple[Node, Any]], algebra: Algebra) -> dict[Node, Any]:
    """Give each root its gradient: the sum, where it stands there several times."""
    gradients: dict[Node, Any] = {}
    for node, gradient in roots:
        earlier = gradients.get(node)
        gradients[node] = gradient if earlier is None else algebra.add(earlier, gradient)
    return gradients


def _released(name: str, node: Node) -> str:
    return (
        f"{name}: trying to backward through the graph a second time, but the values it saved "
        "were released by the first walk. Pass retain_graph=True to the first backward() or "
        "grad() if a second one is to follow." + where(node)
    )


def _is_all_of(contribution: Any, gradient: Any) -> bool:
    """Say whether an array is another one, or its elements one after the other in a new shape."""
    if contribution is gradient:
        return True
    base = contribution.base
    return (
        (base is gradient or base is gradient.base)
        and contribution.size == gradient.size
        and contribution.flags.c_contiguous
    )


def _observed_backward(
    node: Node, gradient: Any, parents: tuple[Any, ...], saved: Any, algebra: Algebra
) -> tuple[Any, ...]:
    """Call a node's rules where hooks, or anomaly mode, look on."""
    if node.hooks:
        gradient = algebra.run_prehooks(node, gradient)
    if state.enabled:
        contributions = watched_backward(node, gradient, parents, saved, algebra)
    else:
        contributions = node.op.backward(gradient, parents, saved)
    if node.hooks:
        contributions = algebra.run_posthooks(node, contributions, gradient)
    return contributions


def _nodes_leading_to(wanted: set[Node], roots: Iterable[Node]) -> set[Node]:
    """Give the nodes between the roots and the wanted ones, both ends included."""
    oldest = min((node.number for node in wanted), default=0)
    reachable: set[Node] = set()
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        # A node older than every wanted one cannot lead to any.
        if node in reachable or node.number < oldest:
            continue
        reachable.add(node)
        waiting.extend(parent for parent in node.parents if parent is not None)
    leading: set[Node] = set()
    for node in sorted(reachable, key=lambda node: node.number):
        if node in wanted or any(parent in leading for parent in node.parents):
            leading.add(node)
    return leading


def _changed_in_place(node: Node) -> str:
    shape = "" if node.shape is None else f", whose output has shape {list(node.shape)}"
    return (
        f"one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: {node.op.name}{shape}, saved an array for its gradient, and that "
        "array has been written to since. Write to a copy (clone()), or use the out-of-place form "
        "of the operation." + where(node)
    )
