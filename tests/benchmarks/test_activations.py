"""The benchmark of activations runs, and knows every one. No times are judged here."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import microtensor as mt
from microtensor.ops.activations import ACTIVATIONS

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "activations.py"


def test_every_activation_has_a_case_that_runs_and_composites_are_of_activations(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("activations_benchmark", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert list(script.CASES) == list(ACTIVATIONS) and set(script.COMPOSITES) <= set(ACTIVATIONS)
    x = mt.randn(200)
    given = {"m": mt, "F": mt.nn.functional, "x": x}
    given |= {name: mt.tensor([v]) for name, v in (("w", 0.25), ("low", -0.5), ("high", 1.5))}
    for call, _ in script.CASES.values():
        assert eval(call, given).numel() in (100, 200)
    seconds = {"microtensor": 1.0, "torch": 2.0, "copy": 1.0}
    results = {f"relu 4000000 {mode}": seconds for mode in ("forward", "backward")}
    table = script.report(results, 4_000_000, 1)[0]
    assert "mean > 0.33, x grad mean > 0.33" in table


def test_it_runs_and_writes_its_section(tmp_path):
    output = tmp_path / "RESULTS.md"
    arguments = ["--only", "relu", "glu", "--sizes", "1000", "--threads", "1", "--rounds", "1"]
    ended = subprocess.run(
        [sys.executable, SCRIPT, *arguments, "--output", output], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "| relu" in ended.stdout and "| glu" in ended.stdout
    assert "## Activations" in output.read_text(encoding="utf-8")
