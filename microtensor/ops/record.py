"""The record of an op, and what follows from its text: parameters, what is saved."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
        view: whether the output may share the first input's memory.
        integral: whether the output may be of a dtype without gradient.
        namespaces: where users find it: "mt", "nn.functional".
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
    backward: Callable[..., tuple[Any, ...]] = field(default=lambda *_: ())
    public: Callable[..., Any] = field(default=lambda *_: None)
    either: Callable[..., Any] = field(default=lambda *_: None)

    def reads(self, rule: Callable[..., Any]) -> list[str]:
        """Give what a rule reads beside gradients: ``x`` by its own name."""
        names = [n for n in _parameters(rule) if n not in self.gradients]
        taken = "x" in (*self.inputs, *self.outputs)
        return [self.inputs[0] if n == "x" and not taken else n for n in names]

    @property
    def gradients(self) -> tuple[str, ...]:
        """The names of the incoming gradients in rules."""
        return tuple(f"g_{name}" for name in self.outputs) or ("g",)

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the outputs in rules."""
        return self.outputs or ("y",)

    def needed_by(self, saved: str) -> list[int]:
        """Give the places of the inputs whose rules read a saved value."""
        return [
            place
            for place, name in enumerate(self.inputs)
            if name in self.rules and saved in self.reads(self.rules[name])
        ]


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
    """Read a typed parameter list as Python itself does."""
    arguments = ast.parse(f"def f({signature}): ...").body[0].args  # type: ignore[attr-defined]
    plain = arguments.posonlyargs + arguments.args
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [(a, d, False) for a, d in zip(plain, defaults, strict=True)]
    pairs += [
        (a, d, True) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return [
        Parameter(
            a.arg,
            ast.unparse(a.annotation) if a.annotation else "Any",
            None if d is None else ast.unparse(d),
            keyword_only,
        )
        for a, d, keyword_only in pairs
    ]


def complete(op: Op, parameters: list[Parameter]) -> None:
    """Derive the inputs and what is saved.

    Raises:
        ValueError: a rule for no input, or one that asks for what there is not.
    """
    op.inputs = tuple(p.name for p in parameters if p.is_input)
    unknown = set(op.rules) - set(op.inputs)
    if unknown:
        raise ValueError(f"{op.name}: rules for {sorted(unknown)}, which are no inputs")
    known = {p.name for p in parameters} | {"x", *op.results, *op.extras}
    known |= {f"{p.name}_shape" for p in parameters}
    for rule in op.rules.values():
        names = _parameters(rule)
        if names[: len(op.gradients)] != list(op.gradients):
            raise ValueError(f"{op.name}: a rule's first parameter is {', '.join(op.gradients)}")
        if set(op.reads(rule)) - known:
            raise ValueError(f"{op.name}: a rule asks for {sorted(set(op.reads(rule)) - known)}")

    wanted = {name for rule in op.rules.values() for name in op.reads(rule)}
    order = [*op.inputs, *op.results, *op.extras]
    order += [p.name for p in parameters if not p.is_input] + [f"{i}_shape" for i in op.inputs]
    op.saved_names = tuple(n for n in order if n in wanted)
    op.saved_roles = tuple(_role(op, n) for n in op.saved_names)


def _role(op: Op, name: str) -> int | None:
    if name in op.inputs:
        return op.inputs.index(name)
    return -1 - op.results.index(name) if name in op.results else None


def _parameters(rule: Callable[..., Any]) -> list[str]:
    # Rules are plain functions: reading their code is a tenth of what inspect.signature costs.
    code = rule.__code__
    return list(code.co_varnames[: code.co_argcount])
