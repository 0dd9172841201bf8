"""What the ops of linear algebra share: errors, checks, and parts of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.engine import recording
from microtensor.ops import samples
from microtensor.ops.arithmetic import add
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.views import diagonal, place_diagonal
from microtensor.tensor import Tensor


class LinAlgError(RuntimeError):
    """A matrix that the operation has no result for: a singular one, say."""


LinAlgError.__module__ = "microtensor.linalg"


def offer(signature: str, name: str) -> Callable[[Any], Any]:
    """Publish a function in ``linalg``."""
    return publish(signature, ("linalg",), name=name)


def matrices(op: str, x: Array, name: str = "A", low: bool = False) -> None:
    """Refuse what is no batch of floating-point matrices that LAPACK takes.

    Raises:
        RuntimeError: fewer than two dimensions, integers, or float16 (unless ``low``).
    """
    if x.ndim < 2:
        raise RuntimeError(
            f"{op}: The input tensor {name} must have at least 2 dimensions, but its shape is "
            f"{list(x.shape)}"
        )
    floating(op, x, low)


def floating(op: str, x: Array, low: bool = False) -> None:
    """Refuse dtypes without LAPACK routines: integers, and float16 unless ``low``."""
    if x.dtype.kind != "f":
        raise RuntimeError(
            f"{op}: Expected a floating point tensor as input. Got {x.dtype.name}; convert it "
            "with .float()"
        )
    if not low and x.dtype.itemsize == 2:
        raise RuntimeError(
            f"{op}: Low precision dtypes not supported. Got {x.dtype.name}; convert it with "
            ".float()"
        )


def square(op: str, x: Array, name: str = "A", low: bool = False) -> None:
    """Refuse what is no batch of square matrices.

    Raises:
        RuntimeError: as :func:`matrices`, or rows and columns differ in number.
    """
    matrices(op, x, name, low)
    if x.shape[-1] != x.shape[-2]:
        raise RuntimeError(
            f"{op}: {name} must be batches of square matrices, but they are {x.shape[-2]} by "
            f"{x.shape[-1]} matrices"
        )


def same_dtype(op: str, a: Array, b: Array, first: str = "A", second: str = "B") -> None:
    """Refuse two dtypes."""
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"{op}: Expected {first} and {second} to have the same dtype, but found {first} of "
            f"type {a.dtype.name} and {second} of type {b.dtype.name} instead"
        )


def tensors(op: str, **given: Any) -> None:
    """Refuse what is no tensor.

    Raises:
        TypeError: names the op, the argument and the class given.
    """
    for name, value in given.items():
        if not isinstance(value, Tensor):
            refuse(op, name, value)


def run(op: str, problem: str, kernel: Any, a: Array, *rest: Any) -> None:
    """Call a kernel of matrices; say in which matrix of a batch LAPACK failed, and why."""
    try:
        kernel(a, *rest)
    except np.linalg.LinAlgError:
        place = _first_failing(kernel, a, rest) if a.ndim > 2 else None
        where = "" if place is None else f"(Batch element {place}): "
        raise LinAlgError(f"{op}: {where}{problem}") from None


def _first_failing(kernel: Any, a: Array, rest: tuple[Any, ...]) -> int | None:
    """Give the place of the first matrix of a batch that a kernel fails for, if it can be told."""
    matrices = a.reshape(-1, *a.shape[-2:])
    infinite = ~np.isfinite(matrices).all((-1, -2))
    if infinite.any():
        return int(infinite.argmax())
    if len(rest) > 2:  # an iteration that has not converged, for finite numbers
        return None
    # What else is given, a right-hand side, broadcasts over the batch: any one will do.
    given = [value[(0,) * (value.ndim - 2)] for value in rest]
    for place, matrix in enumerate(matrices):
        try:
            kernel(matrix, *given[:-1], np.empty_like(given[-1]))
        except np.linalg.LinAlgError:
            return place
    return None


_UNCONVERGED = "The algorithm failed to converge because the input matrix {}."


def no_convergence(A: Array) -> str:
    """Say why an iteration for a matrix did not end."""
    finite = bool(np.isfinite(A).all())
    return _UNCONVERGED.format("is ill-conditioned" if finite else "contained non-finite values")


def wants_gradient(x: Tensor) -> bool:
    """Say whether what is computed from a tensor is recorded."""
    return recording.enabled and x.requires_grad


# ---- for the rules ------------------------------------------------------------------------------


def joined(*parts: Any) -> Any:
    """Sum what there is: parts may be None."""
    total = None
    for part in parts:
        if part is not None:
            total = part if total is None else add(total, part)
    return total


def _symmetric_part_forward(x: Array) -> Array:
    out = empty(x.shape, x.dtype)
    kernels.symmetric_part(x, out)
    return out


symmetric_part: Any = declare(
    "symmetric_part",
    "input: Tensor",
    _symmetric_part_forward,
    rules={"input": lambda g: symmetric_part(g)},
    summary="Give the mean of square matrices and their transposes.",
    namespaces=(),
    samples=samples.given((((3, 3),), {}), (((0, 2, 2),), {})),
)


def _fill_diagonal_forward(x: Array, value: float) -> Array:
    out = empty(x.shape, x.dtype)
    kernels.fill_diagonal(x, value, out)
    return out


with_diagonal: Any = declare(
    "with_diagonal",
    "input: Tensor, value: float",
    _fill_diagonal_forward,
    rules={"input": lambda g: with_diagonal(g, 0.0)},
    summary="Write one number on the diagonals of square matrices.",
    namespaces=(),
    samples=samples.given((((3, 3),), {"value": 1.0}), (((2, 2, 2),), {"value": 0.0})),
)


@offer("A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1", "diagonal")
def _linalg_diagonal(A: Any, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Take the diagonals of matrices: a view whose last dimension runs along them.

    Args:
        A: of at least two dimensions.
        offset: how far above the main diagonal; below it, if negative.
        dim1: the dimension of the rows.
        dim2: that of the columns.

    Raises:
        RuntimeError: both dimensions are the same.
    """
    tensors("linalg_diagonal", A=A)
    return diagonal(A, offset, dim1, dim2)


def main_diagonal(x: Any) -> Any:
    """Take the main diagonals of matrices."""
    return diagonal(x, 0, -2, -1)


def embedded(x: Any) -> Any:
    """Give matrices with the last dimension of ``x`` on their diagonals."""
    return place_diagonal(x, (*x.shape, x.shape[-1]), 0, -2, -1)
