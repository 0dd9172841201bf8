"""Data sets made of others: behind each other, side by side, and streams."""

import numpy as np
import pytest

import microtensor as mt
from microtensor.utils.data import (
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    default_convert,
)


class Stream(IterableDataset):
    def __init__(self, *numbers):
        self.numbers = numbers

    def __iter__(self):
        return iter(self.numbers)

    def __len__(self):
        return len(self.numbers)


def test_concatenation():
    both = ConcatDataset(["abc", [], "de"])
    assert [both[i] for i in range(-5, 5)] == list("abcdeabcde")
    assert both.cumulative_sizes == [3, 3, 5]
    for index, error in ((5, IndexError), (-6, ValueError)):
        with pytest.raises(error, match=f"index {index} .* 5 samples"):
            both[index]
    assert list(both) == list("abcde")  # as the end of a loop is an IndexError
    with pytest.raises(ValueError, match="empty iterable"):
        ConcatDataset([])
    with pytest.raises(ValueError, match="ChainDataset"):
        ConcatDataset([Stream(1)])


def test_sums_of_data_sets():
    one = TensorDataset(mt.arange(2))
    assert isinstance(one + one, ConcatDataset)
    assert [int(x) for (x,) in DataLoader(one + one, batch_size=None)] == [0, 1, 0, 1]
    chain = Stream(1, 2) + Stream(3)
    assert isinstance(chain, ChainDataset)
    assert (list(chain), len(chain)) == ([1, 2, 3], 3)
    with pytest.raises(TypeError, match="IterableDataset, got TensorDataset"):
        list(ChainDataset([one]))


def test_stacking():
    assert StackDataset("ab", "cd")[1] == ("b", "d")
    named = StackDataset(x="ab", y="cd")
    assert (named[0], len(named)) == ({"x": "a", "y": "c"}, 2)
    for arguments, names, words in (
        ((), {}, "at least one"),
        (("ab",), {"y": "cd"}, "both types"),
        (("ab", "c"), {}, r"\[2, 1\]"),
    ):
        with pytest.raises(ValueError, match=words):
            StackDataset(*arguments, **names)


def test_streams_in_batches():
    stream = Stream(*range(5))
    loader = DataLoader(stream, batch_size=2)
    assert [batch.tolist() for batch in loader] == [[0, 1], [2, 3], [4]]
    assert len(loader) == 3
    short = DataLoader(stream, batch_size=2, drop_last=True)
    assert [batch.tolist() for batch in short] == [[0, 1], [2, 3]]
    assert len(short) == 2
    assert list(DataLoader(stream, batch_size=None)) == [0, 1, 2, 3, 4]
    for options in ({"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}):
        with pytest.raises(ValueError, match="IterableDataset: expected unspecified"):
            DataLoader(stream, **options)
    with pytest.raises(NotImplementedError, match="IterableDataset must define __iter__"):
        iter(IterableDataset())


def test_samples_of_their_own():
    loader = DataLoader(TensorDataset(mt.arange(3)), batch_size=None)
    assert [x.tolist() for (x,) in loader] == [0, 1, 2]
    assert len(loader) == 3
    with pytest.raises(ValueError, match=r"batch_size=None .*drop_last"):
        DataLoader(Stream(1), batch_size=None, drop_last=True)


def test_several_samples_at_once():
    class Many(Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            raise AssertionError("one by one")

        def __getitems__(self, indices):
            return [10 * index for index in indices]

    assert [b.tolist() for b in DataLoader(Many(), batch_size=4)] == [[0, 10, 20, 30], [40, 50]]
    assert next(iter(DataLoader(Subset(Many(), [5, 3]), batch_size=2))).tolist() == [50, 30]


def test_keys_of_any_kind():
    loader = DataLoader({"a": 1, "b": 2}, batch_sampler=[["b"], ["a", "b"]])
    assert [batch.tolist() for batch in loader] == [[2], [1, 2]]


def test_conversion_goes_as_deep_as_samples_do():
    found = default_convert({"x": [np.ones(2, np.float32), "s"], "y": (np.int64(3), b"b", None)})
    assert found["x"][0].tolist() == [1.0, 1.0]
    assert found["x"][1] == "s"
    assert found["y"][0].tolist() == 3
    assert found["y"][1:] == [b"b", None]
