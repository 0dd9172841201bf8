"""Piecewise-linear networks, layer by layer: slopes, kinks, and the affine map of one piece."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor import nn
from microtensor.lab.collapse import affine_layers

Floats = NDArray[np.float64]

# Where each of these bends, or jumps; between two such places it is straight.
KINKS: dict[type[Any], Callable[[Any], tuple[float, ...]]] = {
    nn.ReLU: lambda layer: (0.0,),
    nn.LeakyReLU: lambda layer: (0.0,),
    nn.PReLU: lambda layer: (0.0,),
    nn.RReLU: lambda layer: (0.0,),
    nn.ReLU6: lambda layer: (0.0, 6.0),
    nn.Hardtanh: lambda layer: (layer.min_val, layer.max_val),
    nn.Hardsigmoid: lambda layer: (-3.0, 3.0),
    nn.Softshrink: lambda layer: (-layer.lambd, layer.lambd),
    nn.Hardshrink: lambda layer: (-layer.lambd, layer.lambd),
    nn.Threshold: lambda layer: (layer.threshold,),
}


@dataclass(frozen=True, eq=False)
class Bend:
    """An activation of a network: where it bends, and how steep it is."""

    path: str
    module: nn.Module
    kinks: tuple[float, ...]

    def __call__(self, z: Floats) -> tuple[Floats, Floats]:
        """Return slope and intercept of the straight piece at each z, (rows, units).

        At a kink it is the piece whose slope backward takes.
        """
        points = mt.tensor(z, dtype=mt.float64, requires_grad=True)
        values = self.module(points)
        (slope,) = mt.autograd.grad(values.sum(), [points])
        steep = np.zeros_like(z) if slope is None else slope.numpy()
        return steep, values.detach().numpy() - steep * z

    def pattern(self, z: Floats) -> NDArray[np.int64]:
        """Return between which kinks each z lies."""
        return np.searchsorted(self.kinks, z)


@dataclass(frozen=True, eq=False)
class Straight:
    """A Linear layer of a network: z = W·a + c."""

    path: str
    weight: Floats
    bias: Floats


def pieces_of(model: nn.Module, asked: str) -> list[Straight | Bend]:
    """Return the layers of a piecewise-linear network in order, in float64.

    Raises:
        TypeError: a layer that is not known to be piecewise linear, named by path and class.
        ValueError: no Linear layer, sizes that do not fit, or an activation before the first one.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"{asked}: model must be a Module, got {type(model).__name__}")
    list(affine_layers(model, asked=asked, bends=tuple(KINKS)))  # refused before it is copied
    made: list[Straight | Bend] = []
    width = 0
    copied = copy.deepcopy(model).double()
    for path, layer in affine_layers(copied, asked=asked, bends=tuple(KINKS)):
        if isinstance(layer, nn.Linear):
            if made and layer.in_features != width:
                raise ValueError(
                    f"{asked}: layer {path!r} (Linear) takes {layer.in_features} inputs, "
                    f"but {width} reach it"
                )
            width = layer.out_features
            weight = layer.weight.detach().numpy()
            bias = np.zeros(width) if layer.bias is None else layer.bias.detach().numpy()
            made.append(Straight(path, weight, bias))
            continue
        for kind, kinks in KINKS.items():
            if isinstance(layer, kind):
                if isinstance(layer, nn.RReLU) and layer.training:
                    raise TypeError(
                        f"{asked}: layer {path!r} (RReLU) is in training mode and draws its "
                        "slopes at random; call model.eval() first"
                    )
                if not made:
                    raise ValueError(
                        f"{asked}: layer {path!r} ({kind.__name__}) stands before the first "
                        "Linear layer"
                    )
                made.append(Bend(path, layer, kinks(layer)))
                break
    if not made:
        raise ValueError(f"{asked}: the model has no Linear layer, so its number of inputs is open")
    return made


def inputs_of(layers: list[Straight | Bend]) -> int:
    """Return how many numbers a network takes."""
    first = layers[0]
    assert isinstance(first, Straight)  # pieces_of refuses all else
    return first.weight.shape[1]
