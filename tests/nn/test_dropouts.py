"""Dropout of channels, and alpha dropout."""

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn


@pytest.mark.parametrize(
    ("layer", "shape", "kept"),
    [
        (nn.Dropout1d, (50, 6, 4), 2),
        (nn.Dropout1d, (200, 4), 1),
        (nn.Dropout2d, (50, 6, 2, 3), 2),
        (nn.Dropout3d, (50, 6, 2, 2, 3), 2),
        (nn.Dropout3d, (200, 2, 2, 3), 1),
    ],
)
def test_whole_channels_are_dropped_and_the_others_scaled(layer, shape, kept):
    mt.manual_seed(0)
    x = mt.ones(shape, requires_grad=True)
    y = layer(0.25)(x)
    values = y.detach().numpy().reshape(*shape[:kept], -1)
    assert (values == values[..., :1]).all()
    assert np.unique(values) == pytest.approx([0, 4 / 3])
    assert 0.1 < (values[..., 0] == 0).mean() < 0.4
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())
    assert layer(0.25).eval()(x) is x


@pytest.mark.parametrize("layer", [nn.AlphaDropout, nn.FeatureAlphaDropout])
def test_alpha_dropout_keeps_mean_and_variance(layer):
    mt.manual_seed(0)
    x = mt.randn(400, 300, dtype=mt.float64)
    y = layer(0.3)(x)
    assert y.mean().item() == pytest.approx(0, abs=0.02)
    assert y.var().item() == pytest.approx(1, abs=0.02)
    assert layer(0.3).eval()(x) is x


def test_inplace_writes_into_the_input():
    x = mt.ones(4, 3, 2)
    assert F.dropout1d(x, 1.0, True, True) is x
    assert not x.any()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.Dropout2d(1.5), ValueError, "between 0 and 1"),
        (lambda: F.alpha_dropout(mt.ones(2), -0.1, True), ValueError, "between 0 and 1"),
        (lambda: F.dropout2d(mt.ones(2)), RuntimeError, "3D or 4D"),
        (lambda: F.dropout1d(mt.ones(2, 3).long()), RuntimeError, "int64"),
    ],
)
def test_errors_name_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize(
    ("function", "shape", "mask"),
    [
        (F.dropout2d, (6, 7), (6, 7)),
        (F.dropout2d, (6, 7, 2, 2, 2), (6, 7, 1, 1, 1)),
        (F.dropout3d, (20, 3), (20, 1)),
        (F.dropout3d, (20, 3, 2), (20, 1, 1)),
    ],
)
def test_other_ranks_warn_and_drop_what_they_do_in_pytorch(function, shape, mask):
    with pytest.warns(UserWarning, match=f"received a {len(shape)}D input, which is deprecated"):
        kept = function(mt.ones(shape)).numpy()
    first = kept[tuple(slice(0, n) for n in mask)]
    assert set(kept.ravel()) == {0, 2}
    np.testing.assert_array_equal(kept, np.broadcast_to(first, shape))
