"""Attention and transformers beside PyTorch's: values, gradients, names, weights both ways."""

import warnings

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, of masks of two dtypes and nested tensors
        yield


def equal(ours, theirs, tolerance=1e-12):
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=0, atol=tolerance, equal_nan=True
    )


def to_ours(value):
    return mt.tensor(value.detach().numpy()) if isinstance(value, torch.Tensor) else value


# ---- the function -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "options"),
    [
        (((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6)), {}),
        (((2, 3, 90, 4), (2, 3, 90, 4), (2, 3, 90, 4)), {"is_causal": True}),
        (((1, 2, 70, 4), (1, 2, 140, 4), (1, 2, 140, 3)), {"is_causal": True}),
        (((3, 5, 4), (3, 6, 4), (3, 6, 2)), {"scale": 0.3, "attn_mask": RNG.normal(size=(5, 6))}),
        (((5, 4), (6, 4), (6, 4)), {"attn_mask": RNG.uniform(size=(5, 6)) < 0.5}),
        (((5, 4), (6, 4), (6, 4)), {"attn_mask": np.zeros((5, 6), bool)}),
        (((2, 4, 5, 4), (2, 2, 6, 4), (2, 2, 6, 4)), {"enable_gqa": True}),
        (((2, 4, 5, 4), (1, 1, 6, 4), (4, 6, 4)), {}),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_scaled_dot_product_attention(shapes, options, dtype):
    drawn = [np.random.default_rng(i).normal(size=s).astype(dtype) for i, s in enumerate(shapes)]
    results = []
    for library in (mt, torch):
        given = [library.tensor(a, requires_grad=True) for a in drawn]
        named = dict(options)
        if "attn_mask" in named:
            mask = named["attn_mask"]
            named["attn_mask"] = library.tensor(mask if mask.dtype == bool else mask.astype(dtype))
        out = library.nn.functional.scaled_dot_product_attention(*given, **named)
        (out * out.detach().cos()).sum().backward()
        results.append([out, *(each.grad for each in given)])
    for ours, theirs in zip(*results, strict=True):
        equal(ours, theirs, 1e-12 if dtype == "float64" else 1e-5)


# ---- MultiheadAttention -------------------------------------------------------------------------

OPTIONS = [
    {},
    {"bias": False, "batch_first": True},
    {"add_bias_kv": True, "add_zero_attn": True},
    {"kdim": 5, "vdim": 3},
    {"add_zero_attn": True, "kdim": 5, "bias": False},
]


def pair(name, *arguments, **options):
    theirs = getattr(torch.nn, name)(*arguments, **options).double()
    ours = getattr(nn, name)(*arguments, **options).double()
    ours.load_state_dict({key: to_ours(value) for key, value in theirs.state_dict().items()})
    return ours, theirs


def same_parameters(ours, theirs):
    names = [name for name, _ in theirs.named_parameters()]
    assert [name for name, _ in ours.named_parameters()] == names
    for name, parameter in ours.named_parameters():
        equal(parameter.grad, theirs.get_parameter(name).grad, 1e-11)


@pytest.mark.parametrize("options", OPTIONS)
def test_multihead_attention_prints_and_saves_alike(options):
    ours, theirs = pair("MultiheadAttention", 8, 2, **options)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    shapes = {key: tuple(value.shape) for key, value in theirs.state_dict().items()}
    assert {key: tuple(value.shape) for key, value in ours.state_dict().items()} == shapes


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(
    "call",
    [
        {},
        {"need_weights": False},
        {"average_attn_weights": False, "attn_mask": "float"},
        {"need_weights": False, "attn_mask": "bool", "key_padding_mask": "bool"},
        {"key_padding_mask": "float", "attn_mask": "heads"},
    ],
)
def test_multihead_attention_computes_the_same(options, call):
    ours, theirs = pair("MultiheadAttention", 8, 2, **options)
    rows, columns, batch = 4, 6, 3
    rng = np.random.default_rng(1)
    masks = {
        "bool": rng.uniform(size=(rows, columns)) < 0.3,
        "float": rng.normal(size=(rows, columns)),
        "heads": rng.uniform(size=(batch * 2, rows, columns)) < 0.3,
    }
    padding = rng.uniform(size=(batch, columns)) < 0.3
    padding[:, 0] = masks["bool"][:, 0] = masks["heads"][:, :, 0] = False
    named = dict(call)
    if "attn_mask" in named:
        named["attn_mask"] = masks[named["attn_mask"]]
    if "key_padding_mask" in named:
        named["key_padding_mask"] = (
            padding if call["key_padding_mask"] == "bool" else padding * -1.5
        )
    drawn = [
        rng.normal(size=(n, batch, width))
        for n, width in ((rows, 8), (columns, theirs.kdim), (columns, theirs.vdim))
    ]
    if options.get("batch_first"):
        drawn = [each.swapaxes(0, 1) for each in drawn]
    results = []
    for library, module in ((mt, ours), (torch, theirs)):
        given = [library.tensor(each.copy(), requires_grad=True) for each in drawn]
        more = {k: library.tensor(v) if isinstance(v, np.ndarray) else v for k, v in named.items()}
        out, weights = module(*given, **more)
        total = (out * out.detach().cos()).sum()
        if weights is not None:
            total = total + (weights * weights).sum()
        total.backward()
        results.append([out, *([] if weights is None else [weights]), *(x.grad for x in given)])
    for mine, other in zip(*results, strict=True):
        equal(mine, other)
    same_parameters(ours, theirs)


@pytest.mark.parametrize("need_weights", [True, False])
def test_self_attention_unbatched_and_causal(need_weights):
    ours, theirs = pair("MultiheadAttention", 8, 4)
    x = np.random.default_rng(0).normal(size=(5, 8))
    outputs = []
    for library, module in ((mt, ours), (torch, theirs)):
        given = library.tensor(x, requires_grad=True)
        mask = library.nn.Transformer.generate_square_subsequent_mask(5).double()
        out, weights = module(
            given, given, given, attn_mask=mask, is_causal=True, need_weights=need_weights
        )
        (out * out.detach().cos()).sum().backward()
        outputs.append([out, given.grad, *([weights] if need_weights else [])])
    for mine, other in zip(*outputs, strict=True):
        equal(mine, other)
    same_parameters(ours, theirs)


# ---- transformers -------------------------------------------------------------------------------

LAYERS = [
    {"dropout": 0.0},
    {"dropout": 0.0, "norm_first": True, "batch_first": True, "activation": "gelu"},
    {"dropout": 0.0, "bias": False, "layer_norm_eps": 1e-3},
]


@pytest.mark.parametrize("options", LAYERS)
@pytest.mark.parametrize("kind", ["Encoder", "Decoder"])
def test_layers_print_save_and_compute_the_same(kind, options):
    ours, theirs = pair(f"Transformer{kind}Layer", 8, 2, 16, **options)
    assert repr(ours) == repr(theirs)
    rng = np.random.default_rng(0)
    drawn = [rng.normal(size=(4, 4, 8)) for _ in range(1 if kind == "Encoder" else 2)]
    padding = np.array([[False] * 4, [False] * 4, [False, False, True, True], [False] * 4])
    results = []
    for library, module in ((mt, ours), (torch, theirs)):
        given = [library.tensor(each, requires_grad=True) for each in drawn]
        mask = library.nn.Transformer.generate_square_subsequent_mask(4)
        name = "src" if kind == "Encoder" else "tgt"
        masks = {f"{name}_mask": mask, f"{name}_key_padding_mask": library.tensor(padding)}
        out = module(*given, **masks)
        (out * out.detach().cos()).sum().backward()
        results.append([out, *(each.grad for each in given)])
    for mine, other in zip(*results, strict=True):
        equal(mine, other, 1e-11)
    same_parameters(ours, theirs)


@pytest.mark.parametrize("options", [*LAYERS[:2], {"dropout": 0.3}])
def test_the_whole_transformer(options):
    ours, theirs = pair("Transformer", 8, 2, 2, 2, 16, **options)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    if options["dropout"]:
        ours.eval(), theirs.eval()
    rng = np.random.default_rng(0)
    src, tgt = rng.normal(size=(4, 4, 8)), rng.normal(size=(4, 4, 8))
    outputs = []
    for library, module in ((mt, ours), (torch, theirs)):
        mask = library.nn.Transformer.generate_square_subsequent_mask(4, dtype=library.float64)
        out = module(library.tensor(src), library.tensor(tgt), tgt_mask=mask)
        (out * out.detach().cos()).sum().backward()
        outputs.append(out)
    equal(*outputs, 1e-11)
    same_parameters(ours, theirs)


def test_weights_go_back_to_pytorch():
    ours = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2, nn.LayerNorm(8)).eval()
    theirs = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(8, 2, 16), 2, torch.nn.LayerNorm(8)
    ).eval()
    state = {key: torch.tensor(value.numpy()) for key, value in ours.state_dict().items()}
    theirs.load_state_dict(state)
    x = np.random.default_rng(0).normal(size=(5, 3, 8)).astype("f4")
    equal(ours(mt.tensor(x)), theirs(torch.tensor(x)), 1e-5)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (((4, 3, 8), (6, 8), (6, 3, 8)), {}),
        (((8,), (8,), (8,)), {}),
        (((4, 3, 7), (6, 3, 7), (6, 3, 7)), {}),
        (((4, 3, 8), (6, 3, 8), (5, 3, 8)), {}),
        (((4, 3, 8), (6, 3, 8), (6, 3, 8)), {"attn_mask": ((4, 5), "bool")}),
        (((4, 3, 8), (6, 3, 8), (6, 3, 8)), {"attn_mask": ((3, 4, 6), "bool")}),
        (((4, 3, 8), (6, 3, 8), (6, 3, 8)), {"attn_mask": ((4, 6), "int64")}),
        (((4, 3, 8), (6, 3, 8), (6, 3, 8)), {"key_padding_mask": ((3, 5), "bool")}),
        (((4, 3, 8), (6, 3, 8), (6, 3, 8)), {"key_padding_mask": ((6,), "bool")}),
        (((4, 3, 8), (6, 3, 8), (6, 3, 8)), {"is_causal": True}),
    ],
)
def test_bad_shapes_raise_what_pytorch_raises(arguments, options):
    errors = []
    for library in (mt, torch):
        module = library.nn.MultiheadAttention(8, 2)
        named = {
            name: library.zeros(value[0]).to(getattr(library, value[1]))
            if isinstance(value, tuple)
            else value
            for name, value in options.items()
        }
        with pytest.raises((AssertionError, RuntimeError)) as caught:
            module(*(library.zeros(shape) for shape in arguments), **named)
        errors.append(caught.type)
    assert errors[0] is errors[1]
