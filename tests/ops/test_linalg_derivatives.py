"""Derivatives of linear algebra where they are delicate: singular, equal, zero, not square."""

import itertools

import numpy as np
import pytest
from linalg_cases import close, matrices, squares, wide

import microtensor as mt
from microtensor.autograd import grad, gradcheck, gradgradcheck
from microtensor.ops import registry


def minors(a):
    """The cofactors, by their definition."""
    n = a.shape[-1]
    return np.array(
        [
            [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(n)]
            for i in range(n)
        ]
    )


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_determinants_have_their_derivatives_at_singular_matrices_too(rng, rank):
    a = matrices(rng, (), 4, rank) @ matrices(rng, (), rank, 4)
    x = wide(a)
    mt.linalg.det(x).backward()
    close(x.grad, minors(a), rtol=1e-9, atol=1e-10)
    assert gradcheck(mt.linalg.det, x)
    assert gradgradcheck(mt.linalg.det, x)


def test_determinants_of_a_batch_with_a_singular_matrix(rng):
    a = np.stack([squares(rng, (), 3), np.diag([1.0, 2.0, 0.0]), np.zeros((3, 3))])
    x = wide(a)
    mt.linalg.det(x).sum().backward()
    close(x.grad, np.stack([minors(each) for each in a]), atol=1e-10)


def test_products_of_all_but_two(rng):
    for size in (1, 2, 3, 5):
        s = rng.normal(size=(2, size))
        found = registry["products_without_two"].either(s)
        for b, i, j in itertools.product(range(2), range(size), range(size)):
            rest = [s[b, k] for k in range(size) if k not in (i, j)]
            np.testing.assert_allclose(found[b, i, j], 0 if i == j else np.prod(rest))


@pytest.mark.parametrize(
    "function",
    [
        mt.linalg.eigvalsh,
        mt.linalg.svdvals,
        lambda x: mt.linalg.matrix_norm(x, "nuc"),
        lambda x: mt.linalg.matrix_norm(x, 2),
        lambda x: mt.linalg.matrix_norm(x, -2),
        lambda x: mt.linalg.eigh(x).eigenvalues,
        lambda x: mt.linalg.svd(x).S,
        mt.linalg.matrix_norm,
        mt.linalg.norm,
    ],
)
@pytest.mark.parametrize("matrix", [np.eye(3), np.zeros((3, 3)), np.diag([2.0, 2.0, 0.0])])
def test_values_that_are_equal_or_zero_have_finite_gradients(function, matrix):
    x = wide(matrix)
    function(x).sum().backward(create_graph=True)
    assert bool(x.grad.isfinite().all())


def test_the_sum_of_eigenvalues_has_the_gradient_of_the_trace():
    x = wide(np.eye(3))
    mt.linalg.eigvalsh(x).sum().backward()
    close(x.grad, np.eye(3))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
def test_full_singular_vectors_give_the_gradient_of_a_projection(rng, shape):
    """What spans the rest of the space has a derivative, as long as only the span matters."""
    weight = mt.tensor(matrices(rng, (), max(shape), max(shape)))

    def rest(x):
        u, _, vh = mt.linalg.svd(x)
        columns = u[:, 2:] if shape[0] >= shape[1] else vh.mT[:, 2:]
        projection = columns @ columns.mT
        return projection @ weight[: projection.shape[0]]

    x = wide(matrices(rng, (), *shape))
    assert gradcheck(rest, x)
    assert gradgradcheck(rest, x)


def test_the_gradient_of_a_factor_is_that_of_symmetric_changes(rng):
    a = squares(rng, (), 3)
    for function in (mt.linalg.cholesky, lambda x: mt.linalg.eigh(x).eigenvectors):
        x = wide(a @ a.T)
        function(x).sum().backward()
        close(x.grad, x.grad.mT.numpy())
        root = wide(a)
        assert gradcheck(lambda r, f=function: f(r @ r.mT), root)
        assert gradgradcheck(lambda r, f=function: f(r @ r.mT), root)


def test_norms_at_zero_have_zero_gradients():
    for order in (0.5, 1, 1.5, 2, 3, np.inf, -1, -np.inf):
        x = wide(np.zeros(3))
        (slope,) = grad(mt.linalg.vector_norm(x, order), x, create_graph=True)
        assert slope.tolist() == [0.0, 0.0, 0.0]
    x = wide(np.zeros((2, 2)))
    mt.linalg.matrix_norm(x).backward()
    assert not x.grad.numpy().any()


def test_a_number_of_elements_has_no_gradient():
    x = wide(np.array([1.0, 0.0]))
    mt.linalg.vector_norm(x, 0).backward()
    assert x.grad is None
    assert not mt.linalg.slogdet(wide(np.eye(2))).sign.requires_grad


def test_least_squares_has_gradients_for_every_shape(rng):
    for m, n in ((5, 3), (3, 5), (3, 3), (1, 3), (3, 1)):
        a, b = wide(matrices(rng, (2,), m, n)), wide(matrices(rng, (2,), m, 2))

        def solution(x, y):
            return mt.linalg.lstsq(x, y).solution

        assert gradcheck(solution, (a, b))
        assert gradgradcheck(solution, (a, b))


def test_pseudo_inverses_of_a_constant_rank_have_gradients(rng):
    left, right = wide(matrices(rng, (), 4, 2)), wide(matrices(rng, (), 2, 3))
    assert gradcheck(lambda a, b: mt.linalg.pinv(a @ b, rtol=1e-8), (left, right))


@pytest.mark.parametrize("order", [None, -2, "fro", "nuc", 1, -1, np.inf, -np.inf])
def test_condition_numbers_have_gradients(rng, order):
    x = wide(squares(rng, (2,), 3))
    assert gradcheck(lambda a: mt.linalg.cond(a, order), x)
    assert gradgradcheck(lambda a: mt.linalg.cond(a, order), x)


def test_determinants_of_nan_have_gradients_of_nan(rng):
    a = squares(rng, (3,), 3)
    a[1, 2, 2] = np.nan
    a[2] = 0
    x = wide(a)
    mt.linalg.det(x).sum().backward()
    assert bool(x.grad[1].isnan().all())
    close(x.grad[0], minors(a[0]), rtol=1e-9)
    assert not x.grad[2].numpy().any()
