"""microtensor: a small define-by-run autograd engine with C kernels and PyTorch's names.

Example:
    >>> import microtensor as mt
    >>> x = mt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x ** 2).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
"""

from math import e, inf, nan, pi
from typing import TYPE_CHECKING

from microtensor import functions
from microtensor.config import show_config
from microtensor.devices import device
from microtensor.dtypes import bool_ as bool
from microtensor.dtypes import (
    double,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    iinfo,
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
from microtensor.engine import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from microtensor.kernels import get_num_threads, set_num_threads
from microtensor.layouts import (
    channels_last,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    strided,
)
from microtensor.lazy import MISSING as _MISSING
from microtensor.lazy import find_in_package as _find_in_package
from microtensor.lazy import late as _late
from microtensor.lazy import place as _place
from microtensor.ops import find_function as _find_function
from microtensor.printing import set_printoptions
from microtensor.random import (
    Generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from microtensor.tensor import Size, Tensor

# What is imported when it is first used; see microtensor/lazy.py.
if TYPE_CHECKING:
    from microtensor import (
        amp,
        autograd,
        backends,
        cuda,
        distributions,
        func,
        linalg,
        nn,
        ops,
        optim,
        random,
        return_types,
        utils,
    )
    from microtensor.amp import autocast
    from microtensor.autograd import is_anomaly_enabled
    from microtensor.capturing import capture
    from microtensor.determinism import (
        are_deterministic_algorithms_enabled,
        get_float32_matmul_precision,
        is_deterministic_algorithms_warn_only_enabled,
        set_float32_matmul_precision,
        set_flush_denormal,
        use_deterministic_algorithms,
    )
    from microtensor.func import vmap
    from microtensor.functions import *  # noqa: F403 - the declared ops, listed in functions.pyi
    from microtensor.module_summary import summary
    from microtensor.typed_tensors import (
        BoolTensor,
        ByteTensor,
        CharTensor,
        DoubleTensor,
        FloatTensor,
        HalfTensor,
        IntTensor,
        LongTensor,
        ShortTensor,
    )
    from microtensor.utils.serialization import load, save

newaxis = None
__version__ = "0.1.0"

__all__ = [
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "Generator",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "Size",
    "Tensor",
    "amp",
    "are_deterministic_algorithms_enabled",
    "autocast",
    "autograd",
    "backends",
    "bool",
    "capture",
    "channels_last",
    "contiguous_format",
    "cuda",
    "device",
    "distributions",
    "double",
    "dtype",
    "e",
    "enable_grad",
    "finfo",
    "float",
    "float16",
    "float32",
    "float64",
    "func",
    "get_default_dtype",
    "get_float32_matmul_precision",
    "get_num_threads",
    "get_rng_state",
    "half",
    "iinfo",
    "inf",
    "inference_mode",
    "initial_seed",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "is_anomaly_enabled",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "layout",
    "linalg",
    "load",
    "long",
    "manual_seed",
    "memory_format",
    "nan",
    "newaxis",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "pi",
    "preserve_format",
    "random",
    "return_types",
    "save",
    "seed",
    "set_default_dtype",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_grad_enabled",
    "set_num_threads",
    "set_printoptions",
    "set_rng_state",
    "short",
    "show_config",
    "strided",
    "summary",
    "uint8",
    "use_deterministic_algorithms",
    "utils",
    "vmap",
]
__all__ += functions.__all__

if not TYPE_CHECKING:
    _find_own = _find_in_package(__name__, everywhere=False)

    def _find(name):
        found = _MISSING if _place("mt", name) else _find_own(name)
        return _find_function("mt", name) if found is _MISSING else found

    __getattr__, __dir__ = _late(globals(), _find)
    # The name of a file of this package, and of a function, which it is to stand for.
    del globals()["tensor"]
