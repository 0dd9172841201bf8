"""The kernels in C that are rows of the kernel table: elementwise maps, softmax, their gradients.

Small networks are dominated by what a call costs, so each kernel is a function of its own with its
parameters by name, and hands the arrays over as they are: C looks at them. The functions of one
kind and parameter list share their code, made once from a template; a row's number and its twin are
what each closes over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import ffi, lib, otherwise

# Parameters of the kernels that have some, as their twins name them.
PARAMETERS = {
    "leaky_relu": ("negative_slope",),
    "elu": ("alpha",),
    "softplus": ("beta", "threshold"),
}

_TEMPLATES = {
    "unary": """
def make(op, twin):
    def kernel(x, out{parameters}):
        if unary(op, {p}, {q}, id(x), id(out)):
            otherwise(kernel, twin, x, out{parameters})
    return kernel
""",
    "binary": """
def make(op, twin):
    def kernel(g, saved, out{parameters}):
        if binary(op, {p}, {q}, id(g), id(saved), id(out)):
            otherwise(kernel, twin, g, saved, out{parameters})
    return kernel
""",
    "rows": """
def make(op, twin):
    def kernel(x, out, axis=-1):
        if rows(op, 1 << (axis if axis >= 0 else axis + x.ndim), id(x), id(out)):
            otherwise(kernel, twin, x, out, axis)
    return kernel
""",
    "rows_backward": """
def make(op, twin):
    def kernel(g, y, out, axis=-1):
        if rows_backward(op, 1 << (axis if axis >= 0 else axis + g.ndim), id(g), id(y), id(out)):
            otherwise(kernel, twin, g, y, out, axis)
    return kernel
""",
    # With an array of one element on either side, its number is a parameter of a unary row.
    "arithmetic": """
def make(op, right, left, twin):
    def kernel(a, b, out):
        if arithmetic(op, right, left, id(a), id(b), id(out)):
            otherwise(kernel, twin, a, b, out)
    return kernel
""",
}

# For each operation the unary rows with the number on its right and on its left.
_WITH_NUMBER = {
    "add": ("add_number", "add_number"),
    "sub": ("sub_number", "number_sub"),
    "mul": ("mul_number", "mul_number"),
    "div": ("div_number", "number_div"),
}


def names(kind: str) -> list[str]:
    """Give the rows of one kind in the kernel table, in the order of their numbers."""
    found: list[str] = []
    while (name := lib.mt_kernel_name(kind.encode(), len(found))) != ffi.NULL:
        found.append(ffi.string(name).decode())
    return found


class _Makers:
    """The templates' functions, each compiled when first asked for."""

    def __init__(self) -> None:
        self._scope = {kind: getattr(lib, f"mt_array_{kind}") for kind in _TEMPLATES}
        self._scope["otherwise"] = otherwise
        self._made: dict[tuple[str, tuple[str, ...]], Callable[..., Any]] = {}

    def get(self, kind: str, parameters: tuple[str, ...] = ()) -> Callable[..., Any]:
        key = (kind, parameters)
        if key not in self._made:
            p, q = (*parameters, "0.0", "0.0")[:2]
            listed = "".join(f", {parameter}" for parameter in parameters)
            source = _TEMPLATES[kind].format(parameters=listed, p=p, q=q)
            exec(compile(source, "<microtensor kernels>", "exec"), self._scope)
            self._made[key] = self._scope.pop("make")
        return self._made[key]


def _define() -> dict[str, Any]:
    """Give one function per row of the kernel table that has a name of its own in Python."""
    makers, unary = _Makers(), names("unary")
    kernels: dict[str, Any] = {}
    for kind in ("unary", "binary", "rows", "rows_backward"):
        for op, name in enumerate(names(kind)):
            instead = twin.KERNELS.get(name)
            if name in _WITH_NUMBER:
                right, left = map(unary.index, _WITH_NUMBER[name])
                kernel = makers.get("arithmetic")(op, right, left, instead)
            elif instead is not None:
                parameters = PARAMETERS.get(name.removesuffix("_backward"), ())
                kernel = makers.get(kind, parameters)(op, instead)
            else:
                continue
            kernel.__name__ = kernel.__qualname__ = name
            kernel.__module__, kernel.__doc__ = __name__, instead.__doc__
            kernels[name] = kernel
    return kernels


ROWS: dict[str, Any] = _define()
