"""Looking into a network: what reaches each Linear layer, what leaves it, and what comes back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor import nn

Floats = NDArray[np.float64]

# A slope below this passes so little that the layers before learn nothing through it: sigmoid's
# beyond |x| = 5.3, tanh's beyond 3.3. Leaky ReLU's 0.01 passes.
FLAT = 0.005
# A unit counts as saturated if it is flat for at least this share of the rows.
MOSTLY = 0.95


@dataclass(frozen=True, eq=False)
class Trace:
    """One call of a Linear layer.

    Attributes:
        path: of the layer in the model.
        layer: the layer.
        z: what it computed, (rows, units).
        delta: the gradient of the loss with respect to z, (rows, units).
        rounding: the spacing of numbers near 1 in the dtype that z was computed in.
        h: what the next Linear layer is given, (rows, units of that); None after the last one, or
            if it does not come from z.
        slope: |dh/dz| of each number, (rows, units), where what stands between the two layers acts
            on each number alone; after the last layer that of the model's output, if something
            follows; else None.
    """

    path: str
    layer: nn.Linear
    z: Floats
    delta: Floats
    rounding: float
    h: Floats | None = None
    slope: Floats | None = None

    @property
    def gradient(self) -> float:
        """The root mean square of the gradient."""
        return root_mean_square(self.delta)

    @property
    def signal(self) -> Floats:
        """What the layer hands on: h, or z after the last layer."""
        return self.z if self.h is None else self.h

    @property
    def dead(self) -> float:
        """The share of units whose slope is 0 for every row; NaN if nothing follows."""
        return math.nan if self.slope is None else float((self.slope == 0).all(0).mean())

    @property
    def saturated(self) -> float:
        """The share of units that are flat for most rows, without being dead.

        NaN after the last layer: there it is an output that is sure of itself.
        """
        if self.slope is None or self.h is None:
            return math.nan
        flat = (self.slope < FLAT).mean(0) >= MOSTLY
        return float((flat & (self.slope != 0).any(0)).mean())

    @property
    def bend(self) -> float:
        """How far the map from z to h is from a linear one on these rows.

        The root mean square of what the best A·z + b leaves of h, relative to h's deviation; 0 for
        one that is linear, or constant. NaN if nothing follows.
        """
        if self.h is None or not (np.isfinite(self.h).all() and np.isfinite(self.z).all()):
            return math.nan
        return bend(self.z, self.h, self.rounding)


def root_mean_square(values: Floats) -> float:
    """Return √(mean of squares), without overflow or underflow on the way."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.mean((values / largest) ** 2)))


def bend(z: Floats, h: Floats, rounding: float) -> float:
    """Return what the best linear map from z leaves of h, relative to h's deviation.

    Each unit by itself is tried first, then, if there are rows enough to tell, all together. What
    rounding may have done does not count as a bend.
    """
    deviation, centred = h - h.mean(0), z - z.mean(0)
    whole = root_mean_square(deviation)
    noise = 4 * rounding * (root_mean_square(h) + root_mean_square(z))
    if whole <= noise:
        return 0.0
    rest = math.inf
    if z.shape == h.shape:
        power = (centred**2).sum(0)
        factor = (centred * deviation).sum(0) / np.where(power == 0, 1, power)
        rest = root_mean_square(deviation - factor * centred)
    rows, units = z.shape
    if rest > noise and rows >= 2 * (units + 1):
        map_, *_ = np.linalg.lstsq(centred, deviation, rcond=None)
        rest = min(rest, root_mean_square(deviation - centred @ map_))
    return max(rest - noise, 0.0) / whole if math.isfinite(rest) else math.nan


def probe(
    model: nn.Module, x: mt.Tensor, loss: Callable[[mt.Tensor], mt.Tensor]
) -> tuple[list[Trace], mt.Tensor]:
    """Run a model forward and backward once, in evaluation mode, and trace its Linear layers.

    The model is left as it was: its mode, its hooks, its parameters and their gradients.

    Args:
        model: any module.
        x: what it takes, rows first.
        loss: of the model's output, a number.

    Returns:
        A trace for each call of a Linear layer, in the order of the calls, and the output.
    """
    calls: list[tuple[str, nn.Linear, mt.Tensor, mt.Tensor]] = []

    def watch(path: str) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(module: Any, args: Any, output: mt.Tensor) -> mt.Tensor:
            calls.append((path, module, args[0], output))
            # What comes next gets a copy, since it may write into it.
            return output.clone()

        return hook

    with _evaluating(model), mt.enable_grad():
        handles = [
            module.register_forward_hook(watch(path))
            for path, module in model.named_modules()
            if isinstance(module, nn.Linear)
        ]
        try:
            output = model(x.detach().clone().requires_grad_())
        finally:
            for handle in handles:
                handle.remove()
        points = [z for *_, z in calls]
        deltas = (
            mt.autograd.grad(loss(output), points, retain_graph=True, allow_unused=True)
            if points
            else ()
        )
        traces = []
        for index, ((path, layer, _, z), delta) in enumerate(zip(calls, deltas, strict=True)):
            last = index + 1 == len(calls)
            between = (None, _ending(z, output)) if last else _between(z, calls[index + 1][2])
            values = _rows(z)
            back = np.zeros(values.shape) if delta is None else _rows(delta)
            rounding = float(np.finfo(z.detach().numpy().dtype).eps)
            traces.append(Trace(path, layer, values, back, rounding, *between))
    return traces, output.detach()


def _between(z: mt.Tensor, h: mt.Tensor) -> tuple[Floats | None, Floats | None]:
    """Return what became of z, and its slope, by one walk back from h."""
    if not h.requires_grad:
        return None, None
    # Random signs, so that slopes of several numbers do not cancel, as softmax's would.
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=tuple(h.shape))
    (slope,) = mt.autograd.grad(
        h, [z], grad_outputs=mt.tensor(signs, dtype=h.dtype), retain_graph=True, allow_unused=True
    )
    if slope is None:
        return None, None
    return _rows(h), np.abs(_rows(slope))


def _ending(z: mt.Tensor, output: Any) -> Floats | None:
    """Return the slope of what follows the last layer, or None if z itself is what comes out."""
    slope = _between(z, output)[1] if isinstance(output, mt.Tensor) else None
    return None if slope is None or (slope == 1).all() else slope


def _rows(tensor: mt.Tensor) -> Floats:
    """Return a tensor as (rows, units) in float64, all dimensions but the last being rows."""
    values = tensor.detach().numpy().astype(np.float64)
    return values.reshape(-1, values.shape[-1])


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
