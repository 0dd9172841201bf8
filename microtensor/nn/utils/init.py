"""Making modules whose parameters are filled by hand."""

from __future__ import annotations

import inspect
from typing import Any

from microtensor.nn.module import Module
from microtensor.random import fork_rng


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """Make a module whose parameters are yet to be filled; what they hold is not specified.

    The default generator is left as it was.

    Args:
        module_cls: a class of modules whose constructor takes a `device`.
        *args: what its constructor takes.
        **kwargs: likewise.

    Raises:
        RuntimeError: it is no class of modules, or takes no `device`.

    Example:
        >>> from microtensor import nn
        >>> nn.utils.skip_init(nn.Linear, 2, 3)
        Linear(in_features=2, out_features=3, bias=True)
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError(
            f"Module must support a 'device' arg to skip initialization: {module_cls}"
        )
    with fork_rng():
        return module_cls(*args, **kwargs)
