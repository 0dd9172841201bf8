"""The kernels in NumPy: the same names, arguments and special values as those in C.

A kernel is a public function of one of the modules below. Most of those in ``host`` modules have no
body in C (yet), so there is one of each, not two twins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from microtensor.kernels import (
    host,
    host_distances,
    host_indexing,
    host_linalg,
    host_padding,
    host_pointwise,
    host_reductions,
    host_resampling,
    host_scans,
    host_shapes,
    host_sorting,
    host_special,
    twin_activations,
    twin_attention,
    twin_curves,
    twin_embedding,
    twin_gates,
    twin_linear_activations,
    twin_normalization,
    twin_random,
    twin_recurrent,
    twin_rows,
    twin_steps,
)

MODULES = (
    host,
    host_distances,
    host_indexing,
    host_linalg,
    host_padding,
    host_pointwise,
    host_reductions,
    host_resampling,
    host_scans,
    host_shapes,
    host_sorting,
    host_special,
    twin_activations,
    twin_attention,
    twin_curves,
    twin_embedding,
    twin_gates,
    twin_linear_activations,
    twin_normalization,
    twin_random,
    twin_recurrent,
    twin_rows,
    twin_steps,
)

KERNELS: dict[str, Any] = {
    name: value
    for module in MODULES
    for name, value in vars(module).items()
    if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
}
"""Every kernel in NumPy by name."""

globals().update(KERNELS)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
