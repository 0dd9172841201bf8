"""Pooling against loops over windows, with NaN, infinities, ties and windows at the border."""

import itertools
import math

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn
from microtensor.autograd import gradcheck, gradgradcheck

NAN, INF = float("nan"), float("inf")


def windows(sizes, kernel, stride, padding, dilation, ceil_mode):
    """For each output, in order, the places its window sees, and its length with the padding."""
    per_dimension = []
    for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True):
        found, start = [], -p
        while start + d * (k - 1) < n + p or (ceil_mode and start < n):
            places = [i for i in range(start, start + d * k, d) if 0 <= i < n]
            # what counts: up to the end of the padding
            found.append((places, len([i for i in range(start, start + d * k, d) if i < n + p])))
            start += s
            if not ceil_mode and start + d * (k - 1) >= n + p:
                break
            if ceil_mode and found and start - s + d * (k - 1) >= n + p - 1:
                break
        per_dimension.append(found)
    return per_dimension


def pooled(x, dims, kernel, stride, padding, dilation, ceil_mode, reduce):
    sizes = x.shape[-dims:]
    per_dimension = windows(sizes, kernel, stride, padding, dilation, ceil_mode)
    out = np.empty((*x.shape[:-dims], *map(len, per_dimension)))
    for place in itertools.product(*(range(len(f)) for f in per_dimension)):
        seen = [f[i] for f, i in zip(per_dimension, place, strict=True)]
        part = x[(..., *np.ix_(*(s[0] for s in seen)))].reshape(*x.shape[:-dims], -1)
        out[(..., *place)] = reduce(part, np.prod([s[1] for s in seen]))
    return out


# shape, kernel, stride, padding, dilation, ceil_mode
CASES = [
    ((2, 3, 9), (2,), (2,), (0,), (1,), False),
    ((2, 3, 10), (3,), (2,), (1,), (1,), True),
    ((3, 7), (3,), (1,), (1,), (2,), False),
    ((1, 1, 1), (1,), (1,), (0,), (1,), False),
    ((2, 5), (2,), (3,), (0,), (1,), True),  # gaps between windows
    ((2, 3, 8, 9), (2, 3), (2, 3), (1, 1), (1, 1), False),
    ((2, 3, 7, 80), (3, 3), (2, 1), (1, 1), (1, 1), True),
    ((3, 6, 6), (2, 2), (4, 4), (0, 0), (1, 1), False),
    ((2, 2, 9, 8), (3, 2), (1, 2), (1, 1), (2, 3), False),
    ((2, 2, 4, 5, 6), (2, 3, 2), (2, 1, 2), (1, 0, 1), (1, 1, 1), True),
]


@pytest.mark.parametrize("dtype", [mt.float64, mt.float32])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_max_pooling_gives_the_largest_and_where_it_is(case, dtype):
    shape, kernel, *rest, ceil_mode = case
    dims = len(kernel)
    rng = np.random.default_rng(0)
    x = mt.tensor(rng.permutation(int(np.prod(shape))).reshape(shape), dtype=dtype)
    x.requires_grad_()
    values, indices = getattr(F, f"max_pool{dims}d")(
        x, kernel, *rest, ceil_mode, return_indices=True
    )
    expected = pooled(
        x.detach().numpy(), dims, kernel, *rest, ceil_mode, lambda part, _: part.max(axis=-1)
    )
    np.testing.assert_array_equal(values.detach().numpy(), expected)
    planes = x.detach().numpy().reshape(*shape[:-dims], -1)
    flat = indices.numpy().reshape(*shape[:-dims], -1)
    np.testing.assert_array_equal(
        np.take_along_axis(planes, flat, -1).reshape(expected.shape), expected
    )
    g = rng.normal(size=expected.shape)
    values.backward(mt.tensor(g, dtype=dtype))
    wanted = np.zeros_like(planes)
    for lead in np.ndindex(*shape[:-dims]):
        np.add.at(wanted[lead], flat[lead], g.reshape(flat.shape)[lead])
    np.testing.assert_allclose(x.grad.numpy(), wanted.reshape(shape), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [True, False])
@pytest.mark.parametrize("case", [c for c in CASES if set(c[4]) == {1}], ids=str)
def test_average_pooling_divides_by_what_counts(case, count):
    shape, kernel, stride, padding, dilation, ceil_mode = case
    dims = len(kernel)
    x = np.random.default_rng(0).normal(size=shape)

    def mean(part, whole):
        return part.sum(axis=-1) / (whole if count else part.shape[-1])

    expected = pooled(x, dims, kernel, stride, padding, dilation, ceil_mode, mean)
    pool = getattr(F, f"avg_pool{dims}d")
    for dtype, tolerance in ((mt.float64, 1e-13), (mt.float32, 1e-5)):
        found = pool(mt.tensor(x, dtype=dtype), kernel, stride, padding, ceil_mode, count)
        np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance)
    if x.size < 200:
        tensor = mt.tensor(x, requires_grad=True)
        options = (kernel, stride, padding, ceil_mode, count)
        assert gradcheck(lambda t: pool(t, *options), (tensor,))
        assert gradgradcheck(lambda t: pool(t, *options) ** 2, (tensor,))


def test_a_divisor_of_ones_own():
    x = mt.ones(1, 1, 4, 4)
    assert np.allclose(F.avg_pool2d(x, 2, divisor_override=3), 4 / 3)
    assert np.allclose(F.avg_pool3d(mt.ones(1, 2, 2, 2), 2, divisor_override=-2), -4.0)


@pytest.mark.parametrize(
    ("shape", "outputs"),
    [((2, 7), (3,)), ((2, 2, 5), (8,)), ((2, 5, 7), (3, 2)), ((1, 2, 6, 4), (1, 1)),
     ((1, 4, 3, 5), (2, 3, 2)), ((2, 3, 4), (0, 2))],
)  # fmt: skip
def test_adaptive_pooling_divides_into_parts(shape, outputs):
    dims = len(outputs)
    x = np.random.default_rng(0).normal(size=shape)
    found = {}
    for kind in ("avg", "max"):
        pool = getattr(F, f"adaptive_{kind}_pool{dims}d")
        tensor = mt.tensor(x, requires_grad=True)
        y = pool(tensor, outputs)
        found[kind] = y.detach().numpy()
        assert gradcheck(lambda t, pool=pool: pool(t, outputs), (tensor,))
        assert gradgradcheck(lambda t, pool=pool: pool(t, outputs) ** 2, (tensor,))
    for place in itertools.product(*map(range, outputs)):
        part = tuple(
            slice(i * n // m, -(-(i + 1) * n // m))
            for i, n, m in zip(place, shape[-dims:], outputs, strict=True)
        )
        seen = x[(..., *part)].reshape(*shape[:-dims], -1)
        np.testing.assert_allclose(found["avg"][(..., *place)], seen.mean(axis=-1), rtol=1e-12)
        np.testing.assert_array_equal(found["max"][(..., *place)], seen.max(axis=-1))


def test_adaptive_pooling_keeps_a_dimension_for_none():
    x = mt.ones(1, 2, 5, 7)
    assert F.adaptive_avg_pool2d(x, (None, 3)).shape == (1, 2, 5, 3)
    assert nn.AdaptiveMaxPool2d((4, None))(x).shape == (1, 2, 4, 7)


def test_second_derivatives_of_max_pooling():
    x = mt.tensor(np.random.default_rng(0).permutation(24).reshape(2, 3, 4) * 1.0)
    x.requires_grad_()
    assert gradcheck(lambda t: F.max_pool2d(t, 2, 1), (x,))
    assert gradgradcheck(lambda t: F.max_pool2d(t, 2, 1) ** 3, (x,))


@pytest.mark.parametrize("dtype", [mt.float64, mt.float32])
def test_of_equals_the_first_and_of_nans_the_last(dtype):
    x = mt.tensor([[1.0, 1.0, 0.0, NAN, 5.0, NAN, -INF, -INF, -INF]], dtype=dtype)
    values, indices = F.max_pool1d(x, 3, return_indices=True)
    assert indices.tolist() == [[0, 5, 6]]
    np.testing.assert_array_equal(values, [[1.0, NAN, -INF]])
    x.requires_grad_()
    F.max_pool1d(x, 3).sum().backward()
    assert x.grad.tolist() == [[1, 0, 0, 0, 0, 1, 1, 0, 0]]
    values, indices = F.max_pool2d(
        mt.full((1, 3, 3), -INF, dtype=dtype), 2, 2, 1, return_indices=True
    )
    assert indices.tolist() == [[[0, 1], [3, 4]]]
    assert F.avg_pool1d(mt.tensor([[1.0, INF, NAN, 2.0]], dtype=dtype), 2)[0, 0].item() == INF


def test_unpooling_puts_elements_back():
    x = mt.tensor(np.random.default_rng(0).normal(size=(2, 3, 7, 6)), requires_grad=True)
    values, indices = F.max_pool2d(x, 2, return_indices=True)
    back = F.max_unpool2d(values, indices, 2, output_size=x.shape)
    array, whole = back.detach().numpy(), x.detach().numpy()
    assert (array != 0).sum() == values.numel()
    np.testing.assert_array_equal(array[array != 0], whole[array != 0])
    back.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), array != 0)
    assert F.max_unpool2d(values, indices, 2).shape == (2, 3, 6, 6)
    assert nn.MaxUnpool2d(2)(values, indices, (7, 6)).shape == (2, 3, 7, 6)
    detached = values.detach().requires_grad_()
    assert gradcheck(lambda v: F.max_unpool2d(v, indices, 2, output_size=(7, 6)), (detached,))
    # Of several in one place one stays.
    twice = F.max_unpool1d(mt.tensor([[1.0, 2.0]]), mt.tensor([[3, 3]]), 2)
    assert twice.tolist() == [[0, 0, 0, 2.0]]


def test_norms_of_windows():
    x = mt.tensor(np.random.default_rng(0).uniform(0.2, 2, (1, 2, 6, 5)), requires_grad=True)
    y = F.lp_pool2d(x, 3, (2, 2), stride=(2, 1))
    parts = np.lib.stride_tricks.sliding_window_view(x.detach().numpy(), (2, 2), (2, 3))[:, :, ::2]
    np.testing.assert_allclose(
        y.detach().numpy(), (parts**3.0).sum(axis=(-1, -2)) ** (1 / 3), rtol=1e-12
    )
    assert gradcheck(lambda t: F.lp_pool2d(t, 3, 2), (x,))
    assert nn.LPPool1d(2, 2)(mt.tensor([[3.0, 4.0]])).tolist() == [[5.0]]
    assert nn.LPPool3d(2, 2)(mt.ones(1, 2, 2, 2)).shape == (1, 1, 1, 1)


def test_batches_may_be_empty_and_other_dimensions_not():
    for name in ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"):
        x = mt.zeros(0, 3, 4, 4, requires_grad=True)
        y = getattr(F, name)(x, 2)
        assert y.shape == (0, 3, 2, 2)
        y.sum().backward()
        assert x.grad.shape == x.shape
        with pytest.raises(RuntimeError, match="optional 0 dim batch size"):
            getattr(F, name)(mt.zeros(2, 0, 4, 4), 2)


def test_inputs_that_do_not_lie_row_by_row():
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3))
    turned = mt.tensor(x).permute(0, 3, 1, 2)
    plain = mt.tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    for name in ("max_pool2d", "avg_pool2d"):
        np.testing.assert_array_equal(getattr(F, name)(turned, 2), getattr(F, name)(plain, 2))


def test_integers_have_largest_elements_too():
    assert F.max_pool1d(mt.tensor([[1, 3, 2, 0]]), 2).tolist() == [[3, 2]]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: F.max_pool2d(x, 0), RuntimeError, "kernel_size should be greater than zero"),
        (lambda x: F.max_pool2d(x, 2, 0), RuntimeError, "stride should be greater than zero"),
        (lambda x: F.max_pool2d(x, 2, dilation=0), RuntimeError, "dilation should be greater"),
        (lambda x: F.max_pool2d(x, 9), RuntimeError, "Output size is too small"),
        (lambda x: F.max_pool2d(x, 2, padding=2), RuntimeError, "at most half of effective"),
        (lambda x: F.max_pool2d(x, 2, padding=-1), RuntimeError, "negative padding"),
        (lambda x: F.max_pool2d(x, (2, 2, 2)), RuntimeError, "a list of 2 values"),
        (lambda x: F.max_pool2d(x, 2.5), TypeError, "'kernel_size' must be an int"),
        (lambda x: F.max_pool2d(x[0, 0], 2), RuntimeError, "Expected 3D .unbatched."),
        (lambda x: F.max_pool2d(x.numpy(), 2), TypeError, "'input' must be Tensor"),
        (lambda x: F.avg_pool2d(x, 2, divisor_override=0), RuntimeError, "must be not zero"),
        (lambda x: F.adaptive_avg_pool2d(x, -1), RuntimeError, "greater than or equal to 0"),
        (lambda x: F.adaptive_avg_pool2d(x, (3,)), RuntimeError, "output_size must be 2"),
        (lambda x: F.max_unpool2d(x, x, 2), RuntimeError, "should be type int64"),
        (lambda x: F.max_unpool2d(x, x[:1].long(), 2), RuntimeError, "Expected shape of indices"),
        (lambda x: F.max_unpool2d(x, x.long() + 998, 2), RuntimeError, "invalid max index"),
        (
            lambda x: F.max_unpool2d(x, x.long(), 2, output_size=(30, 30)),
            ValueError,
            "must be between 14 and 18",
        ),
    ],
)
def test_errors_say_what_is_legal(call, error, words):
    with pytest.raises(error, match=words):
        call(mt.ones(2, 4, 8, 8))


def test_modules_do_what_their_functions_do():
    x = mt.tensor(np.random.default_rng(0).normal(size=(1, 2, 6, 7, 8)))
    for dims in (1, 2, 3):
        part = x if dims == 3 else x[0] if dims == 2 else x[0, 0]
        for kind, small in (("Max", "max"), ("Avg", "avg")):
            layer = getattr(nn, f"{kind}Pool{dims}d")(3, 2, 1)
            expected = getattr(F, f"{small}_pool{dims}d")(part, 3, 2, 1)
            np.testing.assert_array_equal(layer(part), expected)
            layer = getattr(nn, f"Adaptive{kind}Pool{dims}d")(3)
            expected = getattr(F, f"adaptive_{small}_pool{dims}d")(part, 3)
            np.testing.assert_array_equal(layer(part), expected)
    values, indices = nn.MaxPool3d(2, return_indices=True)(x)
    assert nn.MaxUnpool3d(2)(values, indices, (6, 7, 8)).shape == (1, 2, 6, 7, 8)
    assert nn.AvgPool2d(2, divisor_override=1)(mt.ones(1, 2, 2)).item() == 4


def test_a_window_that_steps_over_everything_has_no_largest_element():
    # Places -1 and 1 of a row whose one element is at 0.
    x = mt.arange(1.0, 3.0).reshape(1, 1, 2, 1)
    assert F.max_pool2d(x, (1, 2), (1, 2), (0, 1), (1, 2)).tolist() == [[[[-math.inf]] * 2]]
    y = F.max_pool1d(mt.tensor([[3.0]]), 2, 1, 1, 2)
    assert y.tolist() == [[-math.inf]]
