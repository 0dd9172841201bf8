"""What the losses share: reductions, PyTorch's old names for them, checks of labels and shapes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from microtensor.ops.declare import refuse
from microtensor.tensor import Tensor, wrap

INT64 = np.dtype(np.int64)
_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def reduction_code(reduction: str) -> int:
    """Give the kernel's number of a reduction; ValueError lists the legal ones."""
    code = _REDUCTIONS.get(reduction)
    if code is None:
        raise ValueError(
            f"{reduction!r} is not a valid value for reduction; legal: 'none', 'mean', 'sum'"
        )
    return code


# The parameters of the losses of class labels.
LABELS = (
    "input: Tensor, target: Tensor, weight: Tensor | None = None, "
    "size_average: bool | None = None, ignore_index: int = -100, "
    "reduce: bool | None = None, reduction: str = 'mean'"
)


def chosen_reduction(op: str, size_average: Any, reduce: Any, reduction: str) -> str:
    """Give the reduction, which PyTorch's first names for it override, with a warning."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is not None and not reduce:
        chosen = "none"
    else:
        chosen = "mean" if size_average is None or size_average else "sum"
    warnings.warn(
        f"{op}: size_average and reduce are deprecated; use reduction={chosen!r} instead",
        FutureWarning,
        stacklevel=3,
    )
    return chosen


def check_tensors(op: str, **given: Any) -> None:
    """Refuse, by name, what is no tensor."""
    for name, value in given.items():
        if not isinstance(value, Tensor):
            refuse(op, name, value)


def check_floating(op: str, **given: Tensor) -> None:
    """Refuse, by name, tensors that are not of floating point."""
    for name, value in given.items():
        if value._array.dtype.kind != "f":
            raise RuntimeError(
                f"{op}: {name} must be floating point, not {value._array.dtype.name}; convert "
                "with .float()"
            )


def warn_of_shapes(op: str, input: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
    """Warn of a target of another shape than the input's, which is broadcast, as PyTorch does.

    Raises:
        ValueError: a weight of another shape than the input's.
    """
    shape, given = input._array.shape, target._array.shape
    if shape != given:
        warnings.warn(
            f"{op}: the target's shape {list(given)} differs from the input's {list(shape)}. They "
            "are broadcast, which is hardly what was meant: reshape one of them.",
            stacklevel=3,
        )
    if weight is not None and weight._array.shape != shape:
        raise ValueError(
            f"{op}: weight must have the input's shape {list(shape)}, got "
            f"{list(weight._array.shape)}"
        )


def check_shapes(op: str, input: Tensor, target: Tensor) -> None:
    """Refuse a target of another shape than the input's."""
    if input._array.shape != target._array.shape:
        raise ValueError(
            f"{op}: target of shape {list(target._array.shape)} differs from input of shape "
            f"{list(input._array.shape)}; reshape one of them"
        )


def check_labels(op: str, input: Tensor, target: Tensor) -> None:
    """Refuse labels of another shape than the input without its classes, or of another dtype.

    Legal are int64 and uint8, which the caller converts.
    """
    x, labels = input._array, target._array
    if x.ndim == 0:
        raise ValueError(f"{op}: input must have at least one dimension, the classes")
    wanted = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
    if labels.shape != wanted and not (x.ndim == 1 and labels.shape == (1,)):
        # A batch of another size is a ValueError in PyTorch, any other shape a RuntimeError.
        batches = x.ndim > 1 and labels.shape[:1] != wanted[:1]
        raise (ValueError if batches else RuntimeError)(
            f"{op}: target of shape {list(labels.shape)} does not fit input of shape "
            f"{list(x.shape)}: expected {list(wanted)}"
        )
    if labels.dtype is not INT64 and labels.dtype.name not in ("int64", "uint8"):
        raise RuntimeError(
            f"{op}: expected class labels of dtype int64 or uint8, but target is "
            f"{labels.dtype.name}; "
            "convert with .long()"
        )


def check_weight(op: str, weight: Any, classes: int, dtype: Any) -> None:
    """Refuse class weights of another length or dtype than the input's."""
    if weight is None:
        return
    if not isinstance(weight, Tensor):
        refuse(op, "weight", weight)
    if weight._array.shape != (classes,):
        raise RuntimeError(
            f"{op}: weight tensor should be defined either for all {classes} classes or no "
            f"classes but got weight tensor of shape: {list(weight._array.shape)}"
        )
    if weight._array.dtype != dtype:
        raise RuntimeError(
            f"{op}: expected weight of dtype {dtype.name} like the input, got "
            f"{weight._array.dtype.name}; convert it with "
            f".{'double' if dtype.name == 'float64' else 'float'}()"
        )


def as_rows(input: Tensor) -> Tensor:
    """Give logits of any shape as a matrix (rows, classes)."""
    ndim = input._array.ndim
    if ndim == 1:
        return input.unsqueeze(0)
    if ndim == 2:
        return input
    return input.movedim(1, -1).reshape(-1, input._array.shape[1])


def reduced(losses: Any, reduction: str) -> Any:
    """Give losses as they are, their mean or their sum."""
    code = reduction_code(reduction)
    return losses if code == 0 else losses.mean() if code == 1 else losses.sum()


def ones_like_gradient(g: Any) -> Any:
    """Give ones of a gradient's shape and dtype, as a tensor if it is one."""
    shape = g.shape
    dtype = g._array.dtype if isinstance(g, Tensor) else g.dtype
    ones = np.ones(shape, dtype)
    return wrap(ones) if isinstance(g, Tensor) else ones
