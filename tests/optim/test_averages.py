"""Averages of weights: EMA, SWA, Lookahead."""

import copy
import pickle

import numpy as np
import pytest
from optimizer_cases import arrays, bits, leaf

import microtensor as mt
from microtensor import kernels, nn
from microtensor.optim.averaging import Averages
from microtensor.optim.swa_utils import (
    SWALR,
    AveragedModel,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
)


class Net(nn.Module):
    """Weights, a buffer of numbers and one that counts."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 2), nn.Linear(2, 1, bias=False)
        self.register_buffer("seen", mt.zeros(2))
        self.register_buffer("count", mt.tensor(0))

    def forward(self, x):
        return self.second(self.first(x))


def changed(model, seed):
    rng = np.random.default_rng(seed)
    for p in model.parameters():
        p.data = mt.tensor(rng.normal(size=p.shape).astype(np.float32))
    model.seen.fill_(float(seed))
    model.count.fill_(seed)
    return [p.detach().numpy().copy() for p in model.parameters()]


AVERAGES = {
    "plain": ({}, lambda seen: np.mean(seen, axis=0)),
    "swa": ({"multi_avg_fn": get_swa_multi_avg_fn()}, lambda seen: np.mean(seen, axis=0)),
    "swa, one by one": ({"avg_fn": get_swa_avg_fn()}, lambda seen: np.mean(seen, axis=0)),
    "ema": (
        {"multi_avg_fn": get_ema_multi_avg_fn(0.75)},
        lambda seen: (
            seen[0] * 0.75**4 + sum(0.25 * 0.75 ** (4 - i) * x for i, x in enumerate(seen) if i)
        ),
    ),
    "ema, one by one": (
        {"avg_fn": get_ema_avg_fn(0.75)},
        lambda seen: (
            seen[0] * 0.75**4 + sum(0.25 * 0.75 ** (4 - i) * x for i, x in enumerate(seen) if i)
        ),
    ),
}


@pytest.mark.parametrize("kind", AVERAGES)
def test_the_average_is_what_its_formula_says(kind):
    options, formula = AVERAGES[kind]
    model = Net()
    averaged = AveragedModel(model, **options)
    seen = []
    for seed in range(1, 6):
        seen.append(changed(model, seed))
        averaged.update_parameters(model)
    for place, p in enumerate(averaged.module.parameters()):
        expected = formula([each[place].astype(np.float64) for each in seen])
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=2e-6, atol=1e-7)
    assert averaged.n_averaged.item() == 5
    assert averaged.module.seen.tolist() == [5.0, 5.0]  # buffers follow
    x = mt.ones(4, 3)
    assert averaged(x).tolist() == averaged.module(x).tolist()


def test_buffers_are_averaged_where_asked_but_counts_are_not():
    model = Net()
    averaged = AveragedModel(model, use_buffers=True)
    for seed in (2, 4):
        changed(model, seed)
        averaged.update_parameters(model)
    assert averaged.module.seen.tolist() == [3.0, 3.0]
    assert averaged.module.count.item() == 2


def test_the_model_is_a_copy_and_the_average_leaves_it_alone():
    model = Net()
    averaged = AveragedModel(model)
    before = changed(model, 1)
    averaged.update_parameters(model)
    changed(model, 2)
    assert all(
        a.tobytes() == p.detach().numpy().tobytes()
        for a, p in zip(before, averaged.module.parameters(), strict=True)
    )
    again = copy.deepcopy(averaged)
    averaged.update_parameters(model)
    assert again.n_averaged.item() == 1
    again.load_state_dict(averaged.state_dict())
    assert again.n_averaged.item() == 2


def test_all_weights_are_averaged_in_one_kernel_call(monkeypatch):
    made, step = [], kernels.step
    monkeypatch.setattr(kernels, "step", lambda *a: (made.append(a[0]), step(*a))[1])
    model = Net()
    averaged = AveragedModel(model)
    for _ in range(3):
        averaged.update_parameters(model)
    assert made == ["average"] * 2  # the first one copies


def test_a_share_of_one_copies_exactly_whatever_was_there():
    average, weight = leaf([np.nan, 1e300]), leaf([1.0, -1e300])
    Averages().move([average.detach()], [weight.detach()], 1.0)
    assert average.tolist() == weight.tolist()


@pytest.mark.parametrize(
    "wrong",
    [{"avg_fn": get_swa_avg_fn(), "multi_avg_fn": get_swa_multi_avg_fn()}, {"device": "cuda"}],
)
def test_bad_arguments_are_refused(wrong):
    with pytest.raises(ValueError):
        AveragedModel(Net(), **wrong)
    for make in (get_ema_avg_fn, get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match=r"in \[0,1\]"):
            make(1.5)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 1, 5])
def test_swa_rates_are_torchs(strategy, epochs):
    torch = pytest.importorskip("torch")
    rates = []
    for library, kind in ((mt, SWALR), (torch, torch.optim.swa_utils.SWALR)):
        optimizer = library.optim.SGD([library.ones(1).requires_grad_()], lr=0.8)
        schedule = kind(optimizer, 0.05, epochs, strategy)
        seen = []
        for step in range(9):
            if step == 3:
                optimizer.param_groups[0]["lr"] *= 0.9
            optimizer.step()
            schedule.step()
            seen.append(schedule.get_last_lr()[0])
        rates.append(seen)
    assert rates[0] == pytest.approx(rates[1], rel=1e-11)


# ---- Lookahead ----------------------------------------------------------------------------------


def gradients(params, step):
    for p in params:
        rng = np.random.default_rng(step)
        p.grad = mt.tensor(rng.normal(size=p.shape) + p.detach().numpy())


@pytest.mark.parametrize("k", [1, 3])
def test_lookahead_follows_the_paper(k):
    params = [leaf(np.arange(6.0).reshape(2, 3)), leaf(2.0)]
    optimizer = mt.optim.Lookahead(mt.optim.SGD(params, lr=0.1, momentum=0.9), alpha=0.4, k=k)
    fast, slow = arrays(params), arrays(params)
    velocity = [np.zeros_like(x) for x in fast]
    for step in range(1, 8):
        gradients(params, step)
        optimizer.step()
        for i in range(2):
            rng = np.random.default_rng(step)
            g = rng.normal(size=fast[i].shape) + fast[i]
            velocity[i] = 0.9 * velocity[i] + g
            fast[i] = fast[i] - 0.1 * velocity[i]
            if step % k == 0:
                slow[i] = slow[i] + 0.4 * (fast[i] - slow[i])
                fast[i] = slow[i]
    for p, x in zip(params, fast, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), x, rtol=1e-12)


def test_lookahead_resumes_with_the_same_bits():
    def fresh():
        params = [leaf([1.0, 2.0]), leaf(3.0)]
        return params, mt.optim.Lookahead(mt.optim.Adam(params, lr=0.1), k=3)

    (straight, one), (first, two), (second, three) = fresh(), fresh(), fresh()
    for step in range(8):
        gradients(straight, step)
        one.step()
    for step in range(4):
        gradients(first, step)
        two.step()
    for p, q in zip(second, first, strict=True):
        p.data.copy_(q.data)
    three.load_state_dict(copy.deepcopy(two.state_dict()))
    for step in range(4, 8):
        gradients(second, step)
        three.step()
    assert bits(second) == bits(straight)


def test_lookahead_refuses_what_it_cannot_wrap_or_load():
    p = leaf([1.0])
    with pytest.raises(TypeError, match="wraps an Optimizer"):
        mt.optim.Lookahead([p])
    for wrong, words in (({"alpha": 1.5}, "0 <= alpha <= 1"), ({"k": 0}, "k >= 1")):
        with pytest.raises(ValueError, match=words):
            mt.optim.Lookahead(mt.optim.SGD([p]), **wrong)
    optimizer = mt.optim.Lookahead(mt.optim.SGD([p]))
    with pytest.raises(ValueError, match="'slow'"):
        optimizer.load_state_dict(mt.optim.SGD([p]).state_dict())
    with pytest.raises(ValueError, match="other shapes"):
        optimizer.load_state_dict({**optimizer.state_dict(), "slow": [mt.ones(3)]})


def test_a_group_added_to_lookahead_has_slow_weights_too():
    a, b = leaf([1.0]), leaf([1.0])
    optimizer = mt.optim.Lookahead(mt.optim.SGD([a], lr=0.5), k=1)
    optimizer.add_param_group({"params": [b], "lr": 1.0})
    a.grad = b.grad = mt.ones(1, dtype=mt.float64)
    optimizer.step()
    assert [a.item(), b.item()] == [0.75, 0.5]
    optimizer.zero_grad()
    assert a.grad is None and len(optimizer.param_groups) == 2


@pytest.mark.parametrize("decay", [None, 0.75])
@pytest.mark.parametrize("way", ["pickle", "deepcopy"])
def test_an_averaged_model_is_copied_with_its_average_and_goes_on_alone(decay, way):
    average = None if decay is None else get_ema_multi_avg_fn(decay)
    model = nn.Linear(2, 1)
    averaged = AveragedModel(model, multi_avg_fn=average)
    averaged.update_parameters(model)
    averaged.update_parameters(nn.Linear(2, 1))
    values = averaged.module.weight.tolist()
    twin = pickle.loads(pickle.dumps(averaged)) if way == "pickle" else copy.deepcopy(averaged)
    third = nn.Linear(2, 1)
    twin.update_parameters(third)
    assert averaged.module.weight.tolist() == values
    averaged.update_parameters(third)
    assert averaged.module.weight.equal(twin.module.weight)
    assert averaged.module.weight.tolist() != values
