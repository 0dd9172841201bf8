"""The cloud of the ravine: theory met at the best rates, and refuted beside them."""

import pytest

pytest.importorskip("matplotlib")

from microtensor.lab import clouds


def test_plain_descent_and_heavy_ball_reach_the_rates_of_theory():
    result = clouds.ravine((1.0, 10.0, 100.0))
    assert [verdict.status for verdict in result.verdicts] == ["holds", "holds"]
    assert len(result.table.records) == 12


def test_at_another_rate_the_theory_of_the_best_one_is_refuted():
    assert clouds.ravine((10.0,), rate=0.5).verdict.status == "fails"
    assert clouds.ravine((10.0,), rate=2.5).verdict.status == "fails"


def test_ravine_names_conditions_that_are_none():
    with pytest.raises(ValueError, match="at least 1"):
        clouds.ravine((0.5,))


def test_ravine_is_drawn():
    assert clouds.ravine((10.0, 100.0)).figure.axes
