"""The real saddle, and what finds its curvatures: against whole Hessians."""

import math

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

import microtensor as mt
from microtensor import nn
from microtensor.lab import clouds
from microtensor.lab.curvature import extreme_curvatures, hessian_product


def whole_hessian(loss, weights):
    """Of a function of one flat vector, column by column, by autograd twice."""
    sizes = [one.numel() for one in weights]
    flat = mt.cat([one.detach().reshape(one.numel()) for one in weights]).requires_grad_()

    def at(vector):
        parts = mt.split(vector, sizes)
        return loss([part.reshape(one.shape) for part, one in zip(parts, weights, strict=True)])

    return mt.func.hessian(at)(flat).detach().numpy()


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_products_and_extremes_are_those_of_the_whole_hessian(scale, rng):
    x, y = mt.tensor(rng.normal(size=(20, 4))), mt.tensor(rng.normal(size=(20, 2)))
    weights = [
        mt.tensor(scale * rng.normal(size=shape), requires_grad=True)
        for shape in ((5, 4), (5, 5), (2, 5))
    ]

    def loss(weights):
        made = x
        for weight in weights:
            made = made @ weight.T
        return ((made - y) ** 2).mean()

    product = hessian_product(loss(weights), weights)
    whole = whole_hessian(loss, weights)
    assert whole.shape == (55, 55)
    np.testing.assert_allclose(np.stack([product(v) for v in np.eye(55)]), whole, atol=1e-12)
    ends = np.linalg.eigvalsh(whole)[[0, -1]]
    np.testing.assert_allclose(extreme_curvatures(product, 55, rounds=55), ends, rtol=1e-9)
    low, high = extreme_curvatures(product, 55, rounds=20)
    np.testing.assert_allclose((low, high), ends, rtol=1e-3)
    assert ends[0] - 1e-9 <= low and high <= ends[1] + 1e-9


def test_extremes_of_matrices_with_little_to_find():
    assert extreme_curvatures(lambda v: 3 * v, 5) == pytest.approx((3, 3))
    assert extreme_curvatures(lambda v: 0 * v, 5) == (0, 0)
    assert all(map(math.isnan, extreme_curvatures(lambda v: np.nan * v, 5)))


def test_the_hessian_of_a_network_in_float32_without_some_gradients():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    unused = mt.ones(2, requires_grad=True)
    parameters = [*model.parameters(), unused]
    product = hessian_product(model(mt.ones(4, 2)).square().mean(), parameters)
    assert (product(np.ones(15))[-2:] == 0).all()


def test_a_deep_linear_network_leaves_a_saddle():
    result = clouds.deep_saddle(seeds=3, quick=True)
    assert [verdict.status for verdict in result.verdicts] == ["holds"] * 3
    low, high = result.verdicts[0].interval
    assert low < result.verdicts[0].number < high < 0
    assert len(result.figure.axes) == 2
    assert {row["run"] for row in result.table.frame().to_dict("records")} == {0, 1, 2}


def test_a_single_matrix_has_no_saddle_and_a_short_run_has_not_left():
    convex = clouds.deep_saddle(depth=1, seeds=2, steps=200, rates={"sgd": 2e-4}, quick=True)
    assert convex.verdicts[0].status == "fails"
    assert convex.verdicts[1].status == "fails"  # its gradient is the largest at first
    short = clouds.deep_saddle(seeds=2, steps=150, quick=True)
    assert short.verdicts[2].status == "fails"


def test_without_a_plateau_nothing_is_decided():
    large = clouds.deep_saddle(scale=1.0, seeds=2, steps=300, rates={"sgd": 0.1}, quick=True)
    assert large.verdicts[0].status == "unresolved"


def test_deep_saddle_takes_numbers_to_predict_and_names_what_is_wrong():
    assert clouds.deep_saddle("diabetes", seeds=1, steps=50, quick=True).figure.axes
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        clouds.deep_saddle(depth=0)
