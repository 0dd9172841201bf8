"""Switches of CUDA, which there is not: they may be set, and change nothing."""

from types import SimpleNamespace

matmul = SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
)
"""How a GPU would multiply matrices."""


def is_built() -> bool:
    """Say whether this was built for CUDA: no."""
    return False
