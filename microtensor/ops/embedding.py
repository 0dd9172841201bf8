"""Embedding: rows of a table by their numbers, alone and in bags; and the bilinear form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops.arithmetic import div
from microtensor.ops.arrays import Array, computed, constant, contiguous, empty, known
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.gathering import check_tensors
from microtensor.ops.linear import linear
from microtensor.tensor import Leaf, Tensor, wrap

NO_PADDING = -1
_LONG = np.dtype(np.int64)


def _embedding_forward(
    weight: Array, index: Array, padding: int, by_frequency: bool, touch: Any
) -> Array:
    out = empty((*index.shape, weight.shape[1]), weight.dtype)
    kernels.embedding(contiguous(weight), contiguous(index), out)
    return out


def _embedding_backward_forward(
    g: Array, index: Array, padding: int, by_frequency: bool, shape: tuple[int, ...], touch: Any
) -> Array:
    out = empty(shape, g.dtype)
    kernels.embedding_backward(contiguous(g), contiguous(index), padding, out)
    if by_frequency:
        counts = np.bincount(index.reshape(-1), minlength=shape[0])
        np.divide(out, np.maximum(counts, 1).astype(out.dtype)[:, None], out)
    if touch is not None:
        touch(index.reshape(-1))
    return out


def _scaled_rows(g: Any, index: Any, padding: int, by_frequency: bool) -> Any:
    """Give the rows of g at index, as the gradient of embedding_backward has them."""
    rows = embedding(g, index, padding, False, None)
    factor = _row_factor(rows, index, padding, by_frequency)
    return div(rows, factor)


def _row_factor_forward(rows: Array, index: Array, padding: int, by_frequency: bool) -> Array:
    counts = np.ones(index.shape, rows.dtype)
    if by_frequency and index.size:
        counts = np.bincount(index.reshape(-1))[index].astype(rows.dtype)
    counts[index == padding] = np.inf
    return np.asarray(counts[..., None])


_row_factor: Any = declare(
    "embedding_row_factor",
    "rows: Tensor, index: Tensor, padding: int, by_frequency: bool",
    _row_factor_forward,
    summary="Give what each row of an embedding's gradient is divided by.",
    namespaces=(),
)

embedding_backward: Any = declare(
    "embedding_backward",
    "grad: Tensor, index: Tensor, padding: int, by_frequency: bool, shape: Any, touch: Any",
    _embedding_backward_forward,
    rules={
        "grad": lambda g, index, padding, by_frequency: _scaled_rows(
            g, index, padding, by_frequency
        )
    },
    summary="Add rows into a table of zeros at their numbers: the gradient of embedding.",
    namespaces=(),
)

embedding: Any = declare(
    "embedding",
    "weight: Tensor, index: Tensor, padding: int, by_frequency: bool, touch: Any",
    _embedding_forward,
    rules={
        "weight": lambda g, index, weight_shape, padding, by_frequency, touch: embedding_backward(
            g, index, padding, by_frequency, weight_shape, touch
        )
    },
    summary="Take the rows of a table by their numbers.",
    namespaces=(),
)
_embedding_public = embedding.op.public


class _Touched:
    """Collects which rows of a leaf got a gradient, and reports them as ``grad.rows``."""

    def __init__(self) -> None:
        self.waiting: list[Array] = []

    def __call__(self, rows: Array) -> None:
        self.waiting.append(rows)

    def report(self, leaf: Tensor) -> None:
        """Say on the leaf's gradient which rows it has; those of other uses included."""
        gradient = leaf.grad
        if gradient is None:
            return
        # What came from other uses of the table is found by looking: its rows are not zero.
        own = np.flatnonzero(gradient._array.reshape(len(gradient._array), -1).any(1))
        before = getattr(gradient, "rows", None)
        known = [] if before is None else [before]
        rows = np.unique(np.concatenate([own, *known, *self.waiting]))
        gradient.rows = rows.astype(np.int64)  # type: ignore[attr-defined]
        self.waiting.clear()


def _touch_of(weight: Tensor) -> Callable[[Array], None] | None:
    if not isinstance(weight._node, Leaf):
        return None
    touched = getattr(weight, "_touched", None)
    if touched is None:
        touched = weight._touched = _Touched()  # type: ignore[attr-defined]
        weight.register_post_accumulate_grad_hook(touched.report)
    return touched


def _check(op: str, index: Any, weight: Any) -> None:
    check_tensors(op, input=index, weight=weight)
    if index._array.dtype not in (_LONG, np.dtype(np.int32)):
        raise RuntimeError(
            f"{op}: Expected tensor for argument #1 'indices' to have one of the following scalar "
            f"types: Long, Int; but got {index._array.dtype.name} instead; convert with .long()"
        )
    if weight._array.ndim != 2 or weight._array.dtype.kind != "f":
        raise RuntimeError(
            f"{op}: 'weight' must be a floating-point matrix (rows, columns), got "
            f"{weight._array.dtype.name} of shape {list(weight._array.shape)}"
        )


def _renormalize(weight: Tensor, index: Array, max_norm: float, norm_type: float) -> None:
    """Scale the rows that are looked up and longer than max_norm down to it, in place."""
    if len(computed(_shorten_rows, weight._array, index, max_norm, norm_type)):
        weight._cell[0] += 1


def _shorten_rows(array: Array, index: Array, max_norm: float, norm_type: float) -> Any:
    rows = np.unique(index)
    if rows.size and (rows[0] < 0 or rows[-1] >= len(array)):
        return ()  # the look-up says which one
    norms = np.linalg.norm(array[rows].astype(np.float64), norm_type, axis=1)
    long = norms > max_norm
    array[rows[long]] *= (max_norm / (norms[long] + 1e-7)).astype(array.dtype)[:, None]
    return long.nonzero()[0].tolist()


def _padding(op: str, padding_idx: int | None, rows: int) -> int:
    if padding_idx is None:
        return NO_PADDING
    if not -rows <= padding_idx < rows:
        raise AssertionError(
            f"{op}: Padding_idx must be within num_embeddings: got {padding_idx}, legal are "
            f"{-rows} to {rows - 1}"
        )
    return padding_idx % rows


@publish(
    "input: Tensor, weight: Tensor, padding_idx: int | None = None, "
    "max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False, "
    "sparse: bool = False",
    namespaces=("nn.functional",),
    name="embedding",
)
def embed(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Take the rows of a table by their numbers.

    Args:
        input: int64 or int32 numbers in [0, rows), of any shape.
        weight: the table, floating point, of shape (rows, columns).
        padding_idx: a row that gets no gradient.
        max_norm: rows looked up that are longer are scaled down to this length, in place.
        norm_type: the order of that length.
        scale_grad_by_freq: divide a row's gradient by how often it is looked up.
        sparse: the gradient says in ``grad.rows`` which rows it has, as SparseAdam reads.

    Returns:
        A tensor of shape (*input.shape, columns).

    Raises:
        IndexError: a number out of range.
        RuntimeError: an input that is no integer, a weight that is no matrix.
    """
    _check("embedding", input, weight)
    index = input._array
    padding = _padding("embedding", padding_idx, len(weight._array))
    if max_norm is not None:
        _renormalize(weight, index, max_norm, norm_type)
    if index.dtype is not _LONG:
        input = input.long()
    # A copy of its own would be safe too; the version cell notices changes before the gradient.
    return _embedding_public(
        weight,
        input,
        padding,
        bool(scale_grad_by_freq),
        _touch_of(weight) if sparse else None,
    )


# ---- bags ----------------------------------------------------------------------------------------


@publish(
    "input: Tensor, weight: Tensor, offsets: Tensor | None = None, "
    "max_norm: float | None = None, norm_type: float = 2, scale_grad_by_freq: bool = False, "
    "mode: str = 'mean', sparse: bool = False, per_sample_weights: Tensor | None = None, "
    "include_last_offset: bool = False, padding_idx: int | None = None",
    namespaces=("nn.functional",),
)
def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Take the sum, mean or largest of the rows of a table in each bag of numbers.

    Args:
        input: int64 numbers: (bags, n), or a vector of all bags one after the other.
        weight: the table, of shape (rows, columns).
        offsets: where in a vector each bag starts.
        max_norm: as for ``embedding``.
        norm_type: likewise.
        scale_grad_by_freq: likewise; not for "max".
        mode: "sum", "mean" or "max".
        sparse: as for ``embedding``; not for "max".
        per_sample_weights: a factor for each number, of the input's shape; for "sum" only.
        include_last_offset: whether offsets end with where the last bag ends.
        padding_idx: a row that does not count.

    Returns:
        A tensor of shape (bags, columns); an empty bag gives zeros.

    Raises:
        IndexError: a number out of range.
        ValueError: another mode, or offsets that do not go with the input's rank.
        RuntimeError: offsets that fall or exceed the input.
        NotImplementedError: weights for another mode than "sum".
    """
    _check("embedding_bag", input, weight)
    index = input._array
    if per_sample_weights is not None:
        check_tensors("embedding_bag", per_sample_weights=per_sample_weights)
        if per_sample_weights._array.shape != index.shape:
            raise ValueError(
                "embedding_bag: If per_sample_weights is not None, then it must have the same "
                f"shape as the input ({list(index.shape)}). Got "
                f"{list(per_sample_weights._array.shape)}"
            )
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"mode has to be one of 'sum', 'mean' or 'max', got {mode!r}")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode={mode!r})"
        )
    if mode == "max" and (scale_grad_by_freq or sparse):
        what = "scaling the gradient by the frequency" if scale_grad_by_freq else "sparse weights"
        raise ValueError(f"max mode does not support {what}")
    if index.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                "of fixed length sequences"
            )
        bags, length = index.shape
        places, starts = known(np.repeat(np.arange(bags), length)), None
    elif index.ndim == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        check_tensors("embedding_bag", offsets=offsets)
        starts = offsets._array
        if starts.ndim != 1:
            raise ValueError(f"offsets has to be a 1D Tensor, got shape {list(starts.shape)}")
        if include_last_offset and not starts.size:
            raise RuntimeError(
                "embedding_bag: include_last_offset: number of offset should be at least 1"
            )
        bags = len(starts) - include_last_offset
        places = None
    else:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {index.ndim}"
        )
    numbers = input.reshape(-1).long()
    padding = _padding("embedding_bag", padding_idx, len(weight._array))
    if places is None or padding >= 0:
        places = computed(_bag_places, numbers._array, starts, places, bags, padding)
    if mode == "max":
        if max_norm is not None:
            _renormalize(weight, numbers._array, max_norm, norm_type)
        return _bag_maxima(weight, numbers._array, places, bags)
    rows = embed(numbers, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1).unsqueeze(1)
    dtype = weight._array.dtype
    zeros = wrap(constant(0.0, (bags + 1, weight._array.shape[1]), dtype))
    total: Tensor = zeros.index_add(0, wrap(places), rows).narrow(0, 0, bags)
    return total / wrap(computed(_bag_sizes, places, bags, dtype)) if mode == "mean" else total


def _bag_places(
    numbers: Array, starts: Array | None, places: Array | None, bags: int, padding: int
) -> Array:
    """Give the bag of each number; those that do not count have a bag behind the others."""
    if starts is not None:
        count = len(numbers)
        if starts.size and starts[0] != 0:
            raise RuntimeError(
                f"embedding_bag: offsets[0] has to be 0, i.e., the first sequence in the "
                f"mini-batch has to start from position 0. However, got {starts[0]}"
            )
        ends = (starts if bags < len(starts) else np.append(starts, count))[1 : bags + 1]
        if (ends < starts[:bags]).any() or (ends.size and ends[-1] > count):
            raise RuntimeError(
                f"embedding_bag: offsets must not fall, and not exceed input's length {count}; got "
                f"{starts.tolist()}"
            )
        places = np.full(count, bags, _LONG)
        places[: ends[-1] if bags else 0] = np.repeat(np.arange(bags), ends - starts[:bags])
    assert places is not None
    return np.where(numbers == padding, bags, places).astype(_LONG)


def _bag_sizes(places: Array, bags: int, dtype: Any) -> Array:
    """Give how many numbers each bag has, at least 1."""
    return np.maximum(np.bincount(places, minlength=bags)[:bags], 1).astype(dtype)[:, None]


def _bag_maxima(weight: Tensor, numbers: Array, places: Array, bags: int) -> Tensor:
    """Give the largest of each bag; the first of equal ones has the gradient."""
    winners, empty_bags = computed(_bag_winners, weight._array, numbers, places, bags)
    return weight.gather(0, wrap(winners)).masked_fill(wrap(empty_bags), 0.0)


def _bag_winners(table: Array, numbers: Array, places: Array, bags: int) -> tuple[Array, Array]:
    if numbers.size:  # refuses a number out of range
        kernels.embedding(table, numbers, empty((numbers.size, table.shape[1]), table.dtype))
    winners = np.zeros((bags, table.shape[1]), _LONG)
    none = np.ones((bags, 1), bool)
    for bag in np.unique(places[places < bags]):
        own = numbers[places == bag]
        winners[bag] = own[table[own].argmax(0)]
        none[bag] = False
    return winners, none


# ---- bilinear ------------------------------------------------------------------------------------


@publish(
    "input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None",
    namespaces=("nn.functional",),
)
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """Compute ``x1ᵀ W[k] x2 + b[k]`` for each output k.

    Args:
        input1: of shape (*, in1).
        input2: of shape (*, in2), the same but for the last dimension.
        weight: of shape (out, in1, in2).
        bias: of shape (out,).

    Raises:
        RuntimeError: shapes that do not fit.
    """
    check_tensors("bilinear", input1=input1, input2=input2, weight=weight)
    if bias is not None and not isinstance(bias, Tensor):
        refuse("bilinear", "bias", bias)
    a, b, w = input1._array.shape, input2._array.shape, weight._array.shape
    if len(w) != 3 or not a or not b or a[:-1] != b[:-1] or (a[-1], b[-1]) != w[1:]:
        raise RuntimeError(
            f"bilinear: input1 of shape {list(a)} and input2 of shape {list(b)} do not fit weight "
            f"of shape {list(w)}: expected (*, in1), (*, in2) and (out, in1, in2)"
        )
    out, in1, in2 = w
    first, second = input1.reshape(-1, in1), input2.reshape(-1, in2)
    pairs = (first.unsqueeze(2) * second.unsqueeze(1)).reshape(-1, in1 * in2)
    return linear.op.public(pairs, weight.reshape(out, in1 * in2), bias).reshape(*a[:-1], out)
