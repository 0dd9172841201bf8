"""The C kernels and their NumPy twins make the same steps."""

import numpy as np
import pytest
from optimizer_cases import (
    EVERY,
    EVERY_ID,
    OWN_EVERY,
    OWN_EVERY_ID,
    OWN_RICH,
    OWN_RICH_ID,
    RICH,
    RICH_ID,
    make,
)

import microtensor as mt
from microtensor import kernels
from microtensor.kernels import twin_steps

pytest.importorskip("microtensor._native")

from microtensor.kernels import native_steps

STEPS = 1000
SIZE = 67  # whole vectors and a rest


class Prescribed:
    """Parameters whose gradients do not depend on them: what differs in the end is rounding."""

    def __init__(self, dtype):
        rng = np.random.default_rng(3)
        self.start = rng.normal(size=SIZE).astype(dtype)
        self.gradients = rng.normal(size=(STEPS, SIZE)).astype(dtype)

    def run(self, name, options, backend, monkeypatch, steps=STEPS):
        """Give the parameters after all steps, and the optimizer."""
        with monkeypatch.context() as patch:
            patch.setattr(kernels, "step", backend.step)
            patch.setattr(kernels, "ArrayTable", backend.ArrayTable)
            p = mt.tensor(self.start, requires_grad=True)
            p.grad = mt.zeros_like(p)
            gradient = p.grad.numpy()
            optimizer = make(name, [p], **options)
            for each in self.gradients[:steps]:
                gradient[...] = each
                optimizer.step()
        return p.detach().numpy(), optimizer


def limit(name, usual):
    """Give the largest difference allowed, as a share of the largest parameter.

    Prodigy's rate is in proportion to g·(p0 - x), whose difference cancels: in float32 it is known
    to as many digits as x has moved by.
    """
    return 1e-3 if name == "Prodigy" else usual


SINGLE, DOUBLE = Prescribed(np.float32), Prescribed(np.float64)


@pytest.mark.parametrize(("name", "options"), EVERY + OWN_EVERY, ids=EVERY_ID + OWN_EVERY_ID)
def test_twins_agree_after_a_thousand_steps_in_float32(name, options, monkeypatch):
    native, _ = SINGLE.run(name, options, native_steps, monkeypatch)
    numpy, _ = SINGLE.run(name, options, twin_steps, monkeypatch)
    assert native.dtype == numpy.dtype == np.float32
    np.testing.assert_allclose(native, numpy, rtol=0, atol=limit(name, 1e-6) * np.abs(numpy).max())


@pytest.mark.parametrize(("name", "options"), RICH + OWN_RICH, ids=RICH_ID + OWN_RICH_ID)
def test_float32_stays_near_float64_on_either_backend(name, options, monkeypatch):
    exact, _ = DOUBLE.run(name, options, twin_steps, monkeypatch)
    for backend in (native_steps, twin_steps):
        found, _ = SINGLE.run(name, options, backend, monkeypatch)
        np.testing.assert_allclose(
            found, exact, rtol=0, atol=limit(name, 6e-6) * np.abs(exact).max()
        )


@pytest.mark.parametrize(("name", "options"), RICH + OWN_RICH, ids=RICH_ID + OWN_RICH_ID)
def test_twins_agree_in_float64_and_so_do_their_states(name, options, monkeypatch):
    native, one = DOUBLE.run(name, options, native_steps, monkeypatch, steps=50)
    numpy, other = DOUBLE.run(name, options, twin_steps, monkeypatch, steps=50)
    np.testing.assert_allclose(native, numpy, rtol=1e-12, atol=1e-13)
    one, other = one.state_dict()["state"], other.state_dict()["state"]
    assert one.keys() == other.keys()
    for number, values in one.items():
        assert values.keys() == other[number].keys()
        for key, value in values.items():
            np.testing.assert_allclose(
                value.numpy(), other[number][key].numpy(), rtol=1e-12, atol=1e-13
            )


@pytest.mark.parametrize(("name", "options"), RICH + OWN_RICH, ids=RICH_ID + OWN_RICH_ID)
def test_a_second_run_gives_the_same_bits(name, options, monkeypatch):
    for backend in (native_steps, twin_steps):
        first, _ = SINGLE.run(name, options, backend, monkeypatch, steps=20)
        second, _ = SINGLE.run(name, options, backend, monkeypatch, steps=20)
        assert first.tobytes() == second.tobytes()
