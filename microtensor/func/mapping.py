"""vmap: a function of one example as a function of many."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from microtensor import random
from microtensor.func.tree import form_of, leaves_of, rebuilt
from microtensor.ops.joining import stack
from microtensor.tensor import Tensor


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Map a function over a dimension of its arguments, and stack what it gives.

    It is a loop: as fast as ``func`` called for each example, where PyTorch's transforms the
    operations themselves. For speed, write ``func`` for whole batches.

    Args:
        func: takes tensors, or nested containers of them, and gives such.
        in_dims: for all arguments, or for each in a tuple (nested as they are), the dimension to
            map over; None passes an argument on as it is.
        out_dims: where the new dimension goes, for all results or for each in a tuple.
        randomness: whether each call may draw "different" random numbers, draws the "same", or
            must draw none from the default generator ("error").
        chunk_size: accepted for PyTorch's sake.

    Raises:
        RuntimeError: a random number is drawn, and none may be.
        ValueError: dimensions that do not exist or differ in length, or nothing to map over.

    Example:
        >>> import microtensor as mt
        >>> rows = mt.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> mt.vmap(mt.matmul, in_dims=(0, None))(rows, mt.tensor([1.0, 10.0]))
        tensor([21., 43.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"vmap: randomness must be 'error', 'different' or 'same', got {randomness!r}"
        )

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not isinstance(in_dims, int | tuple | list) or isinstance(in_dims, bool):
            raise ValueError(
                "vmap: expected in_dims to be an int or a (nested) tuple like the inputs, got "
                f"{type(in_dims)}"
            )
        leaves = leaves_of(args)
        dims = _spread(tuple(in_dims) if isinstance(in_dims, list) else in_dims, args, "in_dims")
        count = _length(leaves, dims)
        if count == 0:
            raise ValueError("vmap: cannot map over a dimension of length 0")
        results = []
        state = random.get_rng_state()
        for place in range(count):
            if randomness == "same":
                random.set_rng_state(state)
            taken = [
                leaf if dim is None else _taken(leaf, dim, place)
                for leaf, dim in zip(leaves, dims, strict=True)
            ]
            results.append(func(*rebuilt(args, taken), **kwargs))
            if randomness == "error" and (random.get_rng_state() != state).any():
                raise RuntimeError(
                    "vmap: a random operation was called while randomness is 'error': use 'same' "
                    "or 'different', or draw outside of vmap"
                )
        return _stacked(results, out_dims)

    return wrapper


def _taken(tensor: Tensor, dim: int, place: int) -> Any:
    return tensor[(slice(None),) * (dim % tensor.ndim) + (place,)]


def _spread(dims: Any, tree: Any, name: str) -> list[int | None]:
    """Give one entry for each leaf of a tree: a number or None stands for all below it."""
    if dims is None or isinstance(dims, int):
        return [dims] * len(leaves_of(tree))
    if isinstance(dims, dict) and isinstance(tree, dict) and dims.keys() == tree.keys():
        return [d for key, each in tree.items() for d in _spread(dims[key], each, name)]
    both = isinstance(dims, tuple | list) and isinstance(tree, tuple | list)
    if both and len(dims) == len(tree):
        pairs = zip(dims, tree, strict=True)
        return [d for dim, each in pairs for d in _spread(dim, each, name)]
    raise ValueError(f"vmap: {name} is not compatible with the structure of what it is for")


def _length(leaves: list[Any], dims: list[int | None]) -> int:
    lengths = []
    for leaf, dim in zip(leaves, dims, strict=True):
        if dim is None:
            continue
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"vmap: got in_dim={dim} for an input of type {type(leaf)}; only tensors are "
                "mapped over: use None as its in_dim"
            )
        if not -leaf.ndim <= dim < leaf.ndim:
            raise ValueError(
                f"vmap: got in_dim={dim} for an input of {leaf.ndim} dimensions, expected "
                f"{-leaf.ndim} <= in_dim < {leaf.ndim}"
            )
        lengths.append(leaf.shape[dim])
    if not lengths:
        raise ValueError("vmap: no input is mapped over: give at least one a dimension")
    if len(set(lengths)) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{lengths} for the mapped dimension"
        )
    return lengths[0]


def _stacked(results: list[Any], out_dims: Any) -> Any:
    first = results[0]
    columns = [leaves_of(each) for each in results]
    if any(form_of(each) != form_of(first) for each in results):
        raise ValueError("vmap: the function must give results of one structure")
    dims = _spread(out_dims, first, "out_dims")
    outputs = []
    for place, dim in enumerate(dims):
        column = [each[place] for each in columns]
        if dim is None:
            outputs.append(column[0])
            continue
        if not all(isinstance(each, Tensor) for each in column):
            raise ValueError(
                f"vmap: the function must only return Tensors, got type {type(column[0])}"
            )
        outputs.append(stack(column, dim))
    return rebuilt(first, outputs)
