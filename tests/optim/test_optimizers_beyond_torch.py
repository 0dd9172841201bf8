"""The optimizers that torch does not have, against their rules written out for one number or array.

And SparseAdam and Muon, which torch has in another form.
"""

import numpy as np
import pytest
from optimizer_cases import OWN_EVERY, OWN_EVERY_ID, bits, leaf, make, state_bits

import microtensor as mt

STEPS = 200


def correction(beta, t):
    return 1 - beta**t


class Reference:
    """A rule over float64 arrays; the parameters are a list, as rules may look at all of them."""

    def __init__(self, params, lr=None, weight_decay=0.0, maximize=False, **options):
        self.x = [p.copy() for p in params]
        self.lr, self.decay, self.sign = lr, weight_decay, -1.0 if maximize else 1.0
        self.options, self.t = options, 0
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]
        self.begin(**options)

    def begin(self, **options):
        pass

    def step(self, gradients):
        self.t += 1
        for i, g in enumerate(gradients):
            self.one(i, self.sign * g, **self.options)


class Lion(Reference):
    def one(self, i, g, betas):
        direction = np.sign(betas[0] * self.m[i] + (1 - betas[0]) * g)
        self.x[i] -= self.lr * (direction + self.decay * self.x[i])
        self.m[i] = betas[1] * self.m[i] + (1 - betas[1]) * g


class AdaBelief(Reference):
    def one(self, i, g, betas, eps, decoupled_weight_decay):
        if decoupled_weight_decay:
            self.x[i] -= self.lr * self.decay * self.x[i]
        else:
            g = g + self.decay * self.x[i]
        self.m[i] = betas[0] * self.m[i] + (1 - betas[0]) * g
        self.v[i] = betas[1] * self.v[i] + (1 - betas[1]) * (g - self.m[i]) ** 2 + eps
        size = np.sqrt(self.v[i] / correction(betas[1], self.t)) + eps
        self.x[i] -= self.lr * self.m[i] / correction(betas[0], self.t) / size


class Yogi(Reference):
    def begin(self, initial_accumulator_value, **_):
        self.v = [np.full_like(x, initial_accumulator_value) for x in self.x]

    def one(self, i, g, betas, bias_correction, eps=1e-3, **_):
        g = g + self.decay * self.x[i]
        self.m[i] = betas[0] * self.m[i] + (1 - betas[0]) * g
        self.v[i] -= (1 - betas[1]) * np.sign(self.v[i] - g**2) * g**2
        m, v = self.m[i], self.v[i]
        if bias_correction:
            m, v = m / correction(betas[0], self.t), v / correction(betas[1], self.t)
        self.x[i] -= self.lr * m / (np.sqrt(v) + eps)


class LAMB(Reference):
    def one(self, i, g, betas, bias_correction, max_trust, eps=1e-6):
        self.m[i] = betas[0] * self.m[i] + (1 - betas[0]) * g
        self.v[i] = betas[1] * self.v[i] + (1 - betas[1]) * g**2
        m, v = self.m[i], self.v[i]
        if bias_correction:
            m, v = m / correction(betas[0], self.t), v / correction(betas[1], self.t)
        u = m / (np.sqrt(v) + eps) + self.decay * self.x[i]
        trust = np.linalg.norm(self.x[i]) / np.linalg.norm(u)
        self.x[i] -= self.lr * (trust if max_trust is None else min(trust, max_trust)) * u


class LARS(Reference):
    def one(self, i, g, momentum, dampening, nesterov, rate_inside, coefficient=1e-3, eps=1e-8):
        weights, size = np.linalg.norm(self.x[i]), np.linalg.norm(g)
        trust = coefficient * weights / (size + self.decay * weights + eps)
        d = trust * (g + self.decay * self.x[i])
        if rate_inside:
            d = self.lr * d
        if momentum:
            first = self.t == 1
            self.m[i] = d if first else momentum * self.m[i] + (1 - dampening) * d
            d = d + momentum * self.m[i] if nesterov else self.m[i]
        self.x[i] -= d if rate_inside else self.lr * d


class ScheduleFree(Reference):
    """Three sequences kept apart, as the paper has them; the parameters hold y."""

    def begin(self, **_):
        self.z = [x.copy() for x in self.x]
        self.average = [x.copy() for x in self.x]
        self.largest = self.weights = 0.0

    def move(self, i, d, interpolation, warmup_steps, r, weight_lr_power):
        rate = self.lr * min(1.0, self.t / warmup_steps) if warmup_steps else self.lr
        if i == 0:
            self.largest = max(self.largest, rate)
            weight = self.t**r * self.largest**weight_lr_power
            self.weights += weight
            self.share = weight / self.weights
        self.z[i] = self.z[i] - rate * d
        self.average[i] = (1 - self.share) * self.average[i] + self.share * self.z[i]
        self.x[i] = (1 - interpolation) * self.z[i] + interpolation * self.average[i]


class ScheduleFreeSGD(ScheduleFree):
    def one(self, i, g, momentum, warmup_steps, r, weight_lr_power):
        g = g + self.decay * self.x[i]
        self.move(i, g, momentum, warmup_steps, r, weight_lr_power)


class ScheduleFreeAdamW(ScheduleFree):
    def one(self, i, g, betas, eps, warmup_steps, r):
        self.v[i] = betas[1] * self.v[i] + (1 - betas[1]) * g**2
        d = g / (np.sqrt(self.v[i] / correction(betas[1], self.t)) + eps)
        self.move(i, d + self.decay * self.x[i], betas[0], warmup_steps, r, 2.0)


class Prodigy(Reference):
    def begin(self, d0, **_):
        self.d = self.most = self.d0 = d0
        self.r = 0.0
        self.s = [np.zeros_like(x) for x in self.x]
        self.start = [x.copy() for x in self.x]

    def step(self, gradients):
        o = self.options
        beta1, beta2 = o["betas"]
        beta3 = np.sqrt(beta2) if o["beta3"] is None else o["beta3"]
        self.t += 1
        rate = self.d
        if o["use_bias_correction"]:
            rate *= np.sqrt(correction(beta2, self.t)) / correction(beta1, self.t)
        self.r *= beta3
        size = 0.0
        for i, g in enumerate(gradients):
            g = self.sign * g
            if not o["decouple"]:
                g = g + self.decay * self.x[i]
            self.r += self.d / self.d0 * rate * np.sum(g * (self.start[i] - self.x[i]))
            self.m[i] = beta1 * self.m[i] + self.d * (1 - beta1) * g
            self.v[i] = beta2 * self.v[i] + self.d**2 * (1 - beta2) * g**2
            share = self.d if o["safeguard_warmup"] else rate
            self.s[i] = beta3 * self.s[i] + self.d / self.d0 * share * g
            size += np.abs(self.s[i]).sum()
        estimate = self.r / size
        if self.d == self.d0:
            self.d = max(self.d, estimate)
        self.most = max(self.most, estimate)
        self.d = min(self.most, self.d * o["growth_rate"])
        for i in range(len(self.x)):
            if o["decouple"]:
                self.x[i] -= self.decay * rate * self.x[i]
            self.x[i] -= rate * self.m[i] / (np.sqrt(self.v[i]) + self.d * 1e-8)


REFERENCES = {
    each.__name__: each
    for each in (Lion, AdaBelief, Yogi, LAMB, LARS, ScheduleFreeSGD, ScheduleFreeAdamW, Prodigy)
}


def bowl(values, step):
    rng = np.random.default_rng(step)
    return [
        (x - 1) * np.linspace(0.3, 2, x.size).reshape(x.shape) + rng.normal(scale=0.3, size=x.shape)
        for x in values
    ]


def start():
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape) for shape in ((7,), (3, 2))]


@pytest.mark.parametrize(("name", "options"), OWN_EVERY, ids=OWN_EVERY_ID)
def test_every_combination_of_arguments_follows_the_rule(name, options):
    params = [leaf(x) for x in start()]
    optimizer = make(name, params, **options)
    settings = {"lr": 1.0, **options} if name == "Prodigy" else options
    reference = REFERENCES[name](start(), **settings)
    for step in range(STEPS):
        gradients = bowl(reference.x, step)
        for p, g in zip(params, gradients, strict=True):
            p.grad = mt.tensor(g)
        optimizer.step()
        reference.step(gradients)
        if step in (0, 1, 10, STEPS - 1):
            for p, x in zip(params, reference.x, strict=True):
                # Prodigy's first steps are far smaller than what they are added to.
                tolerance = 1e-7 if name == "Prodigy" else 1e-10
                limit = tolerance * max(1.0, np.abs(x).max())
                np.testing.assert_allclose(p.detach().numpy(), x, rtol=0, atol=limit)


# ---- schedule-free: x and y ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ScheduleFreeSGD", "ScheduleFreeAdamW"])
def test_eval_shows_the_average_and_train_goes_back(name):
    options = {"momentum": 0.8} if name == "ScheduleFreeSGD" else {"betas": (0.8, 0.95)}
    params = [leaf(x) for x in start()]
    optimizer = make(name, params, lr=0.05, **options)
    kept = {"momentum": 0.8} if name == "ScheduleFreeSGD" else {"betas": (0.8, 0.95), "eps": 1e-8}
    more = {"weight_lr_power": 2.0} if name == "ScheduleFreeSGD" else {}
    reference = REFERENCES[name](start(), lr=0.05, **kept, warmup_steps=0, r=0.0, **more)
    for step in range(20):
        gradients = bowl(reference.x, step)
        for p, g in zip(params, gradients, strict=True):
            p.grad = mt.tensor(g)
        optimizer.step()
        reference.step(gradients)
    version = params[0]._version
    for _ in range(2):  # twice is the same as once
        optimizer.eval()
    for p, x in zip(params, reference.average, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), x, rtol=1e-10, atol=1e-12)
    assert params[0]._version > version
    with pytest.raises(RuntimeError, match=r"optimizer\.train\(\)"):
        optimizer.step()
    optimizer.train()
    for p, x in zip(params, reference.x, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), x, rtol=1e-10, atol=1e-12)


# ---- SparseAdam ---------------------------------------------------------------------------------


class Table:
    """An embedding table of ours and torch's, of which batches touch some rows."""

    def __init__(self, torch, **options):
        self.torch = torch
        values = np.random.default_rng(0).normal(size=(9, 3))
        self.ours = leaf(values)
        self.theirs = torch.nn.Embedding(9, 3, sparse=True, dtype=torch.float64)
        with torch.no_grad():
            self.theirs.weight.copy_(torch.from_numpy(values))
        self.one = mt.optim.SparseAdam([self.ours], **options)
        self.other = torch.optim.SparseAdam(list(self.theirs.parameters()), **options)

    def step(self, rows, report):
        self.other.zero_grad()
        out = self.theirs(self.torch.tensor(rows))
        (out**2 * self.torch.arange(1.0, 4.0)).sum().backward()
        self.other.step()
        gradient = self.theirs.weight.grad.to_dense().numpy()
        self.ours.grad = mt.tensor(gradient)
        if report:
            self.ours.grad.rows = mt.tensor(rows)
        self.one.step()


@pytest.mark.parametrize("report", [True, False])
@pytest.mark.parametrize("options", [{}, {"lr": 0.1, "betas": (0.5, 0.9)}, {"maximize": True}])
def test_sparse_adam_moves_the_touched_rows_as_torchs_does(report, options):
    table = Table(pytest.importorskip("torch"), **options)
    rng = np.random.default_rng(1)
    for step in range(STEPS):
        rows = rng.integers(0, 8, size=4).tolist()  # repeated ones too, row 8 never
        before = table.ours.detach().numpy().copy()
        table.step(rows, report)
        still = [row for row in range(9) if row not in rows]
        np.testing.assert_array_equal(table.ours.detach().numpy()[still], before[still])
        if step in (0, 10, STEPS - 1):
            np.testing.assert_allclose(
                table.ours.detach().numpy(), table.theirs.weight.detach().numpy(), atol=1e-10
            )


def test_a_reported_row_of_zeros_is_stepped_and_an_unreported_one_is_not():
    told, untold = leaf(np.ones((3, 2))), leaf(np.ones((3, 2)))
    for p in (told, untold):
        optimizer = mt.optim.SparseAdam([p], lr=0.1)
        p.grad = mt.tensor(np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]))
        optimizer.step()
        p.grad = mt.zeros(3, 2, dtype=mt.float64)
        if p is told:
            p.grad.rows = [0]
        optimizer.step()
    assert told.tolist()[0][0] < untold.tolist()[0][0] < 1.0  # momentum went on
    assert told.tolist()[1:] == untold.tolist()[1:] == [[1.0, 1.0]] * 2


def test_a_row_with_nan_counts_as_touched():
    p = leaf(np.ones((2, 2)))
    p.grad = mt.tensor(np.array([[0.0, np.nan], [0.0, 0.0]]))
    mt.optim.SparseAdam([p]).step()
    assert np.isnan(p.detach().numpy()).tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        ([3], IndexError, "rows 3 to 3 of a parameter of 3 rows"),
        ([-1, 2], IndexError, "rows -1 to 2"),
        ([0.5], TypeError, "must be integers"),
    ],
)
def test_rows_that_cannot_be_are_named_and_nothing_moves(rows, error, words):
    first, p = leaf(np.ones((3, 2))), leaf(np.ones((3, 2)))
    optimizer = mt.optim.SparseAdam([{"params": [first]}, {"params": [p]}])
    first.grad, p.grad = mt.ones(3, 2, dtype=mt.float64), mt.ones(3, 2, dtype=mt.float64)
    p.grad.rows = np.array(rows)
    before = bits([first, p])
    with pytest.raises(error, match=words):
        optimizer.step()
    assert bits([first, p]) == before


def test_no_touched_rows_move_nothing():
    p = leaf(np.ones((3, 2)))
    optimizer = mt.optim.SparseAdam([p])
    p.grad = mt.ones(3, 2, dtype=mt.float64)
    p.grad.rows = []
    optimizer.step()
    assert p.tolist() == [[1.0, 1.0]] * 3


# ---- Muon ---------------------------------------------------------------------------------------


MUON = [
    {},
    {"nesterov": False, "momentum": 0.5},
    {"weight_decay": 0.0, "ns_steps": 3},
    {"adjust_lr_fn": "original"},
    {"adjust_lr_fn": "match_rms_adamw", "eps": 1e-2},
    {"ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 8},
]


@pytest.mark.parametrize("options", MUON, ids=str)
def test_muon_is_torchs_in_full_precision(options, monkeypatch):
    torch = pytest.importorskip("torch")
    # torch iterates in bfloat16, whose rounding no other order of additions can repeat.
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor.clone())
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape) for shape in ((4, 3), (3, 7), (5, 5), (1, 4))]
    ours = [leaf(x) for x in values]
    theirs = [torch.tensor(x, requires_grad=True) for x in values]
    one = mt.optim.Muon(ours, lr=0.02, **options)
    other = torch.optim.Muon(theirs, lr=0.02, **options)
    for step in range(STEPS):
        for a, b in zip(ours, theirs, strict=True):
            noise = rng.normal(size=a.shape)
            a.grad = mt.tensor(a.detach().numpy() - 1 + noise)
            b.grad = torch.tensor(b.detach().numpy() - 1 + noise)
        one.step()
        other.step()
        if step in (0, 10, STEPS - 1):
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-10)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 6)])
def test_muons_step_has_singular_values_near_one(shape):
    p = leaf(np.zeros(shape))
    p.grad = mt.tensor(np.random.default_rng(0).normal(size=shape))
    mt.optim.Muon([p], lr=1.0, momentum=0.0, adjust_lr_fn="original").step()
    scale = max(1.0, shape[0] / shape[1]) ** 0.5
    values = np.linalg.svd(p.detach().numpy() / scale, compute_uv=False)
    assert values.min() > 0.4 and values.max() < 1.3


def test_muon_wants_matrices():
    for wrong in (np.ones(3), np.ones((2, 2, 2)), 1.0):
        with pytest.raises(ValueError, match="only supports 2D"):
            mt.optim.Muon([leaf(np.ones((2, 2))), leaf(wrong)])


def test_muon_resumes_with_the_same_bits():
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(6, 4, 3))
    straight, first = leaf(np.ones((4, 3))), leaf(np.ones((4, 3)))
    one, two = mt.optim.Muon([straight]), mt.optim.Muon([first])
    for step, g in enumerate(gradients):
        straight.grad = first.grad = mt.tensor(g)
        one.step()
        if step == 3:
            other = mt.optim.Muon([first])
            other.load_state_dict(two.state_dict())
            two = other
        two.step()
    assert bits([straight]) == bits([first]) and state_bits(one) == state_bits(two)
