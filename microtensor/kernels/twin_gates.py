"""The NumPy twins of x times a gate, and of gated halves (csrc/activations_gates.inc)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor.kernels import twin_activations as basic
from microtensor.kernels.twin_activations import Array, _binary, _normal, _unary


def _parts(x: Array) -> tuple[Array, Array, Array]:
    """Give x within ±1500, beyond which all is said, e^(-|x|/2) and e^-|x|."""
    x = np.clip(x, -1500.0, 1500.0)
    half = np.exp(-0.5 * np.abs(x))
    return x, half, half * half


def _joined(x: Array, half: Array, left: Array, right: Array) -> Array:
    """Give e^-|x| left where x < 0, else right; a product below normal numbers is rounded once."""
    return np.where(x < 0, half * left * half, right)


def _unbounded(x: Array, y: Array) -> Array:
    return np.where(x > 1000, x, y)


@_unary
def mish(x: Array) -> Array:
    """Out = x tanh(log(1 + eˣ)) = x n / (n + 2) with n = eˣ (eˣ + 2)."""
    z, half, e = _parts(x)
    left = z * (e + 2.0) / (e * (e + 2.0) + 2.0)
    right = z * (1.0 + 2.0 * e) / (1.0 + 2.0 * e + 2.0 * e * e)
    return _unbounded(x, _joined(z, half, left, right))


@_binary
def mish_backward(g: Array, x: Array) -> Array:
    """Out = g times the derivative of mish at x."""
    z, half, e = _parts(x)
    first, second = 4.0 * (z + 1.0), 4.0 * z + 6.0
    left = (first + e * second + e * e * (4.0 + e)) / np.square(e * (e + 2.0) + 2.0)
    right = (1.0 + 4.0 * e + e * e * (second + e * first)) / np.square(1.0 + 2.0 * e + 2.0 * e * e)
    return g * _joined(z, half, left, right)


def _serf(x: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Give x, e^(-|x|/2), e^-|x|, erf(s) of s = log(1 + eˣ), over eˣ where x < 0, and e^(-s²)."""
    z, half, e = _parts(x)
    ratio = np.where(e > 0, np.log1p(e) / np.where(e > 0, e, 1.0), 1.0)
    s = np.maximum(z, 0.0) + e * ratio
    near = np.minimum(s, 1.0)
    series = np.zeros_like(s)  # erf(s) / s = 2/√π Σ (-s²)ᵏ / (k! (2k + 1))
    for k in range(22, -1, -1):
        series = _ERF[k] + near * near * series
    _, quarter, tail = _normal(s * np.sqrt(2.0))
    far = 1.0 - 2.0 * quarter * tail * quarter
    erf = np.where(s < 1, s * series, far)
    return z, half, e, np.where(z < 0, ratio * series, erf), np.exp(-s * s)


_ERF = [2.0 / np.sqrt(np.pi)]
for _k in range(1, 23):
    _ERF.append(-_ERF[-1] * (2 * _k - 1) / (_k * (2 * _k + 1)))


@_unary
def serf(x: Array) -> Array:
    """Out = x erf(log(1 + eˣ))."""
    z, half, _, erf, _ = _serf(x)
    return _unbounded(x, _joined(z, half, z * erf, z * erf))


@_binary
def serf_backward(g: Array, x: Array) -> Array:
    """Out = g times the derivative of serf at x."""
    z, half, e, erf, bell = _serf(x)
    d = erf + z * (2.0 / np.sqrt(np.pi)) * bell / (1.0 + e)
    return g * _joined(z, half, d, d)


@_unary
def elish(x: Array) -> Array:
    """Out = x sigmoid x, and (eˣ - 1) sigmoid x where x < 0."""
    z, half, e = _parts(x)
    right = z / (1.0 + e)
    return _unbounded(x, _joined(z, half, np.expm1(-np.abs(z)) / (1.0 + e), right))


@_binary
def elish_backward(g: Array, x: Array) -> Array:
    """Out = g times the derivative of elish at x."""
    z, half, e = _parts(x)
    s = 1.0 / (1.0 + e)
    return g * _joined(z, half, s * s * (e * (e + 2.0) - 1.0), 1.0 - e * s * (1.0 - z * s))


@_unary
def tanh_exp(x: Array) -> Array:
    """Out = x tanh(eˣ)."""
    z, half, e = _parts(x)
    left = z * np.where(z < -20, 1.0, np.tanh(e) / np.where(e > 0, e, 1.0))
    return _unbounded(x, _joined(z, half, left, z * np.tanh(np.exp(np.minimum(z, 10.0)))))


@_binary
def tanh_exp_backward(g: Array, x: Array) -> Array:
    """Out = g (tanh u + x u (1 - tanh² u)) with u = eˣ."""
    z, half, _ = _parts(x)
    limited = np.minimum(z, 5.0)
    u = np.exp(limited)
    e = np.expm1(2.0 * u)  # t = e / (e + 2), 1 - t² = 4 s (1 - s) with s = 1 / (e + 2)
    s = 1.0 / (e + 2.0)
    inside = e * s + limited * (u * (4.0 * s * (1.0 - s)))
    return g * np.where(z < -20, half * (1.0 + z) * half, inside)


# ---- a · gate(b) over the halves of x -----------------------------------------------------------


def _gated(gate: str, saves_output: bool) -> tuple[Callable[..., None], Callable[..., None]]:
    """Make kernel(x, out) of x (rows, 2, columns), and the gradient's kernel(g, x, out)."""
    value, gradient = getattr(basic, gate), getattr(basic, f"{gate}_backward")

    def forward(x: Array, out: Array) -> None:
        with np.errstate(all="ignore"):
            opened = np.empty(out.shape, np.float64)
            value(x[:, 1], opened)
            np.copyto(out, x[:, 0] * opened, casting="unsafe")

    def backward(g: Array, x: Array, out: Array) -> None:
        with np.errstate(all="ignore"):
            wide, opened = x.astype(np.float64), np.empty(g.shape, np.float64)
            value(wide[:, 1], opened)
            of_gate = np.empty(g.shape, np.float64)
            gradient(g * wide[:, 0], opened if saves_output else wide[:, 1], of_gate)
            np.copyto(out[:, 0], g * opened, casting="unsafe")
            np.copyto(out[:, 1], of_gate, casting="unsafe")

    return forward, backward


def _declare() -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, gate, saves_output in (
        ("glu", "sigmoid", True),
        ("reglu", "relu", True),
        ("geglu", "gelu", False),
        ("swiglu", "silu", False),
    ):
        forward, backward = _gated(gate, saves_output)
        forward.__doc__ = f"Out = a {gate}(b) over the halves a and b of x."
        backward.__doc__ = f"Out = the gradients of a and of b in a {gate}(b)."
        made[name], made[f"{name}_backward"] = forward, backward
    return made


globals().update(_declare())
