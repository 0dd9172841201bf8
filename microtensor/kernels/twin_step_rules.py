"""The optimizer rules in NumPy, element by element: the twins of csrc/optimizers*.inc.

Each takes one parameter's arrays, its plain numbers (of which the first counts the steps, this one
included) and ``hyper``, whose layout is that of its first line, and writes in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
States = Sequence[Any]
Numbers = Sequence[float]


def gradient_of(x: Array, g: Array, weight_decay: float, maximize: float) -> Array:
    """Give ±g + weight_decay·x; without decay x stays out of it, for 0·∞ is NaN."""
    if maximize:
        g = -g
    return g + weight_decay * x if weight_decay else g


def decayed(
    x: Array, g: Array, lr: float, weight_decay: float, decoupled: float, maximize: float
) -> tuple[Array, Any]:
    """Give the gradient, with coupled decay in it, and what decoupled decay takes from x."""
    if decoupled:
        return gradient_of(x, g, 0.0, maximize), shrunk(x, lr * weight_decay)
    return gradient_of(x, g, weight_decay, maximize), 0.0


def shrunk(x: Array, share: float) -> Any:
    """Give share·x, which is to be taken from x together with the step, for precision.

    What is infinite gives 0 and stays infinite, where ∞ - ∞ would be NaN.
    """
    return np.where(np.isfinite(x), share * x, 0) if share else 0.0


def average(state: Array, beta: float, value: Array) -> Array:
    """Bring a running average up to date."""
    state *= beta
    state += (1 - beta) * value
    return state


def average_square(state: Array, beta: float, g: Array) -> Array:
    """Bring a running average of squares up to date."""
    state *= beta
    state += (1 - beta) * g * g
    return state


def sgd(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """SGD: descend, with momentum or without."""
    lr, momentum, dampening, weight_decay, nesterov, maximize, rate_inside = hyper
    g = gradient_of(x, g, weight_decay, maximize)
    momentum_step(x, g, states, numbers, (lr, momentum, dampening, nesterov, rate_inside))


def momentum_step(
    x: Array, g: Array, states: States, numbers: Numbers, hyper: Sequence[float]
) -> None:
    """Move by a gradient that is ready, with momentum."""
    lr, momentum, dampening, nesterov, rate_inside = hyper
    if rate_inside:
        g, lr = lr * g, 1.0
    if momentum:
        buffer = states[0]
        if numbers[0] == 1:
            buffer[...] = g
        else:
            buffer *= momentum
            buffer += (1 - dampening) * g
        g = g + momentum * buffer if nesterov else buffer
    x -= lr * g


def asgd(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """ASGD: shrink, descend at the rate eta, and average the way."""
    _, lambd, _, _, weight_decay, maximize = hyper
    _, eta, mu = numbers
    g = gradient_of(x, g, weight_decay, maximize)
    x -= eta * g + shrunk(x, lambd * eta)
    ax = states[0]
    if mu == 1:
        ax[...] = x
    else:
        ax += mu * (x - ax)


def rprop(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """Rprop: move by step sizes that grow while the gradient keeps its sign."""
    _, minus, plus, least, most, maximize = hyper
    prev, step_size = states
    g = -g if maximize else g
    agreement = g * prev
    # NaN takes neither side: its weight rests.
    step_size *= np.where(agreement > 0, plus, np.where(agreement < 0, minus, 1)).astype(x.dtype)
    np.clip(step_size, least, most, out=step_size)
    prev[...] = np.where(agreement < 0, 0, g)
    x -= np.nan_to_num(np.sign(prev), nan=0.0) * step_size


def adagrad(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """Adagrad: divide by the root of the summed squares."""
    lr, lr_decay, weight_decay, eps, maximize, eps_inside = hyper
    g = gradient_of(x, g, weight_decay, maximize)
    total = states[0]
    total += g * g
    x -= lr / (1 + (numbers[0] - 1) * lr_decay) * (g / _root(total, eps, eps_inside))


def _root(v: Array, eps: float, eps_inside: float) -> Array:
    """Give √v + eps, or √(v + eps)."""
    root: Array = np.sqrt(v + eps) if eps_inside else np.sqrt(v) + eps
    return root


def adadelta(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """Adadelta: divide by the running size of gradients, multiply by that of steps."""
    lr, rho, eps, weight_decay, maximize = hyper
    g = gradient_of(x, g, weight_decay, maximize)
    square_avg, acc_delta = states
    average_square(square_avg, rho, g)
    delta = np.sqrt(acc_delta + eps) / np.sqrt(square_avg + eps) * g
    average_square(acc_delta, rho, delta)
    x -= lr * delta


def rmsprop(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """RMSprop: divide by the running root mean square."""
    lr, alpha, weight_decay, eps, momentum, centered, maximize, eps_inside = hyper
    g = gradient_of(x, g, weight_decay, maximize)
    square_avg, buffer, grad_avg = states
    v = average_square(square_avg, alpha, g)
    if centered:
        average(grad_avg, alpha, g)
        # A variance: below zero it is rounding, whose root would be NaN.
        v = np.maximum(square_avg - grad_avg * grad_avg, 0)
    delta = g / _root(v, eps, eps_inside)
    if momentum:
        buffer *= momentum
        buffer += delta
        delta = buffer
    x -= lr * delta


def adam(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """Adam and AdamW: the average over the root of that of the squares."""
    lr, beta1, beta2, eps, weight_decay, decoupled, amsgrad, maximize, eps_hat = hyper
    step = numbers[0]
    g, decay = decayed(x, g, lr, weight_decay, decoupled, maximize)
    exp_avg, exp_avg_sq, max_exp_avg_sq = states
    average(exp_avg, beta1, g)
    v = average_square(exp_avg_sq, beta2, g)
    if amsgrad:
        v = np.maximum(max_exp_avg_sq, v, out=max_exp_avg_sq)
    correction = np.sqrt(1 - beta2**step)
    denominator = np.sqrt(v) / correction + (eps / correction if eps_hat else eps)
    x -= lr / (1 - beta1**step) * (exp_avg / denominator) + decay


def adamax(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """Adamax: the average over the largest recent gradient."""
    lr, beta1, beta2, eps, weight_decay, maximize = hyper
    g = gradient_of(x, g, weight_decay, maximize)
    exp_avg, exp_inf = states
    average(exp_avg, beta1, g)
    exp_inf *= beta2
    np.maximum(exp_inf, np.abs(g) + eps, out=exp_inf)
    x -= lr / (1 - beta1 ** numbers[0]) * (exp_avg / exp_inf)


def nadam_momentum(hyper: Numbers, step: float) -> float:
    """Give NAdam's momentum of a step."""
    momentum: float = hyper[1] * (1 - 0.5 * 0.96 ** (step * hyper[5]))
    return momentum


def nadam(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """NAdam: Adam, looking ahead with Nesterov."""
    lr, beta1, beta2, eps, weight_decay, _, decoupled, maximize = hyper
    step, product = numbers
    g, decay = decayed(x, g, lr, weight_decay, decoupled, maximize)
    exp_avg, exp_avg_sq = states
    average(exp_avg, beta1, g)
    average_square(exp_avg_sq, beta2, g)
    mu, following = nadam_momentum(hyper, step), nadam_momentum(hyper, step + 1)
    product *= mu
    look_ahead = lr * (1 - mu) / (1 - product) * g
    look_ahead = look_ahead + lr * following / (1 - product * following) * exp_avg
    x -= look_ahead / (np.sqrt(exp_avg_sq) / np.sqrt(1 - beta2**step) + eps) + decay


def radam(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """RAdam: Adam once its variance can be told, momentum before."""
    lr, beta1, beta2, eps, weight_decay, decoupled, maximize = hyper
    step = numbers[0]
    g, decay = decayed(x, g, lr, weight_decay, decoupled, maximize)
    exp_avg, exp_avg_sq = states
    average(exp_avg, beta1, g)
    average_square(exp_avg_sq, beta2, g)
    step_size, correction = lr / (1 - beta1**step), 1 - beta2**step
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * step * beta2**step / correction
    if rho > 5:
        rectified = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
        step_size *= float(np.sqrt(rectified * correction))
        x -= step_size * (exp_avg / (np.sqrt(exp_avg_sq) + eps)) + decay
    else:
        x -= step_size * exp_avg + decay


def lion(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """Lion: the sign of a mix of the average and the gradient."""
    lr, beta1, beta2, weight_decay, maximize = hyper
    exp_avg = states[0]
    g = -g if maximize else g
    x -= lr * np.sign(beta1 * exp_avg + (1 - beta1) * g) + shrunk(x, lr * weight_decay)
    average(exp_avg, beta2, g)


def adabelief(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """AdaBelief: the average over the spread of the gradients around it."""
    lr, beta1, beta2, eps, weight_decay, decoupled, maximize = hyper
    step = numbers[0]
    g, decay = decayed(x, g, lr, weight_decay, decoupled, maximize)
    exp_avg, exp_avg_var = states
    average(exp_avg, beta1, g)
    average_square(exp_avg_var, beta2, g - exp_avg)
    exp_avg_var += eps
    denominator = np.sqrt(exp_avg_var) / np.sqrt(1 - beta2**step) + eps
    x -= lr / (1 - beta1**step) * (exp_avg / denominator) + decay


def yogi(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """Yogi: Adam whose second average moves by steps of bounded size."""
    lr, beta1, beta2, eps, weight_decay, bias_correction, maximize = hyper
    g = gradient_of(x, g, weight_decay, maximize)
    exp_avg, exp_avg_sq = states
    average(exp_avg, beta1, g)
    square = g * g
    exp_avg_sq -= (1 - beta2) * np.sign(exp_avg_sq - square) * square
    step_size, correction = lr, 1.0
    if bias_correction:
        step_size = lr / (1 - beta1 ** numbers[0])
        correction = float(np.sqrt(1 - beta2 ** numbers[0]))
    x -= step_size * (exp_avg / (np.sqrt(exp_avg_sq) / correction + eps))


def schedule_free_sgd(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """Schedule-free SGD: descend in z, average, and look from between."""
    _, momentum, weight_decay, _, _, _, maximize, _, _, _, lr, share = hyper
    g = gradient_of(x, g, weight_decay, maximize)
    _schedule_free(x, g, states[0], lr, share, momentum)


def schedule_free_adamw(
    x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers
) -> None:
    """Schedule-free AdamW: the same with normalised gradients."""
    _, beta1, beta2, eps, weight_decay, _, _, _, maximize, k, _, _, lr, share = hyper
    g = -g if maximize else g
    z, exp_avg_sq = states
    average_square(exp_avg_sq, beta2, g)
    direction = g / (np.sqrt(exp_avg_sq) / np.sqrt(1 - beta2**k) + eps)
    _schedule_free(x, gradient_of(x, direction, weight_decay, 0.0), z, lr, share, beta1)


def _schedule_free(y: Array, d: Array, z: Array, lr: float, share: float, momentum: float) -> None:
    y += share * (z - y)
    y += lr * (momentum * (1 - share) - 1) * d
    z -= lr * d


def average_weights(x: Array, g: Array, states: States, numbers: Numbers, hyper: Numbers) -> None:
    """Move an average towards the weights, and with ``back`` the weights to it."""
    weight, back = hyper
    mean = states[0]
    if weight == 1:
        mean[...] = x
    else:
        mean += weight * (x - mean)
    if back:
        x[...] = mean
