"""The functions of an op, written as Python source from its record.

Generated per op, because the small networks this engine is for spend their time in exactly these
lines: no generic ``*args`` from the user to the kernel.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, NoReturn

import numpy as np

from microtensor.engine import INFERENCE_CELL, Node, output_node, recording
from microtensor.engine import node as nodes
from microtensor.ops.promotion import number_array, operand_array
from microtensor.ops.record import Op, Parameter, parse_signature
from microtensor.ops.spelling import accepting_numpy_names
from microtensor.tensor import Tensor, node_of, wrap


def _first_call(*arguments: Any, **named: Any) -> Any:
    return _compiled()(*arguments, **named)  # type: ignore[name-defined]  # noqa: F821


def _when_called(
    function_name: str, names: dict[str, Any], write: Callable[[], list[str]]
) -> Callable[..., Any]:
    """Make a function whose source is written and compiled at its first call.

    Compiling all of them would be most of the time it takes to import the package. The function
    stays the same object: its code is exchanged.
    """
    function = FunctionType(_first_call.__code__, names, function_name)
    function.__module__, function.__qualname__ = "microtensor", function_name

    def compiled() -> Callable[..., Any]:
        exec(compile("\n".join(write()), f"<microtensor op {function_name}>", "exec"), names)
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


def make_backward(op: Op) -> Callable[..., tuple[Any, ...]]:
    """``backward(g, parents, saved)``: the gradients of the inputs, None where nobody asks."""
    name = f"{op.name}_backward_rules"
    names = {f"rule{i}": op.rules[n] for i, n in enumerate(op.inputs) if n in op.rules}

    def write() -> list[str]:
        lines = [f"def {name}(g, parents, saved):"]
        lines.append(f"    {_tuple(f'p{i}' for i in range(len(op.inputs)))} = parents")
        if op.outputs:
            lines.append(f"    {_tuple(op.gradients)} = g.parts")
        if op.saved_names:
            lines.append(f"    {_tuple(f's_{n}' for n in op.saved_names)} = saved")
        results = []
        for i, n in enumerate(op.inputs):
            if n not in op.rules:
                results.append("None")
                continue
            given = [*op.gradients, *(f"s_{r}" for r in op.reads[n])]
            results.append(f"None if p{i} is None else rule{i}({', '.join(given)})")
        lines.append(f"    return {_tuple(results)}")
        return lines

    return _when_called(name, names, write)


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


def make_public(op: Op, parameters: list[Parameter]) -> Callable[..., Any]:
    """The function users call: checks, computes, wraps, and records if a gradient is wanted."""
    names: dict[str, Any] = {
        "_Tensor": Tensor,
        "_new": object.__new__,
        "_Node": Node,
        "_next_number": nodes._next_number,
        "_recording": recording,
        "_node_of": node_of,
        "_forward": op.forward,
        "_op": op,
        "_refuse": refuse,
        "_number": number,
        "_unchanging": [0],
        "_inference_cell": INFERENCE_CELL,
        "_view": _mark_view,
        "_wrap": wrap,
        "_output_node": output_node,
        "_returns": op.returns or _as_tuple,
    }
    if op.inplace_argument:
        from microtensor.ops.inplace import store

        names["_store"] = store
        parameters = [*parameters, Parameter("inplace", "bool", "False", False)]
    function = _when_called(op.name, names, lambda: _public_source(op, names))
    names["_again"] = function  # by its own name a parameter may go, as threshold's does
    function.__signature__ = _signature_of(parameters)  # type: ignore[attr-defined]
    return function


def _public_source(op: Op, names: dict[str, Any]) -> list[str]:
    parameters = parse_signature(op.signature)
    inputs = [p for p in parameters if p.is_input]
    accepted, renaming, needs = accepting_numpy_names(op.name, parameters)
    names.update(needs)
    head = _parameter_source(accepted)
    lines = [f"def {op.name}({head}{', inplace=False' if op.inplace_argument else ''}):"]
    lines += renaming
    if op.inplace_argument:
        rest = "".join(f", {p.name}" for p in parameters[1:])
        lines += [
            "    if inplace:",
            f"        return _store({op.name!r}, {op.inputs[0]}, lambda x: _again(x{rest}))",
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
    extras = [f"e_{name}" for name in op.extras]
    if op.outputs:
        lines.append(f"    {_tuple([f'y_{name}' for name in op.outputs] + extras)} = y")
        lines += [f"    t_{name} = _wrap(y_{name})" for name in op.outputs]
        if op.rules:
            lines += _recording_source(op, inputs)
        lines.append(f"    return _returns({', '.join(f't_{name}' for name in op.outputs)})")
        return lines
    if op.extras:
        lines.append(f"    {_tuple(['y', *extras])} = y")
    lines += [
        "    t = _new(_Tensor)",
        "    t._array = y",
        "    t._cell = [0]",
        "    t._base = None",
    ]
    if op.rules:
        lines += _recording_source(op, inputs)
        lines.append("    if mode_ is None:")
    else:
        lines.append("    if _recording.enabled is None:")
    lines += ["        t._cell = _inference_cell", "    t._node = None"]
    if op.view:
        lines.append(_view_source(op, parameters))
    lines.append("    return t")
    return lines


def _as_tuple(*outputs: Any) -> tuple[Any, ...]:
    return outputs


def _view_source(op: Op, parameters: list[Parameter]) -> str:
    rest = _tuple(p.name for p in parameters if not p.is_input)
    return f"    _view({op.inputs[0]}, t, _op, {rest})"


def _recording_source(op: Op, inputs: list[Parameter]) -> list[str]:
    nodes, lines = [], ["    mode_ = _recording.enabled", "    if mode_:"]
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
    if op.integral and not op.outputs:
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
        value, cell, missing = f"{name}._array", f"{name}._cell", False
        if role < 0:
            suffix = f"_{name}" if op.outputs else ""
            value, cell = f"y{suffix}", f"t{suffix}._cell"
        else:
            missing = inputs[role].may_be_missing
        # Saved only if a rule that reads it will be called.
        needed = op.needed_by(name)
        always = len(op.rules) == 1 or set(needed) == {
            i for i, p in enumerate(inputs) if p.name in op.rules
        }
        if always and not missing:
            values.append(value)
            cells.append(cell)
            continue
        condition = " or ".join(f"n{i} is not None" for i in needed)
        if missing:
            condition = f"({condition}) and {name} is not None"
        values.append(f"{value} if {condition} else None")
        lines.append(f"{pad}c_{name} = {cell} if {condition} else _unchanging")
        cells.append(f"c_{name}")
    # Node's own __init__, written out: the call would be a tenth of what recording costs.
    fields = {
        "op": "_op",
        "parents": _tuple(nodes),
        "saved": _tuple(values),
        "cells": _tuple(cells),
        "stamp": " + ".join(f"{c}[0]" for c in cells) or "0",
        "shape": "None" if op.outputs else "y.shape",
        "dtype": "None" if op.outputs else "y.dtype",
        "hooks": "None",
        "number": "_next_number()",
    }
    lines.append(f"{pad}node = _new(_Node)" if op.outputs else f"{pad}node = t._node = _new(_Node)")
    lines += [f"{pad}node.{name} = {value}" for name, value in fields.items()]
    if values:
        lines += [f"{pad}if mode_ is not True:", f"{pad}    mode_.pack(node)"]
    if op.outputs:
        for place, name in enumerate(op.outputs):
            lines += [
                f'{pad}if y_{name}.dtype.kind == "f":',
                f"{pad}    t_{name}._node = _output_node("
                f"node, {place}, {len(op.outputs)}, y_{name}.shape, y_{name}.dtype)",
            ]
        return lines
    if op.view:
        lines.append("        " + _view_source(op, parse_signature(op.signature)))
    lines.append(f"{pad}return t")
    return lines


def make_either(op: Op, parameters: list[Parameter]) -> Callable[..., Any]:
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
        part = f"[:{len(op.outputs)}]" if op.outputs else "[0]" if op.extras else ""
        lines.append(f"    return _forward({', '.join(plain)}){part}")
        return lines

    function = _when_called(op.name, names, write)
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
    if view._cell is not INFERENCE_CELL:
        view._base_version = view._cell[0]


# ---- composites ----------------------------------------------------------------------------------


def with_numpy_names(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the form of a composite that takes NumPy's names for ``dim`` and ``keepdim``."""
    names: dict[str, Any] = {"_function": function}

    def write() -> list[str]:
        parameters = []
        for p in inspect.signature(function).parameters.values():
            names[f"_default_{p.name}"] = p.default
            default = None if p.default is p.empty else f"_default_{p.name}"
            parameters.append(Parameter(p.name, "Any", default, p.kind is p.KEYWORD_ONLY))
        given = [f"{p.name}={p.name}" if p.keyword_only else p.name for p in parameters]
        parameters, lines, needs = accepting_numpy_names(name, parameters)
        names.update(needs)
        head = f"def {name}({_parameter_source(parameters)}):"
        return [head, *lines, f"    return _function({', '.join(given)})"]

    form = _when_called(name, names, write)
    form.__doc__, form.__module__ = function.__doc__, function.__module__
    form.__annotations__ = function.__annotations__
    form.__wrapped__ = function  # type: ignore[attr-defined]
    return form


# ---- checking inputs ----------------------------------------------------------------------------


def refuse(op: str, argument: str, value: Any, expected: str = "Tensor") -> NoReturn:
    """Raise the TypeError for something that should have been a tensor."""
    hint = ""
    if isinstance(value, np.ndarray):
        hint = "; make a tensor of the array with mt.from_numpy(array) or mt.tensor(array)"
    raise TypeError(
        f"{op}(): argument '{argument}' must be {expected}, not {type(value).__name__}{hint}"
    )


_NUMBERS = (int, float, np.number, np.bool_)


def number(op: str, argument: str, value: Any, partner: Any) -> Tensor:
    """Make a constant of a Python number, in the dtype that leaves a tensor beside it its own."""
    if not isinstance(value, _NUMBERS):
        refuse(op, argument, value, "Tensor or a number")
    beside = partner._array.dtype if isinstance(partner, Tensor) else np.dtype(bool)
    return wrap(operand_array(value, beside))
