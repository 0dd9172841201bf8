"""Functions that read values to decide something are refused, or decide anew in each replay."""

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn

F = nn.functional


@pytest.mark.parametrize(
    "decide",
    [
        lambda x, y: mt.equal(x, y),
        lambda x, y: x.equal(y),
        lambda x, y: mt.allclose(x, y),
        lambda x, y: 1.0 in y,
        lambda x, y: mt.arange(3.0)[y.sum().long()].add(1),
        lambda x, y: F.one_hot(y.long()),
    ],
)
def test_a_decision_by_values_is_refused(decide):
    with pytest.raises(RuntimeError, match="reads a value"):
        mt.capture(lambda x, y: x * 2 if decide(x, y) is True else x * 3)(mt.ones(2), mt.ones(2))


@pytest.mark.parametrize(
    "count",
    [
        lambda x: x.nonzero(),
        lambda x: x.nonzero(as_tuple=True)[0],
        lambda x: mt.argwhere(x),
        lambda x: mt.where(x > 0)[0],
        lambda x: x.unique_consecutive(),
    ],
)
def test_the_number_of_elements_found_is_no_constant(count):
    f = mt.capture(lambda x: x * len(count(x)))
    with pytest.raises(RuntimeError, match=r"changes shapes with the data|computed outside"):
        f(mt.tensor([1.0, 2.0]))
        f(mt.tensor([0.0, 0.0]))


def test_the_elements_told_apart_are_refused():
    with pytest.raises(RuntimeError, match="computed outside"):
        mt.capture(lambda x: x * len(x.unique()))(mt.ones(2))


BAD = {
    "bernoulli": (mt.bernoulli, mt.tensor([0.5, 1.5])),
    "bernoulli_": (lambda p: mt.zeros(2).bernoulli_(p), mt.tensor([0.5, -1.0])),
    "normal": (lambda std: mt.normal(mt.zeros(2), std), mt.tensor([0.5, -1.0])),
    "poisson": (mt.poisson, mt.tensor([1.0, float("nan")])),
    "multinomial": (lambda w: mt.multinomial(w, 1), mt.tensor([1.0, -1.0])),
    "one_hot": (lambda x: F.one_hot(x.long(), 3), mt.tensor([0.0, 3.0])),
}


@pytest.mark.parametrize("name", BAD)
def test_values_that_eager_mode_refuses_are_refused_by_replays(name):
    function, bad = BAD[name]
    f = mt.capture(function)
    good = mt.tensor([0.5, 0.5])
    results = []
    for each in (function, f):
        mt.manual_seed(0)
        results.append([each(good).tolist() for _ in range(3)])
    assert results[0] == results[1]
    with pytest.raises(RuntimeError) as eager:
        function(bad)
    with pytest.raises(RuntimeError) as replayed:
        f(bad)
    assert str(eager.value) == str(replayed.value)


def test_vectors_of_no_length_may_come_later():
    f = mt.capture(F.cosine_similarity)
    x, y, zero = mt.ones(2, 3), mt.ones(2, 3), mt.zeros(2, 3)
    assert f(x, y).tolist() == pytest.approx([1.0, 1.0])
    assert f(x, zero).tolist() == [0.0, 0.0]


def test_masks_scatter_as_many_elements_as_they_name():
    f = mt.capture(lambda x, m, s: x.clone().masked_scatter_(m, s))
    masks = np.array([[1, 0, 0], [1, 1, 1], [0, 0, 0], [0, 1, 1]], bool)
    for mask in masks:
        given = (mt.zeros(3), mt.tensor(mask), mt.arange(3.0) + 1)
        assert f(*given).tolist() == mt.zeros(3).masked_scatter_(*given[1:]).tolist()


def test_a_mask_that_is_no_longer_causal_is_refused():
    mt.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 1)
    causal = nn.Transformer.generate_square_subsequent_mask(3)
    f, x = mt.capture(encoder), mt.randn(1, 3, 4)
    for _ in range(2):
        assert f(x, causal).tolist() == encoder(x, causal).tolist()
    with pytest.raises(RuntimeError, match="is not now"):
        f(x, mt.zeros(3, 3))


def test_rows_that_become_long_are_shortened():
    f = mt.capture(lambda x: x.renorm(2, 0, 1.0))
    for scale in (0.1, 10.0, 0.2):
        x = mt.full((2, 3), scale)
        assert f(x).tolist() == x.renorm(2, 0, 1.0).tolist()
