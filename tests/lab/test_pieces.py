"""The affine map of a network at a point, and the pieces it cuts the plane into."""

import math

import numpy as np
import pytest

import microtensor as mt
from microtensor import lab, nn
from microtensor.lab.local_map import jacobian_verdict
from microtensor.lab.pieces import pieces_of
from microtensor.lab.regions import Piece, affine_verdict, fills_verdict, none_missing_verdict


def network(*activations, width=7, inputs=2, outputs=2, seed=0, dtype=mt.float64):
    mt.manual_seed(seed)
    layers, size = [], inputs
    for activation in activations:
        layers += [nn.Linear(size, width, dtype=dtype), activation]
        size = width
    return nn.Sequential(*layers, nn.Linear(size, outputs, dtype=dtype))


KINDS = [
    nn.ReLU(), nn.LeakyReLU(0.2), nn.PReLU(), nn.PReLU(7), nn.ReLU6(), nn.Hardtanh(-0.5, 0.7),
    nn.Hardsigmoid(), nn.Softshrink(0.3), nn.Hardshrink(0.3), nn.Threshold(0.2, -1.0),
    nn.RReLU().eval(),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_the_local_map_is_the_jacobian_and_reaches_to_the_nearest_fold(kind, rng):
    model = network(kind, nn.Identity(), kind, inputs=3)
    for row in rng.normal(size=(5, 3)):
        result = lab.collapse_at(model, row)
        assert [verdict.status for verdict in result.verdicts] == ["holds"] * 3
        weight, bias = result
        with mt.no_grad():
            expected = model.double()(mt.tensor(row[None])).numpy()
        np.testing.assert_allclose(result(mt.tensor(row[None])).numpy(), expected, atol=1e-12)
        jacobian = mt.func.jacrev(lambda x: model(x.unsqueeze(0)).squeeze(0))(mt.tensor(row))
        np.testing.assert_allclose(weight.numpy(), jacobian.detach().numpy(), atol=1e-12)
        assert bias.shape == (2,) and result.radius > 0


def test_just_beyond_the_nearest_fold_the_map_is_another():
    model = nn.Sequential(nn.Linear(2, 1, dtype=mt.float64), nn.ReLU())
    with mt.no_grad():
        model[0].weight.copy_(mt.tensor([[3.0, 4.0]]))
        model[0].bias.copy_(mt.tensor([0.0]))
    result = lab.collapse_at(model, [3.0, 4.0])
    assert result.radius == 5.0
    np.testing.assert_array_equal(result.weight.numpy(), [[3.0, 4.0]])
    np.testing.assert_array_equal(lab.collapse_at(model, [-3.0, -4.0]).weight.numpy(), [[0, 0]])


def test_on_a_fold_the_verdict_stays_open_and_a_wrong_map_fails():
    model = network(nn.ReLU())
    with mt.no_grad():
        model[0].bias.zero_()
    assert lab.collapse_at(model, [0.0, 0.0]).verdicts[0].status == "unresolved"
    right = np.array([[1.0, 2.0]])
    assert jacobian_verdict(right, right, 1.0, 1e-12).status == "holds"
    assert jacobian_verdict(right, right + 1e-6, 1.0, 1e-12).status == "fails"


def test_a_network_without_activations_is_one_piece_everywhere():
    model = network(nn.Identity(), nn.Flatten(), nn.Dropout(0.5).eval())
    result = lab.collapse_at(model, mt.tensor([[0.1, 0.2]]))
    assert math.isinf(result.radius)
    np.testing.assert_allclose(result.weight.numpy(), lab.collapse(model).weight.numpy())
    assert len(lab.regions(model).pieces) == 1


def test_lines_in_general_position_make_as_many_pieces_as_they_can():
    for units in (1, 2, 3, 6, 10):
        result = lab.regions(
            network(nn.ReLU(), width=units, seed=units), frame=(-1e4, 1e4, -1e4, 1e4)
        )
        assert len(result.pieces) == 1 + units + math.comb(units, 2)
        assert [verdict.status for verdict in result.verdicts] == ["holds"] * 3


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_pieces_fill_the_frame_and_on_each_the_network_is_affine(kind):
    result = lab.regions(network(kind, nn.LeakyReLU()), frame=(-20, 21, -19, 20))
    assert [verdict.status for verdict in result.verdicts] == ["holds"] * 3
    assert len(result.pieces) == result.table.records[-1]["pieces"] > 7


def test_pieces_are_counted_with_data_that_set_the_frame(rng):
    x = rng.normal(size=(50, 2))
    result = lab.regions(network(nn.ReLU(), nn.ReLU()), (x, rng.integers(0, 2, 50)))
    left, right, bottom, top = result.settings["frame"]
    assert left < x[:, 0].min() and x[:, 0].max() < right
    assert bottom < x[:, 1].min() and x[:, 1].max() < top
    assert "flat pieces" in result.figure.axes[0].get_title(loc="left")


def test_each_verdict_on_pieces_comes_out_the_other_way():
    model = network(nn.ReLU())
    result = lab.regions(model)
    pieces, layers = result.pieces, pieces_of(model, "test")
    frame = tuple(result.settings["frame"])
    assert fills_verdict(pieces[1:], 36.0).status == "fails"
    wrong = [Piece(one.corners, one.weight + 1e-3, one.bias, one.pattern) for one in pieces]
    assert affine_verdict(model, wrong).status == "fails"
    largest = max(pieces, key=lambda piece: piece.area)
    rest = [piece for piece in pieces if piece is not largest]
    assert none_missing_verdict(layers, rest, frame).status == "fails"


@pytest.mark.parametrize("ask", [lab.collapse_at, lab.regions], ids=["collapse_at", "regions"])
def test_what_is_not_piecewise_linear_is_named(ask):
    given = [[0.0, 0.0]] if ask is lab.collapse_at else []
    with pytest.raises(TypeError, match=r"layer '1' \(Tanh\) is not known to be piecewise linear"):
        ask(network(nn.Tanh()), *given)
    with pytest.raises(TypeError, match=r"layer '1.0' \(Softplus\)"):
        ask(network(nn.Sequential(nn.Softplus())), *given)
    with pytest.raises(TypeError, match="training mode"):
        ask(network(nn.Dropout(0.5)), *given)
    with pytest.raises(TypeError, match=r"RReLU.*training mode"):
        ask(network(nn.RReLU()), *given)
    with pytest.raises(TypeError, match="got int"):
        ask(3, *given)
    with pytest.raises(ValueError, match="before the first"):
        ask(nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), *given)
    with pytest.raises(ValueError, match="takes 3 inputs, but 2 reach it"):
        ask(nn.Sequential(nn.Linear(2, 2), nn.Linear(3, 1)), *given)


def test_wrong_points_and_frames_are_named():
    model = network(nn.ReLU())
    with pytest.raises(ValueError, match=r"one row of 2 numbers, got shape \(3,\)"):
        lab.collapse_at(model, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="NaN"):
        lab.collapse_at(model, [1.0, math.nan])
    with pytest.raises(ValueError, match="frame must be"):
        lab.regions(model, frame=(1, 0, 0, 1))
    with pytest.raises(ValueError, match="must take 2 inputs, not 3"):
        lab.regions(network(nn.ReLU(), inputs=3))
    with pytest.raises(ValueError, match="1 NaN or infinite"):
        lab.regions(model, [[0.0, math.nan], [1.0, 1.0]])


def test_float32_networks_are_taken_as_they_come_and_left_as_they_were():
    model = network(nn.ReLU(), dtype=mt.float32)
    result = lab.collapse_at(model, np.array([0.3, 0.4], np.float32))
    assert [verdict.status for verdict in result.verdicts] == ["holds"] * 3
    assert model[0].weight.dtype is mt.float32 and result.weight.dtype is mt.float64
