"""Initial values for parameters: each function fills a tensor in place and returns it.

All draw from the default generator, which ``microtensor.manual_seed`` seeds, unless given another.
None of them is recorded for differentiation.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import random
from microtensor.random import Generator
from microtensor.tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d"), 1.0),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), 1.0),
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which to scale weights in front of a nonlinearity.

    1 for linear maps, convolutions and sigmoid; 5/3 for tanh; sqrt(2) for relu;
    sqrt(2 / (1 + slope^2)) for leaky_relu; 3/4 for selu.

    Args:
        nonlinearity: the function's name in ``nn.functional``.
        param: the negative slope of leaky_relu; 0.01 unless given.

    Raises:
        ValueError: the name is not among these, or the slope is not a number.

    Example:
        >>> from microtensor.nn import init
        >>> init.calculate_gain("leaky_relu", 1.0)
        1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        legal = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}; supported are {legal}")
    return _GAINS[nonlinearity]


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with values uniform in [a, b).

    Raises:
        TypeError: the tensor's dtype is not a floating-point one.
        ValueError: `a` is greater than `b`.
    """
    _require_floating("uniform_", tensor)
    if not a <= b:
        raise ValueError(f"uniform_: a must not be greater than b, got a={a}, b={b}")
    dtype = tensor._array.dtype
    # Numbers are drawn in float32 or float64; float16 is rounded from the former.
    values = random.uniform(tensor._array.shape, np.promote_types(dtype, np.float32), generator)
    values *= b - a
    values += a
    return _write(tensor, values)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with values from the normal distribution.

    Raises:
        TypeError: the tensor's dtype is not a floating-point one.
        ValueError: `std` is negative.
    """
    _require_floating("normal_", tensor)
    if not std >= 0:
        raise ValueError(f"normal_: std must not be negative, got {std}")
    values = random.normal(tensor._array.shape, np.float64, generator)
    return _write(tensor, values * std + mean)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with values from the normal distribution on condition that they lie in [a, b].

    Args:
        tensor: what to fill.
        mean: of the normal distribution before it is cut off.
        std: of the normal distribution before it is cut off; positive.
        a: the least value; may be minus infinity.
        b: the greatest value; may be infinity.
        generator: the source of randomness.

    Raises:
        TypeError: the tensor's dtype is not a floating-point one.
        ValueError: `a` is not below `b`, or `std` not positive.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.nn import init
        >>> bool((init.trunc_normal_(mt.empty(100), std=5.0).abs() <= 2).all())
        True
    """
    _require_floating("trunc_normal_", tensor)
    if not a < b:
        raise ValueError(f"trunc_normal_: a must be less than b, got a={a}, b={b}")
    if not std > 0:
        raise ValueError(f"trunc_normal_: std must be positive, got {std}")
    low, high = (a - mean) / std, (b - mean) / std
    if _normal_cdf(high) - _normal_cdf(low) > 0.3:
        values = _normal_by_rejection(tensor._array.shape, low, high, generator)
    else:
        values = _normal_by_inversion(tensor._array.shape, low, high, generator)
    # Rounding may carry a value past the bounds; what is left of that is the bounds' own.
    return _write(tensor, np.clip(values * std + mean, a, b))


def _normal_cdf(x: float) -> float:
    # erfc keeps its precision in the lower tail, where 1 + erf would cancel.
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _normal_by_rejection(
    shape: tuple[int, ...], low: float, high: float, generator: Generator | None
) -> Any:
    """Redraw what falls outside: quick while most of it falls inside."""
    values = random.normal(shape, np.float64, generator)
    while (outside := (values < low) | (values > high)).any():
        values[outside] = random.normal((int(outside.sum()),), np.float64, generator)
    return values


def _normal_by_inversion(
    shape: tuple[int, ...], low: float, high: float, generator: Generator | None
) -> Any:
    """Map uniform values through the inverse of the distribution function: right in any tail."""
    from statistics import NormalDist  # costs ten milliseconds, and is seldom wanted

    # In the upper tail probabilities round to 1; by symmetry it can be had from the lower one.
    mirrored = low > 0
    if mirrored:
        low, high = -high, -low
    first, last = _normal_cdf(low), _normal_cdf(high)
    uniform = random.uniform(shape, np.float64, generator)
    probabilities = np.clip(first + uniform * (last - first), 5e-324, 1 - 2**-53)
    inverse = NormalDist().inv_cdf
    values = np.array([inverse(p) for p in probabilities.ravel().tolist()]).reshape(shape)
    return -values if mirrored else values


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value."""
    return _write(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return _write(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return _write(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill with the identity matrix, so that a linear layer keeps as many inputs as it can.

    Raises:
        ValueError: the tensor does not have two dimensions.
    """
    _require_dimensions("eye_", tensor, (2,))
    return _write(tensor, np.eye(*tensor._array.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight so that it keeps as many input channels as it can.

    Args:
        tensor: of shape (out_channels, in_channels / groups, ...), with 3 to 5 dimensions.
        groups: the number of groups of channels, each of which keeps its own.

    Raises:
        ValueError: wrong number of dimensions, or `groups` does not divide the output channels.
    """
    _require_dimensions("dirac_", tensor, (3, 4, 5))
    shape = tensor._array.shape
    if groups < 1 or shape[0] % groups != 0:
        raise ValueError(
            f"dirac_: dim 0 must be divisible by groups, got {shape[0]} channels in {groups} groups"
        )
    per_group = shape[0] // groups
    kept = np.arange(min(per_group, shape[1]))
    centre = tuple(length // 2 for length in shape[2:])
    values = np.zeros(shape)
    for group in range(groups):
        values[(group * per_group + kept, kept, *centre)] = 1
    return _write(tensor, values)


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with values uniform in ±gain·sqrt(6 / (fan_in + fan_out)).

    Raises:
        ValueError: the tensor has fewer than two dimensions.

    References:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
        networks, AISTATS 2010, equation 16.
    """
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with normal values of standard deviation gain·sqrt(2 / (fan_in + fan_out)).

    Raises:
        ValueError: the tensor has fewer than two dimensions.

    References:
        Glorot and Bengio, as for :func:`xavier_uniform_`, equation 12.
    """
    return normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with values uniform in ±gain·sqrt(3 / fan).

    Args:
        tensor: a weight of shape (out, in, ...).
        a: the negative slope, if the nonlinearity is leaky_relu.
        mode: ``"fan_in"`` keeps the variance of the forward pass, ``"fan_out"`` that of the
            backward pass.
        nonlinearity: what follows the layer, as for :func:`calculate_gain`.
        generator: the source of randomness.

    Raises:
        ValueError: fewer than two dimensions, or an unknown mode or nonlinearity.

    References:
        He et al., Delving deep into rectifiers, ICCV 2015, equations 10 and 14.
    """
    if _nothing_to_do(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal values of standard deviation gain / sqrt(fan).

    Arguments, errors and reference as for :func:`kaiming_uniform_`.
    """
    if _nothing_to_do(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a random matrix whose rows, or columns if they are fewer, are orthonormal.

    Args:
        tensor: of two dimensions or more; those after the first count as one.
        gain: factor of the whole.
        generator: the source of randomness.

    Raises:
        ValueError: the tensor has fewer than two dimensions.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.nn import init
        >>> weight = init.orthogonal_(mt.empty(2, 3, dtype=mt.float64))
        >>> bool(((weight @ weight.T - mt.eye(2, dtype=mt.float64)).abs() < 1e-15).all())
        True

    References:
        Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear neural
        networks, ICLR 2014; the signs that make it uniform: Mezzadri, Notices of the AMS 54, 2007.
    """
    _require_floating("orthogonal_", tensor)
    if tensor._array.ndim < 2:
        raise ValueError(
            f"orthogonal_: tensor must have 2 or more dimensions, got {tensor._array.ndim}"
        )
    if tensor._array.size == 0:
        return tensor
    rows = tensor._array.shape[0]
    matrix = random.normal((rows, tensor._array.size // rows), np.float64, generator)
    wide = matrix.shape[0] < matrix.shape[1]
    # In float64 whatever the tensor's dtype, so that a float32 result is orthogonal to rounding.
    q, r = np.linalg.qr(matrix.T if wide else matrix)
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return _write(tensor, gain * (q.T if wide else q).reshape(tensor._array.shape))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Fill a matrix with normal values, and set a fraction of each column to zero.

    Args:
        tensor: of two dimensions.
        sparsity: the fraction, from 0 to 1; the number of zeros per column is rounded up.
        std: standard deviation of the other values.
        generator: the source of randomness.

    Raises:
        ValueError: the tensor does not have two dimensions, or `sparsity` is not in [0, 1].

    References:
        Martens, Deep learning via Hessian-free optimization, ICML 2010.
    """
    _require_dimensions("sparse_", tensor, (2,))
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: sparsity must be between 0 and 1, got {sparsity}")
    normal_(tensor, 0.0, std, generator)
    rows, columns = tensor._array.shape
    zeros = math.ceil(sparsity * rows)
    for column in range(columns):
        tensor._array[random.permutation(rows, generator)[:zeros], column] = 0
    return tensor


def _old_name(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Give a function under the name it had before those that write in place ended in ``_``."""
    new = function.__name__
    old = new.rstrip("_")

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old
    renamed.__doc__ = f"Do what :func:`{new}` does, under its old name."
    return renamed


constant = _old_name(constant_)
dirac = _old_name(dirac_)
eye = _old_name(eye_)
kaiming_normal = _old_name(kaiming_normal_)
kaiming_uniform = _old_name(kaiming_uniform_)
normal = _old_name(normal_)
orthogonal = _old_name(orthogonal_)
sparse = _old_name(sparse_)
uniform = _old_name(uniform_)
xavier_normal = _old_name(xavier_normal_)
xavier_uniform = _old_name(xavier_uniform_)


def _write(tensor: Tensor, values: Any) -> Tensor:
    """Write into the tensor's memory, past autograd but not past its version counter."""
    tensor._array[...] = values
    tensor._cell[0] += 1
    return tensor


def _require_floating(name: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point():
        raise TypeError(f"{name}: tensor must be of a floating-point dtype, got {tensor.dtype}")


def _require_dimensions(name: str, tensor: Tensor, legal: tuple[int, ...]) -> None:
    if tensor._array.ndim not in legal:
        wanted = " or ".join(map(str, legal))
        raise ValueError(f"{name}: tensor must have {wanted} dimensions, got {tensor._array.ndim}")


def _nothing_to_do(tensor: Tensor) -> bool:
    if tensor._array.size == 0:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return True
    return False


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs an output has, and how many outputs an input feeds."""
    shape = tensor._array.shape
    if len(shape) < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, "
            f"got {len(shape)}"
        )
    receptive_field = math.prod(shape[2:])
    return shape[1] * receptive_field, shape[0] * receptive_field


def _xavier_std(tensor: Tensor, gain: float) -> float:
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    # Only an empty tensor has no fan at all, and it has nothing to fill.
    return gain * math.sqrt(2.0 / max(fan_in + fan_out, 1))


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    modes = ["fan_in", "fan_out"]
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {modes}")
    fan = _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)
