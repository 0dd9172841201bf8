"""Softmax cross-entropy and its gradient, against a plain transcription of the definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from kernel_cases import (
    IMPLEMENTATIONS,
    LAYOUTS,
    each_dtype,
    each_implementation,
    numbers,
    tolerance,
)

NONE, MEAN, SUM = 0, 1, 2
IGNORED = -100


def _forward(implementation, x, target, weight, smoothing, reduction, ignored=IGNORED):
    rows = x.shape[0]
    log_sum, total = np.full(rows, 7, x.dtype), np.full(1, 7, x.dtype)
    out = np.full(rows if reduction == NONE else 1, 7, x.dtype)
    IMPLEMENTATIONS[implementation]["cross_entropy"](
        x, target, weight, ignored, smoothing, reduction, log_sum, total, out
    )
    return log_sum, total, out


def _backward(implementation, g, x, target, weight, smoothing, reduction, ignored=IGNORED):
    log_sum, total, _ = _forward(implementation, x, target, weight, smoothing, reduction, ignored)
    out = np.full(x.shape, 7, x.dtype)
    IMPLEMENTATIONS[implementation]["cross_entropy_backward"](
        g, x, target, weight, ignored, smoothing, reduction, log_sum, total, out
    )
    return out


def _log_softmax(x):
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _reference(x, target, weight, smoothing, reduction, ignored=IGNORED):
    """Give the loss in float64, row by row and class by class."""
    x = x.astype(np.longdouble)
    rows, classes = x.shape
    weight = np.ones(classes) if weight is None else weight.astype(np.longdouble)
    z = _log_softmax(x)
    losses, total = [], 0.0
    for i in range(rows):
        if target[i] == ignored:
            losses.append(0.0)
            continue
        total += weight[target[i]]
        smooth = -sum(weight[j] * z[i, j] for j in range(classes)) / classes
        losses.append(-(1 - smoothing) * weight[target[i]] * z[i, target[i]] + smoothing * smooth)
    if reduction == NONE:
        return np.array(losses)
    return np.array([sum(losses) / (total if reduction == MEAN else 1)])


CASES = list(itertools.product([False, True], [0.0, 0.3, 1.0], [NONE, MEAN, SUM]))
settings = pytest.mark.parametrize(("weighted", "smoothing", "reduction"), CASES)


def _problem(rows, classes, dtype, weighted):
    x = numbers((rows, classes), dtype)
    target = np.random.default_rng(3).integers(0, classes, rows)
    target[1::4] = IGNORED
    weight = np.linspace(0.5, 2, classes).astype(dtype) if weighted else None
    return x, target, weight


@each_implementation
@each_dtype
@settings
@pytest.mark.parametrize("shape", [(1, 1), (9, 2), (40, 10), (3, 40), (2, 1100)])
def test_loss(implementation, dtype, weighted, smoothing, reduction, shape):
    x, target, weight = _problem(*shape, dtype, weighted)
    log_sum, total, out = _forward(implementation, x, target, weight, smoothing, reduction)
    expected = _reference(x, target, weight, smoothing, reduction)
    np.testing.assert_allclose(out, expected.astype(dtype), **tolerance(dtype))
    wide = x.astype(np.float64)
    np.testing.assert_allclose(log_sum, np.log(np.exp(wide).sum(axis=1)), **tolerance(dtype))
    counted = target != IGNORED
    chosen = np.ones(counted.sum()) if weight is None else weight[target[counted]]
    np.testing.assert_allclose(total, [chosen.sum(dtype=np.float64)], rtol=1e-6)


@each_implementation
@settings
@pytest.mark.parametrize("shape", [(9, 2), (6, 10), (3, 40)])
def test_gradient_against_differences(implementation, weighted, smoothing, reduction, shape):
    x, target, weight = _problem(*shape, np.float64, weighted)
    g = numbers(shape[0] if reduction == NONE else 1, np.float64, seed=5)
    got = _backward(implementation, g, x, target, weight, smoothing, reduction)
    expected = np.empty_like(x)
    h = 1e-6
    for index in np.ndindex(*shape):
        above, below = x.copy(), x.copy()
        above[index] += h
        below[index] -= h
        ends = [
            (g * _reference(moved, target, weight, smoothing, reduction)).sum()
            for moved in (above, below)
        ]
        expected[index] = (ends[0] - ends[1]) / (2 * h)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)


@each_implementation
@settings
@pytest.mark.parametrize("shape", [(40, 10), (2, 1100)])
def test_float32_gradient_agrees_with_float64(
    implementation, weighted, smoothing, reduction, shape
):
    x, target, weight = _problem(*shape, np.float32, weighted)
    g = numbers(shape[0] if reduction == NONE else 1, np.float32, seed=5)
    wide = None if weight is None else weight.astype(np.float64)
    exact = _backward(
        "numpy", g.astype(np.float64), x.astype(np.float64), target, wide, smoothing, reduction
    )
    got = _backward(implementation, g, x, target, weight, smoothing, reduction)
    np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-5)


@each_implementation
@each_dtype
def test_huge_logits(implementation, dtype):
    """log Σ exp x is rounded coarsely here; neither loss nor gradient may be."""
    x = np.array([[1e4, 1e4 + 1, 1e4 - 2], [-1e4, 0, 1e4], [3e30, 0, -3e30]], dtype)
    target = np.array([0, 2, 1])
    _, _, loss = _forward(implementation, x, target, None, 0.0, NONE)
    expected = _reference(x, target, None, 0.0, NONE)
    np.testing.assert_allclose(loss, expected.astype(dtype), rtol=1e-5)
    gradient = _backward(implementation, np.ones(3, dtype), x, target, None, 0.0, NONE)
    p = np.exp(_log_softmax(x.astype(np.float64)))
    p[np.arange(3), target] -= 1
    np.testing.assert_allclose(gradient, p, rtol=1e-5, atol=1e-7)


@each_implementation
@each_dtype
@pytest.mark.parametrize("ignored", [IGNORED, 1])
def test_ignored_rows_have_no_loss_and_no_gradient(implementation, dtype, ignored):
    x = numbers((4, 3), dtype)
    x[2] = np.nan
    target = np.array([0, ignored, ignored, 2])
    _, total, loss = _forward(implementation, x, target, None, 0.2, NONE, ignored)
    assert loss[1] == 0 and loss[2] == 0 and total[0] == 2
    gradient = _backward(implementation, np.ones(4, dtype), x, target, None, 0.2, NONE, ignored)
    assert not gradient[1:3].any() and gradient[0].any()


@each_implementation
@each_dtype
def test_nothing_counted_has_a_mean_of_nan_and_a_sum_of_zero(implementation, dtype):
    for rows in (0, 2):
        x, target = numbers((rows, 3), dtype), np.full(rows, IGNORED)
        assert np.isnan(_forward(implementation, x, target, None, 0.0, MEAN)[2][0])
        assert _forward(implementation, x, target, None, 0.0, SUM)[2][0] == 0
        gradient = _backward(implementation, np.ones(1, dtype), x, target, None, 0.0, MEAN)
        assert not gradient.any()


@each_implementation
def test_no_classes_at_all(implementation):
    x = np.zeros((2, 0))
    target = np.full(2, IGNORED)
    _, total, loss = _forward(implementation, x, target, None, 0.1, NONE)
    assert total[0] == 0 and not loss.any()
    assert _backward(implementation, np.ones(2), x, target, None, 0.1, NONE).shape == (2, 0)


@each_implementation
@each_dtype
@pytest.mark.parametrize("bad", [5, -1, -99, 2**40])
def test_labels_out_of_range_are_named(implementation, dtype, bad):
    target = np.array([0, IGNORED, 4, bad, 77])
    message = f"cross_entropy: target {bad} at row 3 is out of range for 5 classes"
    with pytest.raises(IndexError, match=message):
        _forward(implementation, numbers((5, 5), dtype), target, None, 0.0, MEAN)


@each_implementation
@each_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(implementation, dtype, layout):
    x, target, weight = _problem(6, 4, dtype, True)
    change = LAYOUTS[layout]
    expected = _forward(implementation, x, target, weight, 0.1, MEAN)
    got = _forward(implementation, change(x), change(target), change(weight), 0.1, MEAN)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, **tolerance(dtype))
    g = np.ones(1, dtype)
    np.testing.assert_allclose(
        _backward(implementation, g, change(x), change(target), change(weight), 0.1, MEAN),
        _backward(implementation, g, x, target, weight, 0.1, MEAN),
        **tolerance(dtype),
    )


@each_implementation
def test_labels_of_other_integer_types(implementation):
    x, target, _ = _problem(6, 4, np.float32, False)
    expected = _forward(implementation, x, target, None, 0.0, SUM)[2]
    for dtype in (np.int32, np.int8, np.longlong):
        got = _forward(implementation, x, target.astype(dtype), None, 0.0, SUM)[2]
        np.testing.assert_allclose(got, expected, rtol=1e-6)
