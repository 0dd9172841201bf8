"""Linear, Identity, Flatten, Dropout, the activations and the losses as modules."""

import math
import warnings

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn

# ---- Linear, Identity, Flatten ------------------------------------------------------------------


def test_linear_is_x_times_weight_transposed_plus_bias():
    mt.manual_seed(0)
    for bias in (True, False):
        layer = nn.Linear(3, 2, bias=bias, dtype=mt.float64)
        x = mt.randn(4, 5, 3, dtype=mt.float64)
        expected = x.numpy() @ layer.weight.detach().numpy().T
        if bias:
            expected = expected + layer.bias.detach().numpy()
        np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-14, atol=1e-14)
        assert (layer.bias is None) is not bias


def test_linear_starts_uniform_within_the_inverse_root_of_its_inputs():
    mt.manual_seed(1)
    layer = nn.Linear(400, 300)
    bound = 1 / math.sqrt(400)
    for values in (layer.weight, layer.bias):
        array = values.detach().numpy()
        assert np.abs(array).max() <= bound
        assert np.abs(array).max() > 0.9 * bound
    # The mean of n uniform values has deviation bound/sqrt(3n); five of them is a safe margin.
    weight = layer.weight.detach().numpy()
    assert abs(weight.mean()) < 5 * bound / math.sqrt(3 * weight.size)
    assert weight.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_linear_is_reproducible_from_the_seed():
    mt.manual_seed(7)
    first = nn.Linear(3, 3).weight.tolist()
    second = nn.Linear(3, 3).weight.tolist()
    mt.manual_seed(7)
    assert nn.Linear(3, 3).weight.tolist() == first != second


def test_linear_takes_the_default_dtype_unless_given_one():
    assert nn.Linear(1, 1).weight.dtype == mt.float32
    mt.set_default_dtype(mt.float64)
    try:
        assert nn.Linear(1, 1).bias.dtype == mt.float64
    finally:
        mt.set_default_dtype(mt.float32)


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((2.0, 3), TypeError, "in_features must be an int, got float"),
        ((2, "3"), TypeError, "out_features must be an int, got str"),
        ((True, 3), TypeError, "in_features must be an int, got bool"),
        ((2, -1), ValueError, "out_features must not be negative, got -1"),
    ],
)
def test_linear_names_the_bad_argument(args, error, words):
    with pytest.raises(error, match=words):
        nn.Linear(*args)


def test_linear_takes_the_cpu_and_no_other_device():
    nn.Linear(1, 1, device="cpu")
    with pytest.raises(RuntimeError, match="device must be 'cpu'"):
        nn.Linear(1, 1, device="cuda")


def test_linear_without_inputs_gives_its_bias():
    with pytest.warns(UserWarning, match="zero-element"):
        layer = nn.Linear(0, 2)
    assert layer(mt.zeros(3, 0)).tolist() == [layer.bias.tolist()] * 3


def test_mismatched_shapes_and_dtypes_are_named():
    layer = nn.Linear(3, 2)
    with pytest.raises(RuntimeError) as caught:
        layer(mt.ones(4, 5))
    assert "[4, 5]" in str(caught.value)
    with pytest.raises(RuntimeError, match="float64") as caught:
        layer(mt.ones(4, 3, dtype=mt.float64))
    assert "float32" in str(caught.value)


def test_identity_gives_its_input_back():
    x = mt.ones(2)
    assert nn.Identity(3, anything=None)(x) is x


def test_flatten_merges_all_but_the_first_dimension():
    x = mt.arange(24).reshape(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0)(x).shape == (24,)
    assert nn.Flatten(0, 1)(x).shape == (6, 4)


# ---- Dropout ------------------------------------------------------------------------------------


def test_dropout_zeroes_a_share_and_scales_the_rest():
    mt.manual_seed(0)
    y = nn.Dropout(0.25)(mt.ones(10000)).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    # Five deviations of the share of zeros, sqrt(p(1 - p)/n).
    assert abs((y == 0).mean() - 0.25) < 5 * math.sqrt(0.25 * 0.75 / 10000)


def test_dropout_passes_the_gradient_of_what_it_kept():
    x = mt.ones(100, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()


def test_dropout_does_nothing_in_evaluation_mode():
    x = mt.ones(3)
    assert nn.Dropout(0.9).eval()(x) is x


def test_dropout_in_place_overwrites_its_input():
    x = mt.ones(100)
    y = nn.Dropout(0.5, inplace=True)(x)
    assert x.tolist() == y.tolist()
    assert 0.0 in x.tolist()


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match=f"has to be between 0 and 1, but got {p}"):
        nn.Dropout(p)


# ---- activations --------------------------------------------------------------------------------

POINTS = [-30.0, -2.5, -1.0, -0.3, 0.0, 0.4, 1.0, 3.0, 25.0]
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def phi(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


def gelu_tanh(x):
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


CLOSED_FORMS = [
    (nn.ReLU(), lambda x: max(x, 0.0)),
    (nn.LeakyReLU(), lambda x: x if x > 0 else 0.01 * x),
    (nn.LeakyReLU(0.3), lambda x: x if x > 0 else 0.3 * x),
    (nn.ELU(), lambda x: x if x > 0 else math.expm1(x)),
    (nn.ELU(0.7), lambda x: x if x > 0 else 0.7 * math.expm1(x)),
    (nn.SELU(), lambda x: SELU_SCALE * (x if x > 0 else SELU_ALPHA * math.expm1(x))),
    (nn.Sigmoid(), lambda x: 1 / (1 + math.exp(-x))),
    (nn.Tanh(), math.tanh),
    (nn.Softplus(), lambda x: x if x > 20 else math.log1p(math.exp(x))),
    (nn.Softplus(2.0, 1.5), lambda x: x if 2 * x > 1.5 else math.log1p(math.exp(2 * x)) / 2),
    (nn.Softsign(), lambda x: x / (1 + abs(x))),
    (nn.GELU(), lambda x: x * phi(x)),
    (nn.GELU("tanh"), gelu_tanh),
    (nn.SiLU(), lambda x: x / (1 + math.exp(-x))),
]


@pytest.mark.parametrize(
    ("module", "formula"), CLOSED_FORMS, ids=[repr(m) for m, _ in CLOSED_FORMS]
)
def test_activations_equal_their_closed_forms(module, formula):
    y = module(mt.tensor(POINTS, dtype=mt.float64)).tolist()
    # gelu's tanh form cancels in its lower tail, in the formula above too.
    np.testing.assert_allclose(y, [formula(x) for x in POINTS], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("kind", [nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.SiLU])
def test_inplace_overwrites_the_input_and_keeps_the_gradient(kind):
    leaf = mt.tensor(POINTS, dtype=mt.float64, requires_grad=True)
    x = leaf * 1
    y = kind(inplace=True)(x)
    assert np.shares_memory(x.detach().numpy(), y.detach().numpy())
    y.sum().backward()
    twin = mt.tensor(POINTS, dtype=mt.float64, requires_grad=True)
    expected = kind()(twin)
    expected.sum().backward()
    assert x.tolist() == expected.tolist()
    assert leaf.grad.tolist() == twin.grad.tolist()


def test_softmax_and_its_logarithm_work_along_their_dimension():
    x = np.random.default_rng(0).normal(size=(3, 4))
    for dim in (0, 1, -1):
        expected = np.exp(x) / np.exp(x).sum(dim, keepdims=True)
        tensor = mt.from_numpy(x)
        np.testing.assert_allclose(nn.Softmax(dim)(tensor).numpy(), expected, rtol=1e-13)
        np.testing.assert_allclose(
            nn.LogSoftmax(dim=dim)(tensor).numpy(), np.log(expected), rtol=1e-12
        )
    # Without one it is the classes of a batch, and PyTorch's warning.
    with pytest.warns(UserWarning, match=r"softmax\(\): dim is not given"):
        assert mt.equal(nn.Softmax()(tensor), nn.Softmax(1)(tensor))
    with pytest.warns(UserWarning, match="dim is not given"):
        assert mt.equal(F.log_softmax(tensor[None]), F.log_softmax(tensor[None], 0))


def test_the_old_names_of_a_hardtanh_bound_are_taken_with_a_warning():
    with pytest.warns(FutureWarning, match="'max_value' is deprecated and is now called 'max_val'"):
        assert repr(nn.Hardtanh(max_value=3)) == "Hardtanh(min_val=-1.0, max_val=3)"


def test_softmax2d_is_over_channels_and_takes_images_alone():
    x = mt.randn(2, 3, 2, 2)
    assert mt.equal(nn.Softmax2d()(x), mt.softmax(x, 1))
    assert mt.equal(nn.Softmax2d()(x[0]), mt.softmax(x[0], 0))
    with pytest.raises(ValueError, match="expected input to be 3D or 4D, got a 2D input"):
        nn.Softmax2d()(x[0, 0])


def test_gelu_names_its_legal_forms():
    with pytest.raises(ValueError, match="approximate must be 'none' or 'tanh', got 'erf'"):
        nn.GELU("erf")


# ---- losses -------------------------------------------------------------------------------------

LOGITS = np.random.default_rng(1).normal(size=(5, 3)) * 3
LABELS = np.array([0, 2, 1, 2, 0])
WEIGHT = np.array([0.2, 1.0, 3.0])


def log_probabilities(x):
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def reduced(losses, reduction, count):
    return {"none": losses, "mean": losses.sum() / count, "sum": losses.sum()}[reduction]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_cross_entropy_and_nll_equal_their_closed_form(reduction):
    scores = log_probabilities(LOGITS)
    kept = LABELS != 1
    losses = np.where(kept, -WEIGHT[LABELS] * scores[np.arange(5), LABELS], 0)
    expected = reduced(losses, reduction, WEIGHT[LABELS][kept].sum())
    options = {
        "weight": mt.from_numpy(WEIGHT),
        "ignore_index": 1,
        "reduction": reduction,
    }
    labels = mt.from_numpy(LABELS)
    for module, data in (
        (nn.CrossEntropyLoss(**options), LOGITS),
        (nn.NLLLoss(**options), scores),
    ):
        np.testing.assert_allclose(
            module(mt.from_numpy(data), labels).numpy(), expected, rtol=1e-13
        )


def test_label_smoothing_spreads_a_share_over_all_classes():
    scores = log_probabilities(LOGITS)
    expected = (-0.9 * scores[np.arange(5), LABELS] - 0.1 * scores.mean(1)).mean()
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)(mt.from_numpy(LOGITS), mt.from_numpy(LABELS))
    assert loss.item() == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_squared_error_and_binary_cross_entropy_equal_their_closed_forms(reduction):
    x, y = LOGITS, np.random.default_rng(2).uniform(size=(5, 3))
    squared = nn.MSELoss(reduction=reduction)(mt.from_numpy(x), mt.from_numpy(y))
    np.testing.assert_allclose(squared.numpy(), reduced((x - y) ** 2, reduction, 15), rtol=1e-13)
    probability = 1 / (1 + np.exp(-x))
    losses = -2 * (WEIGHT * y * np.log(probability) + (1 - y) * np.log1p(-probability))
    module = nn.BCEWithLogitsLoss(
        weight=mt.tensor([2.0], dtype=mt.float64),
        pos_weight=mt.from_numpy(WEIGHT),
        reduction=reduction,
    )
    value = module(mt.from_numpy(x), mt.from_numpy(y)).numpy()
    np.testing.assert_allclose(value, reduced(losses, reduction, 15), rtol=1e-11)


def test_weights_of_losses_are_buffers():
    module = nn.CrossEntropyLoss(weight=mt.ones(3))
    assert list(module.state_dict()) == ["weight"]
    assert module.double().weight.dtype == mt.float64
    assert list(nn.BCEWithLogitsLoss(pos_weight=mt.ones(1)).state_dict()) == ["pos_weight"]
    assert nn.NLLLoss().state_dict() == {}


@pytest.mark.parametrize(
    "kind", [nn.MSELoss, nn.CrossEntropyLoss, nn.NLLLoss, nn.BCEWithLogitsLoss]
)
def test_losses_name_the_legal_reductions(kind):
    message = f"{kind.__name__}: reduction must be 'none', 'mean' or 'sum', got 'average'"
    with pytest.raises(ValueError, match=message):
        kind(reduction="average")


def test_loss_arguments_are_checked_when_the_module_is_made():
    with pytest.raises(ValueError, match="label_smoothing must be between 0 and 1, got 2"):
        nn.CrossEntropyLoss(label_smoothing=2)
    with pytest.raises(TypeError, match="object to buffer 'weight'"):
        nn.CrossEntropyLoss(weight=[1.0, 2.0])


def test_bad_targets_are_named():
    loss = nn.CrossEntropyLoss()
    with pytest.raises(IndexError, match="target 7 at row 1 is out of range for 3 classes"):
        loss(mt.zeros(2, 3), mt.tensor([0, 7]))
    with pytest.raises(RuntimeError, match="integer"):
        loss(mt.zeros(2, 3), mt.tensor([0.0, 1.0]))


def test_modules_call_the_functions_of_their_name():
    x = mt.tensor(POINTS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind, function in ((nn.ReLU, F.relu), (nn.Tanh, F.tanh), (nn.Sigmoid, F.sigmoid)):
            assert kind()(x).tolist() == function(x).tolist()
