"""The kernels in C that are rows of the kernel table: elementwise maps, softmax, their gradients.

Small networks are dominated by what a call costs, so each kernel is a function of its own, made
from a template with everything it needs bound as names.
"""

from __future__ import annotations

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
def {name}(x, out{parameters}):
    dtype = x.dtype
    size = x.size
    if out.dtype is dtype and out.size == size:
        try:
            if dtype is FLOAT32:
                if not mt_unary_f32({op}, size, {p}, {q}, buffer(f32, x), buffer(f32, out, True)):
                    return
            elif dtype is FLOAT64:
                if not mt_unary_f64({op}, size, {p}, {q}, buffer(f64, x), buffer(f64, out, True)):
                    return
        except ValueError:
            pass
    otherwise({name}, twin_{name}, x, out{parameters})
"""

_BINARY = """
def {name}(g, saved, out{parameters}):
    dtype = g.dtype
    size = g.size
    if out.dtype is dtype is saved.dtype and out.size == size == saved.size:
        try:
            if dtype is FLOAT32:
                if not mt_binary_f32(
                    {op}, size, {p}, {q}, buffer(f32, g), buffer(f32, saved), buffer(f32, out, True)
                ):
                    return
            elif dtype is FLOAT64:
                if not mt_binary_f64(
                    {op}, size, {p}, {q}, buffer(f64, g), buffer(f64, saved), buffer(f64, out, True)
                ):
                    return
        except ValueError:
            pass
    otherwise({name}, twin_{name}, g, saved, out{parameters})
"""

# With a number, or an array of one element, on either side, that side is a unary row's parameter.
_ARITHMETIC = """
def {name}(a, b, out):
    dtype = a.dtype
    size = out.size
    if out.dtype is dtype is b.dtype:
        try:
            if b.size == size == a.size:
                if dtype is FLOAT32:
                    if not mt_binary_f32(
                        {op}, size, 0.0, 0.0, buffer(f32, a), buffer(f32, b), buffer(f32, out, True)
                    ):
                        return
                elif dtype is FLOAT64:
                    if not mt_binary_f64(
                        {op}, size, 0.0, 0.0, buffer(f64, a), buffer(f64, b), buffer(f64, out, True)
                    ):
                        return
            else:
                if b.ndim == 0:
                    op, x, number = {right}, a, b.item()
                    number = {number}
                else:
                    op, x, number = {left}, b, a.item()
                if x.size == size:
                    if dtype is FLOAT32:
                        if not mt_unary_f32(
                            op, size, number, 0.0, buffer(f32, x), buffer(f32, out, True)
                        ):
                            return
                    elif dtype is FLOAT64:
                        if not mt_unary_f64(
                            op, size, number, 0.0, buffer(f64, x), buffer(f64, out, True)
                        ):
                            return
        except ValueError:
            pass
    otherwise({name}, twin_{name}, a, b, out)
"""

# For each operation the row with the number on its right, and on its left; a - p is a + (-p).
_WITH_NUMBER = {
    "add": ("add_number", "add_number", "number"),
    "sub": ("add_number", "number_sub", "-number"),
    "mul": ("mul_number", "mul_number", "number"),
    "div": ("div_number", "number_div", "number"),
}

_ROWS = """
def {name}(x, out):
    dtype = x.dtype
    shape = x.shape
    if out.dtype is dtype and len(shape) == 2 and out.shape == shape:
        try:
            if dtype is FLOAT32:
                if not mt_rows_f32({op}, *shape, buffer(f32, x), buffer(f32, out, True)):
                    return
            elif dtype is FLOAT64:
                if not mt_rows_f64({op}, *shape, buffer(f64, x), buffer(f64, out, True)):
                    return
        except ValueError:
            pass
    otherwise({name}, twin_{name}, x, out)
"""

_ROWS_BACKWARD = """
def {name}(g, y, out):
    dtype = g.dtype
    shape = g.shape
    if out.dtype is dtype is y.dtype and len(shape) == 2 and out.shape == shape == y.shape:
        try:
            if dtype is FLOAT32:
                if not mt_rows_backward_f32(
                    {op}, *shape, buffer(f32, g), buffer(f32, y), buffer(f32, out, True)
                ):
                    return
            elif dtype is FLOAT64:
                if not mt_rows_backward_f64(
                    {op}, *shape, buffer(f64, g), buffer(f64, y), buffer(f64, out, True)
                ):
                    return
        except ValueError:
            pass
    otherwise({name}, twin_{name}, g, y, out)
"""


def names(kind: str) -> list[str]:
    """Give the rows of one kind in the kernel table, in the order of their numbers."""
    found: list[str] = []
    while (name := lib.mt_kernel_name(kind.encode(), len(found))) != ffi.NULL:
        found.append(ffi.string(name).decode())
    return found


def _define() -> dict[str, Any]:
    """Give one function per row of the kernel table."""
    scope: dict[str, Any] = {
        name: getattr(native_border, name)
        for name in ("FLOAT32", "FLOAT64", "f32", "f64", "buffer", "otherwise")
    }
    source = []
    kinds = (
        ("unary", _UNARY),
        ("binary", _BINARY),
        ("rows", _ROWS),
        ("rows_backward", _ROWS_BACKWARD),
    )
    made = []
    for kind, template in kinds:
        for suffix in ("f32", "f64"):
            scope[f"mt_{kind}_{suffix}"] = getattr(lib, f"mt_{kind}_{suffix}")
        for op, name in enumerate(names(kind)):
            scope[f"twin_{name}"] = getattr(twin, name, None)
            if name in _WITH_NUMBER:
                right, left, number = _WITH_NUMBER[name]
                numbers = names("unary")
                source.append(
                    _ARITHMETIC.format(
                        name=name,
                        op=op,
                        right=numbers.index(right),
                        left=numbers.index(left),
                        number=number,
                    )
                )
                made.append(name)
                continue
            if "number" in name:
                continue
            parameters = PARAMETERS.get(name.removesuffix("_backward"), ())
            p, q = (*parameters, "0.0", "0.0")[:2]
            listed = "".join(f", {parameter}" for parameter in parameters)
            source.append(template.format(name=name, op=op, p=p, q=q, parameters=listed))
            made.append(name)
    exec(compile("".join(source), "<microtensor kernels>", "exec"), scope)
    for name in made:
        scope[name].__module__ = __name__
        scope[name].__doc__ = getattr(twin, name).__doc__
    return {name: scope[name] for name in made}


ROWS: dict[str, Any] = _define()
