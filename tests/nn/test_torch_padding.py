"""F.pad and the padding layers beside PyTorch's."""

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn

torch = pytest.importorskip("torch")

SHAPES = {1: (2, 3, 5), 2: (2, 2, 4, 5), 3: (1, 2, 3, 4, 5)}
WIDTHS = {1: (2, 1), 2: (-1, 2, 1, 0), 3: (1, 2, 0, -1, 2, 1)}


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_values_and_gradients_are_equal(mode, dims):
    x = np.random.default_rng(0).normal(size=SHAPES[dims])
    results = []
    for library in (mt, torch):
        given = library.tensor(x, requires_grad=True)
        out = library.nn.functional.pad(given, WIDTHS[dims], mode=mode)
        (out * out.detach().sin()).sum().backward()
        results.append((out.detach().numpy(), given.grad.numpy()))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("widths", [(-3, 3), (3, -3), (-2, -1), (-5, 0), (0, 0), (4, 4), (5, 0)])
def test_what_is_cut_and_what_is_refused_is_the_same(mode, widths):
    if mode == "circular" and min(widths) == -3:
        pytest.skip("PyTorch goes around more than is left, into memory that it has not written")
    x = np.arange(10.0).reshape(1, 2, 5)
    try:
        theirs = torch.nn.functional.pad(torch.tensor(x), widths, mode=mode).numpy()
    except RuntimeError:
        with pytest.raises(RuntimeError):
            mt.nn.functional.pad(mt.tensor(x), widths, mode=mode)
        return
    np.testing.assert_array_equal(mt.nn.functional.pad(mt.tensor(x), widths, mode).numpy(), theirs)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Constant", "Zero", "Reflection", "Replication", "Circular"])
def test_layers_print_alike(kind, dims):
    value = (3.5,) if kind == "Constant" else ()
    for padding in (2, tuple(range(2 * dims))):
        ours, theirs = (
            getattr(library, f"{kind}Pad{dims}d")(padding, *value) for library in (nn, torch.nn)
        )
        assert repr(ours) == repr(theirs)
