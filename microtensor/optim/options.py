"""Checking the options of a group: every message names the option, its value and what is legal."""

from __future__ import annotations

from typing import Any


def number(group: dict[str, Any], name: str) -> float:
    """Give an option as a Python float.

    Raises:
        TypeError: it is not a number (text that looks like one is none either).
    """
    value = group[name]
    if not isinstance(value, str | bytes):
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError):
            pass
    raise TypeError(f"{name} must be a number, not {type(value).__name__}: {value!r}")


def require(name: str, value: Any, legal: str, condition: bool) -> None:
    """Raise the ValueError that names an option, what was given and what is legal."""
    if not condition:
        raise ValueError(f"Invalid {name}: {value} (legal: {legal})")


def require_at_least_zero(group: dict[str, Any], *names: str) -> None:
    """Refuse options below zero, and NaN."""
    for name in names:
        words = _WORDS.get(name, f"{name} value")
        require(words, group[name], f"{name} >= 0", number(group, name) >= 0.0)


# What PyTorch's messages call the options whose names they spell out.
_WORDS = {"lr": "learning rate", "eps": "epsilon value"}


def check_common(group: dict[str, Any]) -> None:
    """Check the options that all rules have."""
    require_at_least_zero(group, "lr", *(["weight_decay"] if "weight_decay" in group else []))
    if group.get("differentiable"):
        raise ValueError(
            "differentiable=True: steps run in fused kernels that are not recorded; legal: False"
        )


def check_betas(group: dict[str, Any], count: int = 2) -> None:
    """Refuse betas that are not so many numbers, each in [0, 1)."""
    betas = group["betas"]
    if not isinstance(betas, tuple | list) or len(betas) != count:
        kind = "pair" if count == 2 else "triple"
        raise TypeError(f"betas must be a {kind} of numbers, each in [0, 1), not {betas!r}")
    for place, beta in enumerate(betas):
        size = number({"betas": beta}, "betas")
        words = f"beta parameter at index {place}"
        require(words, beta, "betas in [0, 1)", 0.0 <= size < 1.0)


def dialects(**chosen: Any) -> dict[str, Any]:
    """Give those options that depart from PyTorch's rule; the others leave no trace in a group.

    So a group, its state_dict and its text are PyTorch's own unless something else is asked for.
    """
    return {name: value for name, value in chosen.items() if value}


def switch(group: dict[str, Any], name: str) -> float:
    """Give an option that is on or off as the number the kernel reads."""
    return 1.0 if group.get(name) else 0.0


# Options a saved group may lack or have beyond: PyTorch's later additions, and our dialects.
_LATER = {
    "nesterov", "maximize", "foreach", "capturable", "differentiable", "fused",
    "decoupled_weight_decay", "eps_hat", "eps_inside_root", "rate_inside",
}  # fmt: skip


def check_saved_options(
    kind: type[Any],
    base: type[Any],
    defaults: dict[str, Any],
    own: dict[str, Any],
    saved: dict[str, Any],
) -> None:
    """Raise ValueError for a saved group that lacks an option of its rule or has another rule's.

    Args:
        kind: the optimizer that is to load it.
        base: what all optimizers derive from.
        defaults: the options that the rule has.
        own: the group that the saved one is for.
        saved: it may have keys of the user's and of schedules.
    """
    missing = [name for name in defaults if name not in saved and name not in _LATER]
    other = _option_names(base) - _option_names(kind) - _LATER
    strange = [name for name in saved if name in other and name not in own]
    found = [f"has not {', '.join(missing)}"] if missing else []
    found += [f"has {', '.join(strange)}"] if strange else []
    if found:
        raise ValueError(
            f"loaded state dict is of another optimizer than {kind.__name__}: its group "
            f"{' and '.join(found)}"
        )


def _option_names(kind: type[Any]) -> set[str]:
    """Give the names of the options that the constructors of a class and its subclasses take."""
    code = kind.__init__.__code__
    names = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    return (names - {"self", "params", "defaults"}).union(
        *map(_option_names, kind.__subclasses__())
    )
