"""Whole epochs of captured steps against a loop over a loader."""

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.utils.data import DataLoader, TensorDataset


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
