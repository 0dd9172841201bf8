"""Every loss, from the files of their families."""

from microtensor.ops import (
    cross_entropy,
    ctc,
    likelihoods,
    losses_binary,
    losses_margin,
    losses_pairs,
    losses_regression,
)

__all__ = [
    "cross_entropy",
    "ctc",
    "likelihoods",
    "losses_binary",
    "losses_margin",
    "losses_pairs",
    "losses_regression",
]
