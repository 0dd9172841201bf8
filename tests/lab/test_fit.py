"""One's own first experiment: what is taken, when it stops, and what the verdict says."""

import numpy as np
import pytest

from microtensor import lab
from microtensor.lab.fit import curve


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 3)) * [1, 10, 0.1]
    return x, np.where(x[:, 0] + 10 * x[:, 2] > 0, "yes", "no")


def test_data_frames_and_float64_are_taken_as_they_come(table):
    pandas = pytest.importorskip("pandas")
    x, y = table
    frame = pandas.DataFrame(x, columns=["a", "b", "c"])
    plain = lab.fit(x, y, steps=60)
    framed = lab.fit(frame, pandas.Series(y), steps=60)
    assert framed.history == plain.history
    np.testing.assert_array_equal(framed.predict(frame), plain.predict(x))


def test_classes_are_learned_and_given_back_as_they_came(table):
    x, y = table
    fitted = lab.fit(x, y, lr=0.03)
    assert fitted.verdict.status == "holds"
    assert set(fitted.predict(x)) == {"yes", "no"}
    assert np.mean(fitted.predict(x) == y) > 0.9
    assert fitted.table.frame()["score_kind"][0] == "accuracy"


def test_numbers_are_learned_on_their_own_scale():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 2))
    y = 1000 + 50 * x[:, 0] ** 2
    fitted = lab.fit(x, y, lr=0.01, hidden=(24,), activation="tanh", optimizer="adam")
    assert fitted.verdict.status == "holds" and fitted.table.records[0]["score_kind"] == "R²"
    assert np.mean((fitted.predict(x) - y) ** 2) < 0.2 * y.var()


def test_the_verdict_does_not_hold_for_labels_by_lot(table):
    x, _ = table
    y = np.random.default_rng(3).integers(0, 2, len(x))
    assert lab.fit(x, y, steps=200).verdict.status != "holds"


def test_it_stops_when_validation_no_longer_falls_with_the_best_weights(table):
    x, y = table
    fitted = lab.fit(x, y, hidden=(64,), lr=0.1, patience=4, every=10, steps=5000)
    steps = [one[0] for one in fitted.history]
    best = min(range(len(steps)), key=lambda place: fitted.history[place][2])
    assert steps[-1] < 5000 and len(steps) - 1 - best == 4
    record = fitted.table.records[0]
    assert (record["best_step"], record["stopped_after"]) == (steps[best], steps[-1])


def test_a_run_that_diverges_says_so_and_keeps_the_weights_of_before():
    x = np.random.default_rng(0).normal(size=(60, 2))
    fitted = lab.fit(x, x[:, 0], optimizer="sgd", lr=1e6)
    assert fitted.table.records[0]["diverged"] and "diverged" in str(fitted)
    assert np.isfinite(fitted.predict(x)).all()
    assert fitted.figure is not None


def test_ones_own_optimizer_and_lbfgs_are_taken(table):
    import microtensor as mt

    x, y = table

    def mine(parameters, lr=0.05):
        return mt.optim.SGD(parameters, lr=lr, momentum=0.5)

    assert lab.fit(x, y, optimizer=mine, steps=40).table.records[0]["optimizer"] == "mine"
    often = lab.Recipe("lbfgs", "LBFGS", "LBFGS", {"max_iter": 4})
    assert lab.fit(x, y, optimizer=often, lr=0.1, steps=20, batch=240).history[-1][1] < 0.7


def test_the_curve_is_shown_while_it_grows(table, capsys):
    x, y = table
    lab.fit(x, y, steps=40, live=True, name="mine")
    assert "mine: step 40" in capsys.readouterr().err
    drawn = curve([(step, 1.0, 2.0**-step) for step in range(20)])
    assert drawn.count("●") == 20 and len(drawn.splitlines()) == 11
    assert curve([(0, float("nan"), float("nan"))]).startswith("data: step 0")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"activation": "relv"}, ValueError, "unknown activation 'relv'; known are"),
        ({"optimizer": "adma"}, ValueError, "unknown optimizer 'adma'; known are"),
        ({"steps": 0}, ValueError, "fit: steps must be at least 1, got 0"),
        ({"x": np.full((240, 3), np.nan)}, ValueError, "NaN in 3 of 3 columns"),
        ({"x": np.zeros(240)}, ValueError, r"x must be \(rows, columns\)"),
        ({"y": np.zeros(240)}, ValueError, "at least two classes"),
        ({"y": np.arange(240.0)[:-1]}, ValueError, "one number for each of 240 rows"),
        ({"y": [np.nan, *np.arange(239.0)]}, ValueError, "NaN"),
    ],
)
def test_what_cannot_be_fitted_is_named(table, change, error, message):
    given = {"x": table[0], "y": table[1], **change}
    with pytest.raises(error, match=message):
        lab.fit(given.pop("x"), given.pop("y"), **given)


def test_predict_names_the_number_of_columns(table):
    fitted = lab.fit(*table, steps=5)
    with pytest.raises(ValueError, match=r"predict: x must be \(rows, 3\), got shape \(1, 2\)"):
        fitted.predict([[1.0, 2.0]])
