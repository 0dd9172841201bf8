"""The values of the elementwise kernels, in both implementations."""

from __future__ import annotations

import inspect

import mpmath
import numpy as np
import pytest
from kernel_cases import (
    ACTIVATION_ROWS,
    ARITHMETIC,
    DTYPES,
    GATED,
    GRADIENTS,
    IMPLEMENTATIONS,
    LEARNED,
    PLAIN,
    UNARY,
    call,
    each_dtype,
    each_implementation,
    needs_native,
    numbers,
    parameters,
    tolerance,
)

from microtensor.kernels import twin
from microtensor.ops.activations import ACTIVATIONS

# Of rows that are no activations: what they compute, and their values at -inf, -0, 0 and +inf.
INF = np.inf
FORMULAS = {
    "exp": (mpmath.exp, (0, 1, 1, INF)),
    "expm1": (mpmath.expm1, (-1, 0, 0, INF)),
    "log": (mpmath.log, (np.nan, -INF, -INF, INF)),
    "neg": (lambda x: -x, (INF, 0, 0, -INF)),
    "abs": (abs, (INF, 0, 0, INF)),
    "square": (lambda x: x * x, (INF, 0, 0, INF)),
    "sqrt": (mpmath.sqrt, (np.nan, 0, 0, INF)),
    "rsqrt": (lambda x: 1 / mpmath.sqrt(x), (np.nan, -INF, INF, 0)),
    "reciprocal": (lambda x: 1 / x, (0, -INF, INF, 0)),
}
POSITIVE = {"log", "sqrt", "rsqrt"}

POINTS = np.concatenate(
    [
        np.linspace(-12, 12, 97)[np.abs(np.linspace(-12, 12, 97)) > 1e-9],
        [-80.0, -30.0, -1e-3, -1e-12, 1e-12, 1e-3, 30.0, 80.0],
    ]
)


# Where huge arguments give infinities, as they should.
OVERFLOWING = {"exp", "expm1", "square", "squared_relu"}


def test_every_row_of_the_table_is_tested():
    """Here, or in test_activation_accuracy.py by the record of an activation."""
    flat = {"unit_step", "signum"}
    assert set(PLAIN) == set(FORMULAS) | flat
    recorded = {record.kernel for record in ACTIVATIONS.values()}
    assert set(ACTIVATION_ROWS) | set(LEARNED) | flat == recorded - {""}
    assert set(GATED) <= set(ACTIVATIONS)


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", FORMULAS)
def test_values_against_mpmath(implementation, dtype, name):
    formula, _ = FORMULAS[name]
    x = (np.abs(POINTS) if name in POSITIVE else POINTS).astype(dtype)
    with mpmath.workdps(60), np.errstate(over="ignore"):
        expected = np.array([float(formula(mpmath.mpf(float(value)))) for value in x]).astype(dtype)
    rtol = 5 * np.finfo(dtype).eps
    np.testing.assert_allclose(call(implementation, name, x), expected, rtol=rtol, atol=1e-44)


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", FORMULAS)
def test_values_at_zeros_infinities_and_nan(implementation, dtype, name):
    # Twice: in a vector, and one at a time.
    x = np.array([-INF, -0.0, 0.0, INF, np.nan] * 8, dtype)
    expected = np.array([*FORMULAS[name][1], np.nan] * 8, dtype)
    np.testing.assert_allclose(call(implementation, name, x), expected, rtol=1e-6)
    for value, wanted in zip(x[:5], expected[:5], strict=True):
        single = call(implementation, name, np.array([value], dtype))
        np.testing.assert_allclose(single, [wanted], rtol=1e-6)


@each_implementation
@pytest.mark.parametrize("name", [n for n in UNARY if n not in OVERFLOWING])
def test_huge_finite_arguments_do_not_become_nan(implementation, name):
    for dtype in DTYPES:
        limits = np.finfo(dtype)
        x = np.array([limits.max / 2, limits.tiny, limits.eps], dtype)
        assert np.isfinite(call(implementation, name, x)).all()
        if name not in POSITIVE:
            assert np.isfinite(call(implementation, name, -x)).all()


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_is_correctly_rounded(implementation, dtype, name):
    a, b = numbers((5, 7), dtype, seed=1), numbers((5, 7), dtype, seed=2)
    b[0, :3] = 0.0, -0.0, INF
    ufunc = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}[name]
    with np.errstate(all="ignore"):
        for left, right in ((a, b), (a, b[0, 3]), (b[0, 3], a), (a, b[0]), (a[:, :1], b)):
            left, right = np.asarray(left), np.asarray(right)
            expected = ufunc(left, right)
            out = np.full(expected.shape, 7, dtype)
            IMPLEMENTATIONS[implementation][name](left, right, out)
            np.testing.assert_array_equal(out, expected)


@needs_native
@each_dtype
@pytest.mark.parametrize("name", [*UNARY, *GRADIENTS])
def test_native_agrees_with_its_twin(dtype, name):
    x = numbers((23, 41), dtype, scale=5.0)
    arrays = (numbers(x.shape, dtype, seed=3), x) if name in GRADIENTS else (x,)
    if name in {"sigmoid_backward", "tanh_backward"}:
        arrays = (arrays[0], np.tanh(x) ** 2)
    native, numpy = call("native", name, *arrays), call("numpy", name, *arrays)
    np.testing.assert_allclose(native, numpy, **tolerance(dtype))


@needs_native
@pytest.mark.parametrize("name", [*UNARY, *GRADIENTS, *ARITHMETIC])
def test_native_takes_the_arguments_of_its_twin(name):
    native = inspect.signature(IMPLEMENTATIONS["native"][name])
    extra = list(native.parameters)[3 if name in GRADIENTS or name in ARITHMETIC else 2 :]
    assert len(extra) == len(parameters(name))
    assert IMPLEMENTATIONS["native"][name].__doc__ == getattr(twin, name).__doc__


@needs_native
@each_dtype
@pytest.mark.parametrize("name", UNARY)
def test_an_element_does_not_depend_on_its_place(dtype, name):
    """Vectors, their remainders and the peeled start round alike."""
    x = np.abs(numbers(4200, dtype, scale=4.0))
    x = x if name in POSITIVE else x * np.where(np.arange(x.size) % 3, 1, -1).astype(dtype)
    whole = call("native", name, x)
    for start, stop in ((1, 4200), (3, 4110), (5, 37), (4193, 4200), (17, 18)):
        np.testing.assert_array_equal(call("native", name, x[start:stop]), whole[start:stop])


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", GATED)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (2, 40000), (300, 300), (0, 4)])
def test_a_gated_row_is_one_half_times_the_gate_of_the_other(implementation, dtype, name, shape):
    gate = {"glu": "sigmoid", "reglu": "relu", "geglu": "gelu", "swiglu": "silu"}[name]
    rows, columns = shape
    x, g = numbers((rows, 2, columns), dtype), numbers(shape, dtype, seed=4)
    a, b = x[:, 0].copy(), x[:, 1].copy()
    opened = call("numpy", gate, b)
    found = np.full(shape, 7, dtype)
    IMPLEMENTATIONS[implementation][name](x, found)
    np.testing.assert_allclose(found, a * opened, **tolerance(dtype))
    out = np.full(x.shape, 7, dtype)
    IMPLEMENTATIONS[implementation][f"{name}_backward"](g, x, out)
    np.testing.assert_allclose(out[:, 0], g * opened, **tolerance(dtype))
    saved = opened if gate in ("sigmoid", "relu") else b
    expected = call("numpy", f"{gate}_backward", g * a, saved)
    np.testing.assert_allclose(
        out[:, 1], expected, rtol=1e-5, atol=1e-4 if dtype == np.float32 else 1e-12
    )


@each_implementation
@pytest.mark.parametrize("name", ["sinusoid", "cosine", "unnormalized_sinc"])
def test_far_arguments_do_not_disturb_their_neighbours(implementation, name):
    near = numbers((1500,), np.float64)
    mixed = near.copy()
    mixed[::50] = 1e12
    whole, found = call(implementation, name, near), call(implementation, name, mixed)
    kept = np.arange(1500) % 50 != 0
    np.testing.assert_array_equal(found[kept], whole[kept])
    single = np.full(30, 1e12)
    np.testing.assert_allclose(found[::50], call("numpy", name, single), rtol=1e-13)
