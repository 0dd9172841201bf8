"""The benchmarks run, and what they share does what it says. No times are judged here."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def common():
    spec = importlib.util.spec_from_file_location("benchmarks_common", BENCHMARKS / "common.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, BENCHMARKS / script, *arguments], capture_output=True, text=True
    )


def test_children_get_threads_but_no_pins(common, monkeypatch):
    pins = ["OPENBLAS_CORETYPE", "NVPL_BLAS_DEBUG_CPU_TYPE", "MKL_CBWR", "ATEN_CPU_CAPABILITY"]
    for name in [*pins, "MICROTENSOR_ISA", "XLA_FLAGS", "OMP_NUM_THREADS"]:
        monkeypatch.setenv(name, "7")
    monkeypatch.setenv("MICROTENSOR_BACKEND", "numpy")
    environment = common.clean_environment(threads=2)
    for name in [*pins, "MICROTENSOR_ISA", "XLA_FLAGS"]:
        assert name not in environment
    assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "2"
    assert environment["MICROTENSOR_BACKEND"] == "numpy"


def test_a_case_of_layers_names_a_network_and_a_batch():
    for case in ("VGG@4", "LeNet", "LeNet@0"):
        answer = run("layers.py", "--cases", case)
        assert answer.returncode == 2 and case in answer.stderr


def test_a_section_is_replaced_and_the_others_stay(common, tmp_path):
    path = tmp_path / "RESULTS.md"
    common.write_section(path, "step", "old step")
    common.write_section(path, "kernels", "kernels")
    common.write_section(path, "step", "new step")
    text = path.read_text()
    assert text.startswith("# Results")
    assert text.index("new step") < text.index("kernels\n<!-- end kernels -->")
    assert "old step" not in text
    assert text.count("<!-- begin step -->") == 1


def test_minima_are_taken_peer_by_peer(common):
    assert common.minima([{"a": 2.0, "b": 1.0}, {"a": 1.0, "b": 3.0}]) == {"a": 1.0, "b": 1.0}


def test_a_turn_gives_the_seconds_of_one_repetition(common):
    done = []

    def repeat(n):
        done.extend(None for _ in range(n))

    count = common.calibrate(repeat)
    assert count > 1
    done.clear()
    seconds = common.turn_of(repeat, count)
    assert seconds > 0
    assert len(done) >= count + max(1, count // 4)


def test_step_runs_and_writes_its_section(tmp_path):
    output = tmp_path / "RESULTS.md"
    arguments = ["--cases", "2-4-3@8", "--threads", "1", "--rounds", "1", "--peers", "microtensor"]
    ended = run("step.py", *arguments, "--output", output)
    assert ended.returncode == 0, ended.stderr
    row = next(line for line in ended.stdout.splitlines() if line.startswith("| 2-4-3@8"))
    assert float(row.split("|")[2]) > 0
    assert "2-4-3@8" in output.read_text()
    assert "microtensor: n" in output.read_text()  # native or numpy, and what of it


def test_step_refuses_what_is_no_case():
    ended = run("step.py", "--cases", "2-4-3")
    assert ended.returncode == 2
    assert "2-4-3" in ended.stderr


def test_ops_runs_and_writes_its_section(tmp_path):
    output = tmp_path / "RESULTS.md"
    arguments = ["--operations", "add", "sum, rows", "--threads", "1", "--rounds", "1"]
    ended = run("ops.py", *arguments, "--output", output)
    assert ended.returncode == 0, ended.stderr
    for row in ("| sum, rows ", "| relu "):
        assert row in ended.stdout
    assert "<!-- begin ops -->" in output.read_text()
