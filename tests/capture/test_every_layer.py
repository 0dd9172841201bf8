"""Every module of ``nn``, captured against eager mode: the same bits, or a reason why not.

Optimizers and schedules are in test_captured_training.py, operations in test_captured_ops.py.
"""

import inspect

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn


def floats(*shape):
    return lambda rng: mt.tensor(rng.normal(size=shape))


def units(*shape):
    return lambda rng: mt.tensor(rng.uniform(0.1, 0.9, shape))


def labels(limit, *shape):
    return lambda rng: mt.tensor(rng.integers(0, limit, shape))


def signs(*shape):
    return lambda rng: mt.tensor(rng.integers(0, 2, shape) * 2.0 - 1.0)


def bits(*shape):
    return lambda rng: mt.tensor(rng.integers(0, 2, shape).astype("d"))


SPACE = {1: (9,), 2: (6, 7), 3: (5, 4, 6)}
SQUARE = {1: (8,), 2: (8, 8), 3: (4, 4, 4)}
CASES = {}
NUMPY = "computed outside of operations"
REFUSED = {}
"""What a step that is captured may not contain, by case, and what the error says."""


def case(name, arguments, *inputs, label="", **named):
    CASES[name + label] = (name, arguments, inputs, named)


for n, d in ((n, f"{n}d") for n in (1, 2, 3)):
    x, one = floats(2, 4, *SPACE[n]), floats(2, 4, *SQUARE[n])
    for kind in ("Conv", "ConvTranspose"):
        case(kind + d, (4, 6, 3), x, stride=2, padding=1, groups=2)
    case("BatchNorm" + d, (4,), x)
    case("BatchNorm" + d, (4,), x, momentum=None, label="-cumulative")
    case("InstanceNorm" + d, (4,), x, affine=True, track_running_stats=True)
    case("AvgPool" + d, (2,), x)
    case("MaxPool" + d, (2,), x)
    case("LPPool" + d, (2, 2), x)
    case("AdaptiveAvgPool" + d, (3,), x)
    case("AdaptiveMaxPool" + d, (3,), x)
    case("Dropout" + d, (0.4,), x)
    case("ConstantPad" + d, (1, 0.5), x)
    for kind in ("Circular", "Reflection", "Replication", "Zero"):
        case(f"{kind}Pad{d}", (1,), x)
for name in ("Dropout", "AlphaDropout", "FeatureAlphaDropout"):
    case(name, (0.4,), floats(3, 4, 5))
case("ChannelShuffle", (2,), floats(2, 4, 3, 3))
case("PixelShuffle", (2,), floats(2, 4, 3, 3))
case("PixelUnshuffle", (2,), floats(2, 4, 4, 4))
case("Fold", ((4, 4), 2), floats(2, 8, 9))
case("Unfold", (2,), floats(2, 3, 4, 4))
case("Flatten", (), floats(2, 3, 4))
case("Unflatten", (1, (2, 2)), floats(3, 4))
case("Identity", (), floats(3))
case("Linear", (4, 3), floats(5, 4))
case("NonDynamicallyQuantizableLinear", (4, 3), floats(5, 4))
case("Bilinear", (3, 4, 2), floats(5, 3), floats(5, 4))
case("LayerNorm", (4,), floats(5, 4))
case("RMSNorm", (4,), floats(5, 4))
case("GroupNorm", (2, 4), floats(3, 4, 5))
case("LocalResponseNorm", (2,), floats(2, 4, 5, 5))
case("CosineSimilarity", (), floats(4, 3), floats(4, 3))
case("PairwiseDistance", (), floats(4, 3), floats(4, 3))
case("Embedding", (7, 3), labels(7, 4, 2), padding_idx=1)
case("EmbeddingBag", (7, 3), labels(7, 4, 2))
for mode in ("nearest", "bilinear", "bicubic"):
    case("Upsample", (), floats(2, 3, 4, 5), scale_factor=2, mode=mode, label="-" + mode)
case("UpsamplingBilinear2d", (), floats(2, 3, 4, 5), scale_factor=2)
case("UpsamplingNearest2d", (), floats(2, 3, 4, 5), scale_factor=2)
for name in ("RNN", "GRU", "LSTM"):
    case(name, (3, 4), floats(5, 2, 3))
    case(name, (3, 4, 2), floats(5, 2, 3), bidirectional=True, dropout=0.3, label="-deep")
    case(name + "Cell", (3, 4), floats(2, 3))
case("MultiheadAttention", (8, 2), floats(4, 2, 8), floats(4, 2, 8), floats(4, 2, 8), dropout=0.2)
for name, count in (("TransformerEncoderLayer", 1), ("TransformerDecoderLayer", 2)):
    case(name, (8, 2, 16), *[floats(4, 2, 8)] * count)
case("Transformer", (8, 2, 1, 1, 16), floats(4, 2, 8), floats(4, 2, 8))
for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"):
    case(name, (), floats(5, 3), floats(5, 3))
for name in ("BCELoss", "BCEWithLogitsLoss"):
    case(name, (), units(5, 3), units(5, 3))
case("CrossEntropyLoss", (), floats(5, 3), labels(3, 5))
case("CrossEntropyLoss", (), floats(5, 3), labels(3, 5), label_smoothing=0.1, label="-smooth")
for weighted in ("CrossEntropyLoss", "NLLLoss"):
    case(
        weighted,
        (mt.tensor([1.0, 2.0, 0.5], dtype=mt.float64),),
        floats(5, 3),
        labels(3, 5),
        label="-weighted",
    )
case("NLLLoss", (), floats(5, 3), labels(3, 5))
case("KLDivLoss", (), floats(5, 3), units(5, 3), reduction="batchmean")
case("PoissonNLLLoss", (), floats(5, 3), units(5, 3), full=True)
case("GaussianNLLLoss", (), floats(5, 3), floats(5, 3), units(5, 3))
case("CosineEmbeddingLoss", (), floats(5, 3), floats(5, 3), signs(5))
case("HingeEmbeddingLoss", (), floats(5, 3), signs(5, 3))
case("SoftMarginLoss", (), floats(5, 3), signs(5, 3))
case("MarginRankingLoss", (), floats(5), floats(5), signs(5))
case(
    "MultiLabelMarginLoss",
    (),
    floats(5, 3),
    lambda rng: mt.tensor(np.where(rng.random((5, 1)) < 0.5, [[0, 2, -1]], [[1, -1, -1]])),
)
case("MultiLabelSoftMarginLoss", (), floats(5, 3), bits(5, 3))
case("Softmax2d", (), floats(2, 3, 4, 4))
case("MultiMarginLoss", (), floats(5, 3), labels(3, 5))
for name in ("TripletMarginLoss", "TripletMarginWithDistanceLoss"):
    case(name, (), *[floats(5, 3)] * 3)
case(
    "CTCLoss",
    (),
    lambda rng: mt.tensor(rng.normal(size=(6, 2, 4))).log_softmax(2).detach(),
    lambda rng: mt.tensor(rng.integers(1, 4, (2, 2))),
    lambda rng: mt.tensor(rng.integers(5, 7, 2)),
    lambda rng: mt.tensor(rng.integers(1, 3, 2)),
)
GIVEN = {"Softmax": (1,), "LogSoftmax": (1,), "Softmin": (1,), "Maxout": (2,), "Threshold": (0, 1)}
for name in nn.__all__:
    kind = getattr(nn, name)
    if inspect.isclass(kind) and "activations" in kind.__module__ and name not in CASES:
        case(name, GIVEN.get(name, ()), floats(5, 8))

APART = dict.fromkeys(
    (
        "DataParallel",
        "Module", "ModuleDict", "ModuleList", "Parameter", "ParameterDict", "ParameterList",
        "RNNBase", "RNNCellBase", "Sequential", "TransformerEncoder", "TransformerDecoder",
    ),
    "holds or is the base of modules that are cases",
) | {f"MaxUnpool{n}d": "tested below with the pooling it undoes" for n in (1, 2, 3)}  # fmt: skip
APART |= {
    name: "becomes an ordinary layer at the first call"
    for name in nn.__all__
    if name.startswith("Lazy")
}
APART |= dict.fromkeys(("Buffer", "UninitializedBuffer", "UninitializedParameter"), "tensors")


def outputs(value):
    if isinstance(value, mt.Tensor):
        return [value]
    return [t for part in value or () for t in outputs(part)] if isinstance(value, tuple) else []


def total(model, inputs):
    return sum(
        ((t * t).sum() for t in outputs(model(*inputs)) if t.is_floating_point()),
        start=mt.zeros((), dtype=mt.float64),
    )


def trained(make, inputs, train, wrap):
    """Train for three steps; give all values that were seen or are left, and what was called."""
    mt.manual_seed(0)
    model = make()
    model = (model.double() if hasattr(model, "double") else model).train(train)
    parameters = list(model.parameters())
    optimizer = mt.optim.SGD(parameters, lr=0.01) if parameters else None
    rng = np.random.default_rng(1)

    def step(*given):
        model.zero_grad()
        loss = total(model, given)
        if loss.requires_grad:
            loss.backward()
        if train and optimizer is not None:
            optimizer.step()
        return loss

    call = wrap(step)
    values = []
    for _ in range(3):
        given = [make_input(rng) for make_input in inputs]
        for t in given:
            if t.is_floating_point():
                t.requires_grad_()
        values.append(call(*given).detach().numpy().copy())
        values += [t.grad.numpy().copy() for t in given if t.grad is not None]
    values += [t.numpy().copy() for t in model.state_dict().values()]
    values.append(mt.get_rng_state().numpy().copy())
    return values, call


def compare(make, inputs, train):
    eager, _ = trained(make, inputs, train, lambda step: step)
    captured, call = trained(make, inputs, train, mt.capture)
    assert len(eager) == len(captured)
    for one, other in zip(eager, captured, strict=True):
        np.testing.assert_array_equal(one, other)
    return call


# What does something else in training than it does afterwards.
TWO_MODES = ("Dropout", "BatchNorm", "InstanceNorm", "RReLU", "Attention", "Transformer", "deep")
MODES = [
    (key, train)
    for key in CASES
    for train in (True, False)
    if train or any(part in key for part in TWO_MODES)
]


@pytest.mark.parametrize("key, train", MODES)
def test_captured_as_in_eager_mode(key, train):
    name, arguments, inputs, named = CASES[key]

    def make():
        return getattr(nn, name)(*arguments, **named)

    if key in REFUSED and train:
        with pytest.raises(RuntimeError, match=REFUSED[key]):
            compare(make, inputs, train)
    else:
        compare(make, inputs, train)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_unpooling(n):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = getattr(nn, f"MaxPool{n}d")(2, return_indices=True)
            self.back = getattr(nn, f"MaxUnpool{n}d")(2)

        def forward(self, x):
            return self.back(*self.pool(x))

    compare(Both, [floats(2, 3, *SQUARE[n])], True)


def test_every_module_is_a_case_or_stands_apart():
    modules = {name for name in nn.__all__ if inspect.isclass(getattr(nn, name))}
    assert modules == {name for name, *_ in CASES.values()} | set(APART)
