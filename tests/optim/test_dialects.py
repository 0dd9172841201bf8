"""Where papers and libraries differ, an argument chooses; what difference it makes."""

import numpy as np
import pytest
from optimizer_cases import leaf, make

import microtensor as mt

CURVATURES = np.array([0.2, 4.0])
START = np.array([-5.0, -2.0])


def descend(name, steps=20, rates=None, **options):
    """Give where an optimizer is after some steps down the valley 0.1·x₁² + 2·x₂²."""
    x = leaf(START)
    optimizer = make(name, [x], **options)
    for step in range(steps):
        if rates is not None:
            optimizer.param_groups[0]["lr"] = rates[step]
        x.grad = mt.tensor(CURVATURES * x.detach().numpy())
        optimizer.step()
    return x.detach().numpy()


def adagrad(eps, inside):
    x, total = START, 0.0
    for _ in range(20):
        g = CURVATURES * x
        total = total + g * g
        x = x - 0.4 * g / (np.sqrt(total + eps) if inside else np.sqrt(total) + eps)
    return x


def rmsprop(eps, inside, centered):
    x, square, mean = START, 0.0, 0.0
    for _ in range(20):
        g = CURVATURES * x
        square, mean = 0.9 * square + 0.1 * g * g, 0.9 * mean + 0.1 * g
        v = square - mean**2 if centered else square
        x = x - 0.1 * g / (np.sqrt(v + eps) if inside else np.sqrt(v) + eps)
    return x


def adam(eps, hat):
    x, m, s = START, 0.0, 0.0
    for t in range(1, 21):
        g = CURVATURES * x
        m, s = 0.9 * m + 0.1 * g, 0.99 * s + 0.01 * g * g
        first, second = 1 - 0.9**t, 1 - 0.99**t
        if hat:
            x = x - 0.1 * np.sqrt(second) / first * m / (np.sqrt(s) + eps)
        else:
            x = x - 0.1 * (m / first) / (np.sqrt(s / second) + eps)
    return x


@pytest.mark.parametrize("inside", [False, True])
def test_adagrads_epsilon_outside_or_inside_the_root(inside):
    found = descend("Adagrad", lr=0.4, eps=0.5, eps_inside_root=inside)
    np.testing.assert_allclose(found, adagrad(0.5, inside), rtol=1e-12)
    assert abs(found - adagrad(0.5, not inside)).max() > 1e-2


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_rmsprops_epsilon_outside_or_inside_the_root(inside, centered):
    options = {"lr": 0.1, "alpha": 0.9, "eps": 0.5, "centered": centered}
    found = descend("RMSprop", eps_inside_root=inside, **options)
    np.testing.assert_allclose(found, rmsprop(0.5, inside, centered), rtol=1e-12)
    assert abs(found - rmsprop(0.5, not inside, centered)).max() > 1e-2


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("hat", [False, True])
def test_adams_epsilon_beside_the_corrected_or_the_uncorrected_root(name, hat):
    options = {"lr": 0.1, "betas": (0.9, 0.99), "eps": 0.1, "weight_decay": 0}
    found = descend(name, eps_hat=hat, **options)
    np.testing.assert_allclose(found, adam(0.1, hat), rtol=1e-12)
    assert abs(found - adam(0.1, not hat)).max() > 1e-2


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_with_the_rate_outside_or_inside_the_velocity(nesterov):
    options = {"lr": 0.1, "momentum": 0.9, "nesterov": nesterov}
    outside, inside = (descend("SGD", rate_inside=i, **options) for i in (False, True))
    # The same way while the rate is constant ...
    np.testing.assert_allclose(inside, outside, rtol=1e-12)
    falling = [0.1] * 10 + [0.01] * 10
    outside, inside = (descend("SGD", rates=falling, rate_inside=i, **options) for i in (0, 1))
    x, velocity = START, 0.0
    for rate in falling:
        g = CURVATURES * x
        velocity = 0.9 * velocity + rate * g
        x = x - (rate * g + 0.9 * velocity if nesterov else velocity)
    np.testing.assert_allclose(inside, x, rtol=1e-12)
    # ... and when it falls, the velocity keeps what it gained at the higher one.
    assert abs(inside - outside).max() > 0.1


@pytest.mark.parametrize("name", ["Adam", "NAdam", "RAdam"])
def test_decay_within_the_gradient_or_beside_the_step(name):
    options = {"lr": 0.1, "weight_decay": 0.5}
    coupled = descend(name, **options)
    decoupled = descend(name, decoupled_weight_decay=True, **options)
    assert abs(coupled - decoupled).max() > 0.05
    if name == "Adam":
        np.testing.assert_array_equal(decoupled, descend("AdamW", **options))


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("SGD", "rate_inside"),
        ("Adagrad", "eps_inside_root"),
        ("RMSprop", "eps_inside_root"),
        ("Adam", "eps_hat"),
        ("AdamW", "eps_hat"),
    ],
)
def test_a_dialect_shows_in_the_groups_only_where_it_is_chosen_and_is_saved(name, option):
    p = leaf([1.0])
    assert option not in make(name, [p]).param_groups[0]
    chosen = make(name, [p], **{option: True})
    assert chosen.param_groups[0][option] is True
    other = make(name, [p])
    other.load_state_dict(chosen.state_dict())
    assert other.param_groups[0][option] is True


@pytest.mark.parametrize(("size", "steps"), [(12, 1), (1, 12), (5, 3)], ids=["BGD", "SGD", "MBGD"])
def test_the_batch_decides_what_gradient_descent_is_called(size, steps):
    rng = np.random.default_rng(0)
    x = mt.tensor(rng.normal(size=(12, 2)), dtype=mt.float64)
    y = (x * mt.tensor([1.0, -2.0], dtype=mt.float64)).sum(1)
    data = mt.utils.data.TensorDataset(x, y)
    w = leaf([0.0, 0.0])
    optimizer = mt.optim.SGD([w], lr=0.1)
    expected, count = np.zeros(2), 0
    for rows, targets in mt.utils.data.DataLoader(data, batch_size=size):
        optimizer.zero_grad()
        (((rows * w).sum(1) - targets) ** 2).mean().backward()
        optimizer.step()
        a, b = rows.numpy(), targets.numpy()
        expected = expected - 0.1 * 2 * a.T @ (a @ expected - b) / len(a)
        count += 1
    assert count == steps
    np.testing.assert_allclose(w.detach().numpy(), expected, rtol=1e-12)
