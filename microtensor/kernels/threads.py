"""How many threads the kernels and BLAS use."""

from __future__ import annotations

import os
from typing import Any

from microtensor.kernels.blas import Blas


class Threads:
    """The sizes of both pools: that of the C kernels, if there are any, and that of BLAS."""

    def __init__(self, native: Any, blas: Blas) -> None:
        self._lib = native.lib if native is not None else None
        self._blas = blas
        if self._lib is not None:
            self._lib.mt_threads_set(min(initial(), self._lib.mt_threads_maximum()))

    def get_num_threads(self) -> int:
        """Give the number of threads that kernels and matrix products may use."""
        if self._lib is not None:
            return int(self._lib.mt_threads_get())
        return self._blas.get_num_threads() or 1

    def set_num_threads(self, threads: int) -> None:
        """Set the number of threads of the kernels and of BLAS.

        Results of the kernels do not depend on it; those of matrix products may, by rounding.

        Args:
            threads: at least 1.

        Raises:
            ValueError: ``threads`` is less than 1 or beyond what the pool takes.
        """
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ValueError(f"set_num_threads: expected a positive integer, got {threads!r}")
        if self._lib is not None:
            most = self._lib.mt_threads_maximum()
            # Without a pool (most is 1) BLAS alone is set.
            if self._lib.mt_threads_set(min(threads, most) if most == 1 else threads) != 0:
                raise ValueError(f"set_num_threads: at most {most} threads, got {threads}")
        self._blas.set_num_threads(threads)


def initial() -> int:
    """Give OMP_NUM_THREADS, or else the number of processors this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
