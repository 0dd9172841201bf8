"""The NumPy twins of sigmoids, bends and waves (csrc/activations_curves.inc, _periodic.inc)."""

from __future__ import annotations

import numpy as np

from microtensor.kernels.twin_activations import Array, _binary, _unary

# 1.7159 · 2/3 · 4
_LECUN_SLOPE = 4.5757333333333333333

# 2k / (2k + 1)!
_COEFFICIENTS = [0.0]
for _k in range(1, 15):
    _COEFFICIENTS.append(
        1.0 / 3.0 if _k == 1 else _COEFFICIENTS[-1] / ((2 * _k - 2) * (2 * _k + 1))
    )


@_unary
def celu(x: Array, alpha: float) -> Array:
    """Out = x, and alpha (e^(x/alpha) - 1) where x < 0."""
    return np.where(x < 0, alpha * np.expm1(x / alpha), x)


@_binary
def celu_backward(g: Array, x: Array, alpha: float) -> Array:
    """Out = g, and g e^(x/alpha) where not x > 0."""
    return np.where(x > 0, g, g * np.exp(x / alpha))


@_unary
def lecun_tanh(x: Array) -> Array:
    """Out = 1.7159 tanh(2x/3)."""
    return 1.7159 * np.tanh(x * (2.0 / 3.0))


@_binary
def lecun_tanh_backward(g: Array, x: Array) -> Array:
    """Out = g 1.7159 2/3 (1 - tanh²(2x/3)), from e^(-4|x|/3)."""
    e = np.exp(np.abs(x) * (-4.0 / 3.0))
    return g * (_LECUN_SLOPE * e / np.square(1.0 + e))


@_unary
def symmetrical_sigmoid(x: Array) -> Array:
    """Out = tanh(x/2)."""
    return np.tanh(0.5 * x)


@_binary
def symmetrical_sigmoid_backward(g: Array, x: Array) -> Array:
    """Out = g (1 - tanh²(x/2)) / 2, from e^-|x|."""
    e = np.exp(-np.abs(x))
    return g * (2.0 * e / np.square(1.0 + e))


@_unary
def logsigmoid(x: Array) -> Array:
    """Out = min(x, 0) - log(1 + e^-|x|)."""
    return np.where(x < 0, x, 0.0) - np.log1p(np.exp(-np.abs(x)))


@_binary
def logsigmoid_backward(g: Array, x: Array) -> Array:
    """Out = g sigmoid(-x)."""
    e = np.exp(-np.abs(x))
    return g * (np.where(x < 0, 1.0, e) / (1.0 + e))


@_unary
def log_log(x: Array) -> Array:
    """Out = 1 - e^(-eˣ)."""
    return -np.expm1(-np.exp(x))


@_binary
def log_log_backward(g: Array, x: Array) -> Array:
    """Out = g e^(x - eˣ)."""
    u = np.exp(np.minimum(x, 8.0))
    return g * (u * np.exp(-u))


@_unary
def gaussian(x: Array) -> Array:
    """Out = e^(-x²)."""
    return _bell(x)


def _bell(x: Array) -> Array:
    # x² in two parts: rounded in one, the error of its exponential would grow with it.
    z = np.minimum(np.abs(x), 40.0)
    head = z.astype(np.float32).astype(np.float64)
    return np.asarray(np.exp(-head * head) * np.exp(-(z - head) * (z + head)))


@_binary
def gaussian_backward(g: Array, x: Array) -> Array:
    """Out = -2 g x e^(-x²)."""
    return g * (-2.0 * np.clip(x, -40.0, 40.0) * _bell(x))


@_unary
def tanhshrink(x: Array) -> Array:
    """Out = x - tanh x; (x cosh x - sinh x) / cosh x by its series where that cancels."""
    z = np.minimum(x * x, 4.0)
    # x cosh x - sinh x = Σ 2k x^(2k+1) / (2k+1)!
    series = np.zeros_like(z)
    for k in range(14, 0, -1):
        series = z * (_COEFFICIENTS[k] + series)
    near = x * series / np.cosh(np.minimum(np.abs(x), 2.0))
    return np.where(np.abs(x) < 1.5, near, x - np.tanh(x))


@_binary
def tanhshrink_backward(g: Array, x: Array) -> Array:
    """Out = g tanh² x."""
    return g * np.square(np.tanh(x))


@_unary
def arctan(x: Array) -> Array:
    """Out = arctan x."""
    return np.arctan(x)


@_binary
def arctan_backward(g: Array, x: Array) -> Array:
    """Out = g / (1 + x²)."""
    z = np.abs(x)
    t = np.where(z > 1, 1.0 / z, z)
    return g * (np.where(z > 1, t * t, 1.0) / (1.0 + t * t))


@_unary
def bent_identity(x: Array) -> Array:
    """Out = (√(x² + 1) - 1)/2 + x, where the difference is x² / (√(x² + 1) + 1)."""
    z = np.minimum(np.abs(x), 1e150)
    near = x + 0.5 * z * (z / (np.sqrt(z * z + 1.0) + 1.0))
    return np.where(np.abs(x) < 1e100, near, x * np.where(x < 0, 0.5, 1.5))


@_binary
def bent_identity_backward(g: Array, x: Array) -> Array:
    """Out = g (x / (2 √(x² + 1)) + 1)."""
    z = np.clip(x, -1e150, 1e150)
    return g * (0.5 * z / np.sqrt(z * z + 1.0) + 1.0)


# ---- of sines -----------------------------------------------------------------------------------


@_unary
def sinusoid(x: Array) -> Array:
    """Out = sin x."""
    return np.sin(x)


@_binary
def sinusoid_backward(g: Array, x: Array) -> Array:
    """Out = g cos x."""
    return g * np.cos(x)


@_unary
def cosine(x: Array) -> Array:
    """Out = cos x."""
    return np.cos(x)


@_binary
def cosine_backward(g: Array, x: Array) -> Array:
    """Out = -g sin x."""
    return g * -np.sin(x)


@_unary
def unnormalized_sinc(x: Array) -> Array:
    """Out = sin x / x, 1 at 0, 0 at ±∞."""
    return np.where(np.isinf(x), 0.0, np.where(x == 0, 1.0, np.sin(x) / x))


@_binary
def unnormalized_sinc_backward(g: Array, x: Array) -> Array:
    """Out = g (cos x - sin x / x) / x, by its series near 0."""
    z = np.minimum(x * x, 4.0)
    series = np.zeros_like(z)  # Σ (-1)ᵏ 2k x^(2k-1) / (2k+1)!
    for k in range(14, 0, -1):
        series = (-1) ** k * _COEFFICIENTS[k] + z * series
    far = np.where(np.isinf(x), 0.0, (np.cos(x) - np.sin(x) / x) / x)
    return g * np.where(np.abs(x) < 2, x * series, far)
