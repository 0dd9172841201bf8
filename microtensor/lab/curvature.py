"""The steepest curvatures of a loss, from products of its Hessian with vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

import microtensor as mt

Floats = NDArray[np.float64]


def hessian_product(loss: mt.Tensor, parameters: Sequence[mt.Tensor]) -> Callable[[Floats], Floats]:
    """Return the function v ↦ Hv, H the Hessian of a loss with respect to all parameters.

    The gradient is differentiated once more, along v: H itself is never made. Parameters on which
    the loss does not depend, or only linearly, have zeros in their rows.

    Args:
        loss: a scalar, computed from the parameters; its graph is kept.
        parameters: what H is of, flattened one after another.
    """
    gradients = mt.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
    slope = mt.cat([one.reshape(one.numel()) for one in gradients if one is not None])

    def product(direction: Floats) -> Floats:
        if not slope.requires_grad:  # that of a linear loss: it hangs on no parameter
            return np.zeros_like(direction)
        along = mt.tensor(direction, dtype=slope.dtype)
        turned = mt.autograd.grad(
            slope, parameters, [along], retain_graph=True, materialize_grads=True
        )
        return np.concatenate([one.numpy().ravel() for one in turned if one is not None])

    return product


def extreme_curvatures(
    product: Callable[[Floats], Floats], size: int, rounds: int = 20, seed: int = 0
) -> tuple[float, float]:
    """Return the least and the largest eigenvalue of a symmetric matrix, known by its products.

    By Lanczos' method, every vector made orthogonal to all before: in as many rounds as the matrix
    has rows it is exact, and at the ends of the spectrum long before. What it finds lies within
    the true ends.

    Args:
        product: v ↦ Hv.
        size: rows of H.
        rounds: products at most.
        seed: of the vector it starts from.

    Example:
        >>> matrix = np.diag([-2.0, 0.0, 1.0, 5.0])
        >>> low, high = extreme_curvatures(lambda v: matrix @ v, 4)
        >>> round(low, 9), round(high, 9)
        (-2.0, 5.0)
    """
    direction = np.random.default_rng(seed).standard_normal(size)
    basis = [direction / np.linalg.norm(direction)]
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(rounds, size)):
        turned = product(basis[-1]).astype(np.float64)
        diagonal.append(float(turned @ basis[-1]))
        known = np.stack(basis)
        for _ in range(2):  # once leaves rounding, twice is enough
            turned = turned - known.T @ (known @ turned)
        length = float(np.linalg.norm(turned))
        scale = max(map(abs, (*diagonal, *beside)), default=0.0)
        if not np.isfinite(length) or length <= 1e-12 * scale or len(basis) == size:
            break
        beside.append(length)
        basis.append(turned / length)
    beside = beside[: len(diagonal) - 1]
    small = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    if not np.isfinite(small).all():
        return float("nan"), float("nan")
    ends = np.linalg.eigvalsh(small)
    return float(ends[0]), float(ends[-1])
