"""Where a result was made: the backend, the machine, and the versions of what took part."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

import microtensor as mt
from microtensor import kernels

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "matplotlib", "joblib", "rich")


def backend() -> str:
    """Return which kernels run and, if not the native ones, why."""
    if kernels.backend == "native":
        return "backend: native (C kernels)"
    return f"backend: {kernels.backend} ({kernels.backend_reason or 'no reason given'})"


def environment() -> dict[str, Any]:
    """Return what a reader needs to know of the machine that made a result."""
    return {
        "microtensor": mt.__version__,
        "backend": kernels.backend,
        "backend_reason": kernels.backend_reason,
        "kernels": kernels.config(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        **{name: _version(name) for name in _LIBRARIES},
    }


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
