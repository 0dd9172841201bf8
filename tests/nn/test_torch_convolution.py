"""Convolutions, pooling, unfold and fold beside PyTorch: printed alike, the same numbers."""

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn

torch = pytest.importorskip("torch")
TF = torch.nn.functional

# Each line is built twice, with nn standing for either library; the shape is that of an input.
MODULES = [
    ("nn.Conv1d(4, 6, 3)", (2, 4, 9)),
    ("nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2, bias=False)", (4, 9)),
    ("nn.Conv1d(4, 6, 4, padding='same', padding_mode='circular')", (2, 4, 9)),
    ("nn.Conv2d(4, 6, 3)", (2, 4, 9, 8)),
    ("nn.Conv2d(4, 6, (3, 5), (2, 1), (1, 2), 1, 2)", (2, 4, 9, 8)),
    ("nn.Conv2d(4, 8, 3, padding=1, groups=4)", (2, 4, 9, 18)),
    ("nn.Conv2d(4, 6, 4, padding='same', dilation=(1, 2))", (4, 9, 8)),
    ("nn.Conv2d(4, 6, 3, padding='valid', padding_mode='reflect')", (2, 4, 9, 8)),
    ("nn.Conv2d(4, 6, 3, padding=(2, 1), padding_mode='reflect')", (2, 4, 9, 8)),
    ("nn.Conv2d(4, 6, 2, padding='same', padding_mode='replicate')", (2, 4, 9, 8)),
    ("nn.Conv3d(2, 3, 2)", (2, 2, 4, 5, 6)),
    ("nn.Conv3d(2, 4, (1, 2, 3), 2, 1, groups=2)", (2, 4, 5, 6)),
    ("nn.Conv3d(2, 2, 3, padding='same')", (1, 2, 4, 5, 6)),
    ("nn.ConvTranspose1d(4, 6, 3)", (2, 4, 9)),
    ("nn.ConvTranspose1d(4, 6, 3, 3, 1, 2, 2, False, 2)", (4, 9)),
    ("nn.ConvTranspose2d(4, 6, 3)", (2, 4, 5, 6)),
    ("nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1)", (2, 4, 5, 6)),
    ("nn.ConvTranspose2d(4, 6, (3, 2), (2, 1), 1, (1, 0), groups=2, dilation=1)", (4, 5, 6)),
    ("nn.ConvTranspose3d(2, 4, 2, 2, output_padding=1, groups=2)", (2, 2, 3, 4, 2)),
    ("nn.MaxPool1d(2)", (2, 3, 9)),
    ("nn.MaxPool1d(3, 2, 1, 2, ceil_mode=True)", (3, 9)),
    ("nn.MaxPool2d(2)", (2, 3, 9, 8)),
    ("nn.MaxPool2d((3, 2), stride=(2, 1), padding=1, ceil_mode=True)", (2, 3, 9, 8)),
    ("nn.MaxPool2d(3, 3, 1, (1, 2))", (3, 9, 8)),
    ("nn.MaxPool3d(2, 1)", (2, 1, 3, 4, 5)),
    ("nn.AvgPool1d(3)", (2, 3, 9)),
    ("nn.AvgPool1d(3, 2, 1, True, False)", (3, 9)),
    ("nn.AvgPool2d(3, 2, 1, ceil_mode=True)", (2, 3, 9, 8)),
    ("nn.AvgPool2d((2, 3), 3, 1, True, False)", (2, 3, 8, 8)),
    ("nn.AvgPool2d(2, divisor_override=3)", (3, 9, 8)),
    ("nn.AvgPool3d(2, 2, 1, count_include_pad=False)", (2, 1, 3, 4, 5)),
    ("nn.AdaptiveAvgPool1d(4)", (2, 3, 9)),
    ("nn.AdaptiveAvgPool2d((3, None))", (2, 3, 7, 8)),
    ("nn.AdaptiveAvgPool2d(1)", (2, 3, 40, 41)),
    ("nn.AdaptiveAvgPool3d(2)", (1, 3, 4, 5)),
    ("nn.AdaptiveMaxPool1d(4)", (3, 9)),
    ("nn.AdaptiveMaxPool2d((None, 5))", (2, 3, 7, 8)),
    ("nn.AdaptiveMaxPool3d((2, 3, 1))", (2, 1, 4, 5, 2)),
    ("nn.LPPool1d(2, 3)", (2, 3, 9)),
    ("nn.LPPool2d(3, 2, stride=1, ceil_mode=True)", (2, 3, 5, 6)),
    ("nn.Unfold((2, 3), dilation=(2, 1), padding=1, stride=2)", (2, 3, 8, 9)),
    ("nn.Fold((5, 6), (2, 3), padding=1)", (2, 12, 36)),
]
IDS = [f"{text}-{len(shape)}" for text, shape in MODULES]


def drawn(*shapes):
    rng = np.random.default_rng(0)
    return [rng.uniform(0.1, 2.0, shape) for shape in shapes]


def close(ours, theirs, tolerance=1e-12):
    ours, theirs = np.asarray(ours.detach()), theirs.detach().numpy()
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


# torch says that it copies; we need no copy for an uneven padding.
@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize(("text", "shape"), MODULES, ids=IDS)
def test_a_module_is_the_same(text, shape):
    ours, theirs = eval(text, {"nn": nn}), eval(text, {"nn": torch.nn})
    assert repr(ours) == repr(theirs)
    ours, theirs = ours.double(), theirs.double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: mt.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    array = drawn(shape)[0]
    x = mt.tensor(array, requires_grad=True)
    z = torch.tensor(array, requires_grad=True)
    y, expected = ours(x), theirs(z)
    close(y, expected)
    g = drawn(tuple(y.shape))[0]
    y.backward(mt.tensor(g))
    expected.backward(torch.tensor(g))
    close(x.grad, z.grad)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(a.grad, b.grad, 1e-11)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_indices_and_unpooling_are_the_same(dims):
    array = np.random.default_rng(0).integers(0, 4, (2, 3, *(7, 6, 5)[:dims])) * 1.0  # ties
    array.reshape(-1)[5] = np.nan
    for options in ({}, {"stride": 1}, {"padding": 1, "ceil_mode": True}):
        pairs = []
        for library, functional in ((mt, F), (torch, TF)):
            x = library.tensor(array)
            pool = getattr(functional, f"max_pool{dims}d")
            pairs.append(pool(x, 2, return_indices=True, **options))
        for ours, theirs in zip(*pairs, strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    adaptive = [
        getattr(f, f"adaptive_max_pool{dims}d")(lib.tensor(array), 2, return_indices=True)
        for lib, f in ((mt, F), (torch, TF))
    ]
    np.testing.assert_array_equal(adaptive[0][1].numpy(), adaptive[1][1].numpy())
    shape = array.shape[2:]
    pairs = [
        getattr(f, f"max_unpool{dims}d")(
            *getattr(f, f"max_pool{dims}d")(lib.tensor(array), 2, return_indices=True), 2,
            output_size=shape,
        )
        for lib, f in ((mt, F), (torch, TF))
    ]  # fmt: skip
    np.testing.assert_array_equal(pairs[0].numpy(), pairs[1].numpy())


def test_second_derivatives_are_the_same():
    arrays = drawn((2, 4, 5, 6), (6, 2, 3, 2), (6,))
    results = []
    for library, functional in ((mt, F), (torch, TF)):
        x, w, b = (library.tensor(a, requires_grad=True) for a in arrays)
        y = functional.conv2d(x, w, b, stride=(2, 1), padding=1, groups=2)
        grads = library.autograd.grad((y**3).sum(), (x, w, b), create_graph=True)
        total = sum((g * g).sum() for g in grads)
        results.append(library.autograd.grad(total, (x, w, b)))
    for ours, theirs in zip(*results, strict=True):
        close(ours, theirs, 1e-10)


BAD = [
    "F.conv2d(x, w[:, :2])",
    "F.conv2d(x, w, lib.ones(5))",
    "F.conv2d(x, w, groups=3)",
    "F.conv2d(x, w, groups=4)",
    "F.conv2d(x, w, groups=0)",
    "F.conv2d(x, lib.ones(6, 4, 9, 9))",
    "F.conv2d(x, w, stride=0)",
    "F.conv2d(x, w, stride=1.5)",
    "F.conv2d(x, w, stride=(1, 2, 3))",
    "F.conv2d(x, w, dilation=0)",
    "F.conv2d(x, w, padding=-1)",
    "F.conv2d(x, w, stride=2, padding='same')",
    "F.conv2d(x, w, padding='full')",
    "F.conv2d(x[0, 0], w)",
    "F.conv2d(x, w[0])",
    "F.conv2d(x.double(), w)",
    "F.conv2d(x, 3)",
    "F.conv_transpose2d(x, w)",
    "F.conv_transpose2d(x, w[:4], output_padding=1)",
    "F.conv_transpose2d(x, w[:4], padding=6)",
    "lib.nn.Conv2d(4, 6, 3, groups=3)",
    "lib.nn.Conv2d(4, 5, 3, groups=4)",
    "lib.nn.Conv2d(4, 6, 3, groups=0)",
    "lib.nn.Conv2d(4, 6, 3, padding_mode='wrap')",
    "lib.nn.Conv2d(4, 6, 3, 2, 'same')",
    "lib.nn.Conv2d(4, 6, 3, padding='full')",
    "lib.nn.ConvTranspose2d(4, 6, 3, padding_mode='reflect')",
    "lib.nn.ConvTranspose2d(4, 6, 3, 2)(x, output_size=(30, 30))",
    "lib.nn.Conv2d(4, 6, 3, padding=8, padding_mode='reflect')(x)",
    "lib.nn.Conv2d(4, 6, 3, padding=9, padding_mode='circular')(x)",
    "F.max_pool2d(x, 9)",
    "F.max_pool2d(x, 2, padding=2)",
    "F.max_pool2d(x, 2, 0)",
    "F.max_pool2d(x, (2, 2, 2))",
    "F.max_pool2d(x[0, 0], 2)",
    "F.max_pool2d(x[:, :0], 2)",
    "F.max_pool2d(x, 2, dilation=0)",
    "F.avg_pool2d(x, 9)",
    "F.avg_pool2d(x, 2, divisor_override=0)",
    "F.adaptive_avg_pool2d(x, -1)",
    "F.adaptive_avg_pool2d(x, (3,))",
    "F.max_unpool2d(x, x.long() + 998, 2)",
    "F.max_unpool2d(x, x.int(), 2)",
    "F.max_unpool2d(x, x[:1].long(), 2)",
    "F.max_unpool2d(x, x.long(), 2, output_size=(30, 30))",
    "F.unfold(x, 9)",
    "F.unfold(x, 0)",
    "F.fold(lib.ones(2, 16, 8), (4, 4), 2)",
    "F.fold(lib.ones(2, 15, 9), (4, 4), 2)",
]


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_raises_the_same_class(text):
    raised = []
    for library in (mt, torch):
        names = {
            "lib": library,
            "F": library.nn.functional,
            "x": library.ones(2, 4, 8, 8),
            "w": library.ones(6, 4, 3, 3),
        }
        with pytest.raises((RuntimeError, ValueError, TypeError, IndexError)) as caught:
            eval(text, names)
        raised.append(caught.type)
    assert raised[0] is raised[1]


def test_a_small_network_has_the_same_losses():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # its threads would wait for each other most of the time

    def losses(library, dtype, state=None):
        n = library.nn
        model = n.Sequential(
            n.Conv2d(1, 4, 3, padding=1), n.ReLU(), n.MaxPool2d(2), n.Conv2d(4, 8, 3), n.ReLU(),
            n.AvgPool2d(2), n.Flatten(), n.Linear(8, 5),
        )  # fmt: skip
        if state is not None:
            model.load_state_dict({k: mt.tensor(v.numpy()) for k, v in state.items()})
        start = {k: v.detach().clone() for k, v in model.state_dict().items()}
        model = model.to(dtype)
        optimizer = library.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        x = library.tensor(np.random.default_rng(0).normal(size=(16, 1, 8, 8))).to(dtype)
        y = library.tensor(np.arange(16) % 5)
        found = []
        for _ in range(50):
            optimizer.zero_grad()
            loss = n.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found, start

    for name, tolerance in (("float64", 1e-9), ("float32", 1e-4)):
        expected, state = losses(torch, getattr(torch, name))
        found, _ = losses(mt, getattr(mt, name), state)
        np.testing.assert_allclose(found, expected, rtol=tolerance)
    torch.set_num_threads(threads)
