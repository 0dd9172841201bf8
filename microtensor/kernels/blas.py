"""The BLAS that NumPy has loaded, found by symbol, so that C calls the same one.

It is looked for through NumPy's core extension, whose dependencies the dynamic linker searches too.
Where none is found (Windows, static builds) matrix products go through ``np.matmul``.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy._core._multiarray_umath as numpy_core  # type: ignore[import-not-found]

# gemm's name for a precision, whether its integers have 64 bits, and what other names are made of.
_FLAVOURS = (
    ("scipy_cblas_{}gemm64_", True, "scipy_openblas_{}64_"),
    ("cblas_{}gemm64_", True, "openblas_{}64_"),
    ("scipy_cblas_{}gemm", False, "scipy_openblas_{}"),
    ("cblas_{}gemm", False, "openblas_{}"),
)


class Blas:
    """What was found: ``symbol`` is empty if nothing was."""

    def __init__(self) -> None:
        self.symbol = ""
        self.ilp64 = False
        self.addresses = (0, 0)
        self._library: Any = None
        self._other = ""
        try:
            library = ctypes.CDLL(numpy_core.__file__)
        except OSError:
            return
        for gemm, ilp64, other in _FLAVOURS:
            single = getattr(library, gemm.format("s"), None)
            double = getattr(library, gemm.format("d"), None)
            if single is not None and double is not None:
                self.symbol, self.ilp64 = gemm.format("s"), ilp64
                self.addresses = (_address(single), _address(double))
                self._library, self._other = library, other
                return

    def describe(self) -> dict[str, str]:
        """Give what ``show_config`` tells about it."""
        if not self.symbol:
            return {"name": "numpy.matmul", "library": "", "config": "", "core": ""}
        config = self._text("get_config")
        return {
            "name": config.split()[0] if config else self.symbol,
            "library": _file_of(self.addresses[0]),
            "config": config,
            "core": self._text("get_corename"),
        }

    def get_num_threads(self) -> int | None:
        """Give its number of threads, or None where it does not say."""
        function = self._function("get_num_threads")
        return None if function is None else int(function())

    def set_num_threads(self, threads: int) -> None:
        """Set its number of threads, where it lets itself be told."""
        function = self._function("set_num_threads")
        if function is not None:
            function(ctypes.c_int(threads))

    def thread_functions(self) -> tuple[int, int]:
        """Give the addresses of the functions that get and set its threads, or zeros."""
        get, put = self._function("get_num_threads"), self._function("set_num_threads")
        return (0, 0) if get is None or put is None else (_address(get), _address(put))

    def _function(self, name: str) -> Any:
        return getattr(self._library, self._other.format(name), None) if self._library else None

    def _text(self, name: str) -> str:
        function = self._function(name)
        if function is None:
            return ""
        function.restype = ctypes.c_char_p
        return (function() or b"").decode(errors="replace").strip()


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class _Origin(ctypes.Structure):
    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def _file_of(address: int) -> str:
    """Give the shared library that holds an address, as dladdr knows it."""
    origin = _Origin()
    try:
        found = ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(origin))
    except (AttributeError, OSError, TypeError):
        return ""
    return (origin.file or b"").decode(errors="replace") if found else ""


def hand_over(blas: Blas, native: Any) -> None:
    """Give C the addresses, and take them away again if a small product comes out wrong."""
    if not blas.symbol:
        return
    native.lib.mt_blas_set(*blas.addresses, blas.ilp64)
    if not all(_multiplies(native, kind, name) for kind, name in (("f", "f32"), ("d", "f64"))):
        native.lib.mt_blas_set(0, 0, 0)
        blas.symbol = ""
        return
    native.lib.mt_blas_set_threads(*blas.thread_functions())


def _multiplies(native: Any, kind: str, name: str) -> bool:
    a = np.arange(6, dtype=kind).reshape(2, 3)
    out = np.zeros((2, 2), kind)
    c_type = native.ffi.typeof("float[]" if kind == "f" else "double[]")
    pointer = native.ffi.from_buffer(c_type, a)
    status = getattr(native.lib, f"mt_matmul_{name}")(
        0, 1, 2, 2, 3, pointer, 3, pointer, 3, native.ffi.from_buffer(c_type, out, True)
    )
    return status == 0 and out.tolist() == [[5.0, 14.0], [14.0, 50.0]]
