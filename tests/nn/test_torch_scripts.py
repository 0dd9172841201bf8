"""Whole training scripts written for PyTorch run with its name exchanged, to the same losses.

The scripts of ``scripts/`` are ordinary ones: data sets, loaders, schedules, checkpoints and all.
Each runs as it stands, and with ``torch`` replaced by ``microtensor`` in its import lines. What
they do not import is ``start``, which gives a network weights that both libraries begin from. They
leave `losses`, and other `results`, behind.
"""

import re
from pathlib import Path

import numpy as np
import pytest

import microtensor

torch = pytest.importorskip("torch")

SCRIPTS = Path(__file__).parent / "scripts"
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py"))
STEPS = 50


def ported(text):
    """Exchange the library in a script's import lines, and nothing else."""
    text = re.sub(r"^import torch$", "import microtensor as torch", text, flags=re.M)
    text = re.sub(r"^import torch(\.[\w.]+)$", r"import microtensor\1", text, flags=re.M)
    return re.sub(r"^(import|from) torch\b", r"\1 microtensor", text, flags=re.M)


def starting(library):
    """Return what sets a network's state by lot, the same in both libraries."""

    def start(model):
        rng = np.random.RandomState(7)
        state = {}
        for name, value in model.state_dict().items():
            kept = not value.is_floating_point() or "running" in name or name.endswith("mask")
            # What normalizations scale by stays near 1.
            scale = 1.0 if value.ndim == 1 and name.endswith("weight") else 0.0
            drawn = rng.normal(scale, 0.1 if value.ndim == 1 else 0.3, tuple(value.shape))
            state[name] = value if kept else library.tensor(drawn)
        model.load_state_dict(state)
        return model

    return start


@pytest.fixture
def _defaults():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    for library in (microtensor, torch):
        library.set_default_dtype(library.float32)


def ran(text, library, name):
    known = {"__name__": "__main__", "start": starting(library)}
    exec(compile(text, f"{name}.py with {library.__name__}", "exec"), known)
    return known


@pytest.mark.usefixtures("_defaults")
@pytest.mark.parametrize("name", NAMES)
def test_a_script_gives_the_same_losses(name):
    text = (SCRIPTS / f"{name}.py").read_text()
    theirs = ran(text, torch, name)
    ours = ran(ported(text), microtensor, name)
    assert len(theirs["losses"]) >= STEPS
    np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=1e-9)
    assert set(ours["results"]) == set(theirs["results"])
    for key, value in theirs["results"].items():
        np.testing.assert_allclose(ours["results"][key], value, rtol=1e-8, atol=1e-9, err_msg=key)
