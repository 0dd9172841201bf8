"""Ops whose gradients are computed together, by one kernel for all inputs.

A rule of such an op is called once a walk and told which gradients are wanted. On arrays it runs
the fused kernels. Where the walk is recorded itself (``create_graph=True``) the op is written over
other ops instead, and the walk goes through those: derivatives of any order, and one formula less
to be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from microtensor.engine import run_backward
from microtensor.ops.algebra import TENSORS
from microtensor.ops.arithmetic import mul
from microtensor.ops.declare import declare
from microtensor.tensor import Tensor, node_of


def declare_jointly(
    name: str,
    signature: str,
    forward: Callable[..., Any],
    rule: Callable[..., Any],
    inputs: Sequence[str],
    **fields: Any,
) -> Any:
    """Declare an op whose gradients by some inputs come from one rule.

    ``rule(g, ..., wanted)`` reads what its parameters name, as other rules do, and gives a gradient
    for each of ``inputs``; ``wanted``, given by keyword, says which are asked for.
    """
    either = declare(name, signature, forward, rules=dict.fromkeys(inputs, rule), **fields)
    op = either.op
    order = [op.saved_names.index(each) for each in op.reads[inputs[0]]]
    places = [op.inputs.index(each) for each in inputs]
    several = bool(op.outputs)

    def backward(g: Any, parents: tuple[Any, ...], saved: tuple[Any, ...]) -> tuple[Any, ...]:
        wanted = tuple(parents[place] is not None for place in places)
        incoming = g.parts if several else (g,)
        found = rule(*incoming, *(saved[i] for i in order), wanted=wanted)
        gradients: list[Any] = [None] * len(op.inputs)
        for place, gradient, asked in zip(places, found, wanted, strict=True):
            gradients[place] = gradient if asked else None
        return tuple(gradients)

    op.backward = backward
    return either


def through(
    composite: Callable[..., Any],
    inputs: Sequence[Any],
    gradients: Sequence[Any],
    wanted: Sequence[bool],
) -> list[Any]:
    """Give the recorded gradients of a function over ops, of its outputs' gradients.

    Args:
        composite: takes the inputs, gives one tensor for each gradient.
        inputs: tensors, or None.
        gradients: tensors, or None where no gradient came.
        wanted: for each input, whether its gradient is.
    """
    # Each input by a name of its own: one tensor may stand in two places.
    own = [mul(x, 1.0) if ask else x for x, ask in zip(inputs, wanted, strict=True)]
    outputs = composite(*own)
    roots = []
    for y, g in zip(outputs, gradients, strict=True):
        node = node_of(y)
        if node is not None and g is not None:
            roots.append((node, g))
    nodes = [node_of(x) if ask else None for x, ask in zip(own, wanted, strict=True)]
    found = run_backward(roots, TENSORS, True, {node for node in nodes if node is not None})
    return [None if node is None else found.get(node) for node in nodes]


def recorded(*gradients: Any) -> bool:
    """Say whether a walk is recorded: whether its gradients are tensors."""
    return any(isinstance(g, Tensor) for g in gradients)
