"""Multi-head attention and transformers: derivatives, hints, masks, errors."""

import copy

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.autograd import gradcheck, gradgradcheck


def draw(*shape):
    x = np.random.default_rng(0).normal(size=shape)
    return mt.tensor(x, requires_grad=True)


@pytest.mark.parametrize("need_weights", [True, False])
def test_derivatives_of_multihead_attention(need_weights):
    x, memory, weight, bias = draw(2, 2, 4), draw(3, 2, 4), draw(12, 4), draw(12)
    key, value, out = draw(1, 1, 4), draw(1, 1, 4), draw(4, 4)

    def call(x, memory, weight, bias, key, value, out):
        output, attended = nn.functional.multi_head_attention_forward(
            *(x, memory, memory, 4, 2, weight, bias, key, value, True, 0.0, out, None),
            need_weights=need_weights,
        )
        return output if attended is None else (output, attended)

    assert gradcheck(call, (x, memory, weight, bias, key, value, out))
    assert gradgradcheck(lambda x, m, w: call(x, m, w, bias, key, value, out), (x, memory, weight))


def test_weights_sum_to_one_and_the_same_comes_out_without_them():
    attend = nn.MultiheadAttention(8, 4, batch_first=True, dtype=mt.float64)
    x = draw(3, 5, 8)
    output, weights = attend(x, x, x, average_attn_weights=False)
    assert weights.shape == (3, 4, 5, 5)
    np.testing.assert_allclose(weights.sum(-1).detach().numpy(), 1, rtol=1e-12)
    alone, none = attend(x, x, x, need_weights=False)
    assert none is None
    np.testing.assert_allclose(alone.detach().numpy(), output.detach().numpy(), atol=1e-13)
    # Equal tensors that are not the same one go the long way.
    apart, _ = attend(x, x.clone(), x.clone())
    np.testing.assert_allclose(apart.detach().numpy(), output.detach().numpy(), atol=1e-13)


def test_a_causal_hint_takes_the_place_of_the_mask():
    attend = nn.MultiheadAttention(8, 2, dtype=mt.float64)
    x, mask = draw(5, 2, 8), nn.Transformer.generate_square_subsequent_mask(5, dtype=mt.float64)
    hinted, _ = attend(x, x, x, attn_mask=mask, is_causal=True, need_weights=False)
    masked, _ = attend(x, x, x, attn_mask=mask, need_weights=False)
    as_bool, _ = attend(x, x, x, attn_mask=mask < 0)
    for other in (masked, as_bool):
        np.testing.assert_allclose(other.detach().numpy(), hinted.detach().numpy(), atol=1e-13)
    with pytest.raises(RuntimeError, match="is_causal hint"):
        attend(x, x, x, is_causal=True)


def test_the_causal_mask():
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    assert mask.dtype == mt.float32
    assert (mask == 0).tolist() == np.tri(3, dtype=bool).tolist()
    assert mask.isinf().tolist() == (~np.tri(3, dtype=bool)).tolist()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((0, 1), ValueError, "greater than 0"),
        ((6, 4), AssertionError, "6 and 4"),
    ],
)
def test_heads_must_divide_the_width(arguments, error, words):
    with pytest.raises(error, match=words):
        nn.MultiheadAttention(*arguments)


def test_masks_of_a_wrong_shape_name_both_shapes():
    attend, x = nn.MultiheadAttention(4, 2), mt.zeros(3, 2, 4)
    with pytest.raises(RuntimeError, match=r"\[2, 3\], but should be \[3, 3\]"):
        attend(x, x, x, attn_mask=mt.zeros(2, 3))
    with pytest.raises(AssertionError, match=r"\[2, 3\], but got \[3, 2\]"):
        attend(x, x, x, key_padding_mask=mt.zeros(3, 2).bool())
    with pytest.raises(AssertionError, match="int64"):
        attend(x, x, x, attn_mask=mt.zeros(3, 3).long())
    with pytest.raises(AssertionError, match="was expecting embedding dimension of 4"):
        attend(mt.zeros(3, 2, 5), x, x)


@pytest.mark.parametrize("norm_first", [False, True])
def test_derivatives_of_layers(norm_first):
    mt.manual_seed(0)
    options = {"dropout": 0.0, "activation": "gelu", "norm_first": norm_first, "dtype": mt.float64}
    encode = nn.TransformerEncoderLayer(4, 2, 3, **options)
    decode = nn.TransformerDecoderLayer(4, 2, 3, **options)
    x, memory = draw(2, 1, 4), draw(3, 1, 4)
    assert gradcheck(encode, (x,))
    assert gradgradcheck(encode, (x,))
    assert gradcheck(decode, (x, memory))


def test_a_stack_finds_a_causal_mask_by_itself():
    layer = nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True, dtype=mt.float64)
    stack = nn.TransformerEncoder(layer, 2)
    x = draw(2, 3, 4)
    mask = nn.Transformer.generate_square_subsequent_mask(3, dtype=mt.float64)
    seen = []
    layer_forward = type(layer).forward

    class Watched(type(layer)):
        def forward(self, src, **options):
            seen.append(options["is_causal"])
            return layer_forward(self, src, **options)

    for each in stack.layers:
        each.__class__ = Watched
    hinted = stack(x, mask)
    other = stack(x, mask.clone().fill_(0.0))
    assert seen == [True, True, False, False]
    assert not mt.allclose(hinted, other)
    assert mt.allclose(hinted, stack(x, mask, is_causal=False))


def test_copies_in_a_stack_start_equal_and_learn_apart():
    stack = nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8, 0.0), 2, nn.LayerNorm(4))
    first, second = stack.layers
    assert mt.equal(first.linear1.weight, second.linear1.weight)
    assert first.linear1.weight is not second.linear1.weight
    stack(draw(3, 2, 4).float(), draw(2, 2, 4).float()).sum().backward()
    assert all(parameter.grad is not None for parameter in stack.parameters())
    assert list(copy.deepcopy(stack).state_dict()) == list(stack.state_dict())


def test_transformers_refuse_what_does_not_fit():
    model = nn.Transformer(4, 2, 1, 1, 8)
    with pytest.raises(RuntimeError, match="batch number"):
        model(mt.zeros(3, 2, 4), mt.zeros(3, 1, 4))
    with pytest.raises(RuntimeError, match="d_model"):
        model(mt.zeros(3, 2, 5), mt.zeros(3, 2, 4))
    with pytest.raises(RuntimeError, match="relu/gelu"):
        nn.TransformerEncoderLayer(4, 2, activation="tanh")
