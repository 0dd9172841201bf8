"""The same parameters, step by step, as torch.optim in float64."""

import copy
import inspect
import itertools

import numpy as np
import pytest
from optimizer_cases import EVERY, EVERY_ID, NAMES, RICH, RICH_ID, arrays, make

import microtensor as mt

torch = pytest.importorskip("torch")

STEPS = 200


SHAPES = [(3, 2), (5,), ()]


class Bowl:
    """A noisy bowl: its gradient depends on the parameters and, a little, on the step."""

    def __init__(self, shapes, dtype):
        rng = np.random.default_rng(7)
        self.starts = [rng.normal(size=shape).astype(dtype) for shape in shapes]
        self.slopes = [rng.uniform(0.3, 2, shape).astype(dtype) for shape in shapes]
        self.noise = [rng.normal(scale=0.3, size=(STEPS, *s)).astype(dtype) for s in shapes]

    def gradients(self, values, step):
        terms = zip(self.slopes, values, self.noise, strict=True)
        return [np.asarray(slope * (x - 1) + noise[step]) for slope, x, noise in terms]


class Pair:
    """One optimizer of ours and torch's, on parameters that start alike."""

    def __init__(self, name, options, shapes=SHAPES, dtype=np.float64):
        self.bowl = Bowl(shapes, dtype)
        self.ours = [mt.tensor(x, requires_grad=True) for x in self.bowl.starts]
        self.theirs = [torch.tensor(x, requires_grad=True) for x in self.bowl.starts]
        self.our_values = [p.detach().numpy() for p in self.ours]
        self.their_values = [p.detach().numpy() for p in self.theirs]
        self.our_optimizer = make(name, self.ours, **options)
        self.their_optimizer = getattr(torch.optim, name)(self.theirs, **options)

    def step(self, step, skip=()):
        for i, g in enumerate(self.bowl.gradients(self.our_values, step)):
            self.ours[i].grad = None if i in skip else mt.from_numpy(g)
        for i, g in enumerate(self.bowl.gradients(self.their_values, step)):
            self.theirs[i].grad = None if i in skip else torch.from_numpy(g)
        self.our_optimizer.step()
        self.their_optimizer.step()

    def check(self, tolerance=1e-10):
        for ours, theirs in zip(self.our_values, self.their_values, strict=True):
            largest = np.abs(theirs).max()
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * largest)


@pytest.mark.parametrize(("name", "options"), EVERY, ids=EVERY_ID)
def test_every_combination_of_arguments_takes_torchs_way(name, options):
    pair = Pair(name, options, shapes=[(7,), *([(4, 3), (2, 2, 3)] if name == "Adafactor" else [])])
    for step in range(STEPS):
        pair.step(step)
        if step in (0, 1, 10):
            pair.check()
    pair.check()


@pytest.mark.parametrize("variant", ["foreach", "fused"])
@pytest.mark.parametrize(("name", "options"), RICH, ids=RICH_ID)
def test_torchs_variants_take_the_same_way(name, options, variant):
    if variant not in inspect.signature(getattr(torch.optim, name)).parameters:
        pytest.skip(f"torch's {name} has no {variant}")
    pair = Pair(name, {**options, variant: True})
    for step in range(STEPS):
        pair.step(step)
    pair.check()


@pytest.mark.parametrize("variant", ["foreach", "fused", "capturable"])
@pytest.mark.parametrize(("name", "options"), RICH, ids=RICH_ID)
def test_the_switches_of_torchs_variants_change_nothing(name, options, variant):
    accepted = inspect.signature(getattr(torch.optim, name)).parameters
    assert (variant in accepted) == (
        variant in inspect.signature(getattr(mt.optim, name)).parameters
    )
    ends = []
    for switch in [{}, {variant: True}] if variant in accepted else []:
        params = [mt.tensor([1.0, -2.0], requires_grad=True)]
        optimizer = make(name, params, **options, **switch)
        for step in range(5):
            params[0].grad = mt.tensor([0.5, step - 2.0])
            optimizer.step()
        ends.append(arrays(params)[0].tobytes())
    assert len(set(ends)) == bool(ends)


@pytest.mark.parametrize(("name", "options"), RICH, ids=RICH_ID)
def test_parameters_whose_gradients_come_and_go_follow_torch(name, options):
    pair = Pair(name, options)
    skips = [(), (0,), (0, 1), (2,), (0, 1, 2), (), (1,), (1,), ()]
    for step, skip in enumerate(itertools.chain(skips, skips)):
        pair.step(step, skip)
        pair.check()


CHANGES = {
    "SGD": [{"lr": 0.01}, {"momentum": 0.5}, {"dampening": 0.2}, {"weight_decay": 0.3},
            {"momentum": 0}, {"momentum": 0.9, "dampening": 0, "nesterov": True},
            {"maximize": True}],
    "Adagrad": [{"lr": 0.01}, {"lr_decay": 0.1}, {"eps": 1e-3}, {"weight_decay": 0.3}],
    "Adadelta": [{"lr": 0.3}, {"rho": 0.5}, {"eps": 1e-3}, {"maximize": True}],
    "RMSprop": [{"lr": 0.1}, {"alpha": 0.8}, {"eps": 1e-2}, {"weight_decay": 0.1}],
    "Adam": [{"lr": 0.01}, {"betas": (0.5, 0.9)}, {"eps": 1e-2}, {"weight_decay": 0.1},
             {"betas": [0.8, 0.99]}, {"maximize": True}],
    "AdamW": [{"lr": 0.01}, {"betas": (0.5, 0.9)}, {"weight_decay": 0.5}],
    "ASGD": [{"lr": 0.01}, {"lambd": 0.1}, {"alpha": 0.5}, {"t0": 3}, {"weight_decay": 0.3}],
    "Rprop": [{"etas": (0.3, 1.4)}, {"step_sizes": (1e-2, 0.02)}, {"maximize": True}],
    "Adamax": [{"lr": 0.01}, {"betas": (0.5, 0.9)}, {"eps": 1e-2}, {"weight_decay": 0.1}],
    "NAdam": [{"lr": 0.01}, {"betas": (0.5, 0.9)}, {"momentum_decay": 0.1},
              {"weight_decay": 0.1}, {"decoupled_weight_decay": True}],
    "RAdam": [{"lr": 0.01}, {"betas": (0.5, 0.9)}, {"weight_decay": 0.1},
              {"decoupled_weight_decay": True}],
    "Adafactor": [{"lr": 0.01}, {"beta2_decay": -0.5}, {"eps": (1e-3, 0.1)}, {"d": 2.0},
                  {"weight_decay": 0.1}, {"maximize": True}],
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_options_changed_between_steps_take_effect_as_in_torch(name):
    pair = Pair(name, {"lr": 0.02})
    for step, change in enumerate(itertools.chain(CHANGES[name], [{}])):
        for _ in range(3):
            pair.step(step)
            pair.check()
        for optimizer in (pair.our_optimizer, pair.their_optimizer):
            optimizer.param_groups[0].update(copy.deepcopy(change))


def test_betas_changed_in_place_take_effect():
    pair = Pair("Adam", {"lr": 0.02, "betas": [0.9, 0.999]})
    for step in range(6):
        pair.step(step)
        pair.check()
        pair.our_optimizer.param_groups[0]["betas"][0] = 0.5
        pair.their_optimizer.param_groups[0]["betas"] = (0.5, 0.999)


def test_learning_rates_may_be_tensors_and_change_in_place():
    pair = Pair("SGD", {"lr": 0.02, "momentum": 0.9})
    ours, theirs = mt.tensor(0.5), torch.tensor(0.5)
    pair.our_optimizer.param_groups[0]["lr"] = ours
    pair.their_optimizer.param_groups[0]["lr"] = theirs
    for step in range(4):
        pair.step(step)
        pair.check()
        ours.mul_(0.5)
        theirs.mul_(0.5)


@pytest.mark.parametrize("name", NAMES)
def test_groups_with_options_of_their_own_follow_torch(name):
    pair = Pair(name, {"lr": 0.02})
    groups = [
        {"lr": 0.1},
        {"etas": (0.4, 1.1)} if name == "Rprop" else {"weight_decay": 0.5},
        {"maximize": True, "lr": 0.003},
    ]
    ours = [{"params": [p], **g} for p, g in zip(pair.ours, groups, strict=True)]
    theirs = [{"params": [p], **g} for p, g in zip(pair.theirs, groups, strict=True)]
    pair.our_optimizer = make(name, ours[:2], lr=0.02)
    pair.their_optimizer = getattr(torch.optim, name)(theirs, lr=0.02)
    pair.our_optimizer.add_param_group(ours[2])
    for step in range(5):
        pair.step(step)
        pair.check()


def test_a_group_added_between_steps_starts_at_its_own_first_step():
    pair = Pair("Adam", {"lr": 0.02})
    pair.our_optimizer = mt.optim.Adam(pair.ours[:1], lr=0.1)
    pair.their_optimizer = torch.optim.Adam(pair.theirs[:1], lr=0.1)
    for step in range(5):
        pair.step(step)
    pair.our_optimizer.add_param_group({"params": pair.ours[1:], "betas": (0.5, 0.5)})
    pair.their_optimizer.add_param_group({"params": pair.theirs[1:], "betas": (0.5, 0.5)})
    for step in range(5):
        pair.step(step)
        pair.check()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), RICH, ids=RICH_ID)
def test_nan_in_a_gradient_spreads_as_in_torch(name, options, dtype):
    gradient = np.array([np.nan, 0.0, 1e15, -2.0], dtype)
    ours = mt.tensor(np.ones(4, dtype), requires_grad=True)
    theirs = torch.tensor(np.ones(4, dtype), requires_grad=True)
    our_optimizer = make(name, [ours], **options)
    their_optimizer = getattr(torch.optim, name)([theirs], **options)
    for step in range(4):
        shown = gradient if step < 3 else np.ones(4, dtype)
        ours.grad, theirs.grad = mt.tensor(shown), torch.tensor(shown)
        our_optimizer.step()
        their_optimizer.step()
        np.testing.assert_allclose(
            ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-5, equal_nan=True
        )
    # Rprop looks at signs, of which NaN has none: its weight rests.
    assert np.isnan(ours.detach().numpy()).tolist() == [name != "Rprop", False, False, False]


@pytest.mark.parametrize(("name", "options"), RICH, ids=RICH_ID)
def test_float32_stays_close_to_torchs_float32(name, options):
    pair = Pair(name, options, dtype=np.float32)
    for step in range(50):
        pair.step(step)
    assert all(a.dtype == np.float32 for a in arrays(pair.ours))
    pair.check(1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_an_optimizer_prints_as_torchs(name):
    pair = Pair(name, {"lr": 0.02})
    assert repr(pair.our_optimizer) == repr(pair.their_optimizer)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_have_torchs_names_order_and_defaults(name):
    ours = inspect.signature(getattr(mt.optim, name)).parameters
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    found = [(p.name, p.kind, p.default) for p in ours.values()]
    expected = [(p.name, p.kind, p.default) for p in theirs.values()]
    assert found[: len(expected)] == expected
    # What we have beyond is asked for by name, and off.
    assert all(
        kind is inspect.Parameter.KEYWORD_ONLY and default is False
        for _, kind, default in found[len(expected) :]
    )
