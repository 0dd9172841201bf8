"""Activations at the edges: learned parameters close to zero, zero dimensions, infinities."""

import math

import pytest

import microtensor as mt
from microtensor import nn
from microtensor.autograd import gradcheck, gradgradcheck
from microtensor.nn import functional as F


@pytest.mark.parametrize("dtype, bound", [(mt.float32, 2e-6), (mt.float64, 1e-14)])
@pytest.mark.parametrize("size", [0.0, 1e-8, 1e-4, 1e-3, 0.02, 0.06, 0.3])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_soft_exponential_is_exactly_sloped_by_an_alpha_close_to_zero(dtype, bound, size, sign):
    mpmath = pytest.importorskip("mpmath")
    points = [-1.3, 0.0, 0.01, 0.5, 2.0]
    alpha = mt.tensor([sign * size], dtype=dtype, requires_grad=True)
    a = mpmath.mpf(alpha.item())
    for point in points:
        x = mt.tensor([point], dtype=dtype)
        (found,) = mt.autograd.grad(F.soft_exponential(x, alpha).sum(), [alpha])
        with mpmath.workdps(60):
            x = mpmath.mpf(x.item())
            if a == 0:
                exact = x * x / 2 + 1
            elif a > 0:
                exact = (mpmath.exp(a * x) * (a * x - 1) + 1) / a**2 + 1
            else:
                rest = 1 - a * (x + a)
                exact = mpmath.log(rest) / a**2 + (x + 2 * a) / (a * rest)
        assert found.item() == pytest.approx(float(exact), rel=bound, abs=bound)


@pytest.mark.parametrize("alpha", [0.03, -0.03, 0.5, -0.3])
def test_soft_exponential_passes_gradcheck_twice_on_either_side_of_the_series_end(alpha):
    x = mt.tensor([-1.7, 0.4, 2.3, 3.1], dtype=mt.float64, requires_grad=True)
    a = mt.tensor([alpha], dtype=mt.float64, requires_grad=True)
    assert gradcheck(F.soft_exponential, (x, a))
    assert gradgradcheck(F.soft_exponential, (x, a))


LEARNED = ["PReLU", "SReLU", "Snake", "SoftExponential", "StarReLU", "APL"]


@pytest.mark.parametrize("name", LEARNED)
def test_a_module_that_learns_takes_and_gives_a_single_number(name):
    module = getattr(nn, name)()
    x = mt.tensor(-1.5, requires_grad=True)
    y = module(x)
    y.backward()
    several = getattr(nn, name)()
    row = mt.tensor([-1.5], requires_grad=True)
    several(row).sum().backward()
    assert y.shape == () and y.item() == several(row).item()
    assert x.grad.item() == row.grad.item()
    for one, other in zip(module.parameters(), several.parameters(), strict=True):
        assert one.grad.shape == one.shape and (one.grad == other.grad).all()


@pytest.mark.parametrize("function", [F.snake, F.soft_exponential])
def test_a_parameter_of_more_dimensions_than_the_input_broadcasts_as_in_any_op(function):
    x = mt.tensor([0.3, 0.7], dtype=mt.float64, requires_grad=True)
    a = mt.tensor([[0.4]], dtype=mt.float64, requires_grad=True)
    assert function(x, a).shape == (1, 2)
    assert gradcheck(function, (x, a))


def test_infinities_leave_the_slopes_of_srelus_other_piece_alone():
    module = nn.SReLU()
    module(mt.tensor([math.inf, 0.5])).sum().backward()
    assert module.lower_slope.grad.item() == 0.0 and module.upper_slope.grad.item() == math.inf
    module.zero_grad()
    module(mt.tensor([-math.inf, 0.5])).sum().backward()
    assert module.upper_slope.grad.item() == 0.0 and module.lower_slope.grad.item() == -math.inf


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: nn.RReLU(0.5, math.inf), ValueError, "both finite.*upper=inf"),
        (lambda: nn.RReLU(-math.inf, 0.5), ValueError, "both finite.*lower=-inf"),
        (lambda: nn.Maxout(0), ValueError, "Maxout: .*pieces >= 1, got pieces=0"),
        (lambda: nn.Maxout(2.0), ValueError, "Maxout: .*got pieces=2.0"),
        (lambda: F.maxout(mt.ones(2, 4), True), ValueError, "maxout: .*got pieces=True"),
        (lambda: nn.LeakyReLU("a"), TypeError, "leaky_relu.*numbers, got 'a'"),
        (lambda: F.elu(mt.ones(3), None), TypeError, "elu.*numbers, got None"),
    ],
)
def test_what_is_no_legal_number_is_refused_by_name(make, error, words):
    with pytest.raises(error, match=words):
        make()


PER_CHANNEL = [name for name in LEARNED if name != "PReLU"]


@pytest.mark.parametrize("shape", [(), (1,), (2, 1), (2, 1, 4), (3, 2)])
@pytest.mark.parametrize("name", PER_CHANNEL)
def test_an_input_of_other_channels_is_refused_and_never_grown(name, shape):
    module = nn.APL(2, 3) if name == "APL" else getattr(nn, name)(3)
    with pytest.raises(RuntimeError, match="3 channels that num_parameters is, got shape"):
        module(mt.ones(shape))
    assert module(mt.ones(3)).shape == (3,) and module(mt.ones(2, 3, 1)).shape == (2, 3, 1)


@pytest.mark.parametrize("name", LEARNED)
def test_half_precision_is_a_call_away_and_close_to_double(name):
    halved, doubled = getattr(nn, name)(), getattr(nn, name)().double()
    assert halved.half() is halved
    found = []
    for module, dtype in ((halved, mt.float16), (doubled, mt.float64)):
        x = mt.tensor([-1.5, 0.5, 2.0], dtype=dtype, requires_grad=True)
        y = module(x)
        y.sum().backward()
        results = [y.detach(), x.grad, *[p.grad for p in module.parameters()]]
        assert all(one.dtype is dtype for one in results)
        found.append([one.double().flatten().tolist() for one in results])
    for one, other in zip(*found, strict=True):
        assert one == pytest.approx(other, rel=2e-3, abs=2e-3)


@pytest.mark.parametrize(
    "text, value",
    [
        ("threshold(x, 0.1, 20.0)", 20.0),
        ("hardshrink(x, 0.1)", 0.0),
        ("softshrink(x, 0.1)", 0.0),
        ("hardtanh(x, -1.0, 0.1)", 0.1),
        ("hardtanh(x, 0.1, 1.0)", 0.1),
    ],
)
@pytest.mark.parametrize("size", [1, 33])
def test_float32s_number_nearest_to_a_threshold_lies_at_it(text, value, size):
    x = mt.full((size,), 0.1, requires_grad=True)
    y = eval(f"F.{text}", {"F": F, "x": x})
    y.sum().backward()
    assert (y == mt.tensor(value)).all() and (x.grad == 0.0).all()
