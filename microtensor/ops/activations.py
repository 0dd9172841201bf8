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

ACTIVATIONS: dict[str, Activation] = {
    **{name: _DECLARED[name] for name in ARTICLE},
    **{name: record for name, record in _DECLARED.items() if name not in ARTICLE},
}
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
