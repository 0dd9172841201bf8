"""The benchmark of the optimizers runs, and times every one there is. No times are judged here."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import microtensor as mt

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def load():
    """Import the benchmark, which imports its neighbours by their plain names."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location(
            "benchmarks_optimizers", BENCHMARKS / "optimizers.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


def test_every_optimizer_is_timed():
    public = {name for name in mt.optim.__all__ if getattr(getattr(mt.optim, name), "_formula", "")}
    timed = {name.split()[0] for name in load().OPTIMIZERS}
    assert public <= timed
    assert len(public) == 24


def test_every_case_of_every_optimizer_makes_a_step_that_moves():
    module = load()
    for name in module.OPTIMIZERS:
        params = module.parameters(mt, "MLP", name)
        before = [p.detach().numpy().copy() for p in params]
        step = module.stepper(mt, name, params, "")
        for _ in range(3):
            step()
        if name != "EMA":
            assert any((p.detach().numpy() != x).any() for p, x in zip(params, before, strict=True))


def test_the_benchmark_prints_ratios_and_targets():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "optimizers.py", "--rounds", "1",
         "--optimizers", "SGD", "Lion", "--cases", "MLP"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "| SGD " in done.stdout and "≤ 0.15" in done.stdout
    assert "| Lion " in done.stdout
