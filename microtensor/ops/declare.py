"""Declaring an op: one record, and what is made of it.

A record says what an op is called and takes, how it is computed on arrays, and the derivative with
respect to each input. From it come the public function (tensors in, tensor out, recorded), the
form that rules call (arrays and tensors alike), the Tensor method, the type stub, the reference
page and the generic tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microtensor.ops.generated import make_backward, make_either, make_public, number, refuse
from microtensor.ops.record import Op, Parameter, complete, parse_signature

__all__ = [
    "Op",
    "Parameter",
    "declare",
    "documentation",
    "methods",
    "number",
    "parse_signature",
    "publish",
    "published",
    "refuse",
    "registry",
    "signatures",
]

registry: dict[str, Op] = {}
"""Every declared op by name."""

published: dict[str, dict[str, Callable[..., Any]]] = {"mt": {}, "nn.functional": {}, "linalg": {}}
"""What users see: for each namespace, the functions by name. Composites join with `publish`."""

methods: dict[str, Callable[..., Any]] = {}
"""What is attached to Tensor, by name."""

properties: dict[str, property] = {}
"""What is attached to Tensor without being called, by name."""

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
