"""Libraries that only the laboratory needs, imported when they are first used."""

from __future__ import annotations

import importlib
from types import ModuleType

# What pip calls a library whose module has another name.
_PIP_NAMES = {"sklearn": "scikit-learn", "PIL": "pillow"}


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
            f"microtensor.lab needs {library}, which is not installed; run: pip install "
            f"{_PIP_NAMES.get(library, library)} (the extra 'lab' of microtensor installs all the "
            "laboratory needs)",
            name=library,
        ) from error
