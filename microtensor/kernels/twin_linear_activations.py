"""The NumPy twins of the activations made of straight pieces (csrc/activations_linear.inc)."""

from __future__ import annotations

import numpy as np

from microtensor.kernels.twin_activations import Array, _binary, _unary


@_unary
def unit_step(x: Array) -> Array:
    """Out = 1 where x ≥ 0, else 0."""
    return np.where(x >= 0, 1.0, np.where(x < 0, 0.0, x))


@_unary
def signum(x: Array) -> Array:
    """Out = the sign of x; ±0 stay."""
    return np.where(x > 0, 1.0, np.where(x < 0, -1.0, x))


@_unary
def absolute(x: Array) -> Array:
    """Out = |x|."""
    return np.abs(x)


@_binary
def absolute_backward(g: Array, x: Array) -> Array:
    """Out = g, -g below zero, 0 at zero."""
    return np.where(x == 0, 0.0, np.where(x > 0, g, -g))


@_unary
def hardsigmoid(x: Array, width: float) -> Array:
    """Out = clip(x + width / 2, 0, width) / width."""
    return np.clip(x + 0.5 * width, 0.0, width) / width


@_binary
def hardsigmoid_backward(g: Array, x: Array, width: float) -> Array:
    """Out = g / width where |x| < width / 2, else 0."""
    return np.where(np.abs(x) >= 0.5 * width, 0.0, g / width)


@_unary
def hardtanh(x: Array, min_val: float, max_val: float) -> Array:
    """Out = clip(x, min_val, max_val)."""
    return np.where(x < min_val, min_val, np.where(x > max_val, max_val, x))


@_binary
def hardtanh_backward(g: Array, x: Array, min_val: float, max_val: float) -> Array:
    """Out = g between the bounds, 0 at them and outside."""
    return np.where((x <= min_val) | (x >= max_val), 0.0, g)


@_unary
def threshold(x: Array, threshold: float, value: float) -> Array:
    """Out = x, and value where x ≤ threshold."""
    return np.where(x <= threshold, value, x)


@_binary
def threshold_backward(g: Array, x: Array, threshold: float, value: float) -> Array:
    """Out = g, and 0 where x ≤ threshold."""
    return np.where(x <= threshold, 0.0, g)


@_unary
def hardshrink(x: Array, lambd: float) -> Array:
    """Out = x, and 0 where |x| ≤ lambd."""
    return np.where(np.abs(x) <= lambd, 0.0, x)


@_binary
def hardshrink_backward(g: Array, x: Array, lambd: float) -> Array:
    """Out = g, and 0 where |x| ≤ lambd."""
    return np.where(np.abs(x) <= lambd, 0.0, g)


@_unary
def softshrink(x: Array, lambd: float) -> Array:
    """Out = x moved towards zero by lambd, a zero where |x| ≤ lambd."""
    z = np.abs(x)
    return np.copysign(np.where(z <= lambd, 0.0, z - lambd), x)


@_binary
def softshrink_backward(g: Array, x: Array, lambd: float) -> Array:
    """Out = g, and 0 where |x| ≤ lambd."""
    return np.where(np.abs(x) <= lambd, 0.0, g)


@_unary
def hardswish(x: Array) -> Array:
    """Out = x clip(x + 3, 0, 6) / 6."""
    return np.where(x <= -3, -0.0, x * (np.minimum(x + 3.0, 6.0) / 6.0))


@_binary
def hardswish_backward(g: Array, x: Array) -> Array:
    """Out = g (2 x + 3) / 6 between the kinks, 0 and g from there on."""
    inside = g * ((2.0 * x + 3.0) / 6.0)
    return np.where(x <= -3, 0.0, np.where(x >= 3, g, inside))


@_unary
def squared_relu(x: Array) -> Array:
    """Out = max(0, x)²."""
    return np.square(np.where(x < 0, 0.0, x))


@_binary
def squared_relu_backward(g: Array, x: Array) -> Array:
    """Out = 2 g max(0, x)."""
    return g * (2.0 * np.where(x < 0, 0.0, x))
