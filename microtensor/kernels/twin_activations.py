"""The NumPy twins of the elementwise kernels.

The formulas are written in float64, whatever the arrays' dtype, and rounded on the way out; they
take care of tails and infinities as the C bodies do (csrc/activations.inc), by other means.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Beyond it e^-z is 0 in float64, subnormal numbers included.
_DECAYED = 746.0
_SELU_SCALE = 1.0507009873554804934
_SELU_ALPHA = 1.6732632423543772848
_GELU_TANH = 1.5957691216057307118  # 2 √(2/π)


def _wide(x: Array) -> Array:
    return x.astype(np.float64, copy=False)


def _as_in_c(x: Array, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
    """Round parameters to float32 for elements of that dtype.

    The kernels in C do: an element that is the float32 of 0.1 lies at a threshold of 0.1, not
    above it.
    """
    if x.dtype != np.float32:
        return parameters
    return tuple(np.float32(p) if isinstance(p, (float, np.ndarray)) else p for p in parameters)


def _unary(formula: Callable[..., Array]) -> Callable[..., None]:
    """Make kernel(x, out, ...) of y = formula(x, ...)."""

    @functools.wraps(formula)
    def kernel(x: Array, out: Array, *parameters: float) -> None:
        with np.errstate(all="ignore"):
            np.copyto(out, formula(_wide(x), *_as_in_c(x, parameters)), casting="unsafe")

    return kernel


def _binary(formula: Callable[..., Array]) -> Callable[..., None]:
    """Make kernel(g, saved, out, ...) of out = formula(g, saved, ...)."""

    @functools.wraps(formula)
    def kernel(g: Array, saved: Array, out: Array, *parameters: float) -> None:
        with np.errstate(all="ignore"):
            found = formula(_wide(g), _wide(saved), *_as_in_c(saved, parameters))
            np.copyto(out, found, casting="unsafe")

    return kernel


@_unary
def exp(x: Array) -> Array:
    """Out = eˣ."""
    return np.exp(x)


@_unary
def expm1(x: Array) -> Array:
    """Out = eˣ - 1."""
    return np.expm1(x)


@_unary
def log(x: Array) -> Array:
    """Out = log x; -inf at 0, NaN below."""
    return np.log(x)


@_unary
def relu(x: Array) -> Array:
    """Out = max(0, x)."""
    return np.where(x < 0, 0.0, x)


@_binary
def relu_backward(g: Array, y: Array) -> Array:
    """Out = g where the output y > 0, else 0."""
    return np.where(y <= 0, 0.0, g)


@_unary
def leaky_relu(x: Array, negative_slope: float) -> Array:
    """Out = x where x > 0, else negative_slope x."""
    return np.where(x > 0, x, negative_slope * x)


@_binary
def leaky_relu_backward(g: Array, x: Array, negative_slope: float) -> Array:
    """Out = g where the input x > 0, else negative_slope g."""
    return np.where(x > 0, g, negative_slope * g)


@_unary
def elu(x: Array, alpha: float) -> Array:
    """Out = x, and alpha (eˣ - 1) where x < 0."""
    return np.where(x < 0, alpha * np.expm1(x), x)


@_binary
def elu_backward(g: Array, x: Array, alpha: float) -> Array:
    """Out = g, and g alpha eˣ where the input x ≤ 0."""
    return np.where(x > 0, g, g * (alpha * np.exp(x)))


@_unary
def selu(x: Array) -> Array:
    """Out = λ x, and λ α (eˣ - 1) where x < 0."""
    return np.where(x < 0, _SELU_SCALE * _SELU_ALPHA * np.expm1(x), _SELU_SCALE * x)


@_binary
def selu_backward(g: Array, x: Array) -> Array:
    """Out = λ g, and g λ α eˣ where the input x ≤ 0."""
    return np.where(x > 0, _SELU_SCALE * g, g * (_SELU_SCALE * _SELU_ALPHA * np.exp(x)))


@_unary
def sigmoid(x: Array) -> Array:
    """Out = 1 / (1 + e⁻ˣ)."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


@_binary
def sigmoid_backward(g: Array, y: Array) -> Array:
    """Out = g y (1 - y) for the output y."""
    return g * (y * (1.0 - y))


@_unary
def tanh(x: Array) -> Array:
    """Out = tanh x."""
    return np.tanh(x)


@_binary
def tanh_backward(g: Array, y: Array) -> Array:
    """Out = g (1 - y²) for the output y."""
    return g * ((1.0 - y) * (1.0 + y))


@_unary
def softplus(x: Array, beta: float, threshold: float) -> Array:
    """Out = log(1 + e^(beta x)) / beta, and x where beta x > threshold."""
    z = beta * x
    # Each side of zero has its term, so that e^(beta x) / beta survives where it is small.
    y = np.where(z > 0, x, 0.0) + np.log1p(np.exp(-np.abs(z))) / beta
    return np.where(z > threshold, x, y)


@_binary
def softplus_backward(g: Array, x: Array, beta: float, threshold: float) -> Array:
    """Out = g sigmoid(beta x), and g where beta x > threshold, for the input x."""
    z = beta * x
    e = np.exp(-np.abs(z))
    return np.where(z > threshold, g, g * (np.where(z < 0, e, 1.0) / (1.0 + e)))


@_unary
def softsign(x: Array) -> Array:
    """Out = x / (1 + |x|)."""
    z = np.minimum(np.abs(x), np.finfo(np.float64).max)
    return np.copysign(z / (1.0 + z), x)


@_binary
def softsign_backward(g: Array, x: Array) -> Array:
    """Out = g / (1 + |x|)² for the input x."""
    z = 1.0 + np.abs(x)
    return g / z / z


# silu, gelu and gelu_tanh are x s(x) with s(x) + s(-x) = 1. With z = |x|, w = z s(-z) and
# d = s(-z) - z s'(z), the value is -w for x < 0 and x - w otherwise, the derivative d and 1 - d.
# e^-u is the square of e^(-u/2), which is not yet subnormal where products with it are not.


def _value(x: Array, w: Array) -> Array:
    return np.where(x < 0, -w, x - w)


def _gradient(g: Array, x: Array, d: Array) -> Array:
    return g * np.where(x < 0, d, 1.0 - d)


def _logistic(x: Array) -> tuple[Array, Array, Array]:
    """Give z, e^(-z/2) and 1 / (1 + e^-z)."""
    z = np.minimum(np.abs(x), 2 * _DECAYED)
    half = np.exp(-0.5 * z)
    return z, half, 1.0 / (1.0 + half * half)


@_unary
def silu(x: Array) -> Array:
    """Out = x sigmoid(x)."""
    z, half, s = _logistic(x)
    return _value(x, half * (z * s) * half)


@_binary
def silu_backward(g: Array, x: Array) -> Array:
    """Out = g (σ + x σ (1 - σ)) with σ = sigmoid(x), for the input x."""
    z, half, s = _logistic(x)
    return _gradient(g, x, half * (s * (1.0 - z * s)) * half)


# (z + 5) e^(z²/2) Q(z), Q the normal distribution's upper tail, as a Chebyshev series in
# (z - 5) / (z + 5), after Shepherd and Laframboise (Mathematics of Computation 36, 1981).
_TAIL = (
    1.0849974311281507277, -0.94512123302352377849, 0.33954282483970672713,
    -0.10080114900127923902, 0.024341617391948187896, -0.0045780677530837646305,
    0.00059626347938725869769, -3.0034572403998324431e-5, -6.9582080289731460776e-6,
    1.6616222750752958148e-6, -4.2905912775349929992e-8, -3.778472668407594633e-8,
    4.6565554054370756525e-9, 7.2673189811958306575e-10, -1.8760709560447879615e-10,
    -1.3548475355194435057e-11, 6.7548353934213182585e-12, 2.8389774843955565078e-13,
    -2.4705012428370001775e-13, -9.0450315467241950676e-15, 9.4511604704878436153e-15,
    4.8249220733324963529e-16, -3.7452977100599563755e-16, -3.1738537383334684782e-17,
    1.4864637431208070462e-17, 2.0976411425437509412e-18,
)  # fmt: skip


def _normal(x: Array) -> tuple[Array, Array, Array]:
    """Give z, e^(-z²/4) and e^(z²/2) Q(z)."""
    z = np.minimum(np.abs(x), 60.0)
    t = (z - 5.0) / (z + 5.0)
    later, earlier = np.zeros_like(z), np.zeros_like(z)
    for coefficient in reversed(_TAIL[1:]):  # Clenshaw's recurrence
        later, earlier = coefficient + 2.0 * t * later - earlier, later
    tail = (_TAIL[0] + t * later - earlier) / (z + 5.0)
    # z² in two parts: rounded in one, the error of its exponential would grow with it.
    head = z.astype(np.float32).astype(np.float64)
    quarter = np.exp(-0.25 * head * head) * np.exp(-0.25 * (z - head) * (z + head))
    return z, quarter, tail


@_unary
def gelu(x: Array) -> Array:
    """Out = x Φ(x), Φ the normal distribution."""
    z, quarter, tail = _normal(x)
    return _value(x, quarter * (z * tail) * quarter)


@_binary
def gelu_backward(g: Array, x: Array) -> Array:
    """Out = g (Φ(x) + x φ(x)) for the input x."""
    z, quarter, tail = _normal(x)
    return _gradient(g, x, quarter * (tail - z * 0.39894228040143267794) * quarter)


@_unary
def gelu_tanh(x: Array) -> Array:
    """Out = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2."""
    z = np.minimum(np.abs(x), 60.0)
    _, half, s = _logistic(_GELU_TANH * (z + 0.044715 * z * z * z))
    return _value(x, half * (z * s) * half)


@_binary
def gelu_tanh_backward(g: Array, x: Array) -> Array:
    """Out = g times the derivative of gelu_tanh at the input x."""
    z = np.minimum(np.abs(x), 60.0)
    _, half, s = _logistic(_GELU_TANH * (z + 0.044715 * z * z * z))
    slope = _GELU_TANH * (1.0 + 3 * 0.044715 * z * z)
    return _gradient(g, x, half * (s * (1.0 - z * slope * s)) * half)
