"""The activations as functions and modules: beside PyTorch, their learned parameters, bad input."""

import inspect
import pickle
import warnings

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.autograd import gradcheck, gradgradcheck
from microtensor.nn import functional as F
from microtensor.ops.activations import ACTIVATIONS, ARTICLE

THEIRS = """
Threshold(0.1,20) ReLU() RReLU() Hardtanh() ReLU6() Sigmoid() Hardsigmoid() Tanh() SiLU() Mish()
Hardswish() ELU() CELU() SELU() GLU() GELU() Hardshrink() LeakyReLU() LogSigmoid() Softplus()
Softshrink() PReLU() PReLU(4) Softsign() Tanhshrink() Softmin(dim=1) Softmax(dim=1)
LogSoftmax(dim=1) Threshold(0.1,20,True) ReLU(True) RReLU(inplace=True) Hardtanh(-2.0,0.5)
ReLU6(inplace=True) Hardsigmoid(True) SiLU(True) Mish(inplace=True) Hardswish(True) ELU(0.5,True)
CELU(0.5) SELU(True) GLU(1) GELU('tanh') Hardshrink(0.1) LeakyReLU(0.3,True) Softplus(2.0,5.0)
Softshrink(0.2)
"""

FUNCTIONS = """
F.threshold(a, 0.1, 20.0); F.hardtanh(a); F.hardtanh(a, -2.0, 0.5); F.relu6(a * 5); F.mish(a * 4)
F.hardsigmoid(a * 3); F.hardswish(a * 3); F.celu(a); F.celu(a, 0.5); F.hardshrink(a); m.celu(a)
F.softshrink(a); F.softshrink(a, 0.1); F.tanhshrink(a); F.logsigmoid(a * 10); F.prelu(a, w)
F.prelu(a, v); m.prelu(a, w); a.prelu(w); m.hardshrink(a); a.hardshrink(0.2); F.rrelu(a)
m.threshold(a, 0.2, 3.0); F.softmin(a, 1); F.glu(a); F.glu(a, 1); F.glu(a.t(), 0); F.relu(a, True)
F.hardtanh(a * 1, inplace=True); F.relu_(a * 1); F.leaky_relu_(a * 1, 0.2); F.elu_(a * 1)
F.selu_(a * 1); F.celu_(a * 1, 0.7); F.threshold_(a * 1, 0.1, 2.0); F.hardtanh_(a * 1)
m.relu_(a * 1); F.threshold(a * 1, 0.1, 2.0, True)
F.celu(a, 0.0); F.softshrink(a, -1.0); F.hardtanh(a, 1.0, -1.0); F.rrelu(a, 0.5, 0.1)
F.prelu(a, a); F.glu(a[:, :3]); F.glu(a[0, 0]); F.hardswish(a * 3, True)
"""


def _run(library, text, dtype):
    values = np.random.default_rng(3).normal(size=(3, 4)).astype(dtype)
    a = library.tensor(values, requires_grad=True)
    w = library.tensor(np.array([0.3], dtype), requires_grad=True)
    v = library.tensor(np.array([0.3, -0.1, 0.2, 0.5], dtype), requires_grad=True)
    names = {"m": library, "F": library.nn.functional, "a": a, "w": w, "v": v}
    try:
        y = eval(text, names)
        (y * y).sum().backward()
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        return type(error)
    grads = [None if t.grad is None else t.grad.numpy() for t in (a, w, v)]
    return [y.detach().numpy(), *grads]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "text", [t.strip() for t in FUNCTIONS.replace("\n", ";").split(";") if t.strip()]
)
def test_function_gives_what_pytorch_gives(text, dtype, torch):
    ours, theirs = _run(mt, text, dtype), _run(torch, text, dtype)
    if isinstance(theirs, type):
        assert ours is theirs
        return
    for own, other in zip(ours, theirs, strict=True):
        assert (own is None) == (other is None)
        if own is not None:
            assert own.shape == other.shape and own.dtype == other.dtype
            np.testing.assert_allclose(
                own, other, rtol=2e-5 if dtype == "float32" else 1e-12, atol=1e-6
            )


@pytest.mark.parametrize("text", THEIRS.split())
def test_module_has_pytorchs_repr_signature_and_values(text, torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = eval(f"nn.{text}"), eval(f"torch.nn.{text}", {"torch": torch})
    assert repr(ours) == repr(theirs)
    wanted = list(inspect.signature(type(theirs).__init__).parameters)[1:]
    own = list(inspect.signature(type(ours)).parameters)
    if wanted != ["args", "kwargs"]:
        assert own[: len(wanted)] == [n for n in wanted if n not in ("min_value", "max_value")]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    ours.eval(), theirs.eval()
    expected = theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(ours(mt.tensor(x)).detach().numpy(), expected, rtol=2e-5, atol=1e-6)


def _module(name):
    made = {"Threshold": (0.1, 2.0), "Softmax": (1,), "Softmin": (1,), "LogSoftmax": (1,)}
    made["Maxout"] = (2,)
    return getattr(nn, ACTIVATIONS[name].module)(*made.get(ACTIVATIONS[name].module, ()))


def test_the_article_comes_first_and_is_complete():
    assert len(ARTICLE) == 26
    assert list(ACTIVATIONS)[:26] == list(ARTICLE)
    for name, record in ACTIVATIONS.items():
        assert record.kind == "activation"
        assert record.summary and record.formula and record.derivative and record.range
        assert name == "gelu_tanh" or callable(getattr(F, name))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_module_runs_learns_and_is_copied(name):
    module = _module(name)
    x = mt.randn(3, 4, generator=None, requires_grad=True)
    y = module(x)
    assert y.dtype is mt.float32 and y.requires_grad
    y.sum().backward()
    assert x.grad is not None and x.grad.shape == x.shape
    for parameter in module.parameters():
        assert parameter.grad is not None and parameter.grad.shape == parameter.shape
    learned = {n for n, _ in module.named_parameters()}
    assert learned == set(ACTIVATIONS[name].learned)
    copy = pickle.loads(pickle.dumps(module))
    assert repr(copy) == repr(module)
    if name != "rrelu":
        np.testing.assert_array_equal(copy(x).detach().numpy(), y.detach().numpy())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_integers_are_refused(name):
    if name in ("sigmoid", "tanh", "identity"):
        return  # which PyTorch promotes, and the module that gives back whatever comes
    with pytest.raises(RuntimeError):
        _module(name).eval()(mt.tensor([[1, 2, 3, 4]]))


@pytest.mark.parametrize(
    "kind", [nn.SReLU, nn.APL, nn.PReLU, nn.Snake, nn.SoftExponential, nn.StarReLU]
)
def test_parameters_per_channel_pass_gradcheck_twice(kind):
    channels = {"num_parameters": 3, "dtype": mt.float64}
    module = kind(num_hinges=2, **channels) if kind is nn.APL else kind(**channels)
    if kind is nn.SoftExponential:
        module.alpha.data.fill_(0.4)
    x = mt.tensor(np.random.default_rng(2).uniform(-2, 2, (2, 3, 4)), requires_grad=True)
    parameters = list(module.parameters())

    def run(x, *values):
        for (name, _), value in zip(list(module.named_parameters()), values, strict=True):
            module.__dict__[name] = value
        return module(x)

    assert gradcheck(run, [x, *parameters])
    assert gradgradcheck(run, [x, *parameters])


@pytest.mark.parametrize("name", ["step", "signum"])
def test_flat_activations_give_zero_gradients_and_not_none(name):
    x = mt.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    y = getattr(F, name)(x)
    assert y.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_rrelu_draws_between_its_bounds_and_takes_the_mean_in_evaluation():
    mt.manual_seed(0)
    module, x = nn.RReLU(0.2, 0.4), mt.full((1000,), -1.0, requires_grad=True)
    y = module(x)
    y.sum().backward()
    slopes = -y.detach().numpy()
    assert 0.2 <= slopes.min() < 0.22 and 0.38 < slopes.max() <= 0.4
    np.testing.assert_array_equal(x.grad.numpy(), slopes)
    np.testing.assert_allclose(module.eval()(x).detach().numpy(), -0.3, rtol=1e-6)


def test_sinc_is_not_normalised_unless_asked():
    x = mt.tensor([0.0, 1.0, 4.4934], dtype=mt.float64)
    np.testing.assert_allclose(F.sinc(x).numpy(), [1.0, np.sin(1.0), -0.21723], atol=1e-5)
    np.testing.assert_array_equal(F.sinc(x, normalized=True).numpy(), mt.sinc(x).numpy())


def test_hardsigmoid_takes_the_articles_slope():
    x = mt.tensor([-3.0, -1.0, 0.0, 2.5], dtype=mt.float64)
    np.testing.assert_allclose(F.hardsigmoid(x, slope=0.2).numpy(), [0.0, 0.3, 0.5, 1.0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nn.RReLU(0.5, 0.1)", "lower <= upper"),
        ("nn.CELU(-1.0)", "alpha > 0"),
        ("nn.PReLU(0)", "num_parameters"),
        ("nn.SReLU(1, 2.0, 0.1, 1.0)", "lower_threshold <= upper_threshold"),
        ("nn.APL(0)", "num_hinges"),
        ("nn.Hardtanh(1.0, -1.0)", "min_val <= max_val"),
        ("nn.Softshrink(-0.1)", "lambd >= 0"),
        ("nn.Hardshrink(-0.1)", "lambd >= 0"),
        ("nn.Softplus(0.0)", "beta != 0"),
        ("nn.Hardsigmoid(slope=0.0)", "slope"),
        ("F.maxout(mt.ones(4), 0)", "pieces >= 1"),
    ],
)
def test_bad_parameters_name_themselves_and_what_is_legal(text, words):
    with pytest.raises(ValueError, match=words):
        eval(text)
