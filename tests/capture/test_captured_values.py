"""What functions compute from values beside their operations, captured: places, lengths, checks."""

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.nn import functional as F


def agree(function, make, calls=3):
    """Call a function, and a captured one, on the same new tensors; all values must agree."""
    rng = np.random.default_rng(0)
    captured = mt.capture(function)
    for _ in range(calls):
        given = make(rng)
        found = []
        for each in (function, captured):
            tensors = [
                t.clone().requires_grad_() if t.is_floating_point() else t.clone() for t in given
            ]
            results = [each(*tensors)]
            results += [t.grad for t in tensors]
            found.append([None if t is None else t.detach().numpy().copy() for t in results])
        for one, other in zip(*found, strict=True):
            np.testing.assert_array_equal(one, other)
    return captured


def backward(function):
    def step(*given):
        loss = (function(*given) ** 2).sum()
        loss.backward()
        return loss

    return step


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode, padding_mode, align_corners):
    agree(
        backward(lambda x, grid: F.grid_sample(x, grid, mode, padding_mode, align_corners)),
        lambda rng: (
            mt.tensor(rng.normal(size=(2, 2, 4, 3))),
            mt.tensor(rng.uniform(-1.5, 1.5, (2, 3, 2, 2))),
        ),
    )


def test_affine_grid_and_volumes():
    agree(
        backward(lambda t, x: F.grid_sample(x, F.affine_grid(t, (2, 1, 2, 3, 2)))),
        lambda rng: (mt.tensor(rng.normal(size=(2, 3, 4))), mt.tensor(rng.random((2, 1, 3, 2, 4)))),
    )


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 1])
@pytest.mark.parametrize("last", [False, True])
def test_bags_that_begin_anywhere(mode, padding_idx, last):
    def bags(table, numbers, offsets):
        return F.embedding_bag(
            numbers, table, offsets, mode=mode, padding_idx=padding_idx, include_last_offset=last
        )

    agree(
        backward(bags),
        lambda rng: (
            mt.tensor(rng.normal(size=(4, 2))),
            mt.tensor(rng.integers(0, 4, 7)),
            mt.tensor(np.sort([0, *rng.integers(0, 8, 3)])),
        ),
    )


def test_long_rows_are_shortened_at_each_call():
    found = []
    for wrap in (lambda f: f, mt.capture):
        mt.manual_seed(0)
        layer = nn.Embedding(5, 3, max_norm=0.5)
        optimizer = mt.optim.SGD(layer.parameters(), lr=0.5)

        def step(numbers, layer=layer, optimizer=optimizer):
            optimizer.zero_grad()
            loss = layer(numbers).exp().sum()
            loss.backward()
            optimizer.step()
            return loss

        call = wrap(step)
        rows = [mt.tensor([0, 1]), mt.tensor([3, 3]), mt.tensor([1, 4])]
        found.append(([call(r).item() for r in rows], layer.weight.tolist()))
    assert found[0] == found[1]


@pytest.mark.parametrize("flat", [False, True])
def test_ctc_with_lengths_in_tensors(flat):
    def loss(x, labels, frames, lengths):
        return F.ctc_loss(x.log_softmax(2), labels, frames, lengths)

    def make(rng):
        return (
            mt.tensor(rng.normal(size=(6, 2, 4))),
            mt.tensor(rng.integers(1, 4, 3 if flat else (2, 3))),
            mt.tensor(rng.integers(5, 7, 2)),
            mt.tensor([1, 2]) if flat else mt.tensor(rng.integers(1, 4, 2)),
        )

    if flat:  # how wide the matrix of labels is would be a question of values
        with pytest.raises(RuntimeError, match=r"tolist\(\) reads a value"):
            agree(backward(loss), make)
        agree(backward(lambda x, y, frames, _: loss(x, y, frames, (1, 2))), make)
    else:
        agree(backward(loss), make)


def test_what_is_refused_in_eager_mode_is_refused_by_a_replay():
    nll = mt.capture(lambda x, y: F.nll_loss(x, y))
    margin = mt.capture(lambda x, y: F.multi_margin_loss(x, y))
    normal = mt.capture(lambda x, v: F.gaussian_nll_loss(x, x, v))
    x, good, bad = mt.zeros(2, 3), mt.tensor([0, 2]), mt.tensor([0, 3])
    nll(x, good), margin(x, good), normal(x, x + 1)
    with pytest.raises(IndexError, match="target 3 at row 1"):
        nll(x, bad)
    with pytest.raises(RuntimeError, match="target 3 is out of range"):
        margin(x, bad)
    with pytest.raises(ValueError, match="negative entry"):
        normal(x, x - 1)
    assert nll(x, good).item() == 0.0


def test_alpha_dropout_is_that_of_eager_mode_in_half_precision():
    x = mt.randn(4, 5).half()
    captured = mt.capture(lambda x: F.alpha_dropout(x, 0.5, True) * 1)
    captured(x)
    mt.manual_seed(5)
    eager = F.alpha_dropout(x, 0.5, True)
    mt.manual_seed(5)
    assert captured(x).tolist() == eager.tolist()
