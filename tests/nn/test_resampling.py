"""Interpolation, sampling by grids, shuffling: what holds without PyTorch to compare with."""

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor.autograd import gradcheck, gradgradcheck

SHAPES = {1: (2, 2, 5), 2: (1, 2, 3, 4), 3: (1, 1, 2, 3, 2)}
MODES = [
    ("nearest", 2),
    ("area", 2),
    ("linear", 1),
    ("bilinear", 2),
    ("bicubic", 2),
    ("trilinear", 3),
]


@pytest.mark.parametrize(("mode", "dims"), MODES)
def test_gradients_of_first_and_second_order(mode, dims):
    x = mt.tensor(np.random.default_rng(0).normal(size=SHAPES[dims]), requires_grad=True)
    for size in ((7, 2, 3)[:dims], (2, 6, 5)[:dims]):
        assert gradcheck(lambda t, size=size: F.interpolate(t, size, mode=mode), (x,))
        assert gradgradcheck(lambda t, size=size: F.interpolate(t, size, mode=mode) ** 2, (x,))


@pytest.mark.parametrize("aligned", [False, True])
def test_linear_modes_keep_straight_lines(aligned):
    x = mt.arange(5.0, dtype=mt.float64).reshape(1, 1, 5)
    y = F.interpolate(x, 9, mode="linear", align_corners=aligned)[0, 0]
    expected = (
        np.linspace(0, 4, 9) if aligned else np.clip((np.arange(9) + 0.5) * 5 / 9 - 0.5, 0, 4)
    )
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-14)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_area_keeps_what_is_not_finite_where_it_is(odd):
    # Eight windows over five elements: the fifth is in the last two of them alone.
    x = mt.tensor([[[1.0, 2.0, 3.0, 4.0, odd]]])
    y = F.interpolate(x, 8, mode="area")[0, 0].numpy()
    np.testing.assert_array_equal(y, [1, 1.5, 2, 2.5, 3.5, 4, odd, odd])


def test_area_gives_means_of_what_is_covered():
    x = mt.arange(6.0).reshape(1, 1, 6)
    assert F.interpolate(x, 3, mode="area").tolist() == [[[0.5, 2.5, 4.5]]]
    assert F.interpolate(x, 4, mode="area").tolist() == [[[0.5, 1.5, 3.5, 4.5]]]


def test_nearest_takes_any_dtype_and_the_others_refuse_integers():
    x = mt.tensor([[[1, 2]]])
    assert F.interpolate(x, 4).tolist() == [[[1, 1, 2, 2]]]
    assert F.interpolate(x.bool(), scale_factor=2).dtype == mt.bool
    with pytest.raises(RuntimeError, match="int64"):
        F.interpolate(x, 4, mode="linear")


def test_nan_reaches_its_neighbours_alone():
    x = mt.tensor([[[1.0, float("nan"), 3.0, 4.0]]])
    y = F.interpolate(x, 8, mode="linear")[0, 0]
    assert y.isnan().tolist() == [True] * 5 + [False] * 3


def test_the_same_size_gives_a_copy():
    x = mt.ones(1, 1, 3)
    for mode in ("nearest", "linear", "area"):
        F.interpolate(x, 3, mode=mode).zero_()
    assert x.sum() == 3


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (((1, 1, 4),), {}, ValueError, "either size or scale_factor"),
        (((1, 1, 4), 3, 2.0), {}, ValueError, "only one of"),
        (((1, 1, 4), (3, 3)), {}, ValueError, "spatial dimensions"),
        (((1, 1, 4), 3), {"mode": "bilinear"}, NotImplementedError, "4"),
        (((1, 1, 4), 3), {"mode": "lanczos"}, NotImplementedError, "'bicubic'"),
        (((1, 1, 4), 3), {"align_corners": False}, ValueError, "align_corners"),
        (((1, 1, 4, 4), 3), {"antialias": True}, ValueError, "bilinear and bicubic"),
        (((1, 1, 4), 0), {}, RuntimeError, "greater than 0"),
    ],
)
def test_bad_arguments_are_named(arguments, options, error, words):
    shape, *rest = arguments
    with pytest.raises(error, match=words):
        F.interpolate(mt.zeros(*shape), *rest, **options)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(("mode", "dims"), [("bilinear", 2), ("bicubic", 2), ("bilinear", 3)])
def test_grid_sample_has_gradients_of_both_orders_for_both_inputs(mode, dims, padding):
    rng = np.random.default_rng(3)
    x = mt.tensor(rng.normal(size=(1, 1, 3, 2, 2)[: 2 + dims]), requires_grad=True)
    grid = mt.tensor(rng.uniform(-1.3, 1.3, (1, *(1, 2, 1)[:dims], dims)), requires_grad=True)

    def sample(t, g):
        return F.grid_sample(t, g, mode, padding, align_corners=False)

    assert gradcheck(sample, (x, grid))
    assert gradgradcheck(sample, (x, grid))


def test_an_unchanged_grid_gives_the_image_back():
    x = mt.randn(2, 3, 4, 5, dtype=mt.float64)
    same = mt.tensor([[[1.0, 0, 0], [0, 1, 0]]] * 2, dtype=mt.float64)
    for aligned in (False, True):
        grid = F.affine_grid(same, x.shape, align_corners=aligned)
        for mode in ("bilinear", "nearest", "bicubic"):
            found = F.grid_sample(x, grid, mode, align_corners=aligned)
            np.testing.assert_allclose(found.numpy(), x.numpy(), atol=1e-13)


def test_shuffling_back_gives_what_was_there():
    x = mt.randn(2, 8, 3, 4)
    assert mt.equal(F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), x)
    assert mt.equal(F.channel_shuffle(F.channel_shuffle(x, 2), 4), x)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialiased_images_are_linear_where_they_were_and_grey_from_afar(mode):
    x = mt.linspace(0, 1, 64, dtype=mt.float64).expand(1, 1, 64, 64)
    small = F.interpolate(x, 8, mode=mode, antialias=True)[0, 0, 4]
    np.testing.assert_allclose(small.diff()[2:-2].numpy(), 8 / 63, rtol=1e-9)
    board = (mt.arange(64)[:, None] + mt.arange(64)).remainder(2).double()[None, None]
    grey = F.interpolate(board, 8, mode=mode, antialias=True)[0, 0, 2:-2, 2:-2]
    np.testing.assert_allclose(grey.numpy(), 0.5, atol=1e-2)
    image = mt.randn(1, 2, 5, 7, dtype=mt.float64, requires_grad=True)
    assert mt.autograd.gradcheck(
        lambda t: F.interpolate(t, (2, 9), mode=mode, antialias=True), (image,)
    )


def test_the_filter_leaves_bilinear_images_that_grow_as_they_are():
    x = mt.randn(1, 1, 8, 8, dtype=mt.float64)
    large, filtered = (
        F.interpolate(x, 20, mode="bilinear", antialias=antialias) for antialias in (False, True)
    )
    np.testing.assert_allclose(filtered.numpy(), large.numpy(), atol=1e-14)
