"""The engine: nodes, the record of what was computed, and the walk backward. It knows no Tensor."""

from microtensor.engine.backward import Algebra, run_backward
from microtensor.engine.modes import (
    enable_grad,
    is_grad_enabled,
    no_grad,
    recording,
    set_grad_enabled,
)
from microtensor.engine.node import Node, count_nodes

__all__ = [
    "Algebra",
    "Node",
    "count_nodes",
    "enable_grad",
    "is_grad_enabled",
    "no_grad",
    "recording",
    "run_backward",
    "set_grad_enabled",
]
