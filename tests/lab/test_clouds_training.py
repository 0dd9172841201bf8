"""The sharpness in training: its verdict each way."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

from microtensor.lab import clouds
from microtensor.lab.clouds.training import Training

SMALL = {"rows": 100, "width": 12, "seeds": 3}


def test_above_the_line_the_loss_goes_on_falling():
    result = clouds.sharpness_in_training(rates=(0.1, 1.0), steps=400, **SMALL)
    assert result.verdict.status == "holds"
    assert "no threshold is claimed" in result.verdict.detail
    slow, fast = result.table.records
    assert slow["above"] == 0 and fast["above"] == 3
    assert len(result.figure.axes) == 4


def test_runs_that_diverge_refute_it_and_runs_below_the_line_decide_nothing():
    lost = clouds.sharpness_in_training(rates=(8.0,), steps=100, **SMALL)
    assert lost.verdict.status == "fails" and lost.figure.axes
    below = clouds.sharpness_in_training(rates=(0.01,), steps=50, **SMALL)
    assert below.verdict.status == "unresolved"


def test_the_loss_is_compared_with_the_last_moment_above_the_line_in_the_first_half():
    moments, losses = np.arange(5.0), np.array([8.0, 6.0, 4.0, 3.0, 1.0])
    run = Training(1.0, 0, moments, losses, np.array([3.0, 3.0, 1.0, 3.0, 3.0]))
    assert run.passed == 1 and run.onward == pytest.approx(1 / 6)
    assert Training(1.0, 0, moments, losses, np.ones(5)).passed is None


def test_rates_that_are_none_are_named():
    with pytest.raises(ValueError, match="rates must be positive"):
        clouds.sharpness_in_training(rates=(0.0,))
    with pytest.raises(ValueError, match="width must be at least 1"):
        clouds.sharpness_in_training(width=0)
