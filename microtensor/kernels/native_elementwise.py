"""The kernels in C that are rows of the kernel table: elementwise maps, softmax, their gradients.

Small networks are dominated by what a call costs, so each kernel is a function of its own with its
parameters by name. The functions of one kind and parameter list share their code, made once from a
template; a row's number and its twin are what each closes over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microtensor.kernels import native_border, twin
from microtensor.kernels.native_border import ffi, lib

# Parameters of the kernels that have some, as their twins name them.
PARAMETERS = {
    "leaky_relu": ("negative_slope",),
    "elu": ("alpha",),
    "softplus": ("beta", "threshold"),
}

_UNARY = """
def make(op, twin):
    def kernel(x, out{parameters}):
        dtype = x.dtype
        size = x.size
        if out.dtype is dtype and out.size == size:
            try:
                if dtype is FLOAT32:
                    if not mt_unary_f32(op, size, {p}, {q}, buffer(f32, x), buffer(f32, out, True)):
                        return
                elif dtype is FLOAT64:
                    if not mt_unary_f64(op, size, {p}, {q}, buffer(f64, x), buffer(f64, out, True)):
                        return
            except ValueError:
                pass
        otherwise(kernel, twin, x, out{parameters})
    return kernel
"""

_BINARY = """
def make(op, twin):
    def kernel(g, saved, out{parameters}):
        dtype = g.dtype
        size = g.size
        if out.dtype is dtype is saved.dtype and out.size == size == saved.size:
            try:
                if dtype is FLOAT32:
                    if not mt_binary_f32(
                        op, size, {p}, {q},
                        buffer(f32, g), buffer(f32, saved), buffer(f32, out, True),
                    ):
                        return
                elif dtype is FLOAT64:
                    if not mt_binary_f64(
                        op, size, {p}, {q},
                        buffer(f64, g), buffer(f64, saved), buffer(f64, out, True),
                    ):
                        return
            except ValueError:
                pass
        otherwise(kernel, twin, g, saved, out{parameters})
    return kernel
"""

# With a number, or an array of one element, on either side, that side is a unary row's parameter:
# of row `right`, times `sign`, or of row `left`.
_ARITHMETIC = """
def make(op, twin, right, sign, left):
    def kernel(a, b, out):
        dtype = a.dtype
        size = out.size
        if out.dtype is dtype is b.dtype:
            try:
                if b.size == size == a.size:
                    if dtype is FLOAT32:
                        if not mt_binary_f32(
                            op, size, 0.0, 0.0,
                            buffer(f32, a), buffer(f32, b), buffer(f32, out, True),
                        ):
                            return
                    elif dtype is FLOAT64:
                        if not mt_binary_f64(
                            op, size, 0.0, 0.0,
                            buffer(f64, a), buffer(f64, b), buffer(f64, out, True),
                        ):
                            return
                else:
                    if b.ndim == 0:
                        row, x, number = right, a, sign * b.item()
                    else:
                        row, x, number = left, b, a.item()
                    if x.size == size:
                        if dtype is FLOAT32:
                            if not mt_unary_f32(
                                row, size, number, 0.0, buffer(f32, x), buffer(f32, out, True)
                            ):
                                return
                        elif dtype is FLOAT64:
                            if not mt_unary_f64(
                                row, size, number, 0.0, buffer(f64, x), buffer(f64, out, True)
                            ):
                                return
            except ValueError:
                pass
        otherwise(kernel, twin, a, b, out)
    return kernel
"""

# For each operation the row with the number on its right, the number's sign there (a - b is
# a + (-b)), and the row with the number on its left.
_WITH_NUMBER = {
    "add": ("add_number", 1.0, "add_number"),
    "sub": ("add_number", -1.0, "number_sub"),
    "mul": ("mul_number", 1.0, "mul_number"),
    "div": ("div_number", 1.0, "number_div"),
}

_ROWS = """
def make(op, twin):
    def kernel(x, out):
        dtype = x.dtype
        shape = x.shape
        if out.dtype is dtype and len(shape) == 2 and out.shape == shape:
            try:
                if dtype is FLOAT32:
                    if not mt_rows_f32(op, *shape, buffer(f32, x), buffer(f32, out, True)):
                        return
                elif dtype is FLOAT64:
                    if not mt_rows_f64(op, *shape, buffer(f64, x), buffer(f64, out, True)):
                        return
            except ValueError:
                pass
        otherwise(kernel, twin, x, out)
    return kernel
"""

_ROWS_BACKWARD = """
def make(op, twin):
    def kernel(g, y, out):
        dtype = g.dtype
        shape = g.shape
        if out.dtype is dtype is y.dtype and len(shape) == 2 and out.shape == shape == y.shape:
            try:
                if dtype is FLOAT32:
                    if not mt_rows_backward_f32(
                        op, *shape, buffer(f32, g), buffer(f32, y), buffer(f32, out, True)
                    ):
                        return
                elif dtype is FLOAT64:
                    if not mt_rows_backward_f64(
                        op, *shape, buffer(f64, g), buffer(f64, y), buffer(f64, out, True)
                    ):
                        return
            except ValueError:
                pass
        otherwise(kernel, twin, g, y, out)
    return kernel
"""

_TEMPLATES = {
    "unary": _UNARY,
    "binary": _BINARY,
    "rows": _ROWS,
    "rows_backward": _ROWS_BACKWARD,
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
        shared = ("FLOAT32", "FLOAT64", "f32", "f64", "buffer", "otherwise")
        self._scope = {name: getattr(native_border, name) for name in shared}
        for kind in _TEMPLATES:
            for entry in (f"mt_{kind}_f32", f"mt_{kind}_f64"):
                self._scope[entry] = getattr(lib, entry)
        self._made: dict[tuple[str, tuple[str, ...]], Callable[..., Any]] = {}

    def get(self, template: str, parameters: tuple[str, ...] = ()) -> Callable[..., Any]:
        key = (template, parameters)
        if key not in self._made:
            p, q = (*parameters, "0.0", "0.0")[:2]
            listed = "".join(f", {parameter}" for parameter in parameters)
            source = template.format(parameters=listed, p=p, q=q)
            exec(compile(source, "<microtensor kernels>", "exec"), self._scope)
            self._made[key] = self._scope["make"]
        return self._made[key]


def _define() -> dict[str, Any]:
    """Give one function per row of the kernel table that has a name of its own in Python."""
    makers, unary = _Makers(), names("unary")
    kernels: dict[str, Any] = {}
    for kind, template in _TEMPLATES.items():
        for op, name in enumerate(names(kind)):
            instead = getattr(twin, name, None)
            if name in _WITH_NUMBER:
                right, sign, left = _WITH_NUMBER[name]
                make = makers.get(_ARITHMETIC)
                kernel = make(op, instead, unary.index(right), sign, unary.index(left))
            elif instead is not None:
                parameters = PARAMETERS.get(name.removesuffix("_backward"), ())
                kernel = makers.get(template, parameters)(op, instead)
            else:
                continue
            kernel.__name__ = kernel.__qualname__ = name
            kernel.__module__, kernel.__doc__ = __name__, instead.__doc__
            kernels[name] = kernel
    return kernels


ROWS: dict[str, Any] = _define()
