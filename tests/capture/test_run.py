"""Whole epochs of captured steps against a loop over a loader."""

import signal

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.capturing.epochs import _alike
from microtensor.utils.data import (
    DataLoader,
    IterableDataset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)


def made(kind=mt.optim.Adam, dropout=0.0):
    mt.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2))
    optimizer = kind(model.parameters(), lr=0.01)

    @mt.capture
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def rows(count=22):
    rng = np.random.default_rng(0)
    return mt.tensor(rng.normal(size=(count, 3)).astype("f")), mt.tensor(rng.integers(0, 2, count))


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("kind", [mt.optim.Adam, mt.optim.NAdam])
def test_the_bits_of_a_loop(shuffle, drop_last, kind):
    found = []
    for whole in (False, True):
        model, step = made(kind, dropout=0.25)
        data = TensorDataset(*rows())
        options = {"batch_size": 4, "shuffle": shuffle, "drop_last": drop_last}
        options["generator"] = mt.Generator().manual_seed(3)
        if whole:
            losses = step.run(data, epochs=4, **options)
        else:
            loader = DataLoader(data, **options)
            losses = [step(x, y) for _ in range(4) for x, y in loader]
        found.append(
            [t.item() for t in losses] + [p.detach().numpy().tobytes() for p in model.parameters()]
        )
    assert found[0] == found[1]


def test_progress_counts_steps():
    seen = []
    _, step = made()
    step.run(
        rows(), batch_size=4, epochs=2, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (12, 12)


def test_a_loader_and_bad_input():
    _, step = made()
    assert len(step.run(DataLoader(TensorDataset(*rows()), batch_size=5))) == 5
    with pytest.raises(ValueError, match="batch_size"):
        step.run(rows(), batch_size=0)
    with pytest.raises(ValueError, match="no data"):
        step.run(rows(3), batch_size=4, drop_last=True)
    with pytest.raises(ValueError, match="Size mismatch"):
        step.run((rows(4)[0], rows(5)[1]))
    with pytest.raises(TypeError, match="DataLoader"):
        step.run(3)


def test_data_that_require_a_gradient_are_refused():
    step = mt.capture(lambda x: x * 2)
    with pytest.raises(ValueError, match="data whose gradient is asked for"):
        step.run(mt.ones(4, 2, requires_grad=True), batch_size=2)


def test_results_outlive_an_exception():
    _, step = made()

    def stop(done, total):
        if done >= 3:
            raise OSError("enough")

    with pytest.raises(OSError, match="enough"):
        step.run(rows(), batch_size=4, epochs=3, progress=stop)
    assert 3 <= len(step.results) <= 18
    assert all(loss.shape == () for loss in step.results)


@pytest.mark.parametrize("kind", [mt.optim.Adam, mt.optim.NAdam])
def test_an_interrupt_waits_for_the_end_of_a_step(kind):
    model, step = made(kind)
    before = signal.getsignal(signal.SIGINT)

    counted = []

    def press(done, total):
        if not counted:
            signal.raise_signal(signal.SIGINT)
        counted.append(done)

    with pytest.raises(KeyboardInterrupt):
        step.run(rows(), batch_size=4, epochs=2, progress=press)
    assert counted == [len(step.results)]
    assert signal.getsignal(signal.SIGINT) is before
    again, one = made(kind)
    batches = [b for _ in range(2) for b in DataLoader(TensorDataset(*rows()), batch_size=4)]
    for loss, batch in zip(step.results, batches, strict=False):
        assert one(*batch).item() == loss.item()
    for a, b in zip(model.parameters(), again.parameters(), strict=True):
        assert a.tolist() == b.tolist()


def test_a_second_interrupt_does_not_wait():
    step = mt.capture(lambda x: x * 2)

    def batches():
        yield mt.ones(2)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        yield mt.ones(2)

    with pytest.raises(KeyboardInterrupt):
        step.run(batches())
    assert len(step.results) == 1


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(mt.ones(3) * i, i % 2) for i in range(6)])


def test_streams_have_no_length():
    seen = []
    _, step = made()
    loader = DataLoader(Stream(), batch_size=4)
    losses = step.run(loader, epochs=2, progress=lambda *counts: seen.append(counts))
    assert [done for done, _ in seen] == [1, 2, 3, 4]
    assert seen[0][1] is None
    _, other = made()
    assert [t.item() for t in losses] == [other(*b).item() for _ in range(2) for b in loader]


def test_iterators_of_batches():
    _, step = made()
    x, y = rows()
    assert len(step.run((x[i : i + 4], y[i : i + 4]) for i in (0, 4))) == 2
    with pytest.raises(ValueError, match="an iterator can be gone through once"):
        step.run(iter([(x, y)]), epochs=2)
    with pytest.raises(ValueError, match="no data"):
        step.run(iter([]))


@pytest.mark.parametrize("sampler", [None, SubsetRandomSampler, WeightedRandomSampler])
def test_standard_loaders_give_the_bits_of_a_loop(sampler):
    found = []
    for whole in (False, True):
        _, step = made()
        generator = mt.Generator().manual_seed(1)
        if sampler is None:
            options = {"shuffle": True, "generator": generator}
        elif sampler is SubsetRandomSampler:
            options = {"sampler": sampler(range(3, 20), generator=generator)}
        else:
            options = {"sampler": sampler([1.0] * 22, 14, generator=generator)}
        loader = DataLoader(TensorDataset(*rows()), batch_size=5, **options)
        losses = (
            step.run(loader, epochs=3) if whole else [step(*b) for _ in range(3) for b in loader]
        )
        found.append([t.item() for t in losses])
    assert found[0] == found[1]


def test_a_sampler_of_other_data_is_refused():
    _, step = made()
    loader = DataLoader(TensorDataset(*rows(4)), sampler=SubsetRandomSampler([0, 1, 7]))
    with pytest.raises(IndexError, match="not among the 4"):
        step.run(loader)


def test_results_before_a_bad_row_are_kept():
    _, step = made()
    x, y = rows(24)
    y[17] = 5
    with pytest.raises(IndexError):
        step.run((x, y), batch_size=4)
    assert len(step.results) == 4


def test_batches_of_one_size_are_joined_once():
    sizes = [3, 3, 2, 3]
    found = [(order.tolist(), size) for order, size in _alike([np.arange(n) for n in sizes])]
    assert found == [([0, 1, 2] * 2, 3), ([0, 1], 2), ([0, 1, 2], 3)]


def test_steps_that_need_python_take_every_batch():
    step = mt.capture(lambda x: x.flip(0).cumsum(0))
    results = step.run(mt.arange(61.0), batch_size=2)
    assert step.report().host_calls
    assert [r.tolist() for r in results[:2]] == [[1.0, 1.0], [3.0, 5.0]]
    assert (len(results), results[-1].tolist()) == (31, [60.0])
