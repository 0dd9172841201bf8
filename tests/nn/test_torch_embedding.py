"""Embedding, bags and the bilinear form beside PyTorch's."""

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn

torch = pytest.importorskip("torch")
TF = torch.nn.functional


def check(rng, ours, theirs, *arrays):
    a = [mt.tensor(x, requires_grad=True) for x in arrays]
    b = [torch.tensor(x, requires_grad=True) for x in arrays]
    y, z = ours(*a), theirs(*b)
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-12)
    g = rng.normal(size=tuple(z.shape))
    y.backward(mt.tensor(g))
    z.backward(torch.tensor(g))
    for p, q in zip(a, b, strict=True):
        expected = q.grad.to_dense().numpy()
        np.testing.assert_allclose(p.grad.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding_idx": -2},
        {"scale_grad_by_freq": True, "padding_idx": 2},
        {"sparse": True},
    ],
)
def test_embedding_is_torchs(options, rng):
    index, weight = rng.integers(0, 7, (3, 4)), rng.normal(size=(7, 5))
    check(
        rng,
        lambda w: F.embedding(mt.tensor(index), w, **options),
        lambda w: TF.embedding(torch.tensor(index), w, **options),
        weight,
    )


def test_max_norm_scales_the_rows_that_are_looked_up_in_place(rng):
    ours = nn.Embedding(7, 5, max_norm=1.0, norm_type=1.5)
    theirs = torch.nn.Embedding(7, 5, max_norm=1.0, norm_type=1.5)
    assert repr(ours) == repr(theirs)
    theirs.weight.data = torch.tensor(ours.weight.detach().numpy().copy())
    index = rng.integers(0, 4, 6)
    y, z = ours(mt.tensor(index)), theirs(torch.tensor(index))
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-6)
    found, expected = ours.weight.detach().numpy(), theirs.weight.detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("padding_idx", [None, 2])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag_is_torchs(mode, padding_idx, rng):
    weight, options = rng.normal(size=(7, 5)), {"mode": mode, "padding_idx": padding_idx}
    matrix, vector = rng.integers(0, 7, (3, 4)), rng.integers(0, 7, 9)
    check(
        rng,
        lambda w: F.embedding_bag(mt.tensor(matrix), w, **options),
        lambda w: TF.embedding_bag(torch.tensor(matrix), w, **options),
        weight,
    )
    for offsets, last in (([0, 2, 2, 6], False), ([0, 2, 2, 6, 9], True)):
        check(
            rng,
            lambda w, o=offsets, e=last: F.embedding_bag(
                mt.tensor(vector), w, mt.tensor(o), include_last_offset=e, **options
            ),
            lambda w, o=offsets, e=last: TF.embedding_bag(
                torch.tensor(vector), w, torch.tensor(o), include_last_offset=e, **options
            ),
            weight,
        )


def test_weights_of_a_bags_samples_are_torchs(rng):
    index, offsets = rng.integers(0, 7, 9), [0, 2, 2, 6]
    check(
        rng,
        lambda w, s: F.embedding_bag(
            mt.tensor(index), w, mt.tensor(offsets), mode="sum", per_sample_weights=s
        ),
        lambda w, s: TF.embedding_bag(
            torch.tensor(index), w, torch.tensor(offsets), mode="sum", per_sample_weights=s
        ),
        rng.normal(size=(7, 5)),
        rng.normal(size=9),
    )


def test_bilinear_is_torchs(rng):
    shapes = [(2, 3, 4), (2, 3, 5), (6, 4, 5), (6,)]
    check(rng, F.bilinear, TF.bilinear, *(rng.normal(size=shape) for shape in shapes))
    assert repr(nn.Bilinear(4, 5, 6)) == repr(torch.nn.Bilinear(4, 5, 6))


def test_layers_have_torchs_state_dicts():
    for name, args in (("Embedding", (7, 5, 1)), ("EmbeddingBag", (7, 5)), ("Bilinear", (2, 3, 4))):
        ours, theirs = getattr(nn, name)(*args), getattr(torch.nn, name)(*args)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        assert repr(ours) == repr(theirs)
