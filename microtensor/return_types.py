"""The named tuples that functions of several results return, under PyTorch's names.

Example:
    >>> import microtensor as mt
    >>> found = mt.tensor([1.0, 3.0, 2.0]).max(0)
    >>> found.values.item(), found.indices.item(), isinstance(found, mt.return_types.max)
    (3.0, 1, True)
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any


class _Results:
    """How they print: a field a line, as tensors may take several."""

    __slots__ = ()
    _fields: tuple[str, ...]

    def __repr__(self) -> str:
        fields = ",\n".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"microtensor.return_types.{type(self).__name__}(\n{fields})"


def _results(name: str, *fields: str) -> Any:
    plain = namedtuple(name, fields)  # type: ignore[misc]
    return type(name, (_Results, plain), {"__slots__": (), "__module__": __name__})


_VALUES = ("values", "indices")

max = _results("max", *_VALUES)
min = _results("min", *_VALUES)
median = _results("median", *_VALUES)
nanmedian = _results("nanmedian", *_VALUES)
mode = _results("mode", *_VALUES)
kthvalue = _results("kthvalue", *_VALUES)
sort = _results("sort", *_VALUES)
topk = _results("topk", *_VALUES)
cummax = _results("cummax", *_VALUES)
cummin = _results("cummin", *_VALUES)
aminmax = _results("aminmax", "min", "max")
histogram = _results("histogram", "hist", "bin_edges")
