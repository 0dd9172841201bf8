"""Linear, and the module that does nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtensor import dtypes
from microtensor.nn import functional as F
from microtensor.nn import init
from microtensor.nn.factory import checked_count, kind_of, parameter
from microtensor.nn.module import Module
from microtensor.nn.parameter import Parameter
from microtensor.tensor import Tensor, wrap


class Identity(Module):
    """Return the input; any arguments of the constructor are ignored.

    Example:
        >>> from microtensor import nn
        >>> nn.Identity(54, unused=0.1)
        Identity()
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Return `input` itself."""
        return input


class Linear(Module):
    """Apply an affine map to the last dimension.

    .. math:: y = x W^T + b

    Args:
        in_features: length of the input's last dimension.
        out_features: length of the output's last dimension.
        bias: whether to add b.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Attributes:
        weight: (out_features, in_features), drawn from U(-k, k) with k = 1/sqrt(in_features).
        bias: (out_features,), drawn likewise; None if `bias` was False.

    Raises:
        TypeError: a number of features is not an integer.
        ValueError: a number of features is negative.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Linear(3, 2)(mt.ones(5, 3)).shape
        microtensor.Size([5, 2])
    """

    in_features: int
    out_features: int
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: dtypes.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, count in (("in_features", in_features), ("out_features", out_features)):
            if isinstance(count, bool) or not isinstance(count, int | np.integer):
                raise TypeError(f"Linear: {name} must be an int, got {type(count).__name__}")
            if count < 0:
                raise ValueError(f"Linear: {name} must not be negative, got {count}")
        if device is not None and str(device).split(":")[0] != "cpu":
            raise RuntimeError(
                f"Linear: device must be 'cpu', the only one there is; got {device!r}"
            )
        kind = (dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)).numpy
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(wrap(np.empty((out_features, in_features), kind)))
        if bias:
            self.bias = Parameter(wrap(np.empty(out_features, kind)))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        # With a = sqrt(5) the bound of kaiming_uniform_ is 1/sqrt(fan_in).
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Return the map of `input`, of shape (..., in_features), as (..., out_features)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Bilinear(Module):
    r"""Apply a bilinear form to two inputs: :math:`y_k = x_1^T W_k x_2 + b_k`.

    Args:
        in1_features: length of the first input's last dimension.
        in2_features: length of the second's.
        out_features: length of the output's.
        bias: whether to add b.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Attributes:
        weight: (out_features, in1_features, in2_features), from U(-k, k), k = 1/sqrt(in1_features).
        bias: (out_features,), drawn likewise; None if `bias` was False.

    Raises:
        ValueError: `in1_features` is not positive.
        RuntimeError: inputs that do not fit.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Bilinear(3, 4, 2)(mt.ones(5, 3), mt.ones(5, 4)).shape
        microtensor.Size([5, 2])
    """

    in1_features: int
    in2_features: int
    out_features: int
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: dtypes.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in1_features = checked_count("Bilinear", "in1_features", in1_features, 1)
        self.in2_features = checked_count("Bilinear", "in2_features", in2_features)
        self.out_features = checked_count("Bilinear", "out_features", out_features)
        kind = kind_of("Bilinear", device, dtype)
        self.weight = parameter((out_features, in1_features, in2_features), kind)
        self.register_parameter("bias", parameter((out_features,), kind) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Return the form of inputs (..., in1_features) and (..., in2_features)."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
