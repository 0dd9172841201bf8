"""``backward`` and ``grad``: the walk through the graph, from the user's side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from microtensor.engine import Node, recording, run_backward, set_mode
from microtensor.ops.algebra import ARRAYS, TENSORS
from microtensor.ops.arrays import constant, copied
from microtensor.ops.declare import attach
from microtensor.ops.joining import stack
from microtensor.tensor import Leaf, Tensor, node_of, wrap


class GradientEdge(NamedTuple):
    """A place in the graph that gradients flow through: a node and the number of its output.

    ``grad`` and ``backward`` take it where they take a tensor, which then need not be kept.
    """

    node: Node
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Give the place of a tensor in the graph.

    Raises:
        RuntimeError: the tensor requires no gradient.
    """
    node = node_of(tensor)
    if node is None:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients"
        )
    return GradientEdge(node, 0)  # each output has a node of its own


Target = Tensor | GradientEdge


def backward(
    tensors: Target | Sequence[Target],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Target | Sequence[Target] | None = None,
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
    chosen = [inputs] if isinstance(inputs, Target) else list(inputs)
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
        if not isinstance(tensor, Tensor):
            raise RuntimeError("backward: of GradientEdge inputs only those of leaves have a .grad")
        if not create_graph:
            gradient = wrap(gradient)
        earlier = tensor._grad
        tensor._grad = gradient.clone() if earlier is None else earlier + gradient


def grad(
    outputs: Target | Sequence[Target],
    inputs: Target | Sequence[Target] | Mapping[str, Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """Give the gradients of outputs with respect to inputs; no ``.grad`` is touched.

    Args:
        outputs: what to differentiate; several are summed.
        inputs: with respect to what, leaves or computed tensors; a dictionary of them, too.
        grad_outputs: for each output a gradient to start from; None means 1.
        retain_graph: keep what was saved for another walk; the default is ``create_graph``.
        create_graph: record the walk, so that the gradients can be differentiated in turn.
        only_inputs: must be True, as in PyTorch.
        allow_unused: give None for an input the outputs do not depend on, instead of raising.
        is_grads_batched: ``grad_outputs`` have a further dimension in front; one walk is made for
            each place in it, and the results are stacked.
        materialize_grads: give zeros for such an input.

    Returns:
        One gradient per input, of its shape and dtype, in a tuple; for a dictionary in one.

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
    if isinstance(inputs, Mapping):
        results = grad(
            outputs, list(inputs.values()), grad_outputs, retain_graph, create_graph,
            only_inputs, allow_unused, is_grads_batched, materialize_grads,
        )  # fmt: skip
        return dict(zip(inputs, results, strict=True))
    if not only_inputs:
        raise ValueError("only_inputs=False is not supported: use backward() to fill .grad")
    wanted = [inputs] if isinstance(inputs, Target) else list(inputs)
    if not wanted:
        raise RuntimeError("grad: 'inputs' argument cannot be empty")
    if materialize_grads and allow_unused is False:
        raise ValueError("allow_unused must be True or not given when materialize_grads is True")
    keep = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        return _batched(
            outputs, wanted, grad_outputs, keep, create_graph, allow_unused, materialize_grads
        )
    roots = _roots(outputs, grad_outputs, create_graph)
    nodes = [_differentiable_input(each, "grad") for each in wanted]
    found = _walk(roots, TENSORS if create_graph else ARRAYS, keep, set(nodes))
    gradients: list[Tensor | None] = []
    for place, node in enumerate(nodes):
        gradient = found.get(node)
        if gradient is None:
            if materialize_grads:
                gradient = constant(0, node.shape, node.dtype)
            elif not allow_unused:
                raise RuntimeError(
                    f"One of the differentiated Tensors (input {place}, of shape "
                    f"{list(node.shape)}) appears to not have been used in the graph. Set "
                    "allow_unused=True if this is the desired behavior."
                )
        if isinstance(gradient, np.ndarray):
            # A rule may have passed on an array that something else holds too.
            gradient = wrap(copied(gradient))
        gradients.append(gradient)
    return tuple(gradients)


def _batched(
    outputs: Any,
    inputs: list[Any],
    gradients: Any,
    keep: bool,
    create_graph: bool,
    allow_unused: bool | None,
    materialize: bool,
) -> tuple[Tensor | None, ...]:
    """Walk once for each place in the gradients' first dimension."""
    given = [gradients] if isinstance(gradients, Tensor) else list(gradients or ())
    lengths = {each._array.shape[0] for each in given if each is not None and each._array.ndim}
    if len(lengths) != 1:
        raise RuntimeError(
            "grad: is_grads_batched=True needs grad_outputs with one first dimension in common"
        )
    (count,) = lengths
    rows = [
        grad(
            outputs,
            inputs,
            [None if each is None else each[place] for each in given],
            retain_graph=keep or place < count - 1,
            create_graph=create_graph,
            allow_unused=allow_unused,
            materialize_grads=materialize,
        )
        for place in range(count)
    ]
    stacked = [None if column[0] is None else stack(column) for column in zip(*rows, strict=True)]
    return tuple(stacked)


def _walk(roots: Any, algebra: Any, keep: bool, wanted: set[Node] | None) -> dict[Node, Any]:
    previous = recording.wanted
    set_mode(algebra.create_graph)
    try:
        return run_backward(roots, algebra, keep, wanted)
    finally:
        set_mode(previous)


def _differentiable_input(tensor: Any, op: str) -> Node:
    if isinstance(tensor, GradientEdge):
        return tensor.node
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{op}: inputs must be Tensors, not {type(tensor).__name__}")
    node = node_of(tensor)
    if node is None:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return node


def _roots(tensors: Any, gradients: Any, create_graph: bool) -> list[tuple[Node, Any]]:
    if isinstance(tensors, Target):
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
    if isinstance(tensor, GradientEdge):
        node, shape, dtype = tensor.node, tensor.node.shape, tensor.node.dtype
    elif isinstance(tensor, Tensor):
        node, shape, dtype = node_of(tensor), tensor._array.shape, tensor._array.dtype  # type: ignore[assignment]
    else:
        raise TypeError(f"element {place} of tensors must be a Tensor, not {type(tensor).__name__}")
    if node is None:
        raise RuntimeError(
            f"element {place} of tensors does not require grad and does not have a grad_fn: it was "
            "computed from nothing that requires a gradient, or under no_grad()"
        )
    if gradient is None:
        if any(length != 1 for length in shape):
            raise RuntimeError(
                "grad can be implicitly created only for scalar outputs, and this tensor has shape "
                f"{list(shape)}. Reduce it first (.sum() or .mean()), or pass gradient=."
            )
        start = constant(1, shape, dtype)
        return node, wrap(start) if create_graph else start
    if not isinstance(gradient, Tensor):
        raise TypeError(
            f"gradients can be either Tensors or None, but got {type(gradient).__name__}"
        )
    if gradient._array.shape != shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{place}] has a shape of "
            f"{list(gradient._array.shape)} and output[{place}] has a shape of {list(shape)}."
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
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


attach(
    "backward",
    _backward_method,
    "self: Tensor, gradient: Tensor | None = None, retain_graph: bool | None = None, "
    "create_graph: bool = False, inputs: Any = None",
)
