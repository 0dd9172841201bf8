"""What can be computed and differentiated: each op declared once.

A module of ops is imported when one of its functions or methods is first used. Whoever goes through
all of them takes ``registry``, ``published``, ``methods``, ``properties`` or ``signatures`` from
here, which imports them all.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from microtensor.index import INDEX
from microtensor.lazy import MISSING, find_in_package, import_all, late, place
from microtensor.tensor import Tensor

if TYPE_CHECKING:
    from microtensor.ops.declare import (
        Op,
        methods,
        properties,
        published,
        registry,
        signatures,
        sources,
    )

__all__ = [
    "Op",
    "find_function",
    "load_all",
    "methods",
    "properties",
    "published",
    "registry",
    "signatures",
    "sources",
]

_REGISTRIES = ("methods", "properties", "published", "registry", "signatures", "sources")


@cache
def load_all() -> None:
    """Import all modules of ops, so that everything is declared."""
    import_all(__name__)
    from microtensor.ops import declare

    for name, value in {**declare.methods, **declare.properties}.items():
        if name not in vars(Tensor):  # declared since the index was written
            setattr(Tensor, name, value)


def find_function(namespace: str, name: str) -> Any:
    """Give a function that users see in a namespace, or MISSING."""
    module = place(namespace, name)
    if module is not None:
        import_module(module)
    from microtensor.ops.declare import published

    if name not in published[namespace]:
        load_all()
    return published[namespace].get(name, MISSING)


class _LateMethod:
    """Stands in Tensor for what a module will attach: the first use imports it.

    The import is over before anything is attached: another thread never gets at a module that is
    half imported.
    """

    def __init__(self, name: str, module: str) -> None:
        self.name, self.module = name, module

    def attach(self) -> Any:
        """Put what was declared in this place; give it."""
        import_module(self.module)
        from microtensor.ops.declare import methods, properties

        value = methods.get(self.name) or properties[self.name]
        setattr(Tensor, self.name, value)
        return value

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self.attach().__get__(instance, owner)

    def __set__(self, instance: Any, value: Any) -> None:
        found = self.attach()
        if isinstance(found, property):
            found.__set__(instance, value)
        else:
            vars(instance)[self.name] = value


for _module, _names in INDEX["methods"].items():
    for _name in _names.split():
        setattr(Tensor, _name, _LateMethod(_name, _module))

_find_module = find_in_package(__name__)


def _find(name: str) -> Any:
    if name in _REGISTRIES:
        load_all()
    if name in _REGISTRIES or name == "Op":
        return getattr(import_module(f"{__name__}.declare"), name)
    return _find_module(name)


if not TYPE_CHECKING:
    __getattr__, __dir__ = late(globals(), _find)
