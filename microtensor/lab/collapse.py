"""A network without activations is one matrix: fold its layers into A·x + b."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import microtensor as mt
from microtensor import nn
from microtensor.lab.plot import affine_picture
from microtensor.lab.result import Column, Result, Table, Verdict

# What the exactness of a fold is held to, relative to the largest output, in float64.
EXACT = 1e-12


def affine_layers(
    model: nn.Module, path: str = "", *, asked: str = "collapse", bends: tuple[type[Any], ...] = ()
) -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of a model in order, each with its path, none of them nonlinear.

    Args:
        model: what is gone through.
        path: where it is in a larger one.
        asked: which function asks, for messages.
        bends: kinds of activation that are let through.

    Raises:
        TypeError: a layer that is not affine, or whose forward is not known; the message names
            its path and class.
    """
    name = f"layer {path!r} ({type(model).__name__})" if path else f"{type(model).__name__}"
    if _has_hooks(model):
        raise TypeError(f"{asked}: {name} has forward hooks, which may change what it computes")
    if isinstance(model, nn.Sequential) and _computes_as(model, nn.Sequential):
        for child_name, child in model._modules.items():
            if child is not None:
                below = f"{path}.{child_name}" if path else child_name
                yield from affine_layers(child, below, asked=asked, bends=bends)
        return
    if isinstance(model, nn.Dropout) and model.training and model.p > 0:
        raise TypeError(
            f"{asked}: {name} is in training mode and drops at random; call model.eval() first"
        )
    if isinstance(model, nn.Flatten) and (model.start_dim, model.end_dim) != (1, -1):
        raise TypeError(
            f"{asked}: {name} must flatten from dimension 1 to the last, "
            f"got {model.start_dim} to {model.end_dim}"
        )
    if not any(
        isinstance(model, kind) and _computes_as(model, kind)
        for kind in (nn.Linear, nn.Identity, nn.Dropout, nn.Flatten, *bends)
    ):
        affine = "affine" if not bends else "piecewise linear"
        known = "".join(f", {kind.__name__}" for kind in bends)
        raise TypeError(
            f"{asked}: {name} is not known to be {affine}; only Linear, Identity, Flatten, "
            f"Dropout in eval mode{known} and Sequential of these can be folded"
        )
    yield path, model


def linear_layers(model: nn.Module) -> list[tuple[str, nn.Linear]]:
    """Return the Linear layers of an affine model in order, each with its path.

    The others are the identity on rows of numbers.

    Raises:
        TypeError: see :func:`affine_layers`.
        ValueError: no Linear layer, or one that does not fit what comes before it.
    """
    found: list[tuple[str, nn.Linear]] = []
    for path, layer in affine_layers(model):
        if not isinstance(layer, nn.Linear):
            continue
        if found and layer.in_features != found[-1][1].out_features:
            raise ValueError(
                f"collapse: layer {path!r} (Linear) takes {layer.in_features} inputs, "
                f"but {found[-1][1].out_features} reach it"
            )
        found.append((path, layer))
    if not found:
        raise ValueError("collapse: the model has no Linear layer, so its number of inputs is open")
    return found


def fold(model: nn.Module, dtype: mt.dtype | None = None) -> tuple[mt.Tensor, mt.Tensor]:
    """Return A and b with model(x) = A·x + b, as differentiable products of the layers.

    Layer by layer, A ← W·A and b ← W·b + c, where a layer computes W·x + c.

    Args:
        model: Linear layers, and Identity, Flatten, Dropout in eval mode, in nested Sequentials.
        dtype: what to compute in; by default the model's own.

    Returns:
        A, (outputs, inputs), and b, (outputs,).

    Raises:
        TypeError, ValueError: see :func:`linear_layers`.
    """
    (_, first), *others = linear_layers(model)
    weight: mt.Tensor = _cast(first.weight, dtype)
    bias: mt.Tensor | None = _cast(first.bias, dtype)
    for _, layer in others:
        step, shift = _cast(layer.weight, dtype), _cast(layer.bias, dtype)
        weight = step @ weight
        if bias is not None:
            bias = step @ bias
        if shift is not None:
            bias = shift if bias is None else bias + shift
    if bias is None:
        bias = mt.zeros(weight.shape[0], dtype=weight.dtype)
    return weight, bias


def folded_weight(model: nn.Module) -> mt.Tensor:
    """Return A alone, as :func:`fold` does; what a penalty on A needs, at half the cost."""
    (_, first), *others = linear_layers(model)
    weight: mt.Tensor = first.weight
    for _, layer in others:
        weight = layer.weight @ weight
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
        """Return A·x + b for each row of `x`, (rows, inputs)."""
        return x @ self.weight.T + self.bias


def collapse(
    model: nn.Module,
    x: mt.Tensor | None = None,
    *,
    dtype: mt.dtype | None = mt.float64,
    tolerance: float = EXACT,
) -> Collapse:
    """Fold a network without activations into one A·x + b.

    However many layers it has, it computes W_L(… W_2(W_1·x + c_1) + c_2 …) + c_L, and that is
    A·x + b with A = W_L ⋯ W_1: depth alone adds nothing that one layer cannot do.

    Args:
        model: Linear, Identity, Flatten (of dimensions 1 to the last), Dropout in eval mode, and
            Sequential of these, nested as deep as you like. It is taken to map rows of numbers;
            a leading Flatten makes them.
        x: rows to try the fold on, in the model's dtype; the result then holds a verdict.
        dtype: what to compute A and b in; None for the model's own dtype.
        tolerance: for the verdict; 1e-12 is for float64 models.

    Returns:
        A result that unpacks into A, (outputs, inputs), and b, (outputs,), both without gradient.

    Raises:
        TypeError: a layer that is not affine; its path and class are named.
        ValueError: no Linear layer, or sizes that do not fit.

    Example:
        >>> from microtensor import nn
        >>> model = nn.Sequential(nn.Linear(3, 8), nn.Identity(), nn.Linear(8, 2))
        >>> weight, bias = collapse(model)
        >>> weight.shape, bias.shape
        (microtensor.Size([2, 3]), microtensor.Size([2]))
    """
    with mt.no_grad():
        weight, bias = fold(model, dtype)
        # Of a single layer the fold is its own parameters; the result must not follow them.
        weight, bias = weight.detach().clone(), bias.detach().clone()
    records = [
        {"path": path or "(the model)", "class": type(layer).__name__, "maps": _maps(layer)}
        for path, layer in affine_layers(model)
    ]
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
    rows = x.numpy().astype(np.float64).reshape(len(ours), -1)
    folded = rows @ weight.detach().numpy().astype(np.float64).T
    folded += bias.detach().numpy().astype(np.float64)
    scale = np.abs(ours).max(initial=0.0)
    return float(np.abs(ours - folded).max(initial=0.0) / (scale or 1.0))


def _cast(parameter: Any, dtype: mt.dtype | None) -> Any:
    return parameter if parameter is None or dtype is None else parameter.to(dtype)


def _maps(layer: nn.Module) -> str:
    if isinstance(layer, nn.Linear):
        return f"{layer.in_features} → {layer.out_features}"
    return "the identity here"


def _computes_as(model: nn.Module, kind: type[nn.Module]) -> bool:
    """Tell whether a module of this kind does nothing else: a subclass may override."""
    known = type(model)
    return (
        known.forward is kind.forward
        and known.__call__ is nn.Module.__call__
        and "forward" not in vars(model)
    )


def _has_hooks(model: nn.Module) -> bool:
    hooks = model._hooks
    return hooks is not None and bool(hooks.forward or hooks.forward_pre)
