"""microtensor: a small define-by-run autograd engine with C kernels and PyTorch's names.

Example:
    >>> import microtensor as mt
    >>> x = mt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x ** 2).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
"""

from microtensor import autograd, functions, linalg, nn, ops, optim, utils
from microtensor.config import show_config
from microtensor.dtypes import bool_ as bool
from microtensor.dtypes import (
    double,
    dtype,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    int8,
    int16,
    int32,
    int64,
    long,
    set_default_dtype,
    short,
    uint8,
)
from microtensor.dtypes import float32 as float
from microtensor.dtypes import int32 as int
from microtensor.engine import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from microtensor.functions import *  # noqa: F403 - the declared ops, listed in functions.pyi
from microtensor.kernels import get_num_threads, set_num_threads
from microtensor.random import (
    Generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from microtensor.tensor import Size, Tensor

__version__ = "0.1.0"

__all__ = [
    "Generator",
    "Size",
    "Tensor",
    "autograd",
    "bool",
    "double",
    "dtype",
    "enable_grad",
    "float",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "get_num_threads",
    "get_rng_state",
    "half",
    "initial_seed",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "is_grad_enabled",
    "linalg",
    "long",
    "manual_seed",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "seed",
    "set_default_dtype",
    "set_grad_enabled",
    "set_num_threads",
    "set_rng_state",
    "short",
    "show_config",
    "uint8",
    "utils",
]
__all__ += functions.__all__
