"""Other names: PyTorch's second ones of functions, and NumPy's of dimensions.

These are ``axis`` for ``dim`` and ``keepdims`` for ``keepdim``.
"""

from __future__ import annotations

from typing import Any, NoReturn

from microtensor.ops.record import Parameter

ALIASES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "clip": "clamp",
    "divide": "div",
    "fix": "trunc",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "sgn": "sign",
    "subtract": "sub",
    "true_divide": "div",
}
"""The functions of the main namespace, and methods, that PyTorch offers under a second name."""

OTHER_NAMES: dict[str, list[str]] = {}
for _other, _name in ALIASES.items():
    OTHER_NAMES.setdefault(_name, []).append(_other)

_NUMPY_NAMES = {"dim": "axis", "keepdim": "keepdims"}
_MISSING = object()


def accepting_numpy_names(
    op: str, parameters: list[Parameter]
) -> tuple[list[Parameter], list[str], dict[str, Any]]:
    """Let ``dim`` and ``keepdim`` be called ``axis`` and ``keepdims`` too, as PyTorch does.

    Returns:
        The parameters with the other names, the lines that read them, and what those lines need.
    """
    named = [p for p in parameters if p.name in _NUMPY_NAMES]
    # Without dim, what comes after it can be given by name only: its absence is told here.
    names = [p.name for p in parameters]
    after = parameters[names.index("dim") :] if "dim" in names else []
    required = {p.name for p in after if p.default is None and not p.keyword_only}
    lines = []
    for p in named:
        other, default = _NUMPY_NAMES[p.name], p.default or "_missing"
        lines += [
            f"    if {other} is not None:",
            f"        {p.name} = "
            f"_one_of({op!r}, {p.name!r}, {p.name}, {default}, {other!r}, {other})",
        ]
    for p in parameters:
        if p.name in required:
            lines += [f"    if {p.name} is _missing:", f"        _lacking({op!r}, {p.name!r})"]
    needs = {"_missing": _MISSING, "_lacking": _lacking, "_one_of": _one_of} if named else {}
    accepted = [
        Parameter(p.name, p.annotation, "_missing", False) if p.name in required else p
        for p in parameters
    ]
    accepted += [Parameter(_NUMPY_NAMES[p.name], "Any", "None", True) for p in named]
    return accepted, lines, needs


def _lacking(op: str, name: str) -> NoReturn:
    raise TypeError(f"{op}() missing 1 required positional argument: {name!r}")


def _one_of(op: str, name: str, value: Any, default: Any, other: str, given: Any) -> Any:
    if value is not default:
        raise TypeError(f"{op}() got both {name!r} and {other!r}, two names of the same argument")
    return given
