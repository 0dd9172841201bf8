"""The benchmark of activations runs, and knows every one. No times are judged here."""

import subprocess
import sys
from pathlib import Path

from microtensor.ops.activations import ACTIVATIONS

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "activations.py"


def test_every_activation_has_a_case():
    text = SCRIPT.read_text(encoding="utf-8")
    for name in ACTIVATIONS:
        assert f'    "{name}": (' in text, name


def test_it_runs_and_writes_its_section(tmp_path):
    output = tmp_path / "RESULTS.md"
    arguments = ["--only", "relu", "glu", "--sizes", "1000", "--threads", "1", "--rounds", "1"]
    ended = subprocess.run(
        [sys.executable, SCRIPT, *arguments, "--output", output], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "| relu" in ended.stdout and "| glu" in ended.stdout
    assert "## Activations" in output.read_text(encoding="utf-8")
