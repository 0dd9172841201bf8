"""Names that are found when they are first used: importing the package costs what a program needs.

A module with many names to offer imports what defines a name when that name is first asked for
(PEP 562); from then on it is an ordinary attribute. Which module has which name is written in
:mod:`microtensor.index`, which ``tools/generate.py`` derives from what the modules declare. A name
that is missing there is looked for in all of them: an index that is not current costs time, and
nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from microtensor.index import INDEX

__all__ = ["MISSING", "find_in_package", "import_all", "late", "listed", "place"]

MISSING: Any = object()
"""What is found where there is nothing."""


def late(
    names: dict[str, Any], find: Callable[[str], Any] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the ``__getattr__`` and the ``__dir__`` of a module whose names are found when used.

    Args:
        names: the module's globals, where what is found stays; its ``__all__`` is what it offers.
        find: gives what a name stands for, or MISSING; without, the module is a package and finds
            what its modules define. Two threads may ask at once; both must get the same.
    """
    module = names["__name__"]
    search = find or find_in_package(module)

    def __getattr__(name: str) -> Any:
        # Others ask any module for such names, and none is found elsewhere.
        value = MISSING if name.startswith("__") else search(name)
        if value is MISSING:
            raise AttributeError(
                f"module {module!r} has no attribute {name!r}", name=name, obj=sys.modules[module]
            )
        names[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*names, *names["__all__"]})

    return __getattr__, __dir__


def listed(section: str, *modules: str) -> list[str]:
    """Give the names of a section of the index, of some modules or of all."""
    found = INDEX[section]
    return [name for module in modules or found for name in found.get(module, "").split()]


_places: dict[str, dict[str, str]] = {}


def place(section: str, name: str) -> str | None:
    """Give the module that has a name of a section, or None for a name that is not in the index."""
    if section not in _places:
        _places[section] = {
            each: module
            for module, names in INDEX.get(section, {}).items()
            for each in names.split()
        }
    return _places[section].get(name)


def find_in_package(package: str, everywhere: bool = True) -> Callable[[str], Any]:
    """Make what finds a name of a package: in one of its modules, or one of them.

    Args:
        package: its name.
        everywhere: whether to look into all modules for what is not in the index.
    """

    def find(name: str) -> Any:
        module = place(package, name)
        if module is not None:
            return getattr(import_module(module), name)
        try:
            return import_module(f"{package}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{name}":
                raise
        for each in import_all(package) if everywhere else ():
            value = getattr(each, name, MISSING)
            if (getattr(value, "__module__", None) or "").startswith(each.__name__):
                return value
        return MISSING

    return find


def import_all(package: str) -> list[Any]:
    """Import every module of a package, in the order of their names."""
    found = iter_modules(sys.modules[package].__path__, f"{package}.")
    return [import_module(each.name) for each in found]
