"""The same rates, step by step, as torch.optim.lr_scheduler."""

import inspect
import warnings

import pytest

import microtensor as mt

torch = pytest.importorskip("torch")

STEPS = 40

# One-line makers, evaluated with `s` a module of schedules and `o` an optimizer of two groups.
SCHEDULES = [
    "s.LambdaLR(o, lambda t: 1 / (1 + t))",
    "s.LambdaLR(o, [lambda t: 0.9**t, lambda t: t + 1.0])",
    "s.MultiplicativeLR(o, lambda t: 0.9 + 0.01 * (t % 3))",
    "s.StepLR(o, 3)",
    "s.StepLR(o, step_size=4, gamma=0.7)",
    "s.MultiStepLR(o, [3, 7, 7, 20], gamma=0.5)",
    "s.ConstantLR(o)",
    "s.ConstantLR(o, factor=0.2, total_iters=9)",
    "s.ConstantLR(o, factor=1.0, total_iters=0)",
    "s.LinearLR(o)",
    "s.LinearLR(o, start_factor=0.1, end_factor=0.6, total_iters=12)",
    "s.LinearLR(o, start_factor=1.0, end_factor=0.0, total_iters=12)",
    "s.ExponentialLR(o, 0.93)",
    "s.PolynomialLR(o)",
    "s.PolynomialLR(o, total_iters=15, power=2.5)",
    "s.CosineAnnealingLR(o, T_max=10)",
    "s.CosineAnnealingLR(o, T_max=7, eta_min=0.01)",
    "s.CosineAnnealingLR(o, T_max=1)",
    "s.CosineAnnealingWarmRestarts(o, T_0=5)",
    "s.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2, eta_min=0.01)",
    "s.CyclicLR(o, 0.01, 0.2, step_size_up=4)",
    "s.CyclicLR(o, [0.01, 0.02], [0.2, 0.3], step_size_up=4, step_size_down=7)",
    "s.CyclicLR(o, 0.01, 0.2, step_size_up=4, mode='triangular2', cycle_momentum=False)",
    "s.CyclicLR(o, 0.01, 0.2, step_size_up=3, mode='exp_range', gamma=0.95)",
    "s.CyclicLR(o, 0.01, 0.2, step_size_up=3, scale_fn=lambda x: 1 / x)",
    "s.CyclicLR(o, 0.01, 0.2, 3, scale_fn=lambda x: 0.9**x, scale_mode='iterations')",
    "s.OneCycleLR(o, max_lr=0.3, total_steps=40)",
    "s.OneCycleLR(o, max_lr=[0.3, 0.1], epochs=8, steps_per_epoch=5, pct_start=0.2)",
    "s.OneCycleLR(o, 0.3, 40, anneal_strategy='linear', three_phase=True, div_factor=5.0)",
    "s.OneCycleLR(o, 0.3, 40, cycle_momentum=False, final_div_factor=10.0)",
    "s.SequentialLR(o, [s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)], [5])",
    "s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 20)], [5])",
    "s.SequentialLR(o, [s.LinearLR(o), s.StepLR(o, 3), s.ExponentialLR(o, 0.8)], [6, 15])",
    "s.SequentialLR(o, [s.LinearLR(o), s.CosineAnnealingWarmRestarts(o, 4, 2)], [6])",
    "s.ChainedScheduler([s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9)])",
    "s.ChainedScheduler([s.LinearLR(o), s.CosineAnnealingLR(o, 9), s.StepLR(o, 6)], o)",
    "s.SequentialLR(o, [s.ChainedScheduler([s.LinearLR(o), s.ExponentialLR(o, 0.9)]),"
    " s.StepLR(o, 4)], [8])",
]
every_schedule = pytest.mark.parametrize("made", SCHEDULES)


def groups(library, kind="SGD", **options):
    params = [library.ones(2).requires_grad_(), library.ones(3).requires_grad_()]
    two = [{"params": params[:1]}, {"params": params[1:], "lr": 0.4}]
    return getattr(library.optim, kind)(two, lr=0.1, **options)


def make(library, made, optimizer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of schedules that are chained in a sequence
        return eval(made, {"s": library.optim.lr_scheduler, "o": optimizer})


def follow(library, made, steps, kind="SGD", between=None, **options):
    """Give the rates and momenta of every step."""
    optimizer = groups(library, kind, **options)
    schedule = make(library, made, optimizer)
    seen = []
    for step in range(steps):
        for group, last in zip(optimizer.param_groups, schedule.get_last_lr(), strict=True):
            assert float(group["lr"]) == float(last)
            momentum = group["betas"][0] if "betas" in group else group["momentum"]
            seen += [float(group["lr"]), momentum]
        optimizer.step()
        if between is not None:
            between(optimizer, schedule, step)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schedule.step()
    return seen


@every_schedule
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_rates_and_momenta_are_torchs(made, kind):
    options = {"momentum": 0.9} if kind == "SGD" else {}
    ours = follow(mt, made, STEPS, kind, **options)
    theirs = follow(torch, made, STEPS, kind, **options)
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-17)


@every_schedule
def test_rates_that_the_user_changes_between_steps_go_on_as_in_torch(made):
    def halve(optimizer, schedule, step):
        if step % 7 == 3:
            optimizer.param_groups[0]["lr"] *= 0.5

    ours = follow(mt, made, 25, momentum=0.9, between=halve)
    theirs = follow(torch, made, 25, momentum=0.9, between=halve)
    assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-17)


@every_schedule
def test_a_saved_schedule_goes_on_where_it_was(made):
    straight = follow(mt, made, 20, momentum=0.9)
    optimizer = groups(mt, momentum=0.9)
    schedule = make(mt, made, optimizer)
    for _ in range(9):
        optimizer.step()
        schedule.step()
    saved, rest = schedule.state_dict(), optimizer.state_dict()
    optimizer = groups(mt, momentum=0.9)
    schedule = make(mt, made, optimizer)
    optimizer.load_state_dict(rest)
    schedule.load_state_dict(saved)
    seen = []
    for _ in range(9, 20):
        for group in optimizer.param_groups:
            seen += [group["lr"], group["momentum"]]
        optimizer.step()
        schedule.step()
    assert seen == straight[9 * 4 :]


@pytest.mark.parametrize("made", [m for m in SCHEDULES if "Sequential" not in m])
def test_a_step_to_a_given_epoch_lands_where_torchs_does(made):
    if "Chained" in made:
        pytest.skip("takes no epoch in torch either")
    for epoch in (0, 1, 5, 11):
        rates = []
        for library in (mt, torch):
            optimizer = groups(library, momentum=0.9)
            schedule = make(library, made, optimizer)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                schedule.step(epoch)
            rates.append([float(rate) for rate in schedule.get_last_lr()])
        assert rates[0] == pytest.approx(rates[1], rel=1e-12, abs=1e-17)


def test_restarts_take_fractions_of_an_epoch():
    made = "s.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2)"
    for epoch in (0.25, 2.9, 3.5, 8.75, 21.0, 22.5):
        rates = []
        for library in (mt, torch):
            schedule = make(library, made, groups(library))
            schedule.step(epoch)
            rates.append(schedule.get_last_lr())
        assert rates[0] == pytest.approx(rates[1], rel=1e-12)


PLATEAUS = [
    "s.ReduceLROnPlateau(o, patience=1)",
    "s.ReduceLROnPlateau(o, 'max', factor=0.5, patience=0, cooldown=2)",
    "s.ReduceLROnPlateau(o, threshold=0.1, threshold_mode='abs', patience=0, min_lr=[0.01, 0.02])",
    "s.ReduceLROnPlateau(o, 'max', threshold=0.2, patience=2, min_lr=0.05)",
]


@pytest.mark.parametrize("made", PLATEAUS)
def test_a_plateau_reduces_the_rate_when_torch_does(made):
    measures = [1.0, 0.9, 0.95, 0.94, float("nan"), 0.5, 0.49, 0.48, 0.6, 0.7, 2.0, 2.1, 2.0, 1.9]
    seen = []
    for library in (mt, torch):
        schedule = make(library, made, groups(library))
        rates = []
        for place, measure in enumerate(measures * 2):
            number = library.tensor(measure, dtype=library.float64)
            schedule.step(number if place % 2 else measure)
            rates += schedule.get_last_lr()
        seen.append(rates)
    assert seen[0] == pytest.approx(seen[1], rel=1e-12)


@pytest.mark.parametrize("name", sorted(torch.optim.lr_scheduler.__all__))
def test_arguments_are_torchs(name):
    ours = inspect.signature(getattr(mt.optim.lr_scheduler, name)).parameters.values()
    theirs = inspect.signature(getattr(torch.optim.lr_scheduler, name)).parameters.values()
    assert [(p.name, p.kind, p.default) for p in ours] == [
        (p.name, p.kind, p.default) for p in theirs
    ]


BAD = [
    "s.StepLR(3, 4)",
    "s.ConstantLR(o, factor=1.5)",
    "s.LinearLR(o, start_factor=0)",
    "s.LinearLR(o, end_factor=2)",
    "s.LambdaLR(o, [lambda t: 1])",
    "s.MultiplicativeLR(o, 3)",
    "s.CyclicLR(o, 0.1, 0.2, mode='square')",
    "s.CyclicLR(o, [0.1], 0.2)",
    "s.OneCycleLR(o, 0.1)",
    "s.OneCycleLR(o, 0.1, total_steps=0)",
    "s.OneCycleLR(o, 0.1, epochs=3)",
    "s.OneCycleLR(o, 0.1, 10, pct_start=2.0)",
    "s.OneCycleLR(o, 0.1, 10, anneal_strategy='x')",
    "s.CosineAnnealingWarmRestarts(o, 0)",
    "s.CosineAnnealingWarmRestarts(o, 3, 0)",
    "s.ReduceLROnPlateau(o, 'least')",
    "s.ReduceLROnPlateau(o, factor=1.0)",
    "s.ReduceLROnPlateau(o, threshold_mode='x')",
    "s.ReduceLROnPlateau(o, min_lr=[1.0])",
    "s.SequentialLR(o, [], [])",
    "s.SequentialLR(o, [s.StepLR(o, 3)], [3])",
    "s.SequentialLR(o, [s.ReduceLROnPlateau(o)], [])",
    "s.ChainedScheduler([])",
    "s.StepLR(o, 3, last_epoch=2)",
]


@pytest.mark.parametrize("made", BAD)
def test_what_torch_refuses_is_refused_with_the_same_error(made):
    with pytest.raises(Exception) as theirs:
        make(torch, made, groups(torch, momentum=0.9))
    with pytest.raises(theirs.type):
        make(mt, made, groups(mt, momentum=0.9))


def test_cycles_of_momentum_want_an_optimizer_that_has_one():
    with pytest.raises(ValueError, match="Adagrad has neither"):
        mt.optim.lr_scheduler.CyclicLR(groups(mt, "Adagrad"), 0.1, 0.2)


def test_a_rate_that_is_a_tensor_is_set_in_place():
    rate = mt.tensor(0.5)
    optimizer = mt.optim.SGD([mt.ones(1)], lr=rate)
    schedule = mt.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] is rate and rate.item() == 0.25
    assert optimizer.param_groups[0]["initial_lr"].item() == 0.5


def test_stepping_the_schedule_first_is_warned_of():
    optimizer = mt.optim.SGD([mt.ones(1)], lr=0.5)
    schedule = mt.optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match=r"before optimizer.step\(\)"):
        schedule.step()
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.step()


def test_one_cycle_ends():
    optimizer = groups(mt, momentum=0.9)
    schedule = mt.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 3)
    optimizer.step()
    for _ in range(3):
        schedule.step()
    with pytest.raises(ValueError, match="Tried to step 4 times"):
        schedule.step()


def test_callable_objects_are_saved_with_what_they_remember():
    class Falling:
        def __init__(self, base):
            self.base = base

        def __call__(self, step):
            return self.base**step

    optimizer = groups(mt)
    schedule = mt.optim.lr_scheduler.LambdaLR(optimizer, Falling(0.5))
    saved = schedule.state_dict()
    assert saved["lr_lambdas"] == [{"base": 0.5}] * 2
    other = mt.optim.lr_scheduler.LambdaLR(groups(mt), Falling(0.9))
    other.load_state_dict(saved)
    assert other.lr_lambdas[0].base == 0.5
