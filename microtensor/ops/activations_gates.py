"""An input times a smooth gate of itself."""

from __future__ import annotations

import math
from typing import Any

from microtensor.ops.activation_record import INFINITY, activation
from microtensor.ops.activations_bends import softplus
from microtensor.ops.activations_sigmoids import sigmoid, tanh
from microtensor.ops.arithmetic import add, mul, neg, square, sub
from microtensor.ops.bounds import clamp
from microtensor.ops.choosing import where
from microtensor.ops.comparison import lt
from microtensor.ops.declare import publish
from microtensor.ops.powers import exp
from microtensor.tensor import Tensor

_INVERSE_ROOT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)


def gelu_slope(x: Any) -> Any:
    """φ(x)·(2 - x²), the second derivative."""
    bell = mul(exp(mul(square(x), -0.5)), _INVERSE_ROOT_TWO_PI)
    return mul(bell, sub(2.0, square(x)))


gelu_exact: Any = activation(
    "gelu",
    gelu_slope,
    module="GELU",
    namespaces=(),
    summary="Gaussian error linear unit, exact.",
    formula="x·Φ(x)",
    derivative="Φ(x) + x·φ(x)",
    range="[-0.17, ∞)",
    limits=(0.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=4,
    ulp_derivative=5,
    sums=True,
    reference="Hendrycks & Gimpel 2016, arXiv:1606.08415",
)

_TANH_SCALE = math.sqrt(2.0 / math.pi)
_TANH_CUBIC = 0.044715


def _gelu_tanh_slope(x: Any) -> Any:
    u = mul(mul(x, add(mul(square(x), _TANH_CUBIC), 1.0)), _TANH_SCALE)
    first = mul(add(mul(square(x), 3.0 * _TANH_CUBIC), 1.0), _TANH_SCALE)
    second = mul(x, 6.0 * _TANH_CUBIC * _TANH_SCALE)
    t = tanh(u)
    rest = sub(1.0, square(t))
    bent = sub(mul(rest, second), mul(mul(mul(t, rest), square(first)), 2.0))
    return add(mul(rest, first), mul(mul(x, 0.5), bent))


gelu_tanh: Any = activation(
    "gelu_tanh",
    _gelu_tanh_slope,
    module="GELU",
    namespaces=(),
    summary="Gaussian error linear unit, by the tanh formula.",
    formula="x·σ(√(8/π)·(x + 0.044715·x³))",
    derivative="s + x·s·(1 - s)·√(8/π)·(1 + 0.134145·x²), s = σ(√(8/π)·(x + 0.044715·x³))",
    range="[-0.17, ∞)",
    limits=(0.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=4,
    ulp_derivative=6,
    sums=True,
    reference="Hendrycks & Gimpel 2016, arXiv:1606.08415",
)


def silu_slope(x: Any) -> Any:
    """The second derivative of x·σ(x)."""
    s = sigmoid(x)
    return mul(mul(s, sub(1.0, s)), add(mul(x, sub(1.0, mul(s, 2.0))), 2.0))


silu: Any = activation(
    "silu",
    silu_slope,
    module="SiLU",
    inplace_argument=True,
    summary="Sigmoid-weighted linear unit, also called swish.",
    formula="x·σ(x)",
    derivative="σ(x) + x·σ(x)·σ(-x)",
    range="[-0.2785, ∞)",
    limits=(0.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=4,
    ulp_derivative=5,
    sums=True,
    reference="Elfwing, Uchibe & Doya 2018, arXiv:1702.03118",
)

publish("input: Tensor, inplace: bool = False", namespaces=("nn.functional",), name="swish")(
    silu.op.public
)


def _mish_slope(x: Any) -> Any:
    s, w = sigmoid(x), tanh(softplus(x, 1.0, 20.0))
    bent = sub(add(mul(x, sub(1.0, s)), 2.0), mul(mul(mul(x, w), s), 2.0))
    return mul(mul(s, sub(1.0, square(w))), bent)


mish: Any = activation(
    "mish",
    _mish_slope,
    module="Mish",
    inplace_argument=True,
    summary="Give x times the tanh of its softplus.",
    formula="x·tanh(ln(1 + eˣ))",
    derivative="w + x·(1 - w²)·σ(x), w = tanh(ln(1 + eˣ))",
    range="[-0.30884, ∞)",
    limits=(0.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=4,
    ulp_derivative=7,
    sums=True,
    reference="Misra 2019, Mish: a self regularized non-monotonic activation function, "
    "arXiv:1908.08681",
)


def _serf_slope(x: Any) -> Any:
    s, o = softplus(x, 1.0, 20.0), sigmoid(x)
    bent = sub(add(mul(x, sub(1.0, o)), 2.0), mul(mul(mul(x, s), o), 2.0))
    return mul(mul(mul(exp(neg(square(s))), o), 2.0 / math.sqrt(math.pi)), bent)


serf: Any = activation(
    "serf",
    _serf_slope,
    module="Serf",
    summary="Give x times the error function of its softplus.",
    formula="x·erf(ln(1 + eˣ))",
    derivative="erf(s) + x·2/√(π)·e^(-s²)·σ(x), s = ln(1 + eˣ)",
    range="[-0.34844, ∞)",
    limits=(0.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=4,
    ulp_derivative=7,
    sums=True,
    reference="Nag, Bhattacharyya, Mukherjee & Kundu 2021, SERF, arXiv:2108.09598",
)


def _elish_slope(x: Any) -> Any:
    s, u = sigmoid(x), exp(clamp(x, max=0.0))
    bend = mul(s, sub(1.0, s))
    left = add(mul(u, add(s, mul(bend, 2.0))), mul(mul(sub(u, 1.0), bend), sub(1.0, mul(s, 2.0))))
    return where(lt(x, 0.0), left, silu_slope(x))


elish: Any = activation(
    "elish",
    _elish_slope,
    module="ELiSH",
    summary="Give x times a sigmoid on the right, an ELU times a sigmoid on the left.",
    formula="x·σ(x) if x >= 0 else (eˣ - 1)·σ(x)",
    derivative="σ(x) + x·σ(x)·σ(-x) if x >= 0 else eˣ·σ(x) + (eˣ - 1)·σ(x)·σ(-x)",
    range="[-0.17157, ∞)",
    limits=(0.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=4,
    ulp_derivative=6,
    sums=True,
    reference="Basirat & Roth 2018, The quest for the golden activation function, arXiv:1808.00783",
)


def _tanh_exp_slope(x: Any) -> Any:
    limited = clamp(x, max=5.0)
    u = exp(limited)
    t = tanh(u)
    bent = sub(add(limited, 2.0), mul(mul(mul(limited, u), t), 2.0))
    return mul(mul(u, sub(1.0, square(t))), bent)


tanh_exp: Any = activation(
    "tanh_exp",
    _tanh_exp_slope,
    module="TanhExp",
    summary="Give x times the tanh of its exponential.",
    formula="x·tanh(eˣ)",
    derivative="t + x·eˣ·(1 - t²), t = tanh(eˣ)",
    range="[-0.35329, ∞)",
    limits=(0.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=4,
    ulp_derivative=7,
    sums=True,
    reference="Liu & Di 2020, TanhExp, arXiv:2003.09855",
)


@publish("input: Tensor, approximate: str = 'none'", namespaces=("nn.functional",))
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit: x·Φ(x).

    Args:
        input: a floating-point tensor.
        approximate: "none" for the exact function, "tanh" for the tanh formula.

    Raises:
        RuntimeError: another ``approximate``.

    References:
        Hendrycks & Gimpel 2016, arXiv:1606.08415
    """
    if approximate == "none":
        return gelu_exact.op.public(input)
    if approximate == "tanh":
        return gelu_tanh.op.public(input)
    raise RuntimeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
