"""Pointwise ops and dtypes beside PyTorch: the same lines, values at kinks, tables of dtypes."""

import itertools
import math
import warnings

import numpy as np
import pytest

import microtensor as mt

# What a line may name, all differentiated: a, b of shape (3, 4); r (4,); s (); u in (-1, 1) of
# shape (3, 4); p (3, 4) positive; e (0, 4). Constants: i, j int64 of shape (4,); f bool of (3, 4).
LINES = """
a.add(b, alpha=-2.5); m.add(2, a); m.sub(2, a); m.mul(2, a); m.div(2, p); m.pow(2, a); m.rsub(a, b)
m.rsub(a, 2); m.rsub(a, b, alpha=2); a.subtract(r); a.multiply(s); m.divide(a, p); m.positive(a)
a.fmod(p); m.fmod(a, 0.7); a.remainder(-0.7); m.div(a, p, rounding_mode='floor')
m.div(a, p, rounding_mode='trunc'); p.pow(b); m.pow(input=p, exponent=b); m.float_power(p, b)
m.float_power(2, a); p.float_power(2); m.addcmul(a, b, r, value=2.5); a.addcmul(b, s)
m.addcdiv(a, b, p, value=-2); a.addcdiv(r, p); m.lerp(a, b, 0.3); m.lerp(a, b, u); a.lerp(r, s)
m.lerp(a, b, 1.0); m.lerp(a, b, 2); a.absolute(); m.sgn(a.detach()); m.sign(a); a.copysign(b)
m.copysign(a, -1); a.copysign(2.0); m.heaviside(a.detach(), b.detach()); a.floor(); a.ceil()
a.trunc(); a.fix(); a.round(); m.round(a, decimals=1); m.round(a * 100, decimals=-1); a.frac()
m.nan_to_num(a / 0); m.nan_to_num(a * 0 / 0, nan=2.0); m.nan_to_num(a / 0, posinf=3, neginf=-3)
m.nextafter(a.detach(), b.detach()); a.exp2(); a.expm1(); p.log2(); p.log10(); p.log1p(); p.rsqrt()
a.hypot(b); a.hypot(s); m.logaddexp(a, b); m.logaddexp(a * 800, r); m.logaddexp2(a, b)
m.xlogy(a, p); m.xlogy(a, 2); m.xlogy(2, p); p.xlogy(p); m.ldexp(a, b); a.ldexp(i); a.tan()
u.asin(); u.acos(); a.atan(); a.sinh(); a.cosh(); a.asinh(); (p + 1).acosh(); u.atanh(); u.arcsin()
u.arccos(); a.arctan(); a.arcsinh(); (p + 1).arccosh(); u.arctanh(); m.atan2(a, b); a.arctan2(b)
m.arctan2(a, s); a.deg2rad(); a.rad2deg(); a.erf(); a.erfc(); (a * 5).erfc(); u.erfinv()
(p * 4).lgamma(); a.lgamma(); (p * 4).digamma(); a.digamma(); m.polygamma(1, p); p.polygamma(2)
m.polygamma(3, p); m.polygamma(0, p); a.sinc(); (a * 1e-9).sinc(); ((u + 1) / 2).logit()
m.logit((u + 1) / 2, 0.3); m.logit((u + 1) / 2, eps=1e-6); m.clamp(a, b, b + 0.5); a.clamp(min=r)
a.clamp(max=s); m.clamp(a, r); a.clamp(b + 1, b); m.clamp(a, min=-0.5); a.clip(b, p)
m.clamp_min(a, 0.1); a.clamp_max(0.1); m.clamp_min(a, b); m.clamp_max(a, r); m.fmax(a, b)
m.fmin(a, b); a.fmax(r); m.maximum(a, r); m.where(a > 0, a, 2); m.where(f, a, b); a.where(f, b)
a.where(f, 0); m.where(f, s, a); a.masked_fill(f, s); a.masked_fill(f, 2); a.masked_fill(f, 1.5)
i.masked_fill(i > 2, 7.9); e.sinc(); e.lgamma(); e.erf(); m.clamp(e, r); m.isclose(a, a + 1e-9)
m.isclose(a, b, 0.5, 0.1); m.isclose(a / 0, b / 0); m.isclose(i, j)
m.isclose(a * 0 / 0, a * 0 / 0, equal_nan=True); m.isposinf(a / 0); m.isneginf(a / 0); m.isreal(a)
m.signbit(a); m.signbit(a * 0); m.greater(a, b); m.greater_equal(a, r); m.less(a, s)
m.less_equal(a, 0); m.not_equal(a, a); m.logical_not(a); m.logical_xor(f, a); a.logical_or(f); i & 3
i | j; 6 ^ i; ~i; i << 1; i << j; 2 << i; i >> 1; -i >> j; 64 >> i; i.bitwise_left_shift(70)
(-i).bitwise_right_shift(-3); m.bitwise_and(3, i); m.gcd(i * 6, j * 4); m.lcm(i, -j)
m.gcd(i - i, j); f & ~f; m.bitwise_not(f); i // j; -i // j; -i % j; m.fmod(-i, j)
m.div(-i, j, rounding_mode='trunc'); m.div(-i, 2, rounding_mode='trunc')
m.div(-i, 2.5, rounding_mode='trunc'); i ** 2; i ** -j; 2 ** i; i ** 0.5; (i - 3) ** -j; i / j
i.sqrt(); i.sinc(); i.lgamma(); i.square(); f.square(); f.sin(); f + f; f * 2; f + 1.5; f ** 2
f.sign(); i.sign(); i.abs(); i.floor(); i.round(); i.trunc(); i.nan_to_num(); i.clamp(2)
i.clamp(2, 3.5); f.clamp(0, 1); i.clamp(max=j); i.addcmul(j, j, value=3); m.maximum(i, f); i.fmax(j)
i.atan2(j); i.xlogy(j); i.copysign(-1); i.eq(2.5); (i == a[0]) | f; i.float_power(2); m.rsub(i, 10)
i.add(j, alpha=3); m.sub(10, i, alpha=2); f.add(f, alpha=True); m.addcmul(a, b, i)
m.lerp(a.double(), b.double(), 0.25); a.half().sin(); a.half().add(b.half(), alpha=0.5)
a.half().erf().float(); a.half() + 1e6; a.half().clamp(-1, 1); a.clone().mul_(2).add_(b)
a.clone().sinc_(); a.clone().clamp_(min=b); a.clone().clip_(-1, 1); a.clone().round_(decimals=1)
a.clone().lerp_(b, 0.3); a.clone().addcmul_(b, r, value=2); a.clone().div_(p, rounding_mode='floor')
a.clone().copysign_(b); a.clone().arctan2_(b); a.clone().eq_(b.detach()); a.clone().lt_(0)
a.clone().greater_equal_(0.5); a.clone().nan_to_num_(); a.clone().absolute_(); a.clone().erf_()
p.clone().lgamma_(); i.clone().gcd_(j); i.clone().bitwise_left_shift_(2); p.clone().polygamma_(1)
a.clone().masked_fill_(f, 0.5); a.clone().fix_(); p.clone().xlogy_(p); ((u + 1) / 2).logit_(0.1)
a.clone().hypot_(b); a.clone().subtract_(b, alpha=2); (a * 1).double().float_power_(2)
a.clone().ldexp_(i); a.clone().fmod_(p); a.clone().heaviside_(b).detach(); m.where(f)[0]
m.where(f)[1]; m.where(i > 2)[0]; m.where(m.tensor(2.0))[0]; m.where(s * 0)[0]; m.where(f, 1, 2)
m.where(f, 1.5, 2); m.where(f, True, False); m.where(f, i, 1.5); m.where(f, i, a)
"""
FLAT = [part.strip() for line in LINES.strip().splitlines() for part in line.split("; ")]


def inputs(m, dtype):
    rng = np.random.default_rng(9)
    made = {}
    for name, shape, low, high in (
        *(("a", (3, 4), -3, 3), ("b", (3, 4), -3, 3), ("r", (4,), -2, 2), ("s", (), -1, 1)),
        *(("u", (3, 4), -0.95, 0.95), ("p", (3, 4), 0.3, 2), ("e", (0, 4), 0, 1)),
    ):
        values = np.asarray(rng.uniform(low, high, shape)).astype(dtype)
        made[name] = m.tensor(values, requires_grad=True)
    return made


def run(m, line, dtype):
    names = inputs(m, dtype)
    constants = {
        "i": m.tensor([1, 2, 3, 5]),
        "j": m.tensor([2, 1, 3, 2]),
        "f": m.tensor(np.arange(12).reshape(3, 4) % 3 == 0),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = eval(line, {"m": m, **names, **constants})
        if result.requires_grad:
            start = np.linspace(0.5, 1.5, result.numel()).reshape(tuple(result.shape))
            result.backward(m.tensor(start).to(result.dtype))
    grads = {n: x.grad.numpy() for n, x in names.items() if x.grad is not None}
    return result.detach().numpy(), str(result.dtype).split(".")[1], grads


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("line", FLAT)
def test_line_gives_what_pytorch_gives(line, dtype, torch):
    ours, our_dtype, our_grads = run(mt, line, dtype)
    theirs, their_dtype, their_grads = run(torch, line, dtype)
    assert our_dtype == their_dtype
    assert ours.shape == theirs.shape
    tolerance = {"rtol": 1e-9, "atol": 1e-12}
    if dtype == "float32" or our_dtype == "float32":
        tolerance = {"rtol": 5e-5, "atol": 5e-6}
    if our_dtype == "float16" or ".half()" in line:
        tolerance = {"rtol": 2e-3, "atol": 1e-3}
    np.testing.assert_allclose(ours, theirs, **tolerance)
    assert set(our_grads) == set(their_grads)
    for name, gradient in our_grads.items():
        assert gradient.dtype == their_grads[name].dtype
        np.testing.assert_allclose(gradient, their_grads[name], **tolerance, err_msg=name)


# ---- kinks, edges, NaN and infinities -----------------------------------------------------------

inf, nan = math.inf, math.nan
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.5, 1.5, nan, inf, -inf, 3.0, 0.1, 0.9]
ONE = """
x.abs(); x.sign(); x.neg(); x.square(); x.sqrt(); x.rsqrt(); x.reciprocal(); x.exp(); x.exp2()
x.expm1(); x.log(); x.log2(); x.log10(); x.log1p(); x.asin(); x.acos(); x.atan(); x.asinh()
x.atanh(); x.sinh(); x.cosh(); x.tanh(); x.sigmoid(); x.floor(); x.ceil(); x.round(); x.trunc()
x.frac(); m.round(x, decimals=2); m.round(x, decimals=-1); x.erf(); x.erfc(); x.erfinv(); x.logit()
x.logit(0.1); x.clamp(-1, 1); x.clamp(1, -1); x.clamp(min=0); x.clamp(max=0.5); x.clamp(min=nan)
x.nan_to_num(); x.nan_to_num(1, 2, 3); x ** 2; x ** 0; x ** 0.5; x ** -1; x ** 3; 0 ** x; 2 ** x
(-2.0) ** x; x.isnan(); x.isfinite(); x.signbit(); x.copysign(-1); x.xlogy(0); x.deg2rad()
x.remainder(0.7); x.fmod(0.7); x.lerp(x * 2, 0.5); x.logical_not(); m.fmax(x, x * nan)
m.maximum(x, x)
"""
TWO = """
m.add(x, y); m.mul(x, y); m.div(x, y); m.pow(x, y); m.remainder(x, y); m.fmod(x, y); m.hypot(x, y)
m.maximum(x, y); m.minimum(x, y); m.fmax(x, y); m.fmin(x, y); m.xlogy(x, y); m.copysign(x, y)
m.div(x, y, rounding_mode='floor'); m.div(x, y, rounding_mode='trunc'); m.logaddexp(x, y)
m.logaddexp2(x, y); x.clamp(min=y); x.clamp(max=y); x.clamp(y, y * 2); x.clamp(y * 2, y); m.eq(x, y)
m.le(x, y); m.isclose(x, y); m.isclose(x, y, equal_nan=True); m.lerp(x, y, 0.3); m.lerp(y, y, x)
m.addcmul(x, y, y); m.addcdiv(x, x, y); m.atan2(x, y); m.where(x > y, x, y)
m.heaviside(x.detach(), y.detach()); m.nextafter(x.detach(), y.detach())
m.floor_divide(x.detach(), y.detach())
"""
# PyTorch takes x ** -0.5 for rsqrt, which makes -inf of -0.0 and NaN of -inf; IEEE's pow does not.
GRADIENT_DIFFERS = ("x ** 0.5",)


def split(lines):
    return [part.strip() for line in lines.strip().splitlines() for part in line.split("; ")]


def at_edges(m, line, arrays):
    made = [m.tensor(array, requires_grad=True) for array in arrays]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = eval(line, {"m": m, "nan": nan, **dict(zip("xy", made, strict=False))})
        if result.requires_grad:
            result.backward(m.ones_like(result))
    grads = [
        np.zeros_like(a) if t.grad is None else t.grad.numpy()
        for t, a in zip(made, arrays, strict=True)
    ]
    return result.detach().numpy(), grads


def assert_same_at_edges(line, arrays, torch):
    ours, our_grads = at_edges(mt, line, arrays)
    theirs, their_grads = at_edges(torch, line, arrays)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)
    if line in GRADIENT_DIFFERS:
        return
    for ours, theirs in zip(our_grads, their_grads, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("line", split(ONE))
def test_kinks_and_edges_of_one_operand(line, torch):
    assert_same_at_edges(line, [np.array(EDGES)], torch)


@pytest.mark.parametrize("line", split(TWO))
def test_kinks_and_edges_of_two_operands(line, torch):
    x, y = (each.ravel() for each in np.meshgrid(EDGES, EDGES))
    assert_same_at_edges(line, [x, y], torch)


# ---- dtypes -------------------------------------------------------------------------------------

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
UNARY = [
    *("neg", "abs", "sign", "sgn", "signbit", "exp", "exp2", "expm1", "log", "log2", "log10"),
    *("log1p", "sqrt", "rsqrt", "square", "reciprocal", "sin", "tan", "asin", "acosh", "atanh"),
    *("deg2rad", "rad2deg", "sigmoid", "logit", "erf", "erfc", "erfinv", "lgamma", "digamma"),
    *("sinc", "floor", "ceil", "round", "trunc", "frac", "nan_to_num", "isnan", "isposinf"),
    *("isreal", "logical_not", "bitwise_not", "positive", "tanh"),
]
BINARY = [
    *("add", "sub", "mul", "div", "floor_divide", "rsub", "remainder", "fmod", "pow"),
    *("float_power", "atan2", "hypot", "maximum", "fmin", "logaddexp", "logaddexp2", "xlogy"),
    *("heaviside", "copysign", "gcd", "lcm", "eq", "lt", "logical_and", "bitwise_and"),
    *("bitwise_left_shift", "bitwise_right_shift", "isclose"),
]


def outcome(function):
    """The dtype that comes out, or the exception, PyTorch's NotImplementedError as its base."""
    try:
        return str(function().dtype).split(".")[1]
    except (RuntimeError, TypeError) as error:
        return "TypeError" if isinstance(error, TypeError) else "RuntimeError"


@pytest.mark.parametrize("name", UNARY)
def test_dtypes_of_functions_of_one_tensor(name, torch):
    for dtype in NAMES:
        found = []
        for m in (mt, torch):
            x = m.ones(2, dtype=getattr(m, dtype))
            found.append(outcome(lambda m=m, x=x: getattr(m, name)(x)))
        ours, theirs = found
        if name == "bitwise_not" and dtype.startswith("float"):
            assert ours == "TypeError"  # as of PyTorch's operator ~
            continue
        assert ours == theirs, dtype


@pytest.mark.parametrize("name", BINARY)
def test_dtypes_of_functions_of_two_tensors(name, torch):
    for first, second in itertools.product(NAMES, NAMES):
        found = []
        for m in (mt, torch):
            x, y = (m.ones(2, dtype=getattr(m, each)) for each in (first, second))
            found.append(outcome(lambda m=m, x=x, y=y: getattr(m, name)(x, y)))
        assert found[0] == found[1], (first, second)


@pytest.mark.parametrize("name", ["add", "mul", "div", "eq", "maximum", "pow"])
def test_dtypes_of_every_pair_with_and_without_dimensions(name, torch):
    for (first, second), (a, b) in itertools.product(
        itertools.product(NAMES, NAMES), itertools.product(((2,), ()), ((2,), ()))
    ):
        found = []
        for m in (mt, torch):
            x = m.ones(a, dtype=getattr(m, first))
            y = m.ones(b, dtype=getattr(m, second))
            found.append(outcome(lambda m=m, x=x, y=y: getattr(m, name)(x, y)))
        assert found[0] == found[1], (first, a, second, b)


@pytest.mark.parametrize("name", ["add", "mul", "div", "eq", "floor_divide", "remainder"])
@pytest.mark.parametrize("number", [True, 2, 2.5])
def test_dtypes_beside_a_python_number(name, number, torch):
    for dtype, shape in itertools.product(NAMES, ((2,), ())):
        found = []
        for m in (mt, torch):
            x = m.ones(shape, dtype=getattr(m, dtype))
            found.append(outcome(lambda m=m, x=x: getattr(m, name)(x, number)))
        if number is True and dtype == "bool" and name in ("floor_divide", "remainder"):
            assert found[1] == "RuntimeError"
        assert found[0] == found[1], (dtype, shape)


def test_result_type_promote_types_and_can_cast(torch):
    values = [(dtype, shape) for dtype in NAMES for shape in ((2,), ())]
    numbers = [True, 2, 2.5]

    def name(dtype):
        return str(dtype).split(".")[1]

    for first, second in itertools.product([*values, *numbers], [*values, *numbers]):
        found = []
        for m in (mt, torch):
            x, y = (
                m.ones(each[1], dtype=getattr(m, each[0])) if isinstance(each, tuple) else each
                for each in (first, second)
            )
            found.append(name(m.result_type(x, y)))
        assert found[0] == found[1], (first, second)
    for first, second in itertools.product(NAMES, NAMES):
        ours = [getattr(mt, each) for each in (first, second)]
        theirs = [getattr(torch, each) for each in (first, second)]
        assert name(mt.promote_types(*ours)) == name(torch.promote_types(*theirs))
        assert mt.can_cast(*ours) == torch.can_cast(*theirs)


def test_limits_of_dtypes(torch):
    for dtype in ("float16", "float32", "float64"):
        ours, theirs = mt.finfo(getattr(mt, dtype)), torch.finfo(getattr(torch, dtype))
        for name in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
            assert getattr(ours, name) == getattr(theirs, name), name
        assert repr(ours) == repr(theirs)
    for dtype in ("uint8", "int8", "int16", "int32", "int64"):
        ours, theirs = mt.iinfo(getattr(mt, dtype)), torch.iinfo(getattr(torch, dtype))
        for name in ("bits", "max", "min", "dtype"):
            assert getattr(ours, name) == getattr(theirs, name)
        assert ours == mt.iinfo(getattr(mt, dtype)) and hash(ours)
    assert mt.finfo().dtype == torch.finfo().dtype
    assert (mt.pi, mt.e, mt.inf, mt.newaxis) == (torch.pi, torch.e, torch.inf, torch.newaxis)


# x and y are ones of float32 and int8.
CONVERSIONS = """
x.to(m.float64); x.to('cpu'); x.to('cpu', m.int64); x.to('cpu', m.int64, True)
x.to(m.int64, False, True); x.to(m.int64, non_blocking=True, copy=True); x.to(y)
x.to(y, True, True); x.to(device='cpu'); x.to(dtype=m.int8); x.to(device=None, dtype=None); x.to()
x.to(None); x.to(None, m.int8); x.to('cpu', memory_format=None); x.to(float); x.to(int); x.to(bool)
x.to(dtype=float); x.float(); x.double(); x.half(); x.long(); x.int(); x.short(); x.char(); x.byte()
x.bool(); x.type_as(y); x.type(m.int64); x.type(dtype=m.float64)
x.type(m.float64, non_blocking=True); m.tensor([1.9, -1.9]).int(); m.tensor([300.]).byte()
m.tensor([-1.]).byte(); m.tensor(300).to(m.int8); m.tensor([m.nan]).bool(); m.tensor([True]).float()
m.tensor([1e6]).half(); m.tensor([True]).char()
"""


@pytest.mark.parametrize("line", split(CONVERSIONS))
def test_conversions(line, torch):
    found = []
    for m in (mt, torch):
        names = {"m": m, "x": m.ones(2), "y": m.ones(2, dtype=m.int8)}
        result = eval(line, names)
        found.append((str(result.dtype).split(".")[1], result.tolist(), result is names["x"]))
    assert found[0] == found[1]


def test_names_of_types(torch):
    for dtype in NAMES:
        ours = mt.ones(1, dtype=getattr(mt, dtype)).type()
        theirs = torch.ones(1, dtype=getattr(torch, dtype)).type()
        assert ours.split(".")[1] == theirs.split(".")[1]
        assert mt.ones(1).type(ours).type() == mt.ones(1).type(theirs).type() == ours


# ---- what fails fails alike ---------------------------------------------------------------------

WRONG = """
m.tensor([1]) // 0; m.div(m.tensor([1]), 0, rounding_mode='trunc'); m.fmod(m.tensor([1]), 0)
m.tensor([2]) ** -1; m.pow(m.tensor([2], dtype=m.uint8), 300); m.eq(1, m.ones(1))
m.fmod(3, m.ones(2)); m.copysign(3, m.ones(2)); m.atan2(m.ones(2), 1); m.maximum(m.ones(2), 1)
m.hypot(m.ones(2), 1); m.logical_and(m.ones(2), True); m.gcd(m.tensor([1]), 2); m.rsub(2, m.ones(2))
m.lerp(m.ones(2), 1, .5); m.lerp(m.ones(2), m.ones(2, dtype=m.float64), .5)
m.lerp(m.tensor([1]), m.tensor([2]), .5); m.addcmul(m.ones(2), 2., 3.)
m.addcdiv(m.tensor([1]), m.tensor([1]), m.tensor([1])); m.clamp(m.ones(2))
m.clamp(m.ones(2), m.ones(2), 3.); m.clamp(m.ones(2), 'a')
m.clamp(m.ones(2, dtype=m.int8), max=1000); m.where(m.tensor([1, 0]), 1, 2)
m.where(m.tensor([True]), m.ones(1)); m.where(m.tensor([True]), 'a', 1)
m.add(m.ones(2), 1, alpha='a'); m.add(m.tensor([1]), 1, alpha=2.5); m.add(m.ones(2), 1, alpha=True)
m.tensor([True]) - 1; 1 - m.tensor([True]); m.tensor([1]) - m.tensor([True]); m.ones(2) - True
m.round(m.tensor([15]), decimals=-1); m.round(m.ones(1), 2); m.polygamma(-1, m.ones(1))
m.polygamma(1.5, m.ones(1)); m.heaviside(m.ones(1), m.tensor([1]))
m.nextafter(m.tensor([1]), m.tensor([2])); m.isclose(m.ones(2), m.ones(2, dtype=m.float64))
m.isclose(m.ones(2), m.ones(2), rtol=-1); m.allclose(m.ones(2), m.ones(3)); m.equal(m.ones(1), 2)
m.ones(2) << 1; m.tensor([1]) << 1.5; m.tensor([True]) << m.tensor([True]); m.ones(2) & 1
+m.tensor([True]); m.sin(1.0); m.erf(np.ones(2)); m.tensor([1]).sqrt_(); m.tensor([1]).div_(2)
m.tensor([True]).add_(1); m.ones(2).float_power_(2); m.tensor([1]) + 2 ** 64; m.finfo(m.int8)
m.iinfo(m.float32); m.iinfo(m.bool); m.iinfo(); m.finfo('float32'); m.promote_types(1, m.int8)
m.result_type('a', 1); m.can_cast(m.float32, 1); m.is_floating_point(1); m.is_nonzero(m.ones(2))
m.is_nonzero(m.ones(0)); m.numel(1); m.ones(1).type('float64'); m.ones(1).type_as(1)
m.ones(1).to('float32'); m.ones(1).to(m.int8, m.int8); m.set_default_dtype('int64')
m.ones(2).masked_fill(m.ones(2), 1); m.ones(2).masked_fill(m.tensor([True, False]), m.ones(2))
m.tensor([1], dtype=m.uint8).masked_fill(m.tensor([True]), 300)
m.div(m.ones(2), 2, rounding_mode='up')
"""


@pytest.mark.parametrize("line", split(WRONG))
def test_line_fails_as_in_pytorch(line, torch):
    classes = []
    for m in (torch, mt):
        with warnings.catch_warnings(), pytest.raises(Exception) as error:
            warnings.simplefilter("ignore")
            eval(line, {"m": m, "np": np})
        classes.append(error.type)
    theirs, ours = classes
    assert issubclass(ours, theirs) or issubclass(theirs, ours)
