"""Parametrizations: a parameter or buffer of a module as a function of others.

A module with parametrizations is of a class of its own, in which a property stands in the place of
the parameter: reading it computes it, assigning to it goes the other way through ``right_inverse``.
The tensors it is computed from are ``module.parametrizations.<name>.original``, or ``original0``,
``original1``, ... where a parametrization takes several.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from microtensor.engine import no_grad
from microtensor.nn.containers import ModuleDict, ModuleList
from microtensor.nn.module import Module
from microtensor.nn.parameter import Parameter
from microtensor.tensor import Tensor

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_depth = 0
_cache: dict[tuple[int, str], Any] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once within a ``with`` block, however often it is read.

    Example:
        >>> from microtensor import nn
        >>> from microtensor.nn.utils import parametrizations, parametrize
        >>> layer = parametrizations.weight_norm(nn.Linear(2, 2))
        >>> with parametrize.cached():
        ...     layer.weight is layer.weight
        True
    """
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth:
            _cache.clear()


class ParametrizationList(ModuleList):
    """What a parametrized tensor is computed from, and by which modules, one after the other.

    Args:
        modules: the parametrizations.
        original: the tensor they are put on.
        unsafe: whether they may change its shape and dtype.

    Raises:
        ValueError: there is no module, or one changes the shape or dtype without `unsafe`.
    """

    is_tensor: bool

    def __init__(
        self, modules: Sequence[Module], original: Tensor | Parameter, unsafe: bool = False
    ) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        with no_grad():
            new: Any = original
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    new = _inverted(module, new)
        if not isinstance(new, Tensor | Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors, got "
                f"{type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            _check_same("'right_inverse' of the parametrizations", original, new, unsafe)
        for name, tensor in zip(self._names(), [new] if self.is_tensor else new, strict=True):
            _hold(self, name, original, tensor)
        if not unsafe:
            with no_grad():
                _check_same("the parametrizations", original, self(), unsafe)

    def _names(self) -> list[str]:
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the parametrized tensor is `value`, as far as that can be.

        Raises:
            RuntimeError: a parametrization has no ``right_inverse``.
            ValueError: what they give is of another shape or dtype, or another number of tensors.
        """
        with no_grad():
            new: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                new = _inverted(module, new)
            names = self._names()
            parts = [new] if self.is_tensor else list(new)
            if len(parts) != len(names):
                raise ValueError(
                    f"'right_inverse' must return {len(names)} tensors, got {len(parts)}"
                )
            for name, part in zip(names, parts, strict=True):
                old = getattr(self, name)
                _check_same("'right_inverse'", old, part, False)
                old.data = part.detach()

    def forward(self) -> Any:
        """Return the parametrized tensor."""
        modules = list(self)
        value = modules[0](*(getattr(self, name) for name in self._names()))
        for module in modules[1:]:
            value = module(value)
        return value


def _inverted(module: Any, value: Any) -> Any:
    return module.right_inverse(value)


def _hold(holder: Module, name: str, like: Tensor, value: Any) -> None:
    """Register a tensor as a parameter or a buffer, as the one it stands for was."""
    if not isinstance(value, Tensor):
        raise ValueError(f"'right_inverse' must return tensors, got {type(value).__name__}")
    if isinstance(like, Parameter):
        parameter = value if isinstance(value, Parameter) else Parameter(value, like.requires_grad)
        parameter.requires_grad_(like.requires_grad)
        holder.register_parameter(name, parameter)
    else:
        holder.register_buffer(name, value)


def _check_same(what: str, original: Tensor, new: Any, unsafe: bool) -> None:
    if unsafe:
        return
    if not isinstance(new, Tensor):
        raise ValueError(f"{what} must give a tensor, got {type(new).__name__}")
    if new.shape != original.shape or new.dtype is not original.dtype:
        raise ValueError(
            f"{what} may not change the shape or dtype of the tensor, unless unsafe=True: from "
            f"{list(original.shape)} of {original.dtype} to {list(new.shape)} of {new.dtype}"
        )


# ---- the class with properties ------------------------------------------------------------------


def _property(name: str) -> property:
    def read(self: Any) -> Any:
        if not _depth:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def write(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(read, write)


def _refuse_pickle(self: Any) -> Any:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict()."
    )


def _deep_copy(self: Any, memo: dict[int, Any]) -> Any:
    found = memo.get(id(self))
    if found is not None:
        return found
    new = object.__new__(type(self))
    memo[id(self)] = new
    new.__dict__.update(copy.deepcopy(self.__dict__, memo))
    return new


def _with_properties(module: Module, names: Sequence[str]) -> None:
    """Give a module the class that has a property for each name; its own one for none.

    A class is made anew rather than changed: copies of the module share the one they have.
    """
    base = type_before_parametrizations(module)
    if not names:
        module.__class__ = base
        return
    members: dict[str, Any] = {name: _property(name) for name in names}
    members["__reduce_ex__"] = lambda self, protocol: _refuse_pickle(self)
    if not hasattr(base, "__deepcopy__"):
        members["__deepcopy__"] = _deep_copy
    members["_before_parametrizations"] = base
    module.__class__ = type(f"Parametrized{base.__name__}", (base,), members)


def _held(module: Any) -> Any:
    return module.parametrizations


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Say whether a module has parametrizations, of this tensor or of any.

    Args:
        module: the module.
        tensor_name: the name of a parameter or buffer.
    """
    held = getattr(module, "parametrizations", None)
    if held is None or not isinstance(held, ModuleDict):
        return False
    return len(held) > 0 if tensor_name is None else tensor_name in held


def type_before_parametrizations(module: Module) -> type:
    """Give the class a module was of before it had parametrizations."""
    before: type = getattr(type(module), "_before_parametrizations", type(module))
    return before


# ---- registering --------------------------------------------------------------------------------


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Let a module's parameter or buffer be computed by another module.

    Where it has parametrizations already, the new one comes after them.

    Args:
        module: whose tensor.
        tensor_name: of a parameter or buffer.
        parametrization: its ``forward`` computes the tensor from the original; if it has
            ``right_inverse``, that gives the original of an initial or assigned value, which may be
            several tensors.
        unsafe: whether it may change the tensor's shape and dtype.

    Returns:
        The module.

    Raises:
        ValueError: there is no such tensor, or its shape or dtype would change.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> from microtensor.nn.utils import parametrize
        >>> class Symmetric(nn.Module):
        ...     def forward(self, x):
        ...         return x.triu() + x.triu(1).T
        >>> layer = nn.Linear(3, 3)
        >>> _ = parametrize.register_parametrization(layer, "weight", Symmetric())
        >>> bool((layer.weight == layer.weight.T).all())
        True
        >>> sorted(layer.state_dict())
        ['bias', 'parametrizations.weight.original']
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        chain: Any = _held(module)[tensor_name]
        if not unsafe:
            with no_grad():
                before = getattr(module, tensor_name)
                _check_same(type(parametrization).__name__, before, parametrization(before), False)
        if hasattr(parametrization, "right_inverse"):
            with no_grad():
                chain.right_inverse(parametrization.right_inverse(getattr(module, tensor_name)))
        chain.append(parametrization)
        chain.unsafe |= unsafe
        return module
    if tensor_name not in module._parameters and tensor_name not in module._buffers:
        raise ValueError(
            f"Module '{type(module).__name__}' does not have a parameter, a buffer, or a "
            f"parametrized element with name '{tensor_name}'"
        )
    original = getattr(module, tensor_name)
    chain = ParametrizationList([parametrization], original, unsafe=unsafe)
    chain.train(module.training)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.add_module("parametrizations", ModuleDict())
    held: Any = _held(module)
    held[tensor_name] = chain
    _with_properties(module, list(held.keys()))
    return module


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Let a parametrized tensor be an ordinary parameter or buffer again.

    Args:
        module: whose tensor.
        tensor_name: its name.
        leave_parametrized: whether it keeps the value it has now, or gets back the original.

    Returns:
        The module.

    Raises:
        ValueError: it has no parametrization; or several originals, and none can be given back.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(
            f"Module {type(module).__name__} does not have a parametrization on {tensor_name}"
        )
    held: Any = _held(module)
    chain = held[tensor_name]
    first = getattr(chain, chain._names()[0])
    if chain.is_tensor:
        tensor = first
        if leave_parametrized:
            with no_grad():
                tensor.data = getattr(module, tensor_name).detach()
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        trained = value.requires_grad
        tensor = Parameter(value.detach()) if trained else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    del held[tensor_name]
    _with_properties(module, list(held.keys()))
    if not len(held):
        delattr(module, "parametrizations")
    if isinstance(tensor, Parameter):
        module.register_parameter(tensor_name, tensor)
    else:
        module.register_buffer(tensor_name, tensor)
    return module


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Put copies of one module's parametrizations, and what they are of, on another.

    Args:
        from_module: the one that has them.
        to_module: the one that gets them; a module of the same parameters.
        tensor_name: of one tensor; all unless given.

    Returns:
        The second module.
    """
    if not is_parametrized(from_module):
        return to_module
    held: Any = _held(from_module)
    for name in [tensor_name] if tensor_name is not None else list(held.keys()):
        chain = copy.deepcopy(held[name])
        if is_parametrized(to_module, name):
            remove_parametrizations(to_module, name)
        if name in to_module._parameters or name in to_module._buffers:
            delattr(to_module, name)
        if not is_parametrized(to_module):
            to_module.add_module("parametrizations", ModuleDict())
        target: Any = _held(to_module)
        target[name] = chain
        _with_properties(to_module, list(target.keys()))
    return to_module
