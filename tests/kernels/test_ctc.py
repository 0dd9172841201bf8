"""The kernels of connectionist temporal classification: both twins give the same."""

import numpy as np
import pytest

from microtensor import kernels
from microtensor.kernels import twin

RNG = np.random.default_rng(1)


def arguments(dtype, steps=9, count=5, classes=6, longest=3):
    x = RNG.normal(size=(steps, count, classes)).astype(dtype)
    targets = RNG.integers(1, classes, (count, longest))
    targets[0] = 2  # repetitions need a blank between them
    frames = np.array([steps, steps - 1, 2, 0, steps])
    lengths = np.array([longest, 2, longest, 0, 0])
    return x, targets, frames, lengths


def run(module, given, zero, g):
    x, targets, frames, lengths = given
    width = 2 * targets.shape[1] + 1
    alpha = np.empty((x.shape[0], x.shape[1], width))
    out = np.empty(x.shape[1], x.dtype)
    module.ctc(x, targets, frames, lengths, 0, zero, alpha, out)
    scratch = np.empty((x.shape[1], 2, width))
    slope = np.empty_like(x)
    module.ctc_backward(g, x, alpha, targets, frames, lengths, 0, zero, scratch, slope)
    return out, slope


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("zero", [True, False])
def test_both_twins_give_the_same(dtype, zero):
    given = arguments(dtype)
    g = RNG.normal(size=5).astype(dtype)
    with np.errstate(all="ignore"):
        expected = run(twin, given, zero, g)
    tolerance = 1e-6 if dtype is np.float32 else 1e-12
    for found, other in zip(run(kernels, given, zero, g), expected, strict=True):
        np.testing.assert_allclose(found, other, rtol=tolerance, atol=tolerance)
    assert np.isinf(expected[0][2]) != zero  # too few frames


def test_the_same_bits_for_every_number_of_threads():
    given = arguments(np.float32, steps=300, longest=40)
    g = np.ones(5, np.float32)
    before = kernels.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            kernels.set_num_threads(threads)
            results.append(run(kernels, given, False, g))
    finally:
        kernels.set_num_threads(before)
    for result in results[1:]:
        for one, other in zip(results[0], result, strict=True):
            np.testing.assert_array_equal(one, other)


def test_labels_out_of_range_write_nothing_beyond_their_arrays():
    x, targets, frames, lengths = arguments(np.float64)
    targets[1, 0] = 6
    with pytest.raises(IndexError, match=r"target 6 .*6 classes"):
        run(kernels, (x, targets, frames, lengths), False, np.ones(5))
    targets[1, 0] = 1
    targets[1, 2] = 99  # beyond the length: not read
    run(kernels, (x, targets, frames, lengths), False, np.ones(5))
