"""Embedding by itself: derivatives, sparse rows, edges and errors."""

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import kernels, nn
from microtensor.autograd import gradcheck, gradgradcheck
from microtensor.kernels import twin
from microtensor.optim import SparseAdam

INDEX = mt.tensor([[1, 2, 2], [0, 2, 4]])


@pytest.mark.parametrize("padding_idx", [None, 2])
def test_derivatives_of_first_and_second_order_are_right(padding_idx, rng):
    weight = mt.tensor(rng.normal(size=(5, 3)), requires_grad=True)
    if padding_idx is None:  # a padding row's gradient is zero, whatever it does to the result
        assert gradcheck(lambda w: F.embedding(INDEX, w), (weight,))
    for by_frequency in (False, True):
        assert gradgradcheck(
            lambda w, s=by_frequency: F.embedding(INDEX, w, padding_idx, scale_grad_by_freq=s),
            (weight,),
        )


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_derivatives_of_bags_are_right(mode, rng):
    weight = mt.tensor(rng.normal(size=(5, 3)), requires_grad=True)
    assert gradcheck(lambda w: F.embedding_bag(INDEX, w, mode=mode), (weight,))
    assert gradgradcheck(lambda w: F.embedding_bag(INDEX, w, mode=mode), (weight,))


def test_derivatives_of_the_bilinear_form_are_right(rng):
    inputs = [
        mt.tensor(rng.normal(size=s), requires_grad=True) for s in [(2, 3), (2, 2), (4, 3, 2)]
    ]
    assert gradcheck(F.bilinear, inputs)
    assert gradgradcheck(F.bilinear, inputs)


@pytest.mark.parametrize("shape", [(7, 1), (50, 33), (9, 4000)])
def test_both_kernels_agree(shape, rng):
    weight = rng.normal(size=shape).astype(np.float32)
    index = rng.integers(0, shape[0], 40)
    g = rng.normal(size=(40, shape[1])).astype(np.float32)
    results = []
    for module in (kernels, twin):
        y, out = np.empty_like(g), np.empty_like(weight)
        module.embedding(weight, index, y)
        module.embedding_backward(g, index, 3, out)
        results.append((y, out))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-6, atol=1e-6)
    assert not results[0][1][3].any()


def test_a_sparse_gradient_reports_its_rows_and_sparse_adam_moves_those_alone():
    layer = nn.Embedding(6, 2, sparse=True)
    before = layer.weight.detach().clone()
    optimizer = SparseAdam(layer.parameters(), lr=0.1)
    for rows in ([1, 4, 4], [0, 4]):
        optimizer.zero_grad()
        layer(mt.tensor(rows)).sum().backward()
        assert layer.weight.grad.rows.tolist() == sorted(set(rows))
        optimizer.step()
    moved = (layer.weight.detach() != before).any(1).tolist()
    assert moved == [True, True, False, False, True, False]


def test_the_gradient_by_frequency_is_divided_by_the_count():
    weight = mt.zeros(5, 1, requires_grad=True)
    F.embedding(mt.tensor([1, 1, 1, 2]), weight, scale_grad_by_freq=True).sum().backward()
    assert weight.grad.flatten().tolist() == [0, 1, 1, 0, 0]


def test_a_padding_row_starts_at_zero_and_gets_no_gradient():
    layer = nn.Embedding(4, 2, padding_idx=-1)
    assert layer.padding_idx == 3
    assert layer.weight[3].tolist() == [0, 0]
    layer(mt.tensor([3, 1])).sum().backward()
    assert layer.weight.grad.tolist() == [[0, 0], [1, 1], [0, 0], [0, 0]]


def test_a_pretrained_table_is_frozen_unless_told_otherwise():
    table = mt.ones(3, 2)
    assert not nn.Embedding.from_pretrained(table).weight.requires_grad
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    assert not nn.EmbeddingBag.from_pretrained(table).weight.requires_grad


def test_no_numbers_give_no_rows_and_an_empty_bag_zeros():
    weight = mt.ones(3, 2, requires_grad=True)
    y = F.embedding(mt.zeros(0, dtype=mt.int64), weight)
    assert y.shape == (0, 2)
    y.sum().backward()
    assert weight.grad.tolist() == [[0, 0]] * 3
    for mode in ("sum", "mean", "max"):
        bags = F.embedding_bag(mt.tensor([1]), weight, mt.tensor([0, 1]), mode=mode)
        assert bags.tolist() == [[1, 1], [0, 0]]


def test_int32_numbers_are_taken():
    assert F.embedding(mt.tensor([1], dtype=mt.int32), mt.ones(3, 2)).shape == (1, 2)


ONES = mt.ones(3, 2)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: F.embedding(mt.tensor([[0, 1], [7, 0]]), ONES),
            IndexError,
            r"input has 7 at \[1, 0\], legal are 0 to 2",
        ),
        (lambda: F.embedding(mt.tensor([-1]), ONES), IndexError, "input has -1"),
        (lambda: F.embedding_bag(mt.tensor([[5]]), ONES, mode="max"), IndexError, "has 5"),
        (lambda: F.embedding(mt.tensor([1.0]), ONES), RuntimeError, "Long, Int"),
        (lambda: F.embedding(mt.tensor([1]), mt.ones(3)), RuntimeError, "matrix"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), AssertionError, "Padding_idx"),
        (lambda: F.embedding_bag(mt.tensor([1]), ONES), ValueError, "offsets"),
        (lambda: F.embedding_bag(mt.tensor([[1]]), ONES, mt.tensor([0])), ValueError, "2D"),
        (lambda: F.embedding_bag(mt.tensor([1]), ONES, mt.tensor([1])), RuntimeError, "offsets.0."),
        (
            lambda: F.embedding_bag(mt.tensor([1]), ONES, mt.tensor([0, 5])),
            RuntimeError,
            "length 1",
        ),
        (lambda: F.embedding_bag(mt.tensor([[1]]), ONES, mode="min"), ValueError, "'sum'"),
        (lambda: nn.Bilinear(2, 3, 4)(mt.ones(5, 2), mt.ones(5, 2)), RuntimeError, "bilinear"),
    ],
)
def test_errors_name_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_every_mode_scale_the_long_rows_down(mode):
    weight = mt.tensor([[3.0, 4.0], [0.3, 0.4]], dtype=mt.float64)
    bags = F.embedding_bag(mt.tensor([[0], [1]]), weight, max_norm=1.0, mode=mode)
    np.testing.assert_allclose(weight.numpy(), [[0.6, 0.8], [0.3, 0.4]], rtol=1e-6)
    np.testing.assert_array_equal(bags.numpy(), weight.numpy())
