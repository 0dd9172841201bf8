"""Einstein summation and tensordot: products of tensors over named dimensions.

Whatever is summed over two tensors runs as a (batched) matrix product.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from math import prod
from typing import Any

import numpy as np

from microtensor.ops.arithmetic import mul
from microtensor.ops.declare import publish, refuse
from microtensor.ops.linear import matrix_product
from microtensor.ops.matrices import diagonal, same_dtype, tensors
from microtensor.ops.reductions import sum
from microtensor.ops.shape import permute, reshape, squeeze
from microtensor.tensor import Tensor, checked_dim

# A label is a letter, or for the dimensions of an ellipsis their place from the right.
Label = str | int
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
        terms, output = _parse(equation)
    else:
        given, terms, output = _sublists((equation, *operands))
    for tensor in given:
        if not isinstance(tensor, Tensor):
            refuse("einsum", "operands", tensor)
    if len(given) != len(terms):
        problem = "fewer" if len(given) < len(terms) else "more"
        raise RuntimeError(
            f"einsum(): {problem} operands were provided than specified in the equation: "
            f"{len(given)} for {len(terms)}"
        )
    parts = [_labelled(t, term, i) for i, (t, term) in enumerate(zip(given, terms, strict=True))]
    wanted = _output(output, parts)
    parts = [_diagonals(*part) for part in parts]
    _check_sizes(parts)
    while len(parts) > 1:
        i, j = _cheapest(parts, wanted)
        second, first = parts.pop(j), parts.pop(i)
        needed = {*wanted, *(label for _, labels in parts for label in labels)}
        parts.insert(0, _contract(first, second, needed))
    tensor, labels = _summed(*parts[0], set(wanted))
    return permute(tensor, [labels.index(label) for label in wanted])


# ---- reading the equation -----------------------------------------------------------------------


def _parse(equation: str) -> tuple[list[list[str]], list[str] | None]:
    """Give the letters (and "...") of every operand, and of the result if it is stated."""
    left, arrow, right = equation.partition("->")
    terms = [_letters(term, "input", equation) for term in left.split(",")]
    return terms, _letters(right, "output", equation) if arrow else None


def _letters(term: str, side: str, equation: str) -> list[str]:
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
    return found


def _sublists(given: Sequence[Any]) -> tuple[list[Any], list[list[str]], list[str] | None]:
    """Read tensors that are each followed by a list of their dimensions' numbers."""
    if len(given) < 2:
        raise ValueError("einsum(): must specify the equation string and at least one operand, or "
                         "at least one operand and its subscripts list")  # fmt: skip
    output = _numbered(given[-1]) if len(given) % 2 else None
    count = len(given) // 2 * 2
    return list(given[:count:2]), [_numbered(each) for each in given[1:count:2]], output


def _numbered(numbers: Any) -> list[str]:
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
    return found


def _labelled(tensor: Tensor, term: list[str], place: int) -> tuple[Tensor, list[Label]]:
    """Name each dimension of an operand."""
    ndim, named = tensor._array.ndim, len(term) - ("..." in term)
    if named > ndim or ("..." not in term and named < ndim):
        ellipsis = "" if "..." in term else " and no ellipsis was given"
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({named}) does not match the "
            f"number of dimensions ({ndim}) for operand {place}{ellipsis}"
        )
    labels: list[Label] = []
    for letter in term:
        labels += range(ndim - named, 0, -1) if letter == "..." else [letter]
    return tensor, labels


def _output(stated: list[str] | None, parts: list[tuple[Tensor, list[Label]]]) -> list[Label]:
    """Give the labels of the result."""
    counts = Counter(label for _, labels in parts for label in labels)
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


def _check_sizes(parts: list[tuple[Tensor, list[Label]]]) -> None:
    sizes: dict[Label, int] = {}
    for place, (tensor, labels) in enumerate(parts):
        for label, size in zip(labels, tensor._array.shape, strict=True):
            seen = sizes.setdefault(label, size)
            if size != seen and size != 1 and seen != 1:
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {size} for operand {place} which does "
                    f"not broadcast with previously seen size {seen}"
                )
            sizes[label] = size if seen == 1 else seen


# ---- computing ----------------------------------------------------------------------------------


def _diagonals(tensor: Tensor, labels: list[Label]) -> tuple[Tensor, list[Label]]:
    """Take the diagonal of every label that appears twice."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            sizes = tensor._array.shape
            if sizes[first] != sizes[second]:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for an operand but the sizes don't "
                    f"match, {sizes[second]} != {sizes[first]}"
                )
            tensor = diagonal(tensor, 0, first, second)
            labels = [*(n for i, n in enumerate(labels) if i not in (first, second)), label]
    return tensor, labels


def _summed(tensor: Tensor, labels: list[Label], needed: set[Label]) -> tuple[Tensor, list[Label]]:
    """Sum over what nobody else needs."""
    dims = tuple(i for i, label in enumerate(labels) if label not in needed)
    if not dims:
        return tensor, labels
    return sum(tensor, dims), [label for label in labels if label in needed]


def _cheapest(parts: list[tuple[Tensor, list[Label]]], wanted: list[Label]) -> tuple[int, int]:
    """Choose the two operands whose product is smallest, beside what it replaces."""
    if len(parts) == 2:
        return 0, 1
    sizes: dict[Label, int] = {}
    for tensor, labels in parts:
        for label, size in zip(labels, tensor._array.shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))

    def cost(pair: tuple[int, int]) -> int:
        others = (labels for i, (_, labels) in enumerate(parts) if i not in pair)
        needed = {*wanted, *(label for labels in others for label in labels)}
        both = {*parts[pair[0]][1], *parts[pair[1]][1]}
        return prod(sizes[label] for label in both & needed) - int(
            parts[pair[0]][0].numel() + parts[pair[1]][0].numel()
        )

    return min(combinations(range(len(parts)), 2), key=cost)


def _without_ones(
    tensor: Tensor, labels: list[Label], other: Tensor, other_labels: list[Label]
) -> tuple[Tensor, list[Label]]:
    """Drop dimensions of length 1 that the other operand has longer."""
    dims = tuple(
        i
        for i, label in enumerate(labels)
        if tensor._array.shape[i] == 1
        and label in other_labels
        and other._array.shape[other_labels.index(label)] != 1
    )
    if not dims:
        return tensor, labels
    return squeeze(tensor, dims), [label for i, label in enumerate(labels) if i not in dims]


def _contract(
    first: tuple[Tensor, list[Label]], second: tuple[Tensor, list[Label]], needed: set[Label]
) -> tuple[Tensor, list[Label]]:
    """Multiply two operands and sum over their common labels that nobody else needs."""
    (a, labels_a), (b, labels_b) = (
        _without_ones(*first, *second),
        _without_ones(*second, *first),
    )
    a, labels_a = _summed(a, labels_a, needed | set(labels_b))
    b, labels_b = _summed(b, labels_b, needed | set(labels_a))
    batch = [label for label in labels_a if label in labels_b and label in needed]
    inner = [label for label in labels_a if label in labels_b and label not in needed]
    rows = [label for label in labels_a if label not in labels_b]
    columns = [label for label in labels_b if label not in labels_a]

    a = permute(a, [labels_a.index(label) for label in batch + rows + inner])
    b = permute(b, [labels_b.index(label) for label in batch + inner + columns])
    size_a, size_b = a._array.shape, b._array.shape
    lead = size_a[: len(batch)]
    of_rows = size_a[len(batch) : len(batch) + len(rows)]
    of_columns = size_b[len(batch) + len(inner) :]
    if inner:
        k = prod(size_a[len(batch) + len(rows) :])
        count = (prod(lead),) if batch else ()
        product = matrix_product(
            reshape(a, (*count, prod(of_rows), k)), reshape(b, (*count, k, prod(of_columns)))
        )
        product = reshape(product, (*lead, *of_rows, *of_columns))
    else:
        product = mul(
            reshape(a, (*lead, *of_rows, *(1,) * len(columns))),
            reshape(b, (*lead, *(1,) * len(rows), *of_columns)),
        )
    return product, batch + rows + columns


@publish("a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] = 2")
def tensordot(a: Any, b: Any, dims: Any = 2) -> Tensor:
    """Sum products of two tensors over dimensions of both.

    Args:
        a: the left tensor.
        b: the right one, of the same dtype.
        dims: a number: the last dimensions of ``a`` and the first of ``b``; or two lists.

    Returns:
        A tensor with the other dimensions of ``a``, then those of ``b``.

    Raises:
        RuntimeError: dimensions that differ in number or length.

    Example:
        >>> import microtensor as mt
        >>> mt.tensordot(mt.ones(2, 3, 4), mt.ones(4, 3), dims=([1, 2], [1, 0]))
        tensor([12., 12.])
    """
    tensors("tensordot", a=a, b=b)
    ndim_a, ndim_b = a._array.ndim, b._array.ndim
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int | np.integer):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(ndim_a, ndim_b):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims = (range(ndim_a - dims, ndim_a), range(dims))
    chosen_a, chosen_b = dims
    if len(chosen_a) != len(chosen_b):
        raise RuntimeError("both dimension lists should have same length")
    same_dtype("tensordot", a._array, b._array, "a", "b")
    dims_a = [checked_dim(int(d), ndim_a) for d in chosen_a]
    dims_b = [checked_dim(int(d), ndim_b) for d in chosen_b]
    names: dict[int, int] = dict(zip(dims_b, dims_a, strict=True))
    if len(names) != len(dims_b) or len(set(dims_a)) != len(dims_a):
        raise RuntimeError(f"tensordot: a dimension appears twice in {dims_a} or {dims_b}")
    for d_a, d_b in zip(dims_a, dims_b, strict=True):
        m, n = a._array.shape[d_a], b._array.shape[d_b]
        if m != n and m != 1 and n != 1:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {m} in dim {d_a} and "
                f"second has size {n} in dim {d_b}"
            )
    labels_a: list[Label] = list(range(ndim_a))
    labels_b: list[Label] = [names.get(d, ndim_a + d) for d in range(ndim_b)]
    kept: list[Label] = [d for d in range(ndim_a) if d not in dims_a]
    kept += [ndim_a + d for d in range(ndim_b) if d not in dims_b]
    product, labels = _contract((a, labels_a), (b, labels_b), set(kept))
    return permute(product, [labels.index(label) for label in kept])
