"""How the modules of :mod:`microtensor.nn.activations` are made of their records."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

from microtensor.nn.module import Module
from microtensor.ops import find_function
from microtensor.ops.activation_record import ACTIVATIONS, Activation
from microtensor.ops.creation import empty
from microtensor.ops.declare import parse_signature, signatures
from microtensor.tensor import Tensor

# Which are no options of a module: its mode says whether it trains, and its input's dtype is it.
_NO_OPTIONS = ("training", "_stacklevel", "dtype", "generator")
# PyTorch's repr of these is the bare number.
_BARE = ("Hardshrink", "Softshrink")


def _renamed(named: dict[str, Any]) -> None:
    """Take the names that Hardtanh's bounds once had in PyTorch."""
    for old, new in (("min_value", "min_val"), ("max_value", "max_val")):
        if old in named:
            warnings.warn(
                f"Hardtanh(): the argument {old!r} is deprecated and is now called {new!r}",
                FutureWarning,
                stacklevel=3,
            )
            named[new] = named.pop(old)


class _Activation(Module):
    """A module of one activation; its options are attributes, given to the function at a call."""

    _function: Callable[..., Tensor]
    _options: tuple[tuple[str, Any], ...] = ()
    _key: str

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__()
        name = type(self).__name__
        if name == "Hardtanh":
            _renamed(named)
        if len(arguments) > len(self._options):
            raise TypeError(
                f"{name}() takes {len(self._options)} arguments, but {len(arguments)} were given"
            )
        for (option, _), value in zip(self._options, arguments, strict=False):
            if option in named:
                raise TypeError(f"{name}() got multiple values for argument {option!r}")
            setattr(self, option, value)
        for option, default in self._options[len(arguments) :]:
            value = named.pop(option, default)
            if value is Parameter.empty:
                raise TypeError(f"{name}() misses the argument {option!r}")
            setattr(self, option, value)
        for option in named:
            raise TypeError(f"{name}() got an unexpected argument {option!r}")
        self._check()

    def _check(self) -> None:
        """Raise for options that the function refuses, at once and not at the first call."""
        if self._key == "maxout":
            from microtensor.ops.activations_gated import check_pieces

            check_pieces("Maxout", self.pieces)  # type: ignore[attr-defined]
        if getattr(self, "dim", 0) is None:
            return  # chosen by the input, with a warning
        if self._options and ACTIVATIONS[self._key].kernel:
            try:
                self.forward(empty(0))
            except RuntimeError as error:
                raise ValueError(str(error)) from None

    def forward(self, input: Tensor) -> Tensor:
        """Return the activation of `input`."""
        values = [getattr(self, option) for option, _ in self._options]
        return type(self)._function(input, *values)

    def extra_repr(self) -> str:
        """Return the constructor's arguments; `inplace` if it is on, as in PyTorch."""
        if type(self).__name__ in _BARE:
            return ", ".join(str(getattr(self, option)) for option, _ in self._options)
        shown = []
        for option, _ in self._options:
            value = getattr(self, option)
            if option == "inplace":
                if value and type(self).__name__ not in ("Hardsigmoid", "Hardswish"):
                    shown.append("inplace=True")
            elif (type(self).__name__, option) != ("Hardsigmoid", "slope"):
                shown.append(f"{option}={value!r}")
        return ", ".join(shown)


def _plain_forward(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def forward(self: _Activation, input: Tensor) -> Tensor:
        """Return the activation of `input`."""
        return function(input)

    return forward


def _without_input(signature: str) -> str:
    """Give what a module's constructor takes, typed, for the stub."""
    return ", ".join(
        f"{p.name}: {p.annotation}{'' if p.default is None else f' = {p.default}'}"
        for p in parse_signature(signature)[1:]
        if p.name not in _NO_OPTIONS
    )


def make(name: str, record: Activation) -> type[Module]:
    """Make the module of an activation from its record and its function's parameters."""
    function = find_function("nn.functional", name)
    parsed = [p for p in parse_signature(signatures[function])[1:] if p.name not in _NO_OPTIONS]
    options = tuple(
        (p.name, Parameter.empty if p.default is None else eval(p.default)) for p in parsed
    )
    body: dict[str, Any] = {
        "__doc__": function.__doc__,
        "__module__": "microtensor.nn.activations",
        "__annotations__": {p.name: p.annotation for p in parsed},
        "_function": staticmethod(function),
        "_options": options,
        "_key": name,
        "_signature": _without_input(signatures[function]),
    }
    if not options:
        body["forward"] = _plain_forward(function)
    made = type(record.module, (_Activation,), body)
    made.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(option, Parameter.POSITIONAL_OR_KEYWORD, default=default)
            for option, default in options
        ]
    )
    return made
