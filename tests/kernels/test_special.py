"""The special functions against 50-digit arithmetic, over their whole range."""

import math

import mpmath
import numpy as np
import pytest

from microtensor.kernels import twin

inf, nan = math.inf, math.nan
rng = np.random.default_rng(3)


def spread(low, high, count=60):
    return np.exp(rng.uniform(np.log(low), np.log(high), count))


TINY = spread(1e-300, 1e-3, 40)
POSITIVE = np.concatenate(
    [rng.uniform(0, 12, 300), TINY, spread(12, 1e300), 1 + TINY, 2 - TINY, 2 + TINY]
)
NEGATIVE = np.concatenate([rng.uniform(-12, 0, 200), -TINY, -spread(12, 1e3, 40)])
LINE = np.concatenate([rng.uniform(-6, 6, 300), TINY, -TINY])
UNIT = np.concatenate(
    [rng.uniform(0, 1, 200), spread(1e-300, 1), 0.5 + spread(1e-15, 0.4), 1 - spread(2e-16, 0.4)]
)


def lgamma(x):
    return mpmath.re(mpmath.loggamma(x)) if x > 0 else mpmath.log(abs(mpmath.gamma(x)))


def erfinv(y):
    if y <= 0.9:
        return mpmath.erfinv(y)
    rest = 1 - y
    guess = mpmath.sqrt(-mpmath.log(rest)) * 0.95
    return mpmath.findroot(lambda x: mpmath.log(mpmath.erfc(x)) - mpmath.log(rest), guess)


def polygamma(n):
    return lambda x: mpmath.psi(n, x)


# name, parameters, formula, points, largest error in ulp, whether it is of 1 where less than that.
ACCURACY = {
    "erf": ("erf", (), mpmath.erf, LINE, 2, False),
    "erfc": ("erfc", (), mpmath.erfc, np.append(LINE, rng.uniform(0, 26.5, 300)), 8, False),
    "erfinv": ("erfinv", (), erfinv, UNIT, 6, False),
    "lgamma": ("lgamma", (), lgamma, POSITIVE, 6, False),
    "lgamma below 0": ("lgamma", (), lgamma, NEGATIVE, 6, True),
    "digamma": ("digamma", (), polygamma(0), POSITIVE, 4, False),
    "digamma below 0": ("digamma", (), polygamma(0), NEGATIVE, 6, True),
    "trigamma": ("polygamma", (1,), polygamma(1), np.append(POSITIVE[:300], [1e-3, 1e6]), 8, False),
    "trigamma below 0": ("polygamma", (1,), polygamma(1), rng.uniform(-8, 0, 60), 8, False),
    **{
        f"polygamma {n}": ("polygamma", (n,), polygamma(n), rng.uniform(1e-3, 40, 60), 8, False)
        for n in (2, 3, 4, 7, 12, 20)
    },
    "sinc": ("sinc_derivative", (0,), mpmath.sincpi, np.append(LINE, spread(6, 1e6)), 4, False),
    **{
        f"derivative {n} of sinc": (
            "sinc_derivative",
            (n,),
            lambda x, n=n: mpmath.diff(mpmath.sincpi, x, n),
            rng.uniform(-6, 6, 40),
            bound,
            True,
        )
        for n, bound in ((1, 5), (2, 20), (3, 80))
    },
    "logit": (
        "logit",
        (),
        lambda x: mpmath.log(x / (1 - x)),
        np.append(UNIT, 0.5 - spread(1e-16, 0.4)),
        2,
        False,
    ),
}


def run(name, x, *parameters, dtype=np.float64):
    x = np.asarray(x, dtype)
    out = np.full_like(x, 7)
    twin.KERNELS[name](x, out, *parameters)
    return out


@pytest.mark.parametrize("case", ACCURACY)
def test_error_is_within_the_stated_bound(case):
    name, parameters, formula, points, bound, of_one = ACCURACY[case]
    with mpmath.workdps(50):
        for x, y in zip(points, run(name, points, *parameters), strict=True):
            exact = formula(mpmath.mpf(float(x)))
            unit = np.spacing(abs(float(exact)))
            if of_one:
                unit = max(unit, np.spacing(1.0))
            if math.isinf(float(exact)):
                assert y == float(exact)
            else:
                assert abs(mpmath.mpf(float(y)) - exact) <= bound * mpmath.mpf(float(unit)), x


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("case", ["erf", "erfc", "erfinv", "lgamma", "digamma", "logit", "sinc"])
def test_narrow_dtypes_are_rounded_from_float64(case, dtype):
    name, parameters, _, points, _, _ = ACCURACY[case]
    with np.errstate(all="ignore"):
        x = points.astype(dtype)
        expected = run(name, x.astype(np.float64), *parameters).astype(dtype)
    np.testing.assert_array_equal(run(name, x, *parameters, dtype=dtype), expected)


# name, parameters: the values at -inf, -1, -0.0, 0.0, 1, 2, inf, nan
SPECIAL = {
    ("erf", ()): (-1, math.erf(-1), -0.0, 0.0, math.erf(1), math.erf(2), 1, nan),
    ("erfc", ()): (2, math.erfc(-1), 1, 1, math.erfc(1), math.erfc(2), 0, nan),
    ("erfinv", ()): (nan, -inf, -0.0, 0.0, inf, nan, nan, nan),
    ("lgamma", ()): (inf, inf, inf, inf, 0, 0, inf, nan),
    ("digamma", ()): (nan, nan, inf, -inf, -0.5772156649015329, 0.42278433509846714, inf, nan),
    ("polygamma", (1,)): (nan, inf, inf, inf, math.pi**2 / 6, math.pi**2 / 6 - 1, 0, nan),
    ("polygamma", (2,)): (nan, -inf, -inf, -inf, -2.4041138063191885, -0.4041138063191886, 0, nan),
    ("sinc_derivative", (0,)): (nan, 0, 1, 1, 0, 0, nan, nan),
    ("sinc_derivative", (1,)): (nan, 1, 0, 0, -1, 0.5, nan, nan),
    ("logit", ()): (nan, nan, -inf, -inf, inf, nan, nan, nan),
}


@pytest.mark.parametrize("case", SPECIAL)
def test_values_at_infinities_zeros_poles_and_nan(case):
    name, parameters = case
    result = run(name, [-inf, -1, -0.0, 0.0, 1, 2, inf, nan], *parameters)
    np.testing.assert_allclose(result, SPECIAL[case], rtol=1e-14)
    for y, expected in zip(result, SPECIAL[case], strict=True):
        if name.startswith("erf") and expected == 0:
            assert math.copysign(1, y) == math.copysign(1, expected)


@pytest.mark.parametrize("name", ["erf", "erfc", "erfinv", "lgamma", "digamma", "logit"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1,), (3, 1, 2)])
def test_shapes_and_gaps_do_not_matter(name, shape):
    x = np.asarray(rng.uniform(0.1, 0.9, shape))
    np.testing.assert_array_equal(run(name, x).ravel(), run(name, x.ravel()))
    wide = np.zeros((*shape, 2))
    twin.KERNELS[name](x, wide[..., 0])
    np.testing.assert_array_equal(wide[..., 0], run(name, x))
    np.testing.assert_array_equal(wide[..., 1], 0)
