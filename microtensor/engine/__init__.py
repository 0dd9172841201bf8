"""The engine: nodes, the record of what was computed, and the walk backward. It knows no Tensor."""

from microtensor.engine.backward import Algebra, run_backward
from microtensor.engine.modes import (
    enable_grad,
    is_grad_enabled,
    no_grad,
    recording,
    set_grad_enabled,
)
from microtensor.engine.node import Gradients, Node, count_nodes, output_node

__all__ = [
    "Algebra",
    "Gradients",
    "Node",
    "count_nodes",
    "enable_grad",
    "is_grad_enabled",
    "no_grad",
    "output_node",
    "recording",
    "run_backward",
    "set_grad_enabled",
]
