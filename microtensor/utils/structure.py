"""What a file of named tensors cannot hold by itself: nesting, numbers, sharing.

:func:`pack` takes an object apart into arrays by name and a description that JSON can hold;
:func:`unpack` puts it together again. A value that JSON has is itself; anything else is an object
of one key, its kind: ``{"tuple": [...]}``, ``{"dict": [[key, value], ...]}``, ``{"tensor": ...}``.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from microtensor import devices, dtypes
from microtensor.conversion import is_masked
from microtensor.copying import address, look_at, span
from microtensor.tensor import Size, Tensor, wrap

Array = np.ndarray[Any, Any]

MAX_DEPTH = 100
_RESERVED = "__metadata__"  # the one name that the file format keeps for itself

# What a file can hold; tensors have fewer dtypes than arrays, such as a generator's state.
ARRAY_DTYPES = frozenset([each.name for each in dtypes.ALL] + ["uint16", "uint32", "uint64"])


class Malformed(Exception):
    """A description that :func:`pack` cannot have written."""


# ---- taking apart -------------------------------------------------------------------------------


def pack(value: Any) -> tuple[dict[str, Array], Any]:
    """Take an object apart.

    Returns:
        The arrays by name, all contiguous, and the description of everything else.

    Raises:
        TypeError: something in it that cannot be saved; the message says where it is.
        ValueError: nesting deeper than 100 levels, or an object that contains itself.
    """
    packer = _Packer()
    description = packer.describe(value, ())
    return packer.arrays(), description


class _Packer:
    """One object being taken apart."""

    def __init__(self) -> None:
        self.leaves: list[tuple[str, Array, dict[str, Any]]] = []  # name wanted, elements, entry
        self.seen: dict[int, tuple[Any, int]] = {}  # tensors met, by id, with their number

    def describe(self, value: Any, path: tuple[str, ...]) -> Any:
        if len(path) > MAX_DEPTH:
            raise ValueError(
                f"save: nested deeper than {MAX_DEPTH} levels, or containing itself, at "
                f"{_place(path[:4])}..."
            )
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return str(value)
        if isinstance(value, np.generic):
            return self.describe(value.item(), path)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"float": str(float(value))}
        if isinstance(value, Tensor):
            return self._tensor(value, path)
        if isinstance(value, np.ndarray):
            return {"array": self._leaf(value, path)}
        if isinstance(value, dict):
            kind = "OrderedDict" if isinstance(value, OrderedDict) else "dict"
            return {kind: [self._item(key, each, path) for key, each in value.items()]}
        if isinstance(value, list | tuple):
            items = [self.describe(each, (*path, str(i))) for i, each in enumerate(value)]
            if isinstance(value, list):
                return items
            return {"Size" if isinstance(value, Size) else "tuple": items}
        if isinstance(value, dtypes.dtype):
            return {"dtype": value.name}
        if isinstance(value, devices.device):
            return {"device": str(value)}
        raise TypeError(
            f"save: cannot save a {type(value).__name__} at {_place(path)}; what can be saved are "
            "tensors, arrays, numbers, strings, bools and None in dicts, lists and tuples. Of a "
            "module or an optimizer save its state_dict(), of a Generator its get_state()"
        )

    def _item(self, key: Any, value: Any, path: tuple[str, ...]) -> list[Any]:
        if not isinstance(key, str | int | float | tuple | None):
            raise TypeError(
                f"save: the key {key!r} at {_place(path)} is a {type(key).__name__}; keys may be "
                "strings, numbers, bools, None, and tuples of these"
            )
        inner = (*path, str(key))
        return [self.describe(key, inner), self.describe(value, inner)]

    def _tensor(self, tensor: Tensor, path: tuple[str, ...]) -> dict[str, Any]:
        from microtensor.nn.parameter import Parameter

        if id(tensor) in self.seen:
            return {"again": self.seen[id(tensor)][1]}
        if type(tensor) not in (Tensor, Parameter):
            raise TypeError(
                f"save: the tensor at {_place(path)} is a {type(tensor).__name__}, a subclass that "
                "would be lost; save its .data"
            )
        self.seen[id(tensor)] = tensor, len(self.seen)
        entry = self._leaf(tensor._array, path)
        if tensor.requires_grad:
            entry["requires_grad"] = True
        if isinstance(tensor, Parameter):
            entry["parameter"] = True
        return {"tensor": entry}

    def _leaf(self, array: Array, path: tuple[str, ...]) -> dict[str, Any]:
        if array.dtype.name not in ARRAY_DTYPES or is_masked(array):
            raise TypeError(
                f"save: cannot save the {type(array).__name__} of dtype {array.dtype} at "
                f"{_place(path)}"
            )
        entry: dict[str, Any] = {}
        name = ".".join(path) or "tensor"
        name = name.encode("utf-8", "backslashreplace").decode()
        self.leaves.append((name, array, entry))
        return entry

    def arrays(self) -> dict[str, Array]:
        """Give what is to be stored, by name; tensors that overlap in memory are stored once."""
        taken = {_RESERVED}
        stored: dict[str, Array] = {}
        for group in _overlapping([array for _, array, _ in self.leaves]):
            members = [self.leaves[i] for i in group]
            whole = _whole(*[array for _, array, _ in members])
            # Under the name of the one that is the whole, if one of them is.
            first = next((m for m in members if _same(m[1], whole)), members[0])
            name, number = first[0], 1
            while name in taken:
                number += 1
                name = f"{first[0]}#{number}"
            taken.add(name)
            stored[name] = np.ascontiguousarray(whole).reshape(whole.shape)
            for _, array, entry in members:
                entry["name"] = name
                if array is not whole and not _same(array, whole):
                    size = array.itemsize
                    steps = [step // size for step in array.strides]
                    offset = (address(array) - address(whole)) // size
                    entry["view"] = [offset, list(array.shape), steps]
        # In the order in which they were met: names follow the object, not the memory.
        order = {entry["name"]: None for _, _, entry in self.leaves}
        return {name: stored[name] for name in order}


def _place(path: tuple[str, ...]) -> str:
    return "the top" if not path else "".join(f"[{each}]" for each in path)


def _same(a: Array, b: Array) -> bool:
    return (
        address(a) == address(b)
        and a.shape == b.shape
        and a.strides == b.strides
        and a.dtype == b.dtype
    )


def _overlapping(arrays: list[Array]) -> list[list[int]]:
    """Group arrays whose spans of memory overlap, if they can be stored as one."""
    result = [[i] for i, each in enumerate(arrays) if each.size == 0]
    groups: list[list[int]] = []
    end = -1
    filled = [(span(each), i) for i, each in enumerate(arrays) if each.size]
    for (low, high), i in sorted(filled):
        if low < end:
            groups[-1].append(i)
        else:
            groups.append([i])
        end = max(end, high)
    for group in groups:
        members = [arrays[i] for i in group]
        result += [sorted(group)] if _storable_as_one(members) else [[i] for i in group]
    return sorted(result)


def _storable_as_one(arrays: list[Array]) -> bool:
    first = arrays[0]
    size = first.itemsize
    return all(
        each.dtype == first.dtype
        and (address(each) - address(first)) % size == 0
        and all(step % size == 0 for step in each.strides)
        for each in arrays
    )


def _whole(*arrays: Array) -> Array:
    """Give an array over all the memory of arrays that overlap: one of them, or a flat one."""
    if len(arrays) == 1 or all(_same(each, arrays[0]) for each in arrays):
        return arrays[0]
    low = min(span(each)[0] for each in arrays)
    high = max(span(each)[1] for each in arrays)
    for each in arrays:
        if span(each) == (low, high) and each.flags.c_contiguous:
            return each
    # From the first address on, of whatever lies between: it is memory of one of the arrays.
    lowest = next(each for each in arrays if span(each)[0] == low)
    corner = lowest[
        tuple(slice(None, None, -1) if step < 0 else slice(None) for step in lowest.strides)
    ]
    count = (high - low) // lowest.itemsize
    return np.lib.stride_tricks.as_strided(corner, (count,), (lowest.itemsize,), writeable=False)


# ---- putting together ---------------------------------------------------------------------------


def unpack(arrays: Mapping[str, Array], description: Any) -> Any:
    """Put an object together again.

    Raises:
        Malformed: a description that does not fit the arrays, or makes no sense.
    """
    return _Unpacker(arrays).make(description, 0)


class _Unpacker:
    """One object being put together; nothing in a description is trusted."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = arrays
        self.cells: dict[str, list[int]] = {}
        self.tensors: list[Tensor] = []
        self.makers: dict[str, Callable[[Any, int], Any]] = {
            "OrderedDict": lambda value, depth: OrderedDict(self._pairs(value, depth)),
            "Size": lambda value, depth: Size(_integers(value)),
            "again": self._again,
            "array": lambda value, depth: self._look(value),
            "device": lambda value, depth: devices.device(value),
            "dict": lambda value, depth: dict(self._pairs(value, depth)),
            "dtype": self._dtype,
            "float": self._float,
            "tensor": lambda value, depth: self._tensor(value),
            "tuple": lambda value, depth: tuple(self.make(_list(value), depth)),
        }

    def make(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH + 1:
            raise Malformed(f"it is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, list):
            return [self.make(each, depth + 1) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            raise Malformed("a description must have one key, its kind")
        ((kind, content),) = value.items()
        if kind not in self.makers:
            raise Malformed(f"there is no kind {kind[:50]!r}")
        return self.makers[kind](content, depth)

    def _pairs(self, value: Any, depth: int) -> list[tuple[Any, Any]]:
        result = []
        for pair in _list(value):
            if not isinstance(pair, list) or len(pair) != 2:
                raise Malformed("an item of a dict must be a key and a value")
            key = self.make(pair[0], depth + 1)
            try:
                hash(key)
            except TypeError:
                raise Malformed("a key of a dict must be hashable") from None
            result.append((key, self.make(pair[1], depth + 1)))
        return result

    def _float(self, value: Any, depth: int) -> float:
        if value not in ("nan", "inf", "-inf"):
            raise Malformed("a float must be nan, inf or -inf where it is no number")
        return float(value)

    def _dtype(self, value: Any, depth: int) -> dtypes.dtype:
        for each in dtypes.ALL:
            if each.name == value:
                return each
        raise Malformed("there is no such dtype")

    def _again(self, value: Any, depth: int) -> Tensor:
        if type(value) is not int or not 0 <= value < len(self.tensors):
            raise Malformed("it refers to a tensor that it has not described")
        return self.tensors[value]

    def _tensor(self, value: Any) -> Tensor:
        array = self._look(value)
        try:
            dtype = dtypes.from_numpy_dtype(array.dtype).numpy
        except TypeError as error:
            raise Malformed(str(error)) from None
        tensor = wrap(array if array.dtype is dtype else array.view(dtype))
        # Tensors of the same memory share its version, as everywhere.
        tensor._cell = self.cells.setdefault(value["name"], tensor._cell)
        requires_grad = value.get("requires_grad") is True
        if requires_grad and array.dtype.kind != "f":
            raise Malformed(f"a tensor of dtype {array.dtype} is to require a gradient")
        if value.get("parameter") is True:
            from microtensor.nn.parameter import Parameter

            tensor = Parameter(tensor, requires_grad=requires_grad)
        elif requires_grad:
            tensor.requires_grad = True
        self.tensors.append(tensor)
        return tensor

    def _look(self, value: Any) -> Array:
        name = value.get("name") if isinstance(value, dict) else None
        array = self.arrays.get(name) if isinstance(name, str) else None
        if array is None:
            raise Malformed("it refers to a tensor that is not in the file")
        if "view" not in value:
            return array
        view = _list(value["view"])
        if len(view) != 3 or type(view[0]) is not int:
            raise Malformed("a view must be an offset, a shape and strides")
        shape, steps = _integers(view[1]), _integers(view[2])
        if len(shape) != len(steps) or view[0] < 0 or min(shape, default=0) < 0:
            raise Malformed("a view must have an offset, and for each length a stride")
        size = array.itemsize
        strides = tuple(step * size for step in steps)
        try:
            return look_at(array, view[0] * size, shape, strides, array.dtype.name)
        except (ValueError, TypeError, OverflowError) as error:
            raise Malformed(f"a view leaves the memory it looks at ({error})") from None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed("a list is missing")
    return value


def _integers(value: Any) -> tuple[int, ...]:
    if not all(type(each) is int and abs(each) < 2**62 for each in _list(value)):
        raise Malformed("a list of integers is missing")
    return tuple(value)
