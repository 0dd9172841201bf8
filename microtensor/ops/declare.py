"""Declaring an op: one record, and what is made of it.

A record says what an op is called and takes, how it is computed on arrays, and the derivative with
respect to each input. From it come the public function (tensors in, tensor out, recorded), the
form that rules call (arrays and tensors alike), the Tensor method, the type stub, the reference
page and the generic tests.

The functions are generated as Python source, per op, because the small networks this engine is for
spend their time in exactly these lines: no generic ``*args`` from the user to the kernel.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np

from microtensor.engine import Node, recording
from microtensor.engine.node import next_number
from microtensor.ops.promotion import number_array
from microtensor.tensor import Tensor, node_of, wrap

Array = np.ndarray[Any, Any]


@dataclass(slots=True, eq=False)
class Op:
    """The declaration of one op.

    Attributes:
        name: of the function, in PyTorch's words.
        signature: its parameters, typed: those annotated ``Tensor`` are its inputs, ``Tensor |
            float`` an input that may be a number, ``Tensor | None`` one that may be missing.
        forward: arrays and plain arguments in, the output array out, followed by any extras.
        rules: for an input's name, its gradient. A rule's parameters are what it is given, and
            thereby what is saved: ``g`` the incoming gradient, ``x`` the first input, any input or
            argument by name, ``y`` the output, ``<input>_shape``, an extra. Rules call ops only.
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
    saved_roles: tuple[int | None, ...] = ()  # index of an input, -1 for the output, None: constant
    backward: Callable[..., tuple[Any, ...]] = field(default=lambda *_: ())
    public: Callable[..., Any] = field(default=lambda *_: None)
    either: Callable[..., Any] = field(default=lambda *_: None)


registry: dict[str, Op] = {}
"""Every declared op by name."""

published: dict[str, dict[str, Callable[..., Any]]] = {"mt": {}, "nn.functional": {}}
"""What users see: for each namespace, the functions by name. Composites join with `publish`."""

methods: dict[str, Callable[..., Any]] = {}
"""What is attached to Tensor, by name."""

properties: dict[str, property] = {}
"""What is attached to Tensor without being called, by name."""

signatures: dict[Callable[..., Any], str] = {}
"""The typed parameters of every public function, for the stub."""


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


def declare(name: str, signature: str, forward: Callable[..., Any], **fields: Any) -> Any:
    """Declare an op; give the function that rules call, which takes arrays and tensors alike."""
    op = Op(name=name, signature=signature, forward=forward, **fields)
    if name in registry:
        raise ValueError(f"the op {name!r} is declared twice")
    parameters = parse_signature(signature)
    op.inputs = tuple(p.name for p in parameters if p.is_input)
    _check_rules(op, parameters)
    _name_saved(op, parameters)
    op.backward = _make_backward(op)
    op.public = _make_public(op, parameters)
    op.either = _make_either(op, parameters)
    op.public.__doc__ = documentation(op)
    registry[name] = op
    if op.inplace_argument:
        signature += ", inplace: bool = False"
    _publish(op.public, name, signature, op.namespaces, op.method, op.inplace)
    return op.either


def publish(
    signature: str,
    namespaces: tuple[str, ...] = ("mt",),
    method: str | None = None,
    name: str | None = None,
    inplace: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Offer an ordinary function, written over ops, to users, as declared ops are offered."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        own_name = name or function.__name__
        _publish(function, own_name, signature, namespaces, method, inplace)
        return function

    return register


def _publish(
    function: Callable[..., Any],
    name: str,
    signature: str,
    namespaces: tuple[str, ...],
    method: str | None,
    inplace: bool,
) -> None:
    signatures[function] = signature
    for namespace in namespaces:
        published[namespace][name] = function
    if method is not None:
        methods[method] = function
    if inplace:
        from microtensor.ops.inplace import make_inplace

        methods[f"{name}_"] = make_inplace(name, function)
        signatures[methods[f"{name}_"]] = signature


# ---- what a rule is given, and so what is saved -------------------------------------------------


def _rule_parameters(rule: Callable[..., Any]) -> list[str]:
    # Rules are plain functions: reading their code is a tenth of what inspect.signature costs.
    code = rule.__code__
    return list(code.co_varnames[: code.co_argcount])


def _canonical(op: Op, name: str) -> str:
    return op.inputs[0] if name == "x" and "x" not in op.inputs else name


def _check_rules(op: Op, parameters: list[Parameter]) -> None:
    unknown = set(op.rules) - set(op.inputs)
    if unknown:
        raise ValueError(f"{op.name}: rules for {sorted(unknown)}, which are no inputs")
    known = {p.name for p in parameters} | {"x", "y", *op.extras}
    known |= {f"{p.name}_shape" for p in parameters}
    for rule in op.rules.values():
        names = _rule_parameters(rule)
        if not names or names[0] != "g":
            raise ValueError(f"{op.name}: a rule's first parameter is g")
        if set(names[1:]) - known:
            raise ValueError(f"{op.name}: a rule asks for {sorted(set(names[1:]) - known)}")


def _name_saved(op: Op, parameters: list[Parameter]) -> None:
    wanted = {_canonical(op, n) for rule in op.rules.values() for n in _rule_parameters(rule)[1:]}
    order = [*op.inputs, "y", *op.extras]
    order += [p.name for p in parameters if not p.is_input] + [f"{i}_shape" for i in op.inputs]
    op.saved_names = tuple(n for n in order if n in wanted)
    roles: list[int | None] = []
    for n in op.saved_names:
        roles.append(op.inputs.index(n) if n in op.inputs else -1 if n == "y" else None)
    op.saved_roles = tuple(roles)


def _needed_by(op: Op, saved: str) -> list[int]:
    """The inputs whose rules read a saved value."""
    return [
        i
        for i, n in enumerate(op.inputs)
        if n in op.rules and saved in [_canonical(op, r) for r in _rule_parameters(op.rules[n])[1:]]
    ]


# ---- generated functions ------------------------------------------------------------------------


def _first_call(*arguments: Any, **named: Any) -> Any:
    return _compiled()(*arguments, **named)  # type: ignore[name-defined]  # noqa: F821


def _when_called(
    op: Op, function_name: str, names: dict[str, Any], write: Callable[[], list[str]]
) -> Callable[..., Any]:
    """Make a function whose source is written and compiled at its first call.

    Compiling all of them would be most of the time it takes to import the package. The function
    stays the same object: its code is exchanged.
    """
    function = FunctionType(_first_call.__code__, names, function_name)
    function.__module__ = "microtensor"

    def compiled() -> Callable[..., Any]:
        exec(compile("\n".join(write()), f"<microtensor op {op.name}>", "exec"), names)
        real = names[function_name]
        function.__defaults__, function.__kwdefaults__ = real.__defaults__, real.__kwdefaults__
        function.__code__ = real.__code__
        names[function_name] = function
        return function

    names["_compiled"] = compiled
    return function


def _signature_of(parameters: list[Parameter]) -> inspect.Signature:
    return inspect.Signature(
        [
            inspect.Parameter(
                p.name,
                inspect.Parameter.KEYWORD_ONLY
                if p.keyword_only
                else inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty
                if p.default is None
                else ast.literal_eval(p.default),
            )
            for p in parameters
        ]
    )


def _make_backward(op: Op) -> Callable[..., tuple[Any, ...]]:
    """``backward(g, parents, saved)``: the gradients of the inputs, None where nobody asks."""
    name = f"{op.name}_backward_rules"
    names = {f"rule{i}": op.rules[n] for i, n in enumerate(op.inputs) if n in op.rules}

    def write() -> list[str]:
        lines = [f"def {name}(g, parents, saved):"]
        lines.append(f"    {_tuple(f'p{i}' for i in range(len(op.inputs)))} = parents")
        if op.saved_names:
            lines.append(f"    {_tuple(f's_{n}' for n in op.saved_names)} = saved")
        results = []
        for i, n in enumerate(op.inputs):
            if n not in op.rules:
                results.append("None")
                continue
            given = [f"s_{_canonical(op, r)}" for r in _rule_parameters(op.rules[n])[1:]]
            results.append(f"None if p{i} is None else rule{i}({', '.join(['g', *given])})")
        lines.append(f"    return {_tuple(results)}")
        return lines

    return _when_called(op, name, names, write)


def _tuple(items: Any) -> str:
    parts = list(items)
    return "(" + ", ".join(parts) + ("," if len(parts) == 1 else "") + ")"


def _parameter_source(parameters: list[Parameter]) -> str:
    parts, star = [], False
    for p in parameters:
        if p.keyword_only and not star:
            parts.append("*")
            star = True
        parts.append(p.name if p.default is None else f"{p.name}={p.default}")
    return ", ".join(parts)


def _check_input(op: Op, p: Parameter, inputs: list[Parameter]) -> list[str]:
    """The lines that make sure an input is a tensor."""
    if p.may_be_number:
        # A number takes its dtype from the tensor it is combined with.
        partner = next((q for q in inputs if q.may_be_number and q is not p), inputs[0])
        return [
            f"    if not isinstance({p.name}, _Tensor):",
            f"        {p.name} = _number({op.name!r}, {p.name!r}, {p.name}, {partner.name})",
        ]
    condition = f"not isinstance({p.name}, _Tensor)"
    if p.may_be_missing:
        condition += f" and {p.name} is not None"
    return [f"    if {condition}:", f"        _refuse({op.name!r}, {p.name!r}, {p.name})"]


def _make_public(op: Op, parameters: list[Parameter]) -> Callable[..., Any]:
    """The function users call: checks, computes, wraps, and records if a gradient is wanted."""
    names: dict[str, Any] = {
        "_Tensor": Tensor,
        "_new": object.__new__,
        "_Node": Node,
        "_next_number": next_number,
        "_recording": recording,
        "_node_of": node_of,
        "_forward": op.forward,
        "_op": op,
        "_refuse": refuse,
        "_number": number,
        "_unchanging": [0],
        "_view": _mark_view,
    }
    if op.inplace_argument:
        from microtensor.ops.inplace import store

        names["_store"] = store
        parameters = [*parameters, Parameter("inplace", "bool", "False", False)]
    function = _when_called(op, op.name, names, lambda: _public_source(op))
    function.__signature__ = _signature_of(parameters)  # type: ignore[attr-defined]
    return function


def _public_source(op: Op) -> list[str]:
    parameters = parse_signature(op.signature)
    inputs = [p for p in parameters if p.is_input]
    head = _parameter_source(parameters)
    lines = [f"def {op.name}({head}{', inplace=False' if op.inplace_argument else ''}):"]
    if op.inplace_argument:
        rest = "".join(f", {p.name}" for p in parameters[1:])
        lines += [
            "    if inplace:",
            f"        return _store({op.name!r}, {op.inputs[0]}, lambda x: {op.name}(x{rest}))",
        ]
    for p in inputs:
        lines += _check_input(op, p, inputs)

    given = []
    for p in parameters:
        value = p.name
        if p.is_input:
            value = f"{p.name}._array"
            if p.may_be_missing:
                value = f"None if {p.name} is None else {value}"
        given.append(f"{p.name}={value}" if p.keyword_only else value)
    lines.append(f"    y = _forward({', '.join(given)})")
    if op.extras:
        lines.append(f"    {_tuple(['y', *(f'e_{e}' for e in op.extras)])} = y")
    lines += [
        "    t = _new(_Tensor)",
        "    t._array = y",
        "    t._cell = [0]",
        "    t._base = None",
    ]
    if op.rules:
        lines += _recording_source(op, inputs)
    lines.append("    t._node = None")
    if op.view:
        lines.append(_view_source(op, parameters))
    lines.append("    return t")
    return lines


def _view_source(op: Op, parameters: list[Parameter]) -> str:
    rest = _tuple(p.name for p in parameters if not p.is_input)
    return f"    _view({op.inputs[0]}, t, _op, {rest})"


def _recording_source(op: Op, inputs: list[Parameter]) -> list[str]:
    nodes, lines = [], ["    if _recording.enabled:"]
    for i, p in enumerate(inputs):
        if p.name not in op.rules:
            nodes.append("None")
            continue
        node = f"{p.name}._node if {p.name}._base is None else _node_of({p.name})"
        if p.may_be_missing:
            node = f"None if {p.name} is None else {node}"
        lines.append(f"        n{i} = {node}")
        nodes.append(f"n{i}")
    wanted = " or ".join(f"{n} is not None" for n in nodes if n != "None")
    if op.integral:
        wanted = f'y.dtype.kind == "f" and ({wanted})'
    lines.append(f"        if {wanted}:")
    pad = " " * 12
    values, cells = [], []
    for name, role in zip(op.saved_names, op.saved_roles, strict=True):
        if role is None:
            if name.endswith("_shape") and name[:-6] in op.inputs:
                values.append(f"{name[:-6]}._array.shape")
            else:
                values.append(f"e_{name}" if name in op.extras else name)
            continue
        if role == -1:
            values.append("y")
            cells.append("t._cell")
            continue
        # Saved only if a rule that reads it will be called.
        needed = _needed_by(op, name)
        always = len(op.rules) == 1 or set(needed) == {
            i for i, p in enumerate(inputs) if p.name in op.rules
        }
        missing = inputs[role].may_be_missing
        if always and not missing:
            values.append(f"{name}._array")
            cells.append(f"{name}._cell")
            continue
        condition = " or ".join(f"n{i} is not None" for i in needed)
        if missing:
            condition = f"({condition}) and {name} is not None"
        values.append(f"{name}._array if {condition} else None")
        lines.append(f"{pad}c_{name} = {name}._cell if {condition} else _unchanging")
        cells.append(f"c_{name}")
    # Node's own __init__, written out: the call would be a tenth of what recording costs.
    fields = {
        "op": "_op",
        "parents": _tuple(nodes),
        "saved": _tuple(values),
        "cells": _tuple(cells),
        "stamp": " + ".join(f"{c}[0]" for c in cells) or "0",
        "shape": "y.shape",
        "dtype": "y.dtype",
        "hooks": "None",
        "number": "_next_number()",
    }
    lines.append(f"{pad}n = t._node = _new(_Node)")
    lines += [f"{pad}n.{name} = {value}" for name, value in fields.items()]
    if op.view:
        lines.append("        " + _view_source(op, parse_signature(op.signature)))
    lines.append(f"{pad}return t")
    return lines


def _make_either(op: Op, parameters: list[Parameter]) -> Callable[..., Any]:
    """The function rules call: arrays in, array out; as soon as one is a tensor, recorded."""
    names: dict[str, Any] = {
        "_Tensor": Tensor,
        "_public": op.public,
        "_forward": op.forward,
        "_lift": lift,
    }

    def write() -> list[str]:
        inputs = [p for p in parameters if p.is_input]
        lines = [f"def {op.name}({_parameter_source(parameters)}):"]
        condition = " or ".join(f"isinstance({p.name}, _Tensor)" for p in inputs)
        lines.append(f"    if {condition}:")
        given = []
        for p in parameters:
            value = p.name
            if p.is_input:
                # What the public function does not take as a number, rules may pass as one.
                others = [] if p.may_be_number else [q.name for q in inputs if q is not p]
                value = f"_lift({', '.join([p.name, *others[:1]])})"
            given.append(f"{p.name}={value}" if p.keyword_only else value)
        lines.append(f"        return _public({', '.join(given)})")
        plain = [f"{p.name}={p.name}" if p.keyword_only else p.name for p in parameters]
        lines.append(f"    return _forward({', '.join(plain)})" + ("[0]" if op.extras else ""))
        return lines

    function = _when_called(op, op.name, names, write)
    function.op = op  # type: ignore[attr-defined]
    return function


def lift(value: Any, beside: Any = None) -> Any:
    """Make a constant tensor of an array, or of a number beside a tensor; leave all else."""
    if isinstance(value, np.ndarray):
        return wrap(value)
    if isinstance(value, _NUMBERS) and isinstance(beside, Tensor):
        return wrap(number_array(value, beside._array.dtype))
    return value


def _mark_view(source: Tensor, view: Tensor, op: Op, arguments: tuple[Any, ...]) -> None:
    """Note that a tensor may share memory with the one it was taken from."""
    array = view._array
    shared = array is source._array or np.may_share_memory(array, source._array)
    if not shared and array.size:
        return
    base = source if source._base is None else source._base
    view._base = base
    view._cell = source._cell
    view._path = (*source._path, (op.either, arguments))
    view._base_node = base._node
    view._base_version = view._cell[0]


# ---- checking inputs ----------------------------------------------------------------------------


def refuse(op: str, argument: str, value: Any) -> None:
    """Raise the TypeError for something that should have been a tensor."""
    hint = ""
    if isinstance(value, np.ndarray):
        hint = "; make a tensor of the array with mt.from_numpy(array) or mt.tensor(array)"
    raise TypeError(
        f"{op}(): argument '{argument}' must be Tensor, not {type(value).__name__}{hint}"
    )


_NUMBERS = (int, float, np.number, np.bool_)


def number(op: str, argument: str, value: Any, partner: Any) -> Tensor:
    """Make a constant of a Python number, in the dtype that leaves a tensor beside it its own."""
    if not isinstance(value, _NUMBERS):
        raise TypeError(
            f"{op}(): argument '{argument}' must be Tensor or a number, not {type(value).__name__}"
        )
    beside = partner._array.dtype if isinstance(partner, Tensor) else np.dtype(bool)
    return wrap(number_array(value, beside))


# ---- documentation ------------------------------------------------------------------------------


def documentation(op: Op) -> str:
    """Write an op's docstring from its record."""
    parts = [op.summary or f"Compute {op.name}."]
    facts = []
    if op.formula:
        facts.append(f"y = {op.formula}")
    if op.derivative:
        facts.append(f"dy/dx = {op.derivative}")
    if facts:
        parts.append("\n".join(f"    {f}" for f in facts))
    notes = []
    if op.range:
        notes.append(f"Range: {op.range}.")
    if op.kinks:
        notes.append(f"Kinks at {', '.join(f'{k:g}' for k in op.kinks)}.")
    if op.ulp is not None:
        notes.append(f"The C kernel's error is at most {op.ulp:g} ulp.")
    if op.view:
        notes.append("The result shares the input's memory where that is possible.")
    if op.rules:
        arrays = [n for n, r in zip(op.saved_names, op.saved_roles, strict=True) if r is not None]
        saved = ", ".join("the output" if n == "y" else n for n in arrays)
        notes.append(f"Saved for the gradient: {saved or 'no array'}.")
    else:
        notes.append("Not differentiable.")
    parts.append(" ".join(notes))
    if op.reference:
        parts.append(f"Reference: {op.reference}")
    return "\n\n".join(parts)
