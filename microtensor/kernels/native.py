"""The kernels in C: the same names, arguments and special values as those of twin.py."""

from __future__ import annotations

from typing import Any

from microtensor.kernels import (
    native_attention,
    native_ctc,
    native_layers,
    native_matrix,
    native_random,
    native_reductions,
    native_steps,
)
from microtensor.kernels.native_elementwise import ROWS
from microtensor.kernels.native_moving import MOVING
from microtensor.kernels.native_windows import WINDOWS

KERNELS: dict[str, Any] = {
    **ROWS,
    **native_reductions.REDUCTIONS,
    **native_layers.LAYERS,
    **MOVING,
    **WINDOWS,
    **{
        name: getattr(module, name)
        for module, names in (
            (
                native_matrix,
                ("matmul", "linear", "cross_entropy", "cross_entropy_backward"),
            ),
            (native_random, ("random_bits", "random_uniform", "rrelu", "dropout")),
            (native_attention, ("attention", "attention_backward")),
            (native_ctc, ("ctc", "ctc_backward")),
            (native_random, ("random_bits", "random_uniform", "dropout")),
            (native_steps, ("ArrayTable", "step")),
        )
        for name in names
    },
}
