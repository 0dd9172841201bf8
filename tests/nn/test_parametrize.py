"""Parametrizations: parameters computed from others, put on and taken off."""

import copy
import pickle

import pytest

import microtensor as mt
from microtensor import nn
from microtensor.autograd import gradcheck
from microtensor.func import functional_call
from microtensor.nn.utils import parametrizations, parametrize


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT


class Exponential(nn.Module):
    def forward(self, x):
        return x.exp()

    def right_inverse(self, x):
        return x.log()


class Product(nn.Module):
    def forward(self, a, b):
        return a * b

    def right_inverse(self, x):
        return x.clone(), mt.ones_like(x)


def test_a_weight_is_computed_and_its_original_is_trained():
    layer = nn.Linear(3, 3)
    original = layer.weight.clone()
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert (layer.weight == layer.weight.T).all()
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert (layer.parametrizations.weight.original == original).all()
    assert isinstance(layer, nn.Linear)
    assert type(layer).__name__ == "ParametrizedLinear"
    assert parametrize.type_before_parametrizations(layer) is nn.Linear
    assert parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    layer(mt.ones(2, 3)).sum().backward()
    assert layer.parametrizations.weight.original.grad is not None


def test_chains_and_assignment_go_both_ways():
    layer = nn.Linear(2, 2)
    value = mt.tensor([[1.0, 2.0], [3.0, 4.0]])
    with mt.no_grad():
        layer.weight.copy_(value)
    parametrize.register_parametrization(layer, "weight", Exponential())
    assert mt.allclose(layer.weight, value)
    parametrize.register_parametrization(layer, "weight", Exponential())
    assert mt.allclose(layer.weight, value)
    layer.weight = value + 1
    assert mt.allclose(layer.weight, value + 1)
    assert mt.allclose(layer.parametrizations.weight.original, (value + 1).log().log())


def test_several_originals():
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Product())
    assert list(layer.state_dict())[1:] == [
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
    ]
    with pytest.raises(ValueError, match=r"sequence of tensors"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    value = layer.weight.detach().clone()
    parametrize.remove_parametrizations(layer, "weight")
    assert isinstance(layer.weight, nn.Parameter)
    assert (layer.weight == value).all()


@pytest.mark.parametrize("leave", [True, False])
def test_removal_gives_the_class_back(leave):
    layer = nn.Linear(2, 2)
    original = layer.weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", Symmetric())
    parametrize.register_parametrization(layer, "bias", Exponential(), unsafe=True)
    other = copy.deepcopy(layer)
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=leave)
    assert parametrize.is_parametrized(layer)
    parametrize.remove_parametrizations(layer, "bias")
    assert type(layer) is nn.Linear
    assert not hasattr(layer, "parametrizations")
    assert sorted(name for name, _ in layer.named_parameters()) == ["bias", "weight"]
    assert bool((layer.weight == original).all()) is not leave
    assert (other.weight == other.weight.T).all()  # the copy has its own


def test_buffers_and_frozen_parameters_stay_what_they_are():
    layer = nn.Linear(2, 2)
    layer.register_buffer("scale", mt.ones(2))
    layer.weight.requires_grad_(False)
    parametrize.register_parametrization(layer, "scale", Exponential())
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert "parametrizations.scale.original" in dict(layer.named_buffers())
    assert not layer.parametrizations.weight.original.requires_grad
    parametrize.remove_parametrizations(layer, "scale")
    assert "scale" in dict(layer.named_buffers())


def test_what_is_computed_once():
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Symmetric())
    assert layer.weight is not layer.weight
    with parametrize.cached():
        kept = layer.weight
        with parametrize.cached():
            assert layer.weight is kept
        assert layer.weight is kept
    assert layer.weight is not kept


def test_copies_states_and_functional_calls():
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    other = copy.deepcopy(layer)
    assert (other.weight == layer.weight).all()
    fresh = parametrizations.weight_norm(nn.Linear(3, 2))
    fresh.load_state_dict(layer.state_dict())
    assert mt.allclose(fresh.weight, layer.weight)
    with pytest.raises(RuntimeError, match=r"only supported through state_dict"):
        pickle.dumps(layer)
    bare = parametrize.transfer_parametrizations_and_params(layer, nn.Linear(3, 2))
    assert (bare.weight == layer.weight).all()
    x = mt.ones(1, 3)
    doubled = {"parametrizations.weight.original0": layer.parametrizations.weight.original0 * 2}
    difference = functional_call(layer, doubled, (x,)) - layer(x)
    assert mt.allclose(difference, layer(x) - layer.bias, atol=1e-6)


def test_gradients_flow_through_parametrizations():
    layer = parametrizations.weight_norm(nn.Linear(3, 2).double())
    x = mt.rand(2, 3).double()

    def loss(g, v):
        replaced = dict(
            zip(
                [f"parametrizations.weight.original{i}" for i in (0, 1)],
                (g, v),
                strict=True,
            )
        )
        return functional_call(layer, replaced, (x,)).square().sum()

    held = layer.parametrizations.weight
    leaves = [each.detach().clone().requires_grad_() for each in (held.original0, held.original1)]
    assert gradcheck(loss, leaves)


def test_spectral_norms_tend_to_one():
    layer = parametrizations.spectral_norm(nn.Linear(5, 4).double(), n_power_iterations=50)
    assert mt.linalg.svdvals(layer.weight)[0].item() == pytest.approx(1.0, abs=1e-6)
    layer.eval()
    before = layer.parametrizations.weight[0]._u.clone()
    assert (layer.weight == layer.weight).all()
    assert (layer.parametrizations.weight[0]._u == before).all()


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
@pytest.mark.parametrize("form", [None, "cayley", "matrix_exp"])
def test_orthogonal_weights_stay_orthogonal(shape, form):
    layer = nn.Linear(shape[1], shape[0], bias=False).double()
    parametrizations.orthogonal(layer, orthogonal_map=form)

    def gap():
        w = layer.weight if shape[0] <= shape[1] else layer.weight.T
        return (w @ w.T - mt.eye(len(w), dtype=mt.float64)).abs().max().item()

    assert gap() < 1e-12
    before = layer.weight.detach().clone()
    optimizer = mt.optim.SGD(layer.parameters(), lr=0.5)
    (layer.weight * mt.arange(before.numel()).reshape(before.shape)).sum().backward()
    optimizer.step()
    assert (layer.weight - before).abs().max().item() > 0.01
    assert gap() < 1e-12


def test_what_is_refused():
    layer = nn.Linear(2, 3)
    with pytest.raises(ValueError, match=r"Linear.*'wait'"):
        parametrize.register_parametrization(layer, "wait", Symmetric())

    class Half(nn.Module):
        def forward(self, x):
            return x[:1]

    with pytest.raises(ValueError, match=r"unsafe=True: from \[3, 2\].*to \[1, 2\]"):
        parametrize.register_parametrization(layer, "weight", Half())
    assert isinstance(layer.weight, nn.Parameter)
    with pytest.raises(ValueError, match=r"does not have a parametrization on weight"):
        parametrize.remove_parametrizations(layer, "weight")
    with pytest.raises(ValueError, match=r"n_power_iterations=0"):
        parametrizations.spectral_norm(layer, n_power_iterations=0)
    with pytest.raises(IndexError, match=r"\[-2, 1\].*2"):
        parametrizations.spectral_norm(layer, dim=2)
    with pytest.raises(ValueError, match=r"'householder'"):
        parametrizations.orthogonal(layer, orthogonal_map="householder")
    parametrize.register_parametrization(layer, "weight", nn.Identity())
    with pytest.raises(RuntimeError, match=r"Identity does not implement right_inverse"):
        layer.weight = mt.zeros(3, 2)


@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
def test_norms_as_hooks_are_put_on_and_taken_off(kind):
    layer = getattr(nn.utils, kind)(nn.Linear(3, 2))
    with pytest.raises(RuntimeError, match=r"two \w+ hooks on the same parameter weight"):
        getattr(nn.utils, kind)(layer)
    layer.eval()
    x = mt.ones(1, 3)
    before = layer(x)
    getattr(nn.utils, f"remove_{kind}")(layer)
    assert mt.allclose(layer(x), before)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    with pytest.raises(ValueError, match="'weight' not found"):
        getattr(nn.utils, f"remove_{kind}")(layer)
