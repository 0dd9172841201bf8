"""Which functions of the package are stood in for while a step is captured."""

from __future__ import annotations

from typing import Any

from microtensor import random
from microtensor.autograd import walk
from microtensor.capturing.places import Places, recorder_here
from microtensor.capturing.record import Recorder
from microtensor.conversion import to_array
from microtensor.interop import Elements
from microtensor.nn import init
from microtensor.nn.module import Module
from microtensor.ops import (
    arrays,
    assignment,
    creating,
    embedding,
    indexing,
    inplace,
    normalization,
    numpy_protocol,
    promotion,
    writing,
)
from microtensor.optim.group_plan import GroupPlan
from microtensor.optim.lr_scheduler.scheduler import LRScheduler
from microtensor.optim.optimizer import Optimizer
from microtensor.tensor import Leaf, Tensor

_READS = (
    "item", "tolist", "__bool__", "__float__", "__int__", "__complex__", "__index__", "numpy",
    "__array__", "__dlpack__",
)  # fmt: skip

_made: list[Places] = []


def places() -> Places:
    """Give the places; made anew if an op was declared since."""
    if not _made or not _made[0].current():
        _made[:] = [Places(_functions(), Recorder.op, Recorder.kernel, Recorder.entry, _gradient)]
    return _made[0]


def _functions() -> list[tuple[Any, Any]]:
    draws = (random.normal, random.uniform, random.bits, random.integers, random.permutation)
    calls = (*draws, to_array, arrays.computed)
    writers = (
        *(inplace.write, inplace.plain, assignment._setitem, numpy_protocol._about_to_write),
        *(normalization.batch_norm_tracked, embedding._renormalize),
    )
    return [
        (promotion.number_array, Recorder.number),
        (promotion.operand_array, Recorder.number),
        (writing.number_to_write, Recorder.number_to_write),
        (arrays.known, Recorder.known),
        (creating.created, Recorder.made),
        (indexing._plain_part, Recorder.part_of_index),
        *((function, Recorder.created) for function in calls),
        *((Elements.__dict__[name], _reading(name)) for name in _READS),
        (GroupPlan.run, Recorder.group_step),
        (Optimizer.zero_grad, Recorder.zero_grad),
        *(
            (step, Recorder.optimizer_step if step is Optimizer.step else Recorder.other_step)
            for step in _own_steps(Optimizer)
        ),
        *((step, Recorder.schedule_step) for step in _own_steps(LRScheduler)),
        *((function, Recorder.write) for function in writers),
        (Leaf._add_to_grad, Recorder.accumulate),
        (Module.__call__, Recorder.module),
        (walk._walk, Recorder.walk),
        (init._write, Recorder.initialise),
    ]


def _reading(name: str) -> Any:
    def read(recorder: Recorder, method: Any, *given: Any, **named: Any) -> Any:
        return recorder.read(name, method, *given, **named)

    return read


def _own_steps(kind: type) -> list[Any]:
    """Give the steps that a class and its subclasses define themselves."""
    found = [kind.__dict__["step"]] if "step" in kind.__dict__ else []
    below: list[type] = kind.__subclasses__()
    for each in below:
        found += _own_steps(each)
    return found


def _gradient(own: Any) -> property:
    """Give a property that notes when a gradient is looked at or set."""

    def get(tensor: Tensor) -> Any:
        recorder = recorder_here()
        if recorder is not None:
            recorder.touch(tensor)
        return own.fget(tensor)

    def put(tensor: Tensor, value: Any) -> None:
        recorder = recorder_here()
        if recorder is not None:
            recorder.clear(tensor)
        own.fset(tensor, value)

    return property(get, put, lambda tensor: put(tensor, None), own.__doc__)
