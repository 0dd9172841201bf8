"""The activations as modules, made from their records; see also :mod:`microtensor.nn.functional`.

A module's constructor has the parameters of its function, PyTorch's names and defaults; its
``repr`` shows them. What learns parameters is in :mod:`microtensor.nn.learned_activations`.
Editors and type checkers read activations.pyi, which is generated. Each is made when it is first
used: nobody uses all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from microtensor.lazy import MISSING, late, listed, place

if TYPE_CHECKING:
    from microtensor.nn.module import Module
    from microtensor.ops.activation_record import Activation

_made: dict[str, type[Module]] = {}


def _module(name: str, record: Activation) -> type[Module]:
    """Give the module of an activation, the same at every call and in every thread."""
    from microtensor.nn.activation_modules import make

    kind = record.module
    return _made.get(kind) or _made.setdefault(kind, make(name, record))


def _is_made_here(name: str, record: Activation) -> bool:
    return not record.learned and name not in ("identity", "rrelu", "gelu_tanh")


def _all() -> dict[str, type[Module]]:
    """Give every module made here, by name, in the order of the activations."""
    from microtensor.ops.activations import ACTIVATIONS

    return {
        record.module: _module(name, record)
        for name, record in ACTIVATIONS.items()
        if _is_made_here(name, record)
    }


def _find(kind: str) -> Any:
    if kind == "MODULES":
        return _all()
    if kind == "Swish":  # its other name
        return _find("SiLU")
    # An activation beyond the index may be in any of the files.
    import_module(place(__name__, kind) or "microtensor.ops.activations")
    from microtensor.ops.activation_record import ACTIVATIONS

    for name, record in list(ACTIVATIONS.items()):
        if record.module == kind and _is_made_here(name, record):
            return _module(name, record)
    return MISSING


__all__ = listed(__name__)
__getattr__, __dir__ = late(globals(), _find)
