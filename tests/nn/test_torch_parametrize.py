"""Parametrized modules exchange states with PyTorch's, and compute the same."""

import numpy as np
import pytest

import microtensor as mt

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    "put",
    [
        lambda nn: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)),
        lambda nn: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3), dim=1),
        lambda nn: nn.utils.parametrizations.weight_norm(nn.Linear(4, 3), dim=None),
        lambda nn: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3)),
        lambda nn: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3), dim=1),
        lambda nn: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3), "bias"),
        lambda nn: nn.utils.weight_norm(nn.Linear(4, 3)),
        lambda nn: nn.utils.weight_norm(nn.Linear(4, 3), dim=None),
        lambda nn: nn.utils.spectral_norm(nn.Linear(4, 3), n_power_iterations=2),
    ],
)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
def test_states_values_and_gradients_agree(put):
    theirs, ours = put(torch.nn).double(), put(mt.nn).double()
    state = {key: mt.tensor(value.tolist()).double() for key, value in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict(
        {key: v.reshape(theirs.state_dict()[key].shape) for key, v in state.items()}
    )
    x = np.random.default_rng(0).normal(size=(2, 4))
    for _ in range(2):
        there, here = theirs(torch.tensor(x)), ours(mt.tensor(x))
        np.testing.assert_allclose(here.detach().numpy(), there.detach().numpy(), rtol=1e-10)
    there.square().sum().backward()
    here.square().sum().backward()
    for (name, p), (other, q) in zip(
        ours.named_parameters(), theirs.named_parameters(), strict=True
    ):
        assert name == other
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_lists_and_dictionaries_of_parameters_have_the_same_keys():
    for make in (
        lambda lib: lib.nn.ParameterList([lib.ones(2), lib.ones(3)]),
        lambda lib: lib.nn.ParameterDict({"b": lib.ones(2), "a": lib.ones(3)}),
    ):
        assert list(make(mt).state_dict()) == list(make(torch).state_dict())
