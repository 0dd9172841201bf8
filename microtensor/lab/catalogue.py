"""The activations that the laboratory draws and compares: those of the engine, by name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor import nn
from microtensor.ops.activations import ACTIVATIONS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Activation:
    """An activation that acts on each number alone, with its defaults.

    Attributes:
        name: in the registry of activations, and in arguments.
        module: its module's name in :mod:`microtensor.nn`.
        formula: from its declaration.
    """

    name: str
    module: str
    formula: str

    @property
    def label(self) -> str:
        """What tables and pictures call it: its module, and what that is given."""
        given = ", ".join(f"{one}" for one in _ARGUMENTS.get(self.name, ()))
        return f"{self.module} ({given})" if given else self.module

    @property
    def note(self) -> str:
        """The values of its numeric parameters: declared defaults, or initial values if learned."""
        declared = ACTIVATIONS[self.name].parameters
        given = dict(
            zip((one.name for one in declared), _ARGUMENTS.get(self.name, ()), strict=False)
        )
        values = {
            one.name: float(given.get(one.name) or one.default or 0)
            for one in declared
            if one.annotation == "float"
        }
        for name, parameter in self.make().named_parameters():
            values[name] = float(parameter.detach().mean())
        return ", ".join(f"{name} = {value:.4g}" for name, value in values.items())

    @property
    def others(self) -> tuple[Callable[[Floats], Floats], ...]:
        """What is drawn beside f, dashed."""
        return ()

    def make(self) -> nn.Module:
        """Return a new module of it, learned parameters at their initial values."""
        made: nn.Module = getattr(nn, self.module)(*_ARGUMENTS.get(self.name, ()))
        return made

    def __call__(self, x: Floats) -> Floats:
        """Return f(x) in float64, in evaluation mode."""
        with mt.no_grad():
            return self._evaluate(mt.from_numpy(x)).numpy().astype(np.float64)

    def derivative(self, x: Floats) -> Floats:
        """Return f'(x) in float64, as backward computes it."""
        points = mt.tensor(x, dtype=mt.float64, requires_grad=True)
        y = self._evaluate(points)
        if not y.requires_grad:  # a constant derivative of zero need not be recorded
            return np.zeros_like(x)
        (slope,) = mt.autograd.grad(y.sum(), [points])
        return np.zeros_like(x) if slope is None else slope.numpy()

    def _evaluate(self, x: mt.Tensor) -> mt.Tensor:
        result: mt.Tensor = _module(self.name)(x)
        return result


# What the few modules are given that have no defaults, or stand for two activations.
_ARGUMENTS: dict[str, tuple[Any, ...]] = {"gelu_tanh": ("tanh",), "threshold": (1, 0)}


@functools.cache
def _module(name: str) -> nn.Module:
    return known()[name].make().double().eval()


@functools.cache
def known() -> dict[str, Activation]:
    """Return all activations that act on each number alone, in the order of the registry."""
    every = (
        Activation(name, record.module, record.formula) for name, record in ACTIVATIONS.items()
    )
    return {one.name: one for one in every if _acts_alone(one)}


def _acts_alone(activation: Activation) -> bool:
    """Tell whether f of several numbers is f of each: not so for softmax, GLU, maxout."""
    try:
        module = activation.make().double().eval()
    except TypeError:  # sizes that have no default: it acts on a layer as a whole
        return False
    if getattr(module, "dim", 0) is None:  # a softmax, whose numbers add up to 1
        return False
    x = mt.tensor([[-1.3, 0.4, 2.1, 0.7]], dtype=mt.float64)
    with mt.no_grad():
        together = module(x)
        if together.shape != x.shape:
            return False
        # A neighbour that changes must change nothing.
        other = module(mt.tensor([[-1.3, -0.6, 2.1, 3.0]], dtype=mt.float64))
    return bool((together[0, ::2] == other[0, ::2]).all())


def activation_names() -> tuple[str, ...]:
    """Return the names of all activations that act on each number alone.

    They are those of the registry, first those of the article "26 activation functions
    visualised" in its order, then the others. Softmax, GLU and the like, which mix numbers, are not
    among them.

    Example:
        >>> from microtensor import lab
        >>> "tanh" in lab.activation_names(), "softmax" in lab.activation_names()
        (True, False)
    """
    return tuple(known())


def chosen(
    names: Sequence[str] | None, among: Mapping[str, Activation] | None = None
) -> list[Activation]:
    """Return the activations of these names, each once; all for None.

    Args:
        names: which.
        among: those there are, by name; by default all that act on each number alone.

    Raises:
        ValueError: an unknown name, or none; the message lists the legal ones.
    """
    among = known() if among is None else among
    if names is None:
        return list(among.values())
    if isinstance(names, str):
        names = (names,)
    legal = ", ".join(among)
    if not names:
        raise ValueError(f"no activation given; known are: {legal}")
    for name in names:
        if name not in among:
            raise ValueError(f"unknown activation {name!r}; known are: {legal}")
    return [among[name] for name in dict.fromkeys(names)]
