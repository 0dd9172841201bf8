"""Convolutions against direct loops and finite differences, in ordinary and in ugly places."""

import itertools

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn
from microtensor.autograd import gradcheck, gradgradcheck

NAMES = ("W", "HW", "DHW")


def direct(x, weight, bias, stride, padding, dilation, groups, size=None):
    """The definition, window by window."""
    dims = x.ndim - 2
    stride, padding, dilation = ((n,) * dims if isinstance(n, int) else n
                                 for n in (stride, padding, dilation))  # fmt: skip
    kernel = weight.shape[2:]
    padded = np.pad(x, [(0, 0), (0, 0), *((p, p + 50) for p in padding)])
    size = size or tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(x.shape[2:], padding, dilation, kernel, stride, strict=True)
    )
    out = np.zeros((x.shape[0], weight.shape[0], *size))
    share, inputs = weight.shape[0] // groups, weight.shape[1]
    for o in range(weight.shape[0]):
        first = o // share * inputs
        for place in itertools.product(*map(range, size)):
            window = tuple(
                slice(i * s, i * s + d * (k - 1) + 1, d)
                for i, s, d, k in zip(place, stride, dilation, kernel, strict=True)
            )
            seen = padded[(slice(None), slice(first, first + inputs), *window)]
            out[(slice(None), o, *place)] = (seen * weight[o]).reshape(len(x), -1).sum(axis=1)
    return out if bias is None else out + bias.reshape(1, -1, *[1] * dims)


# input, weight, stride, padding, dilation, groups
CASES = [
    ((2, 3, 9), (4, 3, 3), 1, 0, 1, 1),
    ((2, 4, 9), (6, 2, 2), 3, 2, 2, 2),  # stride beyond the window: gaps
    ((3, 2, 7), (4, 1, 3), 1, 1, 1, 2),  # groups = channels
    ((1, 1, 1), (1, 1, 1), 1, 0, 1, 1),  # one element
    ((2, 3, 6, 7), (4, 3, 3, 2), 1, 1, 1, 1),
    ((2, 4, 9, 8), (6, 2, 3, 3), 2, (1, 2), (2, 1), 2),
    ((2, 3, 5, 5), (4, 3, 1, 1), 1, 0, 1, 1),
    ((2, 3, 5, 5), (4, 3, 1, 1), 2, 0, 1, 1),
    ((2, 4, 12, 40), (4, 1, 3, 3), 1, 1, 1, 4),
    ((2, 4, 12, 13), (8, 1, 3, 3), 2, 1, 1, 4),
    ((3, 5, 8, 8), (5, 1, 3, 3), 1, 1, 1, 5),
    ((3, 3, 11, 9), (6, 1, 3, 4), 1, (3, 4), 1, 3),  # more zeros around than the kernel reaches
    ((2, 3, 15, 17), (3, 1, 5, 3), (3, 2), (2, 0), (1, 2), 3),
    ((2, 3, 9, 16), (6, 1, 2, 2), (4, 3), 0, 1, 3),  # places that no window sees
    ((2, 4, 33), (4, 1, 5), 2, 2, 2, 4),
    ((2, 2, 40, 41), (9, 2, 5, 5), 1, 3, 1, 1),
    ((2, 2, 3, 2), (3, 2, 5, 4), 1, 2, 1, 1),  # a kernel larger than the input, not than padded
    ((9, 3, 4, 4), (5, 3, 3, 3), 1, 4, 1, 1),  # windows wholly in the padding
    ((1, 2, 4, 5, 6), (3, 2, 2, 3, 2), 1, 1, 1, 1),
    ((2, 2, 5, 4, 6), (4, 1, 2, 2, 3), (2, 1, 2), (0, 1, 1), (1, 2, 1), 2),
]


def drawn(*shapes):
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_the_definitions(case):
    shape, weights, stride, padding, dilation, groups = case
    x, w, b = drawn(shape, weights, weights[:1])
    dims = len(shape) - 2
    tensors = [mt.tensor(a, requires_grad=True) for a in (x, w, b)]
    y = getattr(F, f"conv{dims}d")(*tensors, stride, padding, dilation, groups)
    expected = direct(x, w, b, stride, padding, dilation, groups)
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-12, atol=1e-12)
    # The gradients from the definition alone: y is linear in each argument.
    g = drawn(y.shape)[0]
    y.backward(mt.tensor(g))
    direction = [np.random.default_rng(i).normal(size=a.shape) for i, a in enumerate((x, w, b))]
    zero = np.zeros_like(b)
    changes = [
        direct(direction[0], w, zero, stride, padding, dilation, groups),
        direct(x, direction[1], zero, stride, padding, dilation, groups),
        np.broadcast_to(direction[2].reshape(1, -1, *[1] * dims), y.shape),
    ]
    for tensor, towards, change in zip(tensors, direction, changes, strict=True):
        found = (tensor.grad.numpy() * towards).sum()
        np.testing.assert_allclose(found, (g * change).sum(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_single_precision_agrees(case):
    shape, weights, stride, padding, dilation, groups = case
    dims = len(shape) - 2
    found = []
    for dtype in (mt.float64, mt.float32):
        tensors = [
            mt.tensor(a, dtype=dtype, requires_grad=True)
            for a in drawn(shape, weights, weights[:1])
        ]
        y = getattr(F, f"conv{dims}d")(*tensors, stride, padding, dilation, groups)
        assert y.dtype == dtype
        (y * y).sum().backward()
        found.append([y.detach().numpy(), *(t.grad.numpy() for t in tensors)])
    for exact, single in zip(*found, strict=True):
        np.testing.assert_allclose(single, exact, rtol=2e-4, atol=2e-4 * np.abs(exact).max())


@pytest.mark.parametrize(
    "case",
    [
        ((2, 4, 5), (6, 2, 2), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}),
        ((1, 2, 4, 3), (2, 2, 2, 2), {"padding": "same"}),
        ((1, 2, 3, 3, 3), (2, 1, 2, 2, 2), {"groups": 2}),
    ],
    ids=str,
)
def test_first_and_second_derivatives(case):
    shape, weights, options = case
    dims = len(shape) - 2
    conv = getattr(F, f"conv{dims}d")
    inputs = [mt.tensor(a, requires_grad=True) for a in drawn(shape, weights, weights[:1])]
    assert gradcheck(lambda *a: conv(*a, **options), inputs)
    assert gradgradcheck(lambda *a: conv(*a, **options), inputs)


@pytest.mark.parametrize(
    "case",
    [
        ((2, 4, 3), (4, 3, 2), {"stride": 3, "padding": 1, "output_padding": 2, "groups": 2}),
        ((1, 2, 2, 3), (2, 2, 2, 2), {"dilation": 2, "output_padding": 1}),
        ((1, 2, 2, 2, 2), (2, 1, 2, 1, 2), {"stride": 2}),
    ],
    ids=str,
)
def test_the_transposed_convolution_is_the_gradient(case):
    shape, weights, options = case
    dims = len(shape) - 2
    groups = options.get("groups", 1)
    x, w, b = drawn(shape, weights, (weights[1] * groups,))
    transposed = getattr(F, f"conv_transpose{dims}d")
    inputs = [mt.tensor(a, requires_grad=True) for a in (x, w, b)]
    y = transposed(*inputs, **options)
    # <T x, z> = <x, C z> for the convolution C of the same numbers
    z = drawn(y.shape)[0]
    options.pop("output_padding", None)
    seen = getattr(F, f"conv{dims}d")(mt.tensor(z), inputs[1], **options).detach().numpy()
    seen = seen[(..., *map(slice, shape[2:]))]  # the padding of the output may hold a window more
    plain = y.detach().numpy() - b.reshape(1, -1, *[1] * dims)
    np.testing.assert_allclose((plain * z).sum(), (x * seen).sum(), rtol=1e-11)
    options = case[2]
    assert gradcheck(lambda *a: transposed(*a, **options), inputs)
    assert gradgradcheck(lambda *a: transposed(*a, **options), inputs)


def test_same_padding_keeps_the_size_and_puts_the_odd_zero_behind():
    x, w = mt.arange(1.0, 5.0).reshape(1, 1, 4), mt.tensor([[[1.0, 10.0]]])
    assert F.conv1d(x, w, padding="same").tolist() == [[[21.0, 32.0, 43.0, 4.0]]]
    assert F.conv1d(x, w, padding="valid").tolist() == [[[21.0, 32.0, 43.0]]]


def test_inputs_without_a_batch_and_with_an_empty_one():
    x, w, b = (mt.tensor(a) for a in drawn((2, 5, 6), (3, 2, 2, 2), (3,)))
    np.testing.assert_array_equal(F.conv2d(x, w, b), F.conv2d(x.unsqueeze(0), w, b)[0])
    up = mt.tensor(drawn((2, 3, 2, 2))[0])
    np.testing.assert_array_equal(
        F.conv_transpose2d(x, up), F.conv_transpose2d(x.unsqueeze(0), up)[0]
    )
    empty = mt.zeros(0, 2, 5, 6, dtype=mt.float64, requires_grad=True)
    w.requires_grad_()
    y = F.conv2d(empty, w, b)
    assert y.shape == (0, 3, 4, 5)
    y.sum().backward()
    assert empty.grad.shape == empty.shape and not w.grad.numpy().any()
    assert F.conv_transpose2d(empty, up).shape == (0, 3, 6, 7)


def test_inputs_that_do_not_lie_row_by_row():
    x, w = drawn((2, 5, 6, 3), (4, 3, 2, 2))
    turned = mt.tensor(x).permute(0, 3, 1, 2)
    expected = direct(x.transpose(0, 3, 1, 2), w, None, 1, 0, 1, 1)
    np.testing.assert_allclose(F.conv2d(turned, mt.tensor(w)), expected, rtol=1e-12, atol=1e-12)


def test_nan_and_infinity_stay_within_their_windows():
    x = mt.zeros(1, 1, 12, 40)
    x[0, 0, 5, 20] = float("nan")
    x[0, 0, 0, 0] = float("inf")
    y = F.conv2d(x, mt.ones(1, 1, 3, 3), padding=1).numpy()[0, 0]
    assert np.isnan(y[4:7, 19:22]).all() and np.isnan(y).sum() == 9
    assert np.isinf(y[:2, :2]).all() and np.isinf(y).sum() == 4


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes_continue_the_input(mode):
    words = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    layer = nn.Conv2d(2, 3, (3, 2), padding=(2, 1), padding_mode=mode, dtype=mt.float64)
    x = mt.tensor(drawn((1, 2, 5, 4))[0], requires_grad=True)
    padded = np.pad(x.detach().numpy(), [(0, 0), (0, 0), (2, 2), (1, 1)], mode=words[mode])
    w, b = (p.detach().numpy() for p in layer.parameters())
    expected = direct(padded, w, b, 1, 0, 1, 1)
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-12, atol=1e-12)
    assert gradcheck(layer, (x,))
    if mode != "replicate":
        with pytest.raises(RuntimeError, match="at most"):
            layer(mt.zeros(1, 2, 1, 4, dtype=mt.float64))


def test_results_do_not_depend_on_the_number_of_threads():
    before = mt.get_num_threads()
    x, w = (mt.tensor(a, dtype=mt.float32) for a in drawn((24, 8, 20, 20), (12, 8, 3, 3)))
    found = []
    try:
        for threads in (1, 3):
            mt.set_num_threads(threads)
            a, b = (t.clone().requires_grad_() for t in (x, w))
            y = F.conv2d(a, b, padding=1)
            (y * y).sum().backward()
            found.append([y.detach().numpy(), a.grad.numpy(), b.grad.numpy()])
    finally:
        mt.set_num_threads(before)
    for one, three in zip(*found, strict=True):
        np.testing.assert_allclose(one, three, rtol=1e-5, atol=1e-5 * np.abs(one).max())


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x, w: F.conv2d(x, w[:, :2]), RuntimeError, "to have 2 channels, but got 4"),
        (lambda x, w: F.conv2d(x, w, mt.ones(5)), RuntimeError, "bias to be 1-dimensional with 6"),
        (lambda x, w: F.conv2d(x, w, groups=4), RuntimeError, "divisible by 4"),
        (lambda x, w: F.conv2d(x, w, groups=0), RuntimeError, "non-positive groups"),
        (lambda x, w: F.conv2d(x, w, dilation=5), RuntimeError, "Kernel size: .11 x 11."),
        (lambda x, w: F.conv2d(x, w, stride=0), RuntimeError, "non-positive stride"),
        (lambda x, w: F.conv2d(x, w, stride=1.5), TypeError, "'stride' must be an int"),
        (lambda x, w: F.conv2d(x, w, stride=(1, 1, 1)), RuntimeError, "a list of 2 values"),
        (lambda x, w: F.conv2d(x, w, dilation=0), RuntimeError, "non-positive dilation"),
        (lambda x, w: F.conv2d(x, w, padding=-1), RuntimeError, "negative padding"),
        (lambda x, w: F.conv2d(x, w, padding="full"), RuntimeError, "Invalid padding string"),
        (lambda x, w: F.conv2d(x, w, 2, "same"), TypeError, "bias"),
        (lambda x, w: F.conv2d(x, w, None, 2, "same"), RuntimeError, "strided convolutions"),
        (lambda x, w: F.conv2d(x[0, 0], w), RuntimeError, "Expected 3D .unbatched. or 4D"),
        (lambda x, w: F.conv2d(x, w[0]), RuntimeError, "weight of 4 dimensions"),
        (lambda x, w: F.conv2d(x.double(), w), RuntimeError, "input is float64"),
        (lambda x, w: F.conv2d(x.numpy(), w), TypeError, "'input' must be Tensor"),
        (lambda x, w: F.conv2d(x, w[:, :, :0]), RuntimeError, "kernel must not be empty"),
        (lambda x, w: F.conv_transpose2d(x, w), RuntimeError, "to have 6 channels, but got 4"),
        (
            lambda x, w: F.conv_transpose2d(x, w[:4], output_padding=1),
            RuntimeError,
            "smaller than either stride or dilation",
        ),
        (lambda x, w: F.conv_transpose2d(x, w[:4], padding=6), RuntimeError, "too small"),
        (lambda x, w: nn.Conv2d(4, 6, 3, groups=3), ValueError, "in_channels must be divisible"),
        (lambda x, w: nn.Conv2d(4, 6, 3, groups=4), ValueError, "out_channels must be divisible"),
        (lambda x, w: nn.Conv2d(4, 6, 3, padding_mode="wrap"), ValueError, "padding_mode must be"),
        (lambda x, w: nn.Conv2d(4, 6, 3, 2, "same"), ValueError, "strided convolutions"),
        (lambda x, w: nn.Conv2d(4, 6, 3, padding="full"), ValueError, "Invalid padding string"),
        (
            lambda x, w: nn.Conv2d(4, 6, (3, 3, 3)),
            ValueError,
            "kernel_size must be an integer or 2",
        ),
        (lambda x, w: nn.Conv2d(4.0, 6, 3), TypeError, "in_channels must be an int"),
        (
            lambda x, w: nn.ConvTranspose2d(4, 6, 3, padding_mode="reflect"),
            ValueError,
            'Only "zeros"',
        ),
        (
            lambda x, w: nn.ConvTranspose2d(4, 6, 3, 2)(x, output_size=(30, 30)),
            ValueError,
            "valid sizes range from",
        ),
    ],
)
def test_errors_say_what_is_legal(call, error, words):
    with pytest.raises(error, match=words):
        call(mt.ones(2, 4, 8, 8), mt.ones(6, 4, 3, 3))


def test_unfold_gives_the_columns_and_fold_adds_them_up():
    x = drawn((2, 3, 6, 7))[0]
    options = {"dilation": (2, 1), "padding": (1, 0), "stride": (1, 2)}
    columns = F.unfold(mt.tensor(x), (2, 3), **options).numpy()
    kernel = np.eye(18).reshape(18, 3, 2, 3)
    expected = direct(x, kernel, None, (1, 2), (1, 0), (2, 1), 1).reshape(2, 18, -1)
    np.testing.assert_array_equal(columns, expected)
    z = drawn(columns.shape)[0]
    image = F.fold(mt.tensor(z), (6, 7), (2, 3), **options).numpy()
    np.testing.assert_allclose((columns * z).sum(), (x * image).sum(), rtol=1e-12)
    tensor = mt.tensor(x[:1, :1], requires_grad=True)
    assert gradgradcheck(lambda t: F.unfold(t, (2, 3), **options) ** 2, (tensor,))
    folded = mt.tensor(z[0], requires_grad=True)
    assert gradcheck(lambda t: F.fold(t, (6, 7), (2, 3), **options), (folded,))
    np.testing.assert_array_equal(nn.Unfold(2)(mt.tensor(x)), F.unfold(mt.tensor(x), 2))
    np.testing.assert_array_equal(nn.Fold((6, 7), (2, 3), **options)(folded.detach()), image[0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: F.unfold(mt.ones(1, 2, 3, 3), 4), "at least one"),
        (lambda: F.unfold(mt.ones(1, 2, 3, 3), 0), "non-positive kernel_size"),
        (lambda: F.unfold(mt.ones(3, 3), 2), "Expected 3D .unbatched."),
        (lambda: F.fold(mt.ones(1, 15, 9), 4, 2), "divisible by the product"),
        (lambda: F.fold(mt.ones(1, 16, 8), 4, 2), "number of sliding blocks 3 . 3"),
        (lambda: F.fold(mt.ones(16), 4, 2), "Expected 2D .unbatched."),
    ],
)
def test_unfold_and_fold_refuse_what_does_not_fit(call, words):
    with pytest.raises(RuntimeError, match=words):
        call()


def test_layers_start_within_the_inverse_root_of_what_a_window_sees():
    mt.manual_seed(0)
    for layer, inputs in (
        (nn.Conv2d(16, 32, 5, groups=2), 8 * 25),
        (nn.ConvTranspose1d(9, 8, 4), 32),
    ):
        bound = 1 / inputs**0.5
        for parameter in layer.parameters():
            largest = np.abs(parameter.detach().numpy()).max()
            assert 0.8 * bound < largest <= bound
    assert nn.Conv1d(2, 2, 3, bias=False).bias is None
    assert list(nn.Conv3d(1, 1, 1).state_dict()) == ["weight", "bias"]


def test_a_transposed_layer_reaches_any_size_that_pools_to_its_input():
    layer = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    x = mt.ones(1, 2, 4, 4)
    for n in (7, 8):
        assert layer(x, output_size=(n, n)).shape == (1, 3, n, n)
        assert layer(x[0], output_size=(3, n, n)).shape == (3, n, n)
