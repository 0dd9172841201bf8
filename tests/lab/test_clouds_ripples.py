"""The ravine with ripples: no claim that both orientations do not show."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from microtensor.lab import clouds
from microtensor.lab.clouds import ripples
from microtensor.lab.clouds.ripples import SURFACE, Ride, sooner_verdict, turning_verdict
from microtensor.lab.descent import Tuned
from microtensor.lab.optimizers import OPTIMIZERS

RATES = (0.03, 0.1, 0.3, 1.0)


@pytest.fixture(scope="module")
def result():
    return clouds.rippled_ravine(("sgd", "momentum", "adam"), steps=700, rates=RATES)


def test_turned_the_ravine_takes_descent_as_many_steps_and_adam_leads_in_both(result):
    assert [verdict.status for verdict in result.verdicts] == ["holds", "holds"]
    assert result.verdicts[1].interval[1] < 1
    assert len(result.table.records) == 6
    assert len(result.figure.axes) == 3


def test_the_ripples_leave_one_minimum():
    y = np.linspace(-11, 11, 200_001)
    slope = np.gradient(SURFACE(np.stack([0 * y, y], -1)), y)
    assert (np.sign(slope[:100_000]) == -1).all() and (np.sign(slope[100_001:]) == 1).all()


def rides(name, *arrived):
    return tuple(
        Ride(OPTIMIZERS[name], turn, Tuned(0.1, False, 1.0), np.array(steps, float), np.ones(3))
        for turn, steps in zip((0.0, 30.0), arrived, strict=True)
    )


def test_the_worse_orientation_decides():
    pairs = {
        "sgd": rides("sgd", [100, 110, 105], [100, 110, 105]),
        "adagrad": rides("adagrad", [10, 11, 12], [200, 210, 230]),
        "rmsprop": rides("rmsprop", [10, 11, 12], [90, 130, 100]),
        "adam": rides("adam", [10, 11, 12], [50, 60, 55]),
    }
    statuses = {name: sooner_verdict(pairs, name, 500).status for name in pairs if name != "sgd"}
    assert statuses == {"adagrad": "fails", "rmsprop": "unresolved", "adam": "holds"}
    assert turning_verdict(pairs, 500).status == "holds"
    pairs["sgd"] = rides("sgd", [100, 110, 105], [100, 110, np.inf])
    assert turning_verdict(pairs, 500).status == "fails"


def test_who_does_not_arrive_is_censored_and_drawn():
    lost = clouds.rippled_ravine(("adam",), steps=4, rates=(0.01,))
    assert {row["arrived"] for row in lost.table.records} == {0}
    assert "> 4" in str(lost) and lost.figure.axes
    assert lost.table.records[0]["optimizer"] == "Gradient descent"  # always beside


def test_wrong_rates_and_names_are_told():
    with pytest.raises(ValueError, match="positive and rise"):
        clouds.rippled_ravine(rates=(0.1, 0.1))
    with pytest.raises(ValueError, match="unknown optimizer 'adem'"):
        clouds.rippled_ravine(("adem",))
    assert dataclasses.replace(SURFACE, target=1.0).steady and ripples.RATES[0] == 1e-3


def test_the_title_says_of_adaptive_methods_what_was_measured(result):
    assert "adaptive methods not" in result.figure.get_suptitle()
    plain = clouds.rippled_ravine(("sgd", "momentum"), steps=30, rates=(0.01, 0.1))
    assert "adaptive" not in plain.figure.get_suptitle()
