"""Activations of several numbers at once: a half gates the other, or pieces compete."""

from __future__ import annotations

import math
from typing import Any

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.activation_record import ACTIVATIONS, Activation, refuse_integers
from microtensor.ops.activations_gates import gelu_exact, gelu_slope, silu, silu_slope
from microtensor.ops.activations_linear import relu
from microtensor.ops.activations_sigmoids import sigmoid
from microtensor.ops.arithmetic import add, div, mul, sub
from microtensor.ops.arrays import Array, empty
from microtensor.ops.choosing import where
from microtensor.ops.comparison import eq
from microtensor.ops.declare import declare, parse_signature, registry
from microtensor.ops.extremes import amax
from microtensor.ops.indexing import add_at, index_view
from microtensor.ops.reductions import sum
from microtensor.ops.shape import reshape
from microtensor.tensor import checked_dim


def _folded(name: str, shape: tuple[int, ...], dim: int) -> tuple[int, int]:
    """Give the rows and columns with which a tensor is (rows, 2, columns), in halves along dim."""
    if not shape:
        raise RuntimeError(f"{name}: does not support scalars because halving size must be even")
    dim = checked_dim(dim, len(shape))
    if shape[dim] % 2:
        raise RuntimeError(
            f"{name}: Halving dimension must be even, but dimension {dim} is size {shape[dim]}"
        )
    rows, columns = 1, shape[dim] // 2
    for length in shape[:dim]:
        rows *= length
    for length in shape[dim + 1 :]:
        columns *= length
    return rows, columns


def _dense(x: Array) -> Array:
    return x if x.flags.c_contiguous else x.copy()


def _halves(x: Any, dim: int) -> tuple[Any, Any]:
    """Cut an array or a tensor in two, as ops do."""
    n = x.shape[dim] // 2
    before = (slice(None),) * (dim % len(x.shape))
    return index_view(x, (*before, slice(0, n))), index_view(x, (*before, slice(n, 2 * n)))


def _joined(a: Any, b: Any, dim: int) -> Any:
    dim %= len(a.shape)
    n, before = a.shape[dim], (slice(None),) * dim
    shape = (*a.shape[:dim], 2 * n, *a.shape[dim + 1 :])
    left = add_at(a, (*before, slice(0, n)), shape)
    return add(left, add_at(b, (*before, slice(n, 2 * n)), shape))


def _gated(name: str, gate: Any, slope: Any, **fields: Any) -> Any:
    """Declare a·gate(b) over the halves a and b of a tensor.

    Args:
        name: of the op and of its kernel.
        gate: the activation that opens and closes.
        slope: its record's, from what its gradient reads.
        fields: of the record.
    """
    own, own_backward = getattr(kernels, name), getattr(kernels, f"{name}_backward")
    gate_backward = registry[f"{gate.op.name}_backward"].either
    saves_output = gate.op.saves == "y"

    def forward(x: Array, dim: int = -1) -> Array:
        if x.dtype.kind != "f":
            refuse_integers(name, x)
        rows, columns = _folded(name, x.shape, dim)
        shape = list(x.shape)
        shape[dim] //= 2
        out = empty(tuple(shape), x.dtype)
        if out.size:
            own(_dense(x).reshape(rows, 2, columns), out.reshape(rows, columns))
        return out

    def backward_forward(g: Array, x: Array, dim: int) -> Array:
        rows, columns = _folded(name, x.shape, dim)
        out = empty(x.shape, x.dtype)
        if out.size:
            dense = _dense(g.astype(x.dtype, copy=False)).reshape(rows, columns)
            own_backward(dense, _dense(x).reshape(rows, 2, columns), out.reshape(rows, 2, columns))
        return out

    # The gradient is (g φ(b), g a φ'(b)); its own, for h = (h_a, h_b) come in, follow.
    def by_grad(h: Any, saved: Any, dim: int) -> Any:
        (h_a, h_b), (a, b) = _halves(h, dim), _halves(saved, dim)
        opened = gate(b)
        read = opened if saves_output else b
        return add(mul(h_a, opened), gate_backward(mul(h_b, a), read))

    def by_saved(h: Any, grad: Any, saved: Any, dim: int) -> Any:
        (h_a, h_b), (a, b) = _halves(h, dim), _halves(saved, dim)
        read = gate(b) if saves_output else b
        across = mul(grad, h_b)
        of_b = gate_backward(mul(grad, h_a), read)
        if slope is not None:
            curved = mul(mul(across, a), slope(read))
            of_b = add(of_b, gate_backward(curved, read) if saves_output else curved)
        return _joined(gate_backward(across, read), of_b, dim)

    backward = declare(
        f"{name}_backward",
        "grad: Tensor, saved: Tensor, dim: int",
        backward_forward,
        rules={"grad": by_grad_rule(by_grad), "saved": by_saved_rule(by_saved)},
        summary=f"Give the gradient of {name} from the incoming one and the saved input.",
        namespaces=(),
        samples=samples.given(
            (((3, 2), (3, 4)), {"dim": -1}),
            (((1, 3), (2, 3)), {"dim": 0}),
        ),
    )
    signature = "input: Tensor, dim: int = -1"
    either = declare(
        name,
        signature,
        forward,
        record=Activation,
        rules={"input": lambda g, x, dim: backward(g, x, dim)},
        namespaces=("nn.functional",),
        samples=samples.given(
            (((3, 4),), {"dim": -1}), (((4, 2, 3),), {"dim": 0}), (((0, 2),), {"dim": 1})
        ),
        parameters=tuple(parse_signature(signature)[1:]),
        **fields,
    )
    ACTIVATIONS[name] = either.op
    return either


def by_grad_rule(function: Any) -> Any:
    """Give the rule for the incoming gradient the names that rules read."""
    return lambda g, saved, dim: function(g, saved, dim)


def by_saved_rule(function: Any) -> Any:
    """Give the rule for the saved input the names that rules read."""
    return lambda g, grad, saved, dim: function(g, grad, saved, dim)


glu: Any = _gated(
    "glu",
    sigmoid,
    lambda y: sub(1.0, mul(y, 2.0)),
    module="GLU",
    summary="Gated linear unit: the first half times the sigmoid of the second.",
    formula="a·σ(b)",
    derivative="(σ(b), a·σ(b)·σ(-b))",
    range="(-∞, ∞)",
    reference="Dauphin et al. 2017, Language modeling with gated convolutional networks, "
    "arXiv:1612.08083",
)
_SHAZEER = "Shazeer 2020, GLU variants improve transformer, arXiv:2002.05202"
reglu: Any = _gated(
    "reglu",
    relu,
    None,
    module="ReGLU",
    kinks=(0.0,),
    summary="The first half times the relu of the second.",
    formula="a·max(0, b)",
    derivative="(max(0, b), a if b > 0 else 0)",
    range="(-∞, ∞)",
    reference=_SHAZEER,
)
geglu: Any = _gated(
    "geglu",
    gelu_exact,
    gelu_slope,
    module="GEGLU",
    summary="The first half times the exact gelu of the second.",
    formula="a·b·Φ(b)",
    derivative="(b·Φ(b), a·(Φ(b) + b·φ(b)))",
    range="(-∞, ∞)",
    reference=_SHAZEER,
)
swiglu: Any = _gated(
    "swiglu",
    silu,
    silu_slope,
    module="SwiGLU",
    summary="The first half times the silu of the second.",
    formula="a·b·σ(b)",
    derivative="(b·σ(b), a·(σ(b) + b·σ(b)·σ(-b)))",
    range="(-∞, ∞)",
    reference=_SHAZEER,
)


def check_pieces(name: str, pieces: Any) -> None:
    """Raise a ValueError for a size of maxout's groups that is no whole number of at least 1."""
    if isinstance(pieces, bool) or not isinstance(pieces, int) or pieces < 1:
        raise ValueError(f"{name}: needs a whole number pieces >= 1, got pieces={pieces!r}")


def _grouped(x: Any, pieces: int, dim: int) -> Any:
    dim %= len(x.shape)
    return reshape(x, (*x.shape[:dim], x.shape[dim] // pieces, pieces, *x.shape[dim + 1 :]))


def _pieces(shape: tuple[int, ...], pieces: int, dim: int) -> tuple[int, int, int]:
    """Give the groups, pieces and columns of a tensor, and see to it that they come out even."""
    check_pieces("maxout", pieces)
    dim = checked_dim(dim, len(shape))
    if not shape or shape[dim] % pieces:
        raise RuntimeError(
            f"maxout: pieces must divide dimension {dim} of shape {list(shape)}, got {pieces}"
        )
    groups = math.prod(shape[:dim]) * (shape[dim] // pieces)
    return groups, pieces, math.prod(shape[dim + 1 :])


def _maxout_forward(x: Array, pieces: int, dim: int = -1) -> Array:
    if x.dtype.kind != "f":
        refuse_integers("maxout", x)
    groups, pieces, columns = _pieces(x.shape, pieces, dim)
    shape = list(x.shape)
    shape[dim] //= pieces
    out = empty(tuple(shape), x.dtype)
    kernels.maxout(_dense(x).reshape(groups, pieces, columns), out.reshape(groups, columns))
    return out


def _maxout_backward_forward(g: Array, x: Array, pieces: int, dim: int) -> Array:
    groups, pieces, columns = _pieces(x.shape, pieces, dim)
    dense = _dense(g.astype(x.dtype, copy=False)).reshape(groups, columns)
    out = empty(x.shape, x.dtype)
    whole = (groups, pieces, columns)
    kernels.maxout_backward(dense, _dense(x).reshape(whole), out.reshape(whole))
    return out


def _maxout_grad_rule(h: Any, saved: Any, pieces: int, dim: int) -> Any:
    place = dim % len(saved.shape) + 1
    grouped = _grouped(saved, pieces, dim)
    largest = where(eq(grouped, amax(grouped, place, keepdim=True)), 1.0, 0.0)
    share = div(largest, sum(largest, place, keepdim=True))
    return sum(mul(_grouped(h, pieces, dim), share), place)


maxout_backward: Any = declare(
    "maxout_backward",
    "grad: Tensor, saved: Tensor, pieces: int, dim: int",
    _maxout_backward_forward,
    rules={"grad": lambda g, saved, pieces, dim: _maxout_grad_rule(g, saved, pieces, dim)},
    summary="Give the gradient of maxout from the incoming one and the saved input.",
    namespaces=(),
    samples=samples.given(
        (((3, 2), (3, 4)), {"pieces": 2, "dim": -1}), (((1, 3), (3, 3)), {"pieces": 3, "dim": 0})
    ),
)

maxout: Any = declare(
    "maxout",
    "input: Tensor, pieces: int, dim: int = -1",
    _maxout_forward,
    record=Activation,
    rules={"input": lambda g, x, pieces, dim: maxout_backward(g, x, pieces, dim)},
    namespaces=("nn.functional",),
    samples=samples.given(
        (((3, 4),), {"pieces": 2}),
        (((6, 2, 3),), {"pieces": 3, "dim": 0}),
        (((0, 4),), {"pieces": 4, "dim": 1}),
    ),
    parameters=tuple(parse_signature("input: Tensor, pieces: int, dim: int = -1")[1:]),
    module="Maxout",
    summary="Give the largest of each group of `pieces` neighbours along a dimension.",
    formula="max of input[pieces·i : pieces·(i + 1)]",
    derivative="1 at the largest, shared by equal ones, else 0",
    range="(-∞, ∞)",
    reference="Goodfellow et al. 2013, Maxout networks, arXiv:1302.4389",
)
ACTIVATIONS["maxout"] = maxout.op
