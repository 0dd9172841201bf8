"""The engine: nodes, the record of what was computed, and the walk backward. It knows no Tensor."""

from microtensor.engine.backward import Algebra, run_backward
from microtensor.engine.epoch import epoch
from microtensor.engine.modes import (
    INFERENCE_CELL,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    recording,
    set_grad_enabled,
    set_mode,
)
from microtensor.engine.node import (
    Gradients,
    Node,
    NodeHook,
    RemovableHandle,
    count_nodes,
    output_node,
)

__all__ = [
    "INFERENCE_CELL",
    "Algebra",
    "Gradients",
    "Node",
    "NodeHook",
    "RemovableHandle",
    "count_nodes",
    "enable_grad",
    "epoch",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "output_node",
    "recording",
    "run_backward",
    "set_grad_enabled",
    "set_mode",
]
