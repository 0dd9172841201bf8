"""The comparison of optimizers: fairness, determinism, and everyone's own tasks and optimizers."""

import dataclasses
import math

import numpy as np
import pytest

import microtensor as mt
from microtensor import lab, nn
from microtensor.lab.optimizers import BEYOND, COMPARED, Range, recipes
from microtensor.lab.problems import FUNCTIONS, identity, task_names
from microtensor.lab.records import Records
from microtensor.lab.seeds import seed_for
from microtensor.lab.trial import Choice, late_loss, trial
from microtensor.lab.tuning import Cell, Sweep, edges

pytest.importorskip("sklearn")

BUDGET = lab.Budget(
    steps=20, every=5, rates=(0.01, 0.1, 1.0), draws=2, finalists=2, finalist_runs=1, runs=3
)
NAMES = ("sgd", "adam", "nag")
EVERY = {**lab.OPTIMIZERS, **BEYOND}


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    x = rng.normal(size=(120, 4)) + 2 * np.eye(4)[y]
    return lab.dataset(x, y, "blobs")


@pytest.fixture(scope="module")
def result(blobs):
    return lab.compare([blobs, "rosenbrock"], NAMES, BUDGET, jobs=1)


def test_the_same_seed_gives_the_same_table_however_many_processes(blobs, result):
    again = lab.compare([blobs, "rosenbrock"], NAMES, BUDGET, jobs=2)
    assert str(again) == str(result)
    # NaN differs from itself, so texts are compared.
    assert repr(again.table.records) == repr(result.table.records)
    other = lab.compare([blobs], NAMES, BUDGET, jobs=1, seed=1)
    assert repr(other.table.records) != repr(result.table.records[:6])


def test_the_company_an_optimizer_is_in_changes_nothing_for_it(blobs, result):
    alone = lab.compare([blobs], ("adam",), BUDGET, jobs=1)
    both = [
        row for row in result.table.records if row["optimizer"] == "Adam" and row["task"] == "blobs"
    ]
    for mine, one in zip(alone.table.records, both, strict=True):
        assert mine["choice"] == one["choice"] and mine["schedule"] == one["schedule"]
        assert mine["validation_loss"] == one["validation_loss"]
    # The grid's edges, those of the other spaces, and the defaults; nobody to be ahead of.
    drawn = any("beta" in row["choice"] for row in alone.table.records)
    assert len(alone.verdicts) == 2 + drawn


def test_every_optimizer_is_tuned_by_the_same_number_of_runs(blobs, tmp_path):
    path = tmp_path / "runs.jsonl"
    lab.compare([blobs], NAMES, BUDGET, jobs=1, results=path)
    records = Records.read(path, 0)
    for name in NAMES:
        mine = [key for key in records.found if f'"optimizer": "{name}"' in key]
        assert len(mine) == BUDGET.number(1, 1)


def test_both_schedules_are_tuned_and_shown_and_the_rank_stands_at_one(result):
    rows = result.table.records
    assert len(rows) == 2 * 3 * 2
    for name in ("SGD", "Adam", "NAG"):
        mine = [row for row in rows if row["task"] == "blobs" and row["optimizer"] == name]
        assert {row["schedule"] for row in mine} == {"constant", "cosine"}
        assert sum(row["rank"] is not None for row in mine) == 1
    frame = result.table.frame()
    assert (frame["runs"] == 3).all() and (frame["reached"] <= 3).all()


def test_a_row_is_what_its_runs_say(blobs):
    budget = dataclasses.replace(BUDGET, draws=0, schedules=("cosine",))
    (row,) = lab.compare([blobs], ("adam",), budget, jobs=1).table.records
    runs = [
        trial(
            lab.task(blobs), EVERY["adam"], Choice(row["rate"], "cosine"), budget,
            seed_for(0, "blobs", "run", index),
        )
        for index in range(3)
    ]  # fmt: skip
    for key, values in (
        ("validation_loss", [run.validation[-1] for run in runs]),
        ("training_loss", [run.training[-1] for run in runs]),
        ("score", [run.score for run in runs]),
    ):
        np.testing.assert_allclose(row[key], np.mean(values))


@pytest.mark.parametrize("name", [*FUNCTIONS, "blobs"])
def test_all_start_from_the_same_losses(name, blobs):
    task = lab.task(blobs) if name == "blobs" else FUNCTIONS[name]
    short = dataclasses.replace(BUDGET, steps=2, every=1)
    starts = {
        (run.training[0], run.validation[0])
        for run in (trial(task, recipe, Choice(0.01), short, 7) for recipe in EVERY.values())
    }
    assert len(starts) == 1


@pytest.mark.parametrize("name", COMPARED)
def test_replay_changes_no_bit(name, blobs):
    for task in (lab.task(blobs), FUNCTIONS["quadratic"]):
        runs = [
            trial(task, EVERY[name], Choice(0.01, "cosine"), BUDGET, 3, captured=captured)
            for captured in (None, False)
        ]
        assert runs[0].validation == runs[1].validation and runs[0].training == runs[1].training


def test_test_rows_are_never_trained_or_tuned_on(blobs):
    from microtensor.lab.data import parts

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


def test_numbers_to_predict_are_standardised_by_the_training_part():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 3))
    data = lab.regression(x, 1e4 + 100 * x[:, 0], "far")
    task = lab.task(data)
    assert task.score == "R²" and task.target == 0.25
    run = trial(task, EVERY["adam"], Choice(0.03), lab.Budget(steps=150, every=50), 0)
    assert 0.5 < run.training[0] < 2 and run.validation[-1] < 0.1 and run.score > 0.9


def test_a_value_on_the_edge_is_flagged_in_table_and_verdict(blobs):
    narrow = dataclasses.replace(BUDGET, rates=(1e-6, 1e-5), draws=0, schedules=("constant",))
    result = lab.compare([blobs], ("sgd",), narrow, jobs=1)
    assert result.table.records[0]["edges"] == "rate 1e-05"
    assert "1e-05 *" in str(result.table)
    assert result.verdicts[0].status == "fails"
    assert "SGD on blobs, constant (rate 1e-05)" in result.verdicts[0].detail


def test_edges_are_those_of_the_rate_and_of_every_range():
    adam = EVERY["adam"]
    assert edges(Choice(0.1, "constant", {"betas.0": 0.9}), adam, BUDGET) == []
    assert edges(Choice(1.0), adam, BUDGET) == ["rate 1"]
    near = adam.space["betas.0"].at(0.99)
    assert edges(Choice(0.1, "constant", {"betas.0": near}), adam, BUDGET)[0].startswith("betas.0")


def test_draws_stay_around_the_best_rate_and_within_the_spaces(blobs):
    budget = dataclasses.replace(BUDGET, draws=20, finalist_runs=0, steps=5)
    cell = Cell(lab.task(blobs), EVERY["adamw"], "constant")
    Sweep(budget, 0, Records(None, 0), jobs=1).tune([cell])
    grid, draws = cell.tries[:3], cell.tries[3:]
    best = min(grid, key=lambda one: late_loss(one[1][0]))[0].rate
    assert len(draws) == 20
    for choice, _ in draws:
        assert max(best / 3.2, 0.01) <= choice.rate <= min(best * 3.2, 1.0)
        for name, space in EVERY["adamw"].space.items():
            assert space.low <= choice.drawn[name] <= space.high


def test_drawn_values_reach_the_optimizer():
    made = EVERY["adamw"].make([mt.zeros(2, requires_grad=True)], 0.5, {
        "betas.1": 0.99, "weight_decay": 0.3,
    })  # fmt: skip
    group = made.param_groups[0]
    assert (group["betas"], group["weight_decay"], group["lr"]) == ((0.9, 0.99), 0.3, 0.5)
    assert Range(0.5, 0.99, short_of_one=True).at(0.0) == 0.5


def test_runs_that_miss_the_target_are_censored_and_not_dropped(blobs):
    row = lab.compare([lab.task(blobs, 0.0)], ("sgd",), BUDGET, jobs=1).table.records[0]
    assert row["steps_to_target"] == "> 20" and row["reached"] == 0
    assert row["steps_of_each_run"] == "> 20; > 20; > 20"
    row = lab.compare([lab.task(blobs, 100.0)], ("sgd",), BUDGET, jobs=1).table.records[0]
    assert row["steps_to_target"] == "0" and row["reached"] == 3


def test_a_run_that_diverges_is_a_result(blobs):
    budget = dataclasses.replace(BUDGET, rates=(1e18,), draws=0, steps=40)
    result = lab.compare([blobs, "rosenbrock"], ("momentum", "sgd"), budget, jobs=1)
    row = result.table.records[0]
    assert row["diverged"] == 3 and row["validation_loss"] == math.inf
    assert "diverged in 3 of 3" in str(result.table)
    for figure in result.figures.values():  # curves leave, pictures stay
        figure.draw_without_rendering()


def test_rows_are_counted_closures_included():
    task = FUNCTIONS["deep_linear"]
    budget = lab.Budget(steps=40, every=10)
    often = lab.Recipe("lbfgs", "LBFGS", "LBFGS", {"max_iter": 5, "line_search_fn": "strong_wolfe"})
    run = trial(task, often, Choice(0.5), budget, 0)
    assert run.taken < 40 and 40 * 32 <= run.rows <= (40 + 10) * 32
    assert trial(task, EVERY["adam"], Choice(0.01), budget, 0).rows == 40 * 32


def test_ones_own_task_model_and_optimizer_stand_in_the_same_table(blobs):
    def bowl(run):
        x = mt.tensor([3.0, 1.0 + run % 7], requires_grad=True)
        return lab.Problem([x], lambda: (x * x).sum())

    def wide(inputs, outputs):
        return nn.Sequential(nn.Linear(inputs, 6), nn.Tanh(), nn.Linear(6, outputs))

    def sign(parameters, lr=0.01):
        return mt.optim.Lion(parameters, lr=lr)

    tasks = [lab.Task("bowl", bowl, 1e-2), lab.task(blobs, model=wide)]
    result = lab.compare(tasks, ["adam", sign], BUDGET, jobs=2)
    assert {row["optimizer"] for row in result.table.records} == {"Adam", "sign"}
    assert {row["task"] for row in result.table.records} == {"bowl", "blobs"}
    assert "wide" in result.settings["tasks"]["blobs"]["about"]


def test_a_step_that_cannot_be_replayed_is_run_as_it_is():
    def careful(run):
        x = mt.tensor([3.0], requires_grad=True)
        return lab.Problem([x], lambda: (x * x).sum() if x.sum().item() > 0 else (2 * x * x).sum())

    run = trial(lab.Task("careful", careful, 1e-3), EVERY["sgd"], Choice(0.1), BUDGET, 0)
    assert run.taken == 20 and run.validation[-1] < 0.01


def test_own_tasks_of_other_code_are_other_tasks():
    def one(run):
        return lab.Problem([mt.zeros(1)], lambda: mt.zeros(1))

    def two(run):
        return lab.Problem([mt.zeros(1)], lambda: mt.ones(1) * 2)

    assert identity(lab.Task("t", one, 1.0)) != identity(lab.Task("t", two, 1.0))
    assert identity(lab.Task("t", one, 1.0)) == identity(lab.Task("t", one, 1.0))


def test_wrong_arguments_are_named(blobs):
    legal = "sgd, momentum, nag, adagrad, adadelta, rmsprop, adam, adamw, nadam"
    with pytest.raises(ValueError, match=f"unknown optimizer 'adma'; known are: {legal}"):
        lab.compare([blobs], ("adma",), BUDGET)
    with pytest.raises(ValueError, match="no optimizer given; known are"):
        lab.compare([blobs], (), BUDGET)
    with pytest.raises(ValueError, match="unknown task 'suns'; known are: moons, circles"):
        lab.compare(["suns"], ("sgd",), BUDGET)
    with pytest.raises(ValueError, match="no task given; known are: moons"):
        lab.compare([], ("sgd",), BUDGET)
    with pytest.raises(ValueError, match="different names, got 'mine' twice"):
        recipes([lab.Recipe("mine", "A", "SGD"), lab.Recipe("mine", "B", "SGD")])
    with pytest.raises(ValueError, match="different names, got moons, moons"):
        lab.compare(["moons", "moons"], ("sgd",), BUDGET)
    with pytest.raises(ValueError, match="unknown activation 'relv'"):
        lab.task(blobs, activation="relv")
    with pytest.raises(ValueError, match="steps must be at least 1"):
        lab.Budget(steps=0)
    with pytest.raises(ValueError, match="draws must not be negative"):
        lab.Budget(draws=-1)
    with pytest.raises(ValueError, match="rates must be positive and rise"):
        lab.Budget(rates=(0.1, 0.01))
    with pytest.raises(ValueError, match="schedules must be some of constant, cosine"):
        lab.Budget(schedules=("linear",))


def test_the_command_of_a_verdict_repeats_the_call(blobs, result):
    command = result.verdict.command
    inside = command[command.index("lab.compare") : command.rindex(')"')]
    assert str(eval(inside, {"lab": lab, "blobs": blobs})) == str(result)


def test_a_budget_says_what_differs_from_the_default():
    assert repr(lab.Budget()) == "Budget()"
    assert repr(lab.Budget(steps=7)) == "Budget(steps=7)"
    assert eval(f"lab.{BUDGET!r}") == BUDGET


def test_there_are_twelve_optimizers_and_eight_tasks():
    assert len(COMPARED) >= 12 and len(lab.TASKS) >= 8 and set(lab.TASKS) <= set(task_names())


def test_the_time_it_will_take_is_told_first(blobs, capsys):
    lab.compare([blobs], ("sgd",), BUDGET, jobs=1, progress=True)
    told = capsys.readouterr().err
    assert told.startswith(f"{BUDGET.number(1, 1)} runs of 20 steps, some ")
