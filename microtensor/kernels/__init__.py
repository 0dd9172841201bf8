"""The kernels: arrays in, arrays out, every one with an explicit ``out``.

Each exists twice under one name and signature: in C (``native``) and in NumPy (``twin``). Which of
them runs is decided once, at import (``select``); the names here are then plain functions, at no
further cost.
"""

from __future__ import annotations

from typing import Any

from microtensor.kernels.blas import Blas, hand_over
from microtensor.kernels.host import (
    abs,
    add,
    amax,
    amin,
    argmax,
    argmin,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    cast,
    clamp,
    concatenate,
    cos,
    div,
    eq,
    fill,
    floor_divide,
    gather,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    maximum,
    mean,
    minimum,
    mul,
    ne,
    neg,
    pow,
    put,
    put_along,
    reciprocal,
    remainder,
    scatter_add,
    sign,
    sin,
    sqrt,
    square,
    sub,
    sum,
    take_along,
    where,
)
from microtensor.kernels.select import choose, instruction_sets
from microtensor.kernels.threads import Threads
from microtensor.kernels.twin import (
    ArrayTable,
    column_sum,
    cross_entropy,
    cross_entropy_backward,
    dropout,
    elu,
    elu_backward,
    exp,
    gelu,
    gelu_backward,
    gelu_tanh,
    gelu_tanh_backward,
    leaky_relu,
    leaky_relu_backward,
    linear,
    log,
    log_softmax,
    log_softmax_backward,
    matmul,
    random_bits,
    random_uniform,
    relu,
    relu_backward,
    selu,
    selu_backward,
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
    softmax,
    softmax_backward,
    softplus,
    softplus_backward,
    softsign,
    softsign_backward,
    step,
    tanh,
    tanh_backward,
)

_native, backend_reason = choose()
backend = "numpy" if _native is None else "native"
_blas = Blas()

if _native is not None:
    from microtensor.kernels.native import KERNELS

    hand_over(_blas, _native)
    globals().update(KERNELS)

_threads = Threads(_native, _blas)
get_num_threads = _threads.get_num_threads
set_num_threads = _threads.set_num_threads


def config() -> dict[str, Any]:
    """Give what runs and why: backend, instruction sets, threads and BLAS.

    Returns:
        A dict with ``backend``, ``backend_reason`` (why not native, or empty), ``instruction_set``
        (empty for NumPy), ``instruction_sets`` (those compiled in, and whether this processor runs
        them), ``threads``, ``blas_threads`` (None where BLAS does not say) and ``blas``: its name,
        library file, configuration and the processor core its kernels were chosen for.
    """
    active = "" if _native is None else _native.ffi.string(_native.lib.mt_isa_active()).decode()
    return {
        "backend": backend,
        "backend_reason": backend_reason,
        "instruction_set": active,
        "instruction_sets": {} if _native is None else instruction_sets(_native),
        "threads": get_num_threads(),
        "blas_threads": _blas.get_num_threads(),
        "blas": _blas.describe(),
    }


__all__ = [
    "ArrayTable",
    "abs",
    "add",
    "amax",
    "amin",
    "argmax",
    "argmin",
    "backend",
    "backend_reason",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "cast",
    "clamp",
    "column_sum",
    "concatenate",
    "config",
    "cos",
    "cross_entropy",
    "cross_entropy_backward",
    "div",
    "dropout",
    "elu",
    "elu_backward",
    "eq",
    "exp",
    "fill",
    "floor_divide",
    "gather",
    "ge",
    "gelu",
    "gelu_backward",
    "gelu_tanh",
    "gelu_tanh_backward",
    "get_num_threads",
    "gt",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "leaky_relu",
    "leaky_relu_backward",
    "linear",
    "log",
    "log_softmax",
    "log_softmax_backward",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "mul",
    "ne",
    "neg",
    "pow",
    "put",
    "put_along",
    "random_bits",
    "random_uniform",
    "reciprocal",
    "relu",
    "relu_backward",
    "remainder",
    "scatter_add",
    "selu",
    "selu_backward",
    "set_num_threads",
    "sigmoid",
    "sigmoid_backward",
    "sign",
    "silu",
    "silu_backward",
    "sin",
    "softmax",
    "softmax_backward",
    "softplus",
    "softplus_backward",
    "softsign",
    "softsign_backward",
    "sqrt",
    "square",
    "step",
    "sub",
    "sum",
    "take_along",
    "tanh",
    "tanh_backward",
    "where",
]
