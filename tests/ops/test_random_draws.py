"""Random draws and fills: their distributions, against what the definitions say, and their errors.

Every draw has a fixed seed; each bound is passed by all but one seed in 10⁴ or so.
"""

import math
from collections import Counter
from itertools import permutations

import numpy as np
import pytest

import microtensor as mt

COUNT = 100_000


def generator(seed=11):
    return mt.Generator().manual_seed(seed)


def kolmogorov_smirnov(values, distribution):
    """√n times the largest distance between empirical and true distribution functions."""
    values = np.sort(values)
    exact = distribution(values)
    steps = np.arange(len(values) + 1) / len(values)
    return math.sqrt(len(values)) * max((steps[1:] - exact).max(), (exact - steps[:-1]).max())


def chi_squared(values, probabilities):
    """Pearson's statistic of counts 0, 1, …, the last of which stands for all that follow.

    Given in standard deviations above its mean, which a sample exceeds 4 times seldom enough.
    """
    expected = len(values) * np.asarray(probabilities)
    counts = np.bincount(np.minimum(values, len(expected) - 1), minlength=len(expected))
    freedom = len(expected) - 1
    return (((counts - expected) ** 2 / expected).sum() - freedom) / math.sqrt(2 * freedom)


def normal_cdf(v):
    return (1 + np.vectorize(math.erf)(v / math.sqrt(2))) / 2


# ---- continuous distributions -------------------------------------------------------------------

CONTINUOUS = {
    "uniform_": (lambda x, g: x.uniform_(-3, 5, generator=g), lambda v: (v + 3) / 8),
    "normal_": (lambda x, g: x.normal_(2, 3, generator=g), lambda v: normal_cdf((v - 2) / 3)),
    "exponential_": (lambda x, g: x.exponential_(0.5, generator=g), lambda v: 1 - np.exp(-v / 2)),
    "log_normal_": (
        lambda x, g: x.log_normal_(0.5, 0.7, generator=g),
        lambda v: normal_cdf((np.log(v) - 0.5) / 0.7),
    ),
    "cauchy_": (
        lambda x, g: x.cauchy_(1, 2, generator=g),
        lambda v: 0.5 + np.arctan((v - 1) / 2) / np.pi,
    ),
    "normal of tensors": (
        lambda x, g: mt.normal(mt.full_like(x, 2), mt.full_like(x, 3), generator=g),
        lambda v: normal_cdf((v - 2) / 3),
    ),
    "normal of a tensor": (
        lambda x, g: mt.normal(mt.full_like(x, 2), 3, generator=g),
        lambda v: normal_cdf((v - 2) / 3),
    ),
    "normal of a number": (
        lambda x, g: mt.normal(2, mt.full_like(x, 3), generator=g),
        lambda v: normal_cdf((v - 2) / 3),
    ),
    "normal of numbers": (
        lambda x, g: mt.normal(2.0, 3.0, x.shape, generator=g, dtype=x.dtype),
        lambda v: normal_cdf((v - 2) / 3),
    ),
}


@pytest.mark.parametrize("dtype", [mt.float64, mt.float32])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_distribution(name, dtype):
    draw, distribution = CONTINUOUS[name]
    x = draw(mt.empty(COUNT, dtype=dtype), generator())
    assert x.dtype is dtype and x.shape == (COUNT,)
    values = x.numpy().astype(np.float64)
    assert np.isfinite(values).all()
    assert kolmogorov_smirnov(values, distribution) < 2.2
    centred = distribution(values) - 0.5
    assert abs((centred[1:] * centred[:-1]).mean()) < 4 / 12 / math.sqrt(COUNT)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_half_precision_is_rounded_from_a_wider_draw(name):
    draw, distribution = CONTINUOUS[name]
    x = draw(mt.empty(20_000, dtype=mt.float16), generator())
    assert x.dtype is mt.float16
    values = x.numpy().astype(np.float64)
    # The grid itself is a good part of the distance.
    assert kolmogorov_smirnov(values[np.isfinite(values)], distribution) < 3
    assert len(np.unique(values)) > 500


@pytest.mark.parametrize("dtype", [mt.float16, mt.float32, mt.float64])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (1000, 1001), (3, 3), (-2, 0)])
def test_uniform_numbers_never_reach_the_upper_bound(low, high, dtype):
    x = mt.empty(COUNT, dtype=dtype).uniform_(low, high, generator=generator()).numpy()
    assert x.min() >= low and (x.max() < high or low == high == x.max())


def test_exponential_numbers_are_never_zero():
    for dtype in (mt.float16, mt.float32, mt.float64):
        assert mt.empty(COUNT, dtype=dtype).exponential_(1e6, generator=generator()).min() > 0


# ---- discrete distributions ---------------------------------------------------------------------


def poisson_probabilities(rate, most):
    k = np.arange(most)
    logs = k * math.log(rate) - rate - np.array([math.lgamma(i + 1) for i in k])
    return np.append(np.exp(logs), 1 - np.exp(logs).sum())


@pytest.mark.parametrize(
    ("rate", "most"), [(0.3, 4), (2.0, 8), (9.9, 20), (10.0, 20), (40.0, 60), (200.0, 235)]
)
def test_poisson_distribution(rate, most):
    x = mt.poisson(mt.full((COUNT,), rate, dtype=mt.float64), generator=generator()).numpy()
    probabilities = poisson_probabilities(rate, most)
    low = int(np.argmax(np.cumsum(probabilities) > 1e-3))  # few fall below: one cell for them
    merged = np.append(probabilities[: low + 1].sum(), probabilities[low + 1 :])
    assert chi_squared(np.maximum(x.astype(np.int64) - low, 0), merged) < 4
    assert abs(x.mean() - rate) < 4 * math.sqrt(rate / COUNT)
    variance = math.sqrt((rate + 2 * rate**2) / COUNT)
    assert abs(x.var() - rate) < 4 * variance


def test_poisson_of_extreme_rates():
    assert mt.poisson(mt.zeros(100)).tolist() == [0] * 100
    rate = 1e12
    x = mt.poisson(mt.full((2000,), rate, dtype=mt.float64), generator=generator()).numpy()
    assert abs((x.mean() - rate) / math.sqrt(rate / 2000)) < 4
    assert abs(x.var() / rate - 1) < 4 * math.sqrt(2 / 2000)
    assert (x == np.floor(x)).all()


@pytest.mark.parametrize("p", [0.01, 0.3, 0.9])
@pytest.mark.parametrize("dtype", [mt.float32, mt.int64, mt.uint8])
def test_geometric_distribution(p, dtype):
    if dtype is mt.uint8 and p < 0.1:
        return  # its numbers go beyond 255
    x = mt.empty(COUNT, dtype=dtype).geometric_(p, generator=generator()).numpy()
    most = int(math.log(1e-3) / math.log1p(-p)) + 1
    probabilities = p * (1 - p) ** np.arange(most)
    assert x.min() == 1
    assert chi_squared(x.astype(np.int64) - 1, np.append(probabilities, (1 - p) ** most)) < 4


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("dtype", [mt.float16, mt.float64, mt.int32, mt.bool])
def test_bernoulli_distribution(p, dtype):
    bound = 4 * math.sqrt(COUNT * p * (1 - p))
    x = mt.ones(COUNT, dtype=dtype).bernoulli_(p, generator=generator())
    assert x.dtype is dtype and set(np.unique(x.numpy().astype(int))) <= {0, 1}
    assert abs(x.double().sum().item() - COUNT * p) <= bound
    if dtype.is_floating_point:
        y = mt.bernoulli(mt.full((COUNT,), p, dtype=mt.float64).to(dtype), generator=generator())
        assert abs(y.double().sum().item() - COUNT * p) <= bound + COUNT * 1e-4


def test_bernoulli_has_a_probability_for_each_place():
    chances = mt.tensor([[0.0], [0.25], [1.0]])
    x = mt.empty(3, COUNT).bernoulli_(chances, generator=generator())
    means = x.mean(1).tolist()
    assert means[0] == 0 and means[2] == 1
    assert abs(means[1] - 0.25) < 4 * math.sqrt(0.25 * 0.75 / COUNT)
    assert mt.bernoulli(mt.ones(3), p=0.0).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("dtype", "arguments", "least", "most"),
    [
        (mt.float32, (5,), 0, 4),
        (mt.int8, (-3, 3), -3, 2),
        (mt.uint8, (), 0, 255),
        (mt.int8, (), 0, 127),
        (mt.bool, (), 0, 1),
        (mt.float16, (), 0, 2**11),
    ],
)
def test_random_integers_fill_their_range_evenly(dtype, arguments, least, most):
    x = mt.empty(COUNT, dtype=dtype).random_(*arguments, generator=generator())
    values = x.numpy().astype(np.int64)
    assert values.min() == least and values.max() == most
    span = most - least + 1
    assert chi_squared(values - least, np.full(span, 1 / span)) < 4


def test_random_integers_of_wide_dtypes():
    x = mt.empty(1000, dtype=mt.int64).random_(generator=generator())
    assert x.min() >= 0 and x.max() > 2**62
    assert mt.empty(1000).random_(generator=generator()).max() <= 2**24
    assert mt.randint_like(mt.empty(100, dtype=mt.float16), 2, 5).dtype is mt.float16


# ---- multinomial --------------------------------------------------------------------------------

WEIGHTS = np.array([1.0, 0.0, 3.0, 2.0, 4.0])


@pytest.mark.parametrize("dtype", [mt.float16, mt.float32, mt.float64])
def test_draws_with_replacement_are_in_proportion(dtype):
    weights = mt.tensor(WEIGHTS * 7, dtype=dtype)
    x = mt.multinomial(weights, COUNT, replacement=True, generator=generator())
    assert x.dtype is mt.int64 and x.shape == (COUNT,)
    assert (x != 1).all()
    kept = np.array([0, -1, 1, 2, 3])[x.numpy()]
    assert chi_squared(kept, WEIGHTS[WEIGHTS > 0] / WEIGHTS.sum()) < 4


def test_draws_without_replacement_have_the_probability_of_their_order():
    """P(a, b, c) = w_a / W · w_b / (W - w_a) · w_c / (W - w_a - w_b)."""
    rows = 40_000
    x = mt.multinomial(mt.tensor(WEIGHTS).expand(rows, 5), 3, generator=generator())
    counts = Counter(map(tuple, x.tolist()))
    total = WEIGHTS.sum()
    exact = {}
    for a, b, c in permutations([0, 2, 3, 4], 3):
        rest = total - WEIGHTS[a]
        exact[a, b, c] = WEIGHTS[a] / total * WEIGHTS[b] / rest * WEIGHTS[c] / (rest - WEIGHTS[b])
    assert math.isclose(sum(exact.values()), 1)
    assert set(counts) <= set(exact)
    statistic = sum((counts[k] - rows * p) ** 2 / (rows * p) for k, p in exact.items())
    assert (statistic - 23) / math.sqrt(46) < 4


def test_rows_are_drawn_from_independently():
    weights = mt.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    assert mt.multinomial(weights, 4, True).tolist() == [[0] * 4, [1] * 4, [2] * 4]
    x = mt.multinomial(mt.ones(2, 20_000), 20_000, generator=generator())
    assert sorted(x[0].tolist()) == list(range(20_000))
    assert (x[0] == x[1]).sum() < 20
    assert mt.multinomial(mt.ones(0, 3), 2).shape == (0, 2)


def test_weights_of_any_size_are_legal():
    for scale in (1e-40, 1e38):
        x = mt.multinomial(mt.tensor([scale, 0.0, scale]), 2, generator=generator())
        assert sorted(x.tolist()) == [0, 2]
        y = mt.multinomial(mt.tensor([0.0, scale, 0.0]), 50, True, generator=generator())
        assert y.tolist() == [1] * 50


# ---- fills are writes ---------------------------------------------------------------------------

FILLS = {
    "uniform_": (),
    "normal_": (),
    "bernoulli_": (),
    "random_": (),
    "exponential_": (),
    "log_normal_": (),
    "geometric_": (0.5,),
    "cauchy_": (),
}


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_writes_in_place_and_cuts_off_what_was_recorded(name):
    x = mt.ones(3, requires_grad=True)
    y = x * 2
    row = y[1:]
    version = y._version
    assert getattr(row, name)(*FILLS[name], generator=generator()) is row
    assert y._version == version + 1
    y.sum().backward()
    assert x.grad.tolist() == [2, 0, 0]
    z = x * 2
    getattr(z, name)(*FILLS[name])
    z.sum().backward()
    assert x.grad.tolist() == [2, 0, 0]
    with pytest.raises(RuntimeError, match=f"{name}: a leaf"):
        getattr(x, name)(*FILLS[name])
    with mt.no_grad():
        getattr(x, name)(*FILLS[name])
    with pytest.raises(RuntimeError, match=name):
        getattr(mt.ones(1).expand(3), name)(*FILLS[name])


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_keeps_strides_and_takes_any_shape(name):
    for x in (mt.ones(()), mt.ones(0), mt.ones(3, 4).t(), mt.ones(2, 3, dtype=mt.float16)[:, ::2]):
        stride, array = x.stride(), x._array
        getattr(x, name)(*FILLS[name])
        assert x.stride() == stride and x._array is array


def test_a_saved_tensor_that_is_filled_is_noticed():
    x = mt.ones(3, requires_grad=True)
    factor = mt.ones(3)
    y = x * factor
    factor.normal_()
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        y.sum().backward()


def test_gradients_of_the_parameters_are_zero():
    p = mt.full((3,), 0.5, requires_grad=True)
    (mt.bernoulli(p) + mt.poisson(p) + mt.normal(p, 1.0) + mt.normal(0.0, p)).sum().backward()
    assert p.grad.tolist() == [0, 0, 0]


# ---- the same lines in PyTorch ------------------------------------------------------------------

SHAPED = """
m.rand(2, 3); m.rand((2,)); m.rand(size=(1, 2), dtype=m.float64); m.rand(2, device='cpu')
m.randn(()); m.rand_like(m.ones(2, dtype=m.float16)); m.randn_like(m.ones(2, 1), dtype=m.float64)
m.randint(3, (2,)); m.randint(1, 3, (2, 2)); m.randint(low=0, high=3, size=(2,))
m.randint(high=3, size=(1,)); m.randint(0, 3, (2,), dtype=m.float16); m.randint_like(m.ones(2), 3)
m.randint_like(m.tensor([1, 2]), 1, 3); m.randperm(3); m.randperm(3, dtype=m.float32)
m.randperm(4, dtype=m.int32); m.multinomial(m.ones(3), 2)
m.multinomial(m.ones(2, 3), 4, replacement=True); m.multinomial(m.ones(0, 2), 1)
m.ones(2, 3, dtype=m.float64).multinomial(num_samples=1); m.normal(m.zeros(2), 1.0)
m.normal(m.zeros(2)); m.normal(0, 1, (2, 3)); m.normal(mean=0.0, std=1.0, size=(2,))
m.normal(m.zeros(2, requires_grad=True), 1.0)
m.normal(0.0, 1.0, (2,), dtype=m.float64, requires_grad=True); m.poisson(m.ones(2))
m.poisson(m.ones(1, requires_grad=True)); m.tensor([1.0]).exponential_(lambd=2)
"""
# Where the parameters leave one number only.
CERTAIN = """
m.randperm(0); m.bernoulli(m.ones(2, 2)); m.tensor([1, 2, 3]).bernoulli_(1.0)
m.tensor([1, 2, 3]).bernoulli_(m.tensor([1.0, 0.0, 1.0])); m.ones(2).bernoulli()
m.bernoulli(m.ones(3), p=0.0); m.ones(2, dtype=m.float64).bernoulli(1); m.normal(2.0, m.zeros(2))
m.normal(m.zeros(2, dtype=m.float64), m.zeros(3, 1)); m.poisson(m.zeros(2, dtype=m.float64))
m.zeros(2).uniform_(1, 1); m.zeros(2).uniform_(**{'from': 2, 'to': 2}); m.zeros(2).uniform_(to=0)
m.zeros(2, dtype=m.float16).normal_(std=0); m.tensor([1.5]).random_(1); m.tensor([1]).random_(3, 4)
m.tensor([1]).random_(**{'from': 3, 'to': 4}); m.tensor([1]).random_(to=1)
m.tensor([1]).geometric_(0.999999999); m.ones(2).log_normal_(mean=1, std=1e-9) * 0
m.ones(2).cauchy_(median=3, sigma=1e-9) * 0; m.get_rng_state()[:0]; m.Generator().get_state()[:0]
m.empty(2, 0).normal_()
"""
WRONG = """
m.rand(-1); m.randn(2.5); m.rand(2, dtype=m.int64); m.rand_like(m.tensor([1]))
m.randint(0, 300, (2,), dtype=m.uint8); m.randint(-1, 3, (2,), dtype=m.uint8)
m.randint(0, 3, (2,), dtype=m.bool); m.randint(3, 3, (2,)); m.randint(3); m.randperm(-1)
m.randperm(300, dtype=m.uint8); m.bernoulli(m.tensor([1, 0])); m.bernoulli(m.tensor([1.5]))
m.bernoulli(m.tensor([float('nan')])); m.bernoulli(0.5); m.tensor([1.0]).bernoulli_(2.0)
m.tensor([1, 2, 3]).bernoulli_(m.tensor([1.0, 0.0])); m.multinomial(m.ones(3), 4)
m.multinomial(m.zeros(3), 1); m.multinomial(m.tensor([-1.0, 2.0]), 1)
m.multinomial(m.tensor([float('inf'), 2.0]), 1); m.multinomial(m.tensor([float('nan'), 2.0]), 1)
m.multinomial(m.tensor([1, 2]), 1); m.multinomial(m.ones(2, 2, 2), 1); m.multinomial(m.ones(3), 0)
m.multinomial(m.tensor(3.0), 1); m.multinomial(m.ones(2, 0), 1)
m.multinomial(m.tensor([[1.0, 1.0], [0.0, 0.0]]), 1, True); m.normal(m.zeros(2), -1.0)
m.normal(m.zeros(2), m.tensor([-1.0, 1.0])); m.normal(0.0, -1.0, (2,)); m.normal(m.tensor([1]), 1.0)
m.normal(0.0, 1.0); m.normal(m.zeros(2), m.zeros(3)); m.poisson(m.tensor([-1.0]))
m.poisson(m.tensor([1])); m.poisson(m.tensor([float('nan')])); m.poisson(3.0)
m.tensor([1]).uniform_(); m.ones(1).uniform_(2, 1); m.ones(1).uniform_(float('-inf'), 1)
m.ones(1).uniform_(nonsense=1); m.tensor([1]).normal_(); m.ones(1).normal_(0, -1)
m.tensor([1]).exponential_(); m.ones(1).exponential_(0); m.ones(1).exponential_(-1)
m.ones(1).log_normal_(0, 0); m.ones(1).geometric_(0); m.ones(1).geometric_(1)
m.ones(1).geometric_(); m.ones(1).cauchy_(0, 0); m.tensor([1]).cauchy_()
m.tensor([1]).log_normal_(); m.ones(1).random_(3, 3); m.ones(1).random_(0)
m.tensor([1], dtype=m.uint8).random_(0, 300); m.ones(1, requires_grad=True).normal_()
m.Generator().set_state(3); m.Generator().set_state(m.zeros(3))
m.Generator().set_state(m.zeros(3, dtype=m.uint8)); m.set_rng_state([1]); m.rand(2, generator=3)
"""


def lines(text):
    return [part.strip() for line in text.strip().splitlines() for part in line.split("; ")]


@pytest.mark.parametrize("line", [*lines(SHAPED), *lines(CERTAIN)])
def test_shapes_and_dtypes_are_pytorchs(line, torch):
    ours, theirs = (eval(line, {"m": m}) for m in (mt, torch))
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
    assert ours.requires_grad == theirs.requires_grad


@pytest.mark.parametrize("line", lines(CERTAIN))
def test_what_leaves_no_choice_has_pytorchs_values(line, torch):
    ours, theirs = (eval(line, {"m": m}) for m in (mt, torch))
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-7)


@pytest.mark.parametrize("line", lines(WRONG))
def test_line_fails_as_in_pytorch(line, torch):
    caught = []
    for m in (mt, torch):
        with pytest.raises(Exception) as info:
            eval(line, {"m": m})
        # What PyTorch has no kernel for is a kind of RuntimeError, too.
        caught.append(RuntimeError if info.type is NotImplementedError else info.type)
    assert caught[0] is caught[1]
