"""Libraries that only the laboratory needs, imported when they are first used."""

from __future__ import annotations

import importlib
from types import ModuleType

INSTALL = 'pip install "microtensor[lab]"'


def require(name: str) -> ModuleType:
    """Import a module of an optional library.

    Args:
        name: the module's full name, say ``"sklearn.datasets"``.

    Raises:
        ImportError: the library is not installed; the message names the command that installs it.
    """
    library = name.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A library that is there but broken keeps its own message.
        if error.name is None or error.name.partition(".")[0] != library:
            raise
        raise ImportError(
            f"microtensor.lab needs {library}, which is not installed; run: {INSTALL}",
            name=library,
        ) from error
