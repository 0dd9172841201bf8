"""The sheet through a network; curves of one variable; the loss around a network."""

import itertools
import json
import math

import numpy as np
import pytest

import microtensor as mt
from microtensor import lab, nn
from microtensor.lab.bends import affine_verdict, bent_verdict
from microtensor.lab.curve_fit import follows_verdict, straight_verdict
from microtensor.lab.landscape import _filtered, holds_paths_verdict, lowest_verdict
from microtensor.lab.train import mean_loss
from microtensor.lab.unfold import sheet_verdict


def network(activation, *widths, seed=0):
    mt.manual_seed(seed)
    layers = []
    for inputs, outputs in itertools.pairwise((2, *widths)):
        layers += [nn.Linear(inputs, outputs, dtype=mt.float64), activation()]
    return nn.Sequential(*layers[:-1])


@pytest.fixture
def rows(rng):
    return rng.normal(size=(40, 2)), rng.integers(0, 2, 40)


def test_without_activations_the_sheet_is_flat_to_the_end(rows):
    result = lab.unfold(network(nn.Identity, 2, 5, 3), rows)
    assert result.verdict.status == "holds" and "stays flat" in result.verdict.claim
    assert [stage.name for stage in result.stages] == ["x", "z¹", "z²", "z³"]
    assert max(stage.bent for stage in result.stages) < 1e-12
    # Shown with two numbers as they are: lines stay lines, and halves halves.
    lines = result.stages[1].lines
    np.testing.assert_allclose(lines[:, 14], (lines[:, 0] + lines[:, -1]) / 2, atol=1e-12)


def test_with_an_activation_the_sheet_folds(rows):
    result = lab.unfold(nn.Sequential(network(nn.Tanh, 2, 4, 2), nn.Identity()), rows)
    assert result.verdict.status == "holds" and "is folded" in result.verdict.claim
    names = [stage.name for stage in result.stages]
    assert names == ["x", "z¹", "a¹", "z²", "a²", "z³"]
    assert result.stages[1].bent < 1e-12 < 1e-3 < result.stages[2].bent
    for stage in result.stages:
        assert np.abs(stage.lines).max() <= 1 + 1e-9
    json.dumps(result.moving["unfold"], allow_nan=False)


def test_the_verdicts_on_sheets_come_out_the_other_way(rows):
    lazy = network(nn.ReLU, 2, 2)
    with mt.no_grad():
        lazy[0].bias.fill_(100.0)  # no row, and no point of the sheet, is cut off
    assert lab.unfold(lazy, rows).verdict.status == "fails"
    bent = lab.unfold(network(nn.ReLU, 2, 2), rows).stages
    assert sheet_verdict(bent, bends=False).status == "fails"


def test_stages_are_the_layers_outputs(rows):
    model = network(nn.Tanh, 2, 2)
    stage = lab.unfold(model, rows).stages[2]
    with mt.no_grad():
        values = model[:2](mt.tensor(rows[0])).numpy()
    shift = stage.rows - values * (np.ptp(stage.rows[:, 0]) / np.ptp(values[:, 0]))
    np.testing.assert_allclose(shift, shift[:1].repeat(len(shift), 0), atol=1e-12)


def test_what_cannot_be_unfolded_is_named(rows):
    with pytest.raises(TypeError, match="must be a Sequential, got Linear"):
        lab.unfold(nn.Linear(2, 2), rows)
    with pytest.raises(ValueError, match="it takes 3 inputs"):
        lab.unfold(nn.Sequential(nn.Linear(3, 2)), rows)
    with pytest.raises(ValueError, match="no Linear layer"):
        lab.unfold(nn.Sequential(nn.Tanh()), rows)
    with pytest.raises(ValueError, match="NaN or infinite"):
        lab.unfold(network(nn.Tanh, 2, 2), rows[0] * math.nan)
    with pytest.raises(ValueError, match=r"rows of two numbers, got shape \(40,\)"):
        lab.unfold(network(nn.Tanh, 2, 2), rows[0][:, 0])


def test_a_sheet_is_saved_as_a_film(rows, tmp_path):
    pil = pytest.importorskip("PIL.Image")
    result = lab.unfold(network(nn.Tanh, 2), rows)
    result.animations["unfold"](tmp_path / "film.gif")
    with pil.open(tmp_path / "film.gif") as film:
        assert film.n_frames > 10


@pytest.fixture(scope="module")
def fits():
    return lab.curve_fit("wave", ["identity", "relu", "tanh"], (2, 16), steps=250, jobs=1)


def test_the_steps_of_default_suffice_for_what_trains_slowest():
    result = lab.curve_fit("wave", ["elu"], (32,), jobs=1)
    assert result.verdict.status == "holds"
    assert result.verdict.number < 0.02  # not by luck


def test_curves_are_fitted_in_each_activations_manner(fits):
    follows, straight = fits.verdicts
    assert follows.status == "holds" and straight.status == "holds"
    rows = {(row["name"], row["width"]): row for row in fits.table.records}
    assert rows["identity", 16]["straight"] == 1.0
    assert rows["relu", 16]["straight"] > 0.6 > 0.1 > rows["tanh", 16]["straight"]
    assert rows["tanh", 16]["error"] < rows["tanh", 2]["error"]
    assert len(fits.figure.axes) == 6
    frame = fits.table.frame()
    assert list(frame["width"]) == [2, 16] * 3


def test_the_verdicts_on_curves_come_out_the_other_way(fits):
    bad = [{"name": "relu", "activation": "ReLU", "width": 2, "error": 0.9}]
    assert follows_verdict(bad, 1.0, 2).status == "fails"
    bent = [{"name": "identity", "width": 2, "fit": np.linspace(-1, 1, 9) ** 2}]
    assert straight_verdict(bent).status == "fails"


def test_a_curve_of_ones_own_and_bad_ones():
    result = lab.curve_fit(lambda x: x**2, ["relu"], (4,), steps=20, jobs=1)
    assert len(result.verdicts) == 1
    for curve, error, message in (
        ("sine", ValueError, "unknown curve 'sine'; known are: wave, corner, step"),
        (3, TypeError, "got int"),
        (lambda x: x[:3], ValueError, "one number for each x"),
        (lambda x: x / 0 if False else np.full_like(x, np.nan), ValueError, "not finite at 65"),
    ):
        with pytest.raises(error, match=message):
            lab.curve_fit(curve, jobs=1)
    with pytest.raises(ValueError, match="unknown activation 'rellu'"):
        lab.curve_fit("wave", ["rellu"])
    with pytest.raises(ValueError, match="widths must be"):
        lab.curve_fit("wave", ["relu"], (0,))


def test_random_directions_are_filter_normalised():
    model = network(nn.Tanh, 5, 3)
    for way in _filtered(model, 0):
        at = 0
        for parameter in model.parameters():
            own = parameter.detach().numpy()
            part = way[at : at + own.size].reshape(own.shape)
            at += own.size
            if own.ndim == 1:
                assert not part.any()
            else:
                sizes = np.linalg.norm(part, axis=1), np.linalg.norm(own, axis=1)
                np.testing.assert_allclose(*sizes, rtol=1e-12)


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    start, model = network(nn.Tanh, 6, 2), network(nn.Tanh, 6, 2)
    optimizer = mt.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        mean_loss(model(mt.tensor(x)), mt.tensor(y)).backward()
        optimizer.step()
    return start, model, (x, y)


def test_a_landscape_shows_the_paths_and_says_how_much_of_them(trained):
    start, model, data = trained
    before = [one.detach().numpy().copy() for one in model.parameters()]
    result = lab.loss_landscape(
        model, mean_loss, data, ["sgd", "adam"], start=start, steps=40, points=7
    )
    for one, kept in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(one.detach().numpy(), kept)
    rows = result.table.records
    assert all(row["last"] < row["first"] for row in rows)
    assert all(0 <= row["random"] < row["pca"] <= 1 for row in rows)
    assert set(result.figures) == {"loss_landscape", "loss_landscape_random"}
    assert [verdict.status for verdict in result.verdicts] == ["holds", "holds"]


def test_around_an_untrained_network_there_is_lower_ground(trained):
    start, _, data = trained
    result = lab.loss_landscape(start, mean_loss, data, ["adam"], steps=5, points=9)
    assert result.verdicts[0].status == "fails"
    assert lowest_verdict(np.array([[1.0, 0.5]]), 0.4).status == "holds"
    assert holds_paths_verdict([0.9, 0.2]).status == "fails"


def test_bad_input_to_landscapes_is_named(trained):
    _, model, data = trained
    cases = [
        ((model, lambda o, t: o, data), {}, ValueError, "must be a scalar"),
        ((model, lambda o, t: 3.0, data), {}, TypeError, "must return a tensor"),
        ((model, mean_loss, (data[0] * math.nan, data[1])), {}, ValueError, "NaN or infinite"),
        ((model, mean_loss, data, ["adamm"]), {}, ValueError, "unknown optimizer 'adamm'"),
        ((model, mean_loss, data), {"points": 2}, ValueError, "points must be at least 5"),
        ((model, mean_loss, (data[0], data[1][:3])), {}, ValueError, "60 rows, but 3 targets"),
        ((model, mean_loss, data), {"start": network(nn.Tanh, 3, 2)}, ValueError, "shapes"),
        ((3, mean_loss, data), {}, TypeError, "got int"),
    ]
    for arguments, options, error, message in cases:
        with pytest.raises(error, match=message):
            lab.loss_landscape(*arguments, **options)


def test_every_activation_bends_but_the_identity_and_what_is_still_one():
    result = lab.bends(["identity", "soft_exponential", "relu", "tanh"], ["moons", "breast_cancer"])
    assert [verdict.status for verdict in result.verdicts] == ["holds", "holds"]
    rows = {row["name"]: row for row in result.table.records}
    assert rows["soft_exponential"]["same"] and not rows["relu"]["same"]
    assert rows["identity"]["moons"] < 1e-25 < 1e-3 < rows["tanh"]["moons"]
    assert len(result.figure.axes) == 1
    lazy = [{"activation": "Lazy", "same": False, "moons": 1e-9}]
    assert bent_verdict(lazy, ["moons"]).status == "fails"
    assert affine_verdict([{**lazy[0], "same": True}], ["moons"]).status == "fails"
    with pytest.raises(ValueError, match="unknown activation 'rellu'"):
        lab.bends(["rellu"])
    with pytest.raises(ValueError, match="depth must be at least 2"):
        lab.bends(depth=1)
