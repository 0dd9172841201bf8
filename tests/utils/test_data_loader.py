"""TensorDataset, Subset, random_split, DataLoader and default_collate."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import microtensor as mt
from microtensor.utils.data import (
    DataLoader,
    Dataset,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)


def numbers(count=10):
    return TensorDataset(mt.arange(count), mt.arange(count).to(mt.float32).reshape(-1, 1) * 2)


def batches(loader):
    return [x.tolist() for x, _ in loader]


class Squares(Dataset):
    def __getitem__(self, index):
        return {"x": index, "y": float(index**2)}

    def __len__(self):
        return 5


# ---- data sets ----------------------------------------------------------------------------------


def test_a_tensor_dataset_gives_rows_together():
    data = numbers()
    assert len(data) == 10
    x, y = data[3]
    assert (x.item(), y.tolist()) == (3, [6.0])
    assert data[2:4][0].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("tensors", "error", "words"),
    [
        ((), ValueError, "at least one tensor"),
        ((mt.ones(2), mt.ones(3)), ValueError, "Size mismatch.* 2, 3, but must be equal"),
        ((mt.ones(2), np.ones(2)), TypeError, "argument 1 must be a Tensor, got ndarray.*from_num"),
        ((mt.tensor(1.0),), ValueError, "tensor 0 has no dimension"),
    ],
)
def test_bad_tensors_are_named(tensors, error, words):
    with pytest.raises(error, match=words):
        TensorDataset(*tensors)


def test_a_dataset_without_getitem_says_so():
    with pytest.raises(NotImplementedError, match="Dataset must define __getitem__"):
        Dataset()[0]


def test_random_split_divides_without_overlap_and_repeats_with_its_seed():
    def split(seed):
        parts = random_split(numbers(), [7, 3], mt.Generator().manual_seed(seed))
        return [[part[i][0].item() for i in range(len(part))] for part in parts]

    first = split(0)
    assert [len(part) for part in first] == [7, 3]
    assert sorted(first[0] + first[1]) == list(range(10))
    assert split(0) == first
    assert split(1) != first


def test_random_split_takes_fractions():
    assert [len(p) for p in random_split(range(11), [0.5, 0.25, 0.25])] == [6, 3, 2]
    assert [len(p) for p in random_split(range(10), [0.1] * 10)] == [1] * 10


@pytest.mark.parametrize("lengths", [[7, 2], [0.5, 0.6], [5.5, 4.5], [11, -1]])
def test_random_split_refuses_lengths_that_do_not_add_up(lengths):
    with pytest.raises(ValueError, match="random_split: "):
        random_split(numbers(), lengths)


# ---- batches ------------------------------------------------------------------------------------


def test_batches_in_order_with_a_smaller_last_one():
    loader = DataLoader(numbers(), batch_size=4)
    assert batches(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(loader) == 3
    for x, y in loader:
        assert (x * 2).tolist() == y.reshape(-1).tolist()
    dropped = DataLoader(numbers(), batch_size=4, drop_last=True)
    assert [len(b) for b in batches(dropped)] == [4, 4]
    assert len(dropped) == 2


def test_shuffling_is_a_new_permutation_every_epoch():
    loader = DataLoader(numbers(100), batch_size=7, shuffle=True, seed=0)
    first, second = ([i for batch in batches(loader) for i in batch] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert first != list(range(100))


def test_the_same_seed_gives_the_same_batches():
    def epochs(**source):
        loader = DataLoader(numbers(50), batch_size=8, shuffle=True, **source)
        return [batches(loader), batches(loader)]

    by_seed = epochs(seed=5)
    assert epochs(seed=5) == by_seed
    assert epochs(generator=mt.Generator().manual_seed(5)) == by_seed
    assert epochs(seed=6) != by_seed
    mt.manual_seed(5)
    assert epochs() == by_seed


def test_the_order_is_drawn_when_the_epoch_begins():
    mt.manual_seed(0)
    loader = DataLoader(numbers(50), batch_size=50, shuffle=True)
    epoch = iter(loader)
    mt.manual_seed(1)
    drawn_late = next(iter(loader))[0].tolist()
    mt.manual_seed(0)
    drawn_early = next(iter(loader))[0].tolist()
    assert next(epoch)[0].tolist() == drawn_early != drawn_late


def test_gathering_equals_collating_sample_by_sample():
    data = numbers()
    gathered = DataLoader(data, batch_size=3, shuffle=True, seed=2)
    collated = DataLoader(
        data, batch_size=3, shuffle=True, seed=2, collate_fn=lambda b: default_collate(b)
    )
    for one, other in zip(gathered, collated, strict=True):
        assert type(one) is type(other) is list
        for a, b in zip(one, other, strict=True):
            assert a.dtype == b.dtype
            assert a.tolist() == b.tolist()


def test_batches_of_a_subset_are_gathered_through_it():
    class Counting(Subset):
        pass

    data = numbers()
    part = Subset(Subset(data, [9, 7, 5, 3, 1]), [0, 2, 4])
    assert batches(DataLoader(part, batch_size=2)) == [[9, 5], [1]]
    assert batches(DataLoader(Counting(data, [4, 2]), batch_size=2)) == [[4, 2]]
    split = random_split(data, [8, 2], mt.Generator().manual_seed(0))
    assert batches(DataLoader(split[0], batch_size=8))[0] == split[0].indices


def test_a_getitem_of_a_subclass_is_respected():
    class Augmented(TensorDataset):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return x + 100, y

    data = Augmented(*numbers().tensors)
    assert batches(DataLoader(data, batch_size=5))[0] == [100, 101, 102, 103, 104]
    assert batches(DataLoader(Subset(data, [1]), batch_size=5)) == [[101]]


def test_batches_do_not_share_the_data_sets_memory():
    data = numbers()
    for x, _ in DataLoader(data, batch_size=10):
        x.zero_()
    assert data.tensors[0].tolist() == list(range(10))


def test_non_contiguous_tensors_are_gathered():
    data = TensorDataset(mt.arange(12).reshape(3, 4).T)
    assert [x.tolist() for [x] in DataLoader(data, batch_size=3)] == [
        [[0, 4, 8], [1, 5, 9], [2, 6, 10]],
        [[3, 7, 11]],
    ]


def test_gradients_reach_a_tensor_of_the_data_set():
    x = mt.ones(4, requires_grad=True)
    for [batch] in DataLoader(TensorDataset(x), batch_size=2):
        (batch * 3).sum().backward()
    assert x.grad.tolist() == [3] * 4


def test_map_style_data_sets_go_through_collate():
    [first, second] = DataLoader(Squares(), batch_size=3)
    assert first["x"].tolist() == [0, 1, 2]
    assert second["y"].tolist() == [9, 16]
    assert next(iter(DataLoader([3, 1, 4], batch_size=3))).tolist() == [3, 1, 4]


def test_samplers_decide_the_order():
    loader = DataLoader(numbers(), batch_size=2, sampler=[5, 1, 5])
    assert batches(loader) == [[5, 1], [5]]
    assert len(loader) == 2
    assert batches(DataLoader(numbers(), batch_size=2, sampler=[5, 1, 5], drop_last=True)) == [
        [5, 1]
    ]
    chosen = DataLoader(numbers(), batch_sampler=[[1, 2, 3], [7]])
    assert batches(chosen) == [[1, 2, 3], [7]]
    assert len(chosen) == 2


def test_an_empty_data_set_has_no_batches():
    for shuffle in (False, True):
        loader = DataLoader(TensorDataset(mt.zeros(0, 3)), batch_size=2, shuffle=shuffle)
        assert list(loader) == []
        assert len(loader) == 0


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be positive, got 0"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an int, got float"),
        ({"batch_size": True}, TypeError, "batch_size must be an int, got bool"),
        ({"num_workers": -1}, ValueError, "num_workers option .* non-negative int.*-1"),
        ({"shuffle": True, "sampler": [1]}, ValueError, "mutually exclusive with shuffle"),
        ({"batch_sampler": [[1]], "batch_size": 2}, ValueError, "mutually exclusive with batch_s"),
        ({"seed": 1, "generator": mt.Generator()}, ValueError, "a generator or a seed, not both"),
        ({"generator": 3}, TypeError, "generator must be a Generator or None, not int"),
    ],
)
def test_bad_options_are_named(options, error, words):
    with pytest.raises(error, match=words):
        DataLoader(numbers(), **options)


def test_what_is_no_data_set_is_refused():
    with pytest.raises(TypeError, match=r"must have __getitem__ and __len__.*, got generator"):
        DataLoader(x for x in range(3))


# ---- collating ----------------------------------------------------------------------------------


def test_collating_follows_the_structure_of_the_samples():
    Point = namedtuple("Point", "x y")
    samples = [
        {
            "tensor": mt.tensor([float(i), 1.0]),
            "array": np.array([i, 2]),
            "scalar": np.float32(i),
            "int": i,
            "float": i / 2,
            "bool": i == 0,
            "text": "ab"[i],
            "pair": (i, [i, "c"]),
            "point": Point(i, i * 2.0),
        }
        for i in range(2)
    ]
    batch = default_collate(samples)
    assert batch["tensor"].tolist() == [[0, 1], [1, 1]]
    assert batch["array"].tolist() == [[0, 2], [1, 2]]
    assert (batch["scalar"].dtype, batch["scalar"].tolist()) == (mt.float32, [0, 1])
    assert (batch["int"].dtype, batch["int"].tolist()) == (mt.int64, [0, 1])
    assert (batch["float"].dtype, batch["float"].tolist()) == (mt.float64, [0, 0.5])
    assert (batch["bool"].dtype, batch["bool"].tolist()) == (mt.bool, [True, False])
    assert batch["text"] == ["a", "b"]
    assert batch["pair"][0].tolist() == [0, 1]
    assert batch["pair"][1][1] == ("c", "c")
    assert isinstance(batch["point"], Point)
    assert batch["point"].y.tolist() == [0, 2]


def test_collating_names_what_it_cannot_do():
    with pytest.raises(TypeError, match="found <class 'object'>"):
        default_collate([object()])
    with pytest.raises(RuntimeError, match="should be of equal size"):
        default_collate([(1, 2), (1,)])


def test_collating_agrees_with_pytorch():
    torch = pytest.importorskip("torch")
    from torch.utils.data import default_collate as theirs

    samples = [{"a": (i, float(i)), "b": [np.ones(2) * i, "x"], "c": True} for i in range(3)]
    ours, other = default_collate(samples), theirs(samples)
    assert type(ours["a"]) is type(other["a"])
    for a, b in zip(
        [*ours["a"], ours["b"][0], ours["c"]], [*other["a"], other["b"][0], other["c"]], strict=True
    ):
        assert repr(a.dtype).split(".")[1] == repr(b.dtype).split(".")[1]
        assert a.tolist() == b.tolist()
    assert len(ours["b"][1]) == len(other["b"][1])
    assert isinstance(torch.as_tensor(1), torch.Tensor)


def test_strings_stay_side_by_side_and_mappings_of_their_kind():
    assert default_collate(["a", "b"]) == ["a", "b"]
    assert default_collate([("a",), ("b",)]) == [("a", "b")]
    assert default_collate([{"x": "a"}, {"x": "b"}]) == {"x": ["a", "b"]}
    batch = default_collate([OrderedDict(x=1, y=2), OrderedDict(x=3, y=4)])
    assert type(batch) is OrderedDict and batch["y"].tolist() == [2, 4]


def test_a_part_gives_several_samples_of_a_list():
    part = Subset(TensorDataset(mt.arange(5) * 10), [4, 3, 1])
    assert part[[0, 2]][0].tolist() == [40, 10]
