"""``capture(check=k)``: the first replays are compared with eager mode."""

import pytest

import microtensor as mt
from microtensor import nn
from microtensor.nn import functional as F


def make(kind=mt.optim.Adam, **options):
    mt.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.3), nn.Linear(4, 2))
    optimizer = kind(model.parameters(), **options)
    schedule = mt.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss

    return model, step


@pytest.mark.parametrize("kind", ["Adam", "SGD", "Prodigy", "ScheduleFreeSGD"])
def test_checked_calls_are_counted_once(kind):
    rows = [(mt.randn(4, 3), mt.tensor([0, 1, 1, 0])) for _ in range(5)]
    found = []
    for wrap in (lambda f: f, lambda f: mt.capture(f, check=3)):
        model, step = make(getattr(mt.optim, kind))
        step = wrap(step)
        mt.manual_seed(3)
        losses = [step(x, y).item() for x, y in rows]
        found.append((losses, [p.tolist() for p in model.parameters()]))
    assert found[0] == found[1]


def test_a_function_that_keeps_tensors_in_variables_is_found_out():
    start = mt.zeros(2)
    kept = [start]

    def f(x):
        kept[0] = kept[0] + x
        return kept[0] * 1.0

    c = mt.capture(f, check=2)
    c(mt.ones(2))
    with pytest.raises(RuntimeError, match=r"output 0, of shape .2., is not what it is in eager"):
        c(mt.ones(2))
    del start
    kept[0] = mt.zeros(2)
    with pytest.raises(RuntimeError, match="a tensor that a variable no longer holds"):
        mt.capture(f)(mt.ones(2))


def test_a_function_that_depends_on_python_state_is_found_out():
    count = [0]
    w = mt.zeros(2, requires_grad=True)

    @mt.capture(check=1)
    def f(x):
        count[0] += 1
        w.grad = None
        (w * x * count[0]).sum().backward()

    f(mt.ones(2))
    with pytest.raises(RuntimeError, match=r"gradient 0.*differ by up to 1"):
        f(mt.ones(2))


@pytest.mark.parametrize("check", [-1, True, 1.5])
def test_bad_numbers_of_checks(check):
    with pytest.raises(ValueError, match="check must be"):
        mt.capture(lambda x: x, check=check)


class Counting(nn.Module):
    """Counts its calls in a buffer, beside the operations, where a replay does not see it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", mt.zeros(1))

    def forward(self, x):
        self.calls._array += 1
        return x * 2


def test_buffers_are_compared():
    model = Counting()
    step = mt.capture(lambda x: model(x), check=2)
    step(mt.ones(2))
    with pytest.raises(RuntimeError, match=r"calls of Counting 0, of shape .1., is not"):
        step(mt.ones(2))


@pytest.mark.parametrize(
    ("kind", "momentum"),
    [(nn.BatchNorm1d, 0.1), (nn.BatchNorm1d, None), (nn.InstanceNorm1d, 0.1)],
)
def test_running_statistics_are_those_of_eager_mode(kind, momentum):
    found = []
    for wrap in (lambda f: f, lambda f: mt.capture(f, check=2)):
        mt.manual_seed(0)
        model = kind(3, momentum=momentum, track_running_stats=True)
        step = wrap(lambda x, model=model: model(x))
        for _ in range(4):
            step(mt.randn(2, 3, 4))
        found.append({name: t.tolist() for name, t in model.state_dict().items()})
    assert found[0] == found[1]
