"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from microtensor.ops.joining import stack
from microtensor.tensor import Tensor

if TYPE_CHECKING:
    from microtensor.nn.module import Module


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other tensors in place of its parameters and buffers.

    The module is as it was afterwards. Gradients go to the tensors given.

    Args:
        module: what to call.
        parameter_and_buffer_dicts: tensors by full name, in one dictionary or several; names left
            out keep the module's own. A buffer that the module assigns anew is put back into it.
        args: positional arguments, in a tuple if there are several.
        kwargs: keyword arguments.
        tie_weights: whether a tensor given for one name of a shared parameter stands for all.
        strict: whether all names, and no others, have to be given.

    Raises:
        RuntimeError: strict, and names are missing or unexpected.
        TypeError: something given is not a tensor.
        ValueError: not dictionaries, a name twice, or different tensors for tied names.

    Example:
        >>> import microtensor as mt
        >>> layer = mt.nn.Linear(1, 1, bias=False)
        >>> mt.func.functional_call(layer, {"weight": mt.tensor([[3.0]])}, mt.tensor([2.0]))
        tensor([6.])
    """
    given, targets = _merged(parameter_and_buffer_dicts)
    places = _places(module)
    if strict:
        _check_names(module, given, places)
    swaps: dict[str, Tensor] = {name: given[name] for name in given if name in places}
    if tie_weights:
        swaps = _with_tied(swaps, places)
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    before = {name: places[name][0].__dict__[places[name][1]] for name in swaps}
    try:
        for name, tensor in swaps.items():
            owner, attribute = places[name]
            owner.__dict__[attribute] = tensor
        return module(*args, **(kwargs or {}))
    finally:
        for name, tensor in before.items():
            owner, attribute = places[name]
            now = owner.__dict__.get(attribute)
            if now is not swaps[name] and name in targets:
                targets[name][name] = now
            owner.__dict__[attribute] = tensor


def _merged(dictionaries: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Give one dictionary, and for each name the one it came from."""
    if isinstance(dictionaries, Mapping):
        dictionaries = [dictionaries]
    elif not isinstance(dictionaries, list | tuple):
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(dictionaries)}"
        )
    merged: dict[str, Tensor] = {}
    sources: dict[str, Any] = {}
    for each in dictionaries:
        if not isinstance(each, Mapping):
            raise ValueError(
                "Expected all elements of parameter_and_buffer_dicts to be dictionaries"
            )
        for name, tensor in each.items():
            if name in merged:
                raise ValueError(
                    f"{name!r} appeared in multiple dictionaries; behavior of functional call is "
                    "ambiguous"
                )
            if not isinstance(tensor, Tensor):
                raise TypeError(f"{name}: {tensor!r} is not a Tensor")
            merged[name] = tensor
            sources[name] = each
    return merged, sources


def _places(module: Module) -> dict[str, tuple[Any, str]]:
    """Give for every name of a parameter or buffer its module and attribute."""
    places = {}
    for prefix, owner in module.named_modules(remove_duplicate=False):
        stem = f"{prefix}." if prefix else ""
        for attribute in (*owner._parameter_names, *owner._buffer_names):
            if owner.__dict__[attribute] is not None:
                places[stem + attribute] = (owner, attribute)
    return places


def _check_names(module: Module, given: Any, places: dict[str, tuple[Any, str]]) -> None:
    tensors = {name: owner.__dict__[attribute] for name, (owner, attribute) in places.items()}
    # One name of a shared tensor is enough.
    covered = {id(tensors[name]) for name in given if name in tensors}
    missing = [name for name, t in tensors.items() if name not in given and id(t) not in covered]
    unexpected = [name for name in given if name not in places]
    lines = [
        f"{kind} key(s): {', '.join(map(repr, names))}."
        for kind, names in (("Unexpected", unexpected), ("Missing", missing))
        if names
    ]
    if lines:
        raise RuntimeError(
            f"Error(s) in reparametrizing for {type(module).__name__}:\n\t" + "\n\t".join(lines)
        )


def _with_tied(swaps: dict[str, Tensor], places: dict[str, tuple[Any, str]]) -> dict[str, Tensor]:
    """Give what is said for one name of a shared tensor to its other names."""
    groups: dict[int, list[str]] = {}
    for name, (owner, attribute) in places.items():
        groups.setdefault(id(owner.__dict__[attribute]), []).append(name)
    complete = dict(swaps)
    for names in groups.values():
        said = [name for name in names if name in swaps]
        if not said:
            continue
        if any(swaps[name] is not swaps[said[0]] for name in said):
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(said)}, which are tied. "
                "Consider using tie_weights=False"
            )
        complete.update(dict.fromkeys(names, swaps[said[0]]))
    return complete


def stack_module_state(
    models: Sequence[Module],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Stack the parameters, and the buffers, of modules of one kind: what `vmap` maps over.

    Args:
        models: modules of one class and of equal shapes, all in training mode or none.

    Returns:
        Two dictionaries by full name. Parameters are leaves that require gradients as the
        modules' own do.

    Raises:
        RuntimeError: no models, or of different classes or modes.
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if any(model.training != models[0].training for model in models):
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if any(type(model) is not type(models[0]) for model in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = {
        name: _stacked([dict(model.named_parameters())[name] for model in models])
        for name, _ in models[0].named_parameters()
    }
    buffers = {
        name: _stacked([dict(model.named_buffers())[name] for model in models])
        for name, _ in models[0].named_buffers()
    }
    return parameters, buffers


def _stacked(tensors: list[Any]) -> Tensor:
    if len({each.requires_grad for each in tensors}) > 1:
        raise RuntimeError("Expected each parameter or buffer to have the same .requires_grad")
    joined = stack([each.detach() for each in tensors])
    result: Tensor = joined.requires_grad_(tensors[0].requires_grad)
    return result
