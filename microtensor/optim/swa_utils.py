"""Averages of a model's weights: exponential (EMA) and plain (SWA)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

import microtensor
from microtensor.engine import no_grad
from microtensor.nn.module import Module
from microtensor.optim.averaging import Averages
from microtensor.optim.lr_scheduler.scheduler import LRScheduler, per_group
from microtensor.optim.optimizer import Optimizer
from microtensor.tensor import Tensor

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

MultiAverage = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]
Average = Callable[[Tensor, Tensor, Any], Tensor]


def _checked_decay(decay: float) -> float:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1].")
    return decay


class _MultiAverage:
    """Averages all weights at once; unlike a closure it can be saved with the model that has it.

    Args:
        decay: that of the exponential average; None for the plain one.
    """

    def __init__(self, decay: float | None) -> None:
        self.decay = decay
        self._mover = Averages()

    def __call__(self, averages: Sequence[Tensor], weights: Sequence[Tensor], count: Any) -> None:
        share = 1.0 / (float(count) + 1.0) if self.decay is None else 1 - self.decay
        self._mover.move(averages, weights, share)


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """Give the exponential moving average, a ← decay·a + (1 - decay)·w, for all weights at once."""
    return _MultiAverage(_checked_decay(decay))


def get_swa_multi_avg_fn() -> MultiAverage:
    """Give the plain average, a ← a + (w - a)/(n + 1), for all weights at once."""
    return _MultiAverage(None)


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Give the exponential moving average of one tensor."""
    _checked_decay(decay)

    def ema_update(average: Tensor, weight: Tensor, _: Any) -> Tensor:
        return average * decay + weight * (1 - decay)

    return ema_update


def get_swa_avg_fn() -> Average:
    """Give the plain average of one tensor."""

    def swa_update(average: Tensor, weight: Tensor, count: Any) -> Tensor:
        return average + (weight - average) / (float(count) + 1.0)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose weights are an average of those the model has had.

    SWA (stochastic weight averaging) takes the plain mean of the weights at the end of epochs,
    under a rate that stays high: a point in the middle of a flat valley. EMA follows every step.
    The first update copies. The average of all parameters is one kernel call, unless ``avg_fn`` is
    given.

    Args:
        model: what to average; copied.
        device: PyTorch's; None or "cpu".
        avg_fn: gives the new average of (average, weight, how many so far).
        multi_avg_fn: the same for lists, in place; the plain average unless given.
        use_buffers: average the buffers too; else they are copied at each update.

    Raises:
        ValueError: both functions given, or another device.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
        >>> model = mt.nn.Linear(1, 1, bias=False)
        >>> averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.75))
        >>> for value in (4.0, 8.0):
        ...     _ = mt.nn.init.constant_(model.weight, value)
        ...     averaged.update_parameters(model)
        >>> averaged.module.weight.item(), averaged(mt.ones(1, 1)).item()
        (5.0, 5.0)

    References:
        Izmailov et al. 2018, Averaging weights leads to wider optima and better generalization,
        arXiv:1803.05407; Polyak & Juditsky 1992.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("Only one of avg_fn and multi_avg_fn should be provided")
        if device is not None and str(device) != "cpu":
            raise ValueError(f"device must be None or 'cpu', not {device!r}")
        self.module = deepcopy(model)
        self.register_buffer("n_averaged", microtensor.tensor(0, dtype=microtensor.int64))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self._plain_average = get_swa_multi_avg_fn()
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the averaged model."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take a model's weights into the average."""
        own: Iterable[Tensor] = self.module.parameters()
        theirs: Iterable[Tensor] = model.parameters()
        if self.use_buffers:
            own = itertools.chain(own, self.module.buffers())
            theirs = itertools.chain(theirs, model.buffers())
        averages = [p.detach() for p in own]
        weights = [p.detach() for p in theirs]
        count = int(self.n_averaged.item())
        with no_grad():
            if count == 0:
                _copy(averages, weights)
            elif self.avg_fn is not None:
                new = [
                    self.avg_fn(a, w, self.n_averaged)
                    for a, w in zip(averages, weights, strict=True)
                ]
                _copy(averages, new)
            else:
                floating = [w.is_floating_point() for w in weights]
                (self.multi_avg_fn or self._plain_average)(
                    [a for a, yes in zip(averages, floating, strict=True) if yes],
                    [w for w, yes in zip(weights, floating, strict=True) if yes],
                    self.n_averaged,
                )
            if not self.use_buffers:
                _copy(list(self.module.buffers()), list(model.buffers()))
            self.n_averaged.add_(1)


def _copy(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.detach().copy_(source)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch normalisations anew, over some data.

    The average of weights has never seen data, so their statistics do not belong to it.

    Args:
        loader: batches; of a tuple or list the first is the input.
        model: whose layers with ``running_mean`` are reset and then follow the data's plain mean.
        device: PyTorch's; ignored.
    """
    layers: dict[Any, Any] = {
        layer: layer.momentum
        for layer in model.modules()
        if hasattr(layer, "reset_running_stats") and hasattr(layer, "momentum")
    }
    if not layers:
        return
    was_training = model.training
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    with no_grad():
        for batch in loader:
            model(batch[0] if isinstance(batch, list | tuple) else batch)
    for layer, momentum in layers.items():
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the present rate to a constant one, to average under.

    Args:
        optimizer: whose rates to set.
        swa_lr: the rate to end at, or one for each group.
        anneal_epochs: how many steps it takes; 0 for at once.
        anneal_strategy: "cos" or "linear".
        last_epoch: the step to go on from; -1 to begin.

    Raises:
        ValueError: an argument outside its range.

    Example:
        >>> import microtensor as mt
        >>> optimizer = mt.optim.SGD([mt.ones(1)], lr=1.0)
        >>> scheduler = mt.optim.swa_utils.SWALR(optimizer, 0.5, 2, "linear")
        >>> for _ in range(2):
        ...     optimizer.step(); scheduler.step(); print(scheduler.get_last_lr())
        [0.75]
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be 'cos' or 'linear', not {anneal_strategy!r}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be an integer of at least 0, not {anneal_epochs}")
        for group, rate in zip(
            optimizer.param_groups, per_group(optimizer, "swa_lr", swa_lr), strict=True
        ):
            group["swa_lr"] = rate
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _way(self, step: int) -> float:
        """Give the share of the way that is done at a step."""
        share = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return share if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * share)) / 2

    def get_lr(self) -> list[Any]:
        """Give the rates of this step."""
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._way(step - 1), self._way(step)
        found = []
        for group in self.optimizer.param_groups:
            end = group["swa_lr"]
            # Where it started, told from where it is: others may change the rate too.
            start = end if before == 1 else (group["lr"] - before * end) / (1 - before)
            found.append(end * now + start * (1 - now))
        return found
