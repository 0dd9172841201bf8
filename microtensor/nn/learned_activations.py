"""The activations with learned parameters, and the one with random ones, as modules."""

from __future__ import annotations

import math
from typing import Any

from microtensor.nn import functional as F
from microtensor.nn.module import Module
from microtensor.nn.parameter import Parameter
from microtensor.ops.creation import empty, full
from microtensor.tensor import Tensor


def _check_count(module: str, name: str, count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"{module}: {name} must be a whole number of at least 1, got {count!r}")


def _filled(count: int, value: float, device: Any, dtype: Any) -> Parameter:
    return Parameter(full((count,), float(value), device=device, dtype=dtype))


def _beside(count: int, input: Tensor) -> tuple[int, ...]:
    """Give the shape in which `count` numbers stand along the channels of an input.

    They are its second dimension, or its only one.
    """
    dim = input.dim()
    if count == 1:
        return (1,) if dim else ()  # or a single number's result would have a dimension
    if not dim or input.shape[min(dim, 2) - 1] != count:
        raise RuntimeError(
            f"the input's second dimension must hold the {count} channels that num_parameters is, "
            f"got shape {list(input.shape)}"
        )
    return (count, *[1] * (dim - 2))


def _reshaped(parameter: Tensor, shape: tuple[int, ...]) -> Tensor:
    return parameter if parameter.shape == shape else parameter.reshape(shape)


class RReLU(Module):
    """Rectify, with slopes drawn at random in training, their mean in evaluation.

    Args:
        lower: the least slope of a negative element.
        upper: the largest.
        inplace: whether to overwrite the input.

    Raises:
        ValueError: lower > upper, or one that is not finite.

    References:
        Xu et al. 2015, arXiv:1505.00853
    """

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False
    ) -> None:
        super().__init__()
        if not -math.inf < lower <= upper < math.inf:
            raise ValueError(
                f"RReLU: needs lower <= upper, both finite, got lower={lower!r}, upper={upper!r}"
            )
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return rrelu of `input`."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"lower={self.lower}, upper={self.upper}" + (
            ", inplace=True" if self.inplace else ""
        )


class PReLU(Module):
    """Rectify, with a learned slope for what is negative: x if x > 0 else weight·x.

    Args:
        num_parameters: 1, or the number of channels, the input's second dimension.
        init: the slopes at first.
        device: ignored; the CPU.
        dtype: of the weight.

    Attributes:
        weight: the slopes, of shape (num_parameters,).

    References:
        He et al. 2015, arXiv:1502.01852
    """

    weight: Parameter

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        _check_count("PReLU", "num_parameters", num_parameters)
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slopes to what they are at first."""
        self.weight.data.fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        """Return prelu of `input`."""
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """Return the number of parameters."""
        return f"num_parameters={self.num_parameters}"


class _PerChannel(Module):
    """An activation with some learned parameters, each one number or one per channel."""

    _names: tuple[str, ...]

    def __init__(self, num_parameters: int, values: tuple[float, ...], device: Any, dtype: Any):
        super().__init__()
        _check_count(type(self).__name__, "num_parameters", num_parameters)
        self.num_parameters = num_parameters
        for name, value in zip(self._names, values, strict=True):
            setattr(self, name, _filled(num_parameters, value, device, dtype))

    def forward(self, input: Tensor) -> Tensor:
        """Return the activation of `input`."""
        shape = _beside(self.num_parameters, input)
        given = [_reshaped(getattr(self, name), shape) for name in self._names]
        result: Tensor = self._function(input, *given)
        return result

    _function: Any

    def extra_repr(self) -> str:
        """Return the number of parameters."""
        return f"num_parameters={self.num_parameters}"


class SReLU(_PerChannel):
    """Bend a straight line at two learned thresholds, to learned slopes.

    Args:
        num_parameters: 1, or the number of channels, the input's second dimension.
        lower_threshold: where the left piece begins at first.
        lower_slope: its slope at first.
        upper_threshold: where the right piece begins at first.
        upper_slope: its slope at first.
        device: ignored; the CPU.
        dtype: of the parameters.

    Raises:
        ValueError: lower_threshold > upper_threshold.

    References:
        Jin et al. 2016, arXiv:1512.07030
    """

    _names = ("lower_threshold", "lower_slope", "upper_threshold", "upper_slope")
    _function = staticmethod(F.srelu)

    def __init__(
        self,
        num_parameters: int = 1,
        lower_threshold: float = -1.0,
        lower_slope: float = 0.1,
        upper_threshold: float = 1.0,
        upper_slope: float = 0.1,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if not lower_threshold <= upper_threshold:
            raise ValueError(
                "SReLU: needs lower_threshold <= upper_threshold, got "
                f"lower_threshold={lower_threshold!r}, upper_threshold={upper_threshold!r}"
            )
        values = (lower_threshold, lower_slope, upper_threshold, upper_slope)
        super().__init__(num_parameters, values, device, dtype)


class Snake(_PerChannel):
    """Add a wave of learned frequency to the input: x + sin²(a·x)/a.

    Args:
        num_parameters: 1, or the number of channels, the input's second dimension.
        init: the frequencies at first.
        device: ignored; the CPU.
        dtype: of the parameter.

    References:
        Liu, Hartwig & Ueda 2020, arXiv:2006.08195
    """

    _names = ("a",)
    _function = staticmethod(F.snake)

    def __init__(
        self, num_parameters: int = 1, init: float = 1.0, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(num_parameters, (init,), device, dtype)


class SoftExponential(_PerChannel):
    """Between logarithm, line and exponential, as a learned alpha goes from negative to positive.

    Args:
        num_parameters: 1, or the number of channels, the input's second dimension.
        init: alpha at first.
        device: ignored; the CPU.
        dtype: of the parameter.

    References:
        Godfrey & Gashler 2015, arXiv:1602.01321
    """

    _names = ("alpha",)
    _function = staticmethod(F.soft_exponential)

    def __init__(
        self, num_parameters: int = 1, init: float = 0.0, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(num_parameters, (init,), device, dtype)


class StarReLU(_PerChannel):
    """Rectify, square, scale and shift: scale·relu(x)² + bias.

    Args:
        num_parameters: 1, or the number of channels, the input's second dimension.
        scale: at first; with ``bias`` it gives normal numbers variance 1.
        bias: at first; it gives them mean 0.
        device: ignored; the CPU.
        dtype: of the parameters.

    References:
        Yu et al. 2022, arXiv:2210.13452
    """

    _names = ("scale", "bias")
    _function = staticmethod(F.star_relu)

    def __init__(
        self,
        num_parameters: int = 1,
        scale: float = 0.8944,
        bias: float = -0.4472,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_parameters, (scale, bias), device, dtype)


class APL(Module):
    """Add learned hinges to a rectifier: relu(x) + Σ slopes[s]·relu(hinges[s] - x).

    Args:
        num_hinges: S, how many.
        num_parameters: 1, or the number of channels, the input's second dimension.
        device: ignored; the CPU.
        dtype: of the parameters.

    Attributes:
        slopes: of shape (S, num_parameters), at first 0.2 divided by S.
        hinges: of the same shape, at first spread evenly over [-1, 1].

    References:
        Agostinelli et al. 2015, arXiv:1412.6830
    """

    def __init__(
        self, num_hinges: int = 1, num_parameters: int = 1, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        _check_count("APL", "num_hinges", num_hinges)
        _check_count("APL", "num_parameters", num_parameters)
        self.num_hinges, self.num_parameters = num_hinges, num_parameters
        shape = (num_hinges, num_parameters)
        self.slopes = Parameter(full(shape, 0.2 / num_hinges, device=device, dtype=dtype))
        hinges = full(shape, 0.0, device=device, dtype=dtype)
        for place in range(num_hinges):
            hinges[place] = (2.0 * place + 1.0) / num_hinges - 1.0
        self.hinges = Parameter(hinges)

    def forward(self, input: Tensor) -> Tensor:
        """Return apl of `input`."""
        shape = (self.num_hinges, *_beside(self.num_parameters, input))
        slopes, hinges = _reshaped(self.slopes, shape), _reshaped(self.hinges, shape)
        return F.apl(input, slopes, hinges)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return f"num_hinges={self.num_hinges}, num_parameters={self.num_parameters}"


__all__ = ["APL", "PReLU", "RReLU", "SReLU", "Snake", "SoftExponential", "StarReLU"]
