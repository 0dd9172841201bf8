"""The optimizer steps in C: one call for all parameters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from microtensor.kernels import twin_steps
from microtensor.kernels.native_border import (
    FLOAT32,
    FLOAT64,
    NULL,
    buffer,
    canonical,
    f32,
    f64,
    ffi,
    lib,
)
from microtensor.kernels.native_elementwise import names
from microtensor.kernels.twin_steps import RULES, check_step

_OPS = {name: op for op, name in enumerate(names("step"))}
_POINTERS = {FLOAT32: ffi.typeof("float *[]"), FLOAT64: ffi.typeof("double *[]")}
_ITEMS = {FLOAT32: f32, FLOAT64: f64}
_SIZES = ffi.typeof("int64_t[]")
_ROWS = ffi.typeof("int64_t *[]")

# Numbers for the sizes a table has had: never the same twice, in any table.
_stamps = itertools.count(1)


class ArrayTable(twin_steps.ArrayTable):
    """A list of arrays, some of which may be None, and the table of pointers to them that C reads.

    The table is kept between calls and holds on to the arrays; ``update`` renews the entries that
    are other objects than before.
    """

    __slots__ = (
        "_agreed", "_buffers", "_hyper", "_item", "_numbers", "_pointers", "_shapes", "_sizes",
        "_stamp", "_tail", "dtype", "odd",
    )  # fmt: skip
    dtype: Any  # float32 or float64; None if C takes no arrays of theirs
    odd: set[int]  # the entries that C cannot take, by their index

    def __init__(self, arrays: Sequence[Any]) -> None:
        self._build(arrays)

    def update(self, arrays: Sequence[Any]) -> None:
        """Take the arrays of this moment; those that are the same objects cost nothing."""
        mine = self.arrays
        if len(arrays) != len(mine):
            self._build(arrays)
            return
        dtype, item, buffers, pointers = self.dtype, self._item, self._buffers, self._pointers
        for i, array in enumerate(arrays):
            if array is mine[i]:
                continue
            if array is not None and array.dtype is not dtype:
                self._build(arrays)
                return
            # Where gradients are new at each step this is the way of every one: no call but C's.
            if array is None or buffers[i] is None or array.size != len(buffers[i]):
                self._set(i, array)
                continue
            try:
                buffers[i] = pointers[i] = buffer(item, array, True)
                mine[i] = array
            except (ValueError, BufferError):
                self._set(i, array)

    def agree(self, dtype: Any) -> bool:
        """Say whether the table is of this dtype; one that holds nothing becomes so."""
        if self.dtype is dtype:
            return True
        if dtype is None or any(array is not None for array in self.arrays):
            return False
        self.dtype, self._item = dtype, _ITEMS[dtype]
        # cffi knows a table of pointers to float from one to double, though all are NULL.
        self._pointers = ffi.new(_POINTERS[dtype], len(self.arrays))
        return True

    def _build(self, arrays: Sequence[Any]) -> None:
        count = len(arrays)
        first = next((array for array in arrays if array is not None), None)
        dtype = FLOAT32 if first is None else canonical(first).dtype
        self.dtype = dtype if dtype in _ITEMS else None
        self._item = _ITEMS.get(dtype)
        self.arrays = [None] * count
        self._buffers: list[Any] = [None] * count
        self._pointers = ffi.new(_POINTERS[self.dtype or FLOAT64], count)
        self._sizes = ffi.new(_SIZES, count)
        self._stamp = next(_stamps)
        self._agreed: tuple[Any, ...] = ()
        self._shapes: Any = NULL
        self._numbers: Any = None
        self._hyper: Any = None
        self._tail: tuple[Any, Any] | None = None  # numbers and hyper as C reads them
        self.odd = set()
        for i, array in enumerate(arrays):
            if array is not None:
                self._set(i, array)

    def _set(self, i: int, array: Any) -> None:
        self.arrays[i] = array
        self.odd.discard(i)
        pointer, size = None, 0
        if array is not None:
            size = array.size
            try:
                if self._item is not None and canonical(array).dtype is self.dtype:
                    pointer = buffer(self._item, array, True)
                else:
                    self.odd.add(i)
            except (ValueError, BufferError):  # not contiguous, or read-only, as scalars are
                self.odd.add(i)
        self._buffers[i] = pointer
        self._pointers[i] = NULL if pointer is None else pointer
        if size != self._sizes[i]:
            self._sizes[i] = size
            self._stamp = next(_stamps)


def step(
    rule: str,
    parameters: ArrayTable,
    gradients: ArrayTable,
    states: ArrayTable,
    numbers: Any,
    hyper: Any,
    touched: Sequence[Any] | None = None,
) -> None:
    if gradients.odd:
        # C only reads gradients: contiguous copies serve as well.
        gradients = ArrayTable(
            [
                np.array(array, parameters.dtype, order="C") if i in gradients.odd else array
                for i, array in enumerate(gradients.arrays)
            ]
        )
    # The checks are made once per combination of sizes and for each pair of numbers and hyper.
    stamps = (rule, parameters._stamp, gradients._stamp, states._stamp)
    if (
        parameters._agreed != stamps
        or parameters._numbers is not numbers
        or parameters._hyper is not hyper
    ):
        check_step(rule, parameters.arrays, gradients.arrays, states.arrays, numbers, hyper)
        whole = RULES[rule].whole
        if whole is not None:
            shapes = [(0, 0, 0) if x is None else whole(x.shape) for x in parameters.arrays]
            parameters._shapes = ffi.new(_SIZES, [n for shape in shapes for n in shape])
        parameters._tail = _pointers_to_both(numbers, hyper)
        parameters._agreed, parameters._numbers, parameters._hyper = stamps, numbers, hyper
    dtype, tail = parameters.dtype, parameters._tail
    if (
        tail is not None
        and dtype is gradients.dtype
        and states.agree(dtype)
        and not (parameters.odd or states.odd or gradients.odd)
    ):
        # What owns the rows' memory has to outlive the call.
        rows, held = (NULL, None) if touched is None else _pointers_to(touched)
        call = lib.mt_step_f32 if dtype is FLOAT32 else lib.mt_step_f64
        refused = call(
            _OPS[rule],
            len(parameters.arrays),
            parameters._sizes,
            parameters._shapes,
            parameters._pointers,
            gradients._pointers,
            states._pointers,
            rows,
            *tail,
        )
        del held
        if not refused:
            return
    twin_steps.step(rule, parameters, gradients, states, numbers, hyper, touched)


def step_number(rule: str) -> int:
    """Give the number of a rule in the kernel table."""
    return _OPS[rule]


def _pointers_to_both(numbers: Any, hyper: Any) -> tuple[Any, Any] | None:
    """Give C the numbers and the hyper-parameters; None if it cannot take them."""
    if not numbers.dtype is FLOAT64 is hyper.dtype:
        return None
    try:
        return buffer(f64, numbers, True), buffer(f64, hyper, True)
    except (ValueError, BufferError):
        return None


def _pointers_to(touched: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Give C the touched rows: for each parameter how many, and which; and what owns the memory."""
    held = [
        None if rows is None else ffi.new(_SIZES, [len(rows), *rows.tolist()]) for rows in touched
    ]
    pointers = ffi.new(_ROWS, [NULL if rows is None else rows for rows in held])
    return pointers, held


step.__doc__ = twin_steps.step.__doc__
assert _OPS.keys() == RULES.keys()
