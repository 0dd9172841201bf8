"""The clouds of speed and accuracy: what batch sizes cost, and the noise of their gradients."""

import math

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

from microtensor import lab
from microtensor.lab import clouds
from microtensor.lab.clouds.batches import BatchRun, name_of, sweep
from microtensor.lab.clouds.speed import ratio

SMALL = clouds.Plan(sizes=(8, 16, None), rates=(0.1, 1.0), epochs=2, tunings=1, runs=2)


@pytest.fixture(scope="module")
def moons():
    data = lab.load("moons")
    return lab.dataset(data.x[:400], data.y[:400], "moons")


@pytest.fixture(scope="module")
def digits():
    data = lab.load("digits")
    return lab.dataset(data.x[:500], data.y[:500], "some digits")


def test_mini_batches_need_fewer_rows_and_the_full_batch_fewer_steps(digits):
    plan = clouds.Plan(sizes=(8, None), rates=(0.3, 1.0), epochs=10, tunings=1, runs=4)
    result = clouds.speed(digits, plan, target=0.3, jobs=1)
    assert [verdict.status for verdict in result.verdicts] == ["holds", "holds"]
    first, last = result.table.records
    assert (first["size"], last["size"]) == (8, result.settings["sizes"][-1])
    assert first["rows"] == 8 * first["steps"]
    assert len(result.figures) == 2
    assert any("microseconds" in name for name in result.seconds)


def test_where_a_mini_batch_is_nearly_all_rows_it_needs_no_fewer_of_them(moons):
    few = lab.dataset(moons.x[:72], moons.y[:72], "few")
    plan = clouds.Plan(sizes=(20, 32, None), rates=(0.3, 1.0), epochs=30, tunings=1, runs=3)
    result = clouds.speed(few, plan, target=0.4, jobs=1)
    assert [verdict.status for verdict in result.verdicts] == ["fails", "fails"]


def test_a_target_that_no_run_reaches_is_said_and_decides_nothing(moons):
    result = clouds.speed(moons, SMALL, target=1e-9, jobs=1)
    assert "never" in str(result)
    assert {verdict.status for verdict in result.verdicts} == {"unresolved"}
    assert result.figures


def test_the_same_seed_gives_the_same_steps(moons):
    first, second = (
        sweep(lab.dataset(moons.x, moons.y), SMALL, target=0.4, jobs=1) for _ in range(2)
    )
    assert first is not second
    for size in first.sizes:
        for one, other in zip(first.best[size], second.best[size], strict=True):
            assert np.array_equal(one.training, other.training) and one.rate == other.rate


def test_accuracies_come_with_intervals_and_a_hasty_rate_is_lost(digits):
    plan = clouds.Plan(sizes=(2, 64, None), rates=(0.03, 0.3, 3.0), epochs=4, tunings=1, runs=3)
    result = clouds.accuracy(digits, plan, jobs=1)
    lost, _, behind = result.verdicts
    assert lost.status == "holds" and behind.number > 0
    assert result.figure.axes
    # Where the rate of two rows is the only one, nobody is lost at it; and then all differ.
    plan = clouds.Plan(sizes=(2, 64, None), rates=(0.03,), epochs=4, tunings=1, runs=3)
    lost, same, _ = clouds.accuracy(digits, plan, jobs=1).verdicts
    assert lost.status == "fails" and same.status == "fails"


def test_where_a_mini_batch_is_all_rows_the_full_batch_is_not_behind(moons):
    few = lab.dataset(moons.x[:72], moons.y[:72], "few")
    plan = clouds.Plan(sizes=(40, None), rates=(0.3, 1.0), epochs=20, tunings=1, runs=3)
    assert clouds.accuracy(few, plan, jobs=1).verdicts[2].status != "holds"


def test_noise_falls_as_one_over_the_rows_drawn_and_not_over_neighbours():
    result = clouds.gradient_noise(groups=5, quick=True)
    assert [verdict.status for verdict in result.verdicts] == ["holds", "holds"]
    for record in result.table.records:
        assert record["noise"] == pytest.approx(record["theory"], rel=0.2)
    assert result.figure.axes
    result = clouds.gradient_noise(rows="neighbours", groups=5, quick=True)
    assert [verdict.status for verdict in result.verdicts] == ["fails", "fails"]


def test_steps_to_a_target_lie_between_measurements():
    steps, losses = np.array([0.0, 10.0, 20.0]), np.array([1.0, 0.1, 0.001])
    run = BatchRun(1, 0.1, steps, losses, losses, 0.5, 1e-6)
    assert run.steps_to(0.01) == pytest.approx(15.0)
    assert run.steps_to(2.0) == 0 and math.isinf(run.steps_to(1e-6))


def test_ratios_of_runs_that_never_arrive_are_infinite_or_decide_nothing():
    assert ratio([math.inf, 2.0], [1.0, 1.0]) == (math.inf, None)
    assert ratio([1.0, 1.0], [math.inf, 1.0]) == (0.0, None)
    assert math.isnan(ratio([math.inf], [math.inf])[0])
    assert name_of(64, 64) == "all (BGD)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sizes": (4, 1)}, "sizes must be two or more"),
        ({"sizes": (0, 4)}, "at least 1"),
        ({"rates": (0.1, 0.01)}, "rates must be positive and rise"),
        ({"runs": 1}, "runs must be at least 2"),
    ],
)
def test_plans_that_are_none_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        clouds.Plan(**given)


def test_data_and_words_that_do_not_fit_are_refused(moons):
    with pytest.raises(ValueError, match="with classes is needed"):
        clouds.speed("diabetes", SMALL, jobs=1)
    with pytest.raises(ValueError, match="target must be above 0"):
        clouds.speed(moons, SMALL, target=-1.0)
    with pytest.raises(ValueError, match="'drawn' or 'neighbours'"):
        clouds.gradient_noise(rows="sorted")
    with pytest.raises(ValueError, match="has no classes"):
        clouds.gradient_noise("diabetes")
