"""Whole epochs of a captured step: minibatches gathered and replayed in C."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from microtensor.capturing.calls import native
from microtensor.capturing.memory import address_of, rebuilt
from microtensor.capturing.plan import Segment
from microtensor.capturing.replay import Replay
from microtensor.tensor import Tensor, wrap
from microtensor.utils.data.dataset import TensorDataset
from microtensor.utils.data.loader import DataLoader

_SECONDS = 0.05  # between two returns to Python, for the callback and for Ctrl-C
Progress = Callable[[int, int], Any]


def run_epochs(
    step: Any, data: Any, epochs: int, progress: Progress | None, **options: Any
) -> list[Any]:
    """Do what :meth:`Captured.run` says."""
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
        raise ValueError(f"run: epochs must be a whole number, at least 0, got {epochs!r}")
    given = {name: value for name, value in options.items() if value is not None}
    if isinstance(data, DataLoader):
        if given:
            raise ValueError(f"run: {', '.join(given)}: a loader has its own")
        loader: Any = data
        arrays = None
    else:
        arrays = _arrays(data)
        loader = DataLoader(TensorDataset(*map(wrap, arrays)), **given)
    total = len(loader) * epochs
    if epochs and not total:
        raise ValueError("run: there is no data, or less than one batch with drop_last=True")
    results: list[Any] = []
    for _ in range(epochs):
        if arrays is None:
            for batch in loader:
                values = batch if isinstance(batch, tuple | list) else (batch,)
                results.append(step(*values))
                if progress is not None:
                    progress(len(results), total)
        else:
            _one_epoch(step, arrays, list(loader._requests()), results, progress, total)
    return results


def _arrays(data: Any) -> list[Any]:
    if isinstance(data, TensorDataset):
        data = data.tensors
    data = (data,) if isinstance(data, Tensor | np.ndarray) else data
    if not isinstance(data, tuple | list) or not data:
        raise TypeError(
            "run: expected a DataLoader, a TensorDataset, or tensors or arrays of the same "
            f"length, got {type(data).__name__}"
        )
    for each in data:
        if not isinstance(each, Tensor | np.ndarray):
            raise TypeError(f"run: expected tensors or arrays, got {type(each).__name__}")
        if isinstance(each, Tensor) and each.requires_grad:
            raise ValueError(
                "run: data whose gradient is asked for cannot be gathered in C; loop over a "
                "DataLoader, or pass data.detach()"
            )
    return [
        np.ascontiguousarray(each._array if isinstance(each, Tensor) else each) for each in data
    ]


def _one_epoch(
    step: Any,
    arrays: list[Any],
    requests: list[Any],
    results: list[Any],
    progress: Progress | None,
    total: int,
) -> None:
    place = 0
    while place < len(requests):
        # One call with all its looks, which records where no plan fits; then as many in C as fit.
        results.append(step(*(wrap(array.take(requests[place], axis=0)) for array in arrays)))
        place += 1
        size = len(requests[place - 1])
        same = [order for order in requests[place:] if len(order) == size]
        plan = step._latest
        if same and not step._unchecked and _whole(plan):
            before = len(results)
            results.extend(_in_c(plan, arrays, np.concatenate(same), size))
            place += len(results) - before
        if progress is not None:
            progress(len(results), total)


def _whole(plan: Replay) -> bool:
    """Say whether nothing of a step needs Python, before, in or after it."""
    parts = plan.program.parts
    return (
        plan.copy_outputs
        and len(parts) == 1
        and isinstance(parts[0], Segment)
        and not any(stepping.plan.memory for stepping in plan.stepping)
        and all(tensor._array.flags.c_contiguous for tensor in plan.outputs)
    )


def _in_c(plan: Replay, arrays: list[Any], order: Any, size: int) -> Iterator[Any]:
    steps = len(order) // size
    outputs = [tensor._array for tensor in plan.outputs]
    # No more than fits in some megabytes: a chunk's results are one piece of memory.
    steps = min(steps, max(1, (1 << 22) // max(1, sum(map(_bytes, outputs)))), 20000)
    kept = [np.empty((steps, *array.shape), array.dtype) for array in outputs]
    reads = [
        (address_of(rows), address_of(own._array), rows.itemsize * math.prod(rows.shape[1:]))
        for rows, own in zip(arrays, plan.inputs, strict=True)
    ]
    writes = [(address_of(a), address_of(k), a.nbytes) for a, k in zip(outputs, kept, strict=True)]
    tables = [np.array(table, np.int64) for table in (order, reads, writes)]
    pointers = [native.ffi.cast("int64_t *", table.ctypes.data) for table in tables]
    bad = native.ffi.new("int64_t *")
    done = 0
    with plan.lock:
        if not plan.ready():
            return
        plan.release_gradients()
        try:
            done = native.lib.mt_plan_epoch(
                plan.program.pointer, plan.program.parts[0].last, steps, size, pointers[0],
                len(reads), pointers[1], len(writes), pointers[2], _SECONDS, bad,
            )  # fmt: skip
            if bad[0] >= 0:
                plan.program.resume(bad[0])
                for array, keep in zip(outputs, kept, strict=True):
                    keep[done] = array
                done += 1
        finally:
            plan.finish()
    for i in range(done):
        copies = {id(t): wrap(k[i, ...]) for t, k in zip(plan.outputs, kept, strict=True)}
        yield rebuilt(plan.structure, lambda t, copies=copies: t if t is None else copies[id(t)])


def _bytes(array: Any) -> int:
    return int(array.nbytes)
