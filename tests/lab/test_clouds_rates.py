"""The clouds of the learning rate: theory met by plain descent, and refuted by momentum."""

import pytest

pytest.importorskip("matplotlib")

from microtensor.lab import clouds


def test_steps_at_small_rates_are_those_of_theory():
    result = clouds.rate_too_small(quick=True)
    assert result.verdict.status == "holds"
    assert result.figure.axes


def test_momentum_refutes_the_steps_of_plain_descent():
    assert clouds.rate_too_small((0.01,), momentum=0.5).verdict.status == "fails"


def test_rate_too_small_names_rates_that_are_too_large():
    with pytest.raises(ValueError, match=r"at most 0\.1"):
        clouds.rate_too_small((0.5,))


def test_descent_fails_from_the_threshold_on():
    result = clouds.rate_too_large(quick=True)
    assert result.verdict.status == "holds"
    assert result.figure.axes


def test_momentum_moves_the_threshold():
    assert clouds.rate_too_large(momentum=0.2, quick=True).verdict.status == "fails"
