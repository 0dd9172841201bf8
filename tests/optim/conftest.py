"""What the tests of optimizers share."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _torchs_scalars_in_double():
    """Let torch keep NAdam's and ASGD's scalars in float64, as this library always does."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_default_dtype(torch.float64)
    yield
    if torch is not None:
        torch.set_default_dtype(torch.float32)
