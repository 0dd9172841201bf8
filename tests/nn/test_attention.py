"""Scaled dot-product attention: against its formula, in blocks and at edges."""

import math

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import kernels
from microtensor.autograd import gradcheck, gradgradcheck


def formula(q, k, v, mask=None, causal=False, scale=None):
    """softmax(scale q kᵀ + mask) v, one step after the other."""
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = scale * q @ k.swapaxes(-1, -2)
    if mask is not None:
        scores = scores + (np.where(mask, 0, -np.inf) if mask.dtype == bool else mask)
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v


def draw(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


# Fewer and more rows and columns than a block has, and widths for which blocks are smaller.
@pytest.mark.parametrize(
    ("q", "k", "v"),
    [
        ((3, 4), (5, 4), (5, 2)),
        ((2, 70, 3), (2, 130, 3), (2, 130, 5)),
        ((2, 3, 150, 4), (2, 3, 70, 4), (2, 3, 70, 4)),
        ((2, 1, 2, 6, 200), (2, 1, 2, 66, 200), (2, 1, 2, 66, 3)),
    ],
)
@pytest.mark.parametrize("causal", [False, True])
def test_it_is_the_formula_whatever_the_sizes(q, k, v, causal):
    arrays = draw(q, k, v)
    given = [mt.tensor(a, requires_grad=True) for a in arrays]
    result = F.scaled_dot_product_attention(*given, is_causal=causal)
    np.testing.assert_allclose(result.detach().numpy(), formula(*arrays, causal=causal), atol=1e-13)
    # Gradients are those of the same in single ops.
    weight = mt.tensor(draw(result.shape)[0])
    fused = mt.autograd.grad((result * weight).sum(), given)
    scores = given[0] @ given[1].transpose(-1, -2) / math.sqrt(q[-1])
    if causal:
        allowed = mt.tensor(np.tri(q[-2], k[-2], dtype=bool))
        scores = scores.masked_fill(~allowed, -math.inf)
    apart = mt.autograd.grad((scores.softmax(-1) @ given[2] * weight).sum(), given)
    for ours, expected in zip(fused, apart, strict=True):
        np.testing.assert_allclose(ours.numpy(), expected.numpy(), atol=1e-12)


@pytest.mark.parametrize("kind", ["bool", "float", "rows", "columns"])
def test_masks_broadcast(kind):
    q, k, v = draw((2, 3, 70, 4), (2, 3, 66, 4), (2, 3, 66, 2))
    rng = np.random.default_rng(1)
    mask = {
        "bool": rng.uniform(size=(70, 66)) < 0.5,
        "float": rng.normal(size=(2, 1, 70, 66)),
        "rows": rng.normal(size=(70, 1)),
        "columns": rng.uniform(size=(2, 1, 1, 66)) < 0.5,
    }[kind]
    result = F.scaled_dot_product_attention(*map(mt.tensor, (q, k, v)), attn_mask=mt.tensor(mask))
    np.testing.assert_allclose(result.numpy(), formula(q, k, v, mask), atol=1e-13)


@pytest.mark.parametrize(
    "options",
    [{}, {"is_causal": True, "scale": 0.3}, {"attn_mask": "bool"}, {"attn_mask": "float"}],
)
def test_gradients_of_first_and_second_order(options):
    inputs = [mt.tensor(a, requires_grad=True) for a in draw((2, 3, 4), (2, 5, 4), (2, 5, 2))]
    options = dict(options)
    if options.get("attn_mask") == "bool":
        options["attn_mask"] = mt.tensor(
            [[True] * 5, [False] * 4 + [True], [True, False] * 2 + [True]]
        )
    elif options.get("attn_mask") == "float":  # which has a gradient, too
        inputs.append(mt.tensor(draw((3, 5))[0], requires_grad=True))
        del options["attn_mask"]

    def attend(*given):
        return F.scaled_dot_product_attention(*given, **options)

    assert gradcheck(attend, inputs)
    assert gradgradcheck(attend, inputs)


def test_a_query_that_may_attend_to_nothing_gets_zero():
    given = [mt.tensor(a, requires_grad=True) for a in draw((3, 4), (3, 4), (3, 4))]
    mask = mt.tensor([[True, True, False], [False] * 3, [True] * 3])
    result = F.scaled_dot_product_attention(*given, attn_mask=mask)
    assert result[1].tolist() == [0.0] * 4
    result.sum().backward()
    assert given[0].grad[1].tolist() == [0.0] * 4
    assert all(bool(each.grad.isfinite().all()) for each in given)
    # Without keys everything is so.
    none = F.scaled_dot_product_attention(given[0], given[1][:0], given[2][:0])
    assert none.tolist() == [[0.0] * 4] * 3


def test_groups_of_heads_share_keys_and_values():
    q, k, v = map(mt.tensor, draw((2, 6, 3, 4), (2, 2, 5, 4), (2, 3, 5, 4)))
    shared = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    apart = F.scaled_dot_product_attention(q, k.repeat_interleave(3, 1), v.repeat_interleave(2, 1))
    assert mt.allclose(shared, apart)


def test_batches_broadcast():
    q, k, v = map(mt.tensor, draw((2, 3, 4, 5), (3, 6, 5), (1, 1, 6, 5)))
    result = F.scaled_dot_product_attention(q, k, v)
    np.testing.assert_allclose(result.numpy(), formula(q.numpy(), k.numpy(), v.numpy()), atol=1e-14)


def test_heads_split_off_the_features_need_no_copy():
    x = mt.randn(2, 5, 12)
    q, k, v = (part.reshape(2, 5, 3, 4).transpose(1, 2) for part in (x, x + 1, x * 2))
    result = F.scaled_dot_product_attention(q, k, v)
    packed = F.scaled_dot_product_attention(q.contiguous(), k.contiguous(), v.contiguous())
    assert mt.equal(result, packed)
    joined = result.transpose(1, 2)
    assert joined.is_contiguous()


def test_dropout_sets_weights_to_zero_and_keeps_the_mean():
    mt.manual_seed(0)
    q, k, v = mt.zeros(200, 2), mt.zeros(50, 2), mt.ones(50, 1)
    result = F.scaled_dot_product_attention(q, k, v, dropout_p=0.5)
    assert result.std() > 0.05
    assert result.mean().item() == pytest.approx(1, abs=0.05)
    assert F.scaled_dot_product_attention(q, k, v, dropout_p=1.0).sum() == 0


def test_infinities_and_nan_stay_in_their_rows():
    q, k, v = map(mt.tensor, draw((4, 3), (4, 3), (4, 2)))
    q[1, 0] = math.nan
    q[2, 0] = math.inf
    result = F.scaled_dot_product_attention(q, k, v)
    assert result.isnan().all(1).tolist() == [False, True, True, False]


def test_results_are_the_same_for_every_number_of_threads():
    given = [mt.tensor(a, dtype=mt.float32) for a in draw(*[(3, 4, 100, 8)] * 3)]
    before, results = mt.get_num_threads(), []
    try:
        for threads in (1, 2):
            mt.set_num_threads(threads)
            results.append(F.scaled_dot_product_attention(*given, is_causal=True))
    finally:
        mt.set_num_threads(before)
    np.testing.assert_allclose(results[0].numpy(), results[1].numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (((4,), (3, 4), (3, 4)), {}, RuntimeError, "at least 2"),
        (((2, 4), (3, 5), (3, 4)), {}, RuntimeError, "rows of the same length"),
        (((2, 4), (3, 4), (2, 4)), {}, RuntimeError, "as many rows"),
        (((2, 2, 4), (3, 3, 4), (3, 3, 4)), {}, RuntimeError, "do not broadcast"),
        (
            ((2, 4), (3, 4), (3, 4)),
            {"attn_mask": mt.ones(2, 2)},
            RuntimeError,
            "attn_mask of shape",
        ),
        (((2, 4), (3, 4), (3, 4)), {"attn_mask": mt.ones(1, 2, 3)}, RuntimeError, "attn_mask"),
        (
            ((2, 4), (3, 4), (3, 4)),
            {"attn_mask": mt.ones(2, 3).int()},
            RuntimeError,
            "attn_mask.dtype: int32",
        ),
        (((2, 4), (3, 4), (3, 4)), {"dropout_p": 1.5}, RuntimeError, "dropout_p is 1.5"),
        (((4, 2, 4), (3, 3, 4), (3, 3, 4)), {"enable_gqa": True}, RuntimeError, "must divide"),
    ],
)
def test_what_does_not_fit_is_named(arguments, options, error, words):
    with pytest.raises(error, match=words):
        F.scaled_dot_product_attention(*(mt.zeros(*shape) for shape in arguments), **options)


def test_dtypes_must_be_one_and_floating():
    x = mt.zeros(2, 2)
    with pytest.raises(RuntimeError, match=r"query.dtype: float32 key.dtype: float64"):
        F.scaled_dot_product_attention(x, x.double(), x)
    with pytest.raises(RuntimeError, match="int64"):
        F.scaled_dot_product_attention(x.long(), x.long(), x.long())
    with pytest.raises(TypeError, match="'value' must be Tensor"):
        F.scaled_dot_product_attention(x, x, [[1.0]])


def test_kernels_refuse_outputs_that_overlap_inputs_or_cannot_be_written():
    q = np.zeros((1, 1, 3, 4))
    log_sum = np.empty((1, 1, 3))
    out = np.empty((1, 1, 3, 4))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        kernels.attention(q, q, q, None, 1.0, False, log_sum, out)
    # What C refuses goes to NumPy, which copes: here rows that are not packed.
    wide = np.random.default_rng(0).normal(size=(1, 1, 3, 8))[..., ::2]
    out = np.empty((1, 1, 3, 4))
    kernels.attention(wide, wide, wide, None, 1.0, False, log_sum, out)
    np.testing.assert_allclose(out, formula(wide, wide, wide, scale=1.0), atol=1e-14)
