"""The record of an op, and what follows from its text: parameters, what is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np


@dataclass(slots=True, eq=False)
class Op:
    """The declaration of one op.

    Attributes:
        name: of the function, in PyTorch's words.
        signature: its parameters, typed: those annotated ``Tensor`` are its inputs, ``Tensor |
            float`` an input that may be a number, ``Tensor | None`` one that may be missing.
        forward: arrays and plain arguments in, the output array out (or the outputs), followed by
            any extras.
        rules: for an input's name, its gradient. A rule's parameters are what it is given, and
            thereby what is saved: ``g`` the incoming gradient, ``x`` the first input, any input or
            argument by name, ``y`` the output, ``<input>_shape``, an extra. Rules call ops only.
        outputs: names of the outputs, if there are several. Rules then read outputs by these names
            and get a gradient for each, ``g_<output>``, which is None where none has come; an
            output of an integer dtype has none.
        returns: what the outputs come in: a named tuple, or a plain tuple for None.
        extras: names of what ``forward`` returns beside the output: constants for the rules.
        add_into: of an op of one input, ``add_into(total, g, *saved)``: adds the input's gradient
            to one that is there already, where that costs less than making it whole first.
        view: whether the output may share the first input's memory.
        integral: whether the output may be of a dtype without gradient.
        namespaces: where users find it: "mt", "nn.functional", "linalg".
        method: its name as a Tensor method, or None.
        inplace: whether there is a method ``<name>_`` that writes into the tensor.
        inplace_argument: whether the function takes PyTorch's ``inplace=False``.
        formula, derivative, kinks, range, ulp, reference: what the documentation and tests read.
        samples: draws inputs for the generic tests: ``samples(rng)`` gives (inputs, arguments).
    """

    name: str
    signature: str
    forward: Callable[..., Any]
    rules: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    returns: Callable[..., Any] | None = None
    summary: str = ""
    extras: tuple[str, ...] = ()
    add_into: Callable[..., None] | None = None
    view: bool = False
    integral: bool = False
    namespaces: tuple[str, ...] = ("mt",)
    method: str | None = None
    inplace: bool = False
    inplace_argument: bool = False
    formula: str = ""
    derivative: str = ""
    kinks: tuple[float, ...] = ()
    range: str = ""
    ulp: float | None = None
    reference: str = ""
    samples: (
        Callable[[np.random.Generator], list[tuple[tuple[Any, ...], dict[str, Any]]]] | None
    ) = None

    # Derived from the above when declared:
    inputs: tuple[str, ...] = ()
    saved_names: tuple[str, ...] = ()
    # Index of an input; -1 for the output, or the first, -2 for the second, ...; None: a constant.
    saved_roles: tuple[int | None, ...] = ()
    gradients: tuple[str, ...] = ("g",)  # the names of the incoming gradients in rules
    reads: dict[str, list[str]] = field(default_factory=dict)  # what each rule reads beside them
    backward: Callable[..., tuple[Any, ...]] = field(default=lambda *_: ())
    public: Callable[..., Any] = field(default=lambda *_: None)
    either: Callable[..., Any] = field(default=lambda *_: None)

    def needed_by(self, saved: str) -> list[int]:
        """Give the places of the inputs whose rules read a saved value."""
        return [i for i, name in enumerate(self.inputs) if saved in self.reads.get(name, ())]


@dataclass(slots=True)
class Parameter:
    """One parameter of a declared signature."""

    name: str
    annotation: str
    default: str | None
    keyword_only: bool

    @property
    def is_input(self) -> bool:
        """Whether it is a tensor."""
        return self.annotation.split(" | ")[0] == "Tensor"

    @property
    def may_be_number(self) -> bool:
        """Whether a number may stand for it."""
        return self.is_input and "float" in self.annotation

    @property
    def may_be_missing(self) -> bool:
        """Whether it may be None."""
        return self.is_input and "None" in self.annotation


def parse_signature(signature: str) -> list[Parameter]:
    """Read a typed parameter list: ``name: annotation = default``, and ``*`` for itself."""
    return list(_parsed(signature))


@cache  # most ops share their signature
def _parsed(signature: str) -> tuple[Parameter, ...]:
    # By hand: Python's own parser took a quarter of the time of importing.
    found, keyword_only = [], False
    for part in _parts(signature):
        if part == "*":
            keyword_only = True
            continue
        name, _, rest = part.partition(":")
        annotation, _, default = rest.partition(" = ")
        found.append(Parameter(name, annotation.strip(), default.strip() or None, keyword_only))
    return tuple(found)


def _parts(signature: str) -> list[str]:
    """Split at the commas that are not within brackets."""
    parts, depth, first = [], 0, 0
    for place, character in enumerate(signature):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and not depth:
            parts.append(signature[first:place].strip())
            first = place + 1
    return [part for part in (*parts, signature[first:].strip()) if part]


def complete(op: Op, parameters: list[Parameter]) -> None:
    """Derive the inputs, what rules read, and thereby what is saved.

    Raises:
        ValueError: a rule for no input, or one that asks for what there is not.
    """
    op.inputs = tuple(p.name for p in parameters if p.is_input)
    if op.outputs:
        op.gradients = tuple(f"g_{name}" for name in op.outputs)
    results = op.outputs or ("y",)
    unknown = set(op.rules) - set(op.inputs)
    if unknown:
        raise ValueError(f"{op.name}: rules for {sorted(unknown)}, which are no inputs")
    order = [*op.inputs, *results, *op.extras]
    order += [p.name for p in parameters if not p.is_input] + [f"{i}_shape" for i in op.inputs]
    x_is_input = "x" not in order
    for name, rule in op.rules.items():
        op.reads[name] = _read_by(op, rule, x_is_input)
        if not set(op.reads[name]) <= set(order):
            asked = sorted(set(op.reads[name]) - set(order))
            raise ValueError(f"{op.name}: a rule asks for {asked}")
    wanted = {name for names in op.reads.values() for name in names}
    op.saved_names = tuple(n for n in order if n in wanted)
    op.saved_roles = tuple(
        op.inputs.index(n) if n in op.inputs else -1 - results.index(n) if n in results else None
        for n in op.saved_names
    )


def _read_by(op: Op, rule: Callable[..., Any], x_is_input: bool) -> list[str]:
    # Rules are plain functions: reading their code is a tenth of what inspect.signature costs.
    names = rule.__code__.co_varnames[: rule.__code__.co_argcount]
    count = len(op.gradients)
    if names[:count] != op.gradients:
        raise ValueError(f"{op.name}: a rule's first parameter is {', '.join(op.gradients)}")
    return [op.inputs[0] if n == "x" and x_is_input else n for n in names[count:]]
