"""The kernels in C that are rows of the kernel table: elementwise maps, softmax, their gradients.

Small networks are dominated by what a call costs, so each kernel is a function of its own with its
parameters by name, and hands the arrays over as they are: C looks at them. The functions of one
kind and parameter list share their code, made once from a template; a row's number and its twin are
what each closes over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import ffi, lib, otherwise

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
    "gated": """
def make(op, twin):
    def kernel(x, out):
        if gated(op, id(x), id(out)):
            otherwise(kernel, twin, x, out)
    return kernel
""",
    "gated_backward": """
def make(op, twin):
    def kernel(g, x, out):
        if gated_backward(op, id(g), id(x), id(out)):
            otherwise(kernel, twin, g, x, out)
    return kernel
""",
    # Parameters are arrays; gradients nobody asks for are None, which C takes for no array.
    "learned": """
def make(op, twin):
    def kernel(x, out{parameters}):
        if learned(op, {a}, {b}, {c}, {d}, id(x), id(out)):
            otherwise(kernel, twin, x, out{parameters})
    return kernel
""",
    "learned_backward": """
def make(op, twin):
    def kernel(g, x, out{parameters}{sums}):
        if learned_backward(
            op, {a}, {b}, {c}, {d}, id(g), id(x), id(out), {of_a}, {of_b}, {of_c}, {of_d}
        ):
            otherwise(kernel, twin, g, x, out{parameters}{sums})
    return kernel
""",
    "maxout": """
def make(op, twin):
    def kernel(x, out):
        if maxout(id(x), id(out)):
            otherwise(kernel, twin, x, out)
    return kernel
""",
    "maxout_backward": """
def make(op, twin):
    def kernel(g, x, out):
        if maxout_backward(id(g), id(x), id(out)):
            otherwise(kernel, twin, g, x, out)
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
            names = {"parameters": listed, "p": p, "q": q}
            for place, letter in enumerate("abcd"):
                given = parameters[place] if place < len(parameters) else ""
                names[letter] = f"id({given})" if given else "0"
                names[f"of_{letter}"] = f"id(of_{given})" if given else "0"
            names["sums"] = "".join(f", of_{parameter}" for parameter in parameters)
            source = _TEMPLATES[kind].format(**names)
            exec(compile(source, "<microtensor kernels>", "exec"), self._scope)
            self._made[key] = self._scope.pop("make")
        return self._made[key]


def _parameters(instead: Callable[..., None], arrays: int) -> tuple[str, ...]:
    """Give the numbers that a twin's formula takes after its arrays."""
    code = getattr(instead, "__wrapped__", instead).__code__
    return tuple(code.co_varnames[arrays : code.co_argcount])


def _rows() -> Iterator[tuple[str, int, str]]:
    """Give kind, number and name of the rows; a gradient may have the number of its activation."""
    for kind in ("unary", "binary", "rows", "rows_backward", "gated", "learned"):
        for op, name in enumerate(names(kind)):
            yield kind, op, name
            if kind in ("gated", "learned"):
                yield f"{kind}_backward", op, f"{name}_backward"
    yield "maxout", 0, "maxout"
    yield "maxout_backward", 0, "maxout_backward"


def _define() -> dict[str, Any]:
    """Give one function per row of the kernel table that has a name of its own in Python."""
    makers, unary = _Makers(), names("unary")
    kernels: dict[str, Any] = {}
    for kind, op, name in _rows():
        instead = twin.KERNELS.get(name)
        if name in _WITH_NUMBER:
            right, left = map(unary.index, _WITH_NUMBER[name])
            kernel = makers.get("arithmetic")(op, right, left, instead)
        elif instead is None:
            continue
        elif kind.startswith("learned"):
            value = twin.KERNELS[name.removesuffix("_backward")]
            kernel = makers.get(kind, _parameters(value, 1))(op, instead)
        elif kind in ("unary", "binary") and hasattr(instead, "__wrapped__"):
            arrays = 1 if kind == "unary" else 2
            kernel = makers.get(kind, _parameters(instead, arrays))(op, instead)
        else:
            kernel = makers.get(kind)(op, instead)
        kernel.__name__ = kernel.__qualname__ = name
        kernel.__module__, kernel.__doc__ = __name__, instead.__doc__
        kernels[name] = kernel
    return kernels


ROWS: dict[str, Any] = _define()
