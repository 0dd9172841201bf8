"""Pointwise ops without PyTorch: values against the math module, and what each promises."""

import fractions
import math

import numpy as np
import pytest

import microtensor as mt

inf, nan = math.inf, math.nan

# The op, the same in Python's math, and where.
MATH = {
    "exp2": (math.exp2, (-3, 3)),
    "expm1": (math.expm1, (-3, 3)),
    "log2": (math.log2, (0.1, 9)),
    "log10": (math.log10, (0.1, 9)),
    "log1p": (math.log1p, (-0.9, 9)),
    "rsqrt": (lambda x: 1 / math.sqrt(x), (0.1, 9)),
    "tan": (math.tan, (-1.5, 1.5)),
    "asin": (math.asin, (-1, 1)),
    "acos": (math.acos, (-1, 1)),
    "atan": (math.atan, (-9, 9)),
    "sinh": (math.sinh, (-5, 5)),
    "cosh": (math.cosh, (-5, 5)),
    "asinh": (math.asinh, (-5, 5)),
    "acosh": (math.acosh, (1, 9)),
    "atanh": (math.atanh, (-0.99, 0.99)),
    "deg2rad": (math.radians, (-400, 400)),
    "rad2deg": (math.degrees, (-7, 7)),
    "floor": (math.floor, (-5, 5)),
    "ceil": (math.ceil, (-5, 5)),
    "trunc": (math.trunc, (-5, 5)),
    "frac": (lambda x: math.copysign(math.modf(x)[0], x), (-5, 5)),
    "round": (round, (-5, 5)),
    "erf": (math.erf, (-3, 3)),
    "erfc": (math.erfc, (-3, 9)),
    "lgamma": (math.lgamma, (0.1, 30)),
    "sinc": (lambda x: math.sin(math.pi * x) / (math.pi * x), (0.1, 3)),
    "logit": (lambda x: math.log(x / (1 - x)), (0.01, 0.99)),
}
MATH_OF_TWO = {
    "atan2": math.atan2,
    "hypot": math.hypot,
    "fmod": math.fmod,
    "remainder": lambda a, b: a % b,
    "copysign": math.copysign,
    "nextafter": math.nextafter,
    "logaddexp": lambda a, b: math.log(math.exp(a) + math.exp(b)),
    "logaddexp2": lambda a, b: math.log2(2**a + 2**b),
    "maximum": max,
    "fmin": min,
}


@pytest.mark.parametrize("name", MATH)
def test_values_of_one_tensor(name, rng):
    function, (low, high) = MATH[name]
    x = rng.uniform(low, high, 200)
    expected = np.array([function(v) for v in x.tolist()], float)
    for tensor in (getattr(mt, name)(mt.from_numpy(x)), getattr(mt.from_numpy(x), name)()):
        np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-14, atol=1e-15)
    narrow = getattr(mt, name)(mt.from_numpy(x.astype("f4"))).numpy()
    expected = np.array([function(v) for v in x.astype("f4").tolist()], "f4")
    np.testing.assert_allclose(narrow, expected, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", MATH_OF_TWO)
def test_values_of_two_tensors(name, rng):
    a, b = rng.uniform(-5, 5, (2, 200))
    expected = [MATH_OF_TWO[name](x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    result = getattr(mt, name)(mt.from_numpy(a), mt.from_numpy(b)).numpy()
    np.testing.assert_allclose(result, expected, rtol=1e-14, atol=1e-15)


def test_functions_that_would_cancel_or_overflow_do_not():
    small = mt.tensor([1e-20], dtype=mt.float64)
    assert mt.expm1(small).item() == mt.log1p(small).item() == mt.atanh(small).item() == 1e-20
    assert mt.sinc(mt.tensor([1e-9, 1.0, 2.0], dtype=mt.float64)).tolist() == [1, 0, 0]
    large = mt.tensor([3e200], dtype=mt.float64)
    assert mt.hypot(large, large * (4 / 3)).item() == pytest.approx(5e200, rel=1e-15)
    assert mt.logaddexp(large, large).item() == 3e200
    assert mt.logaddexp(mt.tensor([-800.0]), mt.tensor([-800.0])).item() == pytest.approx(-799.3069)
    half = mt.tensor([0.5 + 2**-50], dtype=mt.float64)
    assert mt.logit(half).item() == pytest.approx(2**-48, rel=1e-14)


def test_gradients_that_would_overflow_do_not():
    x = mt.tensor([3e200], dtype=mt.float64, requires_grad=True)
    for function, expected in (
        (lambda x: mt.hypot(x, x), 2 * math.sqrt(0.5)),
        (lambda x: x.asinh() * 3e200, 1),
        (lambda x: x.acosh() * 3e200, 1),
        (lambda x: mt.atan2(x, mt.full_like(x, 4e200)) * 1e200, 0.16),
    ):
        (slope,) = mt.autograd.grad(function(x).sum(), x)
        assert slope.item() == pytest.approx(expected, rel=1e-14)
    a, b = (mt.tensor([v], dtype=mt.float64, requires_grad=True) for v in (-2000.0, 2000.0))
    first, second = mt.autograd.grad(mt.logaddexp(a, b), [a, b], create_graph=True)
    assert (first.item(), second.item()) == (0, 1)
    assert mt.autograd.grad(second, b)[0].item() == 0


def test_rounding_goes_to_the_even_one_and_keeps_the_sign_of_zero():
    x = mt.tensor([0.5, 1.5, 2.5, -0.5, -1.5, -0.2])
    assert x.round().tolist() == [0, 2, 2, -0.0, -2, -0.0]
    assert x.round().signbit().tolist() == [False] * 3 + [True] * 3
    assert x.ceil().signbit().tolist()[3] and x.trunc().signbit().tolist()[3]
    assert mt.round(mt.tensor([0.125, 1e300, inf], dtype=mt.float64), decimals=20).tolist() == [
        *(0.125, 1e300, inf)
    ]
    assert mt.round(mt.tensor([1234.0, -1250.0]), decimals=-2).tolist() == [1200, -1200]


def test_division_and_remainder_agree_with_python_for_all_signs():
    pairs = [(a, b) for a in (-7, -6, 0, 5, 7) for b in (-3, -2, 2, 5)]
    a, b = (mt.tensor(each) for each in zip(*pairs, strict=True))
    assert (a // b).tolist() == [x // y for x, y in pairs]
    assert (a % b).tolist() == [x % y for x, y in pairs]
    truncated = [int(fractions.Fraction(x, y)) for x, y in pairs]
    assert mt.div(a, b, rounding_mode="trunc").tolist() == truncated
    assert mt.fmod(a, b).tolist() == [x - q * y for (x, y), q in zip(pairs, truncated, strict=True)]


@pytest.mark.parametrize("dtype", [mt.int8, mt.uint8, mt.int32, mt.int64])
def test_shifts_beyond_the_width_leave_only_the_sign(dtype):
    width = dtype.itemsize * 8
    x = mt.tensor([1, 5], dtype=dtype)
    assert (x << width).tolist() == (x << (width + 1)).tolist() == [0, 0]
    assert (x >> width).tolist() == [0, 0]
    if dtype.is_signed:
        assert (-x >> width).tolist() == (-x >> -1).tolist() == [-1, -1]
        assert (x << -1).tolist() == [0, 0]
    assert (
        (x << 2).tolist() == [4, 20] and (x >> 1).tolist() == [0, 2] and (1 << x).tolist()[0] == 2
    )


def test_where_with_a_condition_alone_gives_indices():
    rows, columns = mt.where(mt.tensor([[0.0, 2.0], [nan, 0.0]]))
    assert rows.tolist() == [0, 1] and columns.tolist() == [1, 0] and rows.dtype is mt.int64
    assert [each.tolist() for each in mt.where(mt.tensor(True))] == [[0]]
    assert [each.tolist() for each in mt.where(mt.tensor(False))] == [[]]
    assert len(mt.where(mt.zeros(0, 3, 2))) == 3


def test_masked_fill_keeps_the_dtype_and_gives_a_filling_tensor_its_gradient():
    assert mt.tensor([5, 6]).masked_fill(mt.tensor([True, False]), 1.9).tolist() == [1, 6]
    x, value = mt.ones(3, requires_grad=True), mt.tensor(2.0, dtype=mt.float64, requires_grad=True)
    filled = x.masked_fill(mt.tensor([True, False, True]), value)
    assert filled.dtype is mt.float32
    filled.sum().backward()
    assert x.grad.tolist() == [0, 1, 0] and value.grad.item() == 2


def test_lerp_is_exact_at_both_ends(rng):
    a, b = (mt.from_numpy(rng.normal(size=50) * 10.0 ** rng.integers(-9, 9, 50)) for _ in "ab")
    assert mt.equal(mt.lerp(a, b, 0.0), a) and mt.equal(mt.lerp(a, b, 1.0), b)
    assert mt.equal(mt.lerp(a, a, 0.3), a)


def test_bounds_that_are_tensors_share_out_the_gradient():
    x = mt.tensor([-2.0, 0.0, 2.0, 1.0], requires_grad=True)
    low = mt.tensor([-1.0, -1.0, -1.0, 1.0], requires_grad=True)
    high = mt.tensor(1.0, requires_grad=True)
    x.clamp(low, high).sum().backward()
    assert x.grad.tolist() == [0, 1, 0, 1]
    assert low.grad.tolist() == [1, 0, 0, 0] and high.grad.item() == 1


def test_equal_and_allclose_give_python_bools():
    x = mt.tensor([1.0, nan])
    assert mt.equal(x, x) is False and mt.equal(mt.ones(2), mt.ones(2, dtype=mt.int8)) is True
    assert mt.equal(mt.ones(2), mt.ones(1)) is False and mt.equal(mt.ones(0), mt.ones(0)) is True
    assert mt.allclose(x, x) is False and x.allclose(x, equal_nan=True) is True


def test_second_names_are_the_same_functions():
    for alias, name in mt.ops.spelling.ALIASES.items():
        assert getattr(mt, alias) is getattr(mt, name)
        for ending in ("", "_"):
            assert getattr(mt.Tensor, alias + ending, None) is getattr(
                mt.Tensor, name + ending, None
            )


def test_a_whole_gradient_of_steps_is_zero_not_nan():
    x = mt.tensor([inf, nan, 0.5], requires_grad=True)
    for step in (mt.floor, mt.ceil, mt.round, mt.trunc, mt.sign, lambda x: x // 2):
        (slope,) = mt.autograd.grad(step(x), x, mt.full((3,), inf))
        assert slope.tolist() == [0, 0, 0]


def test_to_gives_the_tensor_itself_unless_something_changes():
    x = mt.ones(2)
    for same in (
        x.to("cpu"),
        x.to(mt.float32),
        x.to(x),
        x.to("cpu", mt.float32),
        x.float(),
        x.to(),
    ):
        assert same is x
    for other in (x.to(mt.float32, copy=True), x.to(x, False, True), x.to("cpu", copy=True)):
        assert other is not x and other._array is not x._array


def test_python_types_name_64_bit_dtypes():
    assert mt.zeros(1, dtype=float).dtype is mt.float64
    assert mt.zeros(1, dtype=int).dtype is mt.int64 and mt.zeros(1, dtype=bool).dtype is mt.bool


def test_constants_and_limits():
    assert (mt.pi, mt.e, mt.inf) == (math.pi, math.e, inf) and math.isnan(mt.nan)
    assert mt.newaxis is None
    limits = mt.finfo(mt.float32)
    assert limits.eps == 2.0**-23 and limits.tiny == limits.smallest_normal == 2.0**-126
    assert limits.max == -limits.min == (2 - 2.0**-23) * 2.0**127
    assert (limits.bits, limits.resolution, limits.dtype) == (32, 1e-6, "float32")
    assert mt.iinfo(mt.uint8).max == 255 and mt.iinfo(mt.int64).min == -(2**63)
    assert mt.finfo(mt.float16) == mt.finfo(mt.float16) != mt.finfo(mt.float32)
    assert repr(mt.iinfo(mt.int8)) == "iinfo(min=-128, max=127, dtype=int8)"
