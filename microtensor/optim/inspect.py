"""What a step did to each parameter: how far it went, and where to."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from microtensor.optim.step_hooks import StepHooks
from microtensor.tensor import Tensor, wrap

__all__ = ["Inspector", "Update"]


class Update(NamedTuple):
    """The last update Δ of one parameter w, and how it lies to the gradient g.

    Attributes:
        name: the parameter's, where the optimizer was given names, else its number.
        change: Δ, of the parameter's shape and dtype.
        direction: Δ/‖Δ‖; zeros where nothing moved.
        size: ‖Δ‖.
        relative_size: ‖Δ‖/‖w‖ with w before the step; about 1e-3 is usual where training goes well.
        alignment: the cosine of the angle between Δ and -g: 1 is straight down, 0 along the
            contour, NaN where one of them is zero or there is no gradient.
        rate: -Δ/g, the learning rate each number really had; NaN where g is zero or there is none.
    """

    name: str
    change: Tensor
    direction: Tensor
    size: float
    relative_size: float
    alignment: float
    rate: Tensor


class Inspector:
    """Watches an optimizer: after each step its last update, parameter by parameter.

    The gradient an update is compared with is the one that is there after the step: with a closure
    the last that it computed. Watching costs a copy of all parameters a step.

    Args:
        optimizer: an optimizer, or a Lookahead.

    Attributes:
        updates: one for each parameter, in the order of the groups; empty before the first step.

    Raises:
        TypeError: no optimizer.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = mt.optim.SGD([w], lr=0.5)
        >>> with mt.optim.inspect.Inspector(optimizer) as inspector:
        ...     (w * w / 2).sum().backward()
        ...     optimizer.step()
        >>> update = inspector.updates[0]
        >>> update.size, update.relative_size, update.direction
        (2.5, 0.5, tensor([-0.6000, -0.8000]))
        >>> round(update.alignment, 6), update.rate
        (1.0, tensor([0.5000, 0.5000]))
    """

    def __init__(self, optimizer: StepHooks) -> None:
        if not isinstance(optimizer, StepHooks):
            raise TypeError(f"Inspector watches an Optimizer, not {type(optimizer).__name__}")
        self.updates: list[Update] = []
        self._before: list[Any] = []
        self._handles = [
            optimizer.register_step_pre_hook(self._remember),
            optimizer.register_step_post_hook(self._compare),
        ]

    def close(self) -> None:
        """Watch no longer; the last updates stay."""
        for handle in self._handles:
            handle.remove()

    def __enter__(self) -> Inspector:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _remember(self, optimizer: Any, *_: Any) -> None:
        self._before = [p._array.copy() for _, p in _named(optimizer)]

    def _compare(self, optimizer: Any, *_: Any) -> None:
        pairs = zip(_named(optimizer), self._before, strict=True)
        self.updates = [_update(name, p, before) for (name, p), before in pairs]
        self._before = []


def _named(optimizer: Any) -> list[tuple[str, Tensor]]:
    found: list[tuple[str, Tensor]] = []
    for group in optimizer.param_groups:
        names = group.get("param_names") or range(len(found), len(found) + len(group["params"]))
        found += zip(map(str, names), group["params"], strict=True)
    return found


def _update(name: str, p: Tensor, before: Any) -> Update:
    dtype = before.dtype
    with np.errstate(all="ignore"):
        # In double, so that small updates of float16 have a size too.
        start = before.astype(np.float64)
        change = p._array.astype(np.float64) - start
        size = float(np.linalg.norm(change))
        if p._grad is None:
            gradient = np.full_like(change, np.nan)
        else:
            gradient = p._grad._array.astype(np.float64)
        lengths = size * np.linalg.norm(gradient)
        rate = np.where(gradient == 0, np.nan, -change / gradient)
        return Update(
            name=name,
            change=wrap(np.asarray(change, dtype)),
            direction=wrap(np.asarray(change / size if size else change, dtype)),
            size=size,
            relative_size=float(np.float64(size) / np.linalg.norm(start)),
            alignment=float(-np.sum(change * gradient) / lengths) if lengths else float("nan"),
            rate=wrap(np.asarray(rate, dtype)),
        )
