"""Activations of straight pieces, and the squares of one."""

from __future__ import annotations

from typing import Any

from microtensor.ops import samples
from microtensor.ops.activation_record import (
    INFINITY,
    activation,
    composed,
    refuse_integers,
)
from microtensor.ops.arithmetic import mul
from microtensor.ops.choosing import where
from microtensor.ops.comparison import gt, lt
from microtensor.ops.declare import publish, refuse
from microtensor.tensor import Tensor

step: Any = activation(
    "step",
    flat=True,
    kernel="unit_step",
    module="Step",
    kinks=(0.0,),
    summary="Give 1 for what is not negative, else 0.",
    formula="1 if x >= 0 else 0",
    derivative="0",
    range="{0, 1}",
    limits=(0.0, 1.0),
    slopes=(0.0, 0.0),
    ulp=0,
    ulp_derivative=0,
    reference="McCulloch & Pitts 1943, A logical calculus of nervous activity",
)


@composed(
    "identity",
    "input: Tensor",
    module="Identity",
    summary="Give the input itself.",
    formula="x",
    derivative="1",
    range="(-∞, ∞)",
    limits=(-INFINITY, INFINITY),
    slopes=(1.0, 1.0),
    ulp=0,
)
def identity(input: Tensor) -> Tensor:
    """Give the input itself, not a copy."""
    if not isinstance(input, Tensor):
        refuse("identity", "input", input)
    if input._array.dtype.kind != "f":
        refuse_integers("identity", input._array)
    return input


relu: Any = activation(
    "relu",
    saves="y",
    module="ReLU",
    inplace_argument=True,
    inplace_function=True,
    method="relu",
    namespaces=("mt", "nn.functional"),
    inplace=True,
    kinks=(0.0,),
    summary="Rectify: pass what is positive, zero elsewhere. NaN stays NaN.",
    formula="max(0, x)",
    derivative="1 if y > 0 else 0",
    range="[0, ∞)",
    limits=(0.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=0,
    ulp_derivative=0,
    reference="Nair & Hinton 2010, Rectified linear units improve restricted Boltzmann machines",
)

leaky_relu: Any = activation(
    "leaky_relu",
    None,
    "negative_slope: float = 0.01",
    module="LeakyReLU",
    inplace_argument=True,
    inplace_function=True,
    kinks=(0.0,),
    summary="Rectify, with a small slope for what is negative.",
    formula="x if x > 0 else negative_slope·x",
    derivative="1 if x > 0 else negative_slope",
    range="(-∞, ∞)",
    limits=(-INFINITY, INFINITY),
    slopes=(0.01, 1.0),
    ulp=1,
    ulp_derivative=1,
    reference="Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic "
    "models",
)

hardsigmoid_op: Any = activation(
    "hardsigmoid",
    None,
    "width: float = 6.0",
    module="Hardsigmoid",
    legal=("width > 0",),
    namespaces=(),
    kinks=(-3.0, 3.0),
    summary="A sigmoid of three straight pieces; its slope is 1/width.",
    formula="min(max(0, x + width/2), width)/width",
    derivative="1/width if abs(x) < width/2 else 0",
    range="[0, 1]",
    limits=(0.0, 1.0),
    slopes=(0.0, 0.0),
    ulp=1.5,
    ulp_derivative=0.5,
    reference="Courbariaux, Bengio & David 2015, BinaryConnect, arXiv:1511.00363",
)


@publish(
    "input: Tensor, inplace: bool = False, slope: float = 0.16666666666666666",
    namespaces=("nn.functional",),
)
def hardsigmoid(input: Tensor, inplace: bool = False, slope: float = 0.16666666666666666) -> Tensor:
    """A sigmoid of three straight pieces: clip(slope·x + 1/2, 0, 1).

    Args:
        input: a floating-point tensor.
        inplace: write into the input.
        slope: of the middle piece; PyTorch's is 1/6, others take 0.2.

    Raises:
        ValueError: a slope that is not positive.

    References:
        Courbariaux, Bengio & David 2015, arXiv:1511.00363
    """
    if not 0 < slope < INFINITY:
        raise ValueError(f"hardsigmoid: needs 0 < slope < inf, got slope={slope!r}")
    if inplace:
        from microtensor.ops.inplace import store

        return store("hardsigmoid_", input, lambda x: hardsigmoid(x, False, slope))
    return hardsigmoid_op.op.public(input, 1.0 / slope)


hardtanh: Any = activation(
    "hardtanh",
    None,
    "min_val: float = -1.0, max_val: float = 1.0",
    module="Hardtanh",
    legal=("min_val <= max_val",),
    inplace_argument=True,
    inplace_function=True,
    kinks=(-1.0, 1.0),
    summary="Hold the elements between two bounds; no gradient passes at them.",
    formula="min(max(min_val, x), max_val)",
    derivative="1 if min_val < x < max_val else 0",
    range="[min_val, max_val]",
    limits=(-1.0, 1.0),
    slopes=(0.0, 0.0),
    ulp=0,
    ulp_derivative=0,
    reference="Collobert 2004, Large scale machine learning",
)

relu6: Any = activation(
    "relu6",
    kernel="hardtanh",
    constants=(0.0, 6.0),
    module="ReLU6",
    inplace_argument=True,
    kinks=(0.0, 6.0),
    summary="Rectify, and hold below 6.",
    formula="min(max(0, x), 6)",
    derivative="1 if 0 < x < 6 else 0",
    range="[0, 6]",
    limits=(0.0, 6.0),
    slopes=(0.0, 0.0),
    ulp=0,
    ulp_derivative=0,
    reference="Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10",
)

signum: Any = activation(
    "signum",
    flat=True,
    module="Signum",
    kinks=(0.0,),
    summary="Give the sign: -1, 0 or 1. NaN stays NaN.",
    formula="sign(x)",
    derivative="0",
    range="{-1, 0, 1}",
    limits=(-1.0, 1.0),
    slopes=(0.0, 0.0),
    ulp=0,
    ulp_derivative=0,
)

absolute: Any = activation(
    "absolute",
    module="Absolute",
    kinks=(0.0,),
    summary="Give the absolute value.",
    formula="abs(x)",
    derivative="sign(x)",
    range="[0, ∞)",
    limits=(INFINITY, INFINITY),
    slopes=(-1.0, 1.0),
    ulp=0,
    ulp_derivative=0,
)

hardswish: Any = activation(
    "hardswish",
    lambda x: where(lt(mul(x, x), 9.0), 1.0 / 3.0, 0.0),
    module="Hardswish",
    inplace_argument=True,
    kinks=(-3.0, 3.0),
    summary="Give x times a hard sigmoid.",
    formula="x·(min(max(0, x + 3), 6)/6)",
    derivative="0 if x <= -3 else 1 if x >= 3 else (2·x + 3)/6",
    range="[-0.375, ∞)",
    limits=(0.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=2,
    ulp_derivative=1.5,
    reference="Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244",
)

hardshrink: Any = activation(
    "hardshrink",
    None,
    "lambd: float = 0.5",
    module="Hardshrink",
    legal=("lambd >= 0",),
    illegal=RuntimeError,
    namespaces=("mt", "nn.functional"),
    method="hardshrink",
    kinks=(-0.5, 0.5),
    summary="Set what is small to zero.",
    formula="0 if abs(x) <= lambd else x",
    derivative="0 if abs(x) <= lambd else 1",
    range="(-∞, ∞)",
    limits=(-INFINITY, INFINITY),
    slopes=(1.0, 1.0),
    ulp=0,
    ulp_derivative=0,
    reference="Donoho & Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage",
)

softshrink: Any = activation(
    "softshrink",
    None,
    "lambd: float = 0.5",
    module="Softshrink",
    legal=("lambd >= 0",),
    illegal=RuntimeError,
    kinks=(-0.5, 0.5),
    summary="Move the elements towards zero by lambd, and no further.",
    formula="0 if abs(x) <= lambd else x - lambd·sign(x)",
    derivative="0 if abs(x) <= lambd else 1",
    range="(-∞, ∞)",
    limits=(-INFINITY, INFINITY),
    slopes=(1.0, 1.0),
    ulp=0.5,
    ulp_derivative=0,
    reference="Donoho 1995, De-noising by soft-thresholding",
)

threshold: Any = activation(
    "threshold",
    None,
    "threshold: float, value: float",
    module="Threshold",
    namespaces=("mt", "nn.functional"),
    inplace_argument=True,
    inplace_function=True,
    kinks=(0.1,),
    samples=samples.one(threshold=0.1, value=20.0, avoid=(0.1,)),
    summary="Set what is not above a threshold to a value.",
    formula="value if x <= threshold else x",
    derivative="0 if x <= threshold else 1",
    range="{value} ∪ (threshold, ∞)",
    limits=(20.0, INFINITY),
    slopes=(0.0, 1.0),
    ulp=0,
    ulp_derivative=0,
)

squared_relu: Any = activation(
    "squared_relu",
    lambda x: where(gt(x, 0.0), 2.0, 0.0),
    module="SquaredReLU",
    summary="Rectify, and square.",
    formula="max(0, x)²",
    derivative="2·max(0, x)",
    range="[0, ∞)",
    samples=samples.one(avoid=(0.0,)),  # where the second derivative jumps
    limits=(0.0, INFINITY),
    slopes=(0.0, INFINITY),
    ulp=0.5,
    ulp_derivative=0.5,
    reference="So et al. 2021, Primer, arXiv:2109.08668",
)
