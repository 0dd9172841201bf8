"""Calling a module that has hooks; modules without hooks never come here."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from microtensor.dtypes import dtype
from microtensor.engine import RemovableHandle, epoch, is_grad_enabled
from microtensor.ops.creation import zeros
from microtensor.ops.joining import cat
from microtensor.tensor import Size, Tensor

if TYPE_CHECKING:
    from microtensor.nn.module import Module

GradientsHook = Callable[[tuple[Any, ...]], tuple[Any, ...]]


class Hook(NamedTuple):
    """A registered function, and how it wants to be called."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


class Hooks:
    """The hooks of one module by kind, each kind in the order of its calls."""

    __slots__ = ("backward", "backward_pre", "forward", "forward_pre")

    def __init__(self) -> None:
        self.forward_pre: dict[object, Hook] = {}
        self.forward: dict[object, Hook] = {}
        self.backward_pre: dict[object, Hook] = {}
        self.backward: dict[object, Hook] = {}

    def kinds(self) -> tuple[dict[object, Hook], ...]:
        """Give the hooks of each kind."""
        return self.forward_pre, self.forward, self.backward_pre, self.backward

    def __bool__(self) -> bool:
        return bool(self.forward_pre or self.forward or self.backward_pre or self.backward)


def register(kind: dict[object, Hook], hook: Hook, prepend: bool) -> RemovableHandle:
    """Add `hook` at the end of `kind` (or at its beginning) and return what removes it."""
    epoch.count += 1
    key = object()
    later = dict(kind) if prepend else {}
    if prepend:
        kind.clear()
    kind[key] = hook
    kind.update(later)

    def remove() -> None:
        epoch.count += 1
        kind.pop(key, None)

    return RemovableHandle(remove)


def call(module: Module, hooks: Hooks, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call ``module.forward`` with every hook of `module` in its place."""
    watch = None
    result = None
    done: set[object] = set()
    try:
        for hook in list(hooks.forward_pre.values()):
            args, kwargs = _call_pre_hook(module, hook, args, kwargs)
        if hooks.backward or hooks.backward_pre:
            watch = BackwardWatch(module, hooks)
            args = watch.inputs(args)
        result = module.forward(*args, **kwargs)
        for key, hook in list(hooks.forward.items()):
            done.add(key)
            replacement = _call_forward_hook(module, hook, args, kwargs, result)
            if replacement is not None:
                result = replacement
        return result if watch is None else watch.outputs(result)
    except Exception:
        for key, hook in list(hooks.forward.items()):
            if hook.always_call and key not in done:
                try:
                    _call_forward_hook(module, hook, args, kwargs, result)
                except Exception as error:
                    warnings.warn(
                        "module forward hook with always_call=True raised an exception that was "
                        f"silenced as another error was raised in forward: {error}",
                        stacklevel=3,
                    )
        raise


def _call_pre_hook(
    module: Module, hook: Hook, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if hook.with_kwargs:
        given = hook.function(module, args, kwargs)
        if given is None:
            return args, kwargs
        if isinstance(given, tuple) and len(given) == 2:
            return given
        raise RuntimeError(
            "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
            f"but got {given}."
        )
    given = hook.function(module, args)
    if given is None:
        return args, kwargs
    return (given if isinstance(given, tuple) else (given,)), kwargs


def _call_forward_hook(
    module: Module, hook: Hook, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
) -> Any:
    if hook.with_kwargs:
        return hook.function(module, args, kwargs, result)
    return hook.function(module, args, result)


class BackwardWatch:
    """Watch the gradients that pass one call of a module, and tell its backward hooks of them."""

    def __init__(self, module: Module, hooks: Hooks) -> None:
        self.module = module
        self.hooks = [hook.function for hook in hooks.backward.values()]
        self.pre_hooks = [hook.function for hook in hooks.backward_pre.values()]
        self.grad_outputs: tuple[Any, ...] | None = None
        self.input_count = 0
        self.inputs_watched = False

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return `args` with the tensors among them replaced by watched aliases."""
        self.input_count = len(args)
        watched = _watched(args, self._inputs_reached)
        self.inputs_watched = watched is not None
        return args if watched is None else watched

    def outputs(self, result: Any) -> Any:
        """Return `result` with its tensors replaced by watched aliases."""
        if not isinstance(result, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
                stacklevel=4,
            )
            return result
        together = result if isinstance(result, tuple) else (result,)
        watched = _watched(together, self._outputs_reached)
        if watched is None:
            return result
        if not isinstance(result, tuple):
            return watched[0]
        # A named tuple takes its fields one by one.
        return watched if type(result) is tuple else type(result)(*watched)

    def _outputs_reached(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.pre_hooks:
            gradients = _replaced(
                hook(self.module, gradients), gradients, "pre hook", "grad_output"
            )
        if self.inputs_watched:
            self.grad_outputs = gradients
            return gradients
        # No input requires a gradient, so this is the only moment there is.
        nothing = (None,) * self.input_count
        for hook in self.hooks:
            given = hook(self.module, nothing, gradients)
            if given is not None and any(each is not None for each in given):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        return gradients

    def _inputs_reached(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        # Without gradients of the outputs this walk did not come through the module (a double
        # backward, say).
        if self.grad_outputs is not None:
            for hook in self.hooks:
                given = hook(self.module, gradients, self.grad_outputs)
                gradients = _replaced(given, gradients, "hook", "grad_input")
            self.grad_outputs = None
        return gradients


def _replaced(given: Any, gradients: tuple[Any, ...], hook: str, what: str) -> tuple[Any, ...]:
    """Return what a hook gave in place of `gradients`, checked; `gradients` if it gave None."""
    if given is None:
        return gradients
    if isinstance(given, Tensor):
        given = (given,)
    if len(given) != len(gradients):
        raise RuntimeError(
            f"Backward {hook} returned an invalid number of {what}, got {len(given)}, "
            f"but expected {len(gradients)}"
        )
    return tuple(given)


def _watched(values: tuple[Any, ...], reached: GradientsHook) -> tuple[Any, ...] | None:
    """Pass the differentiable tensors of `values` through one node that tells their gradients.

    All their gradients are known together only at a node they share, so several tensors are
    joined into one and taken apart again; a single one only gets an alias.

    Args:
        values: anything; what is not a tensor that requires a gradient stays as it is, and
            stands as None among the gradients.
        reached: called with one gradient (or None) per value; what it returns flows on.

    Returns:
        The values, with aliases; None if there is no gradient to watch.
    """
    if not is_grad_enabled():
        return None
    places = [
        i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad
    ]
    if not places:
        return None
    tensors = [values[i] for i in places]
    # The hook keeps these, not the tensors: a graph must not keep alive what nobody named.
    forms = [(tensor.shape, tensor.dtype) for tensor in tensors]
    count = len(values)
    aliases = list(values)
    if len(tensors) == 1:
        joint = aliases[places[0]] = tensors[0].view(tensors[0].shape)
    else:
        joint = cat([tensor.reshape(-1) for tensor in tensors])
        for place, part in zip(places, _parts(joint, forms), strict=True):
            aliases[place] = part

    def hook(gradient: Tensor) -> Tensor:
        gradients: list[Any] = [None] * count
        for place, part in zip(places, _parts(gradient, forms), strict=True):
            gradients[place] = part
        answer = reached(tuple(gradients))
        chosen = [
            answer[place] if answer[place] is not None else zeros(*shape, dtype=kind)
            for place, (shape, kind) in zip(places, forms, strict=True)
        ]
        if len(chosen) == 1:
            return chosen[0]
        return cat([each.reshape(-1) for each in chosen]).to(gradient.dtype)

    joint.register_hook(hook)
    return tuple(aliases)


def _parts(joint: Tensor, forms: list[tuple[Size, dtype]]) -> list[Tensor]:
    """Take a joined tensor apart into pieces of the given shapes and dtypes."""
    if len(forms) == 1:
        return [joint]
    parts = []
    start = 0
    for shape, kind in forms:
        stop = start + shape.numel()
        parts.append(joint[start:stop].reshape(shape).to(kind))
        start = stop
    return parts
