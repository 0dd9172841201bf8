"""The cloud of rare parameters: the optimum found independently, and who comes near it."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from microtensor import lab
from microtensor.lab import clouds
from microtensor.lab.clouds.rare import FREQUENCIES, indicators, newton, penalised_loss

FEW = (1 / 2, 1 / 10, 1 / 200)


def test_the_optimum_is_the_one_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    data = indicators(FREQUENCIES, 0)
    # Its C weighs the sum over rows against ½‖w‖².
    other = linear_model.LogisticRegression(
        C=1 / (1e-4 * len(data.y)), solver="newton-cholesky", tol=1e-12, max_iter=200
    ).fit(data.x, data.y)
    assert np.allclose(other.coef_[0], data.optimum[:-1], rtol=0, atol=1e-10)
    assert other.intercept_[0] == pytest.approx(data.optimum[-1], abs=1e-10)
    assert data.least == pytest.approx(penalised_loss(data.x, data.y, data.optimum))
    nearby = data.optimum + 1e-3
    assert penalised_loss(data.x, data.y, nearby) > data.least


def test_every_column_is_there_in_its_share_of_the_rows():
    data = indicators(FREQUENCIES, 3)
    assert np.allclose(data.frequencies, np.repeat(FREQUENCIES, 4), atol=1e-12)
    assert set(np.unique(data.x)) == {0, 1}


def test_sgd_leaves_rare_weights_behind_and_adagrad_does_not():
    result = clouds.rare_parameters(FEW, ("sgd", "adagrad"), epochs=1, runs=3, jobs=1)
    behind, adagrad, scaled = result.verdicts
    assert behind.status == adagrad.status == "holds" and behind.number > 2
    assert scaled.claim.startswith("SGD on standardised")
    assert [record["optimizer"] for record in result.table.records] == [
        "sgd", "adagrad", "sgd_standardised"
    ]  # fmt: skip
    assert result.figure.axes
    assert len(list(result.table.saved)) == 9


def test_columns_that_are_equally_frequent_leave_none_behind_and_a_spoilt_cure_is_none():
    spoilt = lab.Recipe("adagrad", "Adagrad", "Adagrad", {"lr_decay": 10.0})
    result = clouds.rare_parameters((0.5, 0.45, 0.4), ("sgd", spoilt), epochs=1, runs=4, jobs=1)
    behind, adagrad, _ = result.verdicts
    assert behind.status == "fails"
    assert adagrad.status == "fails"


def test_newton_says_that_it_does_not_end():
    with pytest.raises(ArithmeticError, match="ends at a slope"), np.errstate(all="ignore"):
        newton(np.array([[0.0], [np.nan]]), np.array([0.0, 1.0]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"frequencies": (0.1, 0.5)}, "frequencies must fall"),
        ({"frequencies": (0.5, 1e-6)}, "at least 1/4000"),
        ({"optimizers": ("adam",)}, "sgd must be among"),
        ({"optimizers": ("sgd", "nothing")}, "unknown optimizer 'nothing'; known are: sgd"),
    ],
)
def test_what_cannot_be_compared_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        clouds.rare_parameters(**given)
