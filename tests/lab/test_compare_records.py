"""Finished runs on disk: none repeated, none lost, and what of a file is not used is said."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from microtensor import lab
from microtensor.lab.records import Records
from microtensor.lab.trial import Choice, trial

ROOT = Path(__file__).resolve().parents[2]
BUDGET = lab.Budget(
    steps=20, every=5, rates=(2e-3, 1e-2), draws=1, finalists=1, finalist_runs=1, runs=2
)
KILLED = lab.Budget(
    steps=200, every=50, rates=(2e-3, 1e-2), draws=1, finalists=1, finalist_runs=1, runs=2
)
NAMES = ("sgd", "momentum")


def compare(path, names=NAMES):
    return lab.compare(["rosenbrock"], names, BUDGET, results=path, jobs=1)


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "deep" / "runs.jsonl"
    return path, compare(path)


def test_every_run_is_a_line_with_versions_seed_and_settings(written):
    path, _ = written
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == BUDGET.number(1, 2)
    for row in rows:
        assert set(row["versions"]) == {"microtensor", "numpy", "backend"} and row["seed"] == 0
        assert row["settings"]["task"] == "rosenbrock" and row["settings"]["steps"] == 20
    assert {row["purpose"] for row in rows} == {
        "tuning: rates", "tuning: draws around the best", "tuning: the best again", "tuned",
        "default",
    }  # fmt: skip


def test_what_is_on_record_is_not_done_again(written, monkeypatch):
    path, first = written
    before = path.read_bytes()
    monkeypatch.setattr("microtensor.lab.tuning.trial", None)  # whoever runs, fails
    assert str(compare(path)) == str(first)
    assert path.read_bytes() == before


def test_another_optimizer_adds_its_runs_only(written):
    path, _ = written
    compare(path, (*NAMES, "nag"))
    assert len(path.read_text().splitlines()) == BUDGET.number(1, 3)


def test_a_file_cut_in_the_middle_keeps_its_good_rows(written):
    path, first = written
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:7]) + lines[7][:50])
    again = compare(path)
    assert [str(one) for one in again.verdicts] == [str(one) for one in first.verdicts]
    assert "1 lines of" in again.table.caption and "line 8: cut off" in again.table.caption
    after = path.read_bytes().splitlines(keepends=True)
    assert after[:7] == lines[:7] and after[7] == lines[7][:50] + b"\n"
    assert len(after) == len(lines) + 1


def test_rows_of_another_version_are_not_used_and_stay(written):
    path, first = written
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["versions"]["microtensor"] = "0.0.1"
    rows[1]["form"] = 99
    del rows[2]["outcome"]["steps"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "[]\n")
    records = Records.read(path, 0)
    assert len(records.found) == len(rows) - 3
    assert "line 1: made by microtensor 0.0.1; line 2: not of form 1" in records.report()
    assert "line 3: something is missing; and 1 more" in records.report()
    again = compare(path)
    assert again.table.records == first.table.records or repr(again.table.records) == repr(
        first.table.records
    )
    assert json.loads(path.read_text().splitlines()[0])["versions"]["microtensor"] == "0.0.1"


def test_infinite_losses_are_kept_as_they_are(tmp_path):
    from microtensor.lab.problems import FUNCTIONS
    from microtensor.lab.records import Job

    recipe, task = lab.OPTIMIZERS["sgd"], FUNCTIONS["rosenbrock"]
    job = Job(task, recipe, Choice(1e9), 3)
    lost = trial(task, recipe, job.choice, BUDGET, 3)
    assert lost.diverged
    records = Records.read(tmp_path / "r.jsonl", 0)
    records.add(job, BUDGET, lost)
    back = Records.read(tmp_path / "r.jsonl", 0).get(job, BUDGET)
    assert back.validation == lost.validation and back.reached == lost.reached == float("inf")
    assert back.score != back.score


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("microtensor.lab.tuning.trial", None)
    with pytest.raises(OSError, match="file"):
        compare(tmp_path / "file" / "runs.jsonl")


@pytest.mark.skipif(os.name == "nt", reason="kills with a signal")
def test_killed_and_started_again_it_repeats_none_and_loses_none(tmp_path):
    path = tmp_path / "runs.jsonl"
    code = (
        "from microtensor import lab; lab.compare(['rosenbrock', 'quadratic'], ['sgd', 'adam'], "
        f"lab.{KILLED!r}, results={str(path)!r}, jobs=1)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    deadline = time.monotonic() + 60
    while (not path.exists() or path.read_bytes().count(b"\n") < 5) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = path.read_bytes()
    whole = kept[: kept.rindex(b"\n") + 1]
    assert whole.count(b"\n") >= 5
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
    assert path.read_bytes().startswith(whole)
    rows = [json.loads(line) for line in path.read_bytes()[len(kept) :].splitlines() if line]
    keys = [json.dumps(json.loads(line)["settings"]) for line in whole.splitlines()]
    keys += [json.dumps(row["settings"]) for row in rows]
    assert len(keys) == len(set(keys)) == KILLED.number(2, 2)
