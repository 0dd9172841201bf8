"""The optimizers that :func:`compare` knows, by name, with everything but the learning rate."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import microtensor as mt


@dataclass(frozen=True)
class Range:
    """Where a hyper-parameter is looked for, log-uniformly.

    Attributes:
        low: the least value.
        high: the largest.
        short_of_one: whether it is 1 minus the value that is drawn log-uniformly, as for averages:
            from 0.9 to 0.99 is as far as from 0.99 to 0.999.

    Example:
        >>> Range(0.9, 0.999, short_of_one=True).at(0.5), Range(1e-8, 1e-4).at(0.5)
        (0.99, 1e-06)
    """

    low: float
    high: float
    short_of_one: bool = False

    def at(self, share: float) -> float:
        """Return the value at this share of the way from low to high, to four digits."""
        low, high = (1 - self.low, 1 - self.high) if self.short_of_one else (self.low, self.high)
        value = low ** (1 - share) * high**share
        return 1 - float(f"{value:.4g}") if self.short_of_one else float(f"{value:.4g}")


@dataclass(frozen=True)
class Recipe:
    """How an optimizer is made.

    Attributes:
        name: what it is called in arguments and file names.
        label: what tables and pictures call it.
        kind: its class in :mod:`microtensor.optim`, or a function of parameters and ``lr`` that
            returns an optimizer.
        settings: its arguments, beside the learning rate.
        space: where :func:`compare` looks for other arguments; ``"betas.0"`` is the first of betas.
    """

    name: str
    label: str
    kind: str | Callable[..., Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    space: Mapping[str, Range] = field(default_factory=dict)

    @property
    def function(self) -> Callable[..., Any]:
        """What makes the optimizer."""
        return getattr(mt.optim, self.kind) if isinstance(self.kind, str) else self.kind

    @property
    def default_rate(self) -> float | None:
        """The learning rate it has when none is given; None if it must be given."""
        found = inspect.signature(self.function).parameters.get("lr")
        return None if found is None or found.default is found.empty else float(found.default)

    def make(
        self, parameters: Iterable[mt.Tensor], rate: float, drawn: Mapping[str, float] | None = None
    ) -> Any:
        """Return the optimizer over some parameters at a learning rate.

        Args:
            parameters: to be optimized.
            rate: the learning rate.
            drawn: values out of ``space``, in place of those of ``settings``.
        """
        settings = dict(self.settings)
        for name, value in (drawn or {}).items():
            whole, _, place = name.partition(".")
            if place:
                parts = list(settings[whole])
                parts[int(place)] = value
                settings[whole] = tuple(parts)
            else:
                settings[whole] = value
        return self.function(parameters, lr=rate, **settings)


_AVERAGE = Range(0.5, 0.999, short_of_one=True)
_MOMENTUM = {"momentum": Range(0.5, 0.99, short_of_one=True)}
_BETAS = {
    "betas.0": Range(0.5, 0.99, short_of_one=True),
    "betas.1": Range(0.9, 0.9999, short_of_one=True),
}
_USUAL = {"betas": (0.9, 0.999)}

OPTIMIZERS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("sgd", "SGD", "SGD"),
        Recipe("momentum", "Momentum", "SGD", {"momentum": 0.9}, _MOMENTUM),
        Recipe("nag", "NAG", "SGD", {"momentum": 0.9, "nesterov": True}, _MOMENTUM),
        Recipe("adagrad", "Adagrad", "Adagrad", {}, {"eps": Range(1e-12, 1e-2)}),
        Recipe("adadelta", "Adadelta", "Adadelta", {"rho": 0.9}, {"rho": _AVERAGE}),
        Recipe("rmsprop", "RMSprop", "RMSprop", {"alpha": 0.9}, {"alpha": _AVERAGE}),
        Recipe("adam", "Adam", "Adam", _USUAL, _BETAS),
        Recipe(
            "adamw",
            "AdamW",
            "AdamW",
            {**_USUAL, "weight_decay": 0.01},
            {**_BETAS, "weight_decay": Range(1e-4, 1.0)},
        ),
    )
}

# Known by name, beside those above.
BEYOND: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("nadam", "NAdam", "NAdam", _USUAL, _BETAS),
        Recipe("radam", "RAdam", "RAdam", _USUAL, _BETAS),
        Recipe("adamax", "Adamax", "Adamax", _USUAL, _BETAS),
        Recipe("adabelief", "AdaBelief", "AdaBelief", _USUAL, _BETAS),
        Recipe("yogi", "Yogi", "Yogi", _USUAL, _BETAS),
        Recipe("lion", "Lion", "Lion", {"betas": (0.9, 0.99)}, _BETAS),
        Recipe("rprop", "Rprop", "Rprop"),
        Recipe("prodigy", "Prodigy", "Prodigy"),
    )
}


# What is compared when no names are given.
COMPARED = (*OPTIMIZERS, "nadam", "radam", "adabelief", "lion")


def recipes(given: Sequence[str | Recipe | Callable[..., Any]]) -> list[Recipe]:
    """Return the recipes of names and of one's own optimizers, each once.

    Args:
        given: names, recipes, or functions of parameters and ``lr`` that return an optimizer.

    Raises:
        ValueError: an unknown name, none, or two of the same name; the message lists the known.
    """
    if isinstance(given, (str, Recipe)) or callable(given):
        given = (given,)
    every = {**OPTIMIZERS, **BEYOND}
    known = ", ".join(every)
    if not given:
        raise ValueError(f"no optimizer given; known are: {known}")
    found: dict[str, Recipe] = {}
    for one in given:
        if isinstance(one, str) and one not in every:
            raise ValueError(f"unknown optimizer {one!r}; known are: {known}")
        recipe = every[one] if isinstance(one, str) else one
        if not isinstance(recipe, Recipe):
            name = getattr(one, "__name__", type(one).__name__).strip("<>")
            recipe = Recipe(name, name, recipe)
        if found.setdefault(recipe.name, recipe) is not recipe:
            raise ValueError(f"optimizers must have different names, got {recipe.name!r} twice")
    return list(found.values())
