"""The NumPy twins of the optimizer steps, as torch.optim defines them, in place.

Each rule takes one parameter's arrays, the step count (this step included) and `hyper`, whose
layout is that of its first line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
States = Sequence[Any]


class ArrayTable:
    """A list of arrays, some of which may be None, that kernels read and write many times."""

    __slots__ = ("arrays",)

    def __init__(self, arrays: Sequence[Array | None]) -> None:
        self.arrays = list(arrays)

    def update(self, arrays: Sequence[Array | None]) -> None:
        """Take the arrays of this moment; those that are the same objects cost nothing."""
        self.arrays[:] = arrays


def _sgd(x: Array, g: Array, states: States, step: float, hyper: Sequence[float]) -> None:
    lr, momentum, dampening, weight_decay, nesterov, maximize = hyper
    g = _gradient(x, g, weight_decay, maximize)
    if momentum:
        buffer = states[0]
        if step == 1:
            buffer[...] = g
        else:
            buffer *= momentum
            buffer += (1 - dampening) * g
        g = g + momentum * buffer if nesterov else buffer
    x -= lr * g


def _adagrad(x: Array, g: Array, states: States, step: float, hyper: Sequence[float]) -> None:
    lr, lr_decay, weight_decay, eps, maximize = hyper
    g = _gradient(x, g, weight_decay, maximize)
    total = states[0]
    total += g * g
    x -= lr / (1 + (step - 1) * lr_decay) * (g / (np.sqrt(total) + eps))


def _adadelta(x: Array, g: Array, states: States, step: float, hyper: Sequence[float]) -> None:
    lr, rho, eps, weight_decay, maximize = hyper
    g = _gradient(x, g, weight_decay, maximize)
    square_avg, acc_delta = states
    square_avg *= rho
    square_avg += (1 - rho) * g * g
    delta = np.sqrt(acc_delta + eps) / np.sqrt(square_avg + eps) * g
    acc_delta *= rho
    acc_delta += (1 - rho) * delta * delta
    x -= lr * delta


def _rmsprop(x: Array, g: Array, states: States, step: float, hyper: Sequence[float]) -> None:
    lr, alpha, weight_decay, eps, momentum, centered, maximize = hyper
    g = _gradient(x, g, weight_decay, maximize)
    square_avg, buffer, grad_avg = states
    square_avg *= alpha
    square_avg += (1 - alpha) * g * g
    v = square_avg
    if centered:
        grad_avg *= alpha
        grad_avg += (1 - alpha) * g
        # A variance: below zero it is rounding, whose root would be NaN.
        v = np.maximum(square_avg - grad_avg * grad_avg, 0)
    delta = g / (np.sqrt(v) + eps)
    if momentum:
        buffer *= momentum
        buffer += delta
        delta = buffer
    x -= lr * delta


def _adam(x: Array, g: Array, states: States, step: float, hyper: Sequence[float]) -> None:
    lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad, maximize = hyper
    if decoupled:
        x *= 1 - lr * weight_decay
        weight_decay = 0.0
    g = _gradient(x, g, weight_decay, maximize)
    exp_avg, exp_avg_sq, max_exp_avg_sq = states
    exp_avg *= beta1
    exp_avg += (1 - beta1) * g
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * g * g
    v = exp_avg_sq
    if amsgrad:
        v = np.maximum(max_exp_avg_sq, v, out=max_exp_avg_sq)
    denominator = np.sqrt(v) / np.sqrt(1 - beta2**step) + eps
    x -= lr / (1 - beta1**step) * (exp_avg / denominator)


def _gradient(x: Array, g: Array, weight_decay: float, maximize: float) -> Array:
    if maximize:
        g = -g
    return g + weight_decay * x if weight_decay else g


Rule = Callable[[Array, Array, States, float, Sequence[float]], None]

# rule, states per parameter, length of hyper
RULES: dict[str, tuple[Rule, int, int]] = {
    "sgd": (_sgd, 1, 6),
    "adagrad": (_adagrad, 1, 5),
    "adadelta": (_adadelta, 2, 5),
    "rmsprop": (_rmsprop, 3, 7),
    "adam": (_adam, 3, 8),
}


def _needed(rule: str, hyper: Sequence[float]) -> list[int]:
    """Give the states that a step with these hyper-parameters cannot do without."""
    if rule == "sgd":
        return [0] if hyper[1] else []
    if rule == "rmsprop":
        return [0, *([1] if hyper[4] else []), *([2] if hyper[5] else [])]
    if rule == "adam":
        return [0, 1, *([2] if hyper[6] else [])]
    return list(range(RULES[rule][1]))


def check_step(
    rule: str,
    parameters: Sequence[Array | None],
    gradients: Sequence[Array | None],
    states: Sequence[Array | None],
    steps: Array,
    hyper: Array,
) -> None:
    """Refuse what no step can be made of, before anything is written.

    Raises:
        ValueError: an unknown rule, lists or arrays whose sizes do not match, a missing state, or
            an array that cannot be written.
    """
    if rule not in RULES:
        raise ValueError(f"step: unknown rule {rule!r}; the legal ones are {', '.join(RULES)}")
    _, per_parameter, hyper_length = RULES[rule]
    count = len(parameters)
    for name, length, expected in (
        ("gradients", len(gradients), count),
        ("states", len(states), count * per_parameter),
        ("steps", steps.size, count),
        ("hyper", hyper.size, hyper_length),
    ):
        if length != expected:
            raise ValueError(f"step {rule!r}: expected {expected} {name}, got {length}")
    needed = _needed(rule, hyper.tolist())
    for i, (x, g) in enumerate(zip(parameters, gradients, strict=True)):
        if g is None:
            continue
        if x is None:
            raise ValueError(f"step {rule!r}: parameter {i} has a gradient but is None")
        own = states[i * per_parameter : (i + 1) * per_parameter]
        for j, state in enumerate(own):
            if state is None and j in needed:
                raise ValueError(f"step {rule!r}: state {j} of parameter {i} is None")
        for name, array in (("its gradient", g), *((f"state {j}", s) for j, s in enumerate(own))):
            if array is not None and array.size != x.size:
                raise ValueError(
                    f"step {rule!r}: parameter {i} has {x.size} elements, {name} {array.size}"
                )
        for array in (x, *own):
            if array is not None and not array.flags.writeable:
                raise ValueError(f"step {rule!r}: parameter {i} or its state is read-only")


def step(
    rule: str,
    parameters: ArrayTable,
    gradients: ArrayTable,
    states: ArrayTable,
    steps: Array,
    hyper: Array,
) -> None:
    """Make one optimizer step over all parameters, in place.

    Args:
        rule: sgd, adagrad, adadelta, rmsprop or adam.
        parameters: of shape and dtype as the gradients and states beside them.
        gradients: one a parameter; those of None are passed over.
        states: those of a parameter together; None where hyper makes no use of it.
        steps: float64, each parameter's steps so far; advanced.
        hyper: float64, the rule's hyper-parameters in the order of its first line.

    Raises:
        ValueError: as :func:`check_step`.
    """
    arrays = parameters.arrays, gradients.arrays, states.arrays
    check_step(rule, *arrays, steps, hyper)
    function, per_parameter, _ = RULES[rule]
    numbers = hyper.tolist()
    with np.errstate(all="ignore"):
        for i, (x, g) in enumerate(zip(arrays[0], arrays[1], strict=True)):
            if g is not None and x is not None:
                steps[i] += 1
                own = arrays[2][i * per_parameter : (i + 1) * per_parameter]
                function(x, g, own, float(steps[i]), numbers)
