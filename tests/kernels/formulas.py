"""The formulas of activations' records, read as Python over mpmath and evaluated to many digits.

``eˣ·√(x² + 1)`` becomes ``exp(x)*sqrt(x**2 + 1)``; definitions may follow: ``s·t, s = σ(x)``.
"""

from __future__ import annotations

import ast
import functools
import re
from typing import Any

import mpmath
from mpmath import mpf

from microtensor.ops.activations import ACTIVATIONS

# Conditions and cases as they are; the rest of a formula in the marks of mathematics.
_MARKS = {
    **{
        "ln(1 + ": "log1p(",
        "ln(1 - ": "log1p(-",
        "e⁻ˣ": "exp(-x)",
        "eˣ": "exp(x)",
        "e^(": "exp(",
        "·": "*",
        "√(": "sqrt(",
    },
    **{"²": "**2", "³": "**3", "^": "**"},
}
# To one more digit than what can be told apart in float64, and at most to what rounds to 0 there.
_FIRST_BITS, _LAST_BITS, _AGREEMENT = 160, 5120, mpf(2) ** -90


def _exp(x: Any) -> Any:
    if abs(x) > mpf(10) ** 400:  # whose power has more digits than memory has room
        return mpf(0) if x < 0 else mpf("inf")
    return mpmath.exp(x)


def _normal(x: Any) -> Any:
    return mpmath.ncdf(max(min(x, mpf(1000)), mpf(-1000)))


WORDS = {
    **{
        "exp": _exp,
        "ln": mpmath.log,
        "log1p": mpmath.log1p,
        "sqrt": mpmath.sqrt,
        "erf": mpmath.erf,
    },
    **{"sin": mpmath.sin, "cos": mpmath.cos, "arctan": mpmath.atan, "sign": mpmath.sign},
    **{"tanh": lambda x: mpmath.tanh(max(min(x, mpf(10) ** 4), mpf(-(10**4))))},
    **{"min": min, "max": max, "abs": abs, "Φ": _normal, "φ": mpmath.npdf},
    "σ": lambda x: 1 / (1 + _exp(-x)),
}


@functools.cache
def read(formula: str) -> tuple[ast.expr, tuple[tuple[str, Any], ...]]:
    """Give a formula's expression, and the definitions that follow it, compiled."""
    for mark, meaning in _MARKS.items():
        formula = formula.replace(mark, meaning)
    body, *definitions = re.split(r", (?=\w+ = )", formula)
    pairs = [definition.split(" = ", 1) for definition in definitions]
    parsed = ast.parse(re.sub(r"(\d+\.\d+)", r"mpf('\1')", body), mode="eval").body
    return parsed, tuple(
        (name, compile(re.sub(r"(\d+\.\d+)", r"mpf('\1')", text), name, "eval"))
        for name, text in reversed(pairs)
    )


@functools.cache
def _compiled(node: ast.expr) -> Any:
    return compile(ast.fix_missing_locations(ast.Expression(node)), "<formula>", "eval")


def _terms(node: ast.expr, names: dict[str, Any]) -> list[Any]:
    """Give the values of what a formula adds up, of the case that holds."""
    if isinstance(node, ast.IfExp):
        holds = eval(_compiled(node.test), names)
        return _terms(node.body if holds else node.orelse, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        sign = 1 if isinstance(node.op, ast.Add) else -1
        return _terms(node.left, names) + [sign * t for t in _terms(node.right, names)]
    return [mpf(eval(_compiled(node), names))]


def terms(formula: str, **values: Any) -> list[Any]:
    """Evaluate the terms of a formula to at least 24 digits of their sum; one term if it is no sum.

    The number of bits grows until two evaluations agree; what is 0 to the last is 0 in float64 too.
    """
    node, definitions = read(formula)
    bits, found, before = _FIRST_BITS, [], None
    while bits <= _LAST_BITS:
        with mpmath.workprec(bits):
            names = {"mpf": mpf, "π": +mpmath.pi, **WORDS, **values}
            for name, code in definitions:
                names[name] = eval(code, names)
            found = _terms(node, names)
            total = mpmath.fsum(found)
        if total != total or mpmath.isinf(total):
            return found
        if before is not None and total and abs(total - before) <= abs(total) * _AGREEMENT:
            return found
        before, bits = total, bits * 2
    return found


def parameter_values(name: str) -> tuple[float, ...]:
    """Give the parameters' defaults, and numbers of ours for what has none."""
    ours = {"threshold": (0.1, 20.0), "snake": (1.0,), "sinc": (), "star_relu": (0.8944, -0.4472)}
    ours |= {"soft_exponential": (0.7,), "prelu": (0.25,), "srelu": (-1.0, 0.1, 1.0, 0.2)}
    if name in ours:
        return ours[name]
    return tuple(float(p.default) for p in ACTIVATIONS[name].parameters)


def of_one(name: str) -> bool:
    """Say whether an activation is one kernel's, of one tensor, element by element."""
    record = ACTIVATIONS[name]
    return bool(record.kernel) and "Σ" not in record.formula


ELEMENTWISE = [name for name in ACTIVATIONS if of_one(name)]
"""The activations that are one kernel's, element by element."""
