"""What the atlas measures, held to known facts, and to functions that lack the property."""

import json
import re

import numpy as np
import pytest

from microtensor import lab
from microtensor.lab.atlas_report import caption
from microtensor.lab.catalogue import chosen, known
from microtensor.lab.slices import panels
from microtensor.lab.traits import derivative_error, number, traits
from microtensor.ops.activations import ACTIVATIONS


def measured(name):
    (one,) = chosen([name])
    return traits(one, one.derivative)


def of(f, derivative):
    return traits(f, derivative)


def near(value, expected):
    return value == pytest.approx(expected, abs=5e-5)


def test_sigmoids_slope_is_at_most_a_quarter():
    found = measured("sigmoid")
    assert found.steepest == 0.25
    assert found.range == "(0, 1)" and found.saturates == "both sides"
    assert found.at_zero == 0.5 and not found.zero_centred and not found.identity_at_origin
    assert found.monotonic == "increasing" and not found.derivative_monotonic
    assert found.kinks == () and found.jumps == ()


def test_tanh_is_the_identity_at_the_origin_and_centred():
    found = measured("tanh")
    assert found.range == "(−1, 1)" and found.steepest == 1
    assert found.identity_at_origin and found.zero_centred


def test_relu_takes_zero_saturates_left_and_has_a_kink():
    found = measured("relu")
    assert found.range == "[0, ∞)" and found.saturates == "left"
    assert found.kinks == (0,) and found.derivative_monotonic == "increasing"
    assert not found.identity_at_origin and np.isnan(found.slope_at_zero)
    assert near(found.power, 0.5) and near(found.slope_power, 0.5)


def test_selu_keeps_mean_0_and_variance_1():
    found = measured("selu")
    assert near(found.mean, 0) and near(found.power, 1) and found.zero_centred
    assert near(found.lowest, -1.758099) and not found.lowest_taken
    assert found.kinks == (0,) and not found.derivative_monotonic


def test_elu_bends_without_a_kink_and_leaky_relu_never_saturates():
    assert measured("elu").kinks == () and measured("elu").identity_at_origin
    leaky = measured("leaky_relu")
    assert leaky.range == "(−∞, ∞)" and leaky.saturates == "no" and leaky.kinks == (0,)


def test_gaussians_slope_lies_within_its_known_bounds():
    found = measured("gaussian")
    assert near(found.slope_lowest, -np.sqrt(2 / np.e))
    assert near(found.slope_highest, 0.8578) and near(found.steepest, 0.8578)
    assert found.range == "(0, 1]" and found.saturates == "both sides" and not found.monotonic


def test_sincs_minimum_is_where_it_should_be():
    found = measured("sinc")
    assert near(found.lowest, -0.21723) and found.lowest_taken
    assert found.highest == 1 and found.highest_taken and found.at_zero == 1
    (sinc,) = chosen(["sinc"])
    x = np.linspace(4, 5, 100001)
    assert near(x[sinc(x).argmin()], 4.4934)


def test_lecun_tanh_takes_plus_and_minus_one_to_themselves():
    (lecun,) = chosen(["lecun_tanh"])
    np.testing.assert_allclose(lecun(np.array([-1.0, 1.0])), [-1, 1], atol=5e-5)
    found = measured("lecun_tanh")
    assert near(found.highest, 1.7159) and near(found.steepest, 1.7159 * 2 / 3)
    assert not found.identity_at_origin and found.zero_centred


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("step", {"range": "[0, 1]", "jumps": (0,), "kinks": (), "steepest": 0}),
        ("signum", {"range": "[−1, 1]", "jumps": (0,), "zero_centred": True}),
        ("identity", {"range": "(−∞, ∞)", "derivative_monotonic": "constant", "saturates": "no"}),
        ("hardtanh", {"range": "[−1, 1]", "kinks": (-1, 1), "identity_at_origin": True}),
        ("hardsigmoid", {"range": "[0, 1]", "kinks": (-3, 3), "identity_at_origin": False}),
        ("arctan", {"range": "(−1.571, 1.571)", "saturates": "both sides"}),
        ("softsign", {"range": "(−1, 1)", "identity_at_origin": True, "kinks": ()}),
        ("softplus", {"range": "(0, ∞)", "derivative_monotonic": "increasing", "kinks": ()}),
        ("bent_identity", {"range": "(−∞, ∞)", "steepest": 1.5, "identity_at_origin": True}),
        ("symmetrical_sigmoid", {"range": "(−1, 1)", "steepest": 0.5}),
        ("log_log", {"range": "(0, 1)", "monotonic": "increasing", "saturates": "both sides"}),
        ("absolute", {"range": "[0, ∞)", "kinks": (0,), "monotonic": "", "saturates": "no"}),
        ("sinusoid", {"range": "[−1, 1]", "saturates": "no", "identity_at_origin": True}),
        ("cosine", {"range": "[−1, 1]", "at_zero": 1, "zero_centred": False}),
        ("relu6", {"range": "[0, 6]", "kinks": (0, 6), "saturates": "both sides"}),
        ("hardshrink", {"range": "(−∞, ∞)", "jumps": (-0.5, 0.5), "zero_centred": True}),
        ("squared_relu", {"range": "[0, ∞)", "steepest": np.inf, "kinks": ()}),
    ],
)
def test_known_properties(name, expected):
    found = measured(name)
    assert {key: getattr(found, key) for key in expected} == {
        key: pytest.approx(value) if isinstance(value, float) else value
        for key, value in expected.items()
    }


def test_properties_come_out_the_other_way_for_functions_that_lack_them():
    falling = of(lambda x: -np.tanh(x) - 2, lambda x: np.tanh(x) ** 2 - 1)
    assert falling.monotonic == "decreasing" and not falling.zero_centred
    assert falling.range == "(−3, −1)" and falling.steepest == 1 and falling.at_zero == -2
    cubic = of(lambda x: x**3, lambda x: 3 * x**2)
    assert cubic.saturates == "no" and cubic.steepest == np.inf and not cubic.identity_at_origin
    corner = of(lambda x: np.maximum(x, 2 * x - 1), lambda x: np.where(x > 1, 2.0, 1.0))
    assert corner.kinks == (1,) and corner.identity_at_origin
    smooth = of(lambda x: np.logaddexp(0, 200 * (x - 1)) / 200, lambda x: 1 / (1 + np.exp(
        np.minimum(-200 * (x - 1), 700))))  # fmt: skip
    assert smooth.kinks == () and smooth.range == "(0, ∞)"
    wave = of(lambda x: x + np.sin(3 * x), lambda x: 1 + 3 * np.cos(3 * x))
    assert not wave.monotonic and not wave.derivative_monotonic and wave.range == "(−∞, ∞)"
    right = of(lambda x: np.minimum(x, 1.0), lambda x: np.where(x < 1, 1.0, 0.0))
    assert right.saturates == "right" and right.range == "(−∞, 1]"


def test_a_wrong_derivative_is_seen():
    (tanh,) = chosen(["tanh"])
    assert derivative_error(tanh, measured("tanh")) < 1e-9

    class Wrong:
        def __call__(self, x):
            return np.tanh(x)

        def derivative(self, x):
            return 1.001 * (1 - np.tanh(x) ** 2)

    assert derivative_error(Wrong(), measured("tanh")) > 1e-4


def test_every_activation_is_measured_and_its_derivative_is_its_slope():
    result = lab.atlas()
    assert result.verdict.status == "holds"
    names = [row["activation"] for row in result.table.records]
    assert names == list(lab.panel_names()) == list(ACTIVATIONS)
    assert not {"softmax", "glu", "maxout"} & set(lab.activation_names())
    for one in known().values():
        assert np.isfinite(one(np.linspace(-5, 5, 11))).all(), one.name


def test_the_records_say_what_is_measured():
    for name in lab.activation_names():
        record, found = ACTIVATIONS[name], measured(name)
        if name not in ("threshold", "elu"):  # no defaults; a kink, but with another alpha
            assert set(record.kinks) == {*found.kinks, *found.jumps}, name
        lowest = re.match(r"\[(-?[\d.]+),", record.range)
        if lowest:
            digits = len(lowest[1].partition(".")[2])
            assert round(found.lowest, digits) == float(lowest[1]), name


def test_captions_say_what_was_measured():
    text = caption(measured("hardtanh"))
    assert text.splitlines() == [
        "range [−1, 1] · f(0) = 0",
        "|f'| ≤ 1 · f' not monotonic",
        "increasing · saturates on both sides",
        "zero-centred · ≈ x at 0 · kinks at −1, 1",
    ]
    assert number(0.6931471) == "0.6931" and number(-0.0) == "0"


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("leaky_relu", "negative_slope = 0.01"),
        ("prelu", "weight = 0.25"),
        ("threshold", "threshold = 1, value = 0"),
        ("glu", "a·σ(b), b = x, a = 1; dashed: a = 2, -1"),
        ("softmax", "first of softmax(x, 0)"),
        ("relu", ""),
    ],
)
def test_notes_say_what_is_drawn(name, note):
    assert panels()[name].note == note


def test_those_that_mix_numbers_are_drawn_along_a_line():
    x = np.linspace(-3, 3, 7)
    sigmoid = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(panels()["softmax"](x), sigmoid)
    np.testing.assert_allclose(panels()["softmin"](x), 1 - sigmoid)
    np.testing.assert_allclose(panels()["glu"](x), sigmoid)
    np.testing.assert_allclose(panels()["glu"].others[0](x), 2 * sigmoid)
    lines = np.maximum(np.maximum(-0.5 * x - 1, 0.25 * x), x - 1)
    np.testing.assert_allclose(panels()["maxout"](x), lines)
    np.testing.assert_allclose(panels()["soft_exponential"](x), 2 * np.expm1(x / 2) + 0.5)


def test_pages_hold_as_many_panels_as_asked_for(tmp_path):
    result = lab.atlas(["relu", "tanh", "sigmoid"], page=2)
    assert list(result.figures) == ["activation_atlas", "activation_atlas_2"]
    assert [len([a for a in figure.axes if a.axison]) for figure in result.figures.values()] == [
        2,
        1,
    ]
    saved = {path.name for path in result.save(tmp_path)}
    assert saved == {
        "activation_atlas.png", "activation_atlas_2.png", "activation_atlas.csv",
        "activation_atlas.json",
    }  # fmt: skip
    account = json.loads((tmp_path / "activation_atlas.json").read_text())
    assert account["settings"]["activations"] == ["relu", "tanh", "sigmoid"]


def test_no_text_of_a_page_overlaps_another_or_leaves_the_figure():
    wordy = ["geglu", "srelu", "hardtanh", "relu6", "hardshrink", "softshrink", "elu", "softsign"]
    figure = lab.atlas(wordy).figure
    figure.draw_without_rendering()
    shown = [axes for axes in figure.axes if axes.axison]
    captions = [axes.xaxis.label.get_window_extent() for axes in shown]
    titles = [axes._left_title.get_window_extent() for axes in shown]
    boxes = [*captions, *titles]
    for index, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_unknown_names_are_answered_with_the_legal_ones():
    with pytest.raises(ValueError, match=r"unknown activation 'sigmod'; known are: .*sigmoid"):
        lab.atlas(["relu", "sigmod"])
    with pytest.raises(ValueError, match="no activation given"):
        lab.atlas([])
    with pytest.raises(ValueError, match="page must be at least 1"):
        lab.atlas(["relu"], page=0)
