"""Which kernels run: the C extension or NumPy, and why.

Environment: ``MICROTENSOR_BACKEND`` is ``auto`` (C where the extension was built), ``native`` (C,
or importing fails) or ``numpy``; ``MICROTENSOR_ISA`` names the instruction set of the C kernels,
instead of the best one that the processor runs.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import numpy as np

BACKENDS = ("auto", "native", "numpy")


def choose() -> tuple[Any, str]:
    """Give the extension module, or None and the reason for doing without it.

    Raises:
        ImportError: the extension is asked for and missing, or a variable has an unknown value.
    """
    wanted = os.environ.get("MICROTENSOR_BACKEND") or "auto"
    if wanted not in BACKENDS:
        raise ImportError(f"MICROTENSOR_BACKEND={wanted!r}: the legal values are {_list(BACKENDS)}")
    if wanted == "numpy":
        return None, "MICROTENSOR_BACKEND=numpy"
    try:
        # `from microtensor import _native` would blame a circular import: this runs within ours.
        _native = importlib.import_module("microtensor._native")
        _introduce_arrays(_native)
    except ImportError as error:
        missing = error.name == "microtensor._native"
        problem = "the C extension is not built" if missing else "the C extension does not load"
        reason = f"{problem} ({error})"
        if wanted == "native":
            raise ImportError(
                f"MICROTENSOR_BACKEND=native, but {reason}. In a clone, `python build.py` builds "
                "it and shows what the compiler says; `pip install` needs a C compiler to build it"
            ) from error
        return None, reason
    select_isa(_native)
    return _native, ""


# The dtypes that C looks for, in the order in which it is told.
_DTYPES = tuple(np.dtype(name) for name in ("f4", "f8", "i8", "u8", "u4"))


def _introduce_arrays(native: Any) -> None:
    """Tell C what to know arrays by, and prove that it finds their fields where it looks for them.

    Raises:
        ImportError: it does not.
    """
    if sys.implementation.name == "cpython":  # where an object's id is its address
        probe = np.empty((3, 5))[:, ::2]
        data = probe.__array_interface__["data"][0]
        native.lib.mt_ndarray_set(id(np.ndarray), *map(id, _DTYPES))
        if native.lib.mt_ndarray_reads(
            id(probe), data, id(np.dtype("f8")), *probe.shape, *probe.strides
        ):
            return
    raise ImportError("NumPy's arrays are laid out in memory in a way it does not know")


def instruction_sets(native: Any) -> dict[str, bool]:
    """Give the instruction sets compiled in, and whether this processor runs each."""
    found: dict[str, bool] = {}
    while (name := native.lib.mt_isa_name(len(found))) != native.ffi.NULL:
        found[native.ffi.string(name).decode()] = bool(native.lib.mt_isa_supported(name))
    return found


def select_isa(native: Any) -> None:
    """Follow ``MICROTENSOR_ISA``, if it is set."""
    wanted = os.environ.get("MICROTENSOR_ISA")
    if wanted and native.lib.mt_isa_select(wanted.encode()) != 0:
        every = instruction_sets(native)
        problem = "is not supported by this processor" if wanted in every else "is unknown"
        legal = _list(name for name, supported in every.items() if supported)
        raise ImportError(
            f"MICROTENSOR_ISA={wanted!r} {problem}: the legal values here are {legal}"
        )


def _list(names: Any) -> str:
    return ", ".join(names)
