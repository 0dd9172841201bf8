"""What modules and optimizers are at some moment, to be compared later."""

from __future__ import annotations

from typing import Any

from microtensor.nn.module import Module


def module_state(module: Module) -> tuple[Any, ...]:
    """Give what a captured step takes for granted of one module: mode, tensors, flags, hooks."""
    values = module.__dict__
    own = [values.get(n) for n in (*module._parameter_names, *module._buffer_names)]
    hooks = module._hooks
    return (
        module.training,
        *(id(values.get(name)) for name in module._module_names),
        *(id(key) for kind in (hooks.kinds() if hooks else ()) for key in kind),
        *(
            None if each is None else (id(each), id(each._array), each._node is None)
            for each in own
        ),
    )


def options_of(optimizer: Any) -> list[Any]:
    """Give the options of all groups; by identity where they have no ordinary equality."""
    return [
        [v if isinstance(v, int | float | tuple | str) else id(v) for v in group.values()]
        for group in optimizer.param_groups
    ]
