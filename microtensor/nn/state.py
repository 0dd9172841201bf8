"""Saving the state of a module, and restoring all of it or none."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from microtensor.engine import RemovableHandle, no_grad
from microtensor.nn.parameter import Parameter
from microtensor.tensor import Tensor

if TYPE_CHECKING:
    from microtensor.nn.module import Module


class IncompatibleKeys(NamedTuple):
    """Name the keys that a state dict lacked, and those the module had no use for."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"IncompatibleKeys(missing_keys={self.missing_keys!r}, "
            f"unexpected_keys={self.unexpected_keys!r})"
        )


class StateHooks:
    """The hooks of one module around saving and loading, each kind in the order of its calls."""

    __slots__ = ("after_loading", "after_saving", "before_loading", "before_saving")

    def __init__(self) -> None:
        self.before_saving: dict[object, Callable[..., None]] = {}
        self.after_saving: dict[object, Callable[..., None]] = {}
        self.before_loading: dict[object, Callable[..., None]] = {}
        self.after_loading: dict[object, Callable[..., None]] = {}


def register(kind: dict[object, Callable[..., None]], hook: Callable[..., None]) -> RemovableHandle:
    """Add a hook at the end of its kind and return what removes it."""
    key = object()
    kind[key] = hook
    return RemovableHandle(lambda: _forget(kind, key))


def _forget(kind: dict[object, Any], key: object) -> None:
    kind.pop(key, None)


def _hooks(module: Module, kind: str) -> list[Callable[..., None]]:
    hooks = module._state_hooks
    return [] if hooks is None else list(getattr(hooks, kind).values())


_EXTRA = "_extra_state"


def _own(module: Module) -> Iterator[tuple[str, Tensor]]:
    """Yield (name, tensor) of a module's own state: its parameters, then persistent buffers."""
    values = module.__dict__
    for name in module._parameter_names:
        if values[name] is not None:
            yield name, values[name]
    for name, persistent in module._buffer_names.items():
        if persistent and values[name] is not None:
            yield name, values[name]


def _overridden(module: Module, method: str) -> bool:
    """Say whether a class defines a method of its own."""
    from microtensor.nn.stateful import Stateful

    return getattr(type(module), method) is not getattr(Stateful, method)


def _with_prefixes(module: Module, prefix: str) -> Iterator[tuple[str, Module]]:
    """Yield a module and all below it with the prefixes of their keys.

    Shared modules come once per name, as each name is a key of its own.
    """
    yield prefix, module
    values = module.__dict__
    for name in module._module_names:
        if values[name] is not None:
            yield from _with_prefixes(values[name], f"{prefix}{name}.")


def collect(
    module: Module, destination: dict[str, Any] | None, prefix: str, keep_vars: bool
) -> dict[str, Any]:
    """Return the parameters and persistent buffers of `module` by key."""
    if destination is None:
        destination = OrderedDict()
        destination._metadata = OrderedDict()  # type: ignore[attr-defined]
    notes = {"version": module._version}
    if hasattr(destination, "_metadata"):
        destination._metadata[prefix[:-1]] = notes
    for hook in _hooks(module, "before_saving"):
        hook(module, prefix, keep_vars)
    module._save_to_state_dict(destination, prefix, keep_vars)
    values = module.__dict__
    for name in module._module_names:
        if values[name] is not None:
            values[name].state_dict(
                destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
            )
    for hook in _hooks(module, "after_saving"):
        hook(module, destination, prefix, notes)
    return destination


def collect_own(module: Module, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
    """Add a module's own parameters, persistent buffers and extra state to `destination`."""
    for name, tensor in _own(module):
        destination[prefix + name] = tensor if keep_vars else tensor.detach()
    if _overridden(module, "get_extra_state"):
        destination[prefix + _EXTRA] = module.get_extra_state()


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)


class _Findings(list[str]):
    """What speaks against a state dict, and what is to be done once nothing does.

    Modules are handed it as the list of errors, so that a subclass's ``_load_from_state_dict``
    passes it on to the one it extends, and nothing is changed before everything was looked at.
    """

    def __init__(self, assign: bool) -> None:
        super().__init__()
        self.assign = assign
        self.changes: list[tuple[Module, str, Tensor, Tensor]] = []
        self.extras: list[tuple[Module, Any]] = []
        self.known: set[str] = set()

    def carry_out(self) -> None:
        """Copy (or assign) every value."""
        with no_grad():
            for owner, name, tensor, value in self.changes:
                if self.assign:
                    setattr(owner, name, _as_kind_of(tensor, value))
                else:
                    tensor.copy_(value)
        for owner, value in self.extras:
            owner.set_extra_state(value)


def _of_its_own(module: Module, state_dict: Mapping[str, Any], prefix: str) -> list[str]:
    """Return the keys below a prefix that do not belong to a module within `module`."""
    found = (key[len(prefix) :].split(".") for key in state_dict if key.startswith(prefix))
    inside = module._module_names
    return [
        prefix + ".".join(parts) for parts in found if len(parts) == 1 or parts[0] not in inside
    ]


def restore_own(
    module: Module,
    state_dict: dict[str, Any],
    prefix: str,
    notes: Mapping[str, Any],
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """Look at what a state dict has for a module itself; it is taken when all has been seen."""
    for hook in _hooks(module, "before_loading"):
        hook(module, state_dict, prefix, notes, strict, missing, unexpected, errors)
    findings = errors if isinstance(errors, _Findings) else _Findings(assign=False)
    known = set()
    for name, tensor in _own(module):
        key = prefix + name
        known.add(key)
        if key not in state_dict:
            if strict:
                missing.append(key)
            continue
        value = state_dict[key]
        problem = _why_not(key, tensor, value, findings.assign)
        if problem:
            errors.append(problem)
        else:
            findings.changes.append((module, name, tensor, value))
    if _overridden(module, "set_extra_state"):
        known.add(prefix + _EXTRA)
        if prefix + _EXTRA in state_dict:
            findings.extras.append((module, state_dict[prefix + _EXTRA]))
        elif strict:
            missing.append(prefix + _EXTRA)
    findings.known |= known
    if findings is not errors:
        findings.carry_out()
    if strict and _overridden(module, "_load_from_state_dict"):
        unexpected += [k for k in _of_its_own(module, state_dict, prefix) if k not in known]


def restore(
    module: Module, state_dict: Mapping[str, Any], strict: bool, assign: bool
) -> IncompatibleKeys:
    """Check the whole of `state_dict` against `module`, then copy (or assign) every value."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    metadata = getattr(state_dict, "_metadata", {})
    state_dict = OrderedDict(state_dict)  # for hooks to change
    missing: list[str] = []
    unexpected: list[str] = []
    errors = _Findings(assign)
    for prefix, owner in _with_prefixes(module, ""):
        notes = dict(metadata.get(prefix[:-1], {}))
        if assign:
            notes["assign_to_params_buffers"] = True
        owner._load_from_state_dict(state_dict, prefix, notes, True, missing, unexpected, errors)
        if _overridden(owner, "_load_from_state_dict"):  # which says what of them is unexpected
            errors.known.update(_of_its_own(owner, state_dict, prefix))
    unexpected += [key for key in state_dict if key not in errors.known]
    incompatible = IncompatibleKeys(missing, unexpected)
    hooks = [
        (owner, hook)
        for _, owner in reversed(list(_with_prefixes(module, "")))
        for hook in _hooks(owner, "after_loading")
    ]
    if not hooks:
        _raise_if_any(module, errors, incompatible, strict)
    elif errors:
        _raise_if_any(module, errors, incompatible, False)
    errors.carry_out()
    for owner, hook in hooks:
        hook(owner, incompatible)
    if hooks:  # which may have forgiven some of the keys
        _raise_if_any(module, errors, incompatible, strict)
    return incompatible


def _raise_if_any(
    module: Module, errors: list[str], incompatible: IncompatibleKeys, strict: bool
) -> None:
    errors = list(errors)
    if strict and incompatible.unexpected_keys:
        keys = _quoted(incompatible.unexpected_keys)
        errors.insert(0, f"Unexpected key(s) in state_dict: {keys}. ")
    if strict and incompatible.missing_keys:
        keys = _quoted(incompatible.missing_keys)
        errors.insert(0, f"Missing key(s) in state_dict: {keys}. ")
    if errors:
        message = "\n\t".join(errors)
        raise RuntimeError(
            f"Error(s) in loading state_dict for {type(module).__name__}:\n\t{message}"
        )


def _why_not(key: str, tensor: Tensor, value: Any, assign: bool) -> str:
    """Say why `value` cannot become the state called `key`; empty if it can."""
    if not isinstance(value, Tensor):
        return (
            f'While copying the parameter named "{key}", expected microtensor.Tensor '
            f"from checkpoint but received {type(value)}"
        )
    if value.shape != tensor.shape:
        return (
            f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
            f"the shape in current model is {tensor.shape}."
        )
    if not assign and not tensor._array.flags.writeable:
        return (
            f'While copying the parameter named "{key}": its memory in the current model is '
            "read-only; load with assign=True, or clone it first."
        )
    if assign and tensor.requires_grad and not value.is_floating_point():
        return (
            f'While assigning the parameter named "{key}": it requires a gradient, which a '
            f"checkpoint tensor of dtype {value.dtype} cannot have."
        )
    return ""


def _as_kind_of(tensor: Tensor, value: Tensor) -> Tensor:
    """Return `value` as a parameter if `tensor` is one, with the model's `requires_grad`."""
    if not isinstance(tensor, Parameter):
        return value
    if not isinstance(value, Parameter):
        return Parameter(value, requires_grad=tensor.requires_grad)
    value.requires_grad_(tensor.requires_grad)
    return value
