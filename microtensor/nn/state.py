"""Saving the state of a module, and restoring all of it or none."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from microtensor.engine import no_grad
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


def _entries(module: Module, prefix: str) -> Iterator[tuple[str, Module, str, Tensor]]:
    """Yield (key, owner, attribute name, tensor) for all that a state dict of `module` holds.

    Shared tensors come once per name, as each name is a key of its own. The order is
    PyTorch's: the parameters of a module, its persistent buffers, then its children.
    """
    values = module.__dict__
    for name in module._parameter_names:
        if values[name] is not None:
            yield prefix + name, module, name, values[name]
    for name, persistent in module._buffer_names.items():
        if persistent and values[name] is not None:
            yield prefix + name, module, name, values[name]
    for name in module._module_names:
        if values[name] is not None:
            yield from _entries(values[name], f"{prefix}{name}.")


def collect(
    module: Module, destination: dict[str, Any] | None, prefix: str, keep_vars: bool
) -> dict[str, Any]:
    """Return the parameters and persistent buffers of `module` by key."""
    if destination is None:
        destination = OrderedDict()
    for key, _, _, tensor in _entries(module, prefix):
        destination[key] = tensor if keep_vars else tensor.detach()
    return destination


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)


def restore(
    module: Module, state_dict: Mapping[str, Any], strict: bool, assign: bool
) -> IncompatibleKeys:
    """Check the whole of `state_dict` against `module`, then copy (or assign) every value."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    missing: list[str] = []
    errors: list[str] = []
    changes: list[tuple[Module, str, Tensor, Tensor]] = []
    known = set()
    for key, owner, name, tensor in _entries(module, ""):
        known.add(key)
        if key not in state_dict:
            missing.append(key)
            continue
        value = state_dict[key]
        problem = _why_not(key, tensor, value, assign)
        if problem:
            errors.append(problem)
        else:
            changes.append((owner, name, tensor, value))
    unexpected = [key for key in state_dict if key not in known]
    if strict and unexpected:
        errors.insert(0, f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. ")
    if strict and missing:
        errors.insert(0, f"Missing key(s) in state_dict: {_quoted(missing)}. ")
    if errors:
        message = "\n\t".join(errors)
        raise RuntimeError(
            f"Error(s) in loading state_dict for {type(module).__name__}:\n\t{message}"
        )
    with no_grad():
        for owner, name, tensor, value in changes:
            if assign:
                setattr(owner, name, _as_kind_of(tensor, value))
            else:
                tensor.copy_(value)
    return IncompatibleKeys(missing, unexpected)


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
