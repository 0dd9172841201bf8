"""Hooks before and after a step; without any, a step does not know of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from microtensor.engine.node import RemovableHandle

Hook = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]

_keys = count()


class StepHooks:
    """What has a ``step`` and lets others watch it."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make a step."""
        raise NotImplementedError

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step.

        Args:
            hook: args are the optimizer and what its step is given; what it returns, unless None,
                are the args and kwargs the step gets instead.

        Returns:
            A handle whose ``remove()`` takes the hook away. Copies of the optimizer have none.
        """
        return self._register(0, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step.

        Returns:
            A handle whose ``remove()`` takes the hook away. Copies of the optimizer have none.
        """
        return self._register(1, hook)

    def _register(self, place: int, hook: Hook) -> RemovableHandle:
        own = self.__dict__
        hooks: tuple[dict[int, Hook], dict[int, Hook]] = own.setdefault("_step_hooks", ({}, {}))
        # In the way of the class's step, so that only who has hooks pays for them.
        own.setdefault("step", partial(_step_with_hooks, self, type(self).step, hooks))
        key = next(_keys)
        hooks[place][key] = hook

        def remove() -> None:
            hooks[place].pop(key, None)
            if not any(hooks) and own.get("_step_hooks") is hooks:
                del own["step"], own["_step_hooks"]

        return RemovableHandle(remove)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("step", "_step_hooks")}


def _step_with_hooks(
    optimizer: StepHooks,
    step: Callable[..., Any],
    hooks: tuple[dict[int, Hook], dict[int, Hook]],
    *args: Any,
    **kwargs: Any,
) -> Any:
    before, after = hooks
    args = (optimizer, *args)  # as PyTorch's hooks see them
    for hook in list(before.values()):
        changed = hook(optimizer, args, kwargs)
        if changed is not None:
            if not isinstance(changed, tuple) or len(changed) != 2:
                raise RuntimeError(
                    "a hook before the step must return None or a pair of new args and kwargs, "
                    f"not {changed!r}"
                )
            args, kwargs = changed
    result = step(*args, **kwargs)
    for hook in list(after.values()):
        hook(optimizer, args, kwargs)
    return result
