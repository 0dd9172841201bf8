"""The optimizer rules in NumPy that look at a whole parameter or group before they move.

The twins of csrc/optimizers_sums.inc, csrc/optimizers_whole.inc and csrc/steps.h.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from microtensor.kernels.twin_step_rules import (
    Array,
    Numbers,
    States,
    average,
    average_square,
    gradient_of,
    momentum_step,
    nadam_momentum,
    shrunk,
)


def _norm(x: Array) -> float:
    """Give the Euclidean norm, added up in double."""
    wide = x.astype(np.promote_types(x.dtype, np.float64), copy=False).reshape(-1)
    return math.sqrt(float(wide @ wide)) if wide.size else 0.0


def lars(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """LARS: SGD at a rate in proportion to each parameter's size."""
    lr, momentum, dampening, weight_decay, coefficient, eps, nesterov, maximize, inside = hyper
    weights, gradients = _norm(x), _norm(g)
    trust = 1.0
    if weights != 0 and gradients != 0:
        trust = coefficient * weights / (gradients + weight_decay * weights + eps)
    g = trust * gradient_of(x, g, weight_decay, maximize)
    momentum_step(x, g, states, numbers, (lr, momentum, dampening, nesterov, inside))


def lamb(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """LAMB: Adam's direction at a rate in proportion to each parameter's size."""
    lr, beta1, beta2, eps, weight_decay, bias_correction, max_trust, maximize = hyper
    exp_avg, exp_avg_sq = states
    g = -g if maximize else g
    average(exp_avg, beta1, g)
    average_square(exp_avg_sq, beta2, g)
    first = second = 1.0
    if bias_correction:
        first, second = 1 - beta1 ** numbers[0], math.sqrt(1 - beta2 ** numbers[0])
    u = gradient_of(x, exp_avg / first / (np.sqrt(exp_avg_sq) / second + eps), weight_decay, 0.0)
    weights, size = _norm(x), _norm(u)
    trust = weights / size if weights > 0 and size > 0 else 1.0
    if math.isnan(weights + size):
        trust = math.nan
    if trust > max_trust:
        trust = max_trust
    x -= lr * trust * u


def prodigy_sums(
    x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers
) -> tuple[float, float]:
    """Bring the averages up to date; give Σ g·(p0 - x) and Σ |s|."""
    _, beta1, beta2, beta3, _, weight_decay, decoupled, _, _, _, safeguard, d0, maximize = hyper[
        :13
    ]
    d, dlr = hyper[14], hyper[17]
    g = gradient_of(x, g, 0.0 if decoupled else weight_decay, maximize)
    exp_avg, exp_avg_sq, s, start = states
    exp_avg *= beta1
    exp_avg += d * (1 - beta1) * g
    exp_avg_sq *= beta2
    exp_avg_sq += d * d * (1 - beta2) * g * g
    s *= beta3
    s += d / d0 * (d if safeguard else dlr) * g
    progress = np.sum(g * (start - x), dtype=np.promote_types(x.dtype, np.float64))
    return float(progress), float(np.sum(np.abs(s), dtype=progress.dtype))


def prodigy(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """Prodigy's second pass: Adam's step at the rate that was found."""
    eps, weight_decay, decoupled, d, dlr = hyper[4], hyper[5], hyper[6], hyper[14], hyper[17]
    exp_avg, exp_avg_sq, _, _ = states
    decay = shrunk(x, weight_decay * dlr) if decoupled else 0.0
    x -= dlr * (exp_avg / (np.sqrt(exp_avg_sq) + d * eps)) + decay


def sparse_adam(
    x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers, touched: Any = None
) -> None:
    """SparseAdam: Adam on the touched rows alone."""
    lr, beta1, beta2, eps, maximize = hyper
    if not g.size:
        return
    if touched is None:
        touched = np.flatnonzero((g.reshape(len(g) if g.ndim else 1, -1) != 0).any(axis=1))
    if not len(touched):
        return
    place: Any = touched if g.ndim else ()
    exp_avg, exp_avg_sq = states
    own = -g[place] if maximize else g[place]
    exp_avg[place] = beta1 * exp_avg[place] + (1 - beta1) * own
    exp_avg_sq[place] = beta2 * exp_avg_sq[place] + (1 - beta2) * own * own
    step_size = lr * math.sqrt(1 - beta2 ** numbers[0]) / (1 - beta1 ** numbers[0])
    x[place] -= step_size * (exp_avg[place] / (np.sqrt(exp_avg_sq[place]) + eps))


def adafactor(
    x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers, touched: Any = None
) -> None:
    """Adafactor: RMSprop with a matrix's squares kept by rows and columns."""
    lr, beta2_decay, eps1, eps2, d, weight_decay, maximize = hyper
    if not x.size:
        return
    step, count = numbers[0], math.sqrt(x.size)
    eps1 = float(np.finfo(x.dtype).eps) if eps1 < 0 else eps1
    rest = step**beta2_decay
    rate = max(eps2, _norm(x) / count) * min(lr, 1 / math.sqrt(step))
    x -= shrunk(x, lr * weight_decay)
    row_var, col_var, variance = states
    square = g * g
    if x.ndim < 2:
        variance += rest * (square - variance)
        estimate = variance
    else:
        row_var += rest * (square.mean(axis=-1, keepdims=True) - row_var)
        col_var += rest * (square.mean(axis=-2, keepdims=True) - col_var)
        mean = np.maximum(row_var.mean(axis=-2, keepdims=True), eps1)
        estimate = row_var / mean * col_var
    update = g / np.sqrt(np.maximum(estimate, eps1 * eps1))
    rate /= max(1.0, _norm(update) / (count * d))
    if maximize:
        x += rate * update
    else:
        x -= rate * update


def muon(
    x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers, touched: Any = None
) -> None:
    """Muon: momentum, made orthogonal by Newton and Schulz's iteration."""
    lr, weight_decay, momentum, nesterov, a, b, c, eps, ns_steps, match_rms, maximize = hyper
    if not x.size:
        return
    buffer = states[0]
    g = -g if maximize else g
    buffer += (1 - momentum) * (g - buffer)
    update = g + momentum * (buffer - g) if nesterov else buffer.copy()
    rows, columns = x.shape
    update = update.T if rows > columns else update
    update = update / max(_norm(update), eps)
    for _ in range(int(ns_steps)):
        gram = update @ update.T
        update = a * update + (b * gram + c * (gram @ gram)) @ update
    update = update.T if rows > columns else update
    size = max(rows, columns)
    adjust = 0.2 * math.sqrt(size) if match_rms else math.sqrt(max(1.0, rows / columns))
    x -= lr * adjust * update + shrunk(x, lr * weight_decay)


# ---- what goes on beside the elements -----------------------------------------------------------


def advance(rule: str, hyper: Numbers, numbers: Any) -> None:
    """Bring a parameter's plain numbers to where the step leaves them."""
    numbers[0] += 1
    step = float(numbers[0])
    if rule == "nadam":
        numbers[1] *= nadam_momentum(hyper, step)
    elif rule == "asgd":
        lr, lambd, alpha, t0 = hyper[:4]
        numbers[1] = lr / (1 + lambd * lr * step) ** alpha
        numbers[2] = 1 / max(1.0, step - t0)


def begin(rule: str, hyper: Any) -> bool:
    """Bring the group's memory, the end of ``hyper``, into a step; say whether there is one."""
    if rule.startswith("schedule_free"):
        settings, memory = (
            (hyper[3:6], hyper[7:]) if rule.endswith("sgd") else (hyper[5:8], hyper[9:])
        )
        warmup_steps, power, rate_power = settings
        memory[0] += 1
        k = memory[0]
        memory[3] = hyper[0] * (k / warmup_steps if k < warmup_steps else 1.0)
        memory[1] = max(memory[1], memory[3])
        weight = k**power * memory[1] ** rate_power
        memory[2] += weight
        memory[4] = weight / memory[2] if memory[2] else 0.0
    elif rule == "prodigy":
        step, d = hyper[13] + 1, hyper[14]
        corrected = 1.0
        if hyper[9]:
            corrected = math.sqrt(1 - hyper[2] ** step) / (1 - hyper[1] ** step)
        hyper[17] = d * hyper[0] * corrected
        return bool(hyper[0] > 0)
    return True


def between(hyper: Any, totals: Sequence[float]) -> bool:
    """Bring Prodigy's estimate up to date; say whether any gradient has been other than zero."""
    d0, d, progress, size = hyper[11], hyper[14], totals[0], totals[1]
    hyper[16] = hyper[3] * hyper[16] + d / d0 * hyper[17] * progress
    if size == 0:
        return False
    estimate = hyper[7] * hyper[16] / size
    start = max(d, estimate) if d == d0 else d
    hyper[15] = max(hyper[15], estimate)
    hyper[14] = min(hyper[15], start * hyper[8])
    hyper[13] += 1
    return True
