"""A learning rate suggested by a range test and the steepest curvature."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import microtensor as mt
from microtensor import lab, nn
from microtensor.lab import clouds
from microtensor.lab.curvature import extreme_curvatures
from microtensor.lab.lr_find import smoothed


def a_model(inputs=2, outputs=2, **more):
    mt.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 16, **more), nn.Tanh(), nn.Linear(16, outputs, **more))


@pytest.fixture(scope="module")
def rows():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(300, 2))
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def test_the_suggested_rate_trains_and_the_model_is_left_alone(rows):
    model = a_model()
    before = [one.detach().numpy().copy() for one in model.parameters()]
    mt.manual_seed(5)
    state = mt.get_rng_state().numpy().copy()
    found = lab.lr_find(model, nn.CrossEntropyLoss(), rows)
    assert found.verdict.status == "holds"
    assert 0.1 < found.suggestion <= 1 / found.sharpness * 1.1
    assert found.figure.axes and len(found.table.records) == 7
    for one, other in zip(model.parameters(), before, strict=True):
        assert np.array_equal(one.detach().numpy(), other) and one.grad is None
    assert np.array_equal(mt.get_rng_state().numpy(), state)
    again = lab.lr_find(model, nn.CrossEntropyLoss(), rows)
    assert again.suggestion == found.suggestion and again.verdict == found.verdict


def test_a_range_test_that_ends_too_early_is_found_out(rows):
    found = lab.lr_find(a_model(), nn.CrossEntropyLoss(), rows, high=0.03)
    assert found.suggestion <= 0.03
    assert found.verdict.status == "fails"
    assert "never tried" in found.verdict.open_because
    assert clouds.rate_suggested(high=0.01, quick=True).verdict.status == "fails"


def test_curvature_bounds_the_rate_of_plain_descent_on_a_bowl():
    # ½ · 4 w²: the Hessian is 4 everywhere, and at 1/4 one step arrives.
    model = nn.Linear(1, 1, bias=False, dtype=mt.float64)
    x = np.full((64, 1), 2.0)
    found = lab.lr_find(model, lambda given, wanted: 0.5 * ((given - wanted) ** 2).mean(),
                        (x, np.ones((64, 1))))  # fmt: skip
    assert found.sharpness == pytest.approx(4.0)
    assert found.suggestion <= 0.25


def test_other_optimizers_have_a_range_test_alone(rows):
    found = lab.lr_find(a_model(), nn.CrossEntropyLoss(), rows, optimizer="adam")
    assert np.isnan(found.sharpness)
    assert found.suggestion == pytest.approx(found.lowest / 10**0.5, rel=0.05)
    assert found.figure.axes


def test_numbers_are_predicted_and_steps_that_cannot_be_replayed_run_as_they_are():
    draw = np.random.default_rng(1)
    x = draw.normal(size=(120, 3))

    def loss(given, wanted):
        assert given.sum().item() == given.sum().item()  # reads a value
        return ((given - wanted) ** 2).mean()

    found = lab.lr_find(a_model(3, 1), loss, (x, x[:, :1] * 2), steps=20)
    assert found.suggestion > 0


def test_where_nothing_is_learned_nothing_is_decided(rows):
    x, y = rows
    flat = lab.lr_find(a_model(), lambda given, wanted: (given * 0.0).sum() + 1.0, (x, y), steps=20)
    assert flat.verdict.status == "unresolved"


def test_the_largest_curvature_is_found_beside_a_larger_negative_one():
    matrix = np.diag([2.0, -7.0, 1.0])
    assert extreme_curvatures(lambda way: matrix @ way, 3)[1] == pytest.approx(2.0)
    assert smoothed(np.array([2.0, 2.0, 2.0])) == pytest.approx(2.0)


def test_bad_input_is_named(rows):
    x, y = rows
    model, loss = a_model(), nn.CrossEntropyLoss()
    with pytest.raises(TypeError, match="model must be a Module, got str"):
        lab.lr_find("model", loss, rows)
    with pytest.raises(TypeError, match="must be a pair"):
        lab.lr_find(model, loss, x)
    with pytest.raises(TypeError, match="loss must return a tensor, got float"):
        lab.lr_find(model, lambda given, wanted: 1.0, rows)
    with pytest.raises(ValueError, match=r"scalar, got shape \(300, 2\)"):
        lab.lr_find(model, lambda given, wanted: given, rows)
    with pytest.raises(ValueError, match="loss is nan before"):
        lab.lr_find(model, lambda given, wanted: (given * np.nan).sum(), rows)
    with pytest.raises(ValueError, match="1 NaN or infinite values in x"):
        lab.lr_find(model, loss, (np.where(np.arange(600).reshape(300, 2) == 7, np.nan, x), y))
    with pytest.raises(ValueError, match="300 rows, but 299 targets"):
        lab.lr_find(model, loss, (x, y[1:]))
    with pytest.raises(ValueError, match="unknown optimizer 'best'; known are: sgd"):
        lab.lr_find(model, loss, rows, optimizer="best")
    with pytest.raises(ValueError, match="low must be above 0 and below high"):
        lab.lr_find(model, loss, rows, low=1.0, high=0.1)
    with pytest.raises(ValueError, match="steps must be at least 20"):
        lab.lr_find(model, loss, rows, steps=3)
    with pytest.raises(ValueError, match="no parameters"):
        lab.lr_find(nn.Tanh(), loss, rows)
