"""Folding networks without activations into A·x + b."""

import itertools

import numpy as np
import pytest

import microtensor as mt
from microtensor import lab, nn
from microtensor.lab.collapse import fold, fold_error, folded_weight


def linear(inputs, outputs, bias=True, dtype=mt.float64):
    return nn.Linear(inputs, outputs, bias=bias, dtype=dtype)


def by_hand(layers):
    """The product of Linear layers in NumPy's longest float."""
    weight, bias = np.eye(layers[0].in_features, dtype=np.longdouble), 0
    for layer in layers:
        step = layer.weight.detach().numpy().astype(np.longdouble)
        shift = 0 if layer.bias is None else layer.bias.detach().numpy().astype(np.longdouble)
        weight, bias = step @ weight, step @ np.broadcast_to(bias, step.shape[1]) + shift
    return weight, bias


@pytest.mark.parametrize("biases", [(True, True, True), (False, True, False), (False,) * 3])
def test_fold_is_the_product_of_the_layers(biases):
    sizes = (5, 7, 4, 3)
    layers = [linear(*pair, bias) for *pair, bias in zip(sizes, sizes[1:], biases, strict=False)]
    weight, bias = lab.collapse(nn.Sequential(*layers))
    expected_weight, expected_bias = by_hand(layers)
    np.testing.assert_allclose(weight.numpy(), expected_weight.astype(float), rtol=0, atol=1e-14)
    np.testing.assert_allclose(
        bias.numpy(), np.broadcast_to(expected_bias.astype(float), 3), rtol=0, atol=1e-14
    )


def test_identity_flatten_dropout_in_eval_mode_and_nesting_are_folded():
    model = nn.Sequential(
        nn.Flatten(),
        nn.Sequential(linear(6, 4), nn.Dropout(0.5), nn.Sequential(nn.Identity(), linear(4, 4))),
        linear(4, 2),
    ).eval()
    x = mt.randn(9, 2, 3, dtype=mt.float64)
    result = lab.collapse(model, x)
    assert result.verdict.status == "holds"
    assert [row["path"] for row in result.table.records] == [
        "0",
        "1.0",
        "1.1",
        "1.2.0",
        "1.2.1",
        "2",
    ]
    np.testing.assert_allclose(
        result(x.flatten(1)).numpy(), model(x).detach().numpy(), rtol=1e-12, atol=1e-15
    )


def test_a_single_linear_folds_into_copies_of_its_own_parameters():
    layer = linear(3, 2)
    weight, bias = lab.collapse(layer)
    kept = weight.numpy().copy()
    with mt.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
    np.testing.assert_array_equal(weight.numpy(), kept)
    assert not weight.requires_grad and not bias.requires_grad


def test_a_layer_that_is_used_twice_counts_twice():
    layer = linear(3, 3)
    weight, _ = lab.collapse(nn.Sequential(layer, layer))
    square = layer.weight.detach().numpy() @ layer.weight.detach().numpy()
    np.testing.assert_allclose(weight.numpy(), square, rtol=0, atol=1e-15)


def test_the_fold_of_a_float32_model_is_in_float64_unless_asked_otherwise():
    model = nn.Sequential(linear(3, 4, dtype=mt.float32), linear(4, 2, dtype=mt.float32))
    assert lab.collapse(model).weight.dtype == mt.float64
    assert lab.collapse(model, dtype=None).weight.dtype == mt.float32
    assert lab.collapse(model, dtype=None).bias.dtype == mt.float32


def test_the_fold_is_differentiable():
    model = nn.Sequential(linear(3, 4), linear(4, 2))
    weight, bias = fold(model)
    (weight.sum() + bias.sum()).backward()
    first, second = (layer.weight.detach().numpy() for layer in model)
    # d/dW2 of sum(W2·W1) + sum(W2·c1 + c2), and so on
    ones = np.ones((2, 3))
    expected = ones @ first.T + np.ones((2, 1)) * model[0].bias.detach().numpy()
    np.testing.assert_allclose(model[1].weight.grad.numpy(), expected, rtol=1e-13)
    np.testing.assert_allclose(model[0].weight.grad.numpy(), second.T @ ones, rtol=1e-13)
    assert bool((folded_weight(model) == weight).all())


@pytest.mark.parametrize("depth", [1, 2, 10, 50])
def test_the_fold_is_exact_at_any_depth_in_float64_and_not_in_float32(depth):
    sizes = [4, *[16] * (depth - 1), 3]
    for dtype, status in ((mt.float64, "holds"), (mt.float32, "fails")):
        layers = [linear(*pair, dtype=dtype) for pair in itertools.pairwise(sizes)]
        for layer in layers:
            nn.init.orthogonal_(layer.weight)
        x = mt.randn(50, 4, dtype=dtype)
        assert lab.collapse(nn.Sequential(*layers), x).verdict.status == status


def test_fold_error_sees_a_wrong_fold():
    model = nn.Sequential(linear(3, 4), linear(4, 2))
    weight, bias = lab.collapse(model)
    x = mt.randn(20, 3, dtype=mt.float64)
    assert fold_error(model, weight, bias, x) < 1e-14
    assert fold_error(model, weight, bias + 1e-6, x) > 1e-8


class Doubled(nn.Linear):
    def forward(self, input):
        return super().forward(input) * 2


class Renamed(nn.Linear):
    """Computes what Linear does."""


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (nn.ReLU(), r"layer '1.1' \(ReLU\)"),
        (nn.Tanh(), r"layer '1.1' \(Tanh\)"),
        (nn.Dropout(0.5), r"layer '1.1' \(Dropout\) is in training mode.*model.eval\(\)"),
        (nn.Flatten(0), r"layer '1.1' \(Flatten\) must flatten from dimension 1"),
        (Doubled(3, 3), r"layer '1.1' \(Doubled\)"),
        (nn.ModuleList([linear(3, 3)]), r"layer '1.1' \(ModuleList\)"),
    ],
)
def test_what_is_not_affine_is_refused_by_path_and_class(layer, named):
    model = nn.Sequential(linear(3, 3), nn.Sequential(nn.Identity(), layer))
    with pytest.raises(TypeError, match=named):
        lab.collapse(model)


def test_a_subclass_that_overrides_nothing_is_folded():
    assert lab.collapse(Renamed(3, 2)).weight.shape == (2, 3)


def test_a_layer_with_a_forward_hook_is_refused_until_the_hook_is_removed():
    model = nn.Sequential(linear(3, 3))
    handle = model[0].register_forward_hook(lambda module, args, output: output * 2)
    with pytest.raises(TypeError, match=r"layer '0' \(Linear\) has forward hooks"):
        lab.collapse(model)
    handle.remove()
    lab.collapse(model)


def test_a_forward_assigned_to_the_instance_is_refused():
    layer = linear(3, 3)
    layer.forward = lambda x: x.relu()
    with pytest.raises(TypeError, match="Linear is not known to be affine"):
        lab.collapse(layer)


def test_a_model_without_linear_layers_and_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="no Linear layer"):
        lab.collapse(nn.Sequential(nn.Identity()))
    with pytest.raises(ValueError, match=r"layer '1' \(Linear\) takes 5 inputs, but 4 reach it"):
        lab.collapse(nn.Sequential(linear(3, 4), linear(5, 2)))


def test_the_result_has_a_picture_and_a_table(tmp_path):
    result = lab.collapse(nn.Sequential(linear(3, 4), linear(4, 2)))
    saved = {path.name for path in result.save(tmp_path)}
    assert saved == {"collapse.png", "collapse.csv", "collapse.json"}
    assert "3 → 4" in str(result)
    with pytest.raises(ValueError, match="no verdict"):
        _ = result.verdict
