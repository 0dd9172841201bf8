"""The NumPy twins of the optimizer steps, in place.

The rules themselves are in ``twin_step_rules`` and ``twin_step_sums``; here is what is common: the
table of rules, what is refused, and the step over many parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from microtensor.kernels import twin_step_rules as rules
from microtensor.kernels import twin_step_sums as sums

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


class ArrayTable:
    """A list of arrays, some of which may be None, that kernels read and write many times."""

    __slots__ = ("arrays",)

    def __init__(self, arrays: Sequence[Array | None]) -> None:
        self.arrays = list(arrays)

    def update(self, arrays: Sequence[Array | None]) -> None:
        """Take the arrays of this moment; those that are the same objects cost nothing."""
        self.arrays[:] = arrays


class _Rule:
    """What a step needs to know of a rule.

    Args:
        function: the rule over one parameter.
        states: how many state arrays a parameter has.
        hyper: how many hyper-parameters, the group's memory included.
        numbers: how many plain numbers a parameter has, the step count first.
        needed: the states that a step with these hyper-parameters cannot do without; all if None.
        sizes: the number of elements of each state; the parameter's own if None.
        whole: how a shape is told to C as (batch, rows, columns); None where it does not matter.
    """

    __slots__ = ("function", "hyper", "needed", "numbers", "sizes", "states", "whole")

    def __init__(
        self,
        function: Callable[..., None],
        states: int,
        hyper: int,
        numbers: int = 1,
        needed: Callable[[Sequence[float], Shape], Sequence[int]] | None = None,
        sizes: Callable[[Shape], Sequence[int]] | None = None,
        whole: Callable[[Shape], tuple[int, int, int]] | None = None,
    ) -> None:
        self.function = function
        self.states = states
        self.hyper = hyper
        self.numbers = numbers
        self.needed = needed
        self.sizes = sizes
        self.whole = whole


def _matrices(shape: Shape) -> tuple[int, int, int]:
    """Give a shape as matrices; -1 rows mark a vector."""
    if len(shape) < 2:
        return 1, -1, _product(shape)
    return _product(shape[:-2]), shape[-2], shape[-1]


def _first_rows(shape: Shape) -> tuple[int, int, int]:
    """Give a shape as rows along its first dimension."""
    return (1, shape[0], _product(shape[1:])) if shape else (1, 1, 1)


def _product(lengths: Shape) -> int:
    product = 1
    for length in lengths:
        product *= length
    return product


def _factors(shape: Shape) -> tuple[int, int, int]:
    if len(shape) < 2:
        return 0, 0, _product(shape)
    batch, rows, columns = _matrices(shape)
    return batch * rows, batch * columns, 0


def _room(shape: Shape) -> tuple[int, ...]:
    """Give the momentum's size, then those of the room that Muon's products take."""
    size, low = _product(shape), min(shape)
    return size, size, size, low * low, low * low


RULES: dict[str, _Rule] = {
    "sgd": _Rule(rules.sgd, 1, 7, needed=lambda h, _: [0] if h[1] else []),
    "asgd": _Rule(rules.asgd, 1, 6, numbers=3),
    "rprop": _Rule(rules.rprop, 2, 6),
    "adagrad": _Rule(rules.adagrad, 1, 6),
    "adadelta": _Rule(rules.adadelta, 2, 5),
    "rmsprop": _Rule(
        rules.rmsprop,
        3,
        8,
        needed=lambda h, _: [0, *([1] if h[4] else []), *([2] if h[5] else [])],
    ),
    "adam": _Rule(rules.adam, 3, 9, needed=lambda h, _: [0, 1, 2] if h[6] else [0, 1]),
    "adamax": _Rule(rules.adamax, 2, 6),
    "nadam": _Rule(rules.nadam, 2, 8, numbers=2),
    "radam": _Rule(rules.radam, 2, 7),
    "lion": _Rule(rules.lion, 1, 5),
    "adabelief": _Rule(rules.adabelief, 2, 7),
    "yogi": _Rule(rules.yogi, 2, 7),
    "schedule_free_sgd": _Rule(rules.schedule_free_sgd, 1, 12),
    "schedule_free_adamw": _Rule(rules.schedule_free_adamw, 2, 14),
    "average": _Rule(rules.average_weights, 1, 2),
    "lamb": _Rule(sums.lamb, 2, 8),
    "lars": _Rule(sums.lars, 1, 9, needed=lambda h, _: [0] if h[1] else []),
    "prodigy": _Rule(sums.prodigy, 4, 18),
    "sparse_adam": _Rule(sums.sparse_adam, 2, 5, whole=_first_rows),
    "adafactor": _Rule(
        sums.adafactor,
        3,
        7,
        needed=lambda _, shape: [0, 1] if len(shape) > 1 else [2],
        sizes=_factors,
        whole=_matrices,
    ),
    "muon": _Rule(sums.muon, 5, 11, sizes=_room, whole=_matrices),
}


def check_step(
    name: str,
    parameters: Sequence[Array | None],
    gradients: Sequence[Array | None],
    states: Sequence[Array | None],
    numbers: Array,
    hyper: Array,
    touched: Sequence[Array | None] | None = None,
) -> None:
    """Refuse what no step can be made of, before anything is written.

    Raises:
        ValueError: an unknown rule, lists or arrays whose sizes do not match, a missing state, or
            an array that cannot be written.
        IndexError: a touched row that the parameter does not have.
    """
    if name not in RULES:
        raise ValueError(f"step: unknown rule {name!r}; the legal ones are {', '.join(RULES)}")
    rule, count = RULES[name], len(parameters)
    for what, length, expected in (
        ("gradients", len(gradients), count),
        ("states", len(states), count * rule.states),
        ("numbers", numbers.size, count * rule.numbers),
        ("hyper", hyper.size, rule.hyper),
    ):
        if length != expected:
            raise ValueError(f"step {name!r}: expected {expected} {what}, got {length}")
    settings = hyper.tolist()
    for i, (x, g) in enumerate(zip(parameters, gradients, strict=True)):
        if g is None:
            continue
        if x is None:
            raise ValueError(f"step {name!r}: parameter {i} has a gradient but is None")
        own = states[i * rule.states : (i + 1) * rule.states]
        needed = rule.needed(settings, x.shape) if rule.needed else range(rule.states)
        for j in needed:
            if own[j] is None:
                raise ValueError(f"step {name!r}: state {j} of parameter {i} is None")
        sizes = rule.sizes(x.shape) if rule.sizes else [x.size] * rule.states
        if g.size != x.size:
            raise ValueError(
                f"step {name!r}: parameter {i} has {x.size} elements, its gradient {g.size}"
            )
        for j, (state, size) in enumerate(zip(own, sizes, strict=True)):
            # Room that is shared by parameters of several sizes may be larger than this one's.
            if state is not None and (
                state.size < size if name == "muon" and j else state.size != size
            ):
                raise ValueError(
                    f"step {name!r}: parameter {i} has {x.size} elements, state {j} {state.size}"
                )
        for array in (x, *own):
            if array is not None and not array.flags.writeable:
                raise ValueError(f"step {name!r}: parameter {i} or its state is read-only")
        rows = None if touched is None else touched[i]
        if rows is not None and len(rows):
            limit = x.shape[0] if x.ndim else 1
            if rows.min() < 0 or rows.max() >= limit:
                raise IndexError(
                    f"step {name!r}: parameter {i} has {limit} rows; touched are rows "
                    f"{rows.min()} to {rows.max()}"
                )


def step(
    rule: str,
    parameters: ArrayTable,
    gradients: ArrayTable,
    states: ArrayTable,
    numbers: Array,
    hyper: Array,
    touched: Sequence[Array | None] | None = None,
) -> None:
    """Make one optimizer step over all parameters, in place.

    Args:
        rule: a row of ``RULES``.
        parameters: of shape and dtype as the gradients and states beside them.
        gradients: one a parameter; those of None are passed over.
        states: those of a parameter together; None where hyper makes no use of it.
        numbers: float64, each parameter's plain numbers, its steps so far first; advanced.
        hyper: float64, the rule's hyper-parameters in the order of its first line; what the group
            remembers stands at the end and is advanced.
        touched: for rules by rows, each parameter's rows that have a gradient (int64, each once),
            or None where that is not known.

    Raises:
        ValueError, IndexError: as :func:`check_step`.
    """
    arrays = parameters.arrays, gradients.arrays, states.arrays
    check_step(rule, *arrays, numbers, hyper, touched)
    form = RULES[rule]
    with np.errstate(all="ignore"):
        active = []
        for i, (x, g) in enumerate(zip(arrays[0], arrays[1], strict=True)):
            if g is not None and x is not None:
                own = arrays[2][i * form.states : (i + 1) * form.states]
                count = numbers.reshape(-1)[i * form.numbers : (i + 1) * form.numbers]
                this = [float(count[0]) + 1, *count[1:].tolist()]
                more = () if form.whole is None else (None if touched is None else touched[i],)
                active.append((count, (x, g, own, this), more))
        moving = sums.begin(rule, hyper)
        if moving and rule == "prodigy":
            settings = hyper.tolist()
            found = [sums.prodigy_sums(*arguments, settings) for _, arguments, _ in active]
            moving = sums.between(hyper, [sum(column) for column in zip(*found, strict=True)])
        settings = hyper.tolist()
        for count, arguments, more in active:
            if moving:
                form.function(*arguments, settings, *more)
            sums.advance(rule, settings, count)
