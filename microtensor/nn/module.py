"""Module: what every layer, loss and network is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microtensor.engine import RemovableHandle, epoch
from microtensor.nn import hooks as hooking
from microtensor.nn.parameter import Buffer, Parameter
from microtensor.nn.registry import Registry
from microtensor.nn.stateful import Stateful
from microtensor.nn.traversal import Traversal
from microtensor.tensor import Tensor

_ABSENT: Any = object()


class _NotInitialised:
    """Stands for an attribute that ``Module.__init__`` makes, until it has run."""

    def __get__(self, module: Module | None, owner: type[Module]) -> Any:
        if module is None:
            return self
        raise AttributeError(
            f"cannot use {owner.__name__} before Module.__init__() call: begin "
            f"{owner.__name__}.__init__ with super().__init__()"
        )


class Module(Stateful, Traversal):
    """Base class of all layers, losses and networks.

    A subclass calls ``super().__init__()``, assigns parameters and other modules to attributes,
    which registers them, and defines ``forward``; calling the module calls ``forward``.

    Attributes:
        training: True in training mode, False in evaluation mode; see :meth:`train`.

    Example:
        >>> from microtensor import nn
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = nn.Linear(2, 3)
        ...     def forward(self, x):
        ...         return nn.functional.relu(self.hidden(x))
        >>> [name for name, parameter in Net().named_parameters()]
        ['hidden.weight', 'hidden.bias']
    """

    training: bool
    # Registered values are ordinary attributes, in the instance's __dict__; these say which of
    # them are registered, in order. A buffer's value is whether a state dict holds it.
    _parameter_names: dict[str, None] = _NotInitialised()  # type: ignore[assignment]
    _buffer_names: dict[str, bool] = _NotInitialised()  # type: ignore[assignment]
    _module_names: dict[str, None] = _NotInitialised()  # type: ignore[assignment]
    # None means that calling the module is calling its forward, nothing else. No class attribute
    # stands behind this name: CPython reads attributes faster without.
    _hooks: hooking.Hooks | None

    def __init__(self) -> None:
        values = self.__dict__
        values["training"] = True
        values["_parameter_names"] = {}
        values["_buffer_names"] = {}
        values["_module_names"] = {}
        # A subclass with a __call__ of its own must be called by it, inside Sequential too.
        values["_hooks"] = None if type(self).__call__ is Module.__call__ else hooking.Hooks()

    # ---- calling ------------------------------------------------------------------------------

    def _forward_unimplemented(self, *inputs: Any) -> Any:
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    forward: Callable[..., Any] = _forward_unimplemented

    # Two positional arguments are named because passing *args and **kwargs on costs twice what
    # everything else here does; one or two arguments are what nearly every module takes.
    def __call__(
        self, first: Any = _ABSENT, second: Any = _ABSENT, /, *rest: Any, **named: Any
    ) -> Any:
        """Call ``forward``, and the hooks if there are any."""
        try:
            hooks = self._hooks
        except AttributeError:
            self._require_init()
            raise
        if hooks is None and not rest and not named:
            if second is not _ABSENT:
                return self.forward(first, second)
            if first is not _ABSENT:
                return self.forward(first)
        args = tuple(each for each in (first, second) if each is not _ABSENT) + rest
        if hooks:
            return hooking.call(self, hooks, args, named)
        if hooks is not None and type(self).__call__ is Module.__call__:
            # The last hook is gone: from the next call on, the short way again.
            self.__dict__["_hooks"] = None
        return self.forward(*args, **named)

    # ---- registering --------------------------------------------------------------------------

    @property
    def _parameters(self) -> Registry[Parameter | None]:
        return Registry(self.__dict__, self._parameter_names)

    @property
    def _buffers(self) -> Registry[Tensor | None]:
        return Registry(self.__dict__, self._buffer_names, True)

    @property
    def _modules(self) -> Registry[Module | None]:
        return Registry(self.__dict__, self._module_names)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under the attribute `name`.

        Args:
            name: the attribute; not empty, without a dot, not yet in use.
            param: the parameter, or None to reserve the name (a layer without its bias, say).

        Raises:
            TypeError: `name` is not a string, or `param` neither a Parameter nor None.
            KeyError: the name is not a legal one, or already an attribute.
            ValueError: the parameter was computed, so that training could not change it.
        """
        self._check_name("parameter", name, self._parameter_names)
        if param is not None:
            _check_parameter(name, param)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a buffer: a tensor that belongs to the state but is not trained.

        Args:
            name: the attribute; not empty, without a dot, not yet in use.
            tensor: the buffer, or None to reserve the name.
            persistent: whether ``state_dict`` holds it.

        Raises:
            TypeError: `name` is not a string, or `tensor` neither a Tensor nor None.
            KeyError: the name is not a legal one, or already an attribute.
        """
        self._check_name("buffer", name, self._buffer_names)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{_typename(tensor)}' object to buffer '{name}' "
                "(microtensor.Tensor or None required)"
            )
        self.__dict__[name] = tensor
        self._buffer_names[name] = persistent
        epoch.count += 1

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child module under the attribute `name`.

        Raises:
            TypeError: `name` is not a string, or `module` neither a Module nor None.
            KeyError: the name is not a legal one, or already an attribute.
        """
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_typename(module)} is not a Module subclass")
        self._check_name("module", name, self._module_names)
        self._modules[name] = module

    register_module = add_module

    def _check_name(self, kind: str, name: str, registered: dict[str, Any]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if name not in registered and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module in the place of the full name `target`.

        Args:
            target: the name, with dots between its parts; not empty.
            module: what is to stand there.
            strict: whether something must have stood there before.

        Raises:
            ValueError: the name is empty, or `module` is not a Module.
            AttributeError: the module above does not exist, or what stands there is no module, or
                nothing does and `strict` is True.
        """
        path, _, name = target.rpartition(".")
        if not name:
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        owner = self.get_submodule(path)
        if hasattr(owner, name):
            if not isinstance(getattr(owner, name), Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        elif strict:
            raise AttributeError(f"{type(owner).__name__} has no attribute `{name}`")
        setattr(owner, name, module)

    def __setattr__(self, name: str, value: Any) -> None:
        values = self.__dict__
        if isinstance(value, Parameter):
            names: dict[str, Any] = self._parameter_names
            _check_parameter(name, value)
        elif name in values.get("_parameter_names", ()):
            if value is not None:
                raise _cannot_assign(value, "parameter", name, "nn.Parameter")
            values[name] = None
            epoch.count += 1
            return
        elif isinstance(value, Module):
            names = self._module_names
        elif name in values.get("_module_names", ()):
            if value is not None:
                raise _cannot_assign(value, "child module", name, "nn.Module")
            values[name] = None
            epoch.count += 1
            return
        elif name in values.get("_buffer_names", ()):
            if value is not None and not isinstance(value, Tensor):
                raise _cannot_assign(value, "buffer", name, "microtensor.Tensor")
            if values[name] is not value:
                values[name] = value
                epoch.count += 1
            return
        elif isinstance(value, Buffer):
            self._require_init()
            self.__dict__.pop(name, None)
            self.register_buffer(name, value, value.persistent)
            return
        else:
            if name == "training" and values.get(name) is not value:
                epoch.count += 1
            object.__setattr__(self, name, value)
            return
        if name not in names:
            # A method or property of this name would be hidden, or would hide the value.
            if hasattr(getattr(type(self), name, None), "__get__"):
                raise KeyError(f"attribute '{name}' already exists")
            for others in (self._parameter_names, self._buffer_names, self._module_names):
                others.pop(name, None)
            names[name] = None
        values[name] = value
        epoch.count += 1

    def __delattr__(self, name: str) -> None:
        epoch.count += 1
        object.__delattr__(self, name)
        for kind in ("_parameter_names", "_buffer_names", "_module_names"):
            self.__dict__.get(kind, {}).pop(name, None)

    def __getstate__(self) -> dict[str, Any]:
        # A shallow copy shares the tensors, not the lists of names.
        values = dict(self.__dict__)
        for kind in ("_parameter_names", "_buffer_names", "_module_names"):
            if kind in values:
                values[kind] = dict(values[kind])
        return values

    # ---- hooks --------------------------------------------------------------------------------

    def _hooks_made(self) -> hooking.Hooks:
        self._require_init()
        made = self._hooks
        if made is None:
            made = self.__dict__["_hooks"] = hooking.Hooks()
        return made

    def _require_init(self) -> None:
        """Raise the error of :class:`_NotInitialised` unless ``Module.__init__`` has run."""
        _ = self._parameter_names

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before each ``forward``.

        Args:
            hook: may return a replacement for the arguments: a tuple, or one value. With
                `with_kwargs` it is called as ``hook(module, args, kwargs)`` and may return
                ``(args, kwargs)``.
            prepend: call it before the hooks registered so far, not after.
            with_kwargs: whether the hook gets the keyword arguments too.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        entry = hooking.Hook(hook, with_kwargs)
        return hooking.register(self._hooks_made().forward_pre, entry, prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after each ``forward``.

        Args:
            hook: may return a replacement for the output. With `with_kwargs` it is called as
                ``hook(module, args, kwargs, output)``.
            prepend: call it before the hooks registered so far, not after.
            with_kwargs: whether the hook gets the keyword arguments too.
            always_call: whether to call it (with the output None) when ``forward`` raised.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        entry = hooking.Hook(hook, with_kwargs, always_call)
        return hooking.register(self._hooks_made().forward, entry, prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Do what :meth:`register_full_backward_hook` does, under the name PyTorch had before."""
        return self.register_full_backward_hook(hook)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the gradients of the outputs are known.

        Args:
            hook: gets a tuple of gradients and may return its replacement.
            prepend: call it before the hooks registered so far, not after.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return hooking.register(self._hooks_made().backward_pre, hooking.Hook(hook), prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the inputs' gradients are known.

        The gradients are those that pass through this call of the module: `grad_input` has one
        entry per positional argument, None where there is no gradient. If no argument requires
        one, the hook is called when the gradients of the outputs are known.

        Args:
            hook: may return a replacement for `grad_input`.
            prepend: call it before the hooks registered so far, not after.

        Returns:
            A handle whose ``remove()`` takes the hook away.
        """
        return hooking.register(self._hooks_made().backward, hooking.Hook(hook), prepend)

    # ---- printing -----------------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """Return what to print between the parentheses, besides the children."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [
            f"({name}): " + indented(repr(module)) for name, module in self._modules.items()
        ]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        lines += children
        body = "\n  " + "\n  ".join(lines) + "\n" if lines else ""
        return f"{self._get_name()}({body})"


def indented(text: str) -> str:
    """Indent every line but the first by two spaces."""
    return text.replace("\n", "\n  ")


def _typename(value: Any) -> str:
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else (f"{kind.__module__}.{kind.__qualname__}")
    )


def _cannot_assign(value: Any, kind: str, name: str, expected: str) -> TypeError:
    return TypeError(
        f"cannot assign '{_typename(value)}' as {kind} '{name}' ({expected} or None expected)"
    )


def _check_parameter(name: str, param: Any) -> None:
    if not isinstance(param, Parameter):
        raise TypeError(
            f"cannot assign '{_typename(param)}' object to parameter '{name}' "
            "(nn.Parameter or None required)"
        )
    if param.grad_fn is not None:
        raise ValueError(
            f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be "
            f"created explicitly. To express '{name}' as a function of another Tensor, compute "
            "the value in the forward() method."
        )
