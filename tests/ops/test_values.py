"""Forward values against NumPy, at ordinary points and at the extremes."""

import math

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F

SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 30.0, -30.0, 1e-8])


def _erf(x):
    return np.vectorize(math.erf, otypes=[float])(x)


# What each should give, in the plainest words; limits are what IEEE arithmetic makes of them.
ONE = {
    "neg": (mt.neg, np.negative),
    "abs": (mt.abs, np.abs),
    "sign": (mt.sign, lambda x: np.where(np.isnan(x), 0, np.sign(x))),
    "square": (mt.square, np.square),
    "exp": (mt.exp, np.exp),
    "log": (mt.log, np.log),
    "sqrt": (mt.sqrt, np.sqrt),
    "reciprocal": (mt.reciprocal, np.reciprocal),
    "sin": (mt.sin, np.sin),
    "cos": (mt.cos, np.cos),
    "tanh": (mt.tanh, np.tanh),
    "sigmoid": (mt.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "relu": (mt.relu, lambda x: np.maximum(x, 0)),
    "leaky_relu": (F.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
    "elu": (F.elu, lambda x: np.where(x > 0, x, np.expm1(x))),
    "selu": (
        F.selu,
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    ),
    "softplus": (F.softplus, lambda x: np.logaddexp(x, 0)),
    "softplus, beta and threshold": (
        lambda x: F.softplus(x, 2.0, 1.0),
        lambda x: np.where(2 * x > 1, x, np.log1p(np.exp(2 * np.minimum(x, 1))) / 2),
    ),
    "clamp": (lambda x: mt.clamp(x, -1.0, 2.0), lambda x: np.clip(x, -1, 2)),
    "clamp from below": (lambda x: x.clamp(min=0.3), lambda x: np.maximum(x, 0.3)),
    "clamp from above": (lambda x: x.clamp(max=0.3), lambda x: np.minimum(x, 0.3)),
}
# Where the formula meets inf·0 or inf/inf at an infinity, the limit is what counts.
FINITE_ONLY = {
    "softsign": (F.softsign, lambda x: x / (1 + np.abs(x))),
    "silu": (F.silu, lambda x: x / (1 + np.exp(-x))),
    "gelu": (F.gelu, lambda x: x / 2 * (1 + _erf(x / np.sqrt(2)))),
    "gelu_tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
}
TWO = {
    "add": (lambda a, b: a + b, np.add),
    "sub": (lambda a, b: a - b, np.subtract),
    "mul": (lambda a, b: a * b, np.multiply),
    "div": (lambda a, b: a / b, np.true_divide),
    "pow": (lambda a, b: a**b, np.power),
    "floor_divide": (lambda a, b: a // b, np.floor_divide),
    "remainder": (lambda a, b: a % b, np.remainder),
    "maximum": (mt.maximum, np.maximum),
    "minimum": (mt.minimum, np.minimum),
    "eq": (lambda a, b: a == b, np.equal),
    "ne": (lambda a, b: a != b, np.not_equal),
    "lt": (lambda a, b: a < b, np.less),
    "le": (lambda a, b: a <= b, np.less_equal),
    "gt": (lambda a, b: a > b, np.greater),
    "ge": (lambda a, b: a >= b, np.greater_equal),
}


@pytest.fixture(autouse=True)
def quiet_numpy():
    with np.errstate(all="ignore"):
        yield


def assert_identical(result, expected):
    """Equal, also in the sign of zeros; NaN equals NaN."""
    np.testing.assert_array_equal(result, expected)
    counted = expected == expected
    np.testing.assert_array_equal(np.signbit(result[counted]), np.signbit(expected[counted]))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ONE)
def test_of_one_tensor_at_special_values(name, dtype):
    ours, numpys = ONE[name]
    x = SPECIAL.astype(dtype)
    result = ours(mt.from_numpy(x)).numpy()
    assert result.dtype == dtype
    rtol = 1e-6 if dtype == "f4" else 1e-14
    np.testing.assert_allclose(result, numpys(x.astype("f8")), rtol=rtol, atol=0)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", ONE | FINITE_ONLY)
def test_of_one_tensor_at_ordinary_values(name, dtype, rng):
    ours, numpys = (ONE | FINITE_ONLY)[name]
    x = rng.normal(size=1000).astype(dtype) * 3
    result = ours(mt.from_numpy(x)).numpy()
    tolerance = {"rtol": 1e-5, "atol": 1e-7} if dtype == "f4" else {"rtol": 1e-12, "atol": 1e-15}
    np.testing.assert_allclose(result, numpys(x.astype("f8")), **tolerance)


@pytest.mark.parametrize("name", FINITE_ONLY)
def test_nan_stays_nan_in_smooth_activations(name):
    assert np.isnan(FINITE_ONLY[name][0](mt.tensor([float("nan")])).numpy()).all()


def test_softsign_at_infinity_as_ieee_has_it():
    assert F.softsign(mt.tensor([1e30, -1e30])).tolist() == [1, -1]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", TWO)
def test_of_two_tensors_at_special_values(name, dtype):
    ours, numpys = TWO[name]
    a, b = (x.ravel() for x in np.meshgrid(SPECIAL.astype(dtype), SPECIAL.astype(dtype)))
    result = ours(mt.from_numpy(a), mt.from_numpy(b)).numpy()
    assert_identical(result, numpys(a, b))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("number", [0.0, -0.0, 2.0, -1.5, np.inf, np.nan, 3])
def test_of_a_tensor_and_a_number(name, number, dtype):
    ours, numpys = TWO[name]
    if name in ("maximum", "minimum"):
        return  # take tensors only
    x = SPECIAL.astype(dtype)
    constant = np.asarray(number, dtype)
    right = ours(mt.from_numpy(x), number).numpy()
    left = ours(number, mt.from_numpy(x)).numpy()
    assert right.dtype == left.dtype == numpys(x, constant).dtype
    assert_identical(right, numpys(x, constant))
    assert_identical(left, numpys(constant, x))


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "i8"])
@pytest.mark.parametrize(
    "name", ["add", "sub", "mul", "div", "floor_divide", "remainder", "lt", "eq", "maximum"]
)
def test_of_integers(name, dtype):
    ours, numpys = TWO[name]
    a, b = np.array([1, 7, 100, 5], dtype), np.array([3, 2, 100, 6], dtype)
    result = ours(mt.from_numpy(a), mt.from_numpy(b)).numpy()
    np.testing.assert_allclose(result, numpys(a, b), rtol=1e-6)
    if name == "div":
        assert result.dtype == np.float32
    elif name not in ("lt", "eq"):
        assert result.dtype == dtype


@pytest.mark.parametrize(
    "shapes", [((3, 1), (1, 4)), ((2, 3, 4), (3, 1)), ((), (2,)), ((0,), (1,))]
)
def test_broadcasting_is_numpys(shapes, rng):
    a, b = (rng.normal(size=s) for s in shapes)
    for ours, numpys in (TWO[name] for name in ("add", "mul", "div", "lt", "maximum")):
        result = ours(mt.from_numpy(np.asarray(a)), mt.from_numpy(np.asarray(b))).numpy()
        np.testing.assert_array_equal(result, numpys(a, b))
        assert result.shape == np.broadcast_shapes(*shapes)


REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "amax": np.max,
    "amin": np.min,
    "all": np.all,
    "any": np.any,
}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, 1, -1, (0, 2), (-1, 0), (0, 1, 2), ()])
def test_reductions(name, dim, keepdim, rng):
    x = rng.normal(size=(2, 3, 4))
    # An empty tuple means all dimensions, but for all() and any() none, as in PyTorch.
    axis = None if dim == () and name not in ("all", "any") else dim
    expected = REDUCTIONS[name](x, axis=axis, keepdims=keepdim)
    result = getattr(mt.from_numpy(x), name)(dim, keepdim)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_of_extremes(name, rng):
    x = rng.normal(size=(3, 4, 5))
    numpys = getattr(np, name)
    method = getattr(mt.from_numpy(x), name)
    assert method().item() == numpys(x)
    for dim in (0, 1, 2, -1):
        np.testing.assert_array_equal(method(dim).numpy(), numpys(x, dim))
        assert method(dim, keepdim=True).shape == numpys(x, dim, keepdims=True).shape
    assert method().dtype is mt.int64


@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_along_a_dimension_come_with_their_places(name, rng):
    x = rng.normal(size=(3, 4))
    values, indices = result = getattr(mt.from_numpy(x), name)(1)
    assert result.values is values and result.indices is indices
    np.testing.assert_array_equal(values.numpy(), getattr(np, name)(x, 1))
    np.testing.assert_array_equal(indices.numpy(), getattr(np, f"arg{name}")(x, 1))
    kept = getattr(mt.from_numpy(x), name)(1, keepdim=True)
    assert kept.values.shape == kept.indices.shape == (3, 1)


def test_reductions_of_nothing():
    x = mt.zeros(0, 3)
    assert x.sum().item() == 0 and x.sum(0).tolist() == [0, 0, 0] and x.sum(1).shape == (0,)
    assert np.isnan(x.mean().item())
    assert x.all().item() is True and x.any().item() is False
    assert x.amax(1).shape == (0,) and x.argmax(1).shape == (0,)
    assert x.max(1).values.shape == (0,)


def test_nan_wins_in_extremes():
    x = mt.tensor([1.0, float("nan"), 3.0])
    assert np.isnan(x.max().item()) and np.isnan(x.min().item())
    assert x.max(0).indices.item() == x.argmax().item() == 1


def test_sums_have_the_dtype_of_pytorch():
    assert mt.ones(2, dtype=mt.uint8).sum().dtype is mt.int64
    assert mt.tensor([True, True]).sum().item() == 2
    assert mt.ones(2, dtype=mt.float16).sum().dtype is mt.float16
    assert mt.ones(2).sum(dtype=mt.float64).dtype is mt.float64
    assert mt.ones(2, dtype=mt.int64).mean(dtype=mt.float32).dtype is mt.float32


def test_sum_of_many_small_numbers_does_not_stall():
    x = mt.full((1 << 20,), 0.1)
    assert x.sum().item() == pytest.approx(0.1 * (1 << 20), rel=1e-6)
    assert mt.full((60_000,), 1.0, dtype=mt.float16).mean().item() == 1


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax_and_log_softmax(dim, rng):
    x = rng.normal(size=(3, 4)) * 10
    e = np.exp(x - x.max(dim, keepdims=True))
    expected = e / e.sum(dim, keepdims=True)
    np.testing.assert_allclose(mt.softmax(mt.from_numpy(x), dim).numpy(), expected, rtol=1e-12)
    result = mt.log_softmax(mt.from_numpy(x), dim).numpy()
    np.testing.assert_allclose(result, np.log(expected), rtol=1e-10)


def test_softmax_does_not_overflow():
    x = mt.tensor([1000.0, 1000.0, -1000.0])
    assert mt.softmax(x, 0).tolist() == [0.5, 0.5, 0]
    assert mt.log_softmax(x, 0).tolist() == pytest.approx(
        [-math.log(2)] * 2 + [-2000 - math.log(2)], rel=1e-6
    )


MATMULS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)),
    ((2, 0), (0, 3)),
    ((0, 2), (2, 3)),
    ((5, 0, 2), (2, 3)),
    ((1, 1), (1, 1)),
]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
@pytest.mark.parametrize("shapes", MATMULS)
def test_matmul(shapes, dtype, rng):
    a, b = (np.asarray(rng.normal(size=s) * 4).astype(dtype) for s in shapes)
    expected = np.matmul(a, b)
    result = mt.from_numpy(a) @ mt.from_numpy(b)
    assert result.shape == expected.shape
    assert result.numpy().dtype == dtype
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-4 if dtype == "f4" else 1e-12)


@pytest.mark.parametrize("shapes", [s for s in MATMULS if 0 not in s[0] + s[1]])
def test_matmul_derivatives(shapes, rng):
    a, b = (mt.tensor(rng.normal(size=s), requires_grad=True) for s in shapes)
    assert mt.autograd.gradcheck(mt.matmul, [a, b])
    assert mt.autograd.gradgradcheck(mt.matmul, [a, b])


def test_where_and_masked_fill():
    x = np.array([1.0, -2.0, np.nan, 4.0])
    t = mt.from_numpy(x)
    np.testing.assert_array_equal(mt.where(t > 0, t, -1.0).numpy(), np.where(x > 0, x, -1))
    np.testing.assert_array_equal(
        t.masked_fill(mt.isnan(t), 0.0).numpy(), np.where(np.isnan(x), 0, x)
    )
    assert mt.where(mt.tensor([True, False]), 1, 2).tolist() == [1, 2]


def test_nan_in_the_branch_not_chosen_does_not_reach_the_gradient():
    x = mt.tensor([1.0, 0.0], requires_grad=True)
    mt.where(x > 0, x.log(), mt.zeros(2)).sum().backward()
    assert x.grad.tolist()[0] == 1
    x.grad = None
    safe = mt.where(x > 0, x, mt.ones(2))
    mt.where(x > 0, safe.log(), mt.zeros(2)).sum().backward()
    assert x.grad.tolist() == [1, 0]


def test_division_rounds_as_asked():
    a = mt.tensor([-7.0, 7.0, -6.0])
    assert mt.div(a, 2, rounding_mode="floor").tolist() == [-4, 3, -3]
    assert mt.div(a, 2, rounding_mode="trunc").tolist() == [-3, 3, -3]
    assert mt.div(mt.tensor([-7, 7]), 2, rounding_mode="trunc").tolist() == [-3, 3]
    with pytest.raises(RuntimeError, match=r"'trunc', or 'floor'.*'up'"):
        mt.div(a, 2, rounding_mode="up")


def test_alpha_scales_the_second_operand():
    a, b = mt.ones(2), mt.tensor([1.0, 2.0])
    assert mt.add(a, b, alpha=3).tolist() == [4, 7]
    assert a.sub(b, alpha=2).tolist() == [-1, -3]
    assert a.clone().add_(b, alpha=3).tolist() == [4, 7]


def test_logic():
    a, b = mt.tensor([True, True, False]), mt.tensor([True, False, False])
    assert (a & b).tolist() == [True, False, False]
    assert (a | b).tolist() == [True, True, False]
    assert (a ^ b).tolist() == [False, True, False]
    assert (~a).tolist() == [False, False, True]
    assert mt.logical_and(mt.tensor([1.0, 0.0]), mt.tensor([2, 3])).tolist() == [True, False]
    assert (mt.tensor([6, 3]) & 3).tolist() == [2, 3]
    assert (~mt.tensor([0, 5])).tolist() == [-1, -6]


def test_joining_and_taking_apart(rng):
    arrays = [rng.normal(size=(2, n, 3)) for n in (1, 4, 0, 2)]
    tensors = [mt.from_numpy(a) for a in arrays]
    joined = mt.cat(tensors, 1)
    np.testing.assert_array_equal(joined.numpy(), np.concatenate(arrays, 1))
    for piece, array in zip(joined.split([1, 4, 0, 2], dim=1), arrays, strict=True):
        np.testing.assert_array_equal(piece.numpy(), array)
    assert [p.shape[1] for p in joined.split(3, 1)] == [3, 3, 1]
    assert [p.shape[1] for p in joined.chunk(3, 1)] == [3, 3, 1]
    stacked = mt.stack([tensors[1], tensors[1]], -1)
    np.testing.assert_array_equal(stacked.numpy(), np.stack([arrays[1]] * 2, -1))
    first, second = stacked.unbind(-1)
    np.testing.assert_array_equal(first.numpy(), second.numpy())


def test_shapes(rng):
    x = rng.normal(size=(2, 1, 3))
    t = mt.from_numpy(x)
    for result, expected in [
        (t.reshape(3, 2), x.reshape(3, 2)),
        (t.reshape((6,)), x.reshape(6)),
        (t.reshape(-1, 2), x.reshape(-1, 2)),
        (t.view(6), x.reshape(6)),
        (t.permute(2, 0, 1), x.transpose(2, 0, 1)),
        (t.permute((0, -1, 1)), x.transpose(0, 2, 1)),
        (t.transpose(0, -1), x.swapaxes(0, -1)),
        (t.squeeze(), x.squeeze()),
        (t.squeeze(0), x),
        (t.squeeze(1), x[:, 0]),
        (t.unsqueeze(0), x[None]),
        (t.unsqueeze(-1), x[..., None]),
        (t.expand(2, 4, 3), np.broadcast_to(x, (2, 4, 3))),
        (t.expand(5, -1, 4, -1), np.broadcast_to(x, (5, 2, 4, 3))),
        (t.flatten(), x.ravel()),
        (t.flatten(1), x.reshape(2, 3)),
        (t.flatten(0, 1), x.reshape(2, 3)),
        (t.movedim(0, -1), np.moveaxis(x, 0, -1)),
        (mt.movedim(t, (0, 1), (1, 0)), np.moveaxis(x, (0, 1), (1, 0))),
        (t.T, x.T),
        (t.mT, x.swapaxes(-1, -2)),
        (mt.broadcast_to(t, (2, 2, 3)), np.broadcast_to(x, (2, 2, 3))),
        (mt.tensor(3.0).flatten(), np.array([3.0])),
    ]:
        np.testing.assert_array_equal(result.numpy(), expected)


def test_creation():
    assert mt.zeros(2, 3).tolist() == [[0] * 3] * 2 and mt.ones((2,)).tolist() == [1, 1]
    assert mt.full((2,), 7).dtype is mt.int64 and mt.full((2,), 7.0).dtype is mt.float32
    assert mt.full((2,), True).dtype is mt.bool
    assert mt.arange(5).tolist() == [0, 1, 2, 3, 4] and mt.arange(5).dtype is mt.int64
    assert mt.arange(1, 2, 0.25).tolist() == [1, 1.25, 1.5, 1.75]
    assert mt.arange(5, 0, -2).tolist() == [5, 3, 1]
    assert mt.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert mt.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    like = mt.zeros_like(mt.ones(2, 2, dtype=mt.float64))
    assert like.shape == (2, 2) and like.dtype is mt.float64
    assert mt.ones_like(like, dtype=mt.int32).dtype is mt.int32
    assert mt.full_like(like, 3).tolist() == [[3, 3], [3, 3]]
    assert mt.empty(2, 0).shape == (2, 0)
    assert mt.zeros(2, requires_grad=True).requires_grad


def test_creation_refuses_nonsense():
    with pytest.raises(RuntimeError, match="negative dimension -1"):
        mt.zeros(2, -1)
    with pytest.raises(TypeError, match="float"):
        mt.zeros(2.5)
    with pytest.raises(RuntimeError, match="nonzero"):
        mt.arange(0, 5, 0)
    with pytest.raises(RuntimeError, match="inconsistent"):
        mt.arange(5, 0)
    with pytest.raises(RuntimeError, match="non-negative"):
        mt.linspace(0, 1, -1)
    with pytest.raises(RuntimeError, match="greater or equal to 0"):
        mt.eye(-1)
    with pytest.raises(RuntimeError, match="floating point"):
        mt.ones(2, dtype=mt.int64, requires_grad=True)
