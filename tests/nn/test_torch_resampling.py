"""Interpolation, sampling by grids and shuffling beside PyTorch's."""

import itertools
import warnings

import numpy as np
import pytest

import microtensor as mt

torch = pytest.importorskip("torch")


def compare(call, *arrays, dtype="float64", tolerance=1e-12):
    """Values, and gradients of a sum that is not the same everywhere."""
    results = []
    for library in (mt, torch):
        given = [library.tensor(a.astype(dtype), requires_grad=True) for a in arrays]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = call(library.nn.functional, *given)
        (out * out.detach().cos()).sum().backward()
        results.append([out, *(each.grad for each in given)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(
            ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance
        )


SHAPES = {1: (2, 3, 7), 2: (2, 2, 5, 4), 3: (1, 2, 3, 4, 2)}
MODES = [("nearest", d) for d in (1, 2, 3)] + [("nearest-exact", d) for d in (1, 2, 3)]
MODES += [("area", d) for d in (1, 2, 3)]
MODES += [("linear", 1), ("bilinear", 2), ("bicubic", 2), ("trilinear", 3)]


@pytest.mark.parametrize(("mode", "dims"), MODES)
def test_interpolate(mode, dims):
    x = np.random.default_rng(0).normal(size=SHAPES[dims])
    whole = mode in ("area", "nearest", "nearest-exact")
    for options in (
        {"size": (9, 3, 5)[:dims]},
        {"size": 4},
        {"scale_factor": 2},
        # No factor that happens to double a length: there PyTorch's nearest ignores the factor in
        # some of its kernels, in one direction only.
        {"scale_factor": (1.7, 0.6, 2.9)[:dims]},
        {"scale_factor": 1.7, "recompute_scale_factor": True},
        {"size": 1},
    ):
        for aligned in (None,) if whole else (None, True):
            compare(
                lambda F, t, o=options, a=aligned: F.interpolate(
                    t, mode=mode, align_corners=a, **o
                ),
                x,
            )


def test_interpolate_in_float32_reads_the_same_elements():
    x = np.arange(200.0).reshape(1, 1, 200)
    for after, mode in itertools.product((67, 133, 381), ("nearest", "nearest-exact", "linear")):
        compare(
            lambda F, t, n=after, m=mode: F.interpolate(t, size=n, mode=m),
            x,
            dtype="float32",
            tolerance=1e-4,
        )


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(
    ("mode", "dims"),
    [("bilinear", 2), ("nearest", 2), ("bicubic", 2), ("bilinear", 3), ("nearest", 3)],
)
@pytest.mark.parametrize("aligned", [False, True])
def test_grid_sample(mode, dims, padding, aligned):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 5, 4, 3)[: 2 + dims])
    grid = rng.uniform(-2.6, 2.6, (*(2, 3, 4, 2, 3)[: 1 + dims], dims))
    compare(
        lambda F, t, g: F.grid_sample(t, g, mode, padding, align_corners=aligned),
        x,
        grid,
        tolerance=1e-10,
    )


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_grid_sample_at_the_edges_themselves(padding):
    places = np.linspace(-3, 3, 13)
    grid = np.stack(np.meshgrid(places, places), -1)[None]
    x = np.random.default_rng(0).normal(size=(1, 1, 3, 3))
    for aligned in (False, True):
        compare(
            lambda F, t, g, a=aligned: F.grid_sample(t, g, "bilinear", padding, align_corners=a),
            x,
            grid,
        )


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("dims", [2, 3])
def test_grid_sample_where_the_grid_is_not_finite(dims, mode, padding):
    if mode == "bicubic" and dims == 3:
        return
    x = np.random.default_rng(0).normal(size=(1, 2, *[3] * dims))
    grid = np.zeros((1, *[1] * (dims - 1), 7, dims))
    for place, value in enumerate((np.nan, np.inf, -np.inf)):
        grid[..., place, 0] = value
        grid[..., place + 3, 1] = value
    for aligned in (False, True):
        found, wanted = (
            library.nn.functional.grid_sample(
                library.tensor(x), library.tensor(grid), mode, padding, align_corners=aligned
            ).numpy()
            for library in (mt, torch)
        )
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 3, 1, 2)])
@pytest.mark.parametrize("aligned", [False, True])
def test_affine_grid(size, aligned):
    dims = len(size) - 2
    theta = np.random.default_rng(0).normal(size=(2, dims, dims + 1))
    compare(lambda F, t: F.affine_grid(t, size, align_corners=aligned), theta)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("pixel_shuffle", (2, 8, 3, 2)),
        ("pixel_unshuffle", (2, 2, 4, 6)),
        ("channel_shuffle", (2, 6, 3)),
        ("pixel_shuffle", (4, 3, 2)),
    ],
)
def test_shuffling(name, shape):
    x = np.random.default_rng(0).normal(size=shape)
    compare(lambda F, t: getattr(F, name)(t, 2), x)


@pytest.mark.parametrize(
    "text",
    [
        "nn.Upsample(scale_factor=2)",
        "nn.Upsample((3, 4), mode='bilinear', align_corners=True)",
        "nn.Upsample(scale_factor=(2, 3))",
        "nn.UpsamplingBilinear2d(scale_factor=2)",
        "nn.UpsamplingNearest2d(4)",
        "nn.Unflatten(1, (2, 2))",
        "nn.PixelShuffle(2)",
        "nn.PixelUnshuffle(2)",
        "nn.ChannelShuffle(2)",
        "nn.CosineSimilarity()",
        "nn.PairwiseDistance(1)",
    ],
)
def test_layers_print_and_compute_the_same(text):
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 8))
    results = []
    for library in (mt, torch):
        module = eval(text, {"nn": library.nn})
        two = "Cosine" in text or "Pairwise" in text
        given = library.tensor(x)
        results.append((repr(module), module(given, given.sin()) if two else module(given)))
    assert results[0][0] == results[1][0]
    np.testing.assert_allclose(results[0][1].numpy(), results[1][1].numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    "call",
    [
        lambda lib, F: F.interpolate(lib.zeros(1, 1, 4)),
        lambda lib, F: F.interpolate(lib.zeros(1, 1, 4), 3, 2.0),
        lambda lib, F: F.interpolate(lib.zeros(1, 1, 4), (3, 3)),
        lambda lib, F: F.interpolate(lib.zeros(1, 1, 4), scale_factor=(2.0, 3.0)),
        lambda lib, F: F.interpolate(lib.zeros(1, 1, 4), 3, mode="bilinear"),
        lambda lib, F: F.interpolate(lib.zeros(1, 4), 3),
        lambda lib, F: F.interpolate(lib.zeros(1, 1, 4), 3, align_corners=True),
        lambda lib, F: F.interpolate(lib.zeros(1, 1, 4), 3, recompute_scale_factor=True),
        lambda lib, F: F.interpolate(lib.zeros(1, 1, 4), 3, mode="linear", antialias=True),
        lambda lib, F: F.interpolate(lib.zeros(1, 1, 4), 0),
        lambda lib, F: F.interpolate(lib.zeros(1, 1, 4), "3"),
        lambda lib, F: F.grid_sample(lib.zeros(1, 1, 4, 4), lib.zeros(2, 3, 3, 2)),
        lambda lib, F: F.grid_sample(lib.zeros(1, 1, 4, 4), lib.zeros(1, 3, 3, 3)),
        lambda lib, F: F.grid_sample(lib.zeros(1, 1, 4, 4), lib.zeros(1, 3, 3, 2), "linear"),
        lambda lib, F: F.grid_sample(
            lib.zeros(1, 1, 4, 4), lib.zeros(1, 3, 3, 2), padding_mode="x"
        ),
        lambda lib, F: F.affine_grid(lib.zeros(1, 2, 2), (1, 2, 3, 4)),
        lambda lib, F: F.affine_grid(lib.zeros(1, 2, 3), (1, 2, 3)),
        lambda lib, F: F.pixel_shuffle(lib.zeros(1, 3, 2, 2), 2),
        lambda lib, F: F.pixel_unshuffle(lib.zeros(1, 3, 3, 2), 2),
        lambda lib, F: F.channel_shuffle(lib.zeros(1, 3, 2), 2),
        lambda lib, F: lib.nn.Unflatten(1, 3),
        lambda lib, F: lib.nn.Unflatten(1, (1.5, 2)),
    ],
)
def test_errors_are_of_the_same_class(call):
    caught = []
    for library in (torch, mt):
        with warnings.catch_warnings(), pytest.raises(Exception) as error:
            warnings.simplefilter("ignore")
            call(library, library.nn.functional)
        caught.append(error.type)
    assert issubclass(caught[1], caught[0])


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("aligned", [None, True])
@pytest.mark.parametrize(
    "options",
    [
        {"size": (3, 4)},
        {"size": (20, 5)},
        {"scale_factor": (0.33, 2.0)},
        {"scale_factor": 0.6, "recompute_scale_factor": True},
    ],
)
def test_antialiased_interpolation(mode, aligned, options):
    x = np.random.default_rng(0).normal(size=(2, 3, 9, 7))
    compare(
        lambda F, t: F.interpolate(t, mode=mode, align_corners=aligned, antialias=True, **options),
        x,
    )
