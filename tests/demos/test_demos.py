"""The demos as a user runs them: a process of their own, its output, files and exit status."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMOS = ("linear_collapse", "compare_optimizers", "activation_depth")

pytest.importorskip("sklearn")


def command(name, *arguments):
    return [sys.executable, str(ROOT / "demos" / f"{name}.py"), *map(str, arguments)]


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}


def demo(name, *arguments):
    return subprocess.run(
        command(name, *arguments), capture_output=True, text=True, env=environment(), timeout=300
    )


@pytest.fixture
def csv(tmp_path):
    """A small data set of one's own: two columns, two classes."""
    lines = [f"{row % 7},{row * 3 % 11},{'ab'[row % 7 > 3]}" for row in range(60)]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["left,right,kind", *lines]))
    return path


@pytest.mark.parametrize("name", DEMOS)
def test_a_quick_run_on_own_data_says_all_and_saves_all(name, csv, tmp_path):
    out = tmp_path / "made" / "here"
    run = demo(name, "--quick", "--data", csv, "--out", out, "--jobs", 1)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("backend: ")
    assert "data: mine (60, 2); seed 0" in run.stdout
    script = shlex.quote(str(ROOT / "demos" / f"{name}.py"))
    assert f"Repeat: python {script} --quick --data" in run.stdout
    account = json.loads((out / f"{name}.json").read_text())
    assert account["verdicts"]
    for verdict in account["verdicts"]:
        assert f"{verdict['status'].upper()}: {verdict['claim']}" in run.stdout
    for path in out.iterdir():
        assert f"  {path}" in run.stdout
    assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", DEMOS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--datasets", "suns"], "'suns' (choose from"),
        (["--seed", "-1"], "must not be negative"),
        (["--jobs", "0"], "must be at least 1"),
        (["--data", "nowhere.csv"], "error: [Errno 2]"),
    ],
)
def test_wrong_arguments_end_with_one_message(name, arguments, message, tmp_path):
    run = demo(name, *arguments, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert message in run.stderr and "Traceback" not in run.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_optimizer_is_answered_with_the_known_ones(tmp_path):
    run = demo("compare_optimizers", "--optimizers", "adma")
    assert run.returncode == 2
    assert "'adma' (choose from" in run.stderr and "adadelta" in run.stderr


@pytest.mark.parametrize("name", ["activation_atlas", "activation_depth"])
def test_an_unknown_activation_is_answered_with_the_known_ones(name, tmp_path):
    run = demo(name, "--only", "relu", "sigmod", "--out", tmp_path / "out")
    assert run.returncode == 2
    assert "'sigmod' (choose from" in run.stderr and "softplus" in run.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--depths", "0"], "argument --depths: must be at least 1, got 0"),
        (["--depths", "2", "ten"], "argument --depths: must be an integer, got 'ten'"),
        (["--depths", "2", "1000"], "depths must be whole numbers from 1 to 200, got 1000"),
        (["--datasets", "moons", "digits"], "one data set at a time"),
    ],
)
def test_wrong_depths_are_answered_with_the_legal_ones(arguments, message, tmp_path):
    run = demo("activation_depth", *arguments, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert message in run.stderr and "Traceback" not in run.stderr
    assert not (tmp_path / "out").exists()


def test_the_depths_and_activations_asked_for_are_run(csv, tmp_path):
    run = demo(
        "activation_depth", "--quick", "--data", csv, "--depths", 3, 1, "--only", "tanh",
        "--out", tmp_path, "--jobs", 1,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "depths 1, 3: hidden layers" in run.stdout and "Tanh" in run.stdout
    assert not (tmp_path / "activation_depth_laws.png").exists()


def test_the_atlas_draws_what_it_is_asked_for(tmp_path):
    run = demo("activation_atlas", "--only", "relu", "tanh", "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("backend: ") and "HOLDS: every derivative" in run.stdout
    assert (tmp_path / "activation_atlas.png").read_bytes().startswith(b"\x89PNG")
    assert "(−1, 1)" in run.stdout and "Repeat: python " in run.stdout


def test_the_atlas_refuses_a_folder_it_cannot_write(tmp_path):
    (tmp_path / "file").write_text("")
    run = demo("activation_atlas", "--out", tmp_path / "file" / "out")
    assert run.returncode == 2 and run.stderr.startswith("error: cannot write to")


@pytest.mark.parametrize("name", DEMOS)
def test_nan_in_the_data_is_named_by_column_before_the_work(name, csv, tmp_path):
    csv.write_text(csv.read_text().replace("\n3,", "\n,", 1))
    run = demo(name, "--data", csv, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert run.stderr.strip() == "error: mine: NaN in 1 of 2 columns, 1 values of 120: left (1)"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [*DEMOS, "char_gpt"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_work(name, tmp_path):
    (tmp_path / "file").write_text("")
    run = demo(name, "--out", tmp_path / "file" / "out")
    assert run.returncode == 2
    assert run.stderr.startswith("error: cannot write to") and "backend" not in run.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "error: [Errno 2]"),
        (b"", "mine.txt: at least 1300 characters are needed, got 0"),
        (b"\xff" * 5000, "mine.txt: must be text in UTF-8"),
    ],
)
def test_a_text_that_cannot_be_learnt_is_refused_before_the_work(content, message, tmp_path):
    path = tmp_path / "mine.txt"
    if content is not None:
        path.write_bytes(content)
    run = demo("char_gpt", "--quick", "--text", path, "--out", tmp_path / "out")
    assert run.returncode == 2 and message in run.stderr and "Traceback" not in run.stderr
    assert run.stdout == "" and not (tmp_path / "out").exists()


@contextmanager
def begun(*arguments):
    """A demo whose work has begun; whatever happens, no process and no pipe is left of it."""
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(), start_new_session=True,
    )  # fmt: skip
    with process:
        try:
            assert process.stdout.readline().startswith("backend")
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT to a process group")
@pytest.mark.parametrize(
    ("name", "seconds"), [*((name, 2) for name in DEMOS), (DEMOS[-1], 0.3), ("char_gpt", 2)]
)
def test_ctrl_c_ends_cleanly(name, seconds, tmp_path):
    jobs = () if name == "char_gpt" else ("--jobs", 2)
    with begun(name, "--out", tmp_path / "out", *jobs) as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # by someone who cannot wait
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: no file was left half-written" in errors.splitlines()
    assert "Traceback" not in errors
    left = {path.name for path in (tmp_path / "out").glob("*")}
    assert left <= ({"compare_optimizers.jsonl"} if name == "compare_optimizers" else set())


def test_a_race_is_run_from_the_command_line(tmp_path):
    run = demo("race", "--surface", "saddle", "--optimizers", "sgd", "adam", "--steps", 20,
               "--out", tmp_path)  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "Gradient descent" in run.stdout and (tmp_path / "race_saddle_3d.png").exists()
    run = demo("race", "--surface", "sadle", "--out", tmp_path)
    assert run.returncode == 2 and "monkey_saddle" in run.stderr


def test_the_report_is_run_from_the_command_line(tmp_path):
    pytest.importorskip("jinja2")
    run = demo("report", "--only", "pieces", "--quick", "--out", tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(tmp_path / "report.html")
    assert "6 holds" in run.stderr
