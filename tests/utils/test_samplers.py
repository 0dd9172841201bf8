"""Samplers: orders and their batches."""

import numpy as np
import pytest

import microtensor as mt
from microtensor.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)


def test_in_order():
    assert list(SequentialSampler("abc")) == [0, 1, 2]
    assert len(SequentialSampler("abc")) == 3
    with pytest.raises(NotImplementedError, match="Sampler must define __iter__"):
        iter(Sampler())


def test_random_orders_repeat_with_their_seed_and_differ_between_epochs():
    sampler = RandomSampler(range(20), generator=mt.Generator().manual_seed(3))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert first == list(RandomSampler(range(20), generator=mt.Generator().manual_seed(3)))


def test_more_or_fewer_samples_than_there_are():
    assert len(set(RandomSampler(range(9), num_samples=4))) == 4
    many = list(RandomSampler(range(3), num_samples=7))
    assert [sorted(many[:3]), sorted(many[3:6]), len(many)] == [[0, 1, 2], [0, 1, 2], 7]
    drawn = list(RandomSampler(range(3), replacement=True, num_samples=3000))
    assert np.abs(np.bincount(drawn) / 3000 - 1 / 3).max() < 0.05
    assert len(RandomSampler(range(3), replacement=True)) == 3


def test_a_loader_follows_a_random_sampler_with_options():
    sampler = RandomSampler(range(5), replacement=True, num_samples=12)
    loader = DataLoader(TensorDataset(mt.arange(5)), batch_size=5, sampler=sampler)
    assert [len(batch) for (batch,) in loader] == [5, 5, 2]
    assert len(loader) == 3


def test_subsets():
    assert sorted(SubsetRandomSampler([3, 5, 9])) == [3, 5, 9]
    assert len(SubsetRandomSampler([3, 5, 9])) == 3


@pytest.mark.parametrize("weights", [[0.0, 3.0, 1.0, 0.0], mt.tensor([0.0, 0.75, 0.25, 0.0])])
def test_weights(weights):
    generator = mt.Generator().manual_seed(0)
    drawn = list(WeightedRandomSampler(weights, 4000, generator=generator))
    assert np.abs(np.bincount(drawn, minlength=4) / 4000 - [0, 0.75, 0.25, 0]).max() < 0.03


def test_weights_without_replacement():
    generator = mt.Generator().manual_seed(0)
    sampler = WeightedRandomSampler([1.0, 0.0, 9.0], 2, replacement=False, generator=generator)
    drawn = [list(sampler) for _ in range(500)]
    assert {tuple(sorted(each)) for each in drawn} == {(0, 2)}
    assert 0.85 < np.mean([each[0] == 2 for each in drawn]) < 0.95


def test_batches():
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, True)) == 2
    assert len(BatchSampler(range(5), 2, False)) == 3


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: RandomSampler("ab", num_samples=0), ValueError, "num_samples.*0"),
        (lambda: RandomSampler("ab", num_samples=True), ValueError, "num_samples.*True"),
        (lambda: RandomSampler("ab", replacement=1), TypeError, "replacement.*1"),
        (lambda: WeightedRandomSampler([1.0], -1), ValueError, "num_samples.*-1"),
        (lambda: WeightedRandomSampler([[1.0]], 1), ValueError, r"1d.*\(1, 1\)"),
        (lambda: WeightedRandomSampler([-1.0], 1), ValueError, "negative"),
        (lambda: WeightedRandomSampler([0.0], 1), ValueError, "not all zero"),
        (lambda: WeightedRandomSampler([1.0, 0], 2, False), ValueError, "2 samples.*1 of positive"),
        (lambda: BatchSampler("ab", 0, False), ValueError, "batch_size.*0"),
        (lambda: BatchSampler("ab", 1, 1), ValueError, "drop_last.*1"),
    ],
)
def test_bad_options_are_named(make, error, words):
    with pytest.raises(error, match=words):
        make()
