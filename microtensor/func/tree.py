"""Nested containers as a flat list of what they hold, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any


def leaves_of(tree: Any) -> list[Any]:
    """Give what nested tuples, lists and dictionaries hold, in order; anything else is a leaf."""
    if isinstance(tree, dict):
        return [leaf for each in tree.values() for leaf in leaves_of(each)]
    if isinstance(tree, tuple | list):
        return [leaf for each in tree for leaf in leaves_of(each)]
    return [] if tree is None else [tree]


def rebuilt(tree: Any, leaves: Iterable[Any]) -> Any:
    """Give a tree of the same form with other leaves."""
    return _rebuilt(tree, iter(leaves))


def _rebuilt(tree: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(tree, dict):
        pairs = [(key, _rebuilt(each, leaves)) for key, each in tree.items()]
        return type(tree)(pairs)
    if isinstance(tree, tuple | list):
        parts = [_rebuilt(each, leaves) for each in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return None if tree is None else next(leaves)


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Give a tree of the same form with a function applied to each leaf."""
    return rebuilt(tree, [function(leaf) for leaf in leaves_of(tree)])


def form_of(tree: Any) -> Any:
    """Give a tree's form: two trees can be combined leaf by leaf if theirs are equal."""
    if isinstance(tree, dict):
        return (dict, [(key, form_of(each)) for key, each in tree.items()])
    if isinstance(tree, tuple | list):
        return (type(tree), [form_of(each) for each in tree])
    return None if tree is None else "*"
