"""Choosing elements along a dimension by computed indices: what extremes and orders are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels, return_types
from microtensor.ops import samples
from microtensor.ops.arrays import Array, empty, kept_shape
from microtensor.ops.declare import declare
from microtensor.ops.shape import reshape
from microtensor.tensor import checked_dim

_INT64 = np.dtype(np.int64)
_RESULTS = ("values", "indices")


def one_dim(op: str, dim: Any) -> None:
    """Refuse what is not one dimension."""
    if not isinstance(dim, int | np.integer) or isinstance(dim, bool):
        several = isinstance(dim, tuple | list) and op in ("max", "min", "argmax", "argmin")
        hint = "; amax() and amin() take several" if several else ""
        raise TypeError(f"{op}(): dim must be one integer, not {dim!r}{hint}")


def refuse_empty(op: str, shape: tuple[int, ...], dims: Any) -> None:
    """Raise where nothing is to be chosen from: RuntimeError in all, IndexError along dims."""
    if 0 not in shape:
        return
    if dims is None:
        raise RuntimeError(
            f"{op}(): expected reduction dim to be specified for an empty tensor; the shape is "
            f"{list(shape)}"
        )
    for d in dims:
        if shape[d] == 0:
            raise IndexError(
                f"{op}(): expected reduction dim {d} to have non-zero size; the shape is "
                f"{list(shape)}"
            )


def _pick_forward(x: Array, index: Array, dim: int) -> Array:
    out = empty(index.shape, x.dtype)
    if x.ndim:
        kernels.gather_along(x, index, checked_dim(dim, x.ndim), out)
    else:
        kernels.cast(x, out)
    return out


def _place_forward(x: Array, index: Array, dim: int, shape: tuple[int, ...]) -> Array:
    out = np.zeros(shape, x.dtype)
    if x.ndim:
        kernels.scatter_along(x, index, checked_dim(dim, x.ndim), out)
    else:
        kernels.cast(x, out)
    return out


def _collect_forward(x: Array, index: Array, dim: int, shape: tuple[int, ...]) -> Array:
    out = np.zeros(shape, x.dtype)
    if x.ndim:
        kernels.scatter_reduce_along(x, index, checked_dim(dim, x.ndim), "sum", out)
    else:
        kernels.cast(x, out)
    return out


pick: Any = declare(
    "pick",
    "input: Tensor, index: Tensor, dim: int",
    _pick_forward,
    rules={"input": lambda g, input_shape, index, dim: place(g, index, dim, input_shape)},
    summary="Take one element along a dimension, by an index that names each place once.",
    integral=True,
    namespaces=(),
)

place: Any = declare(
    "place",
    "input: Tensor, index: Tensor, dim: int, shape: Sequence[int]",
    _place_forward,
    rules={"input": lambda g, index, dim: pick(g, index, dim)},
    summary="Put elements into zeros along a dimension: the adjoint of pick.",
    namespaces=(),
)

pick_several: Any = declare(
    "pick_several",
    "input: Tensor, index: Tensor, dim: int",
    _pick_forward,
    rules={"input": lambda g, input_shape, index, dim: collect(g, index, dim, input_shape)},
    summary="Take elements along a dimension, by an index that may name a place several times.",
    integral=True,
    namespaces=(),
)

collect: Any = declare(
    "collect",
    "input: Tensor, index: Tensor, dim: int, shape: Sequence[int]",
    _collect_forward,
    rules={"input": lambda g, index, dim: pick_several(g, index, dim)},
    summary="Add elements into zeros along a dimension: the adjoint of pick_several.",
    namespaces=(),
)


# ---- ops that give (values, indices) ------------------------------------------------------------


def choice(name: str, kernel: Callable[..., None], summary: str, arguments: str = "") -> Any:
    """Declare an op that chooses one element along a dimension.

    ``kernel(x, *arguments, axis, index)`` writes its index, with the dimension kept.
    """

    def forward(x: Array, *given: Any) -> tuple[Array, Array]:
        *more, dim, keepdim = given
        one_dim(name, dim)
        dim = checked_dim(int(dim), x.ndim)
        refuse_empty(name, x.shape, (dim,) if x.ndim else ())
        index = np.zeros(kept_shape(x.shape, (dim,)), _INT64)
        if x.ndim and x.size:
            kernel(x, *more, dim, index)
        values = _pick_forward(x, index, dim)
        if keepdim or not x.ndim:
            return values, index
        shape = x.shape[:dim] + x.shape[dim + 1 :]
        return values.reshape(shape), index.reshape(shape)

    def rule(
        g_values: Any, g_indices: Any, indices: Any, input_shape: tuple[int, ...], dim: int
    ) -> Any:
        del g_indices  # integers have none
        kept = kept_shape(input_shape, (checked_dim(dim, len(input_shape)),))
        return place(reshape(g_values, kept), reshape(indices, kept), dim, input_shape)

    given = {"k": 2} if arguments else {}
    return declare(
        name,
        f"input: Tensor, {arguments}dim: int, keepdim: bool",
        forward,
        rules={"input": rule},
        outputs=_RESULTS,
        returns=getattr(return_types, name),
        summary=summary,
        integral=True,
        namespaces=(),
        samples=samples.given(
            (((3, 4),), {**given, "dim": 1, "keepdim": False}),
            (((2, 3, 2),), {**given, "dim": -2, "keepdim": True}),
            (((5,),), {**given, "dim": 0, "keepdim": False}),
        ),
    )


def arrangement(
    name: str,
    arguments: str,
    places: Callable[..., Array],
    summary: str,
    once: bool = True,
    **given: Any,
) -> Any:
    """Declare an op that gives elements at several places along a dimension.

    ``places(x, *arguments)`` gives their indices; ``once``: whether it names each place once.
    ``given`` are arguments for the generic tests.
    """
    back = place if once else collect

    def forward(x: Array, *arguments: Any) -> tuple[Array, Array]:
        index = places(x, *arguments)
        return _pick_forward(x, index, arguments[dim_at]), index

    names = [each.split(":")[0].strip() for each in arguments.split(",")]
    dim_at = names.index("dim")
    return declare(
        name,
        f"input: Tensor, {arguments}",
        forward,
        rules={
            "input": lambda g_values, g_indices, indices, input_shape, dim: back(
                g_values, indices, dim, input_shape
            )
        },
        outputs=_RESULTS,
        returns=getattr(return_types, name),
        summary=summary,
        integral=True,
        namespaces=(),
        samples=samples.given(
            (((3, 4),), {**given, "dim": 1}),
            (((2, 3, 2),), {**given, "dim": -2}),
            (((5,),), {**given, "dim": 0}),
        ),
    )
