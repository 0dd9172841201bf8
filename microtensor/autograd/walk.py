"""``backward`` and ``grad``: the walk through the graph, from the user's side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from microtensor.engine import Node, recording, run_backward, set_mode
from microtensor.ops.algebra import ARRAYS, TENSORS
from microtensor.tensor import Leaf, Tensor, node_of, wrap


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of tensors to the ``.grad`` of the leaves they were computed from.

    Args:
        tensors: what to differentiate.
        grad_tensors: for each a gradient to start from, of its shape; None means 1 and needs a
            tensor of one element.
        retain_graph: keep what was saved for another walk; the default is ``create_graph``.
        create_graph: record the walk, so that the gradients can be differentiated in turn.
        inputs: touch only the ``.grad`` of these, leaves or computed tensors.

    Raises:
        RuntimeError: a tensor without a graph, one of several elements without a gradient, a
            graph walked before, or a saved array changed in place since.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0, 2.0], requires_grad=True)
        >>> mt.autograd.backward((w * w).sum())
        >>> w.grad
        tensor([2., 4.])
    """
    roots = _roots(tensors, grad_tensors, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    algebra = TENSORS if create_graph else ARRAYS
    if inputs is None:
        _walk(roots, algebra, keep, None)
        return
    chosen = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if not chosen:
        raise RuntimeError("backward: 'inputs' argument cannot be empty")
    nodes = [_differentiable_input(each, "backward") for each in chosen]
    found = _walk(roots, algebra, keep, set(nodes))
    for node, tensor in dict(zip(nodes, chosen, strict=True)).items():
        gradient = found.get(node)
        if gradient is None:
            continue
        if isinstance(node, Leaf):
            node.accumulate(gradient, False, create_graph)
            continue
        if not create_graph:
            gradient = wrap(gradient)
        earlier = tensor._grad
        tensor._grad = gradient.clone() if earlier is None else earlier + gradient


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """Give the gradients of outputs with respect to inputs; no ``.grad`` is touched.

    Args:
        outputs: what to differentiate; several are summed.
        inputs: with respect to what, leaves or computed tensors.
        grad_outputs: for each output a gradient to start from; None means 1.
        retain_graph: keep what was saved for another walk; the default is ``create_graph``.
        create_graph: record the walk, so that the gradients can be differentiated in turn.
        allow_unused: give None for an input the outputs do not depend on, instead of raising.
        materialize_grads: give zeros for such an input.

    Returns:
        One gradient per input, of its shape and dtype.

    Raises:
        RuntimeError: as :func:`backward`; an input that requires no gradient, or, unless allowed,
            one that was not used.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor(3.0, requires_grad=True)
        >>> (slope,) = mt.autograd.grad(x ** 3, x, create_graph=True)
        >>> mt.autograd.grad(slope, x)
        (tensor(18.),)
    """
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if not wanted:
        raise RuntimeError("grad: 'inputs' argument cannot be empty")
    if materialize_grads and allow_unused is False:
        raise ValueError("allow_unused must be True or not given when materialize_grads is True")
    roots = _roots(outputs, grad_outputs, create_graph)
    nodes = [_differentiable_input(each, "grad") for each in wanted]
    keep = create_graph if retain_graph is None else retain_graph
    found = _walk(roots, TENSORS if create_graph else ARRAYS, keep, set(nodes))
    results: list[Tensor | None] = []
    for place, (tensor, node) in enumerate(zip(wanted, nodes, strict=True)):
        gradient = found.get(node)
        if gradient is None:
            if materialize_grads:
                gradient = np.zeros_like(tensor._array)
            elif not allow_unused:
                raise RuntimeError(
                    f"One of the differentiated Tensors (input {place}, of shape "
                    f"{list(tensor._array.shape)}) appears to not have been used in the graph. Set "
                    "allow_unused=True if this is the desired behavior."
                )
        if isinstance(gradient, np.ndarray):
            # A rule may have passed on an array that something else holds too.
            gradient = wrap(gradient.copy())
        results.append(gradient)
    return tuple(results)


def _walk(roots: Any, algebra: Any, keep: bool, wanted: set[Node] | None) -> dict[Node, Any]:
    previous = recording.wanted
    set_mode(algebra.create_graph)
    try:
        return run_backward(roots, algebra, keep, wanted)
    finally:
        set_mode(previous)


def _differentiable_input(tensor: Any, op: str) -> Node:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{op}: inputs must be Tensors, not {type(tensor).__name__}")
    node = node_of(tensor)
    if node is None:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return node


def _roots(tensors: Any, gradients: Any, create_graph: bool) -> list[tuple[Node, Any]]:
    if isinstance(tensors, Tensor):
        tensors = [tensors]
        if not isinstance(gradients, list | tuple):
            gradients = [gradients]
    tensors = list(tensors)
    gradients = (
        [None] * len(tensors)
        if gradients is None
        else ([gradients] if isinstance(gradients, Tensor) else list(gradients))
    )
    if len(gradients) != len(tensors):
        raise RuntimeError(
            f"got {len(tensors)} tensors and {len(gradients)} gradients: one for each is needed"
        )
    return [
        _root(place, tensor, gradient, create_graph)
        for place, (tensor, gradient) in enumerate(zip(tensors, gradients, strict=True))
    ]


def _root(place: int, tensor: Any, gradient: Any, create_graph: bool) -> tuple[Node, Any]:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"element {place} of tensors must be a Tensor, not {type(tensor).__name__}")
    node = node_of(tensor)
    if node is None:
        raise RuntimeError(
            f"element {place} of tensors does not require grad and does not have a grad_fn: it was "
            "computed from nothing that requires a gradient, or under no_grad()"
        )
    array = tensor._array
    if gradient is None:
        if array.size != 1:
            raise RuntimeError(
                "grad can be implicitly created only for scalar outputs, and this tensor has shape "
                f"{list(array.shape)}. Reduce it first (.sum() or .mean()), or pass gradient=."
            )
        start = np.ones(array.shape, array.dtype)
        return node, wrap(start) if create_graph else start
    if not isinstance(gradient, Tensor):
        raise TypeError(
            f"gradients can be either Tensors or None, but got {type(gradient).__name__}"
        )
    if gradient._array.shape != array.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{place}] has a shape of "
            f"{list(gradient._array.shape)} and output[{place}] has a shape of {list(array.shape)}."
        )
    algebra = TENSORS if create_graph else ARRAYS
    return node, algebra.fit(gradient if create_graph else gradient._array, node)


def _backward_method(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of this tensor to the ``.grad`` of the leaves it was computed from.

    Args:
        self: what to differentiate.
        gradient: the gradient to start from, of this tensor's shape; None means 1 and needs a
            tensor of one element.
        retain_graph: keep what was saved for another walk; the default is ``create_graph``.
        create_graph: record the walk, so that the gradients can be differentiated in turn.
        inputs: touch only the ``.grad`` of these, leaves or computed tensors.

    Raises:
        RuntimeError: no graph, several elements and no gradient, a graph walked before, or a
            saved array changed in place since.
    """
    backward(self, gradient, retain_graph, create_graph, inputs)


Tensor.backward = _backward_method  # type: ignore[assignment, method-assign]
