"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.activations_rows import softmax_backward
from microtensor.ops.arithmetic import add, mul, sub
from microtensor.ops.arrays import Array, broadcast_shape, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.dropout import dropout
from microtensor.ops.joint import declare_jointly
from microtensor.ops.linear import matrix_product
from microtensor.ops.reductions import sum
from microtensor.ops.shape import cast, expand, reshape, transpose
from microtensor.tensor import Tensor

# ---- the arrays as kernels take them ------------------------------------------------------------


def _heads(x: Array) -> Array:
    """Give (batch, heads, rows, width), with the elements of a row side by side."""
    if x.ndim != 4:
        lead = (1,) * (4 - x.ndim) if x.ndim < 4 else (-1,)
        x = x.reshape(*lead, *x.shape[max(0, x.ndim - 3) :])
    rows, width = x.shape[2:]
    packed = width < 2 or x.strides[3] == x.itemsize
    if packed and (rows < 2 or x.strides[2] >= width * x.itemsize):
        return x
    copy = empty(x.shape, x.dtype)
    kernels.cast(x, copy)
    return copy


def _room(like: Array, width: int) -> Array:
    """Make room for rows of another width, in the order in which the rows of an array lie.

    Heads that were split off the last dimension of (batch, rows, features) lie between rows;
    joining results that lie so, too, costs nothing.
    """
    batch, heads, rows, _ = like.shape
    if heads > 1 and rows > 1 and like.strides[1] < like.strides[2]:
        return empty((batch, rows, heads, width), like.dtype).swapaxes(1, 2)
    return empty((batch, heads, rows, width), like.dtype)


def _mask_heads(mask: Array, heads: tuple[int, ...], lead: tuple[int, ...]) -> Array:
    """Repeat a mask, as a view, for every batch and head."""
    whole = np.broadcast_to(mask, (*lead, *heads[2:]))
    return whole.reshape(heads) if whole.ndim != 4 else whole


# ---- the probabilities --------------------------------------------------------------------------


def _weights_forward(
    query: Array, key: Array, mask: Array | None, scale: float, causal: bool
) -> Array:
    out = empty((*query.shape[:-1], key.shape[-2]), query.dtype)
    kernels.attention_scores(query, key, mask, scale, causal, out)
    kernels.attention_weights(out, out)
    return out


attention_weights: Any = declare(
    "attention_weights",
    "query: Tensor, key: Tensor, mask: Tensor | None, scale: float, causal: bool",
    _weights_forward,
    rules={
        "query": lambda g, key, y, scale: mul(
            matrix_product(softmax_backward(g, y, -1), key), scale
        ),
        "key": lambda g, query, y, scale: mul(
            matrix_product(_flipped(softmax_backward(g, y, -1)), query), scale
        ),
        "mask": lambda g, y: softmax_backward(g, y, -1),
    },
    summary="Give how much each query attends to each key.",
    formula="softmax(scale·query keyᵀ + mask)",
    namespaces=(),
    samples=samples.given(
        (((2, 3, 4), (2, 5, 4), (3, 5)), {"scale": 0.5, "causal": False}),
        (((3, 4), (3, 4), None), {"scale": 0.7, "causal": True}),
    ),
)


def _flipped(x: Any) -> Any:
    return transpose(x, -1, -2)


# ---- fused: scores stay in cache, and are computed again for the gradient -----------------------


def _attention_forward(
    query: Array, key: Array, value: Array, mask: Array | None, scale: float, causal: bool
) -> tuple[Array, Array]:
    lead = query.shape[:-2]
    q, k, v = _heads(query), _heads(key), _heads(value)
    if mask is not None:
        mask = _mask_heads(mask, (*q.shape[:3], k.shape[2]), lead)
    log_sum = empty(q.shape[:3], q.dtype)
    out = _room(q, v.shape[3])
    kernels.attention(q, k, v, mask, scale, causal, log_sum, out)
    return out if len(lead) == 2 else out.reshape(*query.shape[:-1], v.shape[3]), log_sum


def _attention_backward_forward(
    g: Array,
    query: Array,
    key: Array,
    value: Array,
    output: Array,
    log_sum: Array,
    mask: Array | None,
    scale: float,
    causal: bool,
) -> tuple[Array, ...]:
    lead = query.shape[:-2]
    q, k, v, out, g = (_heads(each) for each in (query, key, value, output, g))
    if mask is not None:
        mask = _mask_heads(mask, (*q.shape[:3], k.shape[2]), lead)
    gradients = tuple(_room(each, each.shape[3]) for each in (q, k, v))
    kernels.attention_backward(g, q, k, v, mask, scale, causal, out, log_sum, *gradients)
    if len(lead) == 2:
        return gradients
    shapes = (query.shape, key.shape, value.shape)
    return tuple(each.reshape(shape) for each, shape in zip(gradients, shapes, strict=True))


def _second_rule(
    g_query_gradient: Any,
    g_key_gradient: Any,
    g_value_gradient: Any,
    grad: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    scale: float,
    causal: bool,
    *,
    wanted: tuple[bool, ...],
) -> tuple[Any, ...]:
    """Derive the gradient, with a, b and c coming in for those of query, key and value.

    With P the probabilities, J(x) = P·(x - Σ P·x) their derivative and dP = grad valueᵀ, the
    gradient's own gradients are those of ⟨T, J(dP)⟩ + ⟨c, Pᵀ grad⟩, T = scale·(a keyᵀ + query bᵀ).
    """
    a, b, c = g_query_gradient, g_key_gradient, g_value_gradient
    p = attention_weights(query, key, mask, scale, causal)
    d = matrix_product(grad, _flipped(value))
    d_scores = softmax_backward(d, p, -1)
    terms = []
    if a is not None:
        terms.append(matrix_product(a, _flipped(key)))
    if b is not None:
        terms.append(matrix_product(query, _flipped(b)))
    of_p = None if c is None else matrix_product(grad, _flipped(c))
    by_grad = None if c is None else matrix_product(p, c)
    by_value = by_query = by_key = None
    if terms:
        t = mul(terms[0] if len(terms) == 1 else add(*terms), scale)
        x = softmax_backward(t, p, -1)
        by_grad = _sum_of(matrix_product(x, value), by_grad)
        by_value = matrix_product(_flipped(x), grad)
        centred = sub(d, sum(mul(p, d), -1, keepdim=True))
        of_p = _sum_of(sub(mul(t, centred), mul(d, sum(mul(p, t), -1, keepdim=True))), of_p)
    if of_p is not None:
        z = softmax_backward(of_p, p, -1)
        by_query = mul(matrix_product(z, key), scale)
        by_key = mul(matrix_product(_flipped(z), query), scale)
    if b is not None:
        by_query = _sum_of(mul(matrix_product(d_scores, b), scale), by_query)
    if a is not None:
        by_key = _sum_of(mul(matrix_product(_flipped(d_scores), a), scale), by_key)
    return by_grad, by_query, by_key, by_value


def _sum_of(a: Any, b: Any) -> Any:
    return a if b is None else add(a, b)


attention_backward: Any = declare_jointly(
    "attention_backward",
    "grad: Tensor, query: Tensor, key: Tensor, value: Tensor, output: Tensor, log_sum: Tensor, "
    "mask: Tensor | None, scale: float, causal: bool",
    _attention_backward_forward,
    # What output and log_sum owe to query, key and value is counted with these.
    _second_rule,
    ("grad", "query", "key", "value"),
    outputs=("query_gradient", "key_gradient", "value_gradient"),
    summary="Give the gradients of attention with respect to query, key and value.",
    namespaces=(),
)


def _attention_rule(
    g: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    y: Any,
    log_sum: Any,
    scale: float,
    causal: bool,
    *,
    wanted: tuple[bool, ...],
) -> Any:
    return attention_backward(g, query, key, value, y, log_sum, mask, scale, causal)


attention: Any = declare_jointly(
    "attention",
    "query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, causal: bool",
    _attention_forward,
    _attention_rule,
    ("query", "key", "value"),
    extras=("log_sum",),
    summary="Give the mean of values, weighted by how much each query attends to each key.",
    formula="softmax(scale·query keyᵀ + mask) value",
    namespaces=(),
    samples=samples.given(
        (((2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 3), (3, 5)), {"scale": 0.5, "causal": False}),
        (((2, 3, 4), (2, 3, 4), (2, 3, 2), None), {"scale": 0.7, "causal": True}),
        (((3, 4), (2, 4), (2, 4), None), {"scale": 0.7, "causal": False}),
    ),
)

additive_mask: Any = declare(
    "additive_mask",
    "input: Tensor, dtype: Any",
    lambda mask, dtype: _additive_forward(mask, dtype),
    summary="Give 0 where a mask is true, and -inf elsewhere.",
    namespaces=(),
    samples=lambda rng: [((rng.uniform(size=(3, 4)) < 0.5,), {"dtype": "float64"})],
)


def _additive_forward(mask: Array, dtype: Any) -> Array:
    out = empty(mask.shape, dtype)
    kernels.additive_mask(mask, out)
    return out


# ---- what users call ----------------------------------------------------------------------------


def _check(query: Any, key: Any, value: Any) -> None:
    for name, given in (("query", query), ("key", key), ("value", value)):
        if not isinstance(given, Tensor):
            refuse("scaled_dot_product_attention", name, given)
    q, k, v = query._array, key._array, value._array
    if q.dtype != k.dtype or q.dtype != v.dtype:
        raise RuntimeError(
            "scaled_dot_product_attention: expected query, key, and value to have the same dtype, "
            f"but got query.dtype: {q.dtype.name} key.dtype: {k.dtype.name} and value.dtype: "
            f"{v.dtype.name}"
        )
    if q.dtype.kind != "f":
        raise RuntimeError(
            f"scaled_dot_product_attention: not defined for {q.dtype.name} tensors; convert with "
            ".float()"
        )
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise RuntimeError(
            "scaled_dot_product_attention: expected query, key, and value to all be at least 2 "
            f"dimensional, but got query.dim: {q.ndim} key.dim: {k.ndim} and value.dim: {v.ndim}"
        )
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise RuntimeError(
            "scaled_dot_product_attention: query and key must have rows of the same length, key "
            f"and value as many rows, but their shapes are {list(q.shape)}, {list(k.shape)} and "
            f"{list(v.shape)}"
        )


def _additive(
    query: Tensor, key: Tensor, mask: Any, op: str = "scaled_dot_product_attention"
) -> Any:
    """Give a mask as what is added to scores."""
    if mask is None:
        return None
    if not isinstance(mask, Tensor):
        refuse(op, "attn_mask", mask)
    dtype, scores = query._array.dtype, (query._array.shape[-2], key._array.shape[-2])
    if mask._array.dtype.kind not in "bf":
        raise RuntimeError(
            f"{op}: expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {mask._array.dtype.name} and query.dtype: {dtype.name}"
        )
    shape = mask._array.shape
    lead = query._array.shape[:-2]
    ends = zip(reversed(shape), reversed((*lead, *scores)), strict=False)
    if len(shape) > len(lead) + 2 or any(n not in (1, whole) for n, whole in ends):
        raise RuntimeError(
            f"{op}: attn_mask of shape {list(shape)} does not broadcast to the scores' shape "
            f"{[*lead, *scores]}"
        )
    if mask._array.dtype.kind == "b":
        return additive_mask(mask, dtype)
    return mask if mask._array.dtype == dtype else cast(mask, dtype)


def _shared(query: Tensor, each: Tensor) -> Tensor:
    """Repeat the heads that groups of queries share."""
    heads, own = query._array.shape[-3], each._array.shape[-3]
    if heads == own:
        return each
    *lead, _, rows, width = each._array.shape
    apart = expand(
        reshape(each, (*lead, own, 1, rows, width)), (*lead, own, heads // own, rows, width)
    )
    return reshape(apart, (*lead, heads, rows, width))


@publish(
    "query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, "
    "dropout_p: float = 0.0, is_causal: bool = False, *, scale: float | None = None, "
    "enable_gqa: bool = False",
    namespaces=("nn.functional",),
)
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Give the mean of values, weighted by how much each query attends to each key.

        softmax(scale · query keyᵀ + mask) value

    Scores are computed in blocks that stay in cache, and again for the gradient: memory grows with
    the number of queries, not with its product with that of the keys. Dropout, and a mask that
    requires a gradient, need all scores at once.

    Args:
        query: of shape (..., L, E).
        key: of shape (..., S, E), of the same dtype.
        value: of shape (..., S, V), of the same dtype.
        attn_mask: broadcasts to (..., L, S): bool, True where a query may attend to a key, or
            floating point, added to the scores.
        dropout_p: the share of weights that are set to 0 at random, whether or not a module trains.
        is_causal: whether query i attends to keys 0 to i alone.
        scale: factor of the scores; 1/√E unless given.
        enable_gqa: whether key and value may have fewer heads (dimension -3) than query, each of
            which serves a group of neighbouring heads.

    Returns:
        A tensor of shape (..., L, V). Queries to which everything is masked get 0.

    Raises:
        TypeError: one is no tensor.
        RuntimeError: shapes or dtypes that do not match, numbers of heads that do not divide, or
            ``dropout_p`` outside [0, 1]; a mask beside ``is_causal``.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> mt.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)
        tensor([[1.0000, 0.0000],
                [0.3302, 0.6698]])

    References:
        Vaswani et al., Attention is all you need, 2017, equation 1; Dao et al., FlashAttention,
        2022.
    """
    if is_causal and attn_mask is not None:
        raise RuntimeError(
            "scaled_dot_product_attention: attn_mask must be None where is_causal=True; put both "
            "into one mask"
        )
    return attend(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)


def attend(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any,
    dropout_p: float,
    is_causal: bool,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Do what scaled_dot_product_attention does, with a mask and causal at once if need be."""
    _check(query, key, value)
    if not 0 <= dropout_p <= 1:
        raise RuntimeError(
            f"dropout probability has to be between 0 and 1, but dropout_p is {dropout_p}"
        )
    if enable_gqa:
        heads = [
            each._array.shape[-3] if each._array.ndim > 2 else 1 for each in (query, key, value)
        ]
        if any(each._array.ndim < 3 for each in (query, key, value)) or any(
            not own or heads[0] % own for own in heads[1:]
        ):
            raise RuntimeError(
                "scaled_dot_product_attention: number of heads in key and value must divide the "
                f"number of heads in query, but they have {heads[1]}, {heads[2]} and {heads[0]}"
            )
        key, value = _shared(query, key), _shared(query, value)
    leads = [each._array.shape[:-2] for each in (query, key, value)]
    if leads[0] != leads[1] or leads[0] != leads[2]:
        lead = broadcast_shape(leads[0], leads[1], "scaled_dot_product_attention")
        lead = broadcast_shape(lead, leads[2], "scaled_dot_product_attention")
        query, key, value = (
            expand(each, (*lead, *each._array.shape[-2:])) for each in (query, key, value)
        )
    mask = _additive(query, key, attn_mask)
    if scale is None:
        width = query._array.shape[-1]
        scale = 1 / math.sqrt(width) if width else 1.0
    if dropout_p > 0 or (mask is not None and mask.requires_grad):
        weights = attention_weights(query, key, mask, scale, is_causal)
        if dropout_p > 0:
            weights = dropout(weights, dropout_p)
        product: Tensor = matrix_product(weights, value)
        return product
    result: Tensor = attention.op.public(query, key, value, mask, float(scale), bool(is_causal))
    return result
