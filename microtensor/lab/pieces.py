"""Piecewise-linear networks, layer by layer: slopes, kinks, and the affine map of one piece."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor import nn
from microtensor.lab.affine import (
    IN_ORDER,
    Shape,
    affine_layers,
    applied,
    pushed,
    shape_before,
)
from microtensor.lab.max_pooling import MAX_POOLS, Pool, pool

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
    shape: Shape

    def __call__(self, z: Floats) -> tuple[Floats, Floats]:
        """Return slope and intercept of the straight piece at each z, (rows, units).

        At a kink it is the piece whose slope backward takes.
        """
        points = mt.tensor(z, dtype=mt.float64, requires_grad=True)
        values = self.module(points.reshape(len(z), *self.shape)).reshape(z.shape)
        (slope,) = mt.autograd.grad(values.sum(), [points])
        steep = np.zeros_like(z) if slope is None else slope.numpy()
        return steep, values.detach().numpy() - steep * z

    def pattern(self, z: Floats) -> NDArray[np.int64]:
        """Return between which kinks each z lies."""
        return np.searchsorted(self.kinks, z)


@dataclass(frozen=True, eq=False)
class Straight:
    """An affine layer of a network, z = W·a + c, whatever it is made of."""

    path: str
    module: nn.Module
    inputs: Shape
    outputs: Shape

    def after(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Return A and b of this layer after A·x + b."""
        if isinstance(self.module, nn.Linear) and len(self.inputs) == 1:
            own = self.module.weight.detach().numpy()
            shift = 0.0 if self.module.bias is None else self.module.bias.detach().numpy()
            return own @ weight, own @ bias + shift
        with mt.no_grad():
            made, moved, _ = pushed(
                self.module, self.path, mt.tensor(weight), mt.tensor(bias), self.inputs, "pieces"
            )
        return made.numpy(), moved.numpy()

    @functools.cached_property
    def whole(self) -> tuple[Floats, Floats]:
        """W and c."""
        numbers = math.prod(self.inputs)
        return self.after(np.eye(numbers), np.zeros(numbers))


def pieces_of(
    model: nn.Module, asked: str, input_shape: Shape | None = None, *, pools: bool = False
) -> list[Straight | Bend | Pool]:
    """Return the layers of a piecewise-linear network in order, in float64.

    Args:
        model: the network.
        asked: which function asks, for messages.
        input_shape: of one row; needed unless a Linear layer comes first.
        pools: whether max pooling may be among them.

    Raises:
        TypeError: a layer that is not known to be piecewise linear, named by path and class.
        ValueError: a shape that is needed and missing, or sizes that do not fit.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"{asked}: model must be a Module, got {type(model).__name__}")
    bends = (*KINKS, *(MAX_POOLS if pools else ()))
    list(affine_layers(model, asked=asked, bends=bends))  # refused before it is copied
    made: list[Straight | Bend | Pool] = []
    shape = input_shape
    copied = copy.deepcopy(model).double()
    for path, layer in affine_layers(copied, asked=asked, bends=bends):
        kinks = next((KINKS[kind] for kind in KINKS if isinstance(layer, kind)), None)
        if isinstance(layer, nn.RReLU) and layer.training:
            raise TypeError(
                f"{asked}: layer {path!r} (RReLU) is in training mode and draws its "
                "slopes at random; call model.eval() first"
            )
        if kinks is not None and shape is None:
            raise ValueError(
                f"{asked}: layer {path!r} ({type(layer).__name__}) stands before the first "
                "Linear layer; give input_shape"
            )
        before = shape = shape_before(layer, path, shape, asked)
        if shape is None or before is None:
            continue  # in order, whatever it is
        if kinks is not None:
            made.append(Bend(path, layer, kinks(layer), shape))
            continue
        with mt.no_grad():
            nothing = mt.zeros(1, math.prod(shape), dtype=mt.float64)
            shape = applied(layer, path, nothing, shape, asked)[1]
        if isinstance(layer, MAX_POOLS):
            made.append(pool(layer, path, before, shape))
        elif not isinstance(layer, IN_ORDER):
            made.append(Straight(path, layer, before, shape))
    if shape is None:
        raise ValueError(f"{asked}: the model has no Linear layer, so its number of inputs is open")
    return made


def inputs_of(layers: Sequence[Straight | Bend | Pool]) -> int:
    """Return how many numbers a network that starts with an affine layer takes."""
    first = layers[0]
    assert isinstance(first, Straight)  # without input_shape, pieces_of refuses all else
    return math.prod(first.inputs)
