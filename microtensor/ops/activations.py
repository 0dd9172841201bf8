"""Every activation, by name: the 26 of the article in its order, then those beyond.

They are declared by family in the files imported here, each in one record.
"""

from __future__ import annotations

from microtensor.ops import (
    activations_bends,
    activations_gated,
    activations_gates,
    activations_learned,
    activations_linear,
    activations_rows,
    activations_sigmoids,
)
from microtensor.ops.activation_record import ACTIVATIONS as _DECLARED
from microtensor.ops.activation_record import Activation

ARTICLE = (
    *("step", "identity", "relu", "sigmoid", "tanh", "leaky_relu", "prelu", "rrelu", "elu", "selu"),
    *("srelu", "hardsigmoid", "hardtanh", "lecun_tanh", "arctan", "softsign", "softplus", "signum"),
    *("bent_identity", "symmetrical_sigmoid", "log_log", "gaussian", "absolute", "sinusoid"),
    *("cosine", "sinc"),
)
"""The activations of "26 activation functions visualised", in its order."""

_FAMILIES = (
    activations_sigmoids,
    activations_bends,
    activations_gates,
    activations_linear,
    activations_gated,
    activations_learned,
    activations_rows,
)
_FAMILY_NAMES = [family.__name__ for family in _FAMILIES]


def _in_order(item: tuple[str, Activation]) -> int:
    # Not the order in which programs happen to import the files.
    name, record = item
    if name in ARTICLE:
        return ARTICLE.index(name)
    return len(ARTICLE) + _FAMILY_NAMES.index(record.family)


ACTIVATIONS: dict[str, Activation] = dict(sorted(_DECLARED.items(), key=_in_order))
"""Every activation's record by name."""

__all__ = [
    "ACTIVATIONS",
    "ARTICLE",
    "Activation",
    "activations_bends",
    "activations_gated",
    "activations_gates",
    "activations_learned",
    "activations_linear",
    "activations_rows",
    "activations_sigmoids",
]
