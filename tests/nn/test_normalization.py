"""Normalization layers by themselves: derivatives, accuracy, edges and errors."""

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import kernels, nn
from microtensor.autograd import gradcheck, gradgradcheck
from microtensor.kernels import twin


def given(rng, *shape):
    return mt.tensor(rng.normal(size=shape), requires_grad=True)


FUNCTIONS = {
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (4,), w, b), (3, 4), 4),
    "group_norm": (lambda x, w, b: F.group_norm(x, 2, w, b), (2, 4, 3), 4),
    "instance_norm": (lambda x, w, b: F.instance_norm(x, None, None, w, b), (2, 2, 4), 2),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), (4, 3), 3),
    "batch_norm over places": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
        (2, 3, 2),
        3,
    ),
    "batch_norm in evaluation": (
        lambda x, w, b: F.batch_norm(
            x, mt.ones(3, dtype=mt.float64), mt.full((3,), 2.0, dtype=mt.float64), w, b
        ),
        (2, 3, 2),
        3,
    ),
    "rms_norm": (lambda x, w, b: F.rms_norm(x, (4,), w) + b, (3, 4), 4),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_first_and_second_order_are_right(name, rng):
    function, shape, channels = FUNCTIONS[name]
    inputs = (given(rng, *shape), given(rng, channels), given(rng, channels))
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)
    plain = (inputs[0],)
    assert gradcheck(lambda x: function(x, inputs[1].detach(), inputs[2].detach()), plain)


def test_a_tensor_that_is_input_and_weight_gets_both_gradients(rng):
    x = given(rng, 4)
    assert gradcheck(lambda x: F.layer_norm(x, (4,), x, x), (x,))
    assert gradgradcheck(lambda x: F.layer_norm(x, (4,), x, x), (x,))


@pytest.mark.parametrize("shape", [(5, 1), (3, 37), (70, 200), (1, 5000)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_kernels_of_rows_agree(shape, dtype, rng):
    x, g = (rng.normal(size=shape).astype(dtype) for _ in range(2))
    w, b = (rng.normal(size=shape[1]).astype(dtype) for _ in range(2))
    results = []
    for module in (kernels, twin):
        mean, scale = np.empty(shape[0], dtype), np.empty(shape[0], dtype)
        y, out, dw, db = (np.empty_like(each) for each in (x, x, w, b))
        module.row_norm(x, w, b, 1, 1, True, 1e-5, mean, scale, y)
        module.row_norm_backward(g, x, w, 1, 1, True, mean, scale, out, dw, db)
        results.append((mean, scale, y, out, dw, db))
    tolerance = 1e-10 if dtype is np.float64 else 2e-4
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("inner", [1, 7, 64, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_kernels_of_groups_agree(inner, dtype, rng):
    groups, channels, rows = 3, 130, 6
    x, g = (rng.normal(size=(rows, channels * inner)).astype(dtype) for _ in range(2))
    w, b = (rng.normal(size=groups * channels).astype(dtype) for _ in range(2))
    results = []
    for module in (kernels, twin):
        mean, scale = np.empty(rows, dtype), np.empty(rows, dtype)
        y, out, dw, db, alone = (np.empty_like(each) for each in (x, x, w, b, w))
        module.row_norm(x, w, b, groups, inner, True, 1e-5, mean, scale, y)
        module.row_norm_backward(g, x, w, groups, inner, True, mean, scale, out, dw, db)
        module.row_norm_backward(g, x, w, groups, inner, True, mean, scale, None, alone, None)
        bare = np.empty_like(x)
        module.row_norm_backward(g, x, None, groups, inner, True, mean, scale, bare, None, None)
        results.append((mean, scale, y, out, dw, db, alone, bare))
    tolerance = 1e-10 if dtype is np.float64 else 2e-4
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("shape", [(9, 3, 1), (130, 300, 1), (4, 5, 77), (70, 30, 40)])
@pytest.mark.parametrize("training", [True, False])
def test_both_kernels_of_channels_agree(shape, training, rng):
    x, g = (rng.normal(size=shape) for _ in range(2))
    w, b = (rng.normal(size=shape[1]) for _ in range(2))
    results = []
    for module in (kernels, twin):
        mean, variance, scale, dw, db = (np.empty(shape[1]) for _ in range(5))
        y, out = np.empty(shape), np.empty(shape)
        module.channel_moments(x, variance, mean)
        module.inverse_root(variance, 1e-5, scale)
        module.channel_norm(x, w, b, mean, scale, y)
        module.channel_norm_backward(g, x, w, mean, scale, training, out, dw, db)
        results.append((mean, variance, y, out, dw, db))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_results_are_the_same_for_every_number_of_threads(rng):
    x = mt.tensor(rng.normal(size=(300, 400)).astype(np.float32), requires_grad=True)
    weight = mt.ones(400, requires_grad=True)
    before, found = mt.get_num_threads(), []
    try:
        for threads in (1, 2):
            mt.set_num_threads(threads)
            for y in (
                F.layer_norm(x, (400,), weight),
                F.batch_norm(x, None, None, weight, None, True),
            ):
                gradients = mt.autograd.grad(y, (x, weight), mt.ones_like(y) * x.detach())
                found.append([each.detach().numpy().tobytes() for each in (y, *gradients)])
    finally:
        mt.set_num_threads(before)
    assert found[:2] == found[2:]


def test_a_mean_far_from_zero_costs_float32_no_variance(rng):
    x = (rng.normal(size=(4, 1000)) + 4096).astype(np.float32)
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(F.layer_norm(mt.tensor(x), (1000,)).numpy(), exact, atol=2e-3)


def test_running_statistics_move_by_momentum_or_average_all_batches(rng):
    batches = [rng.normal(size=(6, 2)) for _ in range(3)]
    moving, average = nn.BatchNorm1d(2, dtype=mt.float64), nn.BatchNorm1d(2, momentum=None)
    average.double()
    mean = np.zeros(2)
    for x in batches:
        moving(mt.tensor(x))
        average(mt.tensor(x))
        mean = 0.9 * mean + 0.1 * x.mean(0)
    np.testing.assert_allclose(moving.running_mean.numpy(), mean)
    expected = np.mean([x.mean(0) for x in batches], 0)
    np.testing.assert_allclose(average.running_mean.numpy(), expected)
    expected = np.mean([x.var(0, ddof=1) for x in batches], 0)
    np.testing.assert_allclose(average.running_var.numpy(), expected)
    assert average.num_batches_tracked.item() == 3
    assert average.num_batches_tracked.dtype == mt.int64


def test_nan_stays_in_its_row_or_channel():
    x = mt.tensor([[1.0, float("nan"), 2.0], [1.0, 2.0, 4.0]])
    assert F.layer_norm(x, (3,)).isnan().any(1).tolist() == [True, False]
    y = F.batch_norm(x, None, None, None, None, True)
    assert y.isnan().all(0).tolist() == [False, True, False]


@pytest.mark.parametrize(
    "make", [lambda: nn.LayerNorm(3), lambda: nn.RMSNorm(3), lambda: nn.BatchNorm1d(3)]
)
def test_an_empty_batch_stays_empty(make):
    assert make().eval()(mt.ones(0, 3)).shape == (0, 3)


def test_one_element_is_normalized_to_its_bias():
    weight, bias = mt.tensor([2.0]), mt.tensor([3.0])
    assert F.layer_norm(mt.tensor([[5.0]]), (1,), weight, bias).tolist() == [[3.0]]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.BatchNorm1d(3)(mt.ones(1, 3)), ValueError, "Expected more than 1 value"),
        (lambda: nn.BatchNorm2d(3)(mt.ones(2, 3)), ValueError, "expected 4D input"),
        (lambda: nn.BatchNorm1d(3)(mt.ones(2, 4)), RuntimeError, "vector of 4 elements"),
        (lambda: nn.BatchNorm1d(-1), ValueError, "num_features"),
        (lambda: nn.LayerNorm(3)(mt.ones(2, 4)), RuntimeError, "normalized_shape="),
        (lambda: nn.LayerNorm(3)(mt.ones(2, 3).double()), RuntimeError, "dtype float64"),
        (lambda: nn.LayerNorm(3)(mt.ones(2, 3).long()), RuntimeError, "floating point"),
        (lambda: nn.GroupNorm(4, 6), ValueError, "divisible by num_groups"),
        (lambda: F.group_norm(mt.ones(2, 6), 4), RuntimeError, "divisible by num_groups"),
        (lambda: nn.InstanceNorm1d(3)(mt.ones(2, 3, 1)), ValueError, "more than 1 spatial"),
        (lambda: nn.InstanceNorm1d(3, affine=True)(mt.ones(2, 4, 5)), ValueError, "num_features"),
        (lambda: F.batch_norm(mt.ones(2, 3), None, None), RuntimeError, "running_mean"),
        (lambda: F.local_response_norm(mt.ones(2, 3), 2), ValueError, "3D"),
        (lambda: nn.LayerNorm(3, device="cuda"), RuntimeError, "device"),
    ],
)
def test_errors_name_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: nn.LayerNorm((2, 3)), (0, 2, 3)),
        (lambda: nn.RMSNorm(3), (0, 3)),
        (lambda: nn.GroupNorm(2, 4), (0, 4, 5)),
        (lambda: nn.BatchNorm1d(3), (0, 3)),
        (lambda: nn.BatchNorm2d(3).eval(), (0, 3, 2, 2)),
        (lambda: nn.InstanceNorm1d(3, affine=True), (0, 3, 2)),
    ],
)
def test_a_batch_of_nothing_gives_gradients_of_zeros(layer, shape):
    net, x = layer(), mt.zeros(shape, requires_grad=True)
    y = net(x)
    y.sum().backward()
    assert y.shape == x.grad.shape == shape
    for parameter in net.parameters():
        assert parameter.grad is not None and not parameter.grad.any()
