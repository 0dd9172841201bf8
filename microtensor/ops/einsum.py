"""Einstein summation: products of tensors over named dimensions.

Whatever is summed over two tensors runs as a (batched) matrix product.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import prod
from typing import Any

from microtensor.ops.contraction import Label, Part, contract, moved
from microtensor.ops.declare import publish, refuse
from microtensor.ops.shape import reshape
from microtensor.tensor import Tensor

Term = tuple[str, ...]
Terms = tuple[Term, ...]
_LETTERS = string.ascii_uppercase + string.ascii_lowercase


@publish("equation: Any, *operands: Any")
def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sum products of tensors over dimensions that are named by letters.

    Several tensors are contracted two at a time, those first whose product is smallest beside them.

    Args:
        equation: the letters of each operand's dimensions, with commas between, and those of the
            result behind ``->``; without, it has the letters that appear once, in alphabetical
            order. A letter twice in one operand takes its diagonal; ``...`` stands for the
            dimensions without letters, which broadcast.
        operands: as many tensors. Or instead of all this: each tensor followed by a list of numbers
            below 52 (or Ellipsis) for its dimensions, and perhaps such a list for the result.

    Raises:
        RuntimeError: an equation that makes no sense, or does not fit the operands.

    Example:
        >>> import microtensor as mt
        >>> mt.einsum("ij,jk->ik", mt.ones(2, 3), mt.ones(3, 1)).tolist()
        [[3.0], [3.0]]
        >>> mt.einsum("ii", mt.eye(3))
        tensor(3.)
    """
    if isinstance(equation, str):
        listed = len(operands) == 1 and isinstance(operands[0], list | tuple)
        given = operands[0] if listed else operands
        written: Any = equation
    else:
        given, written = _sublists((equation, *operands))
    for tensor in given:
        if not isinstance(tensor, Tensor):
            refuse("einsum", "operands", tensor)
    result = _plan(written, tuple(t._array.shape for t in given)).run(list(given))
    # Where nothing is to be done: a view, not the operand itself.
    return reshape(result, result._array.shape) if result is given[0] else result


# ---- reading the equation -----------------------------------------------------------------------


def _parse(equation: str) -> tuple[Terms, Term | None]:
    """Give the letters (and "...") of every operand, and of the result if it is stated."""
    left, arrow, right = equation.partition("->")
    terms = tuple(_letters(term, "input", equation) for term in left.split(","))
    return terms, _letters(right, "output", equation) if arrow else None


def _letters(term: str, side: str, equation: str) -> Term:
    found = []
    rest = term.replace(" ", "")
    while rest:
        if rest.startswith("..."):
            if "..." in found:
                raise RuntimeError(f"einsum(): found '.' for {side} where an ellipsis was already")
            found.append("...")
            rest = rest[3:]
            continue
        if rest[0] == ".":
            raise RuntimeError(
                f"einsum(): found '.' for {side} that is not part of any ellipsis (...)"
            )
        if rest[0] not in _LETTERS:
            raise RuntimeError(
                f"einsum(): invalid subscript {rest[0]!r} in {equation!r}, subscripts must be in "
                "[a-zA-Z]"
            )
        found.append(rest[0])
        rest = rest[1:]
    return tuple(found)


def _sublists(given: Sequence[Any]) -> tuple[list[Any], tuple[Terms, Term | None]]:
    """Read tensors that are each followed by a list of their dimensions' numbers."""
    if len(given) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list"
        )
    output = _numbered(given[-1]) if len(given) % 2 else None
    count = len(given) // 2 * 2
    return list(given[:count:2]), (tuple(_numbered(each) for each in given[1:count:2]), output)


def _numbered(numbers: Any) -> Term:
    if not isinstance(numbers, list | tuple):
        raise TypeError(
            f"einsum(): subscripts must be a list of numbers, not {type(numbers).__name__}"
        )
    found = []
    for number in numbers:
        if number is Ellipsis:
            found.append("...")
        elif isinstance(number, int) and 0 <= number < len(_LETTERS):
            found.append(_LETTERS[number])
        else:
            raise ValueError(
                f"einsum(): subscript {number!r} in subscript list is not within the valid range "
                "[0, 52)"
            )
    return tuple(found)


def _labels(term: Term, ndim: int, place: int) -> list[Label]:
    """Name each dimension of an operand."""
    named = len(term) - ("..." in term)
    if named > ndim or ("..." not in term and named < ndim):
        ellipsis = "" if "..." in term else " and no ellipsis was given"
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({named}) does not match the "
            f"number of dimensions ({ndim}) for operand {place}{ellipsis}"
        )
    labels: list[Label] = []
    for letter in term:
        labels += range(ndim - named, 0, -1) if letter == "..." else [letter]
    return labels


def _output(stated: Term | None, parts: list[Part]) -> list[Label]:
    """Give the labels of the result."""
    counts = Counter(label for part in parts for label in part.labels)
    dots: list[Label] = sorted((n for n in counts if isinstance(n, int)), reverse=True)
    if stated is None:
        return dots + sorted(n for n, count in counts.items() if isinstance(n, str) and count == 1)
    wanted: list[Label] = []
    for letter in stated:
        if letter == "...":
            wanted += dots
        elif letter in wanted:
            raise RuntimeError(
                f"einsum(): output subscript {letter} appears more than once in the output"
            )
        elif letter not in counts:
            raise RuntimeError(
                f"einsum(): output subscript {letter} does not appear in the equation for any "
                "input operand"
            )
        else:
            wanted.append(letter)
    return wanted


def _check_sizes(parts: list[Part]) -> None:
    sizes: dict[Label, int] = {}
    for place, part in enumerate(parts):
        for label, size in zip(part.labels, part.shape, strict=True):
            seen = sizes.setdefault(label, size)
            if size != seen and size != 1 and seen != 1:
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {size} for operand {place} which does "
                    f"not broadcast with previously seen size {seen}"
                )
            sizes[label] = size if seen == 1 else seen


# ---- planning: what to do depends on shapes alone, and is remembered ----------------------------


class Plan:
    """Pairs to multiply, by place, and what is done before and after."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, Part, Part, Any]] = []
        self.last = Part([], ())

    def run(self, tensors: list[Tensor]) -> Tensor:
        """Follow the plan."""
        for i, j, first, second, multiply in self.steps:
            b = moved(tensors.pop(j), second)
            a = moved(tensors.pop(i), first)
            tensors.insert(0, multiply(a, b))
        return moved(tensors[0], self.last)


@lru_cache(maxsize=512)
def _plan(written: Any, shapes: tuple[tuple[int, ...], ...]) -> Plan:
    terms, stated = _parse(written) if isinstance(written, str) else written
    if len(shapes) != len(terms):
        problem = "fewer" if len(shapes) < len(terms) else "more"
        raise RuntimeError(
            f"einsum(): {problem} operands were provided than specified in the equation: "
            f"{len(shapes)} for {len(terms)}"
        )
    parts = [
        Part(_labels(term, len(shape), place), shape)
        for place, (term, shape) in enumerate(zip(terms, shapes, strict=True))
    ]
    wanted = _output(stated, parts)
    for part in parts:
        part.take_diagonals()
    _check_sizes(parts)
    plan = Plan()
    while len(parts) > 1:
        i, j = _cheapest(parts, wanted)
        second, first = parts.pop(j), parts.pop(i)
        needed = {*wanted, *(label for part in parts for label in part.labels)}
        multiply, product = contract(first, second, needed)
        plan.steps.append((i, j, first, second, multiply))
        parts.insert(0, product)
    plan.last = parts[0]
    plan.last.sum_but(set(wanted))
    plan.last.order(wanted)
    return plan


def _cheapest(parts: list[Part], wanted: list[Label]) -> tuple[int, int]:
    """Choose the two operands whose product is smallest, beside what it replaces."""
    if len(parts) == 2:
        return 0, 1
    sizes: dict[Label, int] = {}
    for part in parts:
        for label, size in zip(part.labels, part.shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))

    def cost(pair: tuple[int, int]) -> int:
        others = (part.labels for i, part in enumerate(parts) if i not in pair)
        needed = {*wanted, *(label for labels in others for label in labels)}
        both = {*parts[pair[0]].labels, *parts[pair[1]].labels}
        return prod(sizes[label] for label in both & needed) - (
            prod(parts[pair[0]].shape) + prod(parts[pair[1]].shape)
        )

    return min(combinations(range(len(parts)), 2), key=cost)
