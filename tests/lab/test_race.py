"""Races: surfaces, batched runs, tuning, verdicts that come out either way, bad input."""

import json
import math
import types

import numpy as np
import pytest

import microtensor as mt
from microtensor import lab
from microtensor.lab.descent import Racer, Runs, Tuned, descend, tune
from microtensor.lab.moons import batch_loss, moons_surface
from microtensor.lab.optimizers import BEYOND, OPTIMIZERS, Recipe
from microtensor.lab.race import Ride
from microtensor.lab.race_report import _within, ahead_verdict, carries_verdict, grid_verdict
from microtensor.lab.surfaces import SURFACES

KNOWN = {**OPTIMIZERS, **BEYOND}


def gradient(surface, point):
    x, y = (mt.tensor(one, dtype=mt.float64, requires_grad=True) for one in point)
    return np.array([one.item() for one in mt.autograd.grad(surface.function(x, y), [x, y])])


@pytest.mark.parametrize("name", SURFACES)
def test_minima_are_minima_and_starts_lie_in_the_frame(name):
    surface = SURFACES[name]
    assert surface.inside(np.asarray(surface.start))
    for minimum in surface.minima:
        np.testing.assert_allclose(surface(np.asarray(minimum)), surface.lowest, atol=1e-6)
        around = np.asarray(minimum) + 1e-3 * np.random.default_rng(0).standard_normal((40, 2))
        assert (surface(around) >= surface.lowest - 1e-6).all()
        np.testing.assert_allclose(gradient(surface, minimum), 0, atol=1e-3)
    assert surface.saddle == ("saddle" in name)


def test_the_published_descents_come_out():
    # Dive into Deep Learning, chapter 12: 0.1 x² + 2 y² from (-5, -2), 20 steps.
    bowl = lab.Surface("bowl", "bowl", lambda x, y: 0.1 * x**2 + 2 * y**2, "", (-6, 6, -6, 6),
                       (-5.0, -2.0), ((0.0, 0.0),), 0.0, 1e-3)  # fmt: skip
    cases = {
        "sgd": (Recipe("sgd", "SGD", "SGD"), 0.4, (-0.943467, -0.000073)),
        "momentum": (Recipe("m", "M", "SGD", {"momentum": 0.5}), 0.6, (0.007188, 0.002553)),
        "adagrad": (
            Recipe("a", "A", "Adagrad", {"eps": 1e-6, "eps_inside_root": True}),
            0.4,
            (-2.382563, -0.158591),
        ),
    }
    for recipe, rate, expected in cases.values():
        runs = descend(bowl, Racer(recipe, ""), [rate], np.array([[-5.0, -2.0]]), 20)
        np.testing.assert_allclose(runs.points[-1, 0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("name", KNOWN)
def test_many_runs_at_once_are_each_run_alone(name):
    surface, rates = SURFACES["beale"], [0.001, 0.01]
    starts = np.array([[1.0, 1.6], [0.5, 1.0], [2.0, -0.3]])
    racer = Racer(KNOWN[name], name)
    runs = descend(surface, racer, rates, starts, 6)
    for at, rate in enumerate(rates):
        for number, start in enumerate(starts):
            point = mt.tensor(start, requires_grad=True)
            optimizer = KNOWN[name].make([point], rate)
            for step in range(6):
                np.testing.assert_allclose(
                    runs.points[step, at, number], point.detach().numpy(), rtol=1e-12
                )
                optimizer.zero_grad()
                value = surface.function(point[0], point[1])
                np.testing.assert_allclose(runs.values[step, at, number], value.item(), rtol=1e-11)
                value.backward()
                optimizer.step()


def test_a_run_that_is_lost_stays_lost_and_the_others_go_on():
    surface = SURFACES["rosenbrock"]
    runs = descend(surface, Racer(KNOWN["sgd"], ""), [1e-4, 1.0], np.array([[-1.5, 2.0]]), 50)
    assert np.isfinite(runs.points[:, 0]).all()
    lost = np.isnan(runs.values[:, 1, 0])
    assert lost[-1] and (np.diff(lost.astype(int)) >= 0).all()
    assert math.isinf(runs.arrived[1, 0])


def test_arriving_means_staying_and_leaving_a_saddle_means_once():
    bowl, saddle = SURFACES["long_valley"], SURFACES["saddle"]
    racer = Racer(KNOWN["momentum"], "")
    runs = descend(bowl, racer, [0.3], np.array([[-9.0, 3.0]]), 300)
    arrived = int(runs.arrived[0, 0])
    assert (runs.values[arrived:, 0, 0] <= bowl.target).all()
    assert runs.values[arrived - 1, 0, 0] > bowl.target
    runs = descend(saddle, racer, [0.1], np.array([[1.5, 1e-3]]), 60)
    left = int(runs.arrived[0, 0])
    assert runs.values[left, 0, 0] <= -1 < runs.values[left - 1, 0, 0]


def test_gradient_descent_leaves_a_saddle_as_fast_as_theory_says():
    # y grows by 1 + 2η a step: offsets a thousandth cost ln(1000)/ln(1 + 2η) more steps.
    saddle = SURFACES["saddle"]
    starts = np.array([[1.0, 1e-3], [1.0, 1e-9]])
    runs = descend(saddle, Racer(KNOWN["sgd"], ""), [0.05], starts, 400)
    steps = runs.arrived[0]
    assert abs((steps[1] - steps[0]) - math.log(1e6) / math.log(1.1)) <= 1


def test_tuning_takes_the_rate_with_which_runs_arrive_soonest():
    surface, rates = SURFACES["long_valley"], [0.01, 1.9, 2.1]
    starts = surface.start + 0.1 * np.random.default_rng(0).standard_normal((4, 2))
    tuned = tune(surface, descend(surface, Racer(KNOWN["sgd"], ""), rates, starts, 300), rates)
    assert tuned == Tuned(1.9, False, 1.0)  # 2.1 is beyond 2/λmax, and diverges
    tuned = tune(surface, descend(surface, Racer(KNOWN["sgd"], ""), [0.01], starts, 5), [0.01])
    assert tuned.edge and tuned.share == 0


def test_moons_are_a_logistic_regression_and_batches_are_paired():
    surface, rows = moons_surface(0)
    np.testing.assert_allclose(gradient(surface, surface.minima[0]), 0, atol=1e-12)
    np.testing.assert_allclose(surface(np.zeros(2)), math.log(2), rtol=1e-12)
    weights = np.array([0.3, -0.7])
    expected = np.log1p(np.exp(-rows @ weights)).mean()
    np.testing.assert_allclose(surface(weights), expected, rtol=1e-12)
    own = np.stack([rows[:5], rows[5:10]])
    columns = tuple(mt.tensor(own[..., axis]) for axis in (0, 1))
    x, y = (mt.tensor([[one, one]], dtype=mt.float64) for one in weights.tolist())
    expected = np.log1p(np.exp(-own @ weights)).mean(1)
    np.testing.assert_allclose(batch_loss(columns, x, y).numpy(), [expected], rtol=1e-12)
    racers = [Racer(KNOWN["sgd"], "", size) for size in (None, 200)]
    start = np.zeros((1, 2))
    whole, same = (descend(surface, one, [0.5], start, 5, rows=rows) for one in racers)
    np.testing.assert_allclose(whole.points, same.points, atol=1e-12)


@pytest.fixture(scope="module")
def valley():
    return lab.race("long_valley", ["sgd", "momentum", "adam"], steps=120)


def test_a_race_tells_rates_steps_and_who_is_ahead(valley):
    rows = valley.table.records
    assert [row["optimizer"] for row in rows] == ["Gradient descent", "Momentum", "Adam"]
    assert all(row["rate"] in lab.RACE_RATES for row in rows)
    ahead, grid, carries = valley.verdicts
    assert ahead.status == "holds" and ahead.interval[0] <= ahead.number <= ahead.interval[1] < 1
    assert "gradient descent" in ahead.claim and grid.status == carries.status == "holds"
    assert "lab.race('long_valley', ['sgd', 'momentum', 'adam'], steps=120)" in ahead.command


def test_the_canvas_gets_every_step_and_its_labels_name_the_rates(valley):
    moving = valley.moving["race_long_valley"]
    json.dumps(moving, allow_nan=False)
    assert [len(line["points"]) for line in moving["lines"]] == [121] * 3
    assert moving["lines"][0]["label"].startswith("Gradient descent, η ")
    assert moving["lines"][1]["points"][0] == [-9.0, 3.0]
    assert moving["ground"].startswith("data:image/png;base64,")


def test_the_same_seed_gives_the_same_race_and_rotating_changes_nothing_for_plain_descent(valley):
    again = lab.race("long_valley", ["sgd", "momentum", "adam"], steps=120)
    assert again.table.records == valley.table.records
    turned = lab.race("long_valley", ["sgd"], steps=120, rotate=30)
    one, other = turned.table.records[0], valley.table.records[0]
    assert (one["rate"], one["steps"]) == (other["rate"], other["steps"])


def test_plain_descent_races_three_times_only_where_there_are_batches():
    result = lab.race("noisy_moons", ["sgd", "momentum"], steps=20, rates=(0.1, 1.0, 10.0))
    names = [row["optimizer"] for row in result.table.records]
    assert names == ["BGD (all rows)", "MBGD (32 rows)", "SGD (1 row)", "Momentum"]
    assert [row["cost"] for row in result.table.records] == [200, 32, 1, 32]
    with pytest.raises(ValueError, match="unknown optimizer 'bgd'"):
        lab.race("beale", ["bgd"])


def rides(first, second, *, edge=False, share=1.0):
    """Plain descent and momentum with these arrivals."""
    made = []
    for name, arrived in (("sgd", first), ("momentum", second)):
        arrived = np.array([arrived], np.float64)
        shape = (11, *arrived.shape)
        runs = Runs(np.zeros((*shape, 2)), np.zeros(shape), arrived)
        made.append(Ride(Racer(KNOWN[name], KNOWN[name].label), Tuned(0.1, edge, share), runs))
    return made


def test_each_verdict_comes_out_the_other_way_on_other_runs():
    surface, never = SURFACES["beale"], math.inf
    quick, slow = [2.0, 3.0, 2.0, 3.0], [7.0, 8.0, 9.0, 8.0]
    assert ahead_verdict(surface, rides(slow, quick), 10, "").status == "holds"
    assert ahead_verdict(surface, rides(quick, slow), 10, "").status == "fails"
    mixed = [2.0, 9.0, 2.0, 9.0]
    assert ahead_verdict(surface, rides(mixed, mixed[::-1]), 10, "").status == "unresolved"
    nobody = ahead_verdict(surface, rides([never] * 4, [never] * 4), 10, "")
    assert nobody.status == "unresolved" and "neither" in nobody.open_because
    assert grid_verdict(rides(quick, slow), "").status == "holds"
    assert grid_verdict(rides(quick, slow, edge=True), "").status == "fails"
    assert carries_verdict(surface, rides(quick, slow), "").status == "holds"
    assert carries_verdict(surface, rides([never] * 4, [never] * 4), "").status == "fails"
    none = carries_verdict(surface, rides(quick, slow, share=0.0), "")
    assert none.status == "unresolved"


def test_a_function_of_ones_own_races_at_once_or_point_by_point():
    def bowl(x, y):
        return x**2 + 3 * y**2

    def stubborn(x, y):
        assert x.ndim == 0
        return bowl(x, y)

    options = {"start": (1.0, 1.0), "steps": 4, "rates": (0.01, 0.1)}
    one = lab.race(bowl, ["sgd", "adam"], **options)
    other = lab.race(stubborn, ["sgd", "adam"], **options)
    for ours, theirs in zip(one.table.records, other.table.records, strict=True):
        np.testing.assert_allclose(ours["value"], theirs["value"], rtol=1e-12)
    assert one.name == "race_bowl" and one.settings["start"] == [1.0, 1.0]


def test_an_optimizer_of_ones_own_races():
    mine = Recipe("mine", "Mine", "SGD", {"momentum": 0.5})
    result = lab.race("beale", [mine, "sgd"], steps=10, rates=(0.001, 0.01))
    assert result.table.records[0]["optimizer"] == "Mine"


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("bealle",), {}, ValueError, "unknown surface 'bealle'; known are: beale, rosenbrock"),
        (("beale", ["adamm"]), {}, ValueError, "unknown optimizer 'adamm'; known are: sgd"),
        (("beale", []), {}, ValueError, "no optimizer given"),
        (("beale",), {"start": (9, 9)}, ValueError, "outside the frame of Beale"),
        (("beale",), {"start": (1, math.nan)}, ValueError, "two finite numbers"),
        (("beale",), {"steps": 0}, ValueError, "steps must be at least 1"),
        (("beale",), {"rates": (1.0, 0.1)}, ValueError, "must be positive, finite and rise"),
        ((3,), {}, TypeError, "got int"),
        ((lambda x, y: mt.stack([x, y]),), {}, ValueError, r"return a scalar .* got shape \(2,\)"),
        ((lambda x, y: 3.0,), {}, TypeError, "must return a tensor"),
        ((lambda x, y: mt.log(x),), {"start": (-1, 0)}, ValueError, "outside its domain"),
        ((lambda x, y: x + y,), {"frame": (1, 0, 0, 1)}, ValueError, "frame must be"),
        (("noisy_moons",), {"rotate": 30}, ValueError, "cannot be rotated"),
    ],
)
def test_bad_input_is_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        lab.race(*arguments, **options)


def test_an_optimizer_that_cannot_race_says_so():
    with pytest.raises(ValueError, match="LBFGS evaluates many times"):
        lab.race("beale", [Recipe("lbfgs", "LBFGS", "LBFGS")])
    with pytest.raises(ValueError, match="2"):
        lab.race("beale", [Recipe("muon", "Muon", "Muon")])


def test_stills_and_a_moving_picture_are_saved(valley, tmp_path):
    pil = pytest.importorskip("PIL.Image")
    # The film of a few steps: the machinery is the same.
    short = lab.race("long_valley", ["sgd"], steps=3, rates=(1.0,))
    files = {path.name for path in short.save(tmp_path, svg=True, gif=True)}
    name = "race_long_valley"
    assert {f"{name}.png", f"{name}.svg", f"{name}_3d.png", f"{name}.gif"} <= files
    with pil.open(tmp_path / f"{name}.gif") as film:
        assert film.n_frames > 1
    many = lab.race("beale", list(lab.RACERS), steps=4, rates=(0.001, 0.01, 0.1))
    assert len([axes for axes in many.figure.axes if axes.axison]) == len(lab.RACERS)
    assert isinstance(many, lab.Result) and not isinstance(many, types.ModuleType)


def test_on_a_saddle_all_race_at_one_rate_and_rotation_delays_adam():
    straight, turned = (lab.race(name, ["sgd", "adam"]) for name in ("saddle", "saddle_rotated"))
    for result in (straight, turned):
        assert {row["rate"] for row in result.table.records} == {0.05}
        assert len(result.verdicts) == 1 and "leaves first" in result.moving[result.name]["title"]
    rows = [{row["optimizer"]: row["steps"] for row in one.table.records}
            for one in (straight, turned)]  # fmt: skip
    assert rows[0]["Gradient descent"] == rows[1]["Gradient descent"]
    assert rows[1]["Adam"] > 2 * rows[0]["Adam"]


def test_names_keep_their_capitals_within_a_sentence():
    assert [_within(one) for one in ("Gradient descent", "AdaBelief", "NAG", "SGD")] == [
        "gradient descent", "AdaBelief", "NAG", "SGD",
    ]  # fmt: skip
