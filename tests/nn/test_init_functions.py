"""Initialisation: distributions, closed forms, reproducibility, and errors."""

import math
from statistics import NormalDist

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.nn import init

N = 200


def filled(function, *args, shape=(N, N), dtype=mt.float64, seed=0, **kwargs):
    tensor = mt.empty(*shape, dtype=dtype)
    generator = mt.Generator().manual_seed(seed)
    result = function(tensor, *args, generator=generator, **kwargs)
    assert result is tensor
    return tensor.numpy()


def check_moments(values, mean, std):
    """Mean and deviation within five of their own deviations (kurtosis at most the normal's)."""
    assert abs(values.mean() - mean) < 5 * std / math.sqrt(values.size)
    assert abs(values.std() / std - 1) < 5 / math.sqrt(2 * values.size)


def test_uniform_and_normal_have_their_moments():
    values = filled(init.uniform_, -1.0, 3.0)
    assert values.min() >= -1
    assert values.max() < 3
    check_moments(values, 1.0, 4 / math.sqrt(12))
    check_moments(filled(init.normal_, 2.0, 0.5), 2.0, 0.5)


@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_xavier_has_the_deviation_of_glorot_and_bengio(gain):
    shape = (100, 400)
    std = gain * math.sqrt(2 / 500)
    values = filled(init.xavier_uniform_, gain, shape=shape)
    check_moments(values, 0, std)
    assert np.abs(values).max() <= gain * math.sqrt(6 / 500)
    check_moments(filled(init.xavier_normal_, gain, shape=shape), 0, std)


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 40 * 9), ("fan_out", 100 * 9)])
@pytest.mark.parametrize(
    ("nonlinearity", "a", "gain"),
    [("relu", 0, math.sqrt(2)), ("leaky_relu", 0.5, math.sqrt(2 / 1.25)), ("linear", 0, 1)],
)
def test_kaiming_has_the_deviation_of_he(mode, fan, nonlinearity, a, gain):
    options = {"a": a, "mode": mode, "nonlinearity": nonlinearity}
    std = gain / math.sqrt(fan)
    values = filled(init.kaiming_uniform_, shape=(100, 40, 3, 3), **options)
    check_moments(values, 0, std)
    assert np.abs(values).max() <= math.sqrt(3) * std
    check_moments(filled(init.kaiming_normal_, shape=(100, 40, 3, 3), **options), 0, std)


def test_gains_are_those_of_the_table():
    assert [init.calculate_gain(n) for n in ("linear", "conv2d", "sigmoid", "selu")] == [
        1,
        1,
        1,
        0.75,
    ]
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / (1 + 0.01**2))
    with pytest.raises(ValueError, match=r"Unsupported nonlinearity swish; supported are linear"):
        init.calculate_gain("swish")
    with pytest.raises(ValueError, match="not a valid number"):
        init.calculate_gain("leaky_relu", "steep")


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3), (1, 1)])
@pytest.mark.parametrize("dtype", [mt.float32, mt.float64])
def test_orthogonal_rows_or_columns_are_orthonormal(shape, dtype):
    values = filled(init.orthogonal_, 2.0, shape=shape, dtype=dtype)
    matrix = values.reshape(shape[0], -1).astype(np.float64) / 2
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    tolerance = 1e-6 if dtype == mt.float32 else 1e-14
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=tolerance)


def test_orthogonal_matrices_are_uniform():
    # Under the uniform distribution over O(2) the first entry is cos of a uniform angle, with
    # mean 0 and variance 1/2, and the determinant is 1 or -1 equally often.
    draws = [filled(init.orthogonal_, shape=(2, 2), seed=seed).copy() for seed in range(1000)]
    first = np.array([m[0, 0] for m in draws])
    check_moments(first, 0, math.sqrt(0.5))
    signs = np.array([np.linalg.det(m) for m in draws])
    assert abs(signs.mean()) < 5 / math.sqrt(1000)


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [
        (0.0, 1.0, -2.0, 2.0),  # rejection
        (1.0, 2.0, -1.0, math.inf),
        (0.0, 1.0, 1.5, 2.0),  # inversion
        (0.0, 1.0, 9.0, 11.0),  # the upper tail, where probabilities round to 1
        (0.0, 1.0, -math.inf, -6.0),
        (3.0, 10.0, -2.0, 2.0),
    ],
)
def test_truncated_normal_has_the_moments_of_its_condition(mean, std, a, b):
    values = filled(init.trunc_normal_, mean, std, a, b)
    assert values.min() >= a
    assert values.max() <= b
    low, high = (a - mean) / std, (b - mean) / std

    def tail(x):  # the upper one, where it is small
        return 0.5 * math.erfc(x / math.sqrt(2))

    def density(x):
        return 0.0 if math.isinf(x) else NormalDist().pdf(x)

    def moment(x):
        return 0.0 if math.isinf(x) else x * density(x)

    mass = tail(low) - tail(high) if low > 0 else tail(-high) - tail(-low)
    shift = (density(low) - density(high)) / mass
    variance = 1 + (moment(low) - moment(high)) / mass - shift**2
    sample_mean, sample_std = (values.mean() - mean) / std, values.std() / std
    assert abs(sample_mean - shift) < 5 * math.sqrt(variance / values.size)
    # An exponential tail, the heaviest of these, has kurtosis 9: the variance of the sample
    # variance is then 8/n of its square.
    assert abs(sample_std**2 / variance - 1) < 5 * math.sqrt(8 / values.size)


def test_truncated_normal_survives_tails_that_hold_nothing():
    values = filled(init.trunc_normal_, 0.0, 1.0, 50.0, 60.0, shape=(3, 3))
    assert values.min() >= 50
    assert values.max() <= 60


def test_truncated_normal_stays_within_bounds_in_float32():
    values = filled(init.trunc_normal_, 0.0, 1.0, -1.0, 0.5, dtype=mt.float32)
    assert values.min() >= np.float32(-1)
    assert values.max() <= np.float32(0.5)


def test_constants_identity_and_dirac():
    x = mt.empty(2, 3)
    assert init.constant_(x, 0.25).tolist() == [[0.25] * 3] * 2
    assert init.ones_(x).tolist() == [[1] * 3] * 2
    assert init.zeros_(x).tolist() == [[0] * 3] * 2
    assert init.eye_(x).tolist() == [[1, 0, 0], [0, 1, 0]]
    for shape in ((4, 2, 3), (4, 2, 3, 5), (4, 2, 3, 5, 3)):
        values = init.dirac_(mt.ones(*shape), groups=2).numpy()
        centre = tuple(n // 2 for n in shape[2:])
        np.testing.assert_array_equal(values[(..., *centre)], [[1, 0], [0, 1], [1, 0], [0, 1]])
        assert values.sum() == 4


def test_sparse_zeroes_the_same_number_in_every_column():
    values = filled(init.sparse_, 0.33, std=2.0, shape=(10, 300))
    assert ((values == 0).sum(0) == 4).all()
    assert values[values != 0].std() == pytest.approx(2.0, rel=0.1)
    # Rows share the zeros evenly: 120 expected of 300, deviation sqrt(300·0.4·0.6) = 8.5.
    assert np.abs((values == 0).sum(1) - 120).max() < 5 * 8.5


RANDOM = [
    init.uniform_,
    init.normal_,
    init.trunc_normal_,
    init.xavier_uniform_,
    init.xavier_normal_,
    init.kaiming_uniform_,
    init.kaiming_normal_,
    init.orthogonal_,
    lambda t, generator=None: init.sparse_(t, 0.5, generator=generator),
]


@pytest.mark.parametrize("function", RANDOM)
def test_random_initialisation_repeats_with_its_seed(function):
    first = filled(function, shape=(6, 4), seed=3).copy()
    assert (filled(function, shape=(6, 4), seed=3) == first).all()
    assert (filled(function, shape=(6, 4), seed=4) != first).any()
    mt.manual_seed(3)
    assert (function(mt.empty(6, 4, dtype=mt.float64)).numpy() == first).all()


@pytest.mark.parametrize("function", [*RANDOM, init.ones_, init.eye_])
def test_parameters_are_filled_in_place_outside_the_graph(function):
    parameter = nn.Parameter(mt.zeros(4, 4))
    before = parameter._version
    function(parameter)
    assert parameter.is_leaf
    assert parameter.requires_grad
    assert parameter._version > before
    assert float(parameter.detach().abs().sum()) > 0


def test_non_contiguous_tensors_are_filled():
    whole = mt.zeros(4, 6)
    init.ones_(whole[:, ::2])
    init.orthogonal_(whole.T[1::2])
    assert whole.numpy()[:, ::2].sum() == 12
    assert (whole.numpy()[:, 1::2] != 0).any()


def test_empty_tensors_are_left_alone():
    for function in RANDOM[:5] + RANDOM[7:]:
        assert function(mt.empty(0, 3)).shape == (0, 3)
    for function in (init.kaiming_uniform_, init.kaiming_normal_):
        with pytest.warns(UserWarning, match="zero-element tensors is a no-op"):
            function(mt.empty(0, 3))


@pytest.mark.parametrize(
    ("action", "error", "words"),
    [
        (lambda: init.uniform_(mt.zeros(2), 1, 0), ValueError, "a must not be greater than b"),
        (lambda: init.normal_(mt.zeros(2), 0, -1), ValueError, "std must not be negative"),
        (lambda: init.trunc_normal_(mt.zeros(2), a=1, b=1), ValueError, "a must be less than b"),
        (lambda: init.trunc_normal_(mt.zeros(2), std=0), ValueError, "std must be positive"),
        (lambda: init.uniform_(mt.zeros(2, dtype=mt.int64)), TypeError, "floating-point.*int64"),
        (lambda: init.orthogonal_(mt.zeros(2)), ValueError, "2 or more dimensions, got 1"),
        (lambda: init.eye_(mt.zeros(2)), ValueError, "must have 2 dimensions, got 1"),
        (lambda: init.dirac_(mt.zeros(2, 2)), ValueError, "3 or 4 or 5 dimensions, got 2"),
        (lambda: init.dirac_(mt.zeros(3, 2, 2), 2), ValueError, "divisible by groups"),
        (lambda: init.sparse_(mt.zeros(2, 2), 1.5), ValueError, "between 0 and 1, got 1.5"),
        (lambda: init.xavier_normal_(mt.zeros(2)), ValueError, "fewer than 2 dimensions, got 1"),
        (
            lambda: init.kaiming_normal_(mt.zeros(2, 2), mode="fan"),
            ValueError,
            r"Mode fan not supported, please use one of \['fan_in', 'fan_out'\]",
        ),
        (
            lambda: init.normal_(mt.zeros(2), generator=3),
            TypeError,
            "generator must be a Generator or None, not int",
        ),
    ],
)
def test_bad_arguments_are_named(action, error, words):
    with pytest.raises(error, match=words):
        action()


@pytest.mark.parametrize(
    ("old", "arguments"),
    [("constant", (2.0,)), ("xavier_uniform", ()), ("kaiming_normal", ()), ("orthogonal", ())],
)
def test_old_names_warn_and_do_the_same(old, arguments):
    with pytest.warns(FutureWarning, match=f"nn.init.{old}_`"):
        mt.manual_seed(0)
        values = getattr(init, old)(mt.empty(3, 4), *arguments)
    mt.manual_seed(0)
    wanted = getattr(init, f"{old}_")(mt.empty(3, 4), *arguments)
    np.testing.assert_array_equal(values, wanted)
