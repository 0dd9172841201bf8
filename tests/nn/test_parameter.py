"""Parameter."""

import copy
import pickle

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn


def test_a_parameter_shares_its_datas_memory_and_version():
    data = mt.ones(3)
    parameter = nn.Parameter(data)
    assert np.shares_memory(parameter.detach().numpy(), data.numpy())
    data.add_(1)
    assert parameter.tolist() == [2, 2, 2]
    assert parameter._version == data._version == 1


def test_a_parameter_is_a_leaf_that_requires_a_gradient():
    x = mt.ones(2, requires_grad=True)
    parameter = nn.Parameter(x * 2)
    assert parameter.is_leaf
    assert parameter.requires_grad
    with mt.no_grad():
        assert nn.Parameter(mt.ones(1)).requires_grad
    assert not nn.Parameter(mt.ones(1), requires_grad=False).requires_grad


def test_a_parameter_without_data_is_empty():
    assert nn.Parameter().shape == (0,)


def test_integers_may_be_parameters_only_without_a_gradient():
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(mt.tensor([1, 2]))
    assert nn.Parameter(mt.tensor([1, 2]), requires_grad=False).dtype == mt.int64


@pytest.mark.parametrize("data", [[1.0], np.ones(2), 1.0])
def test_data_must_be_a_tensor(data):
    with pytest.raises(TypeError, match=f"data must be a Tensor, got {type(data).__name__}"):
        nn.Parameter(data)


def test_results_of_operations_are_plain_tensors():
    parameter = nn.Parameter(mt.ones(2))
    assert type(parameter * 2) is mt.Tensor
    assert type(parameter.detach()) is mt.Tensor


def test_repr_names_the_parameter():
    assert repr(nn.Parameter(mt.ones(2))) == (
        "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    )
    assert repr(nn.Parameter(mt.ones(1), requires_grad=False)) == (
        "Parameter containing:\ntensor([1.])"
    )


def test_copies_are_parameters_without_gradient_or_shared_memory():
    parameter = nn.Parameter(mt.ones(2))
    (parameter * 3).sum().backward()
    for twin in (copy.deepcopy(parameter), pickle.loads(pickle.dumps(parameter))):
        assert type(twin) is nn.Parameter
        assert twin.requires_grad
        assert twin.grad is None
        assert twin.tolist() == [1, 1]
        assert not np.shares_memory(twin.detach().numpy(), parameter.detach().numpy())
