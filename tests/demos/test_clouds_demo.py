"""The demo of the clouds as a user runs it: some of them by name, with a seed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")


def demo(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "demos" / "clouds.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        timeout=300,
    )


def test_clouds_are_run_by_name_drawn_ones_by_seed(tmp_path):
    run = demo(
        "--quick", "--seed", 1, "--out", tmp_path, "--only", "rate_suggested", "rate_too_small"
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("HOLDS: ") == 2 and "--seed 1" in run.stdout
    found = json.loads((tmp_path / "lr_find.json").read_text())
    assert found["settings"]["seed"] == 1
    assert (tmp_path / "lr_find.png").is_file() and (tmp_path / "rate_too_small.png").is_file()


def test_unknown_clouds_are_refused_and_the_known_listed(tmp_path):
    run = demo("--only", "thunder", "--out", tmp_path)
    assert (
        run.returncode == 2 and "gradient_noise" in run.stderr and "rare_parameters" in run.stderr
    )
