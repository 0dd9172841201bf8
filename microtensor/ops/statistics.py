"""Variance, standard deviation and the logarithm of sums of exponentials, each a kernel of its own.

A variance as a composite (the mean of squares less the square of the mean) would lose its digits
where the mean is large beside it, and cost several passes where the kernel needs two.
"""

from __future__ import annotations

from typing import Any

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import add, div, mul, sub
from microtensor.ops.arrays import Array, dims_of, dropped, empty, kept_shape, reduced_shape
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.powers import exp
from microtensor.ops.promotion import to_float
from microtensor.ops.reductions import count_of, mean, mean_slope, spread
from microtensor.tensor import Tensor

_DIMS = "int | tuple[int, ...] | None"
_INFINITY, _NAN = float("inf"), float("nan")


def _centred_forward(x: Array, dim: Any) -> Array:
    out = empty(x.shape, x.dtype)
    kernels.centre(x, dims_of(dim, x.ndim, "centred"), out)
    return out


centred: Any = declare(
    "centred",
    "input: Tensor, dim: Any",
    _centred_forward,
    rules={"input": lambda g, dim: centred(g, dim)},
    summary="Subtract the mean over dimensions.",
    formula="x - mean x",
    namespaces=(),
    samples=samples.given(
        (((3, 4),), {"dim": None}), (((2, 3, 4),), {"dim": (0, 2)}), (((4,),), {"dim": -1})
    ),
)


def _var_slope(g: Any, x: Any, dim: Any, correction: float) -> Any:
    """Carry a gradient through a variance: 2 (x - mean) / (count - correction)."""
    freedom = count_of(x.shape, dim) - correction
    deviation = centred(x, dim)
    if freedom <= 0:  # no variance is defined: 0/0 where an element is the mean, else infinite
        return mul(spread(g, x.shape, dim), where(eq(deviation, 0.0), _NAN, _INFINITY))
    return mul(spread(mul(g, 2.0 / freedom), x.shape, dim), deviation)


def _std_rule(g: Any, x: Any, y: Any, dim: Any, correction: float) -> Any:
    # Where nothing varies, the gradient is zero, as PyTorch has it.
    flat = eq(y, 0.0)
    return _var_slope(div(where(flat, 0.0, g), mul(where(flat, 1.0, y), 2.0)), x, dim, correction)


_SAMPLES = samples.given(
    (((3, 4),), {}),
    (((3, 4),), {"dim": 1, "correction": 0}),
    (((2, 3, 4),), {"dim": (0, -1), "keepdim": True, "correction": 1.5}),
    (((5,),), {"dim": 0}),
)


def _floating(name: str, x: Array) -> None:
    if x.dtype.kind != "f":
        raise RuntimeError(
            f"{name}(): std and var only support floating point dtypes, not {x.dtype.name}; "
            "convert with .float()"
        )


def _moment(name: str, kernel: Any, rule: Any, summary: str, formula: str) -> Any:
    def forward(x: Array, dim: Any = None, correction: float = 1, keepdim: bool = False) -> Array:
        _floating(name, x)
        dims = dims_of(dim, x.ndim, name)
        out = empty(reduced_shape(x.shape, dims, keepdim), x.dtype)
        kernel(x, dims, float(correction), out)
        return out

    return declare(
        name,
        f"input: Tensor, dim: {_DIMS} = None, correction: float = 1, keepdim: bool = False",
        forward,
        rules={"input": rule},
        summary=summary,
        formula=formula,
        namespaces=(),
        samples=_SAMPLES,
    )


_var = _moment(
    "var",
    kernels.var,
    lambda g, x, dim, correction: _var_slope(g, x, dim, correction),
    "Give the variance, of all elements or over dimensions.",
    "Σ (x - mean x)² / (count - correction)",
)
_std = _moment(
    "std",
    kernels.std,
    _std_rule,
    "Give the standard deviation, of all elements or over dimensions.",
    "√(Σ (x - mean x)² / (count - correction))",
)


def _chosen(name: str, input: Any, dim: Any, unbiased: Any, correction: Any) -> tuple[Any, float]:
    """Read PyTorch's two ways of asking: ``unbiased`` (perhaps alone), or ``correction``."""
    if not isinstance(input, Tensor):
        refuse(name, "input", input)
    if isinstance(dim, bool):
        if unbiased is not None:
            raise TypeError(f"{name}(): dim must be an int, a tuple of ints or None, not {dim}")
        dim, unbiased = None, dim
    if unbiased is not None:
        if correction is not None:
            raise TypeError(f"{name}(): give either unbiased or correction, not both")
        return dim, 1 if unbiased else 0
    return dim, 1 if correction is None else correction


_SIGNATURE = (
    f"input: Tensor, dim: {_DIMS} = None, unbiased: bool | None = None, keepdim: bool = False, *, "
    "correction: float | None = None"
)
_ARGUMENTS = """

    Args:
        input: a floating-point tensor.
        dim: the dimensions to reduce; all if None.
        unbiased: divide by count - 1 (the default), or by count; may stand in the place of dim.
        keepdim: keep the reduced dimensions with length 1.
        correction: what is subtracted from the count to divide by; 1 by default.
"""


def _published(name: str, compute: Any, summary: str, example: str, method: str | None) -> Any:
    def function(
        input: Any,
        dim: Any = None,
        unbiased: Any = None,
        keepdim: bool = False,
        *,
        correction: Any = None,
    ) -> Any:
        dim, correction = _chosen(name, input, dim, unbiased, correction)
        return compute(input, dim, correction, keepdim)

    function.__name__ = name
    function.__doc__ = (
        f"{summary}{_ARGUMENTS}\n    Raises:\n        RuntimeError: the tensor is not of floating "
        f"point.\n\n    Example:\n        >>> import microtensor as mt\n{example}"
    )
    return publish(_SIGNATURE, method=method, name=name)(function)


def _var_mean_forward(
    x: Array, dim: Any = None, correction: float = 1, keepdim: bool = False
) -> tuple[Array, Array]:
    _floating("var_mean", x)
    dims = dims_of(dim, x.ndim, "var_mean")
    shape = reduced_shape(x.shape, dims, keepdim)
    variance, average = empty(shape, x.dtype), empty(shape, x.dtype)
    kernels.var_mean(x, dims, float(correction), variance, average)
    return variance, average


def _var_mean_rule(g_var: Any, g_mean: Any, x: Any, dim: Any, correction: float) -> Any:
    parts = []
    if g_var is not None:
        parts.append(_var_slope(g_var, x, dim, correction))
    if g_mean is not None:
        parts.append(mean_slope(g_mean, x.shape, dim))
    return parts[0] if len(parts) == 1 else add(*parts)


_var_mean = declare(
    "var_mean",
    f"input: Tensor, dim: {_DIMS} = None, correction: float = 1, keepdim: bool = False",
    _var_mean_forward,
    rules={"input": _var_mean_rule},
    outputs=("var", "mean"),
    summary="Give the variance and the mean, in one pass through the data.",
    namespaces=(),
    samples=_SAMPLES,
).op.public


def _std_mean(input: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    return _std(input, dim, correction, keepdim), mean(input, dim, keepdim)


var = _published(
    "var",
    _var,
    "Give the variance, of all elements or over dimensions: NaN where it is not defined.",
    "        >>> mt.tensor([1.0, 2.0, 6.0]).var()\n        tensor(7.)",
    "var",
)
std = _published(
    "std",
    _std,
    "Give the standard deviation, of all or over dimensions: NaN where it is not defined.",
    "        >>> mt.tensor([1.0, 3.0]).std(correction=0)\n        tensor(1.)",
    "std",
)
var_mean = _published(
    "var_mean",
    _var_mean,
    "Give the variance and the mean, of all elements or over dimensions.",
    "        >>> mt.var_mean(mt.tensor([1.0, 2.0, 6.0]))\n        (tensor(7.), tensor(3.))",
    None,
)
std_mean = _published(
    "std_mean",
    _std_mean,
    "Give the standard deviation and the mean, of all elements or over dimensions.",
    "        >>> mt.std_mean(mt.tensor([1.0, 3.0]), False)\n        (tensor(1.), tensor(2.))",
    None,
)


# ---- log of sums of exponentials ----------------------------------------------------------------


def _logsumexp_forward(x: Array, dim: Any, keepdim: bool = False) -> Array:
    if dim is None:
        raise TypeError("logsumexp(): argument 'dim' must be an int or a tuple of ints, not None")
    x = to_float(x)
    dims = dims_of(dim, x.ndim, "logsumexp")
    out = empty(kept_shape(x.shape, dims), x.dtype)
    kernels.logsumexp(x, dims, out)
    return dropped(out, dims, keepdim)


logsumexp: Any = declare(
    "logsumexp",
    "input: Tensor, dim: int | tuple[int, ...], keepdim: bool = False",
    _logsumexp_forward,
    rules={
        "input": lambda g, x, y, dim: mul(
            spread(g, x.shape, dim), exp(sub(x, spread(y, x.shape, dim)))
        )
    },
    summary="Give the logarithm of the sum of exponentials over dimensions, without overflow.",
    formula="log Σ eˣ",
    derivative="exp(x - y)",
    method="logsumexp",
    samples=samples.given(
        (((3, 4),), {"dim": 1}),
        (((2, 3, 4),), {"dim": (0, -1), "keepdim": True}),
        (((3, 4),), {"dim": ()}),
        (((),), {"dim": 0}),
        (((2, 0),), {"dim": 0}),
    ),
)
