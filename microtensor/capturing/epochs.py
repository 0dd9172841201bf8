"""Whole epochs of a captured step: minibatches gathered and replayed in C."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from microtensor.capturing.calls import native
from microtensor.capturing.interrupts import Interrupts
from microtensor.capturing.memory import address_of, rebuilt
from microtensor.capturing.plan import Segment
from microtensor.capturing.replay import Replay
from microtensor.tensor import Tensor, wrap
from microtensor.utils.data.collate import default_collate
from microtensor.utils.data.dataset import Dataset, TensorDataset
from microtensor.utils.data.loader import DataLoader
from microtensor.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

_SECONDS = 0.05  # between two returns to Python, for the callback and for Ctrl-C
Progress = Callable[[int, int | None], Any]


def run_epochs(
    step: Any, data: Any, epochs: int, progress: Progress | None, **options: Any
) -> list[Any]:
    """Do what :meth:`Captured.run` says."""
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
        raise ValueError(f"run: epochs must be a whole number, at least 0, got {epochs!r}")
    given = {name: value for name, value in options.items() if value is not None}
    results: list[Any] = []
    step.results = results
    loader: Any = data
    if _loads(data):
        if given:
            raise ValueError(f"run: {', '.join(given)}: a loader has its own")
        if epochs > 1 and isinstance(data, Iterator):
            raise ValueError("run: an iterator can be gone through once: epochs must be 1")
        arrays = _arrays(data.dataset) if _standard(data) else None
    else:
        arrays = _arrays(data)
        loader = DataLoader(TensorDataset(*map(wrap, arrays)), **given)
    try:
        total = len(loader) * epochs
    except TypeError:  # a stream
        total = None
    if total == 0 and epochs:
        raise ValueError(_NOTHING)
    with Interrupts() as interrupts:

        def done() -> None:
            if progress is not None:
                progress(len(results), total)
            interrupts.pass_on()

        for _ in range(epochs):
            if arrays is None:
                for batch in loader:
                    results.append(step(*(batch if isinstance(batch, tuple | list) else (batch,))))
                    done()
            else:
                requests = [np.asarray(each, np.int64) for each in loader._requests()]
                _one_epoch(step, arrays, requests, results, done)
    if epochs and not results:
        raise ValueError(_NOTHING)
    return results


_NOTHING = "run: there is no data, or less than one batch with drop_last=True"
_SAMPLERS = (RandomSampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler)


def _loads(data: Any) -> bool:
    """Say whether something gives batches, not samples."""
    if isinstance(data, Tensor | np.ndarray | tuple | list | str | bytes | dict):
        return False
    return isinstance(data, DataLoader) or (
        not isinstance(data, Dataset) and isinstance(data, Iterable)
    )


def _standard(loader: Any) -> bool:
    """Say whether a loader does no more than gather rows of tensors."""
    return (
        type(loader) is DataLoader
        and type(loader.dataset) is TensorDataset
        and loader.collate_fn is default_collate
        and loader.num_workers == 0
        and type(loader.batch_sampler) is BatchSampler
        and type(loader.batch_sampler.sampler) in _SAMPLERS
        and not any(tensor.requires_grad for tensor in loader.dataset.tensors)
    )


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
    done: Callable[[], None],
) -> None:
    rows = min(map(len, arrays))
    for request in requests:
        if request.size and not (request.min() >= 0 and request.max() < rows):
            raise IndexError(f"run: a sampler names a row that is not among the {rows} there are")
    for order, size in _alike(requests):
        place = 0
        while place < len(order):
            # One call with all its looks, which records where no plan fits; then as many in C as
            # there are.
            here = order[place : place + size]
            results.append(step(*(wrap(array.take(here, axis=0)) for array in arrays)))
            place += size
            plan = step._latest
            if place < len(order) and not step._unchecked and _whole(plan):
                before = len(results)
                results.extend(_in_c(plan, arrays, order[place:], size))
                place += (len(results) - before) * size
            done()


def _alike(requests: list[Any]) -> Iterator[tuple[Any, int]]:
    """Give batches of the same size that follow each other as one, with that size."""
    for size, group in itertools.groupby(requests, len):
        yield np.concatenate(list(group)), size


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
    tables = [np.ascontiguousarray(table, np.int64) for table in (order, reads, writes)]
    pointers = [native.ffi.cast("int64_t *", table.ctypes.data) for table in tables]
    bad = native.ffi.new("int64_t *")
    done, error = 0, None
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
                try:
                    plan.program.resume(bad[0])
                    for array, keep in zip(outputs, kept, strict=True):
                        keep[done] = array
                    done += 1
                except Exception as raised:  # what the steps before have given comes first
                    error = raised
        finally:
            plan.finish()
    for i in range(done):
        copies = {id(t): wrap(k[i, ...]) for t, k in zip(plan.outputs, kept, strict=True)}
        yield rebuilt(plan.structure, lambda t, copies=copies: t if t is None else copies[id(t)])
    if error is not None:
        raise error


def _bytes(array: Any) -> int:
    return int(array.nbytes)
