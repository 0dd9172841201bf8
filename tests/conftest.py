"""Fixtures for all tests."""

import signal
import warnings

import numpy as np
import pytest

import microtensor as mt
from microtensor.printing import get_printoptions

# A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _global_state():
    return {
        "gradient mode": mt.is_grad_enabled(),
        "default dtype": mt.get_default_dtype(),
        "number of threads": mt.get_num_threads(),
        "NumPy's error handling": np.geterr(),
        "print options": get_printoptions(),
    }


def _restore(state):
    mt.set_grad_enabled(state["gradient mode"])
    mt.set_default_dtype(state["default dtype"])
    mt.set_num_threads(state["number of threads"])
    np.seterr(**state["NumPy's error handling"])
    mt.set_printoptions(**state["print options"])


@pytest.fixture(autouse=True)
def no_leaked_state():
    """Fail a test that leaves global state changed, and put it right for the next one."""
    before = _global_state()
    yield
    after = _global_state()
    leaked = {name: after[name] for name in before if after[name] != before[name]}
    if leaked:
        _restore(before)
        pytest.fail(f"the test left global state changed: {leaked}")


@pytest.fixture(scope="session")
def torch():
    """PyTorch, for tests that compare with it; they are skipped where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("torch")


@pytest.fixture
def rng():
    """NumPy's generator with a fixed seed."""
    return np.random.default_rng(0)
