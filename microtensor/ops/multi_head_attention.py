"""Attention of several heads, between projections: the functional form of nn.MultiheadAttention."""

from __future__ import annotations

import math
from typing import Any

from microtensor.ops.activations_rows import softmax
from microtensor.ops.arithmetic import add, mul
from microtensor.ops.attention import additive_mask, attend
from microtensor.ops.comparison import logical_not
from microtensor.ops.creation import zeros
from microtensor.ops.declare import publish, refuse
from microtensor.ops.dropout import dropout
from microtensor.ops.joining import cat
from microtensor.ops.linear import linear, matrix_product
from microtensor.ops.padding import pad
from microtensor.ops.reductions import mean
from microtensor.ops.shape import expand, permute, reshape, squeeze, transpose, unsqueeze
from microtensor.ops.views import part, select
from microtensor.tensor import Tensor

_linear = linear.op.public
_NAME = "multi_head_attention_forward"


def as_added(mask: Any, name: str, like: Tensor) -> Any:
    """Give a mask as what is added to scores: -inf where a bool one is True.

    Raises:
        AssertionError: a mask that is neither bool nor floating point.
    """
    if mask is None:
        return None
    if not isinstance(mask, Tensor):
        refuse(_NAME, name, mask)
    kind = mask._array.dtype.kind
    if kind == "f":
        return mask
    if kind != "b":
        raise AssertionError(
            f"only bool and floating types of {name} are supported, got {mask._array.dtype.name}"
        )
    return additive_mask(logical_not(mask), like._array.dtype)


def check_shapes(
    query: Any, key: Any, value: Any, key_padding_mask: Any, attn_mask: Any, num_heads: int
) -> bool:
    """Say whether there are batches.

    Raises:
        AssertionError: numbers of dimensions that do not go together.
    """
    for name, given in (("query", query), ("key", key), ("value", value)):
        if not isinstance(given, Tensor):
            refuse(_NAME, name, given)
    ndim = query._array.ndim
    if ndim not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {ndim}-D query tensor"
        )
    kind = "batched (3-D)" if ndim == 3 else "unbatched (2-D)"
    if key._array.ndim != ndim or value._array.ndim != ndim:
        raise AssertionError(
            f"For {kind} `query`, expected `key` and `value` to be {ndim}-D but found "
            f"{key._array.ndim}-D and {value._array.ndim}-D tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask._array.ndim != ndim - 1:
        raise AssertionError(
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {ndim - 1}-D but "
            f"found {key_padding_mask._array.ndim}-D tensor instead"
        )
    if attn_mask is not None and attn_mask._array.ndim not in (2, 3):
        raise AssertionError(
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
            f"{attn_mask._array.ndim}-D tensor instead"
        )
    if ndim == 2 and attn_mask is not None and attn_mask._array.ndim == 3:
        expected = (num_heads, query._array.shape[0], key._array.shape[0])
        if attn_mask._array.shape != expected:
            raise AssertionError(
                f"Expected `attn_mask` shape to be {expected} but got {attn_mask._array.shape}"
            )
    return ndim == 3


def _thirds(x: Any, width: int) -> list[Any]:
    """Cut the rows of packed weights, or their biases, for query, key and value."""
    if x is None:
        return [None] * 3
    return [part(x, 0, i * width, (i + 1) * width) for i in range(3)]


def _projected(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Any, heads: int
) -> list[Tensor]:
    """Give query, key and value as (batch, heads, rows, width), of one packed weight."""
    width = query._array.shape[-1]
    if query is key and key is value:
        rows, batch = query._array.shape[:2]
        packed = _linear(query, weight, bias)
        apart = reshape(packed, (rows, batch, 3, heads, width // heads))
        apart = permute(apart, (2, 1, 3, 0, 4))
        return [select(apart, 0, i) for i in range(3)]
    weights, biases = _thirds(weight, width), _thirds(bias, width)
    given = zip((query, key, value), weights, biases, strict=True)
    return [_split(_linear(x, w, b), heads) for x, w, b in given]


def _split(x: Tensor, heads: int) -> Tensor:
    """(rows, batch, features) to (batch, heads, rows, width), as a view."""
    rows, batch, features = x._array.shape
    return permute(reshape(x, (rows, batch, heads, features // heads)), (1, 2, 0, 3))


def _one_more(x: Tensor, row: Tensor) -> Tensor:
    """Add one row to the keys or values of every head."""
    batch, heads, _, width = x._array.shape
    return cat([x, expand(row, (batch, heads, 1, width))], 2)


def _row_of(bias: Tensor, heads: int) -> Tensor:
    return reshape(bias, (1, heads, 1, bias._array.shape[-1] // heads))


def _given(static: Tensor, name: str, batch: int, heads: int, width: int) -> Tensor:
    shape = static._array.shape
    if shape[0] != batch * heads or shape[2] != width:
        raise AssertionError(
            f"expecting {name} of shape ({batch * heads}, rows, {width}), but got {list(shape)}"
        )
    return reshape(static, (batch, heads, *shape[1:]))


def _check_widths(
    query: Tensor, key: Tensor, value: Tensor, embed_dim: int, num_heads: int, separate: bool
) -> None:
    width = query._array.shape[-1]
    if width != embed_dim:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim}, but got {width} (query has shape "
            f"{list(query._array.shape)})"
        )
    if width % num_heads:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    shapes = key._array.shape, value._array.shape
    if separate and shapes[0][:2] != shapes[1][:2]:
        raise AssertionError(
            f"key's sequence and batch dims {list(shapes[0][:2])} do not match value's "
            f"{list(shapes[1][:2])}"
        )
    if not separate and shapes[0] != shapes[1]:
        raise AssertionError(
            f"key shape {list(shapes[0])} does not match value shape {list(shapes[1])}"
        )


def _merged_mask(attn_mask: Any, padding: Any, batch: int, heads: int) -> Any:
    """Give what is added to the scores (batch, heads, rows, columns), broadcast."""
    if attn_mask is not None:
        shape = attn_mask._array.shape
        lead = (1, 1) if len(shape) == 2 else (batch, heads)
        attn_mask = reshape(attn_mask, (*lead, *shape[-2:]))
    if padding is None:
        return attn_mask
    padding = reshape(padding, (batch, 1, 1, padding._array.shape[-1]))
    return padding if attn_mask is None else add(attn_mask, padding)


def _check_masks(
    attn_mask: Any, padding: Any, batch: int, heads: int, rows: int, columns: int
) -> None:
    if attn_mask is not None:
        shape = attn_mask._array.shape
        expected = (rows, columns) if len(shape) == 2 else (batch * heads, rows, columns)
        if shape != expected:
            raise RuntimeError(
                f"The shape of the {len(shape)}D attn_mask is {list(shape)}, but should be "
                f"{list(expected)}."
            )
    if padding is not None and padding._array.shape != (batch, columns):
        raise AssertionError(
            f"expected key_padding_mask of shape {[batch, columns]}, but got "
            f"{list(padding._array.shape)}"
        )


@publish(
    "query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int, "
    "in_proj_weight: Tensor | None, in_proj_bias: Tensor | None, bias_k: Tensor | None, "
    "bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float, out_proj_weight: Tensor, "
    "out_proj_bias: Tensor | None, training: bool = True, key_padding_mask: Tensor | None = None, "
    "need_weights: bool = True, attn_mask: Tensor | None = None, "
    "use_separate_proj_weight: bool = False, q_proj_weight: Tensor | None = None, "
    "k_proj_weight: Tensor | None = None, v_proj_weight: Tensor | None = None, "
    "static_k: Tensor | None = None, static_v: Tensor | None = None, "
    "average_attn_weights: bool = True, is_causal: bool = False",
    namespaces=("nn.functional",),
)
def multi_head_attention_forward(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    """Project query, key and value, let every head attend, and project what comes out.

    Args:
        query: of shape (L, N, E), or (L, E) without batches.
        key: of shape (S, N, E), or as wide as ``k_proj_weight`` takes.
        value: of shape (S, N, E), or as wide as ``v_proj_weight`` takes.
        embed_dim_to_check: E, as the weights have it.
        num_heads: by which E divides.
        in_proj_weight: of shape (3E, E): the projections of query, key and value, packed.
        in_proj_bias: of shape (3E,), or None.
        bias_k: of shape (1, 1, E): a key more, or None.
        bias_v: the value to it.
        add_zero_attn: whether to add a key and a value of zeros.
        dropout_p: the share of weights that training sets to 0.
        out_proj_weight: of shape (E, E).
        out_proj_bias: of shape (E,), or None.
        training: whether there is dropout.
        key_padding_mask: of shape (N, S): bool, True where a key is not to be attended to, or
            floating point, added to the scores.
        need_weights: whether to give the weights, too; without, scores need not be kept.
        attn_mask: likewise of shape (L, S), or (N·num_heads, L, S).
        use_separate_proj_weight: whether the three weights that follow are used.
        q_proj_weight: of shape (E, E).
        k_proj_weight: of shape (E, width of key).
        v_proj_weight: of shape (E, width of value).
        static_k: of shape (N·num_heads, S, E / num_heads): keys already projected.
        static_v: values likewise.
        average_attn_weights: whether the weights are the mean over the heads.
        is_causal: a hint that ``attn_mask`` is the causal one.

    Returns:
        The output, of the shape of ``query``, and the weights, of shape (N, L, S), or (N,
        num_heads, L, S), without N if there are no batches; or None.

    Raises:
        TypeError: one is no tensor.
        AssertionError: shapes that do not go together.
        RuntimeError: a mask of another shape, or the hint without a mask.
    """
    batched = check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        own = query is key, key is value
        query = unsqueeze(query, 1)
        key = query if own[0] else unsqueeze(key, 1)
        value = key if own[1] else unsqueeze(value, 1)
        if key_padding_mask is not None:
            key_padding_mask = unsqueeze(key_padding_mask, 0)
    rows, batch, width = query._array.shape
    columns = key._array.shape[0]
    _check_widths(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint: it says that attn_mask is causal"
        )
    key_padding_mask = as_added(key_padding_mask, "key_padding_mask", query)
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    else:
        attn_mask = as_added(attn_mask, "attn_mask", query)
        is_causal = False
    _check_masks(attn_mask, key_padding_mask, batch, num_heads, rows, columns)

    # Heads are views, of rows that lie apart: the kernels take them so.
    if use_separate_proj_weight:
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        given = zip((query, key, value), weights, _thirds(in_proj_bias, width), strict=True)
        q, k, v = (_split(_linear(x, w, b), num_heads) for x, w, b in given)
    else:
        q, k, v = _projected(query, key, value, in_proj_weight, in_proj_bias, num_heads)
    if static_k is not None:
        k = _given(static_k, "static_k", batch, num_heads, width // num_heads)
    if static_v is not None:
        v = _given(static_v, "static_v", batch, num_heads, width // num_heads)
    more = []
    if bias_k is not None or bias_v is not None:
        if bias_k is None or bias_v is None:
            raise AssertionError("bias_k and bias_v must both be given, or neither")
        more.append((_row_of(bias_k, num_heads), _row_of(bias_v, num_heads)))
    if add_zero_attn:
        row = zeros(1, num_heads, 1, width // num_heads, dtype=k.dtype)
        more.append((row, row))
    for key_row, value_row in more:
        k, v = _one_more(k, key_row), _one_more(v, value_row)
        attn_mask = None if attn_mask is None else pad(attn_mask, (0, 1))
        key_padding_mask = None if key_padding_mask is None else pad(key_padding_mask, (0, 1))
    mask = _merged_mask(attn_mask, key_padding_mask, batch, num_heads)
    dropped = dropout_p if training else 0.0

    attended = None
    if need_weights:
        scores = matrix_product(mul(q, math.sqrt(num_heads / width)), transpose(k, -1, -2))
        attended = softmax(scores if mask is None else add(scores, mask), -1)
        if dropped > 0:
            attended = dropout(attended, dropped)
        out = matrix_product(attended, v)
    else:
        out = attend(q, k, v, mask, dropped, is_causal)
    joined = reshape(permute(out, (2, 0, 1, 3)), (rows, batch, width))
    result = _linear(joined, out_proj_weight, out_proj_bias)
    if attended is not None and average_attn_weights:
        attended = mean(attended, 1)
    if batched:
        return result, attended
    return squeeze(result, 1), None if attended is None else squeeze(attended, 0)
