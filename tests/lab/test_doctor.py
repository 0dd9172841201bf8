"""The network doctor: each illness in a network that has it, and not in one that is healthy."""

import itertools

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import lab, nn

ILLNESSES = {
    "dead units",
    "saturated units",
    "vanishing gradients",
    "exploding gradients",
    "collapse",
}


@pytest.fixture
def data():
    generator = mt.Generator().manual_seed(1)
    x = mt.randn(200, 8, generator=generator)
    return x, (x[:, :3].argmax(1))


def network(activation=nn.Tanh, depth=4, width=32, scale=1.0):
    """Layers named 0, 2, 4, ...: orthogonal weights, times a scale; no activation for None."""
    generator = mt.Generator().manual_seed(0)
    layers = []
    for index, sizes in enumerate(itertools.pairwise([8, *[width] * depth, 3])):
        if index:
            layers.append(activation() if activation else nn.Identity())
        layer = nn.Linear(*sizes)
        nn.init.orthogonal_(layer.weight, scale, generator=generator)
        nn.init.zeros_(layer.bias)
        layers.append(layer)
    return nn.Sequential(*layers)


def found(result):
    return {finding.illness for finding in result.findings}


def status(result, claim):
    (verdict,) = [one for one in result.verdicts if claim in one.claim]
    return verdict.status


@pytest.mark.parametrize("activation", [nn.Tanh, nn.LeakyReLU, nn.ELU, nn.SELU])
def test_a_healthy_network_is_found_healthy(activation, data):
    result = lab.diagnose(network(activation), data)
    assert result.healthy and result.findings == ()
    assert {verdict.status for verdict in result.verdicts} == {"holds"}
    assert "healthy" in str(result)


def test_dead_units_are_counted_and_named(data):
    model = network(nn.ReLU, depth=2)
    with mt.no_grad():
        model[2].bias[:12] = -100.0
    result = lab.diagnose(model, data)
    (finding,) = result.findings
    assert (finding.illness, finding.layer) == ("dead units", "2")
    assert finding.number >= 12 / 32 and "learning rate" in finding.remedy
    assert status(result, "alive") == "fails"
    assert result.table.records[1]["dead"] == finding.number
    assert finding.remedy in str(result)


def test_dead_units_of_a_function_called_in_forward_are_seen_too(data):
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 3)

        def forward(self, x):
            return self.second(F.relu(self.first(x) - 100))

    findings = lab.diagnose(Functional(), data).findings
    assert ("dead units", "first") in [(one.illness, one.layer) for one in findings]


def test_activations_that_write_in_place_are_examined_as_others_are(data):
    plain = lab.diagnose(network(nn.ReLU), data)
    written = lab.diagnose(network(lambda: nn.ReLU(inplace=True)), data)
    assert str(plain) == str(written)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.Sigmoid])
def test_saturated_layers_are_seen(activation, data):
    model = network(activation, depth=2)
    with mt.no_grad():
        model[0].weight.mul_(500.0)
    result = lab.diagnose(model, data)
    assert ("saturated units", "0") in [(f.illness, f.layer) for f in result.findings]
    assert status(result, "saturated") == "fails"


def test_vanishing_gradients_are_seen_and_where(data):
    result = lab.diagnose(network(nn.Sigmoid, depth=12), data)
    layers = [f.layer for f in result.findings if f.illness == "vanishing gradients"]
    assert layers[0] == "0" and "22" not in layers
    assert status(result, "do not vanish") == "fails"
    assert status(result, "do not explode") == "holds"


def test_exploding_gradients_are_seen(data):
    result = lab.diagnose(network(nn.LeakyReLU, depth=12, scale=4.0), data)
    layers = [f.layer for f in result.findings if f.illness == "exploding gradients"]
    assert layers[0] == "0" and status(result, "do not explode") == "fails"
    assert status(result, "do not vanish") == "holds"


def test_weights_that_are_nan_count_as_exploding(data):
    model = network()
    with mt.no_grad():
        model[2].weight[0, 0] = np.nan
    assert "exploding gradients" in found(lab.diagnose(model, data))


@pytest.mark.parametrize(
    ("value", "place", "reason"),
    [
        (np.nan, 2, "the parameters of layer 2 are not finite"),
        (np.inf, -1, "the parameters of layer "),
        (1e38, 0, "what follows layer 0 is not finite"),
    ],
)
def test_of_what_is_not_finite_nothing_is_said_to_hold(value, place, reason, data):
    model = network(nn.LeakyReLU)
    with mt.no_grad():
        model[place].weight.fill_(value)
    result = lab.diagnose(model, data)
    assert {verdict.status for verdict in result.verdicts} <= {"fails", "unresolved"}
    assert all(verdict.open_because.startswith(reason) for verdict in result.verdicts)
    assert status(result, "do not explode") == "fails"
    assert "open: " + reason in str(result)


@pytest.mark.parametrize("activation", [None, nn.Dropout, lambda: nn.LeakyReLU(1.0)])
def test_layers_without_an_activation_between_them_collapse(activation, data):
    result = lab.diagnose(network(activation, depth=2), data)
    assert [(f.illness, f.layer) for f in result.findings] == [("collapse", "0"), ("collapse", "2")]
    assert status(result, "collapse") == "fails"


@pytest.mark.parametrize("dtype", [mt.float32, mt.float64])
def test_an_activation_that_acts_linearly_on_the_data_is_seen(dtype, data):
    x, y = data[0].to(dtype), data[1]
    model = network(nn.ReLU, depth=2).to(dtype)
    with mt.no_grad():
        model[0].bias.fill_(100.0)  # all that reaches the first ReLU is positive
        model[2].bias.copy_(model[2].weight.sum(1) * -100.0)  # and the second one is centred again
    result = lab.diagnose(model, (x, y))
    assert [(f.illness, f.layer) for f in result.findings if f.illness == "collapse"] == [
        ("collapse", "0")
    ]
    small = network(nn.Tanh, depth=2).to(dtype)
    with mt.no_grad():
        small[0].weight.mul_(1e-3)  # tanh x is x, near 0
    assert ("collapse", "0") in [(f.illness, f.layer) for f in lab.diagnose(small, (x, y)).findings]


def test_a_linear_map_that_mixes_units_is_one_too(data):
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x):
            return self.second(self.first(x).flip(1).cumsum(1))

    assert found(lab.diagnose(Turned(), data)) == {"collapse"}


def test_the_model_is_left_as_it_was(data):
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 3))
    model[2].eval()
    F.cross_entropy(model(data[0]), data[1]).backward()
    before = [parameter.grad.numpy().copy() for parameter in model.parameters()]
    lab.diagnose(model, data)
    assert [module.training for module in model] == [True, True, False, True]
    for parameter, grad in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.grad.numpy(), grad)
    assert not any(module._hooks for module in model)


def test_a_model_whose_forward_fails_loses_the_hooks_all_the_same(data):
    model = network()
    with pytest.raises(RuntimeError):
        lab.diagnose(model, mt.randn(20, 5))
    assert not any(module._hooks for module in model) and model.training


def test_data_come_as_rows_pairs_arrays_or_data_sets(data):
    pytest.importorskip("sklearn")
    x, y = data
    model = network()
    for given in (x, x.numpy(), (x, y), (x.numpy().astype(np.float64), y.numpy()), (x, model(x))):
        assert lab.diagnose(model, given).healthy
    flowers = lab.dataset(x.numpy(), y.numpy())
    assert lab.diagnose(model, flowers).healthy
    one_logit = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    assert lab.diagnose(one_logit, (x, (y > 0).to(mt.int64))).healthy
    assert lab.diagnose(model, (x, y), loss=lambda output, target: F.cross_entropy(output, target))


@pytest.mark.parametrize(
    ("model", "given", "error", "message"),
    [
        (lambda x: x, mt.randn(20, 8), TypeError, "must be a Module, got function"),
        (nn.Sequential(nn.ReLU()), mt.randn(20, 8), ValueError, "no Linear layer"),
        (network(), mt.ones(20, 8, dtype=mt.int64), TypeError, "floating-point numbers, got int64"),
        (network(), mt.randn(7, 8), ValueError, r"at least 8 rows .* got shape \(7, 8\)"),
        (network(), (mt.randn(20, 8),), ValueError, r"x or \(x, y\), got 1 parts"),
        (network(), (mt.randn(20, 8), mt.zeros(19).long()), ValueError, "20 rows, but targets"),
        (network(), (mt.randn(20, 8), mt.full((20,), 3)), ValueError, "from 0 to 2 .* got 3 to 3"),
        (network(), (mt.randn(20, 8), mt.randn(20)), ValueError, "the output has shape"),
    ],
)
def test_what_cannot_be_examined_is_refused_with_a_reason(model, given, error, message):
    with pytest.raises(error, match=message):
        lab.diagnose(model, given)


@pytest.mark.parametrize(("value", "named"), [(np.nan, "NaN"), (np.inf, "infinite values")])
def test_data_with_nan_are_refused_by_column(value, named):
    x = np.ones((20, 8), np.float32)
    x[3, 5] = value
    with pytest.raises(ValueError, match=f"{named} in 1 values of 160, columns 5"):
        lab.diagnose(network(), x)


def test_the_result_has_a_picture_tables_and_five_verdicts(data, tmp_path):
    result = lab.diagnose(network(nn.Sigmoid, depth=12), data)
    assert len(result.verdicts) == 5
    assert {path.name for path in result.save(tmp_path)} == {
        "diagnosis.png", "diagnosis.csv", "diagnosis_findings.csv", "diagnosis.json",
    }  # fmt: skip
    assert found(result) <= ILLNESSES


@pytest.mark.parametrize("layers", [1, 2])
def test_units_that_die_in_an_activation_at_the_end_are_seen(layers):
    first = [nn.Linear(8, 8), nn.Tanh()] if layers == 2 else []
    last = nn.Linear(8, 4)
    with mt.no_grad():
        last.bias[:] = mt.tensor([-100.0, -100.0, -100.0, 100.0])
    model = nn.Sequential(*first, last, nn.ReLU())
    found = lab.diagnose(model, mt.randn(64, 8)).findings
    assert ("dead units", str(len(first)), 0.75) in [(f.illness, f.layer, f.number) for f in found]


def test_outputs_that_are_sure_of_themselves_do_not_count_as_saturated():
    last = nn.Linear(8, 4)
    with mt.no_grad():
        last.bias.fill_(10.0)
    assert lab.diagnose(nn.Sequential(last, nn.Sigmoid()), mt.randn(64, 8)).healthy


def test_a_healthy_network_has_no_empty_table_of_remedies():
    model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 2))
    text = str(lab.diagnose(model, mt.randn(64, 8)))
    assert "No findings" in text and "what helps" not in text
