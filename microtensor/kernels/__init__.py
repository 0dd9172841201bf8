"""The kernels: arrays in, arrays out, every one with an explicit ``out``.

Each exists under one name and signature in NumPy (``twin``), and most in C too (``native``). Which
of them runs is decided once, at import (``select``); the names here are then plain functions, at no
further cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from microtensor.kernels import twin
from microtensor.kernels.blas import Blas, hand_over
from microtensor.kernels.select import choose, instruction_sets
from microtensor.kernels.threads import Threads

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


_native, backend_reason = choose()
backend = "numpy" if _native is None else "native"
_blas = Blas()

globals().update(twin.KERNELS)
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
