"""Activations of straight pieces with slopes that are learned, or drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.activation_record import (
    INFINITY,
    activation,
    composed,
    offer_in_place,
    refuse_integers,
)
from microtensor.ops.activations_linear import leaky_relu
from microtensor.ops.arithmetic import mul, sub
from microtensor.ops.arrays import Array, empty
from microtensor.ops.bounds import clamp
from microtensor.ops.choosing import where
from microtensor.ops.comparison import gt, lt
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.shape import reshape
from microtensor.random import Generator, drawing, state_of
from microtensor.tensor import Tensor

_prelu: Any = activation(
    "prelu",
    None,
    "weight: Tensor",
    module="PReLU",
    learned={
        "weight": (
            lambda x, weight: clamp(x, max=0.0),
            lambda x, weight: where(gt(x, 0.0), 0.0, 1.0),
        )
    },
    namespaces=(),
    kinks=(0.0,),
    samples=samples.given((((3, 4), (1,)), {}), (((2, 3, 4), (3, 1)), {}), (((0,), (1,)), {})),
    summary="Rectify, with a learned slope for what is negative.",
    formula="x if x > 0 else weight·x",
    derivative="1 if x > 0 else weight",
    range="(-∞, ∞)",
    limits=(-INFINITY, INFINITY),
    slopes=(0.25, 1.0),
    ulp=1,
    ulp_derivative=1,
    reference="He et al. 2015, Delving deep into rectifiers, arXiv:1502.01852",
)


@publish("input: Tensor, weight: Tensor", namespaces=("mt", "nn.functional"), method="prelu")
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Rectify, with a learned slope for what is negative: x if x > 0 else weight·x.

    Args:
        input: a floating-point tensor; its second dimension holds the channels.
        weight: one number, or one per channel.

    Raises:
        RuntimeError: another number of them.

    References:
        He et al. 2015, arXiv:1502.01852
    """
    if not isinstance(input, Tensor):
        refuse("prelu", "input", input)
    if not isinstance(weight, Tensor):
        refuse("prelu", "weight", weight)
    shape, count = input._array.shape, weight._array.size
    if not shape and count == 1:
        return _prelu.op.public(input, reshape(weight, ()))
    if weight._array.dtype != input._array.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {input.dtype} and {weight.dtype}"
        )
    if count != 1 or weight._array.ndim > 1:
        channels = shape[1] if len(shape) > 1 else 1
        if count != channels or weight._array.ndim > 1:
            raise RuntimeError(
                "prelu: Mismatch of parameter numbers and input channel size. weight must be one "
                f"number or one per channel: got shape {list(weight._array.shape)} for {channels}"
            )
        weight = reshape(weight, (count, *([1] * (len(shape) - 2))))
    return _prelu.op.public(input, weight)


def _rrelu_forward(x: Array, lower: float, upper: float, state: Array) -> tuple[Array, Array]:
    if x.dtype == np.float16:  # there is no half-precision generator
        wide_out, wide_slopes = _rrelu_forward(x.astype(np.float32), lower, upper, state)
        return wide_out.astype(x.dtype), wide_slopes.astype(x.dtype)
    slopes, out = empty(x.shape, x.dtype), empty(x.shape, x.dtype)
    with drawing:
        kernels.rrelu(x, lower, upper, state, slopes, out)
    return out, slopes


_rrelu_public: Any = declare(
    "rrelu_in_training",
    "input: Tensor, lower: float, upper: float, state: Any",
    _rrelu_forward,
    rules={"input": lambda g, slopes: mul(g, slopes)},
    extras=("slopes",),
    summary="Rectify, with slopes drawn at random.",
    namespaces=(),
).op.public


@composed(
    "rrelu",
    "input: Tensor, lower: float = 0.125, upper: float = 0.3333333333333333, "
    "training: bool = False, inplace: bool = False, generator: Generator | None = None",
    namespaces=("mt", "nn.functional"),
    module="RReLU",
    kinks=(0.0,),
    summary="Rectify, with slopes drawn at random in training, their mean in evaluation.",
    formula="x if x > 0 else (lower + upper)/2·x",
    derivative="1 if x > 0 else (lower + upper)/2",
    range="(-∞, ∞)",
    limits=(-INFINITY, INFINITY),
    slopes=(11 / 48, 1.0),
    ulp=1,
    ulp_derivative=1,
    reference="Xu et al. 2015, Empirical evaluation of rectified activations, arXiv:1505.00853",
)
def rrelu(
    input: Tensor,
    lower: float = 0.125,
    upper: float = 0.3333333333333333,
    training: bool = False,
    inplace: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Rectify, with slopes drawn at random.

    Args:
        input: a floating-point tensor.
        lower: the least slope of a negative element.
        upper: the largest; both are finite.
        training: draw them anew, one for each element; else their mean is taken.
        inplace: write into the input.
        generator: draws from this one instead of the default one.

    Raises:
        RuntimeError: lower > upper.
    """
    if not isinstance(input, Tensor):
        refuse("rrelu", "input", input)
    if not (lower <= upper and lower > -INFINITY and upper < INFINITY):
        raise RuntimeError(
            "rrelu: Lower bound should be less than or equal to the upper bound, both finite; got "
            f"lower={lower!r}, upper={upper!r}"
        )
    if inplace:
        from microtensor.ops.inplace import store

        return store(
            "rrelu_", input, lambda x: rrelu(x, lower, upper, training, generator=generator)
        )
    if not training:
        return leaky_relu.op.public(input, (lower + upper) / 2)
    if input._array.dtype.kind != "f":
        refuse_integers("rrelu", input._array)
    return _rrelu_public(input, float(lower), float(upper), state_of(generator))


offer_in_place(
    "rrelu",
    rrelu,
    "input: Tensor, lower: float = 0.125, upper: float = 0.3333333333333333, "
    "training: bool = False, generator: Generator | None = None",
    ("mt", "nn.functional"),
)


def _left(x: Any, low: Any, high: Any, value: Any) -> Any:
    """Give what a piece of srelu's has on the left, and nothing elsewhere, not even 0·∞."""
    return where(lt(x, high), where(gt(x, low), 0.0, value), 0.0)


srelu: Any = activation(
    "srelu",
    None,
    "lower_threshold: Tensor, lower_slope: Tensor, upper_threshold: Tensor, upper_slope: Tensor",
    module="SReLU",
    learned={
        "lower_threshold": (
            lambda x, low, slope, high, other: _left(x, low, high, sub(1.0, slope)),
            None,
        ),
        "lower_slope": (
            lambda x, low, slope, high, other: _left(x, low, high, sub(x, low)),
            lambda x, low, slope, high, other: _left(x, low, high, 1.0),
        ),
        "upper_threshold": (
            lambda x, low, slope, high, other: where(lt(x, high), 0.0, sub(1.0, other)),
            None,
        ),
        "upper_slope": (
            lambda x, low, slope, high, other: where(lt(x, high), 0.0, sub(x, high)),
            lambda x, low, slope, high, other: where(lt(x, high), 0.0, 1.0),
        ),
    },
    kinks=(-1.0, 1.0),
    samples=samples.given(
        (((3, 4), *(np.array([v]) for v in (-0.6, 0.3, 0.7, 0.2))), {}),
        (((2, 3, 2), *(np.array([[v], [v], [v]]) for v in (-0.6, 0.3, 0.7, 0.2))), {}),
        (((2, 3), *(np.array([v, v, v]) for v in (-0.6, 0.3)), (1,), (2, 1)), {}),
    ),
    summary="Bend a straight line at two learned thresholds, to learned slopes.",
    formula="upper_threshold + upper_slope·(x - upper_threshold) if x >= upper_threshold else "
    "lower_threshold + lower_slope·(x - lower_threshold) if x <= lower_threshold else x",
    derivative="upper_slope if x >= upper_threshold else "
    "lower_slope if x <= lower_threshold else 1",
    range="(-∞, ∞)",
    limits=(-INFINITY, INFINITY),
    ulp=2,
    ulp_derivative=1,
    sums=True,
    reference="Jin et al. 2016, Deep learning with S-shaped rectified linear activation units, "
    "arXiv:1512.07030",
)

_rectified_square: Any = lambda x: mul(clamp(x, min=0.0), clamp(x, min=0.0))  # noqa: E731

star_relu: Any = activation(
    "star_relu",
    lambda x, scale, bias: mul(where(gt(x, 0.0), 2.0, 0.0), scale),
    "scale: Tensor, bias: Tensor",
    module="StarReLU",
    learned={
        "scale": (
            lambda x, scale, bias: _rectified_square(x),
            lambda x, scale, bias: mul(clamp(x, min=0.0), 2.0),
        ),
        "bias": (lambda x, scale, bias: 1.0, lambda x, scale, bias: 0.0),
    },
    samples=samples.given((((3, 4), (1,), (1,)), {}), (((2, 3), (3,), (1,)), {})),
    summary="Rectify, square, and scale to mean 0 and variance 1.",
    formula="scale·max(0, x)² + bias",
    derivative="scale·2·max(0, x)",
    range="[bias, ∞)",
    limits=(-0.4472, INFINITY),
    slopes=(0.0, INFINITY),
    ulp=3,
    ulp_derivative=1.5,
    sums=True,
    reference="Yu et al. 2022, MetaFormer baselines for vision, arXiv:2210.13452",
)


_apl: Any = activation(
    "apl",
    None,
    "slopes: Tensor, hinges: Tensor",
    module="APL",
    learned={
        "slopes": (
            lambda x, slopes, hinges: clamp(sub(hinges, x), min=0.0),
            lambda x, slopes, hinges: where(gt(sub(hinges, x), 0.0), -1.0, 0.0),
        ),
        "hinges": (
            lambda x, slopes, hinges: where(gt(sub(hinges, x), 0.0), slopes, 0.0),
            None,
        ),
    },
    terms=True,
    namespaces=(),
    kinks=(0.0,),
    samples=samples.given(
        (((3, 4), (2, 1, 1), (2, 1, 1)), {}), (((2, 3, 4), (3, 1, 3, 1), (3, 1, 3, 1)), {})
    ),
    summary="Add learned hinges to a rectifier: adaptive piecewise linear.",
    formula="max(0, x) + Σ slopes[s]·max(0, hinges[s] - x)",
    derivative="(1 if x > 0 else 0) - Σ (slopes[s] if x < hinges[s] else 0)",
    range="(-∞, ∞)",
    ulp=4,
    ulp_derivative=4,
    sums=True,
    reference="Agostinelli et al. 2015, Learning activation functions to improve deep neural "
    "networks, arXiv:1412.6830",
)


@publish("input: Tensor, slopes: Tensor, hinges: Tensor", namespaces=("nn.functional",))
def apl(input: Tensor, slopes: Tensor, hinges: Tensor) -> Tensor:
    """Add learned hinges to a rectifier: max(0, x) + Σ slopes[s]·max(0, hinges[s] - x).

    Args:
        input: a floating-point tensor.
        slopes: of shape (S, ...), where what follows S broadcasts with the input.
        hinges: of the same shape.

    Raises:
        RuntimeError: slopes and hinges of different shapes.

    References:
        Agostinelli et al. 2015, arXiv:1412.6830
    """
    if not isinstance(input, Tensor):
        refuse("apl", "input", input)
    if not isinstance(slopes, Tensor) or not isinstance(hinges, Tensor):
        refuse("apl", "slopes", slopes if not isinstance(slopes, Tensor) else hinges)
    shape = slopes._array.shape
    if shape != hinges._array.shape or not shape:
        raise RuntimeError(
            "apl: slopes and hinges must both be of shape (S, ...), got "
            f"{list(shape)} and {list(hinges._array.shape)}"
        )
    missing = input._array.ndim + 1 - len(shape)
    if missing > 0:  # S stands before every dimension of the input
        shape = (shape[0], *[1] * missing, *shape[1:])
        slopes, hinges = reshape(slopes, shape), reshape(hinges, shape)
    return _apl.op.public(input, slopes, hinges)
