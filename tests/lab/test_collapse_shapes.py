"""Folding convolutions, pooling, norms and reshaping; max pooling at a point."""

import numpy as np
import pytest

import microtensor as mt
from microtensor import lab, nn
from microtensor.lab.affine import AFFINE
from microtensor.lab.collapse import fold, folded_weight


def settled(layer, shape):
    """The layer in eval mode, in float64, with statistics and parameters unlike the first ones."""
    layer = layer.double()
    for one in layer.modules():
        if getattr(one, "running_mean", None) is not None:
            one(mt.randn(6, *shape, dtype=mt.float64) * 2 + 1)
    with mt.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(mt.randn(*parameter.shape, dtype=mt.float64))
    return layer.eval()


def jacobian(model, x):
    """Of one row, (outputs, inputs)."""
    found = mt.func.jacrev(lambda row: model(row.unsqueeze(0)).flatten())(x)
    return found.detach().numpy().reshape(found.shape[0], -1)


LAYERS = [
    (nn.Conv1d(2, 3, 3), (2, 7)),
    (nn.Conv1d(4, 6, 2, stride=2, padding=1, dilation=2, groups=2, bias=False), (4, 8)),
    (nn.Conv1d(2, 2, 3, padding="same", padding_mode="circular"), (2, 6)),
    (nn.Conv2d(2, 4, (3, 2), stride=(1, 2), padding=(2, 1), dilation=(2, 1), groups=2), (2, 5, 6)),
    (nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), (1, 4, 5)),
    (nn.Conv2d(1, 2, 3, padding=1, padding_mode="replicate", bias=False), (1, 4, 4)),
    (nn.Conv3d(1, 2, 2, padding=1), (1, 2, 3, 3)),
    (nn.ConvTranspose1d(2, 3, 3, stride=2, output_padding=1), (2, 4)),
    (nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1, groups=2), (2, 3, 3)),
    (nn.ConvTranspose3d(1, 1, 2), (1, 2, 2, 2)),
    (nn.BatchNorm1d(5), (5,)),
    (nn.BatchNorm1d(3), (3, 4)),
    (nn.BatchNorm2d(2, affine=False), (2, 3, 3)),
    (nn.BatchNorm3d(2), (2, 2, 2, 2)),
    (nn.InstanceNorm2d(2, affine=True, track_running_stats=True), (2, 3, 3)),
    (nn.AvgPool1d(2, padding=1), (2, 6)),
    (nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), (2, 5, 5)),
    (nn.AvgPool2d(2, ceil_mode=True, divisor_override=3), (1, 5, 5)),
    (nn.AvgPool3d(2), (1, 2, 4, 4)),
    (nn.AdaptiveAvgPool1d(3), (2, 7)),
    (nn.AdaptiveAvgPool2d((None, 2)), (2, 3, 5)),
    (nn.AdaptiveAvgPool3d(1), (2, 2, 3, 2)),
    (nn.ZeroPad1d(2), (1, 3)),
    (nn.ZeroPad2d((1, 0, 2, 1)), (2, 2, 3)),
    (nn.ConstantPad3d(1, 2.5), (1, 2, 2, 2)),
    (nn.ReflectionPad2d(1), (1, 3, 3)),
    (nn.ReplicationPad1d(1), (2, 3)),
    (nn.CircularPad2d(1), (1, 3, 3)),
    (nn.Unflatten(1, (2, 3)), (6,)),
    (nn.Flatten(2), (2, 3, 2)),
    (nn.PixelShuffle(2), (4, 2, 3)),
    (nn.PixelUnshuffle(2), (1, 4, 2)),
    (nn.ChannelShuffle(2), (4, 2, 2)),
    (nn.Upsample(scale_factor=2, mode="bilinear"), (1, 3, 3)),
    (nn.Unfold(2), (2, 3, 3)),
    (nn.Fold((3, 3), 2), (8, 4)),
    (nn.Linear(4, 3), (2, 4)),
    (nn.Dropout2d(0.5), (2, 3, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda one: repr(one)[:40])
def test_every_affine_layer_folds_into_its_jacobian(layer, shape):
    layer = settled(layer, shape)
    x = mt.randn(5, *shape, dtype=mt.float64)
    result = lab.collapse(layer, x, input_shape=shape)
    np.testing.assert_allclose(result.weight.numpy(), jacobian(layer, x[0]), atol=1e-12)
    assert result.verdict.status == "holds"
    np.testing.assert_allclose(
        result(x).numpy(), layer(x).flatten(1).detach().numpy(), rtol=1e-12, atol=1e-12
    )


def lenet(between, pool=nn.AvgPool2d):
    return nn.Sequential(
        nn.Conv2d(1, 3, 5, padding=2), between(), pool(2),
        nn.Conv2d(3, 6, 5), between(), pool(2), nn.Flatten(),
        nn.Linear(6 * 4, 12), between(), nn.Linear(12, 10),
    ).double()  # fmt: skip


def test_lenet_without_activations_is_one_matrix():
    model = lenet(nn.Identity)
    x = mt.randn(4, 1, 16, 16, dtype=mt.float64)
    with pytest.raises(ValueError, match="54 reach it"):
        lab.collapse(model, input_shape=(1, 20, 20))
    weight, bias = result = lab.collapse(model, input_shape=(1, 16, 16))
    assert weight.shape == (10, 256) and bias.shape == (10,)
    np.testing.assert_allclose(result(x).numpy(), model(x).detach().numpy(), atol=1e-13)
    np.testing.assert_allclose(weight.numpy(), jacobian(model, x[0]), atol=1e-13)
    assert "1 × 16 × 16 → 3 × 16 × 16" in str(result)
    with pytest.raises(TypeError, match=r"layer '1' \(ReLU\) is not known to be affine"):
        lab.collapse(lenet(nn.ReLU), x)
    with pytest.raises(TypeError, match=r"layer '2' \(MaxPool2d\) is not known to be affine"):
        lab.collapse(lenet(nn.Identity, nn.MaxPool2d), x)


def test_a_float32_network_of_convolutions_folds_in_float64_and_stays_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten()).eval()
    assert lab.collapse(model, input_shape=(1, 4, 4)).weight.dtype is mt.float64
    assert lab.collapse(model, input_shape=(1, 4, 4), dtype=None).weight.dtype is mt.float32
    assert model[0].weight.dtype is mt.float32 and model[1].num_batches_tracked.item() == 0


def test_the_fold_of_a_convolution_is_differentiable():
    model = nn.Sequential(nn.Conv1d(1, 1, 2, bias=False), nn.Flatten()).double()
    weight, _ = fold(model, input_shape=(1, 3))
    weight.sum().backward()  # each of the two numbers of the kernel is in A twice
    np.testing.assert_allclose(model[0].weight.grad.numpy(), [[[2.0, 2.0]]])
    with pytest.raises(TypeError, match="no Linear layer"):
        folded_weight(model)


def test_a_shape_that_is_missing_or_does_not_fit_is_told():
    conv = nn.Sequential(nn.Identity(), nn.Conv2d(1, 2, 3))
    with pytest.raises(
        ValueError,
        match=r"layer '1' \(Conv2d\) needs .* give input_shape, as \(channels, height, width\)",
    ):
        lab.collapse(conv)
    with pytest.raises(ValueError, match=r"rows of the shape \(channels, height, width\), but \(4"):
        lab.collapse(conv, input_shape=(4, 4))
    with pytest.raises(ValueError, match=r"layer '1' \(Conv2d\) cannot take .* \(2, 4, 4\)"):
        lab.collapse(conv, input_shape=(2, 4, 4))
    with pytest.raises(ValueError, match="input_shape must be positive sizes"):
        lab.collapse(conv, input_shape=(1, 0, 4))
    with pytest.raises(ValueError, match="give input_shape"):
        lab.collapse_at(nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 1, 2)), [[0.0] * 4])


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (nn.BatchNorm2d(1), r"\(BatchNorm2d\) normalises by .*model.eval\(\)"),
        (nn.BatchNorm2d(1, track_running_stats=False).eval(), r"\(BatchNorm2d\) normalises"),
        (nn.InstanceNorm2d(1).eval(), r"\(InstanceNorm2d\) normalises"),
        (nn.LayerNorm(4), r"layer '0' \(LayerNorm\)"),
        (nn.GroupNorm(1, 1), r"layer '0' \(GroupNorm\)"),
        (nn.LPPool2d(2, 2), r"layer '0' \(LPPool2d\)"),
        (nn.Dropout2d(0.5), r"\(Dropout2d\) is in training mode"),
    ],
)  # fmt: skip
def test_layers_that_are_not_affine_are_refused_by_name(layer, named):
    with pytest.raises(TypeError, match=named):
        lab.collapse(nn.Sequential(layer), input_shape=(1, 4, 4))


def test_what_is_called_affine_has_a_test():
    tried = {type(layer) for layer, _ in LAYERS}
    families = {kind.__name__.rstrip("123d") for kind in tried}
    assert {kind.__name__.rstrip("123d") for kind in AFFINE} - families <= {
        "Identity", "AlphaDropout", "FeatureAlphaDropout", "UpsamplingNearest",
        "UpsamplingBilinear",
    }  # fmt: skip


POOLS = [
    (nn.MaxPool1d(2), (2, 7)),
    (nn.MaxPool1d(3, stride=1, padding=1, dilation=2), (2, 8)),
    (nn.MaxPool2d((2, 3), stride=(2, 1), padding=(1, 0)), (2, 4, 5)),
    (nn.MaxPool2d(2, ceil_mode=True), (1, 5, 5)),
    (nn.MaxPool3d(2), (1, 2, 4, 4)),
    (nn.AdaptiveMaxPool1d(3), (2, 7)),
    (nn.AdaptiveMaxPool2d((2, 3)), (2, 5, 5)),
    (nn.AdaptiveMaxPool3d(1), (1, 2, 2, 3)),
]


@pytest.mark.parametrize(("pool", "shape"), POOLS, ids=lambda one: repr(one)[:40])
def test_max_pooling_is_affine_at_a_point_out_to_the_nearest_fold(pool, shape):
    numbers = int(np.prod(shape))
    model = nn.Sequential(
        nn.Linear(3, numbers), nn.Unflatten(1, shape), nn.LeakyReLU(), pool, nn.Flatten()
    ).double()
    for seed in range(3):
        x = mt.tensor(np.random.default_rng(seed).standard_normal(3))
        result = lab.collapse_at(model, x)
        assert [verdict.status for verdict in result.verdicts] == ["holds"] * 3
        np.testing.assert_allclose(result.weight.numpy(), jacobian(model, x), atol=1e-12)


def test_the_radius_is_the_distance_to_where_another_number_is_the_largest():
    pool = nn.Sequential(nn.MaxPool1d(2), nn.Flatten())
    x = mt.tensor([[[3.0, 1.0, 4.0, 4.5]]])
    result = lab.collapse_at(pool, x)
    np.testing.assert_array_equal(result.weight.numpy(), [[1, 0, 0, 0], [0, 0, 0, 1]])
    assert result.radius == pytest.approx(0.5 / np.sqrt(2))
    tied = lab.collapse_at(pool, mt.tensor([[[3.0, 3.0, 4.0, 4.5]]]))
    assert tied.radius == 0 and tied.verdicts[0].status == "unresolved"
    with pytest.raises(TypeError, match="returns indices"):
        lab.collapse_at(nn.MaxPool1d(2, return_indices=True), x)


def test_lenet_with_relu_and_max_pooling_is_one_matrix_around_an_image():
    model = lenet(nn.ReLU, nn.MaxPool2d)
    x = mt.randn(1, 1, 16, 16, dtype=mt.float64)
    result = lab.collapse_at(model, x)
    assert [verdict.status for verdict in result.verdicts] == ["holds"] * 3
    np.testing.assert_allclose(result.weight.numpy(), jacobian(model, x[0]), atol=1e-12)
    flat = lab.collapse_at(model, x.flatten().numpy(), input_shape=(1, 16, 16))
    assert (flat.weight == result.weight).all()
    with pytest.raises(TypeError, match=r"layer '2' \(MaxPool2d\)"):
        lab.regions(model)


def test_a_learned_slope_for_each_channel_is_that_of_its_channel():
    model = nn.Sequential(nn.Conv1d(1, 2, 2), nn.PReLU(2), nn.Flatten()).double()
    with mt.no_grad():
        model[1].weight.copy_(mt.tensor([0.1, -0.7]))
    x = mt.randn(1, 1, 6, dtype=mt.float64)
    result = lab.collapse_at(model, x)
    np.testing.assert_allclose(result.weight.numpy(), jacobian(model, x[0]), atol=1e-13)
