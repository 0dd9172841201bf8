"""What runs here, for reports of problems and of results."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from microtensor import kernels


def describe() -> dict[str, Any]:
    """Give what :func:`show_config` prints, as a dict."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        **kernels.config(),
    }


def show_config() -> None:
    """Print which backend runs (and why not the native one), instruction set, threads and BLAS.

    Example:
        >>> import microtensor as mt
        >>> mt.show_config()  # doctest: +ELLIPSIS
        microtensor ...
    """
    from microtensor import __version__

    found = describe()
    backend = found["backend"]
    if backend == "native":
        backend += f" (C, {found['instruction_set']})"
    else:
        backend += f" (not native: {found['backend_reason']})"
    sets = ", ".join(
        name if supported else f"{name} (not on this processor)"
        for name, supported in found["instruction_sets"].items()
    )
    blas = found["blas"]
    rows = {
        "microtensor": __version__,
        "backend": backend,
        "instruction sets": sets or "those NumPy chooses",
        "threads": f"{found['threads']} (BLAS: {found['blas_threads'] or 'unknown'})",
        "BLAS": ", ".join(f"{k} {v}" for k, v in blas.items() if v),
        "numpy": found["numpy"],
        "python": found["python"],
    }
    width = max(map(len, rows)) + 2
    for name, value in rows.items():
        print(f"{name:<{width}}{value}")
