"""The comparison of optimizers: fairness, determinism, censoring, and verdicts both ways."""

import dataclasses
import math

import numpy as np
import pytest

import microtensor as mt
from microtensor import lab
from microtensor.lab.compare import late_loss, task_for
from microtensor.lab.compare_report import Entry, ahead_verdict, comparison_result, grid_verdict
from microtensor.lab.optimizers import recipes
from microtensor.lab.trial import Trial, parts, trial

BUDGET = lab.Budget(steps=20, every=5, rates=(0.01, 0.1, 1.0), finalists=2, finalist_runs=1, runs=3)


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.normal(size=(120, 4)) + 2 * np.eye(4)[y]
    return lab.dataset(x, y, "blobs")


@pytest.fixture(scope="module")
def result(blobs):
    return lab.compare([blobs], ("sgd", "adam", "nag"), BUDGET, jobs=1)


def test_the_same_seed_gives_the_same_table_however_many_processes(blobs, result):
    again = lab.compare([blobs], ("sgd", "adam", "nag"), BUDGET, jobs=2)
    assert str(again) == str(result)
    assert again.table.records == result.table.records
    other = lab.compare([blobs], ("sgd", "adam", "nag"), BUDGET, jobs=1, seed=1)
    assert other.table.records != result.table.records


def test_the_company_an_optimizer_is_in_changes_nothing_for_it(blobs, result):
    alone = lab.compare([blobs], ("adam",), BUDGET, jobs=1)
    (row,) = [row for row in result.table.records if row["optimizer"] == "Adam"]
    assert alone.table.records == [row]
    assert len(alone.verdicts) == 1  # nobody to be ahead of


def test_rows_are_ranked_and_complete(result):
    rows = result.table.records
    assert sorted(row["optimizer"] for row in rows) == ["Adam", "NAG", "SGD"]
    losses = [row["validation_loss"] for row in rows]
    assert losses == sorted(losses)
    for row in rows:
        assert row["rate"] in BUDGET.rates
        assert row["on_edge"] == (row["rate"] != 0.1)
        assert row["validation_loss_interval"] > 0
        assert 0 <= row["reached"] <= row["runs"] == 3


def test_a_row_is_what_the_runs_say(blobs, result):
    from microtensor.lab.seeds import seed_for

    row = result.table.records[0]
    (recipe,) = [one for one in lab.OPTIMIZERS.values() if one.label == row["optimizer"]]
    runs = [
        trial(task_for(blobs), recipe, row["rate"], BUDGET, 0, seed_for(0, "blobs", "run", index))
        for index in range(3)
    ]
    np.testing.assert_allclose(row["validation_loss"], np.mean([r.validation[-1] for r in runs]))
    np.testing.assert_allclose(row["training_loss"], np.mean([r.training[-1] for r in runs]))
    np.testing.assert_allclose(row["test_accuracy"], np.mean([r.accuracy for r in runs]))


def test_every_optimizer_starts_from_the_same_losses(blobs):
    starts = {
        (run.training[0], run.validation[0])
        for run in (
            trial(task_for(blobs), recipe, 0.1, BUDGET, 0, 7) for recipe in lab.OPTIMIZERS.values()
        )
    }
    assert len(starts) == 1


def test_the_test_rows_are_never_trained_or_tuned_on(blobs):
    marked = dataclasses.replace(blobs, x=np.arange(120.0)[:, None] * [1, 0, 0, 0])
    tested, seen = set(), set()
    for run in range(6):
        training, validation, test = parts(marked, 0, run)
        order = np.concatenate([part.x[:, 0] for part in (training, validation, test)])
        rows = np.argsort(np.argsort(order))  # the rows are numbered by their only varying column
        inside = len(training.y) + len(validation.y)
        seen |= set(rows[:inside])
        tested |= set(rows[inside:])
    assert len(tested) == 30 and not tested & seen and len(seen) == 90


def test_the_learning_rate_with_the_lowest_late_loss_is_chosen(blobs):
    budget = dataclasses.replace(BUDGET, rates=(1e-6, 0.1, 1e-5), runs=1) if False else BUDGET
    only_good = lab.compare(
        [blobs], ("sgd",), dataclasses.replace(budget, rates=(1e-6, 0.3)), jobs=1
    )
    assert only_good.table.records[0]["rate"] == 0.3
    wide = lab.compare(
        [blobs], ("sgd",), dataclasses.replace(budget, rates=(1e-6, 0.3, 1e9)), jobs=1
    )
    assert wide.table.records[0]["rate"] == 0.3
    assert wide.table.records[0]["on_edge"] is False


def test_a_rate_on_the_edge_is_flagged_in_table_and_verdict(blobs):
    narrow = dataclasses.replace(BUDGET, rates=(1e-6, 1e-5))
    result = lab.compare([blobs], ("sgd",), narrow, jobs=1)
    assert result.table.records[0]["on_edge"] is True
    assert "1e-05 *" in str(result.table)
    assert result.verdicts[0].status == "fails"
    assert "SGD on blobs (1e-05)" in result.verdicts[0].detail


def test_runs_that_miss_the_target_are_shown_and_not_dropped(blobs):
    task = lab.Task(blobs, target=0.0)
    row = lab.compare([task], ("sgd",), BUDGET, jobs=1).table.records[0]
    assert row["steps_to_target"] == "> 20" and row["reached"] == 0
    assert row["steps_of_each_run"] == "> 20; > 20; > 20"
    easy = lab.Task(blobs, target=100.0)
    row = lab.compare([easy], ("sgd",), BUDGET, jobs=1).table.records[0]
    assert row["steps_to_target"] == "0" and row["reached"] == 3


def test_a_run_that_diverges_is_a_result(blobs):
    budget = dataclasses.replace(BUDGET, rates=(1e18,), steps=40)
    result = lab.compare([blobs], ("momentum",), budget, jobs=1)
    row = result.table.records[0]
    assert row["diverged"] == 3 and row["validation_loss"] == math.inf
    assert "diverged in 3 of 3" in str(result.table)
    assert result.figure is not None  # the curve leaves, the picture stays


def test_late_loss_is_the_mean_of_the_last_quarter():
    assert late_loss(made(losses=[9, 9, 9, 9, 9, 9, 1, 3])) == 2
    assert late_loss(made(losses=[9, 9, 1])) == 1
    assert late_loss(made(losses=[9, 9, 9, 9, math.inf, math.inf])) == math.inf


def test_adamw_with_its_decay_is_not_adam(blobs):
    adam, adamw = recipes(("adam", "adamw"))
    runs = [trial(task_for(blobs), recipe, 0.1, BUDGET, 0, 1) for recipe in (adam, adamw)]
    assert runs[0].training != runs[1].training


def test_recipes_are_the_optimizers_they_name():
    parameters = [mt.zeros(2, requires_grad=True)]
    made = {recipe.name: recipe.make(parameters, 0.5) for recipe in lab.OPTIMIZERS.values()}
    assert {type(one).__name__ for one in made.values()} == {
        "SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW",
    }  # fmt: skip
    groups = {name: one.param_groups[0] for name, one in made.items()}
    assert all(group["lr"] == 0.5 for group in groups.values())
    assert [groups[name]["momentum"] for name in ("sgd", "momentum", "nag")] == [0, 0.9, 0.9]
    assert groups["nag"]["nesterov"] and not groups["momentum"]["nesterov"]
    assert groups["adadelta"]["rho"] == 0.9 and groups["rmsprop"]["alpha"] == 0.9


def test_wrong_arguments_are_named(blobs):
    legal = "sgd, momentum, nag, adagrad, adadelta, rmsprop, adam, adamw"
    with pytest.raises(ValueError, match=f"unknown optimizer 'adma'; known are: {legal}"):
        lab.compare([blobs], ("adma",), BUDGET)
    with pytest.raises(ValueError, match=f"no optimizer given; known are: {legal}"):
        lab.compare([blobs], (), BUDGET)
    with pytest.raises(ValueError, match="unknown data set 'suns'; known are: moons, circles"):
        lab.compare(["suns"], ("sgd",), BUDGET)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        lab.Budget(steps=0)
    with pytest.raises(ValueError, match="rates must be positive and rise"):
        lab.Budget(rates=(0.1, 0.01))


def test_the_command_of_a_verdict_repeats_the_call(blobs, result):
    command = result.verdict.command
    assert command.startswith('python -c "from microtensor import lab; print(lab.compare([blobs], ')
    inside = command[command.index("lab.compare") : command.rindex(')"')]
    assert str(eval(inside, {"lab": lab, "blobs": blobs})) == str(result)


def test_a_budget_says_what_differs_from_the_default():
    assert repr(lab.Budget()) == "Budget()"
    assert repr(lab.Budget(steps=7)) == "Budget(steps=7)"
    assert eval(f"lab.{BUDGET!r}") == BUDGET


def test_the_picture_shows_every_optimizer_and_cuts_nothing_off(result):
    figure = result.figure
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    assert drawn.x0 >= -0.01 and drawn.x1 <= figure.get_figwidth() + 0.01
    assert drawn.y0 >= -0.01 and drawn.y1 <= figure.get_figheight() + 0.01
    for axes in figure.axes:
        assert {"SGD", "Adam", "NAG"} <= {text.get_text() for text in axes.texts}


def made(losses, accuracy=0.9):
    steps = tuple(range(len(losses)))
    return Trial(steps, tuple(losses), tuple(losses), accuracy, math.inf, 1.0)


def entries(blobs, **finals):
    """Entries whose runs end at the given validation losses."""
    task = lab.Task(blobs, target=0.5)
    return [
        Entry(task, lab.OPTIMIZERS[name], 0.1, False, [made([1.0, loss]) for loss in losses])
        for name, losses in finals.items()
    ]


def test_ahead_holds_for_paired_differences_and_not_for_scattered_ones(blobs):
    # The same spread between seeds; only the pairing tells the two cases apart.
    base = [0.10, 0.20, 0.30, 0.40, 0.50]
    paired = [loss + 0.05 + 0.001 * index for index, loss in enumerate(base)]
    ahead = ahead_verdict(entries(blobs, sgd=base, adam=paired), "")
    assert ahead.status == "holds" and ahead.number < 0.001
    scattered = [0.35, 0.55, 0.15, 0.65, 0.05]
    open_one = ahead_verdict(entries(blobs, sgd=base, adam=scattered), "")
    assert open_one.status == "unresolved" and "not told apart from Adam" in open_one.detail


def test_ahead_is_corrected_for_the_number_of_pairs(blobs):
    base = np.array([0.10, 0.20, 0.30, 0.40, 0.50])
    wobble = np.array([0.02, 0.05, 0.03, 0.06, 0.01])  # p = 0.02 for one pair
    two = ahead_verdict(entries(blobs, sgd=base, adam=base + wobble), "")
    assert two.status == "holds"
    three = entries(blobs, sgd=base, adam=base + wobble, nag=base + wobble + 0.001)
    assert ahead_verdict(three, "").number > two.number


def test_grid_holds_when_no_rate_is_on_the_edge(blobs):
    inside = entries(blobs, sgd=[0.1, 0.2])
    assert grid_verdict(inside, BUDGET, "").status == "holds"
    edge = [dataclasses.replace(inside[0], edge=True, rate=1.0)]
    assert grid_verdict(edge, BUDGET, "").status == "fails"


def test_titles_say_what_the_verdict_says(blobs):
    def title(**finals):
        made_entries = entries(blobs, **finals)
        drawn = comparison_result(made_entries, BUDGET, settings={}, seconds={}, command="").figure
        return drawn.axes[0].get_title(loc="left")

    base = [0.10, 0.20, 0.30, 0.40, 0.50]
    apart = [loss + 0.05 + 0.001 * index for index, loss in enumerate(base)]
    scattered = [0.35, 0.55, 0.15, 0.65, 0.05]
    assert title(sgd=base, adam=apart) == "blobs\nSGD ahead of all others"
    assert title(sgd=base, adam=scattered) == "blobs\nnone clearly ahead"
    assert title(sgd=base, adam=apart, nag=scattered) == (
        "blobs\nSGD lowest, clearly ahead of 1 of 2"
    )
