"""Building and training the small networks of the experiments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import kernels, nn
from microtensor.lab.data import Part

ACTIVATIONS: dict[str, type[nn.Module] | None] = {"linear": None, "relu": nn.ReLU, "tanh": nn.Tanh}


def network(
    sizes: Sequence[int],
    activation: str | Callable[[], nn.Module],
    seed: int,
    *,
    orthogonal: bool,
    dtype: mt.dtype,
) -> nn.Sequential:
    """Return a network of Linear layers with an activation between each two.

    Args:
        sizes: inputs, widths of the hidden layers, outputs.
        activation: ``"linear"`` for none, ``"relu"``, ``"tanh"``, or what makes a module.
        seed: of the weights; equal sizes and seed give equal weights, whatever the activation.
        orthogonal: whether weights start orthogonal and biases at 0; else both are drawn from
            U(-1/√inputs, 1/√inputs), as Linear does by itself.
        dtype: of the parameters.
    """
    generator = mt.Generator().manual_seed(seed)
    kind = ACTIVATIONS[activation] if isinstance(activation, str) else activation
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        if layers and kind is not None:
            layers.append(kind())
        layer = nn.Linear(inputs, outputs, dtype=dtype)
        reach = 0.0 if orthogonal else 1 / math.sqrt(inputs)
        if orthogonal:
            nn.init.orthogonal_(layer.weight, generator=generator)
        else:
            nn.init.uniform_(layer.weight, -reach, reach, generator=generator)
        if layer.bias is not None:  # a Linear has one, but its type does not know
            nn.init.uniform_(layer.bias, -reach, reach, generator=generator)
        layers.append(layer)
    return nn.Sequential(*layers)


def tensors(part: Part, outputs: int, dtype: mt.dtype) -> tuple[mt.Tensor, mt.Tensor]:
    """Return a part as the inputs and targets that :func:`mean_loss` takes.

    For one output they are 0 and 1 in `dtype`, (rows, 1); for more, int64 class numbers, (rows,).
    """
    x = mt.tensor(part.x, dtype=dtype)
    if outputs == 1:
        return x, mt.tensor(part.y[:, None].astype(np.float64), dtype=dtype)
    return x, mt.tensor(part.y)


def mean_loss(logits: mt.Tensor, target: mt.Tensor) -> mt.Tensor:
    """Return the mean cross-entropy: of one logit per row, or of one per class."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits, target)
    return F.cross_entropy(logits, target)


def probabilities(logits: mt.Tensor) -> NDArray[np.float64]:
    """Return the probability of each class, (rows, classes)."""
    values = logits.detach().numpy().astype(np.float64)
    if values.shape[1] == 1:
        values = np.hstack([np.zeros_like(values), values])
    values -= values.max(1, keepdims=True)
    np.exp(values, out=values)
    return values / values.sum(1, keepdims=True)


def predicted(logits: mt.Tensor) -> NDArray[np.int64]:
    """Return the likeliest class of each row; NaN counts as class 0."""
    values = logits.detach().numpy()
    if values.shape[1] == 1:
        return (values[:, 0] > 0).astype(np.int64)
    return values.argmax(1)


def batches(rows: int, size: int, steps: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each step: permutations of all rows, one after another, cut in batches.

    A batch may reach from one permutation into the next, so that all have the same size and each
    row comes up equally often.
    """
    draw = np.random.default_rng(seed)
    size = min(size, rows)
    waiting = draw.permutation(rows)
    for _ in range(steps):
        if len(waiting) < size:
            waiting = np.concatenate([waiting, draw.permutation(rows)])
        yield waiting[:size]
        waiting = waiting[size:]


def replayed(step: Callable[..., mt.Tensor]) -> Callable[..., mt.Tensor]:
    """Return a training step recorded once and replayed from C: the same bits in less time.

    Without the compiled extension it is the step itself.
    """
    return mt.capture(step) if kernels.backend == "native" else step


def cosine(step: int, steps: int) -> float:
    """Return the share of the learning rate at a step: from 1 down to 0 along half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * step / steps))
