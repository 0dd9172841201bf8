"""Modules as functions of their parameters."""

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.func import functional_call, grad, stack_module_state, vmap


@pytest.fixture
def net():
    mt.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))


def test_given_tensors_take_the_place_of_parameters_and_get_the_gradient(net):
    x = mt.randn(4, 2)
    before = {name: p for name, p in net.named_parameters()}
    given = {name: (p * 2).detach().requires_grad_() for name, p in before.items()}
    result = functional_call(net, given, x)
    w = [g.detach().numpy() for g in given.values()]
    expected = np.tanh(x.numpy() @ w[0].T + w[1]) @ w[2].T + w[3]
    np.testing.assert_allclose(result.detach().numpy(), expected, rtol=1e-5)
    result.sum().backward()
    assert all(g.grad is not None for g in given.values())
    assert all(p.grad is None for p in net.parameters())
    assert all(p is before[name] for name, p in net.named_parameters())


def test_names_left_out_keep_the_modules_own(net):
    x = mt.ones(1, 2)
    result = functional_call(net, {"2.bias": mt.tensor([100.0])}, (x,))
    expected = net(x) - net[2].bias + 100
    np.testing.assert_allclose(result.detach().numpy(), expected.detach().numpy(), rtol=1e-6)


def test_the_module_is_as_before_after_an_error(net):
    weight = net[0].weight
    with pytest.raises(RuntimeError):
        functional_call(net, {"0.weight": mt.ones(3, 2)}, mt.ones(1, 5))
    assert net[0].weight is weight


def test_gradients_of_all_parameters_by_transform(net):
    x, y = mt.randn(5, 2), mt.randn(5, 1)
    parameters = {name: p.detach() for name, p in net.named_parameters()}

    def loss(parameters):
        return ((functional_call(net, parameters, x) - y) ** 2).mean()

    found = grad(loss)(parameters)
    ((net(x) - y) ** 2).mean().backward()
    for name, p in net.named_parameters():
        np.testing.assert_allclose(found[name].numpy(), p.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_several_dictionaries_and_keyword_arguments():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(mt.ones(2))
            self.register_buffer("offset", mt.zeros(2))

        def forward(self, x, *, factor=1):
            return x * self.weight * factor + self.offset

    given = ({"weight": mt.tensor([2.0, 3.0])}, {"offset": mt.tensor([10.0, 20.0])})
    result = functional_call(Scaled(), given, mt.ones(2), {"factor": 2})
    assert result.tolist() == [14, 26]


def test_a_buffer_assigned_anew_is_put_into_the_dictionary():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", mt.zeros(()))

        def forward(self):
            self.count = self.count + 1

    module, given = Counter(), {"count": mt.tensor(5.0)}
    functional_call(module, given)
    assert given["count"].item() == 6 and module.count.item() == 0


def tied():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(mt.ones(1))
            self.b = self.a

        def forward(self, x):
            return self.a * x + self.b

    return Tied()


def test_tied_parameters_are_replaced_together():
    x = mt.tensor([10.0])
    assert functional_call(tied(), {"a": mt.tensor([3.0])}, x).item() == 33
    assert functional_call(tied(), {"b": mt.tensor([3.0])}, x, strict=True).item() == 33
    untied = functional_call(tied(), {"a": mt.tensor([3.0])}, x, tie_weights=False)
    assert untied.item() == 31
    with pytest.raises(ValueError, match="tied"):
        functional_call(tied(), {"a": mt.ones(1), "b": mt.ones(1)}, x)


def test_wrong_arguments_are_refused(net):
    x = mt.ones(1, 2)
    with pytest.raises(RuntimeError, match=r"Missing key.*'0\.bias'"):
        functional_call(net, {"0.weight": mt.ones(3, 2)}, x, strict=True)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*'nothing'"):
        functional_call(net, {"nothing": mt.ones(1)}, x, strict=True)
    functional_call(net, {"nothing": mt.ones(1)}, x)
    with pytest.raises(ValueError, match="multiple dictionaries"):
        functional_call(net, ({"0.bias": mt.ones(3)}, {"0.bias": mt.ones(3)}), x)
    with pytest.raises(ValueError, match="to be a dict"):
        functional_call(net, 3, x)
    with pytest.raises(ValueError, match="to be dictionaries"):
        functional_call(net, (3,), x)
    with pytest.raises(TypeError, match=r"0\.bias"):
        functional_call(net, {"0.bias": 3}, x)


def test_an_ensemble_by_stacked_state():
    mt.manual_seed(1)
    models, x = [nn.Linear(2, 2) for _ in range(3)], mt.randn(4, 2)
    parameters, buffers = stack_module_state(models)
    assert buffers == {} and parameters["weight"].shape == (3, 2, 2)
    assert parameters["weight"].is_leaf and parameters["weight"].requires_grad
    together = vmap(lambda p: functional_call(models[0], p, x))(parameters)
    for row, model in zip(together, models, strict=True):
        np.testing.assert_allclose(row.detach().numpy(), model(x).detach().numpy(), rtol=1e-6)
    with pytest.raises(RuntimeError, match="at least one"):
        stack_module_state([])
    with pytest.raises(RuntimeError, match="same class"):
        stack_module_state([nn.Linear(2, 2), nn.Tanh()])
    with pytest.raises(RuntimeError, match="training/eval"):
        stack_module_state([nn.Linear(2, 2), nn.Linear(2, 2).eval()])
