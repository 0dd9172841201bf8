"""The optimizers that :func:`compare` knows, by name, with everything but the learning rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import microtensor as mt


@dataclass(frozen=True)
class Recipe:
    """How an optimizer is made.

    Attributes:
        name: what it is called in arguments and file names.
        label: what tables and pictures call it.
        kind: its class in :mod:`microtensor.optim`.
        settings: its arguments, beside the learning rate.
    """

    name: str
    label: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def make(self, parameters: Iterable[mt.Tensor], rate: float) -> Any:
        """Return the optimizer over some parameters at a learning rate."""
        return getattr(mt.optim, self.kind)(parameters, lr=rate, **self.settings)


OPTIMIZERS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("sgd", "SGD", "SGD"),
        Recipe("momentum", "Momentum", "SGD", {"momentum": 0.9}),
        Recipe("nag", "NAG", "SGD", {"momentum": 0.9, "nesterov": True}),
        Recipe("adagrad", "Adagrad", "Adagrad"),
        Recipe("adadelta", "Adadelta", "Adadelta", {"rho": 0.9}),
        Recipe("rmsprop", "RMSprop", "RMSprop", {"alpha": 0.9}),
        Recipe("adam", "Adam", "Adam", {"betas": (0.9, 0.999)}),
        Recipe("adamw", "AdamW", "AdamW", {"betas": (0.9, 0.999), "weight_decay": 0.01}),
    )
}

# Known by name in a race, beside those above.
BEYOND: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("nadam", "NAdam", "NAdam"),
        Recipe("radam", "RAdam", "RAdam"),
        Recipe("adamax", "Adamax", "Adamax"),
        Recipe("adabelief", "AdaBelief", "AdaBelief"),
        Recipe("yogi", "Yogi", "Yogi"),
        Recipe("lion", "Lion", "Lion"),
        Recipe("rprop", "Rprop", "Rprop"),
        Recipe("prodigy", "Prodigy", "Prodigy"),
    )
}


def recipes(names: Sequence[str]) -> list[Recipe]:
    """Return the recipes of these names, each once.

    Raises:
        ValueError: an unknown name, or none; the message lists the known ones.
    """
    if isinstance(names, str):
        names = (names,)
    known = ", ".join(OPTIMIZERS)
    if not names:
        raise ValueError(f"no optimizer given; known are: {known}")
    for name in names:
        if name not in OPTIMIZERS:
            raise ValueError(f"unknown optimizer {name!r}; known are: {known}")
    return [OPTIMIZERS[name] for name in dict.fromkeys(names)]
