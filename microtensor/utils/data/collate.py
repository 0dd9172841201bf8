"""Making tensors of samples: of many together, or of each by itself."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from microtensor.ops.joining import stack
from microtensor.tensor import Tensor, to_array, wrap


def default_collate(batch: Sequence[Any]) -> Any:
    """Put samples together into a batch, whatever they are made of.

    Tensors and arrays are stacked; numbers become a tensor (floats a float64 one); strings stay
    what they are, side by side; mappings and sequences are put together entry by entry, tuples
    into a list.

    Args:
        batch: the samples, all of the same structure.

    Raises:
        TypeError: the samples are of some other type.
        RuntimeError: sequences of different lengths.

    Example:
        >>> from microtensor.utils.data import default_collate
        >>> default_collate([(1, "a"), (2, "b")])
        [tensor([1, 2]), ('a', 'b')]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch, 0)
    if isinstance(first, np.ndarray | np.generic):
        return wrap(to_array(np.stack(batch)))
    if isinstance(first, bool | int | float):
        return wrap(np.array(batch))
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        entries = {key: default_collate([sample[key] for sample in batch]) for key in first}
        if type(first) is dict or not isinstance(first, MutableMapping):
            return entries
        clone = copy.copy(first)  # another kind of mapping stays of its kind
        clone.update(entries)
        return clone
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [default_collate(entry) for entry in zip(*batch, strict=True)]
        # A named tuple takes its fields one by one.
        return type(first)(*columns) if hasattr(first, "_fields") else columns
    raise TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, strings, dicts or "
        f"lists; found {type(first)}"
    )


def default_convert(data: Any) -> Any:
    """Make tensors of the arrays in a sample, however deep they lie; leave the rest as it is.

    Args:
        data: a sample.

    Example:
        >>> import numpy as np
        >>> from microtensor.utils.data import default_convert
        >>> default_convert({"x": np.array([1, 2]), "name": "a"})
        {'x': tensor([1, 2]), 'name': 'a'}
    """
    if isinstance(data, Tensor | str | bytes):
        return data
    if isinstance(data, np.ndarray | np.generic):
        if data.dtype.kind in "SUOaV":
            return data
        return wrap(to_array(np.asarray(data)))
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, Sequence) and not isinstance(data, range):
        return [default_convert(entry) for entry in data]
    return data
