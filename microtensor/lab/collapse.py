"""A network without activations is one matrix: fold its layers into A·x + b."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import microtensor as mt
from microtensor import nn
from microtensor.lab.affine import (
    IN_ORDER,
    Shape,
    affine_layers,
    applied,
    checked_shape,
    described,
    pushed,
    shape_before,
)
from microtensor.lab.plot import affine_picture
from microtensor.lab.result import Column, Result, Table, Verdict

# What the exactness of a fold is held to, relative to the largest output, in float64.
EXACT = 1e-12


def fold(
    model: nn.Module, dtype: mt.dtype | None = None, input_shape: Shape | None = None
) -> tuple[mt.Tensor, mt.Tensor]:
    """Return A and b with model(x) = A·x + b, as differentiable products of the layers.

    Layer by layer, A ← W·A and b ← W·b + c, where a layer computes W·x + c. Convolutions and the
    like have no W at hand: A and b go through them.

    Args:
        model: affine layers in nested Sequentials.
        dtype: what to compute in; by default the model's own.
        input_shape: of one row; needed unless a Linear layer comes first.

    Returns:
        A, (outputs, inputs), and b, (outputs,).

    Raises:
        TypeError: see :func:`affine_layers`.
        ValueError: a shape that is needed and missing, or sizes that do not fit.
    """
    weight, bias, _ = _folded(model, dtype, input_shape)
    return weight, bias


def _folded(
    model: nn.Module, dtype: mt.dtype | None, shape: Shape | None
) -> tuple[mt.Tensor, mt.Tensor, list[dict[str, Any]]]:
    """Return A, b and what each layer maps."""
    if dtype is None:
        own = [one.dtype for one in model.parameters()]
        dtype = own[0] if own else mt.get_default_dtype()
    weight: mt.Tensor | None = None
    bias: mt.Tensor | None = None
    records: list[dict[str, Any]] = []
    layers = list(affine_layers(model))  # what is nonlinear is refused before any work
    for path, layer in layers:
        before = shape = shape_before(layer, path, shape, "collapse")
        if isinstance(layer, nn.Linear) and shape is not None and len(shape) == 1:
            step, shift = _cast(layer.weight, dtype), _cast(layer.bias, dtype)
            weight = step if weight is None else step @ weight
            bias = None if bias is None else step @ bias
            if shift is not None:
                bias = shift if bias is None else bias + shift
            shape = (layer.out_features,)
        elif isinstance(layer, IN_ORDER):
            if shape is not None:
                nothing = mt.zeros(1, math.prod(shape), dtype=dtype)
                shape = applied(layer, path, nothing, shape, "collapse")[1]
        elif shape is not None:
            numbers = math.prod(shape)
            if weight is None:
                weight = mt.eye(numbers, dtype=dtype)
            if bias is None:
                bias = mt.zeros(numbers, dtype=dtype)
            weight, bias, shape = pushed(layer, path, weight, bias, shape, "collapse")
        records.append(
            {
                "path": path or "(the model)",
                "class": type(layer).__name__,
                "maps": _maps(layer, before, shape),
            }
        )
    if shape is None:
        raise ValueError("collapse: the model has no Linear layer, so its number of inputs is open")
    if weight is None:
        weight = mt.eye(math.prod(shape), dtype=dtype)
    if bias is None:
        bias = mt.zeros(weight.shape[0], dtype=weight.dtype)
    return weight, bias, records


def folded_weight(model: nn.Module) -> mt.Tensor:
    """Return A alone of a model of Linear layers; what a penalty on A needs, at half the cost.

    Raises:
        TypeError: a layer that is not affine, or an affine one beside Linear ones.
        ValueError: no Linear layer.
    """
    weight: mt.Tensor | None = None
    for path, layer in affine_layers(model):
        if isinstance(layer, nn.Linear):
            weight = layer.weight if weight is None else layer.weight @ weight
        elif not isinstance(layer, IN_ORDER):
            raise TypeError(f"folded_weight: {described(path, layer)} is no Linear layer")
    if weight is None:
        raise ValueError("collapse: the model has no Linear layer, so its number of inputs is open")
    return weight


class Collapse(Result):
    """A folded network: the matrix, the vector, and the layers that they came from.

    Unpacks as ``weight, bias = lab.collapse(model)``, and calls as the network does.

    Attributes:
        weight: A, (outputs, inputs).
        bias: b, (outputs,).
    """

    def __init__(self, weight: mt.Tensor, bias: mt.Tensor, table: Table, **parts: Any) -> None:
        super().__init__("collapse", tables=[table], **parts)
        self.weight = weight
        self.bias = bias

    def __iter__(self) -> Iterator[mt.Tensor]:
        return iter((self.weight, self.bias))

    def __call__(self, x: mt.Tensor) -> mt.Tensor:
        """Return A·x + b for each row of `x`, (rows, inputs) or as the network takes them."""
        rows = x.flatten(1) if x.ndim > 2 else x
        return rows @ self.weight.T + self.bias


def collapse(
    model: nn.Module,
    x: mt.Tensor | None = None,
    *,
    input_shape: Sequence[int] | int | None = None,
    dtype: mt.dtype | None = mt.float64,
    tolerance: float = EXACT,
) -> Collapse:
    """Fold a network without activations into one A·x + b.

    However many layers it has, it computes W_L(… W_2(W_1·x + c_1) + c_2 …) + c_L, and that is
    A·x + b with A = W_L ⋯ W_1: depth alone adds nothing that one layer cannot do.

    Args:
        model: Linear layers, convolutions (also transposed), average pooling, padding, upsampling,
            Flatten, Unflatten, PixelShuffle and the like, Identity, and in eval mode BatchNorm,
            InstanceNorm and Dropout; in Sequentials, nested as deep as you like.
        x: rows to try the fold on, in the model's dtype; the result then holds a verdict.
        input_shape: of one row, as (channels, height, width); by default that of `x`, or as many
            numbers as a Linear layer in the first place takes. A maps rows flattened, in order.
        dtype: what to compute A and b in; None for the model's own dtype.
        tolerance: for the verdict; 1e-12 is for float64 models.

    Returns:
        A result that unpacks into A, (outputs, inputs), and b, (outputs,), both without gradient.

    Raises:
        TypeError: a layer that is not affine; its path and class are named.
        ValueError: an input_shape that is needed and missing, or sizes that do not fit.

    Example:
        >>> from microtensor import nn
        >>> model = nn.Sequential(nn.Linear(3, 8), nn.Identity(), nn.Linear(8, 2))
        >>> weight, bias = collapse(model)
        >>> weight.shape, bias.shape
        (microtensor.Size([2, 3]), microtensor.Size([2]))
        >>> collapse(nn.Conv2d(1, 2, 3), input_shape=(1, 5, 5)).weight.shape
        microtensor.Size([18, 25])
    """
    shape = checked_shape(input_shape, "collapse")
    if shape is None and x is not None:
        shape = tuple(x.shape[1:])
    with mt.no_grad():
        weight, bias, records = _folded(model, dtype, shape)
        # Of a single layer the fold is its own parameters; the result must not follow them.
        weight, bias = weight.detach().clone(), bias.detach().clone()
    columns = [
        Column("layer", lambda row: row["path"], right=False),
        Column("class", lambda row: row["class"], right=False),
        Column("maps", lambda row: row["maps"], right=False),
    ]
    table = Table(
        "collapse",
        f"{len(records)} layers fold into one A·x + b, "
        f"A {tuple(weight.shape)}, b {tuple(bias.shape)}",
        records,
        columns,
    )
    verdicts = []
    if x is not None:
        error = fold_error(model, weight, bias, x)
        verdicts = [
            Verdict(
                "the folded A·x + b is the network",
                error,
                tolerance,
                detail=f"max |model(x) - (A·x + b)| / max |model(x)| on {len(x)} rows",
            )
        ]
    picture = affine_picture(weight.numpy(), bias.numpy())
    return Collapse(weight, bias, table, verdicts=verdicts, pictures={"collapse": picture})


def fold_error(model: nn.Module, weight: mt.Tensor, bias: mt.Tensor, x: mt.Tensor) -> float:
    """Return max |model(x) - (A·x + b)| / max |model(x)|, the difference taken in float64."""
    with mt.no_grad():
        ours = model(x).numpy().astype(np.float64)
    ours = ours.reshape(len(ours), -1)
    rows = x.numpy().astype(np.float64).reshape(len(ours), -1)
    folded = rows @ weight.detach().numpy().astype(np.float64).T
    folded += bias.detach().numpy().astype(np.float64)
    scale = np.abs(ours).max(initial=0.0)
    return float(np.abs(ours - folded).max(initial=0.0) / (scale or 1.0))


def _cast(parameter: Any, dtype: mt.dtype | None) -> Any:
    return parameter if parameter is None or dtype is None else parameter.to(dtype)


def _maps(layer: nn.Module, before: Shape | None, after: Shape | None) -> str:
    if before == after and isinstance(layer, IN_ORDER):
        return "the identity here"
    return " → ".join(
        str(shape[0]) if len(shape) == 1 else " × ".join(map(str, shape))
        for shape in (before or (), after or ())
    )
