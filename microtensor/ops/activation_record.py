"""What an activation's record holds, and what is made of it: the op, its gradient's op, the check.

Formulas are written so that people and tests read the same line: the tests take ``eˣ``, ``·`` and
``√`` for what they are, evaluate formula and derivative to many digits, and count the kernels'
errors against them. A formula may end in definitions: ``x·s, s = σ(x)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arithmetic import mul, zero
from microtensor.ops.arrays import Array, broadcast_shape, empty
from microtensor.ops.declare import (
    declare,
    declaring_module,
    documentation,
    parse_signature,
    publish,
)
from microtensor.ops.inplace import make_inplace
from microtensor.ops.promotion import to_float
from microtensor.ops.record import Op, Parameter

INFINITY = math.inf


@dataclass(slots=True, eq=False)
class Activation(Op):
    """The declaration of an activation: an op's, and what only activations have.

    Attributes:
        module: its module's name in ``nn``.
        learned: names of the parameters that the module learns.
        saves: what the derivative is a formula of, and the gradient reads: "x" or "y".
        kernel: the kernel's name, and the numbers it is given after the parameters.
        limits: the values at -∞ and ∞.
        slopes: the derivatives there.
        ulp_derivative: bound of the gradient kernel's error, for what it saved.
        sums: whether the derivative crosses zero as a sum of terms, which cancel there: its error
            is then counted in ulp of the largest term.
        composed: whether it is written over other ops, with no kernel of its own.
        family: the file in which it is declared.
    """

    kind: str = "activation"
    module: str = ""
    learned: tuple[str, ...] = ()
    saves: str = "x"
    kernel: str = ""
    constants: tuple[float, ...] = ()
    limits: tuple[float, float] | None = None
    slopes: tuple[float, float] | None = None
    ulp_derivative: float | None = None
    sums: bool = False
    composed: bool = False
    parameters: tuple[Parameter, ...] = field(default_factory=tuple)
    family: str = field(default_factory=declaring_module)


ACTIVATIONS: dict[str, Activation] = {}
"""Activations by name, as they are declared; ops/activations.py has all, in order."""


def refuse_integers(name: str, x: Array) -> None:
    """Raise for a tensor that is not of floating point.

    Raises:
        RuntimeError: always; it names the activation, the dtype and the cure.
    """
    raise RuntimeError(f"{name}: not defined for {x.dtype.name} tensors; convert with .float()")


def _from_integers(name: str, x: Array) -> Array:
    if name in ("sigmoid", "tanh"):  # which PyTorch promotes, as it does exp
        return to_float(x)
    refuse_integers(name, x)
    return x


def legality(
    name: str, legal: tuple[str, ...], parameters: list[str], error: type[Exception]
) -> Callable[..., None]:
    """Make the check of an activation's numbers from the conditions they are to meet.

    The check takes all of them, in order, and raises an error that names the activation, what was
    given and what is legal.
    """
    text = " and ".join(f"({condition})" for condition in legal)
    met = eval(f"lambda {', '.join(parameters)}: {text}")  # of our own records' text

    def check(*values: Any) -> None:
        if not met(*values):
            given = ", ".join(f"{n}={v!r}" for n, v in zip(parameters, values, strict=True))
            raise error(f"{name}: needs {' and '.join(legal)}, got {given}")

    return check


# ---- forward functions --------------------------------------------------------------------------


def _forward(
    name: str,
    kernel: Callable[..., None],
    constants: tuple[float, ...],
    check: Callable[..., None] | None,
) -> Callable[..., Array]:
    def plain(x: Array) -> Array:
        if x.dtype.kind != "f":
            x = _from_integers(name, x)
        out = empty(x.shape, x.dtype)
        kernel(x, out, *constants)
        return out

    def forward(x: Array, *parameters: Any) -> Array:
        if check is not None:
            check(*parameters)
        if x.dtype.kind != "f":
            x = _from_integers(name, x)
        out = empty(x.shape, x.dtype)
        try:
            kernel(x, out, *parameters)
        except TypeError:
            given = ", ".join(repr(value) for value in parameters)
            raise TypeError(f"{name}(): the parameters must be numbers, got {given}") from None
        return out

    return plain if constants else forward


def _backward_forward(
    kernel: Callable[..., None], constants: tuple[float, ...]
) -> Callable[..., Array]:
    def forward(g: Array, saved: Array, *parameters: Any) -> Array:
        if g.dtype is not saved.dtype:
            g = g.astype(saved.dtype)
        out = empty(saved.shape, saved.dtype)
        kernel(g, saved, out, *parameters, *constants)
        return out

    return forward


def _learned_forward(name: str, kernel: Callable[..., None], terms: bool) -> Callable[..., Array]:
    """Make the forward function of an activation whose parameters are arrays.

    They broadcast with the input; those with terms have a dimension more, the first.
    """
    leading = 1 if terms else 0

    def forward(x: Array, *parameters: Array) -> Array:
        if x.dtype.kind != "f":
            refuse_integers(name, x)
        shape = x.shape
        for p in parameters:
            if p.size != 1 or p.ndim - leading > x.ndim:
                shape = broadcast_shape(shape, p.shape[leading:], name)
        out = empty(shape, x.dtype)
        kernel(x, out, *parameters)
        return out

    return forward


def _learned_backward_forward(kernel: Callable[..., None], count: int) -> Callable[..., Array]:
    """Make that of its gradient by the input alone."""
    nobody = (None,) * count

    def forward(g: Array, x: Array, *parameters: Array) -> Array:
        if g.dtype is not x.dtype:
            narrow, g = g, empty(g.shape, x.dtype)
            kernels.cast(narrow, g)
        out = empty(g.shape, x.dtype)
        kernel(g, x, out, *parameters, *nobody)
        return out

    return forward


def _all_at_once(op: Op, kernel: Callable[..., None], typed: str) -> None:
    """Let a first-order walk take the gradients of input and parameters in one pass over both.

    The rules say the same, an op at a time, and are what is differentiated again.
    """
    one_by_one = op.backward

    def forward(g: Array, x: Array, *given: Any) -> tuple[Any, ...]:
        *parameters, wanted = given
        if g.dtype is not x.dtype:
            narrow, g = g, empty(g.shape, x.dtype)
            kernels.cast(narrow, g)
        out = empty(g.shape, x.dtype)
        sums = [
            empty(p.shape, p.dtype) if asked else None
            for p, asked in zip(parameters, wanted[1:], strict=True)
        ]
        kernel(g, x, out, *parameters, *sums)
        return (out if wanted[0] else None, *sums)

    gradients = declare(
        f"{op.name}_gradients",
        f"grad: Tensor, input: Tensor{typed}, wanted: Any",
        forward,
        outputs=tuple(f"by_{name}" for name in op.inputs),
        summary=f"Give the gradients of {op.name} by input and parameters.",
        namespaces=(),
    )

    def backward(g: Any, parents: tuple[Any, ...], saved: tuple[Any, ...]) -> tuple[Any, ...]:
        if type(g) is not np.ndarray or not any(parents[1:]):
            return one_by_one(g, parents, saved)
        found: tuple[Any, ...] = gradients(g, *saved, tuple(p is not None for p in parents))
        return found

    op.backward = backward


def _gradient_samples(draw: samples.Samples) -> samples.Samples:
    """Make samples of the gradient of an activation's: one more array comes in."""

    def drawn(rng: Any) -> list[samples.Sample]:
        found = []
        for (x, *parameters), arguments in draw(rng):
            g = rng.uniform(0.2, 2.0, x.shape) * rng.choice([-1.0, 1.0], x.shape)
            found.append(((g, x, *parameters), arguments))
        return found

    return drawn


# ---- declaring ----------------------------------------------------------------------------------


def activation(
    name: str,
    slope: Callable[..., Any] | None = None,
    parameters: str = "",
    *,
    saves: str = "x",
    flat: bool = False,
    kernel: str = "",
    constants: tuple[float, ...] = (),
    legal: tuple[str, ...] = (),
    illegal: type[Exception] = ValueError,
    learned: Mapping[str, tuple[Callable[..., Any], Callable[..., Any] | None]] | None = None,
    terms: bool = False,
    namespaces: tuple[str, ...] = ("nn.functional",),
    inplace_function: bool = False,
    kinks: tuple[float, ...] = (),
    key: str = "",
    **fields: Any,
) -> Any:
    """Declare an activation and its gradient.

    Args:
        name: of the op.
        slope: the derivative of the gradient's factor f' with respect to what it reads, in ops:
            ``slope(saved, *parameters)``; None where it is zero.
        parameters: typed, with defaults, after the input.
        saves: what the gradient's kernel reads, "x" or "y".
        flat: whether the gradient is zero everywhere: then there is no kernel for it.
        kernel: its name, if not the op's; ``<kernel>_backward`` is the gradient's.
        constants: numbers that the kernel is given.
        legal: conditions on the parameters.
        illegal: what is raised otherwise, as PyTorch does.
        learned: for each parameter that is a tensor the derivatives of f and of f' with respect to
            it, in ops of ``(x, *parameters)``; None for what is zero. The gradient's kernel gives
            those by the parameters, too.
        terms: whether the parameters have one more dimension, the first, of terms added up.
        namespaces: where users find it.
        inplace_function: whether ``<name>_`` is a function there, too.
        kinks: points where the derivative jumps; there the formula's is taken.
        key: its name among activations, if not the op's.
        fields: of the record.
    """
    kernel = kernel or name
    typed = f", {parameters}" if parameters else ""
    parsed = parse_signature(f"input: Tensor{typed}")[1:]
    after = "".join(f", {p.name}" for p in parsed)
    environment: dict[str, Any] = {"mul": mul, "zero": zero, "slope": slope}
    own_samples = fields.pop("samples", None)
    drawn = own_samples or samples.one(avoid=kinks)

    # The rules have the parameters' names, since a rule is given what it names.
    def rule(head: str, body: str) -> Any:
        return eval(f"lambda {head}: {body}", environment)

    if flat:
        rules = {"input": rule("g", "zero(g)")}
    else:
        rules = {"input": rule(f"g, {saves}{after}", f"backward(g, {saves}{after})")}
        inner = {"grad": rule(f"g, saved{after}", f"backward(g, saved{after})")}
        if slope is not None:
            body = f"mul(mul(g, grad), slope(saved{after}))"
            inner["saved"] = rule(f"g, grad, saved{after}", body)
        for p, (of_value, of_slope) in (learned or {}).items():
            environment[f"value_by_{p}"], environment[f"slope_by_{p}"] = of_value, of_slope
            rules[p] = rule(f"g, x{after}", f"mul(g, value_by_{p}(x{after}))")
            if of_slope is not None:
                inner[p] = rule(
                    f"g, grad, saved{after}", f"mul(mul(g, grad), slope_by_{p}(saved{after}))"
                )
        environment["backward"] = declare(
            f"{name}_backward",
            f"grad: Tensor, saved: Tensor{typed}",
            _learned_backward_forward(getattr(kernels, f"{kernel}_backward"), len(learned))
            if learned
            else _backward_forward(getattr(kernels, f"{kernel}_backward"), constants),
            rules=inner,
            summary=f"Give the gradient of {name} from the incoming one and the saved "
            f"{'input' if saves == 'x' else 'output'}.",
            namespaces=(),
            samples=_gradient_samples(drawn) if parsed and own_samples else None,
        )

    names = [p.name for p in parsed]
    either = declare(
        name,
        f"input: Tensor{typed}",
        _learned_forward(name, getattr(kernels, kernel), terms)
        if learned
        else _forward(
            name,
            getattr(kernels, kernel),
            constants,
            legality(name, legal, names, illegal) if legal else None,
        ),
        record=Activation,
        rules=rules,
        namespaces=namespaces,
        kinks=kinks,
        samples=drawn,
        saves=saves,
        kernel=kernel,
        constants=constants,
        learned=tuple(learned or ()),
        parameters=tuple(parsed),
        **fields,
    )
    if learned:
        _all_at_once(either.op, getattr(kernels, f"{kernel}_backward"), typed)
    if inplace_function:
        offer_in_place(name, either.op.public, f"input: Tensor{typed}", namespaces)
    ACTIVATIONS[key or name] = either.op
    return either


def offer_in_place(
    name: str, function: Callable[..., Any], signature: str, namespaces: tuple[str, ...]
) -> None:
    """Offer ``<name>_``, which writes into its first argument, as PyTorch does for some."""
    in_place = make_inplace(name, function)
    publish(signature, namespaces=namespaces, name=f"{name}_")(in_place)


def composed(
    name: str,
    signature: str,
    namespaces: tuple[str, ...] = ("nn.functional",),
    method: str | None = None,
    **fields: Any,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Offer an activation written over ops, with a record of its own.

    Its documentation is written from the record, above what the function says.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        record = Activation(
            name=name, signature=signature, forward=function, composed=True, **fields
        )
        record.parameters = tuple(p for p in parse_signature(signature) if not p.is_input)
        record.public = record.either = function
        own = function.__doc__ or ""
        rest = own.split("\n", 1)[1] if "\n" in own else ""
        described = documentation(record).replace("Not differentiable.", "Written over other ops.")
        function.__doc__ = f"{described}\n{rest}".rstrip()
        publish(signature, namespaces=namespaces, method=method, name=name)(function)
        ACTIVATIONS[name] = record
        return function

    return register
