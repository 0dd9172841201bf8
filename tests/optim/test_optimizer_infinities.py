"""Infinite gradients and parameters, as in torch.optim."""

import numpy as np
import pytest
from optimizer_cases import NAMES, RICH, RICH_ID, make

import microtensor as mt

torch = pytest.importorskip("torch")

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, 1e15, -2.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), RICH, ids=RICH_ID)
def test_special_values_spread_as_in_torch(name, options, dtype):
    ours = mt.tensor(np.ones(len(SPECIAL), dtype), requires_grad=True)
    theirs = torch.tensor(np.ones(len(SPECIAL), dtype), requires_grad=True)
    our_optimizer = make(name, [ours], **options)
    their_optimizer = getattr(torch.optim, name)([theirs], **options)
    for _ in range(3):
        ours.grad = mt.tensor(np.array(SPECIAL, dtype))
        theirs.grad = torch.tensor(np.array(SPECIAL, dtype))
        our_optimizer.step()
        their_optimizer.step()
        np.testing.assert_allclose(
            ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-5, equal_nan=True
        )


@pytest.mark.parametrize("name", NAMES)
def test_infinite_parameters_stay_infinite_without_weight_decay(name):
    ours = mt.tensor(np.array([np.inf, -np.inf, 1.0]), requires_grad=True)
    theirs = torch.tensor(np.array([np.inf, -np.inf, 1.0]), requires_grad=True)
    options = {"lr": 0.1}
    if name != "Rprop":
        options["lambd" if name == "ASGD" else "weight_decay"] = 0
    our_optimizer = make(name, [ours], **options)
    their_optimizer = getattr(torch.optim, name)([theirs], **options)
    for _ in range(3):
        ours.grad, theirs.grad = mt.ones(3, dtype=mt.float64), torch.ones(3, dtype=torch.float64)
        our_optimizer.step()
        their_optimizer.step()
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10)
