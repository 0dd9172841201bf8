"""Linear algebra against NumPy in float64, and at its edges: singular, empty, extreme, NaN."""

import itertools
from math import prod

import numpy as np
import pytest
from linalg_cases import close, matrices, squares, wide

import microtensor as mt
from microtensor.autograd import gradcheck, gradgradcheck
from microtensor.ops.einsum import _plan
from microtensor.ops.matrix_functions import _best_splits

LEADS = [(), (1,), (3,), (2, 3), (0,), (2, 0)]
each_lead = pytest.mark.parametrize("lead", LEADS, ids=str)


# ---- values, for every leading shape ------------------------------------------------------------


@each_lead
def test_solving_agrees_with_numpy(rng, lead):
    a, b = squares(rng, lead, 4), matrices(rng, lead, 4, 2)
    x, y = mt.tensor(a), mt.tensor(b)
    close(mt.linalg.inv(x), np.linalg.inv(a))
    close(mt.linalg.solve(x, y), np.linalg.solve(a, b))
    close(mt.linalg.solve(x, y.mT, left=False), np.swapaxes(b, -1, -2) @ np.linalg.inv(a))
    close(mt.linalg.det(x), np.linalg.det(a))
    sign, log = mt.linalg.slogdet(x)
    close(sign, np.linalg.slogdet(a)[0])
    close(log, np.linalg.slogdet(a)[1])


@each_lead
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (0, 3), (3, 0)], ids=str)
def test_decompositions_multiply_to_what_they_were_made_of(rng, lead, shape):
    a = matrices(rng, lead, *shape)
    x = mt.tensor(a)
    for full in (True, False):
        u, s, vh = mt.linalg.svd(x, full_matrices=full)
        k = min(shape)
        close((u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :], a)
        close(u.mT @ u, np.broadcast_to(np.eye(u.shape[-1]), u.mT.shape[:-2] + (u.shape[-1],) * 2))
        assert (s.numpy()[..., 1:] <= s.numpy()[..., :-1]).all()
    close(mt.linalg.svdvals(x), s.numpy())
    for mode in ("reduced", "complete"):
        q, r = mt.linalg.qr(x, mode)
        close(q @ r, a)
        np.testing.assert_array_equal(r.numpy(), np.triu(r.numpy()))
    none, r = mt.linalg.qr(x, "r")
    assert none.shape == (0,) and r.shape == (*lead, min(shape), shape[1])


@each_lead
def test_symmetric_decompositions_multiply_to_what_they_were_made_of(rng, lead):
    a = squares(rng, lead, 4)
    a = a @ a.swapaxes(-1, -2)
    x = mt.tensor(a)
    for upper in (False, True):
        factor = mt.linalg.cholesky(x, upper=upper)
        close(factor.mT @ factor if upper else factor @ factor.mT, a)
        other = (np.tril if upper else np.triu)(factor.numpy(), -1 if upper else 1)
        assert not other.any()
    values, vectors = mt.linalg.eigh(x)
    close((vectors * values.unsqueeze(-2)) @ vectors.mT, a)
    close(mt.linalg.eigvalsh(x), values.numpy())


@each_lead
def test_pseudo_inverses_satisfy_penroses_conditions(rng, lead):
    a = matrices(rng, lead, 5, 2) @ matrices(rng, lead, 2, 4)  # of rank 2
    x = mt.tensor(a)
    p = mt.linalg.pinv(x)
    close(x @ p @ x, a)
    close(p @ x @ p, p.numpy())
    for product in (x @ p, p @ x):
        close(product, product.mT.numpy())
    np.testing.assert_array_equal(mt.linalg.matrix_rank(x).numpy(), np.full(lead, 2))
    b = matrices(rng, lead, 5, 3)
    found = mt.linalg.lstsq(x, mt.tensor(b))
    close(found.solution, np.linalg.pinv(a, rcond=1e-12) @ b)
    np.testing.assert_array_equal(found.rank.numpy(), np.full(lead, 2))


@pytest.mark.parametrize("order", ["fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf])
def test_matrix_norms_and_condition_numbers_agree_with_numpy(rng, order):
    a = matrices(rng, (2, 3), 4, 4)
    x = mt.tensor(a)
    close(mt.linalg.matrix_norm(x, order), np.linalg.norm(a, order, (-2, -1)))
    close(mt.linalg.matrix_norm(x, order, (2, 0), True), np.linalg.norm(a, order, (2, 0), True))
    close(mt.linalg.cond(x, order), np.linalg.cond(a, order), rtol=1e-8)


@pytest.mark.parametrize("order", [0, 0.5, 1, 1.7, 2, 3, 11, -1, -2.5, np.inf, -np.inf])
def test_vector_norms_agree_with_numpy(rng, order):
    a = rng.normal(size=(3, 4, 5))
    x = mt.tensor(a)
    close(mt.linalg.vector_norm(x, order, 1), np.linalg.norm(a, order, 1))
    flat = a.transpose(1, 0, 2).reshape(4, 15)
    close(mt.linalg.vector_norm(x, order, (0, 2)), np.linalg.norm(flat, order, 1))
    close(mt.linalg.vector_norm(x, order), np.linalg.norm(a.ravel(), order))


EQUATIONS = """
ij,jk->ik  ij,jk  ji,jk->ki  bij,bjk->bik  bij,kj->bik  ij->ji  ij->  ii  ii->i  iij->j  iji->ij
ij,ij->  ij,ij->i  ij,i->j  i,j->ji  ij,kl->ilkj  abc,cd->dab  ...ij,...jk->...ik  ...i,...i
i...->...  i...,i...->i...  ...,...  b...i,ij->b...j  ij,jk,kl  ij,jk,ki->  ab,ac,ad->bcd
ai,bi,ci,di->abcd  ab,bc,cd,de,ef->af  i,i,i,i  aabb->ab  abab->ba  ijk,ilk->jl  xY,Yx
nhqd,nhkd->nhqk  i,->i  ,->  ij,,j->i
"""


@pytest.mark.parametrize("equation", EQUATIONS.split())
def test_einsum_agrees_with_numpy(rng, equation):
    sizes = dict(zip("abcdefhijklnqxYbd", itertools.cycle((3, 4, 2, 5)), strict=False))
    arrays = []
    for term in equation.split("->")[0].split(","):
        letters = term.replace("...", "")
        shape = [sizes[letter] for letter in letters]
        place = term.find("...")
        if place >= 0:
            shape[place:place] = [2, 3]
        arrays.append(rng.normal(size=shape))
    inputs = [wide(a) for a in arrays]
    close(mt.einsum(equation, *inputs), np.einsum(equation, *arrays))
    assert gradcheck(lambda *xs: mt.einsum(equation, *xs), inputs)
    assert gradgradcheck(lambda *xs: mt.einsum(equation, *xs), inputs)


def test_einsum_with_nothing_to_do_gives_a_view(rng):
    x = wide(rng.normal(size=(2, 3)))
    y = mt.einsum("ij->ij", x)
    assert y is not x and y._base is x
    assert np.shares_memory(y._array, x._array)


def test_einsum_of_many_operands_makes_no_large_intermediate_tensors(rng):
    n = 20
    shapes = ((n,), (n,), (n,), (n,), (n, n), (n, n))
    # From the left this would make n⁴ numbers.
    plan = _plan("a,b,c,d,ab,cd->", shapes)
    assert max(prod(part.shape) for step in plan.steps for part in step[2:4]) <= n * n
    arrays = [rng.normal(size=shape) for shape in shapes]
    found = mt.einsum("a,b,c,d,ab,cd->", *map(mt.tensor, arrays))
    close(found, np.einsum("a,b,c,d,ab,cd->", *arrays, optimize=True))


def test_chains_are_multiplied_in_the_cheapest_order(rng):
    def cost(lengths, splits, start, stop):
        if start == stop:
            return 0
        k = splits[start, stop]
        own = lengths[start] * lengths[k + 1] * lengths[stop + 1]
        return own + cost(lengths, splits, start, k) + cost(lengths, splits, k + 1, stop)

    def cheapest(lengths, start, stop):
        if start == stop:
            return 0
        return min(
            lengths[start] * lengths[k + 1] * lengths[stop + 1]
            + cheapest(lengths, start, k)
            + cheapest(lengths, k + 1, stop)
            for k in range(start, stop)
        )

    for _ in range(20):
        lengths = rng.integers(1, 30, 6).tolist()
        splits = _best_splits(lengths)
        assert cost(lengths, splits, 0, 4) == cheapest(lengths, 0, 4)
    arrays = [rng.normal(size=s) for s in ((3, 40), (40, 2), (2, 30), (30, 5))]
    close(mt.linalg.multi_dot([mt.tensor(a) for a in arrays]), np.linalg.multi_dot(arrays))


# ---- products -----------------------------------------------------------------------------------


def test_a_batch_times_a_matrix_has_the_gradients_of_its_parts(rng):
    for x in (rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(5, 4, 3, 2)).T):
        a, w = wide(x), wide(rng.normal(size=(5, 6)))
        g = rng.normal(size=(2, 3, 4, 6))
        y = a @ w
        close(y, x @ w.detach().numpy())
        assert y._base is None
        y.backward(mt.tensor(g))
        close(w.grad, np.einsum("abij,abik->jk", x, g))
        close(a.grad, g @ w.detach().numpy().T)


def test_what_beta_zero_hides_is_not_read():
    hidden = mt.full((2, 2), float("nan"))
    ones = mt.ones(2, 2)
    for found in (
        mt.addmm(hidden, ones, ones, beta=0),
        mt.baddbmm(hidden, ones[None], ones[None], beta=0)[0],
        mt.addbmm(hidden, ones[None], ones[None], beta=0),
        mt.addr(hidden, ones[0], ones[0] * 2, beta=0),
        hidden.clone().addmm_(ones, ones, beta=0),
    ):
        assert found.tolist() == [[2.0, 2.0], [2.0, 2.0]]


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("addmm_", [(3, 4), (3, 2), (2, 4)]),
        ("addmv_", [(3,), (3, 4), (4,)]),
        ("addr_", [(3, 4), (3,), (4,)]),
        ("baddbmm_", [(2, 3, 4), (2, 3, 2), (2, 2, 4)]),
        ("addbmm_", [(3, 4), (2, 3, 2), (2, 2, 4)]),
    ],
)
def test_sums_with_products_in_place(rng, name, shapes):
    arrays = [rng.normal(size=shape) for shape in shapes]

    def function(x, a, b):
        y = x * 1.0
        array = y._array
        assert getattr(y, name)(a, b, beta=0.5, alpha=-3) is y and y._array is array
        return y

    x, a, b = arrays
    product = np.einsum("i,j->ij", a, b) if name == "addr_" else a @ b
    product = product.sum(0) if name == "addbmm_" else product
    inputs = [wide(array) for array in arrays]
    close(function(*inputs), 0.5 * x - 3 * product)
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def test_products_of_integers_are_exact():
    big = mt.full((2, 2), 2**40)
    assert (big @ big).dtype is mt.int64
    assert (mt.tensor([[3, 1]]) @ mt.tensor([[2**60], [1]])).item() == 3 * 2**60 + 1
    assert mt.einsum("i,i", mt.tensor([3]), mt.tensor([2**60 + 1])).item() == 3 * 2**60 + 3


def test_float16_products_add_up_in_float32():
    assert (mt.ones(1, 5000).half() @ mt.ones(5000, 1).half()).item() == 5000


# ---- triangles ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 63, 64, 65, 130, 200])
@pytest.mark.parametrize("upper", [True, False])
def test_triangular_systems_of_all_sizes(rng, size, upper):
    part = np.triu if upper else np.tril
    a = part(rng.normal(size=(2, size, size)) / 8 + 2 * np.eye(size))
    b = rng.normal(size=(2, size, 3))
    other = np.where(part(np.ones((size, size), bool)), a, np.nan)
    found = mt.linalg.solve_triangular(mt.tensor(other), mt.tensor(b), upper=upper)
    close(found, np.linalg.solve(a, b))
    unit = a * (1 - np.eye(size)) / 8 + np.eye(size)
    hidden = np.where(np.eye(size, dtype=bool), np.nan, other / 8)
    found = mt.linalg.solve_triangular(
        mt.tensor(hidden), mt.tensor(b), upper=upper, unitriangular=True
    )
    close(found, np.linalg.solve(unit, b), rtol=1e-9)


def test_a_zero_pivot_gives_infinities_not_an_error():
    a = mt.tensor([[1.0, 1.0], [0.0, 0.0]])
    found = mt.linalg.solve_triangular(a, mt.ones(2, 1), upper=True)
    assert found.tolist() == [[-float("inf")], [float("inf")]]


# ---- exponentials -------------------------------------------------------------------------------


def test_exponential_of_a_rotations_generator():
    for angle in (0.0, 1e-9, 0.7, 30.0, 1e3):
        turn = mt.tensor([[0.0, -angle], [angle, 0.0]], dtype=mt.float64)
        c, s = np.cos(angle), np.sin(angle)
        close(mt.linalg.matrix_exp(turn), [[c, -s], [s, c]], atol=1e-12 * max(1, angle))


def test_exponentials_of_a_batch_are_those_of_its_matrices(rng):
    a = rng.normal(size=(4, 3, 3)) * np.array([1e-3, 1.0, 5.0, 20.0])[:, None, None]
    found = mt.linalg.matrix_exp(mt.tensor(a)).numpy()
    for each, result in zip(a, found, strict=True):
        alone = mt.linalg.matrix_exp(mt.tensor(each)).numpy()
        np.testing.assert_allclose(result, alone, rtol=1e-12)
        values, vectors = np.linalg.eig(each)
        expected = ((vectors * np.exp(values)) @ np.linalg.inv(vectors)).real
        np.testing.assert_allclose(result, expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())


def test_exponentials_of_what_is_not_finite():
    a = mt.zeros(2, 2, 2)
    a[0, 0, 0] = float("nan")
    found = mt.linalg.matrix_exp(a)
    assert bool(found[0].isnan().all()) and found[1].tolist() == [[1.0, 0.0], [0.0, 1.0]]


# ---- extremes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [mt.float16, mt.float32, mt.float64])
@pytest.mark.parametrize("order", [2, 3, 0.5, -1, -2])
def test_norms_do_not_overflow_or_fade_before_the_result_does(dtype, order):
    limits = np.finfo(dtype.numpy)
    largest, smallest = float(limits.max) / 64, float(limits.tiny) * 64
    for scale in (largest, smallest, *(10.0**e for e in range(-38, 37, 3))):
        if not smallest <= scale <= largest:
            continue
        x = mt.tensor([3 * scale, 4 * scale], dtype=dtype)
        expected = np.linalg.norm(np.array([3.0, 4.0]), order) * scale
        found = float(mt.linalg.vector_norm(x, order))
        # Powers are as exact as NumPy's: their exponents are rounded.
        rtol = 4 * float(limits.eps) + 64 * min(float(limits.eps), 2.0**-23)
        np.testing.assert_allclose(found, expected, rtol=rtol)


def test_norms_of_infinities_and_nan():
    inf, nan = float("inf"), float("nan")
    assert mt.linalg.vector_norm(mt.tensor([inf, 1.0])).item() == inf
    assert mt.linalg.vector_norm(mt.tensor([inf, 1.0]), -1).item() == 1.0
    for order in (1, 2, 3, inf, -inf, -1):
        assert bool(mt.linalg.vector_norm(mt.tensor([nan, 1.0, inf]), order).isnan())


def test_the_power_zero_reads_nothing():
    x = wide(np.full((2, 2), np.inf))
    y = mt.linalg.matrix_power(x, 0)
    y.sum().backward()
    assert y.tolist() == [[1.0, 0.0], [0.0, 1.0]] and x.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_products_over_nothing_are_zero():
    for a, b in (
        ((0, 3, 2), (2, 4)),
        ((2, 3, 0), (0, 4)),
        ((2, 0, 3), (3, 0)),
        ((3, 0), (2, 0, 3)),
    ):
        found = mt.ones(a) @ mt.ones(b)
        assert found.shape == np.matmul(np.ones(a), np.ones(b)).shape
        assert not found.numpy().any()


def test_nan_in_a_matrix_reaches_all_of_its_result(rng):
    a = squares(rng, (2,), 3)
    a[0, 0, 0] = np.nan
    for found in (
        mt.linalg.inv(mt.tensor(a)),
        mt.linalg.solve(mt.tensor(a), mt.ones(3, 2).double()),
    ):
        assert bool(found[0].isnan().all()) and bool(found[1].isfinite().all())
    assert bool(mt.linalg.det(mt.tensor(a))[0].isnan())


# ---- errors -------------------------------------------------------------------------------------


def test_errors_of_matrices_are_runtime_errors_that_name_the_matrix():
    assert issubclass(mt.linalg.LinAlgError, RuntimeError)
    batch = mt.stack([mt.eye(2), mt.eye(2), mt.ones(2, 2)])
    for function, words in (
        (mt.linalg.inv, r"linalg.inv: \(Batch element 2\): .*singular"),
        (
            lambda a: mt.linalg.solve(a, mt.ones(2, 1)),
            r"linalg.solve: \(Batch element 2\): .*singular",
        ),
        (
            lambda a: mt.linalg.cholesky(-a + 2 * mt.eye(2)),
            r"\(Batch element 2\): .*not positive-def",
        ),
    ):
        with pytest.raises(mt.linalg.LinAlgError, match=words):
            function(batch)
    with pytest.raises(mt.linalg.LinAlgError, match=r"linalg.inv: The inversion .*singular"):
        mt.linalg.inv(mt.zeros(2, 2))
    batch[1, 0, 0] = float("nan")
    for function in (mt.linalg.svd, mt.linalg.svdvals, mt.linalg.pinv, mt.linalg.cholesky):
        with pytest.raises(mt.linalg.LinAlgError, match=r"\(Batch element 1\)"):
            function(batch)


def test_errors_name_what_was_given_and_the_cure():
    with pytest.raises(RuntimeError, match=r"linalg.inv: A must be .* square .* 2 by 3"):
        mt.linalg.inv(mt.ones(2, 3))
    with pytest.raises(RuntimeError, match=r"linalg.det: .*float16.*\.float\(\)"):
        mt.linalg.det(mt.ones(2, 2).half())
    with pytest.raises(RuntimeError, match=r"linalg.svd: .*int64.*\.float\(\)"):
        mt.linalg.svdvals(mt.tensor([[1]]))
    with pytest.raises(RuntimeError, match=r"linalg.solve: Incompatible shapes .*2x2 and 3x1"):
        mt.linalg.solve(mt.eye(2), mt.ones(3, 1))
    with pytest.raises(TypeError, match=r"linalg_solve\(\): argument 'B' must be Tensor"):
        mt.linalg.solve(mt.eye(2), np.ones(2))
    with pytest.raises(RuntimeError, match=r"subscript j has size 2 for operand 1"):
        mt.einsum("ij,jk", mt.ones(2, 3), mt.ones(2, 3))


def test_named_tuples_bear_pytorchs_names():
    x = mt.eye(2)
    assert mt.linalg.svd(x)._fields == ("U", "S", "Vh")
    assert mt.svd(x)._fields == ("U", "S", "V")
    assert mt.linalg.qr(x)._fields == ("Q", "R")
    assert mt.linalg.eigh(x)._fields == ("eigenvalues", "eigenvectors")
    assert mt.linalg.slogdet(x)._fields == ("sign", "logabsdet")
    found = mt.linalg.lstsq(x, x)
    assert found._fields == ("solution", "residuals", "rank", "singular_values")
    assert repr(mt.linalg.qr(mt.zeros(0, 0))).startswith("linalg_qr(Q=")
