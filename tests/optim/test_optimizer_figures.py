"""Published figures, what theory says, and that every optimizer gets to where it should."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
from optimizer_cases import NAMES, leaf, make

import microtensor as mt
from microtensor.lab.published import FIGURES, valley

# ---- Dive into Deep Learning, chapter 12: f(x) = 0.1·x₁² + 2·x₂² from (−5, −2), 20 steps --------

CURVATURES = np.array([0.2, 4.0])
START = [-5.0, -2.0]


def descend(optimizer, x, function, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        function(x).backward()
        optimizer.step()
    return x.tolist()


# The other published figures are computed where the laboratory shows them.
@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_ours_are_the_published_figures(figure):
    assert figure.off(figure.ours()) <= 1


# ---- what theory says ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adamax"])
def test_adams_first_step_is_the_rate_times_the_sign(name):
    gradient = np.array([1e-3, -1e-3, 5.0, -700.0, 1e8, 0.0])
    x = leaf(np.zeros(6))
    x.grad = mt.tensor(gradient)
    make(name, [x], lr=0.25).step()
    # |g| / (|g| + ε) falls short of 1 by ε / |g|.
    np.testing.assert_allclose(x.detach().numpy(), -0.25 * np.sign(gradient), rtol=1.1e-5)


def test_rmsprops_first_step_follows_the_rule():
    x = leaf([1.0])
    x.grad = mt.tensor(np.array([3.0]))
    mt.optim.RMSprop([x], lr=0.1, alpha=0.9, eps=0.5, weight_decay=0.25).step()
    g = 3.0 + 0.25 * 1.0
    assert x.item() == pytest.approx(1 - 0.1 * g / (np.sqrt(0.1 * g * g) + 0.5), rel=1e-14)


def test_decoupled_decay_shrinks_beside_the_step_and_coupled_decay_goes_through_it():
    lr, decay = 0.1, 0.5
    shrunk, coupled = leaf([2.0]), leaf([2.0])
    for x in (shrunk, coupled):
        x.grad = mt.tensor(np.array([3.0]))
    mt.optim.AdamW([shrunk], lr=lr, weight_decay=decay, eps=0).step()
    mt.optim.Adam([coupled], lr=lr, weight_decay=decay, eps=0).step()
    assert shrunk.item() == pytest.approx(2 * (1 - lr * decay) - lr, rel=1e-14)
    assert coupled.item() == pytest.approx(2 - lr, rel=1e-14)  # sign(3 + 0.5·2) is sign(3)


@pytest.mark.parametrize("rate", [0.49, 0.51])
def test_gradient_descent_diverges_beyond_two_over_the_largest_curvature(rate):
    x = leaf(START)
    descend(mt.optim.SGD([x], lr=rate), x, valley, 400)
    steep = x.detach().numpy()[1]
    assert steep == pytest.approx(-2 * (1 - 4 * rate) ** 400, rel=1e-9)
    assert abs(steep) > 1e7 if rate > 2 / CURVATURES.max() else abs(steep) < 1e-6


# ---- convergence --------------------------------------------------------------------------------


def parabola(x):
    return valley(x), CURVATURES * x


def rosenbrock(x):
    across = x[1] - x[0] ** 2
    return (1 - x[0]) ** 2 + 100 * across**2, np.array(
        [-2 * (1 - x[0]) - 400 * x[0] * across, 200 * across]
    )


# optimizer; options and budget on the parabola (down to 1e-3), then on Rosenbrock's function from
# (−2, 2) (down from 409 to 0.1)
TABLE = [
    ("SGD", {"lr": 0.4}, 60, {"lr": 4e-4}, 8000),
    ("SGD", {"lr": 0.3, "momentum": 0.9}, 100, {"lr": 2e-4, "momentum": 0.9}, 2000),
    (
        "SGD",
        {"lr": 0.3, "momentum": 0.9, "nesterov": True},
        30,
        {"lr": 2e-4, "momentum": 0.9, "nesterov": True},
        2500,
    ),
    ("Adagrad", {"lr": 1.0}, 50, {"lr": 0.5}, 6000),
    ("Adadelta", {}, 1300, {"eps": 1e-7}, 2500),
    ("RMSprop", {}, 800, {"lr": 1e-3}, 5000),
    (
        "RMSprop",
        {"centered": True, "momentum": 0.9},
        120,
        {"lr": 1e-4, "momentum": 0.9},
        5000,
    ),
    ("Adam", {"lr": 0.1}, 100, {"lr": 0.02}, 4000),
    ("Adam", {"lr": 0.1, "amsgrad": True}, 100, {"lr": 0.05, "amsgrad": True}, 5000),
    ("AdamW", {"lr": 0.1, "weight_decay": 1e-4}, 100, {"lr": 0.02, "weight_decay": 1e-6}, 4000),
    ("ASGD", {"lr": 0.4}, 80, {"lr": 4e-4}, 20000),
    ("Rprop", {"lr": 0.1}, 60, {"lr": 0.01}, 2000),
    ("Adamax", {"lr": 0.2}, 200, {"lr": 0.02}, 6000),
    ("NAdam", {"lr": 0.1}, 200, {"lr": 0.02}, 6000),
    ("RAdam", {"lr": 0.1}, 500, {"lr": 1e-3}, 6000),
    ("SparseAdam", {"lr": 0.1}, 200, {"lr": 0.02}, 6000),
    ("Adafactor", {"lr": 0.1}, 400, {"lr": 0.1}, 20000),
    ("Lion", {"lr": 0.01}, 1500, {"lr": 0.001}, 20000),
    ("LAMB", {"lr": 0.02}, 600, {"lr": 0.002}, 20000),
    ("LARS", {"lr": 20.0}, 600, {"lr": 1.0}, 20000),
    ("AdaBelief", {"lr": 0.1}, 300, {"lr": 0.02}, 8000),
    ("Yogi", {"lr": 0.1}, 400, {"lr": 0.1}, 20000),
    ("ScheduleFreeSGD", {"lr": 0.4}, 400, {"lr": 4e-4}, 40000),
    ("ScheduleFreeAdamW", {"lr": 0.1}, 600, {"lr": 0.01}, 40000),
    ("Prodigy", {}, 600, {"d0": 1e-4}, 20000),
]


def steps_to(goal, name, options, surface, start, budget):
    """Give how many steps a function takes to fall to a goal; None if it does not."""
    x = leaf(start)
    optimizer = make(name, [x], **options)
    for step in range(budget):
        value, gradient = surface(x.detach().numpy())
        if value < goal:
            return step
        x.grad = mt.tensor(gradient)
        optimizer.step()
    return None


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} {row[1]}")
def test_every_optimizer_descends_the_parabola_and_rosenbrocks_valley(row):
    name, on_parabola, parabola_budget, on_valley, valley_budget = row
    assert steps_to(1e-3, name, on_parabola, parabola, START, parabola_budget) is not None
    assert steps_to(0.1, name, on_valley, rosenbrock, [-2.0, 2.0], valley_budget) is not None


@pytest.mark.parametrize("name", NAMES)
def test_maximize_climbs_where_the_negated_function_is_descended(name):
    down, up = leaf(START), leaf(START)
    lr = 0.05
    descend(make(name, [down], lr=lr), down, valley, 25)
    descend(make(name, [up], lr=lr, maximize=True), up, lambda x: -valley(x), 25)
    assert up.tolist() == down.tolist()
    assert valley(down).item() < valley(leaf(START)).item()


# ---- documentation ------------------------------------------------------------------------------

MODULES = [name for _, name, _ in pkgutil.walk_packages(mt.optim.__path__, "microtensor.optim.")]
MODULES += ["microtensor.nn.utils.clip_grad"]
NO_EXAMPLE = {
    "averaging", "group_plan", "line_search", "lr_scheduler", "optimizer", "options", "scheduler",
    "sparse_rows", "step_hooks",
}  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_print_what_they_show(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0
    assert result.attempted > 0 or module.rpartition(".")[2] in NO_EXAMPLE


def test_centered_rmsprop_survives_a_constant_gradient():
    # v - m² tends to zero from both sides by rounding; a root of less than zero would be NaN.
    w = mt.tensor(np.linspace(-1, 1, 200).astype(np.float32), requires_grad=True)
    optimizer = mt.optim.RMSprop([w], lr=1e-4, centered=True, alpha=0.9)
    w.grad = mt.tensor(np.linspace(0.1, 3, 200).astype(np.float32))
    for _ in range(1500):
        optimizer.step()
    assert np.isfinite(w.detach().numpy()).all()
