"""Activations in deep networks: what is measured before training, after it, and the verdicts."""

import dataclasses
import math

import numpy as np
import pytest

import microtensor as mt
from microtensor import lab
from microtensor.lab.depth_laws import (
    bound_verdict,
    cure_verdict,
    dead_gradient_verdict,
    dead_shares,
    dying_verdict,
    mean_field,
    per_layer,
    ratio,
    selu_verdict,
)
from microtensor.lab.depth_network import (
    Outcome,
    deep_network,
    gain_of,
    measure_start,
    orthogonal_gain,
    suited,
    train_deep,
    traits_of,
)
from microtensor.lab.depth_report import grid_verdict

pytest.importorskip("sklearn")

PLAN = lab.DepthPlan(
    depths=(2, 6), width=16, starts=2, rates=(0.03, 0.1, 0.3), steps=40, batch=32, runs=1,
    dying_rates=(0.1, 3.0), dying_runs=2,
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    """As in a run: small products gain nothing from more."""
    threads = mt.get_num_threads()
    mt.set_num_threads(1)
    yield
    mt.set_num_threads(threads)


@pytest.fixture(scope="module")
def blobs():
    """Three clouds in four dimensions."""
    rng = np.random.default_rng(0)
    y = np.arange(240) % 3
    return lab.dataset(rng.normal(0, 0.5, (240, 4)) + 2 * np.eye(3, 4)[y], y, "blobs")


@pytest.fixture(scope="module")
def result(blobs):
    names = ["relu", "sigmoid", "tanh", "selu"]
    return lab.activation_depth(names, blobs, plan=PLAN, jobs=1, command="repeat me")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", "He"), ("leaky_relu", "He"), ("softplus", "He"), ("gelu", "measured"),
        ("silu", "measured"), ("elu", "measured"),
        ("sigmoid", "Xavier"), ("tanh", "Xavier"), ("softsign", "Xavier"),
        ("selu", "LeCun"), ("identity", "LeCun"),
    ],
)  # fmt: skip
def test_the_initialisation_follows_from_measured_properties(name, expected):
    assert suited(traits_of(name)) == expected


def test_the_orthogonal_gain_undoes_the_slope_where_signals_are():
    assert orthogonal_gain(traits_of("sigmoid")) == pytest.approx(4)
    assert orthogonal_gain(traits_of("tanh")) == pytest.approx(1)
    assert orthogonal_gain(traits_of("relu")) == pytest.approx(math.sqrt(2), abs=1e-4)
    assert orthogonal_gain(traits_of("step")) == 1


@pytest.mark.parametrize(
    ("scheme", "deviation"), [("He", math.sqrt(2 / 256)), ("Xavier", 1 / 16), ("LeCun", 1 / 16)]
)
def test_weights_have_the_deviation_of_their_scheme(scheme, deviation):
    model = deep_network(8, 256, 2, 3, "tanh", scheme, 0, mt.float64)
    assert [type(layer).__name__ for layer in model] == [
        "Linear", "Tanh", "Linear", "Tanh", "Linear",
    ]  # fmt: skip
    assert model[2].weight.detach().numpy().std() == pytest.approx(deviation, rel=0.02)
    assert not model[2].bias.detach().numpy().any()


def test_measured_weights_undo_what_the_activation_does_to_the_mean_square(blobs):
    measured = traits_of("silu")
    model = deep_network(8, 256, 2, 3, "silu", "measured", 0, mt.float64)
    deviations = [layer.weight.detach().numpy().std() for layer in model[::2]]
    gain = 1 / math.sqrt(measured.power)
    assert gain_of(measured, "measured") == gain and gain == pytest.approx(1.676, abs=1e-3)
    np.testing.assert_allclose(deviations, [8**-0.5, gain / 16, 1 / 16], rtol=0.05)
    power = {}
    for scheme in ("He", "measured"):
        start = measure_start(blobs, 96, 20, "silu", scheme, 3, 0)
        power[scheme] = start.variance[-1] + start.mean[-1] ** 2
    assert power["He"] < 0.1 * measured.power < power["measured"]
    start = measure_start(blobs, 96, 20, "silu", "measured", 3, 0)
    assert per_layer(start) == pytest.approx(mean_field("silu", "measured", 20), rel=0.15)


def test_orthogonal_sigmoid_layers_start_centred():
    model = deep_network(8, 64, 3, 3, "sigmoid", "orthogonal", 0, mt.float64)
    weight = model[2].weight.detach().numpy()
    np.testing.assert_allclose(weight @ weight.T, 16 * np.eye(64), atol=1e-10)
    # Halves in, which is sigmoid of 0, zeros out.
    assert np.abs(model[2](mt.full((1, 64), 0.5, dtype=mt.float64)).detach().numpy()).max() < 1e-12


def test_sigmoids_gradient_shrinks_as_the_theory_says_and_never_beyond_its_bound(blobs):
    start = measure_start(blobs, 64, 20, "sigmoid", "Xavier", 3, 0)
    assert start.bound <= 1 and ratio(start) < 0.25**19 * 10
    assert per_layer(start) == pytest.approx(mean_field("sigmoid", "Xavier", 20), rel=0.1)
    norms = np.cumprod(0.25 * start.weight[1:-1][::-1])[::-1]
    assert (start.gradient[:-2] <= 1.2 * start.gradient[-2] * norms).all()
    cured = measure_start(blobs, 64, 20, "sigmoid", "orthogonal", 3, 0)
    assert ratio(cured) > 0.1 and cured.bound <= 1


def test_selu_keeps_the_variance_where_tanh_and_a_wrong_start_do_not(blobs):
    steady = measure_start(blobs, 96, 20, "selu", "LeCun", 3, 0)
    assert abs(steady.variance - 1).max() < 0.35 and abs(steady.mean).max() < 0.2
    assert measure_start(blobs, 96, 20, "tanh", "Xavier", 1, 0).variance[-1] < 0.1
    assert measure_start(blobs, 96, 20, "selu", "He", 1, 0).variance[-1] > 2


def test_mean_field_theory_of_known_cases():
    assert mean_field("relu", "He", 10) == pytest.approx(1, abs=1e-4)
    assert mean_field("identity", "LeCun", 10) == pytest.approx(1)
    assert mean_field("sigmoid", "Xavier", 10) < 0.25
    assert math.isnan(mean_field("tanh", "Xavier", 1))


def train(blobs, name, rate, **changed):
    settings = {"steps": 60, "batch": 32, "momentum": 0.9, "seed": 0, "run": 1, "examine": True}
    scheme = suited(traits_of(name))
    return train_deep(blobs, 16, 2, name, scheme, rate=rate, **{**settings, **changed})


def test_training_repeats_with_the_seed_and_learns(blobs):
    first, again = train(blobs, "tanh", 0.1), train(blobs, "tanh", 0.1)
    assert dataclasses.astuple(first)[:4] == dataclasses.astuple(again)[:4]
    assert first.accuracy > 0.9 and first.dead == 0
    assert train(blobs, "tanh", 0.1, run=2).loss != first.loss


def test_randomised_slopes_repeat_and_leave_the_default_generator_alone(blobs):
    before = mt.get_rng_state().numpy().copy()
    first, again = (train(blobs, "rrelu", 0.1).loss for _ in range(2))
    assert first == again
    np.testing.assert_array_equal(mt.get_rng_state().numpy(), before)


def test_a_large_rate_kills_relu_units_and_no_gradient_reaches_them(blobs):
    small = train(blobs, "relu", 0.03, momentum=0.0)
    large = [train(blobs, "relu", 3.0, momentum=0.0, run=run) for run in range(4)]
    assert small.dead <= 0.1
    assert np.nanmax([one.dead for one in large]) > 0.2
    reached = [one.dead_gradient for one in large if not math.isnan(one.dead_gradient)]
    assert reached and max(reached) == 0
    leaky = [train(blobs, "leaky_relu", 3.0, momentum=0.0, run=run).dead for run in range(4)]
    assert not np.nan_to_num(leaky).any()


def test_a_run_that_diverges_says_so(blobs):
    outcome = train(blobs, "identity", 1e6)
    assert outcome.loss == math.inf and math.isnan(outcome.accuracy)


def test_the_result_has_a_row_for_each_activation_and_verdicts_on_the_laws(result):
    rows = [(row["activation"], row["init"]) for row in result.table.records]
    assert rows == [
        ("ReLU", "He"), ("Sigmoid", "Xavier"), ("Sigmoid", "orthogonal"), ("Tanh", "Xavier"),
        ("SELU", "LeCun"),
    ]  # fmt: skip
    claims = " / ".join(verdict.claim for verdict in result.verdicts)
    for word in ("¼", "orthogonal", "kills", "no gradient", "SELU", "grid"):
        assert word in claims
    assert result.verdicts[0].status == "holds"
    assert "repeat me" in str(result) and "2 layers" in str(result)


def test_without_their_activations_the_laws_are_left_out(blobs):
    alone = lab.activation_depth("tanh", blobs, plan=PLAN, jobs=1)
    assert [verdict.claim.split(",")[0] for verdict in alone.verdicts] == [
        "every tuned learning rate lies inside the grid"
    ]
    assert list(alone.figures) == ["activation_depth", "activation_depth_accuracy"]


def test_everything_is_saved(result, tmp_path):
    names = {path.name for path in result.save(tmp_path)}
    pictures = ("activation_depth", "activation_depth_accuracy", "activation_depth_laws")
    assert {f"{name}.png" for name in pictures} < names
    lines = (tmp_path / "activation_depth.csv").read_text().splitlines()
    assert len(lines) == 1 + 4 * 2 * 2
    assert len((tmp_path / "activation_depth_layers.csv").read_text().splitlines()) == 1 + 8 * 8


def test_the_same_seed_gives_the_same_table_on_any_number_of_processes(blobs):
    small = dataclasses.replace(PLAN, depths=(1, 2), steps=5)
    texts = [
        str(lab.activation_depth(["relu", "rrelu"], blobs, plan=small, jobs=jobs, seed=seed))
        for jobs, seed in ((1, 0), (2, 0), (1, 1))
    ]
    assert texts[0] == texts[1]
    assert texts[0].splitlines()[:8] != texts[2].splitlines()[:8]


# ---- verdicts, both ways ------------------------------------------------------------------------


def piece(name, init, start, depth=2, **more):
    fields = {
        "kind": "depth", "activation": name, "label": name, "init": init, "depth": depth,
        "start": start, "trained": True, "guessing": math.log(10), "losses": [0.1], "rate": 0.1,
        "on_edge": False, "outcomes": [Outcome(0.1, 0.9, 0.0, 0.0)],
    }  # fmt: skip
    return {**fields, **more}


def a_start(blobs, **changed):
    start = measure_start(blobs, 16, 2, "tanh", "Xavier", 1, 0)
    return dataclasses.replace(start, **changed)


@pytest.mark.parametrize(("bound", "status"), [(1.0, "holds"), (1.01, "fails")])
def test_the_bound_verdict(bound, status, blobs):
    start = a_start(blobs, bound=bound)
    assert bound_verdict([piece("sigmoid", "Xavier", start)], "").status == status
    assert bound_verdict([piece("tanh", "Xavier", start)], "") is None


@pytest.mark.parametrize(("first", "status"), [(0.5, "holds"), (1e-9, "fails")])
def test_the_cure_verdict(first, status, blobs):
    plain = piece("sigmoid", "Xavier", a_start(blobs))
    cured = piece("sigmoid", "orthogonal", a_start(blobs, gradient=np.array([first, 1, 1])))
    assert cure_verdict([plain, cured], "").status == status


@pytest.mark.parametrize(
    ("mean", "variance", "status"), [(0, 1.1, "holds"), (0, 2.0, "fails"), (0.5, 1.0, "fails")]
)
def test_the_selu_verdict(mean, variance, status, blobs):
    start = a_start(blobs, mean=np.array([0, mean]), variance=np.array([1, variance]))
    assert selu_verdict([piece("selu", "LeCun", start)], "").status == status


def dying(shares, gradient=0.0):
    return [
        {
            "kind": "dying", "activation": "relu", "label": "ReLU", "rate": rate,
            "outcomes": [Outcome(1.0, 0.5, one, 0.0, gradient) for one in dead],
        }
        for rate, dead in shares.items()
    ]  # fmt: skip


def test_the_verdicts_on_dying_units():
    shares = {0.1: [0.0, 0.0], 1.0: [0.4, math.nan], 2.0: [math.nan] * 2}
    assert dead_shares(dying(shares), "relu") == {0.1: 0.0, 1.0: 0.4}
    assert dying_verdict(dying(shares), "").status == "holds"
    assert dying_verdict(dying({0.1: [0.0], 1.0: [0.05]}), "").status == "fails"
    assert dead_gradient_verdict(dying(shares), "").status == "holds"
    assert dead_gradient_verdict(dying(shares, 1e-9), "").status == "fails"
    assert dead_gradient_verdict(dying(shares, math.nan), "").status == "unresolved"
    assert dying_verdict([], "") is None and dead_gradient_verdict([], "") is None


def test_the_grid_verdict_counts_only_networks_that_learnt(blobs):
    inside, edge = piece("tanh", "Xavier", a_start(blobs)), {"on_edge": True, "rate": 0.3}
    assert grid_verdict([inside], PLAN, "").status == "holds"
    assert grid_verdict([{**inside, **edge}], PLAN, "").status == "unresolved"
    assert grid_verdict([{**inside, **edge, "losses": [2.3]}], PLAN, "").status == "holds"


# ---- wrong input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"depths": ()}, "no depth given"),
        ({"depths": (0, 2)}, "whole numbers from 1 to 200, got 0"),
        ({"depths": (2, 500)}, "whole numbers from 1 to 200, got 500"),
        ({"depths": (2.5,)}, "got 2.5"),
        ({"depths": (True,)}, "got True"),
        ({"depths": (5, 2)}, "depths must rise, got 5, 2"),
        ({"depths": (2, 2)}, "depths must rise"),
        ({"rates": ()}, "rates must be positive and rise"),
        ({"rates": (0.1, 0.1)}, "rates must be positive and rise"),
        ({"dying_rates": (-1.0, 1.0)}, "dying_rates must be positive and rise"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"runs": 0}, "runs must be at least 1, got 0"),
    ],
)
def test_wrong_plans_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        lab.DepthPlan(**changed)


def test_unknown_names_and_bad_data_are_refused_before_the_work():
    with pytest.raises(ValueError, match=r"unknown activation 'rleu'; known are: .*relu"):
        lab.activation_depth(["rleu"])
    with pytest.raises(ValueError, match="unknown data set 'digit'"):
        lab.activation_depth(["relu"], "digit")
    bad = np.ones((20, 3))
    bad[2, 1] = np.nan
    with pytest.raises(ValueError, match="NaN in 1 of 3 columns"):
        lab.activation_depth(["relu"], (bad, np.arange(20) % 2))
