"""Which rows of a parameter a gradient reports."""

from __future__ import annotations

from typing import Any

import numpy as np

from microtensor.tensor import Tensor


def touched_rows(p: Tensor) -> Any:
    """Give the rows that a parameter's gradient reports in ``grad.rows``, each once and in order.

    Returns:
        int64 indices along the first dimension, or None where nothing is reported.

    Raises:
        TypeError: ``grad.rows`` is neither None nor integers.
        IndexError: it names a row that the parameter does not have.
    """
    rows = getattr(p._grad, "rows", None)
    if rows is None:
        return None
    array = np.asarray(rows._array if isinstance(rows, Tensor) else rows).reshape(-1)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"grad.rows must be integers, not {array.dtype}")
    touched = np.unique(array.astype(np.int64))
    limit = p._array.shape[0] if p._array.ndim else 1
    if touched.size and not 0 <= touched[0] <= touched[-1] < limit:
        raise IndexError(
            f"grad.rows has rows {touched[0]} to {touched[-1]} of a parameter of {limit} rows"
        )
    return touched
