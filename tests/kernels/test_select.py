"""Which kernels run, and that the choice explains itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kernel_cases import ROOT, needs_native

from microtensor import kernels
from microtensor.kernels import twin

REPORT = """
import json
from microtensor import kernels
print(json.dumps(kernels.config()))
"""


# An editable install would find the extension that a copy of the package lacks.
NOT_EDITABLE = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if getattr(f, "__name__", "") != "_EditableFinder"]
"""


def _python(code, package=ROOT, **environment):
    variables = {
        key: value for key, value in os.environ.items() if not key.startswith("MICROTENSOR_")
    }
    variables |= {"PYTHONPATH": str(package), **environment}
    return subprocess.run(
        [sys.executable, "-c", NOT_EDITABLE + code],
        env=variables,
        cwd=package,
        capture_output=True,
        text=True,
        timeout=120,
    )


def _config(**environment):
    done = _python(REPORT, **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def without_extension(tmp_path_factory):
    """A copy of the package in which the extension was never built."""
    folder = tmp_path_factory.mktemp("unbuilt")
    shutil.copytree(
        Path(kernels.__file__).parents[1],
        folder / "microtensor",
        ignore=shutil.ignore_patterns("_native*", "__pycache__"),
    )
    return folder


@pytest.fixture(scope="module")
def with_broken_extension(without_extension, tmp_path_factory):
    """A copy of the package whose extension is not one."""
    folder = tmp_path_factory.mktemp("broken") / "clone"
    shutil.copytree(without_extension, folder)
    (folder / "microtensor" / "_native.abi3.so").write_bytes(b"not a library")
    return folder


def test_numpy_on_request():
    config = _config(MICROTENSOR_BACKEND="numpy")
    assert config["backend"] == "numpy"
    assert config["backend_reason"] == "MICROTENSOR_BACKEND=numpy"
    assert config["instruction_set"] == ""


@needs_native
@pytest.mark.parametrize("wanted", ["native", "auto", ""])
def test_native_where_it_was_built(wanted):
    config = _config(MICROTENSOR_BACKEND=wanted)
    assert (config["backend"], config["backend_reason"]) == ("native", "")
    supported = [name for name, runs in config["instruction_sets"].items() if runs]
    assert config["instruction_set"] == supported[-1]


def test_an_unknown_backend_lists_the_legal_ones():
    done = _python(REPORT, MICROTENSOR_BACKEND="cuda")
    assert done.returncode != 0
    assert "MICROTENSOR_BACKEND='cuda'" in done.stderr
    assert "auto, native, numpy" in done.stderr


def test_auto_without_the_extension_runs_on_numpy_and_says_why(without_extension):
    done = _python(REPORT, without_extension)
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)
    assert config["backend"] == "numpy"
    assert config["backend_reason"].startswith("the C extension is not built")


def test_native_without_the_extension_fails_loudly(without_extension):
    done = _python(REPORT, without_extension, MICROTENSOR_BACKEND="native")
    assert done.returncode != 0
    assert (
        "ImportError: MICROTENSOR_BACKEND=native, but the C extension is not built" in done.stderr
    )
    assert "python build.py" in done.stderr


def test_an_extension_that_does_not_load_is_told_from_a_missing_one(with_broken_extension):
    done = _python(REPORT, with_broken_extension)
    assert done.returncode == 0, done.stderr
    reason = json.loads(done.stdout)["backend_reason"]
    assert reason.startswith("the C extension does not load")
    done = _python(REPORT, with_broken_extension, MICROTENSOR_BACKEND="native")
    assert done.returncode != 0 and "does not load" in done.stderr


@needs_native
def test_an_unknown_instruction_set_lists_the_legal_ones():
    done = _python(REPORT, MICROTENSOR_ISA="sse9")
    assert done.returncode != 0
    assert "MICROTENSOR_ISA='sse9' is unknown: the legal values here are baseline" in done.stderr


@needs_native
def test_an_instruction_set_the_processor_lacks_is_refused():
    lacking = [name for name, runs in kernels.config()["instruction_sets"].items() if not runs]
    if not lacking:
        pytest.skip("this processor runs all of them")
    done = _python(REPORT, MICROTENSOR_ISA=lacking[0])
    assert done.returncode != 0
    assert f"MICROTENSOR_ISA='{lacking[0]}' is not supported by this processor" in done.stderr


AGREES = """
import numpy as np
from microtensor import kernels
from microtensor.kernels import native, twin
from kernel_cases import GRADIENTS, UNARY, call, numbers, tolerance

for dtype in (np.float32, np.float64):
    x, g = np.abs(numbers((37, 61), dtype)), numbers((37, 61), dtype, 1)
    for name in UNARY:
        np.testing.assert_allclose(
            call("native", name, x), call("numpy", name, x), **tolerance(dtype)
        )
    for name in GRADIENTS:
        np.testing.assert_allclose(
            call("native", name, g, x / 10), call("numpy", name, g, x / 10), **tolerance(dtype)
        )
print(kernels.config()["instruction_set"])
"""


@needs_native
def test_every_instruction_set_of_this_processor():
    tests = str(Path(__file__).parent)
    for name, runs in kernels.config()["instruction_sets"].items():
        if runs:
            path = os.pathsep.join([str(ROOT), tests])
            done = _python(AGREES, MICROTENSOR_ISA=name, PYTHONPATH=path)
            assert done.returncode == 0, done.stderr
            assert done.stdout.strip() == name


def test_the_names_are_the_chosen_functions_themselves():
    chosen = dict(twin.KERNELS)
    if kernels.backend == "native":
        from microtensor.kernels import native

        assert set(native.KERNELS) <= set(chosen)
        chosen.update(native.KERNELS)
    for name, kernel in chosen.items():
        assert getattr(kernels, name) is kernel, name
