"""Networks without activations beside logistic regression: the run, and verdicts both ways."""

import dataclasses

import numpy as np
import pytest

import microtensor as mt
from microtensor import lab
from microtensor.lab.linear import _logistic, _train, function_gradient
from microtensor.lab.linear_report import alike_verdict, bent_verdict, exact_verdict

pytest.importorskip("sklearn")

# Little enough to be quick, and enough for small two-column data to converge.
PLAN = lab.Plan(
    depths=(1, 3), deepest=6, bent=3, steps=200, deepest_steps=10, bent_steps=150, folded=(1, 2, 7)
)


@pytest.fixture(scope="module")
def rings():
    """A ring around a disc: no straight line parts them."""
    rng = np.random.default_rng(0)
    angle, inner = rng.random(300) * 2 * np.pi, np.arange(300) % 2
    radius = np.where(inner, 0.3, 1.0) + rng.normal(0, 0.05, 300)
    x = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return lab.dataset(x, inner, "rings")


@pytest.fixture(scope="module")
def result(rings):
    return lab.linear_collapse([rings], plan=PLAN, jobs=1, command="repeat me")


def verdicts(result):
    return {
        name: verdict
        for name, verdict in zip(("exact", "alike", "bent"), result.verdicts, strict=True)
    }


def test_the_three_verdicts_hold_on_data_that_a_line_cannot_part(result):
    assert [verdict.status for verdict in result.verdicts] == ["holds"] * 3
    assert all(verdict.command == "repeat me" for verdict in result.verdicts)
    assert verdicts(result)["exact"].number < 1e-13
    assert verdicts(result)["bent"].number > 0.97


def test_the_table_has_a_row_for_each_network(result):
    rows = [(row["network"], row["layers"]) for row in result.table.records]
    assert rows == [
        ("logistic regression", 1),
        ("linear", 1),
        ("linear", 3),
        ("linear", 6),
        ("ReLU", 3),
        ("tanh", 3),
    ]
    linear = [row["test_accuracy"] for row in result.table.records if row["network"] == "linear"]
    assert max(linear) < 0.75  # near chance, printed and not judged


def test_the_same_seed_gives_the_same_tables_however_many_processes(rings, result):
    again = lab.linear_collapse([rings], plan=PLAN, jobs=2, command="repeat me")
    assert str(again) == str(result)
    assert again.table.records == result.table.records
    other = lab.linear_collapse([rings], plan=PLAN, jobs=1, seed=1)
    assert other.table.records != result.table.records
    command = other.verdict.command
    assert f"lab.linear_collapse([rings], plan=lab.{PLAN!r}, seed=1)" in command
    assert eval(f"lab.{PLAN!r}") == PLAN


def test_everything_is_saved(result, tmp_path):
    names = {path.name for path in result.save(tmp_path)}
    assert names == {
        "linear_collapse.png",
        "linear_collapse_depth.png",
        "linear_collapse.csv",
        "linear_collapse_folds.csv",
        "linear_collapse.json",
        "linear_collapse_seconds.json",
    }
    folds = (tmp_path / "linear_collapse_folds.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in folds[1:]] == [
        ["rings", "1"],
        ["rings", "2"],
        ["rings", "7"],
    ]


def test_nothing_is_cut_off_in_the_pictures(result):
    for figure in result.figures.values():
        figure.draw_without_rendering()
        whole, drawn = figure.bbox, figure.get_tightbbox()
        width, height = whole.width / figure.dpi, whole.height / figure.dpi
        assert drawn.x0 >= -0.01 and drawn.y0 >= -0.01
        assert drawn.x1 <= width + 0.01 and drawn.y1 <= height + 0.01


def test_float32_networks_are_not_exactly_folded(rings):
    plan = dataclasses.replace(PLAN, dtype="float32", steps=1, bent_steps=1, deepest_steps=1)
    result = lab.linear_collapse([rings], plan=plan, jobs=1)
    assert verdicts(result)["exact"].status == "fails"
    assert 1e-8 < verdicts(result)["exact"].number < 1e-4


def test_networks_that_have_not_converged_leave_the_comparison_unresolved(rings):
    plan = dataclasses.replace(PLAN, steps=2, bent_steps=1, deepest_steps=1)
    verdict = verdicts(lab.linear_collapse([rings], plan=plan, jobs=1))["alike"]
    assert verdict.status == "unresolved"
    assert "not converged: 1 layers on rings" in verdict.open_because


def test_what_a_quick_run_calls_converged_is_logistic_regression():
    """The hardest case: eight layers on digits. Half-way there, it was called converged."""
    data, plan = lab.load("digits"), lab.Plan.quick()
    reference = _logistic(data, plan, 0)
    for steps in (300, plan.steps):
        tried = dataclasses.replace(plan, steps=steps)
        trained = [reference, {"data": data.name, **_train(data, tried, 0, "linear", 8)}]
        assert alike_verdict(trained, (8,), "").status != "fails"
    assert alike_verdict(trained, (8,), "").status == "holds"


def test_a_criterion_that_is_too_lax_lets_the_comparison_fail(rings):
    plan = dataclasses.replace(PLAN, steps=2, converged=100.0, bent_steps=1, deepest_steps=1)
    verdict = verdicts(lab.linear_collapse([rings], plan=plan, jobs=1))["alike"]
    assert verdict.status == "fails"
    assert verdict.number > 0.01


def test_labels_by_chance_are_found_by_no_network(rings):
    chance = lab.dataset(rings.x, np.random.default_rng(1).permutation(rings.y), "chance")
    plan = dataclasses.replace(PLAN, steps=1, deepest_steps=1, folded=(1,))
    result = lab.linear_collapse([chance], plan=plan, jobs=1)
    assert verdicts(result)["bent"].status == "fails"
    assert "adds nothing" not in result.figure.get_suptitle()


def test_three_classes_and_more_columns_use_an_output_each(rng):
    x = rng.normal(size=(240, 4))
    y = (x @ rng.normal(size=(4, 3))).argmax(1)
    plan = dataclasses.replace(PLAN, depths=(1, 2), steps=300)
    result = lab.linear_collapse([(x, y)], plan=plan, jobs=1)
    assert [verdict.status for verdict in result.verdicts] == ["holds", "holds"]
    assert list(result.figures) == ["linear_collapse_depth"]


def test_the_reference_solves_the_stated_objective():
    """The intercept is free, and C = 1/(nλ) makes sklearn's sum our mean."""
    for name in ("moons", "digits"):
        record = _logistic(lab.load(name), lab.Plan(), 0)
        assert record["gradient"] < 1e-6


def test_the_gradient_in_function_space_against_differences(rng):
    weight = mt.tensor(rng.normal(size=(3, 4)))
    bias = mt.tensor(rng.normal(size=3))
    x, y = mt.tensor(rng.normal(size=(20, 4))), mt.tensor(rng.integers(0, 3, 20))

    def objective(values):
        logits = x.numpy() @ values[:, :4].T + values[:, 4]
        high = logits.max(1, keepdims=True)
        losses = (
            np.log(np.exp(logits - high).sum(1)) + high[:, 0] - logits[np.arange(20), y.numpy()]
        )
        return losses.mean() + 0.05 * (values[:, :4] ** 2).sum()

    at = np.column_stack([weight.numpy(), bias.numpy()])
    gradient = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[place] = 1e-5
        gradient[place] = (objective(at + step) - objective(at - step)) / 2e-5
    found = function_gradient(weight, bias, x, y, 0.1)
    np.testing.assert_allclose(found, np.linalg.norm(gradient), rtol=1e-7)


def record(kind="linear", layers=1, converged=True, probability=0.5, **more):
    chances = np.array([[1 - probability, probability]])
    return {"data": "d", "kind": kind, "layers": layers, "converged": converged,
            "gradient": 0.1, "probabilities": chances, **more}  # fmt: skip


def test_alike_names_what_has_not_converged_and_judges_the_rest():
    reference = record("logistic", probability=0.5)
    near, far = record(layers=1, probability=0.505), record(layers=2, probability=0.6)
    lost = record(layers=2, probability=0.9, converged=False)
    assert alike_verdict([reference, near], (1, 2), "").status == "holds"
    assert alike_verdict([reference, near, far], (1, 2), "").status == "fails"
    assert alike_verdict([reference, near, far], (1,), "").status == "holds"
    verdict = alike_verdict([reference, near, lost], (1, 2), "")
    assert verdict.status == "unresolved" and "2 layers on d" in verdict.open_because
    assert alike_verdict([reference, lost], (1, 2), "").status == "unresolved"
    doubtful = record("logistic", converged=False)
    assert alike_verdict([doubtful, near], (1,), "").status == "unresolved"


def test_exact_takes_the_largest_error_and_never_hides_nan():
    fold = {"data": "d", "kind": "fold", "depths": (1, 2), "errors": [1e-15, 1e-14]}
    assert exact_verdict([fold], "").number == 1e-14
    assert exact_verdict([fold, record(fold_error=1e-9)], "").status == "fails"
    assert exact_verdict([fold, record(fold_error=np.nan)], "").status == "unresolved"


def test_bent_takes_the_lowest_accuracy():
    good, bad = record("relu", accuracy=0.99), record("tanh", accuracy=0.96)
    assert bent_verdict([good], "").status == "holds"
    verdict = bent_verdict([good, bad], "")
    assert verdict.status == "fails" and "tanh on d" in verdict.detail
