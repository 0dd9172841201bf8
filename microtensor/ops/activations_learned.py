"""Activations of straight pieces with slopes that are learned, or drawn."""

from __future__ import annotations

from typing import Any

from microtensor.ops import samples
from microtensor.ops.activation_record import (
    INFINITY,
    activation,
    composed,
    offer_in_place,
    refuse_integers,
)
from microtensor.ops.activations_linear import leaky_relu, relu
from microtensor.ops.arithmetic import add, mul, sub
from microtensor.ops.bounds import clamp
from microtensor.ops.choosing import where
from microtensor.ops.comparison import gt, lt
from microtensor.ops.declare import publish, refuse
from microtensor.ops.random_creation import uniform
from microtensor.ops.shape import reshape
from microtensor.random import Generator
from microtensor.tensor import Tensor, wrap

_prelu: Any = activation(
    "prelu",
    None,
    "weight: Tensor",
    kernel="leaky_relu",
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
    drawn = wrap(uniform(input._array.shape, input._array.dtype, generator))
    slopes = add(mul(drawn, upper - lower), lower)
    return mul(input, where(gt(input, 0.0), 1.0, slopes))


offer_in_place(
    "rrelu",
    rrelu,
    "input: Tensor, lower: float = 0.125, upper: float = 0.3333333333333333, "
    "training: bool = False, generator: Generator | None = None",
    ("mt", "nn.functional"),
)


@composed(
    "srelu",
    "input: Tensor, lower_threshold: Tensor, lower_slope: Tensor, upper_threshold: Tensor, "
    "upper_slope: Tensor",
    module="SReLU",
    learned=("lower_threshold", "lower_slope", "upper_threshold", "upper_slope"),
    kinks=(-1.0, 1.0),
    summary="Bend a straight line at two learned thresholds, to learned slopes.",
    formula="upper_threshold + upper_slope·(x - upper_threshold) if x >= upper_threshold else "
    "lower_threshold + lower_slope·(x - lower_threshold) if x <= lower_threshold else x",
    derivative="upper_slope if x >= upper_threshold else "
    "lower_slope if x <= lower_threshold else 1",
    range="(-∞, ∞)",
    limits=(-INFINITY, INFINITY),
    reference="Jin et al. 2016, Deep learning with S-shaped rectified linear activation units, "
    "arXiv:1512.07030",
)
def srelu(
    input: Tensor,
    lower_threshold: Tensor,
    lower_slope: Tensor,
    upper_threshold: Tensor,
    upper_slope: Tensor,
) -> Tensor:
    """Bend a straight line at two thresholds.

    Args:
        input: a floating-point tensor.
        lower_threshold: where the left piece begins; the four broadcast with the input.
        lower_slope: its slope.
        upper_threshold: where the right piece begins.
        upper_slope: its slope.
    """
    if not isinstance(input, Tensor):
        refuse("srelu", "input", input)
    if input._array.dtype.kind != "f":
        refuse_integers("srelu", input._array)
    above, below = sub(input, upper_threshold), sub(input, lower_threshold)
    # Each piece ends at its threshold, so that an infinite element on the other side of it does
    # not come into the gradient of a slope as 0·∞.
    right = add(upper_threshold, mul(upper_slope, clamp(above, min=0.0)))
    left = add(lower_threshold, mul(lower_slope, clamp(below, max=0.0)))
    bent = where(gt(below, 0.0), input, left)
    return where(lt(above, 0.0), bent, right)


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


@composed(
    "apl",
    "input: Tensor, slopes: Tensor, hinges: Tensor",
    module="APL",
    learned=("slopes", "hinges"),
    kinks=(0.0,),
    summary="Add learned hinges to a rectifier: adaptive piecewise linear.",
    formula="max(0, x) + Σ slopes[s]·max(0, hinges[s] - x)",
    derivative="(1 if x > 0 else 0) - Σ (slopes[s] if x < hinges[s] else 0)",
    range="(-∞, ∞)",
    reference="Agostinelli et al. 2015, Learning activation functions to improve deep neural "
    "networks, arXiv:1412.6830",
)
def apl(input: Tensor, slopes: Tensor, hinges: Tensor) -> Tensor:
    """Add learned hinges to a rectifier.

    Args:
        input: a floating-point tensor.
        slopes: of shape (S, ...), where what follows S broadcasts with the input.
        hinges: of the same shape.

    Raises:
        RuntimeError: slopes and hinges of different shapes.
    """
    if not isinstance(slopes, Tensor) or not isinstance(hinges, Tensor):
        refuse("apl", "slopes", slopes if not isinstance(slopes, Tensor) else hinges)
    if slopes._array.shape != hinges._array.shape or not slopes._array.ndim:
        raise RuntimeError(
            "apl: slopes and hinges must both be of shape (S, ...), got "
            f"{list(slopes._array.shape)} and {list(hinges._array.shape)}"
        )
    total = relu.op.public(input)
    for slope, hinge in zip(slopes.unbind(0), hinges.unbind(0), strict=True):
        total = add(total, mul(slope, relu(sub(hinge, input))))
    return total
