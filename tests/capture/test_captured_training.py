"""Captured training against eager training: modules, losses, optimizers, schedules, randomness."""

import inspect

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.nn import functional as F
from microtensor.optim import lr_scheduler

OPTIMIZERS = {
    name: kind
    for name in mt.optim.__all__
    if inspect.isclass(kind := getattr(mt.optim, name))
    and issubclass(kind, mt.optim.Optimizer)
    and kind is not mt.optim.Optimizer
}
REFUSED = ("LBFGS",)


def network(*, dropout=0.0, seed=0):
    mt.manual_seed(seed)
    layers = [nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)]
    if dropout:
        layers.insert(2, nn.Dropout(dropout))
    return nn.Sequential(*layers)


def batches(count=5, rows=6, seed=0):
    rng = np.random.default_rng(seed)
    return [
        (mt.tensor(rng.normal(size=(rows, 4)).astype("f")), mt.tensor(rng.integers(0, 3, rows)))
        for _ in range(count)
    ]


def both(make, data=None):
    """Train twice, eager and captured, from the same start; the results must be the same bits."""
    found = []
    for wrap in (lambda step: step, mt.capture):
        mt.manual_seed(1)
        model, step = make()
        step = wrap(step)
        mt.manual_seed(2)
        losses = [step(x, y) for x, y in data or batches()]
        state = {name: t.numpy().copy() for name, t in model.state_dict().items()}
        grads = [None if p.grad is None else p.grad.numpy().copy() for p in model.parameters()]
        found.append(([loss.item() for loss in losses], state, grads, step))
    (losses, state, grads, _), (again, other, others, step) = found
    assert losses == again
    assert state.keys() == other.keys()
    for name in state:
        np.testing.assert_array_equal(state[name], other[name], name)
    for a, b in zip(grads, others, strict=True):
        assert (a is None) is (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b)
    return step


def make_step(model, optimizer, *, loss=F.cross_entropy, clip=None, schedule=None, after=None):
    def step(x, y):
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        if clip is not None:
            clip(model.parameters())
        optimizer.step()
        if schedule is not None:
            schedule.step()
        if after is not None:
            after(value)
        return value

    return step


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name not in REFUSED])
def test_every_optimizer_steps_as_in_eager_mode(name):
    def make():
        model = network()
        parameters = model.parameters()
        kind = OPTIMIZERS[name]
        if name == "Lookahead":
            optimizer = kind(mt.optim.SGD(parameters, lr=0.1), k=2)
        elif name == "Muon":
            optimizer = kind([p for p in parameters if p.ndim == 2])
        else:
            optimizer = kind(parameters)
        return model, make_step(model, optimizer)

    both(make)


@pytest.mark.parametrize(
    "options",
    [
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"lr": 0.5, "maximize": True},
    ],
)
def test_options_of_sgd(options):
    def make():
        model = network()
        return model, make_step(model, mt.optim.SGD(model.parameters(), **options))

    both(make)


SCHEDULES = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [1, 3], 0.5),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, 0.1, 2),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.1),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, 4, 2.0),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 3),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=20),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, step_size_up=2),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3),
    "WarmupCosineLR": lambda o: lr_scheduler.WarmupCosineLR(o, 2, 5),
    "InverseSquareRootLR": lambda o: lr_scheduler.InverseSquareRootLR(o, 2),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, 0.1), lr_scheduler.ExponentialLR(o, 0.9)], [2]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(o, 0.1), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda step: 0.9),
}


def test_every_schedule_is_a_case():
    found = {name for name, kind in vars(lr_scheduler).items() if inspect.isclass(kind)}
    # The base does nothing, and the plateau has a test of its own below.
    assert found - {"LRScheduler", "ReduceLROnPlateau"} == set(SCHEDULES)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_inside_advance(name):
    def make():
        model = network()
        optimizer = mt.optim.Adam(model.parameters(), lr=0.05)
        schedule = SCHEDULES[name](optimizer)
        return model, make_step(model, optimizer, schedule=schedule)

    both(make)


def test_a_schedule_stepped_before_the_optimizer_counts_in_the_same_call():
    def make():
        model = network()
        optimizer = mt.optim.SGD(model.parameters(), lr=0.5)
        schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
        optimizer.step()

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            schedule.step()
            optimizer.step()
            return loss

        return model, step

    both(make)


def test_a_plateau_schedule_sees_each_loss():
    def make():
        model = network()
        optimizer = mt.optim.SGD(model.parameters(), lr=0.5)
        plateau = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=1.0)
        return model, make_step(model, optimizer, after=plateau.step)

    both(make)


def test_rates_changed_outside_count_at_once():
    def make():
        model = network()
        optimizer = mt.optim.Adam(model.parameters(), lr=0.1)
        inner = make_step(model, optimizer)
        schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
        return model, (inner, optimizer, schedule)

    found = []
    for wrap in (lambda step: step, mt.capture):
        model, (step, optimizer, schedule) = make()
        step = wrap(step)
        for i, (x, y) in enumerate(batches()):
            step(x, y)
            schedule.step()
            if i == 2:
                optimizer.param_groups[0]["betas"] = (0.5, 0.9)
        found.append([p.detach().numpy().copy() for p in model.parameters()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "clip",
    [
        lambda parameters: nn.utils.clip_grad_norm_(parameters, 0.1),
        lambda parameters: nn.utils.clip_grad_norm_(parameters, 100.0, norm_type=1.0),
        lambda parameters: nn.utils.clip_grad_value_(parameters, 0.01),
    ],
)
def test_clipping(clip):
    def make():
        model = network()
        return model, make_step(model, mt.optim.SGD(model.parameters(), lr=0.5), clip=clip)

    both(make)


def test_dropout_draws_the_numbers_of_eager_mode():
    def make():
        model = network(dropout=0.4)
        return model, make_step(model, mt.optim.SGD(model.parameters(), lr=0.5))

    step = both(make)
    x, y = batches()[0]
    assert step(x, y).item() != step(x, y).item()


def test_random_numbers_made_inside_are_new_each_time():
    def make():
        model = network()
        optimizer = mt.optim.SGD(model.parameters(), lr=0.1)

        def step(x, y):
            optimizer.zero_grad()
            noise = mt.randn(6, 4) * 0.1 + mt.rand(4) + mt.randint(0, 3, (6, 1))
            noise = noise + mt.empty(6, 4).normal_().mul_(0.5)
            noise[mt.randperm(6)[0:1]] = 0.0
            loss = F.cross_entropy(model(x + noise), y)
            loss.backward()
            optimizer.step()
            return loss

        return model, step

    both(make)


def test_gradients_that_are_accumulated_over_calls():
    def make():
        model = network()

        def step(x, y):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        return model, step

    both(make)


@pytest.mark.parametrize("to_none", [True, False])
def test_gradients_cleared_at_the_end(to_none):
    def make():
        model = network()
        optimizer = mt.optim.Adam(model.parameters())

        def step(x, y):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=to_none)
            return loss

        return model, step

    both(make)


def test_two_walks_and_two_steps_in_one_call():
    def make():
        model = network()
        first = mt.optim.Adam(model[0].parameters(), lr=0.05)
        second = mt.optim.SGD(model[2].parameters(), lr=0.05, momentum=0.9)

        def step(x, y):
            for _ in range(2):
                model.zero_grad()
                F.cross_entropy(model(x), y).backward()
                F.cross_entropy(model(x * 2), y).backward()
                first.step()
                second.step()
            return F.cross_entropy(model(x), y)

        return model, step

    both(make)


def test_tied_weights_and_running_averages():
    def make():
        model = network()
        average = mt.zeros(4)
        model.register_buffer("average", average)
        optimizer = mt.optim.SGD(model.parameters(), lr=0.1)

        def step(x, y):
            optimizer.zero_grad()
            with mt.no_grad():
                average.mul_(0.9).add_(x.mean(0) * 0.1)
            hidden = mt.tanh(F.linear(x - average, model[0].weight))
            loss = F.cross_entropy(model[2](hidden), y) + F.linear(x, model[0].weight).sum() * 0.1
            loss.backward()
            optimizer.step()
            return loss

        return model, step

    both(make)


LOSSES = {
    "mse": lambda out, y: F.mse_loss(out, F.one_hot(y, 3).float()),
    "bce": lambda out, y: F.binary_cross_entropy_with_logits(out, F.one_hot(y, 3).float()),
    "smoothed": lambda out, y: F.cross_entropy(out, y, label_smoothing=0.1),
    "weighted": lambda out, y: F.cross_entropy(out, y, weight=mt.tensor([1.0, 2.0, 0.5])),
    "none": lambda out, y: F.cross_entropy(out, y, reduction="none").mean(),
    "metric": lambda out, y: (
        F.cross_entropy(out, y) + 0.0 * (out.detach().argmax(1) == y).float().mean()
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    def make():
        model = network()
        optimizer = mt.optim.SGD(model.parameters(), lr=0.5)
        return model, make_step(model, optimizer, loss=LOSSES[name])

    both(make)


ACTIVATIONS = [
    name
    for name, kind in nn.activations.MODULES.items()
    if inspect.isclass(kind) and issubclass(kind, nn.Module) and kind.__module__.startswith("micro")
]


_GIVEN = {"Softmax": "1", "LogSoftmax": "1", "Softmin": "1", "Maxout": "2", "Threshold": "0, 1"}


@pytest.mark.parametrize("name", sorted((set(nn.__all__) & set(ACTIVATIONS)) - {"Module"}))
def test_activations(name):
    def make():
        model = network()
        model[1] = eval(f"nn.{name}({_GIVEN.get(name, '')})")
        wide = model[1](mt.ones(1, 8)).shape[1]
        if wide != 8:
            model[2] = nn.Linear(wide, 3)
        optimizer = mt.optim.SGD(model.parameters(), lr=0.1)
        return model, make_step(model, optimizer)

    both(make)


def test_a_plan_of_a_plain_network_is_one_segment():
    step = both(lambda: _adam())
    if mt.kernels.backend == "native":
        assert step.report().host_calls == []
        assert len(step.report().segments) == 1


def _adam():
    model = network()
    return model, make_step(model, mt.optim.Adam(model.parameters()))
