"""Activation functions: each declared once, its gradient an op with rules of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from microtensor import dtypes, kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import add, div, mul, neg, square, sub
from microtensor.ops.arrays import Array, empty
from microtensor.ops.bounds import clamp
from microtensor.ops.choosing import where
from microtensor.ops.comparison import gt, le
from microtensor.ops.declare import declare, parse_signature, publish
from microtensor.ops.powers import exp
from microtensor.ops.promotion import to_float
from microtensor.ops.reductions import sum
from microtensor.ops.rounding import abs, sign
from microtensor.tensor import Tensor, checked_dim

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


def _from_integers(name: str, x: Array) -> Array:
    if name in ("sigmoid", "tanh"):  # which PyTorch promotes, as it does exp
        return to_float(x)
    raise RuntimeError(f"{name}: not defined for {x.dtype.name} tensors; convert with .float()")


def _forward(name: str, kernel: Callable[..., None]) -> Any:
    def forward(x: Array, *parameters: Any) -> Array:
        if x.dtype.kind != "f":
            x = _from_integers(name, x)
        out = empty(x.shape, x.dtype)
        kernel(x, out, *parameters)
        return out

    return forward


def _backward_forward(kernel: Callable[..., None]) -> Any:
    def forward(g: Array, saved: Array, *parameters: Any) -> Array:
        if g.dtype is not saved.dtype:
            g = g.astype(saved.dtype)
        out = empty(saved.shape, saved.dtype)
        kernel(g, saved, out, *parameters)
        return out

    return forward


def activation(
    name: str,
    saves: str,
    slope: Callable[..., Any] | None,
    parameters: str = "",
    namespaces: tuple[str, ...] = ("nn.functional",),
    method: str | None = None,
    avoid: tuple[float, ...] = (),
    check: Callable[..., None] | None = None,
    **fields: Any,
) -> Any:
    """Declare an activation and its gradient.

    Args:
        name: also of its kernel; ``<name>_backward`` is its gradient's.
        saves: what the gradient's kernel reads, "x" or "y".
        slope: the derivative of the gradient's factor f' with respect to what it reads, in ops:
            ``slope(saved, *parameters)``; None where it is zero.
        parameters: typed, with defaults, after the input.
        namespaces: where users find it.
        method: its name as a Tensor method, or None.
        avoid: points where finite differences would meet a kink.
        check: raises for parameters outside their range.
        fields: of the declaration.
    """
    forward = _forward(name, getattr(kernels, name))
    gradient = _backward_forward(getattr(kernels, f"{name}_backward"))
    typed = f", {parameters}" if parameters else ""
    names = [p.name for p in parse_signature(f"input: Tensor{typed}")[1:]]
    listed = ", ".join(names)
    after = f", {listed}" if listed else ""
    environment: dict[str, Any] = {"mul": mul, "slope": slope}

    # The rules have the parameters' names, since a rule is given what it names.
    def rule(head: str, body: str) -> Any:
        return eval(f"lambda {head}{after}: {body}", environment)

    backward = declare(
        f"{name}_backward",
        f"grad: Tensor, saved: Tensor{typed}",
        gradient,
        rules={
            "grad": rule("g, saved", f"backward(g, saved{after})"),
            **(
                {"saved": rule("g, grad, saved", f"mul(mul(g, grad), slope(saved{after}))")}
                if slope is not None
                else {}
            ),
        },
        summary=f"Give the gradient of {name} from the incoming one and the saved "
        f"{'input' if saves == 'x' else 'output'}.",
        namespaces=(),
    )
    environment["backward"] = backward

    def checked(x: Array, *values: Any) -> Array:
        check(*values)  # type: ignore[misc]
        return forward(x, *values)

    return declare(
        name,
        f"input: Tensor{typed}",
        forward if check is None else checked,
        rules={"input": rule(f"g, {saves}", f"backward(g, {saves}{after})")},
        namespaces=namespaces,
        method=method,
        kinks=avoid,
        samples=samples.one(avoid=avoid),
        **fields,
    )


relu: Any = activation(
    "relu",
    inplace_argument=True,
    saves="y",
    slope=None,
    method="relu",
    namespaces=("mt", "nn.functional"),
    inplace=True,
    avoid=(0.0,),
    summary="Rectify: pass what is positive, zero elsewhere. NaN stays NaN.",
    formula="max(0, x)",
    derivative="1 if x > 0 else 0",
    range="[0, ∞)",
    ulp=0,
    reference="Nair & Hinton 2010, Rectified linear units improve restricted Boltzmann machines",
)

leaky_relu: Any = activation(
    "leaky_relu",
    inplace_argument=True,
    saves="x",
    slope=None,
    parameters="negative_slope: float = 0.01",
    avoid=(0.0,),
    summary="Rectify, with a small slope for what is negative.",
    formula="x if x > 0 else negative_slope·x",
    derivative="1 if x > 0 else negative_slope",
    range="(-∞, ∞)",
    ulp=1,
    reference="Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic "
    "models",
)


def _exponential_side(x: Any, factor: float) -> Any:
    """factor·eˣ where x is not positive, zero elsewhere: the curvature of the ELU family."""
    return where(le(x, 0.0), mul(exp(clamp(x, max=0.0)), factor), 0.0)


elu: Any = activation(
    "elu",
    inplace_argument=True,
    saves="x",
    slope=lambda x, alpha: _exponential_side(x, alpha),
    parameters="alpha: float = 1.0",
    avoid=(0.0,),
    summary="Exponential linear unit.",
    formula="x if x > 0 else alpha·(eˣ - 1)",
    derivative="1 if x > 0 else alpha·eˣ",
    range="(-alpha, ∞)",
    ulp=4,
    reference="Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289",
)

selu: Any = activation(
    "selu",
    inplace_argument=True,
    saves="x",
    slope=lambda x: _exponential_side(x, SELU_SCALE * SELU_ALPHA),
    namespaces=("mt", "nn.functional"),
    avoid=(0.0,),
    summary="Scaled exponential linear unit, whose constants keep mean 0 and variance 1.",
    formula="λ·(x if x > 0 else α·(eˣ - 1)), λ = 1.0507009873554805, α = 1.6732632423543772",
    derivative="λ if x > 0 else λ·α·eˣ",
    range="(-λα, ∞), λα = 1.7581",
    ulp=4,
    reference="Klambauer et al. 2017, arXiv:1706.02515",
)

sigmoid: Any = activation(
    "sigmoid",
    saves="y",
    slope=lambda y: sub(1.0, mul(y, 2.0)),
    method="sigmoid",
    namespaces=("mt", "nn.functional"),
    inplace=True,
    summary="The logistic function.",
    formula="1 / (1 + e⁻ˣ)",
    derivative="y·(1 - y)",
    range="(0, 1)",
    ulp=4,
)

tanh: Any = activation(
    "tanh",
    saves="y",
    slope=lambda y: mul(y, -2.0),
    method="tanh",
    namespaces=("mt", "nn.functional"),
    inplace=True,
    summary="The hyperbolic tangent.",
    formula="tanh x",
    derivative="1 - y²",
    range="(-1, 1)",
    ulp=4,
)


def _softplus_slope(x: Any, beta: float, threshold: float) -> Any:
    scaled = mul(x, beta)
    s = sigmoid(scaled)
    return where(gt(scaled, threshold), 0.0, mul(mul(s, sub(1.0, s)), beta))


def _check_softplus(beta: float = 1.0, threshold: float = 20.0) -> None:
    if beta == 0:
        raise ValueError("softplus: beta must not be 0")


softplus: Any = activation(
    "softplus",
    saves="x",
    slope=_softplus_slope,
    parameters="beta: float = 1.0, threshold: float = 20.0",
    check=_check_softplus,
    summary="A smooth rectifier; the identity where beta·x exceeds the threshold.",
    formula="ln(1 + e^(beta·x)) / beta",
    derivative="sigmoid(beta·x)",
    range="(0, ∞)",
    ulp=4,
    reference="Dugas et al. 2001, Incorporating second-order functional knowledge for better "
    "option pricing",
)

softsign: Any = activation(
    "softsign",
    saves="x",
    slope=lambda x: div(mul(sign(x), -2.0), mul(add(abs(x), 1.0), square(add(abs(x), 1.0)))),
    avoid=(0.0,),
    summary="A sigmoid with slow, polynomial tails.",
    formula="x / (1 + |x|)",
    derivative="1 / (1 + |x|)²",
    range="(-1, 1)",
    ulp=2,
)

_INVERSE_ROOT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)

gelu_exact: Any = activation(
    "gelu",
    saves="x",
    # φ(x)·(2 - x²)
    slope=lambda x: mul(mul(exp(mul(square(x), -0.5)), _INVERSE_ROOT_TWO_PI), sub(2.0, square(x))),
    namespaces=(),
    summary="Gaussian error linear unit, exact.",
    formula="x·Φ(x), Φ the normal distribution function",
    derivative="Φ(x) + x·φ(x)",
    range="[-0.17, ∞)",
    ulp=4,
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
    saves="x",
    slope=_gelu_tanh_slope,
    namespaces=(),
    summary="Gaussian error linear unit, by the tanh formula.",
    formula="x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))",
    derivative="the formula's",
    range="[-0.17, ∞)",
    ulp=4,
    reference="Hendrycks & Gimpel 2016, arXiv:1606.08415",
)


def _silu_slope(x: Any) -> Any:
    s = sigmoid(x)
    return mul(mul(s, sub(1.0, s)), add(mul(x, sub(1.0, mul(s, 2.0))), 2.0))


silu: Any = activation(
    "silu",
    inplace_argument=True,
    saves="x",
    slope=_silu_slope,
    summary="Sigmoid-weighted linear unit, also called swish.",
    formula="x·sigmoid(x)",
    derivative="s·(1 + x·(1 - s)), s = sigmoid(x)",
    range="[-0.2785, ∞)",
    ulp=4,
    reference="Elfwing, Uchibe & Doya 2018, arXiv:1702.03118",
)


# ---- rows ---------------------------------------------------------------------------------------


def _along(kernel: Callable[..., None], dim: int, *arrays: Array) -> Array:
    """Run a row kernel along a dimension."""
    shape = arrays[0].shape
    dim = checked_dim(dim, len(shape))
    if not shape:
        single: Array = empty((1,), arrays[0].dtype)
        kernel(*(a.reshape(1) for a in arrays), single)
        return single.reshape(())
    out = empty(shape, arrays[0].dtype)
    kernel(*arrays, out, dim)
    return out


def _rows_forward(name: str, kernel: Callable[..., None]) -> Any:
    def forward(x: Array, dim: int, dtype: Any = None) -> Array:
        if dtype is not None:
            x = x.astype(dtypes.as_numpy_dtype(dtype), copy=False)
        if x.dtype.kind != "f":
            raise RuntimeError(
                f"{name}: not defined for {x.dtype.name} tensors; convert with .float()"
            )
        return _along(kernel, dim, x)

    return forward


def _rows_backward_forward(kernel: Callable[..., None]) -> Any:
    def forward(g: Array, y: Array, dim: int) -> Array:
        return _along(kernel, dim, g.astype(y.dtype, copy=False), y)

    return forward


def _row_sum(x: Any, dim: int) -> Any:
    return sum(x, dim, keepdim=True)


def _softmax_output_rule(g: Any, grad: Any, output: Any, dim: int) -> Any:
    s = _row_sum(mul(grad, output), dim)
    return sub(mul(g, sub(grad, s)), mul(grad, _row_sum(mul(g, output), dim)))


softmax_backward: Any = declare(
    "softmax_backward",
    "grad: Tensor, output: Tensor, dim: int",
    _rows_backward_forward(kernels.softmax_backward),
    rules={
        "grad": lambda g, output, dim: softmax_backward(g, output, dim),
        "output": _softmax_output_rule,
    },
    summary="Give the gradient of softmax from its output: y·(g - Σ g·y).",
    namespaces=(),
)

_ROWS = "input: Tensor, dim: int, dtype: Any = None"
_ROW_SAMPLES = samples.given(
    (((3, 4),), {"dim": -1}),
    (((2, 3, 4),), {"dim": 1}),
    (((),), {"dim": 0}),
    (((2, 0),), {"dim": 1}),
)

softmax: Any = declare(
    "softmax",
    _ROWS,
    _rows_forward("softmax", kernels.softmax),
    rules={"input": lambda g, y, dim: softmax_backward(g, y, dim)},
    summary="Turn scores along a dimension into probabilities that sum to one.",
    formula="exp(x - max x) / Σ exp(x - max x)",
    derivative="dx = y·(g - Σ g·y)",
    range="[0, 1]",
    namespaces=("mt",),
    method="softmax",
    samples=_ROW_SAMPLES,
)

log_softmax_backward: Any = declare(
    "log_softmax_backward",
    "grad: Tensor, output: Tensor, dim: int",
    _rows_backward_forward(kernels.log_softmax_backward),
    rules={
        "grad": lambda g, output, dim: sub(g, _row_sum(mul(g, exp(output)), dim)),
        "output": lambda g, grad, output, dim: neg(mul(mul(g, exp(output)), _row_sum(grad, dim))),
    },
    summary="Give the gradient of log_softmax from its output: g - exp(y)·Σ g.",
    namespaces=(),
)

log_softmax: Any = declare(
    "log_softmax",
    _ROWS,
    _rows_forward("log_softmax", kernels.log_softmax),
    rules={"input": lambda g, y, dim: log_softmax_backward(g, y, dim)},
    summary="Give the logarithm of softmax, without overflow.",
    formula="x - ln Σ eˣ",
    derivative="dx = g - exp(y)·Σ g",
    range="(-∞, 0]",
    namespaces=("mt",),
    method="log_softmax",
    samples=_ROW_SAMPLES,
)


# ---- as users write them ------------------------------------------------------------------------


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
    raise RuntimeError(f"approximate argument must be either none or tanh, got {approximate!r}")


def _stacklevel_variant(function: Any, name: str) -> None:
    def variant(
        input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
    ) -> Any:
        if dim is None:
            raise TypeError(f"{name}(): dim must be given: PyTorch's implicit choice is deprecated")
        return function(input, dim, dtype)

    variant.__name__ = name
    variant.__doc__ = function.__doc__
    publish(
        "input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None",
        namespaces=("nn.functional",),
        name=name,
    )(variant)


for _either in (softmax, log_softmax):
    _stacklevel_variant(_either.op.public, _either.op.name)
