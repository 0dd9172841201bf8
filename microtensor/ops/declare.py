"""Declaring an op: one record, and what is made of it.

A record says what an op is called and takes, how it is computed on arrays, and the derivative with
respect to each input. From it come the public function (tensors in, tensor out, recorded), the
form that rules call (arrays and tensors alike), the Tensor method, the type stub, the reference
page and the generic tests.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from microtensor.ops.generated import (
    make_backward,
    make_either,
    make_public,
    number,
    refuse,
    with_numpy_names,
)
from microtensor.ops.record import Op, Parameter, complete, parse_signature
from microtensor.ops.spelling import OTHER_NAMES

__all__ = [
    "Op",
    "Parameter",
    "attach",
    "declare",
    "declaring_module",
    "documentation",
    "methods",
    "number",
    "parse_signature",
    "publish",
    "published",
    "refuse",
    "registry",
    "signatures",
    "sources",
]

# Here stands what the modules imported so far have declared. Who wants all asks the package,
# ``from microtensor.ops import registry``: it imports them all first.

registry: dict[str, Op] = {}
"""Declared ops by name."""

published: dict[str, dict[str, Callable[..., Any]]] = {"mt": {}, "nn.functional": {}, "linalg": {}}
"""What users see: for each namespace, the functions by name. Composites join with `publish`."""

methods: dict[str, Callable[..., Any]] = {}
"""What is attached to Tensor, by name."""

properties: dict[str, property] = {}
"""What is attached to Tensor without being called, by name."""

sources: dict[str, dict[str, str]] = {name: {} for name in (*published, "methods")}
"""The module that declares each name, of namespaces and of Tensor: what the index is made of."""

signatures: dict[Callable[..., Any], str] = {}
"""The typed parameters of every public function, for the stub."""


def declare(
    name: str,
    signature: str,
    forward: Callable[..., Any],
    record: type[Op] = Op,
    **fields: Any,
) -> Any:
    """Declare an op; give the function that rules call, which takes arrays and tensors alike.

    ``record`` is the class of its record, for a family of ops that state more than others.
    """
    op = record(name=name, signature=signature, forward=forward, **fields)
    if name in registry:
        raise ValueError(f"the op {name!r} is declared twice")
    parameters = parse_signature(signature)
    complete(op, parameters)
    op.backward = make_backward(op)
    op.public = make_public(op, parameters)
    op.either = make_either(op, parameters)
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
        offered = with_numpy_names(own_name, function) if " dim: " in signature else function
        _publish(offered, own_name, signature, namespaces, method, inplace)
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
    if not function.__qualname__.isidentifier() or function.__qualname__.startswith("_"):
        function.__qualname__ = name  # what Python calls it when arguments are missing
    module = declaring_module()
    for namespace in namespaces:
        for each in (name, *(OTHER_NAMES.get(name, ()) if namespace == "mt" else ())):
            published[namespace][each] = function
            sources[namespace][each] = module
    if method is not None:
        attach(method, function)
    if inplace:
        from microtensor.ops.inplace import make_inplace

        attach(f"{name}_", make_inplace(name, function), signature)


def attach(name: str, value: Any, signature: str = "") -> None:
    """Offer a function, or a property, as an attribute of Tensor, by all its names."""
    kind: dict[str, Any] = properties if isinstance(value, property) else methods
    plain, ending = (name[:-1], "_") if name.endswith("_") else (name, "")
    module = declaring_module()
    for each in (name, *(other + ending for other in OTHER_NAMES.get(plain, ()))):
        kind[each] = value
        sources["methods"][each] = module
    if signature:
        signatures[value] = signature


def declaring_module() -> str:
    """Give the module that is being imported: the one that declares."""
    frame = sys._getframe(1)
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        frame = frame.f_back
    return str(frame.f_globals["__name__"])


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
