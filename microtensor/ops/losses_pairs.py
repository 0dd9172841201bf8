"""Losses of distances and angles between vectors: two of them, or an anchor and two others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microtensor.ops.activations_linear import relu
from microtensor.ops.arithmetic import add, sub
from microtensor.ops.bounds import minimum
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq
from microtensor.ops.declare import publish
from microtensor.ops.distances import cosine_similarity, pairwise_distance
from microtensor.ops.loss_arguments import check_tensors, chosen_reduction, reduced
from microtensor.tensor import Tensor

_OLD = "size_average: bool | None = None, reduce: bool | None = None, reduction: str = 'mean'"


@publish(
    f"input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, {_OLD}",
    namespaces=("nn.functional",),
)
def cosine_embedding_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Angle between what belongs together, lack of angle between what does not.

        1 - cos where target is 1, max(0, cos - margin) where it is -1

    Args:
        input1: vectors, of shape (N, D) or (D,).
        input2: vectors of the same shape.
        target: 1 or -1, of shape (N,) or ().
        margin: the cosine that is small enough, from -1 to 1.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: shapes that do not fit.
        ValueError: another reduction.
    """
    name = "cosine_embedding_loss"
    check_tensors(name, input1=input1, input2=input2, target=target)
    reduction = chosen_reduction(name, size_average, reduce, reduction)
    one, two, signs = input1._array.shape, input2._array.shape, target._array.shape
    if len(one) != len(two) or len(one) != len(signs) + 1 or len(one) not in (1, 2):
        raise RuntimeError(
            f"{name}: target of shape {list(signs)} and inputs of shapes {list(one)} and "
            f"{list(two)} do not fit: expected (N,) and (N, D), or () and (D,)"
        )
    cosine = cosine_similarity(input1, input2, len(signs), 1e-8)
    losses = where(
        eq(target, 1),
        sub(1.0, cosine),
        where(eq(target, -1), relu(sub(cosine, margin)), 0.0),
    )
    return reduced(losses, reduction)


def _check_triplet(
    op: str, margin: float, anchor: Tensor, positive: Tensor, negative: Tensor
) -> None:
    check_tensors(op, anchor=anchor, positive=positive, negative=negative)
    if margin <= 0:
        raise ValueError(f"{op}: margin must be greater than 0, got {margin}")
    a, p, n = (each._array.ndim for each in (anchor, positive, negative))
    if not a == p == n:
        raise RuntimeError(
            f"{op}: The anchor, positive, and negative tensors are expected to have the same "
            f"number of dimensions, but got: anchor {a}D, positive {p}D, and negative {n}D inputs"
        )


def _triplet(
    distance: Callable[[Any, Any], Any],
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        # The harder of the two: the negative's distance from the positive may be the smaller.
        far = minimum(far, distance(positive, negative))
    return reduced(relu(add(sub(near, far), margin)), reduction)


@publish(
    "anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, "
    f"eps: float = 1e-06, swap: bool = False, {_OLD}",
    namespaces=("nn.functional",),
)
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """Lack of lead of one distance over another: max(0, ‖a - p‖ - ‖a - n‖ + margin).

    Args:
        anchor: vectors, of shape (.., D).
        positive: what should be close to them.
        negative: what should not.
        margin: the lead wanted; positive.
        p: the order of the norm.
        eps: added to each difference, which keeps the gradient of equal vectors finite.
        swap: take the negative's distance from the positive where that is smaller.
        size_average: what PyTorch had before ``reduction``; deprecated.
        reduce: likewise.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: numbers of dimensions that differ.
        ValueError: another reduction, or a margin that is not positive.

    References:
        Balntas et al. 2016, Learning local feature descriptors with triplets and shallow
        convolutional neural networks.
    """
    name = "triplet_margin_loss"
    reduction = chosen_reduction(name, size_average, reduce, reduction)
    _check_triplet(name, margin, anchor, positive, negative)
    return _triplet(
        lambda a, b: pairwise_distance(a, b, p, eps),
        anchor,
        positive,
        negative,
        margin,
        swap,
        reduction,
    )


@publish(
    "anchor: Tensor, positive: Tensor, negative: Tensor, *, "
    "distance_function: Any = None, margin: float = 1.0, "
    "swap: bool = False, reduction: str = 'mean'",
    namespaces=("nn.functional",),
)
def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Lack of lead of one distance over another, whatever the distance.

    Args:
        anchor: of shape (N, ..).
        positive: what should be close to it.
        negative: what should not.
        distance_function: of two tensors; :func:`pairwise_distance` unless given.
        margin: the lead wanted; positive.
        swap: take the negative's distance from the positive where that is smaller.
        reduction: "none", "mean" or "sum".

    Raises:
        RuntimeError: numbers of dimensions that differ.
        ValueError: another reduction, or a margin that is not positive.
    """
    _check_triplet("triplet_margin_with_distance_loss", margin, anchor, positive, negative)
    distance = pairwise_distance if distance_function is None else distance_function
    return _triplet(distance, anchor, positive, negative, margin, swap, reduction)
